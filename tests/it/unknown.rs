//! Machines that have asked and have no license.

use crate::page::Page;
use crate::server::Server;

#[test]
fn without_any_the_page_says_what_will_stand_there() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/explain").follow(&mut admin, "Unknown machines");
    assert_eq!((page.status, page.path.as_str()), (200, "/unknown"));
    assert_eq!(page.texts("h2"), ["No unknown machine has asked"]);
}

#[test]
fn a_machine_that_asked_stands_there_until_it_has_a_license() {
    let server = Server::start();
    server.license("A & B", "licensed");
    server.check("A & B", "new machine");
    server.clock.turn(3600);
    server.check("A & B", "new machine");
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/unknown");
    let told = [
        "new machine",
        "A & B",
        "2026-06-15 13:00 first 2026-06-15 12:00",
        "2",
        "127.0.0.1",
        "Add license Explain",
    ];
    assert_eq!(page.rows(), [told]);
    let links = page.links();
    let of = |words: &str| {
        links
            .iter()
            .rfind(|(text, _)| text == words)
            .unwrap()
            .1
            .clone()
    };
    let explained = Page::open(&mut admin, &of("Explain"));
    assert_eq!(explained.form("/explain").value("key"), "new machine");
    let form = Page::open(&mut admin, &of("Add license")).form("/licenses/new");
    form.submit(&mut admin, "Add license");
    assert!(Page::open(&mut admin, "/unknown").rows().is_empty());
}

#[test]
fn the_newest_stand_first_and_older_leads_through_all_of_one_tool() {
    let server = Server::start();
    let mut admin = server.admin();
    for tool in ["T&U", "V"] {
        server.license(tool, "licensed");
    }
    for n in 0..104 {
        let mut asks = server
            .stranger()
            .header("X-Forwarded-For", &format!("10.0.{n}.1"));
        let question =
            serde_json::json!({"tool_name": "T&U", "license_key": format!("key {n:03}")});
        assert_eq!(asks.post("/api/check", &question.to_string()).status, 404);
        if n % 2 == 0 {
            server.clock.turn(1);
        }
    }
    server.check("V", "other");
    server.tick().unwrap();
    let form = Page::open(&mut admin, "/unknown")
        .form("Find")
        .fill("tool", "T&U");
    let mut page = form.submit(&mut admin, "Find");
    assert_eq!(page.heading(), "Unknown machines 104");
    let mut keys = page.keys();
    while page.has_link("Older →") {
        page = page.follow(&mut admin, "Older →");
        assert_eq!(page.form("Find").value("tool"), "T&U");
        keys.extend(page.keys());
    }
    let newest_first: Vec<String> = (0..104).rev().map(|n| format!("key {n:03}")).collect();
    assert_eq!(keys, newest_first);
    assert_eq!(page.follow(&mut admin, "← Newest").keys().len(), 50);
}

#[test]
fn a_tool_that_nobody_sells_has_no_unknown_machines() {
    let server = Server::start();
    server.check("Nothing", "key");
    server.tick().unwrap();
    assert!(
        Page::open(&mut server.admin(), "/unknown")
            .rows()
            .is_empty()
    );
}
