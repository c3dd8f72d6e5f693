//! The outbox: what is sent to customers, what was not, and why.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::mailto::mailto;
use super::{Page, query, shown};
use crate::auth::Session;
use crate::config::Config;
use crate::error::Error;
use crate::model::mail::{Mail, MailState, Topic};
use crate::model::role::Role;
use crate::request::{App, Failure};
use crate::service::MailLink;

const PER_PAGE: usize = 50;

pub(super) fn routes() -> Vec<Route> {
    routes![list, test, show, send_again, drop_mail]
}

#[derive(Template)]
#[template(path = "mail.html")]
struct MailPage {
    frame: Frame,
    link: Option<MailLink>,
    counts: [(MailState, i64); MailState::ALL.len()],
    state: Option<MailState>,
    mails: Vec<Mail>,
    /// Whether this is the newest part.
    is_first: bool,
    /// The URL query of the next part.
    older: Option<String>,
    typed: String,
    problem: Option<String>,
    offset: UtcOffset,
}

impl MailPage {
    fn address(&self, state: &MailState) -> String {
        query(&[("state", state.as_str())])
    }

    /// States that some mail has, and the current one.
    fn tabs(&self) -> Vec<(MailState, i64)> {
        let is_shown =
            |(state, number): &(MailState, i64)| *number > 0 || self.state == Some(*state);
        self.counts.into_iter().filter(is_shown).collect()
    }

    fn is_empty(&self) -> bool {
        self.counts.iter().all(|(_, number)| *number == 0)
    }
}

#[derive(Template)]
#[template(path = "mail_one.html")]
struct OneMailPage {
    frame: Frame,
    mail: Mail,
    topics: Vec<Topic>,
    mailto: Option<String>,
    offset: UtcOffset,
}

/// The style of a state's mark.
pub(super) fn mark(state: &MailState) -> &'static str {
    match state {
        MailState::Sent => "activated",
        MailState::Waiting | MailState::Sending | MailState::Uncertain => "suspended",
        MailState::Failed => "revoked",
        MailState::Dropped => "expired",
    }
}

/// `before` is the ID of the last mail of the previous part.
#[get("/mail?<state>&<before>")]
async fn list(
    app: &App,
    _session: Session,
    frame: Frame,
    state: Option<&str>,
    before: Option<i64>,
) -> Result<Page, Failure> {
    let state = state.and_then(MailState::from_word);
    Ok(Page::new(&page(app, frame, state, before).await?)?)
}

async fn page(
    app: &App,
    frame: Frame,
    state: Option<MailState>,
    before: Option<i64>,
) -> Result<MailPage, Error> {
    let from = before.unwrap_or(i64::MAX);
    let (link, counts, mut mails) = app
        .run(move |service| {
            Ok((
                service.mail_link()?,
                service.mail_counts()?,
                service.mails(state, from, PER_PAGE + 1)?,
            ))
        })
        .await?;
    let has_older = mails.len() > PER_PAGE;
    mails.truncate(PER_PAGE);
    let last = mails.last().filter(|_| has_older).map(|mail| mail.id);
    let role = frame.role.unwrap_or(Role::Viewer);
    mails.retain(|mail| mail.event.is_for(role));
    let word = state.map_or("", MailState::as_str);
    Ok(MailPage {
        frame,
        link,
        counts,
        state,
        older: last.map(|id| query(&[("state", word), ("before", &id.to_string())])),
        mails,
        is_first: before.is_none(),
        typed: String::new(),
        problem: None,
        offset: app.utc_offset(),
    })
}

#[derive(FromForm)]
struct TestForm {
    #[field(default = "")]
    email: String,
}

#[post("/mail/test", data = "<form>")]
async fn test(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<TestForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let to = form.email.clone();
    let queued = app
        .run(move |service| service.send_test_mail(&actor, &to))
        .await;
    match queued {
        Ok(()) => Ok(Either::Left(redirect_with_flash(
            config,
            "/mail",
            "The test mail is on its way. Reload this page in a few seconds.",
        ))),
        Err(Error::Invalid(problems)) => {
            let page = MailPage {
                typed: form.email,
                problem: problems.into_iter().next().map(|problem| problem.message),
                ..page(app, frame, None, None).await?
            };
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[get("/mail/<id>")]
async fn show(app: &App, session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let role = session.0.session.role;
    let (mail, topics) = app.run(move |service| service.mail_for(role, id)).await?;
    Ok(Page::new(&OneMailPage {
        frame,
        mailto: mailto(&mail.recipient, &mail.subject, &mail.body),
        mail,
        topics,
        offset: app.utc_offset(),
    })?)
}

#[post("/mail/<id>/again", data = "<form>")]
async fn send_again(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    app.run(move |service| {
        service.mail_for(form.session.role, id)?;
        service.send_again(&form.actor, id)
    })
    .await?;
    let path = format!("/mail/{id}");
    let message = "The mail is on its way. Reload this page in a few seconds.";
    Ok(redirect_with_flash(config, &path, message))
}

#[post("/mail/<id>/drop", data = "<form>")]
async fn drop_mail(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    app.run(move |service| {
        service.mail_for(form.session.role, id)?;
        service.drop_mail(&form.actor, id)
    })
    .await?;
    let path = format!("/mail/{id}");
    Ok(redirect_with_flash(
        config,
        &path,
        "The mail will not be sent.",
    ))
}
