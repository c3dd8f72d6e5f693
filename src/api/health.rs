//! `GET /health`: whether the server and its database respond. Public.

use rocket::{Route, get, routes};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Json, schemas};
use crate::request::{App, Failure};

pub(super) fn routes() -> Vec<Route> {
    routes![health]
}

#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    #[schema(schema_with = schemas::ok)]
    status: &'static str,
}

/// Ask whether the server works
///
/// For monitoring: whether the server and its database respond.
#[utoipa::path(
    tag = "Server",
    operation_id = "health",
    responses(
        (status = 200, description = "The server and its database work", body = Health, example = json!({"status": "ok"})),
        (status = 503, description = "The database does not respond"),
    ),
)]
#[get("/health")]
pub(super) fn health(app: &App) -> Result<Json<Health>, Failure> {
    app.health()?;
    Ok(Json(Health { status: "ok" }))
}
