//! The figures for monitoring, read at one moment.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use super::Service;
use super::traffic::CLASSES;
use crate::error::Error;
use crate::model::histogram::Durations;
use crate::model::license::{Status, Verdict};
use crate::model::mail::MailState;
use crate::model::readiness::DiskSpace;
use crate::model::webhook::{DeliveryState, WebhookState};
use crate::store::{FileSizes, Reach, sessions};

/// Counting a large table takes 500 ms.
const COUNTED_FOR: Duration = Duration::minutes(10);

/// What cannot be read at the moment is none.
#[derive(Debug)]
pub struct Metrics {
    pub started_at: OffsetDateTime,
    /// Since the start, by class of the status: 1xx to 5xx.
    pub answers: [u64; CLASSES],
    pub check_durations: Durations,
    /// By tool; indexed by `verdict as usize`.
    pub checks: BTreeMap<String, [u64; Verdict::ALL.len()]>,
    /// By what was counted against.
    pub throttled: [(&'static str, u64); 6],
    pub write_waits: Durations,
    pub records_waiting: usize,
    pub checks_not_recorded: u64,
    /// None for SQLite.
    pub reach: Option<Reach>,
    pub servers: Option<i64>,
    pub files: Option<FileSizes>,
    pub disk: Option<DiskSpace>,
    pub last_backup: Option<OffsetDateTime>,
    pub sessions: Option<i64>,
    pub licenses: Option<[(Status, i64); Status::ALL.len()]>,
    /// None unless mails are sent.
    pub mails: Option<[(MailState, i64); MailState::ALL.len()]>,
    /// None unless there is a webhook.
    pub webhooks: Option<[(WebhookState, i64); WebhookState::ALL.len()]>,
    pub webhook_deliveries: Option<[(DeliveryState, i64); DeliveryState::ALL.len()]>,
    /// In use, and retired.
    pub signing_keys: [(&'static str, usize); 2],
    pub faults: BTreeMap<&'static str, u64>,
    pub is_clock_plausible: bool,
}

impl Service {
    pub fn metrics(&self) -> Metrics {
        let now = self.now();
        let (checks, records_waiting, checks_not_recorded) = self.check_log.totals();
        let (webhooks, webhook_deliveries) = self.readable(self.webhook_counts()).flatten().unzip();
        let count = |db: &_| sessions::count(db, now - self.idle, now - self.longest);
        Metrics {
            started_at: self.started_at,
            answers: self.traffic.answers(),
            check_durations: self.traffic.checks(),
            checks,
            throttled: [
                ("address", &self.by_address),
                ("user_name", &self.by_name),
                ("device", &self.by_device),
                ("session", &self.by_session),
                ("code", &self.by_code),
                ("unlicensed", &self.unlicensed),
            ]
            .map(|(by, throttle)| (by, throttle.refused())),
            write_waits: self.store.write_waits(),
            records_waiting,
            checks_not_recorded,
            reach: self.store.reach(),
            servers: self.readable(self.store.servers()).flatten(),
            files: self.readable(self.store.file_sizes()),
            disk: self.readable(self.store.disk_space()),
            last_backup: self
                .readable(self.backup_state())
                .and_then(|state| state.last_good.map(|backup| backup.at)),
            sessions: self.readable(self.store.read(count)),
            licenses: self.readable(self.licenses_by_status()),
            mails: self
                .sends_mail()
                .then(|| self.readable(self.mail_counts()))
                .flatten(),
            webhooks,
            webhook_deliveries,
            signing_keys: self.keys.load().numbers(),
            faults: self.log.faults(),
            is_clock_plausible: self.wrong_clock().is_none(),
        }
    }

    fn readable<T>(&self, read: Result<T, Error>) -> Option<T> {
        read.map_err(|error| self.log.fault("metrics", &error)).ok()
    }

    fn licenses_by_status(&self) -> Result<[(Status, i64); Status::ALL.len()], Error> {
        let counts = self.license_counts_of_last(COUNTED_FOR)?;
        Ok(Status::ALL.map(|status| {
            let of_status = counts.iter().filter(|count| count.status == status);
            (status, of_status.map(|count| count.licenses).sum())
        }))
    }
}
