//! Which window fills a display, by the system's
//! [list of windows](https://developer.apple.com/documentation/coregraphics/cgwindowlistcopywindowinfo(_:_:)) that can be
//! seen. Their places and owners are told to every program; their titles and contents, which are not, are not needed.

use super::Value;
use crate::FullScreen;
use crate::gpu_use::shown;

const LAYER: &str = "kCGWindowLayer";
const BOUNDS: &str = "kCGWindowBounds";
const OWNER: &str = "kCGWindowOwnerName";

/// The layer of programs' windows; those of the system itself, as the Dock's and the screen saver's, lie below or above.
const PROGRAMS_LAYER: f64 = 0.0;

/// `kCGMainMenuWindowLevel`: the menu bar's layer. The bar is there where no program is in full screen.
const MENU_BAR_LAYER: f64 = 24.0;

/// The camera's housing covers so many points at the top of a display at most, with some to spare; a program in full screen
/// leaves that free. So high is the menu bar there, too, so that a window under it is told from that by the bar alone.
const HOUSING_POINTS: f64 = 40.0;

/// A pixel at the edge may be free where displays are scaled.
const RIM_POINTS: f64 = 1.0;

/// The system's own programs, and Lull itself: to look at its window is no reason to stop.
const NOT_COUNTED: &[&str] =
    &["dock", "finder", "loginwindow", "lull", "screensaverengine", "window server", "windowserver"];

/// A place on the desktop, in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::probes) struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Area {
    fn of(window: &Value) -> Option<Self> {
        let bounds = window.get(BOUNDS)?;
        let field = |name| bounds.number(name);
        Some(Self { x: field("X")?, y: field("Y")?, width: field("Width")?, height: field("Height")? })
    }

    /// Whether it covers another but for so many points at the top.
    fn covers(&self, other: &Self, free_at_top: f64) -> bool {
        self.x <= other.x + RIM_POINTS
            && self.y <= other.y + free_at_top
            && self.x + self.width >= other.x + other.width - RIM_POINTS
            && self.y + self.height >= other.y + other.height - RIM_POINTS
    }

    fn meets(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// The program that fills one of these displays, by the windows that can be seen, those in front first.
pub(in crate::probes) fn filling(windows: &Value, displays: &[Area]) -> Option<FullScreen> {
    let in_layer =
        |layer: f64| windows.items().iter().filter(move |window| window.number(LAYER) == Some(layer));
    let has_menu_bar =
        |display: &Area| in_layer(MENU_BAR_LAYER).filter_map(Area::of).any(|bar| bar.meets(display));
    let fills = |window: &Value| {
        let area = Area::of(window);
        area.is_some_and(|area| {
            displays.iter().any(|display| {
                area.covers(display, if has_menu_bar(display) { RIM_POINTS } else { HOUSING_POINTS })
            })
        })
    };
    in_layer(PROGRAMS_LAYER).filter(|window| fills(window)).find_map(|window| {
        let owner = window.text(OWNER);
        let counts = owner.is_none_or(|owner| !NOT_COUNTED.contains(&owner.to_lowercase().as_str()));
        counts.then(|| FullScreen { program: owner.and_then(shown) })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{table, text};
    use super::*;

    const DISPLAY: Area = Area { x: 0.0, y: 0.0, width: 1512.0, height: 982.0 };
    const SECOND: Area = Area { x: 1512.0, y: -98.0, width: 1920.0, height: 1080.0 };

    fn window(owner: &str, layer: i64, area: Area) -> Value {
        let bounds = [("X", area.x), ("Y", area.y), ("Width", area.width), ("Height", area.height)];
        table(&[
            (OWNER, text(owner)),
            (LAYER, Value::Whole(layer)),
            (BOUNDS, table(&bounds.map(|(name, points)| (name, Value::Fraction(points))))),
        ])
    }

    #[track_caller]
    fn check(windows: &[Value], expected: Option<&str>) {
        let found = filling(&Value::List(windows.to_vec()), &[DISPLAY, SECOND]);
        assert_eq!(found, expected.map(|program| FullScreen { program: Some(program.to_owned()) }));
    }

    #[test]
    fn a_window_that_covers_a_display_is_seen() {
        let menu_bar = window("Window Server", 24, Area { height: 37.0, ..DISPLAY });
        let below_the_bar = Area { y: 37.0, height: 945.0, ..DISPLAY };
        check(&[], None);
        check(&[window("Game", 0, DISPLAY)], Some("Game"));
        check(&[window("Game", 0, SECOND), menu_bar.clone()], Some("Game"));
        check(
            &[window("Game", 0, Area { x: -10.0, width: 4000.0, y: -100.0, height: 2000.0 })],
            Some("Game"),
        );
        // Below the camera's housing it is full screen, and below the bar it is a window.
        check(&[window("Game", 0, below_the_bar)], Some("Game"));
        check(&[menu_bar.clone(), window("Editor", 0, below_the_bar)], None);
        // The bar of another display says nothing of this one.
        let other_bar = window("Window Server", 24, Area { height: 24.0, ..SECOND });
        check(&[other_bar, window("Game", 0, below_the_bar)], Some("Game"));
        check(&[window("Editor", 0, Area { height: 900.0, ..DISPLAY })], None);
        check(&[window("Editor", 0, Area { width: 756.0, ..DISPLAY })], None);
    }

    #[test]
    fn the_system_and_lull_do_not_count() {
        for owner in ["Dock", "Finder", "loginwindow", "Lull", "ScreenSaverEngine", "Window Server"] {
            check(&[window(owner, 0, DISPLAY), window("Game", 0, SECOND)], Some("Game"));
            check(&[window(owner, 0, DISPLAY)], None);
        }
        for layer in [-2_147_483_623, 20, 1000] {
            check(&[window("Overlay", layer, DISPLAY)], None);
        }
    }

    #[test]
    fn what_is_not_told_is_no_window() {
        for windows in [
            Value::Other,
            Value::List(vec![Value::Other, table(&[])]),
            Value::List(vec![table(&[(LAYER, Value::Whole(0)), (OWNER, text("Game"))])]),
            Value::List(vec![table(&[(LAYER, Value::Whole(0)), (BOUNDS, table(&[("X", Value::Whole(0))]))])]),
        ] {
            assert_eq!(filling(&windows, &[DISPLAY]), None, "{windows:?}");
        }
        let mut nameless = window("", 0, DISPLAY);
        assert_eq!(
            filling(&Value::List(vec![nameless.clone()]), &[DISPLAY]),
            Some(FullScreen { program: None })
        );
        if let Value::Table(fields) = &mut nameless {
            fields.remove(OWNER);
        }
        assert_eq!(
            filling(&Value::List(vec![nameless.clone()]), &[DISPLAY]),
            Some(FullScreen { program: None })
        );
        assert_eq!(filling(&Value::List(vec![nameless]), &[]), None);
    }
}
