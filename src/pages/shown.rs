//! How moments, days and verdicts are shown.

use std::borrow::Borrow;

use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

use crate::model::license::{License, Listed, Verdict};
use crate::model::new_license::format_date;
use crate::model::search::Count;
use crate::model::sighting::Seen;
use crate::model::text;
use crate::service::Service;

/// `UTC+02:00`.
pub(super) fn offset(offset: &UtcOffset) -> String {
    let format = format_description!("UTC[offset_hour sign:mandatory]:[offset_minute]");
    offset.format(format).unwrap_or_default()
}

/// `2026-11-23 14:05` in the operator's offset.
pub(super) fn moment(moment: &OffsetDateTime, offset: &UtcOffset) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
    moment.to_offset(*offset).format(format).unwrap_or_default()
}

/// `Firefox on Windows`, as far as a browser's own words tell.
pub(super) fn browser(user_agent: &str) -> String {
    // Each browser also names those that it wants to be taken for; the order tells them apart.
    let programs = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
        ("python-requests/", "Python"),
    ];
    let systems = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(sign, _)| user_agent.contains(sign));
        found.map(|(_, name)| *name)
    };
    match (find(&programs), find(&systems)) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(program), None) => program.to_owned(),
        (None, _) if user_agent.is_empty() => "unknown".to_owned(),
        (None, _) => user_agent.chars().take(60).collect(),
    }
}

/// A license as a line of a table or the head of a page.
pub(super) struct Shown {
    pub(super) license: License,
    pub(super) verdict: Verdict,
    /// `2026-11-23`, in the operator's offset.
    pub(super) created: String,
    /// `2026-12-31`, or nothing.
    pub(super) last_day: String,
    /// How far the last day is, where it is near or over.
    pub(super) distance: Option<String>,
    /// `today`, `3 days ago`, `2026-01-31`, or nothing for never.
    pub(super) last_seen: String,
    pub(super) seen: Option<Seen>,
}

impl Shown {
    pub(super) fn new(listed: Listed, service: &Service, now: OffsetDateTime) -> Shown {
        let offset = service.utc_offset();
        let Listed { license, seen, .. } = listed;
        let today = now.to_offset(offset).date();
        Shown {
            verdict: service.verdict_on(&license, now),
            created: format_date(license.created_at.to_offset(offset).date()),
            last_day: license.expiration_date.map(format_date).unwrap_or_default(),
            distance: license.expiration_date.and_then(|day| distance(day, today)),
            last_seen: seen
                .as_ref()
                .map(|seen| ago(seen.last_at.to_offset(offset).date(), today))
                .unwrap_or_default(),
            license,
            seen,
        }
    }

    /// Whether its last check was told no.
    pub(super) fn is_refused(&self) -> bool {
        self.seen
            .as_ref()
            .is_some_and(|seen| seen.verdict.is_refusal())
    }

    /// In one word, also the style class of its mark: the status, or expired, which is none.
    pub(super) fn state(&self) -> &'static str {
        match self.verdict {
            Verdict::Expired => "expired",
            Verdict::InGrace => "grace",
            Verdict::Valid | Verdict::NotFound | Verdict::Suspended | Verdict::Revoked => {
                self.license.status.as_str()
            }
        }
    }
}

fn ago(day: Date, today: Date) -> String {
    match (today - day).whole_days() {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days @ 2..=60 => format!("{days} days ago"),
        _ => format_date(day),
    }
}

fn distance(day: Date, today: Date) -> Option<String> {
    match (day - today).whole_days() {
        0 => Some("last day today".to_owned()),
        1 => Some("tomorrow".to_owned()),
        days @ 2..=60 => Some(format!("in {days} days")),
        -1 => Some("since yesterday".to_owned()),
        days @ -60..=-2 => Some(format!("{} days ago", -days)),
        _ => None,
    }
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

/// The beginning of a note.
pub(super) fn first_line(note: &str) -> String {
    let line = note.lines().next().unwrap_or_default();
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None if line.len() < note.len() => format!("{line} …"),
        None => line.to_owned(),
    }
}

/// 1234567 as 1,234,567.
pub(super) fn grouped(number: impl Borrow<i64>) -> String {
    text::grouped(*number.borrow())
}
