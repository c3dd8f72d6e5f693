//! The pages of orders: what is there, what is done there, and how they are found.

use license_server::model::shops::{EventState, ShopKind};
use serde_json::{Value, json};

use crate::guards::token;
use crate::page::Page;
use crate::server::{Client, Server};
use crate::shops::{FORM, Shop, charge, session, stripe};

fn shop(server: &Server) -> Client {
    let secret = token(&mut server.admin(), "Web shop", "orders=true", "2027-01-31");
    server
        .stranger()
        .header("Authorization", &format!("Bearer {secret}"))
}

fn place(server: &Server, body: &Value) -> i64 {
    place_as(&mut shop(server), server, body)
}

fn place_as(shop: &mut Client, server: &Server, body: &Value) -> i64 {
    let placed = shop.post("/api/orders", &body.to_string());
    assert_eq!(placed.status, 201, "{}", placed.body);
    let newest = server.service.orders_called("").unwrap();
    newest[0].0.id
}

fn statuses(server: &Server, order_ref: &str) -> Vec<String> {
    let path = format!("/api/codes?order_ref={order_ref}");
    let codes = server.admin().get(&path).json();
    let codes = codes.as_array().unwrap().iter();
    codes
        .map(|code| code["status"].as_str().unwrap().to_owned())
        .collect()
}

/// Types into the search field of the frame, and returns where that leads.
fn search(admin: &mut Client, typed: &str) -> String {
    let page = Page::open(admin, "/");
    page.form("/licenses").fill("q", typed).submit(admin).path
}

