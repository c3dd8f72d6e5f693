//! SQLite's trigram index over the text of licenses. It yields a superset of the result: every row
//! is compared with the filter afterwards.

use super::db::{Db, Query, Result, Value};
use crate::model::search::Word;

/// Adds the text of a license.
pub(super) fn insert(db: &Db, id: i64, texts: &str) -> Result<()> {
    db.run(
        "insert into license_search (rowid, texts) values (?1, ?2)",
        &[&id, &texts],
    )?;
    Ok(())
}

/// Removes the text of a license, which must be the indexed one.
pub(super) fn remove(db: &Db, id: i64, texts: &str) -> Result<()> {
    db.run(
        "insert into license_search (license_search, rowid, texts) values ('delete', ?1, ?2)",
        &[&id, &texts],
    )?;
    Ok(())
}

/// Pages written by one step of [`merge`].
const MERGED_PAGES: i64 = 500;

/// A step towards an index in one segment, where nothing is left of texts that were removed before the first one;
/// false when it is done. The option `secure-delete` would damage an index without details.
pub(super) fn merge(db: &Db, is_first: bool) -> Result<bool> {
    let Some(connection) = db.sqlite() else {
        return Ok(false);
    };
    let before = connection.total_changes();
    // A negative number also takes in what no merge has taken yet.
    let pages = if is_first {
        -MERGED_PAGES
    } else {
        MERGED_PAGES
    };
    db.run(
        "insert into license_search (license_search, rank) values ('merge', ?1)",
        &[&pages],
    )?;
    // One change is the statement itself.
    Ok(connection.total_changes() - before > 1)
}

/// The IDs of all licenses that may contain the word, with duplicates.
pub(super) fn having_word(word: &Word) -> Query {
    let is_long = |spelling: &String| spelling.chars().count() >= 3;
    if word.spellings.iter().all(is_long) {
        let any: Vec<String> = word
            .spellings
            .iter()
            .map(|spelling| all_of(spelling))
            .collect();
        return having(&any.join(" OR "));
    }
    // A text of one or two characters is a prefix of trigrams; one of three is a trigram.
    let mut query = Query::default();
    let mut selects = Vec::new();
    for spelling in &word.spellings {
        let first = query.values.len() + 1;
        query.values.push(spelling.clone().into());
        query.values.push(format!("{spelling}{}", char::MAX).into());
        selects.push(format!(
            "select doc as id from license_terms where term >= ?{first} and term < ?{}",
            first + 1
        ));
    }
    query.sql = selects.join(" union all ");
    query
}

/// The IDs of all licenses that may contain one of these parts, which are folded and have at least
/// three characters.
pub(super) fn having_any<'a>(parts: impl Iterator<Item = &'a str>) -> Query {
    let any: Vec<String> = parts.map(all_of).collect();
    having(&any.join(" OR "))
}

fn having(expression: &str) -> Query {
    Query {
        sql: "select rowid as id from license_search where license_search match ?1".to_owned(),
        values: vec![Value::from(expression.to_owned())],
    }
}

/// Trigrams that together cover the text; more would take longer and exclude little.
fn all_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let last = chars.len().saturating_sub(3);
    let starts = (0..last).step_by(3).chain([last]);
    let trigrams = starts.map(|start| {
        let trigram: String = chars.iter().skip(start).take(3).collect();
        format!("\"{}\"", trigram.replace('"', "\"\""))
    });
    format!("({})", trigrams.collect::<Vec<_>>().join(" AND "))
}
