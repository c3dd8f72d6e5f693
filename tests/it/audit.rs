//! The audit log: every action leaves an entry, and no entry changes undetected.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use license_server::clock::Clock;
use license_server::config::Config;
use license_server::model::audit::{Actor, AuditFilter, BEGINNING, HashLength, Kind, link};
use license_server::service::Service;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::database::{Database, Noted};
use crate::engine;
use crate::guards::token;
use crate::page::Page;
use crate::server::{PASSWORD, START, Server};

fn last(database: &Database) -> Noted {
    database.audit().pop().unwrap()
}

#[test]
fn each_action_leaves_one_entry() {
    let (server, database) = Database::start();
    let mut seen = database.audit().len();
    let mut is_noted = |kind: &str, who: &str| {
        let all = database.audit();
        let new: Vec<(&str, &str, &str)> = all[seen..]
            .iter()
            .map(|noted| {
                (
                    noted.kind.as_str(),
                    noted.who.as_str(),
                    noted.address.as_str(),
                )
            })
            .collect();
        assert_eq!(new, [(kind, who, "127.0.0.1")]);
        seen = all.len();
    };
    let log_in = |name: &str, password: &str| {
        let body = json!({"username": name, "password": password}).to_string();
        server.stranger().post("/api/login", &body).status
    };
    assert_eq!(log_in("admin", "wrong"), 401);
    server.tick().unwrap();
    is_noted("sign-in failed", "admin");
    assert_eq!(log_in("nobody\n", "wrong"), 401);
    server.tick().unwrap();
    is_noted("sign-in failed", "nobody");
    let mut admin = server.admin();
    is_noted("signed in", "admin");

    let secret = token(&mut admin, "CI", "write=true", "2026-12-31");
    is_noted("token created", "admin");
    let mut ci = server
        .stranger()
        .header("Authorization", &format!("Bearer {secret}"));
    ci.post("/api/licenses", r#"{"tool_name":"T","license_key":"k"}"#);
    is_noted("license added", "token CI");
    admin.patch("/api/licenses/1", r#"{"status":"suspended"}"#);
    is_noted("license changed", "admin");
    Page::open(&mut admin, "/licenses/1").press(&mut admin, "status=revoked");
    is_noted("license changed", "admin");
    let form = Page::open(&mut admin, "/licenses/1/delete").form("/licenses/1/delete");
    form.submit(&mut admin);
    is_noted("license deleted", "admin");
    let form = Page::open(&mut admin, "/account/tokens/1/revoke").form("/account/tokens/1/revoke");
    form.submit(&mut admin);
    is_noted("token revoked", "admin");

    drop(server.admin());
    is_noted("signed in", "admin");
    let form = Page::open(&mut admin, "/account").form("/account/sessions/2/end");
    form.submit(&mut admin);
    is_noted("session ended", "admin");
    let form = Page::open(&mut admin, "/account").form("/account/password");
    let form = form
        .fill("current", PASSWORD)
        .fill("new", "another horse battery");
    form.fill("again", "another horse battery")
        .submit(&mut admin);
    is_noted("password changed", "admin");
    Page::open(&mut admin, "/account")
        .form("/logout")
        .submit(&mut admin);
    is_noted("signed out", "admin");
}

/// The sign-ins that failed according to the log: one for each entry without a number.
fn failed(database: &Database) -> (usize, i64) {
    let all = database.audit();
    let failed = all.iter().filter(|noted| noted.kind == "sign-in failed");
    let numbers: Vec<i64> = failed
        .map(|noted| noted.after["attempts"].as_i64().unwrap_or(1))
        .collect();
    (numbers.len(), numbers.iter().sum())
}

#[test]
fn a_thousand_failed_sign_ins_leave_few_entries_and_are_all_counted() {
    let (server, database) = Database::start();
    let fail = |who: &str, address: [u8; 4]| {
        let address = std::net::IpAddr::from(address);
        let service = &server.service;
        let actor = Actor::other("", who, address);
        service.note_refusal(Kind::SignInFailed, &actor, address);
    };
    // Somebody who mistypes it is seen at once, and the number a minute later.
    (0..3).for_each(|_| fail("admin", [192, 0, 2, 1]));
    server.tick().unwrap();
    assert_eq!(failed(&database), (1, 1));
    server.clock.turn(60);
    server.tick().unwrap();
    assert_eq!(failed(&database), (2, 3));
    let noted = last(&database);
    assert_eq!((&*noted.who, &*noted.address), ("admin", "192.0.2.1"));
    let row = &Page::open(&mut server.admin(), "/audit?kind=sign-in+failed").rows()[0];
    assert!(row[1].contains("attempts 2"), "{row:?}");
    // One who tries many names from many addresses.
    for n in 0..=255 {
        fail(&format!("name {n}"), [198, 51, 100, n]);
        fail("admin", [203, 0, 113, n]);
        fail("admin", [203, 0, 113, 0]);
        fail("root", [203, 0, 113, 0]);
    }
    server.service.write_notes(true).unwrap();
    let (entries, number) = failed(&database);
    assert_eq!(number, 3 + 4 * 256);
    assert!(entries <= 2 + 2 * 5 + 1, "{entries}");
    // Without a pause, a minute costs one entry for each.
    for _ in 0..10 {
        fail("admin", [192, 0, 2, 1]);
        server.clock.turn(60);
        server.tick().unwrap();
    }
    let (later, number) = failed(&database);
    assert_eq!(number, 3 + 4 * 256 + 10);
    assert!(later <= entries + 11, "{later}");
}

#[test]
fn a_flood_of_sign_ins_leaves_a_few_entries_and_a_note() {
    let (server, database) = Database::start();
    for n in 0..40 {
        let body = json!({"username": format!("name {n}"), "password": "x"}).to_string();
        server.stranger().post("/api/login", &body);
    }
    server.clock.turn(60);
    server.tick().unwrap();
    let all = database.audit();
    let note = |kind: &str| {
        let mut of_kind = all.iter().rev().filter(|noted| noted.kind == kind);
        let last = of_kind.next().unwrap();
        let after = &last.after;
        let numbers = (after["attempts"].clone(), after["addresses"].clone());
        assert_eq!(last.who, "several");
        (numbers, of_kind.count())
    };
    assert_eq!(note("sign-in failed"), ((json!(5), json!(1)), 5));
    assert_eq!(note("sign-in throttled"), ((json!(30), json!(1)), 0));
}

/// From a thousand addresses, as one subscriber of a tunnel broker may have them.
#[test]
fn a_flood_from_many_addresses_leaves_one_note_a_minute_for_each_kind() {
    let (server, database) = Database::start();
    let from = |n: u32| {
        let address = format!("2001:db8:{n:x}::1");
        server.stranger().header("X-Forwarded-For", &address)
    };
    let before = database.audit().len();
    for n in 0..40 {
        let body = json!({"username": "admin", "password": "x"}).to_string();
        from(n).post("/api/login", &body);
        let mut thief = from(n).header("Authorization", "Bearer lsk_nothing");
        assert_eq!(thief.get("/api/licenses").status, 401);
    }
    server.clock.turn(60);
    server.tick().unwrap();
    let noted: Vec<Noted> = database.audit().drain(before..).collect();
    let of = |kind: &str| {
        let mut of = noted.iter().filter(|noted| noted.kind == kind);
        let first = of.next().unwrap();
        assert!(of.next().is_none(), "{kind}");
        (
            first.after["attempts"].clone(),
            first.after["addresses"].clone(),
        )
    };
    assert_eq!(of("sign-in throttled"), (json!(30), json!(30)));
    assert_eq!(of("token refused"), (json!(40), json!(40)));
}

#[test]
fn reading_all_licenses_leaves_an_entry() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let secret = token(&mut admin, "CI", "read=true", "2026-12-31");
    let before = database.audit().len();
    assert_eq!(admin.get("/licenses.csv").status, 200);
    let bearer = format!("Bearer {secret}");
    let mut ci = server.stranger().header("Authorization", &bearer);
    for path in ["/api/licenses", "/api/licenses", "/api/licenses?limit=5"] {
        assert_eq!(ci.get(path).status, 200);
    }
    server.clock.turn(3_600);
    ci.get("/api/licenses");
    server.tick().unwrap();
    let noted = database.audit().split_off(before);
    let noted: Vec<_> = noted.iter().map(|n| (&*n.kind, &*n.who)).collect();
    let exported = |who| ("licenses exported", who);
    assert_eq!(noted, ["admin", "token CI", "token CI"].map(exported));
}

#[test]
fn a_change_is_logged_with_old_and_new_values() {
    let (server, database) = Database::start();
    let id = server.add(json!({"tool_name": "T", "license_key": "0A1B2C3D4E5F", "user_id": "Ann"}));
    let values = |more: Value| {
        let mut all = json!({"tool_name": "T", "license_key": "0a:1b:2c:3d:4e:5f"});
        let (all_values, more) = (all.as_object_mut().unwrap(), more.as_object().unwrap());
        all_values.extend(more.clone());
        all
    };
    let expected = |kind: &str, before: Value, after: Value| {
        let noted = last(&database);
        assert_eq!((&*noted.kind, noted.license_id), (kind, Some(id)));
        assert_eq!((noted.before, noted.after), (before, after));
    };
    let added = values(json!({"user_id": "Ann"}));
    expected("license added", Value::Null, added);
    let mut admin = server.admin();
    admin.patch(
        &format!("/api/licenses/{id}"),
        r#"{"status":"revoked","expiration_date":"2026-12-31"}"#,
    );
    // What stayed the same is left out, except for the pair.
    expected(
        "license changed",
        values(json!({"status": "activated"})),
        values(json!({"status": "revoked", "expiration_date": "2026-12-31"})),
    );
    admin.delete(&format!("/api/licenses/{id}"));
    let last_values =
        json!({"status": "revoked", "user_id": "Ann", "expiration_date": "2026-12-31"});
    expected("license deleted", values(last_values), Value::Null);
}

#[test]
fn a_request_that_changes_nothing_leaves_no_entry() {
    let (server, database) = Database::start();
    server.license("T", "k");
    let mut admin = server.admin();
    let before = database.audit();
    admin.patch("/api/licenses/1", r#"{"status":"activated"}"#);
    admin.patch("/api/licenses/1", r#"{"status":"unheard of"}"#);
    admin.patch("/api/licenses/99", r#"{"status":"revoked"}"#);
    admin.delete("/api/licenses/99");
    admin.post("/api/licenses", r#"{"tool_name":"T","license_key":"k"}"#);
    server.check("T", "k");
    assert_eq!(database.audit(), before);
}

#[test]
fn no_entry_contains_a_secret() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let secret = token(&mut admin, "CI", "write=true", "2026-12-31");
    let body = json!({"username": "admin", "password": "a wrong password"}).to_string();
    server.stranger().post("/api/login", &body);
    let noted = format!("{:?}", database.audit());
    for secret in [
        &secret[4..],
        PASSWORD,
        "a wrong password",
        &admin.cookies["license_session"],
    ] {
        assert!(!noted.contains(secret), "{secret}");
    }
}

#[test]
fn the_page_shows_changes_and_filters_by_key_kind_and_day() {
    let server = Server::start();
    server.license("T", "0a:1b:2c:3d:4e:5f");
    server.clock.turn(24 * 3600);
    let mut admin = server.admin();
    admin.patch("/api/licenses/1", r#"{"status":"revoked"}"#);
    let mut found = |query: &str| {
        let rows = Page::open(&mut admin, &format!("/audit?{query}")).rows();
        rows.into_iter()
            .map(|row| row[1].clone())
            .collect::<Vec<_>>()
    };
    let changed = found("kind=license+changed");
    assert_eq!(changed.len(), 1);
    assert!(
        changed[0].contains("activated") && changed[0].contains("revoked"),
        "{changed:?}"
    );
    assert_eq!(found("license=0A1B2C3D4E5F").len(), 2);
    assert_eq!(found("license=%231").len(), 2);
    assert_eq!(found("day=2026-06-15&license=%231").len(), 1);
    assert_eq!(found("day=2026-06-14").len(), 0);
}

/// A log with entries about a license and about other things.
fn filled() -> (Server, Database, Config) {
    let (server, database) = Database::start();
    let settings = engine::settings(&server.folder.path().join("data"));
    server.license("T", "k");
    let mut admin = server.admin();
    admin.patch("/api/licenses/1", r#"{"status":"revoked"}"#);
    admin.patch("/api/licenses/1", r#"{"status":"suspended"}"#);
    drop(server.admin());
    (server, database, settings)
}

/// What `audit verify` reports: the number of entries, or the first broken one.
fn verify(config: &Config) -> Result<i64, String> {
    let service = Service::open_existing(config, Clock::fixed(START)).unwrap();
    let proof = service.verify_audit(None).map_err(|refusal| refusal.0)?;
    Ok(proof.entries)
}

/// The last hash.
fn head(database: &Database) -> String {
    database.one("select hash from audit order by id desc limit 1", &[])
}

/// Whether the refusal names this row.
fn names(refusal: &str, row: i64) -> bool {
    refusal.contains(&format!("row {row}"))
}

#[test]
fn an_intact_log_is_verified() {
    let (_server, database, config) = filled();
    assert_eq!(verify(&config), Ok(database.audit().len() as i64));
}

#[test]
fn the_database_refuses_to_change_an_entry() {
    let (_server, database, config) = filled();
    for sql in ["update audit set who = 1", "delete from audit"] {
        let refused = database.open().batch(sql).unwrap_err();
        assert!(refused.contains("append-only"), "{refused}");
    }
    assert!(verify(&config).is_ok());
}

/// A JSON object, or nothing, with this member; as SQL.
fn with(object: &str, name: &str, value: &str) -> String {
    let named = format!("\"{name}\":");
    match object.split_once(&named) {
        Some((before, after)) => {
            let end = after.find([',', '}']).unwrap();
            format!("'{before}{named}{value}{}'", &after[end..])
        }
        None => match object.trim_end_matches('}') {
            "" | "{" => format!("'{{{named}{value}}}'"),
            others => format!("'{others},{named}{value}}}'"),
        },
    }
}

#[test]
fn every_changed_value_is_detected_with_its_row() {
    let (_server, database, config) = filled();
    database.unlock_audit();
    let db = database.open();
    let mut found_out = 0;
    for row in [1, 2, 4, 6] {
        let sql = "select before, after from audit where id = ?1";
        let (before, after): (String, String) = db.one(sql, &[row.into()]);
        for (column, value) in [
            ("at", "at + 1"),
            ("at", "9223372036854775807"),
            ("at", "'yesterday'"),
            ("kind", "'signed out'"),
            ("kind", "'unheard of'"),
            ("who", "'somebody'"),
            ("who", "address"),
            ("who", "1000"),
            ("who", "null"),
            ("address", "who"),
            ("address", "'203.0.113.9'"),
            ("license_id", "coalesce(license_id, 0) + 1"),
            ("license_id", "case when license_id is null then 1 end"),
            ("before", &with(&before, "status", "\"x\"")),
            ("after", &with(&after, "status", "\"x\"")),
            ("after", &with(&after, "more", "1")),
            ("after", "case after when '' then '[]' else '' end"),
            ("after", "replace(replace(after, '[', '\"'), ']', '\"')"),
            ("after", "replace(after, '[', '[1')"),
            ("after", "after || 'x'"),
            ("content", "'x'"),
            ("hash", "upper(hash)"),
            ("hash", "''"),
        ] {
            db.batch(&format!(
                "create table kept as select * from audit where id = {row}"
            ))
            .unwrap();
            drop(db.batch(&format!(
                "update audit set {column} = {value} where id = {row}"
            )));
            let found = verify(&config);
            // A statement that broke a rule of the table, or set what was there, changed nothing.
            let same =
                "select count(*) from (select * from audit intersect select * from kept) same";
            if db.one::<i64>(same, &[]) == 0 {
                let broken = found.unwrap_err();
                assert!(names(&broken, row), "{row} {column} = {value}: {broken}");
                found_out += 1;
            }
            db.batch(&format!(
                "delete from audit where id = {row}; insert into audit select * from kept; drop table kept;"
            ))
            .unwrap();
        }
    }
    assert!(found_out > 50, "{found_out}");
    assert_eq!(verify(&config), Ok(7));
}

#[test]
fn a_removed_entry_is_detected() {
    for row in [1, 3, 5] {
        let (_server, database, config) = filled();
        database.unlock_audit();
        database.tamper(&format!("delete from audit where id = {row}"));
        let broken = verify(&config).unwrap_err();
        assert!(names(&broken, row), "{broken}");
        database.tamper(&format!("update audit set id = id - 1 where id > {row}"));
        let broken = verify(&config).unwrap_err();
        assert!(names(&broken, row), "{broken}");
    }
}

#[test]
fn removed_last_entries_are_detected_by_an_earlier_last_hash() {
    let (server, database, config) = filled();
    let verify = |head: &str| {
        let service = Service::open_existing(&config, Clock::fixed(START)).unwrap();
        service.verify_audit(Some(head)).is_ok()
    };
    let earlier = head(&database);
    assert!(verify(&earlier));
    server.license("T", "another");
    assert!(verify(&earlier));
    database.unlock_audit();
    database.tamper("delete from audit where id > (select max(id) - 3 from audit)");
    assert!(!verify(&earlier) && verify(&head(&database)));
}

/// Writes the hashes of these rows anew, as somebody can who can change the database.
fn rehash(server: &Server, database: &Database, rows: RangeInclusive<i64>, length: HashLength) {
    let all = server.service.audit(&AuditFilter::default(), i64::MAX, 100);
    let mut previous = BEGINNING.to_owned();
    for entry in all.unwrap().into_iter().rev() {
        if rows.contains(&entry.id) {
            previous = link(length, &previous, entry.id, entry.at, &entry.event);
            let (id, hash) = (entry.id, &previous);
            database.unlock_audit();
            database.tamper(&format!("update audit set hash = '{hash}' where id = {id}"));
        } else {
            previous = entry.hash;
        }
    }
}

#[test]
fn entries_with_shorter_hashes_stay_good_and_new_ones_are_whole() {
    let (server, database, config) = filled();
    rehash(&server, &database, 1..=7, HashLength::Cut);
    let short = head(&database);
    assert_eq!((short.len(), verify(&config)), (27, Ok(7)));
    server.license("T", "another");
    assert_eq!((head(&database).len(), verify(&config)), (43, Ok(8)));
    // A hash of an earlier log is still found, and sign-ins lose their details as before.
    server.clock.turn(401 * 86_400);
    server.service.keep_audit().unwrap();
    let proof = server.service.verify_audit(Some(&short)).unwrap();
    assert_eq!(proof.entries, 8);
}

#[test]
fn the_log_never_goes_back_to_shorter_hashes() {
    let (server, database, config) = filled();
    let whole = head(&database);
    for first in [2, 4, 7] {
        rehash(&server, &database, first..=7, HashLength::Cut);
        let broken = verify(&config).unwrap_err();
        assert!(names(&broken, first), "{broken}");
        rehash(&server, &database, 1..=7, HashLength::Whole);
        assert_eq!((head(&database), verify(&config)), (whole.clone(), Ok(7)));
    }
    // Whoever computes all of them is found out by a hash that is kept elsewhere.
    rehash(&server, &database, 1..=7, HashLength::Cut);
    assert!(server.service.verify_audit(Some(&whole)).is_err());
}

#[test]
fn old_sign_ins_lose_their_details_and_the_log_is_still_intact() {
    let (server, database, config) = filled();
    let body = json!({"username": "guessed", "password": "x"}).to_string();
    server.stranger().post("/api/login", &body);
    server.tick().unwrap();
    let before = database.audit().len() as i64;
    let (anchor, changes) = (head(&database), "kind like 'license %'");
    let texts = |condition: &str| -> Vec<String> {
        let sql = format!("select before || after || who from audit where {condition} order by id");
        database.all(&sql, &[])
    };
    let kept = texts(changes);
    let has_value = |value: &str| -> bool {
        let sql = "select count(*) from personal_values where value = ?1";
        database.one(sql, &[value.into()])
    };
    server.clock.turn(399 * 86_400);
    server.service.keep_audit().unwrap();
    assert!(has_value("guessed"));
    server.clock.turn(2 * 86_400);
    server.service.keep_audit().unwrap();
    assert!(
        texts("kind like 'sign%in%' and kind not like '%key%'")
            .iter()
            .all(|text| text == "0")
    );
    assert_eq!(texts(changes), kept);
    // The admin has also made changes.
    assert!(!has_value("guessed") && has_value("admin"));
    let service = Service::open_existing(&config, Clock::fixed(START)).unwrap();
    assert_eq!(service.verify_audit(Some(&anchor)).unwrap().entries, before);
    let page = Page::open(&mut server.admin(), "/audit?kind=sign-in+failed");
    assert!(page.rows().concat().concat().contains("(erased)"));
    // What has no details keeps its time and its kind.
    for change in [
        "at = at - 1",
        "kind = 'signed out'",
        "content = 'x'",
        "who = 1",
    ] {
        let row = "select min(id) from audit where content <> ''";
        let change = format!("update audit set {change} where id = ({row})");
        assert!(database.open().batch(&change).is_err(), "{change}");
    }
}

#[test]
fn the_setting_decides_how_long_sign_ins_are_kept() {
    for (days, kept) in [(0, true), (30, false), (1_000, true)] {
        let server = Server::with(|config| config.audit_sign_in_days = days);
        let database = Database::of(&server.folder.path().join("data"));
        server.license("T", "k");
        let has_details = |kind: &str| {
            let sql = "select count(*) from audit where kind = ?1 and after <> ''";
            database.one::<i64>(sql, &[kind.into()]) > 0
        };
        assert!(has_details("signed in"));
        server.clock.turn(500 * 86_400);
        server.service.keep_audit().unwrap();
        assert_eq!(has_details("signed in"), kept, "{days} days");
        assert!(has_details("license added"));
        server.service.verify_audit(None).unwrap();
    }
}

#[test]
fn only_sign_ins_may_lose_their_details() {
    let (_server, database, config) = filled();
    let remove = |row: i64| {
        format!(
            "update audit set who = 0, address = 0, license_id = null, before = '', after = '',
             content = 'x' where id = {row}"
        )
    };
    let db = database.open();
    let row = |kind: &str| -> i64 {
        let sql = "select max(id) from audit where kind = ?1";
        db.one(sql, &[kind.into()])
    };
    let change = row("license changed");
    assert!(db.batch(&remove(change)).is_err());
    // With a wrong hash it is detected.
    let sign_in = row("signed in");
    db.batch(&remove(sign_in)).unwrap();
    assert!(names(&verify(&config).unwrap_err(), sign_in));
}

#[test]
fn an_inserted_entry_is_detected() {
    let (_server, database, config) = filled();
    for row in [0, -1, i64::MIN] {
        database.unlock_audit();
        database.tamper(&format!(
            "delete from audit where id < 1;
             insert into audit (id, at, kind, who, address, before, after, hash)
             values ({row}, 1, 'signed in', 1, 1, '', '', '')"
        ));
        let broken = verify(&config).unwrap_err();
        assert!(names(&broken, row), "{broken}");
    }
}

#[test]
fn a_detail_that_is_written_differently_is_detected() {
    let (_server, database, config) = filled();
    database.unlock_audit();
    for (row, change) in [
        (5, "before = before || ' '"),
        (
            5,
            "after = replace(after, '{', '{\"status\":\"activated\",')",
        ),
        (3, "before = '{}'"),
    ] {
        let undo = "select before, after from audit where id = ?1";
        let kept: (String, String) = database.one(undo, &[row.into()]);
        database.tamper(&format!("update audit set {change} where id = {row}"));
        let broken = verify(&config).expect_err(change);
        assert!(names(&broken, row), "{change}: {broken}");
        let undo = "update audit set before = ?2, after = ?3 where id = ?1";
        let kept = [row.into(), (&kept.0).into(), (&kept.1).into()];
        database.open().run(undo, &kept).unwrap();
    }
    assert_eq!(verify(&config), Ok(7));
}

/// The personal values: their ids, the row of the log that has them first, salts and values.
fn personal_values(database: &Database) -> Vec<(i64, i64, String, String)> {
    let sql = "select id, (select min(id) from audit
                   where who = p.id or address = p.id or before || after like '%[' || p.id || ']%'),
               salt, value from personal_values p order by id";
    database.all(sql, &[])
}

/// The log refers to personal values, so that changes of these are changes of the log.
#[test]
fn every_changed_personal_value_is_detected() {
    let (_server, database, config) = filled();
    let all = personal_values(&database);
    assert!(all.len() > 3, "{all:?}");
    for (id, row, salt, value) in &all {
        for change in [
            "update personal_values set value = value || 'x' where id = ",
            "update personal_values set value = '' where value <> '' and id = ",
            "update personal_values set salt = salt || 'x' where id = ",
            "update personal_values set salt = '' where id = ",
            "delete from personal_values where id = ",
        ] {
            let changed = database.open().run(&format!("{change}{id}"), &[]);
            // Two values cannot be the same, and the empty one cannot be emptied.
            if changed.is_ok_and(|rows| rows > 0) {
                let broken = verify(&config).expect_err(change);
                assert!(names(&broken, *row), "{change}{id}: {broken}");
            }
            let undo = "insert into personal_values (id, salt, value) values (?1, ?2, ?3)
                 on conflict (id) do update set salt = ?2, value = ?3";
            let kept = [(*id).into(), salt.into(), value.into()];
            database.open().run(undo, &kept).unwrap();
        }
    }
    assert_eq!(verify(&config), Ok(7));
}

/// Salt and value are hashed one after the other; a letter must not change sides.
#[test]
fn a_letter_moved_between_a_value_and_its_salt_is_detected() {
    let (_server, database, config) = filled();
    for (id, _, salt, value) in personal_values(&database) {
        for change in [
            "salt = substr(salt, 1, 15), value = substr(salt, 16) || value where",
            "salt = salt || substr(value, 1, 1), value = substr(value, 2) where value <> '' and",
        ] {
            let change = format!("update personal_values set {change} id = {id}");
            if database.open().run(&change, &[]) != Ok(0) {
                verify(&config).expect_err(&change);
            }
            let undo = "update personal_values set salt = ?2, value = ?3 where id = ?1";
            let kept = [id.into(), (&salt).into(), (&value).into()];
            database.open().run(undo, &kept).unwrap();
        }
    }
}

#[test]
fn a_personal_value_can_be_erased_and_the_log_is_still_intact() {
    let (server, database, config) = filled();
    let mut admin = server.admin();
    for name in ["Ann Example", "Bob"] {
        let change = json!({"user_id": name}).to_string();
        admin.patch("/api/licenses/1", &change);
    }
    let before = verify(&config).unwrap();
    let salt = "select salt from personal_values where value = 'Ann Example'";
    let salt: String = database.one(salt, &[]);
    let commitment = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{salt}:Ann Example")));
    let erase = "update personal_values set value = ?1, salt = '' where value = 'Ann Example'";
    let erased = database.open().run(erase, &[(&commitment).into()]).unwrap();
    assert_eq!((erased, verify(&config)), (1, Ok(before)));
    let page = Page::open(&mut admin, "/audit?license=%231");
    let rows = page.rows().concat().concat();
    assert_eq!(rows.matches("(erased)").count(), 2, "{rows}");
    assert!(!rows.contains("Ann") && rows.contains("Bob"), "{rows}");
    // The same value may come again.
    admin.patch("/api/licenses/1", r#"{"user_id":"Ann Example"}"#);
    assert_eq!(verify(&config), Ok(before + 1));
}
