//! From readings to one answer that does not waver.

use std::collections::VecDeque;
use std::time::Duration;

use lull_types::GpuNeed;

use super::{ProcessUse, Reading};
use crate::GpuUse;

/// Other programs together need a device's time from this share of it on: a desktop, a film and a page with animations stay
/// below it on cards that are worth lending, and games and renderers above.
const LOAD_TRIPS: f64 = 0.25;

/// And down to this share they still do. It is far enough below that a load between the two is never news.
const LOAD_CLEARS: f64 = 0.10;

/// The load is averaged over so long before it counts: a page that is opened takes a second at most, and a game stutters for
/// four when it starts, where it does so anyway.
const TRIP_WINDOW: Duration = Duration::from_secs(4);

/// And over so long before it does not: longer than a cut or a change of the map, in which a game draws little.
const CLEAR_WINDOW: Duration = Duration::from_secs(8);

/// Readings that lie further apart say nothing of the time between them: the machine slept, or the system did not answer.
/// It is three of the longest interval between readings, of 3 s.
const GAP: Duration = Duration::from_secs(9);

/// Readings that lie nearer together count as one, so that those that come early by whatever chance are not many: a window
/// holds 65 at most.
const STRETCH_MIN: Duration = Duration::from_millis(250);

/// What sums of shares are rounded by, and more.
const ROUNDING: f64 = 1e-6;

/// Who is named stays so until another needs twice as much; two that take turns are no news with each turn.
const RENAMED_FROM: f64 = 2.0;

/// What other programs need of one device, from readings of it.
#[derive(Clone, Debug, Default)]
pub struct Settling {
    last_at: Option<Duration>,
    stretches: VecDeque<Stretch>,
    needs_time: bool,
    needs_memory: bool,
    /// Since when memory has been roomy without a break.
    roomy_since: Option<Duration>,
    answer: Option<GpuUse>,
}

/// The time between two readings.
#[derive(Clone, Debug)]
struct Stretch {
    from: Duration,
    until: Duration,
    /// What each other program did to the device, as a share of the time.
    loads: Vec<(Option<String>, f64)>,
}

impl Stretch {
    /// How much of it lies after an instant, in seconds.
    fn seconds_after(&self, instant: Duration) -> f64 {
        self.until.saturating_sub(self.from.max(instant)).as_secs_f64()
    }

    /// Adds the one that follows it.
    fn extend(&mut self, next: &Self) {
        let (before, after) = (self.seconds_after(self.from), next.seconds_after(next.from));
        let all = before + after;
        if all > 0.0 {
            self.loads.iter_mut().for_each(|(_, load)| *load *= before / all);
            next.loads.iter().for_each(|(program, load)| add(&mut self.loads, program, load * after / all));
        }
        self.until = next.until;
    }
}

impl Settling {
    /// Takes in a reading and says what another program needs of the device, if one does. `at_work` is whether work of ours
    /// is on a device now.
    pub fn settle(&mut self, reading: &Reading, at_work: bool) -> Option<&GpuUse> {
        let follows = self.take_in(reading);
        self.judge_time(reading.at);
        self.judge_memory(reading, at_work, follows);
        let need = match &self.answer {
            Some(GpuUse { need: GpuNeed::Time, .. }) if self.needs_time => Some(GpuNeed::Time),
            // Who waits for memory waits now.
            _ if self.needs_memory => Some(GpuNeed::Memory),
            _ if self.needs_time => Some(GpuNeed::Time),
            _ => None,
        };
        self.answer = need.map(|need| {
            let named = self.answer.take().filter(|answer| answer.need == need).map(|answer| answer.program);
            let uses = match need {
                GpuNeed::Time => self.loads(reading.at),
                GpuNeed::Memory => {
                    by_program(reading, |process| process.memory_bytes.map(|bytes| bytes as f64))
                }
            };
            GpuUse { program: name(named, &uses), need }
        });
        self.answer.as_ref()
    }

