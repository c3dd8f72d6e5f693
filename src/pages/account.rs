//! The account: password, sessions, API tokens.

use askama::Template;
use rocket::response::Redirect;
use rocket::{Either, FromForm, Request, Route, State, get, post, routes};
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use super::Page;
use super::confirm::ConfirmPage;
use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::shown;
use crate::auth::{self, SignInCookies};
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::date;
use crate::model::token::Scope;
use crate::model::user::UserValues;
use crate::request::{App, Failure};
use crate::service::NewPassword;
use crate::store::sessions::Session;
use crate::store::tokens::Token;

pub(super) fn routes() -> Vec<Route> {
    routes![
        show,
        change_name,
        change_password,
        end_session,
        end_others,
        create_token,
        confirm_revoke,
        revoke_token
    ]
}

#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct AccountPage {
    frame: Frame,
    own: OwnName,
    own_session: i64,
    sessions: Vec<Session>,
    tokens: Vec<Token>,
    /// The secret of a token that was just created; it is never shown again.
    secret: Option<String>,
    draft: TokenForm,
    has_factor: bool,
    /// Everybody must have a second factor, and this person has none.
    is_factor_missing: bool,
    has_random_password: bool,
    recovery_codes: i64,
    /// The checkbox beside a new password.
    is_revoking: bool,
    latest_expiration: String,
    problems: Vec<Problem>,
    now: OffsetDateTime,
    offset: UtcOffset,
}

impl AccountPage {
    fn problem(&self, field: &str) -> Option<&str> {
        self.problems
            .iter()
            .find(|p| p.field == field)
            .map(|p| p.message.as_str())
    }

    /// The tokens that a new password leaves valid; none if there are none.
    fn valid_tokens(&self) -> Option<String> {
        let is_valid = |token: &&Token| self.now < token.expires_at;
        let number = self.tokens.iter().filter(is_valid).count();
        (number > 0).then(|| api_tokens(number))
    }

    /// The database stores the midnight at the end of this date.
    fn expires_on(&self, token: &Token) -> Date {
        let last_moment = token.expires_at - Duration::SECOND;
        last_moment.to_offset(self.offset).date()
    }

    fn expiration_date(&self, token: &Token) -> String {
        date::format(self.expires_on(token))
    }

    fn expiration_distance(&self, token: &Token) -> String {
        let today = self.now.to_offset(self.offset).date();
        shown::distance(self.expires_on(token), today)
    }
}

fn api_tokens(number: usize) -> String {
    match number {
        1 => "1 API token".to_owned(),
        _ => format!("{} API tokens", shown::grouped(number as i64)),
    }
}

#[derive(FromForm)]
struct PasswordForm {
    #[field(default = "")]
    current: String,
    #[field(default = "")]
    new: String,
    #[field(default = "")]
    again: String,
    #[field(default = false)]
    revoke_tokens: bool,
}

#[derive(FromForm, Default)]
struct TokenForm {
    #[field(default = "")]
    name: String,
    #[field(default = false)]
    read: bool,
    #[field(default = false)]
    write: bool,
    #[field(default = false)]
    codes: bool,
    #[field(default = false)]
    orders: bool,
    #[field(default = false)]
    metrics: bool,
    #[field(default = false)]
    audit: bool,
    #[field(default = "")]
    expiration_date: String,
}

#[get("/account")]
async fn show(app: &App, session: auth::Session, frame: Frame) -> Result<Page, Failure> {
    let page = page(app, frame, &session.0.session, None, Vec::new()).await?;
    Ok(Page::new(&page)?)
}

/// The name is not `name`, which the page asks of a token.
#[derive(FromForm)]
struct OwnName {
    #[field(default = "")]
    user_name: String,
    #[field(default = "")]
    email: String,
}

impl OwnName {
    fn of(values: UserValues) -> OwnName {
        OwnName {
            user_name: values.name,
            email: values.email,
        }
    }
}

