//! The request of a machine without a network, as a client shows it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::error::{Error, Problem};
use crate::model::question::Question;
use crate::model::signed::SigningRequest;

#[derive(Deserialize)]
pub(super) struct Requested {
    tool_name: String,
    license_key: String,
    nonce: String,
    #[serde(default)]
    kids: Vec<String>,
}

impl Requested {
    /// From base64url of JSON, in groups.
    pub(super) fn parse(text: &str) -> Result<Requested, Error> {
        let joined: String = text.split_whitespace().collect();
        let json = URL_SAFE_NO_PAD.decode(joined).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| {
                Error::Invalid(vec![Problem {
                    field: "request",
                    message: "This is not a request for an offline file; copy it as a whole from the program."
                        .into(),
                }])
            })
    }

    pub(super) fn parts(&self) -> Result<(Question<'_>, SigningRequest<'_>), Error> {
        let question = Question::parse(&self.tool_name, &self.license_key)?;
        Ok((question, SigningRequest::parse(&self.nonce, &self.kids)?))
    }
}
