//! Where a task's output belongs in a picture.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A rectangle of a picture. The first output of such a task is its pixels: RGBA, 8 bits each, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PictureTile {
    /// Width of the whole picture in pixels.
    pub picture_width: u32,
    /// Height of the whole picture in pixels.
    pub picture_height: u32,
    /// Left edge of the tile.
    pub x: u32,
    /// Top edge of the tile.
    pub y: u32,
    /// Width of the tile.
    pub width: u32,
    /// Height of the tile.
    pub height: u32,
}

impl PictureTile {
    /// The longest side of a picture: 8K video has 7,680.
    pub const SIDE_MAX: u32 = 8192;

    /// Whether the tile lies inside its picture and the picture has a sane size.
    pub fn is_valid(&self) -> bool {
        let inside = |start: u32, length: u32, whole: u32| {
            length > 0 && whole <= Self::SIDE_MAX && start.checked_add(length).is_some_and(|end| end <= whole)
        };
        inside(self.x, self.width, self.picture_width) && inside(self.y, self.height, self.picture_height)
    }

    /// How many bytes its pixels take.
    pub fn bytes(&self) -> usize {
        self.width as usize * self.height as usize * 4
    }
}
