//! The thread beside all requests: it remembers the licenses at the start, and ticks once a second.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{Error, Refusal};
use crate::service::Service;

const EVERY: Duration = Duration::from_secs(1);

pub(super) struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(service: Arc<Service>) -> Result<Keeper, Refusal> {
        let (stop, stopped) = mpsc::channel();
        let work = move || {
            let tell = |place, done: Result<(), Error>| {
                if let Err(error) = done {
                    service.log().fault(place, &error);
                }
            };
            tell("remembering the licenses", service.remember_licenses());
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                tell("the tick of a second", service.tick());
            }
        };
        let thread = thread::Builder::new().name("keeper".to_owned()).spawn(work);
        let thread = thread.map_err(|e| Refusal(format!("The system gives no thread: {e}.")))?;
        Ok(Keeper { stop, thread })
    }

    /// Waits until it has ended; a panic has been told when it came.
    pub(super) fn stop(self) {
        drop(self.stop);
        drop(self.thread.join());
    }
}