#[test]
fn a_guests_order_is_suspended_resumed_and_extended_with_undo() {
    let server = Server::start();
    let mut shop = shop(&server);
    let two = json!([{"tool_name": "Tool_A", "quantity": 2, "days": 30, "edition": "Pro"}]);
    let two = json!({"order_ref": "2026-17", "items": two});
    let id = place_as(&mut shop, &server, &two);
    let path = format!("/orders/{id}");
    let mut admin = server.admin();
    let page = Page::open(&mut admin, &path);
    assert_eq!(page.texts("h1"), ["2026-17"]);
    let text = page.text();
    for shown in ["Web shop", "30 days", "Pro", "30 days from first use"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let code = server.service.order_use(id).unwrap().codes.remove(0).1.code;
    let page = page.follow(&mut admin, &format!("/codes/{}", code.id));
    let page = page.follow(&mut admin, &path);
    // One of them was suspended before, and stays so.
    let change = server
        .service
        .change_code(&crate::shops::actor(), code.id, |values| {
            values.status = license_server::model::license::Status::Suspended;
        });
    assert!(change.unwrap().is_some());
    let page = page.form("/change").press(&mut admin, "action=suspend");
    assert_eq!(statuses(&server, "2026-17"), ["suspended", "suspended"]);
    let page = page.form("/undo").submit(&mut admin);
    assert_eq!(page.path, path);
    let mut after = statuses(&server, "2026-17");
    after.sort();
    assert_eq!(after, ["activated", "suspended"]);
    // Undone, the order suspends nothing that it could resume.
    assert!(!page.form("/change").has_button("action=resume"));
    let sorted = || {
        let mut all = statuses(&server, "2026-17");
        all.sort();
        all
    };
    let page = page.form("/change").press(&mut admin, "action=suspend");
    let page = page.form("/change").press(&mut admin, "action=resume");
    assert_eq!(sorted(), ["activated", "suspended"]);
    let page = page.form("/undo").submit(&mut admin);
    assert_eq!(sorted(), ["suspended", "suspended"]);
    let page = page.form("/change").press(&mut admin, "action=resume");
    assert_eq!(sorted(), ["activated", "suspended"]);
    let form = page.form("/extend").fill("days", "soon");
    let page = form.submit(&mut admin);
    assert_eq!((page.status, page.invalid_fields()), (422, vec!["days"]));
    assert_eq!(page.form("/extend").value("days"), "soon");
    let form = || page.form("/extend").fill("days", "10");
    let days = |server: &Server| {
        let codes = server.admin().get("/api/codes?order_ref=2026-17").json();
        codes[0]["days"].clone()
    };
    let extended = form().submit(&mut admin);
    // The same form again, as after a double click.
    form().submit(&mut admin);
    assert_eq!(days(&server), 40);
    extended.form("/undo").submit(&mut admin);
    assert_eq!(days(&server), 30);
    assert_eq!(extended.form("/undo").submit(&mut admin).status, 409);
    // A renewal that is taken back does not bring the undone extension back.
    let forever = json!([{"tool_name": "Tool_A", "renews": "2026-17"}]);
    let forever = json!({"order_ref": "2026-18", "items": forever});
    let renewal = place_as(&mut shop, &server, &forever);
    let path = format!("/orders/{renewal}");
    let asked = Page::open(&mut admin, &path).follow(&mut admin, "/revoke");
    asked.form("/change").press(&mut admin, "action=revoke");
    assert_eq!(days(&server), 30);
}

#[test]
fn an_order_is_revoked_after_a_question_and_restored() {
    let server = Server::start();
    let first = json!({"order_ref": "17", "customer": {"name": "Anna Berg"},
        "items": [{"tool_name": "Tool_A", "days": 30}]});
    let id = place(&server, &first);
    let path = format!("/orders/{id}");
    let mut admin = server.admin();
    let page = Page::open(&mut admin, &path).follow(&mut admin, "/revoke");
    assert_eq!(statuses(&server, "17"), ["activated"]);
    let page = page.form("/change").press(&mut admin, "action=revoke");
    assert_eq!(
        (&*page.path, statuses(&server, "17")),
        (&*path, vec!["revoked".to_owned()])
    );
    assert_eq!(page.texts(".head .mark"), ["revoked"]);
    page.form("/change").press(&mut admin, "action=restore");
    assert_eq!(statuses(&server, "17"), ["activated"]);
    let customer = Page::open(&mut admin, "/customer?name=Anna+Berg");
    let page = customer.follow(&mut admin, &path);
    assert_eq!(page.status, 200);
    for (what, status) in [("/orders/99", 404), ("/orders/99/revoke", 404)] {
        assert_eq!(Page::open(&mut admin, what).status, status);
    }
    // A change of something else is not undone from here.
    let other = json!({"order_ref": "18", "items": [{"tool_name": "Tool_A"}]});
    let other = place(&server, &other);
    let page = Page::open(&mut admin, &format!("/orders/{other}"));
    page.form("/change").press(&mut admin, "action=suspend");
    let form = Page::open(&mut admin, &path).form("/change");
    let csrf = format!("csrf={}", form.value("csrf"));
    let origin = server.url.clone();
    let headers = [("Content-Type", FORM), ("Origin", &*origin)];
    // The last change is that of the other order.
    for (changes, status) in [("3-3", 404), ("0-9999", 404), ("x", 404)] {
        let undo = format!("{path}/{changes}/undo");
        let answer = admin.send("POST", &undo, &headers, csrf.as_bytes());
        assert_eq!(answer.status, status, "{changes}");
    }
    assert_eq!(statuses(&server, "18"), ["suspended"]);
}

#[test]
fn what_its_shop_reports_and_quotes_leads_to_an_order() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Stripe);
    let bought = stripe(
        "evt_1",
        "checkout.session.completed",
        1,
        session("pi_1", "paid"),
    );
    assert_eq!(shop.tell(&bought), EventState::Done);
    let refund = stripe("evt_2", "charge.refunded", 2, charge("pi_1", 4900));
    assert_eq!(shop.tell(&refund), EventState::Done);
    let id = server.service.orders_called("pi_1").unwrap()[0].0.id;
    let path = format!("/orders/{id}");
    let mut admin = server.admin();
    let page = Page::open(&mut admin, &format!("/shops/{}", shop.id));
    let page = page.follow(&mut admin, &path);
    let text = page.text();
    for shown in ["cs_live_pi_1", "evt_1", "evt_2", "refunded"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    for quoted in ["pi_1", " cs_live_pi_1 "] {
        assert_eq!(search(&mut admin, quoted), path, "{quoted}");
    }
    assert_eq!(search(&mut admin, "pi_"), "/licenses?q=pi_");
    // Filtered, the table is what was asked for.
    let filter = Page::open(&mut admin, "/licenses?status=activated").form("/licenses");
    let page = filter.fill("q", "pi_1").submit(&mut admin);
    assert!(page.path.starts_with("/licenses?"), "{}", page.path);
    // A shop that asks for codes has an order for each product of an order number.
    let generator = Shop::new(&server, ShopKind::Generator);
    generator.sells("price_b", "365");
    for product in ["price_a", "price_b"] {
        let call = format!("order=1%2F1&product={product}");
        assert_eq!(generator.generate(FORM, &call).status, 200);
        if product == "price_a" {
            let one = search(&mut admin, "1/1");
            assert!(one.starts_with("/orders/"), "{one}");
        }
    }
    let several = search(&mut admin, "1/1");
    assert!(several.starts_with("/orders?reference="), "{several}");
    let page = Page::open(&mut admin, &several);
    assert_eq!(page.texts("tbody th a"), ["1%2F1/price_b", "1%2F1/price_a"]);
    // What is a machine's key is sought as one.
    server.add(json!({"tool_name": "Tool_A", "license_key": "pi_1"}));
    assert_eq!(search(&mut admin, "pi_1"), "/licenses?q=pi_1");
}

#[test]
fn an_order_whose_customer_was_erased_is_still_there() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Stripe);
    let bought = stripe(
        "evt_1",
        "checkout.session.completed",
        1,
        session("pi_1", "paid"),
    );
    shop.tell(&bought);
    let mut admin = server.admin();
    let customer = Page::open(&mut admin, "/customer?name=Anna+Berg").path;
    let page = Page::open(&mut admin, &format!("{customer}/erase"));
    let form = page.form("/erase").fill("name", "Anna Berg");
    let page = form.submit(&mut admin);
    assert_eq!(page.status, 200, "{}", page.text());
    let path = search(&mut admin, "pi_1");
    let page = Page::open(&mut admin, &path);
    assert_eq!(
        (page.status, page.texts("h1")),
        (200, vec!["pi_1".to_owned()])
    );
    assert!(!page.text().contains("Anna") && page.text().contains("erased"));
    page.form("/change").press(&mut admin, "action=suspend");
    let found = server.service.orders_called("pi_1").unwrap().remove(0).0;
    let code = server
        .service
        .order_use(found.id)
        .unwrap()
        .codes
        .remove(0)
        .1
        .code;
    assert_eq!(code.values.status.as_str(), "suspended");
}
