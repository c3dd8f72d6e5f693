//! Signed answers: their claims, their keys, and plain answers as published.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::{Value, json};

use crate::database::Database;
use crate::program::{Program, assert_names, command, refusal};
use crate::server::{Answer, Server};

const NONCE: &str = "0123456789abcdef";
const DAY: i64 = 86_400;

fn ask(server: &Server, question: Value) -> Answer {
    server.stranger().post("/api/check", &question.to_string())
}

fn signed(server: &Server, key: &str) -> (u16, Value, Value) {
    let answer = ask(
        server,
        json!({"tool_name": "T", "license_key": key, "nonce": NONCE}),
    );
    let body = answer.json();
    let claims = verified(server, body["token"].as_str().unwrap());
    (answer.status, body, claims)
}

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn keys(server: &Server) -> Vec<Value> {
    let keys = server.stranger().get("/api/keys").json();
    keys["keys"].as_array().unwrap().clone()
}

/// The claims of a token whose signature fits the key that its header names.
pub fn verified(server: &Server, token: &str) -> Value {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let header = String::from_utf8(decoded(header)).unwrap();
    let keys = keys(server);
    let named = |key: &&Value| {
        let kid = key["kid"].as_str().unwrap();
        header == format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"license+jwt"}}"#)
    };
    let key = keys
        .iter()
        .find(named)
        .unwrap_or_else(|| panic!("{header}"));
    let [x, y] = ["x", "y"].map(|name| decoded(key[name].as_str().unwrap()));
    let point = [vec![4], x, y].concat();
    let key = VerifyingKey::from_sec1_bytes(&point).unwrap();
    let signature = Signature::from_slice(&decoded(signature)).unwrap();
    key.verify(signed.as_bytes(), &signature).unwrap();
    serde_json::from_slice(&decoded(payload)).unwrap()
}

#[test]
fn a_valid_license_gets_a_signed_lease() {
    let server = Server::start();
    server.add(
        json!({"tool_name": "T", "license_key": "0A1B2C3D4E5F", "expiration_date": "2026-12-31"}),
    );
    let (status, body, claims) = signed(&server, "0A-1B-2C-3D-4E-5F");
    assert_eq!(
        (status, &body["status"], &body["code"]),
        (200, &json!("valid"), &json!("VALID"))
    );
    assert_eq!(
        (&body["expiration_date"], &body["days_left"]),
        (&json!("2026-12-31"), &json!(199))
    );
    let now = server.clock.now().unix_timestamp();
    let expected = json!({
        "aud": "T", "sub": "0A-1B-2C-3D-4E-5F", "nonce": NONCE, "code": "VALID", "http": 200,
        "message": "License is active and valid.", "iat": now, "exp": now + 7 * DAY,
        "expiration_date": "2026-12-31"
    });
    assert_eq!(claims, expected);
}

#[test]
fn a_refusal_is_signed_and_matches_its_body() {
    let server = Server::start();
    for (key, status, day) in [
        ("s", "suspended", ""),
        ("r", "revoked", ""),
        ("e", "activated", "2026-06-14"),
    ] {
        server.add(
            json!({"tool_name": "T", "license_key": key, "status": status, "expiration_date": day}),
        );
    }
    for (key, http, word, code) in [
        ("s", 403, "invalid", "SUSPENDED"),
        ("r", 403, "invalid", "REVOKED"),
        ("e", 403, "expired", "EXPIRED"),
        ("nobody", 404, "invalid", "NOT_FOUND"),
    ] {
        let (status, body, claims) = signed(&server, key);
        assert_eq!(
            (status, &body["status"], &body["code"]),
            (http, &json!(word), &json!(code))
        );
        assert_eq!(
            (&claims["code"], &claims["http"]),
            (&json!(code), &json!(http))
        );
        assert_eq!(claims["message"], body["message"]);
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            300
        );
    }
}

#[test]
fn a_plain_check_gets_the_published_answer() {
    let server = Server::start();
    server.add(json!({"tool_name": "T", "license_key": "e", "expiration_date": "2026-06-14"}));
    server.license("T", "k");
    let plain = |key: &str| server.check("T", key).1;
    assert_eq!(
        plain("k"),
        r#"{"status":"valid","message":"License is active and valid."}"#
    );
    assert_eq!(
        plain("e"),
        r#"{"status":"expired","message":"License has expired."}"#
    );
    assert_eq!(
        plain("x"),
        r#"{"status":"invalid","message":"License key not found for this tool."}"#
    );
}

