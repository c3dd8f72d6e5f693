//! Importing a file: send it, look at what would become of it, confirm.

use std::borrow::Borrow;

use askama::Template;
use rocket::http::ContentType;
use rocket::{Either, FromForm, Responder, Route, State, get, post, routes};
use time::{OffsetDateTime, UtcOffset};

use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::shown;
use super::upload::Uploaded;
use super::{Page, to};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::import::differences;
use crate::model::license::License;
use crate::model::new_license::{NewLicense, format_date};
use crate::model::sheet::BOM;
use crate::request::{App, Failure};
use crate::service::{ImportState, Report};
use crate::store::imports::Sent;

pub(super) fn routes() -> Vec<Route> {
    routes![form, send, look, wrong_rows, confirm, leave]
}

#[derive(Template)]
#[template(path = "import.html")]
struct FormPage {
    frame: Frame,
    /// Why the file was not taken.
    problem: Option<String>,
    /// A file that was looked for is no longer there.
    is_gone: bool,
}

#[derive(Template)]
#[template(path = "import_report.html")]
struct ReportPage {
    frame: Frame,
    sent: Sent,
    report: Report,
    /// Why the last confirmation came to nothing.
    failed: Option<String>,
    kept_until: OffsetDateTime,
    offset: UtcOffset,
}

#[derive(Template)]
#[template(path = "import_running.html")]
struct RunningPage {
    frame: Frame,
    sent: Sent,
    done: i64,
    all: i64,
}

#[derive(Template)]
#[template(path = "import_done.html")]
struct DonePage {
    frame: Frame,
    sent: Sent,
    offset: UtcOffset,
}

#[get("/import")]
async fn form(_session: Session, frame: Frame) -> Result<Page, Failure> {
    Ok(Page::new(&FormPage {
        frame,
        problem: None,
        is_gone: false,
    })?)
}

#[post("/import", data = "<uploaded>")]
async fn send(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    uploaded: Uploaded,
) -> Result<Either<rocket::response::Redirect, Page>, Failure> {
    let Uploaded {
        file_name,
        content,
        actor,
    } = uploaded;
    let sent = if file_name.is_empty() && content.is_empty() {
        Err(Error::invalid("file", "Choose a file first."))
    } else {
        app.run(move |service| service.send_import(&actor, &file_name, &content))
            .await
    };
    match sent {
        Ok(id) => Ok(Either::Left(to(config, &format!("/import/{id}")))),
        Err(Error::Invalid(problems)) => {
            let problem = problems.into_iter().next();
            let page = FormPage {
                frame,
                problem: problem.map(|Problem { message, .. }| message),
                is_gone: false,
            };
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[get("/import/<id>")]
async fn look(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let offset = app.utc_offset();
    Ok(match app.run(move |service| service.import(id)).await {
        Ok(ImportState::Ready(sent, report, failed)) => Page::new(&ReportPage {
            frame,
            kept_until: sent.at + time::Duration::DAY,
            sent,
            report: *report,
            failed: failed.map(|error| error.to_string()),
            offset,
        })?,
        Ok(ImportState::Running(sent, done, all)) => Page::new(&RunningPage {
            frame,
            sent,
            done,
            all,
        })?,
        Ok(ImportState::Done(sent)) => Page::new(&DonePage {
            frame,
            sent,
            offset,
        })?,
        Err(Error::NotFound(_)) => Page::with_status(
            404,
            &FormPage {
                frame,
                problem: None,
                is_gone: true,
            },
        )?,
        Err(error) => return Err(error.into()),
    })
}

/// A file to look into with a spreadsheet program.
#[derive(Responder)]
struct Table {
    text: String,
    kind: ContentType,
    name: rocket::http::Header<'static>,
}

#[get("/import/<id>/wrong.csv")]
async fn wrong_rows(app: &App, _session: Session, id: i64) -> Result<Table, Failure> {
    let rows = app.run(move |service| service.wrong_rows(id)).await?;
    Ok(Table {
        text: format!("{BOM}{rows}"),
        kind: ContentType::CSV,
        name: rocket::http::Header::new(
            "Content-Disposition",
            "attachment; filename=\"wrong-rows.csv\"",
        ),
    })
}

#[derive(FromForm)]
struct Confirmed {
    #[field(default = "")]
    fingerprint: String,
}

#[post("/import/<id>", data = "<form>")]
async fn confirm(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<Confirmed>,
) -> Result<rocket::response::Redirect, Failure> {
    app.confirm_import(form.actor, id, form.form.fingerprint)
        .await?;
    Ok(to(config, &format!("/import/{id}")))
}

#[post("/import/<id>/leave", data = "<form>")]
async fn leave(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    drop(form);
    let name = app.run(move |service| service.leave_import(id)).await?;
    let line = format!("{name} was not imported; nothing was changed.");
    Ok(redirect_with_flash(config, "/import", &line))
}

impl ReportPage {
    /// The word for a row: `line 17`.
    fn at(&self, line: &u64) -> String {
        format!(
            "{} {}",
            self.report.counts_by.as_str(),
            shown::grouped(*line as i64)
        )
    }

    fn rows(number: impl Borrow<i64>) -> String {
        match number.borrow() {
            1 => "1 row".to_owned(),
            number => format!("{} rows", shown::grouped(*number)),
        }
    }

    fn button(&self) -> String {
        let numbers = &self.report.numbers;
        let written = ReportPage::rows(numbers.written());
        match numbers.wrong {
            0 => format!("Import {written}"),
            wrong => format!("Import {written}, leave out {}", shown::grouped(wrong)),
        }
    }

    /// Wrong rows that the page does not show.
    fn more_wrong(&self) -> i64 {
        self.report.numbers.wrong - self.report.wrong.len() as i64
    }

    fn differences((before, after): &(License, NewLicense)) -> Vec<(&'static str, String, String)> {
        differences(before, after)
    }

    fn end(new: &NewLicense) -> String {
        new.expiration_date.map(format_date).unwrap_or_default()
    }
}

impl RunningPage {
    fn has_begun(&self) -> bool {
        self.all > 0
    }

    fn percent(&self) -> i64 {
        match self.all {
            0 => 0,
            all => self.done * 100 / all,
        }
    }
}
