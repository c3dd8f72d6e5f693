//! Signing in and out.

use askama::Template;
use rocket::response::Redirect;
use rocket::{Either, FromForm, Request, Route, State, get, post, routes};

use super::form::{Hidden, Interrupted, Posted, Public};
use super::frame::Frame;
use super::{Page, to};
use crate::auth::SessionCookie;
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
    /// The fields of a form that came after its session had ended; it was sent to `next`.
    again: &'a str,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "resume.html")]
struct ResumePage<'a> {
    frame: Frame,
    path: &'a str,
    fields: Vec<(String, String)>,
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
}

/// The login page for somebody whose form came too late.
pub(super) fn interrupted(frame: &Frame, form: &Interrupted) -> Result<Page, Error> {
    let page = LoginPage {
        frame,
        username: "",
        next: inside(&form.path),
        again: &form.fields,
        problem: None,
    };
    Page::with_status(401, &page)
}

/// The login page, which leads back to where somebody wanted to go.
pub(super) fn on_the_way_to(request: &Request<'_>) -> Redirect {
    let base = request.rocket().state().map_or("", Config::base_path);
    let wanted = request.uri().to_string();
    let wanted = wanted.strip_prefix(base).unwrap_or(&wanted);
    let is_page = request.method() == rocket::http::Method::Get && !matches!(wanted, "" | "/");
    let query = if is_page {
        format!("?next={}", encode(wanted))
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
    let next = inside(next.unwrap_or_default());
    if frame.user.is_some() {
        return Ok(Either::Left(to(config, next)));
    }
    let page = LoginPage {
        frame: &frame,
        username: "",
        next,
        again: "",
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
    cookie: SessionCookie<'_>,
    form: Public<LoginForm>,
) -> Result<Either<Redirect, Page>, Failure> {
    let Public(LoginForm {
        username,
        password,
        next,
        again,
    }) = form;
    let next = inside(&next);
    match app.log_in(&username, password, client).await {
        Ok(token) if again.is_empty() => {
            cookie.set(token);
            Ok(Either::Left(to(config, next)))
        }
        Ok(token) => {
            let session = app.session(&token).await?.ok_or(Error::Unauthenticated)?;
            frame.user = Some(session.session.user_name);
            frame.csrf = session.csrf;
            cookie.set(token);
            let fields = Interrupted::pairs(&again);
            Ok(Either::Right(Page::new(&ResumePage {
                frame,
                path: next,
                fields,
            })?))
        }
        Err(error @ (Error::WrongCredentials | Error::TooManyRequests(_))) => {
            let problem = match error {
                Error::WrongCredentials => {
                    "The user name and the password do not belong together.".to_owned()
                }
                ref busy => busy.to_string(),
            };
            let page = LoginPage {
                frame: &frame,
                username: &username,
                next,
                again: &again,
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
    cookie: SessionCookie<'_>,
    form: Posted<Hidden>,
) -> Result<Redirect, Failure> {
    if let Some(token) = cookie.token().map(str::to_owned) {
        app.run(move |service| service.log_out(&form.actor, &token))
            .await?;
    }
    cookie.remove();
    Ok(to(config, "/login"))
}

/// Only a path of our own is gone to, relative to the base path; anything else is the first page.
fn inside(next: &str) -> &str {
    let plain = |c: char| c.is_ascii_graphic() && c != '\\';
    let is_path = next.starts_with('/') && !next.starts_with("//") && next.chars().all(plain);
    // Browsers take `%2e` for a dot.
    let dotted = next.to_ascii_lowercase().replace("%2e", ".");
    let climbs = dotted.split(['/', '?', '#']).any(|segment| segment == "..");
    if is_path && !climbs { next } else { "/" }
}

fn encode(path: &str) -> String {
    rocket::http::RawStr::percent_encode(path.as_ref()).to_string()
}

#[cfg(test)]
mod tests {
    use super::inside;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn next_stays_inside() {
        for path in ["/licenses?q=a%20b&tool=T", "/licenses/7", "/"] {
            assert_eq!(inside(path), path);
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
            assert_eq!(inside(path), "/", "{path}");
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
            let path = inside(&next);
            prop_assert!(path == next || path == "/");
            // As browsers read it: they drop tabs and line ends, and take %2e for a dot.
            prop_assert!(path.starts_with('/') && !path[1..].starts_with(['/', '\\']), "{}", path);
            prop_assert!(!path.contains(|c: char| c.is_control() || c.is_whitespace()));
            let file = path.split(['?', '#']).next().unwrap_or_default().to_lowercase();
            prop_assert!(file.split('/').all(|s| s.replace("%2e", ".") != ".."), "{}", path);
        }
    }
}
