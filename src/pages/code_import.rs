//! Importing the activation codes of an older system: paste or upload, preview, confirm. The preview is at the address
//! of every uploaded file, see [`super::import`].

use askama::Template;
use rocket::response::Redirect;
use rocket::{Either, Route, State, get, post, routes};
use time::{OffsetDateTime, UtcOffset};

use super::codes::CodeQuery;
use super::flash::{Flashed, redirect_with_flash};
use super::frame::Frame;
use super::shown;
use super::upload::Uploaded;
use super::{Page, to};
use crate::auth::Session;
use crate::config::Config;
use crate::error::Error;
use crate::model::activation_code::CodeTerm;
use crate::model::code_draft::CodeDraft;
use crate::model::date;
use crate::model::import::{MAX_POOL, Pool, PoolCode, Subject, Upload};
use crate::model::license::Status;
use crate::model::search::Count;
use crate::model::text::grouped;
use crate::request::{App, Failure};
use crate::service::{Imported, Service};

/// Codes, and rows that cannot be imported, on the preview.
const EXAMPLES: usize = 20;
const MAX_WRONG: usize = 100;

/// The name of codes that were not in a file.
const PASTED: &str = "Pasted codes";

pub(super) fn routes() -> Vec<Route> {
    routes![form, upload]
}

#[derive(Template)]
#[template(path = "code_import.html")]
struct FormPage {
    frame: Frame,
    tool_name: String,
    text: String,
    tools: Vec<String>,
    /// The field at fault, and why.
    problem: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "code_import_preview.html")]
struct PreviewPage {
    frame: Frame,
    sent: Upload,
    report: Pool,
    tool_names: Vec<String>,
    /// Why the last confirmation failed.
    failed: Option<String>,
    /// Of the new codes, those that can be guessed.
    short: usize,
    kept_until: OffsetDateTime,
    offset: UtcOffset,
}

#[get("/codes/import?<tool>")]
async fn form(
    app: &App,
    _session: Session,
    frame: Frame,
    tool: Option<String>,
) -> Result<Page, Failure> {
    let tools = app.run(Service::tool_names).await?;
    Ok(Page::new(&FormPage {
        frame,
        tool_name: tool.unwrap_or_default(),
        text: String::new(),
        tools,
        problem: None,
    })?)
}

#[post("/codes/import", data = "<uploaded>")]
async fn upload(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    uploaded: Uploaded,
) -> Result<Either<Redirect, Page>, Failure> {
    let typed = uploaded.field("text").to_owned();
    let typed_tool = uploaded.field("tool_name").to_owned();
    let mut draft = CodeDraft::new();
    draft.set("tool_name", &typed_tool);
    let Uploaded {
        file_name,
        content,
        actor,
        ..
    } = uploaded;
    let (name, file) = match content.is_empty() {
        true => (PASTED.to_owned(), typed.clone().into_bytes()),
        false => (file_name, content),
    };
    let sent = app
        .run(move |service| {
            let tool_name = draft.tool_name()?;
            if file.iter().all(u8::is_ascii_whitespace) {
                return Err(Error::invalid("text", "Paste the codes, or choose a file."));
            }
            service.upload_codes(&actor, &name, &file, tool_name)
        })
        .await;
    match sent {
        Ok(id) => Ok(Either::Left(to(config, &format!("/import/{id}")))),
        Err(error @ Error::Invalid(_)) => {
            let field = match error.field() {
                Some("tool_name") => "tool_name",
                _ => "text",
            };
            let page = FormPage {
                frame,
                tool_name: typed_tool,
                text: typed,
                tools: app.run(Service::tool_names).await?,
                problem: Some((field.to_owned(), error.to_string())),
            };
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

/// What an import of this file would do; `refused` is why it was not just done.
pub(super) fn preview(
    frame: Frame,
    sent: Upload,
    report: Pool,
    tool_names: Vec<String>,
    refused: Option<Error>,
    offset: UtcOffset,
) -> Result<Page, Error> {
    let status = if refused.is_some() { 409 } else { 200 };
    let page = PreviewPage {
        frame,
        kept_until: sent.at + time::Duration::DAY,
        sent,
        tool_names,
        failed: refused.map(|error| error.to_string()),
        short: report.short(),
        report,
        offset,
    };
    Page::with_status(status, &page)
}

/// Leads to the codes that were imported, or back to the file if some of it was not.
pub(super) fn done(config: &Config, id: i64, imported: &Imported) -> Flashed {
    let message = match imported.number {
        1 => "1 activation code imported".to_owned(),
        number => format!("{} activation codes imported", grouped(number as i64)),
    };
    let skipped = imported.skipped as i64;
    if skipped > 0 {
        let message = format!("{message}, {} skipped.", shown::rows(skipped));
        return redirect_with_flash(config, &format!("/import/{id}"), &message);
    }
    let (first, last) = imported.ids;
    let query = CodeQuery::made(first, last).address(&[]);
    redirect_with_flash(config, &format!("/codes{query}"), &format!("{message}."))
}

impl FormPage {
    fn problem(&self, field: &str) -> Option<&str> {
        let (of, why) = self.problem.as_ref()?;
        (of == field).then_some(why.as_str())
    }
}

impl PreviewPage {
    fn examples(&self) -> impl Iterator<Item = &PoolCode> {
        self.report.codes.iter().take(EXAMPLES)
    }

    /// New codes that nobody can guess.
    fn long(&self) -> usize {
        self.report.codes.len() - self.short
    }

    fn can_be_imported(&self) -> bool {
        self.report.similar.is_none() && !self.report.codes.is_empty()
    }

    /// `Import 10 codes, skip 2 rows`.
    fn button(&self, with_short: bool) -> String {
        let (number, skipped) = match with_short {
            true => (self.report.codes.len(), 0),
            false => (self.long(), self.short),
        };
        let codes = shown::codes(Count::Exactly(number as i64));
        match (skipped + self.report.wrong.len()) as i64 {
            0 => format!("Import {codes}"),
            skipped => format!("Import {codes}, skip {}", shown::rows(skipped)),
        }
    }

    fn term(&self, code: &PoolCode) -> String {
        match code.values.term {
            CodeTerm::Perpetual => String::new(),
            CodeTerm::Until(day) => date::format(day),
            CodeTerm::Days(days) => format!("{} days from first use", grouped(days)),
        }
    }
}
