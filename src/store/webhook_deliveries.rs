//! The table of events on their way to receivers of webhooks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::OffsetDateTime;

use super::db::{Db, Optional, Result, Row};
use super::{
    WriteTx, activation_codes, licenses, moment, optional_moment, random, unreadable, webhooks,
};
use crate::error::Error;
use crate::model::audit::Event;
use crate::model::webhook::{DeliveryState, WebhookDelivery};
use crate::model::webhook_body::{About, body};
use crate::model::webhook_event::WebhookEvent;

const COLUMNS: &str = "id, webhook_id, created_at, queued_at, next_at, ended_at, event, message_id, body, state, \
     attempts, status, answer";

/// Adds what receivers are told of an event of the audit log, in its transaction.
pub(super) fn tell(
    db: &WriteTx<'_>,
    event: &Event,
    audit_id: i64,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let Some(told) = event.told else {
        return Ok(());
    };
    let mut enabled = db.webhooks.borrow_mut();
    let enabled = match &mut *enabled {
        Some(known) => known,
        unknown => {
            let all = webhooks::all(db)?.into_iter();
            unknown.insert(all.filter(|webhook| webhook.is_enabled()).collect())
        }
    };
    let mut receivers = enabled
        .iter()
        .filter(|webhook| webhook.events.is_empty() || webhook.events.contains(&told))
        .peekable();
    if receivers.peek().is_none() {
        return Ok(());
    }
    let text = body(told, event, audit_id, &about(db, told, event)?, now);
    for webhook in receivers {
        add(db, webhook.id, told, &text, now)?;
    }
    Ok(())
}

fn about(db: &Db, told: WebhookEvent, event: &Event) -> Result<About> {
    let license = |id: Option<i64>| match id {
        Some(id) => licenses::get(db, id),
        None => Ok(None),
    };
    let is_of_code = [WebhookEvent::CodeUpdated, WebhookEvent::CodeActivated].contains(&told);
    let code = match event.code_id.filter(|_| is_of_code) {
        Some(id) => activation_codes::get(db, id)?,
        None => None,
    };
    let about = license(event.license_id)?;
    Ok(match told {
        WebhookEvent::LicenseMoved => About {
            license: license(about.as_ref().and_then(|old| old.moved_to))?,
            moved_from: about,
            code,
        },
        _ => About {
            license: about,
            moved_from: None,
            code,
        },
    })
}

pub fn add(
    db: &WriteTx<'_>,
    webhook_id: i64,
    event: WebhookEvent,
    body: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let message_id = format!("msg_{}", URL_SAFE_NO_PAD.encode(random::<18>()?));
    db.run(
        "insert into webhook_deliveries (webhook_id, created_at, queued_at, next_at, event, message_id, body,
             state, attempts, answer)
         values (?1, ?2, ?2, ?2, ?3, ?4, ?5, 'waiting', 0, '')",
        &[&webhook_id, &now.unix_timestamp(), &event.as_str(), &message_id, &body],
    )?;
    Ok(())
}

pub fn get(db: &Db, id: i64) -> Result<Option<WebhookDelivery>> {
    db.one(
        &format!("select {COLUMNS} from webhook_deliveries where id = ?1"),
        &[&id],
        delivery,
    )
    .optional()
}

/// Waiting ones whose time has come, the first one first.
pub fn due(
    db: &Db,
    webhook_id: i64,
    now: OffsetDateTime,
    limit: usize,
) -> Result<Vec<WebhookDelivery>> {
    db.all(
        &format!(
        "select {COLUMNS} from webhook_deliveries
         where webhook_id = ?1 and state = 'waiting' and next_at <= ?2 order by next_at, id limit ?3"
    ),
        &[&webhook_id, &now.unix_timestamp(), &(limit as i64)],
        delivery,
    )
}

