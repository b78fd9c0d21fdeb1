//! Answers the app's and the command line's commands.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lull_checks::receipts;
use lull_guards::TimeZone;
use lull_network_api::NetworkTicket;
use lull_settlement::chain::rpc;
use lull_types::{
    BaseUnits, Coded, CountersignedReceipt, DataDay, Fault, JobId, NetworkId, SecretKey, UnixMillis,
    WalletAddress, WorkerId,
};
use lull_worker_api::transport::Handler;
use lull_worker_api::{Command, ReceiptsCheck, Reply, SecretText, TripRow};
use serde::{Deserialize, Serialize};

use crate::atomic::{self, IfThere};
use crate::clock;
use crate::estimate;
use crate::journal::PictureOutput;
use crate::kept_wallet::{KeptWallets, WalletWords};
use crate::logs::{self, Redaction};
use crate::machine::Order;
use crate::paths::Paths;
use crate::payouts;
use crate::picture::Picture;
use crate::shell::{Handle, Look, network_of};
use crate::signed_benchmark::SignedBenchmark;
use crate::statement::Statement;
use crate::wallet_page::WalletPage;
use crate::wallet_proof;

/// Rows in one answer.
const ROWS_MAX: u32 = 200;

/// Points on an earnings chart: a year of hours.
const POINTS_MAX: u64 = 366 * 24;

/// Days of data in one answer: the thirteen months for which counts are kept.
const DATA_DAYS_MAX: u16 = 400;

/// Tiles in one picture. 4,096 are 64 × 64 tiles; a job with more shows its newest.
const TILES_MAX: usize = 4096;

/// Endpoints with a key in their address have some 150 characters.
const ENDPOINT_BYTES_MAX: usize = 512;

/// The local API of one worker.
#[derive(Clone, Debug)]
pub struct LocalApi {
    worker: Handle,
    paths: Paths,
    key: SecretKey,
    wallet_page: WalletPage,
    kept_wallets: KeptWallets,
}

impl LocalApi {
    /// Commands for `worker`, whose device key is `key` and whose folder is `paths`.
    pub fn new(worker: Handle, paths: Paths, key: SecretKey) -> Self {
        let kept_wallets = KeptWallets::new(worker.clone());
        Self { worker, paths, key, wallet_page: WalletPage::default(), kept_wallets }
    }

