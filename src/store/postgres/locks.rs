//! Advisory locks.

/// Held while the database is opened.
pub(super) const OPENS: i64 = 2;
/// Held together by all who use the database.
pub(super) const USES: i64 = 3;
/// Held together by all servers.
pub(super) const SERVES: i64 = 4;
/// Held by the server that does what only one may do.
pub(super) const DUTY: i64 = 5;
/// Held for what takes long.
pub(in crate::store) const BULK: i64 = 6;
pub(in crate::store) const BACKUP: i64 = 7;

/// How many hold [`SERVES`].
pub(super) const SERVERS: &str = "select count(*) from pg_locks
    where locktype = 'advisory' and classid = 0 and objid = 4 and granted
        and database = (select oid from pg_database where datname = current_database())";
