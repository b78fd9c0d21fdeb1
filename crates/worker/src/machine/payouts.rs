//! How the network pays: what it said last, each payout that it told of, and the proof of earnings that was asked for.
//!
//! All of it is the network's word. It is kept as it was said, within bounds, and checked elsewhere against the chain
//! and the receipts.

use std::collections::BTreeMap;

use lull_network_api::{Balance, WorkerMessage};
use lull_types::{
    BaseUnits, EarningsProof, Fault, NetworkId, PAYOUTS_TOLD_MAX, Payout, PayoutStage, PayoutStanding,
    UnixMillis, WalletAddress, WorkerId,
};

use super::Machine;
use super::out::Out;
use super::record::{NetworkChoice, Record};

/// Payouts of one network that are kept: one an hour for two years, one a week for four hundred. They are held in
/// memory, too, and a network that tells of more of them wants to fill it.
pub const PAYOUTS_KEPT: usize = 20_000;

/// Wallets of this worker that a network may speak of: a change of wallet waits for days, so that nobody has more.
const WALLETS_MAX: usize = 64;

/// Longer names of ledgers would push the rest of a line away.
const CLUSTER_CHARS_MAX: usize = 64;

/// Endpoints with a key in their address have some 150 characters.
const ENDPOINT_CHARS_MAX: usize = 512;

/// The journal's numbers are signed. No network comes to so many payouts or epochs by counting.
const NUMBER_MAX: u64 = i64::MAX as u64;

/// The most siblings that the program on the chain takes.
const SIBLINGS_MAX: usize = 32;

/// What one network has told of payouts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldPayouts {
    /// How they stood when it last said so.
    pub standing: Option<PayoutStanding>,
    /// Each payout that it ever told of, by id.
    pub payouts: BTreeMap<u64, Payout>,
}

/// The proof of earnings that was asked for last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofAnswer {
    /// The network has not answered yet.
    Asked,
    /// Its answer, whatever it is worth.
    Told(Box<EarningsProof>),
    /// It gives none.
    Refused(Fault),
}

/// What the machine knows of payouts.
#[derive(Clone, Debug, Default)]
pub(super) struct Payouts {
    pub told: BTreeMap<NetworkId, ToldPayouts>,
    /// What was asked for in this session, for which wallet.
    proof: Option<(WalletAddress, ProofAnswer)>,
}

/// What is needed to check a payout, as of one instant.
#[derive(Clone, Debug)]
pub struct PayoutFacts {
    /// The network joined.
    pub network: NetworkId,
    /// Whether that network runs on this machine, as far as the contributor said where it is. Only such a one may have
    /// the worker ask an endpoint on this machine.
    pub network_is_local: bool,
    /// Whose payouts.
    pub worker: WorkerId,
    /// Where the contributor wants to be paid.
    pub wallet: Option<WalletAddress>,
    /// URL of the endpoint that the contributor chose.
    pub chain_endpoint: Option<String>,
    /// What the network told.
    pub told: ToldPayouts,
    /// What it says that it owes, if it has said so since the worker was started.
    pub balance: Option<Balance>,
    /// Sum of the receipts held, each of which was verified when it came.
    pub earned: BaseUnits,
}

impl Machine {
    /// What is needed to check payouts of the network joined; none before one is.
    pub fn payout_facts(&self) -> Option<PayoutFacts> {
        let network = self.network_id()?;
        let joined = self.network.as_ref()?;
        let network_is_local = match &joined.choice {
            NetworkChoice::Practice => true,
            NetworkChoice::Ticket(ticket) => {
                ticket.relay.is_none() && ticket.addresses.iter().all(|address| address.ip().is_loopback())
            }
        };
        Some(PayoutFacts {
            network,
            network_is_local,
            worker: self.worker_id(),
            wallet: self.wallets.wanted,
            chain_endpoint: self.settings.chain_endpoint.clone(),
            told: self.payouts.told.get(&network).cloned().unwrap_or_default(),
            balance: self.balance.filter(|(of, _)| *of == network).map(|(_, balance)| balance),
            earned: self.earned.get(&network).map_or(BaseUnits::ZERO, |earned| earned.lane.cumulative()),
        })
    }

    /// The answer to the last [`super::Order::WantProof`] for this wallet; none if the session has ended since.
    pub fn proof_answer(&self, wallet: WalletAddress) -> Option<&ProofAnswer> {
        self.payouts.proof.as_ref().filter(|(of, _)| *of == wallet).map(|(_, answer)| answer)
    }

    /// What the network joined said last.
    pub(super) fn payout_standing(&self) -> Option<&PayoutStanding> {
        self.payouts.told.get(&self.network_id()?)?.standing.as_ref()
    }

    pub(super) fn set_payout_threshold(&mut self, least: Option<BaseUnits>, out: &mut Out) {
        if let Some(session) = self.link.up() {
            self.send(session, WorkerMessage::SetPayoutThreshold(least), out);
        }
    }

