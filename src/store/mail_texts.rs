//! The table of texts that replace the built-in ones.

use super::db::{Db, Optional, Result};
use super::{WriteTx, unreadable};
use crate::model::mail::MailEvent;
use crate::model::mail_text::MailText;

/// Which text: an empty tool stands for all.
pub type TextKey = (String, MailEvent, String);

pub fn all(db: &Db) -> Result<Vec<TextKey>> {
    db.all(
        "select tool_name, event, language from mail_texts order by tool_name, event, language",
        &[],
        |row| {
            let event: String = row.get(1)?;
            let event = MailEvent::from_word(&event).ok_or_else(|| unreadable(1, &event))?;
            Ok((row.get(0)?, event, row.get(2)?))
        },
    )
}

pub fn get(db: &Db, tool_name: &str, event: MailEvent, language: &str) -> Result<Option<MailText>> {
    db.one("select subject, body from mail_texts where tool_name = ?1 and event = ?2 and language = ?3", &[&tool_name, &event.as_str(), &language], |row| {
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
    db.run(
        "insert into mail_texts (tool_name, event, language, subject, body) values (?1, ?2, ?3, ?4, ?5)
         on conflict (tool_name, event, language) do update
         set subject = excluded.subject, body = excluded.body",
        &[&tool_name, &event.as_str(), &language, &text.subject, &text.body],
    )?;
    Ok(())
}

/// False if there was none.
pub fn delete(db: &WriteTx<'_>, tool_name: &str, event: MailEvent, language: &str) -> Result<bool> {
    let deleted = db.changed(
        "delete from mail_texts where tool_name = ?1 and event = ?2 and language = ?3",
        &[&tool_name, &event.as_str(), &language],
    )?;
    Ok(deleted > 0)
}

/// Texts follow a tool that gets another name.
pub fn rename_tool(db: &WriteTx<'_>, from: &str, to: &str) -> Result<()> {
    db.run("delete from mail_texts where tool_name = ?1", &[&to])?;
    db.run(
        "update mail_texts set tool_name = ?2 where tool_name = ?1",
        &[&from, &to],
    )?;
    Ok(())
}
