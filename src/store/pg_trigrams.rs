//! The index over the text of licenses on PostgreSQL, by `pg_trgm`: it finds just what has the word.

use super::db::{Db, Query, Result, Value};

pub(super) fn insert(db: &Db, id: i64, texts: &str) -> Result<()> {
    let sql = "insert into license_search (id, texts) values (?1, ?2)
         on conflict (id) do update set texts = excluded.texts";
    db.run(sql, &[&id, &texts]).map(drop)
}

pub(super) fn remove(db: &Db, id: i64) -> Result<()> {
    db.run("delete from license_search where id = ?1", &[&id])
        .map(drop)
}

/// The IDs of all licenses that contain one of these texts.
pub(super) fn having_any<'a>(texts: impl Iterator<Item = &'a str>) -> Query {
    let values: Vec<Value<'static>> = texts.map(|text| pattern(text).into()).collect();
    let any: Vec<String> = (1..=values.len())
        .map(|at| format!("texts like ?{at}"))
        .collect();
    Query {
        sql: format!("select id from license_search where {}", any.join(" or ")),
        values,
    }
}

fn pattern(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    format!("%{escaped}%")
}
