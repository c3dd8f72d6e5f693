//! Importing tables and JSON arrays on the page.

use std::io::Write as _;

use serde_json::json;

use crate::database::Database;
use crate::page::Page;
use crate::pages::has_names;
use crate::server::{Answer, Client, Server};

const BOUNDARY: &str = "----boundary";

/// The file of invalid rows, the section that lists them, and the option that skips them.
pub const INVALID_FILE: &str = "invalid.csv";
const INVALID_SECTION: &str = "section[aria-labelledby=invalid]";
pub const SKIP_INVALID: &str = "--skip-invalid";

/// The last line of an export that failed, which no import takes.
pub const INCOMPLETE: &str = "THE EXPORT BROKE OFF HERE";

const HEADER: &str = "tool_name,license_key,status,user_id,expiration_date,note,created_at";

/// The published example, as the earlier server sends it.
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

/// The content type and body of a form with a file.
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

/// Uploads a file with the form.
pub fn upload(client: &mut Client, name: &str, file: impl AsRef<[u8]>) -> Page {
    let form = Page::open(client, "/import").form("/import");
    let answer = post(client, form.value("csrf"), name, file.as_ref());
    Page::after(client, "/import", answer)
}

/// The four numbers of a preview: new, changed, unchanged and invalid rows.
pub fn numbers(page: &Page) -> [i64; 4] {
    let shown = page.texts(".numbers strong").join(" ");
    let numbers = all_numbers(&shown).try_into();
    numbers.unwrap_or_else(|_| panic!("{} {}", page.status, page.text()))
}

/// The numbers of the result: added, changed, unchanged and skipped rows.
pub fn imported(page: &Page) -> Vec<i64> {
    all_numbers(&page.texts("p.verdict").concat())
}