/// Newest first, of one state or of all, older than `before`.
pub fn page(
    db: &Db,
    webhook_id: i64,
    state: Option<DeliveryState>,
    before: i64,
    limit: usize,
) -> Result<Vec<WebhookDelivery>> {
    db.all(
        &format!(
            "select {COLUMNS} from webhook_deliveries
         where webhook_id = ?1 and (?2 = '' or state = ?2) and id < ?3 order by id desc limit ?4"
        ),
        &[
            &webhook_id,
            &state.map_or("", DeliveryState::as_str),
            &before,
            &(limit as i64),
        ],
        delivery,
    )
}

/// By webhook and state; without those that have none.
pub fn counts(db: &Db) -> Result<Vec<(i64, DeliveryState, i64)>> {
    db.all(
        "select webhook_id, state, count(*) from webhook_deliveries group by webhook_id, state",
        &[],
        |row| Ok((row.get(0)?, state(row, 1)?, row.get(2)?)),
    )
}

/// By webhook: events that failed since then, and are not being tried again.
pub fn failed_since(db: &Db, since: OffsetDateTime) -> Result<Vec<(i64, i64)>> {
    db.all(
        "select webhook_id, count(*) from webhook_deliveries
         where state = 'failed' and ended_at >= ?1 group by webhook_id",
        &[&since.unix_timestamp()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// The one that failed and is tried again at that moment.
pub fn tried_again_at(
    db: &Db,
    webhook_id: i64,
    at: OffsetDateTime,
) -> Result<Option<WebhookDelivery>> {
    db.one(
        &format!(
        "select {COLUMNS} from webhook_deliveries
         where webhook_id = ?1 and state = 'waiting' and next_at = ?2 and attempts > 0 order by id limit 1"
    ),
        &[&webhook_id, &at.unix_timestamp()],
        delivery,
    )
    .optional()
}

/// Stores state, times, attempts and answer, unless somebody else changed it since `before`.
pub fn set_state(
    db: &WriteTx<'_>,
    before: &WebhookDelivery,
    after: &WebhookDelivery,
) -> Result<bool> {
    let changed = db.changed(
        "update webhook_deliveries set state = ?4, queued_at = ?5, next_at = ?6, ended_at = ?7, attempts = ?8,
             status = ?9, answer = ?10
         where id = ?1 and state = ?2 and queued_at = ?3",
        &[&before.id, &before.state.as_str(), &before.queued_at.unix_timestamp(), &after.state.as_str(), &after.queued_at.unix_timestamp(), &after.next_at.unix_timestamp(), &after.ended_at.map(OffsetDateTime::unix_timestamp), &after.attempts, &after.status, &after.answer],
    )?;
    Ok(changed > 0)
}

/// What waits is tried as if it were new.
pub fn queue_again(db: &WriteTx<'_>, webhook_id: i64, now: OffsetDateTime) -> Result<()> {
    db.run(
        "update webhook_deliveries set queued_at = ?2, next_at = ?2, attempts = 0
         where webhook_id = ?1 and state = 'waiting'",
        &[&webhook_id, &now.unix_timestamp()],
    )?;
    Ok(())
}

/// Deletes what is old, also what waits for somebody to enable its webhook.
pub fn prune(db: &WriteTx<'_>, before: OffsetDateTime) -> Result<()> {
    db.run(
        "delete from webhook_deliveries where created_at < ?1",
        &[&before.unix_timestamp()],
    )?;
    Ok(())
}

fn state(row: &Row<'_>, column: usize) -> Result<DeliveryState> {
    let word: String = row.get(column)?;
    DeliveryState::from_word(&word).ok_or_else(|| unreadable(column, &word))
}

fn delivery(row: &Row<'_>) -> Result<WebhookDelivery> {
    let event: String = row.get(6)?;
    Ok(WebhookDelivery {
        id: row.get(0)?,
        webhook_id: row.get(1)?,
        created_at: moment(row, 2)?,
        queued_at: moment(row, 3)?,
        next_at: moment(row, 4)?,
        ended_at: optional_moment(row, 5)?,
        event: WebhookEvent::from_word(&event).ok_or_else(|| unreadable(6, &event))?,
        message_id: row.get(7)?,
        body: row.get(8)?,
        state: state(row, 9)?,
        attempts: row.get(10)?,
        status: row.get(11)?,
        answer: row.get(12)?,
    })
}
