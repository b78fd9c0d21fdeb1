//! Metrics, in the text exposition format of Prometheus.
//!
//! Counts of what lasts are read from the records when they are asked for, so that they are right after a
//! restart; counters are of this process.

use std::sync::{Arc, OnceLock};

use lull_types::{Coded, Fault};
use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::gateway::Hub;
use crate::payouts::{Payouts, Standing};
use crate::reader::Reader;
use crate::store::queries;

/// All metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    hub: Arc<Hub>,
    connected: IntGauge,
    records: IntGaugeVec,
    ledger: IntGaugeVec,
    sent: IntCounter,
    checks: IntCounterVec,
    requests: IntCounterVec,
    reports: IntGaugeVec,
    payouts: OnceLock<Payouts>,
    payouts_now: IntGaugeVec,
    payouts_stopped: IntGaugeVec,
}

/// The metrics cannot be made or written.
#[derive(Debug, thiserror::Error)]
#[error("the metrics cannot be written: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

impl Coded for MetricsError {
    fn code(&self) -> &'static str {
        "metrics_failed"
    }
}

impl Metrics {
    /// Registers all metrics.
    pub fn new(hub: Arc<Hub>) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let build = IntGauge::with_opts(
            Opts::new("lull_build_info", "Always 1; the version is a label.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )?;
        build.set(1);
        registry.register(Box::new(build))?;
        let connected = IntGauge::new("lull_workers_connected", "Workers with an open session.")?;
        registry.register(Box::new(connected.clone()))?;
        let gauges = |name: &str, help: &str, label: &str| -> Result<IntGaugeVec, MetricsError> {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        let counters = |name: &str, help: &str, label: &str| -> Result<IntCounterVec, MetricsError> {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let records = gauges("lull_records", "What there is now, by what it is.", "of")?;
        let reports = gauges("lull_reports", "Reports ever decided, by verdict.", "verdict")?;
        let ledger =
            gauges("lull_ledger_base_units", "Sums of accounts by their sort; together zero.", "account")?;
        let payouts_now = gauges("lull_payouts", "How payouts stand, by what it is.", "of")?;
        let payouts_stopped =
            gauges("lull_payouts_stopped", "1 while an alarm keeps payouts back, by its code.", "code")?;
        let checks = counters("lull_checks_total", "Checks that ended, by outcome.", "outcome")?;
        let requests = counters("lull_http_requests_total", "Answers to customers, by status.", "status")?;
        let sent = IntCounter::new("lull_messages_sent_total", "Messages to workers.")?;
        registry.register(Box::new(sent.clone()))?;
        Ok(Self {
            registry,
            hub,
            connected,
            records,
            ledger,
            sent,
            checks,
            requests,
            reports,
            payouts: OnceLock::new(),
            payouts_now,
            payouts_stopped,
        })
    }

    /// Payouts have begun.
    pub fn watch_payouts(&self, payouts: Payouts) {
        // There is one task of payouts in a process.
        let _ = self.payouts.set(payouts);
    }

    /// A message went out.
    pub fn sent(&self) {
        self.sent.inc();
    }

    /// A check ended.
    pub fn checked(&self, outcome: &'static str) {
        self.checks.with_label_values(&[outcome]).inc();
    }

    /// A customer was answered.
    pub fn answered(&self, status: u16) {
        self.requests.with_label_values(&[&status.to_string()]).inc();
    }

    /// All of it, now.
    pub async fn text(&self, reader: &Arc<Reader>) -> Result<String, Fault> {
        let (counts, sums) = reader.read(|db| Ok((queries::counts(db)?, queries::sums(db)?))).await?;
        self.connected.set(i64::try_from(self.hub.count()).unwrap_or(i64::MAX));
        for (of, count) in [
            ("workers_enrolled", counts.workers),
            ("customers", counts.customers),
            ("jobs_running", counts.jobs_running),
            ("tasks_waiting", counts.tasks_waiting),
            ("assignments_open", counts.assignments_open),
            ("second_opinions_wanted", counts.seconds_wanted),
        ] {
            self.records.with_label_values(&[of]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        for (verdict, count) in [("accepted", counts.accepted), ("rejected", counts.rejected)] {
            self.reports.with_label_values(&[verdict]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        for (account, sum) in [
            ("customers", sums.customers),
            ("reserved", sums.reserved),
            ("refunding", sums.refunding),
            ("held", sums.held),
            ("payable", sums.payable),
            ("paid", sums.paid),
            ("external", sums.external),
            ("treasury", sums.treasury),
        ] {
            self.ledger.with_label_values(&[account]).set(sum);
        }
        if let Some(payouts) = self.payouts.get() {
            self.tell_payouts(&payouts.standing());
        }
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .map_err(|error| MetricsError(error).fault())?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn tell_payouts(&self, standing: &Standing) {
        let set = |of: &str, value: u64| {
            self.payouts_now.with_label_values(&[of]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set("epoch", standing.epoch.unwrap_or(0));
        set("open_batches", standing.open_batches);
        set("epoch_lamports", standing.spent_lamports);
        set("epoch_base_units", standing.spent_tokens);
        set("epoch_lamports_max", standing.limits.lamports_max);
        set("epoch_base_units_max", standing.limits.tokens_max);
        if let Some(balances) = standing.balances {
            set("treasury_lamports", balances.lamports);
            set("treasury_base_units", balances.tokens.0);
            set("vault_base_units", balances.vault.0);
        }
        self.payouts_stopped.reset();
        if let Some(alarm) = &standing.alarm {
            self.payouts_stopped.with_label_values(&[&alarm.code]).set(1);
        }
    }
}
