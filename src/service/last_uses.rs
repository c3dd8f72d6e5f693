//! The last use of each session or token that is not in the database yet.

use std::collections::HashMap;

use parking_lot::Mutex;
use time::OffsetDateTime;

/// By session or token ID.
#[derive(Default)]
pub(super) struct LastUses(Mutex<HashMap<i64, OffsetDateTime>>);

impl LastUses {
    pub(super) fn insert(&self, id: i64, at: OffsetDateTime) {
        self.0.lock().insert(id, at);
    }

    /// The later of the stored time and the one in memory.
    pub(super) fn latest(&self, id: i64, stored: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
        stored.max(self.0.lock().get(&id).copied())
    }

    pub(super) fn all(&self) -> Vec<(i64, OffsetDateTime)> {
        let uses = self.0.lock();
        uses.iter().map(|(id, at)| (*id, *at)).collect()
    }

    /// Removes the times that are now in the database, unless there was a later use.
    pub(super) fn remove(&self, written: &[(i64, OffsetDateTime)]) {
        let mut uses = self.0.lock();
        for (id, at) in written {
            if uses.get(id) == Some(at) {
                uses.remove(id);
            }
        }
    }
}
