//! The table of personal values, to which the audit log only refers.

use std::collections::{BTreeSet, HashSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::db::{Db, Optional, Result, Value, refs};
use super::{WriteTx, random};
use crate::error::Error;
use crate::model::audit::{Personal, commitment};

/// Stores those values that are not yet there, and sets their IDs.
pub(super) fn keep(db: &WriteTx<'_>, mut all: Vec<&mut Personal>) -> Result<(), Error> {
    find(db, &all)?;
    for personal in &mut all {
        let value = personal.text.as_deref().unwrap_or_default();
        let mut kept = db.kept.borrow_mut();
        let (id, commitment) = match kept.get(value) {
            Some(kept) => kept.clone(),
            None => {
                let salt = salt()?;
                let id = db.one(
                    "insert into personal_values (salt, value) values (?1, ?2) returning id",
                    &[&salt, &value],
                    |row| row.get(0),
                )?;
                let new = (id, commitment(&salt, value));
                kept.insert(value.to_owned(), new.clone());
                new
            }
        };
        (personal.id, personal.commitment) = (id, commitment);
    }
    Ok(())
}

/// Reads those that the transaction does not know yet, in one statement.
fn find(db: &WriteTx<'_>, all: &[&mut Personal]) -> Result<()> {
    let mut kept = db.kept.borrow_mut();
    let values = all
        .iter()
        .map(|personal| personal.text.as_deref().unwrap_or_default());
    let unknown: BTreeSet<&str> = values.filter(|value| !kept.contains_key(*value)).collect();
    let unknown: Vec<Value<'_>> = unknown.into_iter().map(Value::from).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let one = |number| {
        format!(
            "select cast({number} as bigint), id, salt from personal_values where value = ?{number} and salt <> ''"
        )
    };
    let each: Vec<String> = (1..=unknown.len()).map(one).collect();
    let found: Vec<(usize, i64, String)> =
        db.all(&each.join(" union all "), &refs(&unknown), |row| {
            Ok((row.get::<i64>(0)? as usize, row.get(1)?, row.get(2)?))
        })?;
    for (number, id, salt) in found {
        let value = unknown[number - 1].to_string();
        let commitment = commitment(&salt, &value);
        kept.insert(value, (id, commitment));
    }
    Ok(())
}

/// The value with that ID, which may have been erased.
pub(super) fn get(db: &Db, id: i64) -> Result<Personal> {
    db.one(
        "select salt, value from personal_values where id = ?1",
        &[&id],
        |row| {
            let (salt, value): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(match salt.is_empty() {
                true => Personal {
                    text: None,
                    id,
                    commitment: value,
                },
                false => Personal {
                    commitment: commitment(&salt, &value),
                    text: Some(value),
                    id,
                },
            })
        },
    )
}

/// None once it was erased.
pub fn text(db: &Db, id: i64) -> Result<Option<String>> {
    Ok(get(db, id)?.text)
}

/// Removes values that nothing refers to any longer.
pub fn delete(db: &WriteTx<'_>, ids: &HashSet<i64>) -> Result<()> {
    for id in ids {
        db.run("delete from personal_values where id = ?1", &[id])?;
    }
    Ok(())
}

/// The ID of a value that was not erased.
pub fn id_of(db: &Db, value: &str) -> Result<Option<i64>> {
    db.one(
        "select id from personal_values where value = ?1 and salt <> ''",
        &[&value],
        |row| row.get(0),
    )
    .optional()
}

/// The IDs of the names that customers have.
pub fn of_customers(db: &Db) -> Result<HashSet<i64>> {
    db.all(
        "select personal_values.id from customers
         join personal_values on personal_values.value = customers.name and personal_values.salt <> ''",
        &[],
        |row| row.get(0),
    )
}

/// Erases a value but for the hash that the chain has, unless it is empty or names a customer or somebody who can sign in.
pub fn erase(db: &WriteTx<'_>, id: i64) -> Result<()> {
    let Personal {
        text: Some(text),
        commitment,
        ..
    } = get(db, id)?
    else {
        return Ok(());
    };
    let is_kept: bool = db.one(
        "select ?1 = '' or exists (select 1 from customers where name = ?1)
             or exists (select 1 from customers where email = ?1 and email <> '')
             or exists (select 1 from users where name = ?1 or email = ?1)",
        &[&text],
        |row| row.get(0),
    )?;
    if !is_kept {
        db.kept.borrow_mut().remove(&text);
        db.run(
            "update personal_values set salt = '', value = ?2 where id = ?1",
            &[&id, &commitment],
        )?;
    }
    Ok(())
}

/// Characters of a salt.
pub(super) const SALT: usize = 16;

/// 96 random bits, so that nobody can guess values from a hash.
pub(super) fn salt() -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(random::<12>()?))
}
