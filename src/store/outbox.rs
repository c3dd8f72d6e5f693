//! The tables of mails and of what each is about.

use time::{Date, OffsetDateTime};

use super::db::{Db, Optional, Result, Row, Value};
use super::{WriteTx, day, moment, optional_moment, unreadable};
use crate::model::date;
use crate::model::mail::{INTERRUPTED, Mail, MailEvent, MailState, NewMail, RESTORED, Topic};
use crate::model::timeline::About;

const COLUMNS: &str = "mails.id, mails.created_at, mails.queued_at, mails.next_at, mails.ended_at, mails.event, \
     mails.message_id, mails.recipient, mails.customer, mails.language, mails.subject, mails.body, mails.state, \
     mails.attempts, mails.error";

/// Adds a waiting mail and returns its ID; none if there was one with this key.
pub fn add(
    db: &WriteTx<'_>,
    mail: &NewMail,
    topics: &[Topic],
    now: OffsetDateTime,
) -> Result<Option<i64>> {
    let id: Option<i64> = db.one(
        "insert into mails (created_at, queued_at, next_at, event, event_key, message_id, recipient,
             customer, language, subject, body, state, attempts, error)
         values (?1, ?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'waiting', 0, '')
         on conflict do nothing returning id",
        &[&now.unix_timestamp(), &mail.event.as_str(), &mail.key, &mail.message_id, &mail.recipient, &mail.customer, &mail.language, &mail.subject, &mail.body],
        |row| row.get(0),
    )
        .optional()?;
    for topic in topics.iter().filter(|_| id.is_some()) {
        db.run(
            "insert into mail_topics (mail_id, license_id, code_id, expiration_date, step)
             values (?1, ?2, ?3, ?4, ?5)",
            &[
                &id,
                &topic.license_id,
                &topic.code_id,
                &topic.expiration_date.map(date::format).unwrap_or_default(),
                &topic.step,
            ],
        )?;
    }
    Ok(id)
}

pub fn topics(db: &Db, mail_id: i64) -> Result<Vec<Topic>> {
    db.all("select license_id, code_id, expiration_date, step from mail_topics where mail_id = ?1 order by id", &[&mail_id], |row| {
        Ok(Topic {
            license_id: row.get(0)?,
            code_id: row.get(1)?,
            expiration_date: match row.text(2)? {
                "" => None,
                _ => Some(day(row, 2)?),
            },
            step: row.get(3)?,
        })
    })
}

pub fn get(db: &Db, id: i64) -> Result<Option<Mail>> {
    db.one(
        &format!("select {COLUMNS} from mails where id = ?1"),
        &[&id],
        mail,
    )
    .optional()
}

/// Empty for a mail by hand.
pub fn key(db: &Db, id: i64) -> Result<String> {
    db.one("select event_key from mails where id = ?1", &[&id], |row| {
        row.get(0)
    })
}

pub fn of_key(db: &Db, key: &str) -> Result<Option<Mail>> {
    db.one(
        &format!("select {COLUMNS} from mails where event_key = ?1 and event_key <> ''"),
        &[&key],
        mail,
    )
    .optional()
}

pub fn has_key(db: &Db, key: &str) -> Result<bool> {
    db.one(
        "select exists (select 1 from mails where event_key = ?1 and event_key <> '')",
        &[&key],
        |row| row.get(0),
    )
}

/// Waiting mails whose time has come, the first one first.
pub fn due(db: &Db, now: OffsetDateTime, limit: usize) -> Result<Vec<i64>> {
    db.all("select id from mails where state = 'waiting' and next_at <= ?1 order by next_at, id limit ?2", &[&now.unix_timestamp(), &(limit as i64)], |row| row.get(0))
}

/// When the mail server last took one.
pub fn last_sent(db: &Db) -> Result<Option<OffsetDateTime>> {
    db.one(
        "select ended_at from mails where state = 'sent' order by ended_at desc limit 1",
        &[],
        |row| moment(row, 0),
    )
    .optional()
}

/// Newest first, of one state or of all, older than `before`.
pub fn page(db: &Db, state: Option<MailState>, before: i64, limit: usize) -> Result<Vec<Mail>> {
    db.all(
        &format!(
        "select {COLUMNS} from mails where (?1 = '' or state = ?1) and id < ?2 order by id desc limit ?3"
    ),
        &[&state.map_or("", MailState::as_str), &before, &(limit as i64)],
        mail,
    )
}

/// At most `limit` that ended, or were queued, until then, newest first.
pub fn about(db: &Db, about: &About<'_>, until: i64, limit: i64) -> Result<Vec<Mail>> {
    let (condition, value) = match *about {
        About::License(id) => (
            "id in (select mail_id from mail_topics where license_id = ?1)",
            Value::from(id),
        ),
        About::Code(id) => (
            "id in (select mail_id from mail_topics where code_id = ?1)",
            Value::from(id),
        ),
        About::Order(id) => (
            "id in (select mail_topics.mail_id from mail_topics join order_codes
                 on order_codes.code_id = mail_topics.code_id where order_codes.order_id = ?1)",
            Value::from(id),
        ),
        About::Customer(name) => ("customer = ?1 and customer <> ''", Value::from(name)),
    };
    db.all(
        &format!(
            "select {COLUMNS} from mails where {condition} and coalesce(ended_at, created_at) <= ?2
         order by coalesce(ended_at, created_at) desc, id desc limit ?3"
        ),
        &[&value, &until, &limit],
        mail,
    )
}

