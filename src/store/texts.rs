//! The index over the text of licenses, which finds candidates: every row is compared with the filter afterwards.

use super::db::{Db, Query, Result};
use super::{pg_trigrams, trigrams};
use crate::model::search::Word;

/// Adds the text of a license.
pub(super) fn insert(db: &Db, id: i64, texts: &str) -> Result<()> {
    match db {
        Db::Sqlite(_) => trigrams::insert(db, id, texts),
        Db::Postgres(_) => pg_trigrams::insert(db, id, texts),
    }
}

/// Removes the text of a license, which must be the indexed one.
pub(super) fn remove(db: &Db, id: i64, texts: &str) -> Result<()> {
    match db {
        Db::Sqlite(_) => trigrams::remove(db, id, texts),
        Db::Postgres(_) => pg_trigrams::remove(db, id),
    }
}

/// The IDs of all licenses that may contain the word, perhaps with duplicates.
pub(super) fn having_word(db: &Db, word: &Word) -> Query {
    match db {
        Db::Sqlite(_) => trigrams::having_word(word),
        Db::Postgres(_) => pg_trigrams::having_any(word.spellings.iter().map(String::as_str)),
    }
}

/// The IDs of all licenses that may contain one of these parts, which are folded and have at least three
/// characters.
pub(super) fn having_any<'a>(db: &Db, parts: impl Iterator<Item = &'a str>) -> Query {
    match db {
        Db::Sqlite(_) => trigrams::having_any(parts),
        Db::Postgres(_) => pg_trigrams::having_any(parts),
    }
}
