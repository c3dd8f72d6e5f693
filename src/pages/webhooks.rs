//! Who is told of changes: the list of webhooks, and the form of one.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};

use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::opened::{Typed, carried, rebase};
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
    /// See [`opened`](super::opened).
    was: String,
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
    /// See [`opened`](super::opened).
    #[field(default = "")]
    was: String,
}

/// What can be changed about a webhook, as texts.
struct Texts {
    url: String,
    description: String,
    /// Words with blanks between them.
    events: String,
}

impl Texts {
    fn of(draft: WebhookDraft) -> Texts {
        Texts {
            url: draft.url,
            description: draft.description,
            events: draft.events.join(" "),
        }
    }

    fn typed(&mut self) -> [Typed<'_>; 3] {
        [
            ("url", &mut self.url),
            ("description", &mut self.description),
            ("events", &mut self.events),
        ]
    }

    fn draft(&self) -> WebhookDraft {
        WebhookDraft {
            url: self.url.clone(),
            description: self.description.clone(),
            events: self.events.split_whitespace().map(str::to_owned).collect(),
        }
    }
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
        was: String::new(),
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
        Err(Error::Invalid(problems)) => {
            let page = FormPage {
                frame,
                id: None,
                draft: typed,
                was: String::new(),
                problems,
            };
            Ok(Page::with_status(422, &page)?)
        }
        Err(error) => Err(error.into()),
    }
}

#[get("/webhooks/<id>/edit")]
async fn edit(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let found = app.run(move |service| service.webhook(id)).await?;
    let draft = WebhookDraft::of(&found.webhook);
    Ok(Page::new(&FormPage {
        frame,
        id: Some(id),
        was: carried(Texts::of(draft.clone()).typed()),
        draft,
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
    let SignedInForm {
        mut form, actor, ..
    } = form;
    let was = std::mem::take(&mut form.was);
    let mut typed = Texts::of(form.into());
    let (saved, draft, was) = app
        .run(move |service| {
            let current = WebhookDraft::of(&service.webhook(id)?.webhook);
            let mut current = Texts::of(current);
            let conflicts = rebase(&was, typed.typed(), current.typed());
            let draft = typed.draft();
            if !conflicts.is_empty() {
                return Ok((Err((409, conflicts)), draft, carried(current.typed())));
            }
            match service.set_webhook(&actor, id, &draft) {
                Err(Error::Invalid(problems)) => {
                    Ok((Err((422, problems)), draft, carried(current.typed())))
                }
                saved => saved.map(|()| (Ok(()), draft, was)),
            }
        })
        .await?;
    let Err((status, problems)) = saved else {
        let path = format!("/webhooks/{id}");
        let flashed = redirect_with_flash(config, &path, "Webhook saved.");
        return Ok(Either::Left(flashed));
    };
    let page = FormPage {
        frame,
        id: Some(id),
        draft,
        was,
        problems,
    };
    Ok(Either::Right(Page::with_status(status, &page)?))
}
