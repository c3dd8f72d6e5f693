//! A fault is never a result: locks, damage, a full disk, replaced files.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use license_server::clock::Clock;
use license_server::config::Config;
use license_server::model::server_clock::Drift;
use license_server::service::Service;
use rusqlite::OpenFlags;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::database::{Connection, Database};
use crate::engine::{self, sqlite_only};
use crate::hostile::exchange;
use crate::page::Page;
use crate::program::{Program, assert_names, command, is_started, log_in, refusal};
use crate::server::{Answer, Client, PASSWORD, Server};

fn file(server: &Server) -> PathBuf {
    server.folder.path().join("data/licenses.db")
}

fn assert_fault(answer: &Answer) {
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (503, &"error".into())
    );
    assert!(!answer.header("retry-after").is_empty());
}

/// Writes licenses of every kind directly into the database.
fn fill(database: &Database, count: u32) {
    database.tamper(&format!(
        "insert into tools (name, created_at) values ('Tool', 0);
         with recursive n (i) as (select 0 union all select i + 1 from n where i < {count} - 1)
         insert into licenses
             (created_at, tool_name, license_key, status, user_id, expiration_date, note)
         select 0, 'Tool', 'key-' || i,
             case i % 4 when 1 then 'suspended' when 2 then 'revoked' else 'activated' end,
             '', case i % 4 when 3 then '2020-01-01' else 'never' end, ''
         from n"
    ));
    if let Connection::Sqlite(db) = database.open() {
        db.execute_batch("pragma wal_checkpoint(truncate)").unwrap();
    }
}

/// The result that `key-NUMBER` must get.
fn truth(number: u32) -> (u16, &'static str) {
    match number % 4 {
        0 => (200, "License is active and valid."),
        1 => (403, "License status is 'suspended'."),
        2 => (403, "License status is 'revoked'."),
        _ => (403, "License has expired."),
    }
}

/// Checks these keys: each answer is right or a fault. Returns how many of each there were.
fn ask(client: &mut Client, numbers: impl Iterator<Item = u32>) -> (usize, usize) {
    let (mut truths, mut faults) = (0, 0);
    for number in numbers {
        let question = json!({"tool_name": "Tool", "license_key": format!("key-{number}")});
        let answer = client.post("/api/check", &question.to_string());
        let told = answer.json();
        if answer.status == 503 {
            assert_fault(&answer);
            faults += 1;
        } else {
            let (status, message) = truth(number);
            assert_eq!(
                (answer.status, &told["message"]),
                (status, &message.into()),
                "key-{number}"
            );
            truths += 1;
        }
    }
    (truths, faults)
}

