//! Secrets at rest: encrypted with a key that is not in the database, so that a stolen copy of it signs nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

use super::secrets;
use crate::error::{Error, Refusal};

/// An encrypted value is `encrypted ID NONCE+CIPHERTEXT`, the last in Base64.
const MARK: &str = "encrypted ";
const NONCE: usize = 24;

/// The keys of the setting `secret_file`: the first encrypts, and all of them decrypt.
pub struct Encryption(Vec<SecretKey>);

pub(super) struct SecretKey {
    /// Identifies the key without revealing it.
    id: String,
    cipher: XChaCha20Poly1305,
}

impl SecretKey {
    pub(super) fn new(secret: &str) -> SecretKey {
        let key: [u8; 32] = Sha256::digest(format!("license-server key {secret}")).into();
        let mut id = secrets::fingerprint(&format!("license-server id {secret}"));
        id.truncate(8);
        SecretKey {
            id,
            cipher: XChaCha20Poly1305::new(&Key::from(key)),
        }
    }

    /// Nonce and ciphertext. `about` says what the value is: it is decrypted as nothing else.
    pub(super) fn encrypt(&self, about: &str, plain: &str) -> Result<String, Error> {
        let nonce = secrets::random::<NONCE>()?;
        let payload = Payload {
            msg: plain.as_bytes(),
            aad: about.as_bytes(),
        };
        let encrypted = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::Internal("a value cannot be encrypted".into()))?;
        Ok(STANDARD.encode([&nonce[..], &encrypted].concat()))
    }

    /// None for what this key has not encrypted, or about something else.
    pub(super) fn decrypt(&self, about: &str, encrypted: &str) -> Option<String> {
        let bytes = STANDARD.decode(encrypted).ok()?;
        let (nonce, encrypted) = bytes.split_first_chunk::<NONCE>()?;
        let payload = Payload {
            msg: encrypted,
            aad: about.as_bytes(),
        };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
        String::from_utf8(plain).ok()
    }
}

impl Encryption {
    /// Without secrets nothing is encrypted.
    pub fn new(secrets: &[String]) -> Encryption {
        Encryption(
            secrets
                .iter()
                .map(|secret| SecretKey::new(secret))
                .collect(),
        )
    }

    /// [`SecretKey::encrypt`] with the first key.
    pub(super) fn encrypt(&self, about: &str, plain: &str) -> Result<String, Error> {
        match self.0.first() {
            Some(key) => Ok(format!("{MARK}{} {}", key.id, key.encrypt(about, plain)?)),
            None => Ok(plain.to_owned()),
        }
    }

    /// The inverse of [`Encryption::encrypt`]; a value that is not encrypted stays as it is.
    pub(super) fn decrypt(&self, about: &str, stored: &str) -> Result<String, Refusal> {
        let Some(rest) = stored.strip_prefix(MARK) else {
            return Ok(stored.to_owned());
        };
        let damaged = || {
            Refusal(format!(
                "{about} is encrypted, and the encrypted value is damaged."
            ))
        };
        let (id, text) = rest.split_once(' ').ok_or_else(damaged)?;
        let Some(key) = self.0.iter().find(|key| key.id == id) else {
            return Err(Refusal(match self.0.is_empty() {
                true => format!(
                    "{about} is encrypted, and the setting `secret_file` is missing. Set it to the file with the secret \
                     {id}."
                ),
                false => format!(
                    "{about} is encrypted with the secret {id}, which is not in the file of the setting `secret_file`. \
                     Add it there as a further line."
                ),
            }));
        };
        key.decrypt(about, text).ok_or_else(damaged)
    }

    /// [`Encryption::decrypt`] after a start that had the secret.
    pub(super) fn reveal(&self, about: &str, stored: &str) -> Result<String, Error> {
        let plain = self.decrypt(about, stored);
        plain.map_err(|Refusal(words)| Error::Internal(words))
    }

    /// Whether [`Encryption::encrypt`] would do it with the same key.
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

    fn encryption(secrets: &[&str]) -> Encryption {
        let secrets: Vec<String> = secrets.iter().map(ToString::to_string).collect();
        Encryption::new(&secrets)
    }

    #[test]
    fn what_is_encrypted_is_decrypted_with_its_secret_as_itself_only() {
        let (old, new) = (encryption(&["old"]), encryption(&["new", "old"]));
        let encrypted = old.encrypt("the key a", "private").unwrap();
        assert!(!encrypted.contains("private"));
        assert_ne!(encrypted, old.encrypt("the key a", "private").unwrap());
        assert_eq!(new.decrypt("the key a", &encrypted).unwrap(), "private");
        assert!(new.decrypt("the key b", &encrypted).is_err());
        assert!(
            encryption(&["new"])
                .decrypt("the key a", &encrypted)
                .is_err()
        );
        assert!(encryption(&[]).decrypt("the key a", &encrypted).is_err());
        let changed = encrypted.replace(&encrypted[20..24], "AAAA");
        assert!(new.decrypt("the key a", &changed).is_err());
    }

    #[test]
    fn a_value_of_an_earlier_secret_or_of_none_is_encrypted_anew() {
        let (none, old, new) = (
            encryption(&[]),
            encryption(&["old"]),
            encryption(&["new", "old"]),
        );
        let encrypted = old.encrypt("it", "private").unwrap();
        assert_eq!(none.encrypt("it", "private").unwrap(), "private");
        assert_eq!(old.decrypt("it", "private").unwrap(), "private");
        for (encryption, stored, is_current) in [
            (&none, "private", true),
            (&old, "private", false),
            (&old, &*encrypted, true),
            (&new, &*encrypted, false),
            (&none, &*encrypted, false),
        ] {
            assert_eq!(encryption.is_current(stored), is_current);
        }
    }
}
