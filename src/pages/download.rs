//! Files that a browser saves.

use std::io::{self, Cursor};
use std::sync::Arc;

use rocket::futures::future;
use rocket::futures::stream::{self, Stream, StreamExt};
use rocket::http::{ContentType, Header};
use rocket::response::{self, Responder};
use rocket::{Request, Response};
use tokio_util::io::StreamReader;

use crate::error::Error;
use crate::model::import::broken_off;
use crate::service::Service;

#[derive(Responder)]
pub(super) struct Download {
    content: Vec<u8>,
    kind: ContentType,
    name: Header<'static>,
}

impl Download {
    /// The name is in ASCII, without quotation marks.
    pub(super) fn new(name: &str, kind: ContentType, content: impl Into<Vec<u8>>) -> Download {
        Download {
            content: content.into(),
            kind,
            name: Header::new(
                "Content-Disposition",
                format!("attachment; filename=\"{name}\""),
            ),
        }
    }
}

/// The next lines, none at the end, and the rest of the walk.
pub(super) type Lines<W> = fn(&Service, W) -> Result<(String, W), Error>;

/// A file that is written while its rows are read. Rocket ends a failed stream as if it were complete, so an error
/// midway becomes a last line that says so.
pub(super) struct Written<W> {
    pub(super) app: Arc<Service>,
    pub(super) name: String,
    pub(super) kind: ContentType,
    pub(super) head: String,
    /// Some lines and the rest of the walk.
    pub(super) first: (String, W),
    pub(super) lines: Lines<W>,
    /// Of a fault, in the log.
    pub(super) place: &'static str,
}

impl<W: Send + 'static> Written<W> {
    fn stream(self) -> impl Stream<Item = io::Result<Cursor<String>>> {
        let Written {
            app,
            head,
            first,
            lines,
            place,
            ..
        } = self;
        let head = stream::once(future::ready(Ok(Cursor::new(head))));
        head.chain(stream::unfold(Some(Ok(first)), move |chunk| {
            let app = Arc::clone(&app);
            async move {
                let chunk: Result<(String, W), Error> = chunk?;
                let (text, next) = match chunk {
                    Ok((text, _)) if text.is_empty() => return None,
                    Ok((text, walk)) => {
                        let next = app.run(move |service| lines(service, walk)).await;
                        (text, Some(next))
                    }
                    Err(error) => {
                        app.log().fault(place, &error);
                        (broken_off(), None)
                    }
                };
                Some((Ok(Cursor::new(text)), next))
            }
        }))
    }
}

impl<'r, W: Send + 'static> Responder<'r, 'r> for Written<W> {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'r> {
        Response::build()
            .header(self.kind.clone())
            .raw_header(
                "Content-Disposition",
                format!("attachment; filename=\"{}\"", self.name),
            )
            .streamed_body(StreamReader::new(Box::pin(self.stream())))
            .max_chunk_size(64 * 1024)
            .ok()
    }
}
