//! From where, by which machines and with which versions licenses are used.

use serde_json::json;

use crate::database::Database;
use crate::page::Page;
use crate::server::Server;

const DAY: i64 = 86_400;

/// A good check from an address by a client.
fn check(server: &Server, key: &str, address: &str, hostname: &str, version: &str) {
    let mut client = server.stranger().header("X-Forwarded-For", address);
    let said = json!({"hostname": hostname, "user": "anna", "version": version});
    let question = json!({"tool_name": "T", "license_key": key, "client": said});
    assert_eq!(client.post("/api/check", &question.to_string()).status, 200);
}

fn places(page: &Page) -> Vec<Vec<String>> {
    let cells = page.texts("[aria-labelledby=places] td");
    cells.chunks(6).map(<[String]>::to_vec).collect()
}

#[test]
fn a_license_shows_its_machines_of_the_last_month_newest_first() {
    let server = Server::start();
    let id = server.license("T", "k");
    check(&server, "k", "10.0.0.1", "OFFICE", "1");
    server.tick().unwrap();
    server.clock.turn(29 * DAY);
    check(&server, "k", "10.0.0.2", "OFFICE", "1");
    server.tick().unwrap();
    server.clock.turn(DAY);
    check(&server, "k", "10.0.0.2", "LAPTOP", "2");
    check(&server, "k", "10.0.0.2", "LAPTOP", "2");
    server.tick().unwrap();
    let page = Page::open(&mut server.admin(), &format!("/licenses/{id}"));
    let expected = [
        [
            "10.0.0.2",
            "LAPTOP",
            "anna",
            "2",
            "2026-07-15 12:00",
            "2026-07-15",
        ],
        [
            "10.0.0.2",
            "OFFICE",
            "anna",
            "1",
            "2026-07-14 12:00",
            "2026-07-14",
        ],
        [
            "10.0.0.1",
            "OFFICE",
            "anna",
            "1",
            "2026-06-15 12:00",
            "2026-06-15",
        ],
    ];
    assert_eq!(places(&page), expected);
    let numbers = page.texts("[aria-labelledby=places] .hint").concat();
    assert!(
        numbers.starts_with("1 address and 2 host names"),
        "{numbers}"
    );
}

#[test]
fn the_most_shared_license_comes_first() {
    let server = Server::start();
    for (key, addresses) in [("alone", 1), ("two", 2), ("seven", 7)] {
        server.license("T", key);
        for n in 0..addresses {
            check(&server, key, &format!("10.0.0.{n}"), &format!("PC-{n}"), "");
        }
    }
    server.tick().unwrap();
    let mut admin = server.admin();
    let overview = Page::open(&mut admin, "/");
    let figure = overview.all(".figure[href*='seen=shared']")[0];
    assert!(figure.text().any(|text| text == "2"));
    let table = Page::open(&mut admin, figure.attr("href").unwrap());
    let column = table.texts("td[data-label=Addresses]");
    assert_eq!(table.keys(), ["seven", "two"]);
    assert!(
        column[0].starts_with("7 ") && column[1].starts_with("2 "),
        "{column:?}"
    );
    assert!(
        Page::open(&mut admin, "/licenses")
            .texts("td[data-label=Addresses]")
            .is_empty()
    );
}

#[test]
fn neither_versions_nor_host_names_push_out_addresses() {
    let (server, database) = Database::start();
    let id = server.license("T", "k");
    for n in 0..10 {
        check(&server, "k", &format!("10.0.0.{n}"), "PC", "1");
    }
    for n in 0..80 {
        check(&server, "k", "10.0.0.200", "PC", &format!("1.{n}"));
    }
    server.tick().unwrap();
    server.clock.turn(1);
    for n in 0..20 {
        check(&server, "k", "10.0.0.200", &format!("PC-{n}"), "1");
    }
    server.tick().unwrap();
    let page = Page::open(&mut server.admin(), &format!("/licenses/{id}"));
    let numbers = page.texts("[aria-labelledby=places] .hint").concat();
    assert!(
        numbers.starts_with("11 addresses and 16 host names"),
        "{numbers}"
    );
    assert_eq!(database.count("check_places"), 10 + 15);
}

#[test]
fn the_oldest_addresses_are_removed() {
    let (server, database) = Database::start();
    server.license("T", "k");
    for n in 0..45 {
        check(&server, "k", &format!("10.0.0.{n}"), "PC", "1");
        server.clock.turn(1);
        server.tick().unwrap();
    }
    let sql = "select count(*) from check_places where address in ('10.0.0.4', '10.0.0.5')";
    let kept = (
        database.count("check_places"),
        database.one::<i64>(sql, &[]),
    );
    assert_eq!(kept, (40, 1));
}

#[test]
fn a_tool_shows_its_versions_and_who_has_each() {
    let server = Server::start();
    for (key, version) in [("a", "2.0"), ("b", "1.0"), ("c", "2.0"), ("d", "")] {
        server.license("T", key);
        check(&server, key, "10.0.0.1", "PC", version);
        server.clock.turn(1);
    }
    server.tick().unwrap();
    check(&server, "b", "10.0.0.1", "PC", "1.0 & later");
    server.check("T", "b");
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/tool?name=T");
    let cells = page.texts("[aria-labelledby=versions] td");
    assert_eq!(cells, ["2.0", "2", "1.0 & later", "1"]);
    let found = page.follow(&mut admin, "/licenses?tool=T&version=1.0%20%26");
    assert_eq!(found.keys(), ["b"]);
    assert_eq!(found.form("/licenses").value("version"), "1.0 & later");
}
