//! One line that tells the result of the last form, on the page that follows it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::Request;
use rocket::http::Cookie;
use rocket::response::{self, Redirect, Responder};

use super::to;
use crate::auth::private_cookie;
use crate::config::Config;

const NAME: &str = "license_flash";

/// On to another page, which tells a line.
pub(super) struct Told {
    cookie: Cookie<'static>,
    redirect: Redirect,
}

/// What is told.
pub(super) struct Flash {
    pub(super) line: String,
    /// The number of the change that can be undone.
    pub(super) bulk: Option<i64>,
}

/// Between the line and the number.
const AND: char = '\u{1f}';

/// On to the page at `path`, which tells `line`.
pub(super) fn told(config: &Config, path: &str, line: &str) -> Told {
    let cookie = private_cookie(config, NAME.to_owned(), URL_SAFE_NO_PAD.encode(line));
    Told {
        cookie,
        redirect: to(config, path),
    }
}

/// The same, with a way to undo that change.
pub(super) fn told_of_change(config: &Config, path: &str, line: &str, bulk: i64) -> Told {
    told(config, path, &format!("{line}{AND}{bulk}"))
}

impl<'r> Responder<'r, 'static> for Told {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        request.cookies().add(self.cookie);
        self.redirect.respond_to(request)
    }
}

/// The line to tell on this page; the browser forgets it.
pub(super) fn take(request: &Request<'_>) -> Option<Flash> {
    let config: &Config = request.rocket().state()?;
    let sent = request.cookies().get(NAME)?;
    request
        .cookies()
        .remove(private_cookie(config, NAME.to_owned(), String::new()));
    let line = URL_SAFE_NO_PAD.decode(sent.value()).ok()?;
    let line = String::from_utf8(line).ok()?;
    Some(match line.split_once(AND) {
        Some((line, bulk)) => Flash {
            line: line.to_owned(),
            bulk: bulk.parse().ok(),
        },
        None => Flash { line, bulk: None },
    })
}
