//! Backups: by the command line, and by the server at regular intervals.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};
use thread_priority::{ThreadPriority, set_thread_priority_and_policy, unix::thread_native_id};
use time::{Duration, OffsetDateTime};

use super::Service;
use super::encryption::Encryption;
use super::proof::{self, Contents, prove};
use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::model::backup::{
    Backup, BackupState, FailedBackup, file_name, made_at, next_after, retry_after_failure,
    superseded,
};
use crate::store::copy::{Halt, Part, folder_of, unusable};
use crate::store::{audit, backups, restores};

/// What a backup to standard output is recorded as.
const STANDARD_OUTPUT: &str = "standard output";

/// Which backups the server makes by itself.
pub(super) struct Schedule {
    folder: Option<PathBuf>,
    /// None if the operator wants none.
    every: Option<Duration>,
    /// None until the folder was looked at.
    next: Mutex<Option<OffsetDateTime>>,
}

impl Schedule {
    pub(super) fn new(config: &Config) -> Schedule {
        let hours = config.backup_every;
        Schedule {
            folder: config.backup_dir.clone(),
            every: (hours > 0).then(|| Duration::hours(hours.into())),
            next: Mutex::default(),
        }
    }
}

/// Proves an existing backup without touching it.
pub fn verify_backup(config: &Config, path: &Path) -> Result<Contents, Refusal> {
    let encryption = Encryption::new(&config.secrets);
    prove(
        path,
        &path.display().to_string(),
        &Halt::default(),
        &encryption,
    )
}

/// Runs the calling thread only while nothing else wants the processor, so that no check waits for a backup.
pub fn give_way() {
    // Where that is forbidden, backups only compete with checks.
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
        .unwrap_or_default();
}

impl Service {
    /// Makes a backup, proves it, and only then gives it its name.
    pub fn back_up(&self, to: &Path, is_replacing: bool) -> Result<Contents, Refusal> {
        if self.store.is_own(to) {
            return Err(Refusal(format!(
                "{} is the database itself; choose another file.",
                to.display()
            )));
        }
        if to.is_dir() {
            return Err(Refusal(format!(
                "{} is a folder; name a file in it.",
                to.display()
            )));
        }
        if to.exists() && !is_replacing {
            return Err(Refusal(format!(
                "There is already a file {}; choose another name or use --replace.",
                to.display()
            )));
        }
        let mut name = to.as_os_str().to_owned();
        name.push(".part");
        self.recorded(&full(to), || {
            let part = new_part(name.into())?;
            let contents = self.copied(&part, &to.display().to_string())?;
            part.keep(to).map_err(|e| unusable(to, &e))?;
            Ok(contents)
        })
    }

    /// Makes a backup, proves it, and sends it.
    pub fn send_backup(&self, out: &mut impl Write) -> Result<Contents, Refusal> {
        self.recorded(STANDARD_OUTPUT, || {
            let part = new_part(self.store.part_of_copy())?;
            let contents = self.copied(&part, "The backup")?;
            let unsent = |e: io::Error| Refusal(format!("The backup cannot be written: {e}."));
            let mut file = fs::File::open(part.path()).map_err(unsent)?;
            // Gone from the folder already, however this ends.
            drop(part);
            io::copy(&mut file, out).map_err(unsent)?;
            out.flush().map_err(unsent)?;
            Ok(contents)
        })
    }

    /// Makes the backup that the settings ask for, if it is time; false if it is not.
    pub fn back_up_if_due(&self) -> Result<bool, Refusal> {
        let Schedule {
            folder: Some(folder),
            every: Some(every),
            next,
        } = &self.schedule
        else {
            return Ok(false);
        };
        let now = self.now();
        let first = || next_after(&made_in(folder), *every, now);
        let due = *next.lock().get_or_insert_with(first);
        // A clock that was ahead must not end the backups.
        if now < due && due <= now + *every {
            return Ok(false);
        }
        let to = folder.join(file_name(now));
        let made = self.recorded(&full(&to), || {
            make_folder(folder).map_err(|e| unusable(folder, &e))?;
            let part = new_part(folder.join("license-server.part"))?;
            let contents = self.copied(&part, &to.display().to_string())?;
            part.keep(&to).map_err(|e| unusable(&to, &e))?;
            Ok(contents)
        });
        *next.lock() = Some(match &made {
            Ok(_) => now + *every,
            Err(_) => retry_after_failure(*every, now),
        });
        if self.backup_halt.is_set() {
            return Ok(false);
        }
        let contents = made?;
        self.log.event(
            "backup_made",
            &[("path", &to.display()), ("bytes", &contents.bytes)],
        );
        for at in superseded(&made_in(folder), now) {
            let old = folder.join(file_name(at));
            fs::remove_file(&old).map_err(|e| unusable(&old, &e))?;
        }
        Ok(true)
    }

    /// Ends the backup that is being made.
    pub fn stop_backup(&self) {
        self.backup_halt.set();
    }

    pub fn backup_state(&self) -> Result<BackupState, Error> {
        let now = self.now();
        self.store.read_tx(|db| {
            let restored_at = restores::get(db)?.map(|restored| restored.at);
            Ok(BackupState {
                last_good: backups::last_made(db)?,
                last_failure: backups::last_failed(db)?,
                since: audit::began(db)?.max(restored_at).unwrap_or(now),
                every: self.schedule.every,
            })
        })
    }

    pub(super) fn copied(&self, part: &Part, name: &str) -> Result<Contents, Refusal> {
        let copied = self.store.copy_into(part, &self.backup_halt);
        copied.map_err(|error| {
            let Refusal(reason) = proof::words(error);
            Refusal(format!("{name} cannot be written: {reason}"))
        })?;
        prove(part.path(), name, &self.backup_halt, &self.encryption)
    }

    /// Makes the only backup at that time, and records how it ended.
    fn recorded(
        &self,
        path: &str,
        make: impl FnOnce() -> Result<Contents, Refusal>,
    ) -> Result<Contents, Refusal> {
        let lock = self.store.try_backup_lock()?;
        let _lock = lock.ok_or_else(|| {
            Refusal("Another backup is being made; wait until it is done.".to_owned())
        })?;
        let made = make();
        if made.is_err() && self.backup_halt.is_set() {
            return made;
        }
        let (at, path) = (self.now(), path.to_owned());
        let noted = self.store.write(|db| {
            match &made {
                Ok(contents) => backups::set_made(
                    db,
                    &Backup {
                        at,
                        path,
                        bytes: contents.bytes as i64,
                    },
                )?,
                Err(Refusal(reason)) => backups::set_failed(
                    db,
                    &FailedBackup {
                        at,
                        path,
                        reason: reason.clone(),
                    },
                )?,
            }
            Ok(())
        });
        // A full disk must not spoil a backup that is on another one.
        if let Err(error) = noted {
            self.log.fault("note_backup", &error);
        }
        made
    }
}

/// As it is recorded: it has to be found from elsewhere.
fn full(path: &Path) -> String {
    let full = std::path::absolute(path);
    full.as_deref().unwrap_or(path).display().to_string()
}

pub(super) fn new_part(path: PathBuf) -> Result<Part, Refusal> {
    Part::create(path.clone()).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Refusal(format!(
            "There is no folder {}; create it first.",
            folder_of(&path).display()
        )),
        _ => unusable(&path, &e),
    })
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)
}

/// When the backups in the folder were made; none if there is no folder.
fn made_in(folder: &Path) -> Vec<OffsetDateTime> {
    let Ok(entries) = fs::read_dir(folder) else {
        return vec![];
    };
    let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    entries.filter_map(|entry| made_at(&name(entry)?)).collect()
}