    async fn answer(&self, command: Command) -> Result<Reply, Fault> {
        let order = match command {
            Command::Status => return Ok(Reply::Snapshot(Box::new(self.worker.snapshot().await?))),
            // Served by the transport, which knows its clients.
            Command::Subscribe | Command::Look { .. } => return Ok(Reply::Done),
            Command::Earnings { from, until, bucket, utc_offset_minutes } => {
                let width = bucket_millis(bucket);
                if until.0.saturating_sub(from.0) / width > POINTS_MAX {
                    let sentence = "that is too long a time for points so narrow; ask for less";
                    return Err(Fault::new("earnings_range_too_long", sentence));
                }
                let Some(network) = self.network().await? else { return Ok(Reply::Earnings(Vec::new())) };
                let store = self.worker.store();
                let points = store.earnings(network, from, until, bucket, utc_offset_minutes).await?;
                return Ok(Reply::Earnings(points));
            }
            Command::Tasks { limit } => {
                let Some(network) = self.network().await? else { return Ok(Reply::Tasks(Vec::new())) };
                return Ok(Reply::Tasks(self.worker.store().tasks(network, limit.min(ROWS_MAX)).await?));
            }
            Command::Picture { job } => return Ok(Reply::Picture(self.picture(job).await?)),
            Command::Receipts { limit } => {
                let Some(network) = self.network().await? else { return Ok(Reply::Receipts(Vec::new())) };
                return Ok(Reply::Receipts(
                    self.worker.store().receipts(network, limit.min(ROWS_MAX)).await?,
                ));
            }
            Command::VerifyReceipts => {
                let bundle = self.bundle().await?;
                return Ok(Reply::ReceiptsChecked(blocking(move || verify(bundle)).await?));
            }
            Command::ExportBenchmark { device } => return self.export_benchmark(device).await,
            Command::ExportReceipts => return self.export_receipts().await,
            Command::ExportLogs => return self.export_logs().await,
            Command::Start => Order::Start,
            Command::Stop => Order::Stop,
            Command::Pause { duration, device } => Order::Pause { duration, device },
            Command::Resume { device } => Order::Resume { device },
            Command::Programs => {
                return Ok(Reply::Programs(blocking(lull_guards::probes::running_programs).await?));
            }
            Command::Trips { limit } => return Ok(Reply::Trips(self.trips(limit.min(ROWS_MAX)).await?)),
            Command::DataDays { days } => return Ok(Reply::DataDays(self.data_days(days).await?)),
            Command::Benchmark { device, sustained_seconds } => {
                let sustained = Duration::from_secs(sustained_seconds.into());
                Order::Benchmark { device, sustained }
            }
            Command::CancelBenchmark => Order::CancelBenchmark,
            Command::Enrol { ticket: None } => Order::Join(None),
            Command::Enrol { ticket: Some(text) } => {
                Order::Join(Some(text.parse::<NetworkTicket>().map_err(|error| error.fault())?))
            }
            Command::SetWallet { address: None } => Order::SetWallet(None),
            Command::SetWallet { address: Some(text) } => Order::SetWallet(Some(
                text.parse().map_err(|error: lull_types::WalletAddressError| error.fault())?,
            )),
            Command::ProveWallet => {
                let url = self.wallet_page.open(&self.worker).await.map_err(|error| error.fault())?;
                return Ok(Reply::WalletPage { url });
            }
            Command::ProveWalletByPhone => return wallet_proof::request_by_phone(&self.worker).await,
            Command::MakeWallet => return Ok(wallet_words(self.kept_wallets.make().await?)),
            Command::ConfirmWallet { words } => {
                self.kept_wallets.confirm(words.reveal()).await?;
                return Ok(Reply::Done);
            }
            Command::RestoreWallet { words } => {
                self.kept_wallets.restore(words.reveal()).await?;
                return Ok(Reply::Done);
            }
            Command::ExportWallet => return Ok(wallet_words(self.kept_wallets.export().await?)),
            Command::ForgetWallet { words } => {
                self.kept_wallets.forget(words.as_ref().map(SecretText::reveal)).await?;
                return Ok(Reply::Done);
            }
            Command::SetPayoutThreshold { least } => Order::SetPayoutThreshold(least),
            Command::Payouts { limit } => {
                let Some(network) = self.network().await? else { return Ok(Reply::Payouts(Vec::new())) };
                return Ok(Reply::Payouts(self.worker.store().payouts(network, limit.min(ROWS_MAX)).await?));
            }
            Command::ExportStatement { from, until, utc_offset_minutes } => {
                return self.export_statement(from, until, utc_offset_minutes).await;
            }
            Command::ClaimPayout => return self.claim().await,
            Command::VerifyPayout { payout } => {
                return Ok(Reply::PayoutChecked(payouts::check(&self.worker, payout).await?.check));
            }
            Command::ExportEvidence { payout } => {
                let evidence = payouts::check(&self.worker, payout).await?.evidence;
                return self.export_json("lull-evidence", evidence).await;
            }
            Command::Configure(change) => {
                if let Some(url) = change.chain_endpoint.as_deref().filter(|url| !url.is_empty()) {
                    check_endpoint(url)?;
                }
                Order::Configure(*change)
            }
            Command::Shutdown => Order::Shutdown,
        };
        self.worker.order(order).await?;
        Ok(Reply::Done)
    }

    /// The network joined; rows are of it alone, as are the sums in a snapshot.
    async fn network(&self) -> Result<Option<NetworkId>, Fault> {
        Ok(network_of(&self.worker.snapshot().await?))
    }

    /// The last trips, each with what the time would have brought. At what the lent devices earn an hour at present:
    /// what they would have earned then nobody knows.
    async fn trips(&self, limit: u32) -> Result<Vec<TripRow>, Fault> {
        let mut trips = self.worker.store().trips(limit).await?;
        let snapshot = self.worker.snapshot().await?;
        for trip in &mut trips {
            trip.missed = estimate::missed(&snapshot, trip);
        }
        Ok(trips)
    }

    /// How much data moved on each of the last days. What was counted in the last minute may not be written down yet.
    async fn data_days(&self, days: u16) -> Result<Vec<DataDay>, Fault> {
        let moved = self.worker.store().data_moved().await?;
        let days = days.min(DATA_DAYS_MAX);
        Ok(lull_guards::data_days(&moved, &TimeZone::system(), clock::now(), days))
    }

