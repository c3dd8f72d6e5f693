//! The morning's questions, asked of the table of licenses.

use license_server::model::audit::Actor;
use license_server::model::tool::ToolDraft;
use serde_json::json;

use crate::database::Database;
use crate::page::{Page, urlencoded};
use crate::server::Server;

/// One license of each sort; today is the 15th of June.
fn furnished() -> (Server, Database) {
    let (server, database) = Database::start();
    for (key, day, customer) in [
        ("ended long ago", "2025-01-01", "Anna"),
        ("ended", "2026-06-01", "Anna"),
        ("ended and asks", "2026-06-10", "Ole"),
        ("ends today", "2026-06-15", "Ole"),
        ("ends in a month", "2026-07-15", "Li"),
        ("ends in 90 days", "2026-09-13", ""),
        ("without end", "", ""),
    ] {
        server.add(json!({
            "tool_name": "T", "license_key": key, "expiration_date": day, "user_id": customer
        }));
    }
    (server, database)
}

fn keys(server: &Server, query: &str) -> Vec<String> {
    let page = Page::open(&mut server.admin(), &format!("/licenses{query}"));
    assert_eq!(page.status, 200);
    page.keys()
}

#[test]
fn by_the_day_on_which_they_end() {
    let (server, _) = furnished();
    for (query, expected) in [
        ("?ends=7", vec!["ends today"]),
        ("?ends=30", vec!["ends in a month", "ends today"]),
        (
            "?ends=90",
            vec!["ends in 90 days", "ends in a month", "ends today"],
        ),
        (
            "?ends=over",
            vec!["ended and asks", "ended", "ended long ago"],
        ),
        ("?ends=over-30", vec!["ended and asks", "ended"]),
        ("?ends=never", vec!["without end"]),
        ("?ends=not-over&customer=Ole", vec!["ends today"]),
        (
            "?from=2026-06-10&until=2026-07-14",
            vec!["ends today", "ended and asks"],
        ),
        ("?until=2025-12-31", vec!["ended long ago"]),
        ("?ends=over&customer=Anna", vec!["ended", "ended long ago"]),
    ] {
        assert_eq!(keys(&server, query), expected, "{query}");
    }
}

#[test]
fn by_what_their_machines_do() {
    let (server, _) = furnished();
    let day = 86_400;
    server.check("T", "without end");
    server.tick().unwrap();
    server.clock.turn(40 * day);
    server.check("T", "ends in 90 days");
    server.tick().unwrap();
    server.clock.turn(5 * day);
    for key in ["ended and asks", "ended and asks"] {
        server.check("T", key);
    }
    for address in ["203.0.113.1", "203.0.113.2"] {
        let client = server.stranger().header("X-Forwarded-For", address);
        let question = json!({"tool_name": "T", "license_key": "ends in a month"});
        { client }.post("/api/check", &question.to_string());
    }
    server.tick().unwrap();
    for (query, expected) in [
        ("?seen=1", vec!["ends in a month", "ended and asks"]),
        (
            "?seen=7",
            vec!["ends in 90 days", "ends in a month", "ended and asks"],
        ),
        ("?seen=not-30", vec!["without end"]),
        ("?seen=not-90", vec![]),
        ("?seen=never", vec!["ends today", "ended", "ended long ago"]),
        (
            "?seen=refused-today",
            vec!["ends in a month", "ended and asks"],
        ),
        (
            "?seen=refused&ends=over-90&customer=Ole",
            vec!["ended and asks"],
        ),
        ("?seen=shared", vec!["ends in a month"]),
        ("?seen=2026-07-25", vec!["ends in 90 days"]),
        ("?seen=never&q=LONG", vec!["ended long ago"]),
    ] {
        assert_eq!(keys(&server, query), expected, "{query}");
    }
}

