//! The table of licenses: search, filters, neighbouring pages.

use serde_json::json;

use super::{MAC, find};
use crate::page::Page;
use crate::server::{Client, Server};

#[test]
fn any_fragment_of_key_customer_and_tool_is_found() {
    let server = Server::start();
    let mut admin = server.admin();
    server.add(json!({"tool_name": "Ärger", "license_key": MAC, "user_id": "Müller & Söhne"}));
    server.add(json!({"tool_name": "Tool_B", "license_key": "PC-7/x", "user_id": "50%_off+"}));
    for fragment in [
        "0a:1b",
        "1B-2c",
        "b2c3",
        "2C3D.4E",
        "0A1B2C3D4E5F",
        "mÜLL",
        "& S",
        "Ärg",
        " rger ",
        "5f",
    ] {
        assert_eq!(find(&mut admin, fragment), [MAC], "{fragment}");
    }
    for fragment in ["pc-7", "7/X", "tool_b", "%_", "off+", "l_", "0%"] {
        assert_eq!(find(&mut admin, fragment), ["PC-7/x"], "{fragment}");
    }
    assert_eq!(find(&mut admin, "").len(), 2);
    assert_eq!(find(&mut admin, "%").len(), 1);
    assert_eq!(find(&mut admin, "\\").len(), 0);
}

#[test]
fn filters_combine_and_their_address_can_be_kept() {
    let server = Server::start();
    let mut admin = server.admin();
    for tool_name in ["A", "A & B"] {
        for status in ["activated", "revoked"] {
            for key in ["one", "two"] {
                let license_key = format!("{key} {status}");
                server.add(
                    json!({"tool_name": tool_name, "license_key": license_key, "status": status}),
                );
            }
        }
    }
    let form = Page::open(&mut admin, "/licenses").form("Find");
    let form = form.fill("q", "two").fill("tool", "A & B");
    let page = form.fill("status", "revoked").submit(&mut admin, "Find");
    assert_eq!(page.keys(), ["two revoked"]);
    assert!(page.heading().ends_with("1 license"), "{}", page.heading());
    let again = Page::open(&mut server.admin(), &page.path);
    let form = again.form("Find");
    assert_eq!(again.rows(), page.rows());
    assert_eq!(
        ["q", "tool", "status"].map(|name| form.value(name).to_owned()),
        ["two", "A & B", "revoked"]
    );
    let form = form.fill("q", "").fill("status", "");
    assert_eq!(form.submit(&mut admin, "Find").keys().len(), 4);
    assert_eq!(again.follow(&mut admin, "Show all").keys().len(), 8);
}

#[test]
fn a_tool_is_found_by_its_filter_whatever_its_name() {
    let server = Server::start();
    let mut admin = server.admin();
    for name in ["My  Tool", "a+b=c&d#e?f%20", "\"><b>'", "Ärger ☂"] {
        let id = server.license(name, "k");
        let page = Page::open(&mut admin, "/licenses");
        let page = page
            .form("Find")
            .fill("tool", name)
            .submit(&mut admin, "Find");
        assert_eq!(page.rows().len(), 1, "{name}");
        assert_eq!(page.form("Find").value("tool"), name);
        let license = Page::open(&mut admin, &format!("/licenses/{id}"));
        let shown = license.texts("dd a").remove(0);
        assert_eq!(license.follow(&mut admin, &shown).rows().len(), 1, "{name}");
    }
}

#[test]
fn a_customers_name_leads_to_their_licenses() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "user_id": "a+b & c%"}));
    server.license("T", "other");
    let page = Page::open(&mut admin, &format!("/licenses/{id}"));
    assert_eq!(page.follow(&mut admin, "a+b & c%").keys(), ["k"]);
}

/// 120 licenses of T&U, and one of another tool after every tenth.
pub(super) fn many(server: &Server) {
    let mut admin = server.admin();
    let mut post = |tool_name: &str, n: usize| {
        let body = json!({"tool_name": tool_name, "license_key": format!("key {n:03}")});
        assert_eq!(admin.post("/api/licenses", &body.to_string()).status, 201);
    };
    for n in 1..=120 {
        post("T&U", n);
        if n % 10 == 0 {
            post("Other", n);
        }
    }
}

/// The keys of this page and of all behind it, until no link of these words is left.
fn walk(client: &mut Client, mut page: Page, words: &str) -> (Vec<Vec<String>>, Page) {
    let mut pages = vec![page.keys()];
    while page.has_link(words) {
        page = page.follow(client, words);
        pages.push(page.keys());
    }
    (pages, page)
}

#[test]
fn older_and_newer_lead_through_every_row_once_with_the_filter_kept() {
    let server = Server::start();
    let mut admin = server.admin();
    many(&server);
    let form = Page::open(&mut admin, "/licenses").form("Find");
    let form = form.fill("q", "KEY ").fill("tool", "T&U");
    let first = form.fill("status", "activated").submit(&mut admin, "Find");
    assert!(first.heading().ends_with("120 licenses"));
    assert!(!first.has_link("← Newer"));
    let newest_first: Vec<String> = (1..=120).rev().map(|n| format!("key {n:03}")).collect();
    let (down, last) = walk(&mut admin, first, "Older →");
    assert_eq!(down.concat(), newest_first);
    let sizes = |pages: &[Vec<String>]| pages.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(&down), [50, 50, 20]);
    assert!(last.heading().ends_with("120 licenses"));
    assert_eq!(last.form("Find").value("tool"), "T&U");
    let (mut up, _) = walk(&mut admin, last, "← Newer");
    assert_eq!(sizes(&up), [20, 50, 50]);
    up.reverse();
    assert_eq!(up.concat(), newest_first);
}

#[test]
fn without_a_filter_every_row_is_on_one_page() {
    let server = Server::start();
    let mut admin = server.admin();
    many(&server);
    let first = Page::open(&mut admin, "/licenses");
    assert!(first.heading().ends_with("132 licenses"));
    let (pages, _) = walk(&mut admin, first, "Older →");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 32]);
    let table = Page::open(&mut admin, "/licenses?after=132");
    assert_eq!(table.texts("h2"), ["No more licenses here"]);
}

#[test]
fn fifty_licenses_need_no_second_page() {
    let server = Server::start();
    let mut admin = server.admin();
    for n in 0..50 {
        let body = json!({"tool_name": "T", "license_key": n.to_string()}).to_string();
        admin.post("/api/licenses", &body);
    }
    let page = Page::open(&mut admin, "/licenses");
    assert_eq!((page.keys().len(), page.has_link("Older →")), (50, false));
}
