//! Machines that have asked for a tool and have no license.

use askama::Template;
use rocket::{FromForm, Route, get, routes};
use time::UtcOffset;

use super::frame::Frame;
use super::{Page, query, shown};
use crate::auth::Session;
use crate::model::sighting::UnknownKey;
use crate::request::{App, Failure};

const PER_PAGE: i64 = 50;

pub(super) fn routes() -> Vec<Route> {
    routes![list]
}

/// What stands in the address of the page.
#[derive(FromForm)]
struct Wanted {
    #[field(default = "")]
    tool: String,
    /// The place behind which the page begins: the last moment, tool and key of a row.
    last: Option<i64>,
    #[field(default = "")]
    last_tool: String,
    #[field(default = "")]
    last_key: String,
}

#[derive(Template)]
#[template(path = "unknown.html")]
struct UnknownPage {
    frame: Frame,
    wanted: Wanted,
    /// With how many keys each.
    tools: Vec<(String, i64)>,
    keys: Vec<UnknownKey>,
    older: Option<String>,
    offset: UtcOffset,
}

#[get("/unknown?<wanted..>")]
async fn list(app: &App, _session: Session, frame: Frame, wanted: Wanted) -> Result<Page, Failure> {
    let tool = (!wanted.tool.is_empty()).then(|| wanted.tool.clone());
    let place = wanted
        .last
        .map(|at| (at, wanted.last_tool.clone(), wanted.last_key.clone()));
    let (tools, mut keys) = app
        .run(move |service| {
            let keys = service.unknown_keys(tool.as_deref(), place.as_ref(), PER_PAGE + 1)?;
            Ok((service.count_unknown_keys()?, keys))
        })
        .await?;
    let has_older = keys.len() as i64 > PER_PAGE;
    keys.truncate(PER_PAGE as usize);
    let last = keys.last().filter(|_| has_older);
    let older = last.map(|last| wanted.behind(last));
    Ok(Page::new(&UnknownPage {
        frame,
        wanted,
        tools,
        keys,
        older,
        offset: app.utc_offset(),
    })?)
}

impl Wanted {
    fn behind(&self, key: &UnknownKey) -> String {
        query(&[
            ("tool", &self.tool),
            ("last", &key.last_at.unix_timestamp().to_string()),
            ("last_tool", &key.tool_name),
            ("last_key", &key.license_key),
        ])
    }

    fn newest(&self) -> String {
        query(&[("tool", &self.tool)])
    }
}

impl UnknownPage {
    /// Of the tool that is wanted, or of all.
    fn count(&self) -> i64 {
        let tools = self.tools.iter();
        let wanted =
            tools.filter(|(name, _)| self.wanted.tool.is_empty() || *name == self.wanted.tool);
        wanted.map(|(_, number)| number).sum()
    }

    fn question(key: &UnknownKey) -> String {
        query(&[("tool", &key.tool_name), ("key", &key.license_key)])
    }
}
