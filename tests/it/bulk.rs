//! Changing many licenses at once: looked at, done, undone.

use serde_json::{Value, json};

use crate::database::Database;
use crate::page::{Page, urlencoded};
use crate::server::{Client, Server};

const DAY: i64 = 86_400;

/// Licenses of one tool that end on these days; empty for without end.
fn ending(server: &Server, days: &[&str]) -> Vec<i64> {
    let add = |(n, day): (usize, &&str)| {
        server
            .add(json!({"tool_name": "T", "license_key": format!("k{n}"), "expiration_date": day}))
    };
    days.iter().enumerate().map(add).collect()
}

fn of_ids(ids: &[i64], what: &str) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("id={id}")).collect();
    format!("/bulk?{}&of=selected&{what}", ids.join("&"))
}

fn of_filter(filter: &str, what: &str) -> String {
    format!("/bulk?of=all&filter={}&{what}", urlencoded(filter))
}

/// Looks at it and confirms it with that button.
fn change(admin: &mut Client, address: &str, button: &str) -> Page {
    Page::open(admin, address)
        .form(button)
        .submit(admin, button)
}

fn values(server: &Server, field: &str) -> Vec<Value> {
    let rows = server.admin().get("/api/licenses").json();
    let rows = rows.as_array().unwrap();
    rows.iter().map(|row| row[field].clone()).collect()
}

fn whole(server: &Server) -> String {
    server.admin().get("/api/licenses").body
}

#[test]
fn both_ways_to_count_a_term_are_shown_before_one_is_chosen() {
    let server = Server::start();
    let ids = ending(&server, &["2026-05-31", "2026-12-31", ""]);
    let mut admin = server.admin();
    let page = Page::open(&mut admin, &of_ids(&ids, "quick=1y"));
    let shown: Vec<Vec<String>> = page
        .rows()
        .into_iter()
        .map(|row| row[3..].to_vec())
        .collect();
    assert_eq!(shown[0], ["2026-05-31", "2027-05-31", "2027-06-15"]);
    assert_eq!(shown[1], ["2026-12-31", "2027-12-31", "2027-06-15"]);
    assert!(!page.text().contains("earlier"));
    let shorter = Page::open(&mut admin, &of_ids(&ids, "do=extend&number=1&unit=m"));
    let words = "Extend 2 licenses from today: 1 license would end earlier than now.";
    assert!(shorter.text().contains(words), "{}", shorter.text());
    assert_eq!(shorter.rows()[1][5], "2026-07-15 earlier");
    assert_eq!(shown[2], ["without end", "stays", "stays"]);
    let button = "Extend 2 licenses from the present end";
    page.form(button).submit(&mut admin, button);
    let days = [json!("2027-05-31"), json!("2027-12-31"), Value::Null];
    assert_eq!(values(&server, "expiration_date"), days);
}

#[test]
fn what_the_filter_finds_is_changed_and_nothing_else() {
    let server = Server::start();
    ending(
        &server,
        &["2026-06-01", "2026-06-14", "2026-06-15", "2026-03-01"],
    );
    let page = change(
        &mut server.admin(),
        &of_filter("?ends=over-30", "do=revoked"),
        "Revoke 2 licenses",
    );
    assert!(
        page.text().contains("2 licenses changed"),
        "{}",
        page.text()
    );
    let expected = ["revoked", "revoked", "activated", "activated"];
    assert_eq!(values(&server, "status"), expected);
    assert_eq!(server.check("T", "k1").0, 403);
}

