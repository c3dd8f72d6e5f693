//! Finding licenses. Indexes yield candidates, and `Filter::matches` decides about each.
//!
//! There are two strategies. *Gather*: read the candidates of the most selective condition, or if
//! all conditions are frequent, intersect their IDs. *Walk*: follow the requested order and take
//! what matches; first within a budget, and if the matching rows come late in the order, skipping
//! all IDs that were not gathered.

use std::collections::HashSet;

use time::Date;

use super::db::{Db, Optional, Query, Result, Row, Value, refs};
use super::texts;
use super::{NEVER, licenses};
use crate::model::bulk::Selection;
use crate::model::check::ListedLicense;
use crate::model::date;
use crate::model::license::fields::{self, FIELDS, YES};
use crate::model::license::{License, Status};
use crate::model::search::{
    Activity, BETWEEN, Candidate, Count, Cursor, Days, Expires, Filter, Order, Page, SortValue,
};

/// Larger results are not counted.
pub const MAX_COUNT: usize = 10_000;

/// Candidates that are read one by one without looking for a narrower way: about 10 ms. Reading a
/// row takes 3 µs, reading an ID from an index 0.1 µs.
const MAX_CANDIDATES: usize = 3_000;

/// The share of matches among this number of candidates shows whether a page will fill soon enough
/// to stop early.
const SAMPLE: usize = 1_000;

/// Rows that a walk reads before it skips what cannot match: about 10 ms.
const WALKED: usize = 4_000;

/// A condition that an index can answer alone.
struct Condition {
    ids: Query,
    /// The column and its bounds, for a walk along the same column.
    column: &'static str,
    bounds: Vec<(&'static str, String)>,
}

/// What a filter finds, unless it is more than the caller asked for.
enum Found {
    All(Vec<Cursor>),
    /// More; with the candidates if they had to be gathered to find out.
    More(Option<IdSet>),
}

/// A page of the matching licenses, and their total number.
pub fn page(db: &Db, filter: &Filter, page: &Page) -> Result<(Vec<ListedLicense>, Count)> {
    let conditions = conditions(db, filter);
    match gather(db, filter, &conditions, page.order, MAX_COUNT)? {
        Found::All(found) => {
            let count = Count::Exactly(found.len() as i64);
            Ok((rows(db, sorted(found, page).into_iter())?, count))
        }
        Found::More(candidates) => {
            let count = Count::MoreThan(MAX_COUNT as i64);
            if let Some(rows) = walk(db, filter, &conditions, page)? {
                return Ok((rows, count));
            }
            let ids = match candidates {
                Some(ids) => ids,
                None => common_ids(db, filter, &conditions)?,
            };
            Ok((walk_past(db, filter, &ids, page)?, count))
        }
    }
}

/// A page of the matching licenses.
pub fn list(db: &Db, filter: &Filter, wanted: &Page) -> Result<Vec<ListedLicense>> {
    Ok(page(db, filter, wanted)?.0)
}

/// The number of matching licenses.
pub fn count(db: &Db, filter: &Filter) -> Result<Count> {
    Ok(
        match gather(
            db,
            filter,
            &conditions(db, filter),
            Order::Created,
            MAX_COUNT,
        )? {
            Found::All(found) => Count::Exactly(found.len() as i64),
            Found::More(_) => Count::MoreThan(MAX_COUNT as i64),
        },
    )
}

/// The IDs of the matching licenses in ascending order; none if there are more than `max`.
pub fn ids(db: &Db, filter: &Filter, max: usize) -> Result<Option<Vec<i64>>> {
    let mut ids = ids_in_order(db, filter, Order::Created, false, max)?;
    if let Some(ids) = &mut ids {
        ids.sort_unstable();
    }
    Ok(ids)
}

fn ids_in_order(
    db: &Db,
    filter: &Filter,
    order: Order,
    is_descending: bool,
    max: usize,
) -> Result<Option<Vec<i64>>> {
    let whole = Page {
        order,
        is_descending,
        after: None,
        limit: max,
    };
    Ok(
        match gather(db, filter, &conditions(db, filter), order, max)? {
            Found::All(found) => Some(sorted(found, &whole)),
            Found::More(_) => None,
        },
    )
}

/// The licenses of a selection in its order; none if there are more than `max`.
pub fn selected(db: &Db, selection: &Selection, max: usize) -> Result<Option<Vec<License>>> {
    let ids = match selection {
        Selection::Ids(ids) => {
            let (mut ids, mut seen) = (ids.clone(), HashSet::new());
            ids.retain(|id| seen.insert(*id));
            Some(ids).filter(|ids| ids.len() <= max)
        }
        Selection::Found {
            filter,
            order,
            is_descending,
        } => ids_in_order(db, filter, *order, *is_descending, max)?,
    };
    ids.map(|ids| licenses::of_ids(db, ids.into_iter()))
        .transpose()
}

/// At most `limit` matching rows with IDs above `after`, and the ID up to which the table was
/// searched; none at its end.
pub fn walk_by_id(
    db: &Db,
    filter: &Filter,
    after: i64,
    limit: usize,
) -> Result<(Vec<ListedLicense>, Option<i64>)> {
    let sql = format!(
        "select {} from licenses where id > ?1 order by id limit ?2",
        columns(Order::Created)
    );
    let (mut found, mut last, mut seen) = (Vec::new(), after, 0);
    db.each(&sql, &[&after, &(WALKED as i64)], |row| {
        (last, seen) = (row.get(0)?, seen + 1);
        if filter.is_empty() || matches(filter, row)? {
            found.push(last);
        }
        Ok(found.len() < limit)
    })?;
    let is_end = found.len() < limit && seen < WALKED;
    let found = found.into_iter().map(|id| licenses::listed(db, id));
    let found: Vec<ListedLicense> = found.filter_map(Result::transpose).collect::<Result<_>>()?;
    Ok((found, (!is_end).then_some(last)))
}

/// The licenses refused on that day, most often refused first.
pub fn most_refused(db: &Db, day: Date, limit: i64) -> Result<Vec<ListedLicense>> {
    let (columns, join) = (
        licenses::listed_columns("licenses"),
        licenses::join_last_checks("licenses"),
    );
    db.all(
        &format!(
            "select {columns} from (
             select id from licenses where refused_on <> '' and refused_on = ?1
             order by id desc limit 2000) refused
         join licenses on licenses.id = refused.id {join}
         order by last_checks.refused_count desc, licenses.id desc limit ?2"
        ),
        &[&date::format(day), &limit],
        licenses::listed_in,
    )
}

