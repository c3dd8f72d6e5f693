//! Signing in and out on the pages.

use serde_json::json;

use super::{rows, sign_in};
use crate::page::{Page, urlencoded};
use crate::server::{Client, PASSWORD, Server};

#[test]
fn signing_in_opens_the_overview() {
    let server = Server::start();
    let page = sign_in(&mut server.stranger(), "/");
    assert_eq!((page.status, page.path.as_str()), (200, "/"));
    assert!(page.has_form("/logout"));
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_message() {
    let server = Server::start();
    let mut words = Vec::new();
    for name in ["admin", "nobody", "<b>\"&"] {
        let form = Page::open(&mut server.stranger(), "/login").form("/login");
        let form = form.fill("username", name).fill("password", "wrong");
        let page = form.submit(&mut server.stranger());
        assert_eq!((page.status, page.path.as_str()), (401, "/login"));
        assert_eq!(page.form("/login").value("username"), name);
        assert_eq!(page.form("/login").value("password"), "");
        words.push(page.alert());
    }
    assert!(!words[0].is_empty());
    assert!(words.iter().all(|other| *other == words[0]), "{words:?}");
}

#[test]
fn after_a_wrong_password_the_requested_page_is_remembered() {
    let server = Server::start();
    let mut client = server.stranger();
    let form = Page::open(&mut client, "/licenses/new?tool=T").form("/login");
    let form = form.fill("username", "admin").fill("password", "wrong");
    let form = form.submit(&mut client).form("/login");
    let page = form.fill("password", PASSWORD).submit(&mut client);
    assert_eq!(page.path, "/licenses/new?tool=T");
}

#[test]
fn signing_in_leads_back_to_the_requested_page() {
    let server = Server::start();
    let id = server.license("T&U", "k");
    for path in [
        "/licenses?q=%26+%25&tool=T%26U&status=activated".to_owned(),
        "/licenses/new?tool=A%20B".to_owned(),
        format!("/licenses/{id}"),
        format!("/licenses/{id}/edit"),
        format!("/licenses/{id}/delete"),
    ] {
        let page = sign_in(&mut server.stranger(), &path);
        assert_eq!((page.status, page.path.as_str()), (200, path.as_str()));
    }
}

#[test]
fn next_never_leads_to_another_host() {
    let server = Server::start();
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "",
    ] {
        let mut client = server.stranger();
        let form = Page::open(&mut client, "/login").form("/login");
        let form = form.set("next", next);
        let form = form.fill("username", "admin").fill("password", PASSWORD);
        let page = form.submit(&mut client);
        assert!(
            ["/", "/%09/evil.example"].contains(&page.path.as_str()),
            "{}",
            page.path
        );
        let next = urlencoded(next);
        let page = Page::open(&mut client, &format!("/login?next={next}"));
        assert!(["/", "/%09/evil.example"].contains(&page.path.as_str()));
    }
}

#[test]
fn any_text_in_next_is_encoded() {
    let server = Server::start();
    for (next, place) in [
        ("/{}", "/%7B%7D"),
        ("/|", "/%7C"),
        ("/^", "/%5E"),
        ("/\"", "/%22"),
        ("/`", "/%60"),
        ("/<", "/%3C"),
        ("/[", "/%5B"),
        ("/100%", "/100%25"),
        ("/?q=%7B|#a#b", "/?q=%7B%7C#a%23b"),
    ] {
        let mut client = server.stranger();
        let body = format!(
            "username=admin&password={}&next={}",
            urlencoded(PASSWORD),
            urlencoded(next)
        );
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = client.send("POST", "/login", &form, body.as_bytes());
        assert_eq!((answer.status, answer.header("location")), (303, place));
        let answer = client.get(&format!("/login?next={}", urlencoded(next)));
        assert_eq!((answer.status, answer.header("location")), (303, place));
    }
}

#[test]
fn a_path_that_only_begins_like_the_base_path_is_remembered_whole() {
    let server = Server::at("http://localhost/license");
    let mut stripped = Client::new(&format!("http://127.0.0.1:{}", server.port));
    let answer = stripped.get("/licenses/new");
    let login = "/license/login?next=%2Flicenses%2Fnew";
    assert_eq!(answer.header("location"), login);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let page = stripped.send("POST", "/licenses/new", &form, b"tool_name=T&license_key=k");
    let page = Page::after(&mut stripped, "/licenses/new", page);
    assert_eq!(page.form("/login").value("next"), "/licenses/new");
}

#[test]
fn the_sign_in_page_redirects_a_signed_in_user() {
    let server = Server::start();
    let page = Page::open(&mut server.admin(), "/login");
    assert_eq!(page.path, "/");
}

#[test]
fn after_signing_out_a_copied_cookie_is_useless() {
    let server = Server::start();
    let mut client = server.stranger();
    let table = sign_in(&mut client, "/licenses");
    let mut thief = server.stranger();
    thief.cookies = client.cookies.clone();
    assert_eq!(Page::open(&mut thief, "/licenses").path, "/licenses");
    let page = table.form("/logout").submit(&mut client);
    assert_eq!(page.path, "/login");
    assert!(!client.cookies.contains_key("license_session"));
    assert!(Page::open(&mut thief, "/licenses").has_form("/login"));
}

