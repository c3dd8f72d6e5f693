//! Finding licenses: filters, orders and counts that do not walk through a million rows.
//!
//! Every order and every filter by date has an index that begins with tool and status. What is wanted
//! is merged from the pieces of each tool and status; from which index the pieces come is decided
//! here, by the counts that triggers keep, and not by SQLite, which knows nothing of them.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, Result, Row, params, params_from_iter};
use time::Date;

use super::{licenses, tools};
use crate::model::bulk::Selection;
use crate::model::license::{License, Listed, Status};
use crate::model::new_license::format_date;
use crate::model::search::{Activity, Count, Days, Ends, Filter, Fragment, Mark, Order, Piece};

/// So many entries of an index may be gathered and sorted; a row of the table costs as much as
/// [`ROW`] of them.
const GATHERED: i64 = 200_000;
const ROW: i64 = 10;

/// What no count knows is looked for up to this number.
const LOOKED_FOR: i64 = 20_000;

/// Counting stops here: on a way through an index, and on one through the table.
const COUNTED: i64 = 100_000;
const COUNTED_ROWS: i64 = 10_000;

const CUSTOMER: &str = "coalesce(licenses.user_id, '')";
const END: &str = "coalesce(licenses.expiration_date, 'never')";

/// Which index leads to the rows: that of the order, where the first that fit are the wanted ones, or
/// that of a condition, where what it finds has to be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Order,
    Kind,
    End,
    LastSeen,
    Refused,
    Shared,
    Customer,
    Fragment,
}

/// The parts whose pieces are merged.
enum Parts {
    One,
    Tools,
    Kinds,
}

/// A piece of what the filter finds.
pub fn list(db: &Connection, filter: &Filter, piece: &Piece) -> Result<Vec<Listed>> {
    let way = way(db, filter, Some(piece.order))?;
    list_by(db, filter, piece, way)
}

fn list_by(db: &Connection, filter: &Filter, piece: &Piece, way: Way) -> Result<Vec<Listed>> {
    let parts = parts(filter, way, Some(piece.order));
    if matches!(parts, Parts::One) {
        let mut query = Query::new(filter, way, Some(piece.order));
        let tail = query.in_order(piece);
        query.from = format!("{} {}", query.from, licenses::WITH_SIGHTINGS);
        return query.run(db, licenses::LISTED, &tail, licenses::listed_in);
    }
    let mut marks: Vec<Mark> = Vec::new();
    for part in divided(db, filter, &parts)? {
        let Some(inner) = within(&part, piece) else {
            continue;
        };
        let mut query = Query::new(&part, way, Some(inner.order));
        let tail = query.in_order(&inner);
        let columns = format!("{}, {}", value(inner.order), query.id_column);
        let found = query.run(db, &columns, &tail, |row| {
            Ok(Mark {
                value: row.get(0)?,
                id: row.get(1)?,
            })
        })?;
        marks.extend(
            found
                .into_iter()
                .map(|mark| match inner.order == piece.order {
                    true => mark,
                    false => Mark {
                        value: constant(&part, piece.order),
                        ..mark
                    },
                }),
        );
    }
    marks.sort_unstable();
    if piece.is_descending {
        marks.reverse();
    }
    marks.truncate(usize::try_from(piece.limit).unwrap_or(usize::MAX));
    let rows = marks.iter().map(|mark| licenses::listed(db, mark.id));
    rows.filter_map(Result::transpose).collect()
}

/// The ids of what the filter finds, oldest first; not more than `most`, which then are any.
pub fn ids(db: &Connection, filter: &Filter, most: usize) -> Result<Vec<i64>> {
    let way = way(db, filter, None)?;
    let mut ids: Vec<i64> = Vec::new();
    for part in divided(db, filter, &parts(filter, way, None))? {
        let query = Query::new(&part, way, None);
        let tail = format!("limit {}", most - ids.len());
        ids.extend(query.run(db, query.id_column, &tail, |row| row.get::<_, i64>(0))?);
    }
    ids.sort_unstable();
    Ok(ids)
}

/// The licenses of a selection by their numbers; not more than `most`, which then are any.
pub fn selected(db: &Connection, selection: &Selection, most: usize) -> Result<Vec<License>> {
    let ids = match selection {
        Selection::Ids(ids) => {
            let different: BTreeSet<i64> = ids.iter().copied().collect();
            different.into_iter().take(most).collect()
        }
        Selection::Found(filter) => ids(db, filter, most)?,
    };
    let rows = ids.into_iter().map(|id| licenses::get(db, id));
    rows.filter_map(Result::transpose).collect()
}

