//! What a check needs of each license, remembered: only the first look at a license reads the disk.
//!
//! Readers take no lock. Whatever changes a license makes it forgotten between the commit and its
//! acknowledgement, so that nobody is answered by what was true before an acknowledged write.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use time::Date;

use super::licenses::Judged;
use crate::model::license::Status;

/// Licenses that are remembered at the most, in 16 bytes each; the others are read each time.
const MOST: usize = 2 << 20;
const LEAST: usize = 1 << 16;

/// Places in which a license may stand, from the one on that its name chooses.
const REACH: usize = 8;

/// Pairs of tool and key whose licenses a write has changed.
pub(super) type Pair = (String, String);

/// An open table of words. A slot holds `name ^ value` and `value`: two halves that two writers left
/// do not name a license. The name is a keyed hash of 64 bits, so nobody can choose a second pair
/// with the name of a first, and by chance none ever has it.
pub(super) struct Known {
    slots: Box<[[AtomicU64; 2]]>,
    hasher: RandomState,
    changes: AtomicU64,
    /// Who writes into slots holds this.
    writing: Mutex<()>,
}

/// A moment before a read: what was read is remembered only if nothing has changed since.
pub(super) struct Moment(u64);

impl Known {
    /// With room for a quarter more than there are.
    pub(super) fn of(licenses: usize) -> Known {
        let empty = || [AtomicU64::new(0), AtomicU64::new(0)];
        let size = (licenses + licenses / 4).clamp(LEAST, MOST);
        Known {
            slots: std::iter::repeat_with(empty).take(size + REACH).collect(),
            hasher: RandomState::new(),
            changes: AtomicU64::new(0),
            writing: Mutex::new(()),
        }
    }

    /// How many licenses are worth remembering.
    pub(super) fn room(&self) -> usize {
        self.slots.len() / 5 * 4
    }

    pub(super) fn get(&self, tool_name: &str, license_key: &str) -> Option<Judged> {
        let name = self.name(tool_name, license_key);
        let value = |[mixed, value]: &[AtomicU64; 2]| {
            let value = value.load(Ordering::Relaxed);
            (mixed.load(Ordering::Relaxed) ^ value == name).then_some(value)
        };
        self.places(name).iter().find_map(value).and_then(unpack)
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.changes.load(Ordering::Acquire))
    }

    /// Remembers what was read after `moment`, and says whether that was possible.
    pub(super) fn put<'a>(
        &self,
        moment: &Moment,
        read: impl Iterator<Item = (&'a str, &'a str, Judged)>,
    ) -> bool {
        let _writing = self.writing.lock();
        if self.changes.load(Ordering::Acquire) != moment.0 {
            return false;
        }
        for (tool_name, license_key, judged) in read {
            if let Some(value) = pack(judged) {
                let name = self.name(tool_name, license_key);
                let holds = |wanted: u64| {
                    move |[mixed, value]: &&[AtomicU64; 2]| {
                        let value = value.load(Ordering::Relaxed);
                        value == 0 || mixed.load(Ordering::Relaxed) ^ value == wanted
                    }
                };
                let places = self.places(name);
                let [mixed, place] = places.iter().find(holds(name)).unwrap_or(&places[0]);
                mixed.store(name ^ value, Ordering::Relaxed);
                place.store(value, Ordering::Relaxed);
            }
        }
        true
    }

    pub(super) fn forget(&self, pairs: &[Pair]) {
        let _writing = self.writing.lock();
        self.changes.fetch_add(1, Ordering::AcqRel);
        for (tool_name, license_key) in pairs {
            let name = self.name(tool_name, license_key);
            for [mixed, value] in self.places(name) {
                if mixed.load(Ordering::Relaxed) ^ value.load(Ordering::Relaxed) == name {
                    value.store(0, Ordering::Relaxed);
                    mixed.store(0, Ordering::Relaxed);
                }
            }
        }
    }

    pub(super) fn forget_all(&self) {
        let _writing = self.writing.lock();
        self.changes.fetch_add(1, Ordering::AcqRel);
        for [mixed, value] in &self.slots {
            value.store(0, Ordering::Relaxed);
            mixed.store(0, Ordering::Relaxed);
        }
    }

    fn name(&self, tool_name: &str, license_key: &str) -> u64 {
        self.hasher.hash_one((tool_name, license_key))
    }

    fn places(&self, name: u64) -> &[[AtomicU64; 2]] {
        let homes = (self.slots.len() - REACH) as u128;
        let home = ((u128::from(name) * homes) >> 64) as usize;
        &self.slots[home..home + REACH]
    }
}

