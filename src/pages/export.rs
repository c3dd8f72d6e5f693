//! The table of licenses as a CSV file or an Excel workbook.

use std::io::{self, Cursor};
use std::sync::Arc;

use rocket::futures::future;
use rocket::futures::stream::{self, Stream, StreamExt};
use rocket::http::ContentType;
use rocket::response::{self, Responder};
use rocket::{Request, Response, Route, get, routes};
use time::Date;
use tokio_util::io::StreamReader;

use super::download::Download;
use super::license_query::LicenseQuery;
use crate::auth::Session;
use crate::error::Error;
use crate::model::audit::Actor;
use crate::model::check::ListedLicense;
use crate::model::date;
use crate::model::import::{BOM, broken_off};
use crate::model::published::{Row, csv_header};
use crate::request::{App, Failure};
use crate::service::{Client, MAX_SENT, Service, Walk};

pub(super) fn routes() -> Vec<Route> {
    routes![export, workbook]
}

#[get("/licenses.csv?<query..>")]
async fn export(
    app: &App,
    session: Session,
    client: Client,
    query: LicenseQuery,
) -> Result<Table, Failure> {
    let today = app.today();
    let filter = query.filter(today).map_err(Error::from)?;
    let first = app
        .run_search(move |service| service.walk_on(service.walk(filter, 0, usize::MAX)?))
        .await?;
    app.note_export(&actor(session, &client), "csv");
    Ok(Table {
        app: Arc::clone(app),
        file_name: file_name(today, "csv"),
        head: format!("{BOM}{}", csv_header()?),
        first,
    })
}

fn actor(session: Session, client: &Client) -> Actor {
    let session = session.0.session;
    Actor::person(session.user_id, &session.user_name, client.address)
}

fn file_name(day: Date, kind: &str) -> String {
    format!("licenses-{}.{kind}", date::format(day))
}

#[get("/licenses.xlsx?<query..>")]
async fn workbook(
    app: &App,
    session: Session,
    client: Client,
    query: LicenseQuery,
) -> Result<Download, Failure> {
    let today = app.today();
    let filter = query.filter(today).map_err(Error::from)?;
    let content = app
        .run_search(move |service| service.workbook(filter, MAX_SENT))
        .await?;
    app.note_export(&actor(session, &client), "xlsx");
    let kind = ContentType::new(
        "application",
        "vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    );
    Ok(Download::new(&file_name(today, "xlsx"), kind, content))
}

/// A file that is written while the licenses are read. Rocket ends a failed stream as if it were complete, so
/// an error midway becomes a last line that says so.
struct Table {
    app: Arc<Service>,
    file_name: String,
    head: String,
    first: (Vec<ListedLicense>, Walk),
}

/// Some rows and the rest of the walk, or why it failed.
type Chunk = Result<(Vec<ListedLicense>, Walk), Error>;

impl Table {
    fn stream(self) -> impl Stream<Item = io::Result<Cursor<String>>> {
        let Table {
            app, head, first, ..
        } = self;
        let head = stream::once(future::ready(Ok(Cursor::new(head))));
        head.chain(stream::unfold(Some(Ok(first)), move |chunk| {
            let app = Arc::clone(&app);
            async move {
                let chunk: Chunk = chunk?;
                let (text, next) = match chunk.and_then(|(rows, walk)| Ok((lines(rows)?, walk))) {
                    Ok((text, _)) if text.is_empty() => return None,
                    Ok((text, walk)) => {
                        let next = app.run(move |service| service.walk_on(walk)).await;
                        (text, Some(next))
                    }
                    Err(error) => {
                        app.log().fault("export_licenses", &error);
                        (broken_off(), None)
                    }
                };
                Some((Ok(Cursor::new(text)), next))
            }
        }))
    }
}

fn lines(rows: Vec<ListedLicense>) -> Result<String, Error> {
    rows.into_iter()
        .map(|row| Row::from(row).csv_line())
        .collect()
}

impl<'r> Responder<'r, 'r> for Table {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'r> {
        Response::build()
            .header(ContentType::CSV)
            .raw_header(
                "Content-Disposition",
                format!("attachment; filename=\"{}\"", self.file_name),
            )
            .streamed_body(StreamReader::new(Box::pin(self.stream())))
            .max_chunk_size(64 * 1024)
            .ok()
    }
}
