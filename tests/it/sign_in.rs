//! Signing in and out, over the API and on the page.

use crate::guards::csrf;
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
        ("admin\u{0}", PASSWORD),
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
fn the_cookies_are_limited_to_this_site() {
    let server = Server::start();
    let answer = server
        .stranger()
        .post("/api/login", &credentials("admin", PASSWORD));
    for name in ["license_session", "license_device"] {
        let cookie = answer.cookie(name);
        assert!(
            cookie.contains("; HttpOnly; SameSite=Strict; Path=/"),
            "{cookie}"
        );
    }
}

#[test]
fn over_tls_all_cookies_have_a_prefix_and_a_path() {
    for (url, prefix, end) in [
        (
            "https://example.com/licenseserver",
            "__Secure-",
            "; Secure; Path=/licenseserver",
        ),
        ("https://example.com", "__Host-", "; Secure; Path=/"),
    ] {
        let server = Server::at(url);
        let mut client = server.stranger();
        let answer = client.post("/api/login", &credentials("admin", PASSWORD));
        for name in ["license_session", "license_device"] {
            let cookie = answer.cookie(&format!("{prefix}{name}"));
            assert!(cookie.contains(end), "{cookie}");
        }
        let body = format!("csrf={}", csrf(&mut client));
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = client.send(
            "POST",
            "/account/sessions/end-others",
            &form,
            body.as_bytes(),
        );
        let cookie = answer.cookie(&format!("{prefix}license_flash"));
        assert!(cookie.contains(end), "{cookie}");
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

#[test]
fn a_session_that_has_expired_does_not_revive_when_the_clock_is_set_back() {
    let server = Server::start();
    let mut admin = server.admin();
    server.clock.turn(31 * 60);
    assert_eq!(admin.get("/api/licenses").status, 401);
    server.clock.turn(-30 * 60);
    assert_eq!(admin.get("/api/licenses").status, 401);
    server.tick().unwrap();
    assert_eq!(admin.get("/api/licenses").status, 401);
    assert!(server.service.sessions(1).unwrap().is_empty());
}

#[test]
fn the_12_hours_count_up_to_the_last_use_when_the_clock_is_set_back() {
    let server = Server::start();
    let mut admin = server.admin();
    for _ in 0..35 {
        server.clock.turn(20 * 60);
        assert_eq!(admin.get("/api/licenses").status, 200);
    }
    server.clock.turn(-6 * 3600);
    assert_eq!(admin.get("/api/licenses").status, 200);
    server.clock.turn(6 * 3600 + 20 * 60);
    assert_eq!(admin.get("/api/licenses").status, 401);
}

#[test]
fn a_new_sign_in_in_the_same_browser_ends_the_session_before() {
    let server = Server::start();
    let mut browser = server.admin();
    let mut copied = server.stranger();
    copied.cookies = browser.cookies.clone();
    let mut other = server.admin();
    let answer = browser.post("/api/login", &credentials("admin", PASSWORD));
    assert_eq!(answer.status, 200);
    assert_eq!(browser.get("/api/licenses").status, 200);
    assert_eq!(copied.get("/api/licenses").status, 401);
    assert_eq!(other.get("/api/licenses").status, 200);
}

#[test]
fn a_loopback_page_is_ours_only_while_the_public_url_is_a_loopback_one() {
    for (url, expected) in [
        ("https://example.com/licenseserver", 403),
        ("http://192.0.2.1:8000", 403),
        ("http://localhost:9000", 200),
        ("http://[::1]:9000", 200),
    ] {
        let server = Server::at(url);
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let origin = format!("http://{host}:{}", server.port);
            let mut page = server.stranger().header("Origin", &origin);
            let answer = page.post("/api/login", &credentials("admin", PASSWORD));
            assert_eq!(answer.status, expected, "{url} {origin}");
        }
        let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
        let mut own = server.stranger().header("Origin", &origin);
        let answer = own.post("/api/login", &credentials("admin", PASSWORD));
        assert_eq!(answer.status, 200, "{url}");
    }
}
