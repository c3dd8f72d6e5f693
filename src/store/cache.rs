//! What a check needs of each license, in memory: only the first check of a license reads the disk.
//!
//! Readers of entries take no lock. Every change of a license invalidates it between the commit and its
//! acknowledgement, so that no check is answered from before an acknowledged write.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use time::Date;

use super::licenses::CheckedLicense;
use crate::model::license::Status;
use crate::model::signed::SignedValues;

/// Capacity, in entries of 16 bytes; a million licenses take 19 MB, in a sharded `HashMap` 53 MB.
const MAX_ENTRIES: usize = 2 << 20;
const MIN_ENTRIES: usize = 1 << 16;

/// Values of signed answers, at most 60 MB.
const MAX_VALUES: usize = 200_000;

/// Slots in which an entry may be, starting at the one that its hash selects.
const PROBES: usize = 8;

/// Tool and key of a license that a write has changed.
pub(super) type Pair = (String, String);

/// An open-addressing table of words. A slot contains `hash ^ value` and `value`: a slot torn
/// between two writers does not match any license. The hash is keyed and has 64 bits, so nobody can
/// construct a second pair with the hash of another, and an accidental collision is negligible.
pub(super) struct LicenseCache {
    slots: Box<[[AtomicU64; 2]]>,
    hasher: RandomState,
    generation: AtomicU64,
    /// Held while slots are written.
    writing: Mutex<()>,
    /// By hash, of licenses that have more than an entry says; empty for SQLite, which has them at hand.
    values: Mutex<HashMap<u64, Arc<SignedValues>>>,
}

/// Counts invalidations: what was read is inserted only if none has happened since.
pub(super) struct Generation(u64);

impl LicenseCache {
    /// With room for 25% more licenses.
    pub(super) fn new(licenses: usize) -> LicenseCache {
        let size = (licenses + licenses / 4).clamp(MIN_ENTRIES, MAX_ENTRIES);
        LicenseCache::of_size(size + PROBES, RandomState::new())
    }

    /// An empty one that can take over what this one has.
    pub(super) fn another(&self) -> LicenseCache {
        LicenseCache::of_size(self.slots.len(), self.hasher.clone())
    }

    fn of_size(size: usize, hasher: RandomState) -> LicenseCache {
        let empty = || [AtomicU64::new(0), AtomicU64::new(0)];
        LicenseCache {
            slots: std::iter::repeat_with(empty).take(size).collect(),
            hasher,
            generation: AtomicU64::new(0),
            writing: Mutex::default(),
            values: Mutex::default(),
        }
    }

    /// How many licenses are worth inserting.
    pub(super) fn capacity(&self) -> usize {
        self.slots.len() / 5 * 4
    }

    pub(super) fn get(&self, tool_name: &str, license_key: &str) -> Option<CheckedLicense> {
        let hash = self.hash(tool_name, license_key);
        let value = |[mixed, value]: &[AtomicU64; 2]| {
            let value = value.load(Ordering::Relaxed);
            (mixed.load(Ordering::Relaxed) ^ value == hash).then_some(value)
        };
        self.probe(hash).iter().find_map(value).and_then(unpack)
    }

