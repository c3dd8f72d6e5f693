//! The table of uploaded files that wait to be imported.

use time::OffsetDateTime;

use super::db::{Db, Optional, Result};
use super::{moment, unreadable};
use crate::model::import::{ImportOptions, Upload};

/// Adds a file and returns its ID.
pub fn add(
    db: &Db,
    who: &str,
    file_name: &str,
    content: &str,
    notes: &[String],
    options: &ImportOptions,
    now: OffsetDateTime,
) -> Result<i64> {
    db.one(
        "insert into imports (at, who, file_name, content, notes, options)
         values (?1, ?2, ?3, ?4, ?5, ?6) returning id",
        &[
            &now.unix_timestamp(),
            &who,
            &file_name,
            &content,
            &notes.join("\n"),
            &json(options)?,
        ],
        |row| row.get(0),
    )
}

pub fn get(db: &Db, id: i64) -> Result<Option<Upload>> {
    db.one(
        "select id, at, who, file_name, bulk_id, notes, options from imports where id = ?1",
        &[&id],
        |row| {
            let (notes, options): (String, String) = (row.get(5)?, row.get(6)?);
            Ok(Upload {
                notes: notes.lines().map(str::to_owned).collect(),
                options: serde_json::from_str(&options).map_err(|_| unreadable(6, &options))?,
                id: row.get(0)?,
                at: moment(row, 1)?,
                who: row.get(2)?,
                file_name: row.get(3)?,
                bulk_id: row.get(4)?,
            })
        },
    )
    .optional()
}

/// The text of a file; empty once it is imported.
pub fn content(db: &Db, id: i64) -> Result<Option<String>> {
    db.one("select content from imports where id = ?1", &[&id], |row| {
        row.get(0)
    })
    .optional()
}

fn json(options: &ImportOptions) -> Result<String> {
    serde_json::to_string(options).map_err(|e| unreadable(0, &e.to_string()))
}

pub fn set_options(db: &Db, id: i64, options: &ImportOptions) -> Result<()> {
    let text = json(options)?;
    db.run(
        "update imports set options = ?2 where id = ?1 and bulk_id is null",
        &[&id, &text],
    )?;
    Ok(())
}

/// Records which bulk change the import was, and drops the content.
pub fn set_done(db: &Db, id: i64, bulk_id: i64) -> Result<()> {
    db.run(
        "update imports set content = '', bulk_id = ?2 where id = ?1",
        &[&id, &bulk_id],
    )?;
    Ok(())
}

pub fn delete(db: &Db, id: i64) -> Result<()> {
    db.run("delete from imports where id = ?1", &[&id])?;
    Ok(())
}

/// Deletes the files uploaded before that time, and the oldest of those waiting until fewer than
/// `limit` are left; never the file `running`.
pub fn prune(db: &Db, before: OffsetDateTime, limit: i64, running: Option<i64>) -> Result<()> {
    db.run(
        "delete from imports where id <> ?3 and (at < ?1 or bulk_id is null and id <= (
             select id from imports where bulk_id is null order by id desc limit 1 offset ?2))",
        &[
            &before.unix_timestamp(),
            &(limit - 1),
            &running.unwrap_or_default(),
        ],
    )?;
    Ok(())
}
