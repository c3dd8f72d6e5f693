//! The mail with an activation code, as a link that opens the admin's own mail program.

use rocket::http::RawStr;

use super::query;
use crate::config::Config;
use crate::model::activation_code::ActivationCode;

/// A `mailto:` URL; none without an address.
pub(super) fn mailto(config: &Config, email: &str, code: &ActivationCode) -> Option<String> {
    if email.is_empty() {
        return None;
    }
    let tool = &code.tool_name;
    let base = format!("{}{}", config.origin(config.port), config.base_path());
    let claim = format!("{base}/claim{}", query(&[("tool", tool)]));
    let machines = match code.values.seats {
        1 => "one computer".to_owned(),
        seats => format!("{seats} computers"),
    };
    let lines = [
        format!("Your activation code for {tool}: {}", code.shown()),
        format!("It is for {machines}."),
        format!(
            "Start {tool} and enter the code when it asks for it. If it does not ask, open this page:"
        ),
        claim,
    ];
    let encode = |text: &str| RawStr::new(text).percent_encode().to_string();
    // The one character of an address that mail programs want as it is.
    let address = encode(email).replace("%40", "@");
    let subject = encode(&format!("Activation code for {tool}"));
    let body = encode(&lines.join("\r\n\r\n"));
    Some(format!("mailto:{address}?subject={subject}&body={body}"))
}
