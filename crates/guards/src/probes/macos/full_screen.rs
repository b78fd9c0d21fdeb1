//! Which program fills a screen, by the system's list of windows that can be seen.
//!
//! It tells nobody when one changes, except programs that a person has allowed to control the machine.

use std::time::Duration;

use lull_types::Guard;
use objc2_core_graphics::{
    CGDirectDisplayID, CGDisplayBounds, CGError, CGGetActiveDisplayList, CGWindowListCopyWindowInfo,
    CGWindowListOption,
};

use super::foundation::value;
use crate::probes::apple::windows::{Area, filling};
use crate::{FullScreen, Observation, Probe, ProbeError, Watch};

/// Of the quarter second until the GPU is free, finding a game takes more than half at worst. The list is made by another
/// process, and takes some hundred microseconds where dozens of windows are open.
const INTERVAL_AT_WORK: Duration = Duration::from_millis(150);

/// How often it is looked while nothing works, as nobody is in anybody's way.
const INTERVAL: Duration = Duration::from_secs(1);

/// Displays of one machine; no Mac drives more than eight.
const DISPLAYS_MAX: usize = 16;

/// No window in particular.
const NO_WINDOW: u32 = 0;

/// The probe.
#[derive(Debug, Default)]
pub(super) struct FullScreenWindows {
    told: Option<Option<FullScreen>>,
}

impl Probe for FullScreenWindows {
    fn guard(&self) -> Guard {
        Guard::FullScreen
    }

    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError> {
        loop {
            let watched = watch.until(|watched| watched.rules.wants(Guard::FullScreen));
            let found = look().inspect_err(|_| self.told = None)?;
            if self.told.as_ref() != Some(&found) {
                self.told = Some(found.clone());
                return Ok(Observation::FullScreen(found));
            }
            watch.sleep(if watched.at_work { INTERVAL_AT_WORK } else { INTERVAL }, &watched);
        }
    }
}

fn look() -> Result<Option<FullScreen>, ProbeError> {
    let seen = CGWindowListOption::OptionOnScreenOnly | CGWindowListOption::ExcludeDesktopElements;
    let windows = CGWindowListCopyWindowInfo(seen, NO_WINDOW).ok_or_else(|| {
        ProbeError::new("which program fills a screen", "nobody is logged in at this Mac's window server")
    })?;
    Ok(filling(&value(&windows), &displays()))
}

/// The places of the displays; none where the system tells of none, as while all sleep.
fn displays() -> Vec<Area> {
    let mut ids: [CGDirectDisplayID; DISPLAYS_MAX] = [0; DISPLAYS_MAX];
    let mut count = 0;
    #[allow(unsafe_code, reason = "displays are only told by Core Graphics")]
    // SAFETY: the pointers are to as many numbers as are said and to the count of those that were filled in; both live
    // through the call.
    let error = unsafe { CGGetActiveDisplayList(DISPLAYS_MAX as u32, ids.as_mut_ptr(), &raw mut count) };
    if error != CGError::Success {
        return Vec::new();
    }
    let area = |id: &CGDirectDisplayID| {
        let bounds = CGDisplayBounds(*id);
        let (origin, size) = (bounds.origin, bounds.size);
        Area { x: origin.x, y: origin.y, width: size.width, height: size.height }
    };
    ids.iter().take(count as usize).map(area).collect()
}
