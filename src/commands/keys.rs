//! The signing keys on the command line.

use std::path::Path;

use clap::ValueEnum;

use super::read;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Refusal;
use crate::log::say;
use crate::model::audit::Actor;
use crate::model::new_license::format_date;
use crate::service::{Form, Service};

/// As what a public key is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KeyForm {
    /// For OpenSSL and .NET 5 and later
    Pem,
    /// For JavaScript, Java and Go
    Jwk,
    /// For license_client.py and LicenseClient.cs
    Xy,
}

/// Says what is known of each signing key.
pub fn list(config: &Config) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    for key in service.signing_keys()? {
        let state = match (key.is_default, key.retired_at) {
            (true, _) => "default",
            (false, None) => "ready",
            (false, Some(_)) => "retired",
        };
        let made = format_date(key.created_at.to_offset(config.utc_offset).date());
        let used = key.last_used_on.as_deref().unwrap_or("never");
        let saved = match key.exported_at {
            Some(at) => format_date(at.to_offset(config.utc_offset).date()),
            None => "never".to_owned(),
        };
        say(&format!(
            "{}  {state:8}  made {made}, last used {used}, {} answers, backed up {saved}",
            key.kid, key.answers
        ));
    }
    Ok(())
}

/// Makes a signing key.
pub fn create(config: &Config) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let kid = service.create_key(&Actor::command_line())?;
    say(&format!(
        "The key {kid} is made. Ship its public half before you make it the default:"
    ));
    say(&service.public_key(&kid, Form::Xy)?);
    Ok(())
}

/// Adds a key from its private half in a file; `-` is standard input.
pub fn import(config: &Config, file: &Path) -> Result<(), Refusal> {
    let service = Service::open_without_keys(config, Clock::System)?;
    let text = String::from_utf8_lossy(&read(file)?).into_owned();
    let kid = service.import_key(&Actor::command_line(), &text)?;
    say(&format!("The key {kid} is in the database."));
    Ok(())
}

/// Lets a key sign for clients that name none.
pub fn set_default(config: &Config, kid: &str) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    service.set_default_key(&Actor::command_line(), kid)?;
    say(&format!(
        "The key {kid} signs from now on for clients that name none."
    ));
    Ok(())
}

/// Lets a key sign nothing any more.
pub fn retire(config: &Config, kid: &str) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    service.retire_key(&Actor::command_line(), kid)?;
    say(&format!("The key {kid} signs nothing any more."));
    Ok(())
}

/// Writes the public half of a key, or, without a form, the private one.
pub fn export(config: &Config, kid: &str, form: Option<KeyForm>) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let text = match form {
        Some(KeyForm::Pem) => service.public_key(kid, Form::Pem)?,
        Some(KeyForm::Jwk) => service.public_key(kid, Form::Jwk)?,
        Some(KeyForm::Xy) => service.public_key(kid, Form::Xy)?,
        None => service.private_key(&Actor::command_line(), kid)?,
    };
    say(text.trim_end());
    Ok(())
}
