//! A message with the result of the last form, shown once on the next page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::Request;
use rocket::http::Cookie;
use rocket::response::{self, Redirect, Responder};

use super::to;
use crate::auth::private_cookie;
use crate::config::Config;

const COOKIE: &str = "license_flash";

/// Separates the message from the ID of the bulk change.
const SEPARATOR: char = '\u{1f}';

/// A redirect whose target page shows a message once.
pub(super) struct Flashed {
    cookie: Cookie<'static>,
    redirect: Redirect,
}

pub(super) struct Flash {
    pub(super) message: String,
    /// The bulk change that Undo takes back.
    pub(super) bulk: Option<i64>,
}

pub(super) fn redirect_with_flash(config: &Config, path: &str, message: &str) -> Flashed {
    let value = URL_SAFE_NO_PAD.encode(message);
    Flashed {
        cookie: private_cookie(config, COOKIE.to_owned(), value),
        redirect: to(config, path),
    }
}

/// With an Undo button for this bulk change.
pub(super) fn redirect_with_undo(config: &Config, path: &str, message: &str, bulk: i64) -> Flashed {
    redirect_with_flash(config, path, &format!("{message}{SEPARATOR}{bulk}"))
}

impl<'r> Responder<'r, 'static> for Flashed {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        request.cookies().add(self.cookie);
        self.redirect.respond_to(request)
    }
}

/// The message for this page; removes its cookie.
pub(super) fn take(request: &Request<'_>) -> Option<Flash> {
    let config: &Config = request.rocket().state()?;
    let sent = request.cookies().get(COOKIE)?;
    request
        .cookies()
        .remove(private_cookie(config, COOKIE.to_owned(), String::new()));
    let text = URL_SAFE_NO_PAD.decode(sent.value()).ok()?;
    let text = String::from_utf8(text).ok()?;
    Some(match text.split_once(SEPARATOR) {
        Some((message, bulk)) => Flash {
            message: message.to_owned(),
            bulk: bulk.parse().ok(),
        },
        None => Flash {
            message: text,
            bulk: None,
        },
    })
}
