//! Prints what a model file says of itself: `cargo run -p lull-gguf --example inspect -- MODEL.gguf`
#![allow(clippy::print_stdout, reason = "it is for whoever runs it")]

use std::error::Error;
use std::fs::File;
use std::io::BufReader;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a model file")?;
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut model = lull_gguf::read(BufReader::new(file))?;
    let template = model.chat_template.take().map_or(0, |template| template.len());
    println!("{model:#?}\nbytes: {bytes}; template: {template} bytes; {:?}", model.memory(2048, 1));
    Ok(())
}
