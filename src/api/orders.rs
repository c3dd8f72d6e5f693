//! `/api/orders` and `/api/codes`: for shops.

use rocket::http::Status;
use rocket::response::status::Custom;
use rocket::{FromForm, Route, get, post, routes};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::{
    BadBody, BadValue, Faults, NoAccess, NoOrder, NotTakenBack, OtherOrder, WrongType,
};
use super::body::required;
use super::licenses::once;
use super::{Answer, AnswerBody, Body, Json, schemas};
use crate::auth::Seller;
use crate::error::Error;
use crate::model::activation_code::ActivationCode;
use crate::model::customer::NamedCustomer;
use crate::model::date;
use crate::model::order::{Extension, Item, NewOrder, OrderAction, SentItem, order_ref};
use crate::model::published::format_moment;
use crate::request::{App, Failure};
use crate::service::{CodeQuery, OrderCodes};

pub(super) fn routes() -> Vec<Route> {
    routes![place, get, act, extend, codes]
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewOrder)]
pub(super) struct SentOrder {
    /// The shop's number of the order
    #[schema(required = true, schema_with = schemas::order_ref)]
    order_ref: Option<String>,
    customer: Option<SentCustomer>,
    /// 1 to 50
    #[schema(required = true)]
    items: Option<Vec<SentItem>>,
    /// Its codes expire in 7 days
    #[serde(default)]
    test: bool,
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Customer)]
pub(super) struct SentCustomer {
    name: Option<String>,
    email: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Placed {
    order_ref: String,
    codes: Vec<MadeCode>,
}

#[derive(Serialize, ToSchema)]
struct MadeCode {
    /// Counted from 0
    item: i64,
    tool_name: String,
    activation_code: String,
}

/// Place an order
///
/// Makes the activation codes of an order, once: the same order again, however often and at the same time, has the
/// same answer.
#[utoipa::path(
    tag = "Orders",
    operation_id = "placeOrder",
    request_body(content = SentOrder, example = json!({
        "order_ref": "2026-17",
        "customer": {"name": "Anna Berg", "email": "anna@example.com"},
        "items": [{"tool_name": "YourTool", "quantity": 1, "seats": 3, "days": 365, "edition": "Pro",
            "features": ["export"], "updates_until": "2027-12-31"}],
    })),
    responses(
        (status = 201, description = "The order was placed", body = Placed, example = json!({
            "order_ref": "2026-17",
            "codes": [{"item": 0, "tool_name": "YourTool", "activation_code": "AAAA-AAAA-AAAA-AAAA"}],
        })),
        (status = 200, description = "It was placed before; the same codes", body = Placed),
        BadBody, OtherOrder, NoAccess, Faults,
    ),
    security(("token" = ["orders:write"]), ("session" = [])),
)]
#[post("/api/orders", data = "<body>")]
pub(super) async fn place(
    app: &App,
    seller: Seller,
    body: Body<SentOrder>,
) -> Result<Custom<Json<Placed>>, Failure> {
    let Body(sent) = body;
    let reference = required("order_ref", sent.order_ref)?;
    let items = required("items", sent.items)?;
    let customer = sent.customer.unwrap_or_default();
    let [name, email] = [customer.name, customer.email].map(Option::unwrap_or_default);
    let customer = NamedCustomer::parse(&name, &email)?;
    let order = NewOrder::parse(&reference, customer, items, sent.test)?;
    let placed = app
        .run(move |service| service.place_order(&seller.actor, &seller.source, &order))
        .await?;
    let status = if placed.is_new {
        Status::Created
    } else {
        Status::Ok
    };
    let codes = placed.codes.iter().map(|(item, code)| MadeCode {
        item: *item,
        tool_name: code.tool_name.clone(),
        activation_code: code.shown(),
    });
    let body = Placed {
        codes: codes.collect(),
        order_ref: placed.order.order_ref,
    };
    Ok(Custom(status, Json(body)))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub(super) struct OrderRow {
    order_ref: String,
    created_at: String,
    customer: Option<String>,
    test: bool,
    items: Vec<Item>,
    codes: Vec<CodeRow>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ActivationCode)]
