//! Webhooks: adding and changing them, and what became of their events.

use time::{Duration, OffsetDateTime};

use super::Service;
use super::secrets::random;
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::webhook::{
    DeliveryState, MAX_WEBHOOKS, ROTATION, Webhook, WebhookDelivery, WebhookDraft, WebhookState,
    shown_secret,
};
use crate::model::webhook_body::test;
use crate::model::webhook_event::WebhookEvent;
use crate::store::{Db, WriteTx, audit, webhook_deliveries, webhooks};

const NO_SUCH_WEBHOOK: Error = Error::NotFound("Webhook not found.");
const NO_SUCH_DELIVERY: Error = Error::NotFound("Event not found; events are kept for 30 days.");

/// How long a failed event is pointed out.
const POINTED_OUT: Duration = Duration::days(7);

/// A webhook and its events by state.
pub struct WebhookUse {
    pub webhook: Webhook,
    /// In the order of [`DeliveryState::ALL`].
    pub counts: [(DeliveryState, i64); DeliveryState::ALL.len()],
    /// Events that failed in the last days.
    pub failed: i64,
}

impl WebhookUse {
    /// Whether somebody should look at it.
    pub fn is_troubled(&self) -> bool {
        self.failed > 0
            || matches!(
                self.webhook.state,
                WebhookState::Failed | WebhookState::Gone
            )
    }

    pub fn waiting(&self) -> i64 {
        let waiting = |(state, _): &&(DeliveryState, i64)| *state == DeliveryState::Waiting;
        self.counts
            .iter()
            .find(waiting)
            .map_or(0, |(_, number)| *number)
    }
}

type States = [(WebhookState, i64); WebhookState::ALL.len()];
type DeliveryStates = [(DeliveryState, i64); DeliveryState::ALL.len()];

impl Service {
    /// The first one first.
    pub fn webhooks(&self) -> Result<Vec<WebhookUse>, Error> {
        let since = self.now() - POINTED_OUT;
        self.store.read_tx(|db| {
            let counts = webhook_deliveries::counts(db)?;
            let failed = webhook_deliveries::failed_since(db, since)?;
            let all = webhooks::all(db)?.into_iter().map(|webhook| {
                let of = |(id, _): &&(i64, i64)| *id == webhook.id;
                let own = counts.iter().filter(|(id, ..)| *id == webhook.id);
                WebhookUse {
                    counts: by_state(own.map(|(_, state, number)| (*state, *number))),
                    failed: failed.iter().find(of).map_or(0, |(_, number)| *number),
                    webhook,
                }
            });
            Ok(all.collect())
        })
    }

    pub fn webhook(&self, id: i64) -> Result<WebhookUse, Error> {
        let mut all = self.webhooks()?.into_iter();
        all.find(|one| one.webhook.id == id).ok_or(NO_SUCH_WEBHOOK)
    }

    /// Webhooks and events by state; none if there is no webhook.
    pub(super) fn webhook_counts(&self) -> Result<Option<(States, DeliveryStates)>, Error> {
        let all = self.webhooks()?;
        if all.is_empty() {
            return Ok(None);
        }
        let states = WebhookState::ALL.map(|state| {
            let of_state = all.iter().filter(|one| one.webhook.state == state);
            (state, of_state.count() as i64)
        });
        let counts = all.iter().flat_map(|one| one.counts);
        Ok(Some((states, by_state(counts))))
    }

    /// The delivery because of which nothing is sent to the webhook for a while.
    pub fn pausing_delivery(&self, webhook: &Webhook) -> Result<Option<WebhookDelivery>, Error> {
        self.store
            .read(|db| webhook_deliveries::tried_again_at(db, webhook.id, webhook.paused_until))
    }

