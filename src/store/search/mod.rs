//! Finding licenses: filters, orders and counts that do not walk through a million rows.
//!
//! Every order and every filter by date has an index that begins with tool and status. What is wanted
//! is merged from the pieces of each tool and status; from which index the pieces come is decided in
//! `ways`, by the counts that triggers keep, and not by SQLite, which knows nothing of them.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rusqlite::{Connection, Result, Row, params, params_from_iter};
use time::Date;

mod query;
mod ways;

use super::{licenses, tools};
use crate::model::bulk::Selection;
use crate::model::license::{License, Listed};
use crate::model::new_license::format_date;
use crate::model::search::{Activity, Count, Filter, Mark, Order, Piece};
pub use query::add_functions;
use query::{Query, Step, value};
use ways::{
    FREQUENT, Parts, ROW, TOO_MUCH, Way, cheapest, counts, divided, is_in_index, is_sorted, number,
    parts, way_to, ways,
};

/// So many entries are gathered and sorted without trying anything else.
const CHEAP: i64 = 50_000;
/// So many rows are tried in the wanted order before.
const TRIED: i64 = 8_000;

/// Ids of two conditions that meet are sorted up to this number.
const SORTED: usize = 10_000;

/// Counting stops behind so many entries of an index, or rows of the table.
const COUNTED: i64 = 600_000;
const COUNTED_ROWS: i64 = 10_000;

/// A piece of what the filter finds, and how many rows it finds in all.
pub fn page(db: &Connection, filter: &Filter, piece: &Piece) -> Result<(Vec<Listed>, Count)> {
    if let Some(ids) = gathered(db, filter)? {
        return page_of(db, filter, &ids, piece);
    }
    if is_met(db, filter)? {
        if let Some(marks) = tried(db, filter, piece, TRIED)? {
            return Ok((rows(db, &marks)?, count(db, filter)?));
        }
        if let Some(ids) = met(db, filter)? {
            return page_of(db, filter, &ids, piece);
        }
    }
    let rows = list(db, filter, piece)?;
    // A piece that is not full has been counted by looking for it.
    let number = rows.len() as i64;
    let count = match piece.beyond {
        None if number < piece.limit => Count::Exactly(number),
        _ => count(db, filter)?,
    };
    Ok((rows, count))
}

fn page_of(
    db: &Connection,
    filter: &Filter,
    ids: &[i64],
    piece: &Piece,
) -> Result<(Vec<Listed>, Count)> {
    let rows = match ids.len() <= SORTED {
        true => of_ids(db, ids, piece)?,
        false => list(db, filter, piece)?,
    };
    Ok((rows, Count::Exactly(ids.len() as i64)))
}

/// A piece of what the filter finds.
pub fn list(db: &Connection, filter: &Filter, piece: &Piece) -> Result<Vec<Listed>> {
    match cheapest(db, filter, Some(piece.order))? {
        None => list_by(db, filter, piece, Way::Order),
        Some((cost, way)) if cost <= CHEAP => list_by(db, filter, piece, way),
        // It has the order of the numbers.
        Some(_)
            if piece.order == Order::Created && ways(filter).any(|way| way == Way::Fragment) =>
        {
            list_by(db, filter, piece, Way::Fragment)
        }
        Some((cost, way)) => match tried(db, filter, piece, TRIED)? {
            Some(marks) => rows(db, &marks),
            None if cost <= TOO_MUCH => list_by(db, filter, piece, way),
            None => list_by(db, filter, piece, Way::Order),
        },
    }
}

fn list_by(db: &Connection, filter: &Filter, piece: &Piece, way: Way) -> Result<Vec<Listed>> {
    let parts = parts(filter, way, Some(piece.order));
    if matches!(parts, Parts::One) && is_sorted(way, Some(piece.order)) {
        return step_by_step(filter, piece, way, |mut query, tail| {
            query.from = format!("{} {}", query.from, licenses::WITH_SIGHTINGS);
            query.run(db, licenses::LISTED, tail, licenses::listed_in)
        });
    }
    let mut marks = Vec::new();
    for part in divided(db, filter, &parts)? {
        let inner = match parts {
            Parts::One => Some(piece.clone()),
            Parts::Tools | Parts::Kinds => within(&part, piece),
        };
        let Some(inner) = inner else {
            continue;
        };
        marks.extend(step_by_step(&part, &inner, way, |query, tail| {
            let columns = format!("{}, {}", value(inner.order), query.id_column);
            let of_part = |row: &Row<'_>| mark_in(row, &part, piece.order, inner.order);
            query.run(db, &columns, tail, of_part)
        })?);
    }
    sort(&mut marks, piece);
    rows(db, &marks)
}

