//! Why a tool is told what it is told: the steps, the near misses, and doubts about machine ids.

use license_server::config::Config;
use serde_json::{Value, json};

use crate::database::Database;
use crate::page::{Page, urlencoded};
use crate::server::{Client, Server};

const MAC: &str = "00:1b:21:3c:4d:5e";

fn explain(client: &mut Client, tool: &str, key: &str) -> Page {
    let address = format!("/explain?tool={}&key={}", urlencoded(tool), urlencoded(key));
    Page::open(client, &address)
}

/// How the five steps ended.
fn outcomes(page: &Page) -> Vec<String> {
    page.texts(".steps .outcome")
}

/// The near misses: words, then the keys and names that were asked for and found.
fn near(page: &Page) -> Vec<String> {
    page.texts("[aria-labelledby=near] li")
}

/// What the page says the tool is told: HTTP status, `status`, `message`.
fn told(page: &Page) -> (u16, String, String) {
    let hint = page.texts("[aria-labelledby=says] .hint").concat();
    let http = hint.strip_prefix("HTTP ").unwrap()[..3].parse().unwrap();
    let word = hint.split(['“', '”']).nth(1).unwrap().to_owned();
    (http, word, page.texts("p.verdict").concat())
}

/// What the tool is told.
fn checked(server: &Server, tool: &str, key: &str) -> (u16, String, String) {
    let (http, body) = server.check(tool, key);
    let body: Value = serde_json::from_str(&body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (http, text("status"), text("message"))
}

#[test]
fn nothing_typed_is_only_the_form() {
    let server = Server::start();
    server.license("Tool_A", MAC);
    let page = Page::open(&mut server.admin(), "/licenses").follow(&mut server.admin(), "Explain");
    assert_eq!((page.status, page.heading().as_str()), (200, "Explain"));
    assert!(outcomes(&page).is_empty() && page.all("p.verdict").is_empty());
    assert_eq!(page.suggestions("tool"), ["Tool_A"]);
}

#[test]
fn what_was_typed_stays_in_the_form() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/explain").form("/explain");
    let form = form.fill("tool", " <T>&\"").fill("key", "k+1% ");
    let form = form.submit(&mut admin, "Explain").form("/explain");
    assert_eq!(
        (form.value("tool"), form.value("key")),
        (" <T>&\"", "k+1% ")
    );
}

#[test]
fn the_verdict_is_the_one_of_the_check_and_each_step_is_told() {
    let server = Server::start();
    let mut admin = server.admin();
    for (key, status, last_day) in [
        ("good", "activated", Value::Null),
        ("last", "activated", json!("2026-06-15")),
        ("over", "activated", json!("2026-06-14")),
        ("stop", "suspended", json!("2020-01-01")),
        ("back", "revoked", Value::Null),
    ] {
        server.add(json!({"tool_name": "T", "license_key": key, "status": status, "expiration_date": last_day}));
    }
    let (passed, failed, not) = ("passed", "refused here", "not reached");
    for (tool, key, expected) in [
        ("T", "good", [passed, passed, passed, passed, passed]),
        ("T", "last", [passed, passed, passed, passed, passed]),
        ("T", "over", [passed, passed, passed, passed, failed]),
        ("T", "stop", [passed, passed, passed, failed, not]),
        ("T", "back", [passed, passed, passed, failed, not]),
        ("T", "none", [passed, passed, failed, not, not]),
        ("T", "good ", [passed, passed, failed, not, not]),
        ("t", "good", [passed, failed, not, not, not]),
        ("T", "", [failed, not, not, not, not]),
        ("", "good", [failed, not, not, not, not]),
        ("T", "a\u{7}b", [failed, not, not, not, not]),
        (&"x".repeat(101), "good", [failed, not, not, not, not]),
        ("T", &"ä".repeat(256), [failed, not, not, not, not]),
    ] {
        let page = explain(&mut admin, tool, key);
        assert_eq!(page.status, 200);
        assert_eq!(told(&page), checked(&server, tool, key), "{tool} {key}");
        assert_eq!(outcomes(&page), expected, "{tool} {key}");
    }
}

