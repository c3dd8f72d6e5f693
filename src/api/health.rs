//! `GET /health` and `GET /ready`: whether the server runs, and whether it can do all of its work. Public.

use rocket::http::Status;
use rocket::{Request, Route, get, response, routes};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Json, json, schemas};
use crate::model::readiness::Condition;
use crate::request::{App, Failure};

pub(super) fn routes() -> Vec<Route> {
    routes![health, ready]
}

#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    #[schema(schema_with = schemas::ok)]
    status: &'static str,
}

/// Ask whether the server runs
///
/// For monitoring. It needs no database: a full disk is no reason to restart a server.
#[utoipa::path(
    tag = "Server",
    operation_id = "health",
    responses((status = 200, description = "The server runs", body = Health, example = json!({"status": "ok"}))),
)]
#[get("/health")]
pub(super) fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

#[get("/ready")]
async fn ready(app: &App) -> Result<Readiness, Failure> {
    Ok(Readiness(app.unmet_conditions().await?))
}

struct Readiness(Vec<Condition>);

#[derive(Serialize)]
struct ReadinessBody {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<Fault>,
}

#[derive(Serialize)]
struct Fault {
    condition: &'static str,
    message: &'static str,
}

impl<'r> response::Responder<'r, 'static> for Readiness {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let Readiness(unmet) = self;
        let (http, status) = match unmet.is_empty() {
            true => (Status::Ok, "ready"),
            false => (Status::ServiceUnavailable, "not_ready"),
        };
        let faults = unmet.into_iter().map(|condition| Fault {
            condition: condition.as_str(),
            message: condition.fault(),
        });
        let faults = faults.collect();
        json(http.code, &ReadinessBody { status, faults })
    }
}
