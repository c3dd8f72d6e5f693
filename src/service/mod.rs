//! What the product does: one method per verb, at one moment, in one transaction.

mod audit;
mod check;
mod demo;
mod licenses;
mod passwords;
mod secrets;
mod sessions;
mod sightings;
mod throttle;
mod tokens;
mod users;

use std::sync::Arc;

use rocket::tokio::task;
use time::{Duration, OffsetDateTime, UtcOffset};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::log::Log;
use crate::store::{Missing, REMEMBERED_AT_ONCE, Store};

use passwords::Passwords;
use sightings::Notes;
use throttle::Throttle;

pub use audit::Proof;
pub use licenses::Count;
pub use sessions::{Client, SignedIn};
pub use tokens::TokenUser;
pub use users::{FIRST_USER, FirstPassword};

/// The product, shared by all requests. Methods that only read a point are quick enough for an
/// async thread; everything else goes through [`Service::run`].
pub struct Service {
    store: Store,
    clock: Clock,
    utc_offset: UtcOffset,
    log: Log,
    passwords: Passwords,
    /// A session dies after so long without use, and so long after its beginning.
    idle: Duration,
    longest: Duration,
    /// Attempts to sign in.
    by_address: Throttle,
    by_name: Throttle,
    /// Entries about throttled attempts in the audit log.
    throttled_notes: Throttle,
    /// Questions about keys that nobody has.
    unknown_keys: Throttle,
    /// Checks that are not in the database yet.
    notes: Notes,
}

impl Service {
    /// Opens the database, which is made when it is missing, with a first user in it.
    pub fn open(
        config: &Config,
        clock: Clock,
    ) -> Result<(Service, Option<FirstPassword>), Refusal> {
        let service = Service::with_store(config, clock, Missing::Make)?;
        let first = service.add_first_user(config.admin_password.as_deref())?;
        Ok((service, first))
    }

    /// Opens the database that is there, for a command that makes none.
    pub fn open_existing(config: &Config, clock: Clock) -> Result<Service, Refusal> {
        Service::with_store(config, clock, Missing::Refuse)
    }

    fn with_store(config: &Config, clock: Clock, missing: Missing) -> Result<Service, Refusal> {
        Ok(Service {
            store: Store::open(&config.data_dir, missing)?,
            log: Log::new(config.log_format, clock.clone()),
            clock,
            utc_offset: config.utc_offset,
            passwords: Passwords::new()?,
            idle: Duration::minutes(config.session_idle_minutes.into()),
            longest: Duration::hours(config.session_hours.into()),
            by_address: Throttle::new(10, 6),
            by_name: Throttle::new(10, 6),
            throttled_notes: Throttle::new(1, 60),
            unknown_keys: Throttle::new(30, 6),
            notes: Notes::default(),
        })
    }

    /// Runs `verb` on a thread that may wait for the disk.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        verb: impl FnOnce(&Service) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let service = Arc::clone(self);
        task::spawn_blocking(move || verb(&service))
            .await
            .map_err(|e| Error::Internal(e.to_string()))?
    }

    /// Whether the database answers.
    pub fn health(&self) -> Result<(), Error> {
        self.store
            .read(|db| db.query_row("select 1", [], |_| Ok(())))
    }

    /// Remembers all licenses, so that from the first check on none has to wait for the disk.
    pub fn remember_licenses(&self) -> Result<(), Error> {
        let (mut before, mut so_far) = (Some(i64::MAX), 0);
        while let Some(id) = before {
            before = self.store.remember(id, so_far)?;
            so_far += REMEMBERED_AT_ONCE;
        }
        Ok(())
    }

    /// What is done once a second beside all requests.
    pub fn tick(&self) -> Result<(), Error> {
        // First: what another program changed must not wait for notes that cannot be written.
        if self.store.forget_if_others_wrote()? {
            self.remember_licenses()?;
        }
        self.write_sightings()
    }

    /// Writes what is only in memory, and leaves the database file complete on the disk.
    pub fn close(&self) -> Result<(), Error> {
        self.write_sightings()?;
        self.store.checkpoint()
    }

    /// The operator's offset, in which days begin and end.
    pub fn utc_offset(&self) -> UtcOffset {
        self.utc_offset
    }

    /// Where events are told.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The moment at which a page is shown.
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }
}
