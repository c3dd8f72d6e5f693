//! The numbers and lists of the home page.

use std::sync::Arc;

use time::{Date, Duration};

use super::Service;
use crate::error::Error;
use crate::model::license::{Status, Verdict};
use crate::model::overview::{LicenseCount, Overview, by_tool};
use crate::model::search::{Activity, Days, Expires, Filter, Order, Page};
use crate::model::unlicensed::MachineFilter;
use crate::store::{check_days, counts, search, tools, unlicensed_machines};

/// Days shown before and after today.
const DAYS: i64 = 30;
/// A machine that was seen within this number of days is active.
const ACTIVE: i64 = 7;
/// Rows in each list.
const ROWS: usize = 6;
/// Up to this number, counting licenses takes about 50 ms.
const COUNTED_EACH_TIME: i64 = 100_000;
const COUNTED_FOR: Duration = Duration::MINUTE;

impl Service {
    /// Everything on the home page, read at one moment.
    pub fn overview(&self) -> Result<Overview, Error> {
        let today = self.today();
        let first = today.saturating_sub(Duration::days(DAYS - 1));
        let last = today.saturating_add(Duration::days(DAYS));
        let expiring_soon = Filter {
            status: Some(Status::Activated),
            expires: Some(Expires::On(Days::next(DAYS, today))),
            ..Filter::default()
        };
        let next_to_expire = Page {
            order: Order::Expires,
            is_descending: false,
            after: None,
            limit: ROWS,
        };
        let refused_today = Filter {
            activity: Some(Activity::RefusedSince(today)),
            ..Filter::default()
        };
        let expired_in_use = Filter {
            status: Some(Status::Activated),
            expires: Some(Expires::On(Days::past(DAYS, today))),
            activity: Some(Activity::AfterExpiration),
            ..Filter::default()
        };
        let shared = Filter {
            activity: Activity::read("shared", today),
            ..Filter::default()
        };
        let counts = self.license_counts()?;
        let failed_calls = self.failed_calls()?;
        self.store.read_tx(|db| {
            let waiting = MachineFilter::default();
            let unlicensed = unlicensed_machines::page(db, &waiting, None, ROWS)?;
            Ok(Overview {
                today,
                days: by_day(first, today, &check_days::since(db, first)?),
                tools: by_tool(&counts, &tools::names(db)?),
                counts: counts.to_vec(),
                expiring: every_day(
                    today,
                    last,
                    &counts::expiring(db, Status::Activated, today, last)?,
                ),
                next_to_expire: search::list(db, &expiring_soon, &next_to_expire)?,
                refused_today: search::count(db, &refused_today)?,
                shared: search::count(db, &shared)?,
                expired_in_use: search::count(db, &expired_in_use)?,
                refused: search::most_refused(db, today, ROWS as i64)?,
                failed_calls,
                unlicensed_number: unlicensed.found,
                unlicensed: unlicensed.machines,
            })
        })
    }

    /// Licenses by tool and status. Counting a large table takes 500 ms, so it is counted at most once a
    /// minute.
    pub(super) fn license_counts(&self) -> Result<Arc<[LicenseCount]>, Error> {
        if let Some(counts) = self.counted_in(COUNTED_FOR)
            && counts.iter().map(|count| count.licenses).sum::<i64>() > COUNTED_EACH_TIME
        {
            return Ok(counts);
        }
        self.count_licenses()
    }

    /// [`Service::license_counts`] of some time ago.
    pub(super) fn license_counts_of_last(
        &self,
        period: Duration,
    ) -> Result<Arc<[LicenseCount]>, Error> {
        self.counted_in(period)
            .map_or_else(|| self.count_licenses(), Ok)
    }

    fn counted_in(&self, period: Duration) -> Option<Arc<[LicenseCount]>> {
        let (at, counts) = self.counted.lock().clone()?;
        (at..at + period).contains(&self.now()).then_some(counts)
    }

    fn count_licenses(&self) -> Result<Arc<[LicenseCount]>, Error> {
        let (now, today) = (self.now(), self.today());
        let seen_since = today.saturating_sub(Duration::days(ACTIVE - 1));
        let counts: Arc<[LicenseCount]> = self
            .store
            .read(|db| counts::by_tool_and_status(db, today, seen_since))?
            .into();
        *self.counted.lock() = Some((now, Arc::clone(&counts)));
        Ok(counts)
    }
}

/// Includes days without checks.
pub(super) fn by_day(
    first: Date,
    last: Date,
    counted: &[(Date, Verdict, i64)],
) -> Vec<(Date, [i64; Verdict::ALL.len()])> {
    let mut days: Vec<_> = days(first, last)
        .map(|day| (day, Default::default()))
        .collect();
    for (day, verdict, number) in counted {
        let at = usize::try_from((*day - first).whole_days()).ok();
        let line: Option<&mut (Date, [i64; Verdict::ALL.len()])> =
            at.and_then(|at| days.get_mut(at));
        if let Some((_, numbers)) = line {
            numbers[*verdict as usize] += number;
        }
    }
    days
}

fn every_day(first: Date, last: Date, counted: &[(Date, i64)]) -> Vec<(Date, i64)> {
    let number = |day| counted.iter().find(|(other, _)| *other == day);
    days(first, last)
        .map(|day| (day, number(day).map_or(0, |(_, number)| *number)))
        .collect()
}

fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |day| day.next_day()).take_while(move |day| *day <= last)
}
