//! `/api/orders`: a shop sells activation codes.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::database::Database;
use crate::guards::token;
use crate::server::{Answer, Client, Server};

/// A shop with its own token.
fn shop(server: &Server, name: &str) -> Client {
    let secret = token(&mut server.admin(), name, "orders=true", "2027-01-31");
    server
        .stranger()
        .header("Authorization", &format!("Bearer {secret}"))
}

fn order(reference: &str, items: Value) -> String {
    json!({"order_ref": reference, "customer": {"name": "Anna Berg", "email": "Anna@Example.com"},
        "items": items})
    .to_string()
}

fn codes(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let codes = body["codes"].as_array().unwrap().iter();
    codes
        .map(|code| code["activation_code"].as_str().unwrap().to_owned())
        .collect()
}

fn activate(server: &Server, code: &str, key: &str) -> Answer {
    let body = json!({"tool_name": "Tool_A", "activation_code": code, "license_key": key});
    server.stranger().post("/api/activate", &body.to_string())
}

#[test]
fn an_order_makes_codes_that_run_machines() {
    let server = Server::start();
    let mut shop = shop(&server, "shop");
    let placed = shop.post(
        "/api/orders",
        &order(
            "2026/17",
            json!([{"tool_name": "Tool_A", "quantity": 2, "seats": 3, "days": 365}]),
        ),
    );
    assert_eq!(placed.status, 201, "{}", placed.body);
    let codes = codes(&placed);
    assert_eq!(
        (codes.len(), placed.json()["order_ref"].as_str()),
        (2, Some("2026/17"))
    );
    for key in ["m1", "m2", "m3"] {
        assert_eq!(activate(&server, &codes[0], key).status, 200);
    }
    assert_eq!(
        activate(&server, &codes[0], "m4").json()["reason"],
        "SEATS_IN_USE"
    );
    let row = server.admin().get("/api/licenses").json()[0].clone();
    assert_eq!(
        (&row["user_id"], &row["order_ref"], &row["expiration_date"]),
        (&json!("Anna Berg"), &json!("2026/17"), &json!("2027-06-15"))
    );
    let shown = shop.get("/api/orders/2026%2F17").json();
    assert_eq!(
        (&shown["codes"][0]["seats_used"], &shown["customer"]),
        (&json!(3), &json!("Anna Berg"))
    );
    let found = shop.get("/api/codes?customer=Anna+Berg").json();
    assert_eq!(found.as_array().unwrap().len(), 2);
    let typed = codes[1].to_lowercase().replace('-', "");
    let found = shop
        .get(&format!("/api/codes?activation_code={typed}"))
        .json();
    assert_eq!(found[0]["activation_code"], json!(codes[1]));
    assert_eq!(shop.get("/api/codes").status, 422);
}

#[test]
fn the_same_order_fifty_times_at_once_is_one_order() {
    let server = Server::start();
    let secret = token(&mut server.admin(), "shop", "orders=true", "2027-01-31");
    let body = order("17", json!([{"tool_name": "Tool_A", "quantity": 3}]));
    let start = Barrier::new(50);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..50)
            .map(|_| {
                let (server, body, start, secret) = (&server, &body, &start, &secret);
                scope.spawn(move || {
                    let bearer = format!("Bearer {secret}");
                    let mut shop = server.stranger().header("Authorization", &bearer);
                    start.wait();
                    shop.post("/api/orders", body)
                })
            })
            .collect();
        senders
            .into_iter()
            .map(|sender| sender.join().unwrap())
            .collect()
    });
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        1
    );
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!(codes(&answers[0]).len(), 3);
}

#[test]
fn the_same_reference_with_other_items_is_a_conflict_and_of_another_shop_another_order() {
    let server = Server::start();
    let (mut one, mut other) = (shop(&server, "one"), shop(&server, "other"));
    let items = json!([{"tool_name": "Tool_A", "seats": 1, "quantity": 1}]);
    let first = one.post("/api/orders", &order("17", items));
    // Defaults are items, too.
    let same = order("17", json!([{"tool_name": "Tool_A"}])).replace("Anna Berg", "Anna Berg-Holm");
    let again = one.post("/api/orders", &same);
    assert_eq!((again.status, &again.body), (200, &first.body));
    let different = order("17", json!([{"tool_name": "Tool_A", "seats": 2}]));
    assert_eq!(one.post("/api/orders", &different).status, 409);
    let theirs = other.post("/api/orders", &different);
    assert_eq!(theirs.status, 201);
    assert_ne!(codes(&theirs), codes(&first));
    assert_eq!(other.post("/api/orders/17/revoke", "{}").status, 200);
    assert_eq!(activate(&server, &codes(&first)[0], "m1").status, 200);
    assert_eq!(
        activate(&server, &codes(&theirs)[0], "m2").json()["reason"],
        "CODE_REVOKED"
    );
}

