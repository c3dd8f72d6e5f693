//! The last use of each session or token that is not in the database yet.

use std::collections::HashMap;

use parking_lot::Mutex;

/// By session or token ID.
pub(super) struct LastUses<T>(Mutex<HashMap<i64, T>>);

impl<T> Default for LastUses<T> {
    fn default() -> LastUses<T> {
        LastUses(Mutex::default())
    }
}

impl<T: Clone + Ord> LastUses<T> {
    pub(super) fn insert(&self, id: i64, last: T) {
        self.0.lock().insert(id, last);
    }

    /// The later of the stored use and the one in memory.
    pub(super) fn latest(&self, id: i64, stored: Option<T>) -> Option<T> {
        stored.max(self.0.lock().get(&id).cloned())
    }

    pub(super) fn all(&self) -> Vec<(i64, T)> {
        let uses = self.0.lock();
        uses.iter().map(|(id, last)| (*id, last.clone())).collect()
    }

    /// Removes the uses that are now in the database, unless there was a later one.
    pub(super) fn remove(&self, written: &[(i64, T)]) {
        let mut uses = self.0.lock();
        for (id, last) in written {
            if uses.get(id) == Some(last) {
                uses.remove(id);
            }
        }
    }
}
