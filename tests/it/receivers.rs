//! Shops that report payments: what they sign, and what becomes of it.

use license_server::model::shops::{EventState, ShopKind};
use serde_json::{Value, json};

use crate::mail::mailing;
use crate::page::Page;
use crate::server::Server;
use crate::shops::{
    Shop, adjustment, charge, dispute, paddle, session, stripe, subscription, transaction,
};

/// What a forger would send, and every refusal.
fn refuses_forgeries(shop: &Shop, event: &Value) {
    let (body, now) = (event.to_string(), shop.server.clock.now());
    let good = shop.signed(&shop.secret, now, &body);
    let minutes = |minutes| now + time::Duration::minutes(minutes);
    for (what, signature, body) in [
        ("no signature", String::new(), body.clone()),
        (
            "another secret",
            shop.signed("whsec_other", now, &body),
            body.clone(),
        ),
        ("no secret", shop.signed("", now, &body), body.clone()),
        (
            "another body",
            good.clone(),
            body.replace("price_a", "price_b"),
        ),
        ("one more space", good.clone(), format!("{body} ")),
        (
            "old",
            shop.signed(&shop.secret, minutes(-6), &body),
            body.clone(),
        ),
        (
            "early",
            shop.signed(&shop.secret, minutes(6), &body),
            body.clone(),
        ),
        (
            "no time",
            good[good.find([',', ';']).unwrap() + 1..].to_owned(),
            body.clone(),
        ),
        ("half", good[..good.len() / 2].to_owned(), body.clone()),
        ("another time", good.replacen(['1'], "2", 1), body.clone()),
    ] {
        assert_eq!(shop.send(&signature, &body).status, 400, "{what}");
    }
    assert_eq!(shop.calls(), []);
    assert!(
        shop.server
            .service
            .shop(shop.id)
            .unwrap()
            .shop
            .refused
            .is_some()
    );
    // While a secret is being replaced there are two.
    let (between, name) = match shop.kind {
        ShopKind::Stripe => (',', "v1"),
        _ => (';', "h1"),
    };
    let (time, mac) = good.split_once(between).unwrap();
    let both = format!("{time}{between}{name}=00ff{between}{mac}");
    assert_eq!(shop.send(&both, &body).status, 200);
    assert_eq!(shop.calls().len(), 1);
}

#[test]
fn only_what_stripe_signed_is_an_event() {
    let server = Server::start();
    let event = stripe(
        "evt_1",
        "checkout.session.completed",
        0,
        session("pi_1", "paid"),
    );
    refuses_forgeries(&Shop::new(&server, ShopKind::Stripe), &event);
}

#[test]
fn only_what_paddle_signed_is_an_event() {
    let server = Server::start();
    let data = transaction("txn_1", "web", Value::Null);
    let event = paddle("evt_1", "transaction.completed", 0, data);
    refuses_forgeries(&Shop::new(&server, ShopKind::Paddle), &event);
}

#[test]
fn a_payment_at_stripe_is_an_order_and_its_money_decides() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Stripe);
    let (ignored, done, waiting) = (EventState::Ignored, EventState::Done, EventState::Waiting);
    let of = |id, kind, at, object| shop.tell(&stripe(id, kind, at, object));
    let completed = "checkout.session.completed";
    assert_eq!(
        of("evt_1", completed, 1, session("pi_1", "unpaid")),
        ignored
    );
    assert!(shop.codes("pi_1").is_empty());
    let succeeded = "checkout.session.async_payment_succeeded";
    assert_eq!(of("evt_2", succeeded, 2, session("pi_1", "paid")), done);
    let code = shop.codes("pi_1").remove(0);
    assert_eq!(
        (&code["seats"], &code["days"], &code["customer"]),
        (&json!(2), &json!(365), &json!("Anna Berg"))
    );
    // Two events about one payment, and each of them twice.
    assert_eq!(of("evt_3", completed, 3, session("pi_1", "paid")), done);
    assert_eq!(of("evt_2", succeeded, 2, session("pi_1", "paid")), done);
    assert_eq!(
        of("evt_4", "charge.refunded", 4, charge("pi_1", 1000)),
        ignored
    );
    let created = "charge.dispute.created";
    assert_eq!(
        of(
            "evt_5",
            created,
            5,
            dispute("pi_1", "warning_needs_response")
        ),
        ignored
    );
    assert_eq!(shop.status("pi_1"), "activated");
    assert_eq!(
        of("evt_6", created, 6, dispute("pi_1", "needs_response")),
        done
    );
    assert_eq!(shop.status("pi_1"), "revoked");
    assert_eq!(
        of("evt_7", "charge.dispute.closed", 8, dispute("pi_1", "won")),
        done
    );
    assert_eq!(shop.status("pi_1"), "activated");
    let withdrawn = "charge.dispute.funds_withdrawn";
    assert_eq!(
        of("evt_8", withdrawn, 7, dispute("pi_1", "needs_response")),
        ignored
    );
    assert_eq!(shop.status("pi_1"), "activated");
    assert_eq!(
        of("evt_9", "charge.refunded", 9, charge("pi_1", 4900)),
        done
    );
    let reinstated = "charge.dispute.funds_reinstated";
    assert_eq!(of("evt_10", reinstated, 10, dispute("pi_1", "won")), done);
    assert_eq!(
        shop.status("pi_1"),
        "revoked",
        "the money went back all the same"
    );
    assert_eq!(
        of("evt_11", "charge.refunded", 11, charge("pi_2", 4900)),
        waiting
    );
    for (id, kind) in [
        ("evt_12", "product.created"),
        ("evt_13", "customer.subscription.deleted"),
    ] {
        assert_eq!(of(id, kind, 12, json!({"id": "x"})), ignored);
    }
    assert_eq!(of("evt_14", completed, 1, session("pi_2", "paid")), done);
    assert_eq!(shop.status("pi_2"), "revoked", "the refund that came first");
    assert_eq!(shop.codes("pi_1").len() + shop.codes("pi_2").len(), 2);
}