    /// What was answered last.
    pub fn answer(&self) -> Option<&GpuUse> {
        self.answer.as_ref()
    }

    /// Notes the time since the reading before; whether there was one shortly before.
    fn take_in(&mut self, reading: &Reading) -> bool {
        let last_at = self.last_at.replace(reading.at);
        let Some(from) = last_at else { return false };
        if reading.at < from {
            // No clock that is meant for this does that; what was noted by it means nothing any more.
            self.stretches.clear();
            return false;
        }
        if reading.at - from > GAP {
            return false;
        }
        let loads = by_program(reading, |process| process.load.map(|load| load.clamp(0.0, 1.0)));
        let stretch = Stretch { from, until: reading.at, loads };
        match self.stretches.back_mut() {
            Some(last) if last.until == from && reading.at - last.from <= STRETCH_MIN => {
                last.extend(&stretch)
            }
            Some(_) | None => self.stretches.push_back(stretch),
        }
        let oldest = reading.at.saturating_sub(CLEAR_WINDOW);
        while self.stretches.front().is_some_and(|stretch| stretch.until <= oldest) {
            self.stretches.pop_front();
        }
        true
    }

    fn judge_time(&mut self, now: Duration) {
        // What was not seen counts as nothing: it never trips, and never clears.
        if !self.needs_time {
            let (_, load) = self.average(now, TRIP_WINDOW);
            self.needs_time = load >= LOAD_TRIPS - ROUNDING;
            return;
        }
        let (seen, load) = self.average(now, CLEAR_WINDOW);
        let is_whole = seen >= CLEAR_WINDOW.as_secs_f64() - ROUNDING;
        self.needs_time = !(is_whole && load <= LOAD_CLEARS + ROUNDING);
    }

    fn judge_memory(&mut self, reading: &Reading, at_work: bool, follows: bool) {
        let held = |ours: bool| {
            let of = reading.processes.iter().filter(|process| process.is_ours == ours);
            of.filter_map(|process| process.memory_bytes).fold(0, u64::saturating_add)
        };
        let (ours, others) = (held(true), held(false));
        // A device that tells nothing of its memory, as one that sleeps, is short of none.
        let is_roomy = reading.memory.is_none_or(|memory| memory.is_roomy(ours));
        if !is_roomy {
            self.roomy_since = None;
        } else if !follows || self.roomy_since.is_none() {
            self.roomy_since = Some(reading.at);
        }
        if self.needs_memory {
            let since = self.roomy_since.unwrap_or(reading.at);
            self.needs_memory = reading.at.saturating_sub(since) < CLEAR_WINDOW;
        } else {
            self.needs_memory = reading.memory.is_some_and(|memory| {
                memory.is_short() && others >= memory.short_bytes() && (ours > 0 || at_work)
            });
        }
    }

    /// How many seconds of the time before now were seen, and the load of other programs over all of it, 0 to 1.
    fn average(&self, now: Duration, window: Duration) -> (f64, f64) {
        let begin = now.saturating_sub(window);
        let (mut seen, mut busy) = (0.0, 0.0);
        for stretch in &self.stretches {
            let seconds = stretch.seconds_after(begin);
            seen += seconds;
            busy += seconds * stretch.loads.iter().map(|(_, load)| load).sum::<f64>().min(1.0);
        }
        (seen, busy / window.as_secs_f64())
    }

    /// What each program did to the device lately.
    fn loads(&self, now: Duration) -> Vec<(Option<String>, f64)> {
        let begin = now.saturating_sub(CLEAR_WINDOW);
        let mut loads = Vec::new();
        for stretch in &self.stretches {
            let seconds = stretch.seconds_after(begin);
            for (program, load) in &stretch.loads {
                add(&mut loads, program, load * seconds);
            }
        }
        loads
    }
}

/// What other programs use, where a process tells it; a program's processes together.
fn by_program(reading: &Reading, of: impl Fn(&ProcessUse) -> Option<f64>) -> Vec<(Option<String>, f64)> {
    let mut uses = Vec::new();
    for process in reading.processes.iter().filter(|process| !process.is_ours) {
        if let Some(amount) = of(process).filter(|amount| *amount > 0.0) {
            add(&mut uses, &process.program, amount);
        }
    }
    uses
}

