//! `/api/orders`: for shops.

use rocket::http::Status;
use rocket::response::status::Custom;
use rocket::{Route, get, post, routes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answers::{BadBody, Faults, NoAccess, NoOrder, NotTakenBack, OtherOrder};
use super::body::{OptionalBody, required};
use super::codes::CodeRow;
use super::{Answer, AnswerBody, Body, Json, schemas};
use crate::auth::Seller;
use crate::error::Error;
use crate::model::customer::NamedCustomer;
use crate::model::order::{Extension, Item, NewOrder, OrderAction, SentItem, order_ref};
use crate::model::published::format_moment;
use crate::request::{App, Failure};
use crate::service::OrderCodes;

pub(super) fn routes() -> Vec<Route> {
    routes![place, get, act, extend]
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

/// None is needed.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Reason)]
pub(super) struct SentReason {
    #[schema(required = false, schema_with = schemas::reason)]
    reason: Option<String>,
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
    request_body(content = Option<SentReason>, example = json!({"reason": "Chargeback"})),
    responses(
        (status = 200, description = "Done", body = AnswerBody,
            example = json!({"status": "success", "message": "Order suspended"})),
        NotTakenBack, BadBody, NoAccess, NoOrder, Faults,
    ),
    security(("token" = ["orders:write"]), ("session" = [])),
)]
#[post("/api/orders/<reference>/<action>", data = "<body>", rank = 2)]
pub(super) async fn act(
    app: &App,
    seller: Seller,
    reference: String,
    action: String,
    body: OptionalBody<SentReason>,
) -> Result<Answer, Failure> {
    let OptionalBody(SentReason { reason }) = body;
    let action = OrderAction::from_word(&action);
    let action = action.ok_or(Error::NotFound("There is nothing at this address."))?;
    let actor = seller.actor.clone().because(&reason.unwrap_or_default())?;
    app.run(move |service| {
        let source = seller.source_of(service, &reference)?;
        service.act_on_order(&actor, &source, &reference, action)
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