#[test]
fn a_subscription_at_stripe_is_extended_once_a_period() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Stripe);
    let invoice = |id: &str, reason: &str, payment: &str| {
        json!({"id": id, "object": "invoice", "billing_reason": reason, "payment_intent": payment,
            "parent": {"subscription_details": {"subscription": "sub_1"}}})
    };
    // Everything before the session that it is about, the last one first.
    let cycle = stripe(
        "evt_4",
        "invoice.paid",
        400,
        invoice("in_2", "subscription_cycle", "pi_2"),
    );
    let refund = stripe("evt_3", "charge.refunded", 300, charge("pi_1", 4900));
    let payment = json!({"id": "inpay_1", "invoice": "in_1",
        "payment": {"type": "payment_intent", "payment_intent": "pi_1"}});
    let named = stripe("evt_2", "invoice_payment.paid", 2, payment);
    for event in [&cycle, &refund, &named] {
        assert_eq!(shop.tell(event), EventState::Waiting);
    }
    let create = stripe(
        "evt_1",
        "invoice.paid",
        1,
        invoice("in_1", "subscription_create", ""),
    );
    assert_eq!(shop.tell(&create), EventState::Waiting);
    let bought = stripe(
        "evt_0",
        "checkout.session.completed",
        0,
        subscription("sub_1"),
    );
    assert_eq!(shop.tell(&bought), EventState::Done);
    let code = shop.codes("sub_1").remove(0);
    assert_eq!(
        (&code["days"], &code["status"]),
        (&json!(730), &json!("revoked"))
    );
    for event in [&cycle, &refund, &named, &create, &bought] {
        assert_eq!(shop.tell(event), EventState::Done);
    }
    assert_eq!(shop.codes("sub_1"), [code]);
}