pub fn all_numbers(text: &str) -> Vec<i64> {
    let text = text.replace(',', "");
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Confirms a preview and follows the import to its end.
pub fn confirm(client: &mut Client, preview: &Page) -> Page {
    let mut page = preview.form(&preview.path).submit(client);
    while page.all("progress").len() == 1 {
        page = Page::open(client, &page.path);
    }
    page
}

pub fn import(client: &mut Client, file: impl AsRef<[u8]>) -> Page {
    let preview = upload(client, "licenses.csv", file);
    confirm(client, &preview)
}

/// The line of each invalid row and the reason.
fn invalid(page: &Page) -> Vec<(i64, String)> {
    let cells = page.texts(&format!("{INVALID_SECTION} tbody td"));
    let rows = cells.chunks(3);
    rows.map(|row| (all_numbers(&row[0])[0], row[2].clone()))
        .collect()
}

pub fn table(server: &Server) -> serde_json::Value {
    server.admin().get("/api/licenses").json()
}

// Reading

#[test]
fn a_table_is_previewed_confirmed_and_counts_immediately() {
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
    assert_eq!(imported(&done), [1, 0, 0, 0]);
    assert_eq!(server.check("T", "0a:1b:2c:3d:4e:5f").0, 200);
    let row = &table(&server)[0];
    assert_eq!(row["created_at"], "2023-10-27 10:00:00");
    assert_eq!(
        (&row["status"], &row["expiration_date"]),
        (&json!("activated"), &json!("2026-12-31"))
    );
}

#[test]
fn common_file_formats_are_read() {
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
fn the_array_of_the_earlier_server_is_imported_unchanged() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = upload(&mut admin, "older.json", OLDER);
    confirm(&mut admin, &page);
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
fn every_stored_value_can_be_imported_again() {
    let server = Server::start();
    let mut admin = server.admin();
    for key in ["1E+05", INCOMPLETE] {
        server.add(json!({"tool_name": "T", "license_key": key, "note": INCOMPLETE}));
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
fn invalid_rows_are_listed_with_their_lines_and_skipped() {
    let server = Server::start();
    let mut admin = server.admin();
    let file = format!(
        "{HEADER}\nT,k1,,,,,\n,k2,,,,,\nT,k3,,,2026-02-30,,\n\nT,k4,gone,,,,\nT,k1,,,,,\nT,4.41E+11,,,,,\nT,k5,,,,,yesterday\n"
    );
    let page = upload(&mut admin, "f.csv", file);
    assert_eq!(numbers(&page), [1, 0, 0, 6]);
    let expected = [
        (3, ""),
        (4, "2026-02-30"),
        (6, "gone"),
        (7, "2"),
        (8, "4.41E+11"),
        (9, "yesterday"),
    ];
    let listed = invalid(&page);
    assert_eq!(listed.len(), expected.len());
    for ((line, why), (expected_line, word)) in listed.iter().zip(expected) {
        assert_eq!(*line, expected_line);
        assert!(why.contains(word), "{line} {why}");
    }
    let all = admin.get(&format!("/import/1/{INVALID_FILE}"));
    let disposition = all.header("content-disposition");
    assert!(disposition.starts_with("attachment") && disposition.contains(".csv"));
    assert_eq!(all.body.lines().count(), 7, "{}", all.body);
    assert_eq!(imported(&confirm(&mut admin, &page)), [1, 0, 0, 6]);
    assert_eq!(table(&server).as_array().unwrap().len(), 1);
}

#[test]
fn a_change_is_previewed_and_absent_columns_stay_unchanged() {
    let server = Server::start();
    let mut admin = server.admin();
    server.add(json!({"tool_name": "T", "license_key": "k1", "user_id": "Anna", "note": "n", "status": "suspended"}));
    let page = upload(
        &mut admin,
        "f.csv",
        "tool,key,user,mail,status\nT,k1,Bob,x,\n",
    );
    assert_eq!(numbers(&page), [0, 1, 0, 0]);
    let changes = ["del", "ins"].map(|kind| page.texts(&format!(".changed li {kind}")));
    assert_eq!(changes, [["Anna"], ["Bob"]]);
    assert!(page.texts(".warning")[0].contains("mail"));
    confirm(&mut admin, &page);
    let row = &table(&server)[0];
    assert_eq!(
        (&row["user_id"], &row["note"], &row["status"]),
        (&json!("Bob"), &json!("n"), &json!("suspended"))
    );
}

#[test]
fn weak_machine_ids_and_new_tools_are_pointed_out() {
    let server = Server::start();
    server.license("T", "k-there");
    let page = upload(
        &mut server.admin(),
        "f.csv",
        "tool,key\nT,00:00:00:00:00:00\nUvw,fine-key-1\n",
    );
    assert_eq!(numbers(&page), [2, 0, 0, 0]);
    assert_eq!(
        page.texts("section[aria-labelledby=warnings] th[scope=row]"),
        ["00:00:00:00:00:00"]
    );
    assert_eq!(page.texts(".warning code"), ["Uvw"]);
}

// Refusing

#[test]
fn an_unreadable_file_is_refused_with_a_reason() {
    let server = Server::start();
    let mut admin = server.admin();
    let incomplete = format!("tool,key\nT,k\n\"{INCOMPLETE}: x\"\n");
    let mut reasons = std::collections::BTreeSet::new();
    for (name, file, word) in [
        ("", &b""[..], ""),
        ("f.csv", b"", ""),
        ("f.csv", b"tool_name,license_key\n", ""),
        ("f.json", b"[]", ""),
        ("f.json", b"[{\"tool\": ", "JSON"),
        ("f.json", b"{}", ""),
        ("f.csv", b"[]", "f.json"),
        ("f.csv", b"PK\x03\x04\0\0", "xlsx"),
        ("f.csv", incomplete.as_bytes(), ""),
    ] {
        let page = upload(&mut admin, name, file);
        assert_eq!((page.status, page.path.as_str()), (422, "/import"));
        let problem = page.problem("file").unwrap();
        assert!(problem.contains(word), "{word}: {problem}");
        assert!(reasons.insert(problem.clone()), "twice: {problem}");
        has_names(&page);
    }
}

#[test]
fn only_a_form_of_this_session_can_upload_a_file() {
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
    assert_eq!(answer.status, 401);
    assert!(database.rows() == before);
    assert_eq!(
        post(&mut admin, &csrf, "f.csv", b"tool,key\nT,k\n").status,
        303
    );
}

#[test]
fn a_file_has_at_most_16_mib() {
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
        assert!(page.text().contains("16 MiB"), "{}", page.text());
    }
    assert!(database.rows() == before);
}

#[test]
fn a_file_has_at_most_250_000_rows_and_ten_files_are_kept() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let page = upload(
        &mut admin,
        "f.csv",
        "tool,key\n".to_owned() + &"T,\n".repeat(250_001),
    );
    assert_eq!(page.status, 422);
    let problem = page.problem("file").unwrap();
    assert!(problem.contains("250,001"), "{problem}");
    for _ in 0..12 {
        upload(&mut admin, "f.csv", "tool,key\nT,k\n");
    }
    let sql = "select min(id), count(*) from imports";
    assert_eq!(database.one::<(i64, i64)>(sql, &[]), (3, 10));
    assert_eq!(Page::open(&mut admin, "/import/2").status, 404);
}

// Confirming

#[test]
fn a_stale_preview_is_shown_again_and_nothing_is_imported() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let page = upload(&mut admin, "f.csv", "tool,key,user\nT,k1,Bob\nT,k2,Bob\n");
    server.license("T", "k2");
    let before = database.rows();
    let again = confirm(&mut admin, &page);
    assert_eq!(numbers(&again), [1, 1, 0, 0]);
    assert!(!again.alert().is_empty());
    assert!(database.rows() == before);
    confirm(&mut admin, &again);
    assert_eq!(table(&server).as_array().unwrap().len(), 2);
}

#[test]
fn confirming_twice_imports_once() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let page = upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    let done = confirm(&mut admin, &page);
    let id = table(&server)[0]["id"].as_i64().unwrap();
    admin.delete(&format!("/api/licenses/{id}"));
    let before = database.rows();
    assert_eq!(confirm(&mut admin, &page).text(), done.text());
    assert_eq!(page.form("/leave").submit(&mut admin).status, 409);
    assert!(database.rows() == before);
}

