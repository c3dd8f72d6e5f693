//! Files that a browser saves.

use rocket::Responder;
use rocket::http::{ContentType, Header};

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
