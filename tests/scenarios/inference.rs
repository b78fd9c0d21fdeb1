//! Language models on contributors' machines, asked by customers.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use lull_testkit::models;
use lull_tests::{Customer, Machine, Network};
use lull_worker_api::{Command, SettingsChange};
use serde_json::json;

/// Prices of 1,000 tokens, of prompts and generated.
const PRICES: (u64, u64) = (200, 1_000);

/// A network that serves the model, a customer, and machines that may serve it.
struct Scene {
    network: Network,
    customer: Customer,
    machines: Vec<Machine>,
}

impl Scene {
    async fn new(model: &Path, machines: usize) -> Result<Self> {
        let network = Network::start().await?;
        let added =
            network.add_model(model, "gemma", PRICES, &["--context", "512", "--sequences", "4"]).await?;
        ensure!(added[0]["name"] == "gemma", "{added}");
        let customer = network.customer("Ada", 10_000_000).await?;
        let mut scene = Self { network, customer, machines: Vec::new() };
        for _ in 0..machines {
            scene.add_machine().await?;
        }
        Ok(scene)
    }

    async fn add_machine(&mut self) -> Result<()> {
        let mut machine = Machine::new()?;
        machine.serve_models();
        machine.join(self.network.ticket()).await?;
        // Before it gets work its device is timed, which others that work on the same processor would spoil.
        machine.until("its timing", |snapshot| snapshot.devices[0].timed_gigaflops.is_some()).await?;
        self.machines.push(machine);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_asks_a_model_on_a_contributors_machine() -> Result<()> {
    let Some(model) = models::gemma() else { return Ok(()) };
    let scene = Scene::new(&model, 1).await?;
    let customer = &scene.customer;

    let chat = json!({
        "model": "gemma", "max_tokens": 12, "temperature": 0,
        "messages": [{"role": "user", "content": "Name a colour."}],
    });
    let answer = customer.infer("chat/completions", &chat).await?;
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap_or_default();
    ensure!(!text.is_empty(), "{answer}");
    let count = |name: &str| answer["usage"][name].as_u64().unwrap_or_default();
    let (prompt, generated) = (count("prompt_tokens"), count("completion_tokens"));
    ensure!(prompt > 5 && (1..=12).contains(&generated), "{answer}");
    let price = (prompt * PRICES.0 + generated * PRICES.1).div_ceil(1_000);
    ensure!(answer["lull"]["price"] == price, "{answer}");
    ensure!(customer.account().await?.deposit.0 == 10_000_000 - price, "the account says otherwise");

    let streamed = customer.stream(story(24), |_| ()).await?;
    ensure!(streamed.tokens() == 24 && !streamed.text.is_empty(), "{streamed:?}");
    // The same again is the same, and its prompt need not be read again.
    let again = customer.stream(story(24), |_| ()).await?;
    ensure!(again.text == streamed.text, "{:?} {:?}", streamed.text, again.text);

    let stop = streamed.text.split_whitespace().nth(3).unwrap_or_default();
    let mut stopping = story(24);
    stopping["stop"] = json!([stop]);
    let stopped = customer.stream(stopping, |_| ()).await?;
    ensure!(streamed.text.starts_with(&stopped.text) && !stopped.text.contains(stop), "{stopped:?}");

    let vectors = customer
        .infer(
            "embeddings",
            &json!({ "model": "gemma", "input": ["A cat.", "A kitten."], "encoding_format": "float" }),
        )
        .await?;
    let numbers = vectors["data"][1]["embedding"].as_array().map(Vec::len);
    ensure!(numbers == Some(640), "{vectors}");

    // What was served is paid with the shift, which ends when the contributor has changed their mind.
    let change = SettingsChange { serves_models: Some(false), ..SettingsChange::default() };
    scene.machines[0].order(Command::Configure(Box::new(change))).await?;
    let spent = 10_000_000 - customer.account().await?.deposit.0;
    scene.machines[0].until("the shift's receipt", |snapshot| snapshot.earnings.all_time.0 >= spent).await?;
    let (receipts, earned) = scene.machines[0].verified_receipts().await?;
    ensure!((receipts, earned) == (1, spent + 1), "{receipts} receipts of {earned}, and {spent} was spent");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_on_when_its_worker_vanishes() -> Result<()> {
    let Some(model) = models::gemma() else { return Ok(()) };
    let mut scene = Scene::new(&model, 1).await?;
    let whole = scene.customer.stream(story(40), |_| ()).await;
    let whole = whole.with_context(|| scene.network.log_tail())?;
    // Both machines are ready before the first is cut off.
    scene.add_machine().await?;
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let customer = scene.customer.clone();
    let going = tokio::spawn(async move {
        customer.stream(story(40), |text| _ = begun.send(text.split_whitespace().count())).await
    });
    while begins.recv().await.is_some_and(|words| words < 6) {}
    scene.machines[0].crash().await?;
    let moved = going.await?.with_context(|| scene.network.log_tail())?;
    // What was told stays told. Prompts that are read at once round another way than those that were written, so that
    // chance may part them afterwards.
    let words = |text: &str| text.split_whitespace().take(6).map(str::to_owned).collect::<Vec<_>>();
    ensure!(words(&moved.text) == words(&whole.text), "{:?} {:?}", moved.text, whole.text);
    ensure!(moved.tokens() == 40, "{moved:?}");
    Ok(())
}

/// A text to go on with, the same for everybody.
fn story(tokens: u32) -> serde_json::Value {
    json!({
        "model": "gemma", "prompt": "Once upon a time, in a village at the edge of the forest,",
        "max_tokens": tokens, "temperature": 0.7, "seed": 7,
    })
}
