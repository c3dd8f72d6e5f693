//! The table of files that were sent to be imported.

use rusqlite::{Connection, OptionalExtension, Result, params};
use time::OffsetDateTime;

use super::moment;

/// A file that was sent, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The row's number.
    pub id: i64,
    /// When it was sent.
    pub at: OffsetDateTime,
    /// By whom.
    pub who: String,
    /// What the file is called.
    pub file_name: String,
    /// What the import has done, in words; none as long as it was not confirmed.
    pub result: Option<String>,
}

/// Keeps a file and returns its id.
pub fn add(
    db: &Connection,
    who: &str,
    file_name: &str,
    content: &str,
    now: OffsetDateTime,
) -> Result<i64> {
    db.prepare_cached(
        "insert into imports (at, who, file_name, content) values (?1, ?2, ?3, ?4) returning id",
    )?
    .query_row(
        params![now.unix_timestamp(), who, file_name, content],
        |row| row.get(0),
    )
}

/// One file.
pub fn get(db: &Connection, id: i64) -> Result<Option<Sent>> {
    db.prepare_cached("select id, at, who, file_name, result from imports where id = ?1")?
        .query_row([id], |row| {
            Ok(Sent {
                id: row.get(0)?,
                at: moment(row, 1)?,
                who: row.get(2)?,
                file_name: row.get(3)?,
                result: row.get(4)?,
            })
        })
        .optional()
}

/// The text of a file; empty when it was imported.
pub fn content(db: &Connection, id: i64) -> Result<Option<String>> {
    db.prepare_cached("select content from imports where id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()
}

/// Says what the import has done; the content goes.
pub fn set_done(db: &Connection, id: i64, result: &str) -> Result<()> {
    db.prepare_cached("update imports set content = '', result = ?2 where id = ?1")?
        .execute(params![id, result])?;
    Ok(())
}

/// Forgets a file.
pub fn delete(db: &Connection, id: i64) -> Result<()> {
    db.prepare_cached("delete from imports where id = ?1")?
        .execute([id])?;
    Ok(())
}

/// Forgets the files that were sent before that moment, and so many of those that wait that one less
/// than `most` is left.
pub fn prune(db: &Connection, before: OffsetDateTime, most: usize) -> Result<()> {
    db.prepare_cached(
        "delete from imports where at < ?1 or id in (
             select id from imports where result is null order by id desc limit -1 offset ?2)",
    )?
    .execute(params![before.unix_timestamp(), most as i64 - 1])?;
    Ok(())
}