#[test]
fn a_form_from_an_expired_session_asks_to_sign_in_and_stores_nothing() {
    let server = Server::start();
    let mut client = server.admin();
    let form = Page::open(&mut client, "/licenses/new").form("/licenses/new");
    server.clock.turn(31 * 60);
    let form = form.fill("tool_name", "T").fill("license_key", "k");
    let page = form.submit(&mut client);
    assert_eq!((page.has_form("/login"), rows(&server)), (true, 0));
}

/// Opens a page, lets the session end, presses a button, and signs in again.
fn late(server: &Server, path: &str, button: &str) -> (Page, Page, crate::server::Client) {
    let mut client = server.admin();
    let form = Page::open(&mut client, path).form_with(button);
    server.clock.turn(31 * 60);
    let login = form.press(&mut client, button);
    assert_eq!(
        (login.status, login.texts("[role=status]").len()),
        (401, 1),
        "{path}"
    );
    let form = login.form("/login").fill("username", "admin");
    let page = form.fill("password", PASSWORD).submit(&mut client);
    (login, page, client)
}

#[test]
fn every_form_that_comes_too_late_can_be_sent_after_signing_in() {
    let server = Server::start();
    let id =
        server.add(json!({"tool_name": "T", "license_key": "k", "expiration_date": "2026-12-31"}));
    let license = format!("/licenses/{id}");
    for (path, button, action) in [
        (
            license.clone(),
            "status=revoked",
            format!("{license}/status"),
        ),
        (
            "/licenses".to_owned(),
            &*format!("id={id}_2026-12-31"),
            "/renew".to_owned(),
        ),
    ] {
        let before = server.admin().get("/api/licenses").body;
        let (_, resumed, mut client) = late(&server, &path, button);
        assert_eq!(server.admin().get("/api/licenses").body, before, "{action}");
        let page = resumed.form(&action).submit(&mut client);
        assert_eq!(
            (page.status, page.path.split('?').next()),
            (200, Some(&*path))
        );
        assert_ne!(server.admin().get("/api/licenses").body, before, "{action}");
    }
}

#[test]
fn a_form_of_an_earlier_session_is_kept_until_it_is_submitted() {
    let server = Server::start();
    let mut client = server.admin();
    let form = Page::open(&mut client, "/licenses/new").form("/licenses/new");
    let csrf = form.value("csrf").to_owned();
    server.clock.turn(31 * 60);
    // In another tab of the same browser.
    let login = Page::open(&mut client, "/login").form("/login");
    login
        .fill("username", "admin")
        .fill("password", PASSWORD)
        .submit(&mut client);
    let form = form.fill("tool_name", "T").fill("license_key", "late key");
    let kept = form.submit(&mut client);
    assert_eq!((kept.status, rows(&server)), (403, 0));
    kept.form("/licenses/new").submit(&mut client);
    assert_eq!(rows(&server), 1);
    // A file is not kept.
    let (kind, body) = crate::import::multipart(&csrf, "f.csv", b"tool,key\nT,k\n");
    let origin = client.origin();
    let headers = [("Content-Type", &*kind), ("Origin", &*origin)];
    let answer = client.send("POST", "/import", &headers, &body);
    let page = Page::after(&mut client, "/import", answer);
    assert_eq!((page.status, page.has_form("/import")), (403, false));
    assert_eq!(page.link("/import").as_deref(), Some("/import"));
}

#[test]
fn a_file_that_comes_too_late_leads_back_to_the_import() {
    let server = Server::start();
    let mut client = server.admin();
    let csrf = Page::open(&mut client, "/import")
        .form("/import")
        .value("csrf")
        .to_owned();
    server.clock.turn(31 * 60);
    let file = vec![b'x'; 3_000_000];
    let (kind, body) = crate::import::multipart(&csrf, "f.csv", &file);
    let origin = client.origin();
    let answer = client.send(
        "POST",
        "/import",
        &[("Content-Type", &kind), ("Origin", &origin)],
        &body,
    );
    let login = Page::after(&mut client, "/import", answer);
    assert_eq!((login.status, login.texts("[role=status]").len()), (401, 1));
    let form = login.form("/login").fill("username", "admin");
    assert_eq!(
        form.fill("password", PASSWORD).submit(&mut client).path,
        "/import"
    );
}

#[test]
fn a_password_is_never_kept() {
    let server = Server::start();
    let mut client = server.admin();
    let page = Page::open(&mut client, "/account");
    let change = page.form("/account/password").fill("current", "secret-one");
    let change = change.fill("new", "secret-two").fill("again", "secret-two");
    let factor = page.form("/account/factor").fill("password", "secret-one");
    server.clock.turn(31 * 60);
    for form in [change, factor] {
        let login = form.submit(&mut client);
        assert_eq!((login.status, login.texts("[role=status]").len()), (401, 1));
        assert_eq!(login.all("input[value*=secret]").len(), 0);
    }
}

#[test]
fn a_note_about_a_password_is_kept() {
    let server = Server::start();
    let mut client = server.admin();
    let form = Page::open(&mut client, "/licenses/new").form("/licenses/new");
    let form = form
        .fill("tool_name", "T")
        .fill("license_key", "k")
        .fill("note", "wants a password");
    server.clock.turn(31 * 60);
    let form = form
        .submit(&mut client)
        .form("/login")
        .fill("username", "admin");
    let resumed = form.fill("password", PASSWORD).submit(&mut client);
    assert_eq!(
        resumed.form("/licenses/new").value("note"),
        "wants a password"
    );
}
