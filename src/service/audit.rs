//! Reading and verifying the audit log.

use super::Service;
use crate::error::{Error, Refusal};
use crate::model::audit::{AuditFilter, BEGINNING, Entry, link};
use crate::store::{audit, licenses};

const CHUNK: i64 = 5_000;

/// The result for an unbroken chain.
#[derive(Debug, PartialEq, Eq)]
pub struct Proof {
    pub entries: i64,
    /// The last hash. If it is kept elsewhere, it also proves that no entries were removed from the end.
    pub head: String,
}

impl Service {
    /// At most `limit` matching entries, newest first, with IDs below `before`.
    pub fn audit(
        &self,
        filter: &AuditFilter,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Entry>, Error> {
        self.store.read(|db| audit::list(db, filter, before, limit))
    }

    /// How many licenses and signing keys there are.
    pub fn contents(&self) -> Result<(i64, usize), Error> {
        let licenses = self.store.read(licenses::count)?;
        Ok((licenses as i64, self.signing_keys()?.len()))
    }

    /// Recomputes the whole chain; an error names the first row that does not match.
    pub fn verify_audit(&self) -> Result<Proof, Refusal> {
        let mut proof = Proof {
            entries: 0,
            head: BEGINNING.to_owned(),
        };
        // Includes IDs below 1, which we never assign.
        let mut first = i64::MIN;
        loop {
            let chunk = self.store.read(|db| audit::walk(db, first, CHUNK))?;
            for (id, entry) in &chunk {
                let expected = proof.entries + 1;
                if *id > expected {
                    return Err(Refusal(format!(
                        "The audit log is broken: row {expected} is missing."
                    )));
                }
                let fits = entry.as_ref().filter(|entry| {
                    *id == expected && entry.hash == link(&proof.head, *id, entry.at, &entry.event)
                });
                let Some(entry) = fits else {
                    return Err(Refusal(format!(
                        "The audit log is broken at row {id}: its content does not fit its hash."
                    )));
                };
                proof = Proof {
                    entries: *id,
                    head: entry.hash.clone(),
                };
            }
            first = proof.entries + 1;
            if chunk.is_empty() && proof.entries == 0 {
                return Err(Refusal(
                    "The audit log is empty, but every license server has an entry about its first signing \
                     key: this is not a server's database, or not all of it."
                        .into(),
                ));
            }
            if chunk.is_empty() {
                return Ok(proof);
            }
        }
    }
}
