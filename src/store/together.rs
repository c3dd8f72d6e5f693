//! What several processes on a database do together, and the servers among them.

use std::time::Duration;

use super::postgres::{self, Bucket, Contact};
use super::trail::Trail;
use super::{Engine, Store, open};
use crate::error::Error;
use crate::model::doctor::inside::PostgresFacts;

/// Held among all processes that use the database.
pub struct Lock {
    _held: Box<dyn Send>,
}

impl Lock {
    fn of(held: impl Send + 'static) -> Lock {
        Lock {
            _held: Box::new(held),
        }
    }
}

/// Whether a database that is elsewhere is in reach.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reach {
    /// Since its last answer; it is asked every second.
    pub age: Duration,
    pub is_lost: bool,
    /// Whether this server does what only one may do at a time.
    pub is_on_duty: bool,
}

impl Store {
    /// Held by the one process that is changing many licenses; none if another one holds it.
    pub fn try_bulk_lock(&self) -> Result<Option<Lock>, Error> {
        self.try_lock("bulk.lock", postgres::BULK)
    }

    /// Held by the one process that is making a backup; none if another one holds it.
    pub fn try_backup_lock(&self) -> Result<Option<Lock>, Error> {
        self.try_lock("backup.lock", postgres::BACKUP)
    }

    fn try_lock(&self, file: &str, number: i64) -> Result<Option<Lock>, Error> {
        match &self.engine {
            Engine::Sqlite(_) => open::try_lock(&self.folder.join(file))
                .map(|held| held.map(Lock::of))
                .map_err(|e| Error::Unavailable(format!("the file {file}: {e}"))),
            Engine::Postgres(postgres) => Ok(postgres.try_hold(number)?.map(Lock::of)),
        }
    }

    /// What all servers on a database know, made by the first of them with `make`; none if there can be only one.
    pub fn shared_secret(
        &self,
        make: impl FnOnce() -> Result<String, Error>,
    ) -> Result<Option<String>, Error> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(postgres) => postgres.shared_secret(&make()?),
        }
    }

    /// Counts an attempt among all servers on a database: the milliseconds until the next one, if this is one too many.
    /// None if there can be only one server, or none can be asked.
    pub fn attempt(&self, key: &str, bucket: Bucket, now: i64) -> Option<Result<(), i64>> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(postgres) => postgres.attempt(key, bucket, now).ok(),
        }
    }

    /// Undoes one [`Store::attempt`].
    pub fn take_attempt_back(&self, key: &str, bucket: Bucket) {
        if let Engine::Postgres(postgres) = &self.engine {
            // One too many is counted, at worst.
            drop(postgres.take_attempt_back(key, bucket));
        }
    }

    /// Whether this process does what only one may do at a time, such as sending mails.
    pub fn is_on_duty(&self) -> bool {
        self.contact().is_none_or(Contact::is_on_duty)
    }

    /// None for a database that is always in reach.
    pub fn reach(&self) -> Option<Reach> {
        self.contact().map(|contact| Reach {
            age: contact.age(),
            is_lost: contact.is_lost(),
            is_on_duty: contact.is_on_duty(),
        })
    }

    /// How many servers use the database; none if there can be only one.
    pub fn servers(&self) -> Result<Option<i64>, Error> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(postgres) => postgres.servers().map(Some),
        }
    }

    /// None for SQLite.
    pub fn postgres_facts(&self) -> Result<Option<PostgresFacts>, Error> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(postgres) => postgres.facts().map(Some),
        }
    }

    /// None for a database that is always in reach.
    pub(super) fn contact(&self) -> Option<&Contact> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(postgres) => Some(&postgres.contact),
        }
    }

    /// What commands have written elsewhere, once among all servers.
    pub(super) fn write_trail_of_others(&self) -> Result<(), Error> {
        let entries = self.news.entries();
        let Some(log) = self.log.as_ref().filter(|_| self.is_on_duty()) else {
            return Ok(());
        };
        for (first, last) in entries {
            let trail = self.read(|db| Trail::of_others(db, first - 1, last))?;
            trail.write_to(log);
        }
        Ok(())
    }
}
