//! Checks whether a tool may run on a machine.

use std::borrow::Cow;
use std::net::IpAddr;

use time::OffsetDateTime;

use super::Service;
use super::check_log::CompletedCheck;
use super::throttle::subscriber;
use crate::error::Error;
use crate::model::check::ClientInfo;
use crate::model::customer::NamedCustomer;
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::model::signed::{ClaimsInput, Offer, SignedValues, SigningRequest};
use crate::model::tool::NEW;
use crate::store::CurrentLicense;
use crate::store::licenses::{self, CheckedLicense};

/// A result and what it depends on.
#[derive(Clone, Copy)]
struct Decision {
    license: Option<CheckedLicense>,
    verdict: Verdict,
    now: OffsetDateTime,
    /// As of when the license is known; none for now.
    as_of: Option<OffsetDateTime>,
}

/// Who checks; nothing of it decides the result.
pub struct CheckSource {
    pub address: IpAddr,
    pub client: Option<ClientInfo>,
    /// The ID that the machine last had a good result with.
    pub previous_license_key: Option<String>,
    /// Who asks for a license.
    pub customer: Option<NamedCustomer>,
}

impl From<IpAddr> for CheckSource {
    fn from(address: IpAddr) -> CheckSource {
        CheckSource {
            address,
            client: None,
            previous_license_key: None,
            customer: None,
        }
    }
}

/// A result that a client can verify.
#[derive(Debug)]
pub struct Signed {
    pub verdict: Verdict,
    /// For programs; the same in the token.
    pub code: &'static str,
    /// For the customer, the same in the token.
    pub message: Cow<'static, str>,
    /// `YYYY-MM-DD`.
    pub expiration_date: Option<String>,
    pub days_left: Option<i64>,
    pub offer: Offer,
    /// A compact JWS.
    pub token: String,
}

impl Service {
    /// The current result; an error is a fault, never a result. Only checks of unlicensed machines count
    /// against the address, so that an office that shares one address is not locked out.
    pub fn check(&self, question: &Question<'_>, source: CheckSource) -> Result<Verdict, Error> {
        let decision = self.decide(question, source.address)?;
        self.record_check(question, decision, source, None);
        match self.is_withheld(decision) {
            true => Err(Error::Restored),
            false => Ok(decision.verdict),
        }
    }

    /// [`Service::check`] with a signature; if signing fails, there is no result.
    pub fn check_signed(
        &self,
        question: &Question<'_>,
        request: &SigningRequest<'_>,
        source: CheckSource,
    ) -> Result<Signed, Error> {
        let decision = self.decide(question, source.address)?;
        if self.is_withheld(decision) {
            self.record_check(question, decision, source, None);
            return Err(Error::Restored);
        }
        let (rules, ring) = (self.rules.load(), self.keys.load());
        let values = match decision.license {
            Some(license) => self.store.signed_values(question, license)?,
            None => SignedValues::default(),
        };
        let input = ClaimsInput {
            question,
            verdict: decision.verdict,
            expiration_date: decision.license.and_then(|license| license.expiration_date),
            values: &values,
            tool: rules.get(question.tool_name).map_or(&NEW, |tool| tool),
            now: decision.now,
            as_of: decision.as_of.unwrap_or(decision.now),
            offset: self.utc_offset,
        };
        let claims = input.claims(request.nonce);
        let key = ring.choose(request.kids)?;
        let token = key.sign(&claims)?;
        self.record_check(question, decision, source, Some(key.kid()));
        Ok(Signed {
            verdict: decision.verdict,
            code: claims.code,
            message: claims.message,
            expiration_date: claims.expiration_date,
            days_left: input.days_left(),
            offer: claims.offer,
            token,
        })
    }

    fn decide(&self, question: &Question<'_>, address: IpAddr) -> Result<Decision, Error> {
        let CurrentLicense { license, as_of } = self.current(question)?;
        let now = self.clock.now();
        if license.is_none() {
            self.unlicensed
                .take(subscriber(address), now)
                .map_err(Error::TooManyRequests)?;
        }
        Ok(Decision {
            license,
            verdict: self.verdict(question, license, now),
            now,
            as_of,
        })
    }

    /// After a restore a missing license may only be missing from the backup: "not found" would end leases.
    fn is_withheld(&self, decision: Decision) -> bool {
        decision.license.is_none() && self.restored.is_active(decision.now)
    }

    fn record_check(
        &self,
        question: &Question<'_>,
        decision: Decision,
        source: CheckSource,
        kid: Option<&str>,
    ) {
        let check = CompletedCheck {
            question,
            license_id: decision.license.map(|license| license.id),
            verdict: decision.verdict,
            address: source.address,
            client: source.client,
            previous_license_key: source.previous_license_key,
            customer: source.customer,
            now: decision.now,
            kid,
        };
        self.check_log.add(check, self.utc_offset);
    }

    /// The license to check, with the fields that the result depends on.
    pub(super) fn checked(&self, question: &Question<'_>) -> Result<Option<CheckedLicense>, Error> {
        self.current(question).map(|current| current.license)
    }

    fn current(&self, question: &Question<'_>) -> Result<CurrentLicense, Error> {
        let is_yes = |license| self.is_yes(question, license);
        let current = self.store.checked(question, is_yes)?;
        match current.license {
            None => Ok(CurrentLicense {
                license: self.checked_twice(question)?,
                ..current
            }),
            Some(_) => Ok(current),
        }
    }

    fn is_yes(&self, question: &Question<'_>, license: CheckedLicense) -> bool {
        let verdict = self.verdict(question, Some(license), self.clock.now());
        !verdict.is_refusal()
    }

    /// Reads the tool's rules only if its grace period matters.
    pub(super) fn verdict(
        &self,
        question: &Question<'_>,
        license: Option<CheckedLicense>,
        now: OffsetDateTime,
    ) -> Verdict {
        let Some(CheckedLicense {
            status,
            expiration_date,
            is_trial,
            ..
        }) = license
        else {
            return Verdict::NotFound;
        };
        let on =
            |grace_days| Verdict::on(status, expiration_date, grace_days, now, self.utc_offset);
        match on(0) {
            Verdict::Expired if !is_trial => on(self.tool(question.tool_name).grace_days),
            verdict => verdict.of_trial(is_trial),
        }
    }

    /// A second index must confirm that a key is missing; both are read in one transaction, so that a row
    /// added in between does not look like corruption.
    fn checked_twice(&self, question: &Question<'_>) -> Result<Option<CheckedLicense>, Error> {
        let (license, exists) = self.store.read_tx(|db| {
            Ok((
                licenses::checked(db, question)?,
                licenses::exists(db, question)?,
            ))
        })?;
        if license.is_none() && exists {
            let detail = "two indexes of the database disagree: it is damaged";
            return Err(Error::Unavailable(detail.into()));
        }
        Ok(license)
    }
}
