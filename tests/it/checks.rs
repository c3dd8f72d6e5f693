//! Checks are counted without a write of their own, and the pages show them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::database::{Connection, Database};
use crate::page::Page;
use crate::program::{Program, command, log_in};
use crate::server::{Client, PASSWORD, Server};

const DAY: i64 = 86_400;

fn from(server: &Server, address: &str) -> Client {
    server.stranger().header("X-Forwarded-For", address)
}

fn ask(client: &mut Client, key: &str, said: Value) -> (u16, String) {
    let question = json!({"tool_name": "T", "license_key": key, "client": said});
    let answer = client.post("/api/check", &question.to_string());
    (answer.status, answer.body)
}

/// `last_seen_at` and `check_count` in `GET /api/licenses`.
fn row(server: &Server, id: i64) -> (Value, Value) {
    let row = server.admin().get(&format!("/api/licenses/{id}")).json();
    (row["last_seen_at"].clone(), row["check_count"].clone())
}

/// A column of the table of licenses on its first page.
fn column(server: &Server, query: &str, number: usize) -> Vec<String> {
    let page = Page::open(&mut server.admin(), &format!("/licenses{query}"));
    page.rows().iter().map(|row| row[number].clone()).collect()
}

fn number(db: &Connection, sql: &str) -> i64 {
    db.one(sql, &[])
}

#[test]
fn the_api_shows_when_a_license_was_last_seen() {
    let server = Server::start();
    let id = server.license("T", "k");
    assert_eq!(row(&server, id), (Value::Null, 0.into()));
    (0..3).for_each(|_| drop(server.check("T", "k")));
    server.tick().unwrap();
    assert_eq!(row(&server, id), ("2026-06-15 12:00:00".into(), 3.into()));
}

#[test]
fn refused_checks_are_recorded() {
    let server = Server::start();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "status": "revoked"}));
    assert_eq!(server.check("T", "k").0, 403);
    server.tick().unwrap();
    let page = Page::open(&mut server.admin(), &format!("/licenses/{id}"));
    assert_eq!(page.texts("#history ~ .table .revoked"), ["revoked"]);
    assert_eq!(row(&server, id).1, 1);
}

#[test]
fn client_data_never_changes_the_answer() {
    let server = Server::start();
    server.license("T", "k");
    let plain = server.check("T", "k");
    let long = "x".repeat(500);
    for said in [
        json!({"version": "2.1", "hostname": "PC-7", "user": "anna"}),
        json!({"version": long, "hostname": 7, "more": [null]}),
        json!("2.1"),
        json!(null),
        json!([[[[]]]]),
    ] {
        assert_eq!(
            ask(&mut server.stranger(), "k", said.clone()),
            plain,
            "{said}"
        );
    }
}

