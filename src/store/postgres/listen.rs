//! Notifications of what other processes have changed, each sent with the write; and whether there is contact at all.

use std::sync::Arc;
use std::time::Duration;

use rocket::futures::StreamExt;
use rocket::futures::stream::poll_fn;
use rocket::tokio::select;
use rocket::tokio::sync::watch;
use rocket::tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, SimpleQueryMessage};

use super::contact::Contact;
use super::hosts::Hosts;
use super::locks::DUTY;
use crate::store::cache::Pair;
use crate::store::memory::Memory;
use crate::store::news::News;

/// Of `listen` and `notify`.
pub(super) const CHANNEL: &str = "licenses";

/// Bytes of a notification; PostgreSQL takes less than 8,000.
const MOST: usize = 7_000;

/// Between two questions, and two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a notification changes in this process.
pub(super) struct Listener {
    /// The name of this process, whose own notifications change nothing.
    pub(super) process: String,
    pub(super) memory: Arc<Memory>,
    pub(super) contact: Arc<Contact>,
    pub(super) news: Arc<News>,
    /// Whether this process takes its turn at what only one may do.
    pub(super) is_server: bool,
}

/// Who wrote; the first and the last entry of the audit log, if it is no server; and the changed licenses, or none if
/// they are too many to name.
type Payload<Changed> = (String, Option<(i64, i64)>, Changed);

pub(super) fn payload(
    process: &str,
    entries: Option<(i64, i64)>,
    changed: &[Pair],
) -> serde_json::Result<String> {
    let payload: Payload<Option<&[Pair]>> = (process.to_owned(), entries, Some(changed));
    let text = serde_json::to_string(&payload)?;
    match text.len() <= MOST {
        true => Ok(text),
        false => serde_json::to_string(&(payload.0, payload.1, None::<&[Pair]>)),
    }
}

impl Listener {
    fn receive(&self, payload: &str) {
        let read: Option<Payload<Option<Vec<Pair>>>> = serde_json::from_str(payload).ok();
        match read {
            Some((process, ..)) if process == self.process => return,
            Some((_, entries, Some(changed))) => {
                self.memory.invalidate(&changed);
                self.news.add(entries);
            }
            Some((_, entries, None)) => {
                self.news.add(entries);
                self.put_aside();
            }
            // Of a newer program.
            None => self.put_aside(),
        }
        self.news.set_written();
    }

    /// Anything may have changed.
    fn put_aside(&self) {
        self.news.set_forgotten();
        self.memory.put_aside(self.contact.last());
    }
}

/// Never ends. All connections end when the database is silent, so that nobody waits for it.
pub(super) async fn listen(hosts: Arc<Hosts>, listener: Listener, silence: watch::Sender<()>) {
    loop {
        let lost = match hosts.connect().await {
            // Reads and writes report what went wrong.
            Ok((client, connection)) => {
                let mut connection = Box::pin(connection);
                let messages = poll_fn(move |context| connection.poll_message(context));
                let asking = ask(&client, &listener);
                select! {
                    lost = asking => lost,
                    _lost = receive(messages, &listener) => Lost::Closed,
                }
            }
            Err(_) => Lost::Silent,
        };
        listener.contact.set_on_duty(false);
        if matches!(lost, Lost::Silent) {
            silence.send_modify(|()| {});
        }
        sleep(PAUSE).await;
    }
}

enum Lost {
    Closed,
    Silent,
}

async fn receive(
    mut messages: impl StreamExt<Item = Result<AsyncMessage, tokio_postgres::Error>> + Unpin,
    listener: &Listener,
) -> Result<(), tokio_postgres::Error> {
    while let Some(message) = messages.next().await {
        if let AsyncMessage::Notification(notification) = message? {
            listener.receive(notification.payload());
        }
    }
    Ok(())
}

async fn ask(client: &Client, listener: &Listener) -> Lost {
    let ask = async |question: &str| match timeout(PATIENCE, client.simple_query(question)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Lost::Closed),
        Err(_) => Err(Lost::Silent),
    };
    if let Err(lost) = ask(&format!("listen {CHANNEL}")).await {
        return lost;
    }
    listener.put_aside();
    listener.news.set_written();
    let mut is_on_duty = false;
    loop {
        let moment = listener.contact.moment();
        let question = match listener.is_server && !is_on_duty {
            true => format!("select pg_try_advisory_lock({DUTY})"),
            false => String::new(),
        };
        match ask(&question).await {
            Ok(answer) => is_on_duty |= answer.iter().any(says_yes),
            Err(lost) => return lost,
        }
        listener.contact.made(moment);
        listener.contact.set_on_duty(is_on_duty);
        sleep(PAUSE).await;
    }
}

fn says_yes(message: &SimpleQueryMessage) -> bool {
    matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"))
}
