//! `GET /health`: whether the server and its database respond. Public.

use rocket::{Route, get, routes};
use serde::Serialize;

use super::Json;
use crate::request::{App, Failure};

pub(super) fn routes() -> Vec<Route> {
    routes![health]
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

#[get("/health")]
fn health(app: &App) -> Result<Json<Health>, Failure> {
    app.health()?;
    Ok(Json(Health { status: "ok" }))
}
