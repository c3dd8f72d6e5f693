//! Events of Paddle Billing: <https://developer.paddle.com/webhooks/overview>.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::signature::Format;
use super::{Line, Receiver, Sale, ShopAction, ShopEvent, fitting, text_at, texts_at};
use crate::model::customer::NamedCustomer;

pub(super) const RECEIVER: Receiver = Receiver {
    header: "Paddle-Signature",
    verify: |secret, header, body, now| FORMAT.verify(secret, header, body, now),
    secret: "pdl_ntfset_",
    read,
};

const FORMAT: Format = Format {
    between: ';',
    time: "ts",
    signature: "h1",
    joint: ":",
};

fn read(event: &Value) -> Option<ShopEvent> {
    let at = OffsetDateTime::parse(&text_at(event, "/occurred_at"), &Rfc3339).ok()?;
    let kind = text_at(event, "/event_type");
    let data = event.pointer("/data")?;
    Some(ShopEvent {
        // Not `notification_id`, which differs for each destination.
        id: text_at(event, "/event_id"),
        at,
        action: action(&kind, data),
        kind,
    })
}

fn action(kind: &str, data: &Value) -> ShopAction {
    match kind {
        "transaction.completed" => transaction(data),
        // The first transaction of a subscription may have come without it.
        "subscription.created" => {
            let of = text_at(data, "/transaction_id");
            let also = texts_at(data, &["/id"]);
            about(&of, |of| ShopAction::Named { of, also })
        }
        "adjustment.created" | "adjustment.updated" => adjustment(data),
        "customer.created" | "customer.updated" => customer(data),
        _ => ignored("Events of this type change nothing here."),
    }
}

fn transaction(data: &Value) -> ShopAction {
    match &*text_at(data, "/origin") {
        "subscription_recurring" => about(&text_at(data, "/subscription_id"), |of| {
            ShopAction::Renewed {
                of,
                references: texts_at(data, &["/id"]),
                order_ref: fitting(&text_at(data, "/id")),
            }
        }),
        // The difference in price of a subscription whose items were changed.
        "subscription_update" => ignored("A subscription was changed; its codes stay as they are."),
        "subscription_payment_method_change" => ignored("Only the way of paying was changed."),
        _ => ShopAction::Paid(sale(data)),
    }
}

fn sale(data: &Value) -> Sale {
    let references = texts_at(data, &["/id", "/subscription_id", "/customer_id"]);
    let text = |path| text_at(data, path);
    let custom = NamedCustomer::lenient(&text("/custom_data/name"), &text("/custom_data/email"));
    let (customer, customer_ref) = match custom.is_empty() {
        // The event itself names the customer by number only.
        true => (
            NamedCustomer::lenient(&text("/customer_id"), ""),
            text("/customer_id"),
        ),
        false => (custom, String::new()),
    };
    Sale {
        order_ref: fitting(&text("/id")),
        references,
        customer,
        customer_ref,
        lines: lines(data),
        is_test: false,
    }
}

fn customer(data: &Value) -> ShopAction {
    let named = NamedCustomer::lenient(&text_at(data, "/name"), &text_at(data, "/email"));
    match (&*text_at(data, "/id"), named.is_empty()) {
        ("", _) | (_, true) => ignored("It names nobody."),
        (of, false) => ShopAction::Customer {
            of: of.to_owned(),
            named,
        },
    }
}

fn lines(data: &Value) -> Vec<Line> {
    let items = data.pointer("/items").and_then(Value::as_array);
    let line = |item: &Value| Line {
        products: texts_at(item, &["/price/id", "/price/product_id"]),
        quantity: item
            .pointer("/quantity")
            .and_then(Value::as_i64)
            .unwrap_or(1),
    };
    items.into_iter().flatten().map(line).collect()
}

fn adjustment(data: &Value) -> ShopAction {
    let of = text_at(data, "/transaction_id");
    let status = text_at(data, "/status");
    match (&*text_at(data, "/action"), &*status) {
        ("refund", "approved") if is_full(data) => about(&of, ShopAction::Refunded),
        ("refund", "approved") => {
            ignored("A part of the money was refunded; the codes stay valid.")
        }
        ("refund", "pending_approval") => ignored("The refund is not approved yet."),
        ("refund", _) => ignored("The refund was not approved."),
        ("chargeback_reverse", _) | ("chargeback", "reversed") => {
            about(&of, ShopAction::ChargebackReversed)
        }
        ("chargeback", _) => about(&of, ShopAction::ChargedBack),
        _ => ignored("Neither a refund nor a chargeback."),
    }
}

/// Older events say it for each item only.
fn is_full(data: &Value) -> bool {
    let items = data.pointer("/items").and_then(Value::as_array);
    let of_all = |items: &Vec<Value>| {
        !items.is_empty() && items.iter().all(|item| text_at(item, "/type") == "full")
    };
    match &*text_at(data, "/type") {
        "" => items.is_some_and(of_all),
        kind => kind == "full",
    }
}

fn about(of: &str, action: impl FnOnce(String) -> ShopAction) -> ShopAction {
    match of {
        "" => ignored("It names no transaction and no subscription."),
        of => action(of.to_owned()),
    }
}

fn ignored(why: &str) -> ShopAction {
    ShopAction::Ignored(why.to_owned())
}