/// Takes 5 s, because a write waits that long.
#[test]
fn while_the_database_is_locked_checks_work_and_a_write_is_503() {
    let server = Server::start();
    let database = Database::of_server(&server);
    fill(&database, 100);
    let admins = [server.admin(), server.admin()];
    let lock = database.lock();
    let write = |mut admin: Client| {
        let began = Instant::now();
        assert_fault(&admin.post("/api/licenses", r#"{"tool_name":"T","license_key":"k"}"#));
        let waited = began.elapsed().as_secs_f64();
        assert!((4.5..7.5).contains(&waited), "{waited}");
    };
    std::thread::scope(|scope| {
        let [first, second] = admins;
        let began = Instant::now();
        scope.spawn(|| write(first));
        while began.elapsed().as_secs() < 2 {
            assert_eq!(ask(&mut server.stranger(), 0..100), (100, 0));
        }
        // It waits for the first write and for the other program, 5 s in all.
        write(second);
    });
    drop(lock);
    server.license("T", "k");
}

#[test]
fn a_form_that_meets_a_busy_database_keeps_what_was_typed() {
    let server = Server::start();
    let id = server.license("T", "k");
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form
        .fill("tool_name", "T")
        .fill("license_key", "k2")
        .fill("note", "typed");
    let license = Page::open(&mut admin, &format!("/licenses/{id}"));
    let lock = Database::of_server(&server).lock();
    let added = form.submit(&mut admin);
    let revoked = license.press(&mut admin, "status=revoked");
    drop(lock);
    assert_eq!([added.status, revoked.status], [503, 503]);
    assert_eq!(
        (server.check("T", "k2").0, server.check("T", "k").0),
        (404, 200)
    );
    let again = added.form("/licenses/new");
    assert_eq!(
        (again.value("license_key"), again.value("note")),
        ("k2", "typed")
    );
    assert_eq!(again.submit(&mut admin).status, 200);
    assert_eq!(revoked.form("/status").submit(&mut admin).status, 200);
    assert_eq!(
        (server.check("T", "k2").0, server.check("T", "k").0),
        (200, 403)
    );
}

#[test]
fn an_unreadable_value_is_a_fault_of_its_license_only() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    fill(&database, 20);
    for value in [
        "status = 'bogus'",
        "status = ''",
        "status = 'Activated'",
        "status = x'6163746976617465640a'",
        "status = 1",
        "expiration_date = '2024-02-3x'",
        "expiration_date = '2027-02-29'",
        "expiration_date = ''",
        "expiration_date = 20270101",
        "expiration_date = x'323032372d30312d3031'",
    ] {
        let change = format!("update licenses set {value} where id = 9");
        if database.tamper_unchecked(&change).is_err() {
            assert!(engine::is_postgres(), "SQLite keeps any value: {value}");
            continue;
        }
        assert_eq!(ask(&mut server.stranger(), 0..20), (19, 1), "{value}");
        for path in ["/api/licenses", "/api/licenses/9"] {
            assert_fault(&admin.get(path));
        }
        for path in ["/licenses", "/licenses/9"] {
            assert_eq!(admin.get(path).status, 503, "{value}");
        }
        assert_eq!(admin.get("/api/licenses/8").status, 200);
        assert_fault(&admin.patch("/api/licenses/9", r#"{"user_id":"x"}"#));
        database.tamper(
            "update licenses set status = 'activated', expiration_date = 'never' where id = 9",
        );
    }
}

#[test]
fn a_license_with_an_unreadable_creation_date_is_checked_but_not_listed() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    fill(&database, 20);
    for moment in ["'yesterday'", "9223372036854775807", "x'00'", "'1.5'"] {
        let change = format!("update licenses set created_at = {moment} where id = 9");
        if database.tamper_unchecked(&change).is_err() {
            assert!(engine::is_postgres(), "SQLite keeps any value: {moment}");
            continue;
        }
        assert_eq!(ask(&mut server.stranger(), 0..20), (20, 0), "{moment}");
        assert_fault(&admin.get("/api/licenses"));
        assert_eq!(admin.get("/licenses").status, 503);
    }
}

#[test]
fn a_list_that_fails_halfway_is_not_valid_json() {
    let (server, database) = Database::start();
    fill(&database, 3_000);
    let mut admin = server.stranger().header("User-Agent", "raw");
    log_in(&mut admin, PASSWORD);
    let cookie = &admin.cookies["license_session"];
    let request = format!(
        "GET /api/licenses HTTP/1.1\r\nHost: localhost\r\nUser-Agent: raw\r\nConnection: close\r\nCookie: license_session={cookie}\r\n\r\n"
    );
    let list =
        || String::from_utf8(exchange(server.port, request.as_bytes(), true).unwrap()).unwrap();
    assert!(list().ends_with("]\r\n0\r\n\r\n"));
    let odd = "update licenses set status = 'odd' where id = 2500";
    database.tamper_unchecked(odd).unwrap();
    let broken = list();
    assert!(broken.starts_with("HTTP/1.1 200") && !broken.contains("odd"));
    // Rocket ends the chunks regularly, so only the JSON shows the fault.
    assert!(
        broken.contains(r#""id":1000,"#) && !broken.contains("}]"),
        "{}",
        broken.len()
    );
}

/// Replaces a page with what a failing disk may leave.
fn overwrite(file: &Path, page: u64, with: u8) {
    let noise: Vec<u8> = match with {
        0 => vec![0; 4096],
        1 => vec![0xff; 4096],
        _ => (0..4096u64)
            .map(|at| ((at + page).wrapping_mul(2_654_435_761) >> 7) as u8)
            .collect(),
    };
    let file = OpenOptions::new().write(true).open(file).unwrap();
    file.write_all_at(&noise, page * 4096).unwrap();
}

fn pages(file: &Path) -> u64 {
    fs::metadata(file).unwrap().len() / 4096
}

/// Whole pages only: SQLite has no checksums, so a few wrong bytes in an index can hide a key.
#[test]
fn damaged_pages_cause_faults_and_never_a_wrong_result() {
    if !sqlite_only("it damages the file") {
        return;
    }
    for with in 0..3 {
        let server = Server::start();
        fill(&Database::of_server(&server), 2_000);
        let db = rusqlite::Connection::open(file(&server)).unwrap();
        let mut stranger = server.stranger();
        assert_eq!(ask(&mut stranger, (0..2_000).step_by(97)), (21, 0));
        let version = db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        let version = version.unwrap();
        let (mut truths, mut faults) = (0, 0);
        for page in (20..pages(&file(&server))).step_by(9) {
            overwrite(&file(&server), page, with);
            // Any commit empties the caches; this one touches only the first page.
            db.pragma_update(None, "user_version", version).unwrap();
            drop(server.service.reload_if_others_wrote());
            let asked = ask(&mut stranger, (page as u32 % 13..2_000).step_by(13));
            (truths, faults) = (truths + asked.0, faults + asked.1);
        }
        assert!(truths > 0 && faults > 0, "{with}: {truths} {faults}");
    }
}

/// A folder with a closed database of a thousand licenses.
fn stopped() -> (TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        admin_password: Some(PASSWORD.to_owned()),
        ..engine::settings(&folder.path().join("data"))
    };
    let (service, _) = Service::open(&config, Clock::System).unwrap();
    fill(&Database::of(&config.data_dir), 1_000);
    service.close().unwrap();
    (folder, config)
}

#[test]
fn a_start_finds_a_damaged_page() {
    if !sqlite_only("it damages the file") {
        return;
    }
    let (_folder, config) = stopped();
    let file = config.data_dir.join("licenses.db");
    let (whole, mark) = (fs::read(&file).unwrap(), config.data_dir.join("clean"));
    let clean = fs::read(&mark).unwrap();
    let mut refused = 0;
    for page in (0..pages(&file)).step_by(5) {
        // The mark of the clean stop is of the file before it was changed.
        fs::write(&mark, &clean).unwrap();
        overwrite(&file, page, (page % 3) as u8);
        let damaged = fs::read(&file).unwrap();
        if let Err(refusal) = Service::open(&config, Clock::System) {
            refused += 1;
            assert_names(&refusal.0, &[file.to_str().unwrap()]);
            assert_eq!(fs::read(&file).unwrap(), damaged, "page {page}");
        }
        fs::write(&file, &whole).unwrap();
    }
    assert_eq!(refused, pages(&file).div_ceil(5));
    assert!(Service::open(&config, Clock::System).is_ok());
}

#[test]
fn only_after_a_clean_stop_an_untouched_file_is_not_read_as_a_whole() {
    if !sqlite_only("it damages the file") {
        return;
    }
    let (_folder, config) = stopped();
    let file = config.data_dir.join("licenses.db");
    let (whole, last_write) = (fs::read(&file).unwrap(), modified(&file));
    let mark = config.data_dir.join("clean");
    // Nothing but a reading of the whole file finds this damage: a start needs no license.
    let page = page_of(&file, "sqlite_autoindex_licenses_1");
    let damage = || {
        overwrite(&file, page, 2);
        set_modified(&file, last_write);
    };
    damage();
    drop(Service::open(&config, Clock::System).unwrap());
    // That start used the mark up, and did not end with a clean stop.
    assert!(!mark.exists());
    fs::write(&file, whole).unwrap();
    damage();
    assert!(Service::open(&config, Clock::System).is_err());
}

fn modified(file: &Path) -> SystemTime {
    fs::metadata(file).unwrap().modified().unwrap()
}

fn set_modified(file: &Path, time: SystemTime) {
    let file = OpenOptions::new().write(true).open(file).unwrap();
    file.set_modified(time).unwrap();
}

/// The number, from 0, of the first page of that index.
fn page_of(file: &Path, index: &str) -> u64 {
    let db = rusqlite::Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let root = "select rootpage - 1 from sqlite_schema where name = ?1";
    let root: i64 = db.query_row(root, [index], |row| row.get(0)).unwrap();
    root as u64
}

/// The one line with which the program refuses to start in this folder.
fn refused(folder: &Path) -> String {
    let mut child = command(folder).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    if stdout.lines().any(|line| is_started(&line.unwrap())) {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("it has started");
    }
    refusal(&child.wait_with_output().unwrap())
}

#[test]
fn a_foreign_database_is_refused_and_not_changed() {
    if !sqlite_only("it replaces the file") {
        return;
    }
    let (folder, config) = stopped();
    let file = config.data_dir.join("licenses.db");
    let whole = fs::read(&file).unwrap();
    let change = |sql: &str| {
        fs::write(&file, &whole).unwrap();
        rusqlite::Connection::open(&file)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        fs::read(&file).unwrap()
    };
    let foreign = {
        let other = folder.path().join("other");
        rusqlite::Connection::open(&other)
            .unwrap()
            .execute_batch("create table notes (text)")
            .unwrap();
        fs::read(other).unwrap()
    };
    let mut cut = whole.clone();
    cut.truncate(whole.len() / 2);
    for (content, way_out) in [
        (foreign, "`data_dir`"),
        (change("pragma application_id = 7"), "`data_dir`"),
        (change("pragma user_version = 99"), "licenses.db"),
        (vec![], "restore"),
        (
            change("pragma user_version = 0; pragma application_id = 0"),
            "`data_dir`",
        ),
        (
            b"Dear diary, this is not a database.\n".repeat(300),
            "restore",
        ),
        (b"short".to_vec(), "restore"),
        (vec![0; 40_960], "restore"),
        (cut, "restore"),
    ] {
        fs::write(&file, &content).unwrap();
        assert_names(&refused(folder.path()), &["data/licenses.db", way_out]);
        assert!(
            fs::read(&file).unwrap() == content,
            "{way_out}: the file is another one"
        );
    }
    fs::write(&file, whole).unwrap();
    drop(Program::start(folder.path()));
}

#[test]
fn a_missing_database_or_a_folder_in_its_place_is_refused() {
    if !sqlite_only("it moves the file") {
        return;
    }
    let (folder, config) = stopped();
    let file = config.data_dir.join("licenses.db");
    fs::rename(&file, folder.path().join("kept")).unwrap();
    assert_names(&refused(folder.path()), &["data/licenses.db", "restore"]);
    assert!(!file.exists());
    fs::create_dir(&file).unwrap();
    assert_names(&refused(folder.path()), &["data/licenses.db"]);
    fs::remove_dir(&file).unwrap();
    fs::rename(folder.path().join("kept"), &file).unwrap();
    drop(Program::start(folder.path()));
}

#[test]
fn a_first_start_that_failed_before_the_schema_is_repeated() {
    if !sqlite_only("it plants the files of a start that failed") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    for name in ["lock", "licenses.db.new"] {
        fs::write(folder.path().join("data").join(name), "").unwrap();
    }
    assert!(Program::start(folder.path()).password().is_some());
}

/// The copy of a database whose content was only in its log.
fn without_tables() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("pragma journal_mode = wal; create table t (x); drop table t; vacuum")
        .unwrap();
    db.execute_batch("pragma wal_checkpoint(truncate)").unwrap();
    fs::read(path).unwrap()
}

#[test]
fn an_empty_database_is_never_a_new_installation() {
    if !sqlite_only("it plants an empty file") {
        return;
    }
    for content in [vec![], without_tables()] {
        for lock in [None, Some(""), Some("initialized")] {
            let folder = tempfile::tempdir().unwrap();
            let data = folder.path().join("data");
            fs::create_dir(&data).unwrap();
            fs::write(data.join("licenses.db"), &content).unwrap();
            if let Some(lock) = lock {
                fs::write(data.join("lock"), lock).unwrap();
            }
            assert_names(&refused(folder.path()), &["data/licenses.db", "restore"]);
            let mut verify = command(folder.path());
            let verify = verify.args(["audit", "verify"]).output().unwrap();
            assert_names(&refusal(&verify), &["data/licenses.db"]);
            assert!(fs::read(data.join("licenses.db")).unwrap() == content);
        }
    }
}

/// A server in a folder, which was killed after it had written something, and its database before that.
fn killed() -> (TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let mut program = command(folder.path());
    drop(Program::run(with_password(&mut program)));
    let data = folder.path().join("data");
    let backup = folder.path().join("backup.db");
    let db = rusqlite::Connection::open(data.join("licenses.db")).unwrap();
    db.execute("vacuum into ?1", [backup.to_str().unwrap()])
        .unwrap();
    drop(db);
    let server = Program::start(folder.path());
    let mut admin = server.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    assert_eq!(add(&mut admin, 0..9, &mut vec![]), 9);
    drop(server);
    assert!(fs::metadata(data.join("licenses.db-wal")).unwrap().len() > 0);
    (folder, fs::read(backup).unwrap())
}

#[test]
fn after_a_kill_a_backup_beside_the_old_log_is_refused() {
    if !sqlite_only("it replaces the file beside its log") {
        return;
    }
    let (folder, backup) = killed();
    let file = folder.path().join("data/licenses.db");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &backup).unwrap();
    assert_names(&refused(folder.path()), &["remove licenses.db-wal"]);
    assert!(fs::read(&file).unwrap() == backup);
    // Either way out.
    fs::write(&file, whole).unwrap();
    let server = Program::start(folder.path());
    let mut admin = server.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    assert_eq!(licenses(&mut admin).len(), 9);
    drop((server, admin));
    fs::write(&file, backup).unwrap();
    fs::remove_file(folder.path().join("data/licenses.db-wal")).unwrap();
    let server = Program::start(folder.path());
    let mut admin = server.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    assert_eq!(licenses(&mut admin).len(), 0);
    // The restored one is now the one that the log belongs to.
    assert_eq!(add(&mut admin, 0..2, &mut vec![]), 2);
    drop((server, admin));
    let server = Program::start(folder.path());
    let mut admin = server.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    assert_eq!(licenses(&mut admin).len(), 2);
}

