//! `POST /api/login`: starts a session for a user name and password. Public.

use rocket::{Route, post, routes};
use serde::Deserialize;
use utoipa::ToSchema;

use super::answers::{BadSmallBody, Faults, TooMany};
use super::body::{Body, required};
use super::{Answer, AnswerBody, ErrorBody};
use crate::auth::{SameOrigin, SignInCookies};
use crate::request::{App, Failure, SMALL_BODY};
use crate::service::Client;

pub(super) fn routes() -> Vec<Route> {
    routes![login]
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    #[schema(required = true, value_type = String)]
    username: Option<String>,
    #[schema(required = true, value_type = String)]
    password: Option<String>,
    /// Of the authenticator app, or a recovery code; only for who has a second factor
    otp: Option<String>,
}

/// Start a session
///
/// Sets the session cookie, which expires like that of a browser. For scripts, an API token is better.
#[utoipa::path(
    tag = "Sessions",
    operation_id = "login",
    request_body(content = Credentials, example = json!({"username": "admin", "password": "…"})),
    responses(
        (status = 200, description = "Signed in", body = AnswerBody,
            headers(("Set-Cookie" = String, description = "The session")),
            example = json!({"status": "success", "message": "Login successful"})),
        (status = 401, description = "Wrong user name or password, or a code that is wrong, used or missing", body = ErrorBody,
            example = json!({"status": "error", "message": "Invalid credentials"})),
        (status = 403, description = "A page of another site sent the request", body = ErrorBody,
            example = json!({"status": "error", "message": "A page of another site sent this request."})),
        BadSmallBody, TooMany, Faults,
    ),
)]
#[post("/api/login", data = "<body>")]
pub(super) async fn login(
    app: &App,
    _own_page: SameOrigin,
    client: Client,
    cookies: SignInCookies<'_>,
    body: Body<Credentials, { SMALL_BODY }>,
) -> Result<Answer, Failure> {
    let Body(credentials) = body;
    let username = required("username", credentials.username)?;
    let password = required("password", credentials.password)?;
    let signed_in = app.log_in(&username, password, credentials.otp, client);
    cookies.set(signed_in.await?);
    Ok(Answer::success(200, "Login successful"))
}
