//! Importing and exporting: tables, JSON arrays, dry runs, one transaction.

use std::fmt::Write;
use std::io::Write as _;
use std::process::Stdio;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;

use crate::database::Database;
use crate::page::{Page, urlencoded};
use crate::pages::has_names;
use crate::program::{Program, assert_names, command, log_in, refusal};
use crate::server::{Answer, Client, PASSWORD, Server};

const BOUNDARY: &str = "----boundary";
const HEADER: &str = "tool_name,license_key,status,user_id,expiration_date,note,created_at";

/// The published example, as the older server answers it.
const OLDER: &str = r#"[
{
"id": 1,
"created_at": "2023-10-27 10:00:00",
"tool_name": "Tool_A",
"license_key": "0a:1b:2c:3d:4e:5f",
"status": "activated",
"user_id": "user_001",
"expiration_date": "2024-12-31"
}
]"#;

/// The body of a form with a file in it.
pub fn multipart(csrf: &str, name: &str, file: &[u8]) -> (String, Vec<u8>) {
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(file);
    write!(body, "\r\n--{BOUNDARY}--\r\n").unwrap();
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

fn post(client: &mut Client, csrf: &str, name: &str, file: &[u8]) -> Answer {
    let (kind, body) = multipart(csrf, name, file);
    let origin = client.origin();
    let headers = [("Content-Type", &*kind), ("Origin", &*origin)];
    client.send("POST", "/import", &headers, &body)
}

/// Sends a file over the form of the page.
fn upload(client: &mut Client, name: &str, file: impl AsRef<[u8]>) -> Page {
    let form = Page::open(client, "/import").form("/import");
    let answer = post(client, form.value("csrf"), name, file.as_ref());
    Page::after(client, "/import", answer)
}

/// The four numbers of a dry run.
fn numbers(page: &Page) -> [i64; 4] {
    let numbers: Vec<i64> = page
        .texts(".numbers strong")
        .iter()
        .map(|number| number.replace(',', "").parse().unwrap())
        .collect();
    numbers
        .try_into()
        .unwrap_or_else(|_| panic!("{} {}", page.status, page.text()))
}

/// Presses the button of a dry run and looks until the import is over.
fn confirm(client: &mut Client, dry_run: &Page) -> Page {
    let form = dry_run.form(&dry_run.path);
    let button = form.buttons().next().unwrap().to_owned();
    let mut page = form.submit(client, &button);
    while page.all("progress").len() == 1 {
        page = Page::open(client, &page.path);
    }
    page
}

fn import(client: &mut Client, file: impl AsRef<[u8]>) -> Page {
    let dry_run = upload(client, "licenses.csv", file);
    confirm(client, &dry_run)
}

/// Where each wrong row is, and why.
fn wrong(page: &Page) -> Vec<(String, String)> {
    let rows = page.texts("section[aria-labelledby=wrong] tbody td");
    rows.chunks(3)
        .map(|row| (row[0].clone(), row[2].clone()))
        .collect()
}

fn table(server: &Server) -> serde_json::Value {
    server.admin().get("/api/licenses").json()
}

// Reading

#[test]
fn a_table_is_looked_at_confirmed_and_checked_at_once() {
    let server = Server::start();
    let mut admin = server.admin();
    let file = format!("{HEADER}\nT,0A-1B-2C-3D-4E-5F,,Anna,31.12.2026,,2023-10-27 10:00:00\n");
    assert_eq!(server.check("T", "0a:1b:2c:3d:4e:5f").0, 404);
    let page = upload(&mut admin, "C:\\my licenses.csv", file);
    assert_eq!((page.path.as_str(), page.status), ("/import/1", 200));
    assert!(page.heading().starts_with("my licenses.csv"));
    assert_eq!(numbers(&page), [1, 0, 0, 0]);
    assert_eq!(table(&server), json!([]));
    let done = confirm(&mut admin, &page);
    assert!(
        done.text()
            .contains("1 added, 0 changed, 0 as before, 0 left out")
    );
    assert_eq!(server.check("T", "0a:1b:2c:3d:4e:5f").0, 200);
    let row = &table(&server)[0];
    assert_eq!(row["created_at"], "2023-10-27 10:00:00");
    assert_eq!(
        (&row["status"], &row["expiration_date"]),
        (&json!("activated"), &json!("2026-12-31"))
    );
}

#[test]
fn every_usual_file_is_read() {
    let server = Server::start();
    let mut admin = server.admin();
    let utf16: Vec<u8> = "\u{feff}Tool\tKey\tCustomer\nT\tk\tÄnne\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for file in [
        "tool_name,license_key,user_id\nT,k,Änne\n".into(),
        "\u{feff}Tool Name;License Key;Customer\r\nT;k;Änne\r\n".into(),
        "sep=;\r\ntool;key;customer\r\nT;k;Änne\r\n".into(),
        b"tool;key;user\r\nT;k;\xc4nne\r\n".to_vec(),
        utf16,
        r#"[{"tool_name":"T","license_key":"k","user_id":"Änne","x":1}]"#.into(),
    ] {
        let page = upload(&mut admin, "f", &file);
        assert_eq!(numbers(&page), [1, 0, 0, 0], "{file:?}");
        assert_eq!(page.texts("section[aria-labelledby=new] td")[1], "Änne");
    }
}

