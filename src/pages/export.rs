//! The table of licenses as a file for spreadsheet programs.

use std::io::{self, Cursor};
use std::sync::Arc;

use rocket::futures::future;
use rocket::futures::stream::{self, Stream, StreamExt};
use rocket::http::ContentType;
use rocket::response::{self, Responder};
use rocket::{Request, Response, Route, get, routes};
use tokio_util::io::StreamReader;

use super::wanted::Wanted;
use crate::auth::Session;
use crate::error::Error;
use crate::model::import::broken_off;
use crate::model::license::Listed;
use crate::model::new_license::format_date;
use crate::model::published::Row;
use crate::model::sheet::{BOM, csv_header};
use crate::request::{App, Failure};
use crate::service::{Service, Walk};

pub(super) fn routes() -> Vec<Route> {
    routes![export]
}

#[get("/licenses.csv?<wanted..>")]
async fn export(app: &App, _session: Session, wanted: Wanted) -> Result<Table, Failure> {
    let today = app.today();
    let filter = wanted.filter(today).map_err(Error::from)?;
    let first = app
        .run(move |service| service.walk_on(service.walk(filter)?))
        .await?;
    Ok(Table {
        app: Arc::clone(app),
        file_name: file_name(&format_date(today)),
        head: format!("{BOM}{}", csv_header()?),
        first,
    })
}

fn file_name(day: &str) -> String {
    format!("licenses-{day}.csv")
}

/// A table that is written while the licenses are read. Rocket ends a stream that fails as if it were
/// whole: a fault on the way becomes a last line that says so.
struct Table {
    app: Arc<Service>,
    file_name: String,
    head: String,
    first: (Vec<Listed>, Walk),
}

/// Some rows and how to go on, or why it does not.
type Piece = Result<(Vec<Listed>, Walk), Error>;

impl Table {
    fn stream(self) -> impl Stream<Item = io::Result<Cursor<String>>> {
        let Table {
            app, head, first, ..
        } = self;
        let head = stream::once(future::ready(Ok(Cursor::new(head))));
        head.chain(stream::unfold(Some(Ok(first)), move |piece| {
            let app = Arc::clone(&app);
            async move {
                let piece: Piece = piece?;
                let (text, next) = match piece.and_then(|(rows, walk)| Ok((lines(rows)?, walk))) {
                    Ok((text, _)) if text.is_empty() => return None,
                    Ok((text, walk)) => {
                        let next = app.run(move |service| service.walk_on(walk)).await;
                        (text, Some(next))
                    }
                    Err(error) => {
                        app.log().fault("GET /licenses.csv", &error);
                        (broken_off(), None)
                    }
                };
                Some((Ok(Cursor::new(text)), next))
            }
        }))
    }
}

fn lines(rows: Vec<Listed>) -> Result<String, Error> {
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
