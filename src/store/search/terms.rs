//! Fragments of one or two characters: the trigrams that begin with them.

use rusqlite::{Connection, OptionalExtension, Result};

use crate::model::search::Fragment;

/// Of the trigrams that begin with one spelling of the fragment the first, and what comes behind the
/// last. All that hold the fragment are among what they lead to, and perhaps more.
pub(super) fn bounds(fragment: &Fragment) -> Result<Vec<(String, String)>> {
    let spellings = fragment.spellings().map(|spelling| {
        let first = match spelling.is_ascii() {
            true => spelling
                .chars()
                .take(3)
                .collect::<String>()
                .to_ascii_lowercase(),
            false => folded(spelling)?,
        };
        let behind = format!("{first}{}", char::MAX);
        Ok((first, behind))
    });
    spellings.collect()
}

/// The first three characters as the index has them: SQLite's own rules of case and accents are to be
/// had only from an index.
fn folded(text: &str) -> Result<String> {
    let db = Connection::open_in_memory()?;
    db.execute_batch(
        "create virtual table texts using fts5 (text, tokenize = 'trigram remove_diacritics 1');
         create virtual table terms using fts5vocab (texts, instance)",
    )?;
    db.execute("insert into texts (text) values (?1 || char(3, 3))", [text])?;
    let first = db.query_row("select term from terms where offset = 0", [], |row| {
        row.get(0)
    });
    let first: String = first.optional()?.unwrap_or_default();
    Ok(first.trim_end_matches('\u{3}').to_owned())
}
