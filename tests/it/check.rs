//! `POST /api/check`, byte for byte.

use crate::server::Server;
use license_server::config::Config;
use serde_json::json;

const VALID: &str = r#"{"status":"valid","message":"License is active and valid."}"#;
const NOT_FOUND: &str = r#"{"status":"invalid","message":"License key not found for this tool."}"#;
const SUSPENDED: &str = r#"{"status":"invalid","message":"License status is 'suspended'."}"#;
const REVOKED: &str = r#"{"status":"invalid","message":"License status is 'revoked'."}"#;
const EXPIRED: &str = r#"{"status":"expired","message":"License has expired."}"#;

const KEY: &str = "0a:1b:2c:3d:4e:5f";

#[test]
fn an_activated_license_is_valid() {
    let server = Server::start();
    server.license("Tool_A", KEY);
    assert_eq!(server.check("Tool_A", KEY), (200, VALID.into()));
}

#[test]
fn an_unknown_tool_or_key_is_not_found() {
    let server = Server::start();
    server.license("Tool_A", KEY);
    assert_eq!(
        server.check("Tool_A", "f5:e4:d3:c2:b1:a0"),
        (404, NOT_FOUND.into())
    );
    assert_eq!(server.check("Tool_B", KEY), (404, NOT_FOUND.into()));
}

#[test]
fn a_tool_name_is_compared_byte_for_byte() {
    let server = Server::start();
    server.license("Tool_A", KEY);
    for name in ["tool_a", "Tool _A", "Tool_Ａ"] {
        assert_eq!(server.check(name, KEY), (404, NOT_FOUND.into()), "{name}");
    }
}

#[test]
fn a_license_key_is_compared_byte_for_byte() {
    let server = Server::start();
    server.license("Tool_A", "PC-Müller");
    assert_eq!(server.check("Tool_A", "PC-Müller").0, 200);
    for key in ["pc-müller", "PC-Mu\u{308}ller", "PC- Müller"] {
        assert_eq!(server.check("Tool_A", key).0, 404, "{key}");
    }
}

#[test]
fn all_spellings_of_a_mac_address_are_one_key() {
    let server = Server::start();
    server.license("Tool_A", "0A1B2C3D4E5F");
    for key in [
        "0A-1B-2C-3D-4E-5F",
        KEY,
        "0a1b.2c3d.4e5f",
        "0A1B2C3D4E5F",
        "0A.1B.2C.3D.4E.5F",
        "0a 1b 2c 3d 4e 5f",
        "0a1b-2c3d-4e5f",
    ] {
        assert_eq!(server.check("Tool_A", key), (200, VALID.into()), "{key}");
    }
}

#[test]
fn white_space_around_tool_and_key_is_ignored_in_rows_and_checks() {
    let server = Server::start();
    server.license("Tool_A", "     WD-WCC4JEDAXESZ");
    for key in [
        "     WD-WCC4JEDAXESZ",
        "WD-WCC4JEDAXESZ\r\n",
        "WD-WCC4JEDAXESZ",
    ] {
        for tool in ["Tool_A", " Tool_A\t"] {
            assert_eq!(server.check(tool, key), (200, VALID.into()), "{key:?}");
        }
    }
}

#[test]
fn a_body_may_start_with_a_byte_order_mark_and_its_type_may_have_empty_parameters() {
    let server = Server::start();
    server.license("YourTool", KEY);
    let json = json!({"tool_name": "YourTool", "license_key": KEY}).to_string();
    let body = ["\u{feff}", &json].concat();
    for kind in [
        "application/json;",
        "Application/JSON; charset=utf-8",
        "application/json ; odata=verbose;",
    ] {
        let answer = server.stranger().send(
            "POST",
            "/api/check",
            &[("Content-Type", kind)],
            body.as_bytes(),
        );
        assert_eq!((answer.status, answer.body), (200, VALID.into()), "{kind}");
    }
}

#[test]
fn a_body_that_is_no_json_text_is_told_what_it_is() {
    let server = Server::start();
    let json = r#"{"tool_name":"T","license_key":"k"}"#;
    let utf16: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1 = b"{\"tool_name\":\"M\xfcller\",\"license_key\":\"k\"}";
    for (body, encoding, word) in [
        (&utf16[..], None, "UTF-16"),
        (&[b"\xff\xfe", &utf16[..]].concat(), None, "UTF-16"),
        (latin1, None, "0xFC"),
        (b"\x1f\x8b\x08\x00", None, "gzip"),
        (b"\x78\x9c", Some("deflate"), "deflate"),
        (b"", None, "no body"),
        (&[json.as_bytes(), b"\0"].concat(), None, "null character"),
    ] {
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend(encoding.map(|encoding| ("Content-Encoding", encoding)));
        let answer = server.stranger().send("POST", "/api/check", &headers, body);
        let message = answer.json()["message"].to_string();
        assert_eq!(
            (answer.status, message.contains(word)),
            (400, true),
            "{message}"
        );
    }
    let form = [("Content-Type", "text/plain")];
    let answer = server
        .stranger()
        .send("POST", "/api/check", &form, json.as_bytes());
    assert!(answer.status == 415 && answer.body.contains("text/plain"));
}

#[test]
fn a_suspended_or_revoked_license_gets_its_status() {
    let server = Server::start();
    server.add(json!({"tool_name": "T", "license_key": "s", "status": "suspended"}));
    server.add(json!({"tool_name": "T", "license_key": "r", "status": "revoked", "expiration_date": "2020-01-01"}));
    assert_eq!(server.check("T", "s"), (403, SUSPENDED.into()));
    assert_eq!(
        server.check("T", "r"),
        (403, REVOKED.into()),
        "the status is checked before the expiration date"
    );
}

#[test]
fn a_license_expires_after_the_last_second_of_its_expiration_date() {
    let server = Server::start();
    server.add(json!({"tool_name": "T", "license_key": "k", "expiration_date": "2026-06-15"}));
    server.clock.turn(12 * 3600 - 1);
    assert_eq!(server.check("T", "k"), (200, VALID.into()));
    server.clock.turn(1);
    assert_eq!(server.check("T", "k"), (403, EXPIRED.into()));
}

#[test]
fn a_day_ends_at_midnight_in_the_operators_offset() {
    let server =
        Server::with(|config: &mut Config| config.utc_offset = time::macros::offset!(+5:30));
    server.add(json!({"tool_name": "T", "license_key": "k", "expiration_date": "2026-06-15"}));
    server.clock.turn((12 * 60 - 330) * 60 - 1);
    assert_eq!(server.check("T", "k").0, 200);
    server.clock.turn(1);
    assert_eq!(server.check("T", "k").0, 403);
}

#[test]
fn unknown_fields_are_ignored() {
    let server = Server::start();
    server.license("T", "k");
    let answer = server.stranger().post(
        "/api/check",
        r#"{"license_key":"k","extra":{"a":[1]},"tool_name":"T"}"#,
    );
    assert_eq!((answer.status, answer.body.as_str()), (200, VALID));
}
