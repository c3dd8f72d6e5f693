//! The filters and the sorting of the table of licenses.

use license_server::model::audit::Actor;
use license_server::model::tool::ToolDraft;
use serde_json::json;

use crate::bulk::DELETE;
use crate::database::Database;
use crate::page::{Page, filter, urlencoded};
use crate::server::Server;

/// One license of each kind; today is June 15.
fn furnished() -> (Server, Database) {
    let (server, database) = Database::start();
    for (key, day, customer) in [
        ("expired long ago", "2025-01-01", "Anna"),
        ("expired", "2026-06-01", "Anna"),
        ("expired and in use", "2026-06-10", "Ole"),
        ("expires today", "2026-06-15", "Ole"),
        ("expires in a month", "2026-07-15", "Li"),
        ("expires in 90 days", "2026-09-13", ""),
        ("perpetual", "", ""),
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
fn licenses_are_found_by_expiration_date() {
    use filter::*;
    let (server, _) = furnished();
    let customer = |filter: &str, name: &str| format!("{filter}&customer={name}");
    for (query, expected) in [
        (EXPIRES_IN_7_DAYS.to_owned(), vec!["expires today"]),
        (
            EXPIRES_IN_30_DAYS.to_owned(),
            vec!["expires in a month", "expires today"],
        ),
        (
            EXPIRES_IN_90_DAYS.to_owned(),
            vec!["expires in 90 days", "expires in a month", "expires today"],
        ),
        (
            EXPIRED.to_owned(),
            vec!["expired and in use", "expired", "expired long ago"],
        ),
        (
            EXPIRED_IN_LAST_30_DAYS.to_owned(),
            vec!["expired and in use", "expired"],
        ),
        (PERPETUAL.to_owned(), vec!["perpetual"]),
        (customer(NOT_EXPIRED, "Ole"), vec!["expires today"]),
        (
            format!("{FROM}=2026-06-10&{UNTIL}=2026-07-14"),
            vec!["expires today", "expired and in use"],
        ),
        (format!("{UNTIL}=2025-12-31"), vec!["expired long ago"]),
        (
            customer(EXPIRED, "Anna"),
            vec!["expired", "expired long ago"],
        ),
    ] {
        assert_eq!(keys(&server, &format!("?{query}")), expected, "{query}");
    }
}

#[test]
fn licenses_are_found_by_use() {
    let (server, _) = furnished();
    let day = 86_400;
    server.check("T", "perpetual");
    server.tick().unwrap();
    server.clock.turn(40 * day);
    server.check("T", "expires in 90 days");
    server.tick().unwrap();
    server.clock.turn(5 * day);
    for key in ["expired and in use", "expired and in use"] {
        server.check("T", key);
    }
    for address in ["203.0.113.1", "203.0.113.2"] {
        let client = server.stranger().header("X-Forwarded-For", address);
        let question = json!({"tool_name": "T", "license_key": "expires in a month"});
        { client }.post("/api/check", &question.to_string());
    }
    server.tick().unwrap();
    let refused = format!(
        "seen=refused&{}&customer=Ole",
        filter::EXPIRED_IN_LAST_90_DAYS
    );
    let never = format!("{}&q=LONG", filter::NEVER_SEEN);
    for (query, expected) in [
        (
            "seen=last-1-days",
            vec!["expires in a month", "expired and in use"],
        ),
        (
            "seen=last-7-days",
            vec![
                "expires in 90 days",
                "expires in a month",
                "expired and in use",
            ],
        ),
        (filter::NOT_SEEN_FOR_30_DAYS, vec!["perpetual"]),
        (filter::NOT_SEEN_FOR_90_DAYS, vec![]),
        (
            filter::NEVER_SEEN,
            vec!["expires today", "expired", "expired long ago"],
        ),
        (
            "seen=refused-today",
            vec!["expires in a month", "expired and in use"],
        ),
        (&refused, vec!["expired and in use"]),
        ("seen=shared", vec!["expires in a month"]),
        ("seen=2026-07-25", vec!["expires in 90 days"]),
        (&never, vec!["expired long ago"]),
    ] {
        assert_eq!(keys(&server, &format!("?{query}")), expected, "{query}");
    }
}

#[test]
fn a_license_that_is_valid_again_is_no_longer_refused() {
    let (server, _) = furnished();
    server.check("T", "expired");
    server.tick().unwrap();
    assert_eq!(keys(&server, "?seen=refused"), ["expired"]);
    let mut admin = server.admin();
    admin.patch("/api/licenses/2", r#"{"expiration_date":null}"#);
    server.check("T", "expired");
    server.tick().unwrap();
    assert_eq!(keys(&server, "?seen=refused"), Vec::<String>::new());
}

#[test]
fn licenses_are_sorted_by_each_column_in_both_directions() {
    let (server, _) = furnished();
    let mut admin = server.admin();
    let mut page = Page::open(&mut admin, "/licenses");
    for (order, first, last) in [
        ("key", "expired", "perpetual"),
        ("expires", "expired long ago", "perpetual"),
        ("customer", "expires in 90 days", "expires today"),
    ] {
        page = page.follow(&mut admin, &format!("sort={order}"));
        let keys = page.keys();
        assert_eq!((&*keys[0], &*keys[6]), (first, last), "{order}");
        page = page.follow(&mut admin, &format!("sort=-{order}"));
        let keys = page.keys();
        assert_eq!((&*keys[0], &*keys[6]), (last, first), "{order}");
    }
}

#[test]
fn licenses_are_found_by_their_note() {
    let (server, _) = furnished();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/7/edit").form("/edit");
    let page = form
        .fill("note", "Paid in cash,\r\nask for Lena")
        .submit(&mut admin);
    assert!(page.text().contains("Paid in cash"));
    assert_eq!(keys(&server, "?q=lena"), ["perpetual"]);
    let form = Page::open(&mut admin, "/licenses/7/edit").form("/edit");
    assert_eq!(form.value("note"), "Paid in cash,\nask for Lena");
    form.fill("note", "").submit(&mut admin);
    assert_eq!(keys(&server, "?q=lena"), Vec::<String>::new());
}

#[test]
fn an_unknown_filter_value_is_reported_and_finds_nothing() {
    use filter::*;
    let (server, _) = furnished();
    let mut admin = server.admin();
    for (query, word) in [
        (format!("{FROM}=2026-02-30"), "2026-02-30"),
        (format!("{UNTIL}=31.02.2026&{EXPIRED}"), "31.02.2026"),
        ("status=revokd".to_owned(), "revokd"),
        ("status=expired&tool=T".to_owned(), "expired"),
        (UNKNOWN_PERIOD.to_owned(), value(UNKNOWN_PERIOD)),
        (NO_PERIOD.to_owned(), name(NO_PERIOD)),
        ("seen=sometimes".to_owned(), "sometimes"),
    ] {
        let encoded = urlencoded(&format!("?{query}"));
        let bulk = format!("/bulk?of=all&{DELETE}&filter={encoded}");
        for path in [
            format!("/licenses?{query}"),
            bulk,
            format!("/licenses.csv?{query}"),
        ] {
            let page = Page::open(&mut admin, &path);
            assert_eq!((page.status, page.keys().len()), (422, 0), "{path}");
            let problem = page.texts(".problem, main > section > p").concat();
            assert!(problem.contains(word), "{path}: {problem}");
        }
    }
    assert_eq!(keys(&server, "?sort=-nothing&after=_&tool=").len(), 7);
}

fn name(filter: &str) -> &str {
    filter.split_once('=').unwrap().0
}

fn value(filter: &str) -> &str {
    filter.split_once('=').unwrap().1
}

#[test]
fn a_license_used_after_expiration_is_found_even_in_its_grace_period() {
    use filter::{EXPIRED_IN_LAST_30_DAYS, SEEN_AFTER_EXPIRATION};
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
        ("T", "expired and in use"),
        ("Generous", "in grace"),
        ("T", "expires today"),
        ("T", "perpetual"),
    ] {
        server.check(tool, key);
    }
    server.tick().unwrap();
    let both = vec!["in grace", "expired and in use"];
    assert_eq!(keys(&server, &format!("?{SEEN_AFTER_EXPIRATION}")), both);
    let query = format!("{EXPIRED_IN_LAST_30_DAYS}&{SEEN_AFTER_EXPIRATION}&status=activated");
    assert_eq!(keys(&server, &format!("?{query}")), both);
    let overview = Page::open(&mut server.admin(), "/");
    let figure = overview.texts(&format!(".figure[href*='{SEEN_AFTER_EXPIRATION}'] strong"));
    assert_eq!(figure, ["2"]);
}

#[test]
fn a_search_without_a_match_repeats_its_filters() {
    let (server, _) = furnished();
    let query = format!(
        "/licenses?tool=T&status=revoked&{}&{}",
        filter::EXPIRED_IN_LAST_30_DAYS,
        filter::NEVER_SEEN
    );
    let page = Page::open(&mut server.admin(), &query);
    let empty = page.texts(".empty").concat();
    for word in [" T", "revoked", "30 days", "never"] {
        assert!(empty.contains(word), "{word}: {empty}");
    }
}

#[test]
fn a_filter_that_is_too_long_is_refused_wherever_it_is_sent() {
    let (server, _) = furnished();
    let mut admin = server.admin();
    for (field, length) in [("q", 101), ("tool", 256), ("customer", 256), ("seen", 256)] {
        let filter = format!("?{field}={}", "0".repeat(length));
        let bulk = format!("/bulk?of=all&do=delete&filter={}", urlencoded(&filter));
        for address in [format!("/licenses{filter}"), bulk] {
            let page = Page::open(&mut admin, &address);
            assert_eq!((page.status, page.rows().len()), (422, 0), "{address}");
            assert!(page.text().contains(&length.to_string()), "{address}");
        }
    }
    let license = format!("/audit?license={}", "0".repeat(256));
    assert_eq!(Page::open(&mut admin, &license).status, 422);
}
