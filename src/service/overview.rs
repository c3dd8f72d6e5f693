//! The vendor's morning at a glance.

use time::{Date, Duration};

use super::Service;
use crate::error::Error;
use crate::model::license::{Status, Verdict};
use crate::model::overview::Overview;
use crate::model::search::{Activity, Days, Ends, Filter, Order, Piece};
use crate::store::{check_days, counts, search, unknown_keys};

/// Days that are shown behind us and before us.
const DAYS: i64 = 30;
/// Days in which a machine that asked is an active one.
const ACTIVE: i64 = 7;
/// Rows of each list.
const ROWS: i64 = 6;

impl Service {
    /// Everything on the first page, at one moment.
    pub fn overview(&self) -> Result<Overview, Error> {
        let today = self.today();
        let first = today.saturating_sub(Duration::days(DAYS - 1));
        let last = today.saturating_add(Duration::days(DAYS));
        let active_since = today.saturating_sub(Duration::days(ACTIVE - 1));
        let good_until = Filter {
            status: Some(Status::Activated),
            ends: Some(Ends::On(Days::next(DAYS, today))),
            ..Filter::default()
        };
        let next_to_end = Piece {
            order: Order::Expires,
            is_descending: false,
            beyond: None,
            limit: ROWS,
        };
        let refused_today = Filter {
            activity: Some(Activity::RefusedSince(today)),
            ..Filter::default()
        };
        let ended_and_asking = Filter {
            status: Some(Status::Activated),
            ends: Some(Ends::On(Days::past(DAYS, today))),
            activity: Some(Activity::SinceEnd),
            ..Filter::default()
        };
        self.store.read_at_once(|db| {
            Ok(Overview {
                today,
                days: by_day(first, today, &check_days::since(db, first)?),
                lots: counts::by_status(db, today)?,
                tools: counts::by_tool(db, active_since)?,
                ending: every_day(
                    today,
                    last,
                    &counts::ending(db, Status::Activated, today, last)?,
                ),
                next_to_end: search::list(db, &good_until, &next_to_end)?,
                refused_today: search::count(db, &refused_today)?,
                ended_and_asking: search::count(db, &ended_and_asking)?,
                refused: search::most_refused(db, today, ROWS)?,
                unknown_number: unknown_keys::count(db)?
                    .iter()
                    .map(|(_, number)| number)
                    .sum(),
                unknown: unknown_keys::list(db, None, None, ROWS)?,
            })
        })
    }
}

/// Every day has its line, also one without checks.
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
