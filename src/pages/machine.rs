//! Every machine with one machine code. It finds them, and approves nothing.

use askama::Template;
use rocket::{Route, get, routes};
use time::UtcOffset;

use super::frame::Frame;
use super::{Page, query, shown};
use crate::auth::Session;
use crate::model::machine_code::read_machine_code;
use crate::model::unlicensed::UnlicensedMachine;
use crate::request::{App, Failure};
use crate::service::CodedMachines;

pub(super) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "machine.html")]
struct MachinePage {
    frame: Frame,
    typed: String,
    /// None if it is no machine code.
    code: Option<String>,
    found: Option<CodedMachines>,
    offset: UtcOffset,
}

#[get("/machine?<code>")]
async fn show(
    app: &App,
    _session: Session,
    frame: Frame,
    code: Option<String>,
) -> Result<Page, Failure> {
    let typed = code.unwrap_or_default();
    let code = read_machine_code(&typed);
    let wanted = code.clone();
    let found = app
        .run_search(move |service| {
            let found = wanted.map(|code| service.machines_of_code(&code));
            found.transpose()
        })
        .await?;
    let status = match code.is_some() || typed.is_empty() {
        true => 200,
        false => 422,
    };
    let page = MachinePage {
        frame,
        typed,
        code,
        found,
        offset: app.utc_offset(),
    };
    Ok(Page::with_status(status, &page)?)
}

/// The URL query of Diagnose.
fn diagnose(machine: &UnlicensedMachine) -> String {
    query(&[("tool", &machine.tool_name), ("key", &machine.license_key)])
}
