//! Shops that place orders by themselves.

use hmac::{Hmac, KeyInit, Mac};
use license_server::model::audit::Actor;
use license_server::model::shops::{EventState, ProductDraft, ShopKind, StoredEvent};
use license_server::service::ShopDraft;
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::database::Database;
use crate::page::Page;
use crate::server::{Answer, Client, START, Server};

const FORM: &str = "application/x-www-form-urlencoded";

/// A shop of a server, which signs as the real one does.
pub struct Shop<'a> {
    server: &'a Server,
    kind: ShopKind,
    id: i64,
    /// Of a generator the one in its address.
    secret: String,
}

fn actor() -> Actor {
    Actor {
        who: "admin".into(),
        address: String::new(),
    }
}

impl<'a> Shop<'a> {
    pub fn new(server: &'a Server, kind: ShopKind) -> Shop<'a> {
        let (id, secret) = server
            .service
            .create_shop(&actor(), kind, kind.label())
            .unwrap();
        let secret = secret.unwrap_or_else(|| match kind {
            ShopKind::Stripe => "whsec_Zm9yIHRlc3Rz".to_owned(),
            _ => "pdl_ntfset_01for_tests".to_owned(),
        });
        let shop = Shop {
            server,
            kind,
            id,
            secret,
        };
        shop.set(false);
        shop.sells("price_a", "365");
        shop
    }

    fn set(&self, is_test: bool) {
        let draft = ShopDraft {
            name: "Shop".into(),
            secret: self.secret.clone(),
            is_test,
            fields: Default::default(),
        };
        self.server
            .service
            .set_shop(&actor(), self.id, draft)
            .unwrap();
    }

    fn sells(&self, product: &str, days: &str) {
        let draft = ProductDraft {
            product: product.into(),
            tool_name: "Tool_A".into(),
            seats: "2".into(),
            days: days.into(),
            expiration_date: String::new(),
        };
        self.server
            .service
            .set_product(&actor(), self.id, &draft)
            .unwrap();
    }

    fn signed(&self, secret: &str, at: OffsetDateTime, body: &str) -> String {
        let at = at.unix_timestamp();
        let joint = if self.kind == ShopKind::Stripe {
            "."
        } else {
            ":"
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{at}{joint}{body}").as_bytes());
        let mac = mac.finalize().into_bytes();
        let mac: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        match self.kind {
            ShopKind::Stripe => format!("t={at},v1={mac},v0=6ffbb59b"),
            _ => format!("ts={at};h1={mac}"),
        }
    }

    fn send(&self, signature: &str, body: &str) -> Answer {
        let header = self.kind.signature_header().unwrap();
        let path = format!("/hooks/{}/{}", self.kind.as_str(), self.id);
        let headers = [("Content-Type", "application/json"), (header, signature)];
        self.server
            .stranger()
            .send("POST", &path, &headers, body.as_bytes())
    }

    /// Delivers an event, and returns what became of it.
    pub fn tell(&self, event: &Value) -> EventState {
        let body = event.to_string();
        let signature = self.signed(&self.secret, self.server.clock.now(), &body);
        let answer = self.send(&signature, &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let id = event.get("id").or(event.get("event_id")).unwrap();
        let calls = self.calls();
        let call = calls.iter().find(|call| call.event_ref == *id);
        call.unwrap().outcome.state
    }

    fn calls(&self) -> Vec<StoredEvent> {
        self.server.service.shop(self.id).unwrap().calls
    }

    /// Status, seats, days and customer of each code of an order.
    fn codes(&self, order_ref: &str) -> Vec<Value> {
        let path = format!(
            "/api/codes?order_ref={}",
            crate::page::urlencoded(order_ref)
        );
        let codes = self.server.admin().get(&path).json();
        codes.as_array().unwrap().clone()
    }

    fn status(&self, order_ref: &str) -> String {
        let codes = self.codes(order_ref);
        assert_eq!(codes.len(), 1, "{order_ref}");
        codes[0]["status"].as_str().unwrap().to_owned()
    }

    fn generate(&self, kind: &str, body: &str) -> Answer {
        let path = format!("/api/orders/generate/{}", self.secret);
        let headers = [("Content-Type", kind)];
        self.server
            .stranger()
            .send("POST", &path, &headers, body.as_bytes())
    }
}

pub fn stripe(id: &str, kind: &str, seconds: i64, object: Value) -> Value {
    json!({"id": id, "object": "event", "api_version": "2024-06-20", "type": kind, "livemode": true,
        "created": START.unix_timestamp() + seconds, "pending_webhooks": 1, "data": {"object": object}})
}

pub fn session(payment: &str, status: &str) -> Value {
    json!({"id": format!("cs_live_{payment}"), "object": "checkout.session", "mode": "payment",
        "payment_intent": payment, "subscription": null, "invoice": null, "customer": null,
        "payment_status": status, "amount_total": 4900, "currency": "eur", "payment_link": "plink_1",
        "customer_details": {"name": "Anna Berg", "email": "anna@example.com"},
        "metadata": {"price": "price_a"}})
}

fn subscription(id: &str) -> Value {
    json!({"id": format!("cs_live_{id}"), "object": "checkout.session", "mode": "subscription",
        "payment_intent": null, "subscription": id, "invoice": "in_1", "payment_status": "paid",
        "customer_details": {"name": "Anna Berg", "email": "anna@example.com"},
        "metadata": {"price": "price_a", "quantity": "1"}})
}

fn charge(payment: &str, refunded: i64) -> Value {
    json!({"id": format!("ch_{payment}"), "object": "charge", "amount": 4900, "amount_refunded": refunded,
        "payment_intent": payment, "refunded": refunded == 4900})
}

fn dispute(payment: &str, status: &str) -> Value {
    json!({"id": "dp_1", "object": "dispute", "amount": 4900, "charge": format!("ch_{payment}"),
        "payment_intent": payment, "status": status})
}

fn paddle(id: &str, kind: &str, seconds: i64, data: Value) -> Value {
    let at = START + time::Duration::seconds(seconds);
    json!({"event_id": id, "event_type": kind, "occurred_at": at.format(&Rfc3339).unwrap(),
        "notification_id": format!("ntf_{id}"), "data": data})
}

fn transaction(id: &str, origin: &str, subscription: Value) -> Value {
    json!({"id": id, "status": "completed", "origin": origin, "customer_id": "ctm_01",
        "subscription_id": subscription, "custom_data": {"email": "anna@example.com", "name": "Anna Berg"},
        "items": [{"price": {"id": "price_a", "product_id": "pro_1"}, "quantity": 1}],
        "details": {"totals": {"grand_total": "4900", "currency_code": "EUR"}}})
}

fn adjustment(of: &str, action: &str, kind: &str, status: &str) -> Value {
    json!({"id": "adj_1", "action": action, "type": kind, "status": status, "transaction_id": of,
        "customer_id": "ctm_01", "reason": "asked", "items": []})
}

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
        (&json!(730), &json!("revoked"))
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

#[test]
fn an_event_about_an_unknown_product_can_be_run_again() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Stripe);
    let mut bought = session("pi_1", "paid");
    bought["metadata"] = json!({});
    let event = stripe("evt_1", "checkout.session.completed", 0, bought);
    assert_eq!(shop.tell(&event), EventState::Failed);
    let mut admin = server.admin();
    let path = format!("/shops/{}", shop.id);
    let page = Page::open(&mut admin, &path);
    assert!(page.text().contains("plink_1"), "{}", page.text());
    let form = page.form("/products");
    let form = form.fill("product", "plink_1").fill("tool_name", "Tool_A");
    let page = form.fill("seats", "1").submit(&mut admin);
    let page = page.form("/run").submit(&mut admin);
    assert_eq!(page.texts("td .mark"), ["done"]);
    assert_eq!(shop.codes("pi_1")[0]["seats"], 1);
}

#[test]
fn a_disabled_shop_and_one_of_another_kind_are_not_there() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Stripe);
    let generator = Shop::new(&server, ShopKind::Generator);
    let mut admin = server.admin();
    for id in [shop.id, generator.id] {
        let page = Page::open(&mut admin, &format!("/shops/{id}"));
        page.form("/status").submit(&mut admin);
    }
    let body = stripe("evt_1", "product.created", 0, json!({})).to_string();
    let signature = shop.signed(&shop.secret, START, &body);
    assert_eq!(shop.send(&signature, &body).status, 404);
    let call = generator.generate(FORM, "order=1&product=price_a");
    assert_eq!((call.status, &*call.body), (404, ""));
    let page = Page::open(&mut admin, &format!("/shops/{}", shop.id));
    page.form("/status").press(&mut admin, "enable");
    assert_eq!(shop.send(&signature, &body).status, 200);
    let elsewhere = format!("/hooks/paddle/{}", shop.id);
    let headers = [("Stripe-Signature", &*signature)];
    let answer = server
        .stranger()
        .send("POST", &elsewhere, &headers, body.as_bytes());
    assert_eq!(answer.status, 404);
}

