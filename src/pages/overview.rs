//! The home page: what the vendor wants to know in the morning. Every number is a link.

use askama::Template;
use rocket::{FromForm, Route, State, get, post, routes};
use time::{Date, OffsetDateTime, UtcOffset};

use super::Page;
use super::chart::{self, Chart, Day};
use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::shown::{self, LicenseRow, grouped, verdict_class, verdict_label};
use crate::auth::Session;
use crate::config::Config;
use crate::model::alert::{Alert, AlertKind};
use crate::model::backup::{BackupState, BackupWarning, Restored};
use crate::model::check::ListedLicense;
use crate::model::date;
use crate::model::license::{Status, Verdict};
use crate::model::overview::Overview;
use crate::model::search::Count;
use crate::model::server_clock::{Drift, WrongClock};
use crate::model::webhook::WebhookState;
use crate::request::{App, Failure};
use crate::service::{Service, WebhookUse};
use crate::store::tokens::Token;

pub(super) fn routes() -> Vec<Route> {
    routes![show, see_alerts]
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    overview: Overview,
    checks: Chart,
    expirations: Chart,
    expiring_next: Vec<LicenseRow>,
    refused: Vec<LicenseRow>,
    offset: UtcOffset,
    wrong_clock: Option<WrongClock>,
    now: OffsetDateTime,
    backup: BackupState,
    restored: Option<(Restored, Vec<Token>)>,
    /// Who reads the page.
    own_id: i64,
    /// What this person has not seen yet.
    alerts: Vec<Alert>,
    /// Entries of the audit log that may be alerts and cannot be read.
    unreadable: Vec<i64>,
    /// Mails that were not sent, or perhaps were not.
    unsent: i64,
    /// Texts of mails that failed.
    failed_texts: usize,
    /// That were disabled, or did not take an event.
    webhooks: Vec<WebhookUse>,
}

#[get("/")]
async fn show(app: &App, session: Session, frame: Frame) -> Result<Page, Failure> {
    let own_id = session.0.session.user_id;
    let state = move |service: &Service| {
        Ok((
            service.alerts(&session.0.session)?,
            service.backup_state()?,
            service.restored()?,
            service.unsent_mails()?,
            service.failed_mail_texts()?.len(),
            service.webhooks()?,
        ))
    };
    let ((alerts, unreadable), backup, restored, unsent, failed_texts, webhooks) =
        app.run(state).await?;
    let mut overview = app.run(Service::overview).await?;
    let (now, offset) = (app.now(), app.utc_offset());
    let rows = |listed: &mut Vec<ListedLicense>| -> Vec<LicenseRow> {
        let listed = std::mem::take(listed).into_iter();
        listed
            .map(|listed| LicenseRow::new(listed, app, now))
            .collect()
    };
    Ok(Page::new(&OverviewPage {
        expiring_next: rows(&mut overview.next_to_expire),
        refused: rows(&mut overview.refused),
        checks: checks_chart(&overview.days, overview.today, |day| {
            format!("/licenses?seen={day}")
        }),
        expirations: expirations_chart(&overview),
        frame,
        overview,
        offset,
        wrong_clock: app.wrong_clock(),
        now,
        backup,
        restored,
        own_id,
        alerts,
        unreadable,
        unsent,
        failed_texts,
        webhooks: webhooks
            .into_iter()
            .filter(WebhookUse::is_troubled)
            .collect(),
    })?)
}

#[derive(FromForm)]
struct SeenForm {
    /// The newest that the page has shown.
    until: i64,
}

#[post("/alerts/seen", data = "<form>")]
async fn see_alerts(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<SeenForm>,
) -> Result<Flashed, Failure> {
    let SignedInForm {
        form,
        session,
        actor,
        ..
    } = form;
    app.run(move |service| service.see_alerts(&actor, &session, form.until))
        .await?;
    Ok(redirect_with_flash(config, "/", "Alerts marked as seen."))
}

/// Checks per day by verdict; `href` returns the link for a day.
pub(super) fn checks_chart(
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
            .map(|verdict| format!("{} {}", grouped(number(verdict)), verdict_label(verdict)))
            .collect();
        let date = date::format(*day);
        Day {
            values: Verdict::ALL
                .map(|verdict| (number(verdict), verdict_class(verdict)))
                .to_vec(),
            title: match parts.is_empty() {
                true => format!("{date}: no checks"),
                false => format!(
                    "{date}: {} (show licenses last seen that day)",
                    parts.join(", ")
                ),
            },
            href: href(&date),
            tick: tick(*day, today),
        }
    };
    Chart::new(days.iter().map(day).collect())
}

