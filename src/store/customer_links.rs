//! The table of links to the customer's own page, and of the sessions that they become.

use time::OffsetDateTime;

use super::db::{Db, Optional, Result};
use super::{WriteTx, moment};

/// A session: of which customer, and since when.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    pub customer_id: i64,
    pub opened_at: OffsetDateTime,
}

pub fn add(db: &WriteTx<'_>, customer_id: i64, link_hash: &str, now: OffsetDateTime) -> Result<()> {
    db.run(
        "insert into customer_links (customer_id, created_at, link_hash, session_hash)
         values (?1, ?2, ?3, '')",
        &[&customer_id, &now.unix_timestamp(), &link_hash],
    )?;
    Ok(())
}

/// A link that was not used yet: its ID, the customer's, and when it was created.
pub fn unused(db: &Db, link_hash: &str) -> Result<Option<(i64, i64, OffsetDateTime)>> {
    db.one(
        "select id, customer_id, created_at from customer_links
         where link_hash = ?1 and opened_at is null",
        &[&link_hash],
        |row| Ok((row.get(0)?, row.get(1)?, moment(row, 2)?)),
    )
    .optional()
}

/// The link becomes a session.
pub fn open(db: &WriteTx<'_>, id: i64, session_hash: &str, now: OffsetDateTime) -> Result<()> {
    db.run(
        "update customer_links set opened_at = ?2, session_hash = ?3 where id = ?1",
        &[&id, &now.unix_timestamp(), &session_hash],
    )?;
    Ok(())
}

/// The session with that hash of its cookie, expired or not.
pub fn visit(db: &Db, session_hash: &str) -> Result<Option<Visit>> {
    db.one(
        "select customer_id, opened_at from customer_links
         where session_hash = ?1 and session_hash <> '' and opened_at is not null",
        &[&session_hash],
        |row| {
            Ok(Visit {
                customer_id: row.get(0)?,
                opened_at: moment(row, 1)?,
            })
        },
    )
    .optional()
}

/// Ends the session with that hash of its cookie.
pub fn delete(db: &WriteTx<'_>, session_hash: &str) -> Result<()> {
    db.run(
        "delete from customer_links where session_hash = ?1 and session_hash <> ''",
        &[&session_hash],
    )?;
    Ok(())
}

/// All links and sessions of a customer.
pub fn delete_of(db: &WriteTx<'_>, customer_id: i64) -> Result<()> {
    db.run(
        "delete from customer_links where customer_id = ?1",
        &[&customer_id],
    )?;
    Ok(())
}

pub fn delete_all(db: &Db) -> Result<()> {
    db.run("delete from customer_links", &[])?;
    Ok(())
}

/// Deletes links, used or not, that were created before.
pub fn prune(db: &WriteTx<'_>, before: OffsetDateTime) -> Result<()> {
    db.run(
        "delete from customer_links where created_at < ?1",
        &[&before.unix_timestamp()],
    )?;
    Ok(())
}
