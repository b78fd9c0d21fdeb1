//! Pictures, put together from the tiles of the tasks that are done.

use lull_types::PictureTile;

/// Colour of what is not done yet: the same in light and dark windows, and never taken for a result.
const NOT_DONE: [u8; 4] = [32, 34, 40, 255];

/// A picture cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// A tile lies outside, belongs to another picture, or has too few or too many pixels.
    #[error("a tile does not fit its picture")]
    TileDoesNotFit,
    /// The encoder failed.
    #[error("the picture cannot be written: {0}")]
    Encoding(#[from] png::EncodingError),
}

/// A picture as far as it is done. RGBA, 8 bits each, row by row.
#[derive(Clone, Debug)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// An empty picture of the size that `tile` says. A tile whose picture has no sane size is refused.
    pub fn of(tile: &PictureTile) -> Result<Self, PictureError> {
        if !tile.is_valid() {
            return Err(PictureError::TileDoesNotFit);
        }
        let (width, height) = (tile.picture_width, tile.picture_height);
        Ok(Self { width, height, pixels: NOT_DONE.repeat(width as usize * height as usize) })
    }

    /// Puts the pixels of a tile in their place.
    pub fn put(&mut self, tile: &PictureTile, pixels: &[u8]) -> Result<(), PictureError> {
        let belongs = (tile.picture_width, tile.picture_height) == (self.width, self.height);
        if !belongs || !tile.is_valid() || pixels.len() != tile.bytes() {
            return Err(PictureError::TileDoesNotFit);
        }
        let row_bytes = tile.width as usize * 4;
        for (row, source) in pixels.chunks_exact(row_bytes).enumerate() {
            let start = ((tile.y as usize + row) * self.width as usize + tile.x as usize) * 4;
            self.pixels[start..start + row_bytes].copy_from_slice(source);
        }
        Ok(())
    }

    /// The picture as a PNG file.
    pub fn png(&self) -> Result<Vec<u8>, PictureError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        // It is asked for while it grows: time counts for more than the last tenth of the size.
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(x: u32, y: u32) -> PictureTile {
        PictureTile { picture_width: 4, picture_height: 2, x, y, width: 2, height: 1 }
    }

    fn decode(file: &[u8]) -> Vec<u8> {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels
    }

    #[test]
    fn tiles_take_their_places_and_the_rest_is_marked() {
        let mut picture = Picture::of(&tile(0, 0)).unwrap();
        picture.put(&tile(2, 1), &[1, 2, 3, 255, 4, 5, 6, 255]).unwrap();
        let pixels = decode(&picture.png().unwrap());
        assert_eq!(pixels.len(), 4 * 2 * 4);
        assert_eq!(pixels[..4], NOT_DONE);
        assert_eq!(pixels[24..], [1, 2, 3, 255, 4, 5, 6, 255]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut picture = Picture::of(&tile(0, 0)).unwrap();
        assert!(picture.put(&tile(3, 0), &[0; 8]).is_err(), "over the edge");
        assert!(picture.put(&tile(0, 0), &[0; 7]).is_err(), "too few pixels");
        assert!(
            picture.put(&PictureTile { picture_width: 8, ..tile(0, 0) }, &[0; 8]).is_err(),
            "another one"
        );
        let huge = PictureTile { picture_width: u32::MAX, ..tile(0, 0) };
        assert!(Picture::of(&huge).is_err());
    }
}
