//! The table of licenses: search, filters, pages.

use askama::Template;
use rocket::{FromForm, Route, get, routes};

use super::frame::Frame;
use super::shown::{self, Shown};
use super::{Page, query};
use crate::auth::Session;
use crate::model::license::{Listed, Status};
use crate::model::search::{Filter, Fragment, Mark, Order, Piece};
use crate::request::{App, Failure};
use crate::service::Count;

const PER_PAGE: i64 = 50;

pub(super) fn routes() -> Vec<Route> {
    routes![list]
}

/// What stands in the address of the page.
#[derive(FromForm)]
struct Wanted {
    #[field(default = "")]
    q: String,
    #[field(default = "")]
    tool: String,
    #[field(default = "")]
    status: String,
    #[field(default = "")]
    sort: String,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "licenses.html")]
struct ListPage<'a> {
    frame: &'a Frame,
    wanted: &'a Wanted,
    tools: &'a [String],
    rows: &'a [Shown],
    count: String,
    sorting: Sorting,
    /// Addresses of the neighbouring pages.
    previous: Option<String>,
    next: Option<String>,
}

#[get("/licenses?<wanted..>")]
async fn list(app: &App, _session: Session, frame: Frame, wanted: Wanted) -> Result<Page, Failure> {
    let filter = wanted.filter();
    let sorting = Sorting::read(&wanted.sort);
    let (piece, is_backwards) = wanted.piece(sorting);
    let (tools, mut listed, count) = app
        .run(move |service| {
            let listed = service.licenses(&filter, &piece)?;
            // What fits on one page has been counted by looking for it.
            let found = listed.len() as i64;
            let count = if piece.beyond.is_none() && found <= PER_PAGE {
                Count::Exactly(found)
            } else {
                service.count_licenses(&filter)?
            };
            Ok((service.tool_names()?, listed, count))
        })
        .await?;
    let is_full = listed.len() as i64 > PER_PAGE;
    listed.truncate(PER_PAGE as usize);
    if is_backwards {
        listed.reverse();
    }
    let is_first = wanted.before.is_none() && wanted.after.is_none();
    let (has_previous, has_next) = if is_backwards {
        (is_full, true)
    } else {
        (!is_first, is_full)
    };
    let address = |direction, row: Option<&Listed>, is_there: bool| {
        let row = row.filter(|_| is_there)?;
        let (value, id) = (sorting.order.value(row), row.license.id);
        let place = if value.is_empty() && sorting.order == Order::Created {
            id.to_string()
        } else {
            format!("{value}_{id}")
        };
        Some(wanted.address(&wanted.sort, &[(direction, &place)]))
    };
    let (to_previous, to_next) = if sorting.is_descending {
        ("after", "before")
    } else {
        ("before", "after")
    };
    let previous = address(to_previous, listed.first(), has_previous);
    let next = address(to_next, listed.last(), has_next);
    let (now, offset) = (app.now(), app.utc_offset());
    let rows: Vec<Shown> = listed
        .into_iter()
        .map(|listed| Shown::new(listed, now, offset))
        .collect();
    Ok(Page::new(&ListPage {
        frame: &frame,
        wanted: &wanted,
        sorting,
        tools: &tools,
        rows: &rows,
        count: count_words(count),
        previous,
        next,
    })?)
}

/// How the table is sorted, as it stands in the address: `-created`, `last-seen`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sorting {
    order: Order,
    is_descending: bool,
}

impl Sorting {
    /// Newest first where nothing else is wanted.
    fn read(text: &str) -> Sorting {
        let (name, is_descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        match name {
            "created" => Sorting {
                order: Order::Created,
                is_descending,
            },
            "last-seen" => Sorting {
                order: Order::LastSeen,
                is_descending,
            },
            _ => Sorting {
                order: Order::Created,
                is_descending: true,
            },
        }
    }
}

impl ListPage<'_> {
    /// Newest licenses first: the words on the way to other pages can say so.
    fn is_newest_first(&self) -> bool {
        self.sorting == Sorting::read("")
    }

    /// Where a click on the head of a column leads: to its order, or to the other direction.
    fn sorted_by(&self, order: Order, name: &str) -> String {
        let is_descending = self.sorting.order != order || !self.sorting.is_descending;
        let sort = if is_descending {
            format!("-{name}")
        } else {
            name.to_owned()
        };
        self.wanted.address(&sort, &[])
    }

    /// For readers of screens, and for the arrow beside the name of the column.
    fn direction(&self, order: Order) -> &'static str {
        match (self.sorting.order == order, self.sorting.is_descending) {
            (false, _) => "none",
            (true, true) => "descending",
            (true, false) => "ascending",
        }
    }
}

impl Wanted {
    fn filter(&self) -> Filter {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Filter {
            tool_name: given(&self.tool),
            status: Status::from_word(&self.status),
            user_id: None,
            fragment: Fragment::parse(&self.q),
        }
    }

    /// The piece of the table, and whether it has to be turned round: on the way back.
    fn piece(&self, sorting: Sorting) -> (Piece, bool) {
        let (place, is_descending) = match (&self.after, &self.before) {
            (Some(after), _) => (Some(after), false),
            (None, Some(before)) => (Some(before), true),
            (None, None) => (None, sorting.is_descending),
        };
        let piece = Piece {
            order: sorting.order,
            is_descending,
            beyond: place.and_then(|place| mark(place)),
            limit: PER_PAGE + 1,
        };
        (piece, is_descending != sorting.is_descending)
    }

    fn is_filtered(&self) -> bool {
        [&self.q, &self.tool, &self.status]
            .into_iter()
            .any(|text| !text.is_empty())
    }

    /// The query of the same filter, in that order, at another place of the table.
    fn address(&self, sort: &str, place: &[(&str, &str)]) -> String {
        let given = [
            ("q", self.q.as_str()),
            ("tool", &self.tool),
            ("status", &self.status),
            ("sort", sort),
        ];
        query(&[&given, place].concat())
    }
}

/// `17`, or in an order by something else `2026-06-15_17`.
fn mark(text: &str) -> Option<Mark> {
    let (value, id) = text.rsplit_once('_').unwrap_or(("", text));
    Some(Mark {
        value: value.to_owned(),
        id: id.parse().ok()?,
    })
}

fn count_words(count: Count) -> String {
    match count {
        Count::Exactly(1) => "1 license".to_owned(),
        Count::Exactly(found) => format!("{} licenses", shown::grouped(found)),
        Count::MoreThan(found) => format!("more than {} licenses", shown::grouped(found)),
    }
}