    pub(super) fn want_proof(&mut self, wallet: WalletAddress, out: &mut Out) {
        if let Some(session) = self.link.up() {
            self.payouts.proof = Some((wallet, ProofAnswer::Asked));
            self.send(session, WorkerMessage::WantProof { wallet }, out);
        }
    }

    pub(super) fn tell_claimed(&mut self, wallet: WalletAddress, out: &mut Out) {
        if let Some(session) = self.link.up() {
            self.send(session, WorkerMessage::Claimed { wallet }, out);
        }
    }

    pub(super) fn on_earnings_proof(&mut self, proof: EarningsProof) {
        let Some((wallet, answer)) = &mut self.payouts.proof else { return };
        // An older answer, to a question for another wallet, is not this one's.
        if *answer != ProofAnswer::Asked || proof.wallet != *wallet {
            return;
        }
        *answer = if proof.siblings.len() <= SIBLINGS_MAX {
            ProofAnswer::Told(Box::new(proof))
        } else {
            ProofAnswer::Refused(Fault::new(
                "proof_too_long",
                "The network sent a proof that is longer than any that the chain takes; ask it what is wrong.",
            ))
        };
    }

    /// Whether a refusal answers the question for a proof, which then says so.
    pub(super) fn is_about_proof(&mut self, fault: &Fault) -> bool {
        // What the network says when it has no proof to give; anything else is about something else.
        const CODES: [&str; 4] = ["no_epoch_yet", "not_in_epoch", "no_payouts", "publication_unusable"];
        match &mut self.payouts.proof {
            Some((_, answer @ ProofAnswer::Asked)) if CODES.contains(&fault.code.as_str()) => {
                *answer = ProofAnswer::Refused(fault.clone());
                true
            }
            _ => false,
        }
    }

    /// A session has ended, and with it what was asked in it.
    pub(super) fn forget_proof(&mut self) {
        self.payouts.proof = None;
    }

    pub(super) fn on_payouts(
        &mut self,
        network: NetworkId,
        standing: PayoutStanding,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let standing = bounded(standing);
        let told = self.payouts.told.entry(network).or_default();
        let mut arrived = Vec::new();
        let mut trouble = None;
        for payout in &standing.payouts {
            match told.payouts.get(&payout.id) {
                Some(known) if known == payout => continue,
                // What was final stays final. A network that says otherwise later contradicts itself.
                Some(known) if known.stage == PayoutStage::Confirmed => {
                    trouble = Some(Fault::new(
                        "payout_changed",
                        format!(
                            "The network now says something else of payout {}, which it had said to be final; what \
                             it said first is kept. Verify that payout.",
                            payout.id
                        ),
                    ));
                    continue;
                }
                None if told.payouts.len() >= PAYOUTS_KEPT => {
                    trouble = Some(Fault::new(
                        "payouts_too_many",
                        "The network tells of more payouts than can be true; no more of them are kept.",
                    ));
                    continue;
                }
                Some(_) | None => {}
            }
            if payout.stage == PayoutStage::Confirmed {
                arrived.push(payout.amount);
            }
            told.payouts.insert(payout.id, payout.clone());
            out.record(Record::Payout { network, payout: Box::new(payout.clone()) });
        }
        if told.standing.as_ref() != Some(&standing) {
            told.standing = Some(standing.clone());
            out.record(Record::PayoutStanding { network, standing: Box::new(standing) });
        }
        if !arrived.is_empty() {
            self.notify("payout_confirmed", self.arrival(&arrived), false, now, out);
        }
        if let Some(fault) = trouble {
            self.notify_problem(&fault, now, out);
        }
    }

    /// What a person is told of payouts that arrived: one sentence, however many there were while nobody looked.
    fn arrival(&self, arrived: &[BaseUnits]) -> String {
        let sum = BaseUnits(arrived.iter().fold(0, |sum, amount| sum.saturating_add(amount.0)));
        let practice =
            self.network.as_ref().and_then(|joined| joined.info.as_ref()).is_none_or(|info| info.practice);
        let what = if practice { "practice USDC, without value," } else { "USDC" };
        match arrived.len() {
            1 => format!("{sum} {what} arrived in your wallet."),
            count => format!("{sum} {what} arrived in your wallet, in {count} payouts."),
        }
    }
}

/// What a network tells, without what no honest one would tell. Strings are shown to people and asked for by URL.
fn bounded(mut standing: PayoutStanding) -> PayoutStanding {
    standing.payouts.truncate(PAYOUTS_TOLD_MAX);
    standing.payouts.retain(|payout| payout.id <= NUMBER_MAX);
    standing.anchored.take_if(|anchored| anchored.epoch > NUMBER_MAX);
    standing.wallets.truncate(WALLETS_MAX);
    if let Some(place) = &mut standing.place {
        place.cluster = place.cluster.chars().filter(|c| !c.is_control()).take(CLUSTER_CHARS_MAX).collect();
        // A URL that is cut off names another place.
        place.endpoint.take_if(|endpoint| endpoint.chars().count() > ENDPOINT_CHARS_MAX);
    }
    standing
}
