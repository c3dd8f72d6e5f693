//! Into the pages and out of them.

use super::{rows, sign_in};
use crate::page::{Page, urlencoded};
use crate::server::{PASSWORD, Server};

#[test]
fn the_sign_in_page_opens_the_overview() {
    let server = Server::start();
    let page = sign_in(&mut server.stranger(), "/");
    assert_eq!((page.status, page.path.as_str()), (200, "/"));
    assert_eq!(page.form("/logout").buttons().next(), Some("Sign out"));
}

#[test]
fn a_wrong_password_and_an_unknown_name_are_told_alike_and_the_name_stays() {
    let server = Server::start();
    let mut words = Vec::new();
    for name in ["admin", "nobody", "<b>\"&"] {
        let form = Page::open(&mut server.stranger(), "/login").form("/login");
        let form = form.fill("username", name).fill("password", "wrong");
        let page = form.submit(&mut server.stranger(), "Sign in");
        assert_eq!((page.status, page.heading().as_str()), (401, "Sign in"));
        assert_eq!(page.form("/login").value("username"), name);
        assert_eq!(page.form("/login").value("password"), "");
        words.push(page.alert());
    }
    assert!(words[0].contains("do not belong together"), "{words:?}");
    assert!(words.iter().all(|other| *other == words[0]), "{words:?}");
}

#[test]
fn after_a_wrong_password_the_way_goes_on_to_the_wanted_page() {
    let server = Server::start();
    let mut client = server.stranger();
    let form = Page::open(&mut client, "/licenses/new?tool=T").form("/login");
    let form = form.fill("username", "admin").fill("password", "wrong");
    let form = form.submit(&mut client, "Sign in").form("/login");
    let page = form
        .fill("password", PASSWORD)
        .submit(&mut client, "Sign in");
    assert_eq!(page.path, "/licenses/new?tool=T");
}

#[test]
fn a_page_without_a_session_leads_through_the_sign_in_back_to_it() {
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
        let page = form.submit(&mut client, "Sign in");
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
fn who_is_signed_in_needs_no_sign_in_page() {
    let server = Server::start();
    let page = Page::open(&mut server.admin(), "/login");
    assert_eq!(page.path, "/");
}

#[test]
fn after_signing_out_a_copied_cookie_is_dead() {
    let server = Server::start();
    let mut client = server.stranger();
    let table = sign_in(&mut client, "/licenses");
    let mut thief = server.stranger();
    thief.cookies = client.cookies.clone();
    assert_eq!(Page::open(&mut thief, "/licenses").path, "/licenses");
    let page = table.form("/logout").submit(&mut client, "Sign out");
    assert_eq!((page.path.as_str(), client.cookies.len()), ("/login", 0));
    assert_eq!(Page::open(&mut thief, "/licenses").heading(), "Sign in");
}

#[test]
fn a_form_whose_session_is_over_leads_to_the_sign_in_and_stores_nothing() {
    let server = Server::start();
    let mut client = server.admin();
    let form = Page::open(&mut client, "/licenses/new").form("/licenses/new");
    server.clock.turn(31 * 60);
    let form = form.fill("tool_name", "T").fill("license_key", "k");
    let page = form.submit(&mut client, "Add license");
    assert_eq!((page.heading().as_str(), rows(&server)), ("Sign in", 0));
}