#[test]
fn a_generator_makes_codes_once_for_each_line_of_an_order() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Generator);
    shop.sells("price_b", "30");
    let first = shop.generate(
        FORM,
        "order=17&product=price_a&quantity=2&name=J%C3%BCrgen+Wei%C3%9F&email=j%40example.com",
    );
    assert_eq!(
        (first.status, first.header("content-type")),
        (200, "text/plain; charset=utf-8")
    );
    let codes: Vec<&str> = first.body.lines().collect();
    assert_eq!(codes.len(), 2);
    // A quantity is not a number of seats.
    let made = shop.codes("17/price_a");
    assert!(
        made.iter()
            .all(|code| code["seats"] == 2 && code["customer"] == "Jürgen Weiß")
    );
    let other = shop.generate(FORM, "order=17&product=price_b");
    let line = shop.generate(
        "application/json",
        r#"{"order": 17, "product": "price_b", "line": 2, "quantity": 1}"#,
    );
    assert_eq!((other.status, line.status), (200, 200), "{}", line.body);
    assert_ne!(other.body, line.body);
    shop.sells("price_a", "1");
    for again in [
        "order=17&product=price_a&quantity=2",
        "order=17&product=price_a&quantity=5",
    ] {
        assert_eq!(shop.generate(FORM, again).body, first.body);
    }
    let test = shop.generate(FORM, "order=18&product=price_a&test=1");
    assert_eq!(test.status, 200);
    assert_eq!(shop.codes("18/price_a")[0]["expiration_date"], "2026-06-22");
    assert_eq!(
        shop.generate(FORM, "order=19&product=price_a&test=false")
            .status,
        200
    );
    assert_eq!(shop.codes("19/price_a")[0]["days"], 1);
}

