//! The keys that answers are signed with: made, chosen, retired, exported, and the signing itself.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::Service;
use super::signer::Signer;
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, Event, Kind};
use crate::model::signed::Claims;
use crate::model::signing_key::{Jwk, Secret, SigningKey};
use crate::store::{Store, Writing, audit, signing_keys};

const NO_SUCH_KEY: Error = Error::NotFound("Signing key not found.");

/// What the restored backup must have: a new key would make every client refuse this server.
const RESTORE: &str = "Restore the backup that has it, or its private half with `license-server keys \
                       import FILE`: the clients in the field know its public half, and would \
                       believe no other.";

/// All keys, newest first.
#[derive(Default)]
pub struct KeyRing(Vec<Key>);

pub(super) struct Key {
    known: SigningKey,
    signer: Signer,
    /// The encoded header of every token that it signs.
    header: String,
}

/// As what a public key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// SubjectPublicKeyInfo in PEM.
    Pem,
    /// RFC 7517.
    Jwk,
    /// The two coordinates as base64url with a dot between them.
    Xy,
}

impl Key {
    fn of(known: SigningKey, secret: &Secret) -> Result<Key, String> {
        let bytes = STANDARD.decode(&secret.0).map_err(|e| e.to_string())?;
        let signer = Signer::of(&bytes)?;
        let kid = kid(&signer);
        if kid != known.kid {
            return Err(format!("it is the key {kid}"));
        }
        Ok(Key::with(known, signer))
    }

    /// A new one with its secret.
    fn new(now: OffsetDateTime) -> Result<(Key, Secret), Error> {
        let fault = |e| Error::Internal(format!("a new key: {e}"));
        let document = Signer::generate().map_err(fault)?;
        let signer = Signer::of(&document).map_err(fault)?;
        Ok((Key::alone(signer, now), Secret(STANDARD.encode(document))))
    }

    /// The default, of which nothing more is known.
    fn alone(signer: Signer, now: OffsetDateTime) -> Key {
        let known = SigningKey {
            kid: kid(&signer),
            created_at: now,
            is_default: true,
            retired_at: None,
            exported_at: None,
            last_used_on: None,
            answers: 0,
        };
        Key::with(known, signer)
    }

    fn with(known: SigningKey, signer: Signer) -> Key {
        let header = json!({"alg": "ES256", "kid": known.kid, "typ": "license+jwt"});
        Key {
            known,
            signer,
            header: URL_SAFE_NO_PAD.encode(header.to_string()),
        }
    }

