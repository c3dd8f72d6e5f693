//! The API, for the developers of tools and scripts.

use askama::Template;
use rocket::{Route, State, get, routes};

use super::Page;
use super::frame::Frame;
use crate::auth::Session;
use crate::model::reference::Reference;
use crate::request::Failure;

pub(super) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "reference.html")]
struct ReferencePage<'a> {
    frame: Frame,
    reference: &'a Reference,
    /// The page that led here; none if that is not a tool's.
    tool_name: Option<String>,
}

#[get("/tool/integration/api?<name>")]
fn show(
    _session: Session,
    frame: Frame,
    reference: &State<Reference>,
    name: Option<String>,
) -> Result<Page, Failure> {
    Ok(Page::new(&ReferencePage {
        frame,
        reference,
        tool_name: name,
    })?)
}
