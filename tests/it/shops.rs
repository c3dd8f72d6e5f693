//! Shops that place orders by themselves: their pages, and a shop for other tests.

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

pub const FORM: &str = "application/x-www-form-urlencoded";

/// A shop of a server, which signs as the real one does.
pub struct Shop<'a> {
    pub server: &'a Server,
    pub kind: ShopKind,
    pub id: i64,
    /// Of a generator the one in its address.
    pub secret: String,
}

pub fn actor() -> Actor {
    Actor::new("admin", "")
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

    pub fn set(&self, is_test: bool) {
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

    pub fn sells(&self, product: &str, days: &str) {
        let draft = ProductDraft {
            product: product.into(),
            tool_name: "Tool_A".into(),
            seats: "2".into(),
            days: days.into(),
            ..ProductDraft::default()
        };
        self.server
            .service
            .set_product(&actor(), self.id, &draft)
            .unwrap();
    }

    pub fn signed(&self, secret: &str, at: OffsetDateTime, body: &str) -> String {
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

    pub fn send(&self, signature: &str, body: &str) -> Answer {
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

    pub fn calls(&self) -> Vec<StoredEvent> {
        self.server.service.shop(self.id).unwrap().calls
    }

    /// Status, seats, days and customer of each code of an order.
    pub fn codes(&self, order_ref: &str) -> Vec<Value> {
        let path = format!(
            "/api/codes?order_ref={}",
            crate::page::urlencoded(order_ref)
        );
        let codes = self.server.admin().get(&path).json();
        codes.as_array().unwrap().clone()
    }

    pub fn status(&self, order_ref: &str) -> String {
        let codes = self.codes(order_ref);
        assert_eq!(codes.len(), 1, "{order_ref}");
        codes[0]["status"].as_str().unwrap().to_owned()
    }

    pub fn generate(&self, kind: &str, body: &str) -> Answer {
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

pub fn subscription(id: &str) -> Value {
    json!({"id": format!("cs_live_{id}"), "object": "checkout.session", "mode": "subscription",
        "payment_intent": null, "subscription": id, "invoice": "in_1", "payment_status": "paid",
        "customer_details": {"name": "Anna Berg", "email": "anna@example.com"},
        "metadata": {"price": "price_a", "quantity": "1"}})
}

pub fn charge(payment: &str, refunded: i64) -> Value {
    json!({"id": format!("ch_{payment}"), "object": "charge", "amount": 4900, "amount_refunded": refunded,
        "payment_intent": payment, "refunded": refunded == 4900})
}

pub fn dispute(payment: &str, status: &str) -> Value {
    json!({"id": "dp_1", "object": "dispute", "amount": 4900, "charge": format!("ch_{payment}"),
        "payment_intent": payment, "status": status})
}

pub fn paddle(id: &str, kind: &str, seconds: i64, data: Value) -> Value {
    let at = START + time::Duration::seconds(seconds);
    json!({"event_id": id, "event_type": kind, "occurred_at": at.format(&Rfc3339).unwrap(),
        "notification_id": format!("ntf_{id}"), "data": data})
}

pub fn transaction(id: &str, origin: &str, subscription: Value) -> Value {
    json!({"id": id, "status": "completed", "origin": origin, "customer_id": "ctm_01",
        "subscription_id": subscription, "custom_data": {"email": "anna@example.com", "name": "Anna Berg"},
        "items": [{"price": {"id": "price_a", "product_id": "pro_1"}, "quantity": 1}],
        "details": {"totals": {"grand_total": "4900", "currency_code": "EUR"}}})
}

pub fn adjustment(of: &str, action: &str, kind: &str, status: &str) -> Value {
    json!({"id": "adj_1", "action": action, "type": kind, "status": status, "transaction_id": of,
        "customer_id": "ctm_01", "reason": "asked", "items": []})
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
    let is_pointed_out = |admin: &mut Client| Page::open(admin, "/").has_link(&path);
    assert!(is_pointed_out(&mut admin));
    let page = Page::open(&mut admin, &path);
    assert!(page.text().contains("plink_1"), "{}", page.text());
    let form = page.form("/products");
    let form = form.fill("product", "plink_1").fill("tool_name", "Tool_A");
    let page = form.fill("seats", "1").submit(&mut admin);
    let page = page.form("/run").submit(&mut admin);
    assert_eq!(page.texts("td .mark"), ["done"]);
    assert_eq!(shop.codes("pi_1")[0]["seats"], 1);
    assert!(!is_pointed_out(&mut admin));
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
fn a_deleted_shop_leaves_its_orders() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Stripe);
    let bought = session("pi_1", "paid");
    shop.tell(&stripe("evt_1", "checkout.session.completed", 0, bought));
    let mut admin = server.admin();
    let path = format!("/shops/{}", shop.id);
    let page = Page::open(&mut admin, &path).follow(&mut admin, "/delete");
    assert_eq!(shop.calls().len(), 1);
    let page = page.form("/delete").submit(&mut admin);
    assert_eq!((page.status, &*page.path), (200, "/shops"));
    assert_eq!(Page::open(&mut admin, &path).status, 404);
    let body = stripe("evt_2", "charge.refunded", 1, charge("pi_1", 4900)).to_string();
    let signature = shop.signed(&shop.secret, START, &body);
    assert_eq!(shop.send(&signature, &body).status, 404);
    assert_eq!(shop.status("pi_1"), "activated");
    let another = Shop::new(&server, ShopKind::Stripe);
    assert_ne!(another.id, shop.id);
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
    let question = Page::open(&mut admin, path).follow(&mut admin, "/secret");
    assert_eq!(call(secret), 200);
    let page = question.form("/secret").submit(&mut admin);
    let renewed = page.texts(".secret code").remove(0);
    assert_eq!(call(secret), 404);
    assert_eq!(call(renewed.rsplit_once('/').unwrap().1), 200);
}

#[test]
fn a_product_has_an_edition_and_a_renewal_extends_its_updates() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Paddle);
    let mut admin = server.admin();
    let path = format!("/shops/{}", shop.id);
    let form = Page::open(&mut admin, &path).form("/products");
    let form = form.fill("product", "price_a").fill("tool_name", "Tool_A");
    let form = form.fill("edition", "Pro").fill("features", "ocr; export");
    let page = form.fill("updates_days", "a year").submit(&mut admin);
    assert_eq!(page.invalid_fields(), ["updates_days"]);
    let form = page.form("/products");
    assert_eq!(
        (form.value("edition"), form.value("features")),
        ("Pro", "ocr; export")
    );
    let page = form.fill("updates_days", "365").submit(&mut admin);
    assert_eq!(page.status, 200);
    let sold = |id, kind, at, data| shop.tell(&paddle(id, kind, at, data));
    let completed = "transaction.completed";
    let is = |shop: &Shop| {
        let code = shop.codes("txn_1").remove(0);
        [
            "edition",
            "features",
            "expiration_date",
            "days",
            "updates_until",
        ]
        .map(|name| code[name].clone())
    };
    let with = |updates: &str| {
        [
            json!("Pro"),
            json!(["ocr", "export"]),
            Value::Null,
            Value::Null,
            json!(updates),
        ]
    };
    let bought = transaction("txn_1", "web", json!("sub_1"));
    assert_eq!(sold("evt_1", completed, 1, bought), EventState::Done);
    assert_eq!(is(&shop), with("2027-06-15"));
    let renewed = transaction("txn_2", "subscription_recurring", json!("sub_1"));
    assert_eq!(sold("evt_2", completed, 2, renewed), EventState::Done);
    assert_eq!(is(&shop), with("2028-06-14"));
    let refund = adjustment("txn_2", "refund", "full", "approved");
    assert_eq!(
        sold("evt_3", "adjustment.updated", 3, refund),
        EventState::Done
    );
    assert_eq!(is(&shop), with("2027-06-15"));
    let generator = Shop::new(&server, ShopKind::Generator);
    let draft = ProductDraft {
        product: "p-1".into(),
        tool_name: "Tool_A".into(),
        edition: "Basic".into(),
        ..ProductDraft::default()
    };
    server
        .service
        .set_product(&actor(), generator.id, &draft)
        .unwrap();
    assert_eq!(generator.generate(FORM, "order=1&product=p-1").status, 200);
    assert_eq!(generator.codes("1/p-1")[0]["edition"], "Basic");
}
