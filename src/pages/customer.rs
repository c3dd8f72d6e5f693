//! The page of one customer: licenses of all tools, codes, orders, last checks, and changes.

use askama::Template;
use rocket::{Route, get, routes};
use time::UtcOffset;

use super::frame::Frame;
use super::shown::{self, LicenseRow};
use super::{Page, query};
use crate::auth::Session;
use crate::model::activation_code::{ActivationCode, CodeTerm};
use crate::model::audit::Entry;
use crate::model::customer::Customer;
use crate::model::date;
use crate::model::mail::Mail;
use crate::model::order::Order;
use crate::model::search::Count;
use crate::request::{App, Failure};

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
    codes: Vec<ActivationCode>,
    orders: Vec<Order>,
    history: Vec<Entry>,
    mails: Vec<Mail>,
    offset: UtcOffset,
}

#[get("/customers/<id>")]
async fn show(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let found = app.run_search(move |service| service.customer(id)).await?;
    let now = app.now();
    let rows = found.licenses.into_iter();
    Ok(Page::new(&CustomerPage {
        frame,
        customer: found.customer,
        rows: rows
            .map(|listed| LicenseRow::new(listed, app, now))
            .collect(),
        count: found.count,
        codes: found.codes,
        orders: found.orders,
        history: found.history,
        mails: found.mails,
        offset: app.utc_offset(),
    })?)
}

impl CustomerPage {
    /// The URL query of the table with all licenses of the customer, the first to expire first.
    fn table(&self) -> String {
        query(&[("customer", &self.customer.name), ("sort", "expires")])
    }

    /// The URL query of the preview of a change of all licenses.
    fn change_all(&self, action: &str) -> String {
        query(&[("of", "all"), ("filter", &self.table()), ("do", action)])
    }

    /// Whether [`Self::change_all`] can extend any of them.
    fn can_be_extended(&self) -> bool {
        self.rows.iter().any(|row| !row.expires.is_empty())
    }

    fn term(&self, code: &ActivationCode) -> String {
        match code.values.term {
            CodeTerm::Perpetual => "perpetual".to_owned(),
            CodeTerm::Until(day) => date::format(day),
            CodeTerm::Days(1) => "1 day from the first activation".to_owned(),
            CodeTerm::Days(days) => format!("{days} days from the first activation"),
        }
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

    fn license_of(&self, entry: &Entry) -> Option<&LicenseRow> {
        let id = entry.event.license_id?;
        self.rows.iter().find(|row| row.license.id == id)
    }
}
