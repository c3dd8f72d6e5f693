//! The JSON API: one file per resource. Errors are JSON, too.

mod body;
mod check;
mod doctor;
mod health;
mod keys;
mod licenses;
mod login;

use std::io::Cursor;

use rocket::http::{ContentType, Status};
use rocket::response::{Body as ResponseBody, Responder, Response};
use rocket::{Catcher, Request, Route, catch, catchers};
use serde::Serialize;

pub(crate) use body::Body;
pub(crate) use check::{Asked, SignedAnswer};

use crate::error::Error;
use crate::request::{describe, refused};

/// Relative to the base path.
pub fn routes() -> Vec<Route> {
    [
        check::routes(),
        doctor::routes(),
        health::routes(),
        keys::routes(),
        licenses::routes(),
        login::routes(),
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

#[derive(Serialize)]
struct ErrorBody<'a> {
    status: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl<'r> Responder<'r, 'static> for ErrorAnswer {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        let ErrorAnswer(error) = self;
        let body = ErrorBody {
            status: "error",
            message: error.to_string(),
            field: error.field(),
        };
        let mut response = json(error.status(), &body)?;
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

#[derive(Serialize)]
struct AnswerBody {
    status: &'static str,
    message: &'static str,
}

impl Answer {
    fn success(http: u16, message: &'static str) -> Answer {
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
