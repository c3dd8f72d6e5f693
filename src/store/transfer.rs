//! The whole content of one database, put into another one that is empty: from SQLite to PostgreSQL, and back.

use super::db::{Db, Result, Value, refs};
use super::{SCHEMA_SQL, licenses, texts};

/// Rows that one statement inserts.
const ROWS: usize = 50;

/// Says which file is which, and nothing else.
const MARKS: &str = "file_marks";

/// Copies all rows, in transactions that the caller has begun, and what counts them; until `goes_on` fails.
pub(super) fn copy(from: &Db, to: &Db, goes_on: &dyn Fn() -> Result<()>) -> Result<()> {
    for table in tables() {
        copy_table(from, to, table, goes_on)?;
    }
    from.each(&licenses::EVERY, &[], |row| {
        goes_on()?;
        let license = licenses::license(row)?;
        texts::insert(to, license.id, &license.search_text())?;
        Ok(true)
    })?;
    let counters = counters(from)?;
    counters
        .iter()
        .try_for_each(|(table, last)| set_counter(to, table, *last))
}

/// In an order in which each refers only to those before it.
fn tables() -> impl Iterator<Item = &'static str> {
    let names = SCHEMA_SQL.split("\ncreate table ").skip(1);
    let names = names.filter_map(|rest| rest.split_once(" (").map(|(name, _)| name));
    names.filter(|name| *name != MARKS)
}

fn copy_table(from: &Db, to: &Db, table: &str, goes_on: &dyn Fn() -> Result<()>) -> Result<()> {
    goes_on()?;
    let mut rows: Vec<Value<'static>> = vec![];
    let mut columns: Vec<String> = vec![];
    from.each(&format!("select * from {table}"), &[], |row| {
        if columns.is_empty() {
            columns.extend(row.column_names().into_iter().map(str::to_owned));
        }
        for column in 0..columns.len() {
            rows.push(row.value(column)?.into_owned());
        }
        if rows.len() == ROWS * columns.len() {
            goes_on()?;
            insert(to, table, &columns, &rows)?;
            rows.clear();
        }
        Ok(true)
    })?;
    match rows.is_empty() {
        true => Ok(()),
        false => insert(to, table, &columns, &rows),
    }
}

/// Inserts rows, whose values follow one another.
pub(super) fn insert<T: AsRef<str>>(
    to: &Db,
    table: &str,
    columns: &[T],
    values: &[Value<'_>],
) -> Result<()> {
    let width = columns.len();
    let row = |row: usize| {
        let places: Vec<String> = (1..=width)
            .map(|at| format!("?{}", row * width + at))
            .collect();
        format!("({})", places.join(", "))
    };
    let rows: Vec<String> = (0..values.len() / width).map(row).collect();
    let columns: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
    let (columns, rows) = (columns.join(", "), rows.join(", "));
    let sql = format!("insert into {table} ({columns}) values {rows}");
    to.run(&sql, &refs(values)).map(drop)
}

/// The last ID of each table that never uses one again.
fn counters(from: &Db) -> Result<Vec<(String, i64)>> {
    let sql = match from {
        Db::Sqlite(_) => {
            "select name, seq from sqlite_sequence where seq > 0
             union all select 'personal_values', max(id) from personal_values where id > 0"
        }
        Db::Postgres(_) => {
            "select replace(sequencename, '_id_seq', ''), last_value from pg_sequences
             where last_value is not null"
        }
    };
    let all: Vec<(String, Option<i64>)> =
        from.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let known = all
        .into_iter()
        .filter_map(|(table, last)| Some((table, last?)));
    Ok(known.collect())
}

fn set_counter(to: &Db, table: &str, last: i64) -> Result<()> {
    match to {
        // There it goes by the rows.
        Db::Sqlite(_) if ["personal_values", "audit", "restores"].contains(&table) => Ok(()),
        Db::Sqlite(_) => {
            to.run("delete from sqlite_sequence where name = ?1", &[&table])?;
            let sql = "insert into sqlite_sequence (name, seq) values (?1, ?2)";
            to.run(sql, &[&table, &last]).map(drop)
        }
        Db::Postgres(_) => {
            let sql = "select setval(pg_get_serial_sequence(?1, 'id'), ?2)";
            to.one(sql, &[&table, &last], |_| Ok(()))
        }
    }
}
