//! Errors in the API's description, as the server words them. A handler names the sets that it answers with.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::ErrorBody;
use crate::error::Error;
use crate::model::activation_code::Reason;
use crate::request::{BODY, SMALL_BODY};

type Responses = BTreeMap<String, RefOr<Response>>;

/// Every route.
pub(super) struct Faults;
/// A route that takes a body of at most 64 KiB.
pub(super) struct BadBody;
/// A route that takes a body of at most 8 KiB.
pub(super) struct BadSmallBody;
/// A route with a guard that allows a cookie or a token.
pub(super) struct NoAccess;
pub(super) struct BadValue;
pub(super) struct NoLicense;
pub(super) struct Duplicate;
pub(super) struct TooMany;
/// A code that cannot be used, with its reason.
pub(super) struct RefusedCode;
pub(super) struct NoOrder;
pub(super) struct NoCode;
pub(super) struct OtherOrder;
pub(super) struct NotTakenBack;

impl IntoResponses for Faults {
    fn responses() -> Responses {
        answers([
            (
                "An unexpected error, which has been logged",
                Error::Internal(String::new()),
            ),
            (
                "The server cannot answer right now",
                Error::Unavailable(String::new()),
            ),
        ])
    }
}

impl IntoResponses for BadBody {
    fn responses() -> Responses {
        bad_body("The body is larger than 64 KiB", BODY)
    }
}

impl IntoResponses for BadSmallBody {
    fn responses() -> Responses {
        bad_body("The body is larger than 8 KiB", SMALL_BODY)
    }
}

impl IntoResponses for NoAccess {
    fn responses() -> Responses {
        answers([
            ("Not signed in, or a wrong token", Error::Unauthenticated),
            (
                "The token lacks the scope, or a page of another site sent the request",
                Error::Forbidden("This token does not have the scope licenses:write.".into()),
            ),
        ])
    }
}

impl IntoResponses for BadValue {
    fn responses() -> Responses {
        let error = Error::invalid("status", "The status `on` is unknown.");
        answers([("A value is not acceptable", error)])
    }
}

impl IntoResponses for NoLicense {
    fn responses() -> Responses {
        let error = Error::NotFound("License not found.");
        answers([("There is no license with this ID", error)])
    }
}

impl IntoResponses for Duplicate {
    fn responses() -> Responses {
        answers([("The license exists already", Error::Duplicate)])
    }
}

impl IntoResponses for RefusedCode {
    fn responses() -> Responses {
        answers([
            (
                "The code or the machine is suspended or revoked, or the code has expired",
                Reason::CodeSuspended.into(),
            ),
            (
                "There is no such code, or it is for another tool",
                Reason::UnknownCode.into(),
            ),
            (
                "All seats are in use, the machine has a license of another code, or it cannot be removed",
                Reason::SeatsInUse(3).into(),
            ),
            (
                "A value is not acceptable, or the code contains a typing error",
                Reason::BadCode("This code contains a typing error.".into()).into(),
            ),
            ("Too many attempts", Reason::TryLater(60).into()),
        ])
    }
}

impl IntoResponses for NoOrder {
    fn responses() -> Responses {
        let error = Error::NotFound("Order not found.");
        answers([("There is no such order", error)])
    }
}

impl IntoResponses for NoCode {
    fn responses() -> Responses {
        let error = Error::NotFound("Activation code not found.");
        answers([("There is no such activation code", error)])
    }
}

impl IntoResponses for OtherOrder {
    fn responses() -> Responses {
        let error = Error::Conflict("The order 2026-17 was sent before with other items.".into());
        answers([("It was sent before with another content", error)])
    }
}

impl IntoResponses for NotTakenBack {
    fn responses() -> Responses {
        let error = Error::Conflict(
            "The order set the expiration date of …AAAA, and nothing tells which one it had before. Change that \
             code by hand."
                .into(),
        );
        answers([("It renewed another order to a date or for ever", error)])
    }
}

impl IntoResponses for TooMany {
    fn responses() -> Responses {
        answers([("Too many requests", Error::TooManyRequests(6))])
    }
}

fn bad_body(too_large: &'static str, limit: u64) -> Responses {
    let malformed = Error::Malformed {
        message: "The request has no body.".into(),
        field: None,
    };
    let unsupported = Error::UnsupportedMediaType {
        required: "application/json",
        sent: Some("text/plain".into()),
    };
    answers([
        ("The body is not JSON, or has the wrong shape", malformed),
        (
            "The body did not arrive within 10 seconds",
            Error::BodyTimeout,
        ),
        (too_large, Error::TooLarge(limit)),
        ("Content-Type is not application/json", unsupported),
        (
            "A value is not acceptable",
            Error::invalid("tool_name", "The tool name is missing."),
        ),
    ])
}

fn answers<const N: usize>(answers: [(&str, Error); N]) -> Responses {
    let answer = |(when, error): (&str, Error)| {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Error")))
            .example(serde_json::to_value(ErrorBody::from(&error)).ok());
        let mut response = ResponseBuilder::new()
            .description(when)
            .content("application/json", content.build());
        if error.retry_after().is_some() {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
            let header = HeaderBuilder::new()
                .schema(seconds)
                .description(Some("Seconds after which to try again"));
            response = response.header("Retry-After", header.build());
        }
        (error.status().to_string(), response.build().into())
    };
    answers.into_iter().map(answer).collect()
}
