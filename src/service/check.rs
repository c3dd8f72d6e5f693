//! May this tool run on this machine?

use std::net::IpAddr;

use time::OffsetDateTime;

use super::Service;
use super::sightings::Answered;
use super::throttle::subscriber;
use crate::error::Error;
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::model::sighting::Said;
use crate::store::licenses::{self, Judged};

impl Service {
    /// The verdict at this moment; an error is a fault and never a verdict. Questions about keys that
    /// nobody has count against the address; about others never, so that an office behind one address
    /// is not locked out.
    pub fn check(
        &self,
        question: &Question<'_>,
        address: IpAddr,
        said: Option<Said>,
    ) -> Result<Verdict, Error> {
        let judged = self.judged(question)?;
        let now = self.clock.now();
        if judged.is_none() {
            self.unknown_keys
                .take(subscriber(address), now)
                .map_err(Error::TooManyRequests)?;
        }
        let verdict = self.verdict(judged, now);
        let answered = Answered {
            question,
            license_id: judged.map(|judged| judged.id),
            verdict,
            address,
            said,
            now,
        };
        self.notes.note(answered, self.utc_offset);
        Ok(verdict)
    }

    /// What the verdict depends on.
    pub(super) fn judged(&self, question: &Question<'_>) -> Result<Option<Judged>, Error> {
        match self.store.judged(question)? {
            None => self.judged_at_second_sight(question),
            found => Ok(found),
        }
    }

    /// The verdict on what was found.
    pub(super) fn verdict(&self, judged: Option<Judged>, now: OffsetDateTime) -> Verdict {
        match judged {
            Some(Judged {
                status, last_day, ..
            }) => Verdict::on(status, last_day, now, self.utc_offset),
            None => Verdict::NotFound,
        }
    }

    /// Before a key is not found a second index has to say so too; both at one moment, so that a row
    /// that is added meanwhile is no disagreement.
    fn judged_at_second_sight(&self, question: &Question<'_>) -> Result<Option<Judged>, Error> {
        let (judged, is_there) = self.store.read_at_once(|db| {
            Ok((
                licenses::judged(db, question)?,
                licenses::is_there(db, question)?,
            ))
        })?;
        if judged.is_none() && is_there {
            let detail = "two indexes of the database disagree: it is damaged";
            return Err(Error::Unavailable(detail.into()));
        }
        Ok(judged)
    }
}
