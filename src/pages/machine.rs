//! Every license of the machines with one machine code. It finds them, and approves nothing.

use askama::Template;
use rocket::{Route, get, routes};

use super::Page;
use super::frame::Frame;
use crate::auth::Session;
use crate::model::license::License;
use crate::model::machine_code::read_machine_code;
use crate::request::{App, Failure};

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
    licenses: Vec<License>,
    is_complete: bool,
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
    let (licenses, is_complete) = app
        .run_search(move |service| match wanted {
            Some(code) => service.licenses_of_machine_code(&code),
            None => Ok((vec![], true)),
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
        licenses,
        is_complete,
    };
    Ok(Page::with_status(status, &page)?)
}
