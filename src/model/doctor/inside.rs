//! What the doctor finds on the machine itself: settings, folder, disk, database.

use time::{Duration, OffsetDateTime};

use super::Finding;
use crate::model::backup::{BackupState, BackupWarning};
use crate::model::date;
use crate::model::readiness::{DiskSpace, megabytes};
use crate::model::server_clock::{Drift, WrongClock};
use crate::model::signing_key::SigningKey;

/// Room for an import, the log of a bulk change, and a day to react.
const LEAST_FREE: u64 = 512 * 1024 * 1024;
/// The server moves its log into the file every few seconds.
const LARGE_LOG: u64 = 256 * 1024 * 1024;

/// A file or folder.
#[derive(Debug, Clone)]
pub struct Entry {
    pub path: String,
    /// User ID.
    pub owner: u32,
    pub mode: u32,
}

#[derive(Debug, Clone, Copy)]
pub struct Disk {
    /// Bytes that this user may still write.
    pub free: u64,
    pub database: u64,
    /// Of the write-ahead log.
    pub log: u64,
}

/// What a database contains; a text is why it cannot be said.
#[derive(Debug)]
pub struct Contents {
    pub damage: Result<(), String>,
    /// Entries and last hash.
    pub audit: Result<(i64, String), String>,
    pub wrong_clock: Result<Option<WrongClock>, String>,
    pub keys: Result<Vec<SigningKey>, String>,
    /// Of the keys that are ready or retired.
    pub key_faults: Vec<String>,
    pub has_signed_in: Result<bool, String>,
    pub backups: Result<BackupState, String>,
    /// None for SQLite.
    pub postgres: Result<Option<PostgresFacts>, String>,
    pub now: OffsetDateTime,
}

/// How PostgreSQL is set up.
#[derive(Debug)]
pub struct PostgresFacts {
    pub version: String,
    /// License servers that use the database.
    pub servers: i64,
    /// Whether a commit waits for the disk.
    pub is_durable: bool,
    /// Whether it is on another machine as well.
    pub waits_for_standby: bool,
    /// Of its clock.
    pub now: OffsetDateTime,
}

/// Clocks of several machines.
const SAME_TIME: Duration = Duration::seconds(10);

/// The folder, and what is in it. `us` is this process's user ID; root may look at the files of others.
pub fn files(folder: &Entry, files: &[Entry], us: u32) -> Vec<Finding> {
    let Entry { path, owner, mode } = folder;
    let mut found = vec![];
    if *owner != us && us != 0 {
        found.push(Finding::error(format!(
            "`data_dir` {path} belongs to user {owner}, and this is user {us}; call the doctor as the user of \
             the server: `sudo -u license-server license-server doctor`"
        )));
    }
    for file in files.iter().filter(|file| file.owner != *owner) {
        found.push(Finding::error(format!(
            "{} belongs to user {} and its folder to user {owner}, so the server may not be able to write it; \
             `chown -R license-server: {path}`",
            file.path, file.owner
        )));
    }
    if mode & 0o077 != 0 {
        found.push(Finding::warning(format!(
            "`data_dir` {path} is open to other users (mode {:o}), and it holds the signing keys; `chmod 700 \
             {path}`",
            mode & 0o7777
        )));
    }
    for file in files.iter().filter(|file| file.mode & 0o077 != 0) {
        found.push(Finding::warning(format!(
            "{} is open to other users (mode {:o}); `chmod 600 {0}`",
            file.path,
            file.mode & 0o7777
        )));
    }
    if found.is_empty() {
        found.push(Finding::ok(format!(
            "`data_dir` {path}, for its owner only"
        )));
    }
    found
}

