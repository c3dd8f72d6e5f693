//! The first page: what the vendor wants to know in the morning, every figure a link.

use askama::Template;
use rocket::{Route, get, routes};
use time::{Date, OffsetDateTime, UtcOffset};

use super::Page;
use super::chart::{self, Chart, Day};
use super::frame::Frame;
use super::shown::{self, Shown, grouped};
use crate::auth::Session;
use crate::model::license::{Listed, Status, Verdict};
use crate::model::new_license::format_date;
use crate::model::overview::Overview;
use crate::model::search::Count;
use crate::request::{App, Failure};
use crate::service::Service;

pub(super) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    overview: Overview,
    checks: Chart,
    ending: Chart,
    next_to_end: Vec<Shown>,
    refused: Vec<Shown>,
    offset: UtcOffset,
}

#[get("/")]
async fn show(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let mut overview = app.run(Service::overview).await?;
    let (now, offset) = (app.now(), app.utc_offset());
    let shown = |listed: &mut Vec<Listed>| -> Vec<Shown> {
        let listed = std::mem::take(listed).into_iter();
        listed.map(|listed| Shown::new(listed, app, now)).collect()
    };
    Ok(Page::new(&OverviewPage {
        next_to_end: shown(&mut overview.next_to_end),
        refused: shown(&mut overview.refused),
        checks: checks(&overview.days, overview.today, |day| {
            format!("/licenses?seen={day}")
        }),
        ending: ending(&overview),
        frame,
        overview,
        offset,
    })?)
}

/// The style class of a verdict.
fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "activated",
        Verdict::InGrace => "grace",
        Verdict::Expired => "expired",
        Verdict::Suspended => "suspended",
        Verdict::Revoked => "revoked",
        Verdict::NotFound => "unknown",
    }
}

fn verdict_words(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::InGrace => "in grace",
        Verdict::Expired => "expired",
        Verdict::Suspended => "suspended",
        Verdict::Revoked => "revoked",
        Verdict::NotFound => "not found",
    }
}

/// Checks a day by verdict; `href` says where a click on a day leads.
pub(super) fn checks(
    days: &[(Date, [i64; Verdict::ALL.len()])],
    today: Date,
    href: impl Fn(&str) -> String,
) -> Chart {
    let day = |(day, numbers): &(Date, [i64; Verdict::ALL.len()])| {
        let number = |verdict: Verdict| numbers[verdict as usize];
        let parts = Verdict::ALL
            .into_iter()
            .filter(|verdict| number(*verdict) > 0);
        let parts: Vec<String> = parts
            .map(|verdict| format!("{} {}", grouped(number(verdict)), verdict_words(&verdict)))
            .collect();
        let date = format_date(*day);
        Day {
            numbers: Verdict::ALL
                .map(|verdict| (number(verdict), class(&verdict)))
                .to_vec(),
            words: match parts.is_empty() {
                true => format!("{date}: no checks"),
                false => format!(
                    "{date}: {} (opens who was last seen then)",
                    parts.join(", ")
                ),
            },
            href: href(&date),
            label: label(*day, today),
        }
    };
    Chart::of(days.iter().map(day).collect())
}

fn ending(overview: &Overview) -> Chart {
    let day = |(day, number): &(Date, i64)| {
        let date = format_date(*day);
        let plural = if *number == 1 { "" } else { "s" };
        Day {
            numbers: vec![(*number, "expired")],
            words: format!("{date}: {} license{plural} end", grouped(*number)),
            href: format!("/licenses?status=activated&from={date}&until={date}"),
            label: label(*day, overview.today),
        }
    };
    Chart::of(overview.ending.iter().map(day).collect())
}

/// Today, and each Monday as `11-23`.
fn label(day: Date, today: Date) -> String {
    if day == today {
        return "today".to_owned();
    }
    let is_near = (day - today).whole_days().abs() < 3;
    match day.weekday() {
        time::Weekday::Monday if !is_near => format_date(day)[5..].to_owned(),
        _ => String::new(),
    }
}

impl OverviewPage {
    fn checked(&self, verdict: &Verdict) -> i64 {
        let of_day = |(_, numbers): &(Date, [i64; Verdict::ALL.len()])| numbers[*verdict as usize];
        self.overview.days.iter().map(of_day).sum()
    }

    /// Where the list behind the checks with that verdict is.
    fn behind(&self, verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Valid => "/licenses?status=activated&ends=not-over&seen=30",
            Verdict::InGrace => "/licenses?status=activated&ends=over&seen=30",
            Verdict::Expired => "/licenses?status=activated&ends=over&seen=refused",
            Verdict::Suspended => "/licenses?status=suspended&seen=refused",
            Verdict::Revoked => "/licenses?status=revoked&seen=refused",
            Verdict::NotFound => "/unknown",
        }
    }

    fn number_of(&self, numbers: &[i64; Verdict::ALL.len()], verdict: &Verdict) -> i64 {
        numbers[*verdict as usize]
    }

    fn ending_soon(&self) -> i64 {
        self.overview.ending.iter().map(|(_, number)| number).sum()
    }

    /// Place, width and class of each state in a bar of 1,000; what is there is seen.
    fn shares(&self) -> Vec<(i64, i64, &'static str)> {
        let all = self.overview.licenses().max(1);
        let mut x = 0;
        let states = self.states().into_iter().filter(|(number, ..)| *number > 0);
        states
            .map(|(number, _, class, _)| {
                let (at, width) = (x, (number * 1_000 / all).max(4));
                x += width;
                (at, width, class)
            })
            .collect()
    }

    /// Number, words, class and list of each state.
    fn states(&self) -> [(i64, &'static str, &'static str, &'static str); 4] {
        let overview = &self.overview;
        [
            (
                overview.good(),
                "activated",
                "activated",
                "/licenses?status=activated&ends=not-over",
            ),
            (
                overview.ended(),
                "expired",
                "expired",
                "/licenses?status=activated&ends=over",
            ),
            (
                overview.of(Status::Suspended),
                "suspended",
                "suspended",
                "/licenses?status=suspended",
            ),
            (
                overview.of(Status::Revoked),
                "revoked",
                "revoked",
                "/licenses?status=revoked",
            ),
        ]
    }

    fn time(&self, moment: &OffsetDateTime) -> String {
        let words = shown::moment(moment, &self.offset);
        let today = format_date(self.overview.today);
        match words.strip_prefix(&today) {
            Some(time) => format!("today{time}"),
            None => words,
        }
    }
}

fn number(count: &Count) -> String {
    match count {
        Count::Exactly(number) => grouped(*number),
        Count::MoreThan(number) => format!("more than {}", grouped(*number)),
    }
}
