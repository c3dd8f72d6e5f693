//! The tables of what shops told us, of the orders that it was about, and of these orders' money.

use std::collections::HashSet;

use time::{Duration, OffsetDateTime};

use super::db::{Db, Optional, Result, Row};
use super::{WriteTx, moment, unreadable};
use crate::model::shops::{EventState, FailedCalls, Outcome, Payment, StoredEvent};

const COLUMNS: &str =
    "id, received_at, happened_at, event_ref, kind, headers, body, state, outcome, reference";

/// Events of a shop that are kept, and for how long those that wait for their order.
const KEPT: i64 = 1_000;
const WAITING: Duration = Duration::days(90);

/// Adds an event, whose `id` does not count, and returns its ID; the oldest ones go.
pub fn add(db: &WriteTx<'_>, shop_id: i64, event: &StoredEvent) -> Result<i64> {
    let id = db.one(
        "insert into shop_events (shop_id, received_at, happened_at, event_ref, kind, headers, body,
             state, outcome, reference)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) returning id",
        &[&shop_id, &event.received_at.unix_timestamp(), &event.happened_at.unix_timestamp(), &event.event_ref, &event.kind, &event.headers, &event.body, &event.outcome.state.as_str(), &event.outcome.words, &event.reference],
        |row| row.get(0),
    )?;
    db.run(
        "delete from shop_events where shop_id = ?1 and (state <> 'waiting' or received_at < ?2)
         and id <= (select id from shop_events where shop_id = ?1 order by id desc limit 1 offset ?3)",
        &[&shop_id, &(event.received_at - WAITING).unix_timestamp(), &KEPT],
    )?;
    Ok(id)
}

/// Newest first.
pub fn latest(db: &Db, shop_id: i64, limit: i64) -> Result<Vec<StoredEvent>> {
    db.all(
        &format!("select {COLUMNS} from shop_events where shop_id = ?1 order by id desc limit ?2"),
        &[&shop_id, &limit],
        event,
    )
}

/// About an order by whatever reference, newest first.
pub fn of_order(db: &Db, shop_id: i64, order_ref: &str, limit: i64) -> Result<Vec<StoredEvent>> {
    db.all(
        &format!(
            "select {COLUMNS} from shop_events
         where shop_id = ?1 and reference <> '' and (reference = ?2 or reference in (
             select shop_references.reference from shop_references
             where shop_references.shop_id = ?1 and shop_references.order_ref = ?2))
         order by id desc limit ?3"
        ),
        &[&shop_id, &order_ref, &limit],
        event,
    )
}

/// What the shop calls an order besides its own reference.
pub fn references_of(db: &Db, shop_id: i64, order_ref: &str) -> Result<Vec<String>> {
    db.all(
        "select reference from shop_references
         where shop_id = ?1 and order_ref = ?2 and reference <> ?2 order by reference",
        &[&shop_id, &order_ref],
        |row| row.get(0),
    )
}

