//! A network in this process, over loopback: enough of one to give work and receipts, and to misbehave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use iroh::endpoint::{Connection, QuicTransportConfig, presets};
use iroh::{Endpoint, RelayMode};
use lull_checks::receipts::{Lane, outputs_hash};
use lull_network_api::{
    ALPN, Assignment, Balance, BlobRequest, BlobResponse, FRAMES, NetworkInfo, NetworkMessage, NetworkTicket,
    Standing, Verdict, WorkerMessage,
};
use lull_types::infer::Shift;
use lull_types::wgsl::{Tolerance, WgslTask};
use lull_types::{
    AssignmentId, BaseUnits, BlobHash, Fault, JOB_KIND_INFER, JOB_KIND_WGSL, JobId, PictureTile, ReceiptLeaf,
    SecretKey, SignedReceipt, TaskId, UnixMillis, WalletStanding, WorkerId,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub const PRICE: BaseUnits = BaseUnits(1500);

const UNREAD_BYTES: u32 = 64 * 1024;

/// What the network knows, and what it does wrong.
#[derive(Default)]
pub struct State {
    pub blobs: HashMap<BlobHash, Vec<u8>>,
    pub payload: Option<BlobHash>,
    pub job: Option<JobId>,
    pub kind: String,
    /// What the worker says that it runs.
    pub kinds: Vec<String>,
    /// The worker's.
    pub connection: Option<Connection>,
    pub tasks_left: u32,
    pub task_count: u32,
    pub open: Option<Assignment>,
    pub lanes: HashMap<WorkerId, (Lane, Vec<SignedReceipt>)>,
    pub paid: HashMap<AssignmentId, u32>,
    pub hand_backs: Vec<Fault>,
    pub countersigned: u32,
    pub sessions: u32,
    /// Answers a greeting with bytes that are no message, so often.
    pub garbage: u32,
    /// Serves blobs whose content is another, so often.
    pub wrong_blobs: u32,
    /// Closes the session instead of answering a report, so often.
    pub hang_ups: u32,
}

#[derive(Clone)]
pub struct Network {
    pub ticket: NetworkTicket,
    pub state: Arc<Mutex<State>>,
    key: SecretKey,
    _endpoint: Endpoint,
}

impl Network {
    /// A network with so many tasks of one job: a row of 2 × 2 tiles.
    pub async fn start(tasks: u32) -> Self {
        Self::with(JOB_KIND_WGSL, serde_json::to_vec(&task()).unwrap(), tasks).await
    }

    /// A network with one shift.
    pub async fn with_shift(shift: &Shift) -> Self {
        Self::with(JOB_KIND_INFER, serde_json::to_vec(shift).unwrap(), 1).await
    }

    async fn with(kind: &str, payload: Vec<u8>, tasks: u32) -> Self {
        let key = SecretKey::generate().unwrap();
        // As little as a network gives that reads slowly.
        let transport = QuicTransportConfig::builder().stream_receive_window(UNREAD_BYTES.into()).build();
        let endpoint = Endpoint::builder(presets::Minimal)
            .secret_key(iroh::SecretKey::from_bytes(&key.to_bytes()))
            .relay_mode(RelayMode::Disabled)
            .clear_address_lookup()
            .alpns(vec![ALPN.to_vec()])
            .transport_config(transport)
            .clear_ip_transports()
            .bind_addr("127.0.0.1:0")
            .unwrap()
            .bind()
            .await
            .unwrap();
        let hash = BlobHash::of(&payload);
        let state = State {
            blobs: HashMap::from([(hash, payload)]),
            payload: Some(hash),
            job: Some(JobId::from_parts(now(), &random())),
            kind: kind.to_owned(),
            tasks_left: tasks,
            task_count: tasks,
            ..State::default()
        };
        let ticket = NetworkTicket { id: key.network_id(), addresses: endpoint.bound_sockets(), relay: None };
        let network = Self { ticket, state: Arc::new(Mutex::new(state)), key, _endpoint: endpoint.clone() };
        let serving = network.clone();
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                let network = serving.clone();
                tokio::spawn(async move {
                    if let Ok(connection) = incoming.await {
                        network.serve(connection).await;
                    }
                });
            }
        });
        network
    }

    pub fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    async fn serve(self, connection: Connection) -> Option<()> {
        let worker = WorkerId(*connection.remote_id().as_bytes());
        self.state(|state| state.connection = Some(connection.clone()));
        let (mut send, mut receive) = connection.accept_bi().await.ok()?;
        let blobs = self.clone();
        let streams = connection.clone();
        tokio::spawn(async move {
            while let Ok((send, receive)) = streams.accept_bi().await {
                tokio::spawn(blobs.clone().blob(send, receive));
            }
        });
        while let Ok(message) = FRAMES.read::<WorkerMessage>(&mut receive).await {
            if self.state(|state| take_one(&mut state.garbage)) {
                let _ = send.write_all(&[0xee; 256]).await;
                connection.closed().await;
                return None;
            }
            if matches!(message, WorkerMessage::Report { .. })
                && self.state(|state| take_one(&mut state.hang_ups))
            {
                connection.close(1u32.into(), b"");
                return None;
            }
            for answer in self.answer(worker, message) {
                FRAMES.write(&mut send, &answer).await.ok()?;
            }
        }
        None
    }

    fn answer(&self, worker: WorkerId, message: WorkerMessage) -> Vec<NetworkMessage> {
        let mut state = self.state.lock().unwrap();
        let state = &mut *state;
        let (lane, receipts) = state
            .lanes
            .entry(worker)
            .or_insert_with(|| (Lane::new(self.key.network_id(), worker, 0), Vec::new()));
        match message {
            WorkerMessage::Hello { nonce_held, .. } => {
                state.sessions += 1;
                let network = NetworkInfo {
                    id: self.key.network_id(),
                    name: "Test network".to_owned(),
                    practice: true,
                    audit_window_ms: 0,
                };
                let mut answers = vec![NetworkMessage::Welcome { network, enrolled: true }];
                let missing = receipts.iter().filter(|r| r.receipt.nonce > nonce_held);
                answers.extend(missing.map(|r| NetworkMessage::Receipt(Box::new(r.clone()))));
                answers.push(NetworkMessage::Balance(Balance::default()));
                answers
            }
            WorkerMessage::Enrol(enrolment) => {
                state.kinds = enrolment.kinds;
                vec![NetworkMessage::Enrolled]
            }
            WorkerMessage::SetWallet(wallet) => {
                vec![NetworkMessage::WalletSet(WalletStanding { wallet, ..WalletStanding::default() })]
            }
            // Nobody proves a wallet here.
            WorkerMessage::StateWallet { .. }
            | WorkerMessage::ProveWallet { .. }
            | WorkerMessage::SetPayoutThreshold(_)
            | WorkerMessage::WantProof { .. }
            | WorkerMessage::Claimed { .. } => Vec::new(),
            WorkerMessage::WantWork { device } => {
                let runs_it = state.kinds.contains(&state.kind);
                if state.open.is_none() && state.tasks_left > 0 && runs_it {
                    let index = state.task_count - state.tasks_left;
                    state.tasks_left -= 1;
                    state.open = Some(Assignment {
                        id: AssignmentId::from_parts(now(), &random()),
                        task: TaskId::from_parts(now(), &random()),
                        job: state.job.unwrap(),
                        job_title: "A row of tiles".to_owned(),
                        customer_name: "Test".to_owned(),
                        kind: state.kind.clone(),
                        device,
                        payload: state.payload.unwrap(),
                        price: PRICE,
                        deadline: UnixMillis(now().0 + 600_000),
                        picture: (state.kind == JOB_KIND_WGSL).then_some(PictureTile {
                            picture_width: 2 * state.task_count,
                            picture_height: 2,
                            x: 2 * index,
                            y: 0,
                            width: 2,
                            height: 2,
                        }),
                        task_index: index,
                        task_count: state.task_count,
                    });
                }
                match &state.open {
                    Some(assignment) => vec![NetworkMessage::Assign(Box::new(assignment.clone()))],
                    None => {
                        let reason = Fault::new("no_work", "There is no work for this device now.");
                        vec![NetworkMessage::NoWork {
                            device,
                            reason,
                            retry_after_ms: 60_000,
                            standing: Standing::default(),
                        }]
                    }
                }
            }
            WorkerMessage::Progress { .. } => Vec::new(),
            WorkerMessage::Report { assignment, outputs, .. } => {
                let mut answers = vec![NetworkMessage::ReportReceived { assignment }];
                let Some(open) = state.open.take_if(|open| open.id == assignment) else { return answers };
                assert!(outputs.iter().all(|output| state.blobs.contains_key(output)), "put before reported");
                *state.paid.entry(assignment).or_default() += 1;
                let verdict = Verdict::Accepted { amount: PRICE, checked: false };
                answers.push(NetworkMessage::Verdict { assignment, verdict });
                let outputs = outputs_hash(&outputs);
                let leaf = ReceiptLeaf { assignment, task: open.task, outputs, amount: PRICE };
                let expiry = UnixMillis(now().0 + 86_400_000);
                let receipt = lane.issue(&self.key, leaf, 1, expiry).unwrap();
                receipts.push(receipt.clone());
                answers.push(NetworkMessage::Receipt(Box::new(receipt)));
                answers
            }
            WorkerMessage::HandBack { assignment, reason } => {
                state.hand_backs.push(reason);
                if state.open.take_if(|open| open.id == assignment).is_some() {
                    state.tasks_left += 1;
                }
                vec![NetworkMessage::HandBackReceived { assignment }]
            }
            WorkerMessage::Countersign { .. } => {
                state.countersigned += 1;
                Vec::new()
            }
        }
    }

    async fn blob(
        self,
        mut send: iroh::endpoint::SendStream,
        mut receive: iroh::endpoint::RecvStream,
    ) -> Option<()> {
        match FRAMES.read::<BlobRequest>(&mut receive).await.ok()? {
            BlobRequest::Get(hash) => {
                let mut blob = self.state(|state| state.blobs.get(&hash).cloned())?;
                if self.state(|state| take_one(&mut state.wrong_blobs)) {
                    blob[0] ^= 1;
                }
                let bytes = blob.len() as u64;
                FRAMES.write(&mut send, &BlobResponse::Sending { bytes }).await.ok()?;
                send.write_all(&blob).await.ok()?;
            }
            BlobRequest::Put { hash, bytes } => {
                let mut blob = Vec::new();
                receive.take(bytes).read_to_end(&mut blob).await.ok()?;
                assert!(BlobHash::of(&blob) == hash, "the worker sends what it says");
                self.state(|state| state.blobs.insert(hash, blob));
                FRAMES.write(&mut send, &BlobResponse::Stored).await.ok()?;
            }
            // The models of these tests are on the worker's disk.
            BlobRequest::Model(_) => return None,
        }
        send.shutdown().await.ok()
    }
}

fn take_one(count: &mut u32) -> bool {
    let taken = *count > 0;
    *count = count.saturating_sub(1);
    taken
}

/// One output of sixteen bytes: a tile of 2 × 2 pixels.
fn task() -> WgslTask {
    serde_json::from_value(serde_json::json!({
        "shaders": ["@compute @workgroup_size(1) fn main() {}"],
        "buffers": [{"bytes": 16, "init": "zero", "role": "read_write"}],
        "dispatches": [{
            "shader": 0, "entry": "main", "workgroups": 1,
            "bindings": [{"group": 0, "binding": 0, "buffer": 0}],
        }],
        "outputs": [0],
        "tolerance": serde_json::to_value(Tolerance::Exact).unwrap(),
    }))
    .unwrap()
}

fn now() -> UnixMillis {
    lull_worker::clock::now()
}

fn random() -> [u8; 10] {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
