//! The way to everything that is set up once: account, tokens, keys, audit log.

use askama::Template;
use rocket::{Route, get, routes};

use super::Page;
use super::frame::Frame;
use crate::auth::Session;
use crate::request::Failure;

pub(super) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
}

#[get("/settings")]
fn show(_session: Session, frame: Frame) -> Result<Page, Failure> {
    Ok(Page::new(&SettingsPage { frame })?)
}
