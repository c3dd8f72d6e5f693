//! What the product does: one method per verb, at one moment, in one transaction.

mod check;
mod demo;
mod licenses;
mod passwords;
mod secrets;
mod sessions;
mod tokens;
mod users;

use std::sync::Arc;

use rocket::tokio::task;
use time::{OffsetDateTime, UtcOffset};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::store::Store;
use passwords::Passwords;

pub use licenses::Count;
pub use sessions::{Client, SignedIn};
pub use tokens::{Scope, TokenUser};
pub use users::{FIRST_USER, FirstPassword};

/// The product, shared by all requests. Methods that only read a point are quick enough for an
/// async thread; everything else goes through [`Service::run`].
pub struct Service {
    store: Store,
    clock: Clock,
    utc_offset: UtcOffset,
    passwords: Passwords,
}

impl Service {
    /// Opens the database, and makes the first user in a new one.
    pub fn open(
        config: &Config,
        clock: Clock,
    ) -> Result<(Service, Option<FirstPassword>), Refusal> {
        let service = Service {
            store: Store::open(&config.data_dir)?,
            clock,
            utc_offset: config.utc_offset,
            passwords: Passwords::new()?,
        };
        let first = service.add_first_user(config.admin_password.as_deref())?;
        Ok((service, first))
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

    /// Leaves the database file complete on the disk.
    pub fn close(&self) -> Result<(), Error> {
        self.store.checkpoint()
    }

    /// The operator's offset, in which days begin and end.
    pub fn utc_offset(&self) -> UtcOffset {
        self.utc_offset
    }

    /// The moment at which a page is shown.
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }
}
