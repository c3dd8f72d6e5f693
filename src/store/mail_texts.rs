//! The table of texts that replace the built-in ones.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::{WriteTx, unreadable};
use crate::model::mail::MailEvent;
use crate::model::mail_text::MailText;

/// Which text: an empty tool stands for all.
pub type TextKey = (String, MailEvent, String);

pub fn all(db: &Connection) -> Result<Vec<TextKey>> {
    db.prepare_cached(
        "select tool_name, event, language from mail_texts order by tool_name, event, language",
    )?
    .query_map([], |row| {
        let event: String = row.get(1)?;
        let event = MailEvent::from_word(&event).ok_or_else(|| unreadable(1, &event))?;
        Ok((row.get(0)?, event, row.get(2)?))
    })?
    .collect()
}

pub fn get(
    db: &Connection,
    tool_name: &str,
    event: MailEvent,
    language: &str,
) -> Result<Option<MailText>> {
    db.prepare_cached(
        "select subject, body from mail_texts where tool_name = ?1 and event = ?2 and language = ?3",
    )?
    .query_row(params![tool_name, event.as_str(), language], |row| {
        Ok(MailText {
            subject: row.get(0)?,
            body: row.get(1)?,
        })
    })
    .optional()
}

pub fn set(
    db: &WriteTx<'_>,
    tool_name: &str,
    event: MailEvent,
    language: &str,
    text: &MailText,
) -> Result<()> {
    db.prepare_cached(
        "insert into mail_texts (tool_name, event, language, subject, body) values (?1, ?2, ?3, ?4, ?5)
         on conflict (tool_name, event, language) do update
         set subject = excluded.subject, body = excluded.body",
    )?
    .execute(params![
        tool_name,
        event.as_str(),
        language,
        text.subject,
        text.body
    ])?;
    Ok(())
}

/// False if there was none.
pub fn delete(db: &WriteTx<'_>, tool_name: &str, event: MailEvent, language: &str) -> Result<bool> {
    let deleted = db
        .prepare_cached(
            "delete from mail_texts where tool_name = ?1 and event = ?2 and language = ?3",
        )?
        .execute(params![tool_name, event.as_str(), language])?;
    Ok(deleted > 0)
}

/// Texts follow a tool that gets another name.
pub fn rename_tool(db: &WriteTx<'_>, from: &str, to: &str) -> Result<()> {
    db.prepare_cached("delete from mail_texts where tool_name = ?1")?
        .execute([to])?;
    db.prepare_cached("update mail_texts set tool_name = ?2 where tool_name = ?1")?
        .execute([from, to])?;
    Ok(())
}
