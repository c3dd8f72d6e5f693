//! The table of licenses, oldest first and piece by piece, so that memory does not grow with it.

use super::Service;
use crate::error::Error;
use crate::model::license::Listed;
use crate::model::search::{Filter, Piece};
use crate::store::{licenses, search};

/// Rows that are read and held at once.
const CHUNK: usize = 1_000;

/// What of the table is still to be read.
#[derive(Debug, Clone)]
pub struct Walk {
    rest: Rest,
    /// Rows that are still wanted.
    left: i64,
}

#[derive(Debug, Clone)]
enum Rest {
    /// What the filter finds behind this id.
    After(Box<Filter>, i64),
    /// These ids, the last one first.
    Ids(Vec<i64>),
}

impl Service {
    /// A walk through all that the filter finds.
    pub fn walk(&self, filter: Filter) -> Result<Walk, Error> {
        // No index has these in the order of the ids: each piece would gather and sort all of them.
        if filter.ends.is_none() && filter.activity.is_none() {
            return Ok(Walk::after(filter, 0, i64::MAX));
        }
        let most = usize::try_from(i64::MAX).unwrap_or(usize::MAX);
        let mut ids = self
            .store
            .read_at_once(|db| search::ids(db, &filter, most))?;
        ids.reverse();
        Ok(Walk {
            rest: Rest::Ids(ids),
            left: i64::MAX,
        })
    }

    /// The next rows of a walk, none at its end, and how to go on.
    pub fn walk_on(&self, mut walk: Walk) -> Result<(Vec<Listed>, Walk), Error> {
        let limit = walk.left.min(CHUNK as i64);
        let mut rows = match &mut walk.rest {
            Rest::After(filter, after) => {
                let piece = Piece::after(*after, limit);
                let rows = self.store.read(|db| search::list(db, filter, &piece))?;
                *after = rows.last().map_or(i64::MAX, |last| last.license.id);
                rows
            }
            Rest::Ids(ids) => self.store.read_at_once(|db| {
                let mut rows = Vec::new();
                // What was deleted meanwhile is passed over.
                while rows.len() < CHUNK
                    && let Some(id) = ids.pop()
                {
                    rows.extend(licenses::listed(db, id)?);
                }
                Ok(rows)
            })?,
        };
        rows.truncate(usize::try_from(limit).unwrap_or(CHUNK));
        walk.left -= rows.len() as i64;
        Ok((rows, walk))
    }
}

impl Walk {
    /// At most `left` rows that the filter finds with ids above `after`.
    pub fn after(filter: Filter, after: i64, left: i64) -> Walk {
        Walk {
            rest: Rest::After(Box::new(filter), after),
            left,
        }
    }
}