    /// Newest first, older than `before`, of one state or of all.
    pub fn webhook_deliveries(
        &self,
        id: i64,
        state: Option<DeliveryState>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<WebhookDelivery>, Error> {
        self.store
            .read(|db| webhook_deliveries::page(db, id, state, before, limit))
    }

    pub fn webhook_delivery(
        &self,
        id: i64,
        delivery: i64,
    ) -> Result<(Webhook, WebhookDelivery), Error> {
        let find = |db: &Db| {
            Ok((
                webhooks::get(db, id)?,
                webhook_deliveries::get(db, delivery)?,
            ))
        };
        let (webhook, delivery) = self.store.read_tx(find)?;
        let webhook = webhook.ok_or(NO_SUCH_WEBHOOK)?;
        let delivery = delivery.filter(|delivery| delivery.webhook_id == id);
        Ok((webhook, delivery.ok_or(NO_SUCH_DELIVERY)?))
    }

    /// Its ID, and the secret that signs.
    pub fn create_webhook(
        &self,
        actor: &Actor,
        draft: &WebhookDraft,
    ) -> Result<(i64, String), Error> {
        let (url, description, events) = draft.parse(&self.webhook_sender.callable)?;
        let (now, secret) = (self.now(), shown_secret(&random::<32>()?));
        let id = self.store.write(|db| {
            if webhooks::all(db)?.len() >= MAX_WEBHOOKS {
                return Err(Error::invalid(
                    "url",
                    format!(
                        "There are {MAX_WEBHOOKS} webhooks, the most there can be. Delete one."
                    ),
                ));
            }
            let id = webhooks::add(db, &url, &description, &events, now)?;
            let mut webhook = existing(db, id)?;
            webhook.secret = self.encryption.encrypt(&encrypted_as(id), &secret)?;
            webhooks::set(db, &webhook)?;
            audit::append(db, about(Kind::WebhookCreated, actor, &webhook), now)?;
            Ok(id)
        })?;
        Ok((id, secret))
    }

    pub fn set_webhook(&self, actor: &Actor, id: i64, draft: &WebhookDraft) -> Result<(), Error> {
        let (url, description, events) = draft.parse(&self.webhook_sender.callable)?;
        self.change_webhook(actor, id, |_, webhook, event| {
            (webhook.url, webhook.description, webhook.events) = (url, description, events);
            Ok(event)
        })
    }

    /// What waits is tried as if it were new.
    pub fn enable_webhook(&self, actor: &Actor, id: i64, is_enabled: bool) -> Result<(), Error> {
        self.change_webhook(actor, id, |db, webhook, event| {
            webhook.state = match is_enabled {
                true => WebhookState::Enabled,
                false => WebhookState::Disabled,
            };
            webhook.paused_until = OffsetDateTime::UNIX_EPOCH;
            if is_enabled {
                webhook_deliveries::queue_again(db, id, self.now())?;
            }
            Ok(event.with("status", webhook.state.as_str()))
        })
    }

    /// The new secret. The one before signs, too, for a day.
    pub fn rotate_webhook_secret(&self, actor: &Actor, id: i64) -> Result<String, Error> {
        let secret = shown_secret(&random::<32>()?);
        let stored = self.encryption.encrypt(&encrypted_as(id), &secret)?;
        self.change_webhook(actor, id, |_, webhook, event| {
            let old = std::mem::replace(&mut webhook.secret, stored);
            webhook.old_secret = Some((old, self.now() + ROTATION));
            Ok(event.with("secret", "replaced"))
        })?;
        Ok(secret)
    }

    /// Ready to sign.
    pub(super) fn with_plain_secrets(&self, webhook: Webhook) -> Result<Webhook, Error> {
        let reveal = |stored: &str| self.encryption.reveal(&encrypted_as(webhook.id), stored);
        let old = webhook.old_secret.as_ref();
        let old = old.map(|(old, until)| Ok::<_, Error>((reveal(old)?, *until)));
        Ok(Webhook {
            secret: reveal(&webhook.secret)?,
            old_secret: old.transpose()?,
            ..webhook
        })
    }

    /// With its events. Returns what it was.
    pub fn delete_webhook(&self, actor: &Actor, id: i64) -> Result<Webhook, Error> {
        self.store.write(|db| {
            let webhook = existing(db, id)?;
            webhooks::delete(db, id)?;
            let event = about(Kind::WebhookDeleted, actor, &webhook);
            audit::append(db, event, self.now())?;
            Ok(webhook)
        })
    }

    pub fn send_test_event(&self, id: i64) -> Result<(), Error> {
        let now = self.now();
        self.store.write(|db| {
            let webhook = enabled(db, id)?;
            webhooks::set(db, &webhook)?;
            webhook_deliveries::add(db, id, WebhookEvent::Test, &test(id, now), now)?;
            Ok(())
        })
    }

    /// However often, with the same ID.
    pub fn deliver_again(&self, id: i64, delivery: i64) -> Result<(), Error> {
        let now = self.now();
        self.store.write(|db| {
            let webhook = enabled(db, id)?;
            let before = webhook_deliveries::get(db, delivery)?;
            let before = before.filter(|delivery| delivery.webhook_id == id);
            let before = before.ok_or(NO_SUCH_DELIVERY)?;
            if before.body.is_empty() {
                let message = "The customer was erased, and the content of this event with it.";
                return Err(Error::Conflict(message.into()));
            }
            let after = WebhookDelivery {
                state: DeliveryState::Waiting,
                queued_at: now,
                next_at: now,
                ended_at: None,
                attempts: 0,
                ..before.clone()
            };
            webhook_deliveries::set_state(db, &before, &after)?;
            webhooks::set(db, &webhook)?;
            Ok(())
        })
    }

    fn change_webhook(
        &self,
        actor: &Actor,
        id: i64,
        change: impl FnOnce(&WriteTx<'_>, &mut Webhook, Event) -> Result<Event, Error>,
    ) -> Result<(), Error> {
        self.store.write(|db| {
            let before = existing(db, id)?;
            let mut after = before.clone();
            let event = about(Kind::WebhookChanged, actor, &before);
            let mut event = change(db, &mut after, event)?;
            if after == before {
                return Ok(());
            }
            webhooks::set(db, &after)?;
            if after.origin() != before.origin() {
                event = event.with("new_receiver", after.origin());
            }
            audit::append(db, event, self.now())?;
            Ok(())
        })
    }
}

/// What the secrets of a webhook are encrypted as.
pub(super) fn encrypted_as(id: i64) -> String {
    format!("The secret of webhook {id}")
}

fn existing(db: &Db, id: i64) -> Result<Webhook, Error> {
    webhooks::get(db, id)?.ok_or(NO_SUCH_WEBHOOK)
}

/// Without its pause, because somebody wants to know whether it answers by now.
fn enabled(db: &Db, id: i64) -> Result<Webhook, Error> {
    let webhook = existing(db, id)?;
    if !webhook.is_enabled() {
        return Err(Error::Conflict(
            "This webhook is disabled. Enable it first.".into(),
        ));
    }
    Ok(Webhook {
        paused_until: OffsetDateTime::UNIX_EPOCH,
        ..webhook
    })
}

/// Not the whole URL, which may be a secret.
fn about(kind: Kind, actor: &Actor, webhook: &Webhook) -> Event {
    Event::new(kind, actor)
        .with("webhook", webhook.id)
        .with("receiver", webhook.origin())
}

fn by_state(counts: impl Iterator<Item = (DeliveryState, i64)>) -> DeliveryStates {
    let mut all = DeliveryState::ALL.map(|state| (state, 0));
    for (state, number) in counts {
        for (other, sum) in &mut all {
            *sum += if *other == state { number } else { 0 };
        }
    }
    all
}
