//! The table of webhooks.

use time::OffsetDateTime;

use super::db::{Db, Optional, Result, Row};
use super::{WriteTx, moment, optional_moment, unreadable};
use crate::model::webhook::{Webhook, WebhookState};
use crate::model::webhook_event::WebhookEvent;

const COLUMNS: &str = "id, created_at, url, description, events, secret, old_secret, old_until, state, taken_at, \
     paused_until";

/// Adds an enabled webhook without a secret and returns its ID.
pub fn add(
    db: &WriteTx<'_>,
    url: &str,
    description: &str,
    events: &[WebhookEvent],
    now: OffsetDateTime,
) -> Result<i64> {
    db.one(
        "insert into webhooks (created_at, url, description, events, secret, old_secret, old_until, state,
             paused_until)
         values (?1, ?2, ?3, ?4, '', '', 0, 'enabled', 0) returning id",
        &[&now.unix_timestamp(), &url, &description, &words(events)],
        |row| row.get(0),
    )
}

/// The first one first.
pub fn all(db: &Db) -> Result<Vec<Webhook>> {
    db.all(
        &format!("select {COLUMNS} from webhooks order by id"),
        &[],
        webhook,
    )
}

pub fn get(db: &Db, id: i64) -> Result<Option<Webhook>> {
    db.one(
        &format!("select {COLUMNS} from webhooks where id = ?1"),
        &[&id],
        webhook,
    )
    .optional()
}

pub fn set(db: &WriteTx<'_>, webhook: &Webhook) -> Result<()> {
    let (old_secret, old_until) = match &webhook.old_secret {
        Some((secret, until)) => (secret.as_str(), until.unix_timestamp()),
        None => ("", 0),
    };
    db.run(
        "update webhooks set url = ?2, description = ?3, events = ?4, secret = ?5, old_secret = ?6, old_until = ?7,
             state = ?8, taken_at = ?9, paused_until = ?10
         where id = ?1",
        &[&webhook.id, &webhook.url, &webhook.description, &words(&webhook.events), &webhook.secret, &old_secret, &old_until, &webhook.state.as_str(), &webhook.taken_at.map(OffsetDateTime::unix_timestamp), &webhook.paused_until.unix_timestamp()],
    )?;
    Ok(())
}

/// The present secret or the one before.
pub fn replace_secret(db: &WriteTx<'_>, id: i64, old: &str, new: &str) -> Result<()> {
    for column in ["secret", "old_secret"] {
        let sql = format!("update webhooks set {column} = ?3 where id = ?1 and {column} = ?2");
        db.run(&sql, &[&id, &old, &new])?;
    }
    Ok(())
}

/// With its deliveries.
pub fn delete(db: &WriteTx<'_>, id: i64) -> Result<()> {
    db.run("delete from webhooks where id = ?1", &[&id])?;
    Ok(())
}

fn words(events: &[WebhookEvent]) -> String {
    let words: Vec<&str> = events.iter().map(|event| event.as_str()).collect();
    words.join(" ")
}

fn webhook(row: &Row<'_>) -> Result<Webhook> {
    let (events, state): (String, String) = (row.get(4)?, row.get(8)?);
    let read = |word| WebhookEvent::from_word(word).ok_or_else(|| unreadable(4, word));
    let old_secret: String = row.get(6)?;
    Ok(Webhook {
        id: row.get(0)?,
        created_at: moment(row, 1)?,
        url: row.get(2)?,
        description: row.get(3)?,
        events: events.split_whitespace().map(read).collect::<Result<_>>()?,
        secret: row.get(5)?,
        old_secret: match old_secret.is_empty() {
            true => None,
            false => Some((old_secret, moment(row, 7)?)),
        },
        state: WebhookState::from_word(&state).ok_or_else(|| unreadable(8, &state))?,
        taken_at: optional_moment(row, 9)?,
        paused_until: moment(row, 10)?,
    })
}
