//! Random secrets and their fingerprints.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::Error;
pub(super) use crate::store::random;

/// 32 random bytes as 43 characters that are safe in cookies, headers and URLs.
pub(super) fn token() -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// SHA-256 in lower-case hex, as tokens are stored.
pub(super) fn fingerprint(secret: &str) -> String {
    hex(&Sha256::digest(secret))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// HMAC-SHA-256 in lower-case hex.
pub(super) fn mac(key: &str, text: &str) -> Result<String, Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map_err(|e| Error::Internal(format!("HMAC: {e}")))?;
    mac.update(text.as_bytes());
    Ok(hex(&mac.finalize().into_bytes()))
}

/// Whether `sent` is [`mac`] of this text, in constant time.
pub(super) fn is_mac(sent: &str, key: &str, text: &str) -> Result<bool, Error> {
    Ok(bool::from(
        mac(key, text)?.as_bytes().ct_eq(sent.as_bytes()),
    ))
}

/// 140 bits that can be read out over the phone: groups of four, without look-alike characters.
pub(super) fn readable() -> Result<String, Error> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = random::<28>()?;
    let letters = bytes.iter().map(|byte| LETTERS[usize::from(byte % 32)]);
    let letters: Vec<char> = letters.map(char::from).collect();
    let groups = letters.chunks(4).map(String::from_iter);
    Ok(groups.collect::<Vec<String>>().join("-"))
}
