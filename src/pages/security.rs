//! What an auditor would ask: one table, each line with the place where it is changed.

use askama::Template;
use rocket::{Route, get, routes};

use super::frame::Frame;
use super::{Page, shown};
use crate::auth::Session;
use crate::model::security::{Check, CheckState, Remedy};
use crate::request::{App, Failure};
use crate::service::Service;

pub(super) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "security.html")]
struct SecurityPage {
    frame: Frame,
    checks: Vec<Check>,
}

impl SecurityPage {
    fn open(&self) -> usize {
        let open = |check: &&Check| check.state != CheckState::Fine;
        self.checks.iter().filter(open).count()
    }
}

fn class(state: CheckState) -> &'static str {
    match state {
        CheckState::Fine => "activated",
        CheckState::Look => "grace",
        CheckState::NotSet => "expired",
    }
}

#[get("/security")]
async fn show(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let checks = app.run(Service::security).await?;
    Ok(Page::new(&SecurityPage { frame, checks })?)
}