pub(super) struct CodeRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<i64>,
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
    fn new(code: &ActivationCode, item: Option<i64>, seats_used: i64) -> CodeRow {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        CodeRow {
            item,
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

/// Get an order
#[utoipa::path(
    tag = "Orders",
    operation_id = "getOrder",
    params(("reference" = String, Path, description = "The `order_ref`, percent-encoded")),
    responses(
        (status = 200, description = "The order and its codes", body = OrderRow),
        NoAccess, NoOrder, Faults,
    ),
    security(("token" = ["orders:write"]), ("session" = [])),
)]
#[get("/api/orders/<reference>")]
pub(super) async fn get(
    app: &App,
    seller: Seller,
    reference: String,
) -> Result<Json<OrderRow>, Failure> {
    let row = app
        .run(move |service| {
            let source = seller.source_of(service, &reference)?;
            let OrderCodes { order, codes, .. } = service.order(&source, &reference)?;
            let codes = codes.iter().map(|(item, code)| {
                Ok(CodeRow::new(
                    code,
                    Some(*item),
                    service.seats_used(code.id)?,
                ))
            });
            Ok(OrderRow {
                codes: codes.collect::<Result<_, Error>>()?,
                created_at: format_moment(order.created_at),
                customer: (!order.customer.is_empty()).then_some(order.customer),
                test: order.is_test,
                items: order.items,
                order_ref: order.order_ref,
            })
        })
        .await?;
    Ok(Json(row))
}

/// Suspend, resume, revoke or restore an order
///
/// All its codes follow, and their machines. Repeated, it changes nothing. `resume` ends `suspend`, and `restore`
/// ends `revoke`, as after a chargeback that was won. `revoke` also takes back what the order did to another one,
/// which it renewed or added seats to.
#[utoipa::path(
    tag = "Orders",
    operation_id = "changeOrder",
    params(
        ("reference" = String, Path, description = "The `order_ref`, percent-encoded"),
        ("action" = String, Path, pattern = "^(suspend|resume|revoke|restore)$"),
    ),
    responses(
        (status = 200, description = "Done", body = AnswerBody,
            example = json!({"status": "success", "message": "Order suspended"})),
        NotTakenBack, BadValue, NoAccess, NoOrder, WrongType, Faults,
    ),
    security(("token" = ["orders:write"]), ("session" = [])),
)]
#[post("/api/orders/<reference>/<action>", rank = 2)]
pub(super) async fn act(
    app: &App,
    seller: Seller,
    reference: String,
    action: String,
) -> Result<Answer, Failure> {
    let action = OrderAction::from_word(&action);
    let action = action.ok_or(Error::NotFound("There is nothing at this address."))?;
    app.run(move |service| {
        let source = seller.source_of(service, &reference)?;
        service.act_on_order(&seller.actor, &source, &reference, action)
    })
    .await?;
    Ok(Answer::success(200, action.done()))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Extension)]
pub(super) struct SentExtension {
    /// From the later of expiration and today; this or `expiration_date`
    days: Option<i64>,
    expiration_date: Option<String>,
    /// The same event extends once
    #[schema(required = true, schema_with = schemas::order_ref)]
    event_ref: Option<String>,
}

/// Extend an order
#[utoipa::path(
    tag = "Orders",
    operation_id = "extendOrder",
    params(("reference" = String, Path, description = "The `order_ref`, percent-encoded")),
    request_body(content = SentExtension, example = json!({"days": 365, "event_ref": "invoice 2"})),
    responses(
        (status = 200, description = "Its codes are extended", body = AnswerBody,
            example = json!({"status": "success", "message": "Order extended"})),
        BadBody, OtherOrder, NoOrder, NoAccess, Faults,
    ),
    security(("token" = ["orders:write"]), ("session" = [])),
)]
#[post("/api/orders/<reference>/extend", data = "<body>")]
pub(super) async fn extend(
    app: &App,
    seller: Seller,
    reference: String,
    body: Body<SentExtension>,
) -> Result<Answer, Failure> {
    let Body(sent) = body;
    let extension = Extension::parse(sent.days, sent.expiration_date.as_deref())?;
    let event = required("event_ref", sent.event_ref)?;
    let event = order_ref("event_ref", &event).map_err(Error::from)?;
    app.run(move |service| {
        let source = seller.source_of(service, &reference)?;
        service.extend_order(&seller.actor, &source, &reference, extension, &event)
    })
    .await?;
    Ok(Answer::success(200, "Order extended"))
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
    tag = "Orders",
    operation_id = "findCodes",
    params(SentQuery),
    responses(
        (status = 200, description = "The codes", body = [CodeRow]),
        BadValue, NoAccess, Faults,
    ),
    security(("token" = ["orders:write"]), ("session" = [])),
)]
#[get("/api/codes?<query..>")]
pub(super) async fn codes(
    app: &App,
    _seller: Seller,
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
