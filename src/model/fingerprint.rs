//! A short hash of a preview, so that only what was previewed is applied.

use sha2::{Digest, Sha256};

use super::license::{License, Values};

#[derive(Default)]
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// The length is hashed too: `ab`, `c` must differ from `a`, `bc`.
    pub(crate) fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    pub(crate) fn number(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }

    pub(crate) fn values(&mut self, values: &Values) {
        for text in values.texts() {
            self.text(&text);
        }
    }

    pub(crate) fn license(&mut self, license: &License) {
        self.number(license.id);
        self.values(license);
    }

    /// The first 16 bytes of the hash in hexadecimal.
    pub(crate) fn finish(self) -> String {
        let hash: [u8; 32] = self.0.finalize().into();
        let half = hash[..16].iter();
        half.map(|byte| format!("{byte:02x}")).collect()
    }
}
