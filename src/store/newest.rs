//! The newest moment in the database.

use time::OffsetDateTime;

use super::db::{Db, Result};
use super::unreadable;

/// The newest entry of the audit log or check; a clock that was wrong does not leave the newest entry last, but
/// among the last.
pub fn moment(db: &Db) -> Result<Option<OffsetDateTime>> {
    let newest: Option<i64> = db.one(
        "select max(at) from (
             select max(at) as at from (
                 select at from audit order by id desc limit 1000) last_entries
             union all select max(last_at) from unlicensed_machines
             union all select max(last_at) from last_checks where license_id in (
                 select id from licenses where last_seen_on =
                     (select max(last_seen_on) from licenses) and last_seen_on <> '')) moments",
        &[],
        |row| row.get(0),
    )?;
    newest
        .map(|at| {
            let moment = OffsetDateTime::from_unix_timestamp(at);
            moment.map_err(|_| unreadable(0, &at.to_string()))
        })
        .transpose()
}
