//! `/api/codes`: activation codes, for scripts.

use rocket::http::Status as Http;
use rocket::response::status::Custom;
use rocket::{FromForm, Route, get, patch, post, routes};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::{BadBody, BadValue, Faults, NoAccess, NoCode};
use super::body::required;
use super::licenses::once;
use super::{Answer, AnswerBody, Body, Json, schemas};
use crate::auth::{CodeReader, CodeWriter};
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, CodeTerm, CodeValues};
use crate::model::code_draft::CodeDraft;
use crate::model::date;
use crate::model::license::Status;
use crate::request::{App, Failure};
use crate::service::CodeQuery;

pub(super) fn routes() -> Vec<Route> {
    routes![find, create, change]
}

#[derive(Serialize, ToSchema)]
#[schema(as = ActivationCode)]
pub(super) struct CodeRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<i64>,
    /// For `PATCH`
    id: i64,
    tool_name: String,
    activation_code: String,
    status: &'static str,
    seats: i64,
    seats_used: i64,
    expiration_date: Option<String>,
    /// Counted from the first activation, which has not happened yet.
    days: Option<i64>,
    edition: Option<String>,
    /// Besides those of the edition
    features: Vec<String>,
    /// The last build date of the tool that is covered
    updates_until: Option<String>,
    customer: Option<String>,
    order_ref: Option<String>,
}

impl CodeRow {
    pub(super) fn new(code: &ActivationCode, item: Option<i64>, seats_used: i64) -> CodeRow {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        CodeRow {
            item,
            id: code.id,
            tool_name: code.tool_name.clone(),
            activation_code: code.shown(),
            status: code.values.status.as_str(),
            seats: code.values.seats,
            seats_used,
            expiration_date: code.values.term.expiration_date().map(date::format),
            days: code.values.term.days(),
            edition: code.values.entitlements.edition.clone(),
            features: code.values.entitlements.features.clone(),
            updates_until: code.values.entitlements.updates_until.map(date::format),
            customer: some(&code.values.customer),
            order_ref: some(&code.values.order_ref),
        }
    }
}

#[derive(FromForm, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SentQuery {
    #[param(value_type = Option<String>, max_length = 255)]
    order_ref: Vec<String>,
    /// In any spelling
    #[param(value_type = Option<String>, max_length = 255)]
    activation_code: Vec<String>,
    /// The name
    #[param(value_type = Option<String>, max_length = 255)]
    customer: Vec<String>,
}

/// Find activation codes
///
/// Those that match all of the given values, newest first, at most 1,000.
#[utoipa::path(
    tag = "Activation codes",
    operation_id = "findCodes",
    params(SentQuery),
    responses(
        (status = 200, description = "The codes", body = [CodeRow]),
        BadValue, NoAccess, Faults,
    ),
    security(("token" = ["codes:write"]), ("token" = ["orders:write"]), ("session" = [])),
)]
#[get("/api/codes?<query..>")]
pub(super) async fn find(
    app: &App,
    _reader: CodeReader,
    query: SentQuery,
) -> Result<Json<Vec<CodeRow>>, Failure> {
    let query = CodeQuery {
        order_ref: once("order_ref", query.order_ref)?,
        activation_code: once("activation_code", query.activation_code)?,
        customer: once("customer", query.customer)?,
    };
    let rows = app
        .run(move |service| {
            let found = service.find_codes(&query)?;
            let rows = found.iter();
            let rows = rows.map(|found| CodeRow::new(&found.code, None, found.seats_used));
            Ok(rows.collect())
        })
        .await?;
    Ok(Json(rows))
}