#[test]
fn the_older_servers_array_is_imported_as_it_is() {
    let server = Server::start();
    let mut admin = server.admin();
    import(&mut admin, OLDER);
    let row = &table(&server)[0];
    let older: serde_json::Value = serde_json::from_str(OLDER).unwrap();
    for (name, value) in older[0].as_object().unwrap() {
        assert_eq!(&row[name], value, "{name}");
    }
    assert_eq!(numbers(&upload(&mut admin, "again", OLDER)), [0, 0, 1, 0]);
    let own = admin.get("/api/licenses").body;
    assert_eq!(numbers(&upload(&mut admin, "own", own)), [0, 0, 1, 0]);
}

#[test]
fn what_the_server_has_is_never_wrong_when_it_comes_back() {
    let server = Server::start();
    let mut admin = server.admin();
    for key in ["1E+05", "THE EXPORT BROKE OFF HERE"] {
        server.add(
            json!({"tool_name": "T", "license_key": key, "note": "THE EXPORT BROKE OFF HERE"}),
        );
    }
    for path in ["/licenses.csv", "/api/licenses"] {
        let whole = admin.get(path).body;
        assert_eq!(
            numbers(&upload(&mut admin, "whole", whole)),
            [0, 0, 2, 0],
            "{path}"
        );
    }
}

#[test]
fn wrong_rows_are_named_with_their_lines_and_left_out() {
    let server = Server::start();
    let mut admin = server.admin();
    let file = format!(
        "{HEADER}\nT,k1,,,,,\n,k2,,,,,\nT,k3,,,2026-02-30,,\n\nT,k4,gone,,,,\nT,k1,,,,,\nT,4.41E+11,,,,,\nT,k5,,,,,yesterday\n"
    );
    let page = upload(&mut admin, "f.csv", file);
    assert_eq!(numbers(&page), [1, 0, 0, 6]);
    let expected = [
        ("line 3", "tool name"),
        ("line 4", "2026-02-30"),
        ("line 6", "`gone`"),
        ("line 7", "at line 2"),
        ("line 8", "4.41E+11"),
        ("line 9", "yesterday"),
    ];
    for ((line, why), (expected_line, word)) in wrong(&page).iter().zip(expected) {
        assert_eq!(line, expected_line);
        assert!(why.contains(word), "{line} {why}");
    }
    let all = admin.get("/import/1/wrong.csv");
    assert!(all.header("content-disposition").contains("wrong-rows.csv"));
    assert_eq!(all.body.lines().count(), 7, "{}", all.body);
    assert_eq!(
        page.form("/import/1").buttons().next(),
        Some("Import 1 row, leave out 6")
    );
    confirm(&mut admin, &page);
    assert_eq!(table(&server).as_array().unwrap().len(), 1);
}

