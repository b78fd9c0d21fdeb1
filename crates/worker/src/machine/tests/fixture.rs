//! Hardware, networks and assignments that tests share.

use std::time::Duration;

use std::net::{Ipv4Addr, SocketAddr};

use lull_guards::TimeZone;
use lull_network_api::{Assignment, NetworkInfo, NetworkTicket};
use lull_settlement::compose::Key;
use lull_types::{
    AssignmentId, BaseUnits, BenchmarkReport, BlobHash, ChainAddress, ChainPlace, DeviceInfo, DeviceKind,
    Fault, HardwareReport, JobId, NextPayout, Payout, PayoutStage, PayoutStanding, SecretKey, TaskId,
    TransactionSignature, UnixMillis, WalletAddress,
};
use uuid::Uuid;

use crate::machine::{FoundDevices, Identity};

pub fn network_key() -> SecretKey {
    SecretKey::from_bytes(&[11; 32])
}

pub fn identity(seed: u64) -> Identity {
    Identity {
        key: SecretKey::from_bytes(&[22; 32]),
        worker_version: "0.1.0".into(),
        seed,
        zone: TimeZone::UTC,
    }
}

/// The key of a wallet, and its address.
pub fn wallet(number: u8) -> (Key, WalletAddress) {
    let key = Key::from_bytes(&[number; 32]);
    let address = WalletAddress::from_bytes(key.address().to_bytes()).unwrap();
    (key, address)
}

pub fn ticket() -> NetworkTicket {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 4433));
    NetworkTicket { id: network_key().network_id(), addresses: vec![address], relay: None }
}

/// Of another network.
pub fn other_ticket() -> NetworkTicket {
    NetworkTicket { id: SecretKey::from_bytes(&[33; 32]).network_id(), ..ticket() }
}

pub fn network_info() -> NetworkInfo {
    NetworkInfo {
        id: network_key().network_id(),
        name: "A network".into(),
        practice: true,
        audit_window_ms: 0,
    }
}

pub fn device(index: u32) -> DeviceInfo {
    DeviceInfo {
        index,
        name: format!("GPU {index}"),
        vendor: "A vendor".into(),
        kind: DeviceKind::Discrete,
        backend: "vulkan".into(),
        driver: "1".into(),
        pci_bus_id: None,
        vram_bytes: None,
        storage_buffer_bytes_max: 1 << 30,
        features: Vec::new(),
    }
}

pub fn found(devices: u32) -> FoundDevices {
    FoundDevices {
        hardware: HardwareReport {
            os: "An OS".into(),
            cpu: "A CPU".into(),
            cpu_threads: 8,
            memory_bytes: 1 << 34,
            devices: (0..devices).map(device).collect(),
        },
        kinds: vec!["wgsl/1".into()],
        sandbox: Vec::new(),
    }
}

pub fn report(index: u32) -> BenchmarkReport {
    BenchmarkReport::new(device(index), "0.1.0", UnixMillis(0), Duration::from_secs(1), Vec::new())
}

pub fn assignment(number: u128, device: u32, deadline: u64) -> Assignment {
    Assignment {
        id: AssignmentId(Uuid::from_u128(number)),
        task: TaskId(Uuid::from_u128(number)),
        job: JobId(Uuid::from_u128(1)),
        job_title: "A picture".into(),
        customer_name: "A studio".into(),
        kind: "wgsl/1".into(),
        device,
        payload: BlobHash([1; 32]),
        price: BaseUnits(100),
        deadline: UnixMillis(deadline),
        picture: None,
        task_index: 0,
        task_count: 1,
    }
}

/// Where payouts go.
pub fn paid_wallet() -> WalletAddress {
    "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU".parse().unwrap()
}

pub fn payout(id: u64, stage: PayoutStage) -> Payout {
    Payout {
        id,
        epoch: 1,
        wallet: paid_wallet(),
        amount: BaseUnits(420_000),
        fee: BaseUnits(750),
        stage,
        signature: Some(TransactionSignature([id as u8; 64])),
        at: UnixMillis(1_000),
    }
}

/// What a network tells when these are its payouts.
pub fn standing(payouts: Vec<Payout>) -> PayoutStanding {
    let address = |n| ChainAddress([n; 32]);
    PayoutStanding {
        place: Some(ChainPlace {
            cluster: "practice".into(),
            endpoint: Some("http://127.0.0.1:4434/solana".into()),
            program: address(1),
            mint: address(2),
            account: address(3),
        }),
        threshold: Some(BaseUnits(10_000)),
        threshold_min: BaseUnits(1_000),
        fee_next: BaseUnits(750),
        fee_later: BaseUnits(750),
        epoch_ends_at: UnixMillis(2_000),
        anchored: None,
        wallets: Vec::new(),
        next: NextPayout::Nothing,
        payouts,
    }
}

pub fn fault(code: &str) -> Fault {
    Fault::new(code, "Something is wrong.")
}

/// What every correct run of a task gives.
pub fn outputs(task: TaskId) -> Vec<BlobHash> {
    vec![BlobHash::of(task.as_bytes())]
}
