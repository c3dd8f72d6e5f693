//! Which text a mail has, and the vendor's own ones.

use rocket::http::RawStr;

use super::Service;
use super::mailer::FailedText;
use super::tools::NO_SUCH_TOOL;
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::customer::{is_language_code, no_language};
use crate::model::mail::MailEvent;
use crate::model::mail_text::{Facts, LANGUAGES, MailText, built_in, sample};
use crate::store::mail_texts::{self, TextKey};
use crate::store::{Db, audit};

impl Service {
    /// The text in the customer's language or ours, of the tool or of all, rendered; with the language it is in.
    /// A text of the vendor that fails gives way to the built-in one, so that no mail is lost.
    pub(super) fn text_of(
        &self,
        db: &Db,
        event: MailEvent,
        tool_name: &str,
        language: &str,
        facts: &Facts,
    ) -> Result<(String, MailText), Error> {
        let own = &*self.mailer.language;
        for language in [language, own, "en"] {
            for tool in [tool_name, ""] {
                let Some(text) = mail_texts::get(db, tool, event, language)? else {
                    continue;
                };
                match text.render(facts) {
                    Ok(text) => return Ok((language.to_owned(), text)),
                    Err(error) => {
                        self.log.event(
                            "mail_text_failed",
                            &[
                                ("kind", &event.as_str()),
                                ("language", &language),
                                ("tool", &tool),
                            ],
                        );
                        let key = (tool.to_owned(), event, language.to_owned());
                        let mut failed = self.mailer.failed_texts.lock();
                        failed.retain(|one| one.text != key);
                        failed.push(FailedText {
                            text: key,
                            at: self.now(),
                            why: error.to_string(),
                        });
                    }
                }
            }
            if LANGUAGES.iter().any(|(built_in, _)| *built_in == language) {
                let text = built_in(event, language).render(facts)?;
                return Ok((language.to_owned(), text));
            }
        }
        Err(Error::Internal(format!("no text for {}", event.as_str())))
    }

    /// The page where a code of that tool is entered.
    pub(super) fn claim_url(&self, tool_name: &str) -> String {
        let base = &self.mailer.server_url;
        match tool_name {
            "" => format!("{base}/claim"),
            tool => format!("{base}/claim?tool={}", RawStr::new(tool).percent_encode()),
        }
    }

    /// The vendor's own texts.
    pub fn mail_texts(&self) -> Result<Vec<TextKey>, Error> {
        self.store.read(mail_texts::all)
    }

    /// Those of them that have failed since the server started, and were not changed since.
    pub fn failed_mail_texts(&self) -> Result<Vec<FailedText>, Error> {
        let failed = self.mailer.failed_texts.lock().clone();
        if failed.is_empty() {
            return Ok(failed);
        }
        let own = self.mail_texts()?;
        let is_own = |one: &FailedText| own.contains(&one.text);
        Ok(failed.into_iter().filter(is_own).collect())
    }

    fn forget_failure(&self, tool_name: &str, event: MailEvent, language: &str) {
        let is_other = |one: &FailedText| {
            (&*one.text.0, one.text.1, &*one.text.2) != (tool_name, event, language)
        };
        self.mailer.failed_texts.lock().retain(is_other);
    }

    /// The text that the vendor has set for this tool, or for all tools, or the built-in one; whether it is this tool's.
    pub fn mail_text(
        &self,
        tool_name: &str,
        event: MailEvent,
        language: &str,
    ) -> Result<(MailText, bool), Error> {
        let (own, of_all) = self.store.read_tx(|db| {
            Ok((
                mail_texts::get(db, tool_name, event, language)?,
                mail_texts::get(db, "", event, language)?,
            ))
        })?;
        let is_own = own.is_some();
        let text = own.or(of_all);
        Ok((text.unwrap_or_else(|| built_in(event, language)), is_own))
    }

    /// What a text becomes with values that are made up.
    pub fn preview_mail(&self, tool_name: &str, text: &MailText) -> Result<MailText, Error> {
        text.render(&sample(tool_name, &self.mailer.server_url))
    }

    /// Refuses a text that cannot be rendered.
    pub fn set_mail_text(
        &self,
        actor: &Actor,
        tool_name: &str,
        event: MailEvent,
        language: &str,
        text: &MailText,
    ) -> Result<(), Error> {
        self.preview_mail(tool_name, text)?;
        let is_tool = tool_name.is_empty() || self.tool_names()?.iter().any(|t| t == tool_name);
        if !is_tool {
            return Err(NO_SUCH_TOOL);
        }
        if !is_language_code(language) {
            return Err(Error::Invalid(vec![no_language(language)]));
        }
        text.can_be_edited()?;
        self.store.write(|db| {
            mail_texts::set(db, tool_name, event, language, text)?;
            audit::append(db, changed(actor, tool_name, event, language), self.now())?;
            Ok(())
        })?;
        self.forget_failure(tool_name, event, language);
        Ok(())
    }

    /// The built-in text counts again.
    pub fn delete_mail_text(
        &self,
        actor: &Actor,
        tool_name: &str,
        event: MailEvent,
        language: &str,
    ) -> Result<(), Error> {
        self.store.write(|db| {
            if mail_texts::delete(db, tool_name, event, language)? {
                audit::append(db, changed(actor, tool_name, event, language), self.now())?;
            }
            Ok(())
        })
    }
}

fn changed(actor: &Actor, tool_name: &str, event: MailEvent, language: &str) -> Event {
    let tool = if tool_name.is_empty() {
        "all tools"
    } else {
        tool_name
    };
    Event::new(Kind::MailTextChanged, actor)
        .with("event", event.as_str())
        .with("language", language)
        .with("tool_name", tool)
}