#[test]
fn the_last_day_ends_at_the_operators_midnight() {
    let server =
        Server::with(|config: &mut Config| config.utc_offset = time::macros::offset!(+5:30));
    server.add(json!({"tool_name": "T", "license_key": "k", "expiration_date": "2026-06-15"}));
    let words = || {
        let page = explain(&mut server.admin(), "T", "k");
        assert_eq!(told(&page), checked(&server, "T", "k"));
        page.texts(".steps li:last-child p").concat()
    };
    let text = "2026-06-15, until midnight UTC+05:30; there it is 2026-06-15 now. It is good for another 6 hours 30 minutes.";
    assert_eq!(words(), text);
    server.clock.turn(6 * 3600 + 30 * 60 - 1);
    assert!(words().ends_with("It is good for another 1 second."));
    server.clock.turn(1);
    assert!(words().ends_with("there it is 2026-06-16 now. It ended less than a second ago."));
}

#[test]
fn a_near_miss_of_each_kind_is_found() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("MyTool", MAC);
    server.license("MyTool", "WD-Serial 123");
    server.license("Other", "only-there");
    for (tool, key, words, marks) in [
        (
            "mytool",
            MAC,
            "The same key; the tool’s name differs in upper and lower case only.",
            "mtMT",
        ),
        (
            "My Tool ",
            MAC,
            "The same key; the tool’s name differs in white space or punctuation",
            "  ",
        ),
        (
            "MyTol",
            MAC,
            "The same key; the tool’s name differs in one character.",
            "o",
        ),
        (
            "MyTool",
            "only-there",
            "The same key, for another tool.",
            "",
        ),
        (
            "MyTool",
            "wd-serial 123",
            "The key differs in upper and lower case only.",
            "wdsWDS",
        ),
        (
            "MyTool",
            "wd-serial-123",
            "The same id in another spelling.",
            "wds-WDS ",
        ),
        (
            "MyTool",
            "{WD-Serial 123}",
            "The same id in another spelling.",
            "{}",
        ),
        (
            "MyTool",
            "WD-Serial 123 ",
            "The same id in another spelling.",
            " ",
        ),
        (
            "MyTool",
            "00-1B-21-3C-4D-5F",
            "The key differs in one character.",
            "fe",
        ),
        (
            "MyTool",
            "00-1B-21-3C-4D-5",
            "The key differs in one character.",
            "e",
        ),
        (
            "MyTool",
            "001B213C4DE5",
            "The key differs by two neighbours swapped.",
            "e55e",
        ),
        (
            "MyTool",
            "WD-Serial 1233",
            "The key differs in one character.",
            "3",
        ),
        (
            "MyTool",
            "WD-Seiral 123",
            "The key differs by two neighbours swapped.",
            "irri",
        ),
        (
            "mytool",
            "WD-Serial 132",
            "The key differs by two neighbours swapped, and the tool’s name in upper",
            "mtMT3223",
        ),
    ] {
        let page = explain(&mut admin, tool, key);
        let found = near(&page);
        assert_eq!(found.len(), 1, "{tool} {key}: {found:?}");
        assert!(found[0].starts_with(words), "{tool} {key}: {found:?}");
        let marked: String = page
            .all("[aria-labelledby=near] mark")
            .iter()
            .flat_map(|m| m.text())
            .collect();
        assert_eq!(marked, marks, "{tool} {key}");
    }
}

#[test]
fn a_near_miss_leads_to_its_license_and_says_how_it_stands() {
    let server = Server::start();
    let mut admin = server.admin();
    server.add(json!({"tool_name": "T", "license_key": "PC-12", "status": "revoked"}));
    let page = explain(&mut admin, "T", "PC-13");
    assert!(near(&page)[0].contains("revoked"));
    assert_eq!(page.follow(&mut admin, "PC-12").heading(), "PC-12");
}

