//! The table of licenses: search, filters, sorting, paging.

use askama::Template;
use rocket::{Route, get, routes};

use super::Page;
use super::frame::Frame;
use super::license_query::{LicenseQuery, Sorting};
use super::shown::{self, LicenseRow};
use crate::auth::Session;
use crate::model::check::ListedLicense;
use crate::model::customer::Customer;
use crate::model::license::Status;
use crate::model::search::{self, Count, Order};
use crate::model::typed_date::read_day;
use crate::request::{App, Failure};
use crate::service::MAX_SELECTED;

const PER_PAGE: usize = 50;

/// Customers above the table.
const CUSTOMERS: usize = 3;

/// The last one is exchanged for [`SHARING`] where addresses matter.
const COLUMNS: [(Order, &str); 7] = [
    (Order::Key, "License key"),
    (Order::Tool, "Tool"),
    (Order::Customer, "Customer"),
    (Order::Status, "Status"),
    (Order::Expires, "Expires"),
    (Order::LastSeen, "Last seen"),
    (Order::Created, "Created"),
];

const SHARING: (Order, &str) = (Order::Addresses, "Addresses");

pub(super) fn routes() -> Vec<Route> {
    routes![list]
}

#[derive(Template)]
#[template(path = "licenses.html")]
struct ListPage<'a> {
    frame: &'a Frame,
    query: &'a LicenseQuery,
    sorting: Sorting,
    tools: &'a [String],
    /// Why the filter in the address is invalid.
    problem: Option<&'a str>,
    rows: &'a [LicenseRow],
    /// Whose name or address has the searched text.
    customers: &'a [Customer],
    count: Count,
    /// No rows come before these.
    is_first: bool,
    /// URLs of the neighboring pages.
    previous: Option<String>,
    next: Option<String>,
    /// Every row of the page is selected.
    is_selected: bool,
    /// The URL of this page with all rows selected, or none.
    toggle: String,
}

#[get("/licenses?<before>&<after>&<select>&<query..>")]
async fn list(
    app: &App,
    _session: Session,
    frame: Frame,
    before: Option<&str>,
    after: Option<&str>,
    select: Option<&str>,
    query: LicenseQuery,
) -> Result<Page, Failure> {
    let (now, offset) = (app.now(), app.utc_offset());
    let (filter, problem) = match query.filter(now.to_offset(offset).date()) {
        Ok(filter) => (Some(filter), None),
        Err(problem) => (None, Some(problem.message)),
    };
    let sorting = query.sorting();
    let (place, is_descending) = match (after, before) {
        (Some(after), _) => (Some(after), false),
        (None, Some(before)) => (Some(before), true),
        (None, None) => (None, sorting.is_descending),
    };
    let page = search::Page {
        order: sorting.order,
        is_descending,
        after: place.and_then(|place| sorting.order.read_cursor(place)),
        limit: PER_PAGE + 1,
    };
    // On the way back, rows come in reverse order.
    let is_backwards = is_descending != sorting.is_descending;
    let is_first = place.is_none();
    let text = query.q.clone();
    let (tools, customers, mut listed, count) = app
        .run_search(move |service| {
            let customers = match is_first && filter.is_some() && !text.trim().is_empty() {
                true => service.customers(&text, "", CUSTOMERS)?,
                false => vec![],
            };
            let (listed, count) = match filter {
                Some(filter) => service.licenses(&filter, &page)?,
                None => (vec![], Count::Exactly(0)),
            };
            Ok((service.tool_names()?, customers, listed, count))
        })
        .await?;
    let is_full = listed.len() > PER_PAGE;
    listed.truncate(PER_PAGE);
    if is_backwards {
        listed.reverse();
    }
    let (has_previous, has_next) = if is_backwards {
        (is_full, true)
    } else {
        (!is_first, is_full)
    };
    let address = |direction, row: Option<&ListedLicense>, exists: bool| {
        let cursor = sorting.order.cursor(row.filter(|_| exists)?);
        Some(query.address(&query.sort, &[(direction, &cursor.in_address())]))
    };
    let (to_previous, to_next) = if sorting.is_descending {
        ("after", "before")
    } else {
        ("before", "after")
    };
    let is_selected = select == Some("page");
    let here = [
        ("select", if is_selected { "" } else { "page" }),
        ("before", before.unwrap_or_default()),
        ("after", after.unwrap_or_default()),
    ];
    let toggle = query.address(&query.sort, &here);
    let previous = address(to_previous, listed.first(), has_previous);
    let next = address(to_next, listed.last(), has_next);
    let rows: Vec<LicenseRow> = listed
        .into_iter()
        .map(|listed| LicenseRow::new(listed, app, now))
        .collect();
    let status = if problem.is_some() { 422 } else { 200 };
    let page = ListPage {
        problem: problem.as_deref(),
        frame: &frame,
        query: &query,
        sorting,
        tools: &tools,
        rows: &rows,
        customers: &customers,
        count,
        is_first,
        previous,
        next,
        is_selected,
        toggle,
    };
    Ok(Page::with_status(status, &page)?)
}

impl ListPage<'_> {
    /// If so, the links to other pages can say "newer" and "older".
    fn is_newest_first(&self) -> bool {
        self.sorting == Sorting::read("")
    }

    fn shows_addresses(&self) -> bool {
        self.query.seen == "shared" || self.sorting.order == Order::Addresses
    }

    fn columns(&self) -> [(Order, &'static str); COLUMNS.len()] {
        let [first @ .., last] = COLUMNS;
        let last = if self.shows_addresses() {
            SHARING
        } else {
            last
        };
        let mut all = [last; COLUMNS.len()];
        all[..first.len()].copy_from_slice(&first);
        all
    }

    /// The URL for a click on the column heading.
    fn sorted_by(&self, order: &Order) -> String {
        self.query.address(&self.sorting.next(*order), &[])
    }

    /// Value, label, and whether it is the current order, for when the column headings are hidden.
    fn sort_choices(&self) -> Vec<(String, String, bool)> {
        let choice = |(order, name): &(Order, &str), is_descending| {
            let sorting = Sorting {
                order: *order,
                is_descending,
            };
            let is_date = matches!(order, Order::Expires | Order::LastSeen | Order::Created);
            let direction = match (is_date, is_descending) {
                (true, false) => "earliest first",
                (true, true) => "latest first",
                (false, false) => "A to Z",
                (false, true) => "Z to A",
            };
            let words = format!("{name}, {direction}");
            (sorting.word(), words, sorting == self.sorting)
        };
        let both = |column| [false, true].map(|is_descending| choice(column, is_descending));
        COLUMNS.iter().flat_map(both).collect()
    }

    fn is_seen_on_a_day(&self) -> bool {
        read_day(&self.query.seen).is_some()
    }
}