/// By state; without those that have none.
pub fn counts(db: &Db) -> Result<Vec<(MailState, i64)>> {
    db.all(
        "select state, count(*) from mails group by state",
        &[],
        |row| Ok((state(row, 0)?, row.get(1)?)),
    )
}

pub fn set_text(
    db: &WriteTx<'_>,
    id: i64,
    recipient: &str,
    subject: &str,
    body: &str,
) -> Result<()> {
    db.run(
        "update mails set recipient = ?2, subject = ?3, body = ?4 where id = ?1",
        &[&id, &recipient, &subject, &body],
    )?;
    Ok(())
}

/// The next bytes may make the mail server take it. False if it no longer waits.
pub fn begin(db: &WriteTx<'_>, id: i64) -> Result<bool> {
    let changed = db.changed(
        "update mails set state = 'sending' where id = ?1 and state = 'waiting'",
        &[&id],
    )?;
    Ok(changed > 0)
}

pub fn has_begun(db: &Db) -> Result<bool> {
    db.one(
        "select exists (select 1 from mails where state = 'sending')",
        &[],
        |row| row.get(0),
    )
}

/// Nobody learned what became of the mails that were begun.
pub fn end_begun(db: &WriteTx<'_>, now: OffsetDateTime) -> Result<()> {
    doubt(db, "state = 'sending'", INTERRUPTED, now)
}

/// A backup does not know which of its mails were sent later.
pub fn end_restored(db: &WriteTx<'_>, now: OffsetDateTime) -> Result<()> {
    doubt(db, "state in ('waiting', 'sending')", RESTORED, now)
}

fn doubt(db: &WriteTx<'_>, which: &str, why: &str, now: OffsetDateTime) -> Result<()> {
    db.run(
        &format!("update mails set state = 'uncertain', error = ?1, ended_at = ?2 where {which}"),
        &[&why, &now.unix_timestamp()],
    )?;
    Ok(())
}

/// Stores state, time, attempts and error, unless the state is no longer `from`.
pub fn set_state(db: &WriteTx<'_>, from: MailState, mail: &Mail) -> Result<bool> {
    let changed = db.changed(
        "update mails set state = ?3, queued_at = ?4, next_at = ?5, ended_at = ?6, attempts = ?7, error = ?8
         where id = ?1 and state = ?2",
        &[&mail.id, &from.as_str(), &mail.state.as_str(), &mail.queued_at.unix_timestamp(), &mail.next_at.unix_timestamp(), &mail.ended_at.map(OffsetDateTime::unix_timestamp), &mail.attempts, &mail.error],
    )?;
    Ok(changed > 0)
}

/// Deletes what is old and settled.
pub fn prune(db: &WriteTx<'_>, before: OffsetDateTime) -> Result<()> {
    db.run(
        "delete from mails where created_at < ?1 and state in ('sent', 'dropped')",
        &[&before.unix_timestamp()],
    )?;
    Ok(())
}

/// Licenses that expire on this day and whose customers have an address and no such reminder yet: IDs of
/// customer and license. Those that were added after `added_before` are not told.
pub fn unreminded(
    db: &Db,
    last: Date,
    step: u16,
    added_before: OffsetDateTime,
    limit: usize,
) -> Result<Vec<(i64, i64)>> {
    db.all(
        "select customers.id, licenses.id from licenses
         join customers on customers.name = licenses.user_id
         where licenses.expiration_date = ?1 and licenses.status = 'activated' and licenses.moved_to is null
             and licenses.trial = '' and licenses.created_at < ?3 and customers.email <> ''
             and not exists (
                 select 1 from mail_topics where mail_topics.license_id = licenses.id
                 and mail_topics.expiration_date = ?1 and mail_topics.step between 1 and ?2)
             and not exists (
                 select 1 from activation_codes where activation_codes.id = licenses.code_id
                 and activation_codes.is_test = 1)
         order by customers.id, licenses.id limit ?4",
        &[&date::format(last), &step, &added_before.unix_timestamp(), &(limit as i64)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

fn state(row: &Row<'_>, column: usize) -> Result<MailState> {
    let word: String = row.get(column)?;
    MailState::from_word(&word).ok_or_else(|| unreadable(column, &word))
}

fn mail(row: &Row<'_>) -> Result<Mail> {
    let event: String = row.get(5)?;
    Ok(Mail {
        id: row.get(0)?,
        created_at: moment(row, 1)?,
        queued_at: moment(row, 2)?,
        next_at: moment(row, 3)?,
        ended_at: optional_moment(row, 4)?,
        event: MailEvent::from_word(&event).ok_or_else(|| unreadable(5, &event))?,
        message_id: row.get(6)?,
        recipient: row.get(7)?,
        customer: row.get(8)?,
        language: row.get(9)?,
        subject: row.get(10)?,
        body: row.get(11)?,
        state: state(row, 12)?,
        attempts: row.get(13)?,
        error: row.get(14)?,
    })
}