#[test]
fn a_tool_that_was_perhaps_meant_is_one_click_away() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("MyTool", "key 1");
    let page = explain(&mut admin, "mytool", "somebody else");
    assert!(page.text().contains("Was MyTool meant?") && near(&page).is_empty());
    let page = page.follow(&mut admin, "MyTool");
    assert_eq!(page.form("/explain").value("key"), "somebody else");
    assert_eq!(outcomes(&page)[1], "passed");
}

#[test]
fn a_deleted_and_a_changed_key_are_told_from_the_audit_log() {
    let server = Server::start();
    let mut admin = server.admin();
    let deleted = server.license("T", "deleted key");
    let changed = server.license("T", "old machine");
    server.clock.turn(60);
    admin.delete(&format!("/api/licenses/{deleted}"));
    let new = json!({"license_key": "another"}).to_string();
    admin.patch(&format!("/api/licenses/{changed}"), &new);
    let past = |page: &Page| page.texts("[aria-labelledby=past] li");
    let page = explain(&mut admin, "T", "deleted key");
    assert!(
        past(&page)[0]
            .starts_with("The license of this key was deleted on 2026-06-15 12:01 by admin")
    );
    let page = explain(&mut admin, "T", "old machine");
    assert!(
        past(&page)[0]
            .contains("until 2026-06-15 12:01. Then admin changed it; now it is for another, T.")
    );
    assert_eq!(page.follow(&mut admin, "another").heading(), "another");
    server.license("T", "deleted key");
    assert!(past(&explain(&mut admin, "T", "deleted key")).is_empty());
    assert!(past(&explain(&mut admin, "U", "old machine")).is_empty());
}

#[test]
fn a_moved_license_names_its_successor() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let old = server.add(json!({"tool_name": "T", "license_key": "old", "status": "revoked"}));
    let new = server.license("T", "new machine");
    database.tamper(&format!(
        "update licenses set moved_to = {new} where id = {old}"
    ));
    let page = explain(&mut admin, "T", "old");
    assert_eq!(
        page.follow(&mut admin, "Moved to new machine").heading(),
        "new machine"
    );
}

#[test]
fn of_many_near_misses_the_first_twenty_are_shown_and_the_page_stays_small() {
    let server = Server::start();
    let mut admin = server.admin();
    let (tool, key) = ("ä&".repeat(48), "ä&".repeat(127));
    for n in 0..25 {
        let license = json!({"tool_name": format!("{tool}{n:02}"), "license_key": key});
        admin.post("/api/licenses", &license.to_string());
    }
    let page = explain(&mut admin, "Other", &key);
    assert_eq!(near(&page).len(), 20);
    let text = page.text();
    assert!(text.contains("These are the first 20, and there are more."));
    let size = admin.get(&page.path).body.len();
    assert!(size < 100_000, "{size}");
}

#[test]
fn a_space_that_nobody_sees_is_shown_and_offers_no_license_that_cannot_be() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("T", "key");
    let page = explain(&mut admin, "T", "key ");
    let first = page.texts(".steps li:first-child").concat();
    assert!(first.contains("key␣"), "{first}");
    assert!(
        first.contains("The license key ends with a space."),
        "{first}"
    );
    assert!(
        first.contains("the program has to ask without it"),
        "{first}"
    );
    assert!(!page.has_link("Add this license"));
    let page = explain(&mut admin, "T", "k\u{200b}ey");
    assert!(page.text().contains("holds a zero-width space (U+200B)"));
}

#[test]
fn a_license_that_is_missing_is_added_from_there() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("A & B", "other");
    let page = explain(&mut admin, "A & B", "00-1B-21-3C-4D-5E");
    assert!(
        page.text()
            .contains(&format!("read as the MAC address {MAC}"))
    );
    let form = page
        .follow(&mut admin, "Add this license")
        .form("/licenses/new");
    form.submit(&mut admin, "Add license");
    let page = explain(&mut admin, "A & B", "00-1B-21-3C-4D-5E");
    assert_eq!(told(&page).0, 200);
    assert!(!page.has_link("Add this license") && near(&page).is_empty());
}