#[test]
fn whoever_is_let_in_again_is_no_longer_refused() {
    let (server, _) = furnished();
    server.check("T", "ended");
    server.tick().unwrap();
    assert_eq!(keys(&server, "?seen=refused"), ["ended"]);
    let mut admin = server.admin();
    admin.patch("/api/licenses/2", r#"{"expiration_date":null}"#);
    server.check("T", "ended");
    server.tick().unwrap();
    assert_eq!(keys(&server, "?seen=refused"), Vec::<String>::new());
}

#[test]
fn by_each_column_there_and_back() {
    let (server, _) = furnished();
    let mut admin = server.admin();
    let mut page = Page::open(&mut admin, "/licenses");
    for (head, first, last) in [
        ("License key", "ended", "without end"),
        ("Ends", "ended long ago", "without end"),
        ("Customer", "ends in 90 days", "ends today"),
    ] {
        page = page.follow(&mut admin, head);
        let keys = page.keys();
        assert_eq!((&*keys[0], &*keys[6]), (first, last), "{head}");
        page = page.follow(&mut admin, head);
        let keys = page.keys();
        assert_eq!((&*keys[0], &*keys[6]), (last, first), "{head}");
    }
}

#[test]
fn by_a_note_that_the_search_finds() {
    let (server, _) = furnished();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/7/edit").form("/edit");
    let page = form
        .fill("note", "Paid in cash,\r\nask for Lena")
        .submit(&mut admin, "Save changes");
    assert!(page.text().contains("Paid in cash"));
    assert_eq!(keys(&server, "?q=lena"), ["without end"]);
    let form = Page::open(&mut admin, "/licenses/7/edit").form("/edit");
    assert_eq!(form.value("note"), "Paid in cash,\nask for Lena");
    form.fill("note", "").submit(&mut admin, "Save changes");
    assert_eq!(keys(&server, "?q=lena"), Vec::<String>::new());
}

#[test]
fn a_word_that_means_nothing_is_told_and_finds_nothing() {
    let (server, _) = furnished();
    let mut admin = server.admin();
    for (query, word) in [
        ("from=2026-02-30", "“2026-02-30”"),
        ("until=31.12.2026&ends=over", "“31.12.2026”"),
        ("status=revokd", "“revokd”"),
        ("status=expired&tool=T", "by “Ends”"),
        ("ends=next-week", "“next-week”"),
        ("ends=%00", "“ends”"),
        ("seen=sometimes", "“sometimes”"),
    ] {
        let page = Page::open(&mut admin, &format!("/licenses?{query}"));
        assert_eq!((page.status, page.keys().len()), (422, 0), "{query}");
        assert!(page.text().contains(word), "{query}: {}", page.text());
        let bulk = format!(
            "/bulk?of=all&do=delete&filter={}",
            urlencoded(&format!("?{query}"))
        );
        for path in [bulk, format!("/licenses.csv?{query}")] {
            let page = Page::open(&mut admin, &path);
            assert_eq!(page.status, 422, "{path}");
            assert!(page.text().contains(word), "{path}: {}", page.text());
        }
    }
    assert_eq!(keys(&server, "?sort=-nothing&after=_&tool=").len(), 7);
}

#[test]
fn who_asked_after_the_end_is_found_whatever_the_answer_was() {
    let (server, _) = furnished();
    server.add(json!({"tool_name": "Generous", "license_key": "in grace", "expiration_date": "2026-06-10"}));
    let rules = ToolDraft {
        offline_days: "7".into(),
        grace_days: "30".into(),
        ..ToolDraft::default()
    };
    server
        .service
        .set_tool(&Actor::command_line(), "Generous", &rules)
        .unwrap();
    for (tool, key) in [
        ("T", "ended and asks"),
        ("Generous", "in grace"),
        ("T", "ends today"),
        ("T", "without end"),
    ] {
        server.check(tool, key);
    }
    server.tick().unwrap();
    let both = vec!["in grace", "ended and asks"];
    assert_eq!(keys(&server, "?seen=since-end"), both);
    assert_eq!(
        keys(&server, "?ends=over-30&seen=since-end&status=activated"),
        both
    );
    let overview = Page::open(&mut server.admin(), "/");
    assert!(
        overview.has_link("2 ended in the last 30 days and still ask"),
        "{}",
        overview.text()
    );
}

#[test]
fn a_filter_without_result_is_told_in_words() {
    let (server, _) = furnished();
    let query = "/licenses?tool=T&status=revoked&ends=over-30&seen=never";
    let page = Page::open(&mut server.admin(), query);
    let words = "no license of T, revoked, ended in the last 30 days, never seen";
    assert!(page.text().contains(words), "{}", page.text());
}