/// The rows of a piece, each step giving what is still missing.
fn step_by_step<T>(
    filter: &Filter,
    piece: &Piece,
    way: Way,
    run: impl Fn(Query, &str) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    let mut rows = Vec::new();
    for step in Step::of(piece, way) {
        let missing = Piece {
            limit: piece.limit - rows.len() as i64,
            ..piece.clone()
        };
        let mut query = Query::new(filter, way, Some(piece.order));
        let tail = query.in_order(&missing, &step);
        rows.extend(run(query, &tail)?);
    }
    Ok(rows)
}

/// The first rows in the wanted order that fit, where they are found among the first `most`.
fn tried(db: &Connection, filter: &Filter, piece: &Piece, most: i64) -> Result<Option<Vec<Mark>>> {
    let parts = divided(db, filter, &parts(filter, Way::Order, Some(piece.order)))?;
    let most = most / (parts.len() as i64).max(1) + piece.limit;
    let (mut marks, mut ends) = (Vec::new(), Vec::new());
    for part in &parts {
        let Some(inner) = within(part, piece) else {
            continue;
        };
        let inner = Piece {
            limit: most,
            ..inner
        };
        let looked_at = step_by_step(part, &inner, Way::Order, |query, tail| {
            let columns = format!("{}, {}", value(inner.order), query.id_column);
            let sql = query.leading(&format!("{columns}, "), tail);
            db.prepare_cached(&sql)?
                .query_map(params_from_iter(&query.values), |row| {
                    let fits: Option<bool> = row.get(2)?;
                    let mark = mark_in(row, part, piece.order, inner.order)?;
                    Ok((mark, fits.unwrap_or(false)))
                })?
                .collect::<Result<Vec<(Mark, bool)>>>()
        })?;
        if looked_at.len() as i64 == most {
            ends.extend(looked_at.last().map(|(mark, _)| mark.clone()));
        }
        marks.extend(
            looked_at
                .into_iter()
                .filter(|(_, fits)| *fits)
                .map(|(mark, _)| mark),
        );
    }
    sort(&mut marks, piece);
    // Behind the end of a part there may be more; what was found before all ends is the beginning.
    let is_before = |end: &Mark| {
        let last = usize::try_from(piece.limit)
            .ok()
            .and_then(|limit| marks.get(limit.max(1) - 1));
        last.is_some_and(|last| (last <= end) != piece.is_descending || last == end)
    };
    Ok(ends.iter().all(is_before).then_some(marks))
}

fn mark_in(row: &Row<'_>, part: &Filter, order: Order, inner: Order) -> Result<Mark> {
    Ok(Mark {
        value: match order == inner {
            true => row.get(0)?,
            false => constant(part, order),
        },
        id: row.get(1)?,
    })
}

fn sort(marks: &mut Vec<Mark>, piece: &Piece) {
    marks.sort_unstable();
    if piece.is_descending {
        marks.reverse();
    }
    marks.truncate(usize::try_from(piece.limit).unwrap_or(usize::MAX));
}

fn rows(db: &Connection, marks: &[Mark]) -> Result<Vec<Listed>> {
    let rows = marks.iter().map(|mark| licenses::listed(db, mark.id));
    rows.filter_map(Result::transpose).collect()
}

/// The ids of what the filter finds, where to gather them all is the way to some of them too: of a rare
/// short fragment, and of a frequent long one and the rest of the filter, of which to look at each row
/// of either would take far longer than to find them both.
fn gathered(db: &Connection, filter: &Filter) -> Result<Option<Vec<i64>>> {
    let (Some(fragment), None) = (&filter.fragment, &filter.user_id) else {
        return Ok(None);
    };
    let way = way_to(fragment);
    let number = number(db, filter, way)?;
    let rest = cost_of_rest(db, filter)?;
    match way {
        Way::Short if number == TOO_MUCH => Ok(None),
        Way::Short if rest < number * ROW => met(db, filter),
        Way::Short => Ok(Some(ids(db, filter, usize::MAX)?)),
        _ if number == TOO_MUCH && rest <= COUNTED => met(db, filter),
        _ => Ok(None),
    }
}