/// IDs and keys of at most `limit` licenses whose text may contain one of these parts, which are
/// folded and have at least three characters.
pub fn having_any<'a>(
    db: &Db,
    parts: impl Iterator<Item = &'a str>,
    limit: usize,
) -> Result<Vec<(i64, String)>> {
    let Query { sql, values } = texts::having_any(db, parts);
    let sql = format!(
        "select licenses.id, licenses.license_key
         from ({sql} limit {limit}) found join licenses on licenses.id = found.id"
    );
    db.all(&sql, &refs(&values), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Together they find everything that matches the filter, or more.
fn conditions(db: &Db, filter: &Filter) -> Vec<Condition> {
    // Destructured so that a new field of the filter has to be handled here too.
    let Filter {
        tool_name,
        status,
        user_id,
        words,
        expires,
        activity,
        version,
        is_trial,
    } = filter;
    let is = |column, value: &str| Condition::new(column, vec![("=", value.to_owned())]);
    // The index of such a column contains only rows in which it is not empty.
    let since = |column, day| {
        Condition::new(
            column,
            vec![("<>", String::new()), (">=", date::format(day))],
        )
    };
    let mut all = Vec::new();
    all.extend(tool_name.as_ref().map(|tool| is("tool_name", tool)));
    all.extend(
        status
            .filter(|status| *status != Status::Activated)
            .map(|status| {
                // The index has only the other statuses: nearly all licenses are activated.
                let bounds = vec![("<>", Status::Activated), ("=", status)];
                let bounds = bounds
                    .into_iter()
                    .map(|(sign, status)| (sign, status.to_string()));
                Condition::new("status", bounds.collect())
            }),
    );
    all.extend(user_id.as_ref().map(|user_id| is("user_id", user_id)));
    all.extend(version.as_ref().map(|version| {
        // The index has only rows with a version.
        let bounds = vec![("<>", String::new()), ("=", version.clone())];
        Condition::new("seen_version", bounds)
    }));
    // The index has only trials.
    all.extend(is_trial.filter(|is_trial| *is_trial).map(|_| {
        let bounds = vec![("<>", String::new()), ("=", YES.to_owned())];
        Condition::new("trial", bounds)
    }));
    all.extend(expires.map(|expires| match expires {
        Expires::Never => is("expiration_date", NEVER),
        Expires::NotBefore(day) => {
            Condition::new("expiration_date", vec![(">=", date::format(day))])
        }
        Expires::On(days) => Condition::days("expiration_date", days, Some(NEVER)),
    }));
    all.extend(activity.map(|activity| match activity {
        Activity::Never => is("last_seen_on", ""),
        Activity::LastSeen(days) => Condition::days("last_seen_on", days, None),
        Activity::RefusedSince(day) => since("refused_on", day),
        Activity::SharedSince(day) => since("shared_on", day),
        Activity::AfterExpiration => Condition::from_ids(Query {
            sql: "select id from licenses where last_seen_on > expiration_date".to_owned(),
            values: vec![],
        }),
    }));
    all.extend(
        words
            .iter()
            .map(|word| Condition::from_ids(texts::having_word(db, word))),
    );
    all
}

/// What a filter leaves out where its index has only the few rows that it leaves out.
fn exceptions(filter: &Filter) -> impl Iterator<Item = &'static str> {
    let is_activated = filter.status == Some(Status::Activated);
    let is_no_trial = filter.is_trial == Some(false);
    [
        is_activated.then_some("select id from licenses where status <> 'activated'"),
        is_no_trial.then_some("select id from licenses where trial <> ''"),
    ]
    .into_iter()
    .flatten()
}

impl Condition {
    fn new(column: &'static str, bounds: Vec<(&'static str, String)>) -> Condition {
        let numbered = bounds.iter().enumerate();
        let predicates = numbered.map(|(at, (sign, _))| format!("{column} {sign} ?{}", at + 1));
        let predicates: Vec<String> = predicates.collect();
        Condition {
            ids: Query {
                sql: format!("select id from licenses where {}", predicates.join(" and ")),
                values: bounds
                    .iter()
                    .map(|(_, value)| value.clone().into())
                    .collect(),
            },
            column,
            bounds,
        }
    }

    fn from_ids(ids: Query) -> Condition {
        Condition {
            ids,
            column: "",
            bounds: vec![],
        }
    }

    /// Between two days; `never` is the column's value for none: above all days, or empty below
    /// them.
    fn days(column: &'static str, days: Days, never: Option<&str>) -> Condition {
        let from = days
            .from
            .map_or((">", String::new()), |day| (">=", date::format(day)));
        let until = match (days.until, never) {
            (Some(day), _) => Some(("<=", date::format(day))),
            (None, never) => never.map(|never| ("<", never.to_owned())),
        };
        Condition::new(column, std::iter::once(from).chain(until).collect())
    }

    /// The number of its IDs, at most `max`.
    fn count(&self, db: &Db, max: usize) -> Result<usize> {
        let Query { sql, values } = &self.ids;
        let sql = format!("select count(*) from (select * from ({sql}) found limit {max}) counted");
        let count: i64 = db.one(&sql, &refs(values), |row| row.get(0))?;
        Ok(count as usize)
    }
}

