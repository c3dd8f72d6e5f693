//! The licenses of an activation code.

use rusqlite::{Connection, Result};
use time::OffsetDateTime;

use super::{WriteTx, activation_codes, licenses};
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, CodeValues};

/// Licenses of the code, whatever their status.
pub fn used(db: &Connection, id: i64) -> Result<i64> {
    db.prepare_cached("select count(*) from licenses where code_id = ?1")?
        .query_row([id], |row| row.get(0))
}

/// The IDs of these licenses, the first one first.
pub fn license_ids(db: &Connection, id: i64) -> Result<Vec<i64>> {
    db.prepare_cached("select id from licenses where code_id = ?1 order by id")?
        .query_map([id], |row| row.get(0))?
        .collect()
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
    if is_same_customer && (old.status, old.term) == (values.status, values.term) {
        return Ok(());
    }
    for id in license_ids(db, before.id)? {
        let Some(license) = licenses::get(db, id)? else {
            continue;
        };
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
