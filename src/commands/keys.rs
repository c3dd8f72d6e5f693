//! The signing keys on the command line.

use std::path::Path;

use clap::ValueEnum;

use super::{confirms, read};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Refusal;
use crate::log::say;
use crate::model::audit::Actor;
use crate::model::date;
use crate::model::signing_key::SigningKey;
use crate::model::text::grouped;
use crate::service::{KeyFormat, Service};

/// The format of a public key.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KeyForm {
    /// For OpenSSL and .NET 5 and later
    Pem,
    /// For JavaScript, Java and Go
    Jwk,
    /// For license_client.py and LicenseClient.cs
    Xy,
}

pub fn list(config: &Config) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    for key in service.signing_keys()? {
        let state = match (key.is_default, key.retired_at) {
            (true, _) => "default",
            (false, None) => "ready",
            (false, Some(_)) => "retired",
        };
        let created = date::format(key.created_at.to_offset(config.utc_offset).date());
        let used = key.last_used_on.as_deref().unwrap_or("never");
        let saved = match key.exported_at {
            Some(at) => date::format(at.to_offset(config.utc_offset).date()),
            None => "never".to_owned(),
        };
        say(&format!(
            "{}  {state:8}  created {created}, last used {used}, {} answers, backed up {saved}",
            key.kid, key.answers
        ));
    }
    Ok(())
}

pub fn create(config: &Config) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let kid = service.create_key(&Actor::command_line())?;
    say(&format!(
        "Created the key {kid}. Ship its public key before you make it the default:"
    ));
    say(&service.public_key(&kid, KeyFormat::Xy)?);
    Ok(())
}

/// The file holds the private key; `-` is standard input.
pub fn import(config: &Config, file: &Path) -> Result<(), Refusal> {
    let service = Service::open_without_keys(config, Clock::System)?;
    let text = String::from_utf8_lossy(&read(file)?).into_owned();
    let kid = service.import_key(&Actor::command_line(), &text)?;
    say(&format!("The key {kid} is in the database."));
    Ok(())
}

/// The default key signs for clients that name no key.
pub fn set_default(config: &Config, kid: &str, is_sure: bool) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let keys = service.signing_keys()?;
    let before = keys.iter().find(|key| key.is_default && key.kid != kid);
    if let Some(before) = before
        && keys.iter().any(|key| key.kid == kid)
    {
        let what = format!(
            "{kid} will sign for programs that name no key, instead of {}. Of these, programs that pin only {} get \
             NO_ANSWER, and run until their leases end.",
            before.kid, before.kid
        );
        confirm(&what, "Make it the default?", is_sure)?;
    }
    service.set_default_key(&Actor::command_line(), kid)?;
    say(&format!("{kid} is now the default key."));
    if let Some(before) = before {
        say(&format!(
            "To undo it: license-server keys set-default {}",
            before.kid
        ));
    }
    Ok(())
}

/// Says what will happen; goes on if that is wanted.
fn confirm(what: &str, question: &str, is_sure: bool) -> Result<(), Refusal> {
    say(what);
    match is_sure || confirms(question)? {
        true => Ok(()),
        false => Err(Refusal(
            "Nothing was changed. Use --yes if this is what you want.".into(),
        )),
    }
}

/// A retired key no longer signs.
pub fn retire(config: &Config, kid: &str, is_sure: bool) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let keys = service.signing_keys()?;
    let is_usable =
        |key: &&SigningKey| key.kid == kid && !key.is_default && key.retired_at.is_none();
    if let Some(key) = keys.iter().find(is_usable) {
        let used = match &key.last_used_on {
            Some(day) => format!(
                "has signed {} answers, the last on {day}",
                grouped(key.answers)
            ),
            None => "has never signed an answer".to_owned(),
        };
        let what = format!(
            "{kid} {used}. It will sign nothing more: programs that pin only this key get NO_ANSWER, and run until \
             their leases end."
        );
        confirm(&what, "Retire it?", is_sure)?;
    }
    service.retire_key(&Actor::command_line(), kid)?;
    say(&format!("{kid} is retired."));
    say(&format!("To undo it: license-server keys restore {kid}"));
    Ok(())
}

/// The opposite of [`retire`].
pub fn restore(config: &Config, kid: &str) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    service.restore_key(&Actor::command_line(), kid)?;
    say(&format!("{kid} is no longer retired."));
    Ok(())
}

/// Prints the public key, or, without a format, the private key.
pub fn export(config: &Config, kid: &str, form: Option<KeyForm>) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let text = match form {
        Some(KeyForm::Pem) => service.public_key(kid, KeyFormat::Pem)?,
        Some(KeyForm::Jwk) => service.public_key(kid, KeyFormat::Jwk)?,
        Some(KeyForm::Xy) => service.public_key(kid, KeyFormat::Xy)?,
        None => service.private_key(&Actor::command_line(), kid)?,
    };
    say(text.trim_end());
    Ok(())
}
