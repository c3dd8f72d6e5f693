//! Finding, adding, changing and deleting licenses.

use super::Service;
use super::bulk::record;
use crate::error::Error;
use crate::model::audit::{Actor, Event};
use crate::model::check::ListedLicense;
use crate::model::license::{Draft, License, Status, Values};
use crate::model::question::Question;
use crate::model::search::{Count, Filter, Page};
use crate::store::{audit, licenses, search, tools};

const NO_SUCH_LICENSE: Error = Error::NotFound("License not found.");

impl Service {
    pub fn license(&self, id: i64) -> Result<License, Error> {
        self.store
            .read(|db| licenses::get(db, id))?
            .ok_or(NO_SUCH_LICENSE)
    }

    /// A license and what is known about its checks.
    pub fn listed(&self, id: i64) -> Result<ListedLicense, Error> {
        self.store
            .read(|db| licenses::listed(db, id))?
            .ok_or(NO_SUCH_LICENSE)
    }

    /// A page of matching licenses, and their total number.
    pub fn licenses(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<(Vec<ListedLicense>, Count), Error> {
        self.store.read_tx(|db| search::page(db, filter, page))
    }

    /// The tools that have a license or that the admin added.
    pub fn tool_names(&self) -> Result<Vec<String>, Error> {
        self.store.read(tools::names)
    }

    /// A tool whose name differs from `name` only in case, unless there is one with exactly that name.
    pub fn similar_tool(&self, name: &str) -> Result<Option<String>, Error> {
        let names = self.tool_names()?;
        let (exact, lower) = (name.trim(), name.trim().to_lowercase());
        if names.iter().any(|other| other == exact) {
            return Ok(None);
        }
        Ok(names
            .into_iter()
            .find(|other| other.to_lowercase() == lower))
    }

    /// The ID of the license for a tool and key as typed by a person.
    pub fn license_of(&self, tool_name: &str, license_key: &str) -> Result<Option<i64>, Error> {
        let question = Question::parse(tool_name.trim(), license_key.trim())?;
        self.store
            .read(|db| licenses::id_of(db, question.tool_name, &question.license_key))
    }

    pub fn add_license(&self, actor: &Actor, draft: Draft) -> Result<License, Error> {
        let new = Values::parse(&draft.over(Draft::new()))?;
        let now = self.clock.now();
        self.store.write(|db| {
            let id = licenses::add(db, &new, now)?;
            let added = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            record(db, actor, None, Some(&added), now)?;
            Ok(added)
        })
    }

    /// Changes only the fields in the draft.
    pub fn change_license(&self, actor: &Actor, id: i64, draft: Draft) -> Result<License, Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let before = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            let new = Values::parse(&draft.over(Draft::from(&before.values)))?;
            licenses::update(db, &before, &new, now)?;
            let after = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            if after != before {
                record(db, actor, Some(&before), Some(&after), now)?;
            }
            Ok(after)
        })
    }

    pub fn set_status(&self, actor: &Actor, id: i64, status: Status) -> Result<License, Error> {
        self.change_license(actor, id, Draft::default().with("status", status.as_str()))
    }

    /// Returns the deleted license.
    pub fn delete_license(&self, actor: &Actor, id: i64) -> Result<License, Error> {
        self.store.write(|db| {
            let license = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            licenses::delete(db, &license)?;
            record(db, actor, Some(&license), None, self.clock.now())?;
            Ok(license)
        })
    }

    /// Moves the license to another machine and returns the new license: the same values with the new key.
    /// The old license is revoked and refers to the new one. A license can be moved back to a key that it was
    /// moved away from.
    pub fn move_license(&self, actor: &Actor, id: i64, new_key: &str) -> Result<License, Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let old = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            let successor = old.moved_to.map(|id| licenses::get(db, id)).transpose()?;
            if let (Status::Revoked, Some(successor)) = (old.status, successor.flatten()) {
                let key = &successor.license_key;
                let message =
                    format!("This license was already moved to {key}; move that one instead.");
                return Err(Error::invalid("license_key", message));
            }
            let draft = Draft::from(&old.values).with("license_key", new_key);
            let new = Values::parse(&draft)?;
            if new.license_key == old.license_key {
                let message = format!("The license already has the key {}.", old.license_key);
                return Err(Error::invalid("license_key", message));
            }
            let existing = licenses::of_pair(db, &new.tool_name, &new.license_key)?;
            let new_id = match &existing {
                None => licenses::add(db, &new, now)?,
                Some(moved) if moved.moved_to.is_some() && moved.status == Status::Revoked => {
                    licenses::update(db, moved, &new, now)?;
                    licenses::set_moved_to(db, moved.id, None)?;
                    moved.id
                }
                Some(_) => return Err(Error::Duplicate),
            };
            let revoked = Values {
                status: Status::Revoked,
                ..old.values.clone()
            };
            licenses::update(db, &old, &revoked, now)?;
            licenses::set_moved_to(db, old.id, Some(new_id))?;
            let moved = licenses::get(db, new_id)?.ok_or(NO_SUCH_LICENSE)?;
            audit::append(db, Event::moved(actor, &old, &moved), now)?;
            record(db, actor, existing.as_ref(), Some(&moved), now)?;
            Ok(moved)
        })
    }

    /// The license that replaced this one, and those that it replaced.
    pub fn relatives(&self, license: &License) -> Result<(Option<License>, Vec<License>), Error> {
        self.store.read(|db| {
            let successor = license
                .moved_to
                .map(|id| licenses::get(db, id))
                .transpose()?;
            Ok((successor.flatten(), licenses::moved_to(db, license.id)?))
        })
    }
}