#[test]
fn what_happens_to_an_order_happens_to_its_codes() {
    let server = Server::start();
    let mut shop = shop(&server, "shop");
    let items = json!([{"tool_name": "Tool_A", "expiration_date": "2026-12-31"}]);
    let code = codes(&shop.post("/api/orders", &order("17", items))).remove(0);
    assert_eq!(activate(&server, &code, "m1").status, 200);
    for (action, message, expected) in [
        ("suspend", "Order suspended", 403),
        ("resume", "Order resumed", 200),
        ("revoke", "Order revoked", 403),
        ("resume", "Order resumed", 403),
        ("restore", "Order restored", 200),
    ] {
        for _ in 0..2 {
            let answer = shop.post(&format!("/api/orders/17/{action}"), "{}");
            assert_eq!(
                (answer.status, answer.json()["message"].as_str()),
                (200, Some(message))
            );
        }
        assert_eq!(server.check("Tool_A", "m1").0, expected, "{action}");
    }
    // It was resumed while it was revoked.
    for (action, expected) in [
        ("suspend", 403),
        ("revoke", 403),
        ("resume", 403),
        ("restore", 200),
    ] {
        shop.post(&format!("/api/orders/17/{action}"), "{}");
        assert_eq!(server.check("Tool_A", "m1").0, expected, "{action}");
    }
    // What the vendor revoked by hand, no chargeback restores.
    let by_hand = server
        .service
        .change_code(&crate::shops::actor(), 1, |values| {
            values.status = license_server::model::license::Status::Revoked;
        });
    assert!(by_hand.unwrap().is_some());
    for action in ["suspend", "resume", "revoke", "restore"] {
        shop.post(&format!("/api/orders/17/{action}"), "{}");
        assert_eq!(server.check("Tool_A", "m1").0, 403, "{action}");
    }
    let lifted = server
        .service
        .change_code(&crate::shops::actor(), 1, |values| {
            values.status = license_server::model::license::Status::Activated;
        });
    assert!(lifted.unwrap().is_some());
    let extend = r#"{"days":30,"event_ref":"invoice 2"}"#;
    for _ in 0..3 {
        assert_eq!(shop.post("/api/orders/17/extend", extend).status, 200);
    }
    let last =
        |server: &Server| server.admin().get("/api/licenses").json()[0]["expiration_date"].clone();
    assert_eq!(last(&server), "2027-01-30");
    let other = extend.replace("30", "60");
    assert_eq!(shop.post("/api/orders/17/extend", &other).status, 409);
    assert_eq!(shop.post("/api/orders/18/suspend", "{}").status, 404);
    assert_eq!(shop.post("/api/orders/17/burn", "{}").status, 404);

    let renewal = order(
        "19",
        json!([{"tool_name": "Tool_A", "days": 365, "renews": "17"}]),
    );
    let renewed = shop.post("/api/orders", &renewal);
    assert_eq!((renewed.status, codes(&renewed).len()), (201, 0));
    assert_eq!(shop.post("/api/orders", &renewal).status, 200);
    assert_eq!(last(&server), "2028-01-30");
    let seats = order(
        "20",
        json!([{"tool_name": "Tool_A", "seats": 2, "adds_to": "17"}]),
    );
    assert_eq!(shop.post("/api/orders", &seats).status, 201);
    assert_eq!(shop.get("/api/orders/17").json()["codes"][0]["seats"], 3);
    let unknown = order("21", json!([{"tool_name": "Tool_A", "adds_to": "99"}]));
    let refused = shop.post("/api/orders", &unknown);
    assert_eq!(
        (refused.status, refused.json()["field"].as_str()),
        (422, Some("adds_to"))
    );
    assert_eq!(shop.get("/api/orders/21").status, 404);
}

