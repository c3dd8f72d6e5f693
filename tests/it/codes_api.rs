//! `/api/codes`: scripts make and change activation codes.

use serde_json::{Value, json};

use crate::guards::token;
use crate::server::{Answer, Client, Server};

/// A script with a token of that scope.
fn script(server: &Server, scope: &str) -> Client {
    let secret = token(
        &mut server.admin(),
        scope,
        &format!("{scope}=true"),
        "2027-01-31",
    );
    let bearer = format!("Bearer {secret}");
    server.stranger().header("Authorization", &bearer)
}

fn make(client: &mut Client, fields: Value) -> Vec<Value> {
    let answer = client.post("/api/codes", &fields.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["codes"].as_array().unwrap().clone()
}

fn activate(server: &Server, code: &Value, key: &str) -> u16 {
    let body = json!({"tool_name": "Tool_A", "activation_code": code["activation_code"], "license_key": key});
    let answer = server.stranger().post("/api/activate", &body.to_string());
    answer.status
}

fn change(client: &mut Client, code: &Value, fields: Value) -> Answer {
    let path = format!("/api/codes/{}", code["id"]);
    client.patch(&path, &fields.to_string())
}

#[test]
fn a_script_makes_codes_with_everything_that_the_page_asks_for() {
    let server = Server::start();
    let mut script = script(&server, "codes");
    let made = make(
        &mut script,
        json!({"tool_name": "Tool_A", "quantity": 2, "seats": 3, "days": 365, "customer": "Anna Berg",
            "email": "anna@example.com", "order_ref": "17", "note": "by hand", "edition": "Pro",
            "features": ["export", "ocr"], "data": "x", "updates_until": "2027-12-31", "moves_per_year": 1}),
    );
    let of = |name: &str| made[1][name].clone();
    assert_eq!(made.len(), 2);
    assert_eq!(
        [
            of("seats"),
            of("days"),
            of("customer"),
            of("order_ref"),
            of("edition")
        ],
        [
            json!(3),
            json!(365),
            json!("Anna Berg"),
            json!("17"),
            json!("Pro")
        ]
    );
    assert_eq!(of("features"), json!(["export", "ocr"]));
    assert_eq!(activate(&server, &made[0], "m1"), 200);
    let found = script.get("/api/codes?customer=Anna+Berg").json();
    assert_eq!(found.as_array().unwrap().len(), 2);
    let plain = make(&mut script, json!({"tool_name": "Tool_A"})).remove(0);
    assert_eq!(
        (&plain["seats"], &plain["expiration_date"]),
        (&json!(1), &Value::Null)
    );
}

#[test]
fn a_script_changes_a_code_and_its_machines_follow() {
    let server = Server::start();
    let mut script = script(&server, "codes");
    let code = make(&mut script, json!({"tool_name": "Tool_A", "days": 30})).remove(0);
    assert_eq!(activate(&server, &code, "m1"), 200);
    for (status, expected) in [("suspended", 403), ("activated", 200), ("revoked", 403)] {
        let answer = change(&mut script, &code, json!({"status": status}));
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(server.check("Tool_A", "m1").0, expected, "{status}");
    }
    // By the code itself, as somebody may type it.
    let typed = code["activation_code"].as_str().unwrap().to_lowercase();
    let fields =
        json!({"status": "activated", "seats": 2, "expiration_date": "2027-12-31", "note": "more"});
    let answer = script.patch(&format!("/api/codes/{typed}"), &fields.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(activate(&server, &code, "m2"), 200);
    change(&mut script, &code, json!({"expiration_date": null}));
    let found = script
        .get(&format!("/api/codes?activation_code={typed}"))
        .json();
    let is = ["seats", "seats_used", "expiration_date"].map(|name| found[0][name].clone());
    assert_eq!(is, [json!(2), json!(2), Value::Null]);
}

#[test]
fn a_code_that_cannot_be_is_refused_with_its_field() {
    let server = Server::start();
    let mut script = script(&server, "codes");
    for (fields, status, field) in [
        (json!({}), 400, "tool_name"),
        (json!({"tool_name": "T", "seats": "many"}), 400, "seats"),
        (json!({"tool_name": ""}), 422, "tool_name"),
        (json!({"tool_name": "T", "quantity": 0}), 422, "quantity"),
        (
            json!({"tool_name": "T", "quantity": 1_001}),
            422,
            "quantity",
        ),
        (json!({"tool_name": "T", "seats": 0}), 422, "seats"),
        (
            json!({"tool_name": "T", "expiration_date": "31.12.2027"}),
            422,
            "expiration_date",
        ),
        (
            json!({"tool_name": "T", "expiration_date": "2027-12-31", "days": 5}),
            422,
            "days",
        ),
        (
            json!({"tool_name": "T", "features": ["a,b"]}),
            422,
            "features",
        ),
        (json!({"tool_name": "T", "email": "nobody"}), 422, "email"),
    ] {
        let answer = script.post("/api/codes", &fields.to_string());
        assert_eq!(
            (answer.status, answer.json()["field"].as_str()),
            (status, Some(field)),
            "{fields}"
        );
    }
    let code = make(&mut script, json!({"tool_name": "T"})).remove(0);
    for (fields, field) in [
        (json!({"status": "on"}), "status"),
        (json!({"seats": 10_001}), "seats"),
        (json!({"days": 5, "expiration_date": "2027-12-31"}), "days"),
        (json!({"reason": "x".repeat(201)}), "reason"),
    ] {
        let answer = change(&mut script, &code, fields);
        assert_eq!(
            (answer.status, answer.json()["field"].as_str()),
            (422, Some(field))
        );
    }
    for address in ["99", "99999999999999999999", "nothing"] {
        let answer = script.patch(&format!("/api/codes/{address}"), "{}");
        assert_eq!(answer.status, 404, "{address}");
    }
}

#[test]
fn a_shop_may_look_codes_up_but_not_make_any_without_an_order() {
    let server = Server::start();
    let mut shop = script(&server, "orders");
    assert_eq!(shop.get("/api/codes?customer=x").status, 200);
    assert_eq!(shop.post("/api/codes", r#"{"tool_name":"T"}"#).status, 403);
    assert_eq!(shop.patch("/api/codes/1", "{}").status, 403);
    let mut writer = script(&server, "write");
    assert_eq!(writer.get("/api/codes?customer=x").status, 403);
    assert_eq!(script(&server, "codes").get("/api/orders/17").status, 403);
}
