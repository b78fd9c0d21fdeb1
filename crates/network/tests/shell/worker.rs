//! A worker without a GPU: it says whatever the test wants over a real connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use iroh::endpoint::{Connection, RecvStream, SendStream, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode, TransportAddr};
use lull_checks::memory::{FilledReference, Lane, Memory, MemoryTranscript, chain};
use lull_checks::product::Reference;
use lull_network_api::{
    ALPN, Assignment, BlobRequest, BlobResponse, CHALLENGE_REPLY_FRAMES, CHALLENGE_REQUEST_FRAMES,
    ChallengeReply, ChallengeRequest, Enrolment, FRAMES, NetworkMessage, NetworkTicket, OPENING_FRAMES,
    Opening, WorkerMessage,
};
use lull_types::{
    BenchmarkReport, BlobHash, DeviceInfo, DeviceKind, Fault, HardwareReport, JOB_KIND_WGSL, Measure,
    Measurement, SecretKey, UnixMillis,
};
use tokio::io::AsyncReadExt;

use crate::process::PATIENCE;

/// A key with an endpoint.
pub struct Dialer {
    pub key: SecretKey,
    endpoint: Endpoint,
}

impl Dialer {
    pub async fn new() -> Self {
        let key = SecretKey::generate().unwrap();
        let endpoint = Endpoint::builder(presets::Minimal)
            .secret_key(iroh::SecretKey::from_bytes(&key.to_bytes()))
            .relay_mode(RelayMode::Disabled)
            .clear_address_lookup()
            .clear_ip_transports()
            .bind_addr("127.0.0.1:0")
            .unwrap()
            .bind()
            .await
            .unwrap();
        Self { key, endpoint }
    }

    pub async fn dial(&self, ticket: &NetworkTicket) -> Connection {
        let id = EndpointId::from_bytes(&ticket.id.0).unwrap();
        let address = EndpointAddr::from_parts(id, ticket.addresses.iter().copied().map(TransportAddr::Ip));
        within(self.endpoint.connect(address, ALPN)).await.unwrap()
    }

    /// A session, past its welcome, whose device computes what it is timed on.
    pub async fn open(&self, ticket: &NetworkTicket) -> Session {
        self.open_with(ticket, Device::Computes).await
    }

    pub async fn open_with(&self, ticket: &NetworkTicket, device: Device) -> Session {
        self.open_on(ticket, device, Hardware::default()).await
    }

    pub async fn open_on(&self, ticket: &NetworkTicket, device: Device, hardware: Hardware) -> Session {
        let connection = self.dial(ticket).await;
        tokio::spawn(be_timed(connection.clone(), device, hardware));
        let (mut send, recv) = connection.open_bi().await.unwrap();
        let hello = WorkerMessage::Hello { worker_version: "test".to_owned(), nonce_held: 0 };
        FRAMES.write(&mut send, &hello).await.unwrap();
        let mut session = Session { connection, send, recv };
        session.until(|message| matches!(message, NetworkMessage::Welcome { .. }).then_some(())).await;
        session
    }
}

/// What a worker has behind its claims.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Device {
    /// A processor, which is enough for the small claim that these workers make.
    Computes,
    /// Nothing: it commits to a root of its own making, and computes rows only once it knows which.
    Nothing,
    /// It commits to what it once computed for another challenge.
    Replays,
    /// It is in use.
    Busy,
    /// As [`Self::Computes`], but a product takes this many nanoseconds for an operation.
    Paced(f64),
    /// As [`Self::Computes`], but it looks up in its memory with this delay.
    LooksUpLate(Duration),
    /// It keeps every other lane of its memory, and makes up what it would find in the others.
    KeepsHalf,
    /// As [`Self::Computes`], but it has room for so many lanes alone.
    HasLanes(u32),
}

/// What stands in for a device. Workers that share it have one device.
pub type Hardware = Arc<tokio::sync::Mutex<()>>;

/// Filled memory, and what was found in it.
struct Held {
    filled: FilledReference,
    memory: Memory,
    found: MemoryTranscript,
}