#[test]
fn a_change_is_shown_before_and_after_and_keeps_what_has_no_column() {
    let server = Server::start();
    let mut admin = server.admin();
    server.add(json!({"tool_name": "T", "license_key": "k1", "user_id": "Anna", "note": "n", "status": "suspended"}));
    let page = upload(
        &mut admin,
        "f.csv",
        "tool,key,user,mail,status\nT,k1,Bob,x,\n",
    );
    assert_eq!(numbers(&page), [0, 1, 0, 0]);
    assert_eq!(page.texts(".changed li"), ["Customer: Anna → Bob"]);
    assert!(page.texts(".warning")[0].contains("mail"));
    confirm(&mut admin, &page);
    let row = &table(&server)[0];
    assert_eq!(
        (&row["user_id"], &row["note"], &row["status"]),
        (&json!("Bob"), &json!("n"), &json!("suspended"))
    );
}

#[test]
fn keys_that_identify_poorly_and_new_tools_are_pointed_out() {
    let server = Server::start();
    server.license("T", "k-there");
    let page = upload(
        &mut server.admin(),
        "f.csv",
        "tool,key\nT,00:00:00:00:00:00\nt,fine-key-1\n",
    );
    assert_eq!(numbers(&page), [2, 0, 0, 0]);
    assert_eq!(
        page.texts("section[aria-labelledby=doubts] th[scope=row]"),
        ["00:00:00:00:00:00"]
    );
    assert!(page.texts(".warning")[0].contains("New tools come into being: t."));
}

// Refusing

#[test]
fn a_file_that_cannot_be_read_comes_back_with_the_reason() {
    let server = Server::start();
    let mut admin = server.admin();
    for (file, word) in [
        (&b""[..], "empty"),
        (b"tool_name,license_key\n", "no row"),
        (b"[]", "empty array"),
        (b"[{\"tool\": ", "JSON"),
        (b"{}", "array"),
        (b"a,b\n1,2\n", "tool_name"),
        (b"PK\x03\x04\0\0", "xlsx"),
        (
            b"tool,key\nT,k\n\"THE EXPORT BROKE OFF HERE: x\"\n",
            "broke off",
        ),
    ] {
        let page = upload(&mut admin, "f.csv", file);
        assert_eq!((page.status, page.path.as_str()), (422, "/import"));
        let problem = page.problem("file").unwrap();
        assert!(problem.contains(word), "{word}: {problem}");
        has_names(&page);
    }
    let page = upload(&mut admin, "", b"");
    assert!(page.problem("file").unwrap().contains("Choose a file"));
}

#[test]
fn only_a_page_of_this_session_may_send_a_file() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let csrf = Page::open(&mut admin, "/import")
        .form("/import")
        .value("csrf")
        .to_owned();
    let before = database.rows();
    let (kind, body) = multipart(&csrf, "f.csv", b"tool,key\nT,k\n");
    for (header, value) in [
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ] {
        let headers = [("Content-Type", &*kind), (header, value)];
        assert_eq!(admin.send("POST", "/import", &headers, &body).status, 403);
    }
    assert_eq!(
        post(&mut admin, "", "f.csv", b"tool,key\nT,k\n").status,
        403
    );
    let without = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\ntool,key\nT,k\n\r\n--{BOUNDARY}--\r\n"
    );
    let headers = [("Content-Type", &*kind)];
    assert_eq!(
        admin
            .send("POST", "/import", &headers, without.as_bytes())
            .status,
        403
    );
    assert_eq!(
        admin.send("POST", "/import", &headers, b"no parts").status,
        400
    );
    assert_eq!(
        admin
            .send(
                "POST",
                "/import",
                &[("Content-Type", "multipart/form-data")],
                &body
            )
            .status,
        400
    );
    assert_eq!(
        admin
            .send(
                "POST",
                "/import",
                &[("Content-Type", "application/json")],
                b"{}"
            )
            .status,
        415
    );
    let answer = server.stranger().send("POST", "/import", &headers, &body);
    assert!(answer.header("location").starts_with("/login"));
    assert!(database.rows() == before);
    assert_eq!(
        post(&mut admin, &csrf, "f.csv", b"tool,key\nT,k\n").status,
        303
    );
}

