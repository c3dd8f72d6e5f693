//! QR codes as paths of an SVG, which needs neither a script nor a style.

use qrcode::{Color, QrCode};

use crate::error::Error;

/// The light margin that readers need, in modules.
const MARGIN: usize = 4;

pub(super) struct Qr {
    /// Modules on a side, with the margin.
    pub(super) side: usize,
    /// The dark modules, for the attribute `d`.
    pub(super) path: String,
}

impl Qr {
    pub(super) fn new(text: &str) -> Result<Qr, Error> {
        let code = QrCode::new(text).map_err(|e| Error::Internal(format!("QR code: {e}")))?;
        let dark = |at: &usize| code[(at % code.width(), at / code.width())] == Color::Dark;
        let modules = (0..code.width() * code.width()).filter(dark);
        let place = |at: usize| (at % code.width() + MARGIN, at / code.width() + MARGIN);
        let squares = modules.map(|at| {
            let (x, y) = place(at);
            format!("M{x} {y}h1v1h-1z")
        });
        Ok(Qr {
            side: code.width() + 2 * MARGIN,
            path: squares.collect(),
        })
    }
}
