//! Restoring a backup, and the time after it in which the database knows less than the clients.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use time::OffsetDateTime;
use time::macros::format_description;

use super::Service;
use super::proof::{Contents, prove};
use crate::clock::Clock;
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, Event, Kind};
use crate::model::backup::Restored;
use crate::store::copy::{Halt, log_beside, unusable};
use crate::store::swap::UnusedFolder;
use crate::store::{audit, backups, outbox, restores};

/// When the state "restored" ends, in Unix seconds, for checks; 0 if there is none.
#[derive(Default)]
pub(super) struct RestoredUntil(AtomicI64);

impl RestoredUntil {
    pub(super) fn is_active(&self, now: OffsetDateTime) -> bool {
        now.unix_timestamp() < self.0.load(Ordering::Relaxed)
    }
}

/// A database that took the place of another one.
#[derive(Debug)]
pub struct Restoration {
    /// As they were in the backup, but for the entry about the restore.
    pub contents: Contents,
    /// Where the previous database is now.
    pub before: Option<PathBuf>,
}

/// Reads a backup, which `name` describes, proves it, and puts it in place of the database in `folder`.
pub fn restore(
    folder: &Path,
    clock: &Clock,
    mut backup: impl Read,
    name: &str,
    is_replacing: bool,
) -> Result<Restoration, Refusal> {
    let now = clock.now();
    let folder = UnusedFolder::take(folder)?;
    if let Some(data) = folder.data()
        && !is_replacing
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
    copied.map_err(|e| Refusal(format!("{name} cannot be read: {e}.")))?;
    let found = prove(part.path(), name, &halt)?.newest;
    let newest = found.unwrap_or(now);
    folder.write(&part, |db| {
        let restored = Restored {
            at: now,
            newest_at: newest,
            is_ended: false,
        };
        restores::set(db, &restored)?;
        backups::forget(db)?;
        outbox::end_restored(db, now)?;
        let event = Event::new(Kind::Restored, &Actor::command_line())
            .with("newest", newest.unix_timestamp());
        audit::append(db, event, now)?;
        Ok(())
    })?;
    let contents = Contents {
        newest: found,
        ..prove(part.path(), name, &halt)?
    };
    let stamp = format_description!("[year]-[month]-[day]T[hour][minute][second]");
    let stamp = now.format(stamp).unwrap_or_default();
    let before = folder.swap(part, &stamp)?;
    Ok(Restoration { contents, before })
}

impl Service {
    /// None if the database was not restored, or if that is over.
    pub fn restored(&self) -> Result<Option<Restored>, Error> {
        let now = self.now();
        let restored = self.store.read(restores::get)?;
        Ok(restored.filter(|restored| restored.is_active(now)))
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