fn gather(
    db: &Db,
    filter: &Filter,
    conditions: &[Condition],
    order: Order,
    max: usize,
) -> Result<Found> {
    let mut base: Option<(usize, &Query)> = None;
    for condition in conditions {
        let number = condition.count(db, MAX_CANDIDATES.max(max) + 1)?;
        if base.is_none_or(|(least, _)| number < least) {
            base = Some((number, &condition.ids));
        }
    }
    // Without conditions the IDs are those of all licenses, including deleted ones.
    let is_exact = filter.words.is_empty() && !conditions.is_empty();
    let is_alone = is_exact && conditions.len() == 1 && exceptions(filter).next().is_none();
    if is_alone && base.is_some_and(|(number, _)| number > max) {
        return Ok(Found::More(None));
    }
    let whole = Query {
        sql: "select id from licenses".to_owned(),
        values: vec![],
    };
    let (number, Query { sql, values }) = base.unwrap_or((usize::MAX, &whole));
    // To SQLite it says where to begin.
    let join = db.sqlite().map_or("join", |_| "cross join");
    let sql = format!(
        "select {} from ({sql}) base {join} licenses on licenses.id = base.id",
        columns(order)
    );
    let (mut found, mut seen, mut is_rare) = (Vec::new(), 0, false);
    db.each(&sql, &refs(values), |row| {
        seen += 1;
        if matches(filter, row)? {
            found.push(cursor_in(row, order)?);
        }
        if found.len() > max {
            // A short word finds some rows several times.
            found.sort_unstable();
            found.dedup();
        }
        let is_frequent = found.len() > SAMPLE / 2 && seen < 3 * max;
        is_rare = seen >= SAMPLE && number > MAX_CANDIDATES && !is_frequent;
        Ok(found.len() <= max && !is_rare)
    })?;
    if found.len() > max {
        return Ok(Found::More(None));
    }
    if is_rare {
        let candidates = common_ids(db, filter, conditions)?;
        return compare(db, filter, candidates, is_exact, order, max);
    }
    found.sort_unstable();
    found.dedup();
    Ok(Found::All(found))
}

