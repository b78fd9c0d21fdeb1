//! A running `lull-network` on a folder of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use lull_network::customers::NewCustomer;
use lull_network::service::Announcement;
use lull_network_api::NetworkTicket;
use lull_types::BlobHash;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};

/// A debug build on a busy machine starts within a second or two.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The process; it ends with this value.
pub struct Network {
    child: Child,
    pub stdin: Option<ChildStdin>,
    pub announcement: Announcement,
    pub data_dir: PathBuf,
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lull-network"));
    // No trusted runtime, so that nothing here depends on a GPU: reports are checked by second workers.
    command.env("LULL_RUNTIME_DIR", "/nowhere").env("LULL_LOG", "warn");
    command
}

impl Network {
    /// Starts it and waits until it is ready.
    pub fn start(data_dir: &Path, more: &[&str]) -> Self {
        let mut child = program()
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--parent-stdin", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().unwrap();
        let (line, first_line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let read = BufReader::new(stdout).read_line(&mut text);
            let _ = line.send(read.map(|_| text));
        });
        let line = first_line.recv_timeout(PATIENCE).expect("it says nothing").unwrap();
        let announcement = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, stdin, announcement, data_dir: data_dir.to_owned() }
    }

    pub fn ticket(&self) -> NetworkTicket {
        self.announcement.ticket.parse().unwrap()
    }

    /// As an operator does it, while the service runs.
    pub fn add_customer(&self, name: &str, deposit: u64) -> Customer {
        Customer::new(&self.announcement.http, &add_customer(&self.data_dir, name, deposit).key)
    }

    /// A customer without money, by its key.
    pub fn new_customer(&self, name: &str) -> NewCustomer {
        add_customer(&self.data_dir, name, 0)
    }

    /// Closes its input and waits for its end.
    pub fn stop(mut self) -> std::process::ExitStatus {
        drop(self.stdin.take());
        wait(&mut self.child)
    }

    /// Kills it, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn wait(mut self) -> std::process::ExitStatus {
        wait(&mut self.child)
    }

    /// The metrics, as text.
    pub async fn metrics(&self) -> String {
        client().get(&self.announcement.metrics).send().await.unwrap().text().await.unwrap()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(child: &mut Child) -> std::process::ExitStatus {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < until, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn add_customer(data_dir: &Path, name: &str, deposit: u64) -> NewCustomer {
    let output = program()
        .args(["customer", "add", name, "--deposit", &deposit.to_string(), "--data-dir"])
        .arg(data_dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An operator's command, and what it prints.
pub fn operate(data_dir: &Path, command: &[&str]) -> serde_json::Value {
    let output = program().args(command).arg("--data-dir").arg(data_dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a network says that does not start.
pub fn refused_start(data_dir: &Path, more: &[&str]) -> String {
    let output = program()
        .arg("--data-dir")
        .arg(data_dir)
        .args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success(), "it starts");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn client() -> Client {
    // An error says that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().timeout(PATIENCE).build().unwrap()
}

/// A customer with a key.
pub struct Customer {
    http: String,
    key: String,
    client: Client,
}

impl Customer {
    pub fn new(http: &str, key: &str) -> Self {
        Self { http: http.to_owned(), key: key.to_owned(), client: client() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.http)).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub async fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    pub async fn put(&self, bytes: &[u8]) -> BlobHash {
        let hash = BlobHash::of(bytes);
        let request = self.request(Method::PUT, &format!("/v1/blobs/{hash}")).body(bytes.to_vec());
        assert_eq!(request.send().await.unwrap().status(), StatusCode::CREATED);
        hash
    }
}

/// Status and fault code of an answer.
pub async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let fault: lull_types::Fault = response.json().await.unwrap();
    (status, fault.code)
}

/// Sends raw bytes to the HTTP port and returns what comes back until `enough` is in it.
pub fn raw_http(http: &str, bytes: &[u8], enough: &str) -> String {
    let mut stream = std::net::TcpStream::connect(http.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who is refused early may find the connection closed before all is written.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&answer).contains(enough) {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}
