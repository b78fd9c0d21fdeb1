//! Requests to wallets as QR codes.

use lull_types::Coded;
use qrcode::render::{svg, unicode};
use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode};

/// Pixels of a picture's side: a phone reads it from a screen at arm's length.
const PIXELS: u32 = 320;

/// A text that fits no code. Requests are a tenth as long as what fits.
#[derive(Debug, thiserror::Error)]
#[error("this request fits no QR code: {0}")]
pub struct NoCode(#[from] QrError);

impl Coded for NoCode {
    fn code(&self) -> &'static str {
        "picture_failed"
    }
}

/// As an SVG document, 320 pixels wide.
///
/// # Errors
/// When it is too long.
pub fn picture(request: &str) -> Result<String, NoCode> {
    Ok(code(request)?.render::<svg::Color<'_>>().min_dimensions(PIXELS, PIXELS).build())
}

/// In half blocks, for a terminal with a dark background.
///
/// # Errors
/// When it is too long.
pub fn for_terminal(request: &str) -> Result<String, NoCode> {
    let image = code(request)?
        .render::<unicode::Dense1x2>()
        .dark_color(unicode::Dense1x2::Light)
        .light_color(unicode::Dense1x2::Dark)
        .build();
    Ok(image)
}

fn code(request: &str) -> Result<QrCode, NoCode> {
    // Screens neither tear nor stain: the lowest level has the largest modules.
    Ok(QrCode::with_error_correction_level(request, EcLevel::L)?)
}
