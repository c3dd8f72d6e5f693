//! `GET /api/keys`: the public keys that verify answers. Public.

use rocket::{Route, get, routes};
use serde::Serialize;

use super::Json;
use crate::model::signing_key::Jwk;
use crate::request::App;

pub(super) fn routes() -> Vec<Route> {
    routes![keys]
}

/// A JWK Set, RFC 7517.
#[derive(Serialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

#[get("/api/keys")]
fn keys(app: &App) -> Json<KeySet> {
    Json(KeySet {
        keys: app.public_keys(),
    })
}
