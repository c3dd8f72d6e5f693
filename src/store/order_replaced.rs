//! What renewals replaced in codes, as long as they are not taken back.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::activation_codes::{entitlements, term, term_columns};
use super::{WriteTx, unreadable};
use crate::model::order::{Item, Replaced};

const COLUMNS: &str = "order_replaced.edition, order_replaced.features, '', order_replaced.updates_until, \
     order_replaced.expiration_date, order_replaced.days";

/// Which item of which order renewed which code.
#[derive(Debug, Clone, Copy)]
pub struct Renewal {
    pub order_id: i64,
    /// Counted from 0.
    pub item: i64,
    pub code_id: i64,
}

/// After all that renewed the code before.
pub fn add(db: &WriteTx<'_>, renewal: Renewal, before: &Replaced) -> Result<()> {
    let [edition, features, _, updates_until] = before.entitlements.texts();
    let (expiration_date, days) = before.term.map(term_columns).unwrap_or_default();
    db.prepare_cached(
        "insert into order_replaced (order_id, item, code_id, place, expiration_date, days, edition, features,
             updates_until)
         select ?1, ?2, ?3, coalesce(max(place), 0) + 1, ?4, ?5, ?6, ?7, ?8 from order_replaced where code_id = ?3",
    )?
    .execute(params![
        renewal.order_id,
        renewal.item,
        renewal.code_id,
        expiration_date,
        days,
        edition,
        features,
        updates_until,
    ])?;
    Ok(())
}

/// Removes and returns what it replaced.
pub fn take(db: &WriteTx<'_>, renewal: Renewal) -> Result<Option<Replaced>> {
    db.prepare_cached(&format!(
        "delete from order_replaced where order_id = ?1 and item = ?2 and code_id = ?3 returning {COLUMNS}"
    ))?
    .query_row(
        params![renewal.order_id, renewal.item, renewal.code_id],
        replaced,
    )
    .optional()
}

/// The renewals of the code after that one, with what each replaced.
pub fn later(db: &Connection, than: Renewal) -> Result<Vec<(Renewal, Item, Replaced)>> {
    db.prepare_cached(&format!(
        "select {COLUMNS}, order_replaced.order_id, order_replaced.item, orders.items
         from order_replaced join orders on orders.id = order_replaced.order_id
         where order_replaced.code_id = ?3 and order_replaced.place > (
             select place from order_replaced where order_id = ?1 and item = ?2 and code_id = ?3)
         order by order_replaced.place"
    ))?
    .query_map(params![than.order_id, than.item, than.code_id], |row| {
        let (items, at): (String, i64) = (row.get(8)?, row.get(7)?);
        let item = Item::from_json(&items).and_then(|items| {
            let at = usize::try_from(at).ok()?;
            items.into_iter().nth(at)
        });
        let renewal = Renewal {
            order_id: row.get(6)?,
            item: at,
            code_id: than.code_id,
        };
        let item = item.ok_or_else(|| unreadable(8, &items))?;
        Ok((renewal, item, replaced(row)?))
    })?
    .collect()
}

pub fn set(db: &WriteTx<'_>, renewal: Renewal, before: &Replaced) -> Result<()> {
    let [edition, features, _, updates_until] = before.entitlements.texts();
    let (expiration_date, days) = before.term.map(term_columns).unwrap_or_default();
    db.prepare_cached(
        "update order_replaced set expiration_date = ?4, days = ?5, edition = ?6, features = ?7, updates_until = ?8
         where order_id = ?1 and item = ?2 and code_id = ?3",
    )?
    .execute(params![
        renewal.order_id,
        renewal.item,
        renewal.code_id,
        expiration_date,
        days,
        edition,
        features,
        updates_until,
    ])?;
    Ok(())
}

fn replaced(row: &Row<'_>) -> Result<Replaced> {
    let is_kept = !row.get_ref(4)?.as_str()?.is_empty();
    Ok(Replaced {
        term: is_kept.then(|| term(row, 4)).transpose()?,
        entitlements: entitlements(row, 0)?,
    })
}
