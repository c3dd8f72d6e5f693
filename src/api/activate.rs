//! `POST /api/activate` and `/api/deactivate`: a machine takes a seat of an activation code, or gives it back.
//! Public.

use std::net::IpAddr;

use rocket::{Either, Route, post, routes};

use super::body::required;
use super::check::source;
use super::{Answer, Asked, Body, SignedAnswer};
use crate::auth::Address;
use crate::error::Error;
use crate::model::question::Question;
use crate::model::signed::SigningRequest;
use crate::request::{App, Failure, SMALL_BODY};
use crate::service::Service;

pub(super) fn routes() -> Vec<Route> {
    routes![activate, deactivate]
}

/// Answers as a check does.
#[post("/api/activate", data = "<body>")]
async fn activate(
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
    mut asked: Asked,
) -> Result<Either<Answer, SignedAnswer>, Error> {
    let (tool_name, license_key) = asked.pair()?;
    let code = required("activation_code", asked.activation_code.take())?;
    let question = Question::parse(&tool_name, &license_key)?;
    let source = source(address, &asked);
    let kids = asked.kids.unwrap_or_default();
    let request = asked.nonce.as_deref();
    let request = request
        .map(|nonce| SigningRequest::parse(nonce, &kids))
        .transpose()?;
    service.activate(&question, &code, address)?;
    Ok(match request {
        None => Either::Left(Answer::from(service.check(&question, source)?)),
        Some(request) => {
            let signed = service.check_signed(&question, &request, source)?;
            Either::Right(SignedAnswer(signed))
        }
    })
}

#[post("/api/deactivate", data = "<body>")]
async fn deactivate(
    app: &App,
    address: Address,
    body: Body<Asked, { SMALL_BODY }>,
) -> Result<Answer, Failure> {
    app.run(move |service| {
        let Body(mut asked) = body;
        let (tool_name, license_key) = asked.pair()?;
        let code = required("activation_code", asked.activation_code.take())?;
        let question = Question::parse(&tool_name, &license_key)?;
        service.deactivate(&question, &code, address.0)
    })
    .await?;
    Ok(Answer::success(200, "Machine removed"))
}
