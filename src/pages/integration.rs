//! Sample code for one tool, with the server URL, the tool's name and the public keys filled in.

use askama::Template;
use rocket::{Route, State, get, routes};
use rocket_dyn_templates::minijinja::{Value, context};

use super::Page;
use super::frame::Frame;
use super::snippets::{self, Snippet};
use crate::auth::Session;
use crate::config::Config;
use crate::request::{App, Failure};

pub(super) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "integration.html")]
struct IntegrationPage {
    frame: Frame,
    tool_name: String,
    /// Whether programs are given an address without TLS.
    is_http: bool,
    /// Number of public keys to pin.
    keys: usize,
    snippets: Vec<Snippet>,
}

#[get("/tool/integration?<name>")]
async fn show(
    app: &App,
    config: &State<Config>,
    _session: Session,
    frame: Frame,
    name: String,
) -> Result<Page, Failure> {
    let keys = app.public_keys();
    let server_url = format!("{}{}", config.origin(config.port), config.base_path());
    let is_http = server_url.starts_with("http:");
    let values = context! { server_url,
        tool_name => name,
        keys => Value::from_serialize(&keys),
    };
    let data_dir = config.data_dir.clone();
    let (tool_name, snippets) = app
        .run(move |service| {
            let usage = service.tool_use(&name)?;
            Ok((usage.line.name, snippets::all(&data_dir, &values)))
        })
        .await?;
    Ok(Page::new(&IntegrationPage {
        frame,
        tool_name,
        is_http,
        keys: keys.len(),
        snippets,
    })?)
}
