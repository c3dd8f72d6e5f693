//! Bulk changes: previewed, confirmed, undone.

use serde_json::{Value, json};

use crate::database::Database;
use crate::page::{Page, filter, urlencoded};
use crate::server::{Client, Server};

const DAY: i64 = 86_400;

// What the form of the page sends.
pub const EXTEND_BY_1_YEAR: &str = "do=1y";
const EXTEND_BY_1_MONTH: &str = "do=1m";
pub const DELETE: &str = "do=delete";

// The buttons that confirm a preview.
const CONFIRM: &str = "start=";
const FROM_EXPIRATION: &str = "start=expiration";
pub const FROM_TODAY: &str = "start=today";

fn extend(term: &str) -> String {
    format!("do=extend&term={term}")
}

fn expire_on(day: &str) -> String {
    format!("do=expiration&day={day}")
}

fn set_status(status: &str) -> String {
    format!("do={status}")
}

pub fn set_customer(name: &str) -> String {
    format!("do=set&field=user_id&value={name}")
}

/// Licenses of one tool with these expiration dates; an empty one is perpetual.
fn expiring(server: &Server, days: &[&str]) -> Vec<i64> {
    let add = |(n, day): (usize, &&str)| {
        server
            .add(json!({"tool_name": "T", "license_key": format!("k{n}"), "expiration_date": day}))
    };
    days.iter().enumerate().map(add).collect()
}

fn selected(ids: &[i64], change: &str) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("id={id}")).collect();
    format!("/bulk?{}&of=selected&{change}", ids.join("&"))
}

fn found(filter: &str, change: &str) -> String {
    format!("/bulk?of=all&filter={}&{change}", urlencoded(filter))
}

/// Opens the preview and confirms it with this button.
fn change(admin: &mut Client, preview: &str, button: &str) -> Page {
    Page::open(admin, preview).press(admin, button)
}

/// Presses the button that renews this license by a year.
fn renew(admin: &mut Client, page: &Page, id: i64) -> Page {
    page.form("/renew").press(admin, &format!("id={id}_"))
}

