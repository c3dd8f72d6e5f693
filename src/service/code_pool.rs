//! Importing the activation codes of an older system.

use super::Service;
use super::customers::ensure_known;
use crate::error::Error;
use crate::model::activation_code::CodeValues;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::code_format::shown;
use crate::model::import::{
    ImportOptions, Pool, Subject, Upload, WrongCode, check_pool, decode, read_pool,
};
use crate::store::activation_codes::{self, NewCode};
use crate::store::{audit, imports};

const STALE: &str = "Codes in this file were added since the preview, or it is read differently now. This is the new \
                     preview; check it and confirm.";

/// What an import made.
#[derive(Debug, PartialEq, Eq)]
pub struct Imported {
    pub number: usize,
    /// Rows that were not imported; their file is kept.
    pub skipped: usize,
    /// The IDs of the first and the last code.
    pub ids: (i64, i64),
}

impl Service {
    /// Stores a file for its preview and returns its ID; an error if it cannot be read.
    pub fn upload_codes(
        &self,
        actor: &Actor,
        name: &str,
        bytes: &[u8],
        tool_name: String,
    ) -> Result<i64, Error> {
        let decoded = decode(name, bytes)?;
        let options = ImportOptions {
            subject: Subject::Codes,
            tool: Some(tool_name),
            ..ImportOptions::default()
        };
        check_pool(&decoded.text, &options).map_err(|error| decoded.explain(error))?;
        self.keep_upload(actor, name, &decoded, &options)
    }

    /// What an import of this file would do. A code that exists already is unchanged, or wrong if it is for another tool.
    pub(super) fn pool(&self, upload: &Upload) -> Result<Pool, Error> {
        let text = self.content(upload.id)?;
        let mut pool = read_pool(&text, &upload.options, &self.tool_names()?, self.today())?;
        pool.notes.splice(0..0, upload.notes.iter().cloned());
        let codes = std::mem::take(&mut pool.codes);
        self.store.read_tx(|db| {
            for code in codes {
                match activation_codes::find(db, &code.code)? {
                    None => pool.codes.push(code),
                    Some(known) if known.tool_name == pool.tool_name => pool.unchanged += 1,
                    Some(known) => pool.wrong.push(WrongCode {
                        line: code.line,
                        typed: shown(&code.code),
                        reason: format!("This code exists already, for {}.", known.tool_name),
                        cells: code.cells,
                    }),
                }
            }
            Ok(())
        })?;
        pool.wrong.sort_by_key(|wrong| wrong.line);
        Ok(pool)
    }

    /// Imports the previewed codes of a file, those that may be guessed only if wanted.
    pub fn import_codes(
        &self,
        actor: &Actor,
        id: i64,
        fingerprint: &str,
        with_short: bool,
    ) -> Result<Imported, Error> {
        let pool = self.pool(&self.upload(id)?)?;
        if pool.fingerprint() != fingerprint {
            return Err(Error::Conflict(STALE.into()));
        }
        if let Some(similar) = &pool.similar {
            return Err(Error::Conflict(format!(
                "There is already a tool {similar}. Choose which one is meant."
            )));
        }
        let tool_name = &*pool.tool_name.clone();
        let all = pool.codes.iter().cloned();
        let codes: Vec<_> = all.filter(|code| with_short || !code.is_short()).collect();
        let skipped = pool.skipped(with_short).len();
        if codes.is_empty() {
            return Err(Error::Conflict(
                "All of these codes are short. Decide below whether to import them.".into(),
            ));
        }
        let now = self.clock.now();
        self.store.write(|db| {
            let mut ids = vec![];
            for code in &codes {
                let values = CodeValues {
                    customer: ensure_known(db, &code.customer, now)?,
                    ..code.values.clone()
                };
                let new = NewCode {
                    tool_name,
                    code: &code.code,
                    is_imported: true,
                    is_test: false,
                    values: &values,
                };
                // One that was added meanwhile is left alone.
                ids.extend(activation_codes::add(db, &new, now)?);
            }
            let event = Event::new(Kind::CodesImported, actor)
                .with("tool_name", tool_name)
                .with("codes", ids.len() as i64);
            audit::append(db, event, now)?;
            if skipped == 0 {
                imports::delete(db, id)?;
            }
            let first = ids.first().copied().unwrap_or_default();
            let last = ids.last().copied().unwrap_or_default();
            Ok(Imported {
                number: ids.len(),
                skipped,
                ids: (first, last),
            })
        })
    }
}
