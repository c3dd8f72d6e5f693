//! Token buckets: a burst, then one request per interval. They are in memory, or in the database that several servers
//! share.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::secrets;
use crate::store::{Bucket, Store};

/// Maximum number of buckets. Beyond this, full ones are removed, or all if few are full.
const MOST: usize = 300_000;

pub(super) struct Throttle {
    bucket: Bucket,
    /// When each bucket will be full again, in Unix milliseconds.
    buckets: Mutex<HashMap<u64, i64>>,
    hasher: RandomState,
    refused: AtomicU64,
    sharing: Option<Sharing>,
}

/// How all servers on a database count together.
struct Sharing {
    store: Arc<Store>,
    /// Keeps names and addresses out of the database.
    secret: String,
    /// Of the throttle.
    name: &'static str,
}

impl Throttle {
    /// `burst` at once, then one every `seconds`.
    pub(super) fn new(burst: i64, seconds: i64) -> Throttle {
        Throttle {
            bucket: Bucket {
                depth: burst * seconds * 1000,
                every: seconds * 1000,
            },
            buckets: Mutex::new(HashMap::new()),
            hasher: RandomState::new(),
            refused: AtomicU64::new(0),
            sharing: None,
        }
    }

    /// The same for all servers on a database, which know this secret.
    pub(super) fn shared(self, store: &Arc<Store>, secret: &str, name: &'static str) -> Throttle {
        let sharing = Some(Sharing {
            store: Arc::clone(store),
            secret: secret.to_owned(),
            name,
        });
        Throttle { sharing, ..self }
    }

    /// Takes one, or returns the seconds until one is available.
    pub(super) fn take(&self, key: impl Hash, now: OffsetDateTime) -> Result<(), u64> {
        let now = milliseconds(now);
        let attempt =
            |sharing: &Sharing| sharing.store.attempt(&sharing.key(&key), self.bucket, now);
        let shared = self.sharing.as_ref().and_then(attempt);
        let taken = shared.unwrap_or_else(|| self.take_here(&key, now));
        taken.map_err(|wait| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            wait.unsigned_abs().div_ceil(1000)
        })
    }

    /// The milliseconds until one is available.
    fn take_here(&self, key: impl Hash, now: i64) -> Result<(), i64> {
        let Bucket { depth, every } = self.bucket;
        let mut buckets = self.buckets.lock();
        if buckets.len() >= MOST {
            buckets.retain(|_, full| *full > now);
            // If only little room was freed, the next calls would have to search all buckets again.
            if buckets.len() > MOST / 2 {
                buckets.clear();
            }
        }
        let full = buckets.entry(self.hasher.hash_one(key)).or_insert(now);
        // A clock that was set back must not lock anyone out for longer than a full bucket.
        *full = (*full).clamp(now, now + depth);
        let wait = *full + every - now - depth;
        if wait > 0 {
            return Err(wait);
        }
        *full += every;
        Ok(())
    }

    /// Since the start.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Undoes one [`Throttle::take`].
    pub(super) fn give_back(&self, key: impl Hash) {
        if let Some(sharing) = &self.sharing {
            sharing
                .store
                .take_attempt_back(&sharing.key(&key), self.bucket);
        }
        if let Some(full) = self.buckets.lock().get_mut(&self.hasher.hash_one(key)) {
            *full -= self.bucket.every;
        }
    }
}

impl Sharing {
    /// The same on each server.
    fn key(&self, key: impl Hash) -> String {
        let mut hashed = Hashed(Sha256::new());
        (&*self.secret, self.name, key).hash(&mut hashed);
        secrets::hex(&hashed.0.finalize())
    }
}

struct Hashed(Sha256);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody needs so few bits.
    fn finish(&self) -> u64 {
        0
    }
}

/// The key of a bucket: an IPv4 address, or the IPv6 /64 of one subscriber.
pub(super) fn subscriber(address: IpAddr) -> (bool, u64) {
    match address {
        IpAddr::V4(v4) => (false, u64::from(v4.to_bits())),
        IpAddr::V6(v6) => (true, (v6.to_bits() >> 64) as u64),
    }
}

/// The key of a bucket for the IPv6 /48 of one site; none for IPv4.
pub(super) fn network(address: IpAddr) -> Option<(u8, u64)> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some((48, (v6.to_bits() >> 80) as u64)),
    }
}

fn milliseconds(moment: OffsetDateTime) -> i64 {
    moment.unix_timestamp() * 1000 + i64::from(moment.millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-06-15 12:00:00 UTC);

    #[test]
    fn so_many_at_once_then_one_in_a_while() {
        let throttle = Throttle::new(10, 6);
        let taken = |now| throttle.take("key", now).is_ok();
        assert_eq!((0..30).filter(|_| taken(NOW)).count(), 10);
        assert_eq!(throttle.take("key", NOW), Err(6));
        assert!(taken(NOW + Duration::seconds(6)) && !taken(NOW + Duration::seconds(6)));
        assert_eq!(
            (0..30)
                .filter(|_| taken(NOW + Duration::seconds(66)))
                .count(),
            10
        );
    }

    #[test]
    fn one_key_does_not_spend_what_another_has() {
        let throttle = Throttle::new(1, 60);
        assert!(throttle.take("a", NOW).is_ok() && throttle.take("b", NOW).is_ok());
        throttle.give_back("a");
        assert!(throttle.take("a", NOW).is_ok() && throttle.take("b", NOW).is_err());
    }

    #[test]
    fn a_clock_that_is_turned_back_locks_nobody_out() {
        let throttle = Throttle::new(2, 10);
        let later = NOW + Duration::days(30);
        assert!(throttle.take("a", later).is_ok() && throttle.take("a", later).is_ok());
        assert_eq!(throttle.take("a", NOW), Err(10));
        assert!(throttle.take("a", NOW + Duration::seconds(20)).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::new(2, 10);
        for address in 0..(MOST as u32 + 1000) {
            assert!(
                throttle
                    .take(subscriber(IpAddr::from(address.to_be_bytes())), NOW)
                    .is_ok()
            );
        }
        assert!(throttle.buckets.lock().len() <= MOST);
    }
}