#[test]
fn a_copy_that_was_made_in_the_run_that_was_killed_is_refused_and_left_alone() {
    if !sqlite_only("it replaces the file beside its log") {
        return;
    }
    for own in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        drop(Program::run(with_password(&mut command(folder.path()))));
        let data = folder.path().join("data");
        let server = Program::start(folder.path());
        let mut admin = server.client();
        assert_eq!(log_in(&mut admin, PASSWORD), 200);
        assert_eq!(add(&mut admin, 0..30, &mut vec![]), 30);
        let copy = folder.path().join("copy.db");
        if own {
            let mut backup = command(folder.path());
            let done = backup.args(["backup", "copy.db"]).status().unwrap();
            assert!(done.success());
        } else {
            let db = rusqlite::Connection::open(data.join("licenses.db")).unwrap();
            db.execute("vacuum into ?1", [copy.to_str().unwrap()])
                .unwrap();
        }
        assert_eq!(add(&mut admin, 30..90, &mut vec![]), 60);
        drop(server);
        let file = data.join("licenses.db");
        let copy = fs::read(copy).unwrap();
        fs::write(&file, &copy).unwrap();
        assert_names(&refused(folder.path()), &["remove licenses.db-wal"]);
        assert!(fs::read(&file).unwrap() == copy, "own: {own}");
        fs::remove_file(data.join("licenses.db-wal")).unwrap();
        let server = Program::start(folder.path());
        let mut admin = server.client();
        assert_eq!(log_in(&mut admin, PASSWORD), 200);
        assert_eq!(licenses(&mut admin).len(), 30);
    }
}

