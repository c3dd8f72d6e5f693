//! The table of licenses.

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Result, Row, params, params_from_iter};
use time::{Date, OffsetDateTime};

use super::{Writing, moment, sightings, unreadable};
use crate::error::Error;
use crate::model::license::{License, Listed, Status};
use crate::model::new_license::{NewLicense, format_date, read_date};
use crate::model::question::Question;
use crate::model::search::{Filter, Fragment, Order, Piece};

/// What the verdict on a license depends on, and whose license it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The license's number.
    pub id: i64,
    /// What the admin has decided.
    pub status: Status,
    /// The last good day.
    pub last_day: Option<Date>,
}

/// What a fragment finds is sorted up to this number.
const SORTED: i64 = 10_000;

const COLUMNS: &str = "licenses.id, licenses.created_at, licenses.tool_name, licenses.license_key, \
                       licenses.status, licenses.user_id, licenses.expiration_date";

/// The point read of the check.
pub fn judged(db: &Connection, question: &Question<'_>) -> Result<Option<Judged>> {
    db.prepare_cached(
        "select id, status, expiration_date from licenses where tool_name = ?1 and license_key = ?2",
    )?
    .query_row([question.tool_name, &question.license_key], |row| {
        judged_in(row, 0)
    })
    .optional()
}

/// Tool and key, and what is judged of them.
pub type Named = (String, String, Judged);

/// At most `limit` ids below `before`, newest first, and what is judged of them; none
/// where a row holds what none can.
pub fn all_judged(db: &Connection, before: i64, limit: usize) -> Result<Vec<(i64, Option<Named>)>> {
    db.prepare_cached(
        "select id, status, expiration_date, tool_name, license_key from licenses
         where id < ?1 order by id desc limit ?2",
    )?
    .query_map(params![before, limit as i64], |row| {
        let judged = judged_in(row, 0).and_then(|judged| Ok((row.get(3)?, row.get(4)?, judged)));
        // A fault of the disk comes before: here only a value can be wrong.
        Ok((row.get(0)?, judged.ok()))
    })?
    .collect()
}

fn judged_in(row: &Row<'_>, first: usize) -> Result<Judged> {
    Ok(Judged {
        id: row.get(first)?,
        status: status(row, first + 1)?,
        last_day: date(row, first + 2)?,
    })
}

/// How many licenses there are.
pub fn count_all(db: &Connection) -> Result<usize> {
    let all: i64 = db.query_row(
        "select coalesce(sum(number), 0) from license_counts",
        [],
        |row| row.get(0),
    )?;
    Ok(usize::try_from(all).unwrap_or(0))
}

/// Whether a second index knows the pair: a page that lost some bytes can hide a row from the first
/// without any error.
pub fn is_there(db: &Connection, question: &Question<'_>) -> Result<bool> {
    // The concatenation keeps the first index from being asked again.
    db.prepare_cached(
        "select exists (select 1 from licenses where license_key = ?2 and tool_name || '' = ?1)",
    )?
    .query_row([question.tool_name, &question.license_key], |row| {
        row.get(0)
    })
}

/// The row of that pair.
pub fn id_of(db: &Connection, question: &Question<'_>) -> Result<Option<i64>> {
    db.prepare_cached("select id from licenses where tool_name = ?1 and license_key = ?2")?
        .query_row([question.tool_name, &question.license_key], |row| {
            row.get(0)
        })
        .optional()
}

/// One license.
pub fn get(db: &Connection, id: i64) -> Result<Option<License>> {
    db.prepare_cached(&format!("select {COLUMNS} from licenses where id = ?1"))?
        .query_row([id], license)
        .optional()
}

/// One license, and what is known of its checks.
pub fn listed(db: &Connection, id: i64) -> Result<Option<Listed>> {
    let mut query = Query::licenses();
    query.and("licenses.id = ?", id.into());
    let piece = Piece::after(i64::MIN, 1);
    Ok(query.list(db, &piece)?.pop())
}

/// Adds a row and returns its id; a pair that is there already is [`Error::Duplicate`].
pub fn add(db: &Writing<'_>, new: &NewLicense, now: OffsetDateTime) -> Result<i64, Error> {
    db.touch(&new.tool_name, &new.license_key);
    super::tools::ensure(db, &new.tool_name, now)?;
    super::unknown_keys::forget(db, &new.tool_name, &new.license_key)?;
    db.prepare_cached(
        "insert into licenses (created_at, tool_name, license_key, status, user_id, expiration_date)
         values (?1, ?2, ?3, ?4, ?5, ?6) returning id",
    )?
    .query_row(
        params![
            now.unix_timestamp(),
            new.tool_name,
            new.license_key,
            new.status.as_str(),
            new.user_id,
            new.expiration_date.map(format_date),
        ],
        |row| row.get(0),
    )
    .map_err(duplicate)
}

