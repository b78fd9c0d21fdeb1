//! The linker that rustc calls for the on-chain program.
//!
//! rustc hands over LLVM bitcode for its own `bpfel-unknown-none` target. bpf-linker joins and optimises it with the
//! LLVM that rustc loads, and sbpf-linker rewrites the object into a program for Solana's virtual machine.

use std::ffi::CString;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use aya_rustc_llvm_proxy as _; // Linked for its symbols: LLVM's, found at run time.
use bpf_linker::{Cpu, Linker, LinkerInput, LinkerOptions, OptLevel, OutputType};
use sbpf_linker::{OptimizationConfig, ProgramOptions, SbpfArch, link_program};

/// What the virtual machine gives a function, bytes.
const STACK_FRAME: i32 = 4096;

/// Everything is inlined: a function of more than five arguments, or one that returns a large value, has no calling
/// convention on this target.
const INLINE_THRESHOLD: &str = "--inline-threshold=100000";

/// Functions that LLVM calls by itself, which must survive until it is done.
const LLVM_CALLS: [&str; 5] = ["memcpy", "memmove", "memset", "memcmp", "bcmp"];

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing_level()).init();
    let Arguments { inputs, mut exports, output } = Arguments::read(std::env::args().skip(1))?;
    exports.extend(LLVM_CALLS.map(String::from));
    let linker = Linker::new(LinkerOptions {
        target: None,
        cpu: Cpu::V2,
        cpu_features: CString::default(),
        optimize: OptLevel::Aggressive,
        unroll_loops: false,
        ignore_inline_never: true,
        llvm_args: vec![CString::new(format!("--bpf-stack-size={STACK_FRAME}"))?, CString::new(INLINE_THRESHOLD)?],
        disable_expand_memcpy_in_order: true,
        disable_memory_builtins: false,
        btf: false,
        allow_bpf_trap: true,
    });
    let object = output.with_extension("bpf.o");
    let inputs = inputs.iter().map(|path| LinkerInput::new_from_file(path.as_path()));
    linker.link_to_file(inputs, &object, OutputType::Object, exports.iter().map(String::as_str))?;
    if linker.has_errors() {
        bail!("LLVM reported an error");
    }
    let object = std::fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    let options = ProgramOptions::new(OptimizationConfig::enabled(), SbpfArch::V3, STACK_FRAME);
    let program = link_program(&object, options).map_err(|error| anyhow!("sbpf-linker: {error:?}"))?;
    std::fs::write(&output, program).with_context(|| format!("cannot write {}", output.display()))
}

/// Warnings only, unless somebody asks for more.
fn tracing_level() -> tracing_subscriber::filter::LevelFilter {
    let asked = std::env::var("RUST_LOG").ok().and_then(|level| level.parse().ok());
    asked.unwrap_or(tracing_subscriber::filter::LevelFilter::WARN)
}

/// What rustc asks for, as far as it matters here.
struct Arguments {
    inputs: Vec<PathBuf>,
    exports: Vec<String>,
    output: PathBuf,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let (mut inputs, mut exports, mut output) = (Vec::new(), vec!["entrypoint".to_owned()], None);
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "-o" => output = Some(PathBuf::from(value()?)),
                "--export" => exports.push(value()?),
                "--export-symbols" => {
                    let list = value()?;
                    let list = std::fs::read_to_string(&list).with_context(|| format!("cannot read {list}"))?;
                    exports.extend(list.lines().map(String::from));
                }
                // Choices that rustc's target makes and that are fixed above.
                "--cpu" | "--cpu-features" | "-L" | "-flavor" => drop(value()?),
                option if option.starts_with('-') => {}
                input => inputs.push(PathBuf::from(input)),
            }
        }
        Ok(Self { inputs, exports, output: output.context("no output is named: -o FILE")? })
    }
}
