//! Exporting licenses as a table, and importing it again.

use proptest::prelude::*;
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

use crate::database::Database;
use crate::import::{INCOMPLETE, confirm, numbers, upload};
use crate::page::{Page, filter, urlencoded};
use crate::parsers::cases;
use crate::server::{Answer, Server};

pub fn export(server: &Server, query: &str) -> Answer {
    server.admin().get(&format!("/licenses.csv{query}"))
}

#[test]
fn an_export_has_the_licenses_that_the_filter_finds() {
    let server = Server::start();
    server.add(json!({"tool_name": "A", "license_key": "k1", "user_id": "Anna, \"B\"", "expiration_date": "2026-06-20", "note": "two\nlines"}));
    server.add(json!({"tool_name": "A", "license_key": "k2", "status": "revoked"}));
    server.add(json!({"tool_name": "B", "license_key": "k3"}));
    let all = export(&server, "");
    assert_eq!(all.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        all.header("content-disposition"),
        "attachment; filename=\"licenses-2026-06-15.csv\""
    );
    // New columns come after the note.
    let columns = "\u{feff}id,created_at,tool_name,license_key,status,user_id,expiration_date,note";
    let first =
        "\r\n1,2026-06-15 12:00:00,A,k1,activated,\"Anna, \"\"B\"\"\",2026-06-20,\"two\nlines\"";
    let is_there = all.body.starts_with(columns) && all.body.contains(first);
    assert!(is_there, "{}", all.body);
    let expiring = format!("?{}", filter::EXPIRES_IN_7_DAYS);
    let perpetual = format!("?{}", filter::PERPETUAL);
    let perpetual_a = format!("{perpetual}&tool=A");
    let never_seen = format!("?{}", filter::NEVER_SEEN);
    for (query, found) in [
        ("?tool=A", vec!["k1", "k2"]),
        ("?status=revoked", vec!["k2"]),
        ("?q=k3", vec!["k3"]),
        (&*expiring, vec!["k1"]),
        (&*perpetual, vec!["k2", "k3"]),
        (&*perpetual_a, vec!["k2"]),
        (&*never_seen, vec!["k1", "k2", "k3"]),
        ("?customer=nobody", vec![]),
    ] {
        let body = export(&server, query).body;
        let is_there = |key: &&str| body.contains(&format!(",{key},"));
        let keys: Vec<&str> = ["k1", "k2", "k3"].into_iter().filter(is_there).collect();
        assert_eq!(keys, found, "{query}");
    }
    let page = Page::open(&mut server.admin(), "/licenses?tool=A&sort=key");
    let link = page.link("/licenses.csv");
    assert_eq!(link.as_deref(), Some("/licenses.csv?tool=A"));
}

#[test]
fn a_long_export_is_complete_or_ends_with_a_mark() {
    let (server, database) = Database::start();
    database.tamper(
        "insert into tools (name, created_at) values ('T', 0);
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 2500)
         insert into licenses
             (created_at, tool_name, license_key, status, user_id, expiration_date, note)
         select 0, 'T', 'key-' || i, 'activated', '', 'never', '' from n",
    );
    let perpetual = format!("?{}", filter::PERPETUAL);
    for query in ["", &perpetual, "?tool=T"] {
        let body = export(&server, query).body;
        let ids: Vec<&str> = body
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().unwrap())
            .collect();
        let expected: Vec<String> = (1..=2500).map(|id| id.to_string()).collect();
        assert_eq!(ids, expected, "{query}");
    }
    database.tamper("update licenses set created_at = 9223372036854775807 where id = 2200");
    let broken = export(&server, "");
    assert_eq!(broken.status, 200);
    assert!(
        broken
            .body
            .lines()
            .last()
            .unwrap()
            .starts_with(&format!("\"{INCOMPLETE}"))
    );
    let page = upload(&mut server.admin(), "f.csv", broken.body);
    assert_eq!((page.status, page.invalid_fields()), (422, vec!["file"]));
}

