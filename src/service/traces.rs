//! Where the audit log mentions a person: walked from the newest entry, so that a later change of the name leads to
//! the earlier name, and what somebody else has now to what the person had.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use crate::error::Error;
use crate::model::audit::REASON;
use crate::model::customer::Customer;
use crate::store::audit::{Mention, MentionedValue};
use crate::store::people::Left;
use crate::store::{Db, Read, WriteTx, activation_codes, customers, licenses, personal, seats};

/// A license or an activation code: what a customer can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Thing {
    License(i64),
    Code(i64),
}

/// IDs of personal values in the audit log.
pub(super) struct Traces {
    customer_id: i64,
    /// What the person has, or had at the time of the entry that comes next.
    things: HashSet<Thing>,
    /// What the person had once.
    had: HashSet<Thing>,
    /// Names and addresses of the person.
    names: HashSet<i64>,
    /// Names that customers have now.
    customers: HashSet<i64>,
    /// The empty name.
    nobody: Option<i64>,
    /// In entries about the person.
    about: HashSet<i64>,
    /// In other entries.
    others: HashSet<i64>,
    /// What things had that nobody has any longer, perhaps since the person had them.
    open: HashMap<Thing, Vec<i64>>,
    /// Names of files, and changes in words, which may name the person.
    pub words: HashSet<i64>,
    /// Of those who did something, and from where.
    actors: HashSet<i64>,
}

impl Traces {
    pub fn begin(db: &Db, person: &Customer) -> Read<Traces> {
        let licenses = licenses::of_customer(db, &person.name)?.into_iter();
        let codes =
            activation_codes::matching(db, None, None, Some(&person.name), usize::MAX >> 1)?;
        let codes = codes.into_iter().map(|listed| Thing::Code(listed.code.id));
        let mut names = HashSet::new();
        for text in [&person.name, &person.email] {
            names.extend(personal::id_of(db, text)?);
        }
        Ok(Traces {
            customer_id: person.id,
            things: licenses
                .map(|license| Thing::License(license.id))
                .chain(codes)
                .collect(),
            had: HashSet::new(),
            names,
            customers: personal::of_customers(db)?,
            nobody: personal::id_of(db, "")?,
            about: HashSet::new(),
            others: HashSet::new(),
            open: HashMap::new(),
            words: HashSet::new(),
            actors: HashSet::new(),
        })
    }

    /// What was written meanwhile.
    pub fn extend(&mut self, newer: Traces) {
        self.things.extend(newer.things);
        self.names.extend(newer.names);
        self.customers.extend(newer.customers);
        self.nobody = self.nobody.or(newer.nobody);
    }

    /// The entry before those that were added.
    pub fn add(&mut self, entry: &Mention) {
        self.actors.extend(entry.actor);
        let thing = match (entry.license_id, entry.code_id) {
            (Some(id), _) => Some(Thing::License(id)),
            (None, id) => id.map(Thing::Code),
        };
        let owner = |is_before| {
            let is_owner = |value: &&MentionedValue| {
                value.is_before == is_before
                    && (value.name == "user_id" || value.name == "customer")
                    && Some(value.id) != self.nobody
            };
            let owner = entry.values.iter().find(is_owner);
            owner.filter(|_| thing.is_some()).map(|value| value.id)
        };
        let (before, after) = (owner(true), owner(false));
        let is_person = |owner: Option<i64>| owner.is_some_and(|id| self.names.contains(&id));
        let (had, got) = (is_person(before), is_person(after));
        let is_customer = |owner: Option<i64>| owner.is_some_and(|id| self.customers.contains(&id));
        let was_of_other = !had && is_customer(before);
        let is_of_other = !got && is_customer(after);
        if let Some(thing) = thing {
            match (before, after) {
                // Nothing says whose it was.
                (None, None) => {}
                // What it had since then was the person's: it is not anybody else's.
                (_, None) if had => drop(self.open.remove(&thing)),
                _ => self
                    .others
                    .extend(self.open.remove(&thing).unwrap_or_default()),
            }
            if had || got {
                self.things.insert(thing);
            }
        }
        let is_of = |thing: Option<Thing>| thing.is_some_and(|thing| self.things.contains(&thing));
        let is_named = |value: &MentionedValue| self.names.contains(&value.id);
        let is_about = entry.values.iter().any(is_named)
            || entry.customer_id == Some(self.customer_id)
            || is_of(thing)
            || is_of(entry.code_id.map(Thing::Code));
        for MentionedValue {
            name,
            id,
            is_before,
        } in &entry.values
        {
            let is_reason = name == REASON;
            if name == "file" || name == "what" || is_reason {
                self.words.insert(*id);
                // Why one thing was changed is about whoever had it.
                if !is_reason || thing.is_none() {
                    continue;
                }
            }
            let of_other = match is_before {
                true => was_of_other,
                false => is_of_other,
            };
            let is_name = entry.customer_id.is_some() && (name == "name" || name == "email");
            let into = match (is_about && !of_other, is_name) {
                (true, true) => &mut self.names,
                (true, false) => &mut self.about,
                (false, _) => match thing.filter(|_| *is_before && before.is_none()) {
                    Some(thing) => {
                        self.open.entry(thing).or_default().push(*id);
                        continue;
                    }
                    None => &mut self.others,
                },
            };
            into.insert(*id);
        }
        if let Some(thing) = thing {
            if self.things.contains(&thing) {
                self.had.insert(thing);
            }
            // Whatever is older is about the other customer.
            if was_of_other {
                self.things.remove(&thing);
            }
        }
    }

