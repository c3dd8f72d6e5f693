//! `/api/orders` and `/api/codes`: for shops.

use rocket::http::Status;
use rocket::response::status::Custom;
use rocket::{FromForm, Route, get, post, routes};
use serde::{Deserialize, Serialize};

use super::body::required;
use super::{Answer, Body, Json};
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

#[derive(Deserialize)]
struct SentOrder {
    order_ref: Option<String>,
    customer: Option<SentCustomer>,
    items: Option<Vec<SentItem>>,
    #[serde(default)]
    test: bool,
}

#[derive(Default, Deserialize)]
struct SentCustomer {
    name: Option<String>,
    email: Option<String>,
}

#[derive(Serialize)]
struct Placed {
    order_ref: String,
    codes: Vec<MadeCode>,
}

#[derive(Serialize)]
struct MadeCode {
    item: i64,
    tool_name: String,
    activation_code: String,
}

/// 201 for a new order; 200 and the same body for one that was sent before.
#[post("/api/orders", data = "<body>")]
async fn place(
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

#[derive(Serialize)]
struct OrderRow {
    order_ref: String,
    created_at: String,
    customer: Option<String>,
    test: bool,
    items: Vec<Item>,
    codes: Vec<CodeRow>,
}

#[derive(Serialize)]
struct CodeRow {
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
            customer: some(&code.values.customer),
            order_ref: some(&code.values.order_ref),
        }
    }
}

#[get("/api/orders/<reference>")]
async fn get(app: &App, seller: Seller, reference: String) -> Result<Json<OrderRow>, Failure> {
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

#[post("/api/orders/<reference>/<action>", rank = 2)]
async fn act(
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

#[derive(Deserialize)]
struct SentExtension {
    days: Option<i64>,
    expiration_date: Option<String>,
    event_ref: Option<String>,
}

#[post("/api/orders/<reference>/extend", data = "<body>")]
async fn extend(
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

#[derive(FromForm)]
struct SentQuery {
    order_ref: Option<String>,
    activation_code: Option<String>,
    customer: Option<String>,
}

#[get("/api/codes?<query..>")]
async fn codes(
    app: &App,
    _seller: Seller,
    query: SentQuery,
) -> Result<Json<Vec<CodeRow>>, Failure> {
    let query = CodeQuery {
        order_ref: query.order_ref,
        activation_code: query.activation_code,
        customer: query.customer,
    };
    let rows = app
        .run(move |service| {
            let found = service.find_codes(&query)?;
            let rows = found
                .iter()
                .map(|code| Ok(CodeRow::new(code, None, service.seats_used(code.id)?)));
            rows.collect::<Result<Vec<_>, Error>>()
        })
        .await?;
    Ok(Json(rows))
}
