//! Importing a file: upload, preview, confirm.

use askama::Template;
use rocket::form::{DataField, FromForm, Options, ValueField};
use rocket::http::ContentType;
use rocket::response::Redirect;
use rocket::{Either, Route, State, get, post, routes};
use time::{OffsetDateTime, UtcOffset};

use super::code_import;
use super::download::Download;
use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::shown;
use super::upload::Uploaded;
use super::{Page, to};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::bulk::{BulkChange, UNDO_FOR};
use crate::model::date;
use crate::model::import::{BOM, Choice, ImportOptions, Layout, Subject, Upload};
use crate::model::license::fields::FIELDS;
use crate::model::license::{License, Status, Values};
use crate::model::search::Count;
use crate::request::{App, Failure};
use crate::service::{ImportPreview, ImportState, Service};

/// In place of a field's name: as the column is named.
const UNDECIDED: &str = "?";

pub(super) fn routes() -> Vec<Route> {
    routes![form, upload, show, choose, invalid_rows, confirm, discard]
}

#[derive(Template)]
#[template(path = "import.html")]
struct FormPage {
    frame: Frame,
    /// Why the file was refused.
    problem: Option<String>,
    /// The file is no longer available.
    is_gone: bool,
}

#[derive(Template)]
#[template(path = "import_report.html")]
struct ReportPage {
    frame: Frame,
    sent: Upload,
    report: ImportPreview,
    tool_names: Vec<String>,
    /// Why the last confirmation failed.
    failed: Option<String>,
    kept_until: OffsetDateTime,
    offset: UtcOffset,
}

#[derive(Template)]
#[template(path = "import_running.html")]
struct RunningPage {
    frame: Frame,
    sent: Upload,
    done: i64,
    all: i64,
}

