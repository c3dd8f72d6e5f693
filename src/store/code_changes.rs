//! The table of changes of activation codes, for undo.

use rusqlite::{Connection, OptionalExtension, Result, params};
use time::OffsetDateTime;

use super::unreadable;
use crate::model::activation_code::{ActivationCode, CodeValues};

pub struct CodeChange {
    pub code_id: i64,
    pub before: CodeValues,
    pub after: CodeValues,
    pub is_undone: bool,
}

/// Returns the ID of the change.
pub fn add(
    db: &Connection,
    before: &ActivationCode,
    after: &CodeValues,
    who: &str,
    now: OffsetDateTime,
) -> Result<i64> {
    db.prepare_cached(
        "insert into code_changes (code_id, at, who, before, after) values (?1, ?2, ?3, ?4, ?5)
         returning id",
    )?
    .query_row(
        params![
            before.id,
            now.unix_timestamp(),
            who,
            before.values.json(),
            after.json()
        ],
        |row| row.get(0),
    )
}

pub fn get(db: &Connection, id: i64) -> Result<Option<CodeChange>> {
    db.prepare_cached("select code_id, before, after, is_undone from code_changes where id = ?1")?
        .query_row([id], |row| {
            let values = |column: usize| {
                let text = row.get_ref(column)?.as_str()?;
                CodeValues::from_json(text).ok_or_else(|| unreadable(column, text))
            };
            Ok(CodeChange {
                code_id: row.get(0)?,
                before: values(1)?,
                after: values(2)?,
                is_undone: row.get(3)?,
            })
        })
        .optional()
}

pub fn set_undone(db: &Connection, id: i64) -> Result<()> {
    db.prepare_cached("update code_changes set is_undone = 1 where id = ?1")?
        .execute([id])?;
    Ok(())
}
