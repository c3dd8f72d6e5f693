//! Finding, adding, changing and deleting licenses.

use super::Service;
use crate::error::Error;
use crate::model::audit::{Actor, Event};
use crate::model::license::{License, Listed, Status};
use crate::model::new_license::{Change, Draft, NewLicense};
use crate::model::question::Question;
use crate::model::search::{Count, Filter, Piece};
use crate::store::{audit, licenses, search, tools};

const NO_SUCH_LICENSE: Error = Error::NotFound("License not found.");

impl Service {
    /// One license.
    pub fn license(&self, id: i64) -> Result<License, Error> {
        self.store
            .read(|db| licenses::get(db, id))?
            .ok_or(NO_SUCH_LICENSE)
    }

    /// One license, and what is known of its checks.
    pub fn listed(&self, id: i64) -> Result<Listed, Error> {
        self.store
            .read(|db| licenses::listed(db, id))?
            .ok_or(NO_SUCH_LICENSE)
    }

    /// A piece of what the filter finds, and how many it finds in all.
    pub fn licenses(&self, filter: &Filter, piece: &Piece) -> Result<(Vec<Listed>, Count), Error> {
        self.store.read(|db| search::page(db, filter, piece))
    }

    /// The names of the tools that have a license.
    pub fn tool_names(&self) -> Result<Vec<String>, Error> {
        self.store.read(tools::names)
    }

    /// A tool whose name differs from `name` by case only, unless there is one of that very name.
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

    /// The id of the license for this pair, as somebody typed it.
    pub fn license_of(&self, tool_name: &str, license_key: &str) -> Result<Option<i64>, Error> {
        let question = Question::parse(tool_name.trim(), license_key.trim())?;
        self.store.read(|db| licenses::id_of(db, &question))
    }

    /// Adds a license.
    pub fn add_license(&self, actor: &Actor, draft: &Draft) -> Result<License, Error> {
        let new = NewLicense::parse(draft)?;
        let now = self.clock.now();
        self.store.write(|db| {
            let id = licenses::add(db, &new, now)?;
            let added = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            audit::append(db, &Event::license(actor, None, Some(&added)), now)?;
            Ok(added)
        })
    }

    /// Changes some fields of a license; what is not named stays.
    pub fn change_license(&self, actor: &Actor, id: i64, change: Change) -> Result<License, Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let before = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            let new = NewLicense::parse(&change.apply(Draft::from(&before)))?;
            licenses::update(db, &before, &new, now)?;
            let after = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            if after != before {
                audit::append(db, &Event::license(actor, Some(&before), Some(&after)), now)?;
            }
            Ok(after)
        })
    }

    /// Suspends, revokes or activates a license.
    pub fn set_status(&self, actor: &Actor, id: i64, status: Status) -> Result<License, Error> {
        let change = Change {
            status: Some(Some(status.to_string())),
            ..Change::default()
        };
        self.change_license(actor, id, change)
    }

    /// Deletes a license and returns what it was.
    pub fn delete_license(&self, actor: &Actor, id: i64) -> Result<License, Error> {
        self.store.write(|db| {
            let license = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            licenses::delete(db, &license)?;
            audit::append(
                db,
                &Event::license(actor, Some(&license), None),
                self.clock.now(),
            )?;
            Ok(license)
        })
    }

    /// Gives the license to another machine, and returns its license: the same values under the new
    /// key. The old one is revoked and says where it went. A key whose own license was moved away may
    /// have it back.
    pub fn move_license(&self, actor: &Actor, id: i64, new_key: &str) -> Result<License, Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let old = licenses::get(db, id)?.ok_or(NO_SUCH_LICENSE)?;
            let new = NewLicense::parse(&Draft {
                license_key: new_key.to_owned(),
                ..Draft::from(&old)
            })?;
            if new.license_key == old.license_key {
                let message = format!("The license has the key {} already.", old.license_key);
                return Err(Error::invalid("license_key", message));
            }
            let question = Question::parse(&new.tool_name, &new.license_key)?;
            let there = licenses::id_of(db, &question)?;
            let there = there.map(|id| licenses::get(db, id)).transpose()?.flatten();
            let new_id = match &there {
                None => licenses::add(db, &new, now)?,
                Some(moved) if moved.moved_to.is_some() && moved.status == Status::Revoked => {
                    licenses::update(db, moved, &new, now)?;
                    licenses::set_moved_to(db, moved.id, None)?;
                    moved.id
                }
                Some(_) => return Err(Error::Duplicate),
            };
            let revoked = NewLicense {
                status: Status::Revoked,
                ..NewLicense::from(&old)
            };
            licenses::update(db, &old, &revoked, now)?;
            licenses::set_moved_to(db, old.id, Some(new_id))?;
            let moved = licenses::get(db, new_id)?.ok_or(NO_SUCH_LICENSE)?;
            audit::append(db, &Event::moved(actor, &old, &moved), now)?;
            audit::append(
                db,
                &Event::license(actor, there.as_ref(), Some(&moved)),
                now,
            )?;
            Ok(moved)
        })
    }

    /// The license that took the place of this one, and those whose place it took.
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
