//! Restoring a backup, and the time after it in which the database knows less than the clients.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use time::OffsetDateTime;
use time::macros::format_description;

use super::Service;
use super::encryption::Encryption;
use super::proof::{Contents, prove};
use super::tokens::revoke;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, Event, Kind};
use crate::model::backup::Restored;
use crate::store::copy::{Halt, log_beside, unusable};
use crate::store::swap::{self, UnusedFolder};
use crate::store::tokens::{self, Token};
use crate::store::{audit, backups, customer_links, outbox, restores, sessions};

/// When the state "restored" ends, in Unix seconds, for checks; 0 if there is none.
#[derive(Default)]
pub(super) struct RestoredUntil(AtomicI64);

impl RestoredUntil {
    pub(super) fn is_active(&self, now: OffsetDateTime) -> bool {
        now.unix_timestamp() < self.0.load(Ordering::Relaxed)
    }
}

/// What a restore does beside putting the backup into place.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreOptions {
    /// Take the place of a database that is there.
    pub is_replacing: bool,
    pub is_revoking_tokens: bool,
}

/// A database that took the place of another one.
#[derive(Debug)]
pub struct Restoration {
    /// As they were in the backup, but for what the restore itself has changed.
    pub contents: Contents,
    /// Names of the API tokens that are valid.
    pub tokens: Vec<String>,
    /// Where the database is.
    pub into: String,
    /// Where the previous database is now.
    pub before: Option<PathBuf>,
}

/// Reads a backup, which `name` describes, proves it, and puts it in place of the database.
pub fn restore(
    config: &Config,
    clock: &Clock,
    mut backup: impl Read,
    name: &str,
    options: RestoreOptions,
) -> Result<Restoration, Refusal> {
    let now = clock.now();
    let encryption = &Encryption::new(&config.secrets);
    let folder = UnusedFolder::take(&config.data_dir)?;
    if let Some(data) = folder.data()
        && config.database.is_none()
        && !options.is_replacing
    {
        return Err(Refusal(format!(
            "There is already a database {}; with --replace it is kept beside the restored one.",
            data.display()
        )));
    }
    let part = folder.part()?;
    let halt = Halt::default();
    let file = OpenOptions::new().write(true).open(part.path());
    let copied = file.and_then(|mut file| io::copy(&mut backup, &mut file));
    copied.map_err(|e| match e.kind() {
        io::ErrorKind::StorageFull => unusable(part.path(), &e),
        _ => Refusal(format!("{name} cannot be read: {e}.")),
    })?;
    let found = prove(part.path(), name, &halt, encryption)?.newest;
    let newest = found.unwrap_or(now);
    let tokens = folder.write(&part, |db| {
        let restored = Restored {
            at: now,
            newest_at: newest,
            is_ended: false,
        };
        restores::set(db, &restored)?;
        backups::forget(db)?;
        outbox::end_restored(db, now)?;
        // Some of them had ended since: at a sign-out, or with a new password.
        let ended = sessions::delete_all(db)?;
        customer_links::delete_all(db)?;
        let actor = Actor::command_line();
        let event = Event::new(Kind::Restored, &actor)
            .with("newest", newest.unix_timestamp())
            .with("sessions", ended as i64);
        audit::append(db, event, now)?;
        if options.is_revoking_tokens {
            for token in tokens::all(db)? {
                revoke(db, &actor, &token, now)?;
            }
        }
        Ok(tokens::valid(db, now)?)
    })?;
    let contents = Contents {
        newest: found,
        ..prove(part.path(), name, &halt, encryption)?
    };
    if let Some(url) = &config.database {
        swap::fill(&part, url)?;
        return Ok(Restoration {
            contents,
            tokens: tokens.into_iter().map(|token| token.name).collect(),
            into: url.to_string(),
            before: None,
        });
    }
    let stamp = format_description!("[year]-[month]-[day]T[hour][minute][second]");
    let stamp = now.format(stamp).unwrap_or_default();
    let before = folder.swap(part, &stamp)?;
    Ok(Restoration {
        contents,
        into: config.data_dir.join("licenses.db").display().to_string(),
        tokens: tokens.into_iter().map(|token| token.name).collect(),
        before,
    })
}

impl Service {
    /// None if the database was not restored, or if that is over. With the API tokens that are valid: some of
    /// them may have been revoked after the backup.
    pub fn restored(&self) -> Result<Option<(Restored, Vec<Token>)>, Error> {
        let now = self.now();
        self.store.read_tx(|db| {
            let restored = restores::get(db)?.filter(|restored| restored.is_active(now));
            restored
                .map(|restored| Ok((restored, tokens::valid(db, now)?)))
                .transpose()
        })
    }

    /// From now on a machine without a license is refused again; false if it was all the time.
    pub fn end_restored(&self, actor: &Actor) -> Result<bool, Error> {
        let now = self.now();
        let is_ended = self.store.write(|db| {
            let restored = restores::get(db)?.filter(|restored| restored.is_active(now));
            let Some(restored) = restored else {
                return Ok(false);
            };
            restores::set(
                db,
                &Restored {
                    is_ended: true,
                    ..restored
                },
            )?;
            audit::append(db, Event::new(Kind::RestoreEnded, actor), now)?;
            Ok(true)
        })?;
        self.reload_restored()?;
        Ok(is_ended)
    }

    /// Reads what this or another program has changed.
    pub(super) fn reload_restored(&self) -> Result<(), Error> {
        let restored = self.store.read(restores::get)?;
        let restored = restored.filter(|restored| !restored.is_ended);
        let until = restored.map_or(0, |restored| restored.until().unix_timestamp());
        self.restored.0.store(until, Ordering::Relaxed);
        Ok(())
    }
}

pub fn open_backup(path: &Path) -> Result<File, Refusal> {
    match log_beside(path) {
        Some(reason) => Err(Refusal(format!("{}: {reason}.", path.display()))),
        None => File::open(path).map_err(|e| unusable(path, &e)),
    }
}