#[test]
fn a_copy_of_the_file_alone_has_what_was_there_at_the_start() {
    if !sqlite_only("it copies the file") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Program::run(with_password(&mut command(folder.path())));
    let copy = tempfile::tempdir().unwrap();
    let data = copy.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(
        folder.path().join("data/licenses.db"),
        data.join("licenses.db"),
    )
    .unwrap();
    drop(server);
    let mut verify = command(copy.path());
    let verify = verify.args(["audit", "verify"]).output().unwrap();
    let printed = String::from_utf8(verify.stdout).unwrap();
    assert_names(&printed, &["Licenses: 0", "Signing keys: 1"]);
    let copy = Program::start(copy.path());
    assert_eq!(log_in(&mut copy.client(), PASSWORD), 200);
}

#[test]
fn a_symbolic_link_is_refused_and_its_target_untouched() {
    if !sqlite_only("it links the file") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    fs::write(&target, "private").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    std::os::unix::fs::symlink(&target, folder.path().join("data/licenses.db")).unwrap();
    assert_names(&refused(folder.path()), &["data/licenses.db", "link"]);
    let mode = fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn a_database_that_is_removed_or_replaced_takes_no_write() {
    if !sqlite_only("it removes the file") {
        return;
    }
    for replace in [false, true] {
        let server = Server::start();
        fill(&Database::of_server(&server), 200);
        let mut admin = server.admin();
        let (_folder, other) = stopped();
        fs::remove_file(file(&server)).unwrap();
        if replace {
            let other = rusqlite::Connection::open(other.data_dir.join("licenses.db")).unwrap();
            other
                .execute_batch("update licenses set status = 'suspended'")
                .unwrap();
            other
                .execute_batch("pragma wal_checkpoint(truncate)")
                .unwrap();
            fs::copy(other.path().unwrap(), file(&server)).unwrap();
        }
        assert_fault(&admin.post("/api/licenses", r#"{"tool_name":"T","license_key":"k"}"#));
        // Both threads, each with its own connection.
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| ask(&mut server.stranger(), 0..200));
            }
        });
    }
}

