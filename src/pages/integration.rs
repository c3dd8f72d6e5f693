//! Sample code for one tool, with the server URL, the tool's name and the public keys filled in.

use askama::Template;
use rocket::http::ContentType;
use rocket::{Route, State, get, routes};
use rocket_dyn_templates::minijinja::{Value, context};

use super::Page;
use super::download::Download;
use super::frame::Frame;
use super::snippets::{self, Snippet};
use crate::auth::Session;
use crate::config::Config;
use crate::error::Error;
use crate::request::{App, Failure};

pub(super) fn routes() -> Vec<Route> {
    routes![show, download]
}

#[derive(Template)]
#[template(path = "integration.html")]
struct IntegrationPage {
    frame: Frame,
    tool_name: String,
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
    let (tool_name, snippets) = samples(app, config, name).await?;
    Ok(Page::new(&IntegrationPage {
        frame,
        tool_name,
        is_http: is_http(config),
        keys: app.public_keys().len(),
        snippets,
    })?)
}

/// One sample as a file; `of` is its template's name.
#[get("/tool/integration/file?<name>&<of>")]
async fn download(
    app: &App,
    config: &State<Config>,
    _session: Session,
    name: String,
    of: String,
) -> Result<Download, Failure> {
    let (tool_name, snippets) = samples(app, config, name).await?;
    let snippet = snippets.into_iter().find(|snippet| snippet.name == of);
    let snippet = snippet.ok_or(Error::NotFound("There is no such sample."))?;
    let file_name = snippet.file_name(&tool_name);
    let code = snippet.code.map_err(Error::Conflict)?;
    Ok(Download::new(&file_name, ContentType::Plain, code))
}

fn server_url(config: &Config) -> String {
    format!("{}{}", config.origin(config.port), config.base_path())
}

/// Whether programs are given an address without TLS.
fn is_http(config: &Config) -> bool {
    server_url(config).starts_with("http:")
}

/// The tool's name and its samples.
async fn samples(
    app: &App,
    config: &Config,
    name: String,
) -> Result<(String, Vec<Snippet>), Error> {
    let claim_page = super::query(&[("tool", &name)]);
    let values = context! { server_url => server_url(config),
        claim_url => format!("{}/claim{claim_page}&machine=", server_url(config)),
        tool_name => name,
        keys => Value::from_serialize(app.public_keys()),
    };
    let (data_dir, has_tls) = (config.data_dir.clone(), !is_http(config));
    app.run(move |service| {
        let usage = service.tool_use(&name)?;
        Ok((usage.line.name, snippets::all(&data_dir, &values, has_tls)))
    })
    .await
}
