//! Language models, asked as any client of OpenAI's API would.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{Customer, Network, built};

/// What a customer was told, and when.
#[derive(Clone, Debug, Default)]
pub struct Streamed {
    /// The text.
    pub text: String,
    /// From the request to the first text.
    pub first_after: Duration,
    /// Between each text and the next.
    pub gaps: Vec<Duration>,
    /// The last message: usage and price.
    pub last: Value,
}

impl Streamed {
    /// Tokens that were generated, as the network says.
    pub fn tokens(&self) -> u64 {
        self.last["usage"]["completion_tokens"].as_u64().unwrap_or_default()
    }
}

impl Network {
    /// Has the network serve a model, at a price for 1,000 tokens of prompts and one for as many that are generated.
    ///
    /// # Errors
    /// When it does not.
    pub async fn add_model(
        &self,
        file: &Path,
        name: &str,
        prices: (u64, u64),
        more: &[&str],
    ) -> Result<Value> {
        let mut command = tokio::process::Command::new(built("lull-network")?);
        let (prompt, generated) = (prices.0.to_string(), prices.1.to_string());
        command.args(["model", "add"]).arg(file).args(["--name", name, "--licence", "Gemma"]);
        command.args(["--prompt-price", &prompt, "--generated-price", &generated]).args(more);
        let output = command.arg("--data-dir").arg(self.data()).kill_on_drop(true).output().await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_str(&text)?)
    }
}

impl Customer {
    /// Asks something of a model; gives what it says.
    ///
    /// # Errors
    /// With what the network says, when that is not 200.
    pub async fn infer(&self, path: &str, ask: &Value) -> Result<Value> {
        let response = self.request(Method::POST, path).json(ask).send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "{status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Goes on with a text, as it comes. `told` is called with all of it so far.
    ///
    /// # Errors
    /// When it breaks off.
    pub async fn stream(&self, mut ask: Value, mut told: impl FnMut(&str)) -> Result<Streamed> {
        ask["stream"] = json!(true);
        ask["stream_options"] = json!({ "include_usage": true });
        let asked_at = Instant::now();
        let response = self.request(Method::POST, "completions").json(&ask).send().await?;
        let status = response.status();
        if !status.is_success() {
            bail!("{status}: {}", response.text().await?);
        }
        let mut streamed = Streamed::default();
        let mut events = Events { response, text: String::new() };
        let mut last_at: Option<Instant> = None;
        while let Some(event) = events.next().await? {
            if event == "[DONE]" {
                ensure!(streamed.last["usage"].is_object(), "it ended without usage");
                return Ok(streamed);
            }
            let event: Value = serde_json::from_str(&event).with_context(|| event.clone())?;
            ensure!(event["error"].is_null(), "{event}");
            let text = event["choices"][0]["text"].as_str().unwrap_or_default();
            if !text.is_empty() {
                let now = Instant::now();
                match last_at.replace(now) {
                    None => streamed.first_after = now - asked_at,
                    Some(before) => streamed.gaps.push(now - before),
                }
                streamed.text.push_str(text);
                told(&streamed.text);
            }
            streamed.last = event;
        }
        bail!("it ended in the middle: {:?}", streamed.text)
    }
}

/// Server-sent events.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    async fn next(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                if let Some(data) = event.trim_end().strip_prefix("data: ") {
                    return Ok(Some(data.to_owned()));
                }
                // A comment, which keeps the connection.
                continue;
            }
            match self.response.chunk().await? {
                Some(bytes) => self.text.push_str(std::str::from_utf8(&bytes)?),
                None => return Ok(None),
            }
        }
    }
}
