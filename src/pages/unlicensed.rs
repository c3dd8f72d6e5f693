//! Machines that checked a tool without a license.

use askama::Template;
use rocket::{FromForm, Route, get, routes};
use time::UtcOffset;

use super::frame::Frame;
use super::{Page, query, shown};
use crate::auth::Session;
use crate::model::check::UnlicensedMachine;
use crate::request::{App, Failure};

const PER_PAGE: i64 = 50;

pub(super) fn routes() -> Vec<Route> {
    routes![list]
}

#[derive(FromForm)]
struct UnlicensedQuery {
    #[field(default = "")]
    tool: String,
    /// The cursor: time, tool and key of the last row of the previous page.
    last: Option<i64>,
    #[field(default = "")]
    last_tool: String,
    #[field(default = "")]
    last_key: String,
}

#[derive(Template)]
#[template(path = "unlicensed.html")]
struct UnlicensedPage {
    frame: Frame,
    query: UnlicensedQuery,
    /// Tools with their number of unlicensed machines.
    tools: Vec<(String, i64)>,
    machines: Vec<UnlicensedMachine>,
    /// The URL query of the next page.
    older: Option<String>,
    offset: UtcOffset,
}

#[get("/unlicensed?<query..>")]
async fn list(
    app: &App,
    _session: Session,
    frame: Frame,
    query: UnlicensedQuery,
) -> Result<Page, Failure> {
    let tool = (!query.tool.is_empty()).then(|| query.tool.clone());
    let cursor = query
        .last
        .map(|at| (at, query.last_tool.clone(), query.last_key.clone()));
    let (tools, mut machines) = app
        .run(move |service| {
            let machines =
                service.unlicensed_machines(tool.as_deref(), cursor.as_ref(), PER_PAGE + 1)?;
            Ok((service.count_unlicensed_machines()?, machines))
        })
        .await?;
    let has_older = machines.len() as i64 > PER_PAGE;
    machines.truncate(PER_PAGE as usize);
    let last = machines.last().filter(|_| has_older);
    let older = last.map(|last| query.after(last));
    Ok(Page::new(&UnlicensedPage {
        frame,
        query,
        tools,
        machines,
        older,
        offset: app.utc_offset(),
    })?)
}

impl UnlicensedQuery {
    fn after(&self, machine: &UnlicensedMachine) -> String {
        query(&[
            ("tool", &self.tool),
            ("last", &machine.last_at.unix_timestamp().to_string()),
            ("last_tool", &machine.tool_name),
            ("last_key", &machine.license_key),
        ])
    }

    fn newest(&self) -> String {
        query(&[("tool", &self.tool)])
    }
}

impl UnlicensedPage {
    /// For the selected tool, or for all.
    fn count(&self) -> i64 {
        let tools = self.tools.iter();
        let selected =
            tools.filter(|(name, _)| self.query.tool.is_empty() || *name == self.query.tool);
        selected.map(|(_, number)| number).sum()
    }

    fn new_key(machine: &UnlicensedMachine) -> String {
        query(&[("license_key", &machine.license_key)])
    }

    fn tool_and_key(machine: &UnlicensedMachine) -> String {
        query(&[("tool", &machine.tool_name), ("key", &machine.license_key)])
    }
}
