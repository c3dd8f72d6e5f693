//! `POST /api/activate` and `/api/deactivate`: a machine takes a seat of an activation code, or gives it back.
//! Public.

use std::net::IpAddr;

use rocket::{Either, Route, post, routes};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::answers::{BadSmallBody, Faults, RefusedCode};
use super::body::required;
use super::check::{SignedBody, source};
use super::{Answer, AnswerBody, Body, SignedAnswer, schemas};
use crate::auth::Address;
use crate::error::Error;
use crate::model::question::Question;
use crate::model::signed::SigningRequest;
use crate::request::{App, Failure, SMALL_BODY};
use crate::service::Service;

pub(super) fn routes() -> Vec<Route> {
    routes![activate, deactivate]
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Activation)]
pub(super) struct Asked {
    #[schema(required = true, schema_with = schemas::tool_name)]
    tool_name: Option<String>,
    /// In any case, with or without hyphens
    #[schema(required = true)]
    activation_code: Option<String>,
    #[schema(required = true, schema_with = schemas::license_key)]
    license_key: Option<String>,
    /// For a signed answer: random, and new each time
    #[schema(
        nullable,
        min_length = 16,
        max_length = 64,
        pattern = "^[A-Za-z0-9_-]*$"
    )]
    nonce: Option<String>,
    /// IDs of the public keys that the client has pinned; the first 32 count
    kids: Option<Vec<String>>,
    /// About the computer: `version`, `hostname` and `user`. Never changes the result; a wrong type is ignored
    #[serde(default)]
    client: Value,
    /// Who asks for a license: `name` and `email`, shown to the admin. Never changes the result; a wrong type is ignored
    #[serde(default)]
    customer: Value,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Deactivation)]
pub(super) struct Removed {
    #[schema(required = true, schema_with = schemas::tool_name)]
    tool_name: Option<String>,
    /// In any case, with or without hyphens
    #[schema(required = true)]
    activation_code: Option<String>,
    #[schema(required = true, schema_with = schemas::license_key)]
    license_key: Option<String>,
}

/// Activate a machine
///
/// The machine takes a seat of an activation code: it gets an ordinary license, and the answer is that of a check.
/// Repeating it for the same machine takes no second seat. A refusal has a `reason` and is no result: no client
/// erases its lease because of it.
#[utoipa::path(
    tag = "Activation",
    operation_id = "activate",
    request_body(content = Asked, example = json!({
        "tool_name": "YourTool",
        "activation_code": "AAAA-AAAA-AAAA-AAAA",
        "license_key": "0a:1b:2c:3d:4e:5f",
    })),
    responses(
        (status = 200, description = "The tool may run", body = SignedBody,
            example = json!({"status": "valid", "message": "License is active and valid."})),
        BadSmallBody, RefusedCode, Faults,
    ),
)]
#[post("/api/activate", data = "<body>")]
pub(super) async fn activate(
    app: &App,
    address: Address,
    body: Body<Asked, { SMALL_BODY }>,
) -> Result<Either<Answer, SignedAnswer>, Failure> {
    let answer = app
        .run(move |service| activated(service, address.0, body.0))
        .await?;
    Ok(answer)
}

fn activated(
    service: &Service,
    address: IpAddr,
    asked: Asked,
) -> Result<Either<Answer, SignedAnswer>, Error> {
    let [tool_name, license_key, code] =
        named(asked.tool_name, asked.license_key, asked.activation_code)?;
    let question = Question::parse(&tool_name, &license_key)?;
    let source = source(address, &asked.client, &asked.customer);
    let kids = asked.kids.unwrap_or_default();
    let request = asked.nonce.as_deref();
    let request = request
        .map(|nonce| SigningRequest::parse(nonce, &kids))
        .transpose()?;
    if let Err(refused) = service.activate(&question, &code, &source) {
        // Whoever is refused and says who asks makes a request, as with a check, which has limits of its own.
        if source.customer.is_some() && matches!(refused, Error::Refused(_)) {
            drop(service.check(&question, source));
        }
        return Err(refused);
    }
    Ok(match request {
        None => Either::Left(Answer::from(service.check(&question, source)?)),
        Some(request) => {
            let signed = service.check_signed(&question, &request, source)?;
            Either::Right(SignedAnswer(signed))
        }
    })
}

/// Remove a machine
///
/// The machine gives its seat back; its next check is 404. Each seat can be freed a few times within a year. A
/// machine that has no seat is no error.
#[utoipa::path(
    tag = "Activation",
    operation_id = "deactivate",
    request_body(content = Removed, example = json!({
        "tool_name": "YourTool",
        "activation_code": "AAAA-AAAA-AAAA-AAAA",
        "license_key": "0a:1b:2c:3d:4e:5f",
    })),
    responses(
        (status = 200, description = "The machine has no seat", body = AnswerBody,
            example = json!({"status": "success", "message": "Machine removed"})),
        BadSmallBody, RefusedCode, Faults,
    ),
)]
#[post("/api/deactivate", data = "<body>")]
pub(super) async fn deactivate(
    app: &App,
    address: Address,
    body: Body<Removed, { SMALL_BODY }>,
) -> Result<Answer, Failure> {
    app.run(move |service| {
        let Body(asked) = body;
        let [tool_name, license_key, code] =
            named(asked.tool_name, asked.license_key, asked.activation_code)?;
        let question = Question::parse(&tool_name, &license_key)?;
        service.deactivate(&question, &code, address.0)
    })
    .await?;
    Ok(Answer::success(200, "Machine removed"))
}

/// Tool, machine and code, which both need.
fn named(
    tool_name: Option<String>,
    license_key: Option<String>,
    activation_code: Option<String>,
) -> Result<[String; 3], Error> {
    Ok([
        required("tool_name", tool_name)?,
        required("license_key", license_key)?,
        required("activation_code", activation_code)?,
    ])
}
