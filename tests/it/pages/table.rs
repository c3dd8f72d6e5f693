//! The table of licenses: search, filters, neighbouring pages.

use serde_json::json;

use super::{MAC, find};
use crate::page::Page;
use crate::server::{Client, Server};

#[test]
fn any_part_of_key_customer_or_tool_is_found() {
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
fn filters_combine_and_can_be_bookmarked() {
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
    let form = Page::open(&mut admin, "/licenses").form("/licenses");
    let form = form.fill("q", "two").fill("tool", "A & B");
    let page = form.fill("status", "revoked").submit(&mut admin);
    assert_eq!(page.keys(), ["two revoked"]);
    assert_eq!(count(&page), 1);
    let again = Page::open(&mut server.admin(), &page.path);
    let form = again.form("/licenses");
    assert_eq!(again.rows(), page.rows());
    assert_eq!(
        ["q", "tool", "status"].map(|name| form.value(name).to_owned()),
        ["two", "A & B", "revoked"]
    );
    let form = form.fill("q", "").fill("status", "");
    assert_eq!(form.submit(&mut admin).keys().len(), 4);
    assert_eq!(again.follow(&mut admin, "/licenses").keys().len(), 8);
}

#[test]
fn the_tool_filter_finds_any_name() {
    let server = Server::start();
    let mut admin = server.admin();
    for name in ["My  Tool", "a+b=c&d#e?f%20", "\"><b>'", "Ärger ☂"] {
        let id = server.license(name, "k");
        let page = Page::open(&mut admin, "/licenses");
        let page = page.form("/licenses").fill("tool", name).submit(&mut admin);
        assert_eq!(page.rows().len(), 1, "{name}");
        assert_eq!(page.form("/licenses").value("tool"), name);
        let license = Page::open(&mut admin, &format!("/licenses/{id}"));
        let tool = license.follow(&mut admin, "/tool?name=");
        let filtered = tool.follow(&mut admin, "/licenses?tool=");
        assert_eq!(filtered.rows().len(), 1, "{name}");
    }
}

#[test]
fn a_customer_links_to_their_licenses() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "user_id": "a+b & c%"}));
    server.license("T", "other");
    for page in ["/licenses".to_owned(), format!("/licenses/{id}")] {
        let page = Page::open(&mut admin, &page);
        let customer = page.follow_text(&mut admin, "a+b & c%");
        assert_eq!(
            (customer.keys(), customer.heading().contains("a+b & c%")),
            (vec!["k".to_owned()], true)
        );
    }
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

/// The number of licenses found, as the heading has it.
fn count(page: &Page) -> usize {
    let digits = page.texts("h1 .count").concat();
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// The keys of this page and of all that follow it, and the last page.
fn walk(
    client: &mut Client,
    mut page: Page,
    step: fn(&Page, &mut Client) -> Option<Page>,
) -> (Vec<Vec<String>>, Page) {
    let mut pages = vec![page.keys()];
    while let Some(next) = step(&page, client) {
        page = next;
        pages.push(page.keys());
    }
    (pages, page)
}

#[test]
fn next_and_previous_visit_every_row_once_and_keep_the_filter() {
    let server = Server::start();
    let mut admin = server.admin();
    many(&server);
    let form = Page::open(&mut admin, "/licenses").form("/licenses");
    let form = form.fill("q", "KEY ").fill("tool", "T&U");
    let first = form.fill("status", "activated").submit(&mut admin);
    assert_eq!(count(&first), 120);
    assert!(first.previous(&mut admin).is_none());
    let newest_first: Vec<String> = (1..=120).rev().map(|n| format!("key {n:03}")).collect();
    let (down, last) = walk(&mut admin, first, Page::next);
    assert_eq!(down.concat(), newest_first);
    let sizes = |pages: &[Vec<String>]| pages.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(&down), [50, 50, 20]);
    assert_eq!(count(&last), 120);
    assert_eq!(last.form("/licenses").value("tool"), "T&U");
    let (mut up, _) = walk(&mut admin, last, Page::previous);
    assert_eq!(sizes(&up), [20, 50, 50]);
    up.reverse();
    assert_eq!(up.concat(), newest_first);
}

#[test]
fn without_a_filter_every_row_is_listed() {
    let server = Server::start();
    let mut admin = server.admin();
    many(&server);
    let first = Page::open(&mut admin, "/licenses");
    assert_eq!(count(&first), 132);
    let (pages, _) = walk(&mut admin, first, Page::next);
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 32]);
    let past_the_end = Page::open(&mut admin, "/licenses?before=1_0");
    assert!(past_the_end.rows().is_empty());
    assert_eq!(past_the_end.all(".empty a[href='/licenses']").len(), 1);
}

#[test]
fn fifty_licenses_fit_on_one_page() {
    let server = Server::start();
    let mut admin = server.admin();
    for n in 0..50 {
        let body = json!({"tool_name": "T", "license_key": n.to_string()}).to_string();
        admin.post("/api/licenses", &body);
    }
    let page = Page::open(&mut admin, "/licenses");
    assert_eq!(page.keys().len(), 50);
    assert!(page.next(&mut admin).is_none());
}
