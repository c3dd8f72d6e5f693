//! People whose accounts were removed: what the audit log says about them can be erased.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::Service;
use super::audit::CHUNK;
use crate::error::Error;
use crate::model::audit::{Actor, AuditFilter, Entry, Event, Kind, PERSON_ID};
use crate::store::audit::{self, Mention};
use crate::store::{people, personal};

const NO_SUCH_PERSON: Error =
    Error::NotFound("Nobody with this number was removed, or the person was erased.");

/// Somebody who could sign in.
#[derive(Debug)]
pub struct FormerPerson {
    pub id: i64,
    /// The last one.
    pub name: String,
    pub removed_at: OffsetDateTime,
}

/// IDs of personal values.
#[derive(Default)]
struct Traces {
    person_id: i64,
    /// Names and e-mail addresses of the person.
    names: HashSet<i64>,
    /// What else is in entries about the person, and from where she did something.
    about: HashSet<i64>,
    /// In other entries.
    others: HashSet<i64>,
}

impl Traces {
    /// The entry before those that were added: a change of the name leads to the earlier one.
    fn add(&mut self, entry: &Mention) {
        let is_about = entry.person_id == Some(self.person_id);
        let is_name = |name: &str| is_about && ["name", "person", "email"].contains(&name);
        let (names, others): (Vec<_>, Vec<_>) =
            entry.values.iter().partition(|value| is_name(&value.name));
        self.names.extend(names.iter().map(|value| value.id));
        let [who, address] = entry.actor;
        let is_own = self.names.contains(&who);
        for value in others {
            let into = match &*value.name {
                "browser" | "address" if is_own => &mut self.about,
                "reason" if is_about => &mut self.about,
                _ => &mut self.others,
            };
            into.insert(value.id);
        }
        let into = match is_own {
            true => &mut self.about,
            false => &mut self.others,
        };
        into.extend([address].into_iter().chain((!is_own).then_some(who)));
    }

    fn erasable(&self) -> impl Iterator<Item = i64> {
        let only_here = self.about.difference(&self.others);
        self.names.iter().chain(only_here).copied()
    }
}

impl Service {
    /// Removed last first, without those who were erased.
    pub fn former_people(&self) -> Result<Vec<FormerPerson>, Error> {
        let all = |kind| {
            let filter = AuditFilter {
                kind: Some(kind),
                ..AuditFilter::default()
            };
            self.audit(&filter, i64::MAX, i64::MAX)
        };
        let id = |entry: &Entry| entry.event.after.number(PERSON_ID);
        let erased = all(Kind::PersonErased)?;
        let erased: HashSet<i64> = erased.iter().filter_map(id).collect();
        let removed = all(Kind::PersonRemoved)?;
        let former = removed.into_iter().filter_map(|entry| {
            Some(FormerPerson {
                id: id(&entry).filter(|id| !erased.contains(id))?,
                name: entry.event.after.words("name")?.to_owned(),
                removed_at: entry.at,
            })
        });
        Ok(former.collect())
    }

    pub fn former_person(&self, id: i64) -> Result<FormerPerson, Error> {
        let mut all = self.former_people()?.into_iter();
        all.find(|former| former.id == id).ok_or(NO_SUCH_PERSON)
    }

    /// Names, e-mail addresses, browsers and addresses that nobody else has; the log keeps their hashes.
    pub fn erase_former_person(&self, actor: &Actor, id: i64) -> Result<FormerPerson, Error> {
        let person = self.former_person(id)?;
        let mut traces = Traces {
            person_id: id,
            ..Traces::default()
        };
        let next = self.store.read(audit::head)?.0 + 1;
        let mut before = next;
        while let entries = self
            .store
            .read(|db| audit::mentions(db, 1, before, CHUNK))?
            && let Some(last) = entries.last()
        {
            before = last.id;
            entries.iter().for_each(|entry| traces.add(entry));
        }
        let now = self.now();
        let erased = self.store.write(|db| {
            let entries = audit::mentions(db, next, i64::MAX, i64::MAX)?;
            entries.iter().for_each(|entry| traces.add(entry));
            let mut erased = vec![];
            for value in traces.erasable() {
                let text = personal::text(db, value)?;
                personal::erase(db, value)?;
                if personal::text(db, value)?.is_none() {
                    erased.extend(text);
                }
            }
            for text in &erased {
                people::forget_actor(db, text)?;
            }
            let event = Event::new(Kind::PersonErased, actor).with(PERSON_ID, id);
            audit::append(db, event, now)?;
            Ok(erased)
        })?;
        let erased: Vec<&str> = erased.iter().map(String::as_str).collect();
        // What is left is what nobody can see on a page.
        if let Err(error) = self.store.purge(&erased) {
            self.log.fault("purge", &error);
        }
        Ok(person)
    }
}
