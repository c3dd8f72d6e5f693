//! From which index the rows come, decided by the counts that triggers keep.

use rusqlite::{Connection, Result};

use super::query::{By, Query};
use super::tools;
use crate::model::license::Status;
use crate::model::new_license::format_date;
use crate::model::search::{Activity, Ends, Filter, Fragment, Order};

/// What a row of the table costs, in entries of an index.
pub(super) const ROW: i64 = 20;

/// What would be more than this is not gathered: it is so much that the order soon fills a page.
pub(super) const TOO_MUCH: i64 = 3_000_000;

/// Rows of a short fragment are gathered up to this number, and entries of an index counted or ids
/// gathered up to that.
const GATHERED: i64 = 30_000;
pub(super) const FREQUENT: i64 = 400_000;

/// A longer one that finds more than this is frequent.
const RARE: i64 = 1_000;

/// Which index leads to the rows: that of the order, where the first that fit are the wanted ones, or
/// that of a condition, where what it finds has to be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Order,
    Kind,
    End,
    LastSeen,
    Refused,
    Shared,
    Customer,
    /// Of a fragment of three characters or more.
    Fragment,
    /// Of a shorter one.
    Short,
}

/// The parts whose pieces are merged.
pub(super) enum Parts {
    One,
    Tools,
    Kinds,
}

/// Of the ways that gather what the filter finds the cheapest, and its cost; none where the filter
/// has nothing to gather by.
pub(super) fn cheapest(
    db: &Connection,
    filter: &Filter,
    order: Option<Order>,
) -> Result<Option<(i64, Way)>> {
    let mut best: Option<(i64, Way)> = None;
    for way in ways(filter) {
        let each = match is_in_index(filter, way, order) {
            true => 1,
            false => ROW,
        };
        let number = number(db, filter, way)?;
        // All would have to be gathered before the first is looked at.
        if way == Way::Short && number == TOO_MUCH {
            continue;
        }
        let cost = number.saturating_mul(each);
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, way));
        }
    }
    Ok(best)
}

/// The ways whose condition the filter has.
pub(super) fn ways(filter: &Filter) -> impl Iterator<Item = Way> {
    let by_activity = filter.activity.and_then(|activity| match activity {
        Activity::Never | Activity::LastSeen(_) => Some(Way::LastSeen),
        Activity::RefusedSince(_) => Some(Way::Refused),
        Activity::SharedSince(_) => Some(Way::Shared),
        Activity::SinceEnd => None,
    });
    let is_kind = filter.tool_name.is_some() || filter.status.is_some();
    [
        is_kind.then_some(Way::Kind),
        filter.ends.map(|_| Way::End),
        by_activity,
        filter.user_id.as_ref().map(|_| Way::Customer),
        filter.fragment.as_ref().map(way_to),
    ]
    .into_iter()
    .flatten()
}

pub(super) fn way_to(fragment: &Fragment) -> Way {
    match fragment.is_indexed() {
        true => Way::Fragment,
        false => Way::Short,
    }
}

/// How many rows that way leads to; where nobody knows and they are many, far too many.
pub(super) fn number(db: &Connection, filter: &Filter, way: Way) -> Result<i64> {
    let or_too_much = |found, most| if found == most { TOO_MUCH } else { found };
    match way {
        Way::Order | Way::Kind | Way::End | Way::LastSeen => counts(db, filter, way),
        Way::Short => {
            let Some(fragment) = &filter.fragment else {
                return Ok(0);
            };
            let (found, _) = Query::short(fragment).count(db, GATHERED)?;
            Ok(or_too_much(found, GATHERED))
        }
        Way::Refused | Way::Shared | Way::Customer | Way::Fragment => {
            let alone = Filter {
                tool_name: None,
                status: None,
                ends: None,
                activity: filter
                    .activity
                    .filter(|_| matches!(way, Way::Refused | Way::Shared)),
                user_id: filter.user_id.clone().filter(|_| way == Way::Customer),
                fragment: filter.fragment.clone().filter(|_| way == Way::Fragment),
            };
            let most = match way {
                Way::Fragment => RARE,
                _ => FREQUENT,
            };
            let (found, _) = Query::new(&alone, way, None).count(db, most)?;
            Ok(or_too_much(found, most))
        }
    }
}