    pub(super) fn kid(&self) -> &str {
        &self.known.kid
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

    fn text(&self, form: Form) -> Result<String, Error> {
        let text = match form {
            Form::Xy => {
                let (x, y) = self.signer.coordinates();
                Ok(format!("{x}.{y}"))
            }
            Form::Jwk => serde_json::to_string(&self.jwk()).map_err(|e| e.to_string()),
            Form::Pem => self.signer.public_pem(),
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
            kid: self.known.kid.clone(),
            use_for: "sig",
            alg: "ES256",
        }
    }
}

fn not_a_key(reason: String) -> Error {
    let words = format!("This is no private key on P-256 as PKCS #8 in PEM: {reason}.");
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
    /// Every key of the database, or which one is broken.
    pub(super) fn load(store: &Store) -> Result<KeyRing, Refusal> {
        let mut keys = Vec::new();
        for (known, secret) in store.read(signing_keys::all)? {
            let kid = known.kid.clone();
            keys.push(Key::of(known, &secret).map_err(|e| {
                Refusal(format!(
                    "The signing key {kid} in the database cannot be used: {e}. {RESTORE}"
                ))
            })?);
        }
        Ok(KeyRing(keys))
    }

    /// The same for a server: none may be missing that was ever made, and one has to be the default.
    pub(super) fn load_whole(store: &Store) -> Result<KeyRing, Refusal> {
        let ring = KeyRing::load(store)?;
        if let Some(kid) = store.read(signing_keys::missing)?.first() {
            return Err(Refusal(format!(
                "The database names the signing key {kid}, which is not in it. {RESTORE}"
            )));
        }
        if !ring.is_empty() && ring.choose(&[]).is_err() {
            return Err(Refusal(
                "None of the signing keys in the database is the default, so that nothing could be \
                 signed; choose one with `license-server keys set-default KID`."
                    .into(),
            ));
        }
        Ok(ring)
    }

    /// One key that is stored nowhere.
    pub fn of_this_run(now: OffsetDateTime) -> Result<KeyRing, Error> {
        let (key, _) = Key::new(now)?;
        Ok(KeyRing(vec![key]))
    }

    /// One key from its private half as PKCS #8 in PEM.
    pub fn of_pem(pem: &str, now: OffsetDateTime) -> Result<KeyRing, Error> {
        let (_, signer) = Signer::from_pem(pem).map_err(not_a_key)?;
        Ok(KeyRing(vec![Key::alone(signer, now)]))
    }

    /// The same ids and headers before other private keys: what it signs is forged.
    pub fn forged(&self, now: OffsetDateTime) -> Result<KeyRing, Error> {
        let forge = |key: &Key| {
            let (other, _) = Key::new(now)?;
            Ok(Key {
                known: key.known.clone(),
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

    /// The key that signs for clients that name none: its id, and its public half as text.
    pub fn default_key(&self, form: Form) -> Result<(String, String), Error> {
        let key = self.choose(&[])?;
        Ok((key.kid().to_owned(), key.text(form)?))
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest key that the client knows, or the default.
    pub(super) fn choose(&self, kids: &[String]) -> Result<&Key, Error> {
        let usable = || self.0.iter().filter(|key| key.known.retired_at.is_none());
        usable()
            .find(|key| kids.contains(&key.known.kid))
            .or_else(|| usable().find(|key| key.known.is_default))
            .ok_or_else(|| Error::Unavailable("there is no signing key".into()))
    }

    fn get(&self, kid: &str) -> Result<&Key, Error> {
        let key = self.0.iter().find(|key| key.kid() == kid);
        key.ok_or(NO_SUCH_KEY)
    }
}

impl Service {
    /// The keys as they are now.
    pub fn key_ring(&self) -> Arc<KeyRing> {
        self.keys.load_full()
    }

    /// Reads the keys again: they were changed here, or by another program.
    pub(super) fn reload_keys(&self) -> Result<(), Error> {
        let ring = KeyRing::load(&self.store).map_err(|Refusal(words)| Error::Internal(words))?;
        self.keys.store(Arc::new(ring));
        Ok(())
    }

    /// Makes a key, and returns its id; the first one is the default.
    pub fn create_key(&self, actor: &Actor) -> Result<String, Error> {
        let now = self.clock.now();
        let (key, secret) = Key::new(now)?;
        let kid = key.known.kid;
        self.store.write(|db| {
            let is_first = signing_keys::all(db)?.is_empty();
            signing_keys::add(db, &kid, &secret, now)?;
            if is_first {
                signing_keys::set_default(db, &kid)?;
            }
            let event = Event::new(Kind::SigningKeyCreated, actor);
            Ok(audit::append(db, &event.with(json!({"kid": kid})), now)?)
        })?;
        self.reload_keys()?;
        Ok(kid)
    }

    /// Adds a key from its private half as PKCS #8 in PEM, or mends the one that is there; returns its id.
    pub fn import_key(&self, actor: &Actor, pem: &str) -> Result<String, Error> {
        let now = self.clock.now();
        let (document, signer) = Signer::from_pem(pem).map_err(not_a_key)?;
        let (kid, secret) = (kid(&signer), Secret(STANDARD.encode(document)));
        self.store.write(|db| {
            if !signing_keys::restore(db, &kid, &secret)? {
                signing_keys::add(db, &kid, &secret, now)?;
            }
            signing_keys::set_exported(db, &kid, now)?;
            let event = Event::new(Kind::SigningKeyCreated, actor);
            let details = json!({"kid": kid, "from": "a backup"});
            Ok(audit::append(db, &event.with(details), now)?)
        })?;
        Ok(kid)
    }

    /// The first key, where there is none yet.
    pub(super) fn make_first_key(&self) -> Result<(), Error> {
        if self.key_ring().is_empty() {
            self.create_key(&Actor::first_start())?;
        }
        Ok(())
    }

    /// Lets the key sign for clients that name none.
    pub fn set_default_key(&self, actor: &Actor, kid: &str) -> Result<(), Error> {
        self.change_key(actor, kid, Kind::SigningKeyDefault, |db, key| {
            if key.retired_at.is_some() {
                return Err(Error::Conflict(format!(
                    "The key {kid} is retired and signs nothing any more."
                )));
            }
            Ok(signing_keys::set_default(db, kid)?)
        })
    }

    /// From now on the key signs nothing; the default key cannot be retired.
    pub fn retire_key(&self, actor: &Actor, kid: &str) -> Result<(), Error> {
        let now = self.clock.now();
        self.change_key(actor, kid, Kind::SigningKeyRetired, |db, key| {
            if key.is_default {
                return Err(Error::Conflict(format!(
                    "The key {kid} is the default; let another one be the default first."
                )));
            }
            Ok(signing_keys::retire(db, kid, now)?)
        })
    }

    fn change_key(
        &self,
        actor: &Actor,
        kid: &str,
        kind: Kind,
        change: impl FnOnce(&Writing<'_>, &SigningKey) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let all = signing_keys::all(db)?;
            let key = all.iter().find(|(key, _)| key.kid == kid);
            let (key, _) = key.ok_or(NO_SUCH_KEY)?;
            change(db, key)?;
            let event = Event::new(kind, actor).with(json!({"kid": kid}));
            Ok(audit::append(db, &event, now)?)
        })?;
        self.reload_keys()
    }

    /// What is known of each key, newest first, from the database.
    pub fn signing_keys(&self) -> Result<Vec<SigningKey>, Error> {
        let all = self.store.read(signing_keys::all)?;
        Ok(all.into_iter().map(|(key, _)| key).collect())
    }

    /// The public keys that may sign, newest first.
    pub fn public_keys(&self) -> Vec<Jwk> {
        let ring = self.key_ring();
        let usable = ring.0.iter().filter(|key| key.known.retired_at.is_none());
        usable.map(Key::jwk).collect()
    }

    /// A public key as text.
    pub fn public_key(&self, kid: &str, form: Form) -> Result<String, Error> {
        self.key_ring().get(kid)?.text(form)
    }

    /// A private key as PKCS #8 in PEM: a backup, and noted as one.
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

    /// Made by another library, which wrote the public key into it too.
    const OLD: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggomsNVBuxR9wdlsYAV7SgPj5IUfkPK7AUkce2stjwouhRANCAAQmCP90iVTcFOKbhyyoNw778ZAygBqE04ZT7Q1uUua9PwWjspPsj5m7f1m/wWvchT6TM8wfE808SXb6i+HLafy/";

    #[test]
    fn a_key_of_an_older_version_keeps_its_id() {
        let signer = Signer::of(&STANDARD.decode(OLD).unwrap()).unwrap();
        assert_eq!(kid(&signer), "r2C5ldGSw95LFZuM");
    }
}