#[test]
fn codes_of_a_test_order_end_after_a_week() {
    let server = Server::start();
    let body = json!({"order_ref": "t1", "items": [{"tool_name": "Tool_A"}], "test": true});
    let placed = shop(&server, "shop").post("/api/orders", &body.to_string());
    let row = activate(&server, &codes(&placed)[0], "m1");
    assert_eq!(row.status, 200);
    assert_eq!(
        server.admin().get("/api/licenses").json()[0]["expiration_date"],
        "2026-06-22"
    );
}

#[test]
fn an_order_that_cannot_be_is_refused_as_a_whole() {
    let server = Server::start();
    let mut shop = shop(&server, "shop");
    for (items, field) in [
        (json!([]), "items"),
        (json!([{"quantity": 1}]), "tool_name"),
        (
            json!([{"tool_name": "A"}, {"tool_name": "B", "seats": 0}]),
            "seats",
        ),
        (json!([{"tool_name": "A", "quantity": 501}]), "quantity"),
        (
            json!([{"tool_name": "A", "quantity": 300}, {"tool_name": "A", "quantity": 300}]),
            "items",
        ),
        (
            json!([{"tool_name": "A", "days": 5, "expiration_date": "2026-12-31"}]),
            "days",
        ),
        (
            json!([{"tool_name": "A", "expiration_date": "31.12.2026"}]),
            "expiration_date",
        ),
        (
            json!([{"tool_name": "A", "edition": "x".repeat(51)}]),
            "edition",
        ),
        (json!([{"tool_name": "A", "features": ["a,b"]}]), "features"),
        (
            json!([{"tool_name": "A", "updates_until": "2026-02-30"}]),
            "updates_until",
        ),
        (
            json!([{"tool_name": "A", "updates_until": "2026-12-31", "updates_days": 365}]),
            "updates_days",
        ),
        (
            json!([{"tool_name": "A", "updates_days": 36_501}]),
            "updates_days",
        ),
    ] {
        let refused = shop.post("/api/orders", &order("17", items));
        assert_eq!(
            (refused.status, refused.json()["field"].as_str()),
            (422, Some(field))
        );
    }
    assert_eq!(shop.get("/api/orders/17").status, 404);
    let reading = token(
        &mut server.admin(),
        "reader",
        "read=true&write=true",
        "2027-01-31",
    );
    let mut reader = server
        .stranger()
        .header("Authorization", &format!("Bearer {reading}"));
    let items = json!([{"tool_name": "Tool_A"}]);
    assert_eq!(reader.post("/api/orders", &order("17", items)).status, 403);
}

#[test]
fn what_an_order_did_to_another_one_is_taken_back() {
    let (server, database) = Database::start();
    let mut shop = shop(&server, "shop");
    let first = order("17", json!([{"tool_name": "Tool_A", "days": 365}]));
    let code = codes(&shop.post("/api/orders", &first)).remove(0);
    assert_eq!(activate(&server, &code, "m1").status, 200);
    let more = json!([
        {"tool_name": "Tool_A", "days": 30, "renews": "17"},
        {"tool_name": "Tool_A", "seats": 2, "adds_to": "17"}
    ]);
    assert_eq!(shop.post("/api/orders", &order("18", more)).status, 201);
    let dated = json!([{"tool_name": "Tool_A", "expiration_date": "2030-01-01", "renews": "17"}]);
    let is = |shop: &mut Client| {
        let code = shop.get("/api/orders/17").json()["codes"][0].clone();
        let last = code["expiration_date"].as_str().unwrap().to_owned();
        (last, code["seats"].as_i64().unwrap())
    };
    let (before, after) = (("2027-06-15".into(), 1), ("2027-07-15".into(), 3));
    assert_eq!(is(&mut shop), after);
    for (action, expected) in [
        ("suspend", &after),
        ("revoke", &before),
        ("revoke", &before),
        ("resume", &before),
        ("restore", &after),
        ("restore", &after),
        ("revoke", &before),
    ] {
        let answer = shop.post(&format!("/api/orders/18/{action}"), "{}");
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(is(&mut shop), *expected, "{action}");
        assert_eq!(server.check("Tool_A", "m1").0, 200);
    }
    assert_eq!(shop.post("/api/orders", &order("19", dated)).status, 201);
    for (action, expected) in [("revoke", "2027-06-15"), ("restore", "2030-01-01")] {
        let answer = shop.post(&format!("/api/orders/19/{action}"), "{}");
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(is(&mut shop).0, expected);
    }
    // As an earlier version left it.
    database.tamper("update code_renewals set expiration_date = ''");
    assert_eq!(shop.post("/api/orders/19/revoke", "{}").status, 409);
    assert_eq!(is(&mut shop).0, "2030-01-01");
}