#[test]
fn formulas_are_escaped_in_an_export_and_restored_by_an_import() {
    let server = Server::start();
    let mut admin = server.admin();
    for (n, customer) in [
        "=1+1", "+49 1", "@x", "-5", "'=x", "'quoted", "x;=1+1;y", "＝1+1", "x;\"@y",
    ]
    .iter()
    .enumerate()
    {
        server
            .add(json!({"tool_name": "=T", "license_key": format!("-k{n}"), "user_id": customer}));
    }
    let body = export(&server, "").body;
    // A spreadsheet program with another list separator splits at `;`.
    for cell in body.split([',', ';', '\n']) {
        let cell = cell.trim_start_matches('"');
        assert!(
            !cell.starts_with(['=', '+', '-', '@', '\t', '＝']),
            "{cell}"
        );
    }
    let page = upload(&mut admin, "f.csv", body);
    assert_eq!(numbers(&page), [0, 0, 9, 0], "{}", page.text());
}

/// Valid texts with many characters that are special in tables.
fn text(most: usize) -> impl Strategy<Value = String> {
    let rich = proptest::string::string_regex("[,;\t\"'=+@ äE1|\\[{a-c-]{0,12}").unwrap();
    prop_oneof![rich, "\\PC{0,20}"].prop_map(move |text| {
        text.chars()
            .filter(|c| !c.is_control())
            .take(most)
            .collect()
    })
}

/// A file spells a name in one way; the API takes it as it is sent.
fn one_spelling(name: &str) -> String {
    let name: String = name.nfc().collect();
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn importing_an_export_changes_nothing() {
    let license = (
        text(100),
        text(200),
        text(200),
        proptest::option::of("20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"),
        proptest::sample::select(vec!["activated", "suspended", "revoked"]),
        proptest::collection::vec(text(50), 0..4),
    );
    proptest!(cases(8), |(licenses in proptest::collection::vec(license, 10..40))| {
        let server = Server::start();
        let mut admin = server.admin();
        let mut all = 0;
        for (tool, key, user, end, status, note) in licenses {
            let fields = json!({"tool_name": tool, "license_key": key, "user_id": user,
                "expiration_date": end, "status": status, "note": note.join("\n")});
            let added = admin.post("/api/licenses", &fields.to_string());
            all += i64::from(added.status == 201);
        }
        let before = admin.get("/api/licenses").body;
        let exported = admin.get("/licenses.csv").body;
        prop_assert_eq!(numbers(&upload(&mut admin, "f.csv", &exported)), [0, 0, all, 0]);
        prop_assert_eq!(numbers(&upload(&mut admin, "f.json", &before)), [0, 0, all, 0]);
        // An empty server gets the same table.
        let other = Server::start();
        let mut elsewhere = other.admin();
        let mut preview = upload(&mut elsewhere, "f.csv", &exported);
        if !preview.all("button[value=keep]").is_empty() {
            preview = preview.press(&mut elsewhere, "keys=keep");
        }
        confirm(&mut elsewhere, &preview);
        let rows = |body: &str| -> Vec<serde_json::Value> {
            let mut rows: Vec<serde_json::Value> = serde_json::from_str(body).unwrap();
            rows.iter_mut().for_each(|row| row["id"] = json!(0));
            rows
        };
        let mut expected = rows(&before);
        for row in &mut expected {
            row["user_id"] = row["user_id"].as_str().map(one_spelling).into();
        }
        prop_assert_eq!(rows(&elsewhere.get("/api/licenses").body), expected);
        prop_assert!(all > 5, "{}", all);
    });
}

#[test]
fn a_filter_with_special_characters_is_exported() {
    let server = Server::start();
    server.add(json!({"tool_name": "R & D", "license_key": "k1"}));
    server.add(json!({"tool_name": "R", "license_key": "k2"}));
    let body = export(&server, &format!("?tool={}", urlencoded("R & D"))).body;
    assert!(body.contains("k1") && !body.contains("k2"), "{body}");
}