#[test]
fn a_file_may_have_16_mib_and_no_more() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let mut file = b"tool,key\nT,k".to_vec();
    file.resize(16 * 1024 * 1024, b'\n');
    assert_eq!(numbers(&upload(&mut admin, "f.csv", &file)), [1, 0, 0, 0]);
    let before = database.rows();
    for size in [16 * 1024 * 1024 + 1, 40_000_000] {
        file.resize(size, b'\n');
        let page = upload(&mut admin, "f.csv", &file);
        assert_eq!(page.status, 413);
        assert!(
            page.text().contains("larger than 16 MiB"),
            "{}",
            page.text()
        );
    }
    assert!(database.rows() == before);
}

#[test]
fn a_file_may_have_250_000_rows_and_ten_may_wait() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let page = upload(
        &mut admin,
        "f.csv",
        "tool,key\n".to_owned() + &"T,\n".repeat(250_001),
    );
    assert_eq!(page.status, 422);
    let problem = page.problem("file").unwrap();
    assert!(problem.contains("250,001 rows"), "{problem}");
    for _ in 0..12 {
        upload(&mut admin, "f.csv", "tool,key\nT,k\n");
    }
    let sql = "select min(id), count(*) from imports";
    let kept = database
        .open()
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(kept.unwrap(), (3, 10));
    assert_eq!(Page::open(&mut admin, "/import/2").status, 404);
}

// Confirming

#[test]
fn what_changed_since_the_dry_run_is_shown_again_and_nothing_written() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let page = upload(&mut admin, "f.csv", "tool,key,user\nT,k1,Bob\nT,k2,Bob\n");
    server.license("T", "k2");
    let before = database.rows();
    let again = confirm(&mut admin, &page);
    assert_eq!(numbers(&again), [1, 1, 0, 0]);
    assert!(
        again.alert().contains("Nothing was imported"),
        "{}",
        again.alert()
    );
    assert!(database.rows() == before);
    confirm(&mut admin, &again);
    assert_eq!(table(&server).as_array().unwrap().len(), 2);
}

#[test]
fn a_second_confirmation_imports_nothing_again() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let page = upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    let done = confirm(&mut admin, &page);
    let id = table(&server)[0]["id"].as_i64().unwrap();
    admin.delete(&format!("/api/licenses/{id}"));
    let before = database.rows();
    assert_eq!(confirm(&mut admin, &page).text(), done.text());
    assert_eq!(
        page.form("/leave")
            .submit(&mut admin, "Discard the file")
            .status,
        409
    );
    assert!(database.rows() == before);
}

#[test]
fn while_it_runs_its_page_shows_how_far_and_no_second_one_starts() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let first = upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    let other = upload(&mut admin, "g.csv", "tool,key\nT,k2\n");
    let lock = database.open();
    lock.execute_batch("begin immediate").unwrap();
    let running = first.form("/import/1").submit(&mut admin, "Import 1 row");
    assert_eq!(running.heading(), "Importing f.csv");
    assert_eq!(
        running.all("meta[http-equiv=refresh][content='1']").len(),
        1
    );
    let progress = running.all("progress[max='1'][value='0']");
    assert_eq!(progress.len(), 1, "{}", running.text());
    has_names(&running);
    let again = first.form("/import/1").submit(&mut admin, "Import 1 row");
    assert_eq!(again.heading(), "Importing f.csv");
    assert_eq!(
        other
            .form("/import/2")
            .submit(&mut admin, "Import 1 row")
            .status,
        409
    );
    assert_eq!(
        first
            .form("/leave")
            .submit(&mut admin, "Discard the file")
            .status,
        409
    );
    lock.execute_batch("rollback").unwrap();
    let done = confirm(&mut admin, &first);
    assert!(done.text().contains("1 added"), "{}", done.text());
    assert_eq!(table(&server).as_array().unwrap().len(), 1);
}

