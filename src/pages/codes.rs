//! The table of activation codes, and its files.

use askama::Template;
use rocket::http::ContentType;
use rocket::{FromForm, Route, get, routes};
use time::{Date, OffsetDateTime, UtcOffset};

use super::download::Download;
use super::frame::Frame;
use super::shown::{self, CodeRow};
use super::{Page, query};
use crate::auth::Session;
use crate::error::{Error, Problem};
use crate::model::activation_code::ListedCode;
use crate::model::code_search::{CodeFilter, CodePlace, CodeState};
use crate::model::date;
use crate::model::import::{BOM, csv_line};
use crate::model::license::Status;
use crate::model::published::{CODE_COLUMNS, code_cells};
use crate::model::search::{Count, Word, check_length};
use crate::request::{App, Failure};
use crate::service::{Client, Service, workbook_of_codes};

const PER_PAGE: usize = 50;

pub(super) fn routes() -> Vec<Route> {
    routes![list, csv, workbook]
}

/// The filter in a URL; empty if not given.
#[derive(FromForm, Debug, Clone, Default)]
pub(super) struct CodeQuery {
    #[field(default = "")]
    q: String,
    #[field(default = "")]
    tool: String,
    #[field(default = "")]
    status: String,
    /// See [`CodeState::CHOICES`].
    #[field(default = "")]
    state: String,
    /// Codes that were created together.
    first: Option<i64>,
    last: Option<i64>,
}

#[derive(Template)]
#[template(path = "codes.html")]
struct CodesPage<'a> {
    frame: &'a Frame,
    query: &'a CodeQuery,
    tools: &'a [String],
    /// Why the filter in the address is invalid.
    problem: Option<&'a str>,
    rows: &'a [CodeRow],
    count: Count,
    is_first: bool,
    /// URL queries of the neighboring pages.
    previous: Option<String>,
    next: Option<String>,
}

#[get("/codes?<before>&<after>&<query..>")]
async fn list(
    app: &App,
    _session: Session,
    frame: Frame,
    before: Option<i64>,
    after: Option<i64>,
    query: CodeQuery,
) -> Result<Page, Failure> {
    let today = app.today();
    let (filter, problem) = match query.filter(today) {
        Ok(filter) => (Some(filter), None),
        Err(problem) => (None, Some(problem.message)),
    };
    let place = match (after, before) {
        (Some(id), _) => CodePlace::After(id),
        (None, Some(id)) => CodePlace::Before(id),
        (None, None) => CodePlace::First,
    };
    let (tools, mut listed, count) = app
        .run_search(move |service| {
            let (listed, count) = match filter {
                Some(filter) => service.codes(&filter, place, PER_PAGE + 1)?,
                None => (vec![], Count::Exactly(0)),
            };
            Ok((service.tool_names()?, listed, count))
        })
        .await?;
    let is_full = listed.len() > PER_PAGE;
    listed.truncate(PER_PAGE);
    let (has_previous, has_next) = match place {
        CodePlace::First => (false, is_full),
        CodePlace::After(_) => (true, is_full),
        CodePlace::Before(_) => {
            listed.reverse();
            (is_full, true)
        }
    };
    let address = |direction, row: Option<&ListedCode>, exists: bool| {
        let id = row.filter(|_| exists)?.code.id.to_string();
        Some(query.address(&[(direction, &id)]))
    };
    let previous = address("before", listed.first(), has_previous);
    let next = address("after", listed.last(), has_next);
    let rows = rows(listed, app.now(), app.utc_offset());
    let status = if problem.is_some() { 422 } else { 200 };
    let page = CodesPage {
        frame: &frame,
        query: &query,
        tools: &tools,
        problem: problem.as_deref(),
        rows: &rows,
        count,
        is_first: place == CodePlace::First,
        previous,
        next,
    };
    Ok(Page::with_status(status, &page)?)
}

fn rows(listed: Vec<ListedCode>, now: OffsetDateTime, offset: UtcOffset) -> Vec<CodeRow> {
    let listed = listed.into_iter();
    listed
        .map(|listed| CodeRow::new(listed, now, offset))
        .collect()
}