#[test]
fn a_transaction_at_paddle_is_an_order_and_its_money_decides() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Paddle);
    let (ignored, done, waiting) = (EventState::Ignored, EventState::Done, EventState::Waiting);
    let of = |id, kind, at, data| shop.tell(&paddle(id, kind, at, data));
    let completed = "transaction.completed";
    let (created, updated) = ("adjustment.created", "adjustment.updated");
    assert_eq!(
        of(
            "evt_1",
            completed,
            1,
            transaction("txn_1", "web", json!("sub_1"))
        ),
        done
    );
    let code = shop.codes("txn_1").remove(0);
    assert_eq!(
        (&code["seats"], &code["days"], &code["customer"]),
        (&json!(2), &json!(365), &json!("Anna Berg"))
    );
    assert_eq!(
        of(
            "evt_1",
            completed,
            1,
            transaction("txn_1", "web", json!("sub_1"))
        ),
        done
    );
    let renewal = || transaction("txn_2", "subscription_recurring", json!("sub_1"));
    assert_eq!(of("evt_2", completed, 2, renewal()), done);
    assert_eq!(of("evt_3", completed, 3, renewal()), done);
    assert_eq!(shop.codes("txn_1")[0]["days"], 730);
    for (id, action, kind, status) in [
        ("evt_4", "refund", "full", "pending_approval"),
        ("evt_5", "refund", "full", "rejected"),
        ("evt_6", "refund", "partial", "approved"),
        ("evt_7", "credit", "full", "approved"),
        ("evt_8", "chargeback_warning", "full", "approved"),
    ] {
        assert_eq!(
            of(id, created, 4, adjustment("txn_1", action, kind, status)),
            ignored
        );
    }
    assert_eq!(shop.status("txn_1"), "activated");
    let chargeback = |action| adjustment("txn_1", action, "full", "approved");
    assert_eq!(of("evt_9", created, 10, chargeback("chargeback")), done);
    assert_eq!(shop.status("txn_1"), "revoked");
    assert_eq!(
        of("evt_10", created, 11, chargeback("chargeback_reverse")),
        done
    );
    assert_eq!(of("evt_11", updated, 9, chargeback("chargeback")), ignored);
    assert_eq!(shop.status("txn_1"), "activated");
    assert_eq!(
        of(
            "evt_12",
            updated,
            12,
            adjustment("txn_1", "refund", "full", "approved")
        ),
        done
    );
    assert_eq!(shop.status("txn_1"), "revoked");
    // The other way round: refund, name of the subscription, renewal, payment.
    assert_eq!(
        of(
            "evt_13",
            updated,
            23,
            adjustment("txn_4", "refund", "full", "approved")
        ),
        waiting
    );
    let renewal = transaction("txn_4", "subscription_recurring", json!("sub_3"));
    assert_eq!(of("evt_14", completed, 22, renewal), waiting);
    let named = json!({"id": "sub_3", "transaction_id": "txn_3"});
    assert_eq!(of("evt_15", "subscription.created", 21, named), waiting);
    assert_eq!(
        of(
            "evt_16",
            completed,
            20,
            transaction("txn_3", "web", Value::Null)
        ),
        done
    );
    let code = shop.codes("txn_3").remove(0);
    assert_eq!(
        (&code["days"], &code["status"]),
        (&json!(365), &json!("activated")),
        "only the renewal was refunded"
    );
    for (id, kind) in [
        ("evt_17", "subscription.canceled"),
        ("evt_18", "price.updated"),
    ] {
        assert_eq!(of(id, kind, 30, json!({"id": "x"})), ignored);
    }
    let method = transaction(
        "txn_5",
        "subscription_payment_method_change",
        json!("sub_1"),
    );
    assert_eq!(of("evt_19", completed, 31, method), ignored);
}

#[test]
fn a_test_order_is_one_and_a_sandbox_makes_no_other() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Stripe);
    let mut event = stripe(
        "evt_1",
        "checkout.session.completed",
        0,
        session("pi_1", "paid"),
    );
    event["livemode"] = json!(false);
    shop.tell(&event);
    assert_eq!(shop.codes("pi_1")[0]["expiration_date"], "2026-06-22");
    let sandbox = Shop::new(&server, ShopKind::Paddle);
    sandbox.set(true);
    let data = transaction("txn_1", "web", Value::Null);
    sandbox.tell(&paddle("evt_1", "transaction.completed", 0, data));
    assert_eq!(sandbox.codes("txn_1")[0]["expiration_date"], "2026-06-22");
}

/// Fewer would not be the rule: each of these shuffles delivers every event twice.
const SHUFFLES: u64 = 4;

/// The events in their order, the other way round, and shuffled.
fn orders_of_arrival(events: &[Value]) -> Vec<Vec<Value>> {
    let mut all = vec![events.to_vec(), events.iter().rev().cloned().collect()];
    for seed in 1..=SHUFFLES {
        let mut random = seed;
        let mut twice = [events, events].concat();
        for at in (1..twice.len()).rev() {
            random = random
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            twice.swap(at, (random >> 33) as usize % (at + 1));
        }
        all.push(twice);
    }
    all
}

/// In whatever order the events come, each order ends with this status, these days, and this customer.
fn ends_the_same(kind: ShopKind, events: &[Value], expected: &[(&str, &str, i64)]) {
    for arrival in orders_of_arrival(events) {
        let server = Server::start();
        let shop = Shop::new(&server, kind);
        for event in &arrival {
            let body = event.to_string();
            let signature = shop.signed(&shop.secret, server.clock.now(), &body);
            assert_eq!(shop.send(&signature, &body).status, 200, "{body}");
        }
        for (order, status, days) in expected {
            let codes = shop.codes(order);
            let of = |name: &str| codes[0][name].clone();
            assert_eq!(
                (codes.len(), of("status"), of("days"), of("customer")),
                (1, json!(status), json!(days), json!("Anna Berg")),
                "{order} after {arrival:#?}"
            );
        }
        let number = server.admin().get("/api/codes?customer=Anna+Berg").json();
        assert_eq!(number.as_array().unwrap().len(), expected.len());
    }
}

