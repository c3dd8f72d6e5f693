//! Signing in and out, over the API and on the page.

use crate::server::{PASSWORD, Server};

fn credentials(name: &str, password: &str) -> String {
    serde_json::json!({"username": name, "password": password}).to_string()
}

#[test]
fn the_right_password_opens_a_session() {
    let server = Server::start();
    let mut admin = server.stranger();
    let answer = admin.post("/api/login", &credentials("admin", PASSWORD));
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"status":"success","message":"Login successful"}"#)
    );
    assert_eq!(admin.get("/api/licenses").status, 200);
}

#[test]
fn a_wrong_name_or_password_is_told_in_the_same_words() {
    let server = Server::start();
    for (name, password) in [
        ("admin", "wrong"),
        ("nobody", PASSWORD),
        ("ADMIN", PASSWORD),
        ("", ""),
        ("admin", "\u{0}"),
    ] {
        let answer = server
            .stranger()
            .post("/api/login", &credentials(name, password));
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, r#"{"status":"error","message":"Invalid credentials"}"#)
        );
        assert_eq!(answer.header("set-cookie"), "");
    }
}

#[test]
fn the_cookie_is_only_for_our_own_pages() {
    let server = Server::start();
    let answer = server
        .stranger()
        .post("/api/login", &credentials("admin", PASSWORD));
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("license_session="), "{cookie}");
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"),
        "{cookie}"
    );
}

#[test]
fn behind_tls_the_cookie_has_its_prefix_and_path() {
    for (url, start, end) in [
        (
            "https://example.com/licenseserver",
            "__Secure-license_session=",
            "; Secure; Path=/licenseserver",
        ),
        (
            "https://example.com",
            "__Host-license_session=",
            "; Secure; Path=/",
        ),
    ] {
        let answer = Server::at(url)
            .stranger()
            .post("/api/login", &credentials("admin", PASSWORD));
        let cookie = answer.header("set-cookie");
        assert!(
            cookie.starts_with(start) && cookie.ends_with(end),
            "{cookie}"
        );
    }
}

#[test]
fn a_session_ends_after_half_an_hour_without_use() {
    let server = Server::start();
    let mut admin = server.admin();
    for _ in 0..3 {
        server.clock.turn(29 * 60);
        assert_eq!(admin.get("/api/licenses").status, 200);
    }
    server.clock.turn(31 * 60);
    assert_eq!(admin.get("/api/licenses").status, 401);
}

#[test]
fn a_session_ends_after_twelve_hours_of_use() {
    let server = Server::start();
    let mut admin = server.admin();
    for _ in 0..35 {
        server.clock.turn(20 * 60);
        assert_eq!(admin.get("/api/licenses").status, 200);
    }
    server.clock.turn(20 * 60);
    assert_eq!(admin.get("/api/licenses").status, 401);
}
