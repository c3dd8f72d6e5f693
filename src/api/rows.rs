//! A JSON array that is written while its rows are read.

use std::io::{self, Cursor};
use std::sync::Arc;

use rocket::futures::stream::{self, Stream};
use rocket::http::ContentType;
use rocket::response::{self, Responder};
use rocket::{Request, Response};
use serde::Serialize;
use tokio_util::io::StreamReader;

use crate::error::Error;
use crate::request::App;
use crate::service::Service;

/// The next rows, none at the end, and what is left.
type WalkOn<R, W> = fn(&Service, W) -> Result<(Vec<R>, W), Error>;

/// If the database fails midway, the array is left unclosed, so that no client takes it for complete.
pub(super) struct Rows<R, W> {
    app: Arc<Service>,
    first: (Vec<R>, W),
    walk_on: WalkOn<R, W>,
    /// Of a fault, in the log.
    place: &'static str,
}

impl<R: Serialize + Send + 'static, W: Send + 'static> Rows<R, W> {
    pub(super) async fn begin(
        app: &App,
        begin: impl FnOnce(&Service) -> Result<W, Error> + Send + 'static,
        walk_on: WalkOn<R, W>,
        place: &'static str,
    ) -> Result<Rows<R, W>, Error> {
        let first = move |service: &Service| walk_on(service, begin(service)?);
        Ok(Rows {
            first: app.run_search(first).await?,
            app: Arc::clone(app),
            walk_on,
            place,
        })
    }

    fn stream(self) -> impl Stream<Item = io::Result<Cursor<Vec<u8>>>> {
        let Rows {
            app,
            first,
            walk_on,
            place,
        } = self;
        stream::try_unfold((Some(first), b'['), move |(piece, mut before)| {
            let app = Arc::clone(&app);
            async move {
                let Some((rows, walk)) = piece else {
                    return Ok(None);
                };
                let mut text = Vec::with_capacity(rows.len() * 200 + 2);
                for row in rows {
                    text.push(before);
                    before = b',';
                    serde_json::to_writer(&mut text, &row)?;
                }
                let next = app.run(move |service| walk_on(service, walk)).await;
                let (rows, walk) = next.map_err(|error| {
                    app.log().fault(place, &error);
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

impl<'r, R: Serialize + Send + 'static, W: Send + 'static> Responder<'r, 'r> for Rows<R, W> {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'r> {
        Response::build()
            .header(ContentType::JSON)
            .streamed_body(StreamReader::new(Box::pin(self.stream())))
            .max_chunk_size(64 * 1024)
            .ok()
    }
}