/// Replaces every value of the row `before`; a pair that another row has is [`Error::Duplicate`].
pub fn update(
    db: &Writing<'_>,
    before: &License,
    new: &NewLicense,
    now: OffsetDateTime,
) -> Result<(), Error> {
    db.touch(&before.tool_name, &before.license_key);
    db.touch(&new.tool_name, &new.license_key);
    super::tools::ensure(db, &new.tool_name, now)?;
    super::unknown_keys::forget(db, &new.tool_name, &new.license_key)?;
    db.prepare_cached(
        "update licenses
         set tool_name = ?2, license_key = ?3, status = ?4, user_id = ?5, expiration_date = ?6
         where id = ?1",
    )?
    .execute(params![
        before.id,
        new.tool_name,
        new.license_key,
        new.status.as_str(),
        new.user_id,
        new.expiration_date.map(format_date),
    ])
    .map_err(duplicate)?;
    Ok(())
}

/// Removes the row.
pub fn delete(db: &Writing<'_>, license: &License) -> Result<()> {
    db.touch(&license.tool_name, &license.license_key);
    db.prepare_cached("delete from licenses where id = ?1")?
        .execute([license.id])?;
    Ok(())
}

/// A piece of what the filter finds.
pub fn list(db: &Connection, filter: &Filter, piece: &Piece) -> Result<Vec<Listed>> {
    let is_found_by_index = match &filter.fragment {
        // In another order all that is found has to be sorted: only where that is little.
        Some(_) => piece.order == Order::Created || count(db, filter, SORTED + 1)? <= SORTED,
        None => filter.user_id.is_some() || (piece.order == Order::Created && filter.is_empty()),
    };
    if is_found_by_index {
        return Query::new(filter, true).list(db, piece);
    }
    // Each tool and status has its own order in the index; the piece is among their first pieces.
    let mut rows = Vec::new();
    for (tool_name, status) in kinds(db, filter)? {
        let kind = Filter {
            tool_name: Some(tool_name),
            status: Some(status),
            ..filter.clone()
        };
        rows.extend(Query::new(&kind, false).list(db, piece)?);
    }
    let mark = |listed: &Listed| (piece.order.value(listed).to_owned(), listed.license.id);
    rows.sort_by_cached_key(mark);
    if piece.is_descending {
        rows.reverse();
    }
    rows.truncate(usize::try_from(piece.limit).unwrap_or(usize::MAX));
    Ok(rows)
}

/// Every tool and status of which there are licenses that the filter does not rule out.
fn kinds(db: &Connection, filter: &Filter) -> Result<Vec<(String, Status)>> {
    let mut query = Query::counts();
    query.and_kind(filter);
    query.run(db, "distinct tool_name, status", "", |row| {
        Ok((row.get(0)?, status(row, 1)?))
    })
}

/// How many rows the filter finds; where they have to be looked for, counted up to `most`.
pub fn count(db: &Connection, filter: &Filter, most: i64) -> Result<i64> {
    if filter.fragment.is_none() && filter.user_id.is_none() {
        let mut query = Query::counts();
        query.and_kind(filter);
        let found = query.run(db, "coalesce(sum(number), 0)", "", |row| row.get(0))?;
        return Ok(found.first().copied().unwrap_or(0));
    }
    let query = Query::new(filter, true);
    let sql = format!("select count(*) from ({} limit {most})", query.sql("1", ""));
    db.prepare_cached(&sql)?
        .query_row(params_from_iter(&query.values), |row| row.get(0))
}

