//! The people who sign in: a list, an invitation, and a page for each.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::{OffsetDateTime, UtcOffset};

use super::Page;
use super::confirm::ConfirmPage;
use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::mailto::mailto;
use super::reason::{Reason, ReasonForm};
use super::shown;
use crate::auth;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::role::Role;
use crate::model::user::UserValues;
use crate::request::{App, Failure};
use crate::service::{FormerPerson, Invited, NewInvitation, Person, Service};

pub(super) fn routes() -> Vec<Route> {
    routes![
        list,
        new,
        invite,
        invite_again,
        withdraw,
        show,
        change,
        set_state,
        confirm_reset,
        reset_factor,
        confirm_removal,
        remove,
        confirm_erasure,
        erase
    ]
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    people: Vec<Person>,
    invited: Vec<Invited>,
    former: Vec<FormerPerson>,
    offset: UtcOffset,
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    frame: Frame,
    /// None for a new person.
    person: Option<Person>,
    is_self: bool,
    draft: PersonForm,
    problems: Vec<Problem>,
    /// Of disabling the person.
    reason: Reason,
    /// Whether there is a mail server.
    is_mailing: bool,
    offset: UtcOffset,
}

#[derive(Template)]
#[template(path = "invited.html")]
struct InvitedPage {
    frame: Frame,
    values: UserValues,
    /// None if it is mailed.
    url: Option<String>,
    mailto: Option<String>,
}

impl InvitedPage {
    fn new(frame: Frame, values: UserValues, made: NewInvitation) -> InvitedPage {
        let mail = made.mail;
        InvitedPage {
            frame,
            mailto: mail
                .and_then(|mail| mailto(&mail.recipient, &mail.text.subject, &mail.text.body)),
            values,
            url: made.url,
        }
    }
}

impl PersonPage {
    fn problem(&self, field: &str) -> Option<&str> {
        let problem = self.problems.iter().find(|p| p.field == field);
        problem.map(|problem| problem.message.as_str())
    }
}

/// What a role may do, for those who choose one.
fn about(role: Role) -> &'static str {
    match role {
        Role::Viewer => "can view licenses, codes, customers, requests and tools.",
        Role::Staff => "can also work with licenses, codes, customers and requests.",
        Role::Owner => {
            "has full access, including people, keys, tokens, shops, tools and settings."
        }
    }
}

#[derive(FromForm, Default)]
struct PersonForm {
    #[field(default = "")]
    name: String,
    #[field(default = "")]
    email: String,
    #[field(default = "")]
    role: String,
}

impl PersonForm {
    fn of(values: &UserValues) -> PersonForm {
        PersonForm {
            name: values.name.clone(),
            email: values.email.clone(),
            role: values.role.as_str().to_owned(),
        }
    }

    fn parse(&self) -> Result<UserValues, Error> {
        UserValues::parse(&self.name, &self.email, &self.role)
    }
}

#[get("/people")]
async fn list(app: &App, _session: auth::Session, frame: Frame) -> Result<Page, Failure> {
    let all = |service: &Service| Ok((service.people()?, service.former_people()?));
    let ((people, invited), former) = app.run(all).await?;
    Ok(Page::new(&PeoplePage {
        frame,
        people,
        invited,
        former,
        offset: app.utc_offset(),
    })?)
}

#[get("/people/new")]
fn new(app: &App, _session: auth::Session, frame: Frame) -> Result<Page, Failure> {
    let draft = PersonForm {
        role: Role::Staff.as_str().to_owned(),
        ..PersonForm::default()
    };
    Ok(page(app, frame, None, false, draft, vec![])?)
}

#[post("/people", data = "<form>")]
async fn invite(app: &App, frame: Frame, form: SignedInForm<PersonForm>) -> Result<Page, Failure> {
    let SignedInForm {
        form,
        actor,
        session,
        ..
    } = form;
    let invited = match form.parse() {
        Ok(values) => {
            let made = app.run(move |service| {
                let made = service.invite(&actor, session.user_id, &values)?;
                Ok((values, made))
            });
            made.await
        }
        Err(error) => Err(error),
    };
    match invited {
        Ok((values, made)) => Ok(Page::new(&InvitedPage::new(frame, values, made))?),
        Err(Error::Invalid(problems)) => Ok(page(app, frame, None, false, form, problems)?),
        Err(error) => Err(error.into()),
    }
}

