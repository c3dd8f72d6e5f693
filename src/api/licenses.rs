//! `/api/licenses`: the table of licenses, for scripts.

use std::io::{self, Cursor};
use std::sync::Arc;

use rocket::futures::stream::{self, Stream};
use rocket::http::{ContentType, Header};
use rocket::{FromForm, Request, Responder, Response, Route, delete, get, patch, post, routes};
use rocket::{State, response};
use tokio_util::io::StreamReader;

use super::body::Body;
use super::{Answer, Json};
use crate::auth::{Reader, Writer};
use crate::config::Config;
use crate::error::Error;
use crate::model::check::ListedLicense;
use crate::model::license::{Draft, Status};
use crate::model::published::Row;
use crate::model::search::{Filter, Word, check_length};
use crate::request::{App, Failure};
use crate::service::{Service, Walk};

pub(super) fn routes() -> Vec<Route> {
    routes![list, get, add, change, delete]
}

/// The filter in the URL query.
#[derive(FromForm)]
struct ListQuery {
    tool_name: Option<String>,
    status: Option<String>,
    user_id: Option<String>,
    q: Option<String>,
    limit: Option<String>,
    after_id: Option<String>,
}

#[get("/api/licenses?<query..>")]
async fn list(app: &App, reader: Reader, query: ListQuery) -> Result<Rows, Failure> {
    for (field, text) in [
        ("tool_name", &query.tool_name),
        ("status", &query.status),
        ("user_id", &query.user_id),
        ("limit", &query.limit),
        ("after_id", &query.after_id),
    ] {
        let text = text.as_deref().unwrap_or_default();
        check_length(field, text).map_err(Error::from)?;
    }
    let limit = number("limit", query.limit, 1)?.unwrap_or(i64::MAX);
    let after = number("after_id", query.after_id, 0)?.unwrap_or(0);
    let status = query.status.as_deref().map(Status::parse).transpose();
    let words = Word::parse_all(query.q.as_deref().unwrap_or_default());
    let filter = Filter {
        tool_name: query.tool_name,
        status: status.map_err(Error::from)?,
        user_id: query.user_id,
        words: words.map_err(Error::from)?,
        ..Filter::default()
    };
    if filter.is_empty() && limit == i64::MAX {
        app.note_api_export(&reader.0);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(Rows::new(app, filter, after, limit).await?)
}

#[get("/api/licenses/<id>")]
async fn get(app: &App, _reader: Reader, id: i64) -> Result<Json<Row>, Failure> {
    let listed = app.run(move |service| service.listed(id)).await?;
    Ok(Json(Row::from(listed)))
}

/// The published answer, with the location of the new row.
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
    body: Body<Draft>,
) -> Result<Added, Failure> {
    let Body(draft) = body;
    let added = app
        .run(move |service| service.add_license(&writer.0, draft))
        .await?;
    let location = format!("{}/api/licenses/{}", config.base_path(), added.id);
    Ok(Added {
        answer: Answer::success(201, "License added"),
        location: Header::new("Location", location),
    })
}

#[patch("/api/licenses/<id>", data = "<body>")]
async fn change(app: &App, writer: Writer, id: i64, body: Body<Draft>) -> Result<Answer, Failure> {
    let Body(draft) = body;
    app.run(move |service| service.change_license(&writer.0, id, draft))
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
            format!("`{field}` is `{text}`; it must be a number, at least {least}."),
        )),
    }
}

/// A JSON array that is written while the table is read. If the database fails midway, the array is left
/// unclosed, so that no client takes it for complete.
struct Rows {
    app: Arc<Service>,
    walk: Walk,
    first: Vec<ListedLicense>,
}

impl Rows {
    async fn new(app: &App, filter: Filter, after: i64, limit: usize) -> Result<Rows, Error> {
        let first = move |service: &Service| service.walk_on(service.walk(filter, after, limit)?);
        let (first, walk) = app.run_search(first).await?;
        let app = Arc::clone(app);
        Ok(Rows { app, walk, first })
    }

    fn stream(self) -> impl Stream<Item = io::Result<Cursor<Vec<u8>>>> {
        let Rows { app, walk, first } = self;
        stream::try_unfold((Some((first, walk)), b'['), move |(piece, mut before)| {
            let app = Arc::clone(&app);
            async move {
                let Some((rows, walk)) = piece else {
                    return Ok(None);
                };
                let mut text = Vec::with_capacity(rows.len() * 200 + 2);
                for row in rows {
                    text.push(before);
                    before = b',';
                    serde_json::to_writer(&mut text, &Row::from(row))?;
                }
                let next = app.run(move |service| service.walk_on(walk)).await;
                let (rows, walk) = next.map_err(|error| {
                    app.log().fault("list_licenses", &error);
                    io::Error::other("the database failed on the way")
                })?;
                if rows.is_empty() {
                    text.extend(if before == b'[' { &b"[]"[..] } else { b"]" });
                    return Ok(Some((Cursor::new(text), (None, before))));
                }
                Ok(Some((Cursor::new(text), (Some((rows, walk)), before))))
            }
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
