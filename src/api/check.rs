//! `POST /api/check`: may this tool run on this machine? Public.

use std::net::IpAddr;

use rocket::http::Status;
use rocket::{Either, Request, Route, post, response, routes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::body::required;
use super::{Answer, Body, json};
use crate::auth::Address;
use crate::error::Error;
use crate::model::check::{ClientInfo, previous_license_key};
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::model::signed::SigningRequest;
use crate::request::{App, Failure, SMALL_BODY};
use crate::service::{CheckSource, Signed};

pub(super) fn routes() -> Vec<Route> {
    routes![check]
}

/// The JSON body of a check.
#[derive(Deserialize)]
pub struct Asked {
    tool_name: Option<String>,
    license_key: Option<String>,
    /// Of an activation; ignored by a check.
    pub(super) activation_code: Option<String>,
    /// Present if the client wants a signed answer.
    pub(crate) nonce: Option<String>,
    /// IDs of the keys that the client knows.
    pub(crate) kids: Option<Vec<String>>,
    /// What the client reports about itself: any JSON.
    #[serde(default)]
    client: Value,
    /// Like `client`.
    #[serde(default)]
    previous_license_key: Value,
}

impl Asked {
    /// The tool and the license key, which every check requires.
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
    let source = source(address.0, &asked);
    let Some(nonce) = asked.nonce else {
        let verdict = app.check(&question, source)?;
        return Ok(Either::Left(Answer::from(verdict)));
    };
    let kids = asked.kids.unwrap_or_default();
    let request = SigningRequest::parse(&nonce, &kids)?;
    let signed = app.check_signed(&question, &request, source)?;
    Ok(Either::Right(SignedAnswer(signed)))
}

/// Who checks, as the client reports.
pub(super) fn source(address: IpAddr, asked: &Asked) -> CheckSource {
    CheckSource {
        address,
        client: ClientInfo::read(&asked.client),
        previous_license_key: previous_license_key(&asked.previous_license_key),
    }
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

pub struct SignedAnswer(pub(crate) Signed);

/// The published fields, followed by those of a signed answer.
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
        // Base64url needs no escaping, and serializing a string would search it for characters to escape.
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