fn licenses(client: &mut Client) -> Vec<Value> {
    let list = client.get("/api/licenses").json();
    list.as_array()
        .unwrap()
        .iter()
        .map(|row| row["license_key"].clone())
        .collect()
}

/// Adds licenses and collects those that were acknowledged.
fn add(admin: &mut Client, names: std::ops::Range<u32>, acknowledged: &mut Vec<Value>) -> usize {
    let before = acknowledged.len();
    for name in names {
        let body = json!({"tool_name": "Tool", "license_key": format!("key-{}", name * 4)});
        let answer = admin.post("/api/licenses", &body.to_string());
        if answer.status == 201 {
            acknowledged.push(body["license_key"].clone());
        } else {
            assert_fault(&answer);
        }
    }
    acknowledged.len() - before
}

fn with_password(command: &mut Command) -> &mut Command {
    command.env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD)
}

#[test]
fn on_a_full_disk_checks_work_and_no_acknowledged_write_is_lost() {
    if !sqlite_only("the disk of the file is full") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // A limit on file sizes acts like a full disk, once its signal is ignored.
    let program = command(folder.path());
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; exec \"$0\""])
        .arg(program.get_program());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let server = Program::run(with_password(&mut shell));
    let limit = |bytes: u64| {
        let pid = server.child.id() as i32;
        let both = (bytes, rlimit::INFINITY);
        rlimit::prlimit(pid, rlimit::Resource::FSIZE, Some(both), None).unwrap();
    };
    let (mut admin, mut acknowledged) = (server.client(), vec![]);
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    assert_eq!(add(&mut admin, 0..20, &mut acknowledged), 20);
    limit(8 * 1024);
    assert_eq!(add(&mut admin, 20..60, &mut acknowledged), 0);
    assert_eq!(server.client().get("/ready").status, 503);
    assert_eq!(log_in(&mut server.client(), PASSWORD), 503);
    assert_eq!(ask(&mut server.client(), (0..80).step_by(4)), (20, 0));
    assert_eq!(licenses(&mut admin), acknowledged);
    limit(rlimit::INFINITY);
    assert_eq!(add(&mut admin, 60..80, &mut acknowledged), 20);
    limit(8 * 1024);
    assert_eq!(add(&mut admin, 80..90, &mut acknowledged), 0);
    drop(server);
    let again = Program::start(folder.path());
    let mut admin = again.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    assert_eq!(licenses(&mut admin), acknowledged);
}

