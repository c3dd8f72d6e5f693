//! Backups: when the next one is due, which ones are kept, and what the operator has to know about them.

use std::collections::HashSet;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

/// All of a day, one a day for a week, one a week for two months.
const KEEP_ALL: Duration = Duration::DAY;
const KEEP_DAILY: Duration = Duration::WEEK;
const KEEP_WEEKLY: Duration = Duration::days(62);

/// After a failure, if the backups are not more frequent anyway.
const RETRY: Duration = Duration::HOUR;

/// The state "restored" ends by itself after that time.
const RESTORED_FOR: Duration = Duration::WEEK;

/// In UTC, so that a name never comes twice.
const NAME: &[BorrowedFormatItem<'_>] =
    format_description!("license-server-[year]-[month]-[day]T[hour][minute].db");

/// A backup that was proven to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub at: OffsetDateTime,
    /// Where it was written.
    pub path: String,
    pub bytes: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedBackup {
    pub at: OffsetDateTime,
    pub path: String,
    /// In words.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupState {
    pub last_good: Option<Backup>,
    /// It may be older than the last good one.
    pub last_failure: Option<FailedBackup>,
    /// The installation or the restore: there can be no older backup of this database.
    pub since: OffsetDateTime,
    /// How often there should be one; none if the operator wants no warning.
    pub every: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupWarning<'a> {
    Never,
    Failed(&'a FailedBackup),
    /// At least two were missed.
    Late(&'a Backup),
}

impl BackupState {
    pub fn warning(&self, now: OffsetDateTime) -> Option<BackupWarning<'_>> {
        let good_at = self.last_good.as_ref().map(|backup| backup.at);
        if let Some(failed) = &self.last_failure
            && good_at.is_none_or(|good_at| failed.at > good_at)
        {
            return Some(BackupWarning::Failed(failed));
        }
        let every = self.every?;
        match &self.last_good {
            None if now - self.since >= Duration::DAY => Some(BackupWarning::Never),
            Some(backup) if now - backup.at > every * 2 => Some(BackupWarning::Late(backup)),
            _ => None,
        }
    }
}

/// This database was restored from a backup and may know less than the clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    pub at: OffsetDateTime,
    /// The newest moment in the backup.
    pub newest_at: OffsetDateTime,
    pub is_ended: bool,
}

impl Restored {
    /// When it ends, if nobody ends it before.
    pub fn until(&self) -> OffsetDateTime {
        self.at.saturating_add(RESTORED_FOR)
    }

    pub fn is_active(&self, now: OffsetDateTime) -> bool {
        !self.is_ended && now < self.until()
    }
}

/// `license-server-2026-06-15T1200.db`.
pub fn file_name(at: OffsetDateTime) -> String {
    at.to_utc().format(NAME).unwrap_or_default()
}

/// When the backup with this name was made; none for every other file.
pub fn made_at(name: &str) -> Option<OffsetDateTime> {
    let at = PrimitiveDateTime::parse(name, NAME).ok()?.assume_utc();
    (file_name(at) == name).then_some(at)
}

/// When the next backup is due after these.
pub fn next_after(made: &[OffsetDateTime], every: Duration, now: OffsetDateTime) -> OffsetDateTime {
    // A clock that was ahead must not end the backups.
    let last = made.iter().filter(|at| **at <= now).max();
    last.map_or(now, |last| last.saturating_add(every))
}

/// When to try again.
pub fn retry_after_failure(every: Duration, now: OffsetDateTime) -> OffsetDateTime {
    now.saturating_add(every.min(RETRY))
}

/// Those that newer ones replace. Never the newest, nor one that has yet to come by this clock.
pub fn superseded(made: &[OffsetDateTime], now: OffsetDateTime) -> Vec<OffsetDateTime> {
    let mut made: Vec<_> = made.iter().copied().filter(|at| *at <= now).collect();
    made.sort_unstable_by(|a, b| b.cmp(a));
    let mut kept = HashSet::new();
    let is_superseded = |at: &OffsetDateTime| match now - *at {
        age if age < KEEP_ALL => false,
        age if age < KEEP_DAILY => !kept.insert(("day", at.year(), at.ordinal())),
        age if age < KEEP_WEEKLY => {
            let (year, week, _) = at.to_iso_week_date();
            !kept.insert(("week", year, week.into()))
        }
        _ => true,
    };
    made.into_iter().skip(1).filter(is_superseded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);

    #[test]
    fn only_our_names_are_backups() {
        let name = file_name(NOW);
        assert_eq!(name, "license-server-2026-06-15T1200.db");
        assert_eq!(made_at(&name), Some(NOW));
        for other in [
            "license-server-2026-06-15T1200.db.part",
            "license-server-2026-06-15T1200.db-wal",
            "old-license-server-2026-06-15T1200.db",
            "license-server-2026-06-31T1200.db",
            "license-server-2026-6-15T1200.db",
            "license-server-+2026-06-15T1200.db",
            "licenses.db",
        ] {
            assert_eq!(made_at(other), None, "{other}");
        }
    }

    /// What is left after that many days with a backup every six hours.
    fn left_after(days: i64) -> Vec<OffsetDateTime> {
        let mut made = vec![];
        let mut now = NOW - Duration::days(days);
        while now <= NOW {
            made.push(now);
            let gone = superseded(&made, now);
            made.retain(|at| !gone.contains(at));
            now += Duration::hours(6);
        }
        made
    }

    #[test]
    fn a_day_is_kept_whole_a_week_daily_and_two_months_weekly() {
        let ages: Vec<i64> = left_after(365)
            .into_iter()
            .map(|at| (NOW - at).whole_hours())
            .collect();
        let within = |from, to| ages.iter().filter(|age| (from..to).contains(*age)).count();
        assert_eq!(within(0, 24), 4, "{ages:?}");
        assert_eq!(within(24, 7 * 24), 7, "{ages:?}");
        assert!((8..=9).contains(&within(7 * 24, 62 * 24)), "{ages:?}");
        assert_eq!(within(62 * 24, i64::MAX), 0, "{ages:?}");
        let mut gaps = ages.windows(2).map(|pair| pair[0] - pair[1]);
        assert!(gaps.all(|gap| gap <= 13 * 24), "{ages:?}");
    }

    #[test]
    fn the_newest_is_kept_whatever_its_age_and_the_future_is_left_alone() {
        let old = NOW - Duration::days(400);
        let older = NOW - Duration::days(401);
        let future = NOW + Duration::DAY;
        assert_eq!(superseded(&[older, future, old], NOW), [older]);
        assert_eq!(
            next_after(&[old, future], Duration::DAY, NOW),
            old + Duration::DAY
        );
        assert_eq!(next_after(&[future], Duration::DAY, NOW), NOW);
    }

    #[test]
    fn two_misses_a_failure_and_a_day_without_any_are_warned_of() {
        let good = |hours| Backup {
            at: NOW - Duration::hours(hours),
            path: String::new(),
            bytes: 1,
        };
        let failed = |hours| FailedBackup {
            at: NOW - Duration::hours(hours),
            path: String::new(),
            reason: String::new(),
        };
        let state = |last_good: Option<i64>, last_failure: Option<i64>, age| BackupState {
            last_good: last_good.map(good),
            last_failure: last_failure.map(failed),
            since: NOW - Duration::hours(age),
            every: Some(Duration::DAY),
        };
        assert_eq!(state(None, None, 23).warning(NOW), None);
        assert_eq!(
            state(None, None, 24).warning(NOW),
            Some(BackupWarning::Never)
        );
        assert_eq!(state(Some(48), None, 99).warning(NOW), None);
        assert_eq!(state(Some(10), Some(11), 99).warning(NOW), None);
        let late = state(Some(49), None, 99);
        assert_eq!(late.warning(NOW), Some(BackupWarning::Late(&good(49))));
        let broken = state(Some(10), Some(9), 99);
        assert_eq!(broken.warning(NOW), Some(BackupWarning::Failed(&failed(9))));
    }

    #[test]
    fn a_restored_database_is_believed_after_a_week() {
        let restored = Restored {
            at: NOW,
            newest_at: NOW,
            is_ended: false,
        };
        let week = NOW + Duration::WEEK;
        assert!(restored.is_active(week - Duration::SECOND) && !restored.is_active(week));
    }
}
