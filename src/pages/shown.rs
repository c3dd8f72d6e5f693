//! Formats dates, numbers and results for people.

use std::borrow::Borrow;

use askama::Template;
use askama::filters::HtmlSafe;
use time::{Date, OffsetDateTime, UtcOffset};

use crate::model::activation_code::{CodeTerm, ListedCode};
use crate::model::audit::{Difference, Event};
use crate::model::check::{LastCheck, ListedLicense};
use crate::model::date;
use crate::model::diagnosis::is_invisible;
use crate::model::license::{License, Status, Verdict};
use crate::model::search::Count;
use crate::model::text;
pub(super) use crate::model::user_agent::browser;
use crate::service::Service;

/// `UTC+02:00`.
pub(super) fn offset(offset: &UtcOffset) -> String {
    date::offset_name(*offset)
}

/// `2026-11-23 14:05` in the operator's offset.
pub(super) fn moment(moment: &OffsetDateTime, offset: &UtcOffset) -> String {
    date::moment(*moment, *offset)
}

/// `2026-11-23` in the operator's offset.
pub(super) fn day(moment: &OffsetDateTime, offset: &UtcOffset) -> String {
    date::format(moment.to_offset(*offset).date())
}

/// A message for people, in which backticks quote values: these become `<code>`.
#[derive(Template)]
#[template(
    source = "{% for part in self.parts() %}{% if loop.index0 % 2 == 1 %}<code>{{ part }}</code>{% else %}{{ part }}{% endif %}{% endfor %}",
    ext = "html"
)]
pub(super) struct Message<'a>(&'a str);

/// Its template escapes.
impl HtmlSafe for Message<'_> {}

impl Message<'_> {
    /// Every second one is a quoted value.
    fn parts(&self) -> Vec<&str> {
        match self.0.matches('`').count() % 2 {
            0 => self.0.split('`').collect(),
            _ => vec![self.0],
        }
    }
}

pub(super) fn message(text: &str) -> Message<'_> {
    Message(text)
}

/// A license as a table row or a page heading.
pub(super) struct LicenseRow {
    pub(super) license: License,
    pub(super) verdict: Verdict,
    /// `2026-11-23`, in the operator's offset.
    pub(super) created: String,
    /// `2026-12-31`, empty for a perpetual license.
    pub(super) expires: String,
    /// How far away the expiration date is: `in 34 days`.
    pub(super) distance: Option<String>,
    /// `2026-11-23`, in the operator's offset; empty for never.
    pub(super) last_seen: String,
    /// `3 days ago`.
    pub(super) last_seen_distance: String,
    pub(super) seen: Option<LastCheck>,
    pub(super) address_count: i64,
    pub(super) host_count: i64,
}

impl LicenseRow {
    pub(super) fn new(listed: ListedLicense, service: &Service, now: OffsetDateTime) -> LicenseRow {
        let offset = service.utc_offset();
        let ListedLicense {
            license,
            last_check: seen,
            address_count,
            host_count,
            ..
        } = listed;
        let today = now.to_offset(offset).date();
        let last_seen = seen
            .as_ref()
            .map(|seen| seen.last_at.to_offset(offset).date());
        LicenseRow {
            verdict: service.verdict_on(&license, now),
            created: date::format(license.created_at.to_offset(offset).date()),
            expires: license
                .expiration_date
                .map(date::format)
                .unwrap_or_default(),
            distance: license.expiration_date.map(|day| distance(day, today)),
            last_seen: last_seen.map(date::format).unwrap_or_default(),
            last_seen_distance: last_seen
                .map(|day| distance(day, today))
                .unwrap_or_default(),
            license,
            seen,
            address_count,
            host_count,
        }
    }

    /// As its program last reported; none if it did not.
    pub(super) fn host_name(&self) -> Option<&str> {
        let name = self.seen.as_ref().map(|seen| seen.client.hostname.as_str());
        name.filter(|name| !name.is_empty())
    }

    pub(super) fn version(&self) -> Option<&str> {
        let version = self.seen.as_ref().map(|seen| seen.client.version.as_str());
        version.filter(|version| !version.is_empty())
    }