/// A `select` that grows by its conditions; parameters are numbered as they come.
struct Query {
    /// The table that has the columns of the filter.
    table: &'static str,
    from: &'static str,
    id_column: &'static str,
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Query {
    fn on(table: &'static str, from: &'static str) -> Query {
        Query {
            table,
            from,
            id_column: "licenses.id",
            conditions: vec![],
            values: vec![],
        }
    }

    fn counts() -> Query {
        Query::on("license_counts", "license_counts")
    }

    fn licenses() -> Query {
        Query::on(
            "licenses",
            "licenses left join sightings on sightings.license_id = licenses.id",
        )
    }

    /// Fragments are found by their index, or looked for row by row.
    fn new(filter: &Filter, by_index: bool) -> Query {
        let mut query = Query::licenses();
        match &filter.fragment {
            // The index knows fragments of three characters and more; shorter ones stand almost
            // everywhere, and soon fill a page.
            Some(fragment) if by_index && fragment.spellings().all(|s| s.chars().count() >= 3) => {
                query.find(fragment);
            }
            Some(fragment) => query.look_for(fragment),
            None => {}
        }
        query.and_kind(filter);
        if let Some(user_id) = &filter.user_id {
            query.and("licenses.user_id = ?", user_id.clone().into());
        }
        query
    }

    /// `condition` holds one `?`, which stands for `value`.
    fn and(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        self.conditions
            .push(condition.replace('?', &format!("?{}", self.values.len())));
    }

    fn and_kind(&mut self, filter: &Filter) {
        if let Some(tool_name) = &filter.tool_name {
            let condition = format!("{}.tool_name = ?", self.table);
            self.and(&condition, tool_name.clone().into());
        }
        if let Some(status) = filter.status {
            let condition = format!("{}.status = ?", self.table);
            self.and(&condition, status.as_str().to_owned().into());
        }
    }

    fn find(&mut self, fragment: &Fragment) {
        self.from = "license_search join licenses on licenses.id = license_search.rowid
             left join sightings on sightings.license_id = licenses.id";
        self.id_column = "license_search.rowid";
        let quoted = |s: &str| format!("\"{}\"", s.replace('"', "\"\""));
        let any = fragment
            .spellings()
            .map(quoted)
            .collect::<Vec<_>>()
            .join(" OR ");
        self.and("license_search match ?", any.into());
    }

    fn look_for(&mut self, fragment: &Fragment) {
        let mut alternatives = Vec::new();
        for spelling in fragment.spellings() {
            let escaped = spelling
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_");
            self.values.push(format!("%{escaped}%").into());
            for column in ["license_key", "user_id", "tool_name"] {
                alternatives.push(format!(
                    "licenses.{column} like ?{} escape '\\'",
                    self.values.len()
                ));
            }
        }
        self.conditions
            .push(format!("({})", alternatives.join(" or ")));
    }

    fn sql(&self, columns: &str, tail: &str) -> String {
        let mut sql = format!("select {columns} from {}", self.from);
        for (at, condition) in self.conditions.iter().enumerate() {
            sql.push_str(if at == 0 { " where " } else { " and " });
            sql.push_str(condition);
        }
        format!("{sql} {tail}")
    }

    fn list(mut self, db: &Connection, piece: &Piece) -> Result<Vec<Listed>> {
        let id = self.id_column;
        let (beyond, direction) = if piece.is_descending {
            ("<", "desc")
        } else {
            (">", "asc")
        };
        let order = match piece.order {
            Order::Created => format!("{id} {direction}"),
            Order::LastSeen => format!("licenses.last_seen_on {direction}, {id} {direction}"),
        };
        match (&piece.beyond, piece.order) {
            (None, _) => {}
            (Some(mark), Order::Created) => self.and(&format!("{id} {beyond} ?"), mark.id.into()),
            (Some(mark), Order::LastSeen) => {
                self.values.push(mark.value.clone().into());
                let value = self.values.len();
                let pair = format!("(licenses.last_seen_on, {id}) {beyond} (?{value}, ?)");
                self.values.push(mark.id.into());
                self.conditions
                    .push(pair.replace("?)", &format!("?{})", value + 1)));
            }
        }
        let tail = format!("order by {order} limit {}", piece.limit);
        let columns = format!("{COLUMNS}, licenses.last_seen_on, {}", sightings::COLUMNS);
        self.run(db, &columns, &tail, |row| {
            Ok(Listed {
                license: license(row)?,
                last_seen_on: row.get(7)?,
                seen: sightings::seen_in(row, 8)?,
            })
        })
    }

    fn run<T>(
        &self,
        db: &Connection,
        columns: &str,
        tail: &str,
        map: fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        db.prepare_cached(&self.sql(columns, tail))?
            .query_map(params_from_iter(&self.values), map)?
            .collect()
    }
}

fn license(row: &Row<'_>) -> Result<License> {
    Ok(License {
        id: row.get(0)?,
        created_at: moment(row, 1)?,
        tool_name: row.get(2)?,
        license_key: row.get(3)?,
        status: status(row, 4)?,
        user_id: row.get(5)?,
        expiration_date: date(row, 6)?,
    })
}

fn status(row: &Row<'_>, column: usize) -> Result<Status> {
    let word = row.get_ref(column)?.as_str()?;
    Status::from_word(word).ok_or_else(|| unreadable(column, word))
}

fn date(row: &Row<'_>, column: usize) -> Result<Option<Date>> {
    match row.get_ref(column)?.as_str_or_null()? {
        None => Ok(None),
        Some(text) => read_date(text)
            .map(Some)
            .ok_or_else(|| unreadable(column, text)),
    }
}

fn duplicate(error: rusqlite::Error) -> Error {
    match error.sqlite_error() {
        Some(e)
            if e.code == ErrorCode::ConstraintViolation
                && e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
        {
            Error::Duplicate
        }
        _ => error.into(),
    }
}