/// Whether a short fragment may be so frequent that it is better met with the rest of the filter.
fn is_met(db: &Connection, filter: &Filter) -> Result<bool> {
    let is_short = ways(filter).any(|way| way == Way::Short);
    Ok(is_short && filter.user_id.is_none() && cost_of_rest(db, filter)? <= FREQUENT)
}

fn cost_of_rest(db: &Connection, filter: &Filter) -> Result<i64> {
    let rest = cheapest(db, &without_fragment(filter), None)?;
    Ok(rest.map_or(i64::MAX, |(cost, _)| cost))
}

/// The ids that both the fragment and the rest of the filter find; none where a short fragment finds
/// more than is worth while: then a page is soon full.
fn met(db: &Connection, filter: &Filter) -> Result<Option<Vec<i64>>> {
    let with_fragment = match &filter.fragment {
        None => return Ok(None),
        Some(fragment) if fragment.is_indexed() => {
            let alone = Filter {
                fragment: Some(fragment.clone()),
                ..Filter::default()
            };
            let query = Query::new(&alone, Way::Fragment, None);
            query.run(db, query.id_column, "", |row| row.get(0))?
        }
        Some(fragment) => {
            let tail = format!("limit {FREQUENT}");
            let mut ids: Vec<i64> =
                Query::short(fragment).run(db, "doc", &tail, |row| row.get(0))?;
            if ids.len() as i64 == FREQUENT {
                return Ok(None);
            }
            ids.sort_unstable();
            ids
        }
    };
    let mut with_fragment = with_fragment.into_iter().peekable();
    let mut ids = ids(db, &without_fragment(filter), usize::MAX)?;
    ids.retain(|id| {
        while with_fragment.next_if(|other| other < id).is_some() {}
        with_fragment.peek() == Some(id)
    });
    Ok(Some(ids))
}

fn without_fragment(filter: &Filter) -> Filter {
    Filter {
        fragment: None,
        ..filter.clone()
    }
}

/// A piece of the rows with these ids.
fn of_ids(db: &Connection, ids: &[i64], piece: &Piece) -> Result<Vec<Listed>> {
    let mut marks: Vec<Mark> = match piece.order {
        Order::Created => {
            let mark = |id: &i64| Mark {
                value: String::new(),
                id: *id,
            };
            ids.iter().map(mark).collect()
        }
        order => {
            let sql = format!(
                "select {}, id from licenses where id in (select value from json_each(?1))",
                value(order)
            );
            let mark = |row: &Row<'_>| {
                Ok(Mark {
                    value: row.get(0)?,
                    id: row.get(1)?,
                })
            };
            db.prepare_cached(&sql)?
                .query_map([serde_json::json!(ids).to_string()], mark)?
                .collect::<Result<_>>()?
        }
    };
    if let Some(beyond) = &piece.beyond {
        marks.retain(|mark| (mark < beyond) == piece.is_descending && mark != beyond);
    }
    sort(&mut marks, piece);
    rows(db, &marks)
}

/// The ids of what the filter finds, oldest first; not more than `most`, which then are any.
pub fn ids(db: &Connection, filter: &Filter, most: usize) -> Result<Vec<i64>> {
    let way = cheapest(db, filter, None)?.map_or(Way::Order, |(_, way)| way);
    let mut ids: Vec<i64> = Vec::new();
    for part in divided(db, filter, &parts(filter, way, None))? {
        let query = Query::new(&part, way, None);
        let left = i64::try_from(most - ids.len()).unwrap_or(i64::MAX);
        let tail = format!("limit {left}");
        ids.extend(query.run(db, query.id_column, &tail, |row| row.get::<_, i64>(0))?);
    }
    ids.sort_unstable();
    Ok(ids)
}

/// The licenses of a selection by their numbers; not more than `most`, which then are any.
pub fn selected(db: &Connection, selection: &Selection, most: usize) -> Result<Vec<License>> {
    match selection {
        Selection::Ids(ids) => {
            let different: BTreeSet<i64> = ids.iter().copied().collect();
            licenses::of_ids(db, different.into_iter().take(most))
        }
        Selection::Found(filter) => licenses::of_ids(db, ids(db, filter, most)?.into_iter()),
    }
}

