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
fn a_wrong_name_and_a_wrong_password_get_the_same_answer() {
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
fn the_cookie_is_limited_to_this_site() {
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
fn over_tls_the_cookie_has_a_prefix_and_a_path() {
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
fn a_session_expires_after_30_minutes_without_use() {
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
fn a_session_expires_after_12_hours() {
    let server = Server::start();
    let mut admin = server.admin();
    for _ in 0..35 {
        server.clock.turn(20 * 60);
        assert_eq!(admin.get("/api/licenses").status, 200);
    }
    server.clock.turn(20 * 60);
    assert_eq!(admin.get("/api/licenses").status, 401);
}
