//! Events of Stripe: <https://docs.stripe.com/api/events/types>.

use serde_json::Value;
use time::OffsetDateTime;

use super::signature::Format;
use super::{Line, Receiver, Sale, ShopAction, ShopEvent, fitting, text_at, texts_at};
use crate::model::customer::NamedCustomer;

pub(super) const RECEIVER: Receiver = Receiver {
    header: "Stripe-Signature",
    verify: |secret, header, body, now| FORMAT.verify(secret, header, body, now),
    secret: "whsec_",
    read,
};

const FORMAT: Format = Format {
    between: ',',
    time: "t",
    signature: "v1",
    joint: ".",
};

fn read(event: &Value) -> Option<ShopEvent> {
    let at = event.pointer("/created").and_then(Value::as_i64)?;
    let kind = text_at(event, "/type");
    let object = event.pointer("/data/object")?;
    let is_test = event.pointer("/livemode").and_then(Value::as_bool) == Some(false);
    Some(ShopEvent {
        id: text_at(event, "/id"),
        at: OffsetDateTime::from_unix_timestamp(at).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        action: action(&kind, object, is_test),
        kind,
    })
}

fn action(kind: &str, object: &Value, is_test: bool) -> ShopAction {
    match kind {
        // A way of paying was set up; nothing was bought.
        "checkout.session.completed" if text_at(object, "/mode") == "setup" => {
            ignored("Nothing was bought.")
        }
        "checkout.session.completed" => match &*text_at(object, "/payment_status") {
            // The money of a slow method comes with an event of its own.
            "unpaid" => ignored("Not paid yet; waits for the payment to succeed."),
            _ => ShopAction::Paid(sale(object, is_test)),
        },
        "checkout.session.async_payment_succeeded" => ShopAction::Paid(sale(object, is_test)),
        "invoice.paid" => invoice(object),
        // Names the payment of an invoice, which newer versions of invoices no longer do.
        "invoice_payment.paid" => {
            let payment = texts_at(object, &["/payment/payment_intent", "/payment/charge"]);
            about(&text_at(object, "/invoice"), |of| ShopAction::Named {
                of,
                also: payment,
            })
        }
        "charge.refunded" => {
            let amount = |path| object.pointer(path).and_then(Value::as_i64);
            let total = amount("/amount");
            if total.is_none() || amount("/amount_refunded") != total {
                return ignored("A part of the money was refunded; the codes stay valid.");
            }
            about(&payment_of(object, "/id"), ShopAction::Refunded)
        }
        "charge.dispute.created" | "charge.dispute.funds_withdrawn" => dispute(object, true),
        "charge.dispute.funds_reinstated" => dispute(object, false),
        "charge.dispute.closed" => match &*text_at(object, "/status") {
            "lost" => dispute(object, true),
            "won" => dispute(object, false),
            _ => ignored("The inquiry ended without a chargeback."),
        },
        _ => ignored("Events of this type change nothing here."),
    }
}

fn sale(session: &Value, is_test: bool) -> Sale {
    let references = texts_at(
        session,
        &[
            "/payment_intent",
            "/subscription",
            "/invoice",
            "/id",
            "/customer",
        ],
    );
    let quantity = session.pointer("/metadata/quantity");
    let quantity = quantity.and_then(|value| match value {
        Value::String(digits) => digits.trim().parse().ok(),
        other => other.as_i64(),
    });
    let paths = ["/metadata/price", "/metadata/product", "/payment_link"];
    Sale {
        order_ref: fitting(references.first().map_or("", |reference| reference)),
        references,
        customer: NamedCustomer::lenient(
            &text_at(session, "/customer_details/name"),
            &text_at(session, "/customer_details/email"),
        ),
        customer_ref: String::new(),
        lines: vec![Line {
            products: texts_at(session, &paths),
            quantity: quantity.unwrap_or(1),
        }],
        is_test,
    }
}

fn invoice(invoice: &Value) -> ShopAction {
    // The second place is that of API versions from 2025-03-31 on.
    let places = ["/subscription", "/parent/subscription_details/subscription"];
    let subscription = texts_at(invoice, &places).into_iter().next();
    let of = subscription.unwrap_or_default();
    let references = texts_at(invoice, &["/id", "/payment_intent", "/charge"]);
    match &*text_at(invoice, "/billing_reason") {
        "subscription_cycle" => about(&of, |of| ShopAction::Renewed {
            of,
            references,
            order_ref: fitting(&text_at(invoice, "/id")),
        }),
        "subscription_create" => about(&of, |of| ShopAction::Named {
            of,
            also: references,
        }),
        _ => ignored("Not the invoice of a subscription’s next period."),
    }
}

/// The payment that a charge or a dispute is about.
fn payment_of(object: &Value, charge: &str) -> String {
    let found = texts_at(object, &["/payment_intent", charge]);
    found.into_iter().next().unwrap_or_default()
}

fn dispute(dispute: &Value, is_taken: bool) -> ShopAction {
    // A bank's question; no money was taken.
    if text_at(dispute, "/status").starts_with("warning_") {
        return ignored("An inquiry, not a chargeback.");
    }
    about(
        &payment_of(dispute, "/charge"),
        match is_taken {
            true => ShopAction::ChargedBack,
            false => ShopAction::ChargebackReversed,
        },
    )
}

fn about(of: &str, action: impl FnOnce(String) -> ShopAction) -> ShopAction {
    match of {
        "" => ignored("It names no payment and no subscription."),
        of => action(of.to_owned()),
    }
}

fn ignored(why: &str) -> ShopAction {
    ShopAction::Ignored(why.to_owned())
}