#[test]
fn the_page_of_a_license_shows_the_client_of_its_last_check() {
    let server = Server::start();
    let id = server.license("T", "k");
    let said = json!({"version": "2.1", "hostname": "<b>PC-7</b>", "user": "anna"});
    ask(&mut from(&server, "203.0.113.9"), "k", said);
    ask(&mut from(&server, "203.0.113.9"), "k", json!(null));
    server.tick().unwrap();
    let text = Page::open(&mut server.admin(), &format!("/licenses/{id}")).text();
    for words in [
        "2026-06-15 12:00",
        "203.0.113.9",
        "<b>PC-7</b>",
        "anna",
        "2.1",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn the_history_records_changes_and_not_every_check() {
    let (server, database) = Database::start();
    let id = server.license("T", "k");
    let history = || number(&database.open(), "select count(*) from check_history");
    for address in ["203.0.113.1", "203.0.113.1", "203.0.113.2", "203.0.113.1"] {
        ask(&mut from(&server, address), "k", json!(null));
        server.tick().unwrap();
    }
    assert_eq!(history(), 2);
    server.clock.turn(DAY);
    ask(&mut from(&server, "203.0.113.1"), "k", json!(null));
    ask(
        &mut from(&server, "203.0.113.1"),
        "k",
        json!({"version": "2"}),
    );
    server.tick().unwrap();
    assert_eq!(history(), 4);
    for n in 0..60 {
        ask(
            &mut from(&server, &format!("198.51.100.{n}")),
            "k",
            json!(null),
        );
        server.clock.turn(1);
    }
    server.tick().unwrap();
    assert_eq!((history(), row(&server, id).1), (50, 66.into()));
}

#[test]
fn deleting_a_license_deletes_its_checks() {
    let (server, database) = Database::start();
    let id = server.license("T", "k");
    server.check("T", "k");
    server.tick().unwrap();
    server.check("T", "k");
    server.admin().delete(&format!("/api/licenses/{id}"));
    server.tick().unwrap();
    let db = database.open();
    let left = number(
        &db,
        "select (select count(*) from last_checks) + (select count(*) from check_history)",
    );
    assert_eq!(left, 0);
}

#[test]
fn checks_are_counted_by_tool_day_and_result() {
    let (server, database) = Database::start();
    server.license("T", "k");
    server.add(json!({"tool_name": "T", "license_key": "r", "status": "revoked"}));
    for key in ["k", "k", "r", "unknown"] {
        server.check("T", key);
    }
    server.check("No such tool", "k");
    server.clock.turn(DAY);
    server.check("T", "k");
    server.tick().unwrap();
    let rows: Vec<(String, i64)> = database.all(
        "select tool_name || ' ' || day || ' ' || verdict, number from check_days order by day, verdict",
        &[],
    );
    let expected = [
        ("T 2026-06-15 NOT_FOUND", 1),
        ("T 2026-06-15 REVOKED", 1),
        ("T 2026-06-15 VALID", 2),
        ("T 2026-06-16 VALID", 1),
    ];
    assert_eq!(
        rows,
        expected.map(|(words, count)| (words.to_owned(), count))
    );
}

#[test]
fn unlicensed_machines_are_recorded_until_licensed() {
    let (server, database) = Database::start();
    server.license("T", "k");
    let unknown = || {
        number(
            &database.open(),
            "select cast(coalesce(sum(check_count), 0) as bigint) from unlicensed_machines",
        )
    };
    for (tool, key) in [
        ("T", "0A-1B-2C-3D-4E-5F"),
        ("T", "0a1b.2c3d.4e5f"),
        ("T", "0A 1B 2C 3D 4E 5F"),
    ] {
        assert_eq!(server.check(tool, key).0, 404);
    }
    server.tick().unwrap();
    assert_eq!(unknown(), 3);
    assert_eq!(server.check("T", "0A1B2C3D4E5F").0, 404);
    server.license("T", "0a:1b:2c:3d:4e:5f");
    server.tick().unwrap();
    assert_eq!(unknown(), 0);
}

#[test]
fn only_the_10_000_newest_unlicensed_machines_are_kept() {
    let (server, database) = Database::start();
    server.license("T", "k");
    database.tamper(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 10000)
         insert into unlicensed_machines (tool_name, license_key, first_at, last_at, check_count,
             address, version, hostname, user_name)
         select 'T', 'key ' || i, i, i, 1, '', '', '', '' from n",
    );
    assert_eq!(server.check("T", "newest").0, 404);
    server.tick().unwrap();
    let db = database.open();
    assert_eq!(
        number(&db, "select count(*) from unlicensed_machines"),
        10_000
    );
    let known = |key: &str| {
        number(
            &db,
            &format!("select count(*) from unlicensed_machines where license_key = '{key}'"),
        )
    };
    assert_eq!((known("newest"), known("key 1"), known("key 2")), (1, 0, 1));
}

#[test]
fn machines_without_a_tool_push_out_only_each_other_and_blocked_ones_stay() {
    let (server, database) = Database::start();
    server.license("T", "k");
    database.tamper(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 1500)
         insert into unlicensed_machines (tool_name, license_key, first_at, last_at, check_count,
             address, version, hostname, user_name, decision)
         select case when i > 2 then 'No tool' else 'T' end, 'key ' || i, i, i, 1, '', '', '', '',
             case when i = 3 then 'blocked' else '' end from n",
    );
    assert_eq!(server.check("No tool", "newest").0, 404);
    server.tick().unwrap();
    let db = database.open();
    let kept = |which: &str| {
        number(
            &db,
            &format!("select count(*) from unlicensed_machines where {which}"),
        )
    };
    assert_eq!(kept("tool_name = 'No tool' and decision = ''"), 1_000);
    assert_eq!(
        kept("license_key in ('key 1', 'key 2', 'key 3', 'newest')"),
        4
    );
}

#[test]
fn the_table_is_sorted_by_last_seen() {
    let server = Server::start();
    for key in ["never", "old", "new", "also never"] {
        server.license("T", key);
    }
    server.check("T", "old");
    server.clock.turn(40 * DAY);
    server.check("T", "new");
    server.tick().unwrap();
    let keys = |query| column(&server, query, 0);
    assert_eq!(
        keys("?sort=-last-seen"),
        ["new", "old", "also never", "never"]
    );
    assert_eq!(
        keys("?sort=last-seen"),
        ["never", "also never", "old", "new"]
    );
    assert_eq!(keys("?sort=-last-seen&q=new"), ["new"]);
    assert_eq!(
        keys("?sort=-last-seen&q=e&tool=T"),
        ["new", "also never", "never"]
    );
    let seen = column(&server, "?sort=-last-seen", 5);
    assert_eq!(seen, ["2026-07-25", "2026-06-15", "", ""]);
    assert_eq!(keys("?sort=created"), ["never", "old", "new", "also never"]);
}

