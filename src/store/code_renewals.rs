//! The table of renewals and extensions of codes.

use time::Date;

use super::activation_codes::{entitlements, term, term_columns};
use super::db::{Db, Result};
use super::{WriteTx, unreadable};
use crate::model::activation_code::CodeValues;
use crate::model::date;
use crate::model::order::{Item, Renewal, Renewals};

/// The item of an extension of the order itself.
pub const EXTENSION: i64 = -1;

/// The latest of the code, whose values before it are these.
pub fn add(
    db: &WriteTx<'_>,
    (order_id, at): (i64, i64),
    code_id: i64,
    item: &Item,
    day: Date,
    before: &CodeValues,
) -> Result<()> {
    let [edition, features, _, updates_until] = before.entitlements.texts();
    let (expiration_date, days) = term_columns(before.term);
    db.run(
        "insert into code_renewals (code_id, order_id, item, content, day, is_active, expiration_date, days, edition,
             features, updates_until)
         values (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10)",
        &[&code_id, &order_id, &at, &item.json(), &date::format(day), &expiration_date, &days, &edition, &features, &updates_until],
    )?;
    Ok(())
}

/// All of a code, oldest first; `own` says which is that item of that order.
pub fn of_code(db: &Db, code_id: i64, own: (i64, i64)) -> Result<Renewals> {
    let sql = "select order_id, item, content, day, is_active, expiration_date, days, edition, features, '',
             updates_until
         from code_renewals where code_id = ?1 order by id";
    let mut all = Renewals::default();
    db.each(sql, &[&code_id], |row| {
        if all.steps.is_empty() {
            let is_kept = !row.text(5)?.is_empty();
            all.term = is_kept.then(|| term(row, 5)).transpose()?;
            all.entitlements = entitlements(row, 7)?;
        }
        if (row.get(0)?, row.get(1)?) == own {
            all.own = Some(all.steps.len());
        }
        let (content, day) = (row.text(2)?, row.text(3)?);
        all.steps.push(Renewal {
            item: Item::from_json(content).ok_or_else(|| unreadable(2, content))?,
            day: date::read(day).ok_or_else(|| unreadable(3, day))?,
            is_active: row.get(4)?,
        });
        Ok(true)
    })?;
    Ok(all)
}

/// The latest of an order, which was undone.
pub fn delete_extension(db: &WriteTx<'_>, order_id: i64, code_id: i64) -> Result<()> {
    db.run(
        "delete from code_renewals where id = (
             select max(id) from code_renewals where order_id = ?1 and code_id = ?2 and item = ?3)",
        &[&order_id, &code_id, &EXTENSION],
    )?;
    Ok(())
}

pub fn set_active(
    db: &WriteTx<'_>,
    (order_id, item): (i64, i64),
    code_id: i64,
    is_active: bool,
) -> Result<()> {
    db.run("update code_renewals set is_active = ?4 where order_id = ?1 and item = ?2 and code_id = ?3", &[&order_id, &item, &code_id, &i64::from(is_active)])?;
    Ok(())
}
