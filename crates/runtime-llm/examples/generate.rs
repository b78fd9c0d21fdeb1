//! Has the runtime go on with a text, greedily, and tells how fast: `generate MODEL TOKENS THREADS TEXT`.
//!
//! The program `lull-runtime-llm` is looked for beside this one's folder.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use lull_runtime_api::{Answer, Ask, ServingEvent};
use lull_testkit::served_model::{ServedModel, on_processor, vocabulary};
use lull_types::infer::{Generate, Sampling};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, tokens, threads, text] = &arguments[..] else { bail!("generate MODEL TOKENS THREADS TEXT") };
    let program = std::env::current_exe()?.with_file_name("../lull-runtime-llm");
    let program = program.canonicalize().context("build lull-runtime-llm first")?;
    let mut reader = ServedModel::start(&program, model.as_ref(), vocabulary()).await?;
    let prompt = reader.read(text).await?;
    let serve = on_processor(2_048, 1, threads.parse()?);
    let mut model = ServedModel::start(&program, model.as_ref(), serve).await?;
    let began = Instant::now();
    model.begin(Ask::Generate(Generate {
        tokens: prompt.clone(),
        generated: 0,
        sampling: Sampling::GREEDY,
        tokens_max: tokens.parse()?,
        stops: Vec::new(),
        log_probabilities: false,
    }));
    let mut told = Vec::new();
    let mut first = None;
    loop {
        match model.event().await? {
            ServingEvent::Answer { answer: Answer::Token { token, .. }, .. } => {
                first.get_or_insert_with(Instant::now);
                told.push(token);
            }
            ServingEvent::Answer { answer, .. } if answer.is_last() => break,
            _ => {}
        }
    }
    let first = first.context("nothing was generated")?;
    let lines = [
        reader.text(&told),
        format!("prompt {prompt:?}"),
        format!("tokens {told:?}"),
        format!("first after {:.1} ms", (first - began).as_secs_f64() * 1e3),
        format!("{:.2} tokens/s", (told.len() - 1) as f64 / first.elapsed().as_secs_f64()),
    ];
    std::io::stdout().write_all((lines.join("\n") + "\n").as_bytes())?;
    Ok(())
}