    /// Whether it is not the activation code that refuses it.
    pub(super) fn is_own_status(&self) -> bool {
        let seat = self.license.seat;
        seat.is_some_and(|seat| seat.own_status != Status::Activated)
    }

    /// Whether its last check was refused.
    pub(super) fn is_refused(&self) -> bool {
        self.seen
            .as_ref()
            .is_some_and(|seen| seen.verdict.is_refusal())
    }
}

/// An activation code as a table row or a page heading.
pub(super) struct CodeRow {
    pub(super) listed: ListedCode,
    /// As people write it.
    pub(super) code: String,
    /// `2026-11-23`, in the operator's offset.
    pub(super) created: String,
    /// `2026-12-31`, `30 days from first use`, or empty for perpetual.
    pub(super) term: String,
    /// How far away the expiration date is: `in 34 days`.
    pub(super) distance: Option<String>,
    pub(super) is_expired: bool,
}

impl CodeRow {
    pub(super) fn new(listed: ListedCode, now: OffsetDateTime, offset: UtcOffset) -> CodeRow {
        let code = &listed.code;
        let today = now.to_offset(offset).date();
        let term = code.values.term;
        CodeRow {
            code: code.shown(),
            created: date::format(code.created_at.to_offset(offset).date()),
            term: match term {
                CodeTerm::Perpetual => String::new(),
                CodeTerm::Until(day) => date::format(day),
                CodeTerm::Days(1) => "1 day from first use".to_owned(),
                CodeTerm::Days(days) => format!("{} days from first use", grouped(days)),
            },
            distance: term.expiration_date().map(|day| distance(day, today)),
            is_expired: code.is_expired(today),
            listed,
        }
    }

    /// Its status, unless it has expired.
    pub(super) fn state(&self) -> &'static str {
        match self.listed.code.values.status {
            Status::Activated if self.is_expired => "expired",
            status => status.as_str(),
        }
    }

    /// `2 of 3`.
    pub(super) fn seats(&self) -> String {
        let seats = self.listed.code.values.seats;
        format!("{} of {}", grouped(self.listed.seats_used), grouped(seats))
    }

    pub(super) fn is_full(&self) -> bool {
        self.listed.seats_used >= self.listed.code.values.seats
    }
}

/// `1 code`, `1,234 codes`, `more than 10,000 codes`.
pub(super) fn codes(count: impl Borrow<Count>) -> String {
    match count.borrow() {
        Count::Exactly(1) => "1 code".to_owned(),
        Count::Exactly(found) => format!("{} codes", grouped(*found)),
        Count::MoreThan(found) => format!("more than {} codes", grouped(*found)),
    }
}

/// The result of a check, in lower case.
pub(super) fn verdict_label(verdict: impl Borrow<Verdict>) -> &'static str {
    match verdict.borrow() {
        Verdict::Valid => "valid",
        Verdict::Trial => "on trial",
        Verdict::InGrace => "in grace period",
        Verdict::Expired => "expired",
        Verdict::Suspended => "suspended",
        Verdict::Revoked => "revoked",
        Verdict::NotFound => "unlicensed",
    }
}

/// The state of a license with this verdict: its status, unless it has expired.
pub(super) fn state_label(verdict: impl Borrow<Verdict>) -> &'static str {
    match verdict.borrow() {
        Verdict::Valid => "activated",
        Verdict::Trial => "trial",
        Verdict::InGrace => "grace period",
        verdict => verdict_label(verdict),
    }
}

/// The CSS class of marks, bars and boxes.
pub(super) fn verdict_class(verdict: impl Borrow<Verdict>) -> &'static str {
    match verdict.borrow() {
        Verdict::Valid => "activated",
        Verdict::Trial => "trial",
        Verdict::InGrace => "grace",
        Verdict::Expired => "expired",
        Verdict::Suspended => "suspended",
        Verdict::Revoked => "revoked",
        Verdict::NotFound => "unlicensed",
    }
}

