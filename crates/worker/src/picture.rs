//! A job's picture, put together from the tiles that this worker has rendered.

use lull_types::{Coded, PictureTile};

/// The longest side of what is shown. A larger picture is thinned out by a whole factor, so that a network
/// that announces 8192 × 8192 costs this machine 16 MB for a moment, not 256.
const SHOWN_SIDE_MAX: u32 = 2048;

/// A tile does not fit, or a picture cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The rectangle is outside its picture, or the picture is out of bounds.
    #[error("a tile lies outside its picture")]
    BadRectangle,
    /// The tile says that it belongs to a picture of another size.
    #[error("two tiles of one picture disagree about its size")]
    OtherSize,
    /// The pixels are not as many as the rectangle says.
    #[error("a tile has {actual} bytes of pixels where its rectangle takes {expected}")]
    WrongLength {
        /// What the rectangle takes.
        expected: usize,
        /// What is there.
        actual: usize,
    },
    /// Encoding failed.
    #[error("the picture could not be written: {0}")]
    Encoding(#[from] png::EncodingError),
}

impl Coded for PictureError {
    fn code(&self) -> &'static str {
        match self {
            Self::BadRectangle => "picture_bad_rectangle",
            Self::OtherSize => "picture_other_size",
            Self::WrongLength { .. } => "picture_wrong_length",
            Self::Encoding(_) => "picture_encoding",
        }
    }
}

/// A picture that grows. What no tile covers is transparent.
#[derive(Debug)]
pub struct Picture {
    width: u32,
    height: u32,
    /// Every `step`-th pixel of the whole picture is shown, in both directions.
    step: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// An empty picture of the size that `tile` says.
    ///
    /// # Errors
    /// [`PictureError::BadRectangle`].
    pub fn of(tile: &PictureTile) -> Result<Self, PictureError> {
        if !tile.is_valid() {
            return Err(PictureError::BadRectangle);
        }
        let (width, height) = (tile.picture_width, tile.picture_height);
        let step = width.max(height).div_ceil(SHOWN_SIDE_MAX);
        let mut picture = Self { width, height, step, pixels: Vec::new() };
        let (shown_width, shown_height) = picture.shown_size();
        picture.pixels = vec![0; shown_width as usize * shown_height as usize * 4];
        Ok(picture)
    }

    /// Puts a tile where it belongs; nothing is changed when it is refused.
    ///
    /// # Errors
    /// When the rectangle or the number of pixels is wrong.
    pub fn place(&mut self, tile: &PictureTile, rgba: &[u8]) -> Result<(), PictureError> {
        if !tile.is_valid() {
            return Err(PictureError::BadRectangle);
        }
        if (tile.picture_width, tile.picture_height) != (self.width, self.height) {
            return Err(PictureError::OtherSize);
        }
        if rgba.len() != tile.bytes() {
            return Err(PictureError::WrongLength { expected: tile.bytes(), actual: rgba.len() });
        }
        let (shown_width, _) = self.shown_size();
        for y in shown(tile.y, tile.height, self.step) {
            for x in shown(tile.x, tile.width, self.step) {
                let from = ((y * self.step - tile.y) * tile.width + (x * self.step - tile.x)) as usize * 4;
                let to = (y * shown_width + x) as usize * 4;
                self.pixels[to..to + 4].copy_from_slice(&rgba[from..from + 4]);
            }
        }
        Ok(())
    }

    /// The picture as a PNG.
    ///
    /// # Errors
    /// [`PictureError::Encoding`].
    pub fn png(&self) -> Result<Vec<u8>, PictureError> {
        let (width, height) = self.shown_size();
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        // The picture travels to a window on this machine and is redrawn with each tile.
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(file)
    }

    fn shown_size(&self) -> (u32, u32) {
        (self.width.div_ceil(self.step), self.height.div_ceil(self.step))
    }
}

/// The shown coordinates whose pixels lie in `start .. start + length` of the whole picture.
fn shown(start: u32, length: u32, step: u32) -> std::ops::Range<u32> {
    start.div_ceil(step)..(start + length).div_ceil(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(picture: (u32, u32), x: u32, y: u32, width: u32, height: u32) -> PictureTile {
        PictureTile { picture_width: picture.0, picture_height: picture.1, x, y, width, height }
    }

    fn decode(file: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.width, info.height, pixels)
    }

    #[test]
    fn tiles_are_where_they_belong_and_the_rest_is_transparent() {
        let first = tile((4, 2), 0, 0, 2, 2);
        let mut picture = Picture::of(&first).unwrap();
        picture.place(&first, &[9; 16]).unwrap();
        picture.place(&tile((4, 2), 3, 1, 1, 1), &[7; 4]).unwrap();
        let (width, height, pixels) = decode(&picture.png().unwrap());
        assert_eq!((width, height), (4, 2));
        let pixel = |x: usize, y: usize| pixels[(y * 4 + x) * 4];
        assert_eq!([pixel(0, 0), pixel(1, 1), pixel(2, 0), pixel(3, 0), pixel(3, 1)], [9, 9, 0, 0, 7]);
    }

    #[test]
    fn hostile_tiles_are_refused() {
        let good = tile((4, 4), 0, 0, 4, 4);
        let mut picture = Picture::of(&good).unwrap();
        let refused = |picture: &mut Picture, tile: PictureTile, bytes: usize| {
            picture.place(&tile, &vec![1; bytes]).unwrap_err().code()
        };
        assert_eq!(refused(&mut picture, tile((4, 4), 3, 0, 2, 1), 8), "picture_bad_rectangle");
        assert_eq!(refused(&mut picture, tile((4, 4), u32::MAX, 0, 2, 1), 8), "picture_bad_rectangle");
        assert_eq!(refused(&mut picture, tile((8, 4), 0, 0, 1, 1), 4), "picture_other_size");
        assert_eq!(refused(&mut picture, good, 63), "picture_wrong_length");
        assert!(Picture::of(&tile((u32::MAX, 1), 0, 0, 1, 1)).is_err());
        assert!(Picture::of(&tile((0, 0), 0, 0, 0, 0)).is_err());
        assert!(picture.pixels.iter().all(|byte| *byte == 0), "nothing was drawn");
    }

    #[test]
    fn a_huge_picture_is_thinned_out() {
        let part = tile((8192, 4100), 8191, 4096, 1, 4);
        let mut picture = Picture::of(&part).unwrap();
        picture.place(&part, &[5; 16]).unwrap();
        let part = tile((8192, 4100), 8188, 4096, 4, 4);
        picture.place(&part, &[6; 64]).unwrap();
        let (width, height, pixels) = decode(&picture.png().unwrap());
        assert_eq!((width, height), (2048, 1025));
        assert_eq!(pixels.iter().filter(|byte| **byte == 6).count(), 4);
        assert_eq!(pixels.iter().filter(|byte| **byte == 5).count(), 0);
    }
}