/// New activation codes, all with the same values
#[derive(Deserialize, ToSchema)]
#[schema(as = NewActivationCodes)]
pub(super) struct SentCodes {
    #[schema(required = true, schema_with = schemas::tool_name)]
    tool_name: Option<String>,
    /// Codes to make; 1 if absent
    #[schema(minimum = 1, maximum = 1_000)]
    quantity: Option<i64>,
    /// The customer's e-mail address
    #[schema(max_length = 100)]
    email: Option<String>,
    /// Machines of each code; 1 if absent
    #[schema(minimum = 1, maximum = 10_000)]
    seats: Option<i64>,
    /// YYYY-MM-DD, the last day; neither this nor `days` for perpetual
    expiration_date: Option<String>,
    /// Counted from the first activation
    #[schema(minimum = 1, maximum = 36_500)]
    days: Option<i64>,
    /// How often the customer can free each seat within a year; 3 if absent
    #[schema(minimum = 0, maximum = 1_000)]
    moves_per_year: Option<i64>,
    /// The name
    #[schema(max_length = 255)]
    customer: Option<String>,
    #[schema(max_length = 100)]
    order_ref: Option<String>,
    #[schema(max_length = 2_000)]
    note: Option<String>,
    #[schema(max_length = 50)]
    edition: Option<String>,
    /// Besides those of the edition
    #[schema(max_items = 50)]
    features: Option<Vec<String>>,
    /// For the program
    #[schema(max_length = 1_024)]
    data: Option<String>,
    /// YYYY-MM-DD, the last build date of the tool that is covered
    updates_until: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct MadeCodes {
    codes: Vec<CodeRow>,
}

/// Make activation codes
///
/// All with the same values. Sent twice, it makes them twice: an order does not.
#[utoipa::path(
    tag = "Activation codes",
    operation_id = "createCodes",
    request_body(content = SentCodes, example = json!({
        "tool_name": "YourTool", "quantity": 2, "seats": 3, "days": 365, "customer": "Anna Berg", "edition": "Pro",
    })),
    responses(
        (status = 201, description = "The codes", body = MadeCodes, example = json!({
            "codes": [{"id": 1, "tool_name": "YourTool", "activation_code": "AAAA-AAAA-AAAA-AAAA",
                "status": "activated", "seats": 3, "seats_used": 0, "expiration_date": null, "days": 365,
                "edition": "Pro", "features": [], "updates_until": null, "customer": "Anna Berg",
                "order_ref": null}],
        })),
        BadBody, NoAccess, Faults,
    ),
    security(("token" = ["codes:write"]), ("session" = [])),
)]
#[post("/api/codes", data = "<body>")]
pub(super) async fn create(
    app: &App,
    writer: CodeWriter,
    body: Body<SentCodes>,
) -> Result<Custom<Json<MadeCodes>>, Failure> {
    let Body(sent) = body;
    let mut draft = CodeDraft::new();
    draft.set("tool_name", &required("tool_name", sent.tool_name)?);
    for (name, number) in [
        ("number", sent.quantity),
        ("seats", sent.seats),
        ("days", sent.days),
        ("moves_per_year", sent.moves_per_year),
    ] {
        if let Some(number) = number {
            draft.set(name, &number.to_string());
        }
    }
    for (name, text) in [
        ("customer", sent.customer),
        ("email", sent.email),
        ("order_ref", sent.order_ref),
        ("note", sent.note),
        ("edition", sent.edition),
        ("data", sent.data),
    ] {
        draft.set(name, &text.unwrap_or_default());
    }
    draft.set_day("expiration_date", sent.expiration_date)?;
    draft.set_day("updates_until", sent.updates_until)?;
    draft.set_features(&sent.features.unwrap_or_default())?;
    let tool_name = draft.tool_name()?;
    let (number, customer) = (draft.number()?, draft.customer()?);
    let values = draft.values(&CodeValues::new(1, CodeTerm::Perpetual));
    let values = values.map_err(Error::Invalid)?;
    let made = app
        .run(move |service| {
            service.create_codes_for(&writer.0, &tool_name, &customer, &values, number)
        })
        .await;
    let codes = made.map_err(as_sent)?;
    let codes = codes.iter().map(|code| CodeRow::new(code, None, 0));
    let body = MadeCodes {
        codes: codes.collect(),
    };
    Ok(Custom(Http::Created, Json(body)))
}