#[test]
fn an_order_is_renewed_under_the_old_and_the_new_name_of_its_tool() {
    let server = Server::start();
    let mut shop = shop(&server, "shop");
    let first = order("17", json!([{"tool_name": "Tool_A", "days": 10}]));
    shop.post("/api/orders", &first);
    let actor = license_server::model::audit::Actor::command_line();
    server
        .service
        .rename_tool(&actor, "Tool_A", "Tool_B")
        .unwrap();
    for (reference, tool, days) in [("18", "Tool_A", 20), ("19", "Tool_B", 30)] {
        let item = json!([{"tool_name": tool, "days": 10, "renews": "17"}]);
        let renewed = shop.post("/api/orders", &order(reference, item));
        assert_eq!(renewed.status, 201, "{}", renewed.body);
        assert_eq!(shop.get("/api/orders/17").json()["codes"][0]["days"], days);
    }
}

#[test]
fn a_name_without_its_address_is_no_proof() {
    let server = Server::start();
    server.add(json!({"tool_name": "Tool_A", "license_key": "m1", "user_id": "Anna Berg"}));
    let mut shop = shop(&server, "shop");
    let items = json!([{"tool_name": "Tool_A"}]);
    assert_eq!(shop.post("/api/orders", &order("17", items)).status, 201);
    let customer = shop.get("/api/orders/17").json()["customer"].clone();
    assert_eq!(customer, "Anna Berg (anna@example.com)");
    let known = server
        .service
        .customer_called("Anna Berg")
        .unwrap()
        .unwrap();
    assert_eq!(known.customer.email, "");
    // Nor is it one of somebody whose address is known.
    let name = "Anna Berg (anna@example.com)";
    let nameless = json!({"order_ref": "18", "customer": {"name": name},
        "items": [{"tool_name": "Tool_A"}]})
    .to_string();
    for status in [201, 200] {
        assert_eq!(shop.post("/api/orders", &nameless).status, status);
        let customer = shop.get("/api/orders/18").json()["customer"].clone();
        assert_eq!(customer, format!("{name} (2)"));
    }
}

#[test]
fn an_order_sells_an_edition_with_features_and_updates() {
    let server = Server::start();
    let mut shop = shop(&server, "shop");
    let item = json!({"tool_name": "Tool_A", "edition": "Pro", "features": ["export", "ocr", "export"],
        "updates_until": "2027-12-31"});
    let placed = shop.post("/api/orders", &order("17", json!([item])));
    assert_eq!(placed.status, 201, "{}", placed.body);
    let shown = shop.get("/api/orders/17").json();
    for of in [&shown["codes"][0], &shown["items"][0]] {
        assert_eq!(
            (&of["edition"], &of["features"], &of["updates_until"]),
            (
                &json!("Pro"),
                &json!(["export", "ocr"]),
                &json!("2027-12-31")
            )
        );
    }
    let mut turned = item.clone();
    turned["features"] = json!(["ocr", "export"]);
    for same in [&item, &turned] {
        let again = shop.post("/api/orders", &order("17", json!([same])));
        assert_eq!((again.status, &again.body), (200, &placed.body));
    }
    for (field, value) in [
        ("edition", json!("Basic")),
        ("features", json!(["export"])),
        ("updates_until", json!("2028-12-31")),
        ("updates_until", Value::Null),
    ] {
        let mut other = item.clone();
        other[field] = value;
        let conflict = shop.post("/api/orders", &order("17", json!([other])));
        assert_eq!(conflict.status, 409, "{field}");
    }
    let in_days = json!([{"tool_name": "Tool_A", "updates_days": 365}]);
    assert_eq!(shop.post("/api/orders", &order("18", in_days)).status, 201);
    let code = shop.get("/api/orders/18").json()["codes"][0].clone();
    assert_eq!(code["updates_until"], "2027-06-15");
}

