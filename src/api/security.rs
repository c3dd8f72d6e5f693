//! `GET /.well-known/security.txt`: where people report a weakness (RFC 9116). Public.

use rocket::{Route, State, get, routes};
use time::Duration;

use crate::config::Config;
use crate::error::Error;
use crate::model::date;
use crate::request::{App, Failure};

/// The standard wants less than a year.
const VALID: Duration = Duration::days(180);

pub(super) fn routes() -> Vec<Route> {
    routes![contact]
}

#[get("/.well-known/security.txt")]
fn contact(app: &App, config: &State<Config>) -> Result<String, Failure> {
    let contact = config.security_contact.as_deref();
    let contact = contact.ok_or(Error::NotFound("There is nothing at this address."))?;
    let last = date::format((app.now() + VALID).date());
    Ok(format!(
        "Contact: {contact}\nExpires: {last}T00:00:00Z\nPreferred-Languages: en\n"
    ))
}
