//! Machines without a network: a request in, an offline file out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::page::{Page, urlencoded};
use crate::server::Server;
use crate::signed::verified;

const NONCE: &str = "0123456789abcdef";
const DAY: i64 = 86_400;

/// As a program shows it.
fn request(key: &str) -> String {
    let json = json!({"tool_name": "T", "license_key": key, "nonce": NONCE, "kids": []});
    let text = URL_SAFE_NO_PAD.encode(json.to_string());
    let groups: Vec<&str> = text
        .as_bytes()
        .chunks(5)
        .map(|group| str::from_utf8(group).unwrap())
        .collect();
    groups.join(" ")
}

#[test]
fn a_request_is_answered_until_the_license_ends_and_at_most_for_the_tools_period() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("T", "perpetual");
    server.add(json!({"tool_name": "T", "license_key": "short", "expiration_date": "2026-07-31"}));
    let now = server.clock.now().unix_timestamp();
    for (key, days) in [("perpetual", 366), ("short", 47)] {
        let page = Page::open(&mut admin, "/offline")
            .form("/offline")
            .fill("request", &request(key))
            .submit(&mut admin);
        assert_eq!(page.status, 200, "{}", page.text());
        let token = page.texts("#answer").concat();
        let claims = verified(&server, token.trim());
        assert_eq!(
            (
                &claims["aud"],
                &claims["sub"],
                &claims["nonce"],
                &claims["code"]
            ),
            (&json!("T"), &json!(key), &json!(NONCE), &json!("VALID"))
        );
        let midnight = now - now % DAY;
        assert_eq!(claims["exp"], midnight + days * DAY, "{key}");
        // The same as a file.
        let form = page.form("/offline");
        let (csrf, origin) = (form.value("csrf").to_owned(), admin.origin());
        let body = format!(
            "csrf={}&request={}&save=yes",
            urlencoded(&csrf),
            urlencoded(&request(key))
        );
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", &*origin),
        ];
        let file = admin.send("POST", "/offline", &headers, body.as_bytes());
        assert!(file.header("content-disposition").contains("license.lic"));
        assert_eq!(verified(&server, file.body.trim())["sub"], key);
    }
    let page = Page::open(&mut admin, "/licenses/2").text();
    assert!(page.contains("2026-07-31"), "{page}");
    // An online answer is as long as the file.
    let body = json!({"tool_name": "T", "license_key": "short", "nonce": NONCE});
    let answer = server
        .stranger()
        .post("/api/check", &body.to_string())
        .json();
    let claims = verified(&server, answer["token"].as_str().unwrap_or_default());
    assert_eq!(claims["exp"], now - now % DAY + 47 * DAY);
}

#[test]
fn a_machine_without_a_good_license_gets_no_offline_file() {
    let server = Server::start();
    let mut admin = server.admin();
    server.add(json!({"tool_name": "T", "license_key": "gone", "status": "revoked"}));
    for text in [
        request("gone"),
        request("nobody"),
        request("gone")[..40].to_owned(),
        String::new(),
    ] {
        let page = Page::open(&mut admin, "/offline")
            .form("/offline")
            .fill("request", &text)
            .submit(&mut admin);
        assert_eq!(page.status, 422, "{text}");
        assert!(page.texts("#answer").is_empty());
        assert_eq!(
            page.form("/offline").value("request"),
            text,
            "it keeps what was typed"
        );
    }
}
