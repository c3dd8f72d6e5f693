//! `/api/licenses`: the table of licenses, for scripts.

use rocket::http::Header;
use rocket::{FromForm, Responder, Route, State, delete, get, patch, post, routes};
use utoipa::IntoParams;

use super::answers::{BadBody, BadValue, Duplicate, Faults, NoAccess, NoLicense};
use super::body::Body;
use super::license_schemas::{License, LicenseChange, NewLicense};
use super::rows::Rows;
use super::{Answer, AnswerBody, ErrorBody, Json, schemas};
use crate::auth::{Reader, Writer};
use crate::config::Config;
use crate::error::Error;
use crate::model::license::{Draft, DraftChange, Status};
use crate::model::published::Row;
use crate::model::search::{Filter, Word, check_length};
use crate::request::{App, Failure};
use crate::service::{Service, Walk};

pub(super) fn routes() -> Vec<Route> {
    routes![list, get, add, change, delete]
}

/// The filter in the URL query, each value as often as it was sent: an `Option` would be none if there are two.
#[derive(FromForm, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Exactly this tool
    #[param(value_type = Option<String>, max_length = 255)]
    tool_name: Vec<String>,
    /// Exactly this status
    #[param(required = false, schema_with = schemas::status)]
    status: Vec<String>,
    /// Exactly this customer
    #[param(value_type = Option<String>, max_length = 255)]
    user_id: Vec<String>,
    /// The same search as on the page, of at most 10 words
    #[param(value_type = Option<String>, max_length = 100)]
    q: Vec<String>,
    /// At most this many licenses
    #[param(value_type = Option<i64>, minimum = 1)]
    limit: Vec<String>,
    /// Only licenses with a greater `id`: pass the last one of a page to get the next page
    #[param(value_type = Option<i64>, minimum = 0)]
    after_id: Vec<String>,
}

/// List licenses
///
/// An array of all licenses, oldest first, or of those that match every parameter. It is streamed, so it may be long.
/// If the database fails while the array is being sent, its closing bracket is missing.
#[utoipa::path(
    tag = "Licenses",
    operation_id = "listLicenses",
    params(ListQuery),
    responses(
        (status = 200, description = "The licenses", body = [License], example = json!([License::example()])),
        NoAccess, BadValue, Faults,
    ),
    security(("token" = ["licenses:read"]), ("session" = [])),
)]
#[get("/api/licenses?<query..>")]
pub(super) async fn list(
    app: &App,
    reader: Reader,
    query: ListQuery,
) -> Result<Rows<Row, Walk>, Failure> {
    let tool_name = once("tool_name", query.tool_name)?;
    let status = once("status", query.status)?;
    let user_id = once("user_id", query.user_id)?;
    let limit = number("limit", once("limit", query.limit)?, 1)?.unwrap_or(i64::MAX);
    let after = number("after_id", once("after_id", query.after_id)?, 0)?.unwrap_or(0);
    let status = status.as_deref().map(Status::parse).transpose();
    let words = Word::parse_all(&one("q", query.q)?.unwrap_or_default());
    let filter = Filter {
        tool_name,
        status: status.map_err(Error::from)?,
        user_id,
        words: words.map_err(Error::from)?,
        ..Filter::default()
    };
    if filter.is_empty() && limit == i64::MAX {
        app.note_api_export(&reader.0);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let begin = move |service: &Service| service.walk(filter, after, limit);
    Ok(Rows::begin(app, begin, walk_on, "list_licenses").await?)
}

fn walk_on(service: &Service, walk: Walk) -> Result<(Vec<Row>, Walk), Error> {
    let (rows, walk) = service.walk_on(walk)?;
    Ok((rows.into_iter().map(Row::from).collect(), walk))
}

/// Get one license
#[utoipa::path(
    tag = "Licenses",
    operation_id = "getLicense",
    params(("id" = i64, Path, minimum = 1, description = "The `id` of the license")),
    responses(
        (status = 200, description = "The license", body = License, example = json!(License::example())),
        NoAccess, NoLicense, Faults,
    ),
    security(("token" = ["licenses:read"]), ("session" = [])),
)]
#[get("/api/licenses/<id>")]
pub(super) async fn get(app: &App, _reader: Reader, id: i64) -> Result<Json<Row>, Failure> {
    let listed = app.run(move |service| service.listed(id)).await?;
    Ok(Json(Row::from(listed)))
}

