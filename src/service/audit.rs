//! Reading and verifying the audit log.

use std::collections::HashSet;

use super::Service;
use crate::error::{Error, Refusal};
use crate::model::audit::{AuditFilter, BEGINNING, Entry};
use crate::model::audit_row::AuditRow;
use crate::store::{audit, licenses, personal};

pub(super) const CHUNK: i64 = 5_000;

/// Entries that lose their details in one transaction.
const REMOVED_AT_ONCE: i64 = 500;

/// Entries read and held at once.
const ROWS: i64 = 500;

/// The part of the audit log that is still to be read.
#[derive(Debug, Clone)]
pub struct AuditWalk {
    filter: AuditFilter,
    after: i64,
    before: i64,
    left: i64,
}

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

    /// Matching entries with IDs above `after`, at most `left`, without those that come meanwhile.
    pub fn audit_walk(
        &self,
        filter: AuditFilter,
        after: i64,
        left: i64,
    ) -> Result<AuditWalk, Error> {
        let (last, _) = self.store.read(audit::head)?;
        Ok(AuditWalk {
            filter,
            after,
            before: last + 1,
            left,
        })
    }

    /// The next entries, oldest first, none at the end, and the rest of the walk.
    pub fn audit_walk_on(&self, mut walk: AuditWalk) -> Result<(Vec<AuditRow>, AuditWalk), Error> {
        let limit = walk.left.min(ROWS);
        let between = (walk.after, walk.before);
        let entries = self
            .store
            .read_tx(|db| audit::list_between(db, &walk.filter, between, limit))?;
        walk.left -= entries.len() as i64;
        walk.after = entries.last().map_or(walk.after, |entry| entry.id);
        Ok((entries.into_iter().map(AuditRow::from).collect(), walk))
    }

    /// How many licenses and signing keys there are.
    pub fn contents(&self) -> Result<(i64, usize), Error> {
        let licenses = self.store.read(licenses::count)?;
        Ok((licenses as i64, self.signing_keys()?.len()))
    }

    /// Logs the number of entries and the last hash, which proves later that none were removed, and removes the
    /// details of old sign-ins; once a day.
    pub fn keep_audit(&self) -> Result<(), Error> {
        let today = self.today();
        if self.audit_kept_on.lock().replace(today) == Some(today) {
            return Ok(());
        }
        let (entries, head) = self.store.read(audit::head)?;
        self.log
            .event("audit_head", &[("entries", &entries), ("hash", &head)]);
        self.remove_old_sign_ins()
    }

    fn remove_old_sign_ins(&self) -> Result<(), Error> {
        let Some(days) = self.sign_in_days else {
            return Ok(());
        };
        let before = self.now() - days;
        let mut values = HashSet::new();
        loop {
            let read = |db: &_| audit::sign_ins(db, before, REMOVED_AT_ONCE);
            let ids = self.store.read(read)?;
            if ids.is_empty() {
                break;
            }
            self.store.write(|db| {
                for id in &ids {
                    values.extend(audit::remove_details(db, *id)?);
                }
                Ok(())
            })?;
            self.store.pause();
        }
        let mut first = 0;
        while !values.is_empty()
            && let Some(next) = self
                .store
                .read(|db| audit::retain_unused(db, first, CHUNK, &mut values))?
        {
            first = next;
        }
        if values.is_empty() {
            return Ok(());
        }
        self.store.write(|db| {
            // What was added meanwhile.
            audit::retain_unused(db, first, i64::MAX, &mut values)?;
            personal::delete(db, &values).map_err(Error::from)
        })
    }

    /// Recomputes the whole chain; an error names the first row that does not match. With the hash of an
    /// earlier last entry, that one must be there.
    pub fn verify_audit(&self, earlier: Option<&str>) -> Result<Proof, Refusal> {
        verify(earlier, |first| {
            self.store.read(|db| audit::walk(db, first, CHUNK))
        })
    }
}

/// Recomputes the chain of the entries that `walk` reads from an ID on.
pub(super) fn verify(
    earlier: Option<&str>,
    walk: impl Fn(i64) -> Result<Vec<(i64, Option<Entry>)>, Error>,
) -> Result<Proof, Refusal> {
    let mut is_found = false;
    let mut proof = Proof {
        entries: 0,
        head: BEGINNING.to_owned(),
    };
    // Includes IDs below 1, which we never assign.
    let mut first = i64::MIN;
    loop {
        let chunk = walk(first)?;
        for (id, entry) in &chunk {
            let expected = proof.entries + 1;
            if *id > expected {
                return Err(Refusal(format!(
                    "The audit log is broken: row {expected} is missing."
                )));
            }
            let fits = entry
                .as_ref()
                .filter(|entry| *id == expected && entry.follows(&proof.head));
            let Some(entry) = fits else {
                return Err(Refusal(format!(
                    "The audit log is broken at row {id}: its content does not fit its hash."
                )));
            };
            is_found |= earlier == Some(&entry.hash);
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
        if let Some(earlier) = earlier
            && chunk.is_empty()
            && !is_found
        {
            return Err(Refusal(format!(
                "The audit log has no entry with the hash {earlier}: its last entries were removed, or it \
                     is an older or another one."
            )));
        }
        if chunk.is_empty() {
            return Ok(proof);
        }
    }
}
