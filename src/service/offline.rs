//! Offline files: long leases for machines without a network.

use std::net::IpAddr;

use time::{Date, Duration};

use super::Service;
use super::activation::holder;
use crate::error::Error;
use crate::model::activation_code::Reason;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::date;
use crate::model::license::{License, last_day};
use crate::model::offline_request::OfflineRequest;
use crate::model::question::Question;
use crate::model::signed::{ClaimsInput, SigningRequest};
use crate::store::{audit, licenses};

/// An answer to a request.
pub struct OfflineFile {
    pub license: License,
    pub last_day: Date,
    /// A compact JWS: what the program imports.
    pub token: String,
}

impl Service {
    /// The license that a request is about; none if its machine has none.
    pub fn license_of_request(&self, request: &OfflineRequest) -> Result<Option<License>, Error> {
        let question = Question::parse(&request.tool_name, &request.license_key)?;
        self.store
            .read(|db| licenses::of_pair(db, question.tool_name, &question.license_key))
    }

    /// Signs a lease until the license ends, and at most for the tool's period of offline files. It cannot be
    /// revoked: until its last day the license says so, and its seat cannot be freed by the customer.
    pub fn make_offline_file(
        &self,
        actor: &Actor,
        request: &OfflineRequest,
    ) -> Result<OfflineFile, Error> {
        self.offline_file(actor, request, None)
    }

    /// [`Service::make_offline_file`] for whoever has the code: a machine without a seat gets one, as with
    /// [`Service::activate`].
    pub fn claim_offline_file(
        &self,
        request: &OfflineRequest,
        typed: &str,
        address: IpAddr,
    ) -> Result<OfflineFile, Error> {
        let question = Question::parse(&request.tool_name, &request.license_key)?;
        let code = self.code_for(question.tool_name, typed, address)?;
        self.removals
            .take(("offline", code.id, &*question.license_key), self.now())
            .map_err(Reason::TryLater)?;
        self.offline_file(&holder(&code, address), request, Some(code.id))
    }

    fn offline_file(
        &self,
        actor: &Actor,
        request: &OfflineRequest,
        code_id: Option<i64>,
    ) -> Result<OfflineFile, Error> {
        let question = Question::parse(&request.tool_name, &request.license_key)?;
        let signing = SigningRequest::parse(&request.nonce, &request.kids)?;
        let tool = self.tool(question.tool_name);
        let (now, today) = (self.clock.now(), self.today());
        // Before anything is stored: a request that names only unknown keys cannot be answered.
        let ring = self.keys.load();
        let key = ring.choose(signing.kids)?;
        let (license, last_day, values) = self.store.write(|db| {
            if let Some(id) = code_id {
                self.take_seat(db, actor, id, &question, None)?;
            }
            let license = licenses::of_pair(db, question.tool_name, &question.license_key)?
                .ok_or(Error::NotFound("License not found."))?;
            let verdict = license.verdict(tool.grace_days, now, self.utc_offset);
            if verdict.is_refusal() {
                let message = format!(
                    "The license of {} gets no offline file. {}",
                    license.license_key,
                    verdict.message()
                );
                return Err(Error::invalid("request", message));
            }
            let most = today.saturating_add(Duration::days(tool.offline_file_days.into()));
            let end = last_day(license.expiration_date, tool.grace_days, license.is_trial);
            let last_day = end.map_or(most, |end| end.min(most));
            let last_day = license
                .offline_until
                .map_or(last_day, |other| other.max(last_day));
            licenses::set_offline_until(db, &license, last_day)?;
            let event = Event::license(actor, Some(&license), Some(&license))
                .with("offline_until", date::format(last_day));
            let event = Event {
                kind: Kind::OfflineFileMade,
                ..event.untold()
            };
            audit::append(db, event, now)?;
            let values = licenses::signed_values(db, license.id)?.unwrap_or_default();
            Ok((license, last_day, values))
        })?;
        let input = ClaimsInput {
            question: &question,
            verdict: license.verdict(tool.grace_days, now, self.utc_offset),
            expiration_date: license.expiration_date,
            values: &values,
            tool: &tool,
            now,
            as_of: now,
            offset: self.utc_offset,
        };
        let token = key.sign(&input.claims(signing.nonce))?;
        Ok(OfflineFile {
            license,
            last_day,
            token,
        })
    }
}
