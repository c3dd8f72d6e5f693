//! Sending events to the receivers of webhooks: at least once, in the order in which they are due.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration as Wait;

use parking_lot::Mutex;
use time::{Date, Duration, OffsetDateTime};

use super::Service;
use super::webhook_caller::Caller;
use crate::config::Config;
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::public_address::Callable;
use crate::model::webhook::{DeliveryState, Outcome, Webhook, WebhookDelivery, WebhookState};
use crate::store::{WriteTx, audit, webhook_deliveries, webhooks};

/// Events of one receiver that are sent before the others have their turn.
const BATCH: usize = 50;
/// How long events are kept.
const KEPT: Duration = Duration::days(30);

pub(super) struct WebhookSender {
    pub(super) callable: Callable,
    timeout: Wait,
    pruned_on: Mutex<Option<Date>>,
    is_stopping: AtomicBool,
}

impl WebhookSender {
    pub(super) fn new(config: &Config) -> WebhookSender {
        WebhookSender {
            callable: Callable(config.webhook_networks.clone()),
            timeout: Wait::from_secs(config.webhook_timeout.into()),
            pruned_on: Mutex::default(),
            is_stopping: AtomicBool::new(false),
        }
    }
}

impl Service {
    /// Sends what is due; every few seconds.
    pub fn run_webhooks(&self) -> Result<(), Error> {
        let all = self.store.read(webhooks::all)?;
        if all.is_empty() {
            return Ok(());
        }
        let (now, today) = (self.now(), self.today());
        if *self.webhook_sender.pruned_on.lock() != Some(today) {
            self.store
                .write(|db| Ok(webhook_deliveries::prune(db, now - KEPT)?))?;
            *self.webhook_sender.pruned_on.lock() = Some(today);
        }
        let mut caller = None;
        for webhook in all {
            if !webhook.is_enabled() || webhook.paused_until > now {
                continue;
            }
            let due = self
                .store
                .read(|db| webhook_deliveries::due(db, webhook.id, now, BATCH))?;
            for delivery in due {
                if self.webhook_sender.is_stopping.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let sender = &self.webhook_sender;
                let caller =
                    caller.get_or_insert_with(|| Caller::new(&sender.callable, sender.timeout));
                // The others wait for the next turn, so that no receiver waits for one that fails.
                if !self.deliver(caller, webhook.id, &delivery)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Sends no further events: the server stops.
    pub fn stop_webhooks(&self) {
        self.webhook_sender
            .is_stopping
            .store(true, Ordering::Relaxed);
    }

    /// False if the receiver did not take it.
    fn deliver(
        &self,
        caller: &Caller,
        webhook_id: i64,
        delivery: &WebhookDelivery,
    ) -> Result<bool, Error> {
        // It may have been disabled, or its secret replaced, since the last event.
        let webhook = self.store.read(|db| webhooks::get(db, webhook_id))?;
        let Some(webhook) = webhook.filter(Webhook::is_enabled) else {
            return Ok(false);
        };
        let webhook = self.with_plain_secrets(webhook)?;
        let now = self.now();
        let (id, body) = (&*delivery.message_id, &*delivery.body);
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", &now.unix_timestamp().to_string()),
            ("webhook-signature", &webhook.signatures(id, body, now)),
        ];
        let outcome = caller.post(&webhook.url, &headers, body);
        let is_taken = outcome.is_taken();
        let settled = self
            .store
            .write(|db| self.settle_delivery(db, delivery, outcome))?;
        let Some((after, disabled)) = settled else {
            return Ok(is_taken);
        };
        self.log.event(
            "webhook",
            &[
                ("id", &after.id),
                ("webhook", &after.webhook_id),
                ("kind", &after.event.as_str()),
                ("state", &after.state.as_str()),
                ("status", &after.status.unwrap_or_default()),
                ("attempts", &after.attempts),
            ],
        );
        if let Some(webhook) = disabled {
            let receiver = webhook.origin();
            self.log.event(
                "webhook_disabled",
                &[
                    ("webhook", &webhook.id),
                    ("receiver", &receiver),
                    ("state", &webhook.state.as_str()),
                ],
            );
        }
        Ok(is_taken)
    }

    /// The delivery after an attempt, and its webhook if this disabled it; none if somebody changed it meanwhile.
    fn settle_delivery(
        &self,
        db: &WriteTx<'_>,
        before: &WebhookDelivery,
        outcome: Outcome,
    ) -> Result<Option<(WebhookDelivery, Option<Webhook>)>, Error> {
        let now = self.now();
        let (is_taken, is_gone, is_of_receiver) = (
            outcome.is_taken(),
            outcome.is_gone(),
            outcome.is_of_receiver(),
        );
        let after = outcome.on(before, now);
        if !webhook_deliveries::set_state(db, before, &after)? {
            return Ok(None);
        }
        let Some(mut webhook) = webhooks::get(db, before.webhook_id)? else {
            return Ok(None);
        };
        let took_none = webhook.taken_at.is_none_or(|at| at < before.queued_at);
        if is_taken {
            webhook.taken_at = Some(now);
            webhook.paused_until = OffsetDateTime::UNIX_EPOCH;
        } else if is_of_receiver && after.state == DeliveryState::Waiting {
            webhook.paused_until = after.next_at;
        }
        let is_enabled = webhook.is_enabled();
        if is_enabled && is_gone {
            webhook.state = WebhookState::Gone;
        } else if is_enabled && after.state == DeliveryState::Failed && took_none {
            webhook.state = WebhookState::Failed;
        }
        webhooks::set(db, &webhook)?;
        let is_disabled = is_enabled && !webhook.is_enabled();
        if is_disabled {
            let event = Event::new(Kind::WebhookChanged, &Actor::webhooks())
                .with("webhook", webhook.id)
                .with("receiver", webhook.origin())
                .with("status", webhook.state.as_str());
            audit::append(db, event, now)?;
        }
        Ok(Some((after, is_disabled.then_some(webhook))))
    }
}
