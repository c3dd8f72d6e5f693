//! The tables of orders, of the codes that were made for them, and of what must happen to them only once.

use time::OffsetDateTime;

use super::db::{Db, Optional, Result, Row};
use super::{WriteTx, moment, unreadable};
use crate::model::license::Status;
use crate::model::order::{Held, Item, NewOrder, Order};
use crate::model::shops::generator_number;

const COLUMNS: &str = "id, created_at, source, order_ref, customer, is_test, is_erased, items, \
     is_taken_back, has_entitlements";

/// Adds an order and returns its ID.
pub fn add(
    db: &WriteTx<'_>,
    source: &str,
    order: &NewOrder,
    customer: &str,
    now: OffsetDateTime,
) -> Result<i64> {
    db.one(
        "insert into orders (created_at, source, order_ref, customer, is_test, items, has_entitlements)
         values (?1, ?2, ?3, ?4, ?5, ?6, 1) returning id",
        &[&now.unix_timestamp(), &source, &order.order_ref, &customer, &order.is_test, &Item::list_json(&order.items)],
        |row| row.get(0),
    )
}

pub fn add_code(db: &WriteTx<'_>, id: i64, code_id: i64, item: i64) -> Result<()> {
    db.run(
        "insert into order_codes (order_id, code_id, item) values (?1, ?2, ?3)",
        &[&id, &code_id, &item],
    )?;
    Ok(())
}

pub fn find(db: &Db, source: &str, order_ref: &str) -> Result<Option<Order>> {
    db.one(
        &format!("select {COLUMNS} from orders where source = ?1 and order_ref = ?2"),
        &[&source, &order_ref],
        order,
    )
    .optional()
}

pub fn get(db: &Db, id: i64) -> Result<Option<Order>> {
    db.one(
        &format!("select {COLUMNS} from orders where id = ?1"),
        &[&id],
        order,
    )
    .optional()
}

/// Newest first.
pub fn latest(db: &Db, limit: i64) -> Result<Vec<Order>> {
    db.all(
        &format!("select {COLUMNS} from orders order by id desc limit ?1"),
        &[&limit],
        order,
    )
}

/// Those with that reference, those that a shop calls so, and those of a generator with that order number; newest
/// first.
pub fn called(db: &Db, reference: &str, limit: i64) -> Result<Vec<Order>> {
    let number = generator_number(reference);
    db.all(
        &format!(
            "select {COLUMNS} from orders where id in (
             select id from orders where order_ref = ?1
             union
             select orders.id from shops
             join shop_references on shop_references.shop_id = shops.id
                 and shop_references.reference = ?1
             join orders on orders.source = 'shop ' || shops.id
                 and orders.order_ref = shop_references.order_ref
             union
             select id from orders where order_ref > ?2 || '/' and order_ref < ?2 || '0'
                 and source in (select 'shop ' || id from shops where kind = 'generator'))
         order by id desc limit ?3"
        ),
        &[&reference, &number, &limit],
        order,
    )
}

/// The order that a code was made for.
pub fn of_code(db: &Db, code_id: i64) -> Result<Option<i64>> {
    db.one(
        "select max(order_id) from order_codes where code_id = ?1",
        &[&code_id],
        |row| row.get(0),
    )
}

/// Of any source, newest first.
pub fn of_reference(db: &Db, order_ref: &str) -> Result<Vec<Order>> {
    db.all(
        &format!("select {COLUMNS} from orders where order_ref = ?1 order by id desc"),
        &[&order_ref],
        order,
    )
}

/// Newest first.
pub fn of_customer(db: &Db, customer: &str, limit: i64) -> Result<Vec<Order>> {
    db.all(
        &format!(
        "select {COLUMNS} from orders where customer = ?1 and customer <> '' order by id desc limit ?2"
    ),
        &[&customer, &limit],
        order,
    )
}

