//! Diagnose: the steps of a check, near misses, and warnings about machine IDs.

use std::collections::{BTreeMap, BTreeSet};

use license_server::config::Config;
use serde_json::{Value, json};

use crate::database::Database;
use crate::page::address::{DIAGNOSE, UNLICENSED};
use crate::page::{Page, urlencoded};
use crate::server::{Client, Server};

const MAC: &str = "00:1b:21:3c:4d:5e";

fn diagnose(client: &mut Client, tool: &str, key: &str) -> Page {
    let (tool, key) = (urlencoded(tool), urlencoded(key));
    Page::open(client, &format!("{DIAGNOSE}?tool={tool}&key={key}"))
}

/// The outcomes of the five steps.
fn outcomes(page: &Page) -> Vec<&str> {
    let steps = page.all(".steps > li").into_iter();
    steps.map(|step| step.attr("class").unwrap()).collect()
}

/// The near misses: an explanation, then the keys and tools that were asked for and found.
fn near(page: &Page) -> Vec<String> {
    page.texts("[aria-labelledby=near] li")
}

/// The HTTP status of the check, as the page has it.
fn http(page: &Page) -> u16 {
    let mut hints = page.texts("[aria-labelledby=result] .hint");
    // The machine code has digits, too.
    hints.retain(|hint| hint.starts_with("HTTP"));
    let hint = hints.concat();
    let words = hint.split(|c: char| !c.is_ascii_digit());
    let mut numbers = words.filter(|word| word.len() == 3);
    numbers.next().unwrap().parse().unwrap()
}

/// The page shows what a check of this key gets: HTTP status, `status` and `message`.
fn assert_shows_check(page: &Page, server: &Server, tool: &str, key: &str) {
    let (status, body) = server.check(tool, key);
    let body: Value = serde_json::from_str(&body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let hint = page.texts("[aria-labelledby=result] .hint").concat();
    assert!(hint.contains(&text("status")), "{tool} {key}: {hint}");
    assert_eq!(
        (http(page), page.texts("p.verdict").concat()),
        (status, text("message")),
        "{tool} {key}"
    );
}

#[test]
fn without_input_there_is_only_the_form() {
    let server = Server::start();
    server.license("Tool_A", MAC);
    let mut admin = server.admin();
    let page = Page::open(&mut admin, UNLICENSED).follow(&mut admin, DIAGNOSE);
    assert_eq!((page.status, page.path.as_str()), (200, DIAGNOSE));
    assert!(outcomes(&page).is_empty() && page.all("p.verdict").is_empty());
    assert_eq!(page.suggestions("tool"), ["Tool_A"]);
}

#[test]
fn the_form_keeps_its_input() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, DIAGNOSE).form(DIAGNOSE);
    let form = form.fill("tool", " <T>&\"").fill("key", "k+1% ");
    let form = form.submit(&mut admin).form(DIAGNOSE);
    assert_eq!(
        (form.value("tool"), form.value("key")),
        (" <T>&\"", "k+1% ")
    );
}

#[test]
fn the_result_is_that_of_the_check_and_each_step_has_an_outcome() {
    let server = Server::start();
    let mut admin = server.admin();
    for (key, status, expiration_date) in [
        ("valid", "activated", Value::Null),
        ("today", "activated", json!("2026-06-15")),
        ("expired", "activated", json!("2026-06-14")),
        ("suspended", "suspended", json!("2020-01-01")),
        ("revoked", "revoked", Value::Null),
    ] {
        server.add(json!({"tool_name": "T", "license_key": key, "status": status, "expiration_date": expiration_date}));
    }
    let (passed, failed, not) = ("passed", "failed", "not-reached");
    for (tool, key, expected) in [
        ("T", "valid", [passed, passed, passed, passed, passed]),
        ("T", "today", [passed, passed, passed, passed, passed]),
        ("T", "expired", [passed, passed, passed, passed, failed]),
        ("T", "suspended", [passed, passed, passed, failed, not]),
        ("T", "revoked", [passed, passed, passed, failed, not]),
        ("T", "unlicensed", [passed, passed, failed, not, not]),
        (" T", "valid ", [passed, passed, passed, passed, passed]),
        ("t", "valid", [passed, failed, not, not, not]),
        ("T", "", [failed, not, not, not, not]),
        ("", "valid", [failed, not, not, not, not]),
        ("T", "a\u{7}b", [failed, not, not, not, not]),
        (&"x".repeat(101), "valid", [failed, not, not, not, not]),
        ("T", &"ä".repeat(256), [failed, not, not, not, not]),
    ] {
        let page = diagnose(&mut admin, tool, key);
        assert_eq!(page.status, 200);
        assert_shows_check(&page, &server, tool, key);
        assert_eq!(outcomes(&page), expected, "{tool} {key}");
    }
}

