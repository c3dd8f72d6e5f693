//! A message with the result of the last form, shown once on the next page.

use std::sync::Arc;

use rocket::Request;
use rocket::response::{self, Redirect, Responder};

use super::{shown, to};
use crate::auth::{cookie_value, private_cookie, signed_in};
use crate::config::Config;
use crate::model::order::Changes;
use crate::service::Service;

const COOKIE: &str = "license_flash";

/// Separates the message from the path of the form that takes it back.
const SEPARATOR: char = '\u{1f}';

/// A redirect whose target page shows a message once.
pub(super) struct Flashed {
    text: String,
    redirect: Redirect,
}

pub(super) struct Flash {
    pub(super) message: String,
    /// The action of Undo, relative to the base path.
    pub(super) undo: Option<String>,
}

impl Flash {
    pub(super) fn words(&self) -> shown::Message<'_> {
        shown::message(&self.message)
    }
}

pub(super) fn redirect_with_flash(config: &Config, path: &str, message: &str) -> Flashed {
    Flashed {
        text: message.to_owned(),
        redirect: to(config, path),
    }
}

/// With an Undo button for this bulk change.
pub(super) fn redirect_with_undo(config: &Config, path: &str, message: &str, bulk: i64) -> Flashed {
    let undo = format!("{message}{SEPARATOR}/bulk/{bulk}/undo");
    redirect_with_flash(config, path, &undo)
}

/// Back to the page of a customer, with an Undo button for the change with this entry in the audit log.
pub(super) fn redirect_with_customer_undo(
    config: &Config,
    id: i64,
    message: &str,
    entry: i64,
) -> Flashed {
    let undo = format!("{message}{SEPARATOR}/customers/changes/{entry}/undo");
    redirect_with_flash(config, &format!("/customers/{id}"), &undo)
}

/// With an Undo button for this change of an activation code.
pub(super) fn redirect_with_code_undo(
    config: &Config,
    path: &str,
    message: &str,
    change: i64,
) -> Flashed {
    let undo = format!("{message}{SEPARATOR}/codes/changes/{change}/undo");
    redirect_with_flash(config, path, &undo)
}

/// Back to the page of an order, with an Undo button for these changes of its codes.
pub(super) fn redirect_with_order_undo(
    config: &Config,
    id: i64,
    message: &str,
    changes: Changes,
) -> Flashed {
    let path = format!("/orders/{id}");
    let undo = format!("{message}{SEPARATOR}{path}/{}/undo", changes.in_address());
    redirect_with_flash(config, &path, &undo)
}

impl<'r> Responder<'r, 'static> for Flashed {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        // Encrypted, because it may have a name in it, and because a neighbor on the same host can set cookies, too.
        if let Some((config, service)) = state(request)
            && let Ok(signed_in) = signed_in(request)
            && let Ok(value) = service.encrypt_message(signed_in, &self.text)
        {
            request.cookies().add(private_cookie(config, COOKIE, value));
        }
        self.redirect.respond_to(request)
    }
}

fn state<'r>(request: &'r Request<'_>) -> Option<(&'r Config, &'r Arc<Service>)> {
    Some((request.rocket().state()?, request.rocket().state()?))
}

/// The message for this page; removes its cookie.
pub(super) fn take(request: &Request<'_>) -> Option<Flash> {
    let (config, service) = state(request)?;
    let sent = cookie_value(request, COOKIE)?;
    request
        .cookies()
        .remove(private_cookie(config, COOKIE, String::new()));
    let text = service.decrypt_message(signed_in(request).as_ref().ok()?, &sent)?;
    let (message, undo) = match text.split_once(SEPARATOR) {
        Some((message, undo)) => (message.to_owned(), Some(undo.to_owned())),
        None => (text, None),
    };
    Some(Flash { message, undo })
}