#[test]
fn every_action_does_what_it_says_and_undo_brings_every_value_back() {
    let (server, database) = Database::start();
    let ids = ending(&server, &["2026-12-31", ""]);
    (0..3).for_each(|_| drop(server.check("T", "k0")));
    server.tick().unwrap();
    let mut admin = server.admin();
    let before = whole(&server);
    for (what, button, field, expected) in [
        (
            "do=suspended",
            "Suspend 2 licenses",
            "status",
            vec![json!("suspended"), json!("suspended")],
        ),
        (
            "do=customer&customer=Anna",
            "Change the customer of 2 licenses",
            "user_id",
            vec![json!("Anna"), json!("Anna")],
        ),
        (
            "do=end&day=2028-02-29",
            "Let 2 licenses end on 2028-02-29",
            "expiration_date",
            vec![json!("2028-02-29"), json!("2028-02-29")],
        ),
        (
            "do=extend&number=10&unit=d",
            "Extend 1 license from today",
            "expiration_date",
            vec![json!("2026-06-25"), Value::Null],
        ),
        ("do=delete", "Delete 2 licenses", "id", vec![]),
    ] {
        let page = change(&mut admin, &of_ids(&ids, what), button);
        assert_eq!(values(&server, field), expected, "{what}");
        let page = page.form("/undo").submit(&mut admin, "Undo");
        assert!(page.text().contains("as before"), "{}", page.text());
        assert_eq!(whole(&server), before, "{what}");
    }
    let history = "select count(*) from sighting_history where license_id = 1";
    let kept: i64 = database
        .open()
        .query_row(history, [], |row| row.get(0))
        .unwrap();
    assert_eq!((server.check("T", "k0").0, kept), (200, 1));
}

#[test]
fn what_was_changed_since_is_named_and_stays() {
    let server = Server::start();
    let ids = ending(&server, &["2026-12-31", "2026-12-31", "2026-12-31"]);
    let mut admin = server.admin();
    let page = change(&mut admin, &of_ids(&ids, "do=revoked"), "Revoke 3 licenses");
    admin.patch("/api/licenses/1", r#"{"user_id":"Ole"}"#);
    admin.delete("/api/licenses/2");
    let page = page.form("/undo").submit(&mut admin, "Undo");
    assert!(
        page.text().contains("1 license is as before"),
        "{}",
        page.text()
    );
    assert!(
        page.text().contains("k0 for T was changed since"),
        "{}",
        page.text()
    );
    assert!(
        page.text().contains("k1 for T was deleted since"),
        "{}",
        page.text()
    );
    assert_eq!(values(&server, "status"), ["revoked", "activated"]);
}

#[test]
fn a_deleted_license_that_was_added_again_stays_as_it_is_now() {
    let server = Server::start();
    let ids = ending(&server, &[""]);
    let mut admin = server.admin();
    let page = change(&mut admin, &of_ids(&ids, "do=delete"), "Delete 1 license");
    server.license("T", "k0");
    let refused = page.form("/undo").submit(&mut admin, "Undo");
    let words = refused.text();
    assert!(words.contains("k0 for T was added again since"), "{words}");
    assert_eq!(
        (refused.status, values(&server, "id")),
        (409, vec![json!(2)])
    );
    admin.delete("/api/licenses/2");
    page.form("/undo").submit(&mut admin, "Undo");
    assert_eq!(values(&server, "id"), [1]);
}

#[test]
fn a_form_that_is_sent_twice_changes_once_and_leads_to_the_same_undo() {
    let server = Server::start();
    let ids = ending(&server, &["2026-12-31"]);
    let mut admin = server.admin();
    let button = "Extend 1 license from the present end";
    let form = Page::open(&mut admin, &of_ids(&ids, "quick=1y")).form(button);
    let first = form.submit(&mut admin, button);
    let second = form.submit(&mut admin, button);
    assert_eq!(first.path, second.path);
    assert_eq!(values(&server, "expiration_date"), ["2027-12-31"]);
    first.form("/undo").submit(&mut admin, "Undo");
    form.submit(&mut admin, button);
    assert_eq!(values(&server, "expiration_date"), ["2027-12-31"]);
    let renew = Page::open(&mut admin, "/licenses").form("/renew");
    let button = "Extend k0 by a year";
    renew.submit(&mut admin, button);
    let page = renew.submit(&mut admin, button);
    assert!(page.flash().unwrap().contains("ends on 2028-12-31 already"));
    assert_eq!(values(&server, "expiration_date"), ["2028-12-31"]);
}

#[test]
fn a_change_is_undone_once_and_for_ten_minutes() {
    let server = Server::start();
    let ids = ending(&server, &["2026-12-31"]);
    let mut admin = server.admin();
    let first = change(
        &mut admin,
        &of_ids(&ids, "quick=1m"),
        "Extend 1 license from today",
    );
    let undo = first.form("/undo");
    server.clock.turn(600);
    assert_eq!(undo.submit(&mut admin, "Undo").status, 200);
    assert_eq!(undo.submit(&mut admin, "Undo").status, 409);
    let second = change(
        &mut admin,
        &of_ids(&ids, "quick=1m"),
        "Extend 1 license from today",
    );
    let undo = second.form("/undo");
    server.clock.turn(601);
    let refused = undo.submit(&mut admin, "Undo");
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("10 minutes"), "{}", refused.text());
    assert_eq!(values(&server, "expiration_date"), ["2026-07-15"]);
}

