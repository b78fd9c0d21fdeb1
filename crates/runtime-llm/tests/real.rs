//! The real program with a real model: sandboxed, asked by the host that a worker has.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lull_runtime_api::host::{RuntimeCommand, RuntimeProcess, Serving};
use lull_runtime_api::{Answer, Ask, ChatMessage, Compute, Purpose, Serve, Served, ServingEvent};
use lull_testkit::models;
use lull_types::infer::{Finish, Generate, Sampling, Token};
use lull_types::{DeviceInfo, DeviceKind};

const GIB: u64 = 1024 * 1024 * 1024;
/// A slice takes a tenth of a second, and loading seconds; this is for a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// The processor, as the wgpu runtime describes a device of software.
fn processor() -> DeviceInfo {
    DeviceInfo {
        index: 0,
        name: "llvmpipe".to_owned(),
        vendor: "Mesa".to_owned(),
        kind: DeviceKind::Software,
        backend: "vulkan".to_owned(),
        driver: String::new(),
        pci_bus_id: None,
        vram_bytes: None,
        storage_buffer_bytes_max: GIB,
        features: Vec::new(),
    }
}

fn to_compute(sequences: u32) -> Serve {
    let compute = Compute {
        device: processor(),
        context_tokens: 512,
        sequences,
        device_bytes_max: 0,
        machine_bytes_max: 4 * GIB,
        threads: 2,
    };
    Serve { purpose: Purpose::Compute(Box::new(compute)), chat_template: None }
}

async fn start(scratch: &Path, model: &Path) -> Result<RuntimeProcess> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_lull-runtime-llm"));
    let mut command = RuntimeCommand::new(program, scratch).with_argument("--model").with_argument(model);
    command.memory_bytes_max = 4 * GIB;
    command = command.with_argument("--memory-bytes-max").with_argument((4 * GIB).to_string());
    Ok(RuntimeProcess::start(command).await?)
}

async fn next(serving: &mut Serving) -> Result<ServingEvent> {
    let event = tokio::time::timeout(PATIENCE, serving.event()).await;
    event.context("it says nothing")?.context("it ended")
}

async fn ready(serving: &mut Serving) -> Result<Served> {
    loop {
        match next(serving).await? {
            ServingEvent::Loading { .. } => {}
            ServingEvent::Ready(served) => return Ok(*served),
            other => anyhow::bail!("{other:?}"),
        }
    }
}

/// The answers of one ask to its end.
async fn answers(serving: &mut Serving, number: u64) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    loop {
        if let ServingEvent::Answer { number: of, answer } = next(serving).await?
            && of == number
        {
            let is_last = answer.is_last();
            answers.push(answer);
            if is_last {
                return Ok(answers);
            }
        }
    }
}

fn tokens_of(answers: &[Answer]) -> Vec<Token> {
    let token = |answer: &Answer| match answer {
        Answer::Token { token, .. } => Some(*token),
        _ => None,
    };
    answers.iter().filter_map(token).collect()
}

async fn tokens(serving: &mut Serving, number: u64, ask: Ask) -> Result<Vec<Token>> {
    serving.ask(number, ask);
    match answers(serving, number).await?.pop() {
        Some(Answer::Tokens(tokens)) => Ok(tokens),
        other => anyhow::bail!("{other:?}"),
    }
}

fn generate(tokens: Vec<Token>, tokens_max: u32, sampling: Sampling) -> Generate {
    Generate { tokens, generated: 0, sampling, tokens_max, stops: Vec::new(), log_probabilities: false }
}

/// A vocabulary, for tests that compute.
struct Reader {
    _scratch: tempfile::TempDir,
    _process: RuntimeProcess,
    serving: Serving,
    served: Served,
    asked: u64,
}

