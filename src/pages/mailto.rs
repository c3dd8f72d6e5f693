//! A mail as a link that opens one's own mail program.

use rocket::http::RawStr;

/// A `mailto:` URL whose recipient is left open.
pub(super) fn mail_of_ones_own(subject: &str, body: &str) -> String {
    url("", subject, body)
}

/// A `mailto:` URL; none without an address.
pub(super) fn mailto(email: &str, subject: &str, body: &str) -> Option<String> {
    (!email.is_empty()).then(|| url(email, subject, body))
}

fn url(email: &str, subject: &str, body: &str) -> String {
    let encode = |text: &str| RawStr::new(text).percent_encode().to_string();
    // The one character of an address that mail programs want as it is.
    let address = encode(email).replace("%40", "@");
    let body = encode(&body.replace('\n', "\r\n"));
    format!("mailto:{address}?subject={}&body={body}", encode(subject))
}