#[test]
fn a_fault_in_the_middle_leaves_nothing() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    database.tamper(
        "create trigger fault before insert on licenses when new.license_key = 'k3'
         begin select raise(abort, 'fault'); end",
    );
    let page = upload(&mut admin, "f.csv", "tool,key\nT,k1\nT,k2\nT,k3\nT,k4\n");
    let before = database.rows();
    let failed = confirm(&mut admin, &page);
    assert!(
        failed.alert().contains("Nothing was imported"),
        "{}",
        failed.text()
    );
    assert!(database.rows() == before);
    database.tamper("drop trigger fault");
    assert!(confirm(&mut admin, &failed).text().contains("4 added"));
    assert_eq!(server.check("T", "k3").0, 200);
}

#[test]
fn each_license_and_the_import_are_in_the_audit_log() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    server.license("T", "k1");
    import(&mut admin, "tool,key,user\nT,k1,Bob\nT,k2,\nT,,\n");
    let noted = database.audit();
    let [.., changed, added, imported] = &noted[..] else {
        panic!()
    };
    assert_eq!(
        (&*changed.kind, &*added.kind),
        ("license changed", "license added")
    );
    assert_eq!(
        (&*imported.kind, &*imported.who),
        ("licenses imported", "admin")
    );
    let after: serde_json::Value = serde_json::from_str(imported.after.as_ref().unwrap()).unwrap();
    assert_eq!(
        after,
        json!({"file": "licenses.csv", "added": 1, "changed": 1, "as before": 0, "left out": 1})
    );
}

#[test]
fn a_file_that_was_left_or_is_a_day_old_is_gone() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let page = upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    let left = page.form("/leave").submit(&mut admin, "Discard the file");
    assert_eq!(
        left.flash().unwrap(),
        "f.csv was not imported; nothing was changed."
    );
    upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    server.clock.turn(24 * 3600 + 1);
    let mut admin = server.admin();
    for path in ["/import/1", "/import/2"] {
        let gone = Page::open(&mut admin, path);
        assert_eq!(
            (gone.status, gone.heading().as_str()),
            (404, "Import licenses")
        );
        assert!(gone.alert().contains("no longer here"));
    }
    upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    let kept: i64 = database
        .open()
        .query_row("select count(*) from imports", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn every_state_of_the_pages_has_names() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("T", "k1");
    let form = Page::open(&mut admin, "/import");
    let nothing = upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    assert!(
        nothing.text().contains("Nothing to change"),
        "{}",
        nothing.text()
    );
    let hopeless = upload(&mut admin, "f.csv", "tool,key\nT,\n");
    assert!(hopeless.text().contains("Every row is wrong"));
    let mixed = upload(
        &mut admin,
        "f.csv",
        "tool,key,user,x\nT,k1,Bob,\nT,0000,,\nT,,,\n",
    );
    let done = confirm(&mut admin, &mixed);
    for page in [form, nothing, hopeless, mixed, done] {
        has_names(&page);
    }
}

#[test]
fn a_long_list_of_wrong_rows_is_cut_and_offered_whole() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = upload(
        &mut admin,
        "f.csv",
        format!("tool,key\n{}", "T,\n".repeat(250)),
    );
    assert_eq!(wrong(&page).len(), 200);
    assert!(page.text().contains("And 50 more."));
    assert_eq!(admin.get("/import/1/wrong.csv").body.lines().count(), 251);
}

// Exporting