/// What each shop calls the orders of a customer.
pub fn references_of_customer(db: &Db, customer: &str) -> Result<HashSet<(i64, String)>> {
    db.all(
        "select shops.id, orders.order_ref from orders
         join shops on orders.source = 'shop ' || shops.id
         where orders.customer = ?1 and orders.customer <> ''
         union
         select shops.id, shop_references.reference from orders
         join shops on orders.source = 'shop ' || shops.id
         join shop_references on shop_references.shop_id = shops.id
             and shop_references.order_ref = orders.order_ref
         where orders.customer = ?1 and orders.customer <> ''",
        &[&customer],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

pub fn get(db: &Db, shop_id: i64, id: i64) -> Result<Option<StoredEvent>> {
    db.one(
        &format!("select {COLUMNS} from shop_events where shop_id = ?1 and id = ?2"),
        &[&shop_id, &id],
        event,
    )
    .optional()
}

pub fn find(db: &Db, shop_id: i64, event_ref: &str) -> Result<Option<StoredEvent>> {
    db.one(
        &format!(
        "select {COLUMNS} from shop_events where shop_id = ?1 and event_ref = ?2 and event_ref <> ''"
    ),
        &[&shop_id, &event_ref],
        event,
    )
    .optional()
}

/// Those that wait for an order with that reference, in the order in which they happened.
pub fn waiting(db: &Db, shop_id: i64, reference: &str) -> Result<Vec<StoredEvent>> {
    db.all(
        &format!(
            "select {COLUMNS} from shop_events
         where shop_id = ?1 and reference = ?2 and state = 'waiting' order by happened_at, id"
        ),
        &[&shop_id, &reference],
        event,
    )
}

/// The calls that have a body, each with its ID and the shop's.
pub fn bodies(db: &Db, mut each: impl FnMut(i64, i64, &str)) -> Result<()> {
    let sql = "select id, shop_id, body from shop_events where body <> ''";
    db.each(sql, &[], |row| {
        each(row.get(0)?, row.get(1)?, row.text(2)?);
        Ok(true)
    })
}

/// Calls of each shop that failed since then; shops without any are not there.
pub fn failed_since(db: &Db, since: OffsetDateTime) -> Result<Vec<FailedCalls>> {
    db.all(
        "select shops.id, shops.name, count(*)
         from shops join shop_events on shop_events.shop_id = shops.id
         where shop_events.state = 'failed' and shop_events.received_at >= ?1
         group by shops.id, shops.name order by shops.id desc",
        &[&since.unix_timestamp()],
        |row| {
            Ok(FailedCalls {
                shop_id: row.get(0)?,
                shop: row.get(1)?,
                number: row.get(2)?,
            })
        },
    )
}

/// What failed before and was about that order has its effect now.
pub fn settle(db: &WriteTx<'_>, shop_id: i64, reference: &str, outcome: &Outcome) -> Result<()> {
    db.run(
        "update shop_events set state = ?3, outcome = ?4
         where shop_id = ?1 and reference = ?2 and state = 'failed'",
        &[
            &shop_id,
            &reference,
            &outcome.state.as_str(),
            &outcome.words,
        ],
    )?;
    Ok(())
}

pub fn set_outcome(db: &WriteTx<'_>, id: i64, outcome: &Outcome, reference: &str) -> Result<()> {
    db.run(
        "update shop_events set state = ?2, outcome = ?3, reference = ?4 where id = ?1",
        &[&id, &outcome.state.as_str(), &outcome.words, &reference],
    )?;
    Ok(())
}

/// Removes what it says.
pub fn clear(db: &WriteTx<'_>, id: i64) -> Result<()> {
    db.run(
        "update shop_events set headers = '', body = '' where id = ?1",
        &[&id],
    )?;
    Ok(())
}

/// The order that the shop means.
pub fn order_of(db: &Db, shop_id: i64, reference: &str) -> Result<Option<String>> {
    db.one(
        "select order_ref from shop_references where shop_id = ?1 and reference = ?2",
        &[&shop_id, &reference],
        |row| row.get(0),
    )
    .optional()
}

/// From now on the shop means that order by the reference; false if it meant one before. The number of a customer
/// who was erased means what the customer buys again.
pub fn add_reference(
    db: &WriteTx<'_>,
    shop_id: i64,
    reference: &str,
    order_ref: &str,
) -> Result<bool> {
    let added = db.changed(
        "insert into shop_references (shop_id, reference, order_ref) values (?1, ?2, ?3)
         on conflict (shop_id, reference) do update set order_ref = excluded.order_ref
         where exists (
             select 1 from orders
             where orders.source = 'shop ' || shop_references.shop_id
                 and orders.order_ref = shop_references.order_ref and orders.is_erased = 1)",
        &[&shop_id, &reference, &order_ref],
    )?;
    Ok(added > 0)
}

pub fn payment(db: &Db, shop_id: i64, order_ref: &str) -> Result<Payment> {
    let found = db
        .one(
            "select is_refunded, is_disputed, disputed_at from shop_payments
         where shop_id = ?1 and order_ref = ?2",
            &[&shop_id, &order_ref],
            |row| {
                Ok(Payment {
                    is_refunded: row.get(0)?,
                    is_disputed: row.get(1)?,
                    disputed_at: row.get(2)?,
                })
            },
        )
        .optional()?;
    Ok(found.unwrap_or_default())
}

pub fn set_payment(
    db: &WriteTx<'_>,
    shop_id: i64,
    order_ref: &str,
    payment: Payment,
) -> Result<()> {
    db.run(
        "insert into shop_payments (shop_id, order_ref, is_refunded, is_disputed, disputed_at)
         values (?1, ?2, ?3, ?4, ?5)
         on conflict (shop_id, order_ref) do update
         set is_refunded = excluded.is_refunded, is_disputed = excluded.is_disputed,
             disputed_at = excluded.disputed_at",
        &[
            &shop_id,
            &order_ref,
            &i64::from(payment.is_refunded),
            &i64::from(payment.is_disputed),
            &payment.disputed_at,
        ],
    )?;
    Ok(())
}

fn event(row: &Row<'_>) -> Result<StoredEvent> {
    let state: String = row.get(7)?;
    Ok(StoredEvent {
        id: row.get(0)?,
        received_at: moment(row, 1)?,
        happened_at: moment(row, 2)?,
        event_ref: row.get(3)?,
        kind: row.get(4)?,
        headers: row.get(5)?,
        body: row.get(6)?,
        outcome: Outcome {
            state: EventState::from_word(&state).ok_or_else(|| unreadable(7, &state))?,
            words: row.get(8)?,
        },
        reference: row.get(9)?,
    })
}
