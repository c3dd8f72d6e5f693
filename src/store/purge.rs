//! Removing what was erased from the files of the database, byte by byte.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::{Engine, POLL, Store, WRITE_WAIT, trigrams};
use crate::clock::Stopwatch;
use crate::error::Error;

/// Bytes of the file read at once.
const BLOCK: usize = 1 << 20;

/// Shorter texts would be found anywhere.
const SHORTEST: usize = 5;

impl Store {
    /// Removes from the search index what is left of former texts, and empties the write-ahead log. If the file still has one of these texts, perhaps where SQLite moved rows
    /// about, it is written anew.
    pub fn purge(&self, texts: &[&str]) -> Result<(), Error> {
        let mut is_first = true;
        while self.write(|db| Ok(trigrams::merge(db, is_first)?))? {
            is_first = false;
            self.pause();
        }
        let Engine::Sqlite(file) = &self.engine else {
            return Ok(());
        };
        let writer = self.writer.lock();
        let Some(db) = writer.db.sqlite() else {
            return Ok(());
        };
        file.check()?;
        let empty_log = || -> Result<(), Error> {
            let watch = Stopwatch::start();
            let pragma = "pragma wal_checkpoint(truncate)";
            // Somebody who is reading may need the log.
            while db.query_row(pragma, [], |row| row.get::<_, i64>(0))? != 0 {
                if watch.elapsed() > WRITE_WAIT {
                    return Err(Error::Unavailable("the log cannot be emptied".into()));
                }
                std::thread::sleep(POLL);
            }
            Ok(())
        };
        empty_log()?;
        let texts: Vec<&[u8]> = texts
            .iter()
            .map(|text| text.as_bytes())
            .filter(|text| text.len() >= SHORTEST)
            .collect();
        let unreadable = |e| Error::Unavailable(format!("the database cannot be read: {e}"));
        // Closing it would release SQLite's own locks: it stays open.
        let mut raw = file.raw.lock();
        let opened = match raw.take() {
            Some(opened) => opened,
            None => File::open(&file.path).map_err(unreadable)?,
        };
        let has_any = has_any(raw.insert(opened), &texts).map_err(unreadable)?;
        if has_any {
            db.execute_batch("vacuum")?;
            empty_log()?;
        }
        Ok(())
    }
}

fn has_any(file: &File, texts: &[&[u8]]) -> std::io::Result<bool> {
    let overlap = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    let mut block = vec![0; BLOCK + overlap];
    let mut at = 0;
    loop {
        // Less only at the end of the file.
        let read = file.read_at(&mut block, at)?;
        let is_in = |text: &&[u8]| block[..read].windows(text.len()).any(|part| part == *text);
        if texts.iter().any(is_in) {
            return Ok(true);
        }
        if read <= overlap {
            return Ok(false);
        }
        at += (read - overlap) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_across_blocks() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes = vec![b'.'; BLOCK - 3];
        bytes.extend(b"Annabel");
        std::fs::write(file.path(), bytes).unwrap();
        assert!(has_any(file.as_file(), &[b"Annabel"]).unwrap());
        assert!(!has_any(file.as_file(), &[b"Annabelle"]).unwrap());
    }
}