fn add(uses: &mut Vec<(Option<String>, f64)>, program: &Option<String>, amount: f64) {
    match uses.iter_mut().find(|(of, _)| of == program) {
        Some((_, sum)) => *sum += amount,
        None => uses.push((program.clone(), amount)),
    }
}

/// The program that uses most, or the one that is named already.
fn name(named: Option<Option<String>>, uses: &[(Option<String>, f64)]) -> Option<String> {
    let most = uses.iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
    let Some(named) = named else { return most.and_then(|(program, _)| program.clone()) };
    let of_named = uses.iter().find(|(program, _)| *program == named).map_or(0.0, |(_, amount)| *amount);
    match most {
        Some((program, amount)) if *amount > of_named * RENAMED_FROM => program.clone(),
        // Nobody uses anything in a pause, and who will go on is the one who did.
        Some(_) | None => named,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DeviceMemory, GIB, MIB};
    use super::*;

    use GpuNeed::{Memory, Time};

    fn process(pid: u32, program: &str, load: f64) -> ProcessUse {
        ProcessUse { pid, program: Some(program.to_owned()), load: Some(load), ..ProcessUse::default() }
    }

    fn reading(at_ms: u64, processes: Vec<ProcessUse>) -> Reading {
        Reading { at: Duration::from_millis(at_ms), processes, memory: None }
    }

    /// Plays loads of so many readings each and compares when the answer becomes another, and which.
    fn check(
        interval_ms: u64,
        script: &[(u64, &[(&str, f64)])],
        expected: &[(u64, Option<(&str, GpuNeed)>)],
    ) {
        let mut settling = Settling::default();
        let mut answers = Vec::new();
        let mut at = 0;
        settling.settle(&reading(at, Vec::new()), true);
        for (readings, loads) in script {
            for _ in 0..*readings {
                at += interval_ms;
                let processes =
                    (1..).zip(*loads).map(|(pid, (name, load))| process(pid, name, *load)).collect();
                let before = settling.answer().cloned();
                let after = settling.settle(&reading(at, processes), true).cloned();
                if before != after {
                    answers.push((at, after));
                }
            }
        }
        let use_of =
            |(program, need): &(&str, GpuNeed)| GpuUse { program: Some((*program).to_owned()), need: *need };
        let expected: Vec<_> = expected.iter().map(|(at, by)| (*at, by.as_ref().map(use_of))).collect();
        assert_eq!(answers, expected);
    }

    const QUIET: &[(&str, f64)] = &[];
    const GAME: Option<(&str, GpuNeed)> = Some(("game", Time));

    #[test]
    fn a_blip_is_no_need() {
        check(1000, &[(5, QUIET), (1, &[("browser", 0.9)]), (20, QUIET)], &[]);
        check(1000, &[(5, QUIET), (3, &[("browser", 0.3)]), (20, QUIET)], &[]);
        // With readings further apart, and with many of them.
        check(3000, &[(5, QUIET), (1, &[("browser", 0.3)]), (20, QUIET)], &[]);
        check(50, &[(20, QUIET), (19, &[("browser", 1.0)]), (200, QUIET)], &[]);
    }

    #[test]
    fn a_steady_load_is_one_from_four_seconds_on_and_until_eight_after() {
        check(1000, &[(8, QUIET), (8, &[("game", 0.25)]), (20, QUIET)], &[(12_000, GAME), (21_000, None)]);
        // A heavy one is seen sooner.
        check(1000, &[(8, QUIET), (8, &[("game", 0.9)]), (20, QUIET)], &[(10_000, GAME), (24_000, None)]);
        check(3000, &[(4, QUIET), (4, &[("game", 0.9)]), (20, QUIET)], &[(15_000, GAME), (33_000, None)]);
        check(1000, &[(8, QUIET), (60, &[("desktop", 0.24)])], &[]);
    }

    #[test]
    fn two_programs_count_together_and_the_one_that_uses_more_is_named() {
        check(1000, &[(8, QUIET), (8, &[("film", 0.12), ("game", 0.14)])], &[(12_000, GAME)]);
        check(1000, &[(8, QUIET), (8, &[("film", 0.12), ("desktop", 0.12)])], &[]);
        // A program's processes are one program.
        let browser: &[(&str, f64)] = &[("tab", 0.1), ("tab", 0.1), ("film", 0.15)];
        check(1000, &[(8, QUIET), (8, browser)], &[(11_000, Some(("tab", Time)))]);
        // More than all of a device is all of it: what follows is over as soon.
        check(
            100,
            &[(80, QUIET), (80, &[("game", 1.0), ("film", 0.9)]), (90, QUIET)],
            &[(9000, GAME), (23_200, None)],
        );
    }

    #[test]
    fn a_load_that_wavers_around_a_limit_is_news_once() {
        let up: &[(&str, f64)] = &[("game", 0.32)];
        let down: &[(&str, f64)] = &[("game", 0.18)];
        let wavering: Vec<(u64, &[(&str, f64)])> =
            (0..60).map(|n| (1, if n % 2 == 0 { up } else { down })).collect();
        check(1000, &wavering, &[(4000, GAME)]);
        let up: &[(&str, f64)] = &[("game", 0.16)];
        let down: &[(&str, f64)] = &[("game", 0.06)];
        let mut wavering: Vec<(u64, &[(&str, f64)])> = vec![(8, &[("game", 0.5)])];
        wavering.extend((0..60).map(|n| (1, if n % 2 == 0 { up } else { down })));
        check(1000, &wavering, &[(2000, GAME)]);
    }

    #[test]
    fn two_that_take_turns_are_news_once() {
        let one: &[(&str, f64)] = &[("game", 0.5), ("film", 0.3)];
        let other: &[(&str, f64)] = &[("game", 0.3), ("film", 0.5)];
        let turns: Vec<(u64, &[(&str, f64)])> =
            (0..60).map(|n| (3, if n % 2 == 0 { one } else { other })).collect();
        check(1000, &turns, &[(2000, GAME)]);
        // One that goes on after the other has ended is.
        let after: [(u64, &[(&str, f64)]); 2] = [(10, one), (20, &[("film", 0.3)])];
        check(1000, &after, &[(2000, GAME), (16_000, Some(("film", Time)))]);
    }

    #[test]
    fn readings_that_come_early_count_by_their_time() {
        let game: &[(&str, f64)] = &[("game", 0.5)];
        for interval_ms in [1, 10, 40, 100, 300] {
            let readings = |seconds: u64| (seconds * 1000).div_ceil(interval_ms);
            let mut settling = Settling::default();
            let mut changes = Vec::new();
            let quiet: &[(&str, f64)] = QUIET;
            let script = [(readings(10), quiet), (readings(20), game), (readings(20), quiet)];
            let loads = script.into_iter().flat_map(|(readings, loads)| (0..readings).map(move |_| loads));
            for (at, loads) in (0..).map(|n| n * interval_ms).zip(loads) {
                let processes = loads.iter().map(|(name, load)| process(1, name, *load)).collect();
                let before = settling.answer().is_some();
                if settling.settle(&reading(at, processes), true).is_some() != before {
                    changes.push(at);
                }
            }
            // Half of two seconds is a quarter of four, and of 1.6 a tenth of eight.
            let [found, over] = changes[..] else { panic!("{interval_ms} ms: {changes:?}") };
            assert!(
                found.abs_diff(12_000) <= 300 && over.abs_diff(36_400) <= 600,
                "{interval_ms} ms: {changes:?}"
            );
            assert!(settling.stretches.len() <= 65, "{}", settling.stretches.len());
        }
    }

    #[test]
    fn a_loading_screen_does_not_end_it() {
        let game: &[(&str, f64)] = &[("game", 0.6)];
        check(1000, &[(10, game), (3, QUIET), (10, game), (6, QUIET), (5, game)], &[(2000, GAME)]);
        check(3000, &[(4, game), (1, QUIET), (4, game), (2, QUIET), (4, game)], &[(3000, GAME)]);
    }

    #[test]
    fn what_we_do_ourselves_is_no_need() {
        let mut settling = Settling::default();
        for second in 0..60 {
            let ours = ProcessUse {
                is_ours: true,
                memory_bytes: Some(7 * GIB),
                ..process(1, "lull-runtime-gpu", 1.0)
            };
            let other = process(2, "desktop", 0.04);
            let memory = Some(DeviceMemory { free_bytes: 100 * MIB, total_bytes: 8 * GIB });
            let reading = Reading { memory, ..reading(second * 1000, vec![ours, other]) };
            assert_eq!(settling.settle(&reading, true), None, "after {second} s");
        }
    }

    #[test]
    fn what_was_not_seen_neither_trips_nor_clears() {
        let game = |at_ms, load| reading(at_ms, vec![process(1, "game", load)]);
        let mut settling = Settling::default();
        // The first reading has nothing before it.
        assert_eq!(settling.settle(&game(1_000_000, 1.0), true), None);
        // The machine slept, or nothing was read for long.
        assert_eq!(settling.settle(&game(1_010_000, 1.0), true), None);
        assert_eq!(settling.settle(&game(9_000_000, 1.0), true), None);
        // A clock that goes back, and one that stands still.
        assert_eq!(settling.settle(&game(5_000, 1.0), true), None);
        assert_eq!(settling.settle(&game(5_000, 1.0), true), None);
        // What is seen for the first time has no load yet.
        let unknown = ProcessUse { load: None, ..process(1, "game", 0.0) };
        assert_eq!(settling.settle(&reading(8_000, vec![unknown]), true), None);
        // Readings that are missing: one every eight seconds sees all the time all the same.
        assert_eq!(settling.settle(&game(16_000, 0.9), true).map(|by| by.need), Some(Time));
        // It clears by what was seen, not by the time that went by.
        assert!(settling.settle(&reading(100_000, Vec::new()), true).is_some());
        for at in [101, 103, 106, 107] {
            assert!(settling.settle(&reading(at * 1000, Vec::new()), true).is_some(), "at {at} s");
        }
        assert_eq!(settling.settle(&reading(108_000, Vec::new()), true), None);
    }

    #[test]
    fn loads_that_are_none_are_held_to_what_can_be() {
        let mut settling = Settling::default();
        for (at, load) in [(0, f64::NAN), (1000, f64::NAN), (2000, -3.0), (3000, 0.2), (4000, 0.2)] {
            assert_eq!(settling.settle(&reading(at, vec![process(1, "game", load)]), true), None);
        }
        assert_eq!(
            settling.settle(&reading(5000, vec![process(1, "game", 90.0)]), true).map(|by| by.need),
            Some(Time)
        );
        for at in 6..13 {
            assert!(settling.settle(&reading(at * 1000, Vec::new()), true).is_some(), "at {at} s");
        }
        assert_eq!(settling.settle(&reading(13_000, Vec::new()), true), None, "it counted once");
    }

    /// A reading of a card of 8 GiB: what the game holds, we hold, and is free, in mebibytes.
    fn card(at: u64, game: u64, ours: u64, free: u64) -> Reading {
        let holder = |pid, name: &str, mebibytes: u64, is_ours| ProcessUse {
            memory_bytes: Some(mebibytes * MIB),
            is_ours,
            ..process(pid, name, 0.0)
        };
        let processes = vec![
            holder(1, "desktop", 100, false),
            holder(2, "game", game, false),
            holder(3, "lull", ours, true),
        ];
        let memory = Some(DeviceMemory { free_bytes: free * MIB, total_bytes: 8 * GIB });
        Reading { memory, ..reading(at * 1000, processes) }
    }

    #[test]
    fn memory_that_is_short_is_a_need_at_once_and_until_it_is_roomy_for_long() {
        let game = GpuUse { program: Some("game".to_owned()), need: Memory };
        let mut settling = Settling::default();
        assert_eq!(settling.settle(&card(0, 600, 4000, 3000), true), None);
        assert_eq!(settling.settle(&card(1, 3600, 4000, 511), true), Some(&game));
        // The runtime goes, the game takes more, and there is no room for work beside it.
        assert_eq!(settling.settle(&card(2, 7000, 0, 1000), false), Some(&game));
        for at in 3..20 {
            assert_eq!(settling.settle(&card(at, 7000, 0, 1000), false), Some(&game), "at {at} s");
        }
        // The game ends, nearly: 15 per cent of the card are 1228 mebibytes.
        for at in 20..28 {
            assert_eq!(settling.settle(&card(at, 3000, 0, 5000), false), Some(&game), "at {at} s");
        }
        assert_eq!(settling.settle(&card(28, 3000, 0, 5000), false), None);
    }

    #[test]
    fn memory_that_we_will_have_given_back_is_room_and_a_break_begins_anew() {
        let mut settling = Settling::default();
        settling.settle(&card(0, 3600, 4000, 500), true);
        for at in 1..8 {
            assert!(settling.settle(&card(at, 3600, 4000, 500), true).is_some(), "at {at} s");
        }
        assert_eq!(settling.settle(&card(8, 3600, 1, 4600), false), None, "we had 4 GiB to give back");
        let mut settling = Settling::default();
        settling.settle(&card(0, 3600, 4000, 500), true);
        settling.settle(&card(5, 7000, 500, 500), true);
        settling.settle(&card(6, 3600, 0, 4000), true);
        settling.settle(&card(100, 3600, 0, 4000), true);
        assert!(settling.settle(&card(107, 3600, 0, 4000), true).is_some());
        assert_eq!(settling.settle(&card(108, 3600, 0, 4000), true), None);
    }

    #[test]
    fn memory_is_no_need_where_we_are_not_in_the_way_or_nobody_else_holds_any() {
        let mut settling = Settling::default();
        assert_eq!(settling.settle(&card(0, 7000, 0, 300), false), None, "we hold none");
        assert_eq!(settling.settle(&card(1, 300, 7000, 300), true), None, "only we hold much");
        // A runtime that must not be looked at holds memory all the same.
        assert!(settling.settle(&card(2, 700, 0, 300), true).is_some());
        assert!(settling.settle(&card(3, 700, 7000, 300), false).is_some());
    }

    #[test]
    fn a_device_that_tells_nothing_of_its_memory_any_more_is_short_of_none() {
        let mut settling = Settling::default();
        assert!(settling.settle(&card(0, 3600, 0, 100), true).is_some());
        let sleeps = |at: u64| reading(at * 1000, Vec::new());
        assert!(settling.settle(&sleeps(1), false).is_some());
        assert!(settling.settle(&sleeps(8), false).is_some());
        assert_eq!(settling.settle(&sleeps(9), false), None);
    }

    #[test]
    fn who_needs_time_after_memory_is_told_anew() {
        let mut settling = Settling::default();
        let busy = |at, free| {
            let mut reading = card(at, 3600, 0, free);
            reading.processes[1].load = Some(0.8);
            reading
        };
        settling.settle(&busy(0, 3000), true);
        assert_eq!(settling.settle(&busy(1, 100), true).map(|by| by.need), Some(Memory), "at once");
        for at in 2..10 {
            assert_eq!(settling.settle(&busy(at, 4000), false).map(|by| by.need), Some(Memory), "at {at} s");
        }
        assert_eq!(settling.settle(&busy(10, 4000), false).map(|by| by.need), Some(Time));
        // What is told stays so while it holds.
        assert_eq!(settling.settle(&busy(11, 100), true).map(|by| by.need), Some(Time));
    }
}
