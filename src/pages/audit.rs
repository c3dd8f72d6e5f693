//! The audit log: who changed what, when and from where.

use std::sync::Arc;

use askama::Template;
use rocket::http::ContentType;
use rocket::{FromForm, Route, get, routes};
use time::{OffsetDateTime, UtcOffset};

use super::download::{Lines, Written};
use super::frame::Frame;
use super::{Page, query, shown};
use crate::auth::Session;
use crate::error::Error;
use crate::model::audit::{AuditFilter, Entry, Kind};
use crate::model::audit_row::AuditRow;
use crate::model::date;
use crate::model::import::{BOM, csv_line};
use crate::model::mac::canonical_key;
use crate::model::search::check_length;
use crate::model::typed_date::{read_day, required_day};
use crate::request::{App, Failure};
use crate::service::{AuditWalk, Client, Service};

const PER_PAGE: i64 = 50;

pub(super) fn routes() -> Vec<Route> {
    routes![list, csv, json_lines]
}

#[derive(FromForm)]
struct AuditQuery {
    #[field(default = "")]
    kind: String,
    /// A license key, or `#` with a license ID.
    #[field(default = "")]
    license: String,
    #[field(default = "")]
    day: String,
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    query: AuditQuery,
    entries: Vec<Entry>,
    /// What is wrong with the day.
    day_problem: Option<String>,
    /// The URL query of the next page.
    older: Option<String>,
    offset: UtcOffset,
}

#[get("/audit?<query..>")]
async fn list(
    app: &App,
    _session: Session,
    frame: Frame,
    query: AuditQuery,
) -> Result<Page, Failure> {
    let offset = app.utc_offset();
    check_length("license", &query.license).map_err(Error::from)?;
    let filter = query.filter(offset);
    let before = query.before.unwrap_or(i64::MAX);
    let mut entries = app
        .run(move |service| service.audit(&filter, before, PER_PAGE + 1))
        .await?;
    let has_older = entries.len() as i64 > PER_PAGE;
    entries.truncate(PER_PAGE as usize);
    let older = entries
        .last()
        .filter(|_| has_older)
        .map(|last| query.before(&last.id.to_string()));
    let day = Some(&query.day).filter(|day| !day.is_empty());
    let day_problem = day.and_then(|day| required_day("The day", day).err());
    Ok(Page::new(&AuditPage {
        frame,
        query,
        entries,
        day_problem,
        older,
        offset,
    })?)
}

#[get("/audit.csv?<query..>")]
async fn csv(
    app: &App,
    session: Session,
    client: Client,
    query: AuditQuery,
) -> Result<Written<AuditWalk>, Failure> {
    let head = format!("{BOM}{}", csv_line(&AuditRow::COLUMNS)?);
    app.note_audit_export(&session.actor(&client), "csv");
    file(
        app,
        query,
        ("csv", ContentType::CSV, head),
        |service, walk| lines(service, walk, AuditRow::csv_line),
    )
    .await
}

/// One JSON object a line.
#[get("/audit.jsonl?<query..>")]
async fn json_lines(
    app: &App,
    session: Session,
    client: Client,
    query: AuditQuery,
) -> Result<Written<AuditWalk>, Failure> {
    let kind = ContentType::new("application", "jsonl");
    app.note_audit_export(&session.actor(&client), "jsonl");
    file(
        app,
        query,
        ("jsonl", kind, String::new()),
        |service, walk| lines(service, walk, AuditRow::json_line),
    )
    .await
}

async fn file(
    app: &App,
    query: AuditQuery,
    (ending, kind, head): (&str, ContentType, String),
    lines: Lines<AuditWalk>,
) -> Result<Written<AuditWalk>, Failure> {
    check_length("license", &query.license).map_err(Error::from)?;
    let filter = query.filter(app.utc_offset());
    let first = app
        .run_search(move |service| lines(service, service.audit_walk(filter, 0, i64::MAX)?))
        .await?;
    Ok(Written {
        app: Arc::clone(app),
        name: format!("audit-{}.{ending}", date::format(app.today())),
        kind,
        head,
        first,
        lines,
        place: "export_audit",
    })
}

fn lines(
    service: &Service,
    walk: AuditWalk,
    line: fn(&AuditRow) -> Result<String, Error>,
) -> Result<(String, AuditWalk), Error> {
    let (rows, walk) = service.audit_walk_on(walk)?;
    Ok((rows.iter().map(line).collect::<Result<_, _>>()?, walk))
}

impl AuditQuery {
    fn filter(&self, offset: UtcOffset) -> AuditFilter {
        let license = self.license.trim();
        let id = license.strip_prefix('#').and_then(|id| id.parse().ok());
        let is_key = !license.is_empty() && id.is_none();
        let day = read_day(&self.day);
        let midnight = |day: time::Date| -> OffsetDateTime { day.midnight().assume_offset(offset) };
        AuditFilter {
            kind: Kind::from_word(&self.kind),
            license_id: id,
            license_key: is_key.then(|| canonical_key(license).into_owned()),
            user_id: None,
            from: day.map(midnight),
            until: day.and_then(time::Date::next_day).map(midnight),
        }
    }

    fn is_filtered(&self) -> bool {
        [&self.kind, &self.license, &self.day]
            .into_iter()
            .any(|text| !text.is_empty())
    }

    /// The URL query of the page with the entries before this one; empty for the newest, and for files.
    fn before(&self, before: &str) -> String {
        query(&[
            ("kind", &self.kind),
            ("license", &self.license),
            ("day", &self.day),
            ("before", before),
        ])
    }
}
