//! Solana's own validator as the ledger of one test.

use std::fmt::Display;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::eventually;
use crate::process::log_tail;

/// Names the validator's program. `cargo xtask validator` sets it, and has tests run in a network of their own.
const PROGRAM: &str = "LULL_VALIDATOR";

/// Ticks of 6.25 ms in a slot. The protocol has 64 of them, and two thirds of a minute pass until a block is final;
/// with 8 it is two seconds, and two busy cores keep up.
const TICKS_A_SLOT: &str = "8";

/// How long one question may take. The validator is on this machine.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// What a ledger begins with.
#[derive(Clone, Debug, Default)]
pub struct Genesis {
    accounts: Vec<(String, Value)>,
    programs: Vec<(String, PathBuf)>,
}

impl Genesis {
    /// An account. Addresses are in base 58.
    #[must_use]
    pub fn account(mut self, address: impl Display, lamports: u64, owner: impl Display, data: &[u8]) -> Self {
        let account = json!({
            "lamports": lamports,
            "data": [BASE64.encode(data), "base64"],
            "owner": owner.to_string(),
            "executable": false,
            "rentEpoch": u64::MAX,
            "space": data.len(),
        });
        let address = address.to_string();
        self.accounts.push((address.clone(), json!({ "pubkey": address, "account": account })));
        self
    }

    /// A program from its file.
    #[must_use]
    pub fn program(mut self, address: impl Display, file: &Path) -> Self {
        self.programs.push((address.to_string(), file.to_owned()));
        self
    }
}

/// A running validator with a new ledger. It ends with this value, and its ledger with it.
#[derive(Debug)]
pub struct Validator {
    child: Child,
    folder: TempDir,
    url: String,
    client: reqwest::Client,
}

impl Validator {
    /// Starts it and waits until it makes final blocks. `rich` has half a billion SOL.
    ///
    /// # Errors
    /// When it does not start, or would be reachable from outside.
    pub async fn start(rich: impl Display, genesis: &Genesis) -> Result<Self> {
        let program = std::env::var_os(PROGRAM)
            .with_context(|| format!("{PROGRAM} names no validator; run `cargo xtask validator`"))?;
        only_loopback()?;
        let folder = tempfile::tempdir()?;
        let port = free_ports()?;
        let mut command = Command::new(program);
        command
            .args(["--reset", "--quiet", "--bind-address", "127.0.0.1", "--ticks-per-slot", TICKS_A_SLOT])
            .args(["--rpc-port", &port.to_string(), "--faucet-port", &(port + 2).to_string()])
            .args(["--gossip-port", &(port + 3).to_string()])
            .args(["--dynamic-port-range", &format!("{}-{}", port + 4, port + PORTS - 1)])
            .args(["--mint", &rich.to_string(), "--ledger"])
            .arg(folder.path().join("ledger"));
        for (address, account) in &genesis.accounts {
            let file = folder.path().join(format!("{address}.json"));
            std::fs::write(&file, account.to_string())?;
            command.args(["--account", address]).arg(file);
        }
        for (address, file) in &genesis.programs {
            command.args(["--bpf-program", address]).arg(file);
        }
        let log = std::fs::File::create(folder.path().join("validator.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command.spawn().context("cannot start the validator")?;
        let client = reqwest::Client::builder().no_proxy().timeout(ASK_TIMEOUT).build()?;
        let mut validator = Self { child, folder, url: format!("http://127.0.0.1:{port}"), client };
        let started = eventually("the validator's first final block", async || {
            if let Some(status) = validator.child.try_wait()? {
                bail!("the validator has ended ({status}); it says:\n{}", validator.log_tail());
            }
            let height = validator.ask("getBlockHeight", json!([{ "commitment": "finalized" }])).await;
            Ok(height.ok().and_then(|height| height.as_u64()).filter(|height| *height > 0))
        });
        started.await.with_context(|| validator.log_tail())?;
        Ok(validator)
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks one question in JSON-RPC, and gives the result.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ask(&self, method: &str, params: Value) -> Result<Value> {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = self.client.post(&self.url).json(&question).send().await?.json().await?;
        ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        Ok(answer["result"].clone())
    }

    /// The end of what it wrote.
    pub fn log_tail(&self) -> String {
        log_tail(&self.folder.path().join("validator.log"))
    }
}

/// Ports that a validator takes beside each other: RPC and, after it, its websocket; faucet, gossip, and 25 for its other
/// sockets, fewer of which it refuses.
const PORTS: u16 = 4 + 30;

/// The first of so many ports, of which the RPC's is known to be free. In a network of the tests' own nobody else takes
/// any.
fn free_ports() -> Result<u16> {
    loop {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        if port < u16::MAX - PORTS {
            return Ok(port);
        }
    }
}

/// A validator listens on all addresses, whatever it is told, and its faucet gives to everyone who asks. So it runs only
/// where there is no network but this machine's own.
fn only_loopback() -> Result<()> {
    let interfaces = std::fs::read_to_string("/proc/net/dev")?;
    let names = interfaces.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    let others: Vec<&str> = names.filter(|name| *name != "lo").collect();
    ensure!(
        others.is_empty(),
        "the validator would be reachable through {}; `cargo xtask validator` runs these tests in a network of their own",
        others.join(", ")
    );
    Ok(())
}
