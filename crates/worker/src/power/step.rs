//! What is to be done with one board's power limit, decided from what is written down, what is wanted and what is the
//! case.

use super::{Limit, Lowered};

/// Firmware counts in watts or finer, and may round what it is given.
const ROUNDING_MILLIWATTS: u32 = 999;

/// Whether a board that tells `told` can have been set to `set`.
pub(super) fn is_same(told: u32, set: u32) -> bool {
    told.abs_diff(set) <= ROUNDING_MILLIWATTS
}

/// The next thing to do; after it there may be another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: the board is as it should be.
    Stay,
    /// Set the limit back to what it was, and then forget what was written down.
    PutBack {
        /// What it was.
        milliwatts: u32,
    },
    /// Somebody else has changed the limit: leave it, and forget what was written down.
    Leave,
    /// Write this down, and then lower the limit.
    Lower {
        /// What the limit is.
        former_milliwatts: u32,
        /// What it is to be.
        set_milliwatts: u32,
    },
}

/// Decides. `ceiling_milliwatts` is what the contributor wants the board held to now, `None` for its own limit.
///
/// A ceiling that changes is a new lowering: the former limit is put back in between, so that what is written down
/// always names the one limit that Lull may have set.
pub(super) fn step(kept: Option<&Lowered>, ceiling_milliwatts: Option<u32>, limit: Limit) -> Step {
    let target = ceiling_milliwatts.map(|ceiling| within(ceiling, limit));
    let Some(kept) = kept else {
        return match target {
            Some(target) if target < limit.milliwatts => {
                Step::Lower { former_milliwatts: limit.milliwatts, set_milliwatts: target }
            }
            _ => Step::Stay,
        };
    };
    if !is_same(limit.milliwatts, kept.set_milliwatts) {
        // It may also never have been lowered: the process died, or was refused, after it had been written down.
        return Step::Leave;
    }
    match target {
        Some(target) if target == kept.set_milliwatts => Step::Stay,
        _ => Step::PutBack { milliwatts: kept.former_milliwatts },
    }
}

/// A wish within what a board takes. Bounds that leave nothing are no bounds: a driver does not know them.
fn within(milliwatts: u32, Limit { milliwatts_min, milliwatts_max, .. }: Limit) -> u32 {
    if milliwatts_max > milliwatts_min {
        milliwatts.clamp(milliwatts_min, milliwatts_max)
    } else {
        milliwatts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::power::{Board, Maker};
    use proptest::prelude::*;

    fn kept(former_milliwatts: u32, set_milliwatts: u32) -> Lowered {
        let board = Board { maker: Maker::Nvidia, bus: "0000:01:00.0".into(), serial: "GPU-1".into() };
        Lowered { board, former_milliwatts, set_milliwatts }
    }

    fn limit(milliwatts: u32) -> Limit {
        Limit { milliwatts, milliwatts_min: 100_000, milliwatts_max: 350_000 }
    }

    #[test]
    fn each_case_has_its_step() {
        let lower = |former_milliwatts, set_milliwatts| Step::Lower { former_milliwatts, set_milliwatts };
        let back = |milliwatts| Step::PutBack { milliwatts };
        let ours = kept(320_000, 180_000);
        for (record, ceiling, now, expected) in [
            // Nothing is written down.
            (None, None, 320_000, Step::Stay),
            (None, Some(180_000), 320_000, lower(320_000, 180_000)),
            (None, Some(20_000), 320_000, lower(320_000, 100_000)),
            (None, Some(320_000), 320_000, Step::Stay),
            (None, Some(400_000), 320_000, Step::Stay),
            (None, Some(180_000), 150_000, Step::Stay),
            // It is as it was set.
            (Some(&ours), Some(180_000), 180_000, Step::Stay),
            (Some(&ours), Some(180_000), 179_500, Step::Stay),
            (Some(&ours), Some(200_000), 180_000, back(320_000)),
            (Some(&ours), Some(150_000), 180_000, back(320_000)),
            (Some(&ours), None, 180_000, back(320_000)),
            (Some(&ours), None, 180_999, back(320_000)),
            // Somebody else has changed it, or it was never lowered.
            (Some(&ours), None, 250_000, Step::Leave),
            (Some(&ours), None, 181_000, Step::Leave),
            (Some(&ours), None, 320_000, Step::Leave),
            (Some(&ours), Some(180_000), 250_000, Step::Leave),
        ] {
            assert_eq!(step(record, ceiling, limit(now)), expected, "{record:?} {ceiling:?} {now}");
        }
        let unknown = Limit { milliwatts: 320_000, milliwatts_min: 0, milliwatts_max: 0 };
        assert_eq!(step(None, Some(180_000), unknown), lower(320_000, 180_000));
    }

    proptest! {
        /// However often the process is cut off and whatever is wanted next, following the steps with nothing wanted
        /// ends at the limit that the board had.
        #[test]
        fn whatever_was_wanted_the_former_limit_comes_back(
            own in 100_000_u32..=350_000,
            wishes in prop::collection::vec(prop::option::of(20_000_u32..400_000), 0..8),
            cut_off in any::<u8>(),
        ) {
            let mut record: Option<Lowered> = None;
            let mut now = own;
            let wishes = wishes.into_iter().chain([None]).enumerate();
            for (turn, wish) in wishes {
                for round in 0.. {
                    prop_assert!(round < 5, "it comes to rest");
                    match step(record.as_ref(), wish, limit(now)) {
                        Step::Stay => break,
                        Step::Leave => record = None,
                        Step::PutBack { milliwatts } => {
                            now = milliwatts;
                            record = None;
                        }
                        Step::Lower { former_milliwatts, set_milliwatts } => {
                            record = Some(kept(former_milliwatts, set_milliwatts));
                            // Killed between the two: the next round sees what was left behind.
                            if cut_off >> (turn % 8) & 1 == 0 || round > 0 {
                                now = set_milliwatts;
                            }
                        }
                    }
                }
            }
            prop_assert_eq!((now, record), (own, None));
        }
    }
}
