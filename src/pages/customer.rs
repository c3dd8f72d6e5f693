//! The page of one customer: licenses of all tools, codes, orders, last checks, and history.

use askama::Template;
use rocket::{Route, get, routes};
use time::UtcOffset;

use super::frame::Frame;
use super::history::History;
use super::shown::{self, CodeRow, LicenseRow};
use super::{Page, query};
use crate::auth::Session;
use crate::model::customer::Customer;
use crate::model::order::Order;
use crate::model::search::{Count, SEARCH_LENGTH};
use crate::model::timeline::{About, Cursor};
use crate::request::{App, Failure};
use crate::service::LISTED;

/// Last checks on the page.
const CHECKS: usize = 10;

/// Tools that are offered for another license.
const TOOLS: usize = 4;

pub(super) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "customer.html")]
struct CustomerPage {
    frame: Frame,
    customer: Customer,
    rows: Vec<LicenseRow>,
    count: Count,
    codes: Vec<CodeRow>,
    code_count: i64,
    /// Each with who placed it.
    orders: Vec<(Order, String)>,
    history: History,
    offset: UtcOffset,
}

/// `before` is a [`Cursor`] of the history.
#[get("/customers/<id>?<before>")]
async fn show(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
    before: Option<&str>,
) -> Result<Page, Failure> {
    let before = before.and_then(Cursor::parse);
    let (found, history) = app
        .run_search(move |service| {
            let found = service.customer(id)?;
            let history = service.timeline(&About::Customer(&found.customer.name), before)?;
            Ok((found, history))
        })
        .await?;
    let (now, offset) = (app.now(), app.utc_offset());
    let (rows, codes) = (found.licenses.into_iter(), found.codes.into_iter());
    let path = format!("/customers/{id}");
    let history = History::new(app, &frame, path, before, history);
    Ok(Page::new(&CustomerPage {
        frame,
        customer: found.customer,
        rows: rows
            .map(|listed| LicenseRow::new(listed, app, now))
            .collect(),
        count: found.count,
        codes: codes
            .map(|listed| CodeRow::new(listed, now, offset))
            .collect(),
        code_count: found.code_count,
        orders: found.orders,
        history,
        offset,
    })?)
}

impl CustomerPage {
    /// The URL query of the table with all licenses of the customer, the first to expire first.
    fn table(&self) -> String {
        query(&[("customer", &self.customer.name), ("sort", "expires")])
    }

    fn has_more_codes(&self) -> bool {
        self.code_count > self.codes.len() as i64
    }

    /// The URL query of the table of codes, as far as the name fits into a search.
    fn code_table(&self) -> String {
        let name: String = self.customer.name.chars().take(SEARCH_LENGTH).collect();
        query(&[("q", &name)])
    }

    /// The URL query of the preview of a change of all licenses.
    fn change_all(&self, action: &str) -> String {
        query(&[("of", "all"), ("filter", &self.table()), ("do", action)])
    }

    /// Whether [`Self::change_all`] can extend any of them.
    fn can_be_extended(&self) -> bool {
        self.rows.iter().any(|row| !row.expires.is_empty())
    }

    /// Tools of the customer, each with the URL query of the form for another license.
    fn tools(&self) -> Vec<(&str, String)> {
        let mut names: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !names.contains(&&*row.license.tool_name) && names.len() < TOOLS {
                names.push(&row.license.tool_name);
            }
        }
        let form = |tool| query(&[("tool", tool), ("customer", &self.customer.name)]);
        names.into_iter().map(|tool| (tool, form(tool))).collect()
    }

    /// Whether the customer has licenses that are not on the page.
    fn has_more(&self) -> bool {
        match self.count {
            Count::Exactly(number) => number > self.rows.len() as i64,
            Count::MoreThan(_) => true,
        }
    }

    /// The last check of each license, newest first.
    fn last_checks(&self) -> Vec<&LicenseRow> {
        let at = |row: &LicenseRow| row.seen.as_ref().map(|seen| seen.last_at);
        let mut rows: Vec<&LicenseRow> = self.rows.iter().filter(|row| at(row).is_some()).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(at(row)));
        rows.truncate(CHECKS);
        rows
    }
}
