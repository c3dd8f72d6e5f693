//! Finding, adding, changing and deleting licenses.

use time::OffsetDateTime;

use super::Service;
use super::bulk::{record, record_part};
use crate::error::{Error, Problem};
use crate::model::audit::{Actor, Event};
use crate::model::check::ListedLicense;
use crate::model::doubt::{Doubt, doubts};
use crate::model::license::{Draft, License, Status, Values, by_code};
use crate::model::question::Question;
use crate::model::search::{Count, Filter, Page};
use crate::store::{WriteTx, audit, bulk, licenses, search, tools};

const NO_SUCH_LICENSE: Error = Error::NotFound("License not found.");

/// The result of [`Service::edit_license`].
pub enum Edited {
    /// The license, and the change to undo if there is one.
    Saved(License, Option<i64>),
    /// Nothing was changed: this is the current license.
    Changed(License),
}

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

    /// The tools that have a license or an activation code, or that the admin added.
    pub fn tool_names(&self) -> Result<Vec<String>, Error> {
        self.store.read(tools::names)
    }

    /// What is wrong with a draft of a new license or of the values of license `id`, and what to ask.
    pub fn review(
        &self,
        draft: &Draft,
        id: Option<i64>,
    ) -> Result<(Vec<Problem>, Vec<Doubt>), Error> {
        let before = match id {
            Some(id) => Draft::from(&self.license(id)?.values),
            None => Draft::new(),
        };
        let mut doubts = doubts(draft, &before, &self.tool_names()?, self.today());
        let key = draft.get("license_key").trim();
        if key != before.get("license_key") && !key.is_empty() {
            let tool_name = draft.get("tool_name").trim();
            doubts.extend(self.key_doubt(tool_name, key)?);
        }
        match Values::parse(&draft.clone().over(before)) {
            Ok(_) => Ok((vec![], doubts)),
            Err(Error::Invalid(problems)) => Ok((problems, doubts)),
            Err(error) => Err(error),
        }
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
            let existing = licenses::of_pair(db, &new.tool_name, &new.license_key)?;
            let trial = existing.filter(|existing| existing.is_trial && !new.is_trial);
            let id = match &trial {
                None => licenses::add(db, &new, now)?,
                // The machine is on trial: the trial becomes the license.
                Some(trial) => {
                    licenses::update(db, trial, &new, now)?;
                    trial.id
                }
            };
            let added = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            record(db, actor, trial.as_ref(), Some(&added), now)?;
            Ok(added)
        })
    }

    /// Changes only the fields in the draft.
    pub fn change_license(&self, actor: &Actor, id: i64, draft: Draft) -> Result<License, Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let before = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            let new = Values::parse(&draft.over(Draft::from(&before.values)))?;
            Ok(write_values(db, actor, &before, &new, now)?.0)
        })
    }

    /// Changes the fields that differ from those that a form showed, unless somebody else has changed one of
    /// them since. The change can be undone.
    pub fn edit_license(
        &self,
        actor: &Actor,
        id: i64,
        draft: Draft,
        shown: &Draft,
    ) -> Result<Edited, Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let before = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            let current = Draft::from(&before.values);
            if draft.clashes(shown, &current) {
                return Ok(Edited::Changed(before));
            }
            let new = Values::parse(&draft.changed_from(shown).over(current))?;
            let kept = bulk::snapshot(db, id, false)?.0;
            let (after, audit_id) = write_values(db, actor, &before, &new, now)?;
            let Some(audit_id) = audit_id else {
                return Ok(Edited::Saved(after, None));
            };
            let what = format!("Edit {}", before.license_key);
            let change = bulk::add(db, &actor.who, &what, "", now)?;
            bulk::keep(db, change, id, audit_id, (&kept, ""))?;
            bulk::add_to_number(db, change, 1)?;
            bulk::set_done(db, change, &what, now)?;
            Ok(Edited::Saved(after, Some(change)))
        })
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

    /// Moves the license to another machine: the new license has the same values with the new key, and the
    /// old one is revoked and refers to it. Returns the new license and the ID of the change, which can be
    /// undone. A license can be moved back to a key that it was moved away from.
    pub fn move_license(
        &self,
        actor: &Actor,
        id: i64,
        new_key: &str,
    ) -> Result<(License, i64), Error> {
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
            let what = format!("Move {} to {}", old.license_key, new.license_key);
            let bulk_id = bulk::add(db, &actor.who, &what, "", now)?;
            let kept_old = bulk::snapshot(db, old.id, false)?.0;
            let existing = licenses::of_pair(db, &new.tool_name, &new.license_key)?;
            let (new_id, kept_new) = match &existing {
                None => (licenses::add(db, &new, now)?, String::new()),
                Some(moved) if moved.moved_to.is_some() && moved.status == Status::Revoked => {
                    let kept = bulk::snapshot(db, moved.id, false)?.0;
                    licenses::update(db, moved, &new, now)?;
                    licenses::set_moved_to(db, moved.id, None)?;
                    (moved.id, kept)
                }
                Some(_) => return Err(Error::Duplicate),
            };
            let revoked = Values {
                status: Status::Revoked,
                ..old.values.clone()
            };
            licenses::update(db, &old, &revoked, now)?;
            licenses::set_moved_to(db, old.id, Some(new_id))?;
            // The seat goes with it.
            licenses::settle(db, old.id, None)?;
            licenses::settle(db, new_id, old.seat)?;
            let moved = licenses::get(db, new_id)?.ok_or(NO_SUCH_LICENSE)?;
            let audit_id = audit::append(db, Event::moved(actor, &old, &moved), now)?;
            bulk::keep(db, bulk_id, old.id, audit_id, (&kept_old, ""))?;
            let audit_id = record_part(db, actor, existing.as_ref(), Some(&moved), now)?;
            bulk::keep(db, bulk_id, new_id, audit_id, (&kept_new, ""))?;
            bulk::add_to_number(db, bulk_id, 2)?;
            bulk::set_done(db, bulk_id, &what, now)?;
            let from = licenses::get(db, old.id)?.ok_or(NO_SUCH_LICENSE)?;
            self.queue_moved(db, &from, &moved)?;
            Ok((moved, bulk_id))
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

/// The license as it is then, and its entry in the audit log if anything changed.
fn write_values(
    db: &WriteTx<'_>,
    actor: &Actor,
    before: &License,
    new: &Values,
    now: OffsetDateTime,
) -> Result<(License, Option<i64>), Error> {
    licenses::update(db, before, new, now)?;
    let after = licenses::get(db, before.id)?.ok_or(NO_SUCH_LICENSE)?;
    by_code(&after, new)?;
    let audit_id = match after == *before {
        true => None,
        false => Some(record(db, actor, Some(before), Some(&after), now)?),
    };
    Ok((after, audit_id))
}