/// The candidates that match; all of them if `is_exact`.
fn compare(
    db: &Db,
    filter: &Filter,
    candidates: IdSet,
    is_exact: bool,
    order: Order,
    max: usize,
) -> Result<Found> {
    if is_exact && candidates.count() > max {
        return Ok(Found::More(Some(candidates)));
    }
    let mut found = Vec::new();
    let sql = row_of_id(order);
    for id in candidates.iter() {
        db.each(&sql, &[&id], |row| {
            if matches(filter, row)? {
                found.push(cursor_in(row, order)?);
            }
            Ok(true)
        })?;
        if found.len() > max {
            break;
        }
    }
    Ok(match found.len() > max {
        true => Found::More(Some(candidates)),
        false => Found::All(found),
    })
}

/// The page along its order, unless that needs more than [`WALKED`] rows.
fn walk(
    db: &Db,
    filter: &Filter,
    conditions: &[Condition],
    page: &Page,
) -> Result<Option<Vec<ListedLicense>>> {
    let (mut ids, mut left) = (Vec::new(), WALKED);
    for seek in Seek::all(page) {
        let along = conditions.iter().filter(|c| c.column == column(page.order));
        let Query { sql, values } = seek.sql(&columns(page.order), along, page, WALKED);
        // All steps of the seek share one budget.
        db.each(&sql, &refs(&values), |row| {
            if left > 0 && matches(filter, row)? {
                ids.push(row.get(0)?);
            }
            left = left.saturating_sub(1);
            Ok(left > 0 && ids.len() < page.limit)
        })?;
        if ids.len() == page.limit {
            break;
        }
    }
    // With rows left in the budget, this is the end of the table.
    (left > 0 || ids.len() == page.limit)
        .then(|| rows(db, ids.into_iter()))
        .transpose()
}

/// The page along its order, skipping all rows that are not candidates. Of skipped rows only the
/// index is read.
fn walk_past(
    db: &Db,
    filter: &Filter,
    candidates: &IdSet,
    page: &Page,
) -> Result<Vec<ListedLicense>> {
    let mut ids = Vec::new();
    let row_of_id = row_of_id(page.order);
    for seek in Seek::all(page) {
        let Query { sql, values } = seek.sql("id", [].iter(), page, usize::MAX >> 1);
        db.each(&sql, &refs(&values), |row| {
            let id: i64 = row.get(0)?;
            let is_match = |row: &Row<'_>| matches(filter, row);
            if candidates.contains(id)
                && db.one(&row_of_id, &[&id], is_match).optional()? == Some(true)
            {
                ids.push(id);
            }
            Ok(ids.len() < page.limit)
        })?;
        if ids.len() == page.limit {
            break;
        }
    }
    rows(db, ids.into_iter())
}

