//! The table of licenses: search, filters, orders, pages.

use askama::Template;
use rocket::{Route, get, routes};

use super::Page;
use super::frame::Frame;
use super::shown::{self, LicenseRow};
use super::wanted::{ENDS, SEEN, Sorting, Wanted};
use crate::auth::Session;
use crate::model::license::{Listed, Status};
use crate::model::new_license::read_date;
use crate::model::search::{Count, Mark, Order, Piece};
use crate::request::{App, Failure};
use crate::service::MOST_AT_ONCE;

const PER_PAGE: i64 = 50;

const COLUMNS: [(Order, &str); 7] = [
    (Order::Key, "License key"),
    (Order::Tool, "Tool"),
    (Order::Customer, "Customer"),
    (Order::Status, "Status"),
    (Order::Expires, "Ends"),
    (Order::LastSeen, "Last seen"),
    (Order::Created, "Created"),
];

pub(super) fn routes() -> Vec<Route> {
    routes![list]
}

#[derive(Template)]
#[template(path = "licenses.html")]
struct ListPage<'a> {
    frame: &'a Frame,
    wanted: &'a Wanted,
    sorting: Sorting,
    tools: &'a [String],
    /// What in the address means nothing.
    problem: Option<&'a str>,
    rows: &'a [LicenseRow],
    count: Count,
    /// Nothing is left out before these rows.
    is_first: bool,
    /// Addresses of the neighbouring pages.
    previous: Option<String>,
    next: Option<String>,
}

#[get("/licenses?<before>&<after>&<wanted..>")]
async fn list(
    app: &App,
    _session: Session,
    frame: Frame,
    before: Option<&str>,
    after: Option<&str>,
    wanted: Wanted,
) -> Result<Page, Failure> {
    let (now, offset) = (app.now(), app.utc_offset());
    let (filter, problem) = match wanted.filter(now.to_offset(offset).date()) {
        Ok(filter) => (Some(filter), None),
        Err(problem) => (None, Some(problem.message)),
    };
    let sorting = wanted.sorting();
    let (place, is_descending) = match (after, before) {
        (Some(after), _) => (Some(after), false),
        (None, Some(before)) => (Some(before), true),
        (None, None) => (None, sorting.is_descending),
    };
    let piece = Piece {
        order: sorting.order,
        is_descending,
        beyond: place.and_then(mark),
        limit: PER_PAGE + 1,
    };
    // On the way back the piece comes the other way round.
    let is_backwards = is_descending != sorting.is_descending;
    let (tools, mut listed, count) = app
        .run(move |service| {
            let (listed, count) = match filter {
                Some(filter) => service.licenses(&filter, &piece)?,
                None => (vec![], Count::Exactly(0)),
            };
            Ok((service.tool_names()?, listed, count))
        })
        .await?;
    let is_full = listed.len() as i64 > PER_PAGE;
    listed.truncate(PER_PAGE as usize);
    if is_backwards {
        listed.reverse();
    }
    let is_first = place.is_none();
    let (has_previous, has_next) = if is_backwards {
        (is_full, true)
    } else {
        (!is_first, is_full)
    };
    let address = |direction, row: Option<&Listed>, is_there: bool| {
        let place = place_of(sorting.order, row.filter(|_| is_there)?);
        Some(wanted.address(&wanted.sort, &[(direction, &place)]))
    };
    let (to_previous, to_next) = if sorting.is_descending {
        ("after", "before")
    } else {
        ("before", "after")
    };
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
        wanted: &wanted,
        sorting,
        tools: &tools,
        rows: &rows,
        count,
        is_first,
        previous,
        next,
    };
    Ok(Page::with_status(status, &page)?)
}

impl ListPage<'_> {
    /// Newest licenses first: the words on the way to other pages can say so.
    fn is_newest_first(&self) -> bool {
        self.sorting == Sorting::read("")
    }

    /// Where a click on the head of a column leads.
    fn sorted_by(&self, order: &Order) -> String {
        self.wanted.address(&self.sorting.next(*order), &[])
    }

    fn is_seen_on_a_day(&self) -> bool {
        read_date(&self.wanted.seen).is_some()
    }

    fn is_too_many(&self) -> bool {
        match self.count {
            Count::Exactly(found) => found > MOST_AT_ONCE as i64,
            // Whoever wants to change them all has them counted.
            Count::MoreThan(_) => false,
        }
    }
}

/// `17`, or in an order by something else `2026-06-15_17`.
fn place_of(order: Order, row: &Listed) -> String {
    let (value, id) = (order.value(row), row.license.id);
    match order {
        Order::Created => id.to_string(),
        Order::LastSeen
        | Order::Expires
        | Order::Customer
        | Order::Key
        | Order::Tool
        | Order::Status => format!("{value}_{id}"),
    }
}

fn mark(text: &str) -> Option<Mark> {
    let (value, id) = text.rsplit_once('_').unwrap_or(("", text));
    Some(Mark {
        value: value.to_owned(),
        id: id.parse().ok()?,
    })
}
