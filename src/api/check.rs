//! `POST /api/check`: may this tool run on this machine? Public.

use std::net::IpAddr;

use rocket::http::Status;
use rocket::{Either, Request, Route, post, response, routes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::answers::{BadSmallBody, Faults, TooMany};
use super::body::required;
use super::{Answer, Body, json, schemas};
use crate::auth::Address;
use crate::error::Error;
use crate::model::check::{ClientInfo, asking_customer, previous_license_key};
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::model::signed::{Offer, SigningRequest};
use crate::request::{App, Failure, SMALL_BODY};
use crate::service::{CheckSource, Signed, TrialRequest};

pub(super) fn routes() -> Vec<Route> {
    routes![check]
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Check)]
pub struct Asked {
    #[schema(required = true, schema_with = schemas::tool_name)]
    tool_name: Option<String>,
    #[schema(required = true, schema_with = schemas::license_key)]
    license_key: Option<String>,
    /// For a signed answer: random, and new for each check
    #[schema(
        nullable,
        min_length = 16,
        max_length = 64,
        pattern = "^[A-Za-z0-9_-]*$"
    )]
    pub(crate) nonce: Option<String>,
    /// IDs of the public keys that the client has pinned; the first 32 count
    pub(crate) kids: Option<Vec<String>>,
    /// About the computer: `version`, `hostname` and `user`. Never changes the result; a wrong type is ignored
    #[serde(default)]
    client: Value,
    /// The machine's previous ID, if it has changed. Never changes the result; a wrong type is ignored
    #[serde(default)]
    previous_license_key: Value,
    /// Who asks for a license: `name` and `email`, shown to the admin. Never changes the result; a wrong type is ignored
    #[serde(default)]
    customer: Value,
    /// Whether a machine without a license may begin the tool's trial. A wrong type is ignored; a check without a
    /// `nonce` may always
    #[serde(default)]
    trial: Value,
}

impl Asked {
    /// The tool and the license key, which every check requires.
    pub(crate) fn pair(&mut self) -> Result<(String, String), Error> {
        let tool_name = required("tool_name", self.tool_name.take())?;
        let license_key = required("license_key", self.license_key.take())?;
        Ok((tool_name, license_key))
    }
}

/// Check a license
///
/// Whether the tool may run on this machine. 200, 403 and 404 with the status `valid`, `invalid` or `expired` are the
/// only results; anything else is no result. One address may send 30 checks of unlicensed machines at once, then one
/// every 6 seconds; checks of licensed machines are never limited. A check with a `nonce` gets a signed answer, which
/// has more fields.
#[utoipa::path(
    tag = "Checks",
    operation_id = "check",
    request_body(content = Asked, example = json!({
        "tool_name": "YourTool",
        "license_key": "0a:1b:2c:3d:4e:5f",
        "client": {"version": "2.1", "hostname": "PC-7", "user": "anna"},
    })),
    responses(
        (status = 200, description = "The tool may run", body = SignedBody,
            example = json!({"status": "valid", "message": "License is active and valid."})),
        (status = 403, description = "The license is revoked or suspended, or has expired", body = SignedBody,
            example = json!({"status": "expired", "message": "License has expired."})),
        (status = 404, description = "There is no such license", body = SignedBody,
            example = json!({"status": "invalid", "message": "License key not found for this tool."})),
        BadSmallBody, TooMany, Faults,
    ),
)]
#[post("/api/check", data = "<body>")]
pub(super) async fn check(
    app: &App,
    address: Address,
    body: Body<Asked, { SMALL_BODY }>,
) -> Result<Either<Answer, SignedAnswer>, Failure> {
    let Body(mut asked) = body;
    let (tool_name, license_key) = asked.pair()?;
    let question = Question::parse(&tool_name, &license_key)?;
    let source = CheckSource {
        previous_license_key: previous_license_key(&asked.previous_license_key),
        ..source(address.0, &asked.client, &asked.customer)
    };
    let is_offered = asked.nonce.is_none() || asked.trial == Value::Bool(true);
    if is_offered && app.may_begin_trial(&question)? {
        let trial = TrialRequest {
            tool_name: tool_name.clone(),
            license_key: license_key.clone(),
            previous_license_key: source.previous_license_key.clone(),
            address: address.0,
        };
        app.run(move |service| service.begin_trial(&trial)).await?;
    }
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
pub(super) fn source(address: IpAddr, client: &Value, customer: &Value) -> CheckSource {
    CheckSource {
        client: ClientInfo::read(client),
        customer: asking_customer(customer),
        ..CheckSource::from(address)
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
#[derive(Serialize, ToSchema)]
#[schema(as = Result, description = "Only the answer to a check with a `nonce` has more than `status` and `message`")]
pub(super) struct SignedBody<'a> {
    #[schema(schema_with = schemas::result)]
    status: &'static str,
    /// For the customer
    message: &'a str,
    #[schema(required = false, schema_with = schemas::code)]
    code: &'static str,
    #[schema(required = false, schema_with = schemas::date_or_null)]
    expiration_date: Option<&'a str>,
    /// Until the expiration date; 0 on that date and after it; null for a perpetual license
    #[schema(minimum = 0)]
    days_left: Option<i64>,
    #[serde(flatten)]
    offer: &'a Offer,
    /// The signed result: a compact JWS with ES256
    #[schema(required = false, value_type = String)]
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
            offer: &signed.offer,
            token: &token,
        };
        json(signed.verdict.http(), &body)
    }
}
