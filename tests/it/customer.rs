//! The page of a customer.

use serde_json::json;

use crate::page::Page;
use crate::server::Server;

const NAME: &str = "Müller & Söhne";
const PAGE: &str = "/customer?name=M%C3%BCller%20%26%20S%C3%B6hne";

/// Two licenses of the customer, and others.
fn furnished() -> Server {
    let server = Server::start();
    for (tool, key, customer, day) in [
        ("B", "later", NAME, "2027-01-31"),
        ("A", "sooner", NAME, "2026-12-31"),
        ("A", "other", "Müller", "2026-12-31"),
        ("A", "noted", "", "2026-12-31"),
    ] {
        server.add(
            json!({"tool_name": tool, "license_key": key, "user_id": customer,
            "expiration_date": day, "note": NAME}),
        );
    }
    server
}

#[test]
fn a_customer_has_all_licenses_with_their_checks_and_changes() {
    let server = furnished();
    for (tool, key) in [("B", "later"), ("A", "sooner"), ("A", "other")] {
        server.clock.turn(60);
        server.check(tool, key);
    }
    server.tick().unwrap();
    let page = Page::open(&mut server.admin(), PAGE);
    let keys = |section: &str| page.texts(&format!("{section} a.key"));
    assert_eq!(page.texts("tbody th a.key"), ["sooner", "later"]);
    assert_eq!(keys("[aria-labelledby=checks]"), ["sooner", "later"]);
    assert_eq!(keys("[aria-labelledby=history]"), ["sooner", "later"]);
}

#[test]
fn another_license_begins_with_the_customer_and_a_tool() {
    let server = furnished();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, PAGE);
    let form = page
        .follow(&mut admin, "/licenses/new?tool=B")
        .form("/licenses/new");
    assert_eq!(
        (form.value("user_id"), form.value("tool_name")),
        (NAME, "B")
    );
}

#[test]
fn all_licenses_of_a_customer_are_extended_at_once() {
    let server = furnished();
    let mut admin = server.admin();
    let preview = Page::open(&mut admin, PAGE).follow(&mut admin, "/bulk?");
    assert_eq!(preview.keys(), ["sooner", "later"]);
    preview.press(&mut admin, "start=expiration");
    let page = Page::open(&mut admin, PAGE);
    let days = page.rows().into_iter().map(|row| row[3].clone());
    assert_eq!(
        days.take(2).collect::<Vec<_>>(),
        ["2027-12-31", "2028-01-31"]
    );
}

#[test]
fn a_customer_without_a_license_is_not_found() {
    let server = furnished();
    assert_eq!(
        Page::open(&mut server.admin(), "/customer?name=nobody").status,
        404
    );
}
