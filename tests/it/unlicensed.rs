//! Unlicensed machines that have checked.

use serde_json::json;

use crate::page::Page;
use crate::page::address::{DIAGNOSE, UNLICENSED};
use crate::server::Server;

#[test]
fn without_unlicensed_machines_the_page_is_empty() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, DIAGNOSE).follow(&mut admin, UNLICENSED);
    assert_eq!((page.status, page.path.as_str()), (200, UNLICENSED));
    assert_eq!((page.rows().len(), page.all(".empty").len()), (0, 1));
}

#[test]
fn an_unlicensed_machine_is_listed_until_it_has_a_license() {
    let server = Server::start();
    server.license("A & B", "licensed");
    server.check("A & B", "new machine");
    server.clock.turn(3600);
    server.check("A & B", "new machine");
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, UNLICENSED);
    let row = ["new machine", "A & B", "2026-06-15 13:00", "2", "127.0.0.1"];
    assert_eq!(page.rows(), [row]);
    let first = page.texts("tbody small").concat();
    assert!(first.contains("2026-06-15 12:00"), "{first}");
    let diagnosis = page.follow(&mut admin, &format!("{DIAGNOSE}?"));
    assert_eq!(diagnosis.form(DIAGNOSE).value("key"), "new machine");
    let form = page.follow(&mut admin, "/licenses/new?");
    form.form("/licenses/new").submit(&mut admin);
    assert!(Page::open(&mut admin, UNLICENSED).rows().is_empty());
}

#[test]
fn a_machine_that_says_what_its_id_was_before_offers_to_move_that_license() {
    let server = Server::start();
    let id = server.license("T", "0a:1b:2c:3d:4e:5f");
    server.license("Other", "x");
    for (tool, key, previous) in [
        ("T", "new", json!(" 0A-1B-2C-3D-4E-5F")),
        ("Other", "new", json!("0a:1b:2c:3d:4e:5f")),
        ("T", "stranger", json!(["0a:1b:2c:3d:4e:5f"])),
    ] {
        let body = json!({"tool_name": tool, "license_key": key, "previous_license_key": previous});
        let answer = server.stranger().post("/api/check", &body.to_string());
        assert_eq!(answer.status, 404);
    }
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, UNLICENSED);
    let target = format!("/licenses/{id}/move?");
    assert_eq!(
        page.links()
            .iter()
            .filter(|(_, to)| to.contains(&target))
            .count(),
        1
    );
    let diagnosis = Page::open(&mut admin, &format!("{DIAGNOSE}?tool=T&key=new"));
    for page in [page, diagnosis] {
        let form = page.follow(&mut admin, &target).form("/move");
        assert_eq!(form.value("license_key"), "new");
    }
}

#[test]
fn the_newest_machines_of_a_tool_come_first() {
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
    let form = Page::open(&mut admin, UNLICENSED).form(UNLICENSED);
    let mut page = form.fill("tool", "T&U").submit(&mut admin);
    assert_eq!(page.texts("h1 .count"), ["104"]);
    let mut keys = page.keys();
    while let Some(next) = page.next(&mut admin) {
        page = next;
        assert_eq!(page.form(UNLICENSED).value("tool"), "T&U");
        keys.extend(page.keys());
    }
    let newest_first: Vec<String> = (0..104).rev().map(|n| format!("key {n:03}")).collect();
    assert_eq!(keys, newest_first);
    let newest = page.follow(&mut admin, &format!("{UNLICENSED}?tool="));
    assert_eq!(newest.keys()[..], newest_first[..50]);
}

#[test]
fn machines_of_a_tool_without_licenses_are_not_listed() {
    let server = Server::start();
    server.check("Nothing", "key");
    server.tick().unwrap();
    let page = Page::open(&mut server.admin(), UNLICENSED);
    assert!(page.rows().is_empty());
}

#[test]
fn an_invisible_character_of_a_stranger_changes_no_page() {
    let server = Server::start();
    server.license("T", "k");
    let raw = '\u{202e}';
    let stranger = format!("PC{raw}-7");
    assert_eq!(server.check("T", &stranger).0, 422);
    let said = json!({"version": stranger, "hostname": stranger, "user": stranger});
    let question = json!({"tool_name": "T", "license_key": "k", "client": said});
    server.stranger().post("/api/check", &question.to_string());
    let guess = json!({"username": stranger, "password": "x"});
    server.stranger().post("/api/login", &guess.to_string());
    server.tick().unwrap();
    let mut admin = server.admin();
    assert_eq!(Page::open(&mut admin, UNLICENSED).rows().len(), 0);
    for path in ["/", "/licenses", "/licenses/1", "/audit", UNLICENSED] {
        let body = admin.get(path).body;
        assert!(!body.contains(raw), "{path}");
        assert!(
            !body.contains("PC") || body.contains("PC[U+202E]-7"),
            "{path}"
        );
    }
    let name = Page::open(&mut admin, "/audit?kind=sign-in+failed").texts("td bdi");
    assert_eq!(name, ["PC[U+202E]-7"]);
}