#[post("/people/invitations/<id>/again", data = "<form>")]
async fn invite_again(
    app: &App,
    frame: Frame,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Page, Failure> {
    let SignedInForm { session, actor, .. } = form;
    let (values, made) = app
        .run(move |service| service.invite_again(&actor, session.user_id, id))
        .await?;
    Ok(Page::new(&InvitedPage::new(frame, values, made))?)
}

#[post("/people/invitations/<id>/withdraw", data = "<form>")]
async fn withdraw(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let withdrawn = app
        .run(move |service| service.withdraw_invitation(&form.actor, id))
        .await?;
    let message = format!("Invitation of {} withdrawn.", withdrawn.values.name);
    Ok(redirect_with_flash(config, "/people", &message))
}

#[get("/people/<id>")]
async fn show(app: &App, session: auth::Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let person = app.run(move |service| service.person(id)).await?;
    let draft = PersonForm::of(&person.user.values);
    let is_self = session.0.session.user_id == id;
    Ok(page(app, frame, Some(person), is_self, draft, vec![])?)
}

#[post("/people/<id>", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<PersonForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm {
        form,
        actor,
        session,
        ..
    } = form;
    let changed = match form.parse() {
        Ok(values) => {
            let changed = app.run(move |service| {
                service.change_person(&actor, id, &values)?;
                Ok(values.name)
            });
            changed.await
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(name) => {
            let path = format!("/people/{id}");
            let flashed = redirect_with_flash(config, &path, &format!("{name} saved."));
            Ok(Either::Left(flashed))
        }
        Err(Error::Invalid(problems)) => {
            let person = app.run(move |service| service.person(id)).await?;
            let is_self = session.user_id == id;
            let page = page(app, frame, Some(person), is_self, form, problems)?;
            Ok(Either::Right(page))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(FromForm)]
struct StateForm {
    #[field(default = false)]
    disabled: bool,
    #[field(default = "")]
    reason: String,
}

#[post("/people/<id>/state", data = "<form>")]
async fn set_state(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<StateForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm {
        form,
        actor,
        session,
        ..
    } = form;
    let is_disabled = form.disabled;
    let actor = match actor.because(&form.reason) {
        Ok(actor) => actor,
        Err(problem) => {
            let person = app.run(move |service| service.person(id)).await?;
            let page = PersonPage {
                frame,
                draft: PersonForm::of(&person.user.values),
                person: Some(person),
                is_self: session.user_id == id,
                problems: vec![],
                reason: Reason::refused(form.reason, problem),
                is_mailing: app.sends_mail(),
                offset: app.utc_offset(),
            };
            return Ok(Either::Right(Page::with_status(422, &page)?));
        }
    };
    let user = app
        .run(move |service| service.set_disabled(&actor, id, is_disabled))
        .await?;
    let name = user.values.name;
    let message = match is_disabled {
        true => format!("{name} disabled, and signed out everywhere."),
        false => format!("{name} can sign in again."),
    };
    let path = format!("/people/{id}");
    Ok(Either::Left(redirect_with_flash(config, &path, &message)))
}

#[get("/people/<id>/reset-factor")]
async fn confirm_reset(
    app: &App,
    session: auth::Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    let own = session.0.session.user_id;
    let person = app
        .run(move |service| service.person_to_reset(own, id))
        .await?;
    let name = person.user.values.name;
    Ok(Page::new(&ConfirmPage {
        frame,
        reason: None,
        question: format!("Remove the second factor of {name}?"),
        consequence: format!(
            "All sessions of {name} end at once, and the password alone signs in until a new second factor is set \
             up. Be sure that it is {name} who asks you, not somebody who knows the password. This cannot be undone."
        ),
        lost: None,
        action: format!("/people/{id}/reset-factor"),
        fields: vec![],
        button: "Remove second factor",
        back: format!("/people/{id}"),
    })?)
}

#[post("/people/<id>/reset-factor", data = "<form>")]
async fn reset_factor(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let own = form.session.user_id;
    let user = app
        .run(move |service| service.reset_factor_of_other(&form.actor, own, id))
        .await?;
    let name = user.values.name;
    let message = format!("Second factor of {name} removed; all sessions of {name} have ended.");
    let path = format!("/people/{id}");
    Ok(redirect_with_flash(config, &path, &message))
}

#[get("/people/<id>/remove")]
async fn confirm_removal(
    app: &App,
    _session: auth::Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    let person = app.run(move |service| service.person(id)).await?;
    Ok(Page::new(&removal(frame, id, &person, Reason::default()))?)
}

fn removal(frame: Frame, id: i64, person: &Person, reason: Reason) -> ConfirmPage {
    let tokens = match person.tokens {
        0 => "",
        1 => " One API token stops working.",
        _ => " All API tokens of this person stop working.",
    };
    ConfirmPage {
        frame,
        reason: Some(reason),
        question: format!("Remove {}?", person.user.values.name),
        consequence: format!(
            "All sessions end at once.{tokens} The audit log keeps the name, until you erase it there. This cannot be undone; to keep the \
             account for later, disable it instead."
        ),
        lost: None,
        action: format!("/people/{id}/remove"),
        fields: vec![],
        button: "Remove person",
        back: format!("/people/{id}"),
    }
}

#[post("/people/<id>/remove", data = "<form>")]
async fn remove(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<ReasonForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let actor = match actor.because(&form.reason) {
        Ok(actor) => actor,
        Err(problem) => {
            let person = app.run(move |service| service.person(id)).await?;
            let reason = Reason::refused(form.reason, problem);
            let page = Page::with_status(422, &removal(frame, id, &person, reason))?;
            return Ok(Either::Right(page));
        }
    };
    let user = app
        .run(move |service| service.remove_person(&actor, id))
        .await?;
    let message = format!("{} removed.", user.values.name);
    Ok(Either::Left(redirect_with_flash(
        config, "/people", &message,
    )))
}

#[get("/people/former/<id>/erase")]
async fn confirm_erasure(
    app: &App,
    _session: auth::Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    let person = app.run(move |service| service.former_person(id)).await?;
    Ok(Page::new(&ConfirmPage {
        frame,
        reason: None,
        question: format!("Erase {} from the audit log?", person.name),
        consequence: "Name, e-mail address, browsers, reasons, and addresses from which nobody else did anything are \
                      replaced by their hashes, in all entries: nobody can see any longer who made these changes. The \
                      log can still be verified. What is also the name of a customer or of somebody who signs in now \
                      stays. This cannot be undone, and backups are not changed."
            .to_owned(),
        lost: None,
        action: format!("/people/former/{id}/erase"),
        fields: vec![],
        button: "Erase person",
        back: "/people".to_owned(),
    })?)
}

#[post("/people/former/<id>/erase", data = "<form>")]
async fn erase(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    app.run(move |service| service.erase_former_person(&form.actor, id))
        .await?;
    let message = "The person was erased from the audit log.";
    Ok(redirect_with_flash(config, "/people", message))
}

fn page(
    app: &App,
    frame: Frame,
    person: Option<Person>,
    is_self: bool,
    draft: PersonForm,
    problems: Vec<Problem>,
) -> Result<Page, Error> {
    let status = if problems.is_empty() { 200 } else { 422 };
    let page = PersonPage {
        reason: Reason::default(),
        frame,
        person,
        is_self,
        draft,
        problems,
        is_mailing: app.sends_mail(),
        offset: app.utc_offset(),
    };
    Page::with_status(status, &page)
}

/// When a session of the person was last used, or else when the last one began.
fn last_used(person: &Person) -> Option<OffsetDateTime> {
    let used = person.sessions.first().map(|session| session.last_used_at);
    used.or(person.user.signed_in_at)
}