#[test]
fn an_invalid_nonce_is_422_and_not_a_result() {
    let server = Server::start();
    server.license("T", "k");
    for nonce in ["", "short", "0123456789abcde!", &"x".repeat(65)] {
        let answer = ask(
            &server,
            json!({"tool_name": "T", "license_key": "k", "nonce": nonce}),
        );
        let body = answer.json();
        assert_eq!(
            (answer.status, &body["status"], &body["field"]),
            (422, &json!("error"), &json!("nonce"))
        );
    }
}

#[test]
fn the_newest_key_that_the_client_pins_signs_or_the_default() {
    let server = Server::start();
    server.license("T", "k");
    let actor = license_server::model::audit::Actor::command_line();
    let first = keys(&server)[0]["kid"].as_str().unwrap().to_owned();
    let [second, third] = [(); 2].map(|()| {
        server.clock.turn(1);
        server.service.create_key(&actor).unwrap()
    });
    let kid = |kids: &[&str]| {
        let question = json!({"tool_name": "T", "license_key": "k", "nonce": NONCE, "kids": kids});
        let body = ask(&server, question).json();
        let header = body["token"]
            .as_str()
            .unwrap()
            .split('.')
            .next()
            .unwrap()
            .to_owned();
        let header: Value = serde_json::from_slice(&decoded(&header)).unwrap();
        header["kid"].as_str().unwrap().to_owned()
    };
    assert_eq!(kid(&[]), first);
    assert_eq!(kid(&["nobody's"]), first);
    assert_eq!(kid(&[&first, &second]), second);
    server.service.set_default_key(&actor, &third).unwrap();
    assert_eq!((kid(&[]), kid(&[&first])), (third.clone(), first.clone()));
    server.service.retire_key(&actor, &first).unwrap();
    assert_eq!(kid(&[&first]), third);
    assert_eq!(keys(&server).len(), 2);
    assert!(server.service.retire_key(&actor, &third).is_err());
}

#[test]
fn a_tool_has_its_own_offline_days_grace_period_and_message() {
    let server = Server::start();
    server.add(json!({"tool_name": "T", "license_key": "k", "expiration_date": "2026-06-14"}));
    let actor = license_server::model::audit::Actor::command_line();
    let set = |offline: &str, grace: &str| {
        let draft = license_server::model::tool::ToolDraft {
            offline_days: offline.into(),
            grace_days: grace.into(),
            message: "Renew:".into(),
            link: "https://shop.example".into(),
            ..Default::default()
        };
        server.service.set_tool(&actor, "T", &draft).unwrap();
    };
    set("30", "2");
    assert_eq!(server.check("T", "k").0, 200);
    let (_, body, claims) = signed(&server, "k");
    assert_eq!(
        (&body["code"], &body["message"]),
        (&json!("IN_GRACE"), &json!("License is active and valid."))
    );
    // Until the midnight that ends the grace period, not for 30 days.
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        DAY + DAY / 2
    );
    server.clock.turn(2 * DAY);
    assert_eq!(
        server.check("T", "k").1,
        r#"{"status":"expired","message":"License has expired."}"#
    );
    let (_, _, claims) = signed(&server, "k");
    assert_eq!(
        claims["message"],
        "License has expired. Renew: https://shop.example"
    );
    set("0", "365");
    let (_, _, claims) = signed(&server, "k");
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        1
    );
}

#[test]
fn the_answers_of_each_key_are_counted() {
    let (server, database) = Database::start();
    server.license("T", "k");
    (0..3).for_each(|_| drop(signed(&server, "k")));
    signed(&server, "nobody");
    server.check("T", "k");
    server.tick().unwrap();
    let used = "select cast(sum(number) as bigint) from key_days where day = '2026-06-15'";
    let used: i64 = database.one(used, &[]);
    assert_eq!(used, 4);
    let key = &server.service.signing_keys().unwrap()[0];
    assert_eq!(
        (key.answers, key.last_used_on.as_deref()),
        (4, Some("2026-06-15"))
    );
}

#[test]
fn a_database_without_its_signing_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let server = Program::run(&mut command(folder.path()));
        drop(server.client().get("/health"));
        server.stop("TERM")
    };
    assert_eq!(start().0, Some(0));
    let database = Database::of(&folder.path().join("data"));
    let kid: String = database.one("select kid from signing_keys", &[]);
    for (loss, word) in [
        ("update signing_keys set private_key = 'AAAA'", &*kid),
        ("delete from signing_keys", &kid),
    ] {
        database.tamper(loss);
        let output = command(folder.path()).output().unwrap();
        assert_names(&refusal(&output), &[word, "backup"]);
    }
}