/// Id, status and day in one word that is never 0; none for an id that nobody will ever reach.
fn pack(
    Judged {
        id,
        status,
        last_day,
    }: Judged,
) -> Option<u64> {
    let id = u64::try_from(id).ok().filter(|id| *id < 1 << 40)?;
    let status = match status {
        Status::Activated => 1,
        Status::Suspended => 2,
        Status::Revoked => 3,
    };
    let day = last_day.map_or(0, |day| i64::from(day.to_julian_day()) - BEFORE_DAYS);
    let day = u64::try_from(day).ok().filter(|day| *day < 1 << 22)?;
    Some(id << 24 | status << 22 | day)
}

fn unpack(value: u64) -> Option<Judged> {
    let status = match value >> 22 & 3 {
        1 => Status::Activated,
        2 => Status::Suspended,
        3 => Status::Revoked,
        _ => return None,
    };
    let last_day = match value & ((1 << 22) - 1) {
        0 => None,
        day => Some(Date::from_julian_day((day as i64 + BEFORE_DAYS) as i32).ok()?),
    };
    Some(Judged {
        id: (value >> 24) as i64,
        status,
        last_day,
    })
}

/// The Julian day before the first that a license can have.
const BEFORE_DAYS: i64 = time::macros::date!(0001 - 01 - 01).to_julian_day() as i64 - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::new_license::read_date;

    fn judged(id: i64) -> Judged {
        let status = Status::ALL[id as usize % 3];
        let days = [None, read_date("0001-01-01"), read_date("9999-12-31")];
        Judged {
            id,
            status,
            last_day: days[id as usize / 3 % 3],
        }
    }

    fn put(known: &Known, key: &str, id: i64) -> bool {
        known.put(&known.moment(), [("T", key, judged(id))].into_iter())
    }

    #[test]
    fn what_was_put_is_known_until_it_is_forgotten() {
        let known = Known::of(0);
        for id in 1..=9 {
            assert!(put(&known, &format!("k{id}"), id));
        }
        for id in 1..=9 {
            assert_eq!(known.get("T", &format!("k{id}")), Some(judged(id)));
        }
        known.forget(&[("T".into(), "k4".into())]);
        assert_eq!(
            (known.get("T", "k4"), known.get("T", "k5")),
            (None, Some(judged(5)))
        );
        assert_eq!(known.get("Tk", "5"), None);
        known.forget_all();
        assert_eq!(known.get("T", "k5"), None);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let known = Known::of(0);
        let before = known.moment();
        known.forget(&[("T".into(), "k".into())]);
        assert!(!known.put(&before, [("T", "k", judged(1))].into_iter()));
        assert_eq!(known.get("T", "k"), None);
    }

    #[test]
    fn a_second_look_replaces_the_first() {
        let known = Known::of(0);
        assert!(put(&known, "k", 1) && put(&known, "k", 2));
        assert_eq!(known.get("T", "k"), Some(judged(2)));
    }

    #[test]
    fn nearly_all_licenses_have_a_place_and_none_has_the_place_of_another() {
        let known = Known::of(200_000);
        let key = |id: i64| format!("key-{id}");
        assert!((1..=200_000).all(|id| put(&known, &key(id), id)));
        let found = (1..=200_000).filter(|id| known.get("T", &key(*id)) == Some(judged(*id)));
        assert!(found.count() > 185_000);
        assert!((200_001..400_000).all(|id| known.get("T", &key(id)).is_none()));
    }

    #[test]
    fn an_id_beyond_all_reach_is_read_each_time() {
        assert_eq!(
            pack(Judged {
                id: 1 << 40,
                status: Status::Activated,
                last_day: None
            }),
            None
        );
    }
}
