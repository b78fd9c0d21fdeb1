//! The options that say where and how the network pays.

use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use lull_network::engine::Policy;
use lull_network::payouts::{Charges, Cluster, SLOT, Settings, practice};
use lull_settlement::chain::Address;
use lull_settlement::sender;
use lull_types::BaseUnits;

/// USDC on mainnet, by Circle's word.
const USDC: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkwyTDt1v";
/// The cluster whose tokens are worth something.
const MAINNET: &str = "mainnet";
/// USDC for a SOL where nothing is said. Fees are what sending costs at that price.
const SOL_PRICE: u64 = 150;

/// Payouts. Without --solana a practice network pays on a ledger of its own, and any other keeps earnings.
#[derive(Debug, Args)]
#[command(next_help_heading = "Payouts on Solana")]
pub struct PayingOptions {
    /// JSON-RPC endpoint of Solana; give two or more of different operators, so that no one of them is trusted.
    #[arg(long, value_name = "URL", requires = "program", requires = "treasury")]
    solana: Vec<String>,
    /// Address of the distributor program.
    #[arg(long, value_name = "ADDR", requires = "solana")]
    program: Option<Address>,
    /// Token that is paid, with six decimals. [default: USDC on mainnet]
    #[arg(long, value_name = "ADDR", requires = "solana")]
    mint: Option<Address>,
    /// Key that pays: a file as solana-keygen writes it, readable by its owner alone, or keychain:NAME.
    #[arg(long, value_name = "FILE|keychain:NAME", requires = "solana")]
    treasury: Option<String>,
    /// Name of the cluster. [default: mainnet; with endpoints of this machine, localnet]
    #[arg(long, value_name = "NAME", requires = "solana")]
    cluster: Option<String>,
    /// Endpoint that workers are told. [default: none, but for one of this machine]
    #[arg(long, value_name = "URL", requires = "solana")]
    public_endpoint: Option<String>,
    /// Whole USDC for a SOL: contributors are charged what sending costs at that price. [default: 150]
    #[arg(long, value_name = "USDC", value_parser = clap::value_parser!(u64).range(1..))]
    sol_price: Option<u64>,
    /// From how many base units on a payout is sent to whoever has not said otherwise. [default: 5000000]
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u64).range(1..))]
    payout_threshold: Option<u64>,
    #[command(flatten)]
    limits: Limits,
    /// Length of an epoch, after which earnings are paid; may be a fraction. [default: a week; with --practice 5]
    #[arg(long, value_name = "MINUTES")]
    epoch_minutes: Option<f64>,
    /// How long accepted earnings are held before they are payable; may be a fraction. [default: a day; with
    /// --practice 1]
    #[arg(long, value_name = "MINUTES")]
    audit_minutes: Option<f64>,
    /// Milliseconds of a slot, for tests on a practice ledger that is faster than Solana.
    #[arg(long, hide = true, value_parser = clap::value_parser!(u64).range(1..))]
    slot_ms: Option<u64>,
}

/// What an epoch may cost. At a limit nothing more is sent, until `lull-network payouts resume`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limits {
    /// Lamports that an epoch may cost in fees and rent; 1000000000 if never said.
    #[arg(long, value_name = "LAMPORTS")]
    pub lamports_max: Option<u64>,
    /// Base units that an epoch may pay out; 10000000000 if never said.
    #[arg(long, value_name = "UNITS")]
    pub tokens_max: Option<u64>,
    /// Base units by which an epoch's earnings may exceed those before; 10000000000 if never said.
    #[arg(long, value_name = "UNITS")]
    pub growth_max: Option<u64>,
}

