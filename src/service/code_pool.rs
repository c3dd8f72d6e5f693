//! Importing the activation codes of an older system.

use super::Service;
use super::customers::ensure_known;
use crate::error::Error;
use crate::model::activation_code::CodeValues;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::code_format::shown;
use crate::model::import::{Pool, WrongCode, decode, read_pool};
use crate::store::activation_codes::{self, NewCode};
use crate::store::audit;

/// What an import made.
#[derive(Debug, PartialEq, Eq)]
pub struct Imported {
    pub number: usize,
    /// The IDs of the first and the last code.
    pub ids: (i64, i64),
}

impl Service {
    /// What an import of this file would make; codes that are there already are wrong.
    pub fn read_codes(&self, tool_name: &str, file: &[u8]) -> Result<(Pool, String), Error> {
        let text = decode(file)?.text;
        let mut pool = read_pool(&text, tool_name)?;
        let codes = std::mem::take(&mut pool.codes);
        self.store.read_tx(|db| {
            for code in codes {
                match activation_codes::find(db, &code.code)? {
                    None => pool.codes.push(code),
                    Some(known) => pool.wrong.push(WrongCode {
                        line: code.line,
                        typed: shown(&code.code),
                        reason: format!("This code exists already, for {}.", known.tool_name),
                    }),
                }
            }
            Ok(())
        })?;
        pool.wrong.sort_by_key(|wrong| wrong.line);
        Ok((pool, text))
    }

    /// Imports the codes of a file that can be imported, those that may be guessed only if wanted.
    pub fn import_codes(
        &self,
        actor: &Actor,
        tool_name: &str,
        file: &[u8],
        with_short: bool,
    ) -> Result<Imported, Error> {
        let (pool, _) = self.read_codes(tool_name, file)?;
        let codes = pool.codes.into_iter();
        let codes: Vec<_> = codes
            .filter(|code| with_short || !code.is_short())
            .collect();
        if codes.is_empty() {
            return Err(Error::Conflict(
                "None of these codes can be imported. Nothing was changed.".into(),
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
            let first = ids.first().copied().unwrap_or_default();
            let last = ids.last().copied().unwrap_or_default();
            Ok(Imported {
                number: ids.len(),
                ids: (first, last),
            })
        })
    }
}
