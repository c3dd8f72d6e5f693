//! The step to a secret, or to another one, at the start of the server.

use super::{Service, factors, keys};
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, Event, Kind};
use crate::model::signing_key::Secret;
use crate::store::{audit, signing_keys, users};

impl Service {
    /// Seals with the newest secret what was sealed with an earlier one, or not at all.
    pub(super) fn seal_secrets(&self) -> Result<(), Error> {
        let others = |stored: &str| !self.sealer.is_current(stored);
        let mut private = self.store.read(signing_keys::all)?;
        private.retain(|(_, secret)| others(&secret.0));
        let mut seconds = vec![];
        for user in self.store.read(users::all)? {
            let stored = user.factor.filter(|factor| others(&factor.secret));
            seconds.extend(stored.map(|factor| (user.id, factor)));
        }
        if private.is_empty() && seconds.is_empty() {
            return Ok(());
        }
        let again = |about: &str, stored: &str| {
            let opened = self.sealer.open(about, stored);
            let plain = opened.map_err(|Refusal(words)| Error::Internal(words))?;
            self.sealer.seal(about, &plain)
        };
        self.store.write(|db| {
            for (key, secret) in &private {
                let sealed = again(&keys::sealed_as(&key.kid), &secret.0)?;
                signing_keys::restore(db, &key.kid, &Secret(sealed))?;
            }
            for (id, factor) in &seconds {
                let sealed = again(&factors::sealed_as(*id), &factor.secret)?;
                users::set_factor(db, *id, Some(&sealed), factor.last_step)?;
            }
            let event = Event::new(Kind::SecretsSealed, &Actor::first_start())
                .with("signing_keys", private.len() as i64)
                .with("second_factors", seconds.len() as i64);
            audit::append(db, event, self.clock.now())
        })?;
        let keys = private.iter().map(|(_, secret)| &*secret.0);
        let factors = seconds.iter().map(|(_, factor)| &*factor.secret);
        let before: Vec<&str> = keys.chain(factors).collect();
        self.store.purge(&before)
    }
}
