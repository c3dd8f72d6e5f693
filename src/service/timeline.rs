//! What happened to a license: checks, changes and moves on one line.

use super::Service;
use crate::error::Error;
use crate::model::audit::Kind;
use crate::model::timeline::{Cursor, Happened, Page, page};
use crate::store::{audit, checks, licenses, outbox};

/// Events on a page.
const LIMIT: usize = 20;

impl Service {
    /// At most 20 events after the cursor, newest first.
    pub fn timeline(
        &self,
        license_id: i64,
        after: Option<Cursor>,
    ) -> Result<Page<Happened>, Error> {
        let until = after.map_or(i64::MAX, |after| after.at);
        let shown = after.map_or(0, |after| usize::from(after.shown));
        let changes = (shown + LIMIT + 1) as i64;
        let events = self.store.read_tx(|db| {
            let changes = audit::about(db, license_id, until, changes)?;
            let mut events: Vec<Happened> = changes.into_iter().map(Happened::Change).collect();
            for old in licenses::moved_to(db, license_id)? {
                if let Some(entry) = audit::last_of(db, old.id, Kind::LicenseMoved)? {
                    events.push(Happened::MovedFrom {
                        license_id: old.id,
                        license_key: old.values.license_key,
                        entry,
                    });
                }
            }
            let checks = checks::history(db, license_id)?;
            events.extend(checks.into_iter().map(Happened::Check));
            let mails = outbox::of_license(db, license_id)?;
            events.extend(mails.into_iter().map(Happened::Mail));
            Ok(events)
        })?;
        Ok(page(events, Happened::at, after, LIMIT))
    }
}
