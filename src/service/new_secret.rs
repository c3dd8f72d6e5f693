//! The step to a secret, or to another one, at the start of the server.

use super::{Service, factors, keys};
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, Event, Kind};
use crate::model::signing_key::{Secret, SigningKey};
use crate::store::users::StoredFactor;
use crate::store::{Db, Read, audit, signing_keys, users};

/// What is not encrypted with the newest secret.
struct Others {
    keys: Vec<(SigningKey, Secret)>,
    /// By the ID of their person.
    factors: Vec<(i64, StoredFactor)>,
}

impl Others {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.factors.is_empty()
    }
}

impl Service {
    /// Encrypts with the newest secret what was encrypted with an earlier one, or not at all.
    pub(super) fn encrypt_secrets(&self) -> Result<(), Error> {
        if self.store.read(|db| self.others(db))?.is_empty() {
            return Ok(());
        }
        let again = |about: &str, stored: &str| {
            let plain = self.encryption.decrypt(about, stored);
            let plain = plain.map_err(|Refusal(words)| Error::Internal(words))?;
            self.encryption.encrypt(about, &plain)
        };
        let others = self.store.write(|db| {
            let others = self.others(db)?;
            for (key, secret) in &others.keys {
                let secret = again(&keys::encrypted_as(&key.kid), &secret.0)?;
                signing_keys::restore(db, &key.kid, &Secret(secret))?;
            }
            for (id, factor) in &others.factors {
                let secret = again(&factors::encrypted_as(*id), &factor.secret)?;
                users::set_factor(db, *id, Some(&secret), factor.last_step)?;
            }
            let event = Event::new(Kind::SecretsEncrypted, &Actor::start())
                .with("signing_keys", others.keys.len() as i64)
                .with("second_factors", others.factors.len() as i64);
            audit::append(db, event, self.clock.now())?;
            Ok(others)
        })?;
        let keys = others.keys.iter().map(|(_, secret)| &*secret.0);
        let factors = others.factors.iter().map(|(_, factor)| &*factor.secret);
        let before: Vec<&str> = keys.chain(factors).collect();
        self.store.purge(&before)
    }

    fn others(&self, db: &Db) -> Read<Others> {
        let is_other = |stored: &str| !self.encryption.is_current(stored);
        let mut keys = signing_keys::all(db)?;
        keys.retain(|(_, secret)| is_other(&secret.0));
        let users = users::all(db)?.into_iter();
        let factors = users.filter_map(|user| {
            let stored = user.factor.filter(|factor| is_other(&factor.secret))?;
            Some((user.id, stored))
        });
        Ok(Others {
            keys,
            factors: factors.collect(),
        })
    }
}