/// The published answer, with the location of the new row.
#[derive(Responder)]
pub(super) struct Added {
    answer: Answer,
    location: Header<'static>,
}

/// Add a license
///
/// Without a status it is activated, and without an expiration date perpetual. Spaces around a value are removed.
#[utoipa::path(
    tag = "Licenses",
    operation_id = "addLicense",
    request_body(content = NewLicense, example = json!(NewLicense::example())),
    responses(
        (status = 201, description = "The license was added", body = AnswerBody,
            headers(("Location" = String, description = "The address of the new license")),
            example = json!({"status": "success", "message": "License added"})),
        Duplicate, BadBody, NoAccess, Faults,
    ),
    security(("token" = ["licenses:write"]), ("session" = [])),
)]
#[post("/api/licenses", data = "<body>")]
pub(super) async fn add(
    app: &App,
    config: &State<Config>,
    writer: Writer,
    body: Body<Draft>,
) -> Result<Added, Failure> {
    let Body(draft) = body;
    let added = app
        .run(move |service| service.add_license(&writer.0, draft))
        .await?;
    let location = format!("{}/api/licenses/{}", config.base_path(), added.id);
    Ok(Added {
        answer: Answer::success(201, "License added"),
        location: Header::new("Location", location),
    })
}

/// Change a license
///
/// A field that is absent keeps its value, and null clears it. Counts from the next check on.
#[utoipa::path(
    tag = "Licenses",
    operation_id = "changeLicense",
    params(("id" = i64, Path, minimum = 1, description = "The `id` of the license")),
    request_body(content = LicenseChange, example = json!(LicenseChange::example())),
    responses(
        (status = 200, description = "The license was changed", body = AnswerBody,
            example = json!({"status": "success", "message": "License updated"})),
        NoLicense, Duplicate, BadBody, NoAccess, Faults,
    ),
    security(("token" = ["licenses:write"]), ("session" = [])),
)]
#[patch("/api/licenses/<id>", data = "<body>")]
pub(super) async fn change(
    app: &App,
    writer: Writer,
    id: i64,
    body: Body<DraftChange>,
) -> Result<Answer, Failure> {
    let Body(DraftChange { draft, reason }) = body;
    let actor = writer.0.because(&reason)?;
    app.run(move |service| service.change_license(&actor, id, draft))
        .await?;
    Ok(Answer::success(200, "License updated"))
}

/// Delete a license
#[utoipa::path(
    tag = "Licenses",
    operation_id = "deleteLicense",
    params(("id" = i64, Path, minimum = 1, description = "The `id` of the license")),
    responses(
        (status = 200, description = "The license was deleted", body = AnswerBody,
            example = json!({"status": "success", "message": "License deleted"})),
        (status = 415, description = "There is a body that is not JSON", body = ErrorBody,
            example = json!({"status": "error", "message": "The Content-Type of the request must be application/json, but it is text/plain."})),
        NoLicense, NoAccess, Faults,
    ),
    security(("token" = ["licenses:write"]), ("session" = [])),
)]
#[delete("/api/licenses/<id>")]
pub(super) async fn delete(app: &App, writer: Writer, id: i64) -> Result<Answer, Failure> {
    app.run(move |service| service.delete_license(&writer.0, id))
        .await?;
    Ok(Answer::success(200, "License deleted"))
}

/// Two of them would be two filters, and none must be ignored.
fn one(field: &'static str, sent: Vec<String>) -> Result<Option<String>, Error> {
    let mut sent = sent.into_iter();
    match (sent.next(), sent.next()) {
        (_, Some(_)) => Err(Error::invalid(
            field,
            format!("`{field}` is given more than once; give it once."),
        )),
        (first, None) => Ok(first),
    }
}

/// [`one`], no longer than any value.
pub(super) fn once(field: &'static str, sent: Vec<String>) -> Result<Option<String>, Error> {
    let text = one(field, sent)?;
    check_length(field, text.as_deref().unwrap_or_default())?;
    Ok(text)
}

pub(super) fn number(
    field: &'static str,
    text: Option<String>,
    least: i64,
) -> Result<Option<i64>, Error> {
    let Some(text) = text else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) if number >= least => Ok(Some(number)),
        _ => Err(Error::invalid(
            field,
            format!("`{field}` is `{text}`; it must be a number, at least {least}."),
        )),
    }
}