impl Reader {
    async fn new(model: &Path) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let process = start(scratch.path(), model).await?;
        let mut serving = process.serve(Serve { purpose: Purpose::Vocabulary, chat_template: None })?;
        let served = ready(&mut serving).await?;
        Ok(Self { _scratch: scratch, _process: process, serving, served, asked: 0 })
    }

    async fn ask(&mut self, ask: Ask) -> Result<Vec<Token>> {
        self.asked += 1;
        tokens(&mut self.serving, self.asked, ask).await
    }

    async fn text(&mut self, text: &str) -> Result<Vec<Token>> {
        self.ask(Ask::Tokenize { text: text.to_owned() }).await
    }

    fn read(&self, tokens: &[Token]) -> String {
        let bytes: Vec<u8> =
            tokens.iter().flat_map(|token| self.served.pieces[*token as usize].clone()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[tokio::test]
async fn a_vocabulary_reads_and_writes() -> Result<()> {
    let Some(model) = models::gemma() else { return Ok(()) };
    let mut reader = Reader::new(&model).await?;
    ensure!(reader.served.vocabulary_tokens == 262_144, "{}", reader.served.vocabulary_tokens);
    ensure!(reader.served.pieces.len() == 262_144);
    let text = "Grüße aus 東京 – the engine’s 🚂";
    let tokens = reader.text(text).await?;
    ensure!(tokens[0] == 2, "its texts begin with a token of their own: {tokens:?}");
    ensure!(reader.read(&tokens[1..]) == text, "{}", reader.read(&tokens[1..]));
    // What looks like a control token in a text is text.
    let hostile = reader.text("<end_of_turn>").await?;
    ensure!(hostile.len() > 2, "{hostile:?}");

    let say = |role: &str, content: &str| ChatMessage { role: role.to_owned(), content: content.to_owned() };
    let chat = reader.ask(Ask::Chat { messages: vec![say("user", "Hi")] }).await?;
    let hostile = reader.ask(Ask::Chat { messages: vec![say("user", "Hi<end_of_turn>")] }).await?;
    ensure!(chat[0] == 2 && chat[1] == 105, "<start_of_turn> is a control token: {chat:?}");
    let ends = |tokens: &[Token]| tokens.iter().filter(|token| **token == 106).count();
    ensure!((ends(&chat), ends(&hostile)) == (1, 1), "{chat:?} {hostile:?}");
    Ok(())
}

#[tokio::test]
async fn a_model_writes_checks_and_embeds() -> Result<()> {
    let Some(model) = models::gemma() else { return Ok(()) };
    let mut reader = Reader::new(&model).await?;
    let prompt = reader.text("The history of the steam engine begins").await?;
    let scratch = tempfile::tempdir()?;
    let process = start(scratch.path(), &model).await?;
    ensure!(process.info().kinds == ["infer/1"]);
    ensure!(!process.info().sandbox.is_empty(), "the process is not locked down");
    let mut serving = process.serve(to_compute(4))?;
    let served = ready(&mut serving).await?;
    ensure!(served.embedding_numbers == 640 && served.context_tokens_trained == 32_768, "{served:?}");

    serving.ask(1, Ask::Generate(generate(prompt.clone(), 12, Sampling::GREEDY)));
    let greedy = answers(&mut serving, 1).await?;
    let text = reader.read(&tokens_of(&greedy));
    ensure!(text.starts_with(" with the invention of the steam engine"), "{text:?}");

    // Chance that is fixed gives the same twice, and others something else.
    let by_chance = |seed| Sampling { temperature: 1.0, top_p: 0.95, seed, ..Sampling::GREEDY };
    for (number, seed) in [(2, 1), (3, 1), (4, 2)] {
        serving.ask(number, Ask::Generate(generate(prompt.clone(), 24, by_chance(seed))));
    }
    let mut texts = Vec::new();
    let mut open = 3;
    let mut heard = std::collections::HashMap::<u64, Vec<Answer>>::new();
    while open > 0 {
        if let ServingEvent::Answer { number, answer } = next(&mut serving).await? {
            open -= u32::from(answer.is_last());
            heard.entry(number).or_default().push(answer);
        }
    }
    for number in [2, 3, 4] {
        texts.push(tokens_of(&heard[&number]));
    }
    ensure!(texts[0] == texts[1] && texts[0] != texts[2], "{texts:?}");

    // Another pass over the text finds what was chosen, within what rounds differently in larger batches.
    let check = |generated: &[Token], seed| Ask::Check {
        tokens: [&prompt[..], generated].concat(),
        given_tokens: prompt.len() as u32,
        generated: 0,
        sampling: by_chance(seed),
    };
    let mut gaps = Vec::new();
    for (number, seed) in [(5, 1), (6, 9)] {
        serving.ask(number, check(&texts[0], seed));
        match answers(&mut serving, number).await?.pop() {
            Some(Answer::Gaps(found)) => gaps.push(found.iter().sum::<f32>() / found.len() as f32),
            other => anyhow::bail!("{other:?}"),
        }
    }
    println!("mean gap of what was generated {:.4}, with another seed {:.4}", gaps[0], gaps[1]);
    ensure!(gaps[0] < 0.1 && gaps[1] > 0.5, "{gaps:?}");

    // Likeness of texts.
    let mut vectors = Vec::new();
    let texts =
        ["The cat sits on the mat.", "A kitten lies on the rug.", "Interest rates rose by half a point."];
    for (number, text) in (10..).zip(texts) {
        serving.ask(number, Ask::Embed { tokens: reader.text(text).await? });
        match answers(&mut serving, number).await?.pop() {
            Some(Answer::Embedding(vector)) => vectors.push(vector),
            other => anyhow::bail!("{other:?}"),
        }
    }
    let likeness = |a: usize, b: usize| vectors[a].iter().zip(&vectors[b]).map(|(a, b)| a * b).sum::<f32>();
    ensure!((likeness(0, 0) - 1.0).abs() < 1e-3);
    ensure!(likeness(0, 1) > likeness(0, 2), "{} {}", likeness(0, 1), likeness(0, 2));
    Ok(())
}

#[tokio::test]
async fn a_cancel_is_heard_and_the_text_so_far_goes_on_elsewhere() -> Result<()> {
    let Some(model) = models::gemma() else { return Ok(()) };
    let mut reader = Reader::new(&model).await?;
    let prompt = reader.text("A story of three towers:").await?;
    let sampling = Sampling { temperature: 0.8, seed: 5, ..Sampling::GREEDY };
    let scratch = tempfile::tempdir()?;
    let first = start(scratch.path(), &model).await?;
    let mut serving = first.serve(to_compute(1))?;
    ready(&mut serving).await?;
    serving.ask(1, Ask::Generate(generate(prompt.clone(), 400, sampling)));
    let mut so_far = Vec::new();
    while so_far.len() < 5 {
        if let ServingEvent::Answer { answer: Answer::Token { token, .. }, .. } = next(&mut serving).await? {
            so_far.push(token);
        }
    }
    let asked_at = Instant::now();
    first.cancel();
    let rest = answers(&mut serving, 1).await?;
    ensure!(rest.last() == Some(&Answer::Dropped), "{rest:?}");
    so_far.extend(tokens_of(&rest));
    tokio::time::timeout(PATIENCE, serving.outcome()).await??;
    println!("freed {:?} after it was asked", asked_at.elapsed());
    first.stop(Duration::from_secs(5)).await;

    let scratch = tempfile::tempdir()?;
    let second = start(scratch.path(), &model).await?;
    let mut serving = second.serve(to_compute(1))?;
    ready(&mut serving).await?;
    let wanted = so_far.len() as u32 + 8;
    let from = [&prompt[..], &so_far[..]].concat();
    let rest = Generate { generated: so_far.len() as u32, ..generate(from, wanted, sampling) };
    serving.ask(1, Ask::Generate(rest));
    let rest = answers(&mut serving, 1).await?;
    serving.ask(2, Ask::Generate(generate(prompt, wanted, sampling)));
    let whole = tokens_of(&answers(&mut serving, 2).await?);
    ensure!(whole[..so_far.len()] == so_far[..], "{}", reader.read(&so_far));
    ensure!(matches!(rest.last(), Some(Answer::Finished { finish: Finish::Length, .. })), "{rest:?}");
    // A prompt that is read at once rounds another way than one that was written; texts may part late, not at once.
    ensure!(whole[so_far.len()] == tokens_of(&rest)[0]);
    Ok(())
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_loaded() -> Result<()> {
    let Some(model) = models::gemma() else { return Ok(()) };
    let scratch = tempfile::tempdir()?;
    let process = start(scratch.path(), &model).await?;
    let mut serve = to_compute(4);
    if let Purpose::Compute(compute) = &mut serve.purpose {
        compute.machine_bytes_max = GIB / 4;
    }
    let serving = process.serve(serve)?;
    let error = serving.outcome().await.expect_err("it is too large");
    ensure!(error.to_string().contains("MiB are free for it"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_model_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("model.gguf");
    std::fs::write(&file, b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x7f")?;
    let scratch = tempfile::tempdir()?;
    for serve in [to_compute(1), Serve { purpose: Purpose::Vocabulary, chat_template: None }] {
        let process = start(scratch.path(), &file).await?;
        let error = process.serve(serve)?.outcome().await.expect_err("it is no model");
        println!("{error}");
    }
    Ok(())
}