impl PayingOptions {
    /// What they say together, or why they do not go together.
    pub fn settings(&self, practice: bool) -> anyhow::Result<Settings> {
        let mut spending = sender::Policy::default();
        let Limits { lamports_max, tokens_max, growth_max } = self.limits;
        spending.epoch_lamports_max = lamports_max.unwrap_or(spending.epoch_lamports_max);
        spending.epoch_tokens_max = tokens_max.unwrap_or(spending.epoch_tokens_max);
        spending.epoch_growth_max = growth_max.unwrap_or(spending.epoch_growth_max);
        let cluster = self.cluster(practice)?;
        let threshold = self.payout_threshold.map(BaseUnits);
        let charges = match (practice, self.sol_price) {
            (true, None) => {
                let usual = practice::CHARGES;
                let threshold = threshold.unwrap_or(usual.threshold);
                Charges { threshold, threshold_min: usual.threshold_min.min(threshold), ..usual }
            }
            (_, price) => Charges::at(price.unwrap_or(SOL_PRICE), &spending, threshold),
        };
        if cluster.is_none() && !practice {
            let said = self.sol_price.is_some() || threshold.is_some() || self.limits.is_said();
            ensure!(
                !said,
                "this network pays on no chain, so there is nothing to charge or to limit: give --solana"
            );
        }
        let slot = self.slot_ms.map_or(SLOT, Duration::from_millis);
        Ok(Settings { cluster, charges: Some(charges), spending, slot })
    }

    fn cluster(&self, practice: bool) -> anyhow::Result<Option<Cluster>> {
        if self.solana.is_empty() {
            return Ok(None);
        }
        let (Some(program), Some(treasury)) = (self.program, self.treasury.clone()) else {
            bail!("--solana needs --program and --treasury");
        };
        let is_local = self.solana.iter().all(|url| is_of_this_machine(url));
        let name =
            self.cluster.clone().unwrap_or_else(|| if is_local { "localnet" } else { MAINNET }.to_owned());
        ensure!(
            name != "practice",
            "the name practice is kept for ledgers that are none of Solana's; give another"
        );
        let usdc: Address = USDC.parse()?;
        let mint = match self.mint {
            Some(mint) => mint,
            None if name == MAINNET => usdc,
            None => bail!("on {name} there is no token that goes without saying: give --mint"),
        };
        // Its customers pay with nothing and its workers are paid without proof.
        ensure!(
            !practice || (name != MAINNET && mint != usdc),
            "a practice network pays for sample jobs that nobody ordered, so it must not pay with tokens that are worth something: leave out --practice, or give --cluster and --mint of a test"
        );
        let told = self.public_endpoint.clone().or_else(|| self.solana.first().filter(|_| is_local).cloned());
        let endpoints = self.solana.clone();
        Ok(Some(Cluster { endpoints, name, told, program, mint, treasury }))
    }

    /// What the engine decides by.
    pub fn policy(&self, is_practice: bool) -> anyhow::Result<Policy> {
        let mut policy = Policy::default();
        if is_practice {
            (policy.epoch_ms, policy.audit_window_ms) = (practice::EPOCH_MS, practice::AUDIT_WINDOW_MS);
        }
        if let Some(minutes) = self.epoch_minutes {
            policy.epoch_ms = millis("--epoch-minutes", minutes)?;
            ensure!(policy.epoch_ms > 0, "--epoch-minutes must be more than nothing");
        }
        if let Some(minutes) = self.audit_minutes {
            policy.audit_window_ms = millis("--audit-minutes", minutes)?;
        }
        Ok(policy)
    }
}

impl Limits {
    fn is_said(self) -> bool {
        self.lamports_max.is_some() || self.tokens_max.is_some() || self.growth_max.is_some()
    }
}

fn millis(option: &str, minutes: f64) -> anyhow::Result<u64> {
    let span = Duration::try_from_secs_f64(minutes * 60.0);
    let millis = span.ok().and_then(|span| u64::try_from(span.as_millis()).ok());
    // A thousand years: beyond that, a slip of the finger.
    let most = 1_000 * 366 * 24 * 3_600_000;
    match millis.filter(|millis| *millis <= most) {
        Some(millis) => Ok(millis),
        None => bail!("{option} {minutes} is no length of time"),
    }
}