#[get("/codes.csv?<query..>")]
async fn csv(
    app: &App,
    session: Session,
    client: Client,
    query: CodeQuery,
) -> Result<Download, Failure> {
    let codes = to_send(app, session, &client, &query, "csv: activation codes").await?;
    let mut text = format!("{BOM}{}", csv_line(&CODE_COLUMNS)?);
    for code in &codes {
        let cells = code_cells(code);
        text += &csv_line(&cells.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    let name = file_name(app.today(), "csv");
    Ok(Download::new(&name, ContentType::CSV, text))
}

#[get("/codes.xlsx?<query..>")]
async fn workbook(
    app: &App,
    session: Session,
    client: Client,
    query: CodeQuery,
) -> Result<Download, Failure> {
    let codes = to_send(app, session, &client, &query, "xlsx: activation codes").await?;
    let content = app.run(move |_| workbook_of_codes(&codes)).await?;
    let kind = ContentType::new(
        "application",
        "vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    );
    let name = file_name(app.today(), "xlsx");
    Ok(Download::new(&name, kind, content))
}

/// The oldest code first, as an import keeps them.
async fn to_send(
    app: &App,
    session: Session,
    client: &Client,
    query: &CodeQuery,
    to: &str,
) -> Result<Vec<ListedCode>, Failure> {
    let filter = query.filter(app.today()).map_err(Error::from)?;
    let mut codes = app
        .run_search(move |service| service.codes_to_send(&filter))
        .await?;
    let actor = session.actor(client);
    Service::note_export(app, &actor, to);
    codes.reverse();
    Ok(codes)
}

fn file_name(day: Date, kind: &str) -> String {
    format!("activation-codes-{}.{kind}", date::format(day))
}

impl CodeQuery {
    /// Of codes that were created together.
    pub(super) fn made(first: i64, last: i64) -> CodeQuery {
        CodeQuery {
            first: Some(first),
            last: Some(last),
            ..CodeQuery::default()
        }
    }

    /// An unknown value is an error: it must not match all codes.
    pub(super) fn filter(&self, today: Date) -> Result<CodeFilter, Problem> {
        check_length("tool", &self.tool)?;
        let unknown = |field, word: &str| Problem {
            field,
            message: format!(
                "Unknown value “{word}” for the filter “{field}”; choose one from the list."
            ),
        };
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let status = given(&self.status)
            .map(|word| Status::from_word(&word).ok_or_else(|| unknown("status", &word)));
        let state = given(&self.state)
            .map(|word| CodeState::read(&word, today).ok_or_else(|| unknown("state", &word)));
        Ok(CodeFilter {
            tool_name: given(&self.tool),
            status: status.transpose()?,
            words: Word::parse_all(&self.q)?,
            state: state.transpose()?,
            ids: match (self.first, self.last) {
                (None, None) => None,
                (first, last) => Some((first.unwrap_or(0), last.unwrap_or(i64::MAX))),
            },
        })
    }

    fn is_filtered(&self) -> bool {
        let texts = [&self.q, &self.tool, &self.status, &self.state];
        texts.iter().any(|text| !text.is_empty()) || self.is_made()
    }

    fn is_made(&self) -> bool {
        self.first.is_some() || self.last.is_some()
    }

    /// The URL query at another position in the table.
    pub(super) fn address(&self, place: &[(&str, &str)]) -> String {
        let id = |id: Option<i64>| id.map(|id| id.to_string()).unwrap_or_default();
        let fields = [
            ("q", self.q.as_str()),
            ("tool", &self.tool),
            ("status", &self.status),
            ("state", &self.state),
            ("first", &id(self.first)),
            ("last", &id(self.last)),
        ];
        query(&[&fields[..], place].concat())
    }

    /// The filter in words, for the middle of a sentence; empty for all codes.
    fn in_words(&self) -> String {
        let mut words = vec![];
        if !self.q.is_empty() {
            words.push(format!("with “{}”", self.q));
        }
        if !self.tool.is_empty() {
            words.push(format!("for {}", self.tool));
        }
        if !self.status.is_empty() {
            words.push(format!("that are {}", self.status));
        }
        let mut choices = CodeState::CHOICES.iter();
        if let Some((.., sentence)) = choices.find(|(word, ..)| *word == self.state) {
            words.push((*sentence).to_owned());
        }
        if self.is_made() {
            words.push("that were created together".to_owned());
        }
        words.join(", ")
    }
}
