//! Sign-in and sign-out.

use askama::Template;
use rocket::response::Redirect;
use rocket::{Either, FromForm, Request, Route, State, get, post, routes};

use super::form::{CsrfOnly, PublicForm, SignedInForm};
use super::frame::{Frame, Visitor};
use super::saved_form::{SavedForm, keep_open, local_path, resume};
use super::{Page, to};
use crate::auth::SignInCookies;
use crate::config::Config;
use crate::error::Error;
use crate::request::{App, Failure};
use crate::service::{Begun, Client, WRONG_CODE};

const TOO_LATE: &str = "The code came too late, or a code was used meanwhile. Start again.";

pub(super) fn routes() -> Vec<Route> {
    routes![show, left, log_in, log_out]
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    frame: &'a Frame,
    username: &'a str,
    next: &'a str,
    /// The urlencoded fields of a form that came too late, which may be none, and its action; empty if there is no form.
    again: &'a str,
    action: &'a str,
    /// A form came too late and was not kept.
    is_lost: bool,
    /// An open page was closed.
    has_left: bool,
    problem: Option<String>,
}

/// The second step, for people with a second factor.
#[derive(Template)]
#[template(path = "login_code.html")]
struct CodePage<'a> {
    frame: &'a Frame,
    next: &'a str,
    again: &'a str,
    action: &'a str,
    problem: Option<String>,
}

#[derive(FromForm)]
struct LoginForm {
    #[field(default = "")]
    username: String,
    #[field(default = "")]
    password: String,
    /// In place of name and password, in the second step.
    code: Option<String>,
    #[field(default = "")]
    next: String,
    #[field(default = "")]
    again: String,
    #[field(default = "")]
    action: String,
}

/// The login page in reply to a form that came after its session had ended; it is offered again after sign-in.
pub(super) fn resume_after_login(frame: &Frame, form: &SavedForm) -> Result<Page, Error> {
    if form.fields.is_some() && !form.is_small() {
        return keep_open(frame, form);
    }
    let page = LoginPage {
        frame,
        username: "",
        next: local_path(&form.page),
        again: form.fields.as_deref().unwrap_or_default(),
        action: form.fields.as_ref().map_or("", |_| local_path(&form.path)),
        is_lost: form.fields.is_none(),
        has_left: false,
        problem: None,
    };
    Page::with_status(401, &page)
}

/// To the login page, which then redirects to the requested page.
pub(super) fn redirect_to_login(request: &Request<'_>) -> Redirect {
    Redirect::to(with_next(request, "/login"))
}

/// The address of that page, which leads to the requested one.
pub(super) fn with_next(request: &Request<'_>, page: &str) -> String {
    let config: Option<&Config> = request.rocket().state();
    let base = config.map_or("", Config::base_path);
    let uri = request.uri().to_string();
    let path = config.map_or(&*uri, |config| config.below_base_path(&uri));
    let is_page = request.method() == rocket::http::Method::Get && !matches!(path, "" | "/");
    let query = if is_page {
        format!("?next={}", encode(path))
    } else {
        String::new()
    };
    format!("{base}{page}{query}")
}

#[get("/login?<next>")]
fn show(
    frame: Frame,
    config: &State<Config>,
    next: Option<&str>,
) -> Result<Either<Redirect, Page>, Failure> {
    let next = local_path(next.unwrap_or_default());
    if frame.user.is_some() {
        return Ok(Either::Left(to(config, next)));
    }
    let page = LoginPage {
        frame: &frame,
        username: "",
        next,
        again: "",
        action: "",
        is_lost: false,
        has_left: false,
        problem: None,
    };
    Ok(Either::Right(Page::new(&page)?))
}

/// Does not use the session, which somebody may still be using in another window.
#[get("/login/left?<next>")]
fn left(frame: Visitor, next: Option<&str>) -> Result<Page, Failure> {
    let page = LoginPage {
        frame: &frame.0,
        username: "",
        next: local_path(next.unwrap_or_default()),
        again: "",
        action: "",
        is_lost: false,
        has_left: true,
        problem: None,
    };
    Ok(Page::new(&page)?)
}

#[post("/login", data = "<form>")]
async fn log_in(
    app: &App,
    config: &State<Config>,
    mut frame: Frame,
    client: Client,
    cookies: SignInCookies<'_>,
    form: PublicForm<LoginForm>,
) -> Result<Either<Redirect, Page>, Failure> {
    let PublicForm(LoginForm {
        username,
        password,
        code,
        next,
        again,
        action,
    }) = form;
    let next = local_path(&next);
    let is_second = code.is_some();
    let begun = match code {
        None => app.begin_sign_in(&username, password, client.clone()).await,
        Some(code) => {
            let begun = cookies.begun().unwrap_or_default().to_owned();
            let finished = app.finish_sign_in(begun, code, client.clone()).await;
            finished.map(Begun::SignedIn)
        }
    };
    let ask_code = |frame: &Frame, status: u16, problem: Option<String>| {
        let page = CodePage {
            frame,
            next,
            again: &again,
            action: &action,
            problem,
        };
        Page::with_status(status, &page)
    };
    match begun {
        Ok(Begun::NeedsCode(begun)) => {
            cookies.set_begun(begun);
            Ok(Either::Right(ask_code(&frame, 200, None)?))
        }
        Ok(Begun::SignedIn(new)) if action.is_empty() => {
            cookies.set(new);
            Ok(Either::Left(to(config, next)))
        }
        Ok(Begun::SignedIn(new)) => {
            let session = app
                .session(&new.session, &client)?
                .ok_or(Error::Unauthenticated)?;
            frame.user = Some(session.session.user_name);
            frame.role = Some(session.session.role);
            frame.csrf = session.csrf;
            cookies.set(new);
            Ok(Either::Right(resume(&frame, &action, next, &again)?))
        }
        Err(error @ (Error::WrongCredentials | Error::TooManyRequests(_))) if is_second => {
            let problem = match error {
                Error::WrongCredentials => WRONG_CODE.to_owned(),
                ref busy => busy.to_string(),
            };
            let page = ask_code(&frame, error.status(), Some(problem))?;
            Ok(Either::Right(page))
        }
        Err(
            error @ (Error::WrongCredentials | Error::TooManyRequests(_) | Error::Unauthenticated),
        ) => {
            let problem = match error {
                Error::WrongCredentials => "Wrong user name or password.".to_owned(),
                Error::Unauthenticated => TOO_LATE.to_owned(),
                ref busy => busy.to_string(),
            };
            let page = LoginPage {
                frame: &frame,
                username: &username,
                next,
                again: &again,
                action: &action,
                is_lost: false,
                has_left: false,
                problem: Some(problem),
            };
            Ok(Either::Right(Page::with_status(error.status(), &page)?))
        }
        Err(error) => Err(error.into()),
    }
}

#[post("/logout", data = "<form>")]
async fn log_out(
    app: &App,
    config: &State<Config>,
    cookies: SignInCookies<'_>,
    form: SignedInForm<CsrfOnly>,
) -> Result<Redirect, Failure> {
    app.run(move |service| service.log_out(&form.actor, form.session.id))
        .await?;
    cookies.remove_session();
    Ok(to(config, "/login"))
}

fn encode(path: &str) -> String {
    rocket::http::RawStr::percent_encode(path.as_ref()).to_string()
}
