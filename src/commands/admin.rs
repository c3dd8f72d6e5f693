//! The people who sign in.

use std::io::{self, BufRead, IsTerminal};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Refusal;
use crate::log::say;
use crate::model::audit::Actor;
use crate::model::user::UserValues;
use crate::service::Service;

/// Prompts for the password.
pub fn add(config: &Config, name: &str, role: &str, email: &str) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let values = UserValues::parse(name, email, role)?;
    let password = typed_password()?;
    service.add_person(&values, &password)?;
    say(&format!(
        "{} was added, with the role {}.",
        values.name,
        values.role.as_str()
    ));
    Ok(())
}

pub fn list(config: &Config) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    for person in service.people()?.0 {
        let values = person.user.values;
        let mut line = format!("{}\t{}", values.name, values.role.as_str());
        if person.user.is_disabled {
            line += "\tdisabled";
        }
        say(&line);
    }
    Ok(())
}

pub fn set_disabled(config: &Config, name: &str, is_disabled: bool) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let id = service.id_of_user(name)?;
    let actor = Actor::command_line();
    service.set_disabled(&actor, id, is_disabled)?;
    say(&match is_disabled {
        true => format!("{name} was disabled, and signed out everywhere."),
        false => format!("{name} can sign in again."),
    });
    Ok(())
}

fn typed_password() -> Result<String, Refusal> {
    ask_password().map_err(|e| Refusal(format!("Cannot read the password: {e}.")))
}

/// Prompts for the password.
pub fn set_password(config: &Config, name: &str, is_revoking: bool) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let password = typed_password()?;
    let tokens = service.set_password(name, &password, is_revoking)?;
    say(&format!(
        "The password of {name} was changed; all sessions of {name} have ended."
    ));
    match (tokens, is_revoking) {
        (0, _) => {}
        (_, true) => say(&format!(
            "API tokens of {name} that were revoked: {tokens}."
        )),
        (_, false) => say(&format!(
            "API tokens of {name} that still work: {tokens}. Revoke them on the account page, or all of \
             them with `license-server admin set-password --revoke-tokens`."
        )),
    }
    Ok(())
}

pub fn reset_two_factor(config: &Config, name: &str) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    service.reset_factor_of(name)?;
    say(&format!(
        "{name} no longer has a second factor; all sessions of {name} have ended."
    ));
    Ok(())
}

/// Of webhooks and shops, after the secret of `secret_file` was lost. Only if the signing keys can be decrypted: otherwise
/// the setting is wrong, and nothing is lost.
pub fn forget_secrets(config: &Config) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let forgotten = service.forget_lost_secrets()?;
    if forgotten.is_empty() {
        say("Nothing was forgotten: every secret of a webhook or a shop can be decrypted.");
    }
    for what in forgotten {
        say(&format!("{what} was forgotten. Replace it on its page."));
    }
    Ok(())
}

/// Without echo on a terminal, otherwise one line of standard input.
fn ask_password() -> io::Result<String> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("New password (at least 12 characters): ");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
