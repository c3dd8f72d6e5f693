//! Counts answers, each thread for itself, so that the processors share no memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thread_local::ThreadLocal;

use super::Service;
use crate::model::histogram::{Durations, Histogram};

/// 1xx to 5xx.
pub const CLASSES: usize = 5;

#[derive(Default)]
pub(super) struct Traffic(ThreadLocal<OfThread>);

/// Two cache lines, which processors fetch in pairs, belong to one thread only.
#[derive(Default)]
#[repr(align(128))]
struct OfThread {
    answers: [AtomicU64; CLASSES],
    checks: Histogram,
}

impl Service {
    /// Called once for each answer; `check` is how long it took if it is the result of a check.
    pub fn count_answer(&self, status: u16, check: Option<Duration>) {
        let counts = self.traffic.0.get_or_default();
        let class = usize::from(status / 100).clamp(1, CLASSES) - 1;
        counts.answers[class].fetch_add(1, Ordering::Relaxed);
        if let Some(took) = check {
            counts.checks.observe(took);
        }
    }
}

impl Traffic {
    /// By class of the status.
    pub(super) fn answers(&self) -> [u64; CLASSES] {
        let mut sums = [0; CLASSES];
        for counts in &self.0 {
            for (sum, number) in sums.iter_mut().zip(&counts.answers) {
                *sum += number.load(Ordering::Relaxed);
            }
        }
        sums
    }

    pub(super) fn checks(&self) -> Durations {
        let mut sum = Durations::default();
        for counts in &self.0 {
            counts.checks.add_to(&mut sum);
        }
        sum
    }
}