    /// A job's picture from the tiles on this disk. Tiles that are damaged, gone or hostile are left out.
    async fn picture(&self, job: JobId) -> Result<Option<String>, Fault> {
        let mut tiles = self.worker.store().picture(job).await?;
        tiles.drain(..tiles.len().saturating_sub(TILES_MAX));
        let blobs = self.worker.blobs().clone();
        blocking(move || {
            let mut picture: Option<Picture> = None;
            for PictureOutput { tile, pixels, .. } in tiles {
                let Some(pixels) = blobs.get(pixels).map_err(|error| error.fault())? else { continue };
                if picture.is_none() {
                    picture = Picture::of(&tile).ok();
                }
                if let Some(picture) = picture.as_mut()
                    && let Err(error) = picture.place(&tile, &pixels)
                {
                    tracing::debug!(%job, %error, "a tile is left out of its picture");
                }
            }
            let Some(picture) = picture else { return Ok(None) };
            let file = picture.png().map_err(|error| error.fault())?;
            Ok(Some(data_encoding::BASE64.encode(&file)))
        })
        .await?
    }

    /// Claims with the key of the wallet, where it is kept on this machine; by a page otherwise.
    async fn claim(&self) -> Result<Reply, Fault> {
        let snapshot = self.worker.snapshot().await?;
        let kept =
            snapshot.kept_wallet.filter(|kept| kept.confirmed && Some(kept.address) == snapshot.wallet);
        let key = match kept {
            Some(kept) => self.worker.wallet_keys().key(kept.address).await.map_err(|error| error.fault())?,
            None => None,
        };
        match key {
            Some(key) => Ok(Reply::Claimed { signature: payouts::claim(&self.worker, &key).await? }),
            None => {
                let url =
                    self.wallet_page.open_to_claim(&self.worker).await.map_err(|error| error.fault())?;
                Ok(Reply::WalletPage { url })
            }
        }
    }

    async fn bundle(&self) -> Result<ReceiptBundle, Fault> {
        let networks = self.worker.store().receipts_of_all_networks().await?;
        Ok(ReceiptBundle::new(self.key.worker_id(), networks))
    }

    async fn export_receipts(&self) -> Result<Reply, Fault> {
        let bundle = self.bundle().await?;
        self.export_json("lull-receipts", bundle).await
    }

    async fn export_benchmark(&self, device: u32) -> Result<Reply, Fault> {
        let devices = self.worker.snapshot().await?.devices;
        let report = devices.into_iter().find(|d| d.info.index == device).and_then(|d| d.benchmark);
        let Some(report) = report else {
            return Err(Fault::new(
                "not_measured",
                "this device was not measured yet, so there is no report",
            ));
        };
        let signed = SignedBenchmark::sign(&report, &self.key).map_err(|error| error.fault())?;
        self.export_json("lull-benchmark", signed).await
    }

    async fn export_json(
        &self,
        name: &str,
        content: impl Serialize + Send + 'static,
    ) -> Result<Reply, Fault> {
        let path = self.export_path(name, "json");
        let exported = blocking(move || -> Result<PathBuf, Fault> {
            let text = serde_json::to_vec_pretty(&content).map_err(io_fault)?;
            write_export(&path, &text)?;
            Ok(path)
        });
        Ok(Reply::Exported { path: exported.await??.display().to_string() })
    }

    async fn export_statement(
        &self,
        from: UnixMillis,
        until: UnixMillis,
        utc_offset_minutes: i32,
    ) -> Result<Reply, Fault> {
        let snapshot = self.worker.snapshot().await?;
        let Some(network) = network_of(&snapshot) else {
            return Err(Fault::new("no_network", "no network is joined yet, so there is nothing to state"));
        };
        let (tasks, mut payouts) = self.worker.store().stated(network, from, until).await?;
        payouts.retain(|payout| (from..until).contains(&payout.at));
        let present_micro_per_kwh = snapshot.settings.tariff.flat_micro_per_kwh();
        let statement = Statement { tasks, payouts, present_micro_per_kwh, utc_offset_minutes };
        let path = self.export_path("lull-statement", "csv");
        let exported = blocking(move || -> Result<PathBuf, Fault> {
            let table = statement.to_csv().map_err(|error| error.fault())?;
            write_export(&path, &table)?;
            Ok(path)
        });
        Ok(Reply::Exported { path: exported.await??.display().to_string() })
    }

