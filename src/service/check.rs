//! May this tool run on this machine?

use std::net::IpAddr;

use super::Service;
use super::throttle::subscriber;
use crate::error::Error;
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::store::licenses;

impl Service {
    /// The verdict at this moment; an error is a fault and never a verdict. Questions about keys that
    /// nobody has count against the address; about others never, so that an office behind one address
    /// is not locked out.
    pub fn check(&self, question: &Question<'_>, address: IpAddr) -> Result<Verdict, Error> {
        let judged = self.store.read(|db| licenses::judged(db, question))?;
        let now = self.clock.now();
        match judged {
            Some((status, last_day)) => Ok(Verdict::on(status, last_day, now, self.utc_offset)),
            None if self.store.read(|db| licenses::is_hidden(db, question))? => Err(
                Error::Unavailable("two indexes of the database disagree: it is damaged".into()),
            ),
            None => match self.unknown_keys.take(subscriber(address), now) {
                Ok(()) => Ok(Verdict::NotFound),
                Err(seconds) => Err(Error::TooManyRequests(seconds)),
            },
        }
    }
}
