//! Sign-in and sign-out.

use askama::Template;
use rocket::response::Redirect;
use rocket::{Either, FromForm, Request, Route, State, get, post, routes};

use super::form::{CsrfOnly, PublicForm, SavedForm, SignedInForm};
use super::frame::Frame;
use super::{Page, to};
use crate::auth::SignInCookies;
use crate::config::Config;
use crate::error::Error;
use crate::request::{App, Failure};
use crate::service::Client;

pub(super) fn routes() -> Vec<Route> {
    routes![show, log_in, log_out]
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    frame: &'a Frame,
    username: &'a str,
    next: &'a str,
    /// The urlencoded fields of a form that came too late, and its action; empty if there is none.
    again: &'a str,
    action: &'a str,
    /// A form came too late and was not kept.
    is_lost: bool,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "resume.html")]
struct ResumePage<'a> {
    frame: &'a Frame,
    path: &'a str,
    /// Where to go without the form.
    page: &'a str,
    fields: Vec<(String, String)>,
    /// Why the form was not processed, if somebody was signed in.
    problem: Option<String>,
}

#[derive(FromForm)]
struct LoginForm {
    #[field(default = "")]
    username: String,
    #[field(default = "")]
    password: String,
    #[field(default = "")]
    next: String,
    #[field(default = "")]
    again: String,
    #[field(default = "")]
    action: String,
}

/// The login page in reply to a form that came after its session had ended; it is offered again after sign-in.
pub(super) fn resume_after_login(frame: &Frame, form: &SavedForm) -> Result<Page, Error> {
    let page = LoginPage {
        frame,
        username: "",
        next: local_path(&form.page),
        again: form.fields.as_deref().unwrap_or_default(),
        action: local_path(&form.path),
        is_lost: form.fields.is_none(),
        problem: None,
    };
    Page::with_status(401, &page)
}

/// A form that could not be processed now, to be sent again.
pub(super) fn try_again(frame: &Frame, form: &SavedForm, problem: String) -> Result<Page, Error> {
    let fields = form.fields.as_deref().map(SavedForm::pairs);
    let page = ResumePage {
        frame,
        path: local_path(&form.path),
        page: local_path(&form.page),
        fields: fields.unwrap_or_default(),
        problem: Some(problem),
    };
    Page::with_status(503, &page)
}

/// To the login page, which then redirects to the requested page.
pub(super) fn redirect_to_login(request: &Request<'_>) -> Redirect {
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
    Redirect::to(format!("{base}/login{query}"))
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
        problem: None,
    };
    Ok(Either::Right(Page::new(&page)?))
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
        next,
        again,
        action,
    }) = form;
    let next = local_path(&next);
    match app.log_in(&username, password, client).await {
        Ok(new) if again.is_empty() => {
            cookies.set(new);
            Ok(Either::Left(to(config, next)))
        }
        Ok(new) => {
            let session = app.session(&new.session)?.ok_or(Error::Unauthenticated)?;
            frame.user = Some(session.session.user_name);
            frame.csrf = session.csrf;
            cookies.set(new);
            Ok(Either::Right(Page::new(&ResumePage {
                frame: &frame,
                path: local_path(&action),
                page: next,
                fields: SavedForm::pairs(&again),
                problem: None,
            })?))
        }
        Err(error @ (Error::WrongCredentials | Error::TooManyRequests(_))) => {
            let problem = match error {
                Error::WrongCredentials => "Wrong user name or password.".to_owned(),
                ref busy => busy.to_string(),
            };
            let page = LoginPage {
                frame: &frame,
                username: &username,
                next,
                again: &again,
                action: &action,
                is_lost: false,
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
    if let Some(token) = cookies.session().map(str::to_owned) {
        app.run(move |service| service.log_out(&form.actor, &token))
            .await?;
    }
    cookies.remove_session();
    Ok(to(config, "/login"))
}

/// The path if it is one of ours, relative to the base path; otherwise that of the overview.
fn local_path(next: &str) -> &str {
    let plain = |c: char| c.is_ascii_graphic() && c != '\\';
    let is_path = next.starts_with('/') && !next.starts_with("//") && next.chars().all(plain);
    // Browsers decode `%2e` to a dot.
    let dotted = next.to_ascii_lowercase().replace("%2e", ".");
    let has_parent = dotted.split(['/', '?', '#']).any(|segment| segment == "..");
    if is_path && !has_parent { next } else { "/" }
}

fn encode(path: &str) -> String {
    rocket::http::RawStr::percent_encode(path.as_ref()).to_string()
}

#[cfg(test)]
mod tests {
    use super::local_path;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn next_stays_inside() {
        for path in ["/licenses?q=a%20b&tool=T", "/licenses/7", "/"] {
            assert_eq!(local_path(path), path);
        }
        for path in [
            "",
            "licenses",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nSet-Cookie:x",
            "/../other",
            "/x/../../other",
            "/%2e%2E/other",
            "javascript:alert(1)",
            "/ä",
        ] {
            assert_eq!(local_path(path), "/", "{path}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 10_000,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_browser_that_follows_next_stays_inside(next in "\\PC{0,20}|/?(/|\\\\|\\.|\\.\\.|%2e|%2E|a|\\?|#|:|@|\t|\n){0,7}") {
            let path = local_path(&next);
            prop_assert!(path == next || path == "/");
            // As browsers read it: they drop tabs and line breaks, and decode %2e to a dot.
            prop_assert!(path.starts_with('/') && !path[1..].starts_with(['/', '\\']), "{}", path);
            prop_assert!(!path.contains(|c: char| c.is_control() || c.is_whitespace()));
            let file = path.split(['?', '#']).next().unwrap_or_default().to_lowercase();
            prop_assert!(file.split('/').all(|s| s.replace("%2e", ".") != ".."), "{}", path);
        }
    }
}
