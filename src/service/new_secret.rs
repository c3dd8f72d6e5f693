//! The step to a secret, or to another one, at the start of the server.

use super::encryption::Encryption;
use super::{Service, factors, keys};
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, Event, Kind};
use crate::model::signing_key::Secret;
use crate::store::{Db, Read, WriteTx, audit, shops, signing_keys, users, webhooks};

/// A secret that is encrypted if there is a key for it.
pub(super) struct Stored {
    /// What it is encrypted as.
    about: String,
    value: String,
    place: SecretRow,
}

enum SecretRow {
    Key(String),
    /// The person, and the step of the newest code that was used.
    Factor(i64, i64),
    Webhook(i64),
    Shop(i64),
}

impl SecretRow {
    /// As the audit log counts them.
    const WORDS: [&str; 4] = ["signing_keys", "second_factors", "webhooks", "shops"];

    fn word(&self) -> &'static str {
        match self {
            SecretRow::Key(_) => "signing_keys",
            SecretRow::Factor(..) => "second_factors",
            SecretRow::Webhook(_) => "webhooks",
            SecretRow::Shop(_) => "shops",
        }
    }
}

impl Stored {
    pub(super) fn all(db: &Db) -> Read<Vec<Stored>> {
        let new = |about, value, place| Stored {
            about,
            value,
            place,
        };
        let keys = signing_keys::all(db)?.into_iter();
        let keys = keys.map(|(key, Secret(value))| {
            new(keys::encrypted_as(&key.kid), value, SecretRow::Key(key.kid))
        });
        let factors = users::all(db)?.into_iter().filter_map(|user| {
            let (id, factor) = (user.id, user.factor?);
            let place = SecretRow::Factor(id, factor.last_step);
            Some(new(factors::encrypted_as(id), factor.secret, place))
        });
        let webhooks = webhooks::all(db)?.into_iter().flat_map(|webhook| {
            let id = webhook.id;
            let both = [Some(webhook.secret), webhook.old_secret.map(|(old, _)| old)];
            let both = both.into_iter().flatten();
            both.map(move |value| {
                new(
                    super::webhooks::encrypted_as(id),
                    value,
                    SecretRow::Webhook(id),
                )
            })
        });
        let shops = shops::all(db)?.into_iter();
        let shops = shops.filter(|shop| shop.kind.has_events() && !shop.secret.is_empty());
        let shops = shops.map(|shop| {
            let about = super::shops::encrypted_as(shop.id);
            new(about, shop.secret, SecretRow::Shop(shop.id))
        });
        Ok(keys.chain(factors).chain(webhooks).chain(shops).collect())
    }

    pub(super) fn decrypt(&self, encryption: &Encryption) -> Result<String, Refusal> {
        encryption.decrypt(&self.about, &self.value)
    }

    fn replace(&self, db: &WriteTx<'_>, new: &str) -> Result<(), Error> {
        match &self.place {
            SecretRow::Key(kid) => {
                signing_keys::restore(db, kid, &Secret(new.to_owned()))?;
            }
            SecretRow::Factor(id, step) => users::set_factor(db, *id, Some(new), *step)?,
            SecretRow::Webhook(id) => webhooks::replace_secret(db, *id, &self.value, new)?,
            SecretRow::Shop(id) => shops::set_secret(db, *id, new)?,
        }
        Ok(())
    }
}

impl Service {
    /// Encrypts with the newest secret what was encrypted with an earlier one, or not at all.
    pub(super) fn encrypt_secrets(&self) -> Result<(), Refusal> {
        if self.store.read(|db| self.others(db))?.is_empty() {
            return Ok(());
        }
        let others = self.store.write(|db| {
            let others = self.others(db)?;
            for other in &others {
                let plain = self.encryption.reveal(&other.about, &other.value)?;
                other.replace(db, &self.encryption.encrypt(&other.about, &plain)?)?;
            }
            let mut event = Event::new(Kind::SecretsEncrypted, &Actor::start());
            for word in SecretRow::WORDS {
                let of_kind = others.iter().filter(|other| other.place.word() == word);
                event = event.with(word, of_kind.count() as i64);
            }
            audit::append(db, event, self.clock.now())?;
            Ok(others)
        })?;
        let before: Vec<&str> = others.iter().map(|other| &*other.value).collect();
        Ok(self.store.purge(&before)?)
    }

    /// What is not encrypted with the newest secret.
    fn others(&self, db: &Db) -> Read<Vec<Stored>> {
        let mut all = Stored::all(db)?;
        all.retain(|stored| !self.encryption.is_current(&stored.value));
        Ok(all)
    }

    /// Replaces the secrets of webhooks and empties those of shops that no secret of the file decrypts; returns what
    /// they were.
    pub fn forget_lost_secrets(&self) -> Result<Vec<String>, Error> {
        let actor = Actor::command_line();
        let mut lost = self.store.read(Stored::all)?;
        lost.retain(|stored| stored.decrypt(&self.encryption).is_err());
        let mut forgotten = vec![];
        for stored in lost {
            // A webhook may also have lost the secret before.
            if forgotten.contains(&stored.about) {
                continue;
            }
            match stored.place {
                SecretRow::Key(_) | SecretRow::Factor(..) => continue,
                SecretRow::Webhook(id) => {
                    // Twice, because the first time the lost one becomes the secret before.
                    self.rotate_webhook_secret(&actor, id)?;
                    self.rotate_webhook_secret(&actor, id)?;
                }
                SecretRow::Shop(id) => self.forget_secret(&actor, id)?,
            }
            forgotten.push(stored.about);
        }
        Ok(forgotten)
    }
}