    async fn export_logs(&self) -> Result<Reply, Fault> {
        let path = self.export_path("lull-logs", "log");
        let wallet = self.worker.snapshot().await?.wallet;
        let logs = self.paths.logs();
        let redaction = Redaction::new(wallet.map(|wallet| (wallet.to_string(), "<wallet>")));
        let exported = blocking(move || {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            logs::export(&logs, path.parent().unwrap_or(&path), &name, &redaction).map_err(io_fault)
        });
        Ok(Reply::Exported { path: exported.await??.display().to_string() })
    }

    fn export_path(&self, name: &str, extension: &str) -> PathBuf {
        let at = chrono::Local::now().format("%Y%m%d-%H%M%S");
        self.paths.exports().join(format!("{name}-{at}.{extension}"))
    }
}

impl Handler for LocalApi {
    type Look = Look;

    async fn handle(&self, command: Command) -> Reply {
        self.answer(command).await.unwrap_or_else(Reply::Refused)
    }

    fn look(&self) -> Look {
        self.worker.look()
    }
}

/// Receipts as they are exported: everything that is needed to check them, and nothing that is secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiptBundle {
    /// Version of this format.
    pub lull_receipts: u32,
    /// Whose they are.
    pub worker: WorkerId,
    /// By network.
    pub networks: Vec<NetworkReceipts>,
}

/// All receipts of one network, in order of nonce.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkReceipts {
    /// Whose.
    pub network: NetworkId,
    /// They, with both signatures and the leaf that each adds.
    pub receipts: Vec<CountersignedReceipt>,
}

/// Version of [`ReceiptBundle`].
pub const RECEIPT_BUNDLE_VERSION: u32 = 1;

impl ReceiptBundle {
    /// A bundle of all that a worker holds.
    pub fn new(worker: WorkerId, networks: Vec<(NetworkId, Vec<CountersignedReceipt>)>) -> Self {
        let networks =
            networks.into_iter().map(|(network, receipts)| NetworkReceipts { network, receipts }).collect();
        Self { lull_receipts: RECEIPT_BUNDLE_VERSION, worker, networks }
    }
}

/// Recomputes every receipt: signatures, sums and roots. Takes some 100 µs a receipt.
pub fn verify(bundle: ReceiptBundle) -> ReceiptsCheck {
    let mut all = ReceiptsCheck { receipts: 0, signatures: 0, total: BaseUnits::ZERO, fault: None };
    for NetworkReceipts { network, receipts } in bundle.networks {
        let checked = receipts::verify_all(network, bundle.worker, receipts);
        all.receipts = all.receipts.saturating_add(checked.receipts);
        all.signatures = all.signatures.saturating_add(checked.signatures);
        match all.total.plus(checked.total) {
            Ok(total) => all.total = total,
            Err(error) => {
                all.fault.get_or_insert(Fault::new("receipts_sum_out_of_range", error.to_string()));
            }
        }
        if let Some(fault) = checked.fault {
            all.fault.get_or_insert(fault);
        }
    }
    all
}

/// Whether payouts could be checked by an endpoint of this URL.
fn check_endpoint(url: &str) -> Result<(), Fault> {
    if url.len() > ENDPOINT_BYTES_MAX {
        return Err(Fault::new(
            "endpoint_too_long",
            "this address is too long for an endpoint; copy it again",
        ));
    }
    rpc::name(url).map(drop).map_err(|error| error.fault())
}

fn wallet_words((address, words): (WalletAddress, WalletWords)) -> Reply {
    Reply::WalletWords { address, words: words.list().map(SecretText::from).collect() }
}

fn bucket_millis(bucket: lull_worker_api::EarningsBucket) -> u64 {
    match bucket {
        lull_worker_api::EarningsBucket::Hour => 3_600_000,
        lull_worker_api::EarningsBucket::Day => 24 * 3_600_000,
    }
}

fn write_export(path: &Path, content: &[u8]) -> Result<(), Fault> {
    crate::paths::create_private(path.parent().unwrap_or(path)).map_err(io_fault)?;
    atomic::write(path, content, IfThere::Replace).map_err(io_fault)
}

fn io_fault(error: impl std::fmt::Display) -> Fault {
    Fault::new(
        "export_failed",
        format!("the file could not be written: {error}; free some space and try again"),
    )
}

/// Work that computes or waits for the disk, off the threads that serve.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Fault::new("internal", error.to_string()))
}
