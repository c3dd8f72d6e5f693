//! Backups on the command line: making, proving and restoring them.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rocket::tokio::runtime::{Builder, Runtime};
use rocket::tokio::signal::unix::{SignalKind, signal};
use rocket::tokio::time::sleep;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use crate::clock::Clock;
use crate::config::{Config, PostgresUrl, without_password};
use crate::error::Refusal;
use crate::log::{plain, say};
use crate::model::audit::Actor;
use crate::service::{
    Contents, Restoration, RestoreOptions, Service, Target, give_way, open_backup, verify_backup,
};

/// How long an interrupted backup may take to remove what it has written.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Debug, Args)]
pub struct BackupArgs {
    /// File to write, or - for standard output
    file: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    replace: bool,
    /// Prove an existing backup without changing anything
    #[arg(long, conflicts_with = "replace")]
    verify: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Backup, or - for standard input
    #[arg(required_unless_present = "end")]
    file: Option<PathBuf>,
    /// Put it in place of an existing database, which is kept beside it
    #[arg(long)]
    replace: bool,
    /// Also revoke all API tokens, those that were revoked after the backup included
    #[arg(long)]
    revoke_tokens: bool,
    /// End the state after a restore: refuse machines without a license again; works while the server runs
    #[arg(long, conflicts_with_all = ["file", "replace", "revoke_tokens"])]
    end: bool,
}

#[derive(Debug, Args)]
pub struct MoveArgs {
    /// An empty database such as `postgres://user:password@db.example.com/licenses`, or a folder
    #[arg(long)]
    to: String,
}

pub fn move_database(config: &Config, args: &MoveArgs) -> Result<(), Refusal> {
    let (to, setting) = match PostgresUrl::parse(&args.to) {
        Some(url) => (Target::Postgres(url), "database"),
        None if args.to.contains("://") => {
            return Err(Refusal(format!(
                "--to `{}` is neither a folder nor an address such as `postgres://user:password@host/database`.",
                without_password(&args.to)
            )));
        }
        None => (Target::Folder(PathBuf::from(&args.to)), "data_dir"),
    };
    let contents = crate::service::move_database(config, Clock::System, &to)?;
    tell(say, "Moved everything.", &contents);
    say(&format!(
        "Next: set `{setting}` to the new database{}, and start the server. The old database is unchanged; do not start \
         a server on it again.",
        match to {
            Target::Postgres(_) => "",
            Target::Folder(_) => ", remove the setting `database`",
        }
    ));
    Ok(())
}

pub fn backup(config: &Config, args: &BackupArgs) -> Result<(), Refusal> {
    let file = args.file.display();
    give_way();
    if args.verify {
        let contents = verify_backup(config, &args.file)?;
        tell(say, &format!("{file} is a good backup."), &contents);
        return Ok(());
    }
    // A missing key is found in the copy, and recorded.
    let service = Arc::new(Service::open_without_keys(config, Clock::System)?);
    let _signals = stopped_by_signals(&service)
        .map_err(|e| Refusal(format!("The system gives no thread: {e}.")))?;
    if args.file.as_os_str() == "-" {
        let contents = service.send_backup(&mut io::stdout().lock())?;
        let sent = "The backup was sent to standard output. It is good.";
        tell(plain, sent, &contents);
        return Ok(());
    }
    let contents = service.back_up(&args.file, args.replace)?;
    tell(say, &format!("Wrote {file}. It is good."), &contents);
    Ok(())
}

/// Every customer and every private key are in a copy, so an interrupted one must not be left behind. Works as long
/// as what it returns exists.
fn stopped_by_signals(service: &Arc<Service>) -> io::Result<Runtime> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let entered = runtime.enter();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let (mut signals, service) = (signal(kind)?, Arc::clone(service));
        runtime.spawn(async move {
            signals.recv().await;
            service.stop_backup();
            // It may be waiting for whoever reads what it sends.
            sleep(PATIENCE).await;
            std::process::exit(1);
        });
    }
    drop(entered);
    Ok(runtime)
}

pub fn restore(config: &Config, args: &RestoreArgs) -> Result<(), Refusal> {
    let Some(file) = &args.file else {
        return end(config);
    };
    let (input, name): (Box<dyn Read>, String) = match file.as_os_str() == "-" {
        true => (Box::new(io::stdin().lock()), "standard input".to_owned()),
        false => (Box::new(open_backup(file)?), file.display().to_string()),
    };
    let clock = Clock::System;
    let options = RestoreOptions {
        is_replacing: args.replace,
        is_revoking_tokens: args.revoke_tokens,
    };
    let Restoration {
        contents,
        tokens,
        into,
        before,
    } = crate::service::restore(config, &clock, input, &name, options)?;
    let restored = format!("Restored {into} from {name}.");
    tell(say, &restored, &contents);
    let age = contents.newest.map(|newest| ago(clock.now() - newest));
    say(&format!(
        "Changes after the newest one, which was made {}, are lost: licenses, revocations, passwords and API tokens are \
         as they were then. All sessions have ended.",
        age.as_deref().unwrap_or("at no known time")
    ));
    if !tokens.is_empty() {
        say(&format!(
            "API tokens that are valid, perhaps although they were revoked after the backup: {}. Revoke them on the \
             account page, or all of them with `license-server admin set-password --revoke-tokens`.",
            tokens.join(", ")
        ));
    }
    if let Some(before) = before {
        say(&format!(
            "The previous database is now {}.",
            before.display()
        ));
    }
    say(
        "Next: start the server, sign in, and add what is missing. For 7 days, or until you end this on the overview \
         or with `license-server restore --end`, a machine without a license is not refused but gets no answer, so \
         that programs keep running on their leases.",
    );
    Ok(())
}

fn end(config: &Config) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    say(match service.end_restored(&Actor::command_line())? {
        true => "Machines without a license are refused again.",
        false => "There was nothing to end: machines without a license are refused.",
    });
    Ok(())
}

fn tell(say: fn(&str), first: &str, contents: &Contents) {
    let Contents {
        licenses,
        signing_keys,
        newest,
        audit,
        bytes,
    } = contents;
    let newest = newest.map_or("none".to_owned(), moment);
    say(first);
    say(&format!("Licenses: {licenses}"));
    say(&format!("Signing keys: {signing_keys}"));
    say(&format!("Newest change: {newest}"));
    say(&format!(
        "Audit log: {} entries, last hash {}",
        audit.entries, audit.head
    ));
    say(&format!("Bytes: {bytes}"));
}

fn moment(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    at.to_utc().format(format).unwrap_or_default()
}

fn ago(age: Duration) -> String {
    let (number, unit) = match age {
        age if age < Duration::MINUTE => return "less than a minute ago".to_owned(),
        age if age < Duration::HOUR => (age.whole_minutes(), "minute"),
        age if age < Duration::days(2) => (age.whole_hours(), "hour"),
        age => (age.whole_days(), "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}
