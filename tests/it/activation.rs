//! Activation codes: a machine takes a seat, and gives it back.

use license_server::model::activation_code::{ActivationCode, CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use license_server::model::license::Status;
use serde_json::{Value, json};
use time::macros::date;

use crate::page::Page;
use crate::page::address::UNLICENSED;
use crate::server::{Answer, Server};

const DAY: i64 = 86_400;

const VALID: &str = r#"{"status":"valid","message":"License is active and valid."}"#;

fn code(server: &Server, tool_name: &str, seats: i64, term: CodeTerm) -> ActivationCode {
    code_with(server, tool_name, CodeValues::new(seats, term))
}

fn code_with(server: &Server, tool_name: &str, values: CodeValues) -> ActivationCode {
    let made = server
        .service
        .create_codes(&Actor::command_line(), tool_name, &values, 1);
    made.unwrap().remove(0)
}

fn ask(server: &Server, address: &str, tool_name: &str, code: &str, key: &str) -> Answer {
    let body = json!({"tool_name": tool_name, "activation_code": code, "license_key": key});
    server.stranger().post(address, &body.to_string())
}

fn activate(server: &Server, code: &ActivationCode, key: &str) -> Answer {
    ask(server, "/api/activate", &code.tool_name, &code.shown(), key)
}

fn deactivate(server: &Server, code: &ActivationCode, key: &str) -> Answer {
    ask(
        server,
        "/api/deactivate",
        &code.tool_name,
        &code.shown(),
        key,
    )
}

fn reason(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert_eq!(body["status"], "error", "{body}");
    assert!(body["field"].is_string() && body["message"].is_string());
    (answer.status, body["reason"].as_str().unwrap().to_owned())
}

fn change(server: &Server, code: &ActivationCode, change: impl FnOnce(&mut CodeValues)) -> i64 {
    let changed = server
        .service
        .change_code(&Actor::command_line(), code.id, change);
    changed.unwrap().unwrap()
}

fn row(server: &Server, key: &str) -> Value {
    let rows = server.admin().get("/api/licenses").json();
    let rows = rows.as_array().unwrap().iter();
    let mut found = rows.filter(|row| row["license_key"] == key);
    found.next().cloned().unwrap_or_default()
}

#[test]
fn a_machine_takes_a_seat_once_and_is_checked_like_any_other() {
    let server = Server::start();
    let code = code(&server, "Tool_A", 1, CodeTerm::Perpetual);
    for typed in [
        code.shown(),
        code.code.to_lowercase(),
        code.shown().replace('-', " \u{2013} "),
    ] {
        let answer = ask(&server, "/api/activate", "Tool_A", &typed, "0A1B2C3D4E5F");
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, VALID),
            "{typed}"
        );
    }
    assert_eq!(
        server.check("Tool_A", "0a:1b:2c:3d:4e:5f"),
        (200, VALID.to_owned())
    );
    let refused = activate(&server, &code, "other");
    assert_eq!(reason(&refused), (409, "SEATS_IN_USE".into()));
    assert_eq!(refused.json()["seats"], 1);
}

