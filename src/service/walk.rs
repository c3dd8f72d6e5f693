//! Reads the license table oldest first and in chunks, so that memory use does not grow with it.

use super::Service;
use crate::error::Error;
use crate::model::check::ListedLicense;
use crate::model::search::Filter;
use crate::store::{licenses, search};

/// Rows read and held at once.
const CHUNK: usize = 1_000;

/// Up to this number of matches, their IDs are looked up first.
const FEW: usize = 20_000;

/// The part of the table still to be read.
#[derive(Debug, Clone)]
pub struct Walk {
    rest: Rest,
    /// Rows still wanted.
    left: usize,
}

#[derive(Debug, Clone)]
enum Rest {
    /// These IDs, in reverse order.
    Ids(Vec<i64>),
    /// Matches with IDs above this one; none at the end.
    After(Box<Filter>, Option<i64>),
}

impl Service {
    /// At most `left` matching rows with IDs above `after`.
    pub fn walk(&self, filter: Filter, after: i64, left: usize) -> Result<Walk, Error> {
        let few = match filter.is_empty() {
            true => None,
            false => self.store.read_tx(|db| search::ids(db, &filter, FEW))?,
        };
        let rest = match few {
            Some(mut ids) => {
                ids.retain(|id| *id > after);
                ids.reverse();
                Rest::Ids(ids)
            }
            None => Rest::After(Box::new(filter), Some(after)),
        };
        Ok(Walk { rest, left })
    }

    /// The next rows, none at the end, and the rest of the walk.
    pub fn walk_on(&self, mut walk: Walk) -> Result<(Vec<ListedLicense>, Walk), Error> {
        let limit = walk.left.min(CHUNK);
        let mut rows = Vec::new();
        match &mut walk.rest {
            Rest::Ids(ids) => self.store.read_tx(|db| {
                // Skips what was deleted meanwhile.
                while rows.len() < limit
                    && let Some(id) = ids.pop()
                {
                    rows.extend(licenses::listed(db, id)?);
                }
                Ok(())
            })?,
            Rest::After(filter, next) => {
                while rows.is_empty()
                    && limit > 0
                    && let Some(after) = *next
                {
                    let read = |db: &_| search::walk_by_id(db, filter, after, limit);
                    (rows, *next) = self.store.read_tx(read)?;
                }
            }
        }
        walk.left -= rows.len();
        Ok((rows, walk))
    }
}