pub fn disk(disk: &Disk, path: &str) -> Vec<Finding> {
    // `vacuum into`, which makes a backup, and a bulk change need as much again.
    let wanted = LEAST_FREE.max(2 * disk.database);
    let free = megabytes(disk.free);
    let room = match disk.free {
        // A page of SQLite's and the log of a single write.
        0..0x10_0000 => Finding::error(format!(
            "the disk of `data_dir` {path} is full ({free} free), so nothing can be stored; make room"
        )),
        _ if disk.free < wanted => Finding::warning(format!(
            "the disk of `data_dir` {path} has {free} left; at least {} are wise with a database of {}",
            megabytes(wanted),
            megabytes(disk.database)
        )),
        _ => Finding::ok(format!(
            "disk: {free} free, the database has {}",
            megabytes(disk.database)
        )),
    };
    let mut found = vec![room];
    if disk.log > LARGE_LOG {
        found.push(Finding::warning(format!(
            "licenses.db-wal has {}, so some program has kept the database open for reading; end that program, \
             or restart the server",
            megabytes(disk.log)
        )));
    }
    found
}

/// `backup_dir`, which may be on another disk; `database` is the size of what is backed up.
pub fn backup_disk(
    path: &str,
    space: std::io::Result<DiskSpace>,
    database: u64,
) -> Option<Finding> {
    let what = match space {
        Ok(space) => space.lack_of_room(database)?,
        Err(e) => format!("cannot be examined: {e}"),
    };
    Some(Finding::error(format!(
        "the disk of `backup_dir` {path} {what}; make room there, or choose another disk"
    )))
}

pub fn database(contents: &Contents) -> Vec<Finding> {
    let Contents {
        damage,
        audit,
        wrong_clock,
        keys,
        key_faults,
        has_signed_in,
        backups,
        postgres,
        now,
    } = contents;
    let mut found = vec![
        match damage {
            Ok(()) => Finding::ok("database: intact"),
            Err(words) => Finding::error(format!("database: {words}")),
        },
        match audit {
            Ok((entries, head)) => {
                Finding::ok(format!("audit log: {entries} entries, last hash {head}"))
            }
            Err(words) => Finding::error(words),
        },
        match wrong_clock {
            Ok(None) => Finding::ok("clock: plausible"),
            Ok(Some(wrong)) => clock(wrong),
            Err(words) => Finding::error(format!("clock: {words}")),
        },
    ];
    match postgres {
        Ok(facts) => found.extend(facts.iter().flat_map(|facts| elsewhere(facts, *now))),
        Err(words) => found.push(Finding::error(format!("PostgreSQL: {words}"))),
    }
    found.extend(key_faults.iter().map(Finding::error));
    match keys {
        Ok(keys) => {
            let has_backup = matches!(backups, Ok(state) if state.last_good.is_some());
            found.extend(signing_keys(keys, key_faults.is_empty(), has_backup));
        }
        Err(words) => found.push(Finding::error(words)),
    }
    match has_signed_in {
        Ok(true) => {}
        Ok(false) => found.push(Finding::warning(
            "nobody has signed in yet; if the first password is lost, `license-server admin set-password` sets \
             another",
        )),
        Err(words) => found.push(Finding::error(words)),
    }
    found.push(match backups {
        Ok(state) => backup(state, *now),
        Err(words) => Finding::error(words),
    });
    found
}

fn elsewhere(facts: &PostgresFacts, now: OffsetDateTime) -> Vec<Finding> {
    let standby = match facts.waits_for_standby {
        true => "commits wait for a standby",
        false => "commits wait for no standby",
    };
    let mut found = vec![Finding::ok(format!(
        "PostgreSQL {}: {standby}; license servers: {}",
        facts.version, facts.servers
    ))];
    if !facts.is_durable {
        found.push(Finding::error(
            "PostgreSQL may lose what it has committed; set its `synchronous_commit` to `on`",
        ));
    }
    let apart = (facts.now - now).abs();
    if apart > SAME_TIME {
        found.push(Finding::warning(format!(
            "the clocks of PostgreSQL and of this machine are {} seconds apart; set both with `timedatectl \
             set-ntp true`",
            apart.whole_seconds()
        )));
    }
    found
}