/// Among those that were refused on that day the ones that ask most often.
pub fn most_refused(db: &Connection, day: Date, most: i64) -> Result<Vec<Listed>> {
    db.prepare_cached(&format!(
        "select {} from (select id from licenses where refused_on <> '' and refused_on = ?1
             order by id desc limit {LOOKED_FOR}) refused
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
    let way = way(db, filter, None)?;
    let most = match way {
        Way::Fragment | Way::Order | Way::Customer => COUNTED_ROWS,
        Way::Kind | Way::End | Way::LastSeen | Way::Refused | Way::Shared => COUNTED,
    };
    let mut found = 0;
    for part in divided(db, filter, &parts(filter, way, None))? {
        found += Query::new(&part, way, None).count(db, most + 1 - found)?;
    }
    Ok(match found > most {
        true => Count::MoreThan(most),
        false => Count::Exactly(found),
    })
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
        (Some(_), Some(_)) | (None, Some(Activity::RefusedSince(_) | Activity::SharedSince(_))) => {
            None
        }
    })
}

/// The cheapest way to what the filter finds in that order, or in none.
fn way(db: &Connection, filter: &Filter, order: Option<Order>) -> Result<Way> {
    let mut best: Option<(i64, Way)> = None;
    for way in ways(filter) {
        let each = if is_in_index(filter, way, order) {
            1
        } else {
            ROW
        };
        let cost = number(db, filter, way)?.saturating_mul(each);
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, way));
        }
    }
    // Two filters by date may find next to nothing of the many that each of them finds alone.
    let is_uncertain = filter.ends.is_some() && filter.activity.is_some();
    Ok(match best {
        Some((cost, way)) if cost <= GATHERED || order.is_none() || is_uncertain => way,
        // It has the order of the numbers.
        Some(_) if order == Some(Order::Created) && is_indexed(filter) => Way::Fragment,
        Some(_) | None => Way::Order,
    })
}

/// The ways whose condition the filter has.
fn ways(filter: &Filter) -> impl Iterator<Item = Way> {
    let by_activity = filter.activity.map(|activity| match activity {
        Activity::Never | Activity::LastSeen(_) => Way::LastSeen,
        Activity::RefusedSince(_) => Way::Refused,
        Activity::SharedSince(_) => Way::Shared,
    });
    let is_kind = filter.tool_name.is_some() || filter.status.is_some();
    [
        is_kind.then_some(Way::Kind),
        filter.ends.map(|_| Way::End),
        by_activity,
        filter.user_id.as_ref().map(|_| Way::Customer),
        is_indexed(filter).then_some(Way::Fragment),
    ]
    .into_iter()
    .flatten()
}

/// How many rows that way leads to; where nobody knows and they are many, far too many.
fn number(db: &Connection, filter: &Filter, way: Way) -> Result<i64> {
    match way {
        Way::Order | Way::Kind | Way::End | Way::LastSeen => counts(db, filter, way),
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
            let found = Query::new(&alone, way, None).count(db, LOOKED_FOR + 1)?;
            Ok(if found > LOOKED_FOR { GATHERED } else { found })
        }
    }
}

/// From the counts: of tool and status, and of the condition of that way.
fn counts(db: &Connection, filter: &Filter, way: Way) -> Result<i64> {
    let table = match way {
        Way::LastSeen => "seen_counts",
        Way::Order
        | Way::Kind
        | Way::End
        | Way::Refused
        | Way::Shared
        | Way::Customer
        | Way::Fragment => "license_counts",
    };
    let mut query = Query::on(table);
    query.and_kind(filter, "", true, true);
    match (way, filter.ends, filter.activity) {
        (Way::End, Some(Ends::Never), _) => query.and("expiration_date = ?", text("")),
        (Way::End, Some(Ends::NotBefore(day)), _) => {
            let either = "(expiration_date >= ? or expiration_date = '')";
            query.and(either, format_date(day).into());
        }
        (Way::End, Some(Ends::On(days)), _) => {
            query.and("expiration_date > ?", text(""));
            query.and_days("expiration_date", days);
        }
        (Way::LastSeen, _, Some(Activity::Never)) => query.and("last_seen_on = ?", text("")),
        (Way::LastSeen, _, Some(Activity::LastSeen(days))) => {
            query.and("last_seen_on > ?", text(""));
            query.and_days("last_seen_on", days);
        }
        _ => {}
    }
    let sum = query.run(db, "coalesce(sum(number), 0)", "", |row| row.get(0))?;
    Ok(sum.first().copied().unwrap_or(0))
}