#[test]
fn twenty_events_of_stripe_end_the_same_in_any_order() {
    let invoice = |id: &str, reason: &str| {
        json!({"id": id, "object": "invoice", "billing_reason": reason,
            "parent": {"subscription_details": {"subscription": "sub_1"}}})
    };
    let paid_by = |invoice: &str, payment: &str| {
        json!({"id": format!("inpay_{invoice}"), "invoice": invoice,
            "payment": {"type": "payment_intent", "payment_intent": payment}})
    };
    let (completed, refunded) = ("checkout.session.completed", "charge.refunded");
    let of_dispute = |what: &str| format!("charge.dispute.{what}");
    let events: Vec<Value> = [
        (completed, subscription("sub_1")),
        ("invoice.paid", invoice("in_1", "subscription_create")),
        ("invoice_payment.paid", paid_by("in_1", "pi_1")),
        // Renewed three times; the second renewal was refunded, the third disputed and won.
        ("invoice.paid", invoice("in_2", "subscription_cycle")),
        ("invoice.paid", invoice("in_3", "subscription_cycle")),
        ("invoice_payment.paid", paid_by("in_3", "pi_3")),
        (refunded, charge("pi_3", 4900)),
        ("invoice.paid", invoice("in_4", "subscription_cycle")),
        ("invoice_payment.paid", paid_by("in_4", "pi_4")),
        (&of_dispute("created"), dispute("pi_4", "needs_response")),
        (
            &of_dispute("funds_withdrawn"),
            dispute("pi_4", "needs_response"),
        ),
        (&of_dispute("closed"), dispute("pi_4", "won")),
        // Paid late, disputed and lost.
        (completed, session("pi_5", "unpaid")),
        (
            "checkout.session.async_payment_succeeded",
            session("pi_5", "paid"),
        ),
        (&of_dispute("created"), dispute("pi_5", "needs_response")),
        (&of_dispute("closed"), dispute("pi_5", "lost")),
        // Refunded in two parts, the second of which is all.
        (completed, session("pi_6", "paid")),
        (refunded, charge("pi_6", 1000)),
        (refunded, charge("pi_6", 4900)),
        // Refunded in part.
        (completed, session("pi_7", "paid")),
        (refunded, charge("pi_7", 1000)),
    ]
    .into_iter()
    .enumerate()
    .map(|(at, (kind, object))| stripe(&format!("evt_{at}"), kind, at as i64, object))
    .collect();
    let expected = [
        ("sub_1", "activated", 3 * 365),
        ("pi_5", "revoked", 365),
        ("pi_6", "revoked", 365),
        ("pi_7", "activated", 365),
    ];
    ends_the_same(ShopKind::Stripe, &events, &expected);
}

#[test]
fn twenty_events_of_paddle_end_the_same_in_any_order() {
    let bought = |id: &str, origin: &str, subscription: Value| {
        let mut data = transaction(id, origin, subscription);
        data["custom_data"] = Value::Null;
        data
    };
    let renewed = |id| bought(id, "subscription_recurring", json!("sub_1"));
    let anna = json!({"id": "ctm_01", "name": "Anna Berg", "email": "Anna@example.com"});
    let (completed, created, updated) = (
        "transaction.completed",
        "adjustment.created",
        "adjustment.updated",
    );
    let full = |of, action, status| adjustment(of, action, "full", status);
    let events: Vec<Value> = [
        ("customer.created", anna.clone()),
        (completed, bought("txn_1", "web", json!("sub_1"))),
        (
            "subscription.created",
            json!({"id": "sub_1", "transaction_id": "txn_1"}),
        ),
        (completed, renewed("txn_2")),
        (completed, renewed("txn_3")),
        (created, full("txn_3", "refund", "pending_approval")),
        (updated, full("txn_3", "refund", "approved")),
        (completed, renewed("txn_4")),
        (created, full("txn_4", "chargeback", "approved")),
        (created, full("txn_4", "chargeback_reverse", "approved")),
        (completed, bought("txn_5", "api", Value::Null)),
        (created, full("txn_5", "refund", "pending_approval")),
        (updated, full("txn_5", "refund", "rejected")),
        (completed, bought("txn_6", "web", Value::Null)),
        (created, full("txn_6", "chargeback_warning", "approved")),
        (created, full("txn_6", "chargeback", "approved")),
        (completed, bought("txn_7", "web", Value::Null)),
        (
            created,
            adjustment("txn_7", "refund", "partial", "approved"),
        ),
        ("customer.updated", anna),
        ("subscription.canceled", json!({"id": "sub_1"})),
    ]
    .into_iter()
    .enumerate()
    .map(|(at, (kind, data))| paddle(&format!("evt_{at}"), kind, at as i64, data))
    .collect();
    let expected = [
        ("txn_1", "activated", 3 * 365),
        ("txn_5", "activated", 365),
        ("txn_6", "revoked", 365),
        ("txn_7", "activated", 365),
    ];
    ends_the_same(ShopKind::Paddle, &events, &expected);
}