    pub(super) fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::Acquire))
    }

    /// Inserts what was read since `generation`; false if anything was invalidated in between.
    pub(super) fn insert<'a>(
        &self,
        generation: &Generation,
        read: impl Iterator<Item = (&'a str, &'a str, CheckedLicense)>,
    ) -> bool {
        let _writing = self.writing.lock();
        if self.generation.load(Ordering::Acquire) != generation.0 {
            return false;
        }
        for (tool_name, license_key, license) in read {
            if let Some(value) = pack(license) {
                self.put(self.hash(tool_name, license_key), value);
            }
        }
        true
    }

    fn put(&self, hash: u64, value: u64) {
        let is_usable = |[mixed, value]: &&[AtomicU64; 2]| {
            let value = value.load(Ordering::Relaxed);
            value == 0 || mixed.load(Ordering::Relaxed) ^ value == hash
        };
        let slots = self.probe(hash);
        let [mixed, slot] = slots.iter().find(is_usable).unwrap_or(&slots[0]);
        mixed.store(hash ^ value, Ordering::Relaxed);
        slot.store(value, Ordering::Relaxed);
    }

    pub(super) fn values(&self, tool_name: &str, license_key: &str) -> Option<Arc<SignedValues>> {
        let hash = self.hash(tool_name, license_key);
        self.values.lock().get(&hash).cloned()
    }

    /// Like [`LicenseCache::insert`], of one license.
    pub(super) fn insert_values(
        &self,
        generation: &Generation,
        (tool_name, license_key): (&str, &str),
        values: SignedValues,
    ) {
        let _writing = self.writing.lock();
        let mut all = self.values.lock();
        if self.generation.load(Ordering::Acquire) == generation.0 && all.len() < MAX_VALUES {
            all.insert(self.hash(tool_name, license_key), Arc::new(values));
        }
    }

    /// Takes over what `other` has, which is newer, and leaves it empty.
    pub(super) fn take_over(&self, other: &LicenseCache) {
        let (_writing, _others) = (self.writing.lock(), other.writing.lock());
        for [mixed, value] in &other.slots {
            let (mixed, value) = (mixed.load(Ordering::Relaxed), value.load(Ordering::Relaxed));
            if value != 0 {
                self.put(mixed ^ value, value);
            }
        }
        self.values.lock().extend(other.values.lock().drain());
        other.empty();
    }

    pub(super) fn invalidate(&self, pairs: &[Pair]) {
        let _writing = self.writing.lock();
        self.generation.fetch_add(1, Ordering::AcqRel);
        let mut values = self.values.lock();
        for (tool_name, license_key) in pairs {
            let hash = self.hash(tool_name, license_key);
            values.remove(&hash);
            for [mixed, value] in self.probe(hash) {
                if mixed.load(Ordering::Relaxed) ^ value.load(Ordering::Relaxed) == hash {
                    value.store(0, Ordering::Relaxed);
                    mixed.store(0, Ordering::Relaxed);
                }
            }
        }
    }

    pub(super) fn clear(&self) {
        let _writing = self.writing.lock();
        self.values.lock().clear();
        self.empty();
    }

    fn empty(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        for [mixed, value] in &self.slots {
            value.store(0, Ordering::Relaxed);
            mixed.store(0, Ordering::Relaxed);
        }
    }

    fn hash(&self, tool_name: &str, license_key: &str) -> u64 {
        self.hasher.hash_one((tool_name, license_key))
    }

    fn probe(&self, hash: u64) -> &[[AtomicU64; 2]] {
        let homes = (self.slots.len() - PROBES) as u128;
        let home = ((u128::from(hash) * homes) >> 64) as usize;
        &self.slots[home..home + PROBES]
    }
}

/// From the highest bit down, a value is an ID, two flags, a status counted from 1 so that no value is 0, and
/// a day.
const FLAG_BITS: u32 = 2;
const STATUS_BITS: u32 = 2;
const DAY_BITS: u32 = 22;
const ID_BITS: u32 = u64::BITS - FLAG_BITS - STATUS_BITS - DAY_BITS;

const _: () = assert!(Status::ALL.len() < 1 << STATUS_BITS);

/// None for an ID that does not fit and is never reached: such a license is read each time.
fn pack(license: CheckedLicense) -> Option<u64> {
    let CheckedLicense {
        id,
        status,
        expiration_date,
        is_trial,
        has_more,
    } = license;
    let id = u64::try_from(id).ok().filter(|id| *id < 1 << ID_BITS)?;
    let status = Status::ALL.iter().position(|other| *other == status)? as u64 + 1;
    let day = expiration_date.map_or(0, |day| i64::from(day.to_julian_day()) - DAY_ZERO);
    let day = u64::try_from(day).ok().filter(|day| *day < 1 << DAY_BITS)?;
    let flags = u64::from(is_trial) << 1 | u64::from(has_more);
    Some((id << FLAG_BITS | flags) << (STATUS_BITS + DAY_BITS) | status << DAY_BITS | day)
}