/// Among those that were refused on that day the ones that ask most often.
pub fn most_refused(db: &Connection, day: Date, most: i64) -> Result<Vec<Listed>> {
    db.prepare_cached(&format!(
        "select {} from (select id from licenses where refused_on <> '' and refused_on = ?1
             order by id desc limit 2000) refused
         join licenses on licenses.id = refused.id {}
         order by sightings.check_count desc, licenses.id desc limit ?2",
        licenses::LISTED,
        licenses::WITH_SIGHTINGS
    ))?
    .query_map(params![format_date(day), most], licenses::listed_in)?
    .collect()
}

/// Ids and keys of `limit` licenses at the most that hold this text somewhere, three characters or
/// more, without regard to case or accents. To look in the key alone would mean to walk through all
/// that have it as the name of their tool.
pub fn holding(db: &Connection, text: &str, limit: usize) -> Result<Vec<(i64, String)>> {
    let quoted = text.replace('"', "\"\"");
    db.prepare_cached(
        "select licenses.id, licenses.license_key
         from license_search join licenses on licenses.id = license_search.rowid
         where license_search match ?1 limit ?2",
    )?
    .query_map(params![format!("\"{quoted}\""), limit as i64], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?
    .collect()
}

/// How many rows the filter finds.
pub fn count(db: &Connection, filter: &Filter) -> Result<Count> {
    if let Some(number) = counted(db, filter)? {
        return Ok(Count::Exactly(number));
    }
    if let Some(ids) = gathered(db, filter)? {
        return Ok(Count::Exactly(ids.len() as i64));
    }
    let way = cheapest(db, filter, None)?.map_or(Way::Order, |(_, way)| way);
    let mut left = match is_in_index(filter, way, None) {
        true => COUNTED,
        false => COUNTED_ROWS,
    };
    let mut found = 0;
    for part in divided(db, filter, &parts(filter, way, None))? {
        let (looked_at, fitting) = Query::new(&part, way, None).count(db, left)?;
        left -= looked_at;
        found += fitting;
        if left == 0 {
            return Ok(Count::MoreThan(found));
        }
    }
    Ok(Count::Exactly(found))
}

/// The number where the counts know it.
fn counted(db: &Connection, filter: &Filter) -> Result<Option<i64>> {
    if filter.fragment.is_some() || filter.user_id.is_some() {
        return Ok(None);
    }
    Ok(match (filter.ends, filter.activity) {
        (_, None) => Some(counts(db, filter, Way::End)?),
        (None, Some(Activity::Never | Activity::LastSeen(_))) => {
            Some(counts(db, filter, Way::LastSeen)?)
        }
        (Some(_), Some(_)) => None,
        (None, Some(Activity::SinceEnd | Activity::RefusedSince(_) | Activity::SharedSince(_))) => {
            None
        }
    })
}

/// What the rows of a part have in common in that order.
fn constant(part: &Filter, order: Order) -> String {
    match order {
        Order::Tool => part.tool_name.clone().unwrap_or_default(),
        Order::Status => part
            .status
            .map(|status| status.to_string())
            .unwrap_or_default(),
        Order::Created | Order::LastSeen | Order::Expires | Order::Customer | Order::Key => {
            String::new()
        }
    }
}

/// The piece of a part; none where the part ends before the piece begins. All rows of a part have one
/// tool and one status: sorted by these they are sorted by their numbers.
fn within(part: &Filter, piece: &Piece) -> Option<Piece> {
    if !matches!(piece.order, Order::Tool | Order::Status) {
        return Some(piece.clone());
    }
    let beyond = match &piece.beyond {
        None => None,
        Some(mark) => {
            let side = constant(part, piece.order).cmp(&mark.value);
            match if piece.is_descending {
                side.reverse()
            } else {
                side
            } {
                Ordering::Less => return None,
                Ordering::Equal => Some(Mark {
                    value: String::new(),
                    id: mark.id,
                }),
                Ordering::Greater => None,
            }
        }
    };
    Some(Piece {
        order: Order::Created,
        beyond,
        ..piece.clone()
    })
}

#[cfg(test)]
mod tests;