#[test]
fn a_sorted_table_visits_every_row_once_in_both_directions() {
    let (server, database) = Database::start();
    server.license("A", "first");
    database.tamper(
        "insert into tools (name, created_at) values ('B', 0);
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 170)
         insert into licenses (created_at, tool_name, license_key, status, user_id, expiration_date,
             note, last_seen_on)
         select 0, case i % 2 when 0 then 'A' else 'B' end, 'key ' || i,
             case i % 3 when 0 then 'revoked' else 'activated' end, '', 'never', '',
             case when i % 4 = 0 then '' else '2026-06-0' || (i % 9 + 1) end
         from n",
    );
    let mut admin = server.admin();
    for (query, rows) in [("", 171), ("&tool=A", 86), ("&status=revoked", 56)] {
        for sort in ["last-seen", "-last-seen"] {
            let mut page = Page::open(&mut admin, &format!("/licenses?sort={sort}{query}"));
            let mut down = page.keys();
            while let Some(next) = page.next(&mut admin) {
                page = next;
                down.extend(page.keys());
            }
            let mut up = page.keys();
            while let Some(previous) = page.previous(&mut admin) {
                page = previous;
                up.splice(0..0, page.keys());
            }
            let different: std::collections::BTreeSet<&String> = down.iter().collect();
            assert_eq!((down.len(), different.len()), (rows, rows), "{sort}{query}");
            assert_eq!(down, up, "{sort}{query}");
        }
    }
}

#[test]
fn an_unwritable_database_delays_no_check_and_loses_no_check() {
    let (server, database) = Database::start();
    let id = server.license("T", "k");
    database.break_down("insert on last_checks", "0 = 0");
    assert_eq!(server.check("T", "k").0, 200);
    assert!(server.tick().is_err());
    assert_eq!(server.check("T", "k").0, 200);
    assert!(server.tick().is_ok(), "it is reported once");
    database.mend();
    server.tick().unwrap();
    assert_eq!(row(&server, id).1, 2);
}

#[test]
fn checks_of_many_licenses_are_written_in_several_seconds() {
    let (server, database) = Database::start();
    server.license("T", "k");
    database.tamper(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 6000)
         insert into licenses
             (created_at, tool_name, license_key, status, user_id, expiration_date, note)
         select 0, 'T', 'key ' || i, 'activated', '', 'never', '' from n",
    );
    std::thread::scope(|scope| {
        for part in 0..4 {
            let mut client = server.stranger();
            scope.spawn(move || {
                for n in (1 + part..=6000).step_by(4) {
                    let key = format!("key {n}");
                    assert_eq!(ask(&mut client, &key, json!({"version": "1"})).0, 200);
                }
            });
        }
    });
    let recorded = || {
        number(
            &database.open(),
            "select cast(coalesce(sum(check_count), 0) as bigint) from last_checks",
        )
    };
    for second in 1..=6 {
        server.tick().unwrap();
        assert_eq!(recorded(), 1000 * second);
    }
    let with_version = "select count(*) from last_checks where version = '1' and verdict = 'VALID'";
    assert_eq!(number(&database.open(), with_version), 6000);
}

#[test]
fn after_a_sigterm_under_load_every_answered_check_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Program::run(command(folder.path()).env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD));
    let mut admin = server.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    for n in 0..20 {
        let body = json!({"tool_name": "T", "license_key": format!("key {n}")}).to_string();
        assert_eq!(admin.post("/api/licenses", &body).status, 201);
    }
    let port = server.port();
    let (sender, busy) = mpsc::channel();
    let answered: i64 = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|first| {
                let busy = sender.clone();
                scope.spawn(move || checks_until_closed(port, first, &busy))
            })
            .collect();
        (0..8).for_each(|_| busy.recv().unwrap());
        let (code, _) = server.stop("TERM");
        assert_eq!(code, Some(0));
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    });
    let db = Database::of(&folder.path().join("data")).open();
    let sum = |table: &str, column: &str| {
        number(
            &db,
            &format!("select cast(sum({column}) as bigint) from {table}"),
        )
    };
    assert_eq!(sum("last_checks", "check_count"), answered);
    assert_eq!(sum("check_days", "number"), answered);
}

/// Checks over one connection until the server closes it, and counts the answers; reports when a
/// hundred have come.
fn checks_until_closed(port: u16, first: usize, busy: &mpsc::Sender<()>) -> i64 {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
    let mut answered = 0;
    loop {
        let key = (first + answered as usize) % 20;
        let body = format!(r#"{{"tool_name":"T","license_key":"key {key}"}}"#);
        let length = body.len();
        let request = format!(
            "POST /api/check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        if stream.get_mut().write_all(request.as_bytes()).is_err() || !is_answered(&mut stream) {
            return answered;
        }
        answered += 1;
        if answered == 100 {
            busy.send(()).unwrap();
        }
    }
}

/// Whether a complete valid answer came.
fn is_answered(stream: &mut BufReader<TcpStream>) -> bool {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if !stream.read_line(&mut line).is_ok_and(|read| read > 0) {
            return false;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).is_ok() && body.starts_with(br#"{"status":"valid""#)
}
