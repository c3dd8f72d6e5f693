//! The thread beside all requests: it remembers the licenses, and once a second writes who asked.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::error::Refusal;
use crate::service::{Remembered, Service};

const EVERY: Duration = Duration::from_secs(1);

pub(super) struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(service: Arc<Service>) -> Result<Keeper, Refusal> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || keep(&service, &stopped))
            .map_err(|e| Refusal(format!("The system gives no thread: {e}.")))?;
        Ok(Keeper { stop, thread })
    }

    /// Waits until it has ended; a panic has been told when it came.
    pub(super) fn stop(self) {
        drop(self.stop);
        drop(self.thread.join());
    }
}

fn keep(service: &Service, stopped: &Receiver<()>) {
    let mut remembered = Some(Remembered::NOTHING);
    let mut since_tick = Stopwatch::start();
    loop {
        let wait = match &remembered {
            Some(_) => Duration::ZERO,
            None => EVERY.saturating_sub(since_tick.elapsed()),
        };
        if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        if let Some(from) = remembered.take() {
            match service.remember(from) {
                Ok(further) => remembered = further,
                Err(error) => service.log().fault("remembering the licenses", &error),
            }
        }
        if since_tick.elapsed() < EVERY {
            continue;
        }
        since_tick = Stopwatch::start();
        // First: what another program changed must not wait for notes that cannot be written.
        match service.forget_if_others_wrote() {
            Ok(false) => {}
            Ok(true) => remembered = Some(Remembered::NOTHING),
            Err(error) => service.log().fault("looking for other programs", &error),
        }
        if let Err(error) = service.write_sightings() {
            service.log().fault("writing the sightings", &error);
        }
    }
}
