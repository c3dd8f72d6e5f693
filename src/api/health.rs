//! `GET /health` and `GET /ready`: whether the server runs, and whether it can do all of its work. Public.

use rocket::http::Status;
use rocket::{Request, Route, get, response, routes};
use serde::Serialize;

use super::{Json, json};
use crate::model::readiness::Condition;
use crate::request::{App, Failure};

pub(super) fn routes() -> Vec<Route> {
    routes![health, ready]
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// Needs nothing else: who restarts a server that does not answer must not do so because of a full disk.
#[get("/health")]
fn health() -> Json<Health> {
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
