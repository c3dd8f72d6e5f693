//! Reading and proving the audit log.

use super::Service;
use crate::error::{Error, Refusal};
use crate::model::audit::{AuditFilter, BEGINNING, Entry, link};
use crate::store::audit;

const CHUNK: i64 = 5_000;

/// An unbroken chain.
#[derive(Debug, PartialEq, Eq)]
pub struct Proof {
    /// How many entries it has.
    pub entries: i64,
    /// The last hash: kept elsewhere, it also proves that nothing was cut off at the end.
    pub head: String,
}

impl Service {
    /// At most `limit` entries that the filter finds, newest first, ids below `before`.
    pub fn audit(
        &self,
        filter: &AuditFilter,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Entry>, Error> {
        self.store.read(|db| audit::list(db, filter, before, limit))
    }

    /// Computes the whole chain anew, or names the first row that does not fit.
    pub fn verify_audit(&self) -> Result<Proof, Refusal> {
        let mut proof = Proof {
            entries: 0,
            head: BEGINNING.to_owned(),
        };
        loop {
            let chunk = self
                .store
                .read(|db| audit::walk(db, proof.entries, CHUNK))?;
            for entry in &chunk {
                let expected = proof.entries + 1;
                if entry.id != expected {
                    return Err(Refusal(format!(
                        "The audit log is broken: row {expected} is missing."
                    )));
                }
                if entry.hash != link(&proof.head, entry.id, entry.at, &entry.event) {
                    return Err(Refusal(format!(
                        "The audit log is broken at row {}: its content does not fit its hash.",
                        entry.id
                    )));
                }
                proof = Proof {
                    entries: entry.id,
                    head: entry.hash.clone(),
                };
            }
            if chunk.is_empty() {
                return Ok(proof);
            }
        }
    }
}
