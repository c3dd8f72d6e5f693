//! `POST /api/login`: starts a session for a user name and password. Public.

use rocket::{Route, post, routes};
use serde::Deserialize;

use super::Answer;
use super::body::{Body, required};
use crate::auth::{SameOrigin, SignInCookies};
use crate::request::{App, Failure, SMALL_BODY};
use crate::service::Client;

pub(super) fn routes() -> Vec<Route> {
    routes![login]
}

#[derive(Deserialize)]
struct Credentials {
    username: Option<String>,
    password: Option<String>,
}

#[post("/api/login", data = "<body>")]
async fn login(
    app: &App,
    _own_page: SameOrigin,
    client: Client,
    cookies: SignInCookies<'_>,
    body: Body<Credentials, { SMALL_BODY }>,
) -> Result<Answer, Failure> {
    let Body(credentials) = body;
    let username = required("username", credentials.username)?;
    let password = required("password", credentials.password)?;
    cookies.set(app.log_in(&username, password, client).await?);
    Ok(Answer::success(200, "Login successful"))
}
