//! One tool's ready code: this server's address, the tool's name and the public keys filled in.

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
#[template(path = "integrate.html")]
struct IntegratePage {
    frame: Frame,
    tool_name: String,
    /// How many keys there are to pin.
    keys: usize,
    snippets: Vec<Snippet>,
}

#[get("/tool/integrate?<name>")]
async fn show(
    app: &App,
    config: &State<Config>,
    _session: Session,
    frame: Frame,
    name: String,
) -> Result<Page, Failure> {
    let keys = app.public_keys();
    let values = context! {
        server_url => format!("{}{}", config.origin(config.port), config.base_path()),
        tool_name => name,
        keys => Value::from_serialize(&keys),
    };
    let data_dir = config.data_dir.clone();
    let (tool_name, snippets) = app
        .run(move |service| {
            let of = service.tool_use(&name)?;
            Ok((of.line.name, snippets::all(&data_dir, &values)))
        })
        .await?;
    Ok(Page::new(&IntegratePage {
        frame,
        tool_name,
        keys: keys.len(),
        snippets,
    })?)
}
