//! A machine's one trial of a tool, and what a signed answer says about editions, features and updates.

use serde_json::{Value, json};

use crate::page::Page;
use crate::server::{Client, Server};
use crate::signed::verified;

const NONCE: &str = "0123456789abcdef";
const DAY: i64 = 86_400;

/// A server whose tool `T` has these rules.
fn with_rules(rules: &[(&str, &str)]) -> (Server, Client) {
    let server = Server::start();
    let mut admin = server.admin();
    Page::open(&mut admin, "/tools")
        .form("/tools")
        .fill("tool_name", "T")
        .submit(&mut admin);
    let mut form = Page::open(&mut admin, "/tool?name=T").form("/tool");
    for (name, value) in rules {
        form = form.fill(name, value);
    }
    assert_eq!(form.submit(&mut admin).status, 200);
    (server, admin)
}

fn check(server: &Server, body: Value) -> (u16, Value) {
    let answer = server.stranger().post("/api/check", &body.to_string());
    (answer.status, answer.json())
}

fn plain(server: &Server, key: &str) -> u16 {
    check(server, json!({"tool_name": "T", "license_key": key})).0
}

/// The status and the code of a signed check.
fn signed(server: &Server, key: &str, more: Value) -> (u16, Value) {
    let mut body = json!({"tool_name": "T", "license_key": key, "nonce": NONCE});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let (status, answer) = check(server, body);
    (status, answer["code"].clone())
}

#[test]
fn a_machine_has_one_trial_and_then_never_again() {
    let (server, mut admin) = with_rules(&[("trial_days", "14"), ("grace_days", "30")]);
    assert_eq!(signed(&server, "pc", json!({})), (404, json!("NOT_FOUND")));
    assert_eq!(
        signed(&server, "pc", json!({"trial": "yes"})),
        (404, json!("NOT_FOUND"))
    );
    let asks = json!({"trial": true});
    assert_eq!(signed(&server, "pc", asks.clone()), (200, json!("TRIAL")));
    let row = &admin.get("/api/licenses").json()[0];
    assert_eq!(row["trial"], true);
    assert_eq!(
        plain(&server, "00-1A-2B-3C-4D-5E"),
        200,
        "a plain check always asks for the trial"
    );
    server.clock.turn(14 * DAY);
    assert_eq!(plain(&server, "pc"), 200, "its last day");
    server.clock.turn(DAY);
    assert_eq!(
        signed(&server, "pc", asks.clone()),
        (403, json!("EXPIRED")),
        "a trial has no grace period"
    );
    // Deleted, under another spelling, and as the machine's previous ID.
    for id in 1..=2 {
        let mut admin = server.admin();
        assert_eq!(admin.delete(&format!("/api/licenses/{id}")).status, 200);
    }
    assert_eq!(signed(&server, "pc", asks), (404, json!("NOT_FOUND")));
    assert_eq!(plain(&server, "001a.2b3c.4d5e"), 404);
    let moved = json!({"trial": true, "previous_license_key": "PC"});
    assert_eq!(signed(&server, "other", moved).0, 200);
    let moved = json!({"trial": true, "previous_license_key": " pc "});
    assert_eq!(signed(&server, "another", moved).0, 404);
}

#[test]
fn a_trial_is_converted_with_one_click_or_many_at_once() {
    let (server, mut admin) = with_rules(&[("trial_days", "14")]);
    for key in ["one", "two", "three"] {
        assert_eq!(plain(&server, key), 200);
    }
    let page = Page::open(&mut admin, "/licenses/1").press(&mut admin, "term=1y");
    assert!(page.flash().unwrap().contains("no longer a trial"));
    assert!(!page.has_form("/licenses/1/convert"));
    let ends = |admin: &mut Client| {
        let rows = admin.get("/api/licenses").json();
        [0, 1, 2].map(|at| {
            (
                rows[at]["trial"] == true,
                rows[at]["expiration_date"].clone(),
            )
        })
    };
    let trial = (true, json!("2026-06-29"));
    let bought = (false, json!("2027-06-15"));
    assert_eq!(
        ends(&mut admin),
        [bought.clone(), trial.clone(), trial.clone()]
    );
    page.form("/undo").submit(&mut admin);
    assert_eq!(ends(&mut admin), [trial.clone(), trial.clone(), trial]);
    Page::open(&mut admin, "/licenses/1").press(&mut admin, "term=1y");
    let rest = Page::open(&mut admin, "/bulk?of=all&filter=%3Ftrial%3Dyes");
    let convert = rest.form_with("do=convert").fill("trial_term", "");
    let page = convert
        .press(&mut admin, "do=convert")
        .press(&mut admin, "start=one");
    assert!(
        page.text().contains("Convert to perpetual licenses"),
        "{}",
        page.text()
    );
    let perpetual = (false, Value::Null);
    assert_eq!(ends(&mut admin), [bought, perpetual.clone(), perpetual]);
}

