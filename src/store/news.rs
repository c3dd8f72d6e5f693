//! What other processes have written since the last look.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// Ranges of audit entries that are kept.
const MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct News {
    is_written: AtomicBool,
    is_forgotten: AtomicBool,
    /// First and last entries of the audit log.
    entries: Mutex<Vec<(i64, i64)>>,
}

/// What others have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    Nothing,
    Wrote,
    /// Licenses are to be read into memory again.
    ChangedAll,
}

impl News {
    pub(super) fn set_written(&self) {
        self.is_written.store(true, Ordering::Relaxed);
    }

    /// Licenses are not in memory any longer.
    pub(super) fn set_forgotten(&self) {
        self.is_forgotten.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.is_forgotten.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, entries: Option<(i64, i64)>) {
        let mut all = self.entries.lock();
        if all.len() < MOST {
            all.extend(entries);
        }
    }

    pub(super) fn entries(&self) -> Vec<(i64, i64)> {
        std::mem::take(&mut *self.entries.lock())
    }

    /// Since the last call.
    pub(super) fn take(&self) -> Others {
        let is_forgotten = self.is_forgotten.swap(false, Ordering::Relaxed);
        match self.is_written.swap(false, Ordering::Relaxed) {
            _ if is_forgotten => Others::ChangedAll,
            true => Others::Wrote,
            false => Others::Nothing,
        }
    }
}
