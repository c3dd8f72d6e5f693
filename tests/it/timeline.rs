//! The history on the page of a license.

use serde_json::json;

use crate::page::Page;
use crate::server::{Client, Server};

/// The rows of the history: time, event and by whom.
fn history(page: &Page) -> Vec<Vec<String>> {
    let cells = page.texts("[aria-labelledby=history] tbody td");
    cells.chunks(3).map(<[String]>::to_vec).collect()
}

fn check_from(server: &Server, address: &str) {
    let mut client = server.stranger().header("X-Forwarded-For", address);
    client.post("/api/check", r#"{"tool_name":"T","license_key":"k"}"#);
    server.tick().unwrap();
}

fn note(admin: &mut Client, n: usize) {
    let body = json!({"note": format!("note {n}")}).to_string();
    assert_eq!(admin.patch("/api/licenses/1", &body).status, 200);
}

#[test]
fn checks_and_changes_are_on_one_line_newest_first() {
    let server = Server::start();
    server.license("T", "k");
    let mut admin = server.admin();
    server.clock.turn(60);
    check_from(&server, "203.0.113.1");
    server.clock.turn(60);
    admin.patch("/api/licenses/1", r#"{"status":"revoked"}"#);
    server.clock.turn(24 * 3_600);
    check_from(&server, "203.0.113.2");
    let rows = history(&Page::open(&mut server.admin(), "/licenses/1"));
    let times: Vec<&str> = rows.iter().map(|row| &*row[0]).collect();
    assert_eq!(
        times,
        [
            "2026-06-16 12:02 today",
            "2026-06-15 12:02 yesterday",
            "2026-06-15 12:01 yesterday",
            "2026-06-15 12:00 yesterday"
        ]
    );
    let by: Vec<&str> = rows.iter().map(|row| &*row[2]).collect();
    assert_eq!(by[0], "203.0.113.2");
    assert!(by[1].starts_with("admin"), "{by:?}");
    let has = |row: usize, word: &str| assert!(rows[row][1].contains(word), "{rows:?}");
    has(0, "revoked");
    has(1, "license changed");
    has(2, "valid");
    has(3, "license added");
}

#[test]
fn older_events_follow_page_by_page_and_none_is_missing() {
    let server = Server::start();
    server.license("T", "k");
    let mut admin = server.admin();
    for n in 0..25 {
        // Several in the same second.
        note(&mut admin, n);
        if n % 5 == 0 {
            check_from(&server, &format!("203.0.113.{n}"));
            server.clock.turn(1);
        }
    }
    let mut page = Page::open(&mut admin, "/licenses/1");
    let mut rows = history(&page);
    assert_eq!(rows.len(), 20);
    while let Some(next) = page.next(&mut admin) {
        assert!(next.has_link("/licenses/1#history"));
        rows.extend(history(&next));
        page = next;
    }
    let events = rows.concat().join(" ");
    for n in 0..25 {
        assert_eq!(
            events.matches(&format!("→ note {n} ")).count(),
            usize::from(n > 0)
        );
    }
    assert_eq!(rows.len(), 1 + 25 + 5);
    assert!(rows.is_sorted_by(|newer, older| newer[0] >= older[0]));
    let nothing = Page::open(&mut admin, "/licenses/1?before=0-0");
    assert!(history(&nothing).is_empty() && nothing.next(&mut admin).is_none());
}

#[test]
fn the_history_of_a_new_machine_begins_with_the_old_one() {
    let server = Server::start();
    server.license("T", "old");
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/1/move").form("/licenses/1/move");
    let new = form.fill("license_key", "new").submit(&mut admin);
    let events: Vec<String> = history(&new)
        .into_iter()
        .map(|row| row[1].clone())
        .collect();
    assert!(events.contains(&"moved from old".to_owned()), "{events:?}");
}
