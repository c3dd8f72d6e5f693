//! The licenses of an activation code.

use time::{Date, OffsetDateTime};

use super::db::{Db, Result, Row};
use super::{NEVER, WriteTx, activation_codes, day, licenses, status};
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, CodeValues};
use crate::model::license::Status;

/// Licenses of the code, whatever their status.
pub fn used(db: &Db, id: i64) -> Result<i64> {
    db.one(
        "select count(*) from licenses where code_id = ?1",
        &[&id],
        |row| row.get(0),
    )
}

/// The IDs of these licenses, the first one first.
pub fn license_ids(db: &Db, id: i64) -> Result<Vec<i64>> {
    db.all(
        "select id from licenses where code_id = ?1 order by id",
        &[&id],
        |row| row.get(0),
    )
}

/// A machine of a code, as far as whoever has the code may see it.
#[derive(Debug, Clone)]
pub struct SeatedMachine {
    pub license_id: i64,
    pub license_key: String,
    /// As its client last reported; empty for never, as the day of the last check.
    pub hostname: String,
    pub last_seen_on: String,
}

/// At most `limit` machines, those that were not seen for the longest time first.
pub fn machines(db: &Db, id: i64, limit: i64) -> Result<Vec<SeatedMachine>> {
    db.all(
        "select licenses.id, licenses.license_key, coalesce(last_checks.hostname, ''), licenses.last_seen_on
         from licenses left join last_checks on last_checks.license_id = licenses.id
         where licenses.code_id = ?1
         order by licenses.last_seen_on, licenses.id limit ?2",
        &[&id, &limit],
        seated,
    )
}

/// A license of a customer that is of no activation code.
#[derive(Debug, Clone)]
pub struct LooseMachine {
    pub machine: SeatedMachine,
    pub tool_name: String,
    pub status: Status,
    /// None for a perpetual one.
    pub expiration_date: Option<Date>,
    /// Empty for none.
    pub edition: String,
}

/// At most `limit` licenses of that customer without a code, the newest first.
pub fn loose_machines(db: &Db, customer: &str, limit: i64) -> Result<Vec<LooseMachine>> {
    db.all(
        "select licenses.id, licenses.license_key, coalesce(last_checks.hostname, ''), licenses.last_seen_on,
             licenses.tool_name, licenses.status, licenses.expiration_date, licenses.edition
         from licenses left join last_checks on last_checks.license_id = licenses.id
         where licenses.user_id = ?1 and licenses.user_id <> '' and licenses.code_id is null
             and licenses.moved_to is null
         order by licenses.id desc limit ?2",
        &[&customer, &limit],
        |row| {
        Ok(LooseMachine {
            machine: seated(row)?,
            tool_name: row.get(4)?,
            status: status(row, 5)?,
            expiration_date: match row.text(6)? {
                NEVER => None,
                _ => Some(day(row, 6)?),
            },
            edition: row.get(7)?,
        })
    },
    )
}

fn seated(row: &Row<'_>) -> Result<SeatedMachine> {
    Ok(SeatedMachine {
        license_id: row.get(0)?,
        license_key: row.get(1)?,
        hostname: row.get(2)?,
        last_seen_on: row.get(3)?,
    })
}

/// Replaces what people decide about a code, and brings its licenses in line.
pub fn update_code(
    db: &WriteTx<'_>,
    before: &ActivationCode,
    values: &CodeValues,
    now: OffsetDateTime,
) -> Result<(), Error> {
    activation_codes::write(db, before, values, now)?;
    let old = &before.values;
    let about = |values: &CodeValues| (values.customer.clone(), values.order_ref.clone());
    let is_same_customer = about(old) == about(values);
    let has_same_entitlements = old.entitlements == values.entitlements;
    if is_same_customer
        && has_same_entitlements
        && (old.status, old.term) == (values.status, values.term)
    {
        return Ok(());
    }
    for id in license_ids(db, before.id)? {
        let Some(license) = licenses::get(db, id)? else {
            continue;
        };
        if !has_same_entitlements {
            db.invalidate(&license.tool_name, &license.license_key);
        }
        if is_same_customer {
            licenses::settle(db, id, license.seat)?;
            continue;
        }
        let mut new = license.values.clone();
        for (value, old, new) in [
            (&mut new.user_id, &old.customer, &values.customer),
            (&mut new.order_ref, &old.order_ref, &values.order_ref),
        ] {
            // One that was changed by hand stays.
            if value.as_deref().unwrap_or_default() == old {
                *value = (!new.is_empty()).then(|| new.clone());
            }
        }
        licenses::update(db, &license, &new, now)?;
    }
    Ok(())
}