/// Where a page begins in an index: rows with the cursor's value and a later ID, then those with
/// later values. A single row-value comparison would make SQLite walk all rows of the same value.
enum Seek<'a> {
    Start,
    /// The rows of one status after an ID, because no index has all of them in their order.
    OfStatus(Status, Option<i64>),
    SameValue(&'a Cursor),
    LaterValues(&'a Cursor),
}

impl Seek<'_> {
    fn all(page: &Page) -> Vec<Seek<'_>> {
        match &page.after {
            after if page.order == Order::Status => {
                let mut all = Status::ALL;
                all.sort_by_key(|status| status.as_str());
                if page.is_descending {
                    all.reverse();
                }
                let is = |status: &Status, cursor: &&Cursor| {
                    cursor.value == SortValue::Text(status.to_string())
                };
                let first = after
                    .as_ref()
                    .and_then(|cursor| all.iter().position(|s| is(s, &cursor)));
                let seek = |status: &Status| {
                    Seek::OfStatus(
                        *status,
                        after.as_ref().filter(|c| is(status, c)).map(|c| c.id),
                    )
                };
                all.iter().skip(first.unwrap_or(0)).map(seek).collect()
            }
            None => vec![Seek::Start],
            // Unique: no other row has the same value.
            Some(cursor) if page.order == Order::Tool => vec![Seek::LaterValues(cursor)],
            Some(cursor) => vec![Seek::SameValue(cursor), Seek::LaterValues(cursor)],
        }
    }

    fn sql<'c>(
        &self,
        columns: &str,
        conditions: impl Iterator<Item = &'c Condition>,
        page: &Page,
        limit: usize,
    ) -> Query {
        let (sign, direction) = if page.is_descending {
            ("<", "desc")
        } else {
            (">", "asc")
        };
        let by = column(page.order);
        let mut predicates: Vec<String> = Vec::new();
        let mut values: Vec<Value<'static>> = Vec::new();
        let mut add = |column: &str, sign: &str, value: Value<'static>| {
            values.push(value);
            predicates.push(format!("{column} {sign} ?{}", values.len()));
        };
        // The start of the page is the tighter of the two bounds.
        let is_needed = |bound: &str| match self {
            Seek::Start => true,
            Seek::SameValue(_) | Seek::OfStatus(..) => false,
            Seek::LaterValues(_) => !bound.starts_with(sign),
        };
        match self {
            Seek::Start => {}
            Seek::OfStatus(status, after) => {
                add(by, "=", status.to_string().into());
                if *status != Status::Activated {
                    add(by, "<>", Status::Activated.to_string().into());
                }
                if let Some(id) = after {
                    add("id", sign, (*id).into());
                }
            }
            Seek::SameValue(cursor) => {
                add(by, "=", bound(&cursor.value));
                add("id", sign, cursor.id.into());
            }
            Seek::LaterValues(cursor) if page.order == Order::Tool => {
                let Cursor { value, .. } = cursor;
                let pair = match value {
                    SortValue::Text(text) => text.split_once(BETWEEN).unwrap_or((text, "")),
                    SortValue::Number(_) => ("", ""),
                };
                values.extend([pair.0, pair.1].map(|text| Value::from(text.to_owned())));
                predicates.push(format!("(tool_name, license_key) {sign} (?1, ?2)"));
            }
            Seek::LaterValues(cursor) => add(by, sign, bound(&cursor.value)),
        }
        for (sign, value) in conditions.flat_map(|condition| &condition.bounds) {
            if is_needed(sign) {
                values.push(value.clone().into());
                predicates.push(format!("{by} {sign} ?{}", values.len()));
            }
        }
        let condition = match predicates.is_empty() {
            true => String::new(),
            false => format!("where {}", predicates.join(" and ")),
        };
        let order = match page.order {
            Order::Tool => format!("{by} {direction}, license_key {direction}"),
            // All of them have one status.
            Order::Status => format!("id {direction}"),
            _ => format!("{by} {direction}, id {direction}"),
        };
        Query {
            sql: format!(
                "select {columns} from licenses {condition} order by {order} limit {limit}"
            ),
            values,
        }
    }
}

fn bound(value: &SortValue) -> Value<'static> {
    match value {
        SortValue::Number(number) => (*number).into(),
        SortValue::Text(text) => text.clone().into(),
    }
}

fn column(order: Order) -> &'static str {
    match order {
        Order::Created => "created_at",
        Order::LastSeen => "last_seen_on",
        Order::Expires => "expiration_date",
        Order::Customer => "user_id",
        Order::Key => "license_key",
        Order::Tool => "tool_name",
        Order::Status => "status",
        Order::Addresses => "address_count",
    }
}