/// From the counts: of tool and status, and of the condition of that way.
pub(super) fn counts(db: &Connection, filter: &Filter, way: Way) -> Result<i64> {
    let table = match way {
        Way::LastSeen => "seen_counts",
        Way::Order
        | Way::Kind
        | Way::End
        | Way::Refused
        | Way::Shared
        | Way::Customer
        | Way::Fragment
        | Way::Short => "license_counts",
    };
    let mut query = Query::on(table);
    query.and_kind(filter, "", By::Index, By::Index);
    let (end, seen) = ("expiration_date", "last_seen_on");
    match (way, filter.ends, filter.activity) {
        (Way::End, Some(Ends::Never), _) => query.and_text(By::Index, end, "=", ""),
        (Way::End, Some(Ends::NotBefore(day)), _) => {
            let either = format!("({end} >= ? or {end} = '')");
            query.and(By::Index, &either, format_date(day).into());
        }
        (Way::End, Some(Ends::On(days)), _) => query.and_days(By::Index, end, days, ""),
        (Way::LastSeen, _, Some(Activity::Never)) => query.and_text(By::Index, seen, "=", ""),
        (Way::LastSeen, _, Some(Activity::LastSeen(days))) => {
            query.and_days(By::Index, seen, days, "");
        }
        _ => {}
    }
    let sum = query.run(db, "coalesce(sum(number), 0)", "", |row| row.get(0))?;
    Ok(sum.first().copied().unwrap_or(0))
}

/// Whether the index holds all that has to be known of a row.
pub(super) fn is_in_index(filter: &Filter, way: Way, order: Option<Order>) -> bool {
    let is_plain = filter.fragment.is_none() && filter.user_id.is_none();
    is_plain
        && match way {
            Way::Kind => {
                filter.activity.is_none()
                    && matches!(order, None | Some(Order::Created | Order::Expires))
            }
            Way::End | Way::LastSeen => {
                let by_days = matches!(
                    filter.activity,
                    None | Some(Activity::Never | Activity::LastSeen(_) | Activity::SinceEnd)
                );
                by_days
                    && matches!(
                        order,
                        None | Some(Order::Created | Order::LastSeen | Order::Expires)
                    )
            }
            Way::Refused | Way::Shared => matches!(order, None | Some(Order::Created)),
            Way::Order | Way::Customer | Way::Fragment | Way::Short => false,
        }
}

pub(super) fn parts(filter: &Filter, way: Way, order: Option<Order>) -> Parts {
    match (way, order) {
        (Way::Kind | Way::End | Way::LastSeen, _) => Parts::Kinds,
        (Way::Refused | Way::Shared | Way::Customer | Way::Fragment | Way::Short, _) => Parts::One,
        (Way::Order, Some(Order::Key)) => Parts::Tools,
        (Way::Order, Some(Order::LastSeen | Order::Expires | Order::Tool | Order::Status)) => {
            Parts::Kinds
        }
        (Way::Order, None | Some(Order::Customer)) => Parts::One,
        (Way::Order, Some(Order::Created)) => {
            if filter.tool_name.is_some() || filter.status.is_some() {
                Parts::Kinds
            } else {
                Parts::One
            }
        }
    }
}

/// The filter for each part.
pub(super) fn divided(db: &Connection, filter: &Filter, parts: &Parts) -> Result<Vec<Filter>> {
    if matches!(parts, Parts::One) {
        return Ok(vec![filter.clone()]);
    }
    let tools = match &filter.tool_name {
        Some(name) => vec![name.clone()],
        None => tools::names(db)?,
    };
    let of_tool = tools.into_iter().map(|name| Filter {
        tool_name: Some(name),
        ..filter.clone()
    });
    Ok(match parts {
        Parts::One | Parts::Tools => of_tool.collect(),
        Parts::Kinds => of_tool
            .flat_map(|of_tool| {
                let wanted = of_tool.status;
                let statuses = Status::ALL.into_iter();
                let fits = move |status: &Status| wanted.is_none_or(|wanted| wanted == *status);
                statuses.filter(fits).map(move |status| Filter {
                    status: Some(status),
                    ..of_tool.clone()
                })
            })
            .collect(),
    })
}

/// The order that the rows of a way have by themselves.
fn own_order(way: Way) -> Option<Order> {
    match way {
        Way::Kind | Way::Fragment => Some(Order::Created),
        Way::End => Some(Order::Expires),
        Way::LastSeen => Some(Order::LastSeen),
        Way::Customer => Some(Order::Customer),
        Way::Order | Way::Refused | Way::Shared | Way::Short => None,
    }
}

/// Whether the rows of that way come in the wanted order by themselves.
pub(super) fn is_sorted(way: Way, order: Option<Order>) -> bool {
    way == Way::Order || own_order(way) == order
}