/// How many licenses a bulk change has changed or an undo has restored.
fn number(page: &Page) -> usize {
    let result = page.texts("p.verdict").concat();
    let digits = result.chars().skip_while(|c| !c.is_ascii_digit());
    let digits: String = digits.take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{}", page.text()))
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
fn a_term_is_previewed_from_the_expiration_date_and_from_today() {
    let server = Server::start();
    let ids = expiring(&server, &["2026-05-31", "2026-12-31", ""]);
    let mut admin = server.admin();
    let page = Page::open(&mut admin, &selected(&ids, EXTEND_BY_1_YEAR));
    let rows = page.rows();
    assert_eq!(rows[0][3..], ["2026-05-31", "2027-05-31", "2027-06-15"]);
    assert_eq!(rows[1][3..], ["2026-12-31", "2027-12-31", "2027-06-15"]);
    assert_eq!(rows[2][4..], ["", ""]);
    assert!(page.all(".warning, tbody .refused").is_empty());
    let shorter = Page::open(&mut admin, &selected(&ids, &extend("1m")));
    assert!(shorter.texts(".warning").concat().contains('1'));
    assert_eq!(shorter.rows()[1][5], "2026-07-15");
    assert_eq!(shorter.all("tbody tr:nth-child(2) .refused").len(), 1);
    page.press(&mut admin, FROM_EXPIRATION);
    let days = [json!("2027-05-31"), json!("2027-12-31"), Value::Null];
    assert_eq!(values(&server, "expiration_date"), days);
}

#[test]
fn what_expires_soon_is_extended_in_five_clicks_in_the_order_of_the_table() {
    let server = Server::start();
    let days = ["2026-07-10", "2026-06-20", "2026-08-30", "2026-07-01"];
    expiring(&server, &days);
    let mut admin = server.admin();
    let table = Page::open(&mut admin, "/").follow(&mut admin, "/licenses?sort=expires");
    let in_order = ["k1", "k3", "k0"];
    assert_eq!(table.keys(), in_order);
    let links = table.links();
    let all = links.iter().find(|(_, to)| to.ends_with("select=page"));
    let ticked = Page::open(&mut admin, &all.unwrap().1);
    for (table, of) in [(&ticked, "of=selected"), (&table, "of=all")] {
        let change = table.form("/bulk").press(&mut admin, of);
        let preview = change.press(&mut admin, "do=1y");
        assert_eq!(preview.keys(), in_order, "{of}");
    }
    let change = ticked.form("/bulk").press(&mut admin, "of=selected");
    let preview = change.press(&mut admin, "do=1y");
    assert_eq!(number(&preview.press(&mut admin, FROM_EXPIRATION)), 3);
    let expected = ["2027-07-10", "2027-06-20", "2026-08-30", "2027-07-01"];
    assert_eq!(values(&server, "expiration_date"), expected);
}

#[test]
fn only_the_licenses_that_the_filter_finds_are_changed() {
    let server = Server::start();
    expiring(
        &server,
        &["2026-06-01", "2026-06-14", "2026-06-15", "2026-03-01"],
    );
    let filter = format!("?{}", filter::EXPIRED_IN_LAST_30_DAYS);
    let preview = found(&filter, &set_status("revoked"));
    let page = change(&mut server.admin(), &preview, CONFIRM);
    assert_eq!(number(&page), 2);
    let expected = ["revoked", "revoked", "activated", "activated"];
    assert_eq!(values(&server, "status"), expected);
    assert_eq!(server.check("T", "k1").0, 403);
}

#[test]
fn undo_restores_every_value_after_every_action() {
    let (server, database) = Database::start();
    let ids = expiring(&server, &["2026-12-31", ""]);
    (0..3).for_each(|_| drop(server.check("T", "k0")));
    server.tick().unwrap();
    let mut admin = server.admin();
    let before = whole(&server);
    for (what, button, field, changed, expected) in [
        (
            set_status("suspended"),
            CONFIRM,
            "status",
            2,
            vec![json!("suspended"), json!("suspended")],
        ),
        (
            set_customer("Anna"),
            CONFIRM,
            "user_id",
            2,
            vec![json!("Anna"), json!("Anna")],
        ),
        (
            "do=set&field=features&value=ocr%3B+export".to_owned(),
            CONFIRM,
            "features",
            2,
            vec![json!(["ocr", "export"]), json!(["ocr", "export"])],
        ),
        (
            "do=set&field=updates_until&value=31-Dec-2027".to_owned(),
            CONFIRM,
            "updates_until",
            2,
            vec![json!("2027-12-31"), json!("2027-12-31")],
        ),
        (
            expire_on("2028-02-29"),
            CONFIRM,
            "expiration_date",
            2,
            vec![json!("2028-02-29"), json!("2028-02-29")],
        ),
        (
            extend("10d"),
            FROM_TODAY,
            "expiration_date",
            1,
            vec![json!("2026-06-25"), Value::Null],
        ),
        (DELETE.to_owned(), CONFIRM, "id", 2, vec![]),
    ] {
        let page = change(&mut admin, &selected(&ids, &what), button);
        assert_eq!(number(&page), changed, "{what}");
        assert_eq!(values(&server, field), expected, "{what}");
        let page = page.form("/undo").submit(&mut admin);
        assert_eq!(number(&page), changed, "{what}");
        assert_eq!(whole(&server), before, "{what}");
    }
    let history = "select count(*) from check_history where license_id = 1";
    let kept: i64 = database.one(history, &[]);
    assert_eq!((server.check("T", "k0").0, kept), (200, 1));
}

#[test]
fn undo_skips_and_names_licenses_that_were_changed_later() {
    let server = Server::start();
    let ids = expiring(&server, &["2026-12-31", "2026-12-31", "2026-12-31"]);
    let mut admin = server.admin();
    let preview = selected(&ids, &set_status("revoked"));
    let page = change(&mut admin, &preview, CONFIRM);
    admin.patch("/api/licenses/1", r#"{"user_id":"Ole"}"#);
    admin.delete("/api/licenses/2");
    let page = page.form("/undo").submit(&mut admin);
    let result = page.texts("p.verdict").concat();
    let is_named = ["k0", "k1", "k2"].map(|key| result.contains(key));
    assert_eq!(is_named, [true, true, false], "{result}");
    assert_eq!(number(&page), 1);
    assert_eq!(values(&server, "status"), ["revoked", "activated"]);
}

#[test]
fn undo_does_not_replace_a_license_that_was_added_again() {
    let server = Server::start();
    let ids = expiring(&server, &[""]);
    let mut admin = server.admin();
    let page = change(&mut admin, &selected(&ids, DELETE), CONFIRM);
    server.license("T", "k0");
    let refused = page.form("/undo").submit(&mut admin);
    assert!(refused.text().contains("k0"), "{}", refused.text());
    assert_eq!(
        (refused.status, values(&server, "id")),
        (409, vec![json!(2)])
    );
    admin.delete("/api/licenses/2");
    page.form("/undo").submit(&mut admin);
    assert_eq!(values(&server, "id"), [1]);
}

#[test]
fn a_form_that_is_sent_twice_changes_licenses_once() {
    let server = Server::start();
    let ids = expiring(&server, &["2026-12-31"]);
    let mut admin = server.admin();
    let preview = Page::open(&mut admin, &selected(&ids, EXTEND_BY_1_YEAR));
    let form = preview.form_with(FROM_EXPIRATION);
    let first = form.press(&mut admin, FROM_EXPIRATION);
    let second = form.press(&mut admin, FROM_EXPIRATION);
    assert_eq!(first.path, second.path);
    assert_eq!(values(&server, "expiration_date"), ["2027-12-31"]);
    first.form("/undo").submit(&mut admin);
    form.press(&mut admin, FROM_EXPIRATION);
    assert_eq!(values(&server, "expiration_date"), ["2027-12-31"]);
    let table = Page::open(&mut admin, "/licenses");
    renew(&mut admin, &table, 1);
    let page = renew(&mut admin, &table, 1);
    let flash = page.flash().unwrap();
    assert!(flash.contains("2028-12-31"), "{flash}");
    assert!(!page.has_form("/undo"));
    assert_eq!(values(&server, "expiration_date"), ["2028-12-31"]);
}

#[test]
fn a_change_can_be_undone_once_within_ten_minutes() {
    let server = Server::start();
    let ids = expiring(&server, &["2026-12-31"]);
    let mut admin = server.admin();
    let preview = selected(&ids, EXTEND_BY_1_MONTH);
    let undo = change(&mut admin, &preview, FROM_TODAY).form("/undo");
    server.clock.turn(600);
    assert_eq!(undo.submit(&mut admin).status, 200);
    assert_eq!(undo.submit(&mut admin).status, 409);
    let undo = change(&mut admin, &preview, FROM_TODAY).form("/undo");
    server.clock.turn(601);
    let refused = undo.submit(&mut admin);
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("10"), "{}", refused.text());
    assert_eq!(values(&server, "expiration_date"), ["2026-07-15"]);
}

#[test]
fn a_stale_preview_changes_nothing() {
    let server = Server::start();
    let ids = expiring(&server, &["2026-12-31"]);
    let mut admin = server.admin();
    let preview = found("?tool=T", &set_status("revoked"));
    for meanwhile in [
        r#"{"user_id":"Ole"}"#,
        r#"{"expiration_date":"2027-01-31"}"#,
    ] {
        let form = Page::open(&mut admin, &preview).form_with(CONFIRM);
        admin.patch("/api/licenses/1", meanwhile);
        let page = form.press(&mut admin, CONFIRM);
        assert_eq!(page.status, 409);
        assert!(!page.alert().is_empty());
        assert_eq!(values(&server, "status"), ["activated"]);
    }
    let form = Page::open(&mut admin, &preview).form_with(CONFIRM);
    server.license("T", "another");
    assert_eq!(form.press(&mut admin, CONFIRM).status, 409);
    server.clock.turn(DAY);
    let page = Page::open(&mut server.admin(), &selected(&ids, EXTEND_BY_1_YEAR));
    assert_eq!(page.rows()[0][5], "2027-06-16");
}

#[test]
fn each_license_and_the_bulk_change_are_in_the_audit_log() {
    let (server, database) = Database::start();
    let ids = expiring(&server, &["", ""]);
    let mut admin = server.admin();
    let preview = selected(&ids, &set_status("suspended"));
    let page = change(&mut admin, &preview, CONFIRM);
    page.form("/undo").submit(&mut admin);
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
fn an_invalid_period_date_or_action_is_reported_with_its_value() {
    let server = Server::start();
    let ids = expiring(&server, &["2026-12-31"]);
    for (what, word) in [
        (extend("0d"), "0"),
        (extend("xy"), "x"),
        (expire_on("2026-02-30"), "2026-02-30"),
        (set_status("destroyed"), "destroyed"),
    ] {
        let page = Page::open(&mut server.admin(), &selected(&ids, &what));
        assert_eq!(page.status, 422);
        assert!(page.alert().contains(word), "{}", page.alert());
    }
}

#[test]
fn without_a_selection_the_page_leads_back_to_the_table() {
    let server = Server::start();
    server.license("T", "k");
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/bulk?of=selected&filter=%3Ftool%3DT");
    assert_eq!((page.rows().len(), page.all(".empty").len()), (0, 1));
    let back = page.follow(&mut admin, "/licenses?tool=T");
    assert_eq!(back.keys(), ["k"]);
}

#[test]
fn one_click_renews_by_a_year_from_the_expiration_date_or_from_today() {
    let server = Server::start();
    expiring(&server, &["2026-05-31", "2026-12-31"]);
    let mut admin = server.admin();
    let table = Page::open(&mut admin, "/licenses?tool=T&sort=key");
    let page = renew(&mut admin, &table, 1);
    assert_eq!(page.path, "/licenses?tool=T&sort=key");
    assert!(page.flash().unwrap().contains("2027-06-15"));
    let page = page.form("/undo").submit(&mut admin);
    assert_eq!(number(&page), 1);
    Page::open(&mut admin, "/licenses/2")
        .form("/renew")
        .submit(&mut admin);
    let days = ["2026-05-31", "2027-12-31"];
    assert_eq!(values(&server, "expiration_date"), days);
}

#[test]
fn any_text_in_the_way_back_is_encoded() {
    let server = Server::start();
    expiring(&server, &["2026-12-31"]);
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses?tool=T").form("/renew");
    let page = form.set("back", "?q=<x>").press(&mut admin, "id=1_");
    assert_eq!((page.status, &*page.path), (200, "/licenses?q=%3Cx%3E"));
    assert_eq!(values(&server, "expiration_date"), ["2027-12-31"]);
}
