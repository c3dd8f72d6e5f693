//! Signing keys: creation, selection, retirement and export, and the signing itself.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::Service;
use super::encryption::Encryption;
use super::signer::Signer;
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, Event, Kind};
use crate::model::signed::Claims;
use crate::model::signing_key::{Jwk, Secret, SigningKey};
use crate::store::{Store, WriteTx, audit, signing_keys};

fn no_such_key(kid: &str) -> Error {
    Error::invalid(
        "kid",
        format!("There is no signing key `{kid}`; use the ID of one that is listed."),
    )
}

/// What to do about a missing key. With a new one, every client would reject this server.
const RESTORE: &str = "Restore the backup that has it, or its private half with `license-server keys \
                       import FILE`: the clients in the field know its public key, and would \
                       believe no other.";

/// Newest first.
#[derive(Default)]
pub struct KeyRing(Vec<Key>);

pub(super) struct Key {
    info: SigningKey,
    signer: Signer,
    /// The encoded header of every token signed with it.
    header: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// SubjectPublicKeyInfo in PEM.
    Pem,
    /// RFC 7517.
    Jwk,
    /// The two coordinates as base64url, separated by a dot.
    Xy,
}

impl Key {
    fn from_stored(info: SigningKey, secret: &str) -> Result<Key, String> {
        let bytes = STANDARD.decode(secret).map_err(|e| e.to_string())?;
        let signer = Signer::from_pkcs8(&bytes)?;
        let kid = kid(&signer);
        if kid != info.kid {
            return Err(format!("it is the key {kid}"));
        }
        Ok(Key::new(info, signer))
    }

    /// A new key and its private key.
    fn generate(now: OffsetDateTime) -> Result<(Key, Secret), Error> {
        let fault = |e| Error::Internal(format!("a new key: {e}"));
        let document = Signer::generate().map_err(fault)?;
        let signer = Signer::from_pkcs8(&document).map_err(fault)?;
        Ok((
            Key::unstored(signer, now),
            Secret(STANDARD.encode(document)),
        ))
    }

    /// The default key of a ring that is not in a database.
    fn unstored(signer: Signer, now: OffsetDateTime) -> Key {
        let info = SigningKey {
            kid: kid(&signer),
            created_at: now,
            is_default: true,
            retired_at: None,
            exported_at: None,
            last_used_on: None,
            answers: 0,
        };
        Key::new(info, signer)
    }

    fn new(info: SigningKey, signer: Signer) -> Key {
        let header = json!({"alg": "ES256", "kid": info.kid, "typ": "license+jwt"});
        Key {
            info,
            signer,
            header: URL_SAFE_NO_PAD.encode(header.to_string()),
        }
    }

    pub(super) fn kid(&self) -> &str {
        &self.info.kid
    }

