//! What checks need of licenses, from memory or from the database.

use time::OffsetDateTime;

use super::Store;
use super::cache::Generation;
use super::licenses::{self, CheckedLicense};
use super::postgres::Contact;
use crate::error::Error;
use crate::model::question::Question;
use crate::model::signed::SignedValues;

/// Licenses read into the cache in one step.
const WARMED_AT_ONCE: usize = 1_000;

/// What is known of a license, and as of when; none for now.
#[derive(Clone, Copy)]
pub struct CurrentLicense {
    pub license: Option<CheckedLicense>,
    pub as_of: Option<OffsetDateTime>,
}

impl CurrentLicense {
    fn now(license: Option<CheckedLicense>) -> CurrentLicense {
        CurrentLicense {
            license,
            as_of: None,
        }
    }
}

/// Progress of [`Store::warm_up`].
pub struct WarmUp {
    /// Licenses with this ID or a higher one are in the cache.
    before: i64,
    number: usize,
}

impl WarmUp {
    pub const START: WarmUp = WarmUp {
        before: i64::MAX,
        number: 0,
    };
}

impl Store {
    /// What the verdict on a license depends on. Of a database that is elsewhere, memory may only say yes: what is
    /// remembered has to suffice for that, and anything else is read.
    pub fn checked(
        &self,
        question: &Question<'_>,
        is_yes: impl Fn(CheckedLicense) -> bool,
    ) -> Result<CurrentLicense, Error> {
        let (tool_name, license_key) = (question.tool_name, &*question.license_key);
        let contact = self.contact();
        if let Some(license) = self.memory.get(tool_name, license_key)
            && (contact.is_none() || is_yes(license))
        {
            let as_of = contact.filter(|contact| contact.is_lost());
            let as_of = as_of.map(Contact::last);
            return self.known(license, as_of);
        }
        let generation = self.memory.generation();
        match self.read(|db| licenses::checked(db, question)) {
            Ok(Some(license)) => {
                let read = [(tool_name, license_key, license)];
                self.remember(&generation, read.into_iter())?;
                Ok(CurrentLicense::now(Some(license)))
            }
            Ok(None) => {
                let pair = (tool_name, license_key);
                self.memory.supersede(std::iter::once(pair));
                Ok(CurrentLicense::now(None))
            }
            Err(error) => match self.memory.former(tool_name, license_key) {
                Some((license, as_of)) if is_yes(license) => self.known(license, Some(as_of)),
                Some(_) | None => Err(error),
            },
        }
    }

    fn known(
        &self,
        license: CheckedLicense,
        as_of: Option<OffsetDateTime>,
    ) -> Result<CurrentLicense, Error> {
        if let (Some(contact), Some(as_of)) = (self.contact(), as_of) {
            contact.allow(as_of)?;
        }
        Ok(CurrentLicense {
            license: Some(license),
            as_of,
        })
    }

    /// With what signed answers need, if the database is elsewhere; false if something changed since `generation`.
    fn remember<'a>(
        &self,
        generation: &Generation,
        read: impl Iterator<Item = (&'a str, &'a str, CheckedLicense)> + Clone,
    ) -> Result<bool, Error> {
        let mut values = vec![];
        if self.contact().is_some() {
            for (tool_name, license_key, license) in
                read.clone().filter(|(_, _, read)| read.has_more)
            {
                let found = self.read(|db| licenses::signed_values(db, license.id))?;
                values.extend(found.map(|found| (tool_name, license_key, found)));
            }
        }
        Ok(self.memory.insert(generation, read, values.into_iter()))
    }

    /// What a signed answer says besides the result.
    pub fn signed_values(
        &self,
        question: &Question<'_>,
        license: CheckedLicense,
    ) -> Result<SignedValues, Error> {
        if !license.has_more {
            return Ok(SignedValues::default());
        }
        let pair = (question.tool_name, &*question.license_key);
        if self.contact().is_some()
            && let Some(values) = self.memory.values(pair.0, pair.1)
        {
            return Ok(SignedValues::clone(&values));
        }
        let values = self.read(|db| licenses::signed_values(db, license.id))?;
        Ok(values.unwrap_or_default())
    }

    /// Reads more licenses into the cache, newest first; returns where to continue, or none once
    /// all are cached or the cache is full.
    pub fn warm_up(&self, from: WarmUp) -> Result<Option<WarmUp>, Error> {
        let further = self.warm_up_further(from)?;
        // Unless that has begun anew.
        if further.is_none() && !self.news.is_forgotten() {
            self.memory.forget_former();
        }
        Ok(further)
    }

    fn warm_up_further(&self, WarmUp { before, number }: WarmUp) -> Result<Option<WarmUp>, Error> {
        if number >= self.memory.capacity() {
            return Ok(None);
        }
        loop {
            let generation = self.memory.generation();
            let rows = self.read(|db| licenses::all_checked(db, before, WARMED_AT_ONCE))?;
            let read = rows.iter().filter_map(|(_, read)| read.as_ref());
            let read = read.map(|(tool, key, license)| (&**tool, &**key, *license));
            if self.remember(&generation, read)? {
                return Ok(rows.last().map(|(id, _)| WarmUp {
                    before: *id,
                    number: number + rows.len(),
                }));
            }
        }
    }
}
