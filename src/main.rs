//! The command line: loads the configuration and runs a command.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use license_server::commands::admin;
use license_server::commands::audit::{self, AuditFormat};
use license_server::commands::backup::{self, BackupArgs, MoveArgs, RestoreArgs};
use license_server::commands::doctor::{self, DoctorArgs};
use license_server::commands::keys::{self, KeyForm};
use license_server::commands::{self, Format, ImportArgs};
use license_server::config::{self, Config};
use license_server::server::{self, Mock};
use license_server::service::FIRST_USER;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A self-hosted license server for people who sell Windows tools.
#[derive(Parser)]
#[command(version, after_help = config::help())]
struct Cli {
    /// Settings file; license-server.toml is read if it exists and no other is given
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C (the default)
    Serve,
    /// Fill the database with sample licenses
    SeedDemo {
        /// Number of licenses
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        licenses: u32,
    },
    /// Import licenses from an Excel, OpenDocument, CSV or JSON file; works while the server runs
    Import(ImportArgs),
    /// Write all licenses to standard output
    Export {
        /// Output format
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
    },
    /// Write a backup and prove it; works while the server runs
    Backup(BackupArgs),
    /// Put a backup in place of the database, while the server is stopped
    Restore(RestoreArgs),
    /// Move everything to PostgreSQL or back to a folder, while the server is stopped
    Move(MoveArgs),
    /// Run a mock server that always returns the same answer
    Mock(Mock),
    /// Manage signing keys; works while the server runs
    #[command(subcommand)]
    Keys(Keys),
    /// Verify or export the audit log; works while the server runs
    #[command(subcommand)]
    Audit(Audit),
    /// Look for what is wrong with the installation, from the database to the proxy; changes nothing
    Doctor(DoctorArgs),
    /// Manage the people who sign in
    #[command(subcommand)]
    Admin(Admin),
}

#[derive(Subcommand)]
enum Audit {
    /// Verify the hash chain; print the first broken entry
    Verify {
        /// Last hash at an earlier time, from the log or an earlier call: fail if its entry is gone
        #[arg(long, value_name = "HASH", allow_hyphen_values = true)]
        head: Option<String>,
    },
    /// Write all entries to standard output, oldest first
    Export {
        /// Output format
        #[arg(long, value_enum, default_value_t = AuditFormat::Csv)]
        format: AuditFormat,
    },
}

#[derive(Subcommand)]
enum Keys {
    /// List all keys, newest first
    List,
    /// Create a key
    Create,
    /// Restore a key from its exported private key
    Import {
        /// File with PKCS #8 in PEM, or - for standard input
        file: PathBuf,
    },
    /// Make a key the default, which signs for clients that name none
    SetDefault {
        /// Key id, see `keys list`
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Retire a key
    Retire {
        /// Key id, see `keys list`
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Put a retired key back into use
    Restore {
        /// Key id, see `keys list`
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Write the public key, for programs
    Export {
        /// Key id, see `keys list`
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Output format
        #[arg(long, value_enum, default_value_t = KeyForm::Pem)]
        format: KeyForm,
        /// Write the private key instead, as PKCS #8 in PEM: a backup, keep it secret
        #[arg(long, conflicts_with = "format")]
        private: bool,
    },
}

#[derive(Subcommand)]
enum Admin {
    /// Add a person; prompts for a password
    Add {
        /// User name
        name: String,
        /// What the person may do
        #[arg(long, default_value = "staff", value_parser = ["viewer", "staff", "owner"])]
        role: String,
        /// E-mail address
        #[arg(long, default_value = "")]
        email: String,
    },
    /// List the people who sign in
    List,
    /// Sign a person out everywhere, and refuse sign-in and API tokens
    Disable {
        /// User name
        name: String,
    },
    /// Let a disabled person sign in again
    Enable {
        /// User name
        name: String,
    },
    /// Set a user's password and end all sessions of that user; works while the server runs
    SetPassword {
        /// User name
        #[arg(default_value = FIRST_USER)]
        name: String,
        /// Also revoke all API tokens of that user
        #[arg(long)]
        revoke_tokens: bool,
    },
    /// Remove a lost second factor and end all sessions of that user; works while the server runs
    ResetTwoFactor {
        /// User name
        name: String,
    },
    /// Forget the secrets of webhooks and shops that cannot be decrypted, because the secret of secret_file is lost
    ForgetSecrets,
}

fn main() -> ExitCode {
    let Cli { config, command } = Cli::parse();
    let done = Config::load_here(config.as_deref()).and_then(|config| match command {
        None | Some(Command::Serve) => server::serve(config),
        Some(Command::Backup(args)) => backup::backup(&config, &args),
        Some(Command::Restore(args)) => backup::restore(&config, &args),
        Some(Command::Move(args)) => backup::move_database(&config, &args),
        Some(Command::Mock(mock)) => server::serve_mock(config, mock),
        Some(Command::Keys(command)) => match command {
            Keys::List => keys::list(&config),
            Keys::Create => keys::create(&config),
            Keys::Import { file } => keys::import(&config, &file),
            Keys::SetDefault { kid, yes } => keys::set_default(&config, &kid, yes),
            Keys::Retire { kid, yes } => keys::retire(&config, &kid, yes),
            Keys::Restore { kid } => keys::restore(&config, &kid),
            Keys::Export {
                kid,
                format,
                private,
            } => keys::export(&config, &kid, (!private).then_some(format)),
        },
        Some(Command::Audit(command)) => match command {
            Audit::Verify { head } => audit::verify(&config, head.as_deref()),
            Audit::Export { format } => audit::export(&config, format),
        },
        Some(Command::Doctor(args)) => doctor::doctor(&config, &args),
        Some(Command::SeedDemo { licenses }) => commands::seed_demo(&config, licenses),
        Some(Command::Import(args)) => commands::import(&config, &args),
        Some(Command::Export { format }) => commands::export(&config, format),
        Some(Command::Admin(command)) => match command {
            Admin::Add { name, role, email } => admin::add(&config, &name, &role, &email),
            Admin::List => admin::list(&config),
            Admin::Disable { name } => admin::set_disabled(&config, &name, true),
            Admin::Enable { name } => admin::set_disabled(&config, &name, false),
            Admin::SetPassword {
                name,
                revoke_tokens,
            } => admin::set_password(&config, &name, revoke_tokens),
            Admin::ResetTwoFactor { name } => admin::reset_two_factor(&config, &name),
            Admin::ForgetSecrets => admin::forget_secrets(&config),
        },
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            license_server::log::plain(&format!("license-server: {refusal}"));
            ExitCode::FAILURE
        }
    }
}