#[test]
fn nothing_is_changed_that_was_not_looked_at() {
    let server = Server::start();
    let ids = ending(&server, &["2026-12-31"]);
    let mut admin = server.admin();
    for meanwhile in [
        r#"{"user_id":"Ole"}"#,
        r#"{"expiration_date":"2027-01-31"}"#,
    ] {
        let looked = Page::open(&mut admin, &of_filter("?tool=T", "do=revoked"));
        let form = looked.form("Revoke 1 license");
        admin.patch("/api/licenses/1", meanwhile);
        let page = form.submit(&mut admin, "Revoke 1 license");
        assert_eq!(page.status, 409);
        assert!(
            page.text().contains("Nothing was changed"),
            "{}",
            page.text()
        );
        assert_eq!(values(&server, "status"), ["activated"]);
    }
    let looked = Page::open(&mut admin, &of_filter("?tool=T", "do=revoked"));
    let form = looked.form("Revoke 1 license");
    server.license("T", "another");
    assert_eq!(form.submit(&mut admin, "Revoke 1 license").status, 409);
    server.clock.turn(DAY);
    let page = Page::open(&mut server.admin(), &of_ids(&ids, "quick=1y"));
    assert_eq!(page.rows()[0][5], "2027-06-16");
}

#[test]
fn each_license_has_its_entry_in_the_log_and_all_together_one() {
    let (server, database) = Database::start();
    let ids = ending(&server, &["", ""]);
    let mut admin = server.admin();
    change(
        &mut admin,
        &of_ids(&ids, "do=suspended"),
        "Suspend 2 licenses",
    )
    .form("/undo")
    .submit(&mut admin, "Undo");
    let audit = database.audit();
    let kinds: Vec<&str> = audit[audit.len() - 6..]
        .iter()
        .map(|noted| noted.kind.as_str())
        .collect();
    let each = [
        "license changed",
        "license changed",
        "many licenses changed",
    ];
    assert_eq!(kinds, [each, each].concat());
}

#[test]
fn a_term_or_a_day_that_is_none_is_told_with_its_value() {
    let server = Server::start();
    let ids = ending(&server, &["2026-12-31"]);
    for (what, word) in [
        ("do=extend&number=0&unit=d", "`0d`"),
        ("do=extend&number=x&unit=y", "`xy`"),
        ("do=end&day=2026-02-30", "`2026-02-30`"),
        ("do=destroyed", "`destroyed`"),
    ] {
        let page = Page::open(&mut server.admin(), &of_ids(&ids, what));
        assert_eq!(page.status, 422);
        assert!(page.alert().contains(word), "{}", page.alert());
    }
}

#[test]
fn nothing_selected_is_a_page_that_says_how() {
    let server = Server::start();
    server.license("T", "k");
    let page = Page::open(&mut server.admin(), "/bulk?of=selected&filter=%3Ftool%3DT");
    assert!(page.text().contains("No license is selected"));
    let back = page.follow(&mut server.admin(), "Back to the table");
    assert_eq!(back.path, "/licenses?tool=T");
}

#[test]
fn a_click_renews_by_a_year_from_the_end_or_from_today_where_that_is_over() {
    let server = Server::start();
    ending(&server, &["2026-05-31", "2026-12-31"]);
    let mut admin = server.admin();
    let table = Page::open(&mut admin, "/licenses?tool=T&sort=key");
    let renew = table.form("/renew");
    let page = renew.submit(&mut admin, "Extend k0 by a year");
    assert_eq!(page.path, "/licenses?tool=T&sort=key");
    assert!(page.flash().unwrap().contains("extended until 2027-06-15"));
    let page = page.form("/undo").submit(&mut admin, "Undo");
    assert!(
        page.text().contains("1 license is as before"),
        "{}",
        page.text()
    );
    let license = Page::open(&mut admin, "/licenses/2");
    license
        .form("/renew")
        .submit(&mut admin, "Extend by a year");
    let days = ["2026-05-31", "2027-12-31"];
    assert_eq!(values(&server, "expiration_date"), days);
}
