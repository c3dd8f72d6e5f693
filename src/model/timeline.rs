//! The history of one thing: events of several kinds on one line, newest first, page by page.

use time::OffsetDateTime;

use super::audit::Entry;
use super::check::CheckChange;
use super::mail::Mail;

/// Whose history it is.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    License(i64),
    /// The licenses of an activation code, too.
    Code(i64),
    /// The codes that were made for an order, with their licenses.
    Order(i64),
    /// Licenses and codes of the customer with that name.
    Customer(&'a str),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// Also once it was moved away or changed together with others.
    Change(Entry),
    /// It replaced this license, which has the entry.
    MovedFrom {
        license_id: i64,
        license_key: String,
        entry: Entry,
    },
    Check(CheckChange),
    Mail(Mail),
}

impl Happened {
    pub fn at(&self) -> &OffsetDateTime {
        match self {
            Happened::Change(entry) | Happened::MovedFrom { entry, .. } => &entry.at,
            Happened::Check(check) => &check.first_at,
            Happened::Mail(mail) => mail.ended_at.as_ref().unwrap_or(&mail.created_at),
        }
    }
}

/// Where a page ends: at this second, of which so many events were shown. Without IDs, so that kinds need none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub at: i64,
    pub shown: u16,
}

impl Cursor {
    /// `1781870400-2`.
    pub fn in_address(self) -> String {
        format!("{}-{}", self.at, self.shown)
    }

    /// Parses [`Cursor::in_address`].
    pub fn parse(text: &str) -> Option<Cursor> {
        let (at, shown) = text.rsplit_once('-')?;
        Some(Cursor {
            at: at.parse().ok()?,
            shown: shown.parse().ok()?,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Newest first.
    pub events: Vec<T>,
    /// Where the next page begins, if there is more.
    pub older: Option<Cursor>,
}

/// The events after the cursor, at most `limit`. Of the same second, those that came first in `events` come
/// first, so the caller puts them in a lasting order: kind by kind, each newest first.
pub fn page<T>(
    mut events: Vec<T>,
    at: impl Fn(&T) -> &OffsetDateTime,
    after: Option<Cursor>,
    limit: usize,
) -> Page<T> {
    let second = |event: &T| at(event).unix_timestamp();
    events.sort_by_key(|event| std::cmp::Reverse(second(event)));
    if let Some(after) = after {
        let first = events.partition_point(|event| second(event) > after.at);
        let same = events.partition_point(|event| second(event) >= after.at) - first;
        events.drain(..first + same.min(after.shown.into()));
    }
    let has_more = events.len() > limit;
    events.truncate(limit);
    let last = events.last().map(second).filter(|_| has_more);
    let older = last.map(|last| {
        let same = events.iter().filter(|event| second(event) == last).count();
        let before = after.filter(|after| after.at == last);
        let before = before.map_or(0, |after| after.shown);
        Cursor {
            at: last,
            shown: before.saturating_add(u16::try_from(same).unwrap_or(u16::MAX)),
        }
    });
    Page { events, older }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the events on each page of three, from the seconds of two kinds.
    fn pages(changes: &[i64], checks: &[i64]) -> Vec<String> {
        let moment = |at: i64| OffsetDateTime::from_unix_timestamp(at).unwrap();
        let named = |letter, all: &[i64]| {
            let all = all.iter().enumerate();
            all.map(|(n, at)| (format!("{letter}{n}"), moment(*at)))
                .collect::<Vec<_>>()
        };
        let mut pages = vec![];
        let mut after = None;
        loop {
            let events = [named('a', changes), named('c', checks)].concat();
            let page = page(events, |(_, at)| at, after, 3);
            let names: Vec<String> = page.events.into_iter().map(|(name, _)| name).collect();
            pages.push(names.join(" "));
            let Some(older) = page.older else {
                return pages;
            };
            after = Cursor::parse(&older.in_address());
            assert_eq!(after, Some(older));
        }
    }

    #[test]
    fn kinds_are_merged_and_each_event_is_on_one_page() {
        assert_eq!(pages(&[], &[]), [""]);
        assert_eq!(pages(&[9, 5, 1], &[]), ["a0 a1 a2"]);
        assert_eq!(pages(&[9, 5, 1], &[8, 4, 2]), ["a0 c0 a1", "c1 c2 a2"]);
        // All at once, also across pages.
        assert_eq!(
            pages(&[5, 5, 5, 5, 5], &[5, 5, 4]),
            ["a0 a1 a2", "a3 a4 c0", "c1 c2"]
        );
        // Before 1970, and in a list that a clock put out of order.
        assert_eq!(pages(&[-2, 7, -9], &[-2]), ["a1 a0 c0", "a2"]);
    }

    #[test]
    fn what_came_or_went_meanwhile_moves_no_other_event() {
        let moment = |at: &i64| OffsetDateTime::from_unix_timestamp(*at).unwrap();
        let after = Cursor { at: 5, shown: 2 };
        let rest = |seconds: &[i64]| {
            let events: Vec<OffsetDateTime> = seconds.iter().map(moment).collect();
            let rest = page(events, |at| at, Some(after), 9).events;
            rest.iter()
                .map(|at| at.unix_timestamp())
                .collect::<Vec<_>>()
        };
        assert_eq!(rest(&[9, 5, 5, 5, 3]), [5, 3]);
        assert_eq!(rest(&[12, 11, 9, 5, 5, 5, 3]), [5, 3]);
        assert_eq!(rest(&[9, 3]), [3]);
    }

    #[test]
    fn only_a_cursor_is_read_as_one() {
        for text in ["", "-", "5", "5-", "-5", "5--1", "5-70000", "x-1", "1-5-x"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