fn unpack(value: u64) -> Option<CheckedLicense> {
    let status = value >> DAY_BITS & ((1 << STATUS_BITS) - 1);
    let status = Status::ALL.get((status as usize).checked_sub(1)?)?;
    let expiration_date = match value & ((1 << DAY_BITS) - 1) {
        0 => None,
        day => Some(Date::from_julian_day((day as i64 + DAY_ZERO) as i32).ok()?),
    };
    let (id, flags) = {
        let rest = value >> (STATUS_BITS + DAY_BITS);
        (rest >> FLAG_BITS, rest & ((1 << FLAG_BITS) - 1))
    };
    Some(CheckedLicense {
        id: id as i64,
        status: *status,
        expiration_date,
        is_trial: flags & 2 != 0,
        has_more: flags & 1 != 0,
    })
}

/// The Julian day before the first one that a license can have.
const DAY_ZERO: i64 = time::macros::date!(0001 - 01 - 01).to_julian_day() as i64 - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::date;

    fn license(id: i64) -> CheckedLicense {
        let status = Status::ALL[id as usize % Status::ALL.len()];
        let days = [None, date::read("0001-01-01"), date::read("9999-12-31")];
        CheckedLicense {
            id,
            status,
            expiration_date: days[id as usize / 3 % 3],
            is_trial: id % 5 == 0,
            has_more: id % 2 == 0,
        }
    }

    fn insert(cache: &LicenseCache, key: &str, id: i64) -> bool {
        cache.insert(&cache.generation(), [("T", key, license(id))].into_iter())
    }

    #[test]
    fn an_entry_is_found_until_it_is_invalidated() {
        let cache = LicenseCache::new(0);
        for id in 1..=9 {
            assert!(insert(&cache, &format!("k{id}"), id));
        }
        for id in 1..=9 {
            assert_eq!(cache.get("T", &format!("k{id}")), Some(license(id)));
        }
        cache.invalidate(&[("T".into(), "k4".into())]);
        assert_eq!(
            (cache.get("T", "k4"), cache.get("T", "k5")),
            (None, Some(license(5)))
        );
        assert_eq!(cache.get("Tk", "5"), None);
        cache.clear();
        assert_eq!(cache.get("T", "k5"), None);
    }

    #[test]
    fn what_was_read_before_an_invalidation_is_not_inserted() {
        let cache = LicenseCache::new(0);
        let before = cache.generation();
        cache.invalidate(&[("T".into(), "k".into())]);
        assert!(!cache.insert(&before, [("T", "k", license(1))].into_iter()));
        assert_eq!(cache.get("T", "k"), None);
    }

    #[test]
    fn a_second_insert_replaces_the_first() {
        let cache = LicenseCache::new(0);
        assert!(insert(&cache, "k", 1) && insert(&cache, "k", 2));
        assert_eq!(cache.get("T", "k"), Some(license(2)));
    }

    #[test]
    fn what_another_one_takes_over_is_the_newer() {
        let cache = LicenseCache::new(0);
        let former = cache.another();
        assert!(insert(&former, "k1", 1) && insert(&former, "k2", 2));
        assert!(insert(&cache, "k1", 4) && insert(&cache, "k3", 3));
        former.take_over(&cache);
        let found = ["k1", "k2", "k3"].map(|key| former.get("T", key).map(|license| license.id));
        assert_eq!(found, [Some(4), Some(2), Some(3)]);
        assert_eq!(cache.get("T", "k1"), None);
    }

    #[test]
    fn nearly_all_licenses_fit_and_none_is_mistaken_for_another() {
        let cache = LicenseCache::new(200_000);
        let key = |id: i64| format!("key-{id}");
        assert!((1..=200_000).all(|id| insert(&cache, &key(id), id)));
        let found = (1..=200_000).filter(|id| cache.get("T", &key(*id)) == Some(license(*id)));
        assert!(found.count() > 185_000);
        assert!((200_001..400_000).all(|id| cache.get("T", &key(id)).is_none()));
    }

    #[test]
    fn an_id_that_does_not_fit_is_not_inserted() {
        assert_eq!(
            pack(CheckedLicense {
                id: 1 << 40,
                status: Status::Activated,
                expiration_date: None,
                is_trial: false,
                has_more: false,
            }),
            None
        );
    }
}