#[test]
fn a_customer_of_paddle_is_known_the_second_time() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Paddle);
    let buy = |event: &str, id: &str| {
        let mut data = transaction(id, "web", Value::Null);
        data["custom_data"] = Value::Null;
        shop.tell(&paddle(event, "transaction.completed", 0, data));
        shop.codes(id)[0]["customer"].clone()
    };
    assert_eq!(buy("evt_1", "txn_1"), "ctm_01");
    let nobody = json!({"id": "ctm_01", "name": null, "email": null});
    let nobody = paddle("evt_2", "customer.updated", 1, nobody);
    assert_eq!(shop.tell(&nobody), EventState::Ignored);
    let anna = json!({"id": "ctm_01", "name": null, "email": "anna@example.com"});
    let anna = paddle("evt_3", "customer.updated", 2, anna);
    assert_eq!(shop.tell(&anna), EventState::Done);
    assert_eq!(shop.codes("txn_1")[0]["customer"], "anna@example.com");
    assert_eq!(buy("evt_4", "txn_2"), "anna@example.com");
    let placeholder = Page::open(&mut server.admin(), "/customer?name=ctm_01");
    assert_eq!(placeholder.status, 404);
}

#[test]
fn a_sale_at_paddle_is_mailed_once_whatever_comes_first() {
    let named = |number: &str| {
        let email = format!("{number}@example.com");
        let data = json!({"id": number, "name": format!("Anna {number}"), "email": email});
        paddle(&format!("evt_{number}"), "customer.created", 0, data)
    };
    let bought = |id: &str, number: &str| {
        let mut data = transaction(id, "web", Value::Null);
        data["customer_id"] = json!(number);
        data["custom_data"] = Value::Null;
        paddle(&format!("evt_{id}"), "transaction.completed", 1, data)
    };
    let server = mailing(1, |_| {});
    let shop = Shop::new(&server, ShopKind::Paddle);
    for event in [
        named("ctm_1"),
        bought("txn_1", "ctm_1"),
        bought("txn_2", "ctm_2"),
        bought("txn_3", "ctm_2"),
        named("ctm_2"),
        bought("txn_4", "ctm_2"),
    ] {
        shop.tell(&event);
        shop.tell(&event);
    }
    let mails = server.service.mails(None, i64::MAX, 100).unwrap();
    let mut recipients: Vec<&str> = mails.iter().map(|mail| &*mail.recipient).collect();
    recipients.sort_unstable();
    let second = "ctm_2@example.com";
    assert_eq!(recipients, ["ctm_1@example.com", second, second, second]);
    for id in ["txn_1", "txn_2", "txn_3", "txn_4"] {
        let code = shop.codes(id)[0]["activation_code"]
            .as_str()
            .unwrap()
            .to_owned();
        let with_code = mails.iter().filter(|mail| mail.body.contains(&code));
        assert_eq!(with_code.count(), 1, "{id}");
    }
}

#[test]
fn a_subscription_that_is_changed_is_not_sold_again() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Paddle);
    let origins = [
        ("txn_1", "web", EventState::Done, 1),
        ("txn_2", "subscription_update", EventState::Ignored, 0),
        ("txn_3", "subscription_charge", EventState::Done, 1),
    ];
    for (id, origin, state, codes) in origins {
        let data = transaction(id, origin, json!("sub_1"));
        let event = paddle(&format!("evt_{id}"), "transaction.completed", 0, data);
        assert_eq!(shop.tell(&event), state, "{origin}");
        assert_eq!(shop.codes(id).len(), codes, "{origin}");
    }
}