#[post("/account/name", data = "<form>")]
async fn change_name(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<OwnName>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm {
        form,
        session,
        actor,
        ..
    } = form;
    let (id, name, email) = (session.user_id, form.user_name.clone(), form.email.clone());
    let changed = app
        .run(move |service| service.change_own_name(&actor, id, &name, &email))
        .await;
    match changed {
        Ok(values) => {
            let message = format!("Saved. You sign in as {}.", values.name);
            Ok(Either::Left(redirect_with_flash(
                config, "/account", &message,
            )))
        }
        Err(Error::Invalid(mut problems)) => {
            for problem in problems.iter_mut().filter(|p| p.field == "name") {
                problem.field = "user_name";
            }
            let mut page = page(app, frame, &session, None, problems).await?;
            page.own = form;
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/account/password", data = "<form>")]
async fn change_password(
    app: &App,
    config: &State<Config>,
    cookies: SignInCookies<'_>,
    frame: Frame,
    form: SignedInForm<PasswordForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm {
        form,
        session,
        actor,
        signed_in,
    } = form;
    let changed = if form.new == form.again {
        let is_revoking = form.revoke_tokens;
        app.change_password(actor, signed_in, form.current, form.new, is_revoking)
            .await
    } else {
        Err(Error::invalid("again", "The passwords do not match."))
    };
    match changed {
        Ok(NewPassword {
            cookies: new,
            tokens,
        }) => {
            cookies.set(new);
            let mut message = "Password changed. All other sessions were ended.".to_owned();
            match (tokens, form.revoke_tokens) {
                (0, _) => {}
                (_, true) => message += &format!(" Revoked: {}.", api_tokens(tokens)),
                (_, false) => message += &format!(" Still valid: {}.", api_tokens(tokens)),
            }
            // The first sign-in was on the way there.
            let next = match session.has_random_password {
                true => "/",
                false => "/account",
            };
            let flashed = redirect_with_flash(config, next, &message);
            Ok(Either::Left(flashed))
        }
        Err(Error::Invalid(problems)) => {
            let mut page = page(app, frame, &session, None, problems).await?;
            page.is_revoking = form.revoke_tokens;
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/account/sessions/<id>/end", data = "<form>")]
async fn end_session(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let SignedInForm { session, actor, .. } = form;
    app.run(move |service| service.end_session(&actor, session.user_id, id))
        .await?;
    Ok(redirect_with_flash(config, "/account", "Session ended."))
}

#[post("/account/sessions/end-others", data = "<form>")]
async fn end_others(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let SignedInForm { session, actor, .. } = form;
    app.run(move |service| service.end_other_sessions(&actor, session.user_id, session.id))
        .await?;
    Ok(redirect_with_flash(
        config,
        "/account",
        "All other sessions ended.",
    ))
}

#[post("/account/tokens", data = "<form>")]
async fn create_token(
    app: &App,
    frame: Frame,
    form: SignedInForm<TokenForm>,
) -> Result<Page, Failure> {
    let SignedInForm {
        form,
        session,
        actor,
        ..
    } = form;
    let scopes: Vec<Scope> = [
        (form.read, Scope::Read),
        (form.write, Scope::Write),
        (form.codes, Scope::Codes),
        (form.orders, Scope::Orders),
        (form.metrics, Scope::Metrics),
        (form.audit, Scope::Audit),
    ]
    .into_iter()
    .filter_map(|(is_checked, scope)| is_checked.then_some(scope))
    .collect();
    let (name, day) = (form.name.clone(), form.expiration_date.clone());
    let user_id = session.user_id;
    let created = app
        .run(move |service| service.create_token(&actor, user_id, &name, &scopes, &day))
        .await;
    match created {
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

#[get("/account/tokens/<id>/revoke")]
async fn confirm_revoke(
    app: &App,
    session: auth::Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    let user_id = session.0.session.user_id;
    let tokens = app.run(move |service| service.tokens(user_id)).await?;
    let token = tokens.into_iter().find(|token| token.id == id);
    let token = token.ok_or(Error::NotFound("Token not found."))?;
    let used = match &token.last_use {
        Some(last) => format!(
            "It was last used on {} from {}.",
            shown::moment(&last.at, &app.utc_offset()),
            last.address
        ),
        None => "It has never been used.".to_owned(),
    };
    Ok(Page::new(&ConfirmPage {
        frame,
        reason: None,
        question: format!("Revoke the token {}?", token.name),
        consequence: format!(
            "Every program that sends it is refused at once. {used} This cannot be undone. To replace the token, \
             create a new one and enter it wherever this one is used."
        ),
        lost: None,
        action: format!("/account/tokens/{id}/revoke"),
        fields: vec![],
        button: "Revoke token",
        back: "/account".to_owned(),
    })?)
}

#[post("/account/tokens/<id>/revoke", data = "<form>")]
async fn revoke_token(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let SignedInForm { session, actor, .. } = form;
    let token = app
        .run(move |service| service.revoke_token(&actor, session.user_id, id))
        .await?;
    Ok(redirect_with_flash(
        config,
        "/account",
        &format!("Token {} revoked.", token.name),
    ))
}

/// For somebody who must have a second factor, or a password of her own, first.
pub(super) fn redirect(request: &Request<'_>) -> Redirect {
    let base = request.rocket().state().map_or("", Config::base_path);
    Redirect::to(format!("{base}/account"))
}

pub(super) async fn page_with_problems(
    app: &App,
    frame: Frame,
    session: &Session,
    problems: Vec<Problem>,
) -> Result<Page, Error> {
    let page = page(app, frame, session, None, problems).await?;
    Page::with_status(422, &page)
}

async fn page(
    app: &App,
    frame: Frame,
    session: &Session,
    draft: Option<TokenForm>,
    problems: Vec<Problem>,
) -> Result<AccountPage, Error> {
    let user_id = session.user_id;
    let (person, tokens, recovery_codes) = app
        .run(move |service| {
            Ok((
                service.person(user_id)?,
                service.tokens(user_id)?,
                service.recovery_codes_left(user_id)?,
            ))
        })
        .await?;
    let new = TokenForm {
        read: true,
        ..TokenForm::default()
    };
    Ok(AccountPage {
        frame,
        own: OwnName::of(person.user.values),
        own_session: session.id,
        sessions: person.sessions,
        tokens,
        secret: None,
        has_factor: session.has_factor,
        is_factor_missing: app.requires_two_factors() && !session.has_factor,
        has_random_password: session.has_random_password,
        recovery_codes,
        is_revoking: false,
        draft: draft.unwrap_or(new),
        latest_expiration: date::format(app.longest_token()),
        problems,
        now: app.now(),
        offset: app.utc_offset(),
    })
}
