//! What the servers on a database share while they run, and what nobody needs afterwards: no part of the schema, of
//! backups and of moves.

use super::open::Postgres;
use crate::error::Error;
use crate::store::db::Optional;

/// A bucket of attempts, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// In which a full one drains.
    pub depth: i64,
    /// After which another attempt is let through.
    pub every: i64,
}

impl Postgres {
    /// The secret that is there, or `new`.
    pub(in crate::store) fn shared_secret(&self, new: &str) -> Result<Option<String>, Error> {
        // A command shares nothing.
        if !self.is_server {
            return Ok(None);
        }
        let db = self.free()?;
        db.run(
            "insert into shared_secret (id, secret) values (1, ?1) on conflict (id) do nothing",
            &[&new],
        )?;
        Ok(Some(db.one(
            "select secret from shared_secret",
            &[],
            |row| row.get(0),
        )?))
    }

    /// One of a bucket, or the milliseconds until there is one: a token bucket for all servers, in one statement.
    pub(in crate::store) fn attempt(
        &self,
        key: &str,
        Bucket { depth, every }: Bucket,
        now: i64,
    ) -> Result<Result<(), i64>, Error> {
        let db = self.free()?;
        let counted = db.changed(
            "insert into attempts (key, full_at) values (?1, ?2 + ?4)
             on conflict (key) do update
                 set full_at = least(greatest(attempts.full_at, ?2), ?2 + ?3) + ?4
                 where least(greatest(attempts.full_at, ?2), ?2 + ?3) + ?4 <= ?2 + ?3",
            &[&key, &now, &depth, &every],
        )?;
        if counted > 0 {
            return Ok(Ok(()));
        }
        let full_at = "select full_at from attempts where key = ?1";
        let full_at: Option<i64> = db.one(full_at, &[&key], |row| row.get(0)).optional()?;
        let full_at = full_at.unwrap_or(now).clamp(now, now + depth);
        Ok(Err(full_at + every - now - depth))
    }

    pub(in crate::store) fn take_attempt_back(
        &self,
        key: &str,
        bucket: Bucket,
    ) -> Result<(), Error> {
        let less = "update attempts set full_at = full_at - ?2 where key = ?1";
        self.free()?.run(less, &[&key, &bucket.every])?;
        Ok(())
    }

    /// Those that count no longer.
    pub(in crate::store) fn forget_attempts(&self) -> Result<(), Error> {
        if self.contact.is_on_duty() {
            let now = self.contact.now().unix_timestamp() * 1000;
            let old = "delete from attempts where full_at < ?1";
            self.free()?.run(old, &[&now])?;
        }
        Ok(())
    }
}