/// With the name that the field has here.
fn as_sent(error: Error) -> Error {
    match error {
        Error::Invalid(mut problems) => {
            for problem in problems.iter_mut().filter(|p| p.field == "number") {
                problem.field = "quantity";
            }
            Error::Invalid(problems)
        }
        error => error,
    }
}

/// None if it is absent; null clears.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ActivationCodeChange)]
pub(super) struct SentChange {
    #[schema(required = false, schema_with = schemas::new_status)]
    status: Option<String>,
    #[schema(minimum = 1, maximum = 10_000)]
    seats: Option<i64>,
    /// YYYY-MM-DD, the last day; replaces `days`
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    expiration_date: Option<Option<String>>,
    /// Counted from the first activation; replaces `expiration_date`
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 36_500)]
    days: Option<Option<i64>>,
    /// How often the customer can free each seat within a year
    #[schema(minimum = 0, maximum = 1_000)]
    moves_per_year: Option<i64>,
    /// The name
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 255)]
    customer: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 100)]
    order_ref: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 2_000)]
    note: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 50)]
    edition: Option<Option<String>>,
    /// Besides those of the edition
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    features: Option<Option<Vec<String>>>,
    /// For the program
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1_024)]
    data: Option<Option<String>>,
    /// YYYY-MM-DD, the last build date of the tool that is covered
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    updates_until: Option<Option<String>>,
    #[schema(required = false, schema_with = schemas::reason)]
    reason: Option<String>,
}

/// Change an activation code
///
/// A field that is absent keeps its value, and null clears it. Its licenses follow, from the next check on.
#[utoipa::path(
    tag = "Activation codes",
    operation_id = "changeCode",
    params(("id" = String, Path, description = "The `id` of the code, or the code itself unless it is of digits alone")),
    request_body(content = SentChange, example = json!({"status": "suspended", "reason": "Payment in doubt"})),
    responses(
        (status = 200, description = "The code was changed", body = AnswerBody,
            example = json!({"status": "success", "message": "Activation code updated"})),
        NoCode, BadBody, NoAccess, Faults,
    ),
    security(("token" = ["codes:write"]), ("session" = [])),
)]
#[patch("/api/codes/<id>", data = "<body>")]
pub(super) async fn change(
    app: &App,
    writer: CodeWriter,
    id: String,
    body: Body<SentChange>,
) -> Result<Answer, Failure> {
    let Body(sent) = body;
    let mut draft = CodeDraft::default();
    let number = |number: i64| number.to_string();
    for (name, text) in [
        ("seats", sent.seats.map(|seats| Some(number(seats)))),
        ("days", sent.days.map(|days| days.map(number))),
        (
            "moves_per_year",
            sent.moves_per_year.map(|moves| Some(number(moves))),
        ),
        ("customer", sent.customer),
        ("order_ref", sent.order_ref),
        ("note", sent.note),
        ("edition", sent.edition),
        ("data", sent.data),
    ] {
        if let Some(text) = text {
            draft.set(name, &text.unwrap_or_default());
        }
    }
    for (name, day) in [
        ("expiration_date", sent.expiration_date),
        ("updates_until", sent.updates_until),
    ] {
        if let Some(day) = day {
            draft.set_day(name, day)?;
        }
    }
    if let Some(names) = sent.features {
        draft.set_features(&names.unwrap_or_default())?;
    }
    let status = sent.status.as_deref().map(Status::parse).transpose()?;
    let actor = writer.0.because(&sent.reason.unwrap_or_default())?;
    app.run(move |service| service.patch_code(&actor, service.code_at(&id)?, status, &draft))
        .await?;
    Ok(Answer::success(200, "Activation code updated"))
}
