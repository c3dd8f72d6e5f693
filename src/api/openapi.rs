//! `GET /api/openapi.json`: the API's description, made from the handlers and their types. Public.

use rocket::response::{self, Responder};
use rocket::{Request, Route, State, get, routes};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::Server;

use super::{
    ErrorBody, activate, audit, check, codes, health, json, keys, licenses, login, orders,
    reference,
};
use crate::auth::session_cookie;
use crate::config::Config;
use crate::model::reference::Reference;

pub(super) fn routes() -> Vec<Route> {
    routes![openapi]
}

/// In the order of the page.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "License Server",
        version = "1.0.0",
        description = "Everything under `/api` takes and returns JSON in UTF-8. Every error is \
                       `{\"status\":\"error\",\"message\":\"…\"}`; if one field is at fault, `field` names it. \
                       A wrong method is answered with 405 and `Allow`. Published requests and answers never \
                       change; new fields may be added to answers.",
        license(name = "MIT", identifier = "MIT"),
    ),
    paths(
        check::check,
        activate::activate,
        activate::deactivate,
        licenses::list,
        licenses::add,
        licenses::get,
        licenses::change,
        licenses::delete,
        orders::place,
        orders::get,
        orders::act,
        orders::extend,
        codes::find,
        codes::create,
        codes::change,
        audit::list,
        login::login,
        keys::keys,
        openapi,
        health::health,
    ),
    components(schemas(ErrorBody))
)]
struct Described;

/// The description of one server.
pub struct Document(utoipa::openapi::OpenApi);

/// The description of this server, and what the page shows of it.
pub fn described(config: &Config) -> (Document, Reference) {
    let url = format!("{}{}", config.origin(config.port), config.base_path());
    let mut described = Described::openapi();
    described.servers = Some(vec![Server::new(&url)]);
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API token, from the account page"))
        .build();
    let cookie =
        ApiKeyValue::with_description(session_cookie(config), "From `POST /api/login`".to_owned());
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(cookie));
    let components = described.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    components.add_security_scheme("session", session);
    let reference = reference::of(&described, &url);
    (Document(described), reference)
}

impl<'r> Responder<'r, 'static> for &Document {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        json(200, &self.0)
    }
}

/// Get this description
///
/// OpenAPI 3.1, for tools that generate clients and tests.
#[utoipa::path(
    tag = "Server",
    operation_id = "getDescription",
    responses((status = 200, description = "An OpenAPI document", body = Object)),
)]
#[get("/api/openapi.json")]
pub(super) fn openapi(document: &State<Document>) -> &Document {
    document
}
