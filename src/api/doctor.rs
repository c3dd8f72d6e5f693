//! `/api/doctor`: tells `license-server doctor` what arrived. For everybody else there is nothing.

use rocket::data::{Data, ToByteUnit};
use rocket::http::Header;
use rocket::request::{FromRequest, Outcome};
use rocket::tokio::io;
use rocket::{Request, Responder, Route, State, get, post, routes};

use super::Json;
use crate::auth::{SameOrigin, client_address, forwarded, peer};
use crate::config::Config;
use crate::error::Error;
use crate::model::doctor::{Echo, PASS, SET_COOKIE};
use crate::request::{App, BODY, Failure, refuse};

pub(super) fn routes() -> Vec<Route> {
    routes![arrived, cached]
}

/// What the headers of a request with a valid pass say.
struct Doctor(Echo);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Doctor {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Doctor, ()> {
        match echo(request) {
            Ok(echo) => Outcome::Success(Doctor(echo)),
            Err(error) => refuse(request, error),
        }
    }
}

fn echo(request: &Request<'_>) -> Result<Echo, Error> {
    let app: Option<&App> = request.rocket().state().map(State::from);
    let config = request.rocket().state::<Config>();
    let header = |name| request.headers().get_one(name).unwrap_or_default();
    let nothing = Error::NotFound("There is nothing at this address.");
    let (Some(app), Some(config)) = (app, config) else {
        return Err(nothing);
    };
    let (peer, is_trusted) = peer(request);
    Ok(Echo {
        nonce: app.doctor_nonce(header(PASS))?.ok_or(nothing)?,
        path: request.uri().path().to_string(),
        query: request
            .uri()
            .query()
            .map(|query| query.to_string())
            .unwrap_or_default(),
        host: header("Host").to_owned(),
        peer,
        is_trusted,
        forwarded: forwarded(request),
        client: client_address(request),
        is_same_origin: SameOrigin::check(request).is_ok(),
        authorization: header("Authorization").to_owned(),
        cookie: header("Cookie").to_owned(),
        content_type: header("Content-Type").to_owned(),
        body: 0,
        public_url: config.origin(config.port) + config.base_path(),
    })
}

#[derive(Responder)]
struct Told {
    echo: Json<Echo>,
    cookie: Header<'static>,
}

#[post("/api/doctor", data = "<sent>")]
async fn arrived(doctor: Doctor, sent: Data<'_>) -> Result<Told, Failure> {
    let Doctor(mut echo) = doctor;
    let mut sent = sent.open((2 * BODY).bytes());
    let read = io::copy(&mut sent, &mut io::sink()).await;
    echo.body = read.map_err(|e| Error::Internal(format!("the body of a doctor: {e}")))?;
    Ok(Told {
        echo: Json(echo),
        cookie: Header::new("Set-Cookie", SET_COOKIE),
    })
}

/// Must never come from a cache.
#[get("/api/doctor")]
fn cached(doctor: Doctor) -> Json<Echo> {
    Json(doctor.0)
}
