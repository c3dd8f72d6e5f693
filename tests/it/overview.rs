//! The overview: every figure is right and leads to its rows.

use serde_json::json;

use crate::page::{Page, filter};
use crate::server::Server;

const DAY: i64 = 86_400;

fn add(server: &Server, key: &str, status: &str, day: &str) {
    server.add(json!({
        "tool_name": "T", "license_key": key, "status": status, "expiration_date": day
    }));
}

fn overview(server: &Server) -> Page {
    Page::open(&mut server.admin(), "/")
}

/// The large figures.
fn figures(page: &Page) -> Vec<String> {
    page.texts(".figure strong")
}

#[test]
fn three_steps_lead_to_the_first_license() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/");
    assert!(page.all("svg.chart").is_empty());
    let code = page
        .form("/tools")
        .fill("tool_name", " My Tool ")
        .submit(&mut admin);
    assert_eq!(
        (code.status, &*code.path),
        (200, "/tool/integration?name=My%20Tool")
    );
    let page = Page::open(&mut admin, "/");
    assert!(page.has_link(&code.path) && page.has_link("/tool?name=My%20Tool"));
    assert!(page.all("[aria-labelledby=first-run] .rows").is_empty());
    server.check("My Tool", "machine");
    server.tick().unwrap();
    let form = Page::open(&mut admin, "/").follow(&mut admin, "/licenses/new?");
    form.form("/licenses/new").submit(&mut admin);
    assert_eq!(server.check("My Tool", "machine").0, 200);
    assert!(
        Page::open(&mut admin, "/")
            .all("[aria-labelledby=first-run]")
            .is_empty()
    );
}

#[test]
fn the_figures_match_the_lists_they_lead_to() {
    let server = Server::start();
    add(&server, "expires", "activated", "2026-07-15");
    add(&server, "expires, suspended", "suspended", "2026-07-15");
    add(&server, "expires later", "activated", "2026-07-16");
    add(&server, "expired", "activated", "2026-06-01");
    add(&server, "expired and in use", "activated", "2026-06-02");
    add(&server, "revoked", "revoked", "");
    for key in [
        "expired and in use",
        "revoked",
        "unlicensed",
        "unlicensed too",
        "expires",
    ] {
        server.check("T", key);
    }
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/");
    assert_eq!(figures(&page), ["1", "1", "2", "0", "2"]);
    for (link, keys) in [
        (
            format!(".figure[href$='{}']", filter::EXPIRES_IN_30_DAYS),
            vec!["expires"],
        ),
        (
            format!(".figure[href$='{}']", filter::SEEN_AFTER_EXPIRATION),
            vec!["expired and in use"],
        ),
        (
            ".figure[href$='refused-today']".to_owned(),
            vec!["revoked", "expired and in use"],
        ),
        (
            "#states a".to_owned(),
            vec![
                "revoked",
                "expired and in use",
                "expired",
                "expires later",
                "expires, suspended",
                "expires",
            ],
        ),
    ] {
        let figure = &page.all(&link)[0];
        let shown = figure.text().find_map(number).unwrap();
        let list = Page::open(&mut admin, figure.attr("href").unwrap());
        assert_eq!((list.keys(), shown), (strings(&keys), keys.len()), "{link}");
    }
    let states = page.all("[aria-labelledby=states] .legend a").into_iter();
    let states: Vec<Vec<String>> = states
        .map(|state| {
            let list = Page::open(&mut admin, state.attr("href").unwrap());
            assert_eq!(state.text().find_map(number), Some(list.keys().len()));
            list.keys()
        })
        .collect();
    for keys in [
        &["expires later", "expires"][..],
        &["expired and in use", "expired"],
        &["expires, suspended"],
        &["revoked"],
    ] {
        assert!(states.contains(&strings(keys)), "{keys:?}: {states:?}");
    }
}

fn strings(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

/// The number at the beginning of a text.
fn number(text: &str) -> Option<usize> {
    text.split_whitespace().next()?.parse().ok()
}

#[test]
fn checks_are_drawn_by_day_and_listed_in_a_table() {
    let server = Server::start();
    add(&server, "k", "activated", "");
    (0..3).for_each(|_| drop(server.check("T", "k")));
    server.tick().unwrap();
    server.clock.turn(DAY);
    server.check("T", "nobody");
    server.tick().unwrap();
    let page = overview(&server);
    let bars = page.texts("svg.chart a title");
    for (bar, day, checks) in [
        (27, "2026-06-14", None),
        (28, "2026-06-15", Some(3)),
        (29, "2026-06-16", Some(1)),
    ] {
        let (shown, words) = bars[bar].split_once(':').unwrap();
        assert_eq!((shown, number(words)), (day, checks), "{}", bars[bar]);
    }
    assert_eq!(
        page.rows()[28],
        ["2026-06-15", "3", "0", "0", "0", "0", "0", "0"]
    );
    let legend = page.texts("[aria-labelledby=checks] .legend a");
    let legend: Vec<_> = legend.iter().filter_map(|words| number(words)).collect();
    assert_eq!(legend, [3, 1]);
}

#[test]
fn a_tool_shows_its_machines_of_the_last_week() {
    let server = Server::start();
    for key in ["a", "b", "c"] {
        add(&server, key, "activated", "");
    }
    server.check("T", "a");
    server.tick().unwrap();
    server.clock.turn(7 * DAY);
    server.check("T", "b");
    server.tick().unwrap();
    let page = overview(&server);
    let tools = page.texts("section[aria-labelledby=tools] tbody td");
    assert_eq!(tools, ["T", "3", "1"]);
    assert_eq!(
        page.follow(&mut server.admin(), "/licenses?tool=T&seen=last-7-days")
            .keys(),
        ["b"]
    );
}

#[test]
fn refused_checks_are_those_of_today() {
    let server = Server::start();
    add(&server, "k", "revoked", "");
    add(&server, "most", "suspended", "");
    (0..9).for_each(|_| drop(server.check("T", "k")));
    server.tick().unwrap();
    server.clock.turn(DAY);
    for key in ["k", "most", "most", "k", "most"] {
        server.check("T", key);
        server.tick().unwrap();
    }
    let checks = |page: &Page| -> Vec<Option<usize>> {
        let rows = page.texts("[aria-labelledby=refused] small");
        let checks = rows.iter().map(|row| row.split_once(", ").unwrap().1);
        checks.map(number).collect()
    };
    assert_eq!(checks(&overview(&server)), [Some(3), Some(2)]);
}

#[test]
fn the_next_license_to_expire_is_renewed_by_a_click() {
    let server = Server::start();
    add(&server, "k", "activated", "2026-06-20");
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/").form("/renew");
    let page = form.press(&mut admin, "id=1_");
    assert_eq!(page.path, "/");
    assert!(page.flash().unwrap().contains("2027-06-20"));
    assert_eq!(figures(&page)[0], "0");
}
