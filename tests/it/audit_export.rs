//! The audit log as a file, for scripts and on the command line.

use serde_json::{Value, json};

use crate::database::Database;
use crate::guards::token;
use crate::page::Page;
use crate::people::{add_person, sign_in_as};
use crate::program::command;
use crate::server::{Client, Server};

/// The entries in a file of JSON lines.
fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn auditor(server: &Server) -> Client {
    let secret = token(
        &mut server.admin(),
        "SIEM",
        "audit=true&read=true",
        "2027-01-31",
    );
    let bearer = format!("Bearer {secret}");
    server.stranger().header("Authorization", &bearer)
}

#[test]
fn the_page_exports_what_the_filter_shows() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "note": "=1+1"}));
    admin.patch(
        &format!("/api/licenses/{id}"),
        r#"{"status":"revoked","note":null}"#,
    );
    let page = Page::open(&mut admin, "/audit?kind=license+changed");
    let file = page.link("/audit.csv").unwrap();
    let csv = admin.get(&file);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let rows: Vec<&str> = csv.body.lines().collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].starts_with("\u{feff}id,created_at,kind,who,address,factor,license_id"));
    let expected = ",license changed,admin,127.0.0.1,password,1,T,k,,\"note: =1+1 → ; status: activated → revoked\",";
    assert!(rows[1].contains(expected), "{rows:?}");
    let all = lines(&admin.get("/audit.jsonl").body);
    let kinds: Vec<&str> = all
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds.len() as i64,
        all.last().unwrap()["id"].as_i64().unwrap()
    );
    let changed = all
        .iter()
        .find(|row| row["kind"] == "license changed")
        .unwrap();
    assert_eq!(
        (&changed["before"]["note"], &changed["after"]["status"]),
        (&json!("=1+1"), &json!("revoked"))
    );
    server.tick().unwrap();
    let noted: Vec<_> = database.audit().into_iter().rev().take(2).collect();
    for (noted, to) in noted.iter().zip(["jsonl", "csv"]) {
        assert_eq!(
            (&*noted.kind, &*noted.who, &noted.after["to"]),
            ("audit log exported", "admin", &json!(to))
        );
    }
}

#[test]
fn a_cell_that_a_spreadsheet_would_compute_is_text() {
    let server = Server::start();
    let mut admin = server.admin();
    add_person(&server, "=cmd()", "viewer");
    let csv = admin.get("/audit.csv?kind=signed+in").body;
    assert!(!csv.contains("=cmd()"), "{csv}");
    drop(sign_in_as(&server, "=cmd()"));
    let csv = admin.get("/audit.csv?kind=signed+in").body;
    assert!(csv.contains(",'=cmd(),"), "{csv}");
}

#[test]
fn a_script_reads_page_by_page_what_is_new() {
    let server = Server::start();
    let mut script = auditor(&server);
    for key in ["a", "b", "c"] {
        server.license("T", key);
    }
    let all = script.get("/api/audit").json();
    let all = all.as_array().unwrap();
    let mut paged: Vec<Value> = vec![];
    loop {
        let after = paged.last().map_or(0, |row| row["id"].as_i64().unwrap());
        let page = script
            .get(&format!("/api/audit?limit=2&after={after}"))
            .json();
        let page = page.as_array().unwrap();
        if page.is_empty() || paged.len() == all.len() {
            break;
        }
        paged.extend(page.iter().cloned());
    }
    assert_eq!(&paged[..all.len()], all);
    let added = script
        .get("/api/audit?kind=license+added&license_id=2")
        .json();
    let row = &added.as_array().unwrap()[..];
    assert_eq!(row.len(), 1);
    let of = ["license_key", "who", "factor", "address"].map(|name| row[0][name].clone());
    assert_eq!(of, ["b", "admin", "password", "127.0.0.1"].map(Value::from));
    for (query, field) in [
        ("kind=nothing", "kind"),
        ("limit=0", "limit"),
        ("after=x", "after"),
    ] {
        let refused = script.get(&format!("/api/audit?{query}"));
        assert_eq!(
            (refused.status, refused.json()["field"].as_str()),
            (422, Some(field))
        );
    }
    // Once an hour, however often it asks.
    server.tick().unwrap();
    let read = script.get("/api/audit?kind=audit+log+exported").json();
    let who: Vec<_> = read
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["who"])
        .collect();
    assert_eq!(who, ["token SIEM"]);
}

#[test]
fn each_of_two_tokens_with_one_name_leaves_an_entry_of_its_own() {
    let server = Server::start();
    for mut script in [auditor(&server), auditor(&server)] {
        for path in ["/api/audit", "/api/licenses", "/api/audit"] {
            assert_eq!(script.get(path).status, 200);
        }
    }
    server.tick().unwrap();
    let log = Page::open(&mut server.admin(), "/audit")
        .rows()
        .concat()
        .concat();
    for kind in ["audit log exported", "licenses exported"] {
        assert_eq!(log.matches(kind).count(), 2, "{log}");
    }
}

#[test]
fn an_entry_says_how_that_person_had_signed_in() {
    let server = Server::start();
    let secret = token(&mut server.admin(), "CI", "write=true", "2027-01-31");
    let bearer = format!("Bearer {secret}");
    let mut ci = server.stranger().header("Authorization", &bearer);
    ci.post("/api/licenses", r#"{"tool_name":"T","license_key":"k"}"#);
    let mut admin = server.admin();
    admin.delete("/api/licenses/1");
    let data = server.folder.path();
    add_person(&server, "anna", "staff");
    let mut disable = command(data);
    let disabled = disable.args(["admin", "disable", "anna"]).output().unwrap();
    assert!(disabled.status.success(), "{disabled:?}");
    let all = auditor(&server).get("/api/audit").json();
    let factor = |kind: &str| {
        let mut rows = all.as_array().unwrap().iter().rev();
        rows.find(|row| row["kind"] == kind).unwrap()["factor"].clone()
    };
    for (kind, expected) in [
        ("license added", json!("token")),
        ("license deleted", json!("password")),
        ("signed in", json!("password")),
        ("person disabled", json!("command line")),
        ("signing key created", Value::Null),
    ] {
        assert_eq!(factor(kind), expected, "{kind}");
    }
}

#[test]
fn the_command_line_exports_the_whole_log() {
    let (server, database) = Database::start();
    server.license("T", "k");
    let before = database.audit().len();
    let export = |format: &str| {
        let mut export = command(server.folder.path());
        let printed = export
            .args(["audit", "export", "--format", format])
            .output()
            .unwrap();
        assert!(printed.status.success(), "{printed:?}");
        String::from_utf8(printed.stdout).unwrap()
    };
    assert_eq!(lines(&export("jsonl")).len(), before);
    assert_eq!(export("csv").lines().count(), 1 + before + 1);
    let last = database.audit().pop().unwrap();
    assert_eq!(
        (&*last.kind, &*last.who),
        ("audit log exported", "command line")
    );
    server.service.verify_audit(None).unwrap();
}