/// ID and sort value, then the columns that [`Filter::matches`] reads.
fn columns(order: Order) -> String {
    let value = match order {
        Order::Tool => format!("licenses.tool_name || '{BETWEEN}' || licenses.license_key"),
        other => format!("licenses.{}", column(other)),
    };
    let fields = FIELDS
        .map(|field| format!("licenses.{}", field.name))
        .join(", ");
    format!(
        "licenses.id, {value}, {fields}, licenses.last_seen_on, licenses.refused_on, licenses.shared_on, \
         licenses.seen_version"
    )
}

fn row_of_id(order: Order) -> String {
    format!("select {} from licenses where id = ?1", columns(order))
}

fn matches(filter: &Filter, row: &Row<'_>) -> Result<bool> {
    let text = |at: usize| row.text(at);
    let mut texts = [""; fields::COUNT];
    for (at, place) in texts.iter_mut().enumerate() {
        *place = text(2 + at)?;
    }
    let candidate = Candidate {
        texts,
        last_seen_on: text(2 + fields::COUNT)?,
        refused_on: text(3 + fields::COUNT)?,
        shared_on: text(4 + fields::COUNT)?,
        seen_version: text(5 + fields::COUNT)?,
    };
    Ok(filter.matches(&candidate))
}

fn cursor_in(row: &Row<'_>, order: Order) -> Result<Cursor> {
    let value = match order {
        Order::Created | Order::Addresses => SortValue::Number(row.get(1)?),
        Order::LastSeen
        | Order::Expires
        | Order::Customer
        | Order::Key
        | Order::Tool
        | Order::Status => SortValue::Text(row.get(1)?),
    };
    Ok(Cursor {
        value,
        id: row.get(0)?,
    })
}

/// The IDs of a page of everything that was found.
fn sorted(mut found: Vec<Cursor>, page: &Page) -> Vec<i64> {
    if let Some(after) = &page.after {
        found.retain(|cursor| (cursor < after) == page.is_descending && cursor != after);
    }
    found.sort_unstable();
    if page.is_descending {
        found.reverse();
    }
    found.truncate(page.limit);
    found.into_iter().map(|cursor| cursor.id).collect()
}

fn rows(db: &Db, ids: impl Iterator<Item = i64>) -> Result<Vec<ListedLicense>> {
    let rows = ids.map(|id| licenses::listed(db, id));
    rows.filter_map(Result::transpose).collect()
}

/// The IDs that all conditions have in common, without the exceptions.
fn common_ids(db: &Db, filter: &Filter, conditions: &[Condition]) -> Result<IdSet> {
    let max: Option<i64> = db.one("select max(id) from licenses", &[], |row| row.get(0))?;
    let max = max.unwrap_or(0);
    let read = |ids: &Query| -> Result<IdSet> {
        let mut set = IdSet::new(max);
        db.each(&ids.sql, &refs(&ids.values), |row| {
            set.insert(row.get(0)?);
            Ok(true)
        })?;
        Ok(set)
    };
    let mut common = IdSet::full(max);
    for condition in conditions {
        let ids = read(&condition.ids)?;
        common.retain(|at| ids.0[at]);
    }
    for sql in exceptions(filter) {
        let others = read(&Query {
            sql: sql.to_owned(),
            values: vec![],
        })?;
        common.retain(|at| !others.0[at]);
    }
    Ok(common)
}

/// A bit per ID: a million licenses take 125 kB.
struct IdSet(Vec<u64>);

impl IdSet {
    fn new(max: i64) -> IdSet {
        IdSet(vec![0; max as usize / 64 + 1])
    }

    fn full(max: i64) -> IdSet {
        IdSet(vec![u64::MAX; max as usize / 64 + 1])
    }

    fn insert(&mut self, id: i64) {
        if let Some(word) = self.0.get_mut(id as usize / 64) {
            *word |= 1 << (id % 64);
        }
    }

    fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    fn contains(&self, id: i64) -> bool {
        let word = self.0.get(id as usize / 64);
        word.is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    /// Keeps the bits that the word at that index has.
    fn retain(&mut self, word: impl Fn(usize) -> u64) {
        let words = self.0.iter_mut().enumerate();
        words.for_each(|(at, bits)| *bits &= word(at));
    }

    fn iter(&self) -> impl Iterator<Item = i64> {
        let words = self.0.iter().enumerate();
        words.flat_map(|(at, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros();
                word &= word.checked_sub(1)?;
                Some(at as i64 * 64 + i64::from(bit))
            })
        })
    }
}

#[cfg(test)]
mod tests;