#[test]
fn the_expiration_date_ends_at_midnight_in_the_operators_offset() {
    let server =
        Server::with(|config: &mut Config| config.utc_offset = time::macros::offset!(+5:30));
    server.add(json!({"tool_name": "T", "license_key": "k", "expiration_date": "2026-06-15"}));
    let shows = |words: &[&str]| {
        let page = diagnose(&mut server.admin(), "T", "k");
        assert_shows_check(&page, &server, "T", "k");
        let step = page.texts(".steps li:last-child p").concat();
        for word in words {
            assert!(step.contains(word), "{word}: {step}");
        }
    };
    shows(&["2026-06-15", "+05:30", "6 hours 30 minutes"]);
    server.clock.turn(6 * 3600 + 30 * 60 - 1);
    shows(&["2026-06-15", "1 second"]);
    server.clock.turn(1);
    shows(&["2026-06-15", "2026-06-16"]);
}

#[test]
fn near_misses_of_each_kind_are_found() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("MyTool", MAC);
    server.license("MyTool", "WD-Serial 123");
    server.license("Other", "only-there");
    let mut explanations = BTreeMap::new();
    for (tool, key, kind, marks) in [
        ("mytool", MAC, "case of the tool", "mtMT"),
        ("My Tool ", MAC, "spelling of the tool", " "),
        ("MyTol", MAC, "one character of the tool", "o"),
        ("MyTool", "only-there", "another tool", ""),
        ("MyTool", "wd-serial 123", "case of the key", "wdsWDS"),
        ("MyTool", "wd-serial-123", "spelling of the key", "wds-WDS "),
        ("MyTool", "{WD-Serial 123}", "spelling of the key", "{}"),
        (
            "MyTool",
            "00-1B-21-3C-4D-5F",
            "one character of the key",
            "fe",
        ),
        (
            "MyTool",
            "00-1B-21-3C-4D-5",
            "one character of the key",
            "e",
        ),
        (
            "MyTool",
            "001B213C4DE5",
            "swapped characters of the key",
            "e55e",
        ),
        ("MyTool", "WD-Serial 1233", "one character of the key", "3"),
        (
            "MyTool",
            "WD-Seiral 123",
            "swapped characters of the key",
            "irri",
        ),
        (
            "mytool",
            "WD-Serial 132",
            "swapped characters of the key, case of the tool",
            "mtMT3223",
        ),
    ] {
        let page = diagnose(&mut admin, tool, key);
        let found = near(&page);
        assert_eq!(found.len(), 1, "{tool} {key}: {found:?}");
        let explanation = page.texts("[aria-labelledby=near] li p").concat();
        let first = explanations.entry(kind).or_insert(explanation.clone());
        assert_eq!(*first, explanation, "{kind}");
        let marked: String = page
            .all("[aria-labelledby=near] mark")
            .iter()
            .flat_map(|m| m.text())
            .collect();
        assert_eq!(marked, marks, "{tool} {key}");
    } // Each kind has its own explanation.
    let different: BTreeSet<&String> = explanations.values().collect();
    assert_eq!((explanations.len(), different.len()), (9, 9));
}

#[test]
fn a_near_miss_shows_its_status_and_links_to_its_license() {
    let server = Server::start();
    let mut admin = server.admin();
    server.add(json!({"tool_name": "T", "license_key": "PC-12", "status": "revoked"}));
    let page = diagnose(&mut admin, "T", "PC-13");
    assert_eq!(page.texts("[aria-labelledby=near] .mark"), ["revoked"]);
    assert_eq!(page.follow_text(&mut admin, "PC-12").heading(), "PC-12");
}

