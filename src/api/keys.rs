//! `GET /api/keys`: the public keys that verify answers. Public.

use rocket::{Route, get, routes};
use serde::Serialize;
use utoipa::ToSchema;

use super::Json;
use crate::model::signing_key::Jwk;
use crate::request::App;

pub(super) fn routes() -> Vec<Route> {
    routes![keys]
}

/// A JWK Set (RFC 7517)
#[derive(Serialize, ToSchema)]
pub(super) struct KeySet {
    keys: Vec<Jwk>,
}

/// Get the public signing keys
///
/// For you, the vendor, to pin in your programs. A client must never fetch its keys: whoever can fake the server can
/// fake them, too.
#[utoipa::path(
    tag = "Server",
    operation_id = "getKeys",
    responses((status = 200, description = "A JWK Set (RFC 7517)", body = KeySet)),
)]
#[get("/api/keys")]
pub(super) fn keys(app: &App) -> Json<KeySet> {
    Json(KeySet {
        keys: app.public_keys(),
    })
}