/// Whether the index holds all that has to be known of a row.
fn is_in_index(filter: &Filter, way: Way, order: Option<Order>) -> bool {
    let is_plain = filter.fragment.is_none() && filter.user_id.is_none();
    is_plain
        && match way {
            Way::Kind | Way::End => {
                filter.activity.is_none()
                    && matches!(order, None | Some(Order::Created | Order::Expires))
            }
            Way::LastSeen => matches!(
                order,
                None | Some(Order::Created | Order::LastSeen | Order::Expires)
            ),
            Way::Refused => matches!(order, None | Some(Order::Created)),
            Way::Order | Way::Shared | Way::Customer | Way::Fragment => false,
        }
}

fn parts(filter: &Filter, way: Way, order: Option<Order>) -> Parts {
    match (way, order) {
        (Way::Kind | Way::End | Way::LastSeen, _) => Parts::Kinds,
        (Way::Refused | Way::Shared | Way::Customer | Way::Fragment, _) => Parts::One,
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
fn divided(db: &Connection, filter: &Filter, parts: &Parts) -> Result<Vec<Filter>> {
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

/// The index of fragments knows those of three characters and more; shorter ones stand almost
/// everywhere, and soon fill a page.
fn is_indexed(filter: &Filter) -> bool {
    let is_long = |fragment: &Fragment| fragment.spellings().all(|s| s.chars().count() >= 3);
    filter.fragment.as_ref().is_some_and(is_long)
}

/// The order that the rows of a way have by themselves.
fn own_order(way: Way) -> Option<Order> {
    match way {
        Way::Kind | Way::Fragment => Some(Order::Created),
        Way::End => Some(Order::Expires),
        Way::LastSeen => Some(Order::LastSeen),
        Way::Customer => Some(Order::Customer),
        Way::Order | Way::Refused | Way::Shared => None,
    }
}

/// What an order sorts by, besides the number.
fn value(order: Order) -> &'static str {
    match order {
        Order::Created => "''",
        Order::LastSeen => "licenses.last_seen_on",
        Order::Expires => END,
        Order::Customer => CUSTOMER,
        Order::Key => "licenses.license_key",
        Order::Tool => "licenses.tool_name",
        Order::Status => "licenses.status",
    }
}

fn text(text: &str) -> Value {
    text.to_owned().into()
}

/// An expression that no index is asked for.
fn plain(expression: &str) -> String {
    format!("{expression} || ''")
}

/// A `select` that grows by its conditions; parameters are numbered as they come.
struct Query {
    from: String,
    id_column: &'static str,
    /// Whether the rows come in the wanted order by themselves.
    is_sorted: bool,
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Query {
    fn on(table: &str) -> Query {
        Query {
            from: table.to_owned(),
            id_column: "licenses.id",
            is_sorted: false,
            conditions: vec![],
            values: vec![],
        }
    }

    fn new(filter: &Filter, way: Way, order: Option<Order>) -> Query {
        let mut query = Query::on("licenses");
        query.is_sorted = way == Way::Order || own_order(way) == order;
        let leads = |to: Way, by: Order| way == to || (way == Way::Order && order == Some(by));
        match &filter.fragment {
            Some(fragment) if way == Way::Fragment => query.find(fragment),
            Some(fragment) => query.look_for(fragment),
            None => {}
        }
        let (by_tool, by_status) = match parts(filter, way, order) {
            Parts::One => (false, false),
            Parts::Tools => (true, false),
            Parts::Kinds => (true, true),
        };
        query.and_kind(filter, "licenses.", by_tool, by_status);
        match filter.ends {
            None => {}
            Some(ends) if leads(Way::End, Order::Expires) => query.and_end(END, ends),
            Some(ends) => query.and_end(&plain(END), ends),
        }
        let (by_seen, column) = (
            leads(Way::LastSeen, Order::LastSeen),
            "licenses.last_seen_on",
        );
        let last_seen = if by_seen {
            column.to_owned()
        } else {
            plain(column)
        };
        match filter.activity {
            None => {}
            Some(Activity::Never) => query.and(&format!("{last_seen} = ?"), text("")),
            Some(Activity::LastSeen(days)) => {
                query.and(&format!("{last_seen} > ?"), text(""));
                query.and_days(&last_seen, days);
            }
            Some(Activity::RefusedSince(day)) => {
                query.and_since(
                    "licenses.refused_on",
                    &format_date(day),
                    way == Way::Refused,
                );
            }
            Some(Activity::SharedSince(day)) => {
                query.and_since("licenses.shared_on", &format_date(day), way == Way::Shared);
            }
        }
        if let Some(user_id) = &filter.user_id {
            let is_bare = leads(Way::Customer, Order::Customer);
            let column = if is_bare {
                CUSTOMER.to_owned()
            } else {
                plain(CUSTOMER)
            };
            query.and(&format!("{column} = ?"), text(user_id));
        }
        query
    }

    /// `condition` holds one `?`, which stands for `value`.
    fn and(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        self.conditions
            .push(condition.replace('?', &format!("?{}", self.values.len())));
    }

    fn and_kind(&mut self, filter: &Filter, table: &str, by_tool: bool, by_status: bool) {
        let kinds = [
            ("tool_name", by_tool, filter.tool_name.as_deref()),
            ("status", by_status, filter.status.map(Status::as_str)),
        ];
        for (name, is_bare, value) in kinds {
            if let Some(value) = value {
                let column = format!("{table}{name}");
                let column = if is_bare { column } else { plain(&column) };
                self.and(&format!("{column} = ?"), text(value));
            }
        }
    }

    fn and_end(&mut self, end: &str, ends: Ends) {
        match ends {
            Ends::Never => self.and(&format!("{end} = ?"), text("never")),
            // What stands for never comes behind all days.
            Ends::NotBefore(day) => self.and(&format!("{end} >= ?"), format_date(day).into()),
            Ends::On(days) => {
                self.and(&format!("{end} < ?"), text("never"));
                self.and_days(end, days);
            }
        }
    }

    fn and_days(&mut self, column: &str, days: Days) {
        if let Some(from) = days.from {
            self.and(&format!("{column} >= ?"), format_date(from).into());
        }
        if let Some(until) = days.until {
            self.and(&format!("{column} <= ?"), format_date(until).into());
        }
    }

    /// The index of such a column has only the rows where it is not empty.
    fn and_since(&mut self, column: &str, day: &str, is_way: bool) {
        let leading = if is_way {
            column.to_owned()
        } else {
            plain(column)
        };
        self.and(&format!("{column} <> '' and {leading} >= ?"), text(day));
    }

    fn find(&mut self, fragment: &Fragment) {
        self.from = "license_search join licenses on licenses.id = license_search.rowid".to_owned();
        self.id_column = "license_search.rowid";
        let quoted = |s: &str| format!("\"{}\"", s.replace('"', "\"\""));
        let any: Vec<String> = fragment.spellings().map(quoted).collect();
        self.and("license_search match ?", any.join(" OR ").into());
    }

    fn look_for(&mut self, fragment: &Fragment) {
        let mut alternatives = Vec::new();
        for spelling in fragment.spellings() {
            let escaped = spelling
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_");
            self.values.push(format!("%{escaped}%").into());
            for column in ["license_key", "user_id", "tool_name", "note"] {
                alternatives.push(format!(
                    "licenses.{column} like ?{} escape '\\'",
                    self.values.len()
                ));
            }
        }
        self.conditions
            .push(format!("({})", alternatives.join(" or ")));
    }

    /// Adds where the piece begins; returns how it is sorted and where it ends.
    fn in_order(&mut self, piece: &Piece) -> String {
        let (beyond, direction) = if piece.is_descending {
            ("<", "desc")
        } else {
            (">", "asc")
        };
        let (mut id, mut by) = (self.id_column.to_owned(), value(piece.order).to_owned());
        if !self.is_sorted {
            (id, by) = (format!("{id} + 0"), plain(&by));
        }
        let is_by_id = piece.order == Order::Created;
        if let Some(mark) = &piece.beyond {
            if is_by_id {
                self.and(&format!("{id} {beyond} ?"), mark.id.into());
            } else {
                self.values.push(text(&mark.value));
                let value = self.values.len();
                self.and(
                    &format!("({by}, {id}) {beyond} (:value, ?)"),
                    mark.id.into(),
                );
                if let Some(last) = self.conditions.last_mut() {
                    *last = last.replace(":value", &format!("?{value}"));
                }
            }
        }
        let by = if is_by_id {
            String::new()
        } else {
            format!("{by} {direction}, ")
        };
        format!("order by {by}{id} {direction} limit {}", piece.limit)
    }

    fn sql(&self, columns: &str, tail: &str) -> String {
        let mut sql = format!("select {columns} from {}", self.from);
        for (at, condition) in self.conditions.iter().enumerate() {
            sql.push_str(if at == 0 { " where " } else { " and " });
            sql.push_str(condition);
        }
        format!("{sql} {tail}")
    }

    fn run<T>(
        &self,
        db: &Connection,
        columns: &str,
        tail: &str,
        map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        db.prepare_cached(&self.sql(columns, tail))?
            .query_map(params_from_iter(&self.values), map)?
            .collect()
    }

    /// How many rows there are, counted up to `most`.
    fn count(&self, db: &Connection, most: i64) -> Result<i64> {
        let sql = format!("select count(*) from ({} limit {most})", self.sql("1", ""));
        db.prepare_cached(&sql)?
            .query_row(params_from_iter(&self.values), |row| row.get(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;
    use time::Date;
    use time::macros::date;

    const TODAY: Date = date!(2026 - 06 - 15);

    /// Few different values, so that everything happens among some dozens of rows.
    fn database(seed: u64) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("../../schema.sql")).unwrap();
        for tool in ["A", "B", "B b"] {
            db.execute("insert into tools values (?1, 0)", [tool])
                .unwrap();
        }
        let mut random = seed;
        let mut one_of = |values: &[&str]| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            values[(random >> 33) as usize % values.len()].to_owned()
        };
        for n in 0..80 {
            let days = [
                "2026-06-01",
                "2026-06-14",
                "2026-06-15",
                "2026-06-20",
                "2027-01-01",
            ];
            let end = one_of(&[&days[..], &[""]].concat());
            let seen = one_of(&["", "2026-04-01", "2026-06-14", "2026-06-15"]);
            let refused = if one_of(&["", "x"]).is_empty() {
                ""
            } else {
                &seen
            };
            db.execute(
                "insert into licenses (created_at, tool_name, license_key, status, user_id,
                     expiration_date, last_seen_on, refused_on, shared_on, note)
                 values (0, ?1, ?2, ?3, nullif(?4, ''), nullif(?5, ''), ?6, ?7, ?8, nullif(?9, ''))",
                [
                    one_of(&["A", "B", "B b"]),
                    format!("key-{}-{n}", n * 37 % 80),
                    one_of(&["activated", "activated", "suspended", "revoked"]),
                    one_of(&["", "Anna", "anna", "Öle"]),
                    end,
                    seen.clone(),
                    refused.to_owned(),
                    one_of(&["", "", "2026-06-15"]),
                    one_of(&["", "old laptop"]),
                ],
            )
            .unwrap();
        }
        db
    }

    fn filter() -> impl Strategy<Value = Filter> {
        let days = (
            select(vec![None, Some(date!(2026 - 06 - 14)), Some(TODAY)]),
            any::<bool>(),
        );
        let days = days.prop_map(|(from, is_open)| Days {
            from,
            until: (!is_open).then_some(date!(2026 - 06 - 30)),
        });
        let ends = prop_oneof![
            Just(None),
            Just(Some(Ends::Never)),
            Just(Some(Ends::NotBefore(TODAY))),
            days.clone().prop_map(|days| Some(Ends::On(days)))
        ];
        let activity = prop_oneof![
            2 => Just(None),
            1 => Just(Some(Activity::Never)),
            1 => days.prop_map(|days| Some(Activity::LastSeen(days))),
            1 => Just(Some(Activity::RefusedSince(date!(2026 - 06 - 14)))),
            1 => Just(Some(Activity::SharedSince(TODAY))),
        ];
        let fragment = select(vec!["", "", "key-1", "LAP", "k", "nn", "ö"]);
        let kind = (
            select(vec![None, Some("B"), Some("C")]),
            select(vec![None, Some(Status::Revoked)]),
        );
        let customer = select(vec![None, None, Some("Anna")]);
        (kind, customer, fragment, ends, activity).prop_map(
            |((tool_name, status), user_id, fragment, ends, activity)| Filter {
                tool_name: tool_name.map(str::to_owned),
                status,
                user_id: user_id.map(str::to_owned),
                fragment: Fragment::parse(fragment),
                ends,
                activity,
            },
        )
    }

    /// The same, row by row.
    fn fits(db: &Connection, filter: &Filter, listed: &Listed) -> bool {
        let license = &listed.license;
        let within = |days: Days, day: Date| {
            days.from.is_none_or(|from| from <= day) && days.until.is_none_or(|until| day <= until)
        };
        let column = |name: &str| -> String {
            let sql = format!("select {name} from licenses where id = ?1");
            db.query_row(&sql, [license.id], |row| row.get(0)).unwrap()
        };
        let texts = [
            Some(&license.tool_name),
            Some(&license.license_key),
            license.user_id.as_ref(),
            license.note.as_ref(),
        ];
        let holds = |fragment: &Fragment| {
            let is_short = fragment.typed.chars().count() < 3;
            texts.into_iter().flatten().any(|text| {
                // SQLite's `like` knows the two cases of ASCII only.
                let lower = |text: &str| match is_short {
                    true => text.to_ascii_lowercase(),
                    false => text.to_lowercase(),
                };
                lower(text).contains(&lower(&fragment.typed))
            })
        };
        let seen = crate::model::new_license::read_date(&listed.last_seen_on);
        filter
            .tool_name
            .as_ref()
            .is_none_or(|tool| *tool == license.tool_name)
            && filter.status.is_none_or(|status| status == license.status)
            && (filter.user_id.is_none() || filter.user_id == license.user_id)
            && filter.fragment.as_ref().is_none_or(holds)
            && match filter.ends {
                None => true,
                Some(Ends::Never) => license.expiration_date.is_none(),
                Some(Ends::NotBefore(first)) => {
                    license.expiration_date.is_none_or(|day| day >= first)
                }
                Some(Ends::On(days)) => {
                    license.expiration_date.is_some_and(|day| within(days, day))
                }
            }
            && match filter.activity {
                None => true,
                Some(Activity::Never) => seen.is_none(),
                Some(Activity::LastSeen(days)) => seen.is_some_and(|day| within(days, day)),
                Some(Activity::RefusedSince(day)) => column("refused_on") >= format_date(day),
                Some(Activity::SharedSince(day)) => column("shared_on") >= format_date(day),
            }
    }

    fn all(db: &Connection) -> Vec<Listed> {
        list_by(db, &Filter::default(), &Piece::after(0, 1_000), Way::Order).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn whichever_way_is_gone_every_page_has_the_rows_that_fit(
            seed in 0u64..20, filter in filter(), order in select(Order::ALL.to_vec()),
            is_descending in any::<bool>(), limit in 1i64..30,
        ) {
            let db = database(seed);
            let mut expected: Vec<Listed> =
                all(&db).into_iter().filter(|listed| fits(&db, &filter, listed)).collect();
            let mark = |listed: &Listed| Mark { value: order.0.value(listed), id: listed.license.id };
            expected.sort_by_key(mark);
            if is_descending {
                expected.reverse();
            }
            for way in ways(&filter).chain([Way::Order]) {
                let mut found: Vec<Listed> = Vec::new();
                loop {
                    let piece = Piece {
                        order: order.0,
                        is_descending,
                        beyond: found.last().map(mark),
                        limit,
                    };
                    let rows = list_by(&db, &filter, &piece, way).unwrap();
                    if rows.is_empty() {
                        break;
                    }
                    found.extend(rows);
                }
                let ids = |rows: &[Listed]| rows.iter().map(|row| row.license.id).collect::<Vec<_>>();
                prop_assert_eq!(ids(&found), ids(&expected), "{:?}", way);
            }
            prop_assert_eq!(count(&db, &filter).unwrap(), Count::Exactly(expected.len() as i64));
            let mut numbers: Vec<i64> = expected.iter().map(|row| row.license.id).collect();
            numbers.sort_unstable();
            prop_assert_eq!(ids(&db, &filter, 1_000).unwrap(), numbers);
        }
    }
}