fn expirations_chart(overview: &Overview) -> Chart {
    let day = |(day, number): &(Date, i64)| {
        let date = date::format(*day);
        let licenses = shown::licenses(Count::Exactly(*number));
        let verb = if *number == 1 { "expires" } else { "expire" };
        Day {
            values: vec![(*number, verdict_class(Verdict::Expired))],
            title: format!("{date}: {licenses} {verb}"),
            href: format!("/licenses?status=activated&from={date}&until={date}"),
            tick: tick(*day, overview.today),
        }
    };
    Chart::new(overview.expiring.iter().map(day).collect())
}

/// Labels today, and each Monday as `11-23`.
fn tick(day: Date, today: Date) -> String {
    if day == today {
        return "today".to_owned();
    }
    // Closer labels would overlap on a phone.
    let is_near = (day - today).whole_days().abs() <= 3;
    match day.weekday() {
        time::Weekday::Monday if !is_near => date::format(day)[5..].to_owned(),
        _ => String::new(),
    }
}

impl OverviewPage {
    /// The newest alert.
    fn alerts_until(&self) -> Option<i64> {
        self.alerts.iter().map(|alert| alert.id).max()
    }

    fn is_reader(&self, alert: &Alert) -> bool {
        alert.is_about(self.own_id)
    }

    fn checked(&self, verdict: &Verdict) -> i64 {
        let of_day = |(_, numbers): &(Date, [i64; Verdict::ALL.len()])| numbers[*verdict as usize];
        self.overview.days.iter().map(of_day).sum()
    }

    /// The list of licenses with this result.
    fn link(&self, verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Valid => "/licenses?status=activated&expires=not-expired&seen=last-30-days",
            Verdict::Trial => "/licenses?trial=yes&seen=last-30-days",
            Verdict::InGrace => "/licenses?status=activated&expires=expired&seen=last-30-days",
            Verdict::Expired => "/licenses?status=activated&expires=expired&seen=refused",
            Verdict::Suspended => "/licenses?status=suspended&seen=refused",
            Verdict::Revoked => "/licenses?status=revoked&seen=refused",
            Verdict::NotFound => "/unlicensed",
        }
    }

    fn count_of(&self, numbers: &[i64; Verdict::ALL.len()], verdict: &Verdict) -> i64 {
        numbers[*verdict as usize]
    }

    fn expiring_soon(&self) -> i64 {
        self.overview
            .expiring
            .iter()
            .map(|(_, number)| number)
            .sum()
    }

    /// Position, width and CSS class of each state in a bar of 1,000. Small shares stay visible.
    fn shares(&self) -> Vec<(i64, i64, &'static str)> {
        let all = self.overview.licenses().max(1);
        let mut x = 0;
        let states = self.states().into_iter().filter(|(number, ..)| *number > 0);
        states
            .map(|(number, verdict, _)| {
                let (at, width) = (x, (number * 1_000 / all).max(4));
                x += width;
                (at, width, verdict_class(verdict))
            })
            .collect()
    }

    /// Count and link of each state.
    fn states(&self) -> [(i64, Verdict, &'static str); 4] {
        let overview = &self.overview;
        [
            (
                overview.valid(),
                Verdict::Valid,
                "/licenses?status=activated&expires=not-expired",
            ),
            (
                overview.expired(),
                Verdict::Expired,
                "/licenses?status=activated&expires=expired",
            ),
            (
                overview.with_status(Status::Suspended),
                Verdict::Suspended,
                "/licenses?status=suspended",
            ),
            (
                overview.with_status(Status::Revoked),
                Verdict::Revoked,
                "/licenses?status=revoked",
            ),
        ]
    }

    /// `3 days ago`.
    fn distance(&self, moment: &OffsetDateTime) -> String {
        let day = moment.to_offset(self.offset).date();
        shown::distance(day, self.overview.today)
    }

    /// What a token may do, and when it last did.
    fn use_of(&self, token: &Token) -> String {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let last = match &token.last_use {
            Some(last) => format!("last used {} from {}", self.time(&last.at), last.address),
            None => "never used".to_owned(),
        };
        format!("{}, {last}", scopes.join(" "))
    }

    fn time(&self, moment: &OffsetDateTime) -> String {
        let words = shown::moment(moment, &self.offset);
        let today = date::format(self.overview.today);
        match words.strip_prefix(&today) {
            Some(time) => format!("today{time}"),
            None => words,
        }
    }
}
