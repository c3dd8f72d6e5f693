//! The first page: every figure is right, and leads to the rows behind it.

use serde_json::json;

use crate::page::Page;
use crate::server::Server;

const DAY: i64 = 86_400;

fn add(server: &Server, key: &str, status: &str, day: &str) {
    server.add(json!({
        "tool_name": "T", "license_key": key, "status": status, "expiration_date": day
    }));
}

fn overview(server: &Server) -> Page {
    Page::open(&mut server.admin(), "/")
}

/// The four large figures.
fn figures(page: &Page) -> Vec<String> {
    page.texts(".figure strong")
}

#[test]
fn without_licenses_it_says_how_to_begin() {
    let server = Server::start();
    let page = overview(&server);
    assert!(page.text().contains("No licenses yet"));
    assert!(page.all("svg.chart").is_empty());
}

#[test]
fn the_figures_are_those_of_the_lists_behind_them() {
    let server = Server::start();
    add(&server, "ends", "activated", "2026-07-15");
    add(&server, "ends, suspended", "suspended", "2026-07-15");
    add(&server, "ends later", "activated", "2026-07-16");
    add(&server, "ended", "activated", "2026-06-01");
    add(&server, "ended and asks", "activated", "2026-06-02");
    add(&server, "revoked", "revoked", "");
    for key in [
        "ended and asks",
        "revoked",
        "unknown",
        "unknown too",
        "ends",
    ] {
        server.check("T", key);
    }
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/");
    assert_eq!(figures(&page), ["1", "1", "2", "2"]);
    for (link, keys) in [
        ("1 end in the next 30 days", vec!["ends"]),
        (
            "1 ended in the last 30 days and still ask",
            vec!["ended and asks"],
        ),
        ("2 were refused today", vec!["revoked", "ended and asks"]),
        (
            "6 licenses",
            vec![
                "revoked",
                "ended and asks",
                "ended",
                "ends later",
                "ends, suspended",
                "ends",
            ],
        ),
        ("2 activated", vec!["ends later", "ends"]),
        ("2 expired", vec!["ended and asks", "ended"]),
        ("1 suspended", vec!["ends, suspended"]),
    ] {
        assert_eq!(page.follow(&mut admin, link).keys(), keys, "{link}");
    }
}

#[test]
fn checks_are_drawn_by_day_and_told_in_words_too() {
    let server = Server::start();
    add(&server, "k", "activated", "");
    (0..3).for_each(|_| drop(server.check("T", "k")));
    server.tick().unwrap();
    server.clock.turn(DAY);
    server.check("T", "nobody");
    server.tick().unwrap();
    let page = overview(&server);
    let bars = page.texts("svg.chart a title");
    assert_eq!(
        bars[28..30],
        [
            "2026-06-15: 3 valid (opens who was last seen then)",
            "2026-06-16: 1 not found (opens who was last seen then)"
        ]
    );
    assert_eq!(bars[27], "2026-06-14: no checks");
    assert_eq!(
        page.rows()[28],
        ["2026-06-15", "3", "0", "0", "0", "0", "0"]
    );
    assert!(page.has_link("3 valid") && page.has_link("1 not found"));
}

#[test]
fn a_tool_says_how_many_machines_were_active_in_a_week() {
    let server = Server::start();
    for key in ["a", "b", "c"] {
        add(&server, key, "activated", "");
    }
    server.check("T", "a");
    server.tick().unwrap();
    server.clock.turn(7 * DAY);
    server.check("T", "b");
    server.tick().unwrap();
    let page = overview(&server);
    let tools = page.texts("section[aria-labelledby=tools] tbody td");
    assert_eq!(tools, ["T", "3", "1"]);
    assert_eq!(page.follow(&mut server.admin(), "1").keys(), ["b"]);
}

#[test]
fn what_ends_next_is_renewed_by_a_click() {
    let server = Server::start();
    add(&server, "k", "activated", "2026-06-20");
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/").form("/renew");
    let page = form.submit(&mut admin, "Extend k by a year");
    assert_eq!(page.path, "/");
    assert!(page.flash().unwrap().contains("until 2027-06-20"));
    assert_eq!(figures(&page)[0], "0");
}
