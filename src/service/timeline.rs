//! What happened to a license, a code or a customer: checks, changes, moves and mails on one line.

use super::Service;
use crate::error::Error;
use crate::model::audit::Kind;
use crate::model::timeline::{About, Cursor, Happened, Page, page};
use crate::store::{Db, Read, audit, checks, licenses, outbox};

/// Events on a page.
const LIMIT: usize = 20;

impl Service {
    /// At most 20 events after the cursor, newest first.
    pub fn timeline(
        &self,
        about: &About<'_>,
        after: Option<Cursor>,
    ) -> Result<Page<Happened>, Error> {
        let until = after.map_or(i64::MAX, |after| after.at);
        let shown = after.map_or(0, |after| usize::from(after.shown));
        let limit = (shown + LIMIT + 1) as i64;
        let events = self.store.read_tx(|db| {
            let changes = audit::about(db, about, until, limit)?;
            let mut events: Vec<Happened> = changes.into_iter().map(Happened::Change).collect();
            match about {
                About::License(id) => add_moves_and_checks(db, *id, &mut events)?,
                About::Code(_) | About::Order(_) | About::Customer(_) => {}
            }
            let mails = outbox::about(db, about, until, limit)?;
            events.extend(mails.into_iter().map(Happened::Mail));
            Ok(events)
        })?;
        Ok(page(events, Happened::at, after, LIMIT))
    }
}

fn add_moves_and_checks(db: &Db, license_id: i64, events: &mut Vec<Happened>) -> Read<()> {
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
    Ok(())
}
