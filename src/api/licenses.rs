//! `/api/licenses`: the table of licenses, for scripts.

use std::io::{self, Cursor};
use std::sync::Arc;

use rocket::futures::stream::{self, Stream};
use rocket::http::{ContentType, Header};
use rocket::{FromForm, Request, Responder, Response, Route, delete, get, patch, post, routes};
use rocket::{State, response};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio_util::io::StreamReader;

use super::body::Body;
use super::{Answer, Json};
use crate::auth::{Reader, Writer};
use crate::config::Config;
use crate::error::Error;
use crate::model::license::{Listed, Status};
use crate::model::new_license::{Change, Draft, format_date};
use crate::model::search::{Filter, Fragment, Piece};
use crate::request::{App, Failure};
use crate::service::Service;

/// Rows that are read and held at once while the table is streamed.
const CHUNK: i64 = 1_000;

pub(super) fn routes() -> Vec<Route> {
    routes![list, get, add, change, delete]
}

/// What narrows the list, as it stands in the address.
#[derive(FromForm)]
struct Wanted {
    tool_name: Option<String>,
    status: Option<String>,
    user_id: Option<String>,
    q: Option<String>,
    limit: Option<String>,
    after_id: Option<String>,
}

#[get("/api/licenses?<wanted..>")]
async fn list(app: &App, _reader: Reader, wanted: Wanted) -> Result<Rows, Failure> {
    let left = number("limit", wanted.limit, 1)?.unwrap_or(i64::MAX);
    let after = number("after_id", wanted.after_id, 0)?.unwrap_or(0);
    let status = wanted.status.as_deref().map(Status::parse).transpose();
    let filter = Filter {
        tool_name: wanted.tool_name,
        status: status.map_err(|problem| Error::Invalid(vec![problem]))?,
        user_id: wanted.user_id,
        fragment: wanted.q.as_deref().and_then(Fragment::parse),
        ends: None,
        activity: None,
    };
    let mut table = Table {
        app: Arc::clone(app),
        filter,
        after,
        left,
    };
    let first = table.next_chunk().await?;
    Ok(Rows { table, first })
}

#[get("/api/licenses/<id>")]
async fn get(app: &App, _reader: Reader, id: i64) -> Result<Json<Row>, Failure> {
    let listed = app.run(move |service| service.listed(id)).await?;
    Ok(Json(Row::from(listed)))
}

/// The published answer and where the new row is.
#[derive(Responder)]
struct Added {
    answer: Answer,
    location: Header<'static>,
}

#[post("/api/licenses", data = "<body>")]
async fn add(
    app: &App,
    config: &State<Config>,
    writer: Writer,
    body: Body<Change>,
) -> Result<Added, Failure> {
    let Body(given) = body;
    let draft = given.apply(Draft::new());
    let added = app
        .run(move |service| service.add_license(&writer.0, &draft))
        .await?;
    let location = format!("{}/api/licenses/{}", config.base_path(), added.id);
    Ok(Added {
        answer: Answer::success(201, "License added"),
        location: Header::new("Location", location),
    })
}

#[patch("/api/licenses/<id>", data = "<body>")]
async fn change(app: &App, writer: Writer, id: i64, body: Body<Change>) -> Result<Answer, Failure> {
    let Body(change) = body;
    app.run(move |service| service.change_license(&writer.0, id, change))
        .await?;
    Ok(Answer::success(200, "License updated"))
}

#[delete("/api/licenses/<id>")]
async fn delete(app: &App, writer: Writer, id: i64) -> Result<Answer, Failure> {
    app.run(move |service| service.delete_license(&writer.0, id))
        .await?;
    Ok(Answer::success(200, "License deleted"))
}

fn number(field: &'static str, text: Option<String>, least: i64) -> Result<Option<i64>, Error> {
    let Some(text) = text else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) if number >= least => Ok(Some(number)),
        _ => Err(Error::invalid(
            field,
            format!("`{field}` is `{text}`; it has to be a number from {least} on."),
        )),
    }
}

/// A license on the wire: the seven published fields in their order, then what is known of its checks and
/// what the admin has noted.
#[derive(Serialize)]
struct Row {
    id: i64,
    created_at: String,
    tool_name: String,
    license_key: String,
    status: &'static str,
    user_id: Option<String>,
    expiration_date: Option<String>,
    last_seen_at: Option<String>,
    check_count: i64,
    note: Option<String>,
}

impl From<Listed> for Row {
    fn from(Listed { license, seen, .. }: Listed) -> Row {
        Row {
            id: license.id,
            created_at: format_moment(license.created_at),
            tool_name: license.tool_name,
            license_key: license.license_key,
            status: license.status.as_str(),
            user_id: license.user_id,
            expiration_date: license.expiration_date.map(format_date),
            last_seen_at: seen.as_ref().map(|seen| format_moment(seen.last_at)),
            check_count: seen.map_or(0, |seen| seen.check_count),
            note: license.note,
        }
    }
}

fn format_moment(moment: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    moment.format(format).unwrap_or_default()
}

/// The rest of the table that is still to be sent.
struct Table {
    app: Arc<Service>,
    filter: Filter,
    after: i64,
    left: i64,
}

impl Table {
    /// The next rows, oldest first; none when the table is at its end.
    async fn next_chunk(&mut self) -> Result<Vec<Listed>, Error> {
        let filter = self.filter.clone();
        let piece = Piece::after(self.after, self.left.min(CHUNK));
        let rows = self
            .app
            .run(move |service| service.licenses(&filter, &piece))
            .await?;
        self.left -= rows.len() as i64;
        self.after = rows.last().map_or(i64::MAX, |last| last.license.id);
        Ok(rows)
    }
}

/// A JSON array that is written while the table is read, so that memory does not grow with it. When
/// the database fails on the way the array stays without its end, which no reader takes for whole.
struct Rows {
    table: Table,
    first: Vec<Listed>,
}

impl Rows {
    fn stream(self) -> impl Stream<Item = io::Result<Cursor<Vec<u8>>>> {
        let begin = (Some(self.first), self.table, b'[');
        stream::try_unfold(begin, |(rows, mut table, mut before)| async move {
            let Some(rows) = rows else {
                return Ok(None);
            };
            let mut text = Vec::with_capacity(rows.len() * 200 + 2);
            for row in rows {
                text.push(before);
                before = b',';
                serde_json::to_writer(&mut text, &Row::from(row))?;
            }
            let next = table.next_chunk().await.map_err(|error| {
                table.app.log().fault("GET /api/licenses", &error);
                io::Error::other("the database failed on the way")
            })?;
            if next.is_empty() {
                text.extend(if before == b'[' { &b"[]"[..] } else { b"]" });
                return Ok(Some((Cursor::new(text), (None, table, before))));
            }
            Ok(Some((Cursor::new(text), (Some(next), table, before))))
        })
    }
}

impl<'r> response::Responder<'r, 'r> for Rows {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'r> {
        Response::build()
            .header(ContentType::JSON)
            .streamed_body(StreamReader::new(Box::pin(self.stream())))
            .max_chunk_size(64 * 1024)
            .ok()
    }
}
