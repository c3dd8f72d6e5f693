//! What this server remembers of licenses: as they are now, and, of a database that is elsewhere, as they were when the
//! contact to it was lost.

use std::sync::Arc;

use parking_lot::RwLock;
use time::OffsetDateTime;

use super::cache::{Generation, LicenseCache, Pair};
use super::licenses::CheckedLicense;
use crate::model::signed::SignedValues;

pub(super) struct Memory {
    current: LicenseCache,
    former: Option<Former>,
}

/// Licenses that nobody has asked for since the contact was lost.
struct Former {
    cache: LicenseCache,
    /// None while it is empty.
    as_of: RwLock<Option<OffsetDateTime>>,
}

impl Memory {
    pub(super) fn of_file(licenses: usize) -> Memory {
        Memory {
            current: LicenseCache::new(licenses),
            former: None,
        }
    }

    /// Of a database whose contact can be lost.
    pub(super) fn of_network(licenses: usize) -> Memory {
        let current = LicenseCache::new(licenses);
        let former = Former {
            cache: current.another(),
            as_of: RwLock::default(),
        };
        Memory {
            current,
            former: Some(former),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.current.capacity()
    }

    pub(super) fn get(&self, tool_name: &str, license_key: &str) -> Option<CheckedLicense> {
        self.current.get(tool_name, license_key)
    }

    /// What a license was before the contact was lost, and when that was.
    pub(super) fn former(
        &self,
        tool_name: &str,
        license_key: &str,
    ) -> Option<(CheckedLicense, OffsetDateTime)> {
        let former = self.former.as_ref()?;
        let as_of = (*former.as_of.read())?;
        Some((former.cache.get(tool_name, license_key)?, as_of))
    }

    /// Of a license that [`Memory::get`] or [`Memory::former`] has.
    pub(super) fn values(&self, tool_name: &str, license_key: &str) -> Option<Arc<SignedValues>> {
        let former = || {
            let former = self.former.as_ref()?;
            former.cache.values(tool_name, license_key)
        };
        self.current.values(tool_name, license_key).or_else(former)
    }

    pub(super) fn generation(&self) -> Generation {
        self.current.generation()
    }

    /// Like [`LicenseCache::insert`], with the values of those that have more.
    pub(super) fn insert<'a>(
        &self,
        generation: &Generation,
        read: impl Iterator<Item = (&'a str, &'a str, CheckedLicense)> + Clone,
        values: impl Iterator<Item = (&'a str, &'a str, SignedValues)>,
    ) -> bool {
        self.supersede(read.clone().map(|(tool, key, _)| (tool, key)));
        let is_current = self.current.insert(generation, read);
        if is_current {
            for (tool_name, license_key, values) in values {
                let pair = (tool_name, license_key);
                self.current.insert_values(generation, pair, values);
            }
        }
        is_current
    }

    /// These were read again, whether or not there still is such a license.
    pub(super) fn supersede<'a>(&self, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
        if let Some(former) = &self.former
            && former.as_of.read().is_some()
        {
            let pairs = pairs.map(|(tool, key)| (tool.to_owned(), key.to_owned()));
            former.cache.invalidate(&pairs.collect::<Vec<_>>());
        }
    }

    pub(super) fn invalidate(&self, pairs: &[Pair]) {
        self.current.invalidate(pairs);
        if let Some(former) = &self.former {
            former.cache.invalidate(pairs);
        }
    }

    /// Somebody may have changed anything.
    pub(super) fn clear(&self) {
        self.current.clear();
        self.forget_former();
    }

    /// Anything may have changed since `as_of`, and the contact is back: what is not read again is only good for when
    /// it is lost once more.
    pub(super) fn put_aside(&self, as_of: OffsetDateTime) {
        if let Some(former) = &self.former {
            // What is there already is as old as it says.
            former.as_of.write().get_or_insert(as_of);
            former.cache.take_over(&self.current);
        }
    }

    /// All licenses were read again.
    pub(super) fn forget_former(&self) {
        if let Some(former) = &self.former
            && former.as_of.write().take().is_some()
        {
            former.cache.clear();
        }
    }
}
