//! The command line: read the configuration, do what was asked.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use license_server::clock::Clock;
use license_server::config::{self, Config};
use license_server::error::Refusal;
use license_server::server;
use license_server::service::{FIRST_USER, Service};

/// A self-hosted license server for people who sell Windows tools.
#[derive(Parser)]
#[command(version, after_help = config::help())]
struct Cli {
    /// The settings file; without it license-server.toml is read if it is there
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C (the default)
    Serve,
    /// Add that many invented licenses, to try things out
    SeedDemo {
        /// How many
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        licenses: u32,
    },
    /// Look after the audit log
    #[command(subcommand)]
    Audit(Audit),
    /// Manage the people who may sign in
    #[command(subcommand)]
    Admin(Admin),
}

#[derive(Subcommand)]
enum Audit {
    /// Prove that no entry was changed or taken out, or name the first one
    Verify,
}

#[derive(Subcommand)]
enum Admin {
    /// Set a password and end all sessions of that user; works while the server runs
    SetPassword {
        /// The user's name
        #[arg(default_value = FIRST_USER)]
        name: String,
    },
}

fn main() -> ExitCode {
    let Cli { config, command } = Cli::parse();
    let done = Config::load_here(config.as_deref()).and_then(|config| match command {
        None | Some(Command::Serve) => server::serve(config),
        Some(Command::Audit(Audit::Verify)) => verify_audit(&config),
        Some(Command::SeedDemo { licenses }) => seed_demo(&config, licenses),
        Some(Command::Admin(Admin::SetPassword { name })) => set_password(&config, &name),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            license_server::log::plain(&format!("license-server: {refusal}"));
            ExitCode::FAILURE
        }
    }
}

/// Should the database be new, its first password is shown: nobody could ever see it again.
fn open(config: &Config) -> Result<Service, Refusal> {
    let (service, first) = Service::open(config, Clock::System)?;
    if first.is_some() {
        server::greet(first.as_ref());
    }
    Ok(service)
}

#[expect(
    clippy::print_stdout,
    reason = "the answer to the person who gave the command"
)]
fn verify_audit(config: &Config) -> Result<(), Refusal> {
    let service = open(config)?;
    let proof = service.verify_audit()?;
    println!("The audit log is whole: {} entries.", proof.entries);
    println!("Last hash: {}", proof.head);
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "the answer to the person who gave the command"
)]
fn seed_demo(config: &Config, licenses: u32) -> Result<(), Refusal> {
    let service = open(config)?;
    let added = service.seed_demo(licenses)?;
    println!("{added} invented licenses added.");
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "the answer to the person who gave the command"
)]
fn set_password(config: &Config, name: &str) -> Result<(), Refusal> {
    let service = open(config)?;
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
