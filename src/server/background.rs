//! The background threads: one warms up the cache, and writes recorded checks once a second; another makes
//! backups, so that no check has to wait for one; one talks to the mail server, and one to receivers of webhooks.
//! Of several servers on a database, one does what need not be done twice.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::error::Refusal;
use crate::service::{Others, Service, WarmUp, give_way};

const EVERY: Duration = Duration::from_secs(1);
/// Moving the log into the file costs some syncs.
const SETTLE_EVERY: Duration = Duration::from_secs(10);

/// How often to look whether a backup is due.
const BACKUP_EVERY: Duration = Duration::from_secs(5);

/// How often to look whether mails are due.
const MAILS_EVERY: Duration = Duration::from_secs(5);
/// How often to look whether there is something for a webhook.
const WEBHOOKS_EVERY: Duration = Duration::from_secs(2);
/// Others may take minutes to answer. Mails left alone then are uncertain, as they are after a power cut; events
/// are sent again.
const SENDING_STOPS_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct Background {
    stop: [Sender<()>; 4],
    threads: [JoinHandle<()>; 2],
    /// Of the threads that send: disconnected once both have ended.
    sending: Receiver<()>,
}

impl Background {
    pub(super) fn start(service: Arc<Service>) -> Result<Background, Refusal> {
        let backed_up = Arc::clone(&service);
        let checked = Arc::clone(&service);
        let (stop, thread) = spawn("background", move |stopped| run(&checked, &stopped))?;
        let (no_backup, backups) = spawn("backups", move |stopped| back_up(&backed_up, &stopped))?;
        let (ended, sending) = mpsc::channel();
        let (mailed, both_ended) = (Arc::clone(&service), ended.clone());
        let (no_mails, _) = spawn("mails", move |stopped| {
            send_mails(&mailed, &stopped);
            drop(both_ended);
        })?;
        let (no_webhooks, _) = spawn("webhooks", move |stopped| {
            send_webhooks(&service, &stopped);
            drop(ended);
        })?;
        Ok(Background {
            stop: [stop, no_backup, no_mails, no_webhooks],
            threads: [thread, backups],
            sending,
        })
    }

    /// Waits for the threads to exit; a panic has already been logged.
    pub(super) fn stop(self) {
        drop(self.stop);
        for thread in self.threads {
            drop(thread.join());
        }
        let _ended = self.sending.recv_timeout(SENDING_STOPS_WITHIN);
    }
}

fn spawn(
    name: &str,
    run: impl FnOnce(Receiver<()>) + Send + 'static,
) -> Result<(Sender<()>, JoinHandle<()>), Refusal> {
    let (stop, stopped) = mpsc::channel();
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || run(stopped))
        .map_err(|e| Refusal(format!("The system gives no thread: {e}.")))?;
    Ok((stop, thread))
}

fn back_up(service: &Service, stopped: &Receiver<()>) {
    give_way();
    while stopped.recv_timeout(BACKUP_EVERY) == Err(RecvTimeoutError::Timeout) {
        if service.is_on_duty()
            && let Err(refusal) = service.back_up_if_due()
        {
            service
                .log()
                .event("backup_failed", &[("reason", &refusal)]);
        }
    }
}

fn send_mails(service: &Service, stopped: &Receiver<()>) {
    while stopped.recv_timeout(MAILS_EVERY) == Err(RecvTimeoutError::Timeout) {
        if service.is_on_duty()
            && let Err(error) = service.run_mails()
        {
            service.log().fault("send_mails", &error);
        }
    }
}

fn send_webhooks(service: &Service, stopped: &Receiver<()>) {
    while stopped.recv_timeout(WEBHOOKS_EVERY) == Err(RecvTimeoutError::Timeout) {
        if service.is_on_duty()
            && let Err(error) = service.run_webhooks()
        {
            service.log().fault("send_webhooks", &error);
        }
    }
}

pub(super) fn keep_audit(service: &Service) {
    if let Err(error) = service.keep_audit() {
        service.log().fault("keep_audit", &error);
    }
}

fn queue_links(service: &Service) {
    if let Err(error) = service.queue_links() {
        service.log().fault("queue_links", &error);
    }
}

fn run(service: &Service, stopped: &Receiver<()>) {
    let mut warm_up = Some(WarmUp::START);
    let mut since_tick = Stopwatch::start();
    let mut since_settled = Stopwatch::start();
    loop {
        let wait = match &warm_up {
            Some(_) => Duration::ZERO,
            None => EVERY.saturating_sub(since_tick.elapsed()),
        };
        if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            queue_links(service);
            return;
        }
        if let Some(from) = warm_up.take() {
            match service.warm_up(from) {
                Ok(further) => warm_up = further,
                Err(error) => service.log().fault("warm_up", &error),
            }
        }
        if since_tick.elapsed() < EVERY {
            continue;
        }
        since_tick = Stopwatch::start();
        // First, because other programs' changes must not wait for checks that cannot be written.
        match service.reload_if_others_wrote() {
            Ok(Others::ChangedAll) => warm_up = Some(WarmUp::START),
            Ok(Others::Nothing | Others::Wrote) => {}
            Err(error) => service.log().fault("reload_if_others_wrote", &error),
        }
        service.watch_reach();
        if service.is_on_duty() {
            if let Err(error) = service.take_back_interrupted() {
                service.log().fault("take_back_interrupted", &error);
            }
            if let Err(error) = service.prune_bulk_changes() {
                service.log().fault("prune_bulk_changes", &error);
            }
            keep_audit(service);
        }
        if let Err(error) = service.write_checks() {
            service.log().fault("write_checks", &error);
        }
        if let Err(error) = service.write_notes(false) {
            service.log().fault("write_notes", &error);
        }
        queue_links(service);
        if let Err(error) = service.compare_clock() {
            service.log().fault("compare_clock", &error);
        }
        if since_settled.elapsed() >= SETTLE_EVERY {
            since_settled = Stopwatch::start();
            if let Err(error) = service.settle() {
                service.log().fault("settle", &error);
            }
        }
    }
}