    /// There are no older entries.
    pub fn end(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.others.extend(open.into_values().flatten());
    }

    /// Names and addresses that the person had before and that nobody else has now.
    pub fn former(&self, db: &Db) -> Read<Vec<String>> {
        let mut former = vec![];
        for id in &self.names {
            if let Some(text) = personal::text(db, *id)?
                && !text.is_empty()
                && customers::named(db, &text)?.is_none()
                && customers::of_email(db, &text)?.is_none()
            {
                former.push(text);
            }
        }
        Ok(former)
    }

    pub fn erasable(&self) -> impl Iterator<Item = i64> {
        let only_here = self.about.difference(&self.others);
        let all = self.names.iter().chain(only_here);
        all.filter(|id| !self.actors.contains(id)).copied()
    }

    /// What the person had and nobody has now, also what was deleted.
    pub fn left(&self, db: &Db) -> Read<Left> {
        let mut left = Left::default();
        for thing in &self.had {
            match *thing {
                Thing::License(id) => {
                    let license = licenses::get(db, id)?;
                    if license.is_none_or(|license| license.user_id.is_none()) {
                        left.licenses.push(id);
                    }
                }
                Thing::Code(id) => {
                    let code = activation_codes::get(db, id)?;
                    if code.is_none_or(|code| code.values.customer.is_empty()) {
                        left.codes.push(id);
                    }
                }
            }
        }
        Ok(left)
    }

    /// Removes from these what they have from the time when the person had them.
    pub fn clear(&self, db: &WriteTx<'_>, left: &Left, now: OffsetDateTime) -> Result<(), Error> {
        let erasable: HashSet<i64> = self.erasable().collect();
        let is_erasable = |text: &str| -> Read<bool> {
            let id = personal::id_of(db, text)?;
            Ok(!text.is_empty() && id.is_some_and(|id| erasable.contains(&id)))
        };
        for id in &left.licenses {
            let Some(license) = licenses::get(db, *id)? else {
                continue;
            };
            let mut values = license.values.clone();
            for text in [
                &mut values.order_ref,
                &mut values.note,
                &mut values.entitlements.data,
            ] {
                if is_erasable(text.as_deref().unwrap_or_default())? {
                    *text = None;
                }
            }
            if values != license.values {
                licenses::update(db, &license, &values, now)?;
            }
        }
        for id in &left.codes {
            let Some(code) = activation_codes::get(db, *id)? else {
                continue;
            };
            let mut values = code.values.clone();
            for text in [&mut values.order_ref, &mut values.note] {
                if is_erasable(text)? {
                    text.clear();
                }
            }
            let data = values.entitlements.data.as_deref().unwrap_or_default();
            if is_erasable(data)? {
                values.entitlements.data = None;
            }
            if values != code.values {
                seats::update_code(db, &code, &values, now)?;
            }
        }
        Ok(())
    }
}