fn is_of_this_machine(url: &str) -> bool {
    let rest = url.trim().strip_prefix("http://").unwrap_or_default();
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|local| host.strip_prefix(local).is_some_and(|port| port.is_empty() || port.starts_with(':')))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[arg(long)]
        practice: bool,
        #[command(flatten)]
        options: PayingOptions,
    }

    const ADDRESS: &str = "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi";

    /// What a line of options means, or why it means nothing.
    fn read(line: &str, practice: bool) -> Result<(Settings, Policy), String> {
        let words = ["lull-network"]
            .into_iter()
            .chain(practice.then_some("--practice"))
            .chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let settings = line.options.settings(line.practice).map_err(|error| error.to_string())?;
        Ok((settings, line.options.policy(line.practice).map_err(|error| error.to_string())?))
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let full = format!("--solana https://a.example --program {ADDRESS} --treasury key.json");
        for (line, practice, said) in [
            ("--solana https://a.example".to_owned(), false, "--program"),
            (format!("--program {ADDRESS}"), false, "--solana"),
            (format!("--solana https://a.example --program {ADDRESS}"), false, "--treasury"),
            ("--solana https://a.example --program nonsense --treasury x".to_owned(), false, "nonsense"),
            (full.clone(), true, "worth something"),
            (format!("{full} --cluster devnet"), false, "--mint"),
            (format!("{full} --cluster devnet --mint {USDC}"), true, "worth something"),
            (format!("{full} --cluster practice --mint {ADDRESS}"), false, "kept for"),
            ("--tokens-max 5".to_owned(), false, "pays on no chain"),
            ("--sol-price 0".to_owned(), true, "--sol-price"),
            ("--epoch-minutes 0".to_owned(), true, "more than nothing"),
            ("--epoch-minutes=-1".to_owned(), true, "no length of time"),
            ("--audit-minutes NaN".to_owned(), true, "no length of time"),
        ] {
            let refused = read(&line, practice).unwrap_err();
            assert!(refused.contains(said), "{line}: {refused}");
        }
    }

    #[test]
    fn defaults_are_those_of_mainnet_and_of_practice() {
        let (settings, policy) = read("", false).unwrap();
        assert!(settings.cluster.is_none());
        assert_eq!(policy, Policy::default());
        let line =
            format!("--solana https://a.example --program {ADDRESS} --treasury keychain:lull --tokens-max 7");
        let (settings, _) = read(&line, false).unwrap();
        let cluster = settings.cluster.unwrap();
        assert_eq!(
            (cluster.name.as_str(), cluster.mint.to_string(), cluster.told),
            (MAINNET, USDC.to_owned(), None)
        );
        assert_eq!(settings.spending.epoch_tokens_max, 7);
        assert_eq!(settings.charges.unwrap().later, BaseUnits(1_500));

        let local = "http://127.0.0.1:8899";
        let line = format!(
            "--solana {local} --program {ADDRESS} --mint {ADDRESS} --treasury key.json --epoch-minutes 0.05 --audit-minutes 0"
        );
        let (settings, policy) = read(&line, true).unwrap();
        let cluster = settings.cluster.unwrap();
        assert_eq!((cluster.name.as_str(), cluster.told.as_deref()), ("localnet", Some(local)));
        assert_eq!((policy.epoch_ms, policy.audit_window_ms), (3_000, 0));
        assert_eq!(settings.charges, Some(practice::CHARGES));
        let (_, policy) = read("", true).unwrap();
        assert_eq!(policy.epoch_ms, practice::EPOCH_MS);
    }

    #[test]
    fn another_machine_is_not_this_one() {
        for (url, expected) in [
            ("http://127.0.0.1:8899", true),
            ("http://localhost", true),
            ("http://[::1]:1/", true),
            ("http://127.0.0.1.example.org", false),
            ("https://127.0.0.1", false),
        ] {
            assert_eq!(is_of_this_machine(url), expected, "{url}");
        }
    }
}