#[test]
fn a_key_that_has_asked_is_known() {
    let server = Server::start();
    server.license("T", "licensed");
    server.check("T", "stranger");
    server.clock.turn(3600);
    server.check("T", "stranger");
    server.tick().unwrap();
    let page = explain(&mut server.admin(), "T", "stranger");
    let words =
        "It has asked 2 times, first 2026-06-15 12:00, last 2026-06-15 13:00, from 127.0.0.1.";
    assert!(page.text().contains(words), "{}", page.text());
}

#[test]
fn explaining_leaves_nothing_behind_and_counts_against_nobody() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    server.license("T", "k");
    explain(&mut admin, "T", "k");
    let before = database.rows();
    for n in 0..60 {
        assert_eq!(
            told(&explain(&mut admin, "T", &format!("unknown {n}"))).0,
            404
        );
    }
    explain(&mut admin, "T", "k");
    server.tick().unwrap();
    assert!(database.rows() == before);
    assert_eq!(server.check("T", "not yet limited").0, 404);
}

#[test]
fn a_limited_address_still_reads_the_verdict() {
    let server = Server::start();
    let mut admin = server.admin();
    for n in 0..31 {
        server.check("T", &format!("unknown {n}"));
    }
    assert_eq!(server.check("T", "x").0, 429);
    assert_eq!(told(&explain(&mut admin, "T", "x")).0, 404);
}

#[test]
fn a_fault_is_no_verdict_here_either() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    database.tamper("alter table licenses rename to elsewhere");
    let page = explain(&mut admin, "T", "k");
    assert_eq!((page.status, page.all("p.verdict").len()), (503, 0));
}

#[test]
fn what_somebody_typed_is_shown_as_text() {
    let server = Server::start();
    let typed = "\"><script>alert(1)</script>&amp;";
    server.license(&format!("{typed}x"), typed);
    let page = explain(&mut server.admin(), typed, typed);
    assert!(page.all("script").is_empty());
    assert_eq!(page.form("/explain").value("key"), typed);
    assert_eq!(near(&page).len(), 1);
}

#[test]
fn a_refused_license_explains_itself_from_its_own_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.add(json!({"tool_name": "A & B", "license_key": MAC, "status": "suspended"}));
    let page = Page::open(&mut admin, &format!("/licenses/{id}"));
    let links = page.links();
    let is_explain =
        |(words, address): &&(String, String)| words == "Explain" && address.contains('?');
    let (_, address) = links.iter().find(is_explain).unwrap();
    let page = Page::open(&mut admin, address);
    assert_eq!(told(&page).2, "License status is 'suspended'.");
}

// Doubts about machine ids

#[test]
fn a_doubtful_id_is_taken_and_warned_about() {
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
        let page = form.submit(&mut admin, "Add license");
        assert_eq!(
            page.flash().unwrap(),
            format!("License of T for {key} added. Look at the warning.")
        );
        assert_eq!(page.texts(".warning p").len(), 1, "{key}");
        assert_eq!(
            explain(&mut admin, "T", key).texts(".warning p"),
            page.texts(".warning p")
        );
        assert_eq!(server.check("T", key).0, 200);
    }
}

#[test]
fn an_id_that_is_licensed_in_another_spelling_is_told_with_a_link() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("T", "WD-SERIAL 1234");
    server.license("U", "wdserial1234");
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form
        .fill("tool_name", "T")
        .fill("license_key", "wd-serial-1234");
    let page = form.submit(&mut admin, "Add license");
    assert!(page.flash().unwrap().ends_with("Look at the warning."));
    assert!(page.texts(".warning p")[0].starts_with(
        "This id is already licensed for the same tool in another spelling: WD-SERIAL 1234."
    ));
    assert_eq!(
        page.follow(&mut admin, "WD-SERIAL 1234").heading(),
        "WD-SERIAL 1234"
    );
}

#[test]
fn a_good_id_has_no_warning() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", MAC);
    let edit = Page::open(&mut admin, &format!("/licenses/{id}/edit")).form("/edit");
    let page = edit.submit(&mut admin, "Save changes");
    assert_eq!(
        page.flash().unwrap(),
        format!("License of T for {MAC} saved.")
    );
    assert!(page.all(".warning").is_empty());
}
