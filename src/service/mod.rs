//! What the product does: one method per verb, at one moment, in one transaction.

mod audit;
mod bulk;
mod check;
mod demo;
mod explain;
mod import;
mod keys;
mod licenses;
mod overview;
mod passwords;
mod secrets;
mod sessions;
mod sightings;
mod signer;
mod throttle;
mod tokens;
mod tools;
mod users;
mod walk;

use std::sync::Arc;

use arc_swap::ArcSwap;
use rocket::tokio::task;
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::log::Log;
pub use crate::store::Remembered;
use crate::store::{Missing, Store};

use import::Runs;
use passwords::Passwords;
use sightings::Notes;
use throttle::Throttle;
use tools::Rules;

pub use audit::Proof;
pub use bulk::{MOST_AT_ONCE, Plan};
pub use check::Signed;
pub use explain::{Doubts, Explanation, MOST_NEAR, NearMiss, OtherTool, Past};
pub use import::{ImportState, Report, WrongRow};
pub use keys::{Form, KeyRing};
pub use sessions::{Client, SignedIn};
pub use tokens::TokenUser;
pub use tools::ToolUse;
pub use users::{FIRST_USER, FirstPassword};
pub use walk::Walk;

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
    /// The import that runs.
    runs: Runs,
    /// What answers are signed with.
    keys: ArcSwap<KeyRing>,
    /// The vendor's rules for the tools that have some.
    rules: ArcSwap<Rules>,
}

impl Service {
    /// Opens the database, which is made when it is missing, with a first user in it.
    pub fn open(
        config: &Config,
        clock: Clock,
    ) -> Result<(Service, Option<FirstPassword>), Refusal> {
        let service = Service::with_store(config, clock, Missing::Make, KeyRing::load_whole)?;
        service.make_first_key()?;
        let first = service.add_first_user(config.admin_password.as_deref())?;
        Ok((service, first))
    }

    /// Opens the database that is there, for a command that makes none.
    pub fn open_existing(config: &Config, clock: Clock) -> Result<Service, Refusal> {
        Service::with_store(config, clock, Missing::Refuse, KeyRing::load)
    }

    /// The same without signing keys, of which some may be missing or broken.
    pub fn open_without_keys(config: &Config, clock: Clock) -> Result<Service, Refusal> {
        Service::with_store(config, clock, Missing::Refuse, |_| Ok(KeyRing::default()))
    }

    fn with_store(
        config: &Config,
        clock: Clock,
        missing: Missing,
        load: impl FnOnce(&Store) -> Result<KeyRing, Refusal>,
    ) -> Result<Service, Refusal> {
        let store = Store::open(&config.data_dir, missing)?;
        let service = Service {
            keys: ArcSwap::from_pointee(load(&store)?),
            rules: ArcSwap::default(),
            store,
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
            runs: Runs::default(),
        };
        service.reload_rules()?;
        Ok(service)
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

    /// Remembers some more licenses, so that checks of them do not wait for the disk; returns where to
    /// go on.
    pub fn remember(&self, from: Remembered) -> Result<Option<Remembered>, Error> {
        self.store.remember(from)
    }

    /// Forgets what another program may have changed, and says whether there was any; once a second.
    pub fn forget_if_others_wrote(&self) -> Result<bool, Error> {
        let others_wrote = self.store.forget_if_others_wrote()?;
        if others_wrote {
            self.reload_rules()?;
            self.reload_keys()?;
        }
        Ok(others_wrote)
    }

    /// Writes what is only in memory, and leaves the database file complete on the disk.
    pub fn close(&self) -> Result<(), Error> {
        let written = self.write_sightings();
        self.store.checkpoint()?;
        written
    }

    /// The operator's offset, in which days begin and end.
    pub fn utc_offset(&self) -> UtcOffset {
        self.utc_offset
    }

    /// Where events are told.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The operator's day.
    pub fn today(&self) -> Date {
        self.now().to_offset(self.utc_offset).date()
    }

    /// The moment at which a page is shown.
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }
}
