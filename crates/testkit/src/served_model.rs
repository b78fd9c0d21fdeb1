//! A real model that the real runtime serves, for tests, examples and measurements.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lull_runtime_api::host::{RuntimeCommand, RuntimeProcess, Serving};
use lull_runtime_api::{Answer, Ask, Compute, Purpose, Serve, Served, ServingEvent};
use lull_types::infer::Token;
use lull_types::{DeviceInfo, DeviceKind};

/// Main memory for models of tests.
const MEMORY_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// A slice takes a tenth of a second, and loading seconds; this is for a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A model, served by a process of its own.
#[derive(Debug)]
pub struct ServedModel {
    /// What it said of itself.
    pub about: Served,
    /// Its process.
    pub process: RuntimeProcess,
    /// Its asks and answers.
    pub serving: Serving,
    asked: u64,
    _scratch: tempfile::TempDir,
}

/// The processor, as the wgpu runtime describes a device of software.
pub fn processor() -> DeviceInfo {
    DeviceInfo {
        index: 0,
        name: "llvmpipe".to_owned(),
        vendor: "Mesa".to_owned(),
        kind: DeviceKind::Software,
        backend: "vulkan".to_owned(),
        driver: String::new(),
        pci_bus_id: None,
        vram_bytes: None,
        storage_buffer_bytes_max: 1 << 30,
        features: Vec::new(),
    }
}

/// How a model is computed on the processor.
pub fn on_processor(context_tokens: u32, sequences: u32, threads: u32) -> Serve {
    let compute = Compute {
        device: processor(),
        context_tokens,
        sequences,
        device_bytes_max: 0,
        machine_bytes_max: MEMORY_BYTES_MAX,
        threads,
    };
    Serve { purpose: Purpose::Compute(Box::new(compute)), chat_template: None }
}

/// How a vocabulary is served.
pub fn vocabulary() -> Serve {
    Serve { purpose: Purpose::Vocabulary, chat_template: None }
}

/// Starts the runtime `program` for a model's file.
///
/// # Errors
/// When it does not start.
pub async fn start(program: &Path, model: &Path, scratch: &Path) -> Result<RuntimeProcess> {
    let mut command = RuntimeCommand::new(program, scratch)
        .with_argument("--model")
        .with_argument(std::path::absolute(model)?)
        .with_argument("--memory-bytes-max")
        .with_argument(MEMORY_BYTES_MAX.to_string());
    command.memory_bytes_max = MEMORY_BYTES_MAX;
    Ok(RuntimeProcess::start(command).await?)
}

impl ServedModel {
    /// Starts the runtime and loads the model.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub async fn start(program: &Path, model: &Path, serve: Serve) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let process = start(program, model, scratch.path()).await?;
        let mut serving = process.serve(serve)?;
        let about = loop {
            match tokio::time::timeout(PATIENCE, serving.event()).await.context("it loads nothing")? {
                Some(ServingEvent::Loading { .. }) => {}
                Some(ServingEvent::Ready(served)) => break *served,
                Some(other) => bail!("{other:?}"),
                None => {
                    serving.outcome().await?;
                    bail!("it ended");
                }
            }
        };
        Ok(Self { about, process, serving, asked: 0, _scratch: scratch })
    }

    /// Asks, without waiting. Gives the ask's number.
    pub fn begin(&mut self, ask: Ask) -> u64 {
        self.asked += 1;
        self.serving.ask(self.asked, ask);
        self.asked
    }

    /// The next event.
    ///
    /// # Errors
    /// When there is none.
    pub async fn event(&mut self) -> Result<ServingEvent> {
        let event = tokio::time::timeout(PATIENCE, self.serving.event()).await;
        event.context("it says nothing")?.context("it ended")
    }

    /// Asks several things side by side; gives all answers of each.
    ///
    /// # Errors
    /// When it ends before it has answered.
    pub async fn ask_all(&mut self, asks: Vec<Ask>) -> Result<Vec<Vec<Answer>>> {
        let numbers: Vec<u64> = asks.into_iter().map(|ask| self.begin(ask)).collect();
        let mut answers: HashMap<u64, Vec<Answer>> = HashMap::new();
        let mut open = numbers.len();
        while open > 0 {
            if let ServingEvent::Answer { number, answer } = self.event().await?
                && numbers.contains(&number)
            {
                open -= usize::from(answer.is_last());
                answers.entry(number).or_default().push(answer);
            }
        }
        Ok(numbers.iter().map(|number| answers.remove(number).unwrap_or_default()).collect())
    }

    /// Asks one thing; gives all answers.
    ///
    /// # Errors
    /// When it ends before it has answered.
    pub async fn ask(&mut self, ask: Ask) -> Result<Vec<Answer>> {
        Ok(self.ask_all(vec![ask]).await?.remove(0))
    }

    /// The tokens of a text or a chat.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn tokens(&mut self, ask: Ask) -> Result<Vec<Token>> {
        match self.ask(ask).await?.pop() {
            Some(Answer::Tokens(tokens)) => Ok(tokens),
            other => bail!("{other:?}"),
        }
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&mut self, text: &str) -> Result<Vec<Token>> {
        self.tokens(Ask::Tokenize { text: text.to_owned() }).await
    }

    /// The text of tokens, of a vocabulary.
    pub fn text(&self, tokens: &[Token]) -> String {
        let piece = |token: &Token| self.about.pieces.get(*token as usize).cloned().unwrap_or_default();
        String::from_utf8_lossy(&tokens.iter().flat_map(piece).collect::<Vec<u8>>()).into_owned()
    }
}

/// The tokens among answers.
pub fn generated(answers: &[Answer]) -> Vec<Token> {
    let token = |answer: &Answer| match answer {
        Answer::Token { token, .. } => Some(*token),
        _ => None,
    };
    answers.iter().filter_map(token).collect()
}
