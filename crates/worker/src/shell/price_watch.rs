//! Has the list of prices read, now and then, while the tariff has one.

use std::time::Duration;

use lull_guards::tariff::parse;
use lull_types::{Coded, PriceSource, Tariff};
use tokio::sync::{mpsc, watch};

use crate::power_price::ListTold;
use crate::prices::{Mark, PriceReader, PricesError, Read};

/// How often it is looked whether a file has changed, which costs one question to the file system.
const FILE_INTERVAL: Duration = Duration::from_secs(60);

/// How often an address is asked. Markets publish the prices of a day at once, hours before it begins.
const URL_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// After a failure an address is asked again sooner, and not so often that it would press a service that is down.
const URL_RETRY: Duration = Duration::from_secs(15 * 60);

/// Reads by the latest tariff until nobody listens. Without a list to read, it sleeps and takes no time at all.
pub(super) async fn run(
    reader: Box<dyn PriceReader>,
    mut tariffs: watch::Receiver<Tariff>,
    told: mpsc::Sender<ListTold>,
) {
    loop {
        let tariff = tariffs.borrow_and_update().clone();
        let over = match tariff.source() {
            None => tariffs.changed().await.is_err(),
            Some(source) => tokio::select! {
                biased;
                changed = tariffs.changed() => changed.is_err(),
                () = follow(&*reader, &tariff, source, &told) => true,
            },
        };
        if over {
            return;
        }
    }
}

/// Reads one source again and again; ends when nobody listens.
async fn follow(
    reader: &dyn PriceReader,
    tariff: &Tariff,
    source: &PriceSource,
    told: &mpsc::Sender<ListTold>,
) {
    let mut known: Option<Mark> = None;
    loop {
        let list = match reader.read(source, known.as_ref()).await {
            Ok(Read::Unchanged) => Ok(None),
            Ok(Read::Bytes { bytes, mark }) => {
                let list = parse(&bytes).and_then(|list| list.check(tariff).map(|()| list));
                list.map(|list| (Some(list), mark)).map_err(PricesError::from).map(|(list, mark)| {
                    known = mark;
                    list
                })
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &list {
            // The next time it is read whole, so that it is told what is wrong with it for as long as it is.
            known = None;
            tracing::warn!(code = error.code(), "prices of power could not be read");
        }
        let interval = match (source, &list) {
            (PriceSource::File { .. }, _) => FILE_INTERVAL,
            (PriceSource::Url { .. }, Ok(_)) => URL_INTERVAL,
            (PriceSource::Url { .. }, Err(_)) => URL_RETRY,
        };
        let list = list.map_err(|error| error.fault());
        if told.send(ListTold { tariff: tariff.clone(), list }).await.is_err() {
            return;
        }
        tokio::time::sleep(interval).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_types::{FACTOR_ONE, SecretKey, UnixMillis};
    use lull_worker_api::SettingsChange;

    use crate::clock;
    use crate::kept_wallet::WalletKeys;
    use crate::machine::Order;
    use crate::paths::Paths;
    use crate::prices::Scripted;
    use crate::shell::{Options, RuntimeSource, start};
    use crate::telemetry::SystemSource;

    fn listed(path: &str, factor_millionths: u32) -> Tariff {
        Tariff::Listed {
            source: PriceSource::File { path: path.to_owned() },
            factor_millionths,
            added_micro_per_kwh: 0,
            fallback_micro_per_kwh: 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_is_read_while_there_is_one_and_again_when_it_changes() {
        let good = || Ok("2026-01-01T12:00Z,0.2".to_owned());
        let megawatts = || Ok("2026-01-01T12:00Z,85".to_owned());
        let script = Scripted::new([good(), good(), Err(PricesError::Unreachable), good(), megawatts()]);
        let (tariffs, watched) = watch::channel(Tariff::flat(7));
        let (sender, mut told) = mpsc::channel(1);
        tokio::spawn(run(Box::new(script.clone()), watched, sender));
        // Time passes by itself while all wait.
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        assert!(script.asked().is_empty(), "one price is not asked for");

        let tariff = listed("/a", FACTOR_ONE);
        tariffs.send_replace(tariff.clone());
        let list = parse(b"2026-01-01T12:00Z,0.2").unwrap();
        let mut next = async || {
            let ListTold { tariff, list } = told.recv().await.unwrap();
            (tariff, list.map_err(|fault| fault.code))
        };
        assert_eq!(next().await, (tariff.clone(), Ok(Some(list.clone()))));
        assert_eq!(next().await, (tariff.clone(), Ok(None)));
        assert_eq!(next().await, (tariff.clone(), Err("prices_unreachable".to_owned())));
        assert_eq!(next().await, (tariff.clone(), Ok(Some(list))));
        assert_eq!(next().await, (tariff.clone(), Err("prices_implausible".to_owned())));
        // The same prices are plausible by another factor.
        let other = listed("/b", FACTOR_ONE / 1000);
        tariffs.send_replace(other.clone());
        let (of, read) = loop {
            let told = next().await;
            if told.0 != tariff {
                break told;
            }
        };
        assert_eq!((of, read.unwrap().unwrap().prices().len()), (other, 1));
    }

    #[tokio::test]
    async fn a_running_worker_prices_power_by_the_list_that_it_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::at(folder.path());
        paths.create().unwrap();
        let hour = written(clock::now());
        let options = Options {
            paths: paths.clone(),
            key: SecretKey::from_bytes(&[1; 32]),
            runtime: RuntimeSource::default(),
            models: std::sync::Arc::new(crate::models::ModelLibrary::new(paths.models())),
            network_program: None,
            telemetry: Box::<SystemSource>::default(),
            wallet_keys: WalletKeys::of_system(&paths),
            prices: Box::new(Scripted::new([Ok(format!("{hour},-0.05"))])),
            probes: Vec::new(),
            power: Box::new(|| Box::<crate::power::FakePower>::default()),
        };
        let (worker, running) = start(options).await.unwrap();
        let mut snapshots = worker.snapshots();
        assert_eq!(worker.snapshot().await.unwrap().power_price.micro_per_kwh, 150_000);
        let change =
            SettingsChange { tariff: Some(listed("/prices", FACTOR_ONE)), ..SettingsChange::default() };
        worker.order(Order::Configure(change)).await.unwrap();
        let priced = snapshots.wait_for(|snapshot| snapshot.power_price.micro_per_kwh == -50_000);
        let price = priced.await.unwrap().power_price.clone();
        assert!(!price.stands_in && price.list.is_some_and(|list| list.read_at.is_some()));
        assert!(price.next.is_some_and(|next| next.micro_per_kwh == 0), "the price that stands in");
        worker.order(Order::Shutdown).await.unwrap();
        running.await.unwrap();
    }

    /// The instant as a list writes it.
    fn written(at: UnixMillis) -> String {
        let millis = i64::try_from(at.0).unwrap();
        chrono::DateTime::from_timestamp_millis(millis).unwrap().to_rfc3339()
    }
}
