//! The account: password, sessions, API tokens.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::Page;
use super::flash::{Told, told};
use super::form::{Hidden, Posted};
use super::frame::Frame;
use super::shown;
use crate::auth;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::new_license::format_date;
use crate::model::token::Scope;
use crate::request::{App, Failure};
use crate::store::sessions::Session;
use crate::store::tokens::Token;

pub(super) fn routes() -> Vec<Route> {
    routes![
        show,
        change_password,
        end_session,
        end_others,
        create_token,
        revoke_token
    ]
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    own_session: i64,
    sessions: Vec<Session>,
    tokens: Vec<Token>,
    /// The secret of a token that was just made; it is shown this once.
    secret: Option<String>,
    typed: NewToken,
    longest: String,
    problems: Vec<Problem>,
    now: time::OffsetDateTime,
    offset: UtcOffset,
}

impl AccountPage {
    fn problem(&self, field: &str) -> Option<&str> {
        self.problems
            .iter()
            .find(|p| p.field == field)
            .map(|p| p.message.as_str())
    }
}

#[derive(FromForm)]
struct Passwords {
    #[field(default = "")]
    present: String,
    #[field(default = "")]
    new: String,
    #[field(default = "")]
    again: String,
}

#[derive(FromForm, Default)]
struct NewToken {
    #[field(default = "")]
    name: String,
    #[field(default = false)]
    read: bool,
    #[field(default = false)]
    write: bool,
    #[field(default = "")]
    last_day: String,
}

#[get("/account")]
async fn show(app: &App, session: auth::Session, frame: Frame) -> Result<Page, Failure> {
    let page = page(app, frame, &session.0.session, None, Vec::new()).await?;
    Ok(Page::new(&page)?)
}

#[post("/account/password", data = "<posted>")]
async fn change_password(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    posted: Posted<Passwords>,
) -> Result<Either<Told, Page>, Failure> {
    let Posted {
        form,
        session,
        actor,
    } = posted;
    let changed = if form.new == form.again {
        app.change_password(actor, form.present, form.new, session.id)
            .await
    } else {
        Err(Error::invalid(
            "again",
            "The new password was typed in two different ways.",
        ))
    };
    match changed {
        Ok(()) => Ok(Either::Left(told(
            config,
            "/account",
            "The password is changed; all other sessions have ended.",
        ))),
        Err(Error::Invalid(problems)) => {
            let page = page(app, frame, &session, None, problems).await?;
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/account/sessions/<id>/end", data = "<posted>")]
async fn end_session(
    app: &App,
    config: &State<Config>,
    id: i64,
    posted: Posted<Hidden>,
) -> Result<Told, Failure> {
    let Posted { session, actor, .. } = posted;
    app.run(move |service| service.end_session(&actor, session.user_id, id))
        .await?;
    Ok(told(config, "/account", "The session has ended."))
}

#[post("/account/sessions/end-others", data = "<posted>")]
async fn end_others(
    app: &App,
    config: &State<Config>,
    posted: Posted<Hidden>,
) -> Result<Told, Failure> {
    let Posted { session, actor, .. } = posted;
    app.run(move |service| service.end_other_sessions(&actor, session.user_id, session.id))
        .await?;
    Ok(told(config, "/account", "All other sessions have ended."))
}

#[post("/account/tokens", data = "<posted>")]
async fn create_token(app: &App, frame: Frame, posted: Posted<NewToken>) -> Result<Page, Failure> {
    let Posted {
        form,
        session,
        actor,
    } = posted;
    let scopes: Vec<Scope> = [(form.read, Scope::Read), (form.write, Scope::Write)]
        .into_iter()
        .filter_map(|(wanted, scope)| wanted.then_some(scope))
        .collect();
    let (user_id, name, last_day) = (session.user_id, form.name.clone(), form.last_day.clone());
    let made = app
        .run(move |service| service.create_token(&actor, user_id, &name, &scopes, &last_day))
        .await;
    match made {
        Ok(secret) => {
            let mut page = page(app, frame, &session, None, Vec::new()).await?;
            page.secret = Some(secret);
            Ok(Page::new(&page)?)
        }
        Err(Error::Invalid(problems)) => {
            let page = page(app, frame, &session, Some(form), problems).await?;
            Ok(Page::with_status(422, &page)?)
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/account/tokens/<id>/revoke", data = "<posted>")]
async fn revoke_token(
    app: &App,
    config: &State<Config>,
    id: i64,
    posted: Posted<Hidden>,
) -> Result<Told, Failure> {
    let Posted { session, actor, .. } = posted;
    let token = app
        .run(move |service| service.revoke_token(&actor, session.user_id, id))
        .await?;
    Ok(told(
        config,
        "/account",
        &format!("The token {} is revoked.", token.name),
    ))
}

async fn page(
    app: &App,
    frame: Frame,
    session: &Session,
    typed: Option<NewToken>,
    problems: Vec<Problem>,
) -> Result<AccountPage, Error> {
    let user_id = session.user_id;
    let (sessions, tokens) = app
        .run(move |service| Ok((service.sessions(user_id)?, service.tokens(user_id)?)))
        .await?;
    let begin = NewToken {
        read: true,
        ..NewToken::default()
    };
    Ok(AccountPage {
        frame,
        own_session: session.id,
        sessions,
        tokens,
        secret: None,
        typed: typed.unwrap_or(begin),
        longest: format_date(app.longest_token()),
        problems,
        now: app.now(),
        offset: app.utc_offset(),
    })
}