    /// A compact JWS.
    pub(super) fn sign(&self, claims: &Claims<'_>) -> Result<String, Error> {
        let fault = |e: &dyn std::fmt::Display| Error::Unavailable(format!("signing: {e}"));
        let mut payload = Vec::with_capacity(512);
        serde_json::to_writer(&mut payload, claims).map_err(|e| fault(&e))?;
        let mut token = String::with_capacity(self.header.len() + payload.len() * 4 / 3 + 96);
        token.push_str(&self.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.signer.sign(token.as_bytes()).map_err(|e| fault(&e))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn text(&self, format: KeyFormat) -> Result<String, Error> {
        let text = match format {
            KeyFormat::Xy => {
                let (x, y) = self.signer.coordinates();
                Ok(format!("{x}.{y}"))
            }
            KeyFormat::Jwk => serde_json::to_string(&self.jwk()).map_err(|e| e.to_string()),
            KeyFormat::Pem => self.signer.public_pem(),
        };
        text.map_err(|e| Error::Internal(format!("a public key: {e}")))
    }

    fn jwk(&self) -> Jwk {
        let (x, y) = self.signer.coordinates();
        Jwk {
            kty: "EC",
            crv: "P-256",
            x,
            y,
            kid: self.info.kid.clone(),
            use_for: "sig",
            alg: "ES256",
        }
    }
}

/// What a private key is encrypted as.
pub(super) fn encrypted_as(kid: &str) -> String {
    format!("The signing key {kid}")
}

fn not_a_key(reason: String) -> Error {
    let words = format!("This is not a private key on P-256 (PKCS #8 in PEM): {reason}.");
    Error::invalid("file", words)
}

fn kid(signer: &Signer) -> String {
    let (x, y) = signer.coordinates();
    let thumbprint = Sha256::digest(format!(
        r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#
    ));
    let mut kid = URL_SAFE_NO_PAD.encode(thumbprint);
    kid.truncate(16);
    kid
}

impl KeyRing {
    /// All keys in the database; an error if one is broken.
    pub(super) fn load(store: &Store, encryption: &Encryption) -> Result<KeyRing, Refusal> {
        KeyRing::of(store.read(signing_keys::all)?, encryption)
    }

    /// [`KeyRing::load`] for a server: no key may be missing, and one must be the default.
    pub(super) fn load_complete(
        store: &Store,
        encryption: &Encryption,
    ) -> Result<KeyRing, Refusal> {
        let missing = store.read(signing_keys::missing)?;
        KeyRing::complete(store.read(signing_keys::all)?, &missing, encryption)
    }

    fn of(stored: Vec<(SigningKey, Secret)>, encryption: &Encryption) -> Result<KeyRing, Refusal> {
        let mut keys = Vec::new();
        for (info, secret) in stored {
            let kid = info.kid.clone();
            let secret = encryption.decrypt(&encrypted_as(&kid), &secret.0)?;
            keys.push(Key::from_stored(info, &secret).map_err(|e| {
                Refusal(format!(
                    "The signing key {kid} in the database cannot be used: {e}. {RESTORE}"
                ))
            })?);
        }
        Ok(KeyRing(keys))
    }

    pub(super) fn complete(
        stored: Vec<(SigningKey, Secret)>,
        missing: &[String],
        encryption: &Encryption,
    ) -> Result<KeyRing, Refusal> {
        let ring = KeyRing::of(stored, encryption)?;
        if let Some(kid) = missing.first() {
            return Err(Refusal(format!(
                "The signing key {kid} is missing from the database. {RESTORE}"
            )));
        }
        if !ring.is_empty() && ring.choose(&[]).is_err() {
            return Err(Refusal(
                "No signing key in the database is the default, so nothing could be signed; choose one \
                 with `license-server keys set-default KID`."
                    .into(),
            ));
        }
        Ok(ring)
    }

    /// Makes a signature with each key and verifies it; returns how many keys there are.
    pub(super) fn try_all(&self) -> Result<usize, Refusal> {
        const MESSAGE: &[u8] = b"a test of this key";
        for key in &self.0 {
            let signature = key.signer.sign(MESSAGE);
            if !signature.is_ok_and(|signature| key.signer.verifies(MESSAGE, &signature)) {
                return Err(Refusal(format!(
                    "The signing key {} makes signatures that cannot be verified. {RESTORE}",
                    key.kid()
                )));
            }
        }
        Ok(self.0.len())
    }

    /// By whether they are in use.
    pub(super) fn numbers(&self) -> [(&'static str, usize); 2] {
        let retired = self.0.iter().filter(|key| key.info.retired_at.is_some());
        let retired = retired.count();
        [("in_use", self.0.len() - retired), ("retired", retired)]
    }

    /// A single new key that is not stored.
    pub fn generate(now: OffsetDateTime) -> Result<KeyRing, Error> {
        let (key, _) = Key::generate(now)?;
        Ok(KeyRing(vec![key]))
    }

    /// A single key from its private key as PKCS #8 in PEM.
    pub fn from_pem(pem: &str, now: OffsetDateTime) -> Result<KeyRing, Error> {
        let (_, signer) = Signer::from_pem(pem).map_err(not_a_key)?;
        Ok(KeyRing(vec![Key::unstored(signer, now)]))
    }

    /// The same IDs and headers with other private keys, for forged signatures.
    pub fn forged(&self, now: OffsetDateTime) -> Result<KeyRing, Error> {
        let forge = |key: &Key| {
            let (other, _) = Key::generate(now)?;
            Ok(Key {
                info: key.info.clone(),
                signer: other.signer,
                header: key.header.clone(),
            })
        };
        self.0
            .iter()
            .map(forge)
            .collect::<Result<_, _>>()
            .map(KeyRing)
    }

    /// A compact JWS for a client that knows these keys.
    pub fn sign(&self, claims: &Claims<'_>, kids: &[String]) -> Result<String, Error> {
        self.choose(kids)?.sign(claims)
    }

    /// The ID and the public key of the key that signs for clients that name none.
    pub fn default_key(&self, format: KeyFormat) -> Result<(String, String), Error> {
        let key = self.choose(&[])?;
        Ok((key.kid().to_owned(), key.text(format)?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest key that the client knows, or the default key.
    pub(super) fn choose(&self, kids: &[String]) -> Result<&Key, Error> {
        let usable = || self.0.iter().filter(|key| key.info.retired_at.is_none());
        usable()
            .find(|key| kids.contains(&key.info.kid))
            .or_else(|| usable().find(|key| key.info.is_default))
            .ok_or_else(|| Error::Unavailable("there is no signing key".into()))
    }

    /// What is wrong with keys that do not sign.
    pub(super) fn silent_keys(&self) -> Vec<String> {
        let fault = |key: &Key| {
            let error = key.signer.sign(b"doctor").err()?;
            Some(format!("signing key {} does not sign: {error}", key.kid()))
        };
        self.0.iter().filter_map(fault).collect()
    }

    fn get(&self, kid: &str) -> Result<&Key, Error> {
        let key = self.0.iter().find(|key| key.kid() == kid);
        key.ok_or_else(|| no_such_key(kid))
    }
}

impl Service {
    pub fn key_ring(&self) -> Arc<KeyRing> {
        self.keys.load_full()
    }

    /// Reloads the keys after a change here or by another program.
    pub(super) fn reload_keys(&self) -> Result<(), Error> {
        let ring = KeyRing::load(&self.store, &self.encryption)
            .map_err(|Refusal(words)| Error::Internal(words))?;
        self.keys.store(Arc::new(ring));
        Ok(())
    }

    /// Creates a key and returns its ID; the first key becomes the default.
    pub fn create_key(&self, actor: &Actor) -> Result<String, Error> {
        let now = self.clock.now();
        let (key, secret) = Key::generate(now)?;
        let kid = key.info.kid;
        let secret = self.encrypted(&kid, &secret)?;
        self.store.write(|db| {
            let is_first = signing_keys::all(db)?.is_empty();
            signing_keys::add(db, &kid, &secret, now)?;
            if is_first {
                signing_keys::set_default(db, &kid)?;
            }
            let event = Event::new(Kind::SigningKeyCreated, actor).with("kid", &*kid);
            audit::append(db, event, now)?;
            Ok(())
        })?;
        self.reload_keys()?;
        Ok(kid)
    }

    /// Adds a key from its private key as PKCS #8 in PEM, or repairs the existing one; returns its ID.
    pub fn import_key(&self, actor: &Actor, pem: &str) -> Result<String, Error> {
        let now = self.clock.now();
        let (document, signer) = Signer::from_pem(pem).map_err(not_a_key)?;
        let kid = kid(&signer);
        let secret = self.encrypted(&kid, &Secret(STANDARD.encode(document)))?;
        self.store.write(|db| {
            if !signing_keys::restore(db, &kid, &secret)? {
                signing_keys::add(db, &kid, &secret, now)?;
            }
            signing_keys::set_exported(db, &kid, now)?;
            let event = Event::new(Kind::SigningKeyCreated, actor)
                .with("kid", &*kid)
                .with("from", "a backup");
            audit::append(db, event, now)?;
            Ok(())
        })?;
        Ok(kid)
    }

    fn encrypted(&self, kid: &str, secret: &Secret) -> Result<Secret, Error> {
        self.encryption
            .encrypt(&encrypted_as(kid), &secret.0)
            .map(Secret)
    }

    /// Creates a key if there is none yet.
    pub(super) fn create_first_key(&self) -> Result<(), Error> {
        if self.key_ring().is_empty() {
            self.create_key(&Actor::first_start())?;
        }
        Ok(())
    }

    /// The default key signs for clients that name no key.
    pub fn set_default_key(&self, actor: &Actor, kid: &str) -> Result<(), Error> {
        self.change_key(actor, kid, Kind::SigningKeyDefault, |db, key| {
            if key.retired_at.is_some() {
                return Err(Error::Conflict(format!(
                    "The key {kid} is retired; choose another one."
                )));
            }
            Ok(signing_keys::set_default(db, kid)?)
        })
    }

    /// A retired key no longer signs; the default key cannot be retired.
    pub fn retire_key(&self, actor: &Actor, kid: &str) -> Result<(), Error> {
        let now = self.clock.now();
        self.change_key(actor, kid, Kind::SigningKeyRetired, |db, key| {
            if key.is_default {
                return Err(Error::Conflict(format!(
                    "The key {kid} is the default; make another one the default first."
                )));
            }
            if key.retired_at.is_some() {
                return Err(Error::Conflict(format!(
                    "The key {kid} is retired already."
                )));
            }
            Ok(signing_keys::retire(db, kid, now)?)
        })
    }

    /// A retired key signs again for the clients that know it.
    pub fn restore_key(&self, actor: &Actor, kid: &str) -> Result<(), Error> {
        self.change_key(actor, kid, Kind::SigningKeyRestored, |db, key| {
            if key.retired_at.is_none() {
                return Err(Error::Conflict(format!("The key {kid} is not retired.")));
            }
            Ok(signing_keys::put_back(db, kid)?)
        })
    }

    pub fn signing_key(&self, kid: &str) -> Result<SigningKey, Error> {
        let mut all = self.signing_keys()?.into_iter();
        all.find(|key| key.kid == kid)
            .ok_or_else(|| no_such_key(kid))
    }

    fn change_key(
        &self,
        actor: &Actor,
        kid: &str,
        kind: Kind,
        change: impl FnOnce(&WriteTx<'_>, &SigningKey) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let all = signing_keys::all(db)?;
            let key = all.iter().find(|(key, _)| key.kid == kid);
            let (key, _) = key.ok_or_else(|| no_such_key(kid))?;
            change(db, key)?;
            let event = Event::new(kind, actor).with("kid", kid);
            audit::append(db, event, now)?;
            Ok(())
        })?;
        self.reload_keys()
    }

    /// All keys in the database, newest first.
    pub fn signing_keys(&self) -> Result<Vec<SigningKey>, Error> {
        let all = self.store.read(signing_keys::all)?;
        Ok(all.into_iter().map(|(key, _)| key).collect())
    }

    /// The public keys that may sign, newest first.
    pub fn public_keys(&self) -> Vec<Jwk> {
        let ring = self.key_ring();
        let usable = ring.0.iter().filter(|key| key.info.retired_at.is_none());
        usable.map(Key::jwk).collect()
    }

    pub fn public_key(&self, kid: &str, format: KeyFormat) -> Result<String, Error> {
        self.key_ring().get(kid)?.text(format)
    }

    /// As PKCS #8 in PEM; recorded in the audit log as a backup.
    pub fn private_key(&self, actor: &Actor, kid: &str) -> Result<String, Error> {
        let now = self.clock.now();
        let text = self.key_ring().get(kid)?.signer.private_pem();
        let text = text.map_err(|e| Error::Internal(format!("a private key: {e}")))?;
        self.change_key(actor, kid, Kind::SigningKeyExported, |db, _| {
            Ok(signing_keys::set_exported(db, kid, now)?)
        })?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by another library, which included the public key.
    const OLD: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggomsNVBuxR9wdlsYAV7SgPj5IUfkPK7AUkce2stjwouhRANCAAQmCP90iVTcFOKbhyyoNw778ZAygBqE04ZT7Q1uUua9PwWjspPsj5m7f1m/wWvchT6TM8wfE808SXb6i+HLafy/";

    #[test]
    fn a_key_of_an_older_version_keeps_its_id() {
        let signer = Signer::from_pkcs8(&STANDARD.decode(OLD).unwrap()).unwrap();
        assert_eq!(kid(&signer), "r2C5ldGSw95LFZuM");
    }
}
