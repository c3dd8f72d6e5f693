//! A runtime on the thread that waits for it: another thread in between would have to wake up twice for each statement.

use rocket::tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use rocket::tokio::task::block_in_place;

use super::value::{DbError, Result};

pub(super) const ENDED: DbError = DbError::Refused("the connection has ended");

/// Does nothing unless somebody waits.
pub(super) struct Here(Option<Runtime>);

impl Here {
    pub(super) fn new() -> Result<Here> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let no_room = |_| DbError::Refused("the system has no room for a connection");
        Ok(Here(Some(runtime.map_err(no_room)?)))
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let runtime = self.0.as_ref().ok_or(ENDED)?;
        Ok(aside(|| runtime.block_on(work)))
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        // Waiting for it would panic on a thread of another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What waits for the network: other work of the same thread goes on elsewhere.
pub(super) fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}
