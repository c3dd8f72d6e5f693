//! What the command line does besides serving.

#![expect(
    clippy::print_stdout,
    reason = "the answer to the person who gave the command"
)]

use std::io::{self, BufRead, IsTerminal};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Refusal;
use crate::server;
use crate::service::Service;

/// Proves that the audit log is whole.
pub fn verify_audit(config: &Config) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let proof = service.verify_audit()?;
    println!("The audit log is whole: {} entries.", proof.entries);
    println!("Last hash: {}", proof.head);
    Ok(())
}

/// Adds that many invented licenses.
pub fn seed_demo(config: &Config, licenses: u32) -> Result<(), Refusal> {
    let (service, first) = Service::open(config, Clock::System)?;
    server::greet(first.as_ref());
    let added = service.seed_demo(licenses)?;
    println!("{added} invented licenses added.");
    Ok(())
}

/// Sets a user's password, which is asked for.
pub fn set_password(config: &Config, name: &str) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let password =
        ask_password().map_err(|e| Refusal(format!("The password cannot be read: {e}.")))?;
    service.set_password(name, &password)?;
    println!("The password of {name} is set; all sessions of {name} have ended.");
    Ok(())
}

/// Without echo from a terminal, otherwise one line of standard input.
fn ask_password() -> io::Result<String> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("New password (at least 12 characters): ");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
