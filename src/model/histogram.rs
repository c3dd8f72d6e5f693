//! How long something took: counted by duration, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// In microseconds: from a check that is answered from memory to the longest wait for a write. What took longer
/// has a further bucket.
pub const BOUNDS: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000,
];

#[derive(Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// What a [`Histogram`] has counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// Each without the shorter ones.
    pub buckets: [u64; BOUNDS.len() + 1],
    pub sum: Duration,
}

impl Histogram {
    pub fn observe(&self, took: Duration) {
        let at = BOUNDS.partition_point(|bound| Duration::from_micros(*bound) < took);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    pub fn add_to(&self, sum: &mut Durations) {
        for (all, bucket) in sum.buckets.iter_mut().zip(&self.buckets) {
            *all += bucket.load(Ordering::Relaxed);
        }
        sum.sum += Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::default();
        for microseconds in [0, 50, 51, 5_000_000, 5_000_001] {
            histogram.observe(Duration::from_micros(microseconds));
        }
        let mut counted = Durations::default();
        histogram.add_to(&mut counted);
        let [first, second, .., last, more] = counted.buckets;
        assert_eq!((first, second, last, more), (2, 1, 1, 1));
        assert_eq!(counted.sum, Duration::from_micros(10_000_102));
    }
}
