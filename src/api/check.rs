//! `POST /api/check`: may this tool run on this machine? Public.

use rocket::http::Status;
use rocket::{Either, Request, Route, post, response, routes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::required;
use super::{Answer, Body, json};
use crate::auth::Address;
use crate::error::Error;
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::model::sighting::Said;
use crate::model::signed::Wish;
use crate::request::{App, Failure, SMALL_BODY};
use crate::service::Signed;

pub(super) fn routes() -> Vec<Route> {
    routes![check]
}

/// A question as it is sent.
#[derive(Deserialize)]
pub struct Asked {
    tool_name: Option<String>,
    license_key: Option<String>,
    /// Who sends one wants a signed answer.
    pub(crate) nonce: Option<String>,
    /// The keys that the client knows.
    pub(crate) kids: Option<Vec<String>>,
    /// What the client says of itself, whatever that is.
    #[serde(default)]
    client: Value,
}

impl Asked {
    /// Tool and key, without which there is no question.
    pub(crate) fn pair(&mut self) -> Result<(String, String), Error> {
        let tool_name = required("tool_name", self.tool_name.take())?;
        let license_key = required("license_key", self.license_key.take())?;
        Ok((tool_name, license_key))
    }
}

#[post("/api/check", data = "<body>")]
fn check(
    app: &App,
    address: Address,
    body: Body<Asked, { SMALL_BODY }>,
) -> Result<Either<Answer, SignedAnswer>, Failure> {
    let Body(mut asked) = body;
    let (tool_name, license_key) = asked.pair()?;
    let question = Question::parse(&tool_name, &license_key)?;
    let said = Said::read(&asked.client);
    let Some(nonce) = asked.nonce else {
        let verdict = app.check(&question, address.0, said)?;
        return Ok(Either::Left(Answer::from(verdict)));
    };
    let kids = asked.kids.unwrap_or_default();
    let wish = Wish::parse(&nonce, &kids)?;
    let signed = app.check_signed(&question, &license_key, &wish, address.0, said)?;
    Ok(Either::Right(SignedAnswer(signed)))
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Answer {
        Answer {
            http: verdict.http(),
            status: verdict.word(),
            message: verdict.message(),
        }
    }
}

/// A verdict that a client can verify, as it is sent.
pub struct SignedAnswer(pub(crate) Signed);

/// The published fields, then those of a client that asked for them.
#[derive(Serialize)]
struct SignedBody<'a> {
    status: &'static str,
    message: &'a str,
    code: &'static str,
    expiration_date: Option<&'a str>,
    days_left: Option<i64>,
    token: &'a RawValue,
}

impl<'r> response::Responder<'r, 'static> for SignedAnswer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let SignedAnswer(signed) = self;
        // Base64url: nothing in it has to be escaped, which a string would be searched for.
        let token = RawValue::from_string(["\"", &signed.token, "\""].concat())
            .map_err(|_| Status::InternalServerError)?;
        let body = SignedBody {
            status: signed.verdict.word(),
            message: &signed.message,
            code: signed.code,
            expiration_date: signed.expiration_date.as_deref(),
            days_left: signed.days_left,
            token: &token,
        };
        json(signed.verdict.http(), &body)
    }
}