pub fn backup(state: &BackupState, now: OffsetDateTime) -> Finding {
    let day = |at: OffsetDateTime| date::format(at.date());
    match (state.warning(now), &state.last_good) {
        (Some(BackupWarning::Never), _) => Finding::warning(
            "never backed up; set `backup_dir`, or run `license-server backup FILE` every night",
        ),
        (Some(BackupWarning::Failed(failed)), _) => Finding::error(format!(
            "the backup of {} to {} failed: {}",
            day(failed.at),
            failed.path,
            failed.reason
        )),
        (Some(BackupWarning::Late(last)), _) => Finding::warning(format!(
            "the last backup is of {} (to {}), and at least two were missed since; check what makes them",
            day(last.at),
            last.path
        )),
        (None, Some(last)) => Finding::ok(format!("backup: {}, to {}", day(last.at), last.path)),
        (None, None) => Finding::ok("backup: none yet"),
    }
}

fn clock(wrong: &WrongClock) -> Finding {
    let what = match wrong.drift {
        Drift::Behind => "is behind",
        Drift::Ahead => "is far ahead of",
    };
    let day = |at: OffsetDateTime| date::format(at.date());
    Finding::error(format!(
        "the clock ({}) {what} the newest stored moment ({}), so licenses may get wrong results; set it: \
         `timedatectl set-ntp true`",
        day(wrong.now),
        day(wrong.newest)
    ))
}

pub fn signing_keys(keys: &[SigningKey], is_fine: bool, has_backup: bool) -> Vec<Finding> {
    let mut found = vec![];
    // A backup holds them, too.
    let used = keys
        .iter()
        .filter(|key| key.retired_at.is_none() && !has_backup);
    for key in used.filter(|key| key.exported_at.is_none()) {
        found.push(Finding::warning(format!(
            "signing key {0} was never backed up, and without it every client in the field rejects the server; \
             `license-server keys export --private {0}`",
            key.kid
        )));
    }
    let default = keys.iter().find(|key| key.is_default);
    if let (true, Some(default)) = (is_fine, default) {
        let number = keys.len();
        found.push(Finding::ok(format!(
            "signing keys: {number}, all sign; {} is the default",
            default.kid
        )));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn worst(found: &[Finding]) -> Option<Level> {
        found.iter().map(|finding| finding.level).max()
    }

    fn entry(owner: u32, mode: u32) -> Entry {
        let path = "/data".to_owned();
        Entry { path, owner, mode }
    }

    #[test]
    fn root_may_look_and_files_belong_to_the_owner_of_their_folder() {
        let level = |us, folder, file| worst(&files(&folder, &[file], us));
        let fine = Some(Level::Ok);
        assert_eq!(level(7, entry(7, 0o40700), entry(7, 0o100600)), fine);
        assert_eq!(level(0, entry(7, 0o40700), entry(7, 0o100600)), fine);
        let foreign = level(7, entry(7, 0o40700), entry(0, 0o100600));
        assert_eq!(foreign, Some(Level::Error));
        let others = level(8, entry(7, 0o40700), entry(7, 0o100600));
        assert_eq!(others, Some(Level::Error));
        let open = level(7, entry(7, 0o40700), entry(7, 0o100640));
        assert_eq!(open, Some(Level::Warning));
    }

    #[test]
    fn a_nearly_full_disk_is_a_warning_and_a_full_one_an_error() {
        let level = |free, database, log| {
            let at = Disk {
                free,
                database,
                log,
            };
            worst(&disk(&at, "/data"))
        };
        assert_eq!(level(LEAST_FREE, 1, 0), Some(Level::Ok));
        assert_eq!(level(LEAST_FREE - 1, 1, 0), Some(Level::Warning));
        assert_eq!(
            level(2 * LEAST_FREE, 2 * LEAST_FREE, 0),
            Some(Level::Warning)
        );
        assert_eq!(level(4_096, 1, 0), Some(Level::Error));
        assert_eq!(level(LEAST_FREE, 1, LARGE_LOG + 1), Some(Level::Warning));
    }
}
