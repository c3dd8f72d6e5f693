//! What other servers and commands on the same database have changed: each write tells the others as it commits.

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

/// Of `notify`.
pub(super) const CHANNEL: &str = "licenses";

/// Bytes of a notification; PostgreSQL takes less than 8,000.
const MOST: usize = 7_000;

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// Of the store.
pub(super) struct Heard {
    /// Of this process: it does not listen to itself.
    pub(super) process: String,
    pub(super) cache: Arc<LicenseCache>,
    /// Somebody else has written since the last look.
    pub(super) others_wrote: Arc<AtomicBool>,
}

/// What a write tells the others: the licenses that it changed; none for so many that they are not named.
pub(super) fn notice(process: &str, changed: &[Pair]) -> String {
    let told = serde_json::json!([process, changed]).to_string();
    match told.len() <= MOST {
        true => told,
        false => serde_json::json!([process, null]).to_string(),
    }
}

impl Heard {
    fn hear(&self, told: &str) {
        // Of a newer program, which tells more: everything may have changed.
        let told: Option<(String, Option<Vec<Pair>>)> = serde_json::from_str(told).ok();
        match told {
            Some((process, _)) if process == self.process => return,
            Some((_, Some(changed))) => self.cache.invalidate(&changed),
            Some((_, None)) | None => self.cache.clear(),
        }
        self.others_wrote.store(true, Ordering::Relaxed);
    }

    /// What was told while nobody listened is unknown.
    fn missed(&self) {
        self.cache.clear();
        self.others_wrote.store(true, Ordering::Relaxed);
    }
}

/// Never ends.
pub(super) async fn listen(config: Config, tls: MakeRustlsConnect, heard: Heard) {
    loop {
        // What went wrong is said by those who read and write.
        drop(until_lost(&config, tls.clone(), &heard).await);
        sleep(PAUSE).await;
    }
}

async fn until_lost(
    config: &Config,
    tls: MakeRustlsConnect,
    heard: &Heard,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = config.connect(tls).await?;
    let mut messages = poll_fn(move |context| connection.poll_message(context));
    let asking = async {
        client.batch_execute(&format!("listen {CHANNEL}")).await?;
        heard.missed();
        loop {
            // An answer means that everything until then was heard.
            client.batch_execute("").await?;
            sleep(PAUSE).await;
        }
    };
    let hearing = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(told) = message? {
                heard.hear(told.payload());
            }
        }
        Ok(())
    };
    select! {
        lost = asking => lost,
        lost = hearing => lost,
    }
}