/// Answers the network's challenges.
async fn be_timed(connection: Connection, device: Device, hardware: Hardware) {
    let mut first: Option<Reference> = None;
    while let Ok((mut send, mut receive)) = connection.accept_bi().await {
        let mut computed = None;
        let mut held: Option<Held> = None;
        if OPENING_FRAMES.read::<Opening>(&mut receive).await.is_err() {
            return;
        }
        let ready = match device {
            Device::Busy => ChallengeReply::Declined(Fault::new("challenge_declined", "it is at work")),
            _ => ChallengeReply::Prepared,
        };
        if CHALLENGE_REPLY_FRAMES.write(&mut send, &ready).await.is_err() {
            return;
        }
        while let Ok(request) = CHALLENGE_REQUEST_FRAMES.read(&mut receive).await {
            let reply = match request {
                ChallengeRequest::Ping => ChallengeReply::Pong,
                ChallengeRequest::Commit(product) => {
                    let least = match device {
                        Device::Paced(ns) => Duration::from_secs_f64(product.operations() * ns / 1e9),
                        _ => Duration::ZERO,
                    };
                    let compute = move || {
                        let began = Instant::now();
                        let computed = Reference::compute(product);
                        std::thread::sleep(least.saturating_sub(began.elapsed()));
                        computed
                    };
                    let reference = on(&hardware, compute).await;
                    let reference = &*computed.insert(reference);
                    ChallengeReply::Committed(match device {
                        Device::Nothing => BlobHash::of(b"made up"),
                        Device::Replays => {
                            let other = lull_checks::product::Product { seed: [0; 32], ..product };
                            first.get_or_insert_with(|| Reference::compute(other)).root()
                        }
                        Device::Computes
                        | Device::Busy
                        | Device::Paced(_)
                        | Device::LooksUpLate(_)
                        | Device::KeepsHalf
                        | Device::HasLanes(_) => reference.root(),
                    })
                }
                ChallengeRequest::Open(rows) => {
                    let shown = if device == Device::Replays { &first } else { &computed };
                    ChallengeReply::Opened(shown.as_ref().unwrap().open(&rows).unwrap())
                }
                ChallengeRequest::Fill(memory) if matches!(device, Device::HasLanes(n) if memory.lanes > n) => {
                    ChallengeReply::Declined(Fault::new("out_of_device_memory", "that is too much"))
                }
                ChallengeRequest::Fill(memory) => {
                    let filled = on(&hardware, move || FilledReference::compute(memory)).await;
                    held = Some(Held { filled, memory, found: MemoryTranscript::default() });
                    ChallengeReply::Filled
                }
                ChallengeRequest::Sweep(sweeps) => {
                    let held = held.as_mut().unwrap();
                    held.found.sweeps = held.filled.sweep(&sweeps).unwrap();
                    ChallengeReply::Swept(BlobHash::of(&held.found.sweeps))
                }
                ChallengeRequest::LookUp(seed) => {
                    let held = held.as_mut().unwrap();
                    if let Device::LooksUpLate(delay) = device {
                        tokio::time::sleep(delay).await;
                    }
                    held.found.look_ups = if device == Device::KeepsHalf {
                        let kept: Vec<_> = (0..held.memory.lanes)
                            .step_by(2)
                            .map(|n| Lane::compute(&held.memory, n))
                            .collect();
                        chain(&held.memory, &seed, |lane, place| match lane % 2 {
                            0 => kept[lane as usize / 2].look_up(place),
                            _ => [lane, place, 1, 2],
                        })
                    } else {
                        held.filled.look_up(&seed)
                    };
                    ChallengeReply::LookedUp(BlobHash::of(&held.found.look_ups))
                }
                ChallengeRequest::Show => ChallengeReply::Shown(held.take().unwrap().found),
            };
            if CHALLENGE_REPLY_FRAMES.write(&mut send, &reply).await.is_err() {
                break;
            }
        }
    }
}

/// Works on hardware that does one thing at a time.
async fn on<T: Send + 'static>(hardware: &Hardware, work: impl FnOnce() -> T + Send + 'static) -> T {
    let _turn = hardware.lock().await;
    tokio::task::spawn_blocking(work).await.unwrap()
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("nothing happened in time")
}

/// An open session.
pub struct Session {
    pub connection: Connection,
    pub send: SendStream,
    pub recv: RecvStream,
}

impl Session {
    pub async fn say(&mut self, message: WorkerMessage) {
        FRAMES.write(&mut self.send, &message).await.unwrap();
    }

    /// Reads until a message is the one that is waited for.
    pub async fn until<T>(&mut self, wanted: impl Fn(&NetworkMessage) -> Option<T>) -> T {
        within(async {
            loop {
                let message: NetworkMessage = FRAMES.read(&mut self.recv).await.unwrap();
                if let Some(found) = wanted(&message) {
                    return found;
                }
            }
        })
        .await
    }

    pub async fn refused(&mut self) -> Fault {
        self.until(|message| match message {
            NetworkMessage::Refused { fault, .. } => Some(fault.clone()),
            _ => None,
        })
        .await
    }

    pub async fn enrol(&mut self) {
        self.enrol_with(0.02, 0.0).await;
    }

