//! Importing the activation codes of an older system: paste or upload, preview, confirm.

use askama::Template;
use rocket::{Either, Route, State, get, post, routes};

use super::Page;
use super::codes::CodeQuery;
use super::flash::{Flashed, redirect_with_flash};
use super::frame::Frame;
use super::shown;
use super::upload::Uploaded;
use crate::auth::Session;
use crate::config::Config;
use crate::error::Error;
use crate::model::activation_code::CodeTerm;
use crate::model::code_draft::CodeDraft;
use crate::model::date;
use crate::model::doubt;
use crate::model::import::{MAX_POOL, Pool, PoolCode};
use crate::model::search::Count;
use crate::model::text::grouped;
use crate::request::{App, Failure};
use crate::service::Service;

/// Rows on the preview.
const EXAMPLES: usize = 20;

pub(super) fn routes() -> Vec<Route> {
    routes![form, import]
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
    tool_name: String,
    /// What may be wrong with the tool.
    warning: Option<String>,
    pool: Pool,
    /// The decoded file, sent again to confirm.
    text: String,
    short: usize,
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

/// With the field `confirm` it imports, otherwise it shows what an import would do.
#[post("/codes/import", data = "<uploaded>")]
async fn import(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    uploaded: Uploaded,
) -> Result<Either<Flashed, Page>, Failure> {
    let typed = uploaded.field("text").to_owned();
    let mut draft = CodeDraft::new();
    draft.set("tool_name", uploaded.field("tool_name"));
    let has_field = |name| !uploaded.field(name).is_empty();
    let (is_confirmed, with_short) = (has_field("confirm"), has_field("short"));
    let Uploaded { content, actor, .. } = uploaded;
    let file = match content.is_empty() {
        true => typed.clone().into_bytes(),
        false => content,
    };
    let done = app
        .run(move |service| {
            let tools = service.tool_names()?;
            let tool_name = match draft.tool_name() {
                Ok(name) => name,
                Err(problem) => return Ok(Outcome::Refused(tools, problem.into())),
            };
            let read = match file.is_empty() {
                true => Err(Error::invalid("text", "Paste the codes, or choose a file.")),
                false => service.read_codes(&tool_name, &file),
            };
            match read {
                Ok(_) if is_confirmed => {
                    let imported = service.import_codes(&actor, &tool_name, &file, with_short)?;
                    Ok(Outcome::Done(imported.number, imported.ids))
                }
                Ok((pool, text)) => {
                    let doubt = doubt::tool(&tool_name, &tools).map(|doubt| doubt.message);
                    let is_new = !tools.contains(&tool_name);
                    let new = || format!("There is no tool “{tool_name}” yet; the import adds it.");
                    let warning = doubt.or_else(|| is_new.then(new));
                    Ok(Outcome::Preview(Box::new((tool_name, warning, pool, text))))
                }
                Err(error @ Error::Invalid(_)) => Ok(Outcome::Refused(tools, error)),
                Err(error) => Err(error),
            }
        })
        .await?;
    match done {
        Outcome::Done(number, (first, last)) => {
            let query = CodeQuery::made(first, last).address(&[]);
            let message = match number {
                1 => "1 activation code imported.".to_owned(),
                _ => format!("{} activation codes imported.", grouped(number as i64)),
            };
            let path = format!("/codes{query}");
            Ok(Either::Left(redirect_with_flash(config, &path, &message)))
        }
        Outcome::Preview(read) => {
            let (tool_name, warning, pool, text) = *read;
            Ok(Either::Right(Page::new(&PreviewPage {
                frame,
                tool_name,
                warning,
                short: pool.codes.iter().filter(|code| code.is_short()).count(),
                pool,
                text,
            })?))
        }
        Outcome::Refused(tools, error) => {
            let field = match error.field() {
                Some("tool_name") => "tool_name",
                _ => "text",
            };
            let page = FormPage {
                frame,
                tool_name: String::new(),
                text: typed,
                tools,
                problem: Some((field.to_owned(), error.to_string())),
            };
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
    }
}

enum Outcome {
    /// How many codes were imported, and the IDs of the first and the last one.
    Done(usize, (i64, i64)),
    /// Tool, warning, codes and the decoded file.
    Preview(Box<(String, Option<String>, Pool, String)>),
    Refused(Vec<String>, Error),
}

impl FormPage {
    fn problem(&self, field: &str) -> Option<&str> {
        let (of, why) = self.problem.as_ref()?;
        (of == field).then_some(why.as_str())
    }
}

impl PreviewPage {
    fn examples(&self) -> impl Iterator<Item = &PoolCode> {
        self.pool.codes.iter().take(EXAMPLES)
    }

    fn count(&self) -> Count {
        Count::Exactly(self.pool.codes.len() as i64)
    }

    fn term(&self, code: &PoolCode) -> String {
        match code.values.term {
            CodeTerm::Perpetual => String::new(),
            CodeTerm::Until(day) => date::format(day),
            CodeTerm::Days(days) => format!("{} days from first use", grouped(days)),
        }
    }
}
