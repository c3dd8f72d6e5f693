//! Secrets at rest: sealed with a key that is not in the database, so that a stolen copy of it signs nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

use super::secrets;
use crate::error::{Error, Refusal};

/// A sealed value is `sealed ID NONCE+CIPHERTEXT`, the last in Base64.
const MARK: &str = "sealed ";
const NONCE: usize = 24;

/// The keys of the setting `secret_file`: the first seals, and all of them open.
pub struct Sealer(Vec<SealingKey>);

struct SealingKey {
    /// Tells which key sealed a value, and nothing about the key.
    id: String,
    cipher: XChaCha20Poly1305,
}

impl SealingKey {
    fn new(secret: &str) -> SealingKey {
        let derive = |what: &str| Sha256::digest(format!("license-server {what} {secret}"));
        let mut id = secrets::fingerprint(&format!("license-server id {secret}"));
        id.truncate(8);
        SealingKey {
            id,
            cipher: XChaCha20Poly1305::new(&Key::from(<[u8; 32]>::from(derive("key")))),
        }
    }
}

impl Sealer {
    /// Without secrets nothing is sealed.
    pub fn new(secrets: &[String]) -> Sealer {
        Sealer(
            secrets
                .iter()
                .map(|secret| SealingKey::new(secret))
                .collect(),
        )
    }

    /// `about` says what the value is: it opens as nothing else.
    pub(super) fn seal(&self, about: &str, plain: &str) -> Result<String, Error> {
        let Some(key) = self.0.first() else {
            return Ok(plain.to_owned());
        };
        let nonce = secrets::random::<NONCE>()?;
        let payload = Payload {
            msg: plain.as_bytes(),
            aad: about.as_bytes(),
        };
        let sealed = key
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::Internal(format!("{about} cannot be sealed")))?;
        let bytes = [&nonce[..], &sealed].concat();
        Ok(format!("{MARK}{} {}", key.id, STANDARD.encode(bytes)))
    }

    /// The inverse of [`Sealer::seal`]; a value that is not sealed stays as it is.
    pub(super) fn open(&self, about: &str, stored: &str) -> Result<String, Refusal> {
        let Some(rest) = stored.strip_prefix(MARK) else {
            return Ok(stored.to_owned());
        };
        let damaged = || {
            Refusal(format!(
                "{about} is sealed, and its sealed value is damaged."
            ))
        };
        let (id, text) = rest.split_once(' ').ok_or_else(damaged)?;
        let Some(key) = self.0.iter().find(|key| key.id == id) else {
            return Err(Refusal(match self.0.is_empty() {
                true => format!(
                    "{about} is sealed, and the setting `secret_file` is missing. Set it to the file with the secret \
                     {id}."
                ),
                false => format!(
                    "{about} is sealed with the secret {id}, which is not in the file of the setting `secret_file`. \
                     Add it there as a further line."
                ),
            }));
        };
        let bytes = STANDARD.decode(text).map_err(|_| damaged())?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        let payload = Payload {
            msg: sealed,
            aad: about.as_bytes(),
        };
        let plain = key
            .cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| damaged())?;
        String::from_utf8(plain).map_err(|_| damaged())
    }

    /// Whether [`Sealer::seal`] would do it with the same key.
    pub(super) fn is_current(&self, stored: &str) -> bool {
        match (stored.strip_prefix(MARK), self.0.first()) {
            (Some(rest), Some(key)) => rest.split(' ').next() == Some(&key.id),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(secrets: &[&str]) -> Sealer {
        let secrets: Vec<String> = secrets.iter().map(ToString::to_string).collect();
        Sealer::new(&secrets)
    }

    #[test]
    fn what_is_sealed_opens_with_its_secret_as_itself_only() {
        let (old, new) = (sealer(&["old"]), sealer(&["new", "old"]));
        let sealed = old.seal("the key a", "private").unwrap();
        assert!(!sealed.contains("private"));
        assert_ne!(sealed, old.seal("the key a", "private").unwrap());
        assert_eq!(new.open("the key a", &sealed).unwrap(), "private");
        assert!(new.open("the key b", &sealed).is_err());
        assert!(sealer(&["new"]).open("the key a", &sealed).is_err());
        assert!(sealer(&[]).open("the key a", &sealed).is_err());
        let changed = sealed.replace(&sealed[20..24], "AAAA");
        assert!(new.open("the key a", &changed).is_err());
    }

    #[test]
    fn a_value_of_an_earlier_secret_or_of_none_is_sealed_anew() {
        let (none, old, new) = (sealer(&[]), sealer(&["old"]), sealer(&["new", "old"]));
        let sealed = old.seal("it", "private").unwrap();
        assert_eq!(none.seal("it", "private").unwrap(), "private");
        assert_eq!(old.open("it", "private").unwrap(), "private");
        for (sealer, stored, is_current) in [
            (&none, "private", true),
            (&old, "private", false),
            (&old, &*sealed, true),
            (&new, &*sealed, false),
            (&none, &*sealed, false),
        ] {
            assert_eq!(sealer.is_current(stored), is_current);
        }
    }
}
