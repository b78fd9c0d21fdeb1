//! What several endpoints say together. An endpoint may be behind, forget, or lie.
//!
//! Two must agree before anything is believed that money depends on; where one is configured, that one. With
//! two or more, one liar can delay, and can cause neither a second payment nor a payment that is believed and
//! did not happen. With one endpoint it can do both; what is left then is that the program on the chain pays
//! no lifetime twice.

use super::{ChainError, Outcome, Recent, Status};

/// What one endpoint says of one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Its history has none.
    Unknown {
        /// The endpoint's last final height, asked before its history was searched: so far it has looked.
        searched_to: u64,
    },
    /// In a block that is not final.
    Seen {
        /// The block's slot.
        slot: u64,
    },
    /// In a final block.
    Finalized {
        /// The block's slot.
        slot: u64,
        /// What became of it.
        outcome: Outcome,
    },
}

/// How many of so many endpoints must agree.
pub const fn needed(endpoints: usize) -> usize {
    if endpoints < 2 { 1 } else { 2 }
}

/// The status of one signature. `said` has those that answered, of `endpoints`.
///
/// That it is unknown holds up to the height that enough of the endpoints have reached, each by its own word:
/// one that is behind has not searched what it does not have.
pub fn status(said: &[Said], endpoints: usize) -> Status {
    let needed = needed(endpoints);
    let mut seen = None;
    let mut searched = Vec::new();
    for one in said {
        match one {
            Said::Unknown { searched_to } => searched.push(*searched_to),
            Said::Seen { slot } => seen = Some(*slot),
            Said::Finalized { slot, outcome } => {
                if said.iter().filter(|other| *other == one).count() >= needed {
                    return Status::Finalized { slot: *slot, outcome: outcome.clone() };
                }
                seen = Some(*slot);
            }
        }
    }
    searched.sort_unstable_by(|a, b| b.cmp(a));
    match (seen, searched.get(needed - 1)) {
        (Some(slot), _) => Status::Seen { slot },
        (None, Some(searched_to)) => Status::Unknown { searched_to: *searched_to },
        (None, None) => Status::Unsure,
    }
}

/// The height of the last final block: the lowest that is said, so that one endpoint cannot end anything early.
///
/// # Errors
/// When too few answered.
pub fn height(said: &[u64], endpoints: usize) -> Result<u64, ChainError> {
    let needed = needed(endpoints);
    match said.iter().min() {
        Some(lowest) if said.len() >= needed => Ok(*lowest),
        _ => Err(ChainError::Disagreement { agreed: said.len(), asked: endpoints, needed }),
    }
}

/// How many blocks endpoints may be apart: two thirds of a minute. One that is further behind is of no use.
const BLOCKS_APART_MAX: u64 = 100;

/// A blockhash of an endpoint whose word on when it ends is near another's. What is signed with it must not be
/// taken for expired while it is not, so the highest such word counts, and what they may be apart is added.
///
/// # Errors
/// When no two are near each other.
pub fn recent(said: &[Recent], endpoints: usize) -> Result<Recent, ChainError> {
    let needed = needed(endpoints);
    let near = |one: &Recent| {
        let apart =
            |other: &&Recent| one.last_valid_height.abs_diff(other.last_valid_height) <= BLOCKS_APART_MAX;
        said.iter().filter(apart).map(|recent| recent.last_valid_height).collect::<Vec<_>>()
    };
    let agreed = said.iter().map(|one| near(one).len()).max().unwrap_or(0);
    let chosen = said.iter().find(|one| near(one).len() >= needed);
    let chosen = chosen.ok_or(ChainError::Disagreement { agreed, asked: endpoints, needed })?;
    let last = near(chosen).into_iter().max().unwrap_or(chosen.last_valid_height);
    Ok(Recent { blockhash: chosen.blockhash, last_valid_height: last.saturating_add(BLOCKS_APART_MAX) })
}

/// The answer that enough endpoints gave alike.
///
/// # Errors
/// When there is none.
pub fn agreed<T: Clone + PartialEq>(said: &[T], endpoints: usize) -> Result<T, ChainError> {
    let needed = needed(endpoints);
    let count = |one: &T| said.iter().filter(|other| *other == one).count();
    match said.iter().max_by_key(|one| count(one)) {
        Some(most) if count(most) >= needed => Ok(most.clone()),
        most => Err(ChainError::Disagreement { agreed: most.map_or(0, count), asked: endpoints, needed }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Said = Said::Seen { slot: 5 };
    const DONE: Said = Said::Finalized { slot: 5, outcome: Outcome::Done };

    fn unknown(searched_to: u64) -> Said {
        Said::Unknown { searched_to }
    }

    #[test]
    fn one_endpoint_of_several_decides_nothing() {
        let finalized = Status::Finalized { slot: 5, outcome: Outcome::Done };
        let failed = Said::Finalized { slot: 5, outcome: Outcome::Failed("x".to_owned()) };
        let cases: [(&[Said], usize, Status); 12] = [
            (&[unknown(7), unknown(9)], 2, Status::Unknown { searched_to: 7 }),
            (&[unknown(7), unknown(u64::MAX), unknown(8)], 3, Status::Unknown { searched_to: 8 }),
            (&[unknown(7)], 2, Status::Unsure),
            (&[], 2, Status::Unsure),
            (&[], 0, Status::Unsure),
            (&[unknown(7), SEEN], 2, Status::Seen { slot: 5 }),
            (&[unknown(7), DONE], 2, Status::Seen { slot: 5 }),
            (&[SEEN, DONE], 2, Status::Seen { slot: 5 }),
            (&[DONE, failed], 2, Status::Seen { slot: 5 }),
            (&[DONE, unknown(7), DONE], 3, finalized.clone()),
            (&[DONE], 1, finalized),
            (&[unknown(7)], 1, Status::Unknown { searched_to: 7 }),
        ];
        for (said, endpoints, expected) in cases {
            assert_eq!(status(said, endpoints), expected, "{said:?} of {endpoints}");
        }
    }

    #[test]
    fn nobody_ends_a_blockhash_early_or_never() {
        let of = |height| Recent { blockhash: Default::default(), last_valid_height: height };
        let last = |said: &[u64], endpoints| {
            let said: Vec<Recent> = said.iter().map(|height| of(*height)).collect();
            recent(&said, endpoints).ok().map(|recent| recent.last_valid_height)
        };
        assert_eq!(last(&[250, 260], 2), Some(360));
        assert_eq!(last(&[1, 250], 2), None);
        assert_eq!(last(&[u64::MAX, 250], 2), None);
        assert_eq!(last(&[u64::MAX, 250, 255], 3), Some(355));
        assert_eq!(last(&[250], 2), None);
        assert_eq!(last(&[250], 1), Some(350));
        assert_eq!(last(&[], 1), None);
        assert_eq!(height(&[9, u64::MAX], 2), Ok(9));
        assert!(height(&[9], 2).is_err());
        assert!(height(&[], 0).is_err());
    }

    #[test]
    fn what_two_say_is_agreed() {
        assert_eq!(agreed(&[1, 2, 2], 3), Ok(2));
        assert!(agreed(&[1, 2], 2).is_err());
        assert!(agreed(&[1], 2).is_err());
        assert_eq!(agreed(&[1], 1), Ok(1));
        assert!(agreed::<u8>(&[], 1).is_err());
    }
}