#[test]
fn a_running_import_shows_its_progress_and_excludes_others() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let first = upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    let other = upload(&mut admin, "g.csv", "tool,key\nT,k2\n");
    let lock = database.lock();
    let running = first.form("/import/1").submit(&mut admin);
    assert!(running.heading().contains("f.csv"), "{}", running.heading());
    assert_eq!(
        running.all("meta[http-equiv=refresh][content='1']").len(),
        1
    );
    let progress = running.all("progress[max='1'][value='0']");
    assert_eq!(progress.len(), 1, "{}", running.text());
    has_names(&running);
    let again = first.form("/import/1").submit(&mut admin);
    assert_eq!(again.all("progress").len(), 1);
    let refused = other.form("/import/2").submit(&mut admin);
    assert_eq!(refused.status, 409);
    assert_eq!(first.form("/leave").submit(&mut admin).status, 409);
    drop(lock);
    let done = confirm(&mut admin, &first);
    assert_eq!(imported(&done), [1, 0, 0, 0]);
    assert_eq!(table(&server).as_array().unwrap().len(), 1);
}

#[test]
fn an_import_that_fails_changes_nothing() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    database.break_down("insert on licenses", "new.license_key = 'k3'");
    let page = upload(&mut admin, "f.csv", "tool,key\nT,k1\nT,k2\nT,k3\nT,k4\n");
    let before = database.rows();
    let failed = confirm(&mut admin, &page);
    assert!(!failed.alert().is_empty());
    assert!(database.rows() == before);
    database.mend();
    assert_eq!(imported(&confirm(&mut admin, &failed)), [4, 0, 0, 0]);
    assert_eq!(server.check("T", "k3").0, 200);
}

#[test]
fn the_import_and_each_of_its_licenses_are_in_the_audit_log() {
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
    let after = &imported.after;
    let values = ["file", "added", "changed"].map(|name| after[name].clone());
    assert_eq!(values, [json!("licenses.csv"), json!(1), json!(1)]);
    let mut numbers: Vec<i64> = after
        .as_object()
        .unwrap()
        .values()
        .filter_map(serde_json::Value::as_i64)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 1, 1]);
}

#[test]
fn a_file_is_kept_for_a_day_or_until_it_is_discarded() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let page = upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    let left = page.form("/leave").submit(&mut admin);
    assert!(left.flash().unwrap().contains("f.csv"));
    upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    server.clock.turn(24 * 3600 + 1);
    let mut admin = server.admin();
    for path in ["/import/1", "/import/2"] {
        let gone = Page::open(&mut admin, path);
        assert_eq!((gone.status, gone.has_form("/import")), (404, true));
        assert!(!gone.alert().is_empty());
    }
    upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    assert_eq!(database.count("imports"), 1);
}

#[test]
fn every_state_of_the_pages_is_accessible() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("T", "k1");
    let form = Page::open(&mut admin, "/import");
    let nothing = upload(&mut admin, "f.csv", "tool,key\nT,k1\n");
    assert_eq!(nothing.all("p.verdict.activated").len(), 1);
    assert!(!nothing.has_form("/import/1"));
    let hopeless = upload(&mut admin, "f.csv", "tool,key\nT,\n");
    assert_eq!(hopeless.all("p.verdict.revoked").len(), 1);
    assert!(!hopeless.has_form("/import/2"));
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
fn a_long_list_of_invalid_rows_is_cut_and_can_be_downloaded() {
    let server = Server::start();
    let mut admin = server.admin();
    let rows: Vec<String> = (0..250).map(|at| format!("T,k{at},x{at}\n")).collect();
    let page = upload(
        &mut admin,
        "f.csv",
        format!("tool,key,expires\n{}", rows.concat()),
    );
    assert_eq!(invalid(&page).len(), 200);
    assert_eq!(all_numbers(&page.texts("p.more").concat()), [50]);
    let file = admin.get(&format!("/import/1/{INVALID_FILE}")).body;
    assert_eq!(file.lines().count(), 251);
}