#[test]
fn a_trial_that_is_bought_keeps_its_row() {
    let (server, mut admin) = with_rules(&[("trial_days", "14")]);
    for key in ["api", "page", "file", "code"] {
        assert_eq!(plain(&server, key), 200);
    }
    let body = |key: &str| json!({"tool_name": "T", "license_key": key}).to_string();
    let added = admin.post("/api/licenses", &body("api"));
    assert_eq!(
        (added.status, added.header("location")),
        (201, "/api/licenses/1")
    );
    assert_eq!(admin.post("/api/licenses", &body("api")).status, 409);
    Page::open(&mut admin, "/licenses/new?tool=T&key=page")
        .form("/licenses/new")
        .submit(&mut admin);
    let export = admin.get("/licenses.csv").body;
    assert_eq!(
        crate::import::numbers(&crate::import::upload(&mut admin, "export.csv", &export))[2],
        4,
        "an export changes nothing"
    );
    let preview = crate::import::upload(
        &mut admin,
        "sold.csv",
        "tool_name,license_key,expiration_date\nT,file,2030-12-31\n",
    );
    crate::import::confirm(&mut admin, &preview);
    let rows = admin.get("/api/licenses").json();
    let trials: Vec<bool> = (0..4)
        .filter_map(|at| rows[at]["trial"].as_bool())
        .collect();
    assert_eq!(trials, [false, false, false, true]);
    assert_eq!(signed(&server, "api", json!({})).1, json!("VALID"));
    let figures = Page::open(&mut admin, "/tool?name=T").texts("[aria-labelledby=trials] dd");
    assert_eq!(
        figures,
        ["4", "1", "0", "3"],
        "started, running, expired, bought"
    );
}

#[test]
fn one_address_begins_twenty_trials_a_day_and_a_tool_as_many_as_its_vendor_says() {
    let (server, _) = with_rules(&[("trial_days", "14"), ("trials_per_day", "21")]);
    for at in 0..20 {
        assert_eq!(plain(&server, &format!("pc-{at}")), 200);
    }
    let (status, answer) = check(
        &server,
        json!({"tool_name": "T", "license_key": "one more"}),
    );
    assert_eq!((status, &answer["reason"]), (429, &json!("TRY_LATER")));
    assert_eq!(answer["status"], "error");
    assert_eq!(
        plain(&server, "pc-3"),
        200,
        "who has a license is not limited"
    );
    server.clock.turn(DAY);
    assert_eq!(plain(&server, "one more"), 200);
}

#[test]
fn a_signed_answer_says_what_was_sold_and_a_plain_one_only_the_result() {
    let (server, mut admin) = with_rules(&[
        ("editions", "Basic\nPro: export, batch"),
        ("latest_version", "2.1"),
        ("latest_url", "https://shop.example/2.1"),
        ("minimum_version", "1.0"),
    ]);
    let body = json!({
        "tool_name": "T", "license_key": "pc", "edition": "Pro", "features": ["ocr", "export"],
        "data": "{\"pages\":9}", "updates_until": "2027-01-31",
    });
    assert_eq!(admin.post("/api/licenses", &body.to_string()).status, 201);
    let (_, answer) = check(
        &server,
        json!({"tool_name": "T", "license_key": "pc", "nonce": NONCE}),
    );
    let claims = verified(&server, answer["token"].as_str().unwrap_or_default());
    for (name, value) in [
        ("edition", json!("Pro")),
        ("features", json!(["export", "batch", "ocr"])),
        ("data", json!("{\"pages\":9}")),
        ("updates_until", json!("2027-01-31")),
        ("latest_version", json!("2.1")),
        ("latest_url", json!("https://shop.example/2.1")),
        ("minimum_version", json!("1.0")),
    ] {
        assert_eq!(answer[name], value);
        assert_eq!(claims[name], value);
    }
    let (_, plain) = check(&server, json!({"tool_name": "T", "license_key": "pc"}));
    assert_eq!(
        plain,
        json!({"status": "valid", "message": "License is active and valid."})
    );
    // What is not set is not there; a change counts from the next check on.
    assert_eq!(
        admin
            .patch(
                "/api/licenses/1",
                r#"{"edition":null,"features":[],"data":null}"#
            )
            .status,
        200
    );
    let (_, answer) = check(
        &server,
        json!({"tool_name": "T", "license_key": "pc", "nonce": NONCE}),
    );
    let claims = verified(&server, answer["token"].as_str().unwrap_or_default());
    for name in ["edition", "features", "data"] {
        assert_eq!((&answer[name], &claims[name]), (&Value::Null, &Value::Null));
    }
    assert_eq!(claims["updates_until"], "2027-01-31");
}