fn export(server: &Server, query: &str) -> Answer {
    server.admin().get(&format!("/licenses.csv{query}"))
}

#[test]
fn an_export_has_what_the_filter_finds() {
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
    let first =
        "1,2026-06-15 12:00:00,A,k1,activated,\"Anna, \"\"B\"\"\",2026-06-20,\"two\nlines\",,0\r\n";
    assert!(all.body.starts_with(&format!("\u{feff}id,created_at,tool_name,license_key,status,user_id,expiration_date,note,last_seen_at,check_count\r\n{first}")), "{}", all.body);
    for (query, found) in [
        ("?tool=A", vec!["k1", "k2"]),
        ("?status=revoked", vec!["k2"]),
        ("?q=k3", vec!["k3"]),
        ("?ends=7", vec!["k1"]),
        ("?ends=never", vec!["k2", "k3"]),
        ("?ends=never&tool=A", vec!["k2"]),
        ("?seen=never", vec!["k1", "k2", "k3"]),
        ("?customer=nobody", vec![]),
    ] {
        let body = export(&server, query).body;
        let is_there = |key: &&str| body.contains(&format!(",{key},"));
        let keys: Vec<&str> = ["k1", "k2", "k3"].into_iter().filter(is_there).collect();
        assert_eq!(keys, found, "{query}");
    }
    let page = Page::open(&mut server.admin(), "/licenses?tool=A&sort=key");
    let links = page.links();
    assert!(
        links.contains(&("Export as CSV".into(), "/licenses.csv?tool=A".into())),
        "{links:?}"
    );
}

/// Rows of several pieces, oldest first, over both ways to them.
#[test]
fn a_long_export_is_whole_and_one_that_breaks_off_says_so() {
    let (server, database) = Database::start();
    database.tamper(
        "insert into tools (name, created_at) values ('T', 0);
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 2500)
         insert into licenses (created_at, tool_name, license_key, status)
         select 0, 'T', 'key-' || i, 'activated' from n",
    );
    for query in ["", "?ends=never", "?tool=T"] {
        let body = export(&server, query).body;
        let ids: Vec<&str> = body
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().unwrap())
            .collect();
        let expected: Vec<String> = (1..=2500).map(|id| id.to_string()).collect();
        assert_eq!(ids, expected, "{query}");
    }
    database.tamper("update licenses set created_at = 'x' where id = 2200");
    let broken = export(&server, "");
    assert_eq!(broken.status, 200);
    assert!(
        broken
            .body
            .lines()
            .last()
            .unwrap()
            .starts_with("\"THE EXPORT BROKE OFF HERE")
    );
    let page = upload(&mut server.admin(), "f.csv", broken.body);
    assert_eq!(page.status, 422);
    assert!(page.problem("file").unwrap().contains("broke off"));
}

#[test]
fn a_formula_is_defused_and_restored() {
    let server = Server::start();
    let mut admin = server.admin();
    for (n, customer) in ["=1+1", "+49 1", "@x", "-5", "'=x", "'quoted"]
        .iter()
        .enumerate()
    {
        server
            .add(json!({"tool_name": "=T", "license_key": format!("-k{n}"), "user_id": customer}));
    }
    let body = export(&server, "").body;
    for cell in body.split([',', '\n']) {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{cell}");
    }
    let page = upload(&mut admin, "f.csv", body);
    assert_eq!(numbers(&page), [0, 0, 6, 0], "{}", page.text());
}

/// Texts rich in what has a meaning in tables, as the validator takes them.
fn text(most: usize) -> impl Strategy<Value = String> {
    let rich = proptest::string::string_regex("[,;\t\"'=+@ äE1|\\[{a-c-]{0,12}").unwrap();
    prop_oneof![rich, "\\PC{0,20}"].prop_map(move |text| {
        text.chars()
            .filter(|c| !c.is_control())
            .take(most)
            .collect()
    })
}

