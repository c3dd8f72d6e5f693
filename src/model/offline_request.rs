//! What a machine without a network asks for: a text that a person carries to the vendor.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::question::Question;
use super::signed::SigningRequest;
use crate::error::Error;

/// Characters; a request with 32 keys has fewer than 2,000.
const MAX_LENGTH: usize = 8_192;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OfflineRequest {
    pub tool_name: String,
    pub license_key: String,
    pub nonce: String,
    #[serde(default)]
    pub kids: Vec<String>,
}

impl OfflineRequest {
    /// Reads base64url of JSON; white space, line breaks and padding in it are ignored.
    pub fn parse(typed: &str) -> Result<OfflineRequest, Error> {
        let refuse = |message: &str| Error::invalid("request", message);
        let text: String = typed
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '=' && *c != '\u{feff}')
            .take(MAX_LENGTH + 1)
            .collect();
        if text.is_empty() {
            return Err(refuse(
                "The request is missing; paste the text that the program shows.",
            ));
        }
        let is_cut = "The request is not complete; copy the whole text that the program shows.";
        if text.len() > MAX_LENGTH {
            return Err(refuse(
                "This text is too long for a request; copy only the text that the program shows.",
            ));
        }
        let json = URL_SAFE_NO_PAD.decode(&text).map_err(|_| refuse(is_cut))?;
        let request: OfflineRequest = serde_json::from_slice(&json).map_err(|_| refuse(is_cut))?;
        Question::parse(&request.tool_name, &request.license_key)?;
        SigningRequest::parse(&request.nonce, &request.kids)?;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        URL_SAFE_NO_PAD.encode(json)
    }

    #[test]
    fn groups_and_line_breaks_are_ignored_and_a_cut_text_is_refused() {
        let json =
            r#"{"tool_name":"T","license_key":"pc","nonce":"0123456789abcdef","kids":["k"]}"#;
        let whole = text(json);
        let expected = OfflineRequest {
            tool_name: "T".into(),
            license_key: "pc".into(),
            nonce: "0123456789abcdef".into(),
            kids: vec!["k".into()],
        };
        let grouped: Vec<&str> = whole
            .as_bytes()
            .chunks(5)
            .filter_map(|c| str::from_utf8(c).ok())
            .collect();
        for typed in [
            whole.clone(),
            grouped.join(" "),
            format!("\u{feff}{}\r\n", grouped.join("\r\n")),
        ] {
            assert_eq!(OfflineRequest::parse(&typed), Ok(expected.clone()));
        }
        for wrong in [
            "",
            "hello world",
            &whole[..whole.len() - 8],
            &"A".repeat(9_000),
        ] {
            assert!(OfflineRequest::parse(wrong).is_err(), "{wrong}");
        }
        assert!(
            OfflineRequest::parse(&text(
                r#"{"tool_name":"T","license_key":"pc","nonce":"short"}"#
            ))
            .is_err()
        );
    }
}