#[test]
fn a_similar_tool_name_is_suggested() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("MyTool", "key 1");
    let page = diagnose(&mut admin, "mytool", "somebody else");
    assert!(near(&page).is_empty());
    let page = page.follow_text(&mut admin, "MyTool");
    assert_eq!(page.form(DIAGNOSE).value("key"), "somebody else");
    assert_eq!(outcomes(&page)[1], "passed");
}

#[test]
fn deleted_and_changed_keys_are_explained_by_the_audit_log() {
    let server = Server::start();
    let mut admin = server.admin();
    let deleted = server.license("T", "deleted key");
    let changed = server.license("T", "old machine");
    server.clock.turn(60);
    admin.delete(&format!("/api/licenses/{deleted}"));
    let new = json!({"license_key": "another"}).to_string();
    admin.patch(&format!("/api/licenses/{changed}"), &new);
    let past = |page: &Page| page.texts("[aria-labelledby=past] li");
    let page = diagnose(&mut admin, "T", "deleted key");
    let deletion = past(&page).concat();
    let is_named = ["2026-06-15 12:01", "admin"].map(|word| deletion.contains(word));
    assert_eq!(is_named, [true, true], "{deletion}");
    let page = diagnose(&mut admin, "T", "old machine");
    let change = past(&page).concat();
    let is_named = ["2026-06-15 12:01", "admin", "another"].map(|word| change.contains(word));
    assert_eq!(is_named, [true, true, true], "{change}");
    assert_eq!(page.follow_text(&mut admin, "another").heading(), "another");
    server.license("T", "deleted key");
    assert!(past(&diagnose(&mut admin, "T", "deleted key")).is_empty());
    assert!(past(&diagnose(&mut admin, "U", "old machine")).is_empty());
}

#[test]
fn a_moved_license_links_to_its_successor() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let old = server.add(json!({"tool_name": "T", "license_key": "old", "status": "revoked"}));
    let new = server.license("T", "new machine");
    database.tamper(&format!(
        "update licenses set moved_to = {new} where id = {old}"
    ));
    let page = diagnose(&mut admin, "T", "old");
    let successor = page.follow(&mut admin, &format!("/licenses/{new}"));
    assert_eq!(successor.heading(), "new machine");
}

#[test]
fn twenty_near_misses_are_shown_and_the_page_stays_small() {
    let server = Server::start();
    let mut admin = server.admin();
    let (tool, key) = ("ä&".repeat(48), "ä&".repeat(127));
    for n in 0..25 {
        let license = json!({"tool_name": format!("{tool}{n:02}"), "license_key": key});
        admin.post("/api/licenses", &license.to_string());
    }
    let page = diagnose(&mut admin, "Other", &key);
    assert_eq!(near(&page).len(), 20);
    let hint = page.texts("[aria-labelledby=near] .hint").concat();
    assert!(hint.contains("20"), "{hint}");
    let size = admin.get(&page.path).body.len();
    assert!(size < 100_000, "{size}");
}

#[test]
fn an_invisible_character_is_shown_and_white_space_around_is_ignored() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("T", "key");
    let page = diagnose(&mut admin, "T", "key ");
    let first = page.texts(".steps li:first-child").concat();
    assert!(first.contains("key␣"), "{first}");
    assert!(page.all(".steps li:first-child .notice").is_empty());
    assert!(page.texts(".verdict").concat().contains("valid"));
    let page = diagnose(&mut admin, "T", "k\u{200b}ey");
    let first = page.texts(".steps li:first-child").concat();
    assert!(first.contains("U+200B"), "{first}");
    let page = diagnose(&mut admin, "T", "k\u{a0}ey");
    let notice = page.texts(".steps li:first-child .notice").concat();
    assert!(notice.contains("U+00A0"), "{notice}");
}

#[test]
fn a_missing_license_can_be_added() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("A & B", "other");
    let page = diagnose(&mut admin, "A & B", "00-1B-21-3C-4D-5E");
    assert!(page.texts(".steps li:first-child").concat().contains(MAC));
    let form = page.follow(&mut admin, "/licenses/new?");
    form.form("/licenses/new").submit(&mut admin);
    let page = diagnose(&mut admin, "A & B", "00-1B-21-3C-4D-5E");
    assert_eq!(http(&page), 200);
    assert!(!page.has_link("/licenses/new?") && near(&page).is_empty());
}

