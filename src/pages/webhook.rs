//! One webhook, and what became of the events that it is told.

use askama::Template;
use rocket::{FromForm, Route, State, get, post, routes};
use time::{OffsetDateTime, UtcOffset};

use super::confirm::ConfirmPage;
use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::{Page, query, shown};
use crate::auth::Session;
use crate::config::Config;
use crate::error::Error;
use crate::model::webhook::{DeliveryState, Webhook, WebhookDelivery, WebhookState};
use crate::request::{App, Failure};
use crate::service::WebhookUse;

const PER_PAGE: usize = 50;

pub(super) fn routes() -> Vec<Route> {
    routes![
        show,
        status,
        secret,
        send_test,
        confirm_delete,
        delete,
        show_delivery,
        deliver_again
    ]
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    frame: Frame,
    found: WebhookUse,
    /// Because of which nothing is sent for a while.
    pausing: Option<WebhookDelivery>,
    /// That was just made; it is never shown again.
    secret: Option<String>,
    state: Option<DeliveryState>,
    deliveries: Vec<WebhookDelivery>,
    /// Whether this is the newest part.
    is_first: bool,
    /// The URL query of the next part.
    older: Option<String>,
    now: OffsetDateTime,
    offset: UtcOffset,
}

impl WebhookPage {
    fn address(&self, state: &DeliveryState) -> String {
        query(&[("state", state.as_str())])
    }

    /// States that some event has, and the current one.
    fn tabs(&self) -> Vec<(DeliveryState, i64)> {
        let is_shown =
            |(state, number): &(DeliveryState, i64)| *number > 0 || self.state == Some(*state);
        self.found.counts.into_iter().filter(is_shown).collect()
    }

    /// Until when the secret before signs, too.
    fn old_until(&self) -> Option<OffsetDateTime> {
        let old = self.found.webhook.old_secret.as_ref();
        old.map(|(_, until)| *until)
            .filter(|until| self.now < *until)
    }

    fn paused_until(&self) -> Option<OffsetDateTime> {
        Some(self.found.webhook.paused_until).filter(|until| self.now < *until)
    }
}

#[derive(Template)]
#[template(path = "webhook_delivery.html")]
struct DeliveryPage {
    frame: Frame,
    webhook: Webhook,
    delivery: WebhookDelivery,
    offset: UtcOffset,
}

impl DeliveryPage {
    /// The body for people, in lines.
    fn body(&self) -> String {
        let read: Option<serde_json::Value> = serde_json::from_str(&self.delivery.body).ok();
        read.and_then(|body| serde_json::to_string_pretty(&body).ok())
            .unwrap_or_else(|| self.delivery.body.clone())
    }

    fn is_redirect(&self) -> bool {
        let status = self.delivery.status;
        status.is_some_and(|status| (300..400).contains(&status))
    }
}

/// The style of a webhook's mark.
pub(super) fn mark(state: &WebhookState) -> &'static str {
    match state {
        WebhookState::Enabled => "activated",
        WebhookState::Disabled => "expired",
        WebhookState::Failed | WebhookState::Gone => "revoked",
    }
}

/// The style of an event's mark.
fn delivery_mark(state: &DeliveryState) -> &'static str {
    match state {
        DeliveryState::Delivered => "activated",
        DeliveryState::Waiting => "suspended",
        DeliveryState::Failed => "revoked",
        DeliveryState::Dropped => "expired",
    }
}

/// `before` is the ID of the last event of the previous part.
#[get("/webhooks/<id>?<state>&<before>")]
async fn show(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
    state: Option<&str>,
    before: Option<i64>,
) -> Result<Page, Failure> {
    let state = state.and_then(DeliveryState::from_word);
    Ok(Page::new(&page(app, frame, id, state, before).await?)?)
}

async fn page(
    app: &App,
    frame: Frame,
    id: i64,
    state: Option<DeliveryState>,
    before: Option<i64>,
) -> Result<WebhookPage, Error> {
    let from = before.unwrap_or(i64::MAX);
    let (found, pausing, mut deliveries) = app
        .run(move |service| {
            let found = service.webhook(id)?;
            let pausing = service.pausing_delivery(&found.webhook)?;
            let deliveries = service.webhook_deliveries(id, state, from, PER_PAGE + 1)?;
            Ok((found, pausing, deliveries))
        })
        .await?;
    let has_older = deliveries.len() > PER_PAGE;
    deliveries.truncate(PER_PAGE);
    let last = deliveries.last().filter(|_| has_older).map(|one| one.id);
    let word = state.map_or("", DeliveryState::as_str);
    Ok(WebhookPage {
        frame,
        found,
        pausing,
        secret: None,
        state,
        older: last.map(|id| query(&[("state", word), ("before", &id.to_string())])),
        deliveries,
        is_first: before.is_none(),
        now: app.now(),
        offset: app.utc_offset(),
    })
}

