//! For `license-server doctor`: what the database contains, and the pass that shows to the server that a request
//! comes from somebody who can read it.

use super::{Encryption, KeyRing, Service, secrets};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::model::doctor::inside::Contents;
use crate::store::users;
use crate::store::{Missing, Store};

/// Seconds for which a pass is valid: both sides use the clock of this machine.
const VALID: i64 = 300;

/// A pass and its nonce.
#[derive(Debug)]
pub struct Pass {
    pub text: String,
    pub nonce: String,
}

impl Service {
    /// Opens an existing database that nothing here can change; its keys are not loaded.
    pub fn open_read_only(config: &Config, clock: Clock) -> Result<Service, Refusal> {
        let store = match config.database {
            Some(_) => Store::open(config, &clock, Missing::Refuse)?,
            None => Store::open_read_only(&config.data_dir)?,
        };
        let encryption = Encryption::new(&config.secrets);
        Service::with_store(config, clock, store, (encryption, KeyRing::default()))
    }

    pub fn contents_for_doctor(&self) -> Contents {
        let ring = KeyRing::load_complete(&self.store, &self.encryption);
        let mut key_faults = vec![];
        match ring {
            Ok(ring) => key_faults.extend(ring.silent_keys()),
            Err(Refusal(words)) => key_faults.push(words),
        }
        let words = |error: Error| Refusal::from(error).0;
        Contents {
            damage: self.store.check(),
            audit: match self.verify_audit(None) {
                Ok(proof) => Ok((proof.entries, proof.head)),
                Err(Refusal(words)) => Err(words),
            },
            wrong_clock: self.compare_clock_once().map_err(words),
            keys: self.signing_keys().map_err(words),
            key_faults,
            has_signed_in: self.has_anybody_signed_in().map_err(words),
            backups: self.backup_state().map_err(words),
            postgres: self.store.postgres_facts().map_err(words),
            now: self.now(),
        }
    }

    /// For [`crate::model::doctor::PASS`].
    pub fn doctor_pass(&self) -> Result<Pass, Error> {
        let (at, nonce) = (self.now().unix_timestamp(), secrets::token()?);
        let mac = secrets::mac(&self.doctor_key()?, &signed(at, &nonce))?;
        let text = format!("{at}.{nonce}.{mac}");
        Ok(Pass { text, nonce })
    }

    /// The nonce of a valid pass.
    pub fn doctor_nonce(&self, pass: &str) -> Result<Option<String>, Error> {
        let mut parts = pass.splitn(3, '.');
        let (Some(at), Some(nonce), Some(mac)) = (parts.next(), parts.next(), parts.next()) else {
            return Ok(None);
        };
        let now = self.now().unix_timestamp();
        let Some(at) = at
            .parse::<i64>()
            .ok()
            .filter(|at| now.abs_diff(*at) <= VALID as u64)
        else {
            return Ok(None);
        };
        let is_ours = secrets::is_mac(mac, &self.doctor_key()?, &signed(at, nonce))?;
        Ok(is_ours.then(|| nonce.to_owned()))
    }

    /// The hash of a password, as for device cookies: only who can read the database has it.
    fn doctor_key(&self) -> Result<String, Error> {
        let users = self.store.read(users::all)?;
        let user = users
            .into_iter()
            .next()
            .ok_or_else(|| Error::Unavailable("the database has no user".into()))?;
        Ok(user.password_hash)
    }
}

fn signed(at: i64, nonce: &str) -> String {
    format!("doctor {nonce} at {at}")
}
