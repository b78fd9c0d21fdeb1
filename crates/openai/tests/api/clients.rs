//! OpenAI's own clients, against a server on a socket.
//!
//! They are run where the environment says where they are: `LULL_OPENAI_PYTHON` is a Python that has `openai`, and
//! `LULL_OPENAI_NODE_MODULES` a folder with `node_modules/openai`.

use std::io::Write;
use std::time::Duration;

use tokio::process::Command;

use crate::served::Served;

/// Many times what they take; a client that hangs is to fail, not to hang everything.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(120);

/// Where something is, or a loud word on its absence. Written to the stream itself, as test runners keep back what is
/// printed by tests that pass.
fn told(variable: &str, what: &str) -> Option<String> {
    let found = std::env::var(variable).ok().filter(|path| !path.is_empty());
    if found.is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED: {variable} is not set, so {what} was not tried against the API\n"
        );
    }
    found
}

async fn run(mut client: Command) {
    let served = Served::new();
    let url = format!("http://{}", served.listen().await);
    client.env("LULL_OPENAI_URL", url).kill_on_drop(true);
    // Nothing here is to go through somebody's proxy.
    client.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let output = tokio::time::timeout(CLIENT_TIMEOUT, client.output());
    let output = output.await.expect("the client hangs").expect("the client can be started");
    let told =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("all of it holds"), "{told}");
}

#[tokio::test]
async fn the_python_client_is_content() {
    let Some(python) = told("LULL_OPENAI_PYTHON", "OpenAI's Python client") else { return };
    let mut client = Command::new(python);
    client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/client.py"));
    run(client).await;
}

#[tokio::test]
async fn the_node_client_is_content() {
    let Some(folder) = told("LULL_OPENAI_NODE_MODULES", "OpenAI's JavaScript client") else { return };
    let mut client = Command::new("node");
    client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/client.mjs"));
    client.env("LULL_OPENAI_NODE_MODULES", folder);
    run(client).await;
}
