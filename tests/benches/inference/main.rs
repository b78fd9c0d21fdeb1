//! How fast a model answers through all of Lull, beside llama.cpp as node-llama-cpp ships it, and while workers vanish.
//!
//! `cargo bench -p lull-tests --bench inference -- [--tokens N] [--streams 1,4,16] [--workers 1,2] [--churn SECONDS]`
//!
//! Everything is on this machine and shares its processor: customer, network, workers and their runtimes. The peer is one
//! process that does nothing else, with one thread, and so is a runtime where two cores are busy with the rest.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lull_testkit::models;
use lull_tests::{Customer, Machine, Network, Streamed};
use serde_json::{Value, json};

const PROMPT: &str = "The history of the steam engine begins";

#[derive(Debug)]
struct Options {
    tokens: u32,
    streams: Vec<usize>,
    workers: Vec<usize>,
    churn: Duration,
}

impl Options {
    fn read() -> Result<Self> {
        let mut options = Self {
            tokens: 96,
            streams: vec![1, 4, 16],
            workers: vec![1, 2],
            churn: Duration::from_secs(120),
        };
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        let list = |text: String| text.split(',').map(|n| Ok(n.parse()?)).collect::<Result<Vec<usize>>>();
        while let Some(argument) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{argument} needs a value"))?;
            match argument.as_str() {
                "--tokens" => options.tokens = value.parse()?,
                "--streams" => options.streams = list(value)?,
                "--workers" => options.workers = list(value)?,
                "--churn" => options.churn = Duration::from_secs(value.parse()?),
                _ => bail!("{argument} is not understood"),
            }
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // A test runner asks every program for its tests; here are none.
    if std::env::args().any(|argument| argument == "--list") {
        return Ok(());
    }
    let options = Options::read()?;
    let Some(model) = models::gemma() else { bail!("there is no model") };
    say("tokens a second of one stream, greedy, three times each, and the time to the first in ms");
    for _ in 0..3 {
        let peer = peer(&model, options.tokens).await?;
        say(&format!(
            "  node-llama-cpp       {:6.2}   first {:6.0}",
            number(&peer, "tps"),
            number(&peer, "ttft_ms")
        ));
    }
    for workers in &options.workers {
        let scene = Scene::new(&model, *workers).await?;
        // The model is loaded with the first.
        scene.one(0, 4).await?;
        if *workers == 1 {
            for _ in 0..3 {
                let streamed = scene.one(0, options.tokens).await?;
                let first = streamed.first_after.as_secs_f64() * 1e3;
                say(&format!("  through Lull         {:6.2}   first {first:6.0}", rate(&streamed)));
            }
        }
        for streams in &options.streams {
            let began = Instant::now();
            let all = (0..*streams).map(|n| scene.one(n, options.tokens / 2));
            let all = futures_util::future::try_join_all(all).await?;
            let tokens: u64 = all.iter().map(Streamed::tokens).sum();
            let each = tokens as f64 / began.elapsed().as_secs_f64();
            say(&format!("  {workers} workers, {streams:2} streams  {each:6.2} together"));
        }
    }
    if !options.churn.is_zero() {
        churn(&model, options.churn).await?;
    }
    Ok(())
}

/// A third of three workers vanishes each minute, and another comes; two streams go on all the time.
async fn churn(model: &Path, lasts: Duration) -> Result<()> {
    const STREAMS: usize = 2;
    let mut scene = Scene::new(model, 3).await?;
    scene.one(0, 4).await?;
    let until = Instant::now() + lasts;
    let customer = scene.customer.clone();
    let asking = (0..STREAMS).map(|n| {
        let customer = customer.clone();
        tokio::spawn(async move {
            let mut done = Vec::new();
            let mut failed = 0;
            while Instant::now() < until {
                match customer.stream(ask(n + done.len() * STREAMS, 48), |_| ()).await {
                    Ok(streamed) => done.push(streamed),
                    Err(error) => {
                        say(&format!("  failed: {error:#}"));
                        failed += 1;
                    }
                }
            }
            (done, failed)
        })
    });
    let asking: Vec<_> = asking.collect();
    let mut vanished = 0;
    let every = Duration::from_secs(60);
    let mut next = Instant::now() + every / 3;
    while Instant::now() < until {
        tokio::time::sleep_until(next.min(until).into()).await;
        if Instant::now() >= until {
            break;
        }
        next += every;
        scene.machines.remove(0).crash().await?;
        vanished += 1;
        scene.add().await?;
    }
    let mut all = Vec::new();
    let mut failed = 0;
    for asked in asking {
        let (done, more) = asked.await?;
        all.extend(done);
        failed += more;
    }
    ensure!(!all.is_empty(), "nothing was answered");
    let firsts = all.iter().map(|streamed| streamed.first_after).collect();
    let gaps = all.iter().flat_map(|streamed| streamed.gaps.clone()).collect();
    say(&format!(
        "{vanished} of 3 workers vanished in {} s; {} answers, {failed} failed; ms",
        lasts.as_secs(),
        all.len()
    ));
    say(&format!("  first token     {}", spread(firsts)));
    say(&format!("  between tokens  {}", spread(gaps)));
    Ok(())
}

struct Scene {
    network: Network,
    customer: Customer,
    machines: Vec<Machine>,
}

impl Scene {
    async fn new(model: &Path, machines: usize) -> Result<Self> {
        let network = Network::start().await?;
        let more = ["--context", "512", "--sequences", "8"];
        network.add_model(model, "gemma", (20, 100), &more).await?;
        let customer = network.customer("Ada", 1_000_000_000).await?;
        let mut scene = Self { network, customer, machines: Vec::new() };
        for _ in 0..machines {
            scene.add().await?;
        }
        Ok(scene)
    }

    async fn add(&mut self) -> Result<()> {
        let mut machine = Machine::new()?;
        machine.serve_models();
        machine.join(self.network.ticket()).await?;
        // Before it gets work its device is timed, which others that work on the same processor would spoil.
        machine.until("its timing", |snapshot| snapshot.devices[0].timed_gigaflops.is_some()).await?;
        self.machines.push(machine);
        Ok(())
    }

    async fn one(&self, nth: usize, tokens: u32) -> Result<Streamed> {
        self.customer.stream(ask(nth, tokens), |_| ()).await
    }
}

fn ask(nth: usize, tokens: u32) -> Value {
    let prompt = if nth == 0 { PROMPT.to_owned() } else { format!("Chapter {nth}. {PROMPT}") };
    json!({ "model": "gemma", "prompt": prompt, "max_tokens": tokens, "temperature": 0 })
}

async fn peer(model: &Path, tokens: u32) -> Result<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("inference");
    let output = tokio::process::Command::new("node")
        .arg("peer.mjs")
        .arg(model)
        .args(["1", &tokens.to_string()])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_default()
}

/// Tokens a second after the first.
fn rate(streamed: &Streamed) -> f64 {
    let time: Duration = streamed.gaps.iter().sum();
    (streamed.tokens() - 1) as f64 / time.as_secs_f64()
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
    format!("p50 {:6.0}  p95 {:6.0}  p99 {:6.0}  max {:6.0}", at(0.5), at(0.95), at(0.99), at(1.0))
}

#[allow(clippy::print_stdout, reason = "it is what this program is for")]
fn say(line: &str) {
    println!("{line}");
}