    /// With a claim of speed, in GFLOP/s of matrix products, and one of memory, in gigabytes.
    pub async fn enrol_with(&mut self, gigaflops: f64, gigabytes: f64) {
        self.say(WorkerMessage::Enrol(Box::new(enrolment(gigaflops, gigabytes)))).await;
        self.until(|message| match message {
            NetworkMessage::Enrolled => Some(()),
            NetworkMessage::Refused { fault, .. } => panic!("{fault}"),
            _ => None,
        })
        .await;
    }

    pub async fn work(&mut self) -> Assignment {
        loop {
            self.say(WorkerMessage::WantWork { device: 0 }).await;
            // Before the first work the device is timed.
            let answer = self
                .until(|message| match message {
                    NetworkMessage::Assign(assignment) => Some(Some((**assignment).clone())),
                    NetworkMessage::WorkWaiting => Some(None),
                    _ => None,
                })
                .await;
            if let Some(assignment) = answer {
                return assignment;
            }
        }
    }

    /// Asks for work until the reason why there is none is another than `than`.
    pub async fn idle_for_another_reason(&mut self, than: &str) -> Fault {
        loop {
            self.say(WorkerMessage::WantWork { device: 0 }).await;
            let reason = self
                .until(|message| match message {
                    NetworkMessage::NoWork { reason, .. } => Some(reason.clone()),
                    _ => None,
                })
                .await;
            if reason.code != than {
                return reason;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn get(&self, hash: BlobHash) -> Result<Vec<u8>, Fault> {
        let (mut send, mut recv) = self.connection.open_bi().await.unwrap();
        FRAMES.write(&mut send, &BlobRequest::Get(hash)).await.unwrap();
        match within(FRAMES.read(&mut recv)).await.unwrap() {
            BlobResponse::Sending { bytes } => {
                let mut blob = Vec::new();
                within(recv.take(bytes).read_to_end(&mut blob)).await.unwrap();
                Ok(blob)
            }
            BlobResponse::Refused(fault) => Err(fault),
            BlobResponse::Stored => panic!("stored?"),
        }
    }

    pub async fn put(&self, announced: BlobHash, bytes: &[u8]) -> Result<(), Fault> {
        let (mut send, mut recv) = self.connection.open_bi().await.unwrap();
        let put = BlobRequest::Put { hash: announced, bytes: bytes.len() as u64 };
        FRAMES.write(&mut send, &put).await.unwrap();
        // A refusal may stop the stream before all is written.
        let _ = send.write_all(bytes).await;
        let _ = send.finish();
        match within(FRAMES.read(&mut recv)).await.unwrap() {
            BlobResponse::Stored => Ok(()),
            BlobResponse::Refused(fault) => Err(fault),
            BlobResponse::Sending { .. } => panic!("sending?"),
        }
    }

    /// Why the network closes the connection.
    pub async fn close_code(&self) -> u64 {
        close_code(&self.connection).await
    }
}

pub async fn close_code(connection: &Connection) -> u64 {
    match within(connection.closed()).await {
        iroh::endpoint::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        other => panic!("{other}"),
    }
}

fn enrolment(gigaflops: f64, gigabytes: f64) -> Enrolment {
    let device = DeviceInfo {
        index: 0,
        name: "Test GPU".to_owned(),
        vendor: "Test".to_owned(),
        kind: DeviceKind::Discrete,
        backend: "vulkan".to_owned(),
        driver: "1".to_owned(),
        pci_bus_id: None,
        vram_bytes: Some(8 << 30),
        storage_buffer_bytes_max: 2 << 30,
        features: Vec::new(),
    };
    let measurement = |measure, value| Measurement::new(measure, vec![value], "made up for a test", true);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut measurements = vec![
        measurement(Measure::Fp32Peak, 10_000.0),
        measurement(Measure::MemoryRead, 300.0),
        // Usually so little that a processor can show it.
        measurement(Measure::GemmFp32, gigaflops),
    ];
    if gigabytes > 0.0 {
        measurements.push(measurement(Measure::MemoryAllocatable, gigabytes));
    }
    let now = UnixMillis(since.as_millis() as u64);
    let report = BenchmarkReport::new(device.clone(), "test", now, Duration::from_secs(10), measurements);
    Enrolment {
        hardware: HardwareReport {
            os: "Test".to_owned(),
            cpu: "Test".to_owned(),
            cpu_threads: 4,
            memory_bytes: 16 << 30,
            devices: vec![device],
        },
        benchmarks: vec![report],
        kinds: vec![JOB_KIND_WGSL.to_owned()],
    }
}
