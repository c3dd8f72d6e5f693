//! What is stored about a person: exported, and erased.

use serde_json::json;

use super::Service;
use super::audit::CHUNK;
use super::customers::{NO_SUCH_CUSTOMER, few_licenses};
use super::traces::Traces;
use crate::error::Error;
use crate::model::audit::{Actor, AuditFilter, CUSTOMER_ID, Detail, Entry, Event, Kind};
use crate::model::customer::Customer;
use crate::store::{Db, audit, customers, licenses, people, personal};

impl Service {
    /// What is stored about a person and what the person has now, as JSON.
    pub fn export_customer(&self, actor: &Actor, id: i64) -> Result<String, Error> {
        let now = self.clock.now();
        let read = |db: &Db| {
            let person = customers::get(db, id)?.ok_or(NO_SUCH_CUSTOMER)?;
            few_licenses(db, &person.name)?;
            let filter = AuditFilter {
                user_id: Some(person.name.clone()),
                ..AuditFilter::default()
            };
            let changes = audit::list(db, &filter, i64::MAX, i64::MAX)?;
            Ok::<_, Error>((people::export(db, &person)?, changes, person))
        };
        let (mut tables, changes, person) = self.store.read_tx(|db| Ok(read(db)))??;
        let changes: Vec<_> = changes.iter().map(change).collect();
        tables.insert("changes".to_owned(), changes.into());
        let event = Event::new(Kind::CustomerExported, actor)
            .with(CUSTOMER_ID, id)
            .with("customer", Detail::personal(&person.name));
        self.store.write(|db| audit::append(db, event, now))?;
        serde_json::to_string_pretty(&tables).map_err(|e| Error::Internal(e.to_string()))
    }

    /// Erases a person whose name was typed to confirm it. Licenses, codes and orders stay, without a name; the
    /// audit log keeps hashes.
    pub fn erase_customer(&self, actor: &Actor, id: i64, typed: &str) -> Result<Customer, Error> {
        let find = |db: &Db| customers::get(db, id);
        let person = self.store.read(find)?.ok_or(NO_SUCH_CUSTOMER)?;
        if typed.trim() != person.name.trim() {
            let message = format!(
                "Type `{}` exactly as it is to erase this customer.",
                person.name
            );
            return Err(Error::invalid("name", message));
        }
        // An import or a bulk change may write the name again.
        let _lock = self.bulk_lock()?;
        self.write_all_checks()?;
        let (mut traces, mut before) = self
            .store
            .read_tx(|db| Ok((Traces::begin(db, &person)?, audit::head(db)?.0 + 1)))?;
        let next = before;
        loop {
            let entries = self
                .store
                .read(|db| audit::mentions(db, 1, before, CHUNK))?;
            let Some(last) = entries.last() else {
                break;
            };
            before = last.id;
            entries.iter().for_each(|entry| traces.add(entry));
        }
        let now = self.clock.now();
        let former = self.store.write(|db| {
            if customers::get(db, id)?.as_ref() != Some(&person) {
                return Err(Error::Conflict(
                    "The customer was changed meanwhile. Nothing was erased; try again.".into(),
                ));
            }
            traces.extend(Traces::begin(db, &person)?);
            let entries = audit::mentions(db, next, i64::MAX, i64::MAX)?;
            entries.iter().for_each(|entry| traces.add(entry));
            let licenses = few_licenses(db, &person.name)?;
            traces.end();
            let left = traces.left(db)?;
            people::erase(db, &person, &left)?;
            let former = traces.former(db)?;
            for text in &former {
                people::erase(db, &former_self(&person, text.clone()), &left)?;
            }
            traces.clear(db, &left, now)?;
            for license in &licenses {
                let mut values = license.values.clone();
                (values.user_id, values.order_ref, values.note) = (None, None, None);
                values.entitlements.data = None;
                licenses::update(db, license, &values, now)?;
            }
            customers::delete(db, id)?;
            for value in traces.erasable() {
                personal::erase(db, value)?;
            }
            for value in &traces.words {
                let text = personal::text(db, *value)?;
                if text.is_some_and(|text| person.is_in(&text)) {
                    personal::erase(db, *value)?;
                }
            }
            let event = Event::new(Kind::CustomerErased, actor)
                .with(CUSTOMER_ID, id)
                .with("licenses", licenses.len() as i64);
            audit::append(db, event, now)?;
            Ok(former)
        })?;
        let mut texts: Vec<&str> = former.iter().map(String::as_str).collect();
        texts.extend([&*person.name, &*person.email]);
        // The person is erased: what is left is what nobody can see on a page.
        if let Err(error) = self.store.purge(&texts) {
            self.log.fault("purge", &error);
        }
        Ok(person)
    }
}

fn former_self(person: &Customer, name_or_email: String) -> Customer {
    Customer {
        email: match name_or_email.contains('@') {
            true => name_or_email.to_lowercase(),
            false => person.email.clone(),
        },
        name: name_or_email,
        ..person.clone()
    }
}

fn change(entry: &Entry) -> serde_json::Value {
    let changed = entry.event.differences().into_iter();
    let changed: Vec<_> = changed
        .map(|d| json!({"field": d.name, "before": d.before, "after": d.after}))
        .collect();
    json!({
        "at": entry.at.unix_timestamp(),
        "event": entry.event.kind.as_str(),
        "license_id": entry.event.license_id,
        "changed": changed,
    })
}