#[test]
fn order_numbers_of_a_generator_are_told_apart() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Generator);
    shop.sells("a/price", "30");
    shop.sells("price", "30");
    let long = "9".repeat(200);
    let mut answers: Vec<String> = [
        "order=1/a&product=price".to_owned(),
        "order=1&product=a/price".to_owned(),
        "order=1%252Fa&product=price".to_owned(),
        "order=1&product=price&line=a".to_owned(),
        format!("order={long}1&product=price"),
        format!("order={long}2&product=price"),
    ]
    .iter()
    .map(|call| shop.generate(FORM, call).body)
    .collect();
    assert!(answers.iter().all(|codes| codes.len() == 19), "{answers:?}");
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 6);
}

#[test]
fn a_fault_of_a_generator_is_an_empty_answer() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Generator);
    let too_large = format!("order=1&product=price_a&note={}", "x".repeat(70_000));
    for (kind, body, expected) in [
        (FORM, "product=price_a", 422),
        (FORM, "order=1", 422),
        (FORM, "order=1&product=price_x", 422),
        (FORM, "order=1&product=price_a&quantity=many", 422),
        (FORM, "order=1&product=price_a&quantity=0", 422),
        (FORM, "order=1&product=price_a&quantity=501", 422),
        (FORM, "order=%ff&product=price_a", 400),
        ("application/json", "order=1", 400),
        ("application/json", "[]", 400),
        (FORM, &too_large, 413),
    ] {
        let answer = shop.generate(kind, body);
        assert_eq!((answer.status, &*answer.body), (expected, ""), "{body:.60}");
    }
    let failed = shop.calls();
    assert!(
        failed
            .iter()
            .all(|call| call.outcome.state == EventState::Failed)
    );
    assert_eq!(failed.len(), 9);
    let mut stranger = server.stranger();
    for path in ["a".repeat(43), "a".repeat(42), "%ff".into(), "a/b/c".into()] {
        let path = format!("/api/orders/generate/{path}");
        for method in ["POST", "GET", "PUT"] {
            let answer = stranger.send(method, &path, &[("Content-Type", FORM)], b"order=1");
            assert!(answer.status >= 400, "{method} {path}");
            assert_eq!(answer.body, "", "{method} {path}");
        }
    }
}

