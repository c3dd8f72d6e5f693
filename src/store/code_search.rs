//! Finding activation codes, newest first.

use super::activation_codes;
use super::db::{Db, Result, Value, refs};
use crate::model::activation_code::ListedCode;
use crate::model::code_search::{CodeFilter, CodePlace, CodeState, CodeTexts};
use crate::model::date;
use crate::model::search::Count;

/// Matches that are counted.
const MAX_COUNT: usize = 10_000;

/// Rows in which words are looked for: they take a second even without optimization.
const MAX_READ: usize = 100_000;

/// A page of the matching codes, and their total number. Words are looked for in the newest 100,000 codes.
pub fn page(
    db: &Db,
    filter: &CodeFilter,
    place: CodePlace,
    limit: usize,
) -> Result<(Vec<ListedCode>, Count)> {
    let found = ids(db, filter, CodePlace::First, MAX_COUNT + 1)?;
    let count = match found.len() > MAX_COUNT {
        true => Count::MoreThan(MAX_COUNT as i64),
        false => Count::Exactly(found.len() as i64),
    };
    let ids = match place {
        CodePlace::First => found.into_iter().take(limit).collect(),
        CodePlace::After(_) | CodePlace::Before(_) => ids(db, filter, place, limit)?,
    };
    let rows = ids.into_iter().map(|id| activation_codes::listed(db, id));
    Ok((
        rows.filter_map(Result::transpose).collect::<Result<_>>()?,
        count,
    ))
}

fn ids(db: &Db, filter: &CodeFilter, place: CodePlace, limit: usize) -> Result<Vec<i64>> {
    let (sql, values) = statement(filter, place);
    let (mut ids, mut read) = (vec![], 0);
    db.each(&sql, &refs(&values), |row| {
        let texts = CodeTexts {
            code: row.text(1)?,
            others: [row.text(2)?, row.text(3)?, row.text(4)?],
        };
        if filter.has_words(texts) {
            ids.push(row.get(0)?);
        }
        read += 1;
        Ok(ids.len() < limit && read < MAX_READ)
    })?;
    Ok(ids)
}

fn statement(filter: &CodeFilter, place: CodePlace) -> (String, Vec<Value<'static>>) {
    let CodeFilter {
        tool_name,
        status,
        words: _,
        state,
        ids,
    } = filter;
    let day = |day| Value::from(date::format(day));
    let mut conditions: Vec<(&str, Vec<Value<'static>>)> = vec![];
    if let Some(tool_name) = tool_name {
        conditions.push(("tool_name = ?", vec![tool_name.clone().into()]));
    }
    if let Some(status) = status {
        conditions.push(("status = ?", vec![status.as_str().to_owned().into()]));
    }
    match state {
        None => {}
        Some(CodeState::NeverUsed) => conditions.push(("first_used_at is null", vec![])),
        Some(CodeState::Full) => conditions.push((
            "seats <= (select count(*) from licenses where licenses.code_id = activation_codes.id)",
            vec![],
        )),
        // `never` comes after every date.
        Some(CodeState::Expires { from, until }) => conditions.push((
            "expiration_date >= ? and expiration_date <= ?",
            vec![day(*from), day(*until)],
        )),
        Some(CodeState::Expired(today)) => {
            conditions.push(("expiration_date < ?", vec![day(*today)]));
        }
    }
    if let Some((first, last)) = *ids {
        conditions.push(("id >= ? and id <= ?", vec![first.into(), last.into()]));
    }
    let order = match place {
        CodePlace::First => "desc",
        CodePlace::After(id) => {
            conditions.push(("id < ?", vec![id.into()]));
            "desc"
        }
        CodePlace::Before(id) => {
            conditions.push(("id > ?", vec![id.into()]));
            "asc"
        }
    };
    let (mut sql, mut values) = (String::new(), vec![]);
    for (condition, bound) in conditions {
        sql.push_str(if sql.is_empty() { " where " } else { " and " });
        let mut parts = condition.split('?');
        sql.push_str(parts.next().unwrap_or_default());
        for (part, value) in parts.zip(bound) {
            values.push(value);
            sql.push_str(&format!("?{}{part}", values.len()));
        }
    }
    let sql = format!(
        "select id, code, customer, order_ref, note from activation_codes{sql} order by id {order}"
    );
    (sql, values)
}
