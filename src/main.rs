//! The command line: read the configuration, do what was asked.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use license_server::commands::keys::{self, KeyForm};
use license_server::commands::{self, Format};
use license_server::config::{self, Config};
use license_server::server::{self, Mock};
use license_server::service::FIRST_USER;

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
    /// Import licenses from a table (CSV) or a JSON array; works while the server runs
    Import {
        /// The file, or - for standard input
        file: PathBuf,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Import the other rows where some are wrong
        #[arg(long)]
        leave_out_wrong: bool,
    },
    /// Write all licenses to standard output
    Export {
        /// As what
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
    },
    /// Answer every question in the same way, so that you can test what your program does then
    Mock(Mock),
    /// Look after the keys that answers are signed with; works while the server runs
    #[command(subcommand)]
    Keys(Keys),
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
enum Keys {
    /// List them, newest first
    List,
    /// Make one more
    Create,
    /// Put a key back from its exported private half
    Import {
        /// PKCS #8 in PEM; - for standard input
        file: PathBuf,
    },
    /// Let a key sign for clients that name none
    SetDefault {
        /// As `keys list` names it
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Let a key sign nothing any more
    Retire {
        /// As `keys list` names it
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Write the public half, for programs
    Export {
        /// As `keys list` names it
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// As what
        #[arg(long, value_enum, default_value_t = KeyForm::Pem)]
        format: KeyForm,
        /// The private half instead, as PKCS #8 in PEM: a backup, to be kept secret
        #[arg(long, conflicts_with = "format")]
        private: bool,
    },
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
        Some(Command::Mock(mock)) => server::serve_mock(config, mock),
        Some(Command::Keys(command)) => match command {
            Keys::List => keys::list(&config),
            Keys::Create => keys::create(&config),
            Keys::Import { file } => keys::import(&config, &file),
            Keys::SetDefault { kid } => keys::set_default(&config, &kid),
            Keys::Retire { kid } => keys::retire(&config, &kid),
            Keys::Export {
                kid,
                format,
                private,
            } => keys::export(&config, &kid, (!private).then_some(format)),
        },
        Some(Command::Audit(Audit::Verify)) => commands::verify_audit(&config),
        Some(Command::SeedDemo { licenses }) => commands::seed_demo(&config, licenses),
        Some(Command::Import {
            file,
            dry_run,
            leave_out_wrong,
        }) => commands::import(&config, &file, dry_run, leave_out_wrong),
        Some(Command::Export { format }) => commands::export(&config, format),
        Some(Command::Admin(Admin::SetPassword { name })) => commands::set_password(&config, &name),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            license_server::log::plain(&format!("license-server: {refusal}"));
            ExitCode::FAILURE
        }
    }
}
