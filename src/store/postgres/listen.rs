//! Notifications of what other processes have changed: each write sends one as it commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocket::futures::StreamExt;
use rocket::futures::stream::poll_fn;
use rocket::tokio::select;
use rocket::tokio::time::sleep;
use tokio_postgres::{AsyncMessage, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::cache::{LicenseCache, Pair};

/// Of `listen` and `notify`.
pub(super) const CHANNEL: &str = "licenses";

/// Bytes of a notification; PostgreSQL takes less than 8,000.
const MOST: usize = 7_000;

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// What a notification changes in this process.
pub(super) struct Listener {
    /// The name of this process, whose own notifications change nothing.
    pub(super) process: String,
    pub(super) cache: Arc<LicenseCache>,
    /// Somebody else has written since the last look.
    pub(super) others_wrote: Arc<AtomicBool>,
}

/// The payload of a notification: who wrote, and the changed licenses, or none if they are too many to name.
pub(super) fn payload(process: &str, changed: &[Pair]) -> String {
    let payload = serde_json::json!([process, changed]).to_string();
    match payload.len() <= MOST {
        true => payload,
        false => serde_json::json!([process, null]).to_string(),
    }
}

impl Listener {
    fn receive(&self, payload: &str) {
        let read: Option<(String, Option<Vec<Pair>>)> = serde_json::from_str(payload).ok();
        match read {
            Some((process, _)) if process == self.process => return,
            Some((_, Some(changed))) => self.cache.invalidate(&changed),
            // One that cannot be read is of a newer program: everything may have changed.
            Some((_, None)) | None => self.cache.clear(),
        }
        self.others_wrote.store(true, Ordering::Relaxed);
    }

    /// Notifications were lost: everything may have changed.
    fn reset(&self) {
        self.cache.clear();
        self.others_wrote.store(true, Ordering::Relaxed);
    }
}

/// Never ends.
pub(super) async fn listen(config: Config, tls: MakeRustlsConnect, listener: Listener) {
    loop {
        // Reads and writes report what went wrong.
        drop(until_lost(&config, tls.clone(), &listener).await);
        sleep(PAUSE).await;
    }
}

async fn until_lost(
    config: &Config,
    tls: MakeRustlsConnect,
    listener: &Listener,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = config.connect(tls).await?;
    let mut messages = poll_fn(move |context| connection.poll_message(context));
    let asking = async {
        client.batch_execute(&format!("listen {CHANNEL}")).await?;
        listener.reset();
        loop {
            // Without an answer, the connection is lost.
            client.batch_execute("").await?;
            sleep(PAUSE).await;
        }
    };
    let receiving = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message? {
                listener.receive(notification.payload());
            }
        }
        Ok(())
    };
    select! {
        lost = asking => lost,
        lost = receiving => lost,
    }
}