#[test]
fn an_order_of_an_earlier_version_is_known_with_an_edition_that_was_ignored() {
    let (server, database) = Database::start();
    let mut shop = shop(&server, "shop");
    let plain = json!([{"tool_name": "Tool_A", "seats": 2}]);
    let placed = shop.post("/api/orders", &order("17", plain));
    database.tamper("update orders set has_entitlements = 0");
    let with = json!([{"tool_name": "Tool_A", "seats": 2, "edition": "Pro", "updates_until": "2027-12-31"}]);
    let again = shop.post("/api/orders", &order("17", with));
    assert_eq!((again.status, &again.body), (200, &placed.body));
    let other = json!([{"tool_name": "Tool_A", "seats": 3, "edition": "Pro"}]);
    assert_eq!(shop.post("/api/orders", &order("17", other)).status, 409);
}

#[test]
fn a_renewal_may_change_the_edition_and_gives_it_back() {
    let server = Server::start();
    let mut shop = shop(&server, "shop");
    let first =
        json!([{"tool_name": "Tool_A", "days": 365, "edition": "Basic", "updates_days": 30}]);
    shop.post("/api/orders", &order("17", first));
    let is = |shop: &mut Client| {
        let code = shop.get("/api/orders/17").json()["codes"][0].clone();
        ["days", "edition", "updates_until", "seats"].map(|name| code[name].clone())
    };
    let before = is(&mut shop);
    let renewal =
        json!([{"tool_name": "Tool_A", "renews": "17", "edition": "Pro", "updates_days": 365}]);
    let placed = shop.post("/api/orders", &order("18", renewal));
    assert_eq!(placed.status, 201, "{}", placed.body);
    let after = is(&mut shop);
    assert_eq!(
        after,
        [json!(365), json!("Pro"), json!("2027-07-15"), json!(1)]
    );
    for (action, expected) in [
        ("revoke", &before),
        ("restore", &after),
        ("revoke", &before),
    ] {
        let path = format!("/api/orders/18/{action}");
        assert_eq!(shop.post(&path, "{}").status, 200);
        assert_eq!(is(&mut shop), *expected, "{action}");
    }
    for revoked in [["20", "21"], ["21", "20"]] {
        for reference in ["20", "21"] {
            let renewal = json!([{"tool_name": "Tool_A", "renews": "17", "edition": "Pro"}]);
            shop.post("/api/orders", &order(reference, renewal));
            let restored = format!("/api/orders/{reference}/restore");
            assert_eq!(shop.post(&restored, "{}").status, 200);
        }
        for (reference, left) in revoked.iter().zip(["Pro", "Basic"]) {
            shop.post(&format!("/api/orders/{reference}/revoke"), "{}");
            assert_eq!(is(&mut shop)[1], left, "{revoked:?}");
        }
    }
    // A restored order counts where it was.
    for (reference, edition) in [("22", "Pro"), ("23", "Max")] {
        let renewal = json!([{"tool_name": "Tool_A", "renews": "17", "edition": edition}]);
        shop.post("/api/orders", &order(reference, renewal));
    }
    for (reference, action, left) in [
        ("22", "revoke", "Max"),
        ("22", "restore", "Max"),
        ("23", "revoke", "Pro"),
        ("22", "revoke", "Basic"),
    ] {
        shop.post(&format!("/api/orders/{reference}/{action}"), "{}");
        assert_eq!(is(&mut shop)[1], left, "{reference} {action}");
    }
    let seats =
        |edition: &str| json!([{"tool_name": "Tool_A", "adds_to": "17", "edition": edition}]);
    let refused = shop.post("/api/orders", &order("19", seats("Pro")));
    assert_eq!(
        (refused.status, &refused.json()["field"]),
        (422, &json!("edition"))
    );
    let added = shop.post("/api/orders", &order("19", seats("Basic")));
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(is(&mut shop)[3], 2);
}

#[test]
fn nothing_is_added_to_a_test_order() {
    let server = Server::start();
    let mut shop = shop(&server, "shop");
    let mut test: Value =
        serde_json::from_str(&order("17", json!([{"tool_name": "Tool_A"}]))).unwrap();
    test["test"] = json!(true);
    assert_eq!(shop.post("/api/orders", &test.to_string()).status, 201);
    for (field, item) in [
        (
            "renews",
            json!([{"tool_name": "Tool_A", "days": 365, "renews": "17"}]),
        ),
        (
            "adds_to",
            json!([{"tool_name": "Tool_A", "seats": 2, "adds_to": "17"}]),
        ),
    ] {
        let answer = shop.post("/api/orders", &order("18", item));
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (422, &json!(field))
        );
    }
}