#[test]
fn an_unwritable_log_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = command(folder.path());
    let server = Program::run(with_password(&mut command).stderr(full));
    let mut admin = server.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    assert_eq!(add(&mut admin, 0..3, &mut vec![]), 3);
    assert_eq!(admin.get("/nowhere").status, 404);
    assert_eq!(ask(&mut server.client(), [0, 4, 8].into_iter()), (3, 0));
}

/// Root may write everywhere, so this needs another user.
#[test]
fn a_read_only_database_stops_a_start_but_no_check() {
    if !sqlite_only("it is about the rights to the file") {
        return;
    }
    use std::os::unix::fs::{MetadataExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let (folder, config) = stopped();
    let data = config.data_dir;
    let is_root = fs::metadata(folder.path()).unwrap().uid() == 0;
    let mut program = command(folder.path());
    if is_root {
        let copy = folder.path().join("license-server");
        fs::copy(program.get_program(), &copy).unwrap();
        let mut theirs = vec![folder.path().to_owned(), data.clone()];
        theirs.extend(
            fs::read_dir(&data)
                .unwrap()
                .map(|entry| entry.unwrap().path()),
        );
        theirs
            .iter()
            .for_each(|path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap());
        program = Command::new(copy);
        program
            .current_dir(folder.path())
            .env("LICENSE_SERVER_PORT", "0")
            .uid(NOBODY)
            .gid(NOBODY);
        program
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let database = data.join("licenses.db");
    let server = Program::run(&mut program);
    mode(&database, 0o400);
    mode(&data, 0o500);
    assert_eq!(ask(&mut server.client(), 0..100), (100, 0));
    drop(server);
    let before = fs::read(&database).unwrap();
    mode(&data, 0o700);
    assert_names(
        &refusal(&program.output().unwrap()),
        &["data/licenses.db", "Permission denied"],
    );
    assert!(fs::read(&database).unwrap() == before);
    mode(&database, 0o600);
    if is_root {
        // As a start by root by mistake leaves it.
        let lock = data.join("lock");
        chown(&lock, Some(0), Some(0)).unwrap();
        mode(&lock, 0o600);
        let line = refusal(&program.output().unwrap());
        assert_names(&line, &["data/lock", "root", "chown"]);
        chown(&lock, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    drop(Program::run(&mut program));
}

#[test]
fn a_clock_that_contradicts_the_database_is_told() {
    let folder = tempfile::tempdir().unwrap();
    drop(Program::run(with_password(&mut command(folder.path()))));
    let database = Database::of(&folder.path().join("data"));
    let seen = |days: i64| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let at = now.unwrap().as_secs() as i64 + days * 86_400;
        database.unlock_audit();
        database.tamper(&format!(
            "update audit set at = {at};
             insert into tools (name, created_at) values ('T', 0) on conflict do nothing;
             delete from unlicensed_machines;
             insert into unlicensed_machines
                 (tool_name, license_key, first_at, last_at, check_count, address, version, hostname,
                  user_name)
                 values ('T', 'k', {at}, {at}, 1, '', '', '', '')"
        ));
    };
    let told = |event: &str| {
        let server = Program::start(folder.path());
        let mut admin = server.client();
        assert_eq!(log_in(&mut admin, PASSWORD), 200);
        let warned = !Page::open(&mut admin, "/").all("#wrong-clock").is_empty();
        let (_, log) = server.stop("TERM");
        (warned, log.matches(event).count())
    };
    seen(2);
    assert_eq!(told("clock_behind"), (true, 1));
    seen(-29);
    assert_eq!(told("clock_"), (false, 0));
    seen(-31);
    assert_eq!(told("clock_ahead"), (true, 1));
    // That start has left an entry with the right time.
    assert_eq!(told("clock_"), (false, 0));
}

#[test]
fn a_leap_of_the_clock_while_the_server_runs_is_noticed() {
    let server = Server::start();
    let drift = |days: i64| {
        server.clock.turn(days * 86_400);
        server.service.compare_clock().unwrap();
        server.service.wrong_clock().map(|clock| clock.drift)
    };
    assert_eq!(drift(20), None);
    assert_eq!(drift(400), Some(Drift::Ahead));
    assert_eq!(drift(-400), None);
    assert_eq!(drift(-2), Some(Drift::Behind));
}

#[test]
fn two_simultaneous_first_starts_show_one_password() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = std::thread::scope(|scope| {
            let start = || Program::start(folder.path());
            let (one, two) = (scope.spawn(start), scope.spawn(start));
            (one.join().unwrap(), two.join().unwrap())
        });
        let shown: Vec<_> = [&one, &two]
            .iter()
            .filter_map(|server| server.password())
            .collect();
        assert_eq!(shown.len(), 1);
        for server in [&one, &two] {
            assert_eq!(log_in(&mut server.client(), shown[0]), 200);
        }
    }
}
