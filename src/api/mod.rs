//! The JSON API: one file per resource. Errors are JSON, too.

mod activate;
mod answers;
mod audit;
mod body;
mod check;
mod codes;
mod doctor;
mod health;
mod keys;
mod license_schemas;
mod licenses;
mod login;
mod metrics;
mod openapi;
mod orders;
mod reference;
mod rows;
mod schemas;
mod security;
mod shops;

use std::io::Cursor;

use rocket::http::{ContentType, Status};
use rocket::response::{Body as ResponseBody, Responder, Response};
use rocket::{Catcher, Request, Route, catch, catchers};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use body::Body;
pub(crate) use check::{Asked, SignedAnswer};
pub use openapi::described;
pub use shops::generator_catchers;

use crate::error::Error;
use crate::request::{describe, refused};

/// Relative to the base path.
pub fn routes() -> Vec<Route> {
    [
        activate::routes(),
        audit::routes(),
        check::routes(),
        codes::routes(),
        doctor::routes(),
        health::routes(),
        security::routes(),
        keys::routes(),
        licenses::routes(),
        login::routes(),
        orders::routes(),
        metrics::routes(),
        openapi::routes(),
        shops::routes(),
    ]
    .concat()
}

/// For every error under `/api`.
pub fn catchers() -> Vec<Catcher> {
    catchers![any]
}

#[catch(default)]
fn any(status: Status, request: &Request<'_>) -> ErrorAnswer {
    ErrorAnswer(refused(status, request))
}

struct ErrorAnswer(Error);

#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
struct ErrorBody<'a> {
    #[schema(schema_with = schemas::error)]
    status: &'static str,
    /// What is wrong, and what to do
    message: String,
    /// The field at fault, if it is one
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    field: Option<&'a str>,
    /// Why a machine cannot be activated, for programs
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    reason: Option<&'a str>,
    /// All seats of the activation code, if they are in use
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64)]
    seats: Option<i64>,
}

impl<'a> From<&'a Error> for ErrorBody<'a> {
    fn from(error: &'a Error) -> ErrorBody<'a> {
        let refused = match error {
            Error::Refused(refused) => Some(&**refused),
            _ => None,
        };
        ErrorBody {
            status: "error",
            message: error.to_string(),
            field: error.field(),
            reason: refused.map(|refused| refused.reason),
            seats: refused.and_then(|refused| refused.seats),
        }
    }
}

impl<'r> Responder<'r, 'static> for ErrorAnswer {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        let ErrorAnswer(error) = self;
        let mut response = json(error.status(), &ErrorBody::from(&error))?;
        describe(&error, request, &mut response);
        Ok(response)
    }
}

/// The published answer: an HTTP status and two strings.
#[derive(Debug)]
pub struct Answer {
    http: u16,
    status: &'static str,
    message: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Success)]
struct AnswerBody {
    #[schema(schema_with = schemas::success)]
    status: &'static str,
    message: &'static str,
}

impl Answer {
    pub(crate) fn success(http: u16, message: &'static str) -> Answer {
        Answer {
            http,
            status: "success",
            message,
        }
    }
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'static> {
        json(
            self.http,
            &AnswerBody {
                status: self.status,
                message: self.message,
            },
        )
    }
}

struct Json<T>(T);

impl<'r, T: Serialize> Responder<'r, 'static> for Json<T> {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'static> {
        json(200, &self.0)
    }
}

/// In bytes; nearly every answer fits, including signed ones. The system allocator keeps blocks of this size
/// ready for each thread, but no larger ones.
const USUAL: usize = 1_024;

fn json(status: u16, body: &impl Serialize) -> rocket::response::Result<'static> {
    let mut text = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut text, body).map_err(|_| Status::InternalServerError)?;
    let is_usual = text.len() < USUAL;
    Response::build()
        .status(Status::new(status))
        .header(ContentType::JSON)
        .sized_body(text.len(), Cursor::new(text))
        .max_chunk_size(if is_usual {
            USUAL
        } else {
            ResponseBody::DEFAULT_MAX_CHUNK
        })
        .ok()
}