/// `today`, `in 34 days`, `12 days ago`, `in 8 months`, `3 years ago`.
pub(super) fn distance(day: Date, today: Date) -> String {
    let days = (day - today).whole_days();
    let (number, unit) = match days.abs() {
        0 => return "today".to_owned(),
        1 if days > 0 => return "tomorrow".to_owned(),
        1 => return "yesterday".to_owned(),
        days @ 2..=90 => (days, "days"),
        days @ 91..=730 => ((days * 12 + 182) / 365, "months"),
        days => ((days * 100 + 18_262) / 36_525, "years"),
    };
    match days > 0 {
        true => format!("in {number} {unit}"),
        false => format!("{number} {unit} ago"),
    }
}

/// [`distance`] of a moment.
pub(super) fn moment_distance(
    at: &OffsetDateTime,
    now: &OffsetDateTime,
    offset: &UtcOffset,
) -> String {
    distance(at.to_offset(*offset).date(), now.to_offset(*offset).date())
}

/// `1 license`, `1,234 licenses`, `more than 10,000 licenses`.
pub(super) fn licenses(count: impl Borrow<Count>) -> String {
    match count.borrow() {
        Count::Exactly(1) => "1 license".to_owned(),
        Count::Exactly(found) => format!("{} licenses", grouped(*found)),
        Count::MoreThan(0) => "some licenses".to_owned(),
        Count::MoreThan(found) => format!("more than {} licenses", grouped(*found)),
    }
}

/// `1 check`, `1,234 checks`.
pub(super) fn checks(number: i64) -> String {
    match number {
        1 => "1 check".to_owned(),
        _ => format!("{} checks", grouped(number)),
    }
}

/// `1 address`, `7 addresses`.
pub(super) fn addresses(number: impl Borrow<i64>) -> String {
    match number.borrow() {
        1 => "1 address".to_owned(),
        number => format!("{} addresses", grouped(*number)),
    }
}

/// `1 host name`, `7 host names`.
pub(super) fn host_names(number: impl Borrow<i64>) -> String {
    match number.borrow() {
        1 => "1 host name".to_owned(),
        number => format!("{} host names", grouped(*number)),
    }
}

pub(super) fn first_line(note: &str) -> String {
    let line = note.lines().next().unwrap_or_default();
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None if line.len() < note.len() => format!("{line} …"),
        None => line.to_owned(),
    }
}

/// What changed, but for tool and key of a license that was added or deleted, which are named beside it.
pub(super) fn differences(event: &Event) -> Vec<Difference> {
    let is_told = |difference: &Difference| {
        event.pair().is_some()
            && matches!(&*difference.name, "tool_name" | "license_key")
            && (difference.before.is_empty() || difference.after.is_empty())
    };
    let mut all = event.differences();
    all.retain(|difference| !is_told(difference));
    all
}

/// A text by a stranger, in which invisible characters are named.
pub(super) fn visible(text: &str) -> String {
    let shown = |c| match is_invisible(c) && !c.is_whitespace() {
        true => format!("[U+{:04X}]", u32::from(c)),
        false => String::from(c),
    };
    text.chars().map(shown).collect()
}

/// `1 row`, `2 rows`.
pub(super) fn rows(number: impl Borrow<i64>) -> String {
    match number.borrow() {
        1 => "1 row".to_owned(),
        number => format!("{} rows", grouped(*number)),
    }
}

/// 1234567 as 1,234,567.
pub(super) fn grouped(number: impl Borrow<i64>) -> String {
    text::grouped(*number.borrow())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::date;

    #[test]
    fn quoted_values_become_code_and_stay_escaped() {
        let html = |text| message(text).render().unwrap();
        assert_eq!(html("plain"), "plain");
        assert_eq!(
            html("`<b>` is no date; use `2026-12-31`."),
            "<code>&#60;b&#62;</code> is no date; use <code>2026-12-31</code>."
        );
        assert_eq!(html("one ` <i>"), "one ` &#60;i&#62;");
    }

    #[test]
    fn distances_use_the_unit_that_people_would() {
        let today = date!(2026 - 11 - 26);
        for (days, words) in [
            (0, "today"),
            (1, "tomorrow"),
            (-1, "yesterday"),
            (34, "in 34 days"),
            (-12, "12 days ago"),
            (91, "in 3 months"),
            (365, "in 12 months"),
            (730, "in 24 months"),
            (731, "in 2 years"),
            (-3 * 366, "3 years ago"),
        ] {
            assert_eq!(distance(today + Duration::days(days), today), words);
        }
    }
}