#[derive(Template)]
#[template(path = "import_done.html")]
struct DonePage {
    frame: Frame,
    sent: Upload,
    change: BulkChange,
    can_be_undone: bool,
    undo_until: OffsetDateTime,
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
async fn upload(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    uploaded: Uploaded,
) -> Result<Either<Redirect, Page>, Failure> {
    let Uploaded {
        file_name,
        content,
        actor,
        ..
    } = uploaded;
    let sent = if file_name.is_empty() && content.is_empty() {
        Err(Error::invalid("file", "Choose a file first."))
    } else {
        app.run(move |service| service.upload_import(&actor, &file_name, &content))
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
async fn show(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    page(app, frame, id, None).await
}

/// Whatever a file has come to; `refused` is why it is not imported just now.
async fn page(app: &App, frame: Frame, id: i64, refused: Option<Error>) -> Result<Page, Failure> {
    let offset = app.utc_offset();
    let status = if refused.is_some() { 409 } else { 200 };
    Ok(match app.run(move |service| service.import(id)).await {
        Ok(ImportState::Ready {
            upload,
            preview,
            failed,
        }) => Page::with_status(
            status,
            &ReportPage {
                frame,
                kept_until: upload.at + time::Duration::DAY,
                sent: upload,
                report: *preview,
                tool_names: app.run(Service::tool_names).await?,
                failed: refused.or(failed).map(|error| error.to_string()),
                offset,
            },
        )?,
        Ok(ImportState::Codes { upload, pool }) => {
            let tools = app.run(Service::tool_names).await?;
            code_import::preview(frame, upload, *pool, tools, refused, offset)?
        }
        Ok(ImportState::Running { upload, done, all }) => Page::new(&RunningPage {
            frame,
            sent: upload,
            done,
            all,
        })?,
        Ok(ImportState::Done(upload, change)) => Page::new(&DonePage {
            frame,
            sent: upload,
            can_be_undone: change.can_be_undone(app.now()),
            undo_until: change.at + UNDO_FOR,
            change,
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

/// What was chosen on the preview; what is not sent stays as it is.
#[derive(Default)]
struct Choices {
    /// What the columns are, by their position: a field's name, empty to ignore it.
    columns: Vec<(usize, String)>,
    /// What unknown words for a status mean, by their position.
    statuses: Vec<(usize, String)>,
    /// Words in place of an expiration date, by their position, that mean none.
    terms: Vec<usize>,
    others: Vec<(String, String)>,
}

#[rocket::async_trait]
impl<'r> FromForm<'r> for Choices {
    type Context = Choices;

    fn init(_: Options) -> Choices {
        Default::default()
    }

    fn push_value(choices: &mut Choices, input: ValueField<'r>) {
        let (name, value) = (input.name.source().as_str(), input.value.to_owned());
        let at = |kind: &str| name.strip_prefix(kind).and_then(|at| at.parse().ok());
        match (at("column_"), at("status_"), at("term_")) {
            (Some(at), _, _) => choices.columns.push((at, value)),
            (_, Some(at), _) => choices.statuses.push((at, value)),
            (_, _, Some(_)) if value.is_empty() => {}
            (_, _, Some(at)) => choices.terms.push(at),
            (None, None, None) => choices.others.push((name.to_owned(), value)),
        }
    }

    async fn push_data(_: &mut Choices, _: DataField<'r, '_>) {}

    fn finalize(choices: Choices) -> rocket::form::Result<'r, Choices> {
        Ok(choices)
    }
}

impl Choices {
    fn apply(self, options: &mut ImportOptions, layout: &Layout) {
        for (at, name) in self.columns {
            let Some(column) = layout.columns.get(at) else {
                continue;
            };
            match &*name {
                UNDECIDED => drop(options.columns.remove(&column.heading)),
                _ if column.name == Some(&*name) => {}
                _ => drop(options.columns.insert(column.heading.clone(), name)),
            }
        }
        for (at, status) in self.statuses {
            if let Some((word, _)) = layout.unknown_statuses.get(at)
                && !status.is_empty()
            {
                options.statuses.insert(word.clone(), status);
            }
        }
        let terms = self.terms.into_iter();
        let terms = terms.filter_map(|at| layout.unknown_terms.get(at));
        options
            .perpetual
            .extend(terms.map(|(word, _)| word.clone()));
        for (name, value) in self.others {
            match &*name {
                "tool" => {
                    options.tool = Some(value.trim().to_owned()).filter(|tool| !tool.is_empty());
                }
                "header_line" => options.header_line = value.parse().ok(),
                "dates" => options.dates = value.parse().ok(),
                "keys" => options.keys = value.parse().unwrap_or_default(),
                "tools" => options.tools = value.parse().unwrap_or_default(),
                "reset" => *options = options.undecided(),
                _ => {}
            }
        }
    }
}

#[post("/import/<id>/options", data = "<form>")]
async fn choose(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<Choices>,
) -> Result<Flashed, Failure> {
    let choices = form.form;
    let chosen = app
        .run(move |service| {
            service.set_import_options(id, |options, layout| choices.apply(options, layout))
        })
        .await;
    let message = match chosen {
        Ok(()) => "Your choices were applied; this is the new preview.".to_owned(),
        Err(error @ Error::Invalid(_)) => format!("Your choices were not applied. {error}"),
        Err(error) => return Err(error.into()),
    };
    Ok(redirect_with_flash(
        config,
        &format!("/import/{id}"),
        &message,
    ))
}

#[get("/import/<id>/invalid.csv")]
async fn invalid_rows(app: &App, _session: Session, id: i64) -> Result<Download, Failure> {
    let rows = app.run(move |service| service.invalid_rows(id)).await?;
    let table = format!("{BOM}{rows}");
    Ok(Download::new("invalid-rows.csv", ContentType::CSV, table))
}

#[derive(FromForm)]
struct Confirmation {
    #[field(default = "")]
    fingerprint: String,
    /// Whether activation codes that can be guessed are imported too.
    #[field(default = "")]
    short: String,
}

#[post("/import/<id>", data = "<form>")]
async fn confirm(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<Confirmation>,
) -> Result<Either<Either<Redirect, Flashed>, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let Confirmation { fingerprint, short } = form;
    let confirmed = match app.run(move |service| service.import_subject(id)).await? {
        Subject::Licenses => app
            .confirm_import(actor, id, fingerprint)
            .await
            .map(|()| Either::Left(to(config, &format!("/import/{id}")))),
        Subject::Codes => app
            .run(move |service| service.import_codes(&actor, id, &fingerprint, !short.is_empty()))
            .await
            .map(|imported| Either::Right(code_import::done(config, id, &imported))),
    };
    match confirmed {
        Ok(answer) => Ok(Either::Left(answer)),
        Err(error @ Error::Conflict(_)) => {
            Ok(Either::Right(page(app, frame, id, Some(error)).await?))
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/import/<id>/leave", data = "<form>")]
async fn discard(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    drop(form);
    let discarded = app.run(move |service| {
        let subject = service.import_subject(id)?;
        Ok((subject, service.discard_import(id)?))
    });
    let (subject, name) = discarded.await?;
    let message = format!("{name} was discarded; nothing was changed.");
    let path = match subject {
        Subject::Licenses => "/import",
        Subject::Codes => "/codes/import",
    };
    Ok(redirect_with_flash(config, path, &message))
}

impl ReportPage {
    /// The label of a row: `line 17`.
    fn at(&self, line: &u64) -> String {
        format!(
            "{} {}",
            self.report.unit.as_str(),
            shown::grouped(*line as i64)
        )
    }

    fn button(&self) -> String {
        let numbers = &self.report.numbers;
        let licenses = shown::licenses(Count::Exactly(numbers.written()));
        match numbers.invalid {
            0 => format!("Import {licenses}"),
            invalid => format!("Import {licenses}, skip {}", shown::rows(invalid)),
        }
    }

    /// Number of invalid rows that the page does not show.
    fn more_invalid(&self) -> i64 {
        let ImportPreview { keys, tools, .. } = &self.report;
        let shown: i64 = self.report.invalid.iter().map(|group| group.number).sum();
        self.report.numbers.invalid - keys.number - tools.number - shown
    }

    /// Name, old value and new value of each changed field.
    fn differences((before, after): &(License, Values)) -> Vec<(String, String, String)> {
        let texts = before.texts().into_iter().zip(after.texts());
        FIELDS
            .iter()
            .zip(texts)
            .filter(|(_, (before, after))| before != after)
            .map(|(field, (before, after))| (field.short_label(), before.into(), after.into()))
            .collect()
    }

    fn end(new: &Values) -> String {
        new.expiration_date.map(date::format).unwrap_or_default()
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