/// With a secret that was just made, once.
pub(super) async fn page_with_secret(
    app: &App,
    frame: Frame,
    id: i64,
    secret: String,
) -> Result<Page, Failure> {
    let page = WebhookPage {
        secret: Some(secret),
        ..page(app, frame, id, None, None).await?
    };
    Ok(Page::new(&page)?)
}

#[derive(FromForm)]
struct StatusForm {
    #[field(default = false)]
    enable: bool,
}

#[post("/webhooks/<id>/status", data = "<form>")]
async fn status(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<StatusForm>,
) -> Result<Flashed, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let is_enabled = form.enable;
    app.run(move |service| service.enable_webhook(&actor, id, is_enabled))
        .await?;
    let message = match is_enabled {
        true => "The webhook is enabled.",
        false => "The webhook is disabled. Nothing is sent to it until you enable it.",
    };
    Ok(back(config, id, message))
}

#[post("/webhooks/<id>/secret", data = "<form>")]
async fn secret(
    app: &App,
    frame: Frame,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Page, Failure> {
    let actor = form.actor;
    let secret = app
        .run(move |service| service.rotate_webhook_secret(&actor, id))
        .await?;
    page_with_secret(app, frame, id, secret).await
}

#[post("/webhooks/<id>/test", data = "<_form>")]
async fn send_test(
    app: &App,
    config: &State<Config>,
    id: i64,
    _form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    app.run(move |service| service.send_test_event(id)).await?;
    let message = "The test event is on its way. Reload this page in a few seconds.";
    Ok(back(config, id, message))
}

#[get("/webhooks/<id>/delete")]
async fn confirm_delete(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    let found = app.run(move |service| service.webhook(id)).await?;
    let waiting = match found.waiting() {
        0 => String::new(),
        1 => " 1 waiting event will never be sent.".to_owned(),
        number => format!(
            " {} waiting events will never be sent.",
            shown::grouped(number)
        ),
    };
    Ok(Page::new(&ConfirmPage {
        frame,
        reason: None,
        question: format!("Delete the webhook to {}?", found.webhook.origin()),
        consequence: format!(
            "The receiver will get no more events, and the webhook’s secret and event history are deleted.{waiting} This \
             cannot be undone. To pause it, disable it instead."
        ),
        lost: None,
        action: format!("/webhooks/{id}/delete"),
        fields: vec![],
        button: "Delete webhook",
        back: format!("/webhooks/{id}"),
    })?)
}

#[post("/webhooks/<id>/delete", data = "<form>")]
async fn delete(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let webhook = app
        .run(move |service| service.delete_webhook(&form.actor, id))
        .await?;
    let message = format!("The webhook to {} was deleted.", webhook.origin());
    Ok(redirect_with_flash(config, "/webhooks", &message))
}

#[get("/webhooks/<id>/events/<call>")]
async fn show_delivery(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
    call: i64,
) -> Result<Page, Failure> {
    let (webhook, delivery) = app
        .run(move |service| service.webhook_delivery(id, call))
        .await?;
    Ok(Page::new(&DeliveryPage {
        frame,
        webhook,
        delivery,
        offset: app.utc_offset(),
    })?)
}

#[post("/webhooks/<id>/events/<call>/again", data = "<_form>")]
async fn deliver_again(
    app: &App,
    config: &State<Config>,
    id: i64,
    call: i64,
    _form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    app.run(move |service| service.deliver_again(id, call))
        .await?;
    let path = format!("/webhooks/{id}/events/{call}");
    let message = "The event is on its way. Reload this page in a few seconds.";
    Ok(redirect_with_flash(config, &path, message))
}

fn back(config: &Config, id: i64, message: &str) -> Flashed {
    redirect_with_flash(config, &format!("/webhooks/{id}"), message)
}