#[test]
fn what_was_exported_changes_nothing_when_it_is_imported() {
    let license = (
        text(100),
        text(200),
        text(200),
        proptest::option::of("20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"),
        proptest::sample::select(vec!["activated", "suspended", "revoked"]),
        proptest::collection::vec(text(50), 0..4),
    );
    let config = ProptestConfig {
        cases: 8,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..ProptestConfig::default()
    };
    proptest!(config, |(licenses in proptest::collection::vec(license, 10..40))| {
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
        // Into an empty server it makes the same table.
        let other = Server::start();
        let mut elsewhere = other.admin();
        import(&mut elsewhere, &exported);
        let rows = |body: &str| -> Vec<serde_json::Value> {
            let mut rows: Vec<serde_json::Value> = serde_json::from_str(body).unwrap();
            rows.iter_mut().for_each(|row| row["id"] = json!(0));
            rows
        };
        prop_assert_eq!(rows(&elsewhere.get("/api/licenses").body), rows(&before));
        prop_assert!(all > 5, "{}", all);
    });
}

// Many

/// A table of so many rows with 50 faults of six kinds, and the lines of these.
fn planted(rows: usize) -> (String, Vec<String>) {
    let mut file = "tool_name,license_key,status,user_id,expiration_date\r\n".to_owned();
    let mut lines = vec![];
    for n in 0..rows {
        let key = format!(
            "00:1b:21:{:02x}:{:02x}:{:02x}",
            n >> 16,
            n >> 8 & 255,
            n & 255
        );
        let good = format!(
            "Tool_{},{key},activated,\"Acme, No. {n}\",2027-12-31\r\n",
            n % 5
        );
        if n % (rows / 50) != rows / 100 {
            file += &good;
            continue;
        }
        lines.push(format!("line {}", grouped(n + 2)));
        match lines.len() % 6 {
            0 => write!(file, ",{key},activated,x,\r\n").unwrap(),
            1 => write!(file, "T,,activated,x,\r\n").unwrap(),
            2 => write!(file, "T,{key},gone,x,\r\n").unwrap(),
            3 => write!(file, "T,{key},,x,2026-02-30\r\n").unwrap(),
            4 => write!(file, "T,{key},,x,01/02/2026\r\n").unwrap(),
            _ => write!(file, "Tool_0,00:1b:21:00:00:00,,x,\r\n").unwrap(),
        }
    }
    (file, lines)
}

fn grouped(number: usize) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    }
}

fn spreadsheet(rows: usize) {
    let server = Server::start();
    let mut admin = server.admin();
    let (file, lines) = planted(rows);
    let watch = std::time::Instant::now();
    let tell = |what: &str| eprintln!("{what}: {:.1} s", watch.elapsed().as_secs_f64());
    let page = upload(&mut admin, "many.csv", file);
    tell("dry run");
    assert_eq!(numbers(&page), [rows as i64 - 50, 0, 0, 50]);
    let found: Vec<String> = wrong(&page).into_iter().map(|(line, _)| line).collect();
    assert_eq!(found, lines);
    let button = format!("Import {} rows, leave out 50", grouped(rows - 50));
    assert_eq!(page.form("/import/1").buttons().next(), Some(&*button));
    let done = confirm(&mut admin, &page);
    tell("imported");
    assert!(
        done.text()
            .contains(&format!("{} added", grouped(rows - 50))),
        "{}",
        done.text()
    );
    assert_eq!(server.check("Tool_0", "00-1B-21-00-00-00").0, 200);
    let exported = admin.get("/licenses.csv").body;
    tell("exported");
    assert_eq!(exported.lines().count(), rows - 50 + 1);
    let again = upload(&mut admin, "many.csv", exported);
    tell("looked at again");
    assert_eq!(numbers(&again), [0, 0, rows as i64 - 50, 0]);
    assert!(again.text().contains("Nothing to change"));
}

#[test]
fn a_spreadsheet_of_many_rows_with_planted_faults() {
    spreadsheet(20_000);
}

