//! May this tool run on this machine?

use std::borrow::Cow;
use std::net::IpAddr;

use time::OffsetDateTime;

use super::Service;
use super::sightings::Answered;
use super::throttle::subscriber;
use crate::error::Error;
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::model::sighting::Said;
use crate::model::signed::{Told, Wish};
use crate::model::tool::NEW;
use crate::store::licenses::{self, Judged};

/// A verdict, and what it was made from.
#[derive(Clone, Copy)]
struct Decided {
    judged: Option<Judged>,
    verdict: Verdict,
    now: OffsetDateTime,
}

/// A verdict that a client can verify.
#[derive(Debug)]
pub struct Signed {
    /// The decision.
    pub verdict: Verdict,
    /// The word for programs, the same in the token.
    pub code: &'static str,
    /// For the customer, the same in the token.
    pub message: Cow<'static, str>,
    /// The last day, `YYYY-MM-DD`.
    pub expiration_date: Option<String>,
    /// Days until the last one.
    pub days_left: Option<i64>,
    /// A compact JWS.
    pub token: String,
}

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
        let decided = self.decide(question, address)?;
        self.note(question, decided, address, said, None);
        Ok(decided.verdict)
    }

    /// The same, signed; without a signature there is no verdict.
    pub fn check_signed(
        &self,
        question: &Question<'_>,
        sent_key: &str,
        wish: &Wish<'_>,
        address: IpAddr,
        said: Option<Said>,
    ) -> Result<Signed, Error> {
        let decided = self.decide(question, address)?;
        let (rules, ring) = (self.rules.load(), self.keys.load());
        let told = Told {
            question,
            sent_key,
            verdict: decided.verdict,
            last_day: decided.judged.and_then(|judged| judged.last_day),
            tool: rules.get(question.tool_name).map_or(&NEW, |tool| tool),
            now: decided.now,
            offset: self.utc_offset,
        };
        let claims = told.claims(wish.nonce);
        let key = ring.choose(wish.kids)?;
        let token = key.sign(&claims)?;
        self.note(question, decided, address, said, Some(key.kid()));
        Ok(Signed {
            verdict: decided.verdict,
            code: claims.code,
            message: claims.message,
            expiration_date: claims.expiration_date,
            days_left: told.days_left(),
            token,
        })
    }

    fn decide(&self, question: &Question<'_>, address: IpAddr) -> Result<Decided, Error> {
        let judged = self.judged(question)?;
        let now = self.clock.now();
        if judged.is_none() {
            self.unknown_keys
                .take(subscriber(address), now)
                .map_err(Error::TooManyRequests)?;
        }
        Ok(Decided {
            judged,
            verdict: self.verdict(question, judged, now),
            now,
        })
    }

    fn note(
        &self,
        question: &Question<'_>,
        decided: Decided,
        address: IpAddr,
        said: Option<Said>,
        kid: Option<&str>,
    ) {
        let answered = Answered {
            question,
            license_id: decided.judged.map(|judged| judged.id),
            verdict: decided.verdict,
            address,
            said,
            now: decided.now,
            kid,
        };
        self.notes.note(answered, self.utc_offset);
    }

    /// What the verdict depends on.
    pub(super) fn judged(&self, question: &Question<'_>) -> Result<Option<Judged>, Error> {
        match self.store.judged(question)? {
            None => self.judged_at_second_sight(question),
            found => Ok(found),
        }
    }

    /// The verdict on what was found; the tool's rules are asked only where its grace matters.
    pub(super) fn verdict(
        &self,
        question: &Question<'_>,
        judged: Option<Judged>,
        now: OffsetDateTime,
    ) -> Verdict {
        let Some(Judged {
            status, last_day, ..
        }) = judged
        else {
            return Verdict::NotFound;
        };
        let on = |grace_days| Verdict::on(status, last_day, grace_days, now, self.utc_offset);
        match on(0) {
            Verdict::Expired => on(self.tool(question.tool_name).grace_days),
            verdict => verdict,
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