#[test]
fn an_activation_with_a_nonce_is_signed_like_a_check() {
    let server = Server::start();
    let code = code(&server, "Tool_A", 1, CodeTerm::Until(date!(2026 - 12 - 31)));
    let body = json!({"tool_name": "Tool_A", "activation_code": code.shown(), "license_key": " m1 ",
        "nonce": "abcdefghijklmnop"});
    let answer = server.stranger().post("/api/activate", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(
        (&answer["code"], &answer["expiration_date"]),
        (&json!("VALID"), &json!("2026-12-31"))
    );
    assert_eq!(answer["token"].as_str().unwrap().split('.').count(), 3);
    let bad = json!({"tool_name": "Tool_A", "activation_code": code.shown(), "license_key": "m2", "nonce": "short"});
    assert_eq!(
        server
            .stranger()
            .post("/api/activate", &bad.to_string())
            .status,
        422
    );
}

#[test]
fn every_reason_is_the_published_one() {
    let server = Server::start();
    let good = code(&server, "Tool_A", 1, CodeTerm::Perpetual);
    let activated = |code: &str| reason(&ask(&server, "/api/activate", "Tool_A", code, "m1"));
    assert_eq!(activated("K7QM-2XWD-9FHT-VR40"), (422, "BAD_CODE".into()));
    assert_eq!(activated("K7QM"), (422, "BAD_CODE".into()));
    assert_eq!(
        activated("AAAA-AAAA-AAAA-AAAA"),
        (404, "UNKNOWN_CODE".into())
    );
    let wrong = ask(&server, "/api/activate", "Tool_B", &good.shown(), "m1");
    assert_eq!(reason(&wrong), (404, "WRONG_TOOL".into()));
    assert!(wrong.json()["message"].as_str().unwrap().contains("Tool_A"));

    let expired = code(&server, "Tool_A", 1, CodeTerm::Until(date!(2026 - 06 - 14)));
    assert_eq!(
        reason(&activate(&server, &expired, "m1")),
        (403, "CODE_EXPIRED".into())
    );
    let last_day = code(&server, "Tool_A", 1, CodeTerm::Until(date!(2026 - 06 - 15)));
    assert_eq!(activate(&server, &last_day, "today").status, 200);
    for (status, expected) in [
        (Status::Suspended, "CODE_SUSPENDED"),
        (Status::Revoked, "CODE_REVOKED"),
    ] {
        change(&server, &good, |values| values.status = status);
        assert_eq!(
            reason(&activate(&server, &good, "m1")),
            (403, expected.into())
        );
    }
    change(&server, &good, |values| values.status = Status::Activated);
    for status in ["suspended", "revoked"] {
        server.add(json!({"tool_name": "Tool_A", "license_key": status, "status": status}));
        let refused = activate(&server, &good, status);
        assert_eq!(reason(&refused), (403, "MACHINE_BLOCKED".into()));
    }
    assert_eq!(row(&server, "revoked")["status"], "revoked");
}

#[test]
fn an_existing_license_is_taken_over_and_keeps_a_later_date_given_by_hand() {
    let server = Server::start();
    let code = code(&server, "Tool_A", 9, CodeTerm::Until(date!(2026 - 12 - 31)));
    for (key, own, expected) in [
        ("expired", "2026-01-31", json!("2026-12-31")),
        ("later", "2027-06-30", json!("2027-06-30")),
        ("perpetual", "", json!(null)),
    ] {
        let id =
            server.add(json!({"tool_name": "Tool_A", "license_key": key, "expiration_date": own}));
        assert_eq!(activate(&server, &code, key).status, 200);
        let row = row(&server, key);
        assert_eq!(
            (&row["id"], &row["expiration_date"]),
            (&json!(id), &expected),
            "{key}"
        );
    }
    assert_eq!(server.service.seats(code.id).unwrap().len(), 3);
}

#[test]
fn a_machine_changes_to_a_code_that_expires_later_and_never_back() {
    let server = Server::start();
    let until = |day| code(&server, "Tool_A", 1, CodeTerm::Until(day));
    let (short, long) = (until(date!(2026 - 08 - 31)), until(date!(2026 - 12 - 31)));
    let perpetual = code(&server, "Tool_A", 1, CodeTerm::Perpetual);
    for code in [&short, &long, &perpetual] {
        assert_eq!(activate(&server, code, "m1").status, 200);
    }
    for code in [&short, &long] {
        assert_eq!(
            reason(&activate(&server, code, "m1")),
            (409, "OTHER_CODE".into())
        );
        assert_eq!(server.service.seats(code.id).unwrap().len(), 0);
    }
    // The code of a machine that was refunded keeps nobody from the next one.
    change(&server, &perpetual, |values| {
        values.status = Status::Revoked
    });
    assert_eq!(activate(&server, &short, "m1").status, 200);
    assert_eq!(server.check("Tool_A", "m1").0, 200);
}

#[test]
fn days_count_from_the_first_activation_for_all_seats() {
    let server = Server::start();
    let code = code(&server, "Tool_A", 2, CodeTerm::Days(30));
    server.clock.turn(100 * DAY);
    assert_eq!(activate(&server, &code, "m1").status, 200);
    server.clock.turn(10 * DAY);
    assert_eq!(activate(&server, &code, "m2").status, 200);
    for key in ["m1", "m2"] {
        assert_eq!(row(&server, key)["expiration_date"], "2026-10-23", "{key}");
    }
    assert_eq!(deactivate(&server, &code, "m1").status, 200);
    server.clock.turn(21 * DAY);
    assert_eq!(
        reason(&activate(&server, &code, "m1")),
        (403, "CODE_EXPIRED".into())
    );
    assert_eq!(server.check("Tool_A", "m2").0, 403);
}

#[test]
fn a_seat_is_freed_as_often_as_allowed_and_the_same_machine_returns_the_move() {
    let server = Server::start();
    let code = code_with(
        &server,
        "Tool_A",
        CodeValues {
            moves_per_year: 2,
            ..CodeValues::new(1, CodeTerm::Perpetual)
        },
    );
    let removed = r#"{"status":"success","message":"Machine removed"}"#;
    for _ in 0..5 {
        assert_eq!(activate(&server, &code, "m1").status, 200);
        assert_eq!(deactivate(&server, &code, "m1").body, removed);
    }
    assert_eq!(server.check("Tool_A", "m1").0, 404);
    assert_eq!(activate(&server, &code, "m2").status, 200);
    assert_eq!(deactivate(&server, &code, "m2").status, 200);
    assert_eq!(activate(&server, &code, "m3").status, 200);
    assert_eq!(
        reason(&deactivate(&server, &code, "m3")),
        (409, "MOVES_USED".into())
    );
    // A machine that is not on the code has nothing to give back.
    assert_eq!(deactivate(&server, &code, "m1").body, removed);
    server.clock.turn(366 * DAY);
    assert_eq!(deactivate(&server, &code, "m3").status, 200);
}

#[test]
fn a_code_changes_its_licenses_and_lifts_no_decision_about_one_of_them() {
    let server = Server::start();
    let code = code(&server, "Tool_A", 3, CodeTerm::Until(date!(2026 - 12 - 31)));
    for key in ["m1", "m2"] {
        assert_eq!(activate(&server, &code, key).status, 200);
    }
    let id = row(&server, "m2")["id"].as_i64().unwrap();
    let mut admin = server.admin();
    let address = format!("/api/licenses/{id}");
    assert_eq!(admin.patch(&address, r#"{"status":"revoked"}"#).status, 200);
    let statuses = |expected: [u16; 2]| {
        let checked = ["m1", "m2"].map(|key| server.check("Tool_A", key).0);
        assert_eq!(checked, expected);
    };
    let suspended = change(&server, &code, |values| values.status = Status::Suspended);
    statuses([403, 403]);
    // A note that is written meanwhile decides nothing.
    let other = format!("/api/licenses/{}", row(&server, "m1")["id"]);
    assert_eq!(admin.patch(&other, r#"{"note":"called"}"#).status, 200);
    let alone = admin.patch(&other, r#"{"status":"activated"}"#);
    assert_eq!(
        (alone.status, alone.json()["field"].as_str()),
        (422, Some("status"))
    );
    change(&server, &code, |values| {
        values.note = "a refund is being discussed".to_owned()
    });
    let actor = Actor::command_line();
    assert!(server.service.undo_code_change(&actor, suspended).is_err());
    change(&server, &code, |values| values.status = Status::Activated);
    statuses([200, 403]);
    let extended = change(&server, &code, |values| {
        values.term = CodeTerm::Until(date!(2027 - 12 - 31));
    });
    assert_eq!(row(&server, "m1")["expiration_date"], "2027-12-31");
    server.service.undo_code_change(&actor, extended).unwrap();
    assert_eq!(row(&server, "m1")["expiration_date"], "2026-12-31");
    let earlier = admin.patch(&other, r#"{"expiration_date":"2026-07-01"}"#);
    assert_eq!(
        (earlier.status, earlier.json()["field"].as_str()),
        (422, Some("expiration_date"))
    );
    assert_eq!(
        admin
            .patch(&other, r#"{"expiration_date":"2028-01-31"}"#)
            .status,
        200
    );
    assert_eq!(row(&server, "m1")["expiration_date"], "2028-01-31");
}

#[test]
fn a_moved_license_takes_its_seat_along_and_undo_brings_it_back() {
    let server = Server::start();
    let code = code(&server, "Tool_A", 1, CodeTerm::Until(date!(2026 - 12 - 31)));
    assert_eq!(activate(&server, &code, "old").status, 200);
    let id = row(&server, "old")["id"].as_i64().unwrap();
    let actor = Actor::command_line();
    let keys = || {
        let seats = server.service.seats(code.id).unwrap();
        seats
            .iter()
            .map(|seat| seat.license_key.clone())
            .collect::<Vec<_>>()
    };
    let (_, moved) = server.service.move_license(&actor, id, "new").unwrap();
    assert_eq!(keys(), ["new"]);
    assert_eq!(
        reason(&activate(&server, &code, "old")),
        (403, "MACHINE_BLOCKED".into())
    );
    server.service.undo(&actor, moved).unwrap();
    assert_eq!(keys(), ["old"]);
    assert_eq!(server.check("Tool_A", "old").0, 200);
}

#[test]
fn guesses_are_slowed_down_and_lock_out_neither_right_codes_nor_licensed_machines() {
    let server = Server::start();
    let code = code(&server, "Tool_A", 2, CodeTerm::Perpetual);
    assert_eq!(activate(&server, &code, "m1").status, 200);
    let guess = |at: u8| {
        let guess = license_server::model::code_format::from_bits(u128::from(at) + 1);
        ask(&server, "/api/activate", "Tool_A", &guess, "m9")
    };
    let reasons: Vec<String> = (0..12).map(|at| reason(&guess(at)).1).collect();
    assert_eq!(
        reasons
            .iter()
            .filter(|reason| *reason == "UNKNOWN_CODE")
            .count(),
        10
    );
    let late = guess(99);
    assert_eq!(reason(&late), (429, "TRY_LATER".into()));
    assert!(late.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(activate(&server, &code, "m2").status, 200);
    assert_eq!(server.check("Tool_A", "m1").0, 200);
    server.clock.turn(60);
    assert_eq!(reason(&guess(100)), (404, "UNKNOWN_CODE".into()));
}

/// A code of ours that nobody has.
fn invented(at: u32) -> String {
    license_server::model::code_format::from_bits(u128::from(at) + 1)
}

#[test]
fn guesses_from_everywhere_find_nothing_and_lock_nobody_out() {
    let server = Server::start();
    let code = code(&server, "Tool_A", 500, CodeTerm::Perpetual);
    assert_eq!(activate(&server, &code, "m1").status, 200);
    let mut client = server.stranger().header("X-Forwarded-For", "");
    let mut post = |from: &str, path: &str, code: &str, key: &str| {
        client.headers[0].1 = from.to_owned();
        let body = json!({"tool_name": "Tool_A", "activation_code": code, "license_key": key});
        client.post(path, &body.to_string())
    };
    let mut guesses = 0..;
    let mut guess = |post: &mut dyn FnMut(&str, &str, &str, &str) -> Answer, from: &str| {
        reason(&post(
            from,
            "/api/activate",
            &invented(guesses.next().unwrap()),
            "m9",
        ))
        .1
    };
    let heard = |reasons: Vec<String>| reasons.iter().filter(|r| *r == "UNKNOWN_CODE").count();
    // One address, and one site with a network for each guess.
    let one = "198.51.100.7".to_owned();
    let from_one = (0..50).map(|_| guess(&mut post, &one)).collect();
    let site = |at: u32| format!("2001:db8:7:{at:x}::1");
    let from_site = (0..50).map(|at| guess(&mut post, &site(at))).collect();
    assert_eq!((heard(from_one), heard(from_site)), (10, 10));
    // Ten thousand addresses, each of which is heard.
    for at in 0..10_000_u32 {
        let from = format!("10.{}.{}.{}", 1 + (at >> 16), (at >> 8) & 255, at & 255);
        assert_eq!(guess(&mut post, &from), "UNKNOWN_CODE");
    }
    assert_eq!(row(&server, "m9"), Value::Null);
    // Whoever shares an address with them is answered.
    for (at, from) in [one, site(0), site(77), "10.1.0.1".to_owned()]
        .iter()
        .enumerate()
    {
        assert_eq!(
            post(from, "/api/activate", &code.shown(), &format!("right {at}")).status,
            200
        );
        assert_eq!(post(from, "/api/check", "", "m1").status, 200);
        assert_eq!(
            post(
                from,
                "/api/deactivate",
                &code.shown(),
                &format!("right {at}")
            )
            .status,
            200
        );
    }
    assert_eq!(guess(&mut post, "2001:db8:8::1"), "UNKNOWN_CODE");
}

#[test]
fn guesses_at_imported_codes_are_not_even_looked_up() {
    let server = Server::start();
    let native = code(&server, "Tool_A", 1, CodeTerm::Perpetual);
    let mut admin = server.admin();
    let fields = [("tool_name", "Tool_A"), ("text", "OLD-SERIAL-2024-17")];
    let preview = crate::codes::import(&mut admin, &fields);
    preview.form(&preview.path).submit(&mut admin);
    let activated = |code: &str, key: &str| ask(&server, "/api/activate", "Tool_A", code, key);
    for at in 0..10 {
        let guess = format!("OLD-SERIAL-2024-{}", at + 80);
        assert_eq!(reason(&activated(&guess, "m9")).0, 422);
    }
    assert_eq!(
        reason(&activated("OLD-SERIAL-2024-17", "m1")).1,
        "TRY_LATER"
    );
    assert_eq!(activated(&native.shown(), "m2").status, 200);
    server.clock.turn(60);
    assert_eq!(activated("old serial 2024 17", "m1").status, 200);
}

#[test]
fn a_machine_in_a_loop_is_stopped_and_keeps_its_seat() {
    let server = Server::start();
    let code = code(&server, "Tool_A", 1, CodeTerm::Perpetual);
    for _ in 0..20 {
        assert_eq!(activate(&server, &code, "m1").status, 200);
        assert_eq!(deactivate(&server, &code, "m1").status, 200);
    }
    assert_eq!(activate(&server, &code, "m1").status, 200);
    let later = deactivate(&server, &code, "m1");
    assert_eq!(reason(&later), (429, "TRY_LATER".into()));
    assert!(later.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(server.check("Tool_A", "m1").0, 200);
    server.clock.turn(60);
    assert_eq!(deactivate(&server, &code, "m1").status, 200);
}

#[test]
fn who_asks_is_shown_to_the_admin_and_never_judged() {
    let server = Server::start();
    let code = code(&server, "Tool_A", 1, CodeTerm::Perpetual);
    let named = |key: &str, customer: Value| {
        let body = json!({"tool_name": "Tool_A", "activation_code": code.shown(), "license_key": key,
            "customer": customer});
        server.stranger().post("/api/activate", &body.to_string())
    };
    let anna = json!({"name": "Anna\u{202e}", "email": "Anna@Example.com"});
    assert_eq!(named("m1", anna.clone()).status, 200);
    let refused = named("m2", anna);
    assert_eq!(reason(&refused), (409, "SEATS_IN_USE".into()));
    assert_eq!(named("m3", json!([7])).status, 409);
    server.tick().unwrap();
    let mut admin = server.admin();
    let id = row(&server, "m1")["id"].clone();
    for path in [format!("/licenses/{id}"), format!("/codes/{}", code.id)] {
        let page = Page::open(&mut admin, &path);
        let history = page.texts("[aria-labelledby=history]").concat();
        assert!(
            history.contains("Anna[U+202E]") && history.contains("anna@example.com"),
            "{history}"
        );
    }
    assert_eq!(row(&server, "m1")["user_id"], Value::Null);
    let waiting = Page::open(&mut admin, UNLICENSED);
    assert_eq!(waiting.rows().len(), 1);
    assert!(waiting.keys()[0].starts_with("m2 "));
    assert!(waiting.text().contains("anna@example.com"));
}