/// `cargo test --release --test it -- --ignored --nocapture import::`
#[test]
#[ignore = "needs a release build to be quick"]
fn a_spreadsheet_of_100_000_rows_with_planted_faults() {
    spreadsheet(100_000);
}

#[test]
fn a_server_that_is_stopped_in_the_middle_has_imported_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = command(folder.path());
        command.env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD);
        let program = Program::run(&mut command);
        let mut admin = program.client();
        assert_eq!(log_in(&mut admin, PASSWORD), 200);
        (program, admin)
    };
    let (mut program, mut admin) = start();
    // Each row takes long enough that the import cannot end before the server does.
    Database::of(&folder.path().join("data")).tamper(
        "create trigger slow after insert on licenses begin
             select count(*) from (
                 with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
                 select i from n);
         end",
    );
    let mut page = upload(&mut admin, "many.csv", planted(20_000).0);
    for (signal, code) in [("TERM", Some(0)), ("KILL", None)] {
        let form = page.form("/import/1");
        let button = form.buttons().next().unwrap().to_owned();
        let running = form.submit(&mut admin, &button);
        assert_eq!(running.heading(), "Importing many.csv");
        assert_eq!(program.stop(signal).0, code, "{signal}");
        (program, admin) = start();
        assert_eq!(admin.get("/api/licenses?limit=1").body, "[]");
        page = Page::open(&mut admin, "/import/1");
        assert_eq!(numbers(&page), [19_950, 0, 0, 50]);
    }
}

// The command line

fn run(folder: &std::path::Path, arguments: &[&str], input: &str) -> std::process::Output {
    let mut child = command(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn the_command_line_imports_and_exports_beside_a_running_server() {
    let (server, _) = Database::start();
    let folder = server.folder.path();
    assert_eq!(server.check("T", "k1").0, 404);
    let file = "tool,key,mail\nT,k1,x\nT,\nT,k2\n";
    let output = run(folder, &["import", "-"], file);
    assert_names(
        &refusal(&output),
        &["Nothing was imported", "--leave-out-wrong"],
    );
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_names(
        &printed,
        &[
            "standard input: 2 new, 0 changed, 0 unchanged, 1 wrong",
            "line 3: The license key",
            "Not imported: mail",
        ],
    );
    let dry = run(
        folder,
        &["import", "-", "--dry-run", "--leave-out-wrong"],
        file,
    );
    assert!(
        String::from_utf8(dry.stdout)
            .unwrap()
            .contains("Nothing was changed.")
    );
    assert_eq!(table(&server), json!([]));
    let done = run(folder, &["import", "-", "--leave-out-wrong"], file);
    assert!(
        String::from_utf8(done.stdout)
            .unwrap()
            .contains("Imported: 2 added")
    );
    server.tick().unwrap();
    assert_eq!(server.check("T", "k1").0, 200);
    let csv = run(folder, &["export"], "").stdout;
    assert_eq!(String::from_utf8(csv).unwrap(), export(&server, "").body);
    let json = run(folder, &["export", "--format", "json"], "").stdout;
    assert_eq!(
        String::from_utf8(json).unwrap().trim_end(),
        server.admin().get("/api/licenses").body
    );
    let again = run(folder, &["import", "-"], &export(&server, "").body);
    assert_eq!(again.status.code(), Some(0));
    let missing = run(folder, &["import", "nothing.csv"], "");
    assert_names(&refusal(&missing), &["nothing.csv"]);
}

#[test]
fn a_filter_with_signs_of_addresses_is_exported() {
    let server = Server::start();
    server.add(json!({"tool_name": "R & D", "license_key": "k1"}));
    server.add(json!({"tool_name": "R", "license_key": "k2"}));
    let body = export(&server, &format!("?tool={}", urlencoded("R & D"))).body;
    assert!(body.contains("k1") && !body.contains("k2"), "{body}");
}