#[test]
fn a_generator_makes_at_most_500_codes_a_day() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Generator);
    assert_eq!(
        shop.generate(FORM, "order=1&product=price_a&quantity=499")
            .status,
        200
    );
    let refused = shop.generate(FORM, "order=2&product=price_a&quantity=2");
    assert_eq!((refused.status, &*refused.body), (429, ""));
    assert_eq!(shop.generate(FORM, "order=3&product=price_a").status, 200);
    assert_eq!(shop.generate(FORM, "order=4&product=price_a").status, 429);
    assert_eq!(
        shop.generate(FORM, "order=3&product=price_a").status,
        200,
        "known before"
    );
    server.clock.turn(24 * 3600);
    assert_eq!(shop.generate(FORM, "order=4&product=price_a").status, 200);
}

#[test]
fn the_same_call_has_the_same_codes_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = Server::with(|config| config.data_dir.clone_from(&data));
    let shop = Shop::new(&first, ShopKind::Generator);
    let call = "order=17&product=price_a&quantity=3";
    let (id, secret) = (shop.id, shop.secret.clone());
    let codes = shop.generate(FORM, call).body;
    drop(first);
    let server = Server::with(|config| config.data_dir.clone_from(&data));
    let shop = Shop {
        server: &server,
        kind: ShopKind::Generator,
        id,
        secret,
    };
    assert_eq!(shop.generate(FORM, call).body, codes);
    assert_eq!(shop.codes("17/price_a").len(), 3);
}

#[test]
fn the_secret_of_a_generator_is_shown_once_and_kept_nowhere() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/shops").form("/shops");
    let form = form.fill("name", "MyCommerce").fill("kind", "generator");
    let page = form.submit(&mut admin);
    let address = page.texts(".secret code").remove(0);
    let (before, secret) = address.rsplit_once('/').unwrap();
    assert!(before.ends_with("/api/orders/generate"), "{address}");
    assert_eq!(secret.len(), 43);
    assert!(database.rows().iter().all(|row| !row.contains(secret)));
    let path = "/shops/1";
    let page = Page::open(&mut admin, path);
    assert!(!page.text().contains(secret));
    let form = page.form("/products").fill("product", "p-1");
    let page = form
        .fill("tool_name", "Tool_A")
        .fill("days", "soon")
        .submit(&mut admin);
    assert_eq!((page.status, page.invalid_fields()), (422, vec!["days"]));
    let form = page.form("/products").fill("days", "31");
    let page = form.submit(&mut admin);
    let tried = page.form("/try").submit(&mut admin);
    assert_eq!(tried.texts(".secret code")[0].len(), 19);
    let call = |secret: &str| {
        let path = format!("/api/orders/generate/{secret}");
        let headers = [("Content-Type", FORM)];
        let mut shop: Client = server.stranger();
        shop.send("POST", &path, &headers, b"order=1&product=p-1")
            .status
    };
    assert_eq!(call(secret), 200);
    let form = Page::open(&mut admin, path).form(path);
    let page = form.fill("order_field", "").submit(&mut admin);
    assert_eq!(page.invalid_fields(), ["order_field"]);
    let form = page
        .form(path)
        .fill("order_field", "order")
        .fill("name_field", "REG_NAME");
    form.submit(&mut admin);
    let kept = server.service.shop(1).unwrap().shop.fields;
    assert_eq!((&*kept.order, &*kept.name), ("order", "REG_NAME"));
    let page = Page::open(&mut admin, path)
        .form("/secret")
        .submit(&mut admin);
    let renewed = page.texts(".secret code").remove(0);
    assert_eq!(call(secret), 404);
    assert_eq!(call(renewed.rsplit_once('/').unwrap().1), 200);
}
