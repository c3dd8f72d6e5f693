//! The table with at most one row: that and when the database was restored.

use super::db::{Db, Optional, Result};
use super::moment;
use crate::model::backup::Restored;

pub fn get(db: &Db) -> Result<Option<Restored>> {
    db.one(
        "select at, newest_at, is_ended from restores where id = 1",
        &[],
        |row| {
            Ok(Restored {
                at: moment(row, 0)?,
                newest_at: moment(row, 1)?,
                is_ended: row.get(2)?,
            })
        },
    )
    .optional()
}

pub fn set(db: &Db, restored: &Restored) -> Result<()> {
    db.run(
        "insert into restores (id, at, newest_at, is_ended) values (1, ?1, ?2, ?3)
         on conflict (id) do update
         set at = excluded.at, newest_at = excluded.newest_at, is_ended = excluded.is_ended",
        &[
            &restored.at.unix_timestamp(),
            &restored.newest_at.unix_timestamp(),
            &i64::from(restored.is_ended),
        ],
    )?;
    Ok(())
}