#[test]
fn earlier_checks_of_an_unlicensed_machine_are_shown() {
    let server = Server::start();
    server.license("T", "licensed");
    server.check("T", "stranger");
    server.clock.turn(3600);
    server.check("T", "stranger");
    server.tick().unwrap();
    let page = diagnose(&mut server.admin(), "T", "stranger");
    let notice = page.texts(".steps li:nth-child(3) .notice").concat();
    for word in ["2", "2026-06-15 12:00", "2026-06-15 13:00", "127.0.0.1"] {
        assert!(notice.contains(word), "{word}: {notice}");
    }
}

#[test]
fn diagnosing_changes_nothing_and_uses_no_limit() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    server.license("T", "k");
    diagnose(&mut admin, "T", "k");
    let before = database.rows();
    for n in 0..60 {
        let page = diagnose(&mut admin, "T", &format!("unknown {n}"));
        assert_eq!(http(&page), 404);
    }
    diagnose(&mut admin, "T", "k");
    server.tick().unwrap();
    assert!(database.rows() == before);
    assert_eq!(server.check("T", "not yet limited").0, 404);
}

#[test]
fn a_throttled_address_still_sees_the_result() {
    let server = Server::start();
    let mut admin = server.admin();
    for n in 0..31 {
        server.check("T", &format!("unknown {n}"));
    }
    assert_eq!(server.check("T", "x").0, 429);
    assert_eq!(http(&diagnose(&mut admin, "T", "x")), 404);
}

#[test]
fn a_fault_is_not_shown_as_a_result() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    database.tamper("alter table licenses rename to elsewhere");
    let page = diagnose(&mut admin, "T", "k");
    assert_eq!((page.status, page.all("p.verdict").len()), (503, 0));
}

#[test]
fn user_input_is_shown_as_text() {
    let server = Server::start();
    let typed = "\"><script>alert(1)</script>&amp;";
    server.license(&format!("{typed}x"), typed);
    let page = diagnose(&mut server.admin(), typed, typed);
    assert!(page.all("script").is_empty());
    assert_eq!(page.form(DIAGNOSE).value("key"), typed);
    assert_eq!(near(&page).len(), 1);
}

#[test]
fn a_license_links_to_its_diagnosis() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.add(json!({"tool_name": "A & B", "license_key": MAC, "status": "suspended"}));
    let page = Page::open(&mut admin, &format!("/licenses/{id}"));
    let page = page.follow(&mut admin, &format!("{DIAGNOSE}?"));
    assert_shows_check(&page, &server, "A & B", MAC);
}

// Warnings about machine IDs

#[test]
fn a_weak_machine_id_is_stored_with_a_warning() {
    let server = Server::start();
    let mut admin = server.admin();
    for key in [
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "02:1b:2c:3d:4e:5f",
        "Default string",
        "To be filled by O.E.M.",
        "03000200-0400-0500-0006-000700080009",
    ] {
        let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
        let form = form.fill("tool_name", "T").fill("license_key", key);
        let page = form.submit(&mut admin);
        assert!(page.flash().unwrap().contains(key), "{key}");
        assert_eq!(page.texts(".warning p").len(), 1, "{key}");
        assert_eq!(
            diagnose(&mut admin, "T", key).texts(".warning p"),
            page.texts(".warning p")
        );
        assert_eq!(server.check("T", key).0, 200);
    }
}

#[test]
fn a_machine_id_in_another_spelling_gets_a_warning_with_a_link() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("T", "WD-SERIAL 1234");
    server.license("U", "wdserial1234");
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form
        .fill("tool_name", "T")
        .fill("license_key", "wd-serial-1234");
    let page = form.submit(&mut admin);
    assert_eq!(page.texts(".warning p").len(), 1);
    assert_eq!(page.texts(".warning a"), ["WD-SERIAL 1234"]);
    let twin = page.follow_text(&mut admin, "WD-SERIAL 1234");
    assert_eq!(twin.heading(), "WD-SERIAL 1234");
}

#[test]
fn a_good_machine_id_gets_no_warning() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", MAC);
    let edit = Page::open(&mut admin, &format!("/licenses/{id}/edit")).form("/edit");
    let page = edit.submit(&mut admin);
    assert!(page.flash().unwrap().contains(MAC));
    assert!(page.all(".warning").is_empty());
}
