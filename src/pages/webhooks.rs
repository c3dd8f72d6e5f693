//! Who is told of changes: the list of webhooks, and the form of one.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};

use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::webhook::mark;
use super::{Page, shown, webhook};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::webhook::WebhookDraft;
use crate::model::webhook_event::WebhookEvent;
use crate::request::{App, Failure};
use crate::service::{Service, WebhookUse};

pub(super) fn routes() -> Vec<Route> {
    routes![list, new, create, edit, change]
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    webhooks: Vec<WebhookUse>,
}

#[get("/webhooks")]
async fn list(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let webhooks = app.run(Service::webhooks).await?;
    Ok(Page::new(&WebhooksPage { frame, webhooks })?)
}

#[derive(Template)]
#[template(path = "webhook_form.html")]
struct FormPage {
    frame: Frame,
    /// None for a new one.
    id: Option<i64>,
    draft: WebhookDraft,
    problems: Vec<Problem>,
}

impl FormPage {
    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.message.as_str())
    }

    /// That people choose from.
    fn events(&self) -> impl Iterator<Item = WebhookEvent> {
        let is_chosen = |event: &WebhookEvent| *event != WebhookEvent::Test;
        WebhookEvent::ALL.into_iter().filter(is_chosen)
    }
}

#[derive(FromForm)]
struct WebhookForm {
    #[field(default = "")]
    url: String,
    #[field(default = "")]
    description: String,
    #[field(default = vec![])]
    events: Vec<String>,
}

impl From<WebhookForm> for WebhookDraft {
    fn from(form: WebhookForm) -> WebhookDraft {
        WebhookDraft {
            url: form.url,
            description: form.description,
            events: form.events,
        }
    }
}

#[get("/webhooks/new")]
fn new(_session: Session, frame: Frame) -> Result<Page, Failure> {
    Ok(Page::new(&FormPage {
        frame,
        id: None,
        draft: WebhookDraft::default(),
        problems: vec![],
    })?)
}

#[post("/webhooks", data = "<form>")]
async fn create(app: &App, frame: Frame, form: SignedInForm<WebhookForm>) -> Result<Page, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let draft = WebhookDraft::from(form);
    let typed = draft.clone();
    let created = app
        .run(move |service| service.create_webhook(&actor, &draft))
        .await;
    match created {
        Ok((id, secret)) => webhook::page_with_secret(app, frame, id, secret).await,
        Err(error) => Ok(again(frame, None, typed, error)?),
    }
}

#[get("/webhooks/<id>/edit")]
async fn edit(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let found = app.run(move |service| service.webhook(id)).await?;
    Ok(Page::new(&FormPage {
        frame,
        id: Some(id),
        draft: WebhookDraft::of(&found.webhook),
        problems: vec![],
    })?)
}

#[post("/webhooks/<id>", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<WebhookForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let draft = WebhookDraft::from(form);
    let typed = draft.clone();
    let saved = app
        .run(move |service| service.set_webhook(&actor, id, &draft))
        .await;
    match saved {
        Ok(()) => {
            let path = format!("/webhooks/{id}");
            let flashed = redirect_with_flash(config, &path, "Webhook saved.");
            Ok(Either::Left(flashed))
        }
        Err(error) => Ok(Either::Right(again(frame, Some(id), typed, error)?)),
    }
}

/// The form with what was typed and what is wrong with it; any other error as it is.
fn again(frame: Frame, id: Option<i64>, draft: WebhookDraft, error: Error) -> Result<Page, Error> {
    let Error::Invalid(problems) = error else {
        return Err(error);
    };
    let page = FormPage {
        frame,
        id,
        draft,
        problems,
    };
    Page::with_status(422, &page)
}
