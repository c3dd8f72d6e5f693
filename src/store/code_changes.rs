//! The table of changes of activation codes, for undo.

use time::OffsetDateTime;

use super::db::{Db, Optional, Result};
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
    db: &Db,
    before: &ActivationCode,
    after: &CodeValues,
    who: &str,
    now: OffsetDateTime,
) -> Result<i64> {
    db.one(
        "insert into code_changes (code_id, at, who, before, after) values (?1, ?2, ?3, ?4, ?5)
         returning id",
        &[
            &before.id,
            &now.unix_timestamp(),
            &who,
            &before.values.json(),
            &after.json(),
        ],
        |row| row.get(0),
    )
}

pub fn get(db: &Db, id: i64) -> Result<Option<CodeChange>> {
    db.one(
        "select code_id, before, after, is_undone from code_changes where id = ?1",
        &[&id],
        |row| {
            let values = |column: usize| {
                let text = row.text(column)?;
                CodeValues::from_json(text).ok_or_else(|| unreadable(column, text))
            };
            Ok(CodeChange {
                code_id: row.get(0)?,
                before: values(1)?,
                after: values(2)?,
                is_undone: row.get(3)?,
            })
        },
    )
    .optional()
}

pub fn set_undone(db: &Db, id: i64) -> Result<()> {
    db.run(
        "update code_changes set is_undone = 1 where id = ?1",
        &[&id],
    )?;
    Ok(())
}