/// Item and ID of each code that was made for the order, in the order of its items.
pub fn codes(db: &Db, id: i64) -> Result<Vec<(i64, i64)>> {
    db.all(
        "select item, code_id from order_codes where order_id = ?1 order by item, code_id",
        &[&id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// What the order did to the status of that code.
pub fn held(db: &Db, id: i64, code_id: i64) -> Result<Held> {
    db.one(
        "select revoked_from, is_suspended from order_codes where order_id = ?1 and code_id = ?2",
        &[&id, &code_id],
        |row| {
            let word = row.text(0)?;
            let status = (!word.is_empty())
                .then(|| Status::from_word(word).ok_or_else(|| unreadable(0, word)));
            Ok(Held {
                revoked_from: status.transpose()?,
                is_suspended: row.get(1)?,
            })
        },
    )
}

pub fn set_held(db: &WriteTx<'_>, id: i64, code_id: i64, held: Held) -> Result<()> {
    let revoked_from = held.revoked_from.map_or("", Status::as_str);
    db.run("update order_codes set revoked_from = ?3, is_suspended = ?4 where order_id = ?1 and code_id = ?2", &[&id, &code_id, &revoked_from, &i64::from(held.is_suspended)])?;
    Ok(())
}

/// Whether the order suspended one of its codes.
pub fn is_suspended(db: &Db, id: i64) -> Result<bool> {
    db.one(
        "select exists (select 1 from order_codes where order_id = ?1 and is_suspended = 1)",
        &[&id],
        |row| row.get(0),
    )
}

pub fn count(db: &Db, source: &str) -> Result<i64> {
    db.one(
        "select count(*) from orders where source = ?1",
        &[&source],
        |row| row.get(0),
    )
}

/// Codes that a source has ordered since then.
pub fn codes_since(db: &Db, source: &str, since: OffsetDateTime) -> Result<i64> {
    db.one(
        "select count(*) from orders join order_codes on order_codes.order_id = orders.id
         where orders.source = ?1 and orders.created_at > ?2",
        &[&source, &since.unix_timestamp()],
        |row| row.get(0),
    )
}

pub fn set_customer(db: &WriteTx<'_>, id: i64, customer: &str) -> Result<()> {
    db.run(
        "update orders set customer = ?2 where id = ?1",
        &[&id, &customer],
    )?;
    Ok(())
}

/// Whoever bought was erased before.
pub fn set_erased(db: &WriteTx<'_>, id: i64) -> Result<()> {
    db.run("update orders set is_erased = 1 where id = ?1", &[&id])?;
    Ok(())
}

pub fn set_taken_back(db: &WriteTx<'_>, id: i64, is_taken_back: bool) -> Result<()> {
    db.run(
        "update orders set is_taken_back = ?2 where id = ?1",
        &[&id, &i64::from(is_taken_back)],
    )?;
    Ok(())
}

/// What was asked under that reference before.
pub fn event(db: &Db, id: i64, event_ref: &str) -> Result<Option<String>> {
    db.one(
        "select content from order_events where order_id = ?1 and event_ref = ?2",
        &[&id, &event_ref],
        |row| row.get(0),
    )
    .optional()
}

pub fn add_event(
    db: &WriteTx<'_>,
    id: i64,
    event_ref: &str,
    content: &str,
    now: OffsetDateTime,
) -> Result<()> {
    db.run(
        "insert into order_events (order_id, event_ref, at, content) values (?1, ?2, ?3, ?4)",
        &[&id, &event_ref, &now.unix_timestamp(), &content],
    )?;
    Ok(())
}

fn order(row: &Row<'_>) -> Result<Order> {
    let items: String = row.get(7)?;
    Ok(Order {
        id: row.get(0)?,
        created_at: moment(row, 1)?,
        source: row.get(2)?,
        order_ref: row.get(3)?,
        customer: row.get(4)?,
        is_test: row.get(5)?,
        is_erased: row.get(6)?,
        items: Item::list_from_json(&items).ok_or_else(|| unreadable(7, &items))?,
        is_taken_back: row.get(8)?,
        has_entitlements: row.get(9)?,
    })
}
