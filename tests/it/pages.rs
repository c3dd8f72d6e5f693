//! The pages, used through their own links and forms.

use serde_json::json;

use crate::page::{Form, Page, urlencoded};
use crate::server::{Client, PASSWORD, Server};

const MAC: &str = "0a:1b:2c:3d:4e:5f";

/// Signs in on the page that somebody without a session is led to from `path`.
fn sign_in(client: &mut Client, path: &str) -> Page {
    let form = Page::open(client, path).form("/login");
    let form = form.fill("username", "admin").fill("password", PASSWORD);
    form.submit(client, "Sign in")
}

/// Fills in and sends the form for a new license.
fn add(client: &mut Client, tool_name: &str, license_key: &str) -> Page {
    let form = Page::open(client, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", tool_name);
    form.fill("license_key", license_key)
        .submit(client, "Add license")
}

/// What the search box finds.
fn find(client: &mut Client, fragment: &str) -> Vec<String> {
    let form = Page::open(client, "/licenses").form("Find");
    form.fill("q", fragment).submit(client, "Find").keys()
}

fn message(server: &Server, tool_name: &str, license_key: &str) -> String {
    let (_, body) = server.check(tool_name, license_key);
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    answer["message"].as_str().unwrap().to_owned()
}

/// How many rows there are.
fn rows(server: &Server) -> usize {
    let table = server.admin().get("/api/licenses").json();
    table.as_array().unwrap().len()
}

// Signing in and out

#[test]
fn the_sign_in_page_opens_the_overview() {
    let server = Server::start();
    let page = sign_in(&mut server.stranger(), "/");
    assert_eq!((page.status, page.path.as_str()), (200, "/"));
    assert_eq!(page.form("/logout").buttons().next(), Some("Sign out"));
}

#[test]
fn a_wrong_password_and_an_unknown_name_are_told_alike_and_the_name_stays() {
    let server = Server::start();
    let mut words = Vec::new();
    for name in ["admin", "nobody", "<b>\"&"] {
        let form = Page::open(&mut server.stranger(), "/login").form("/login");
        let form = form.fill("username", name).fill("password", "wrong");
        let page = form.submit(&mut server.stranger(), "Sign in");
        assert_eq!((page.status, page.heading().as_str()), (401, "Sign in"));
        assert_eq!(page.form("/login").value("username"), name);
        assert_eq!(page.form("/login").value("password"), "");
        words.push(page.alert());
    }
    assert!(words[0].contains("do not belong together"), "{words:?}");
    assert!(words.iter().all(|other| *other == words[0]), "{words:?}");
}

#[test]
fn after_a_wrong_password_the_way_goes_on_to_the_wanted_page() {
    let server = Server::start();
    let mut client = server.stranger();
    let form = Page::open(&mut client, "/licenses/new?tool=T").form("/login");
    let form = form.fill("username", "admin").fill("password", "wrong");
    let form = form.submit(&mut client, "Sign in").form("/login");
    let page = form
        .fill("password", PASSWORD)
        .submit(&mut client, "Sign in");
    assert_eq!(page.path, "/licenses/new?tool=T");
}

#[test]
fn a_page_without_a_session_leads_through_the_sign_in_back_to_it() {
    let server = Server::start();
    let id = server.license("T&U", "k");
    for path in [
        "/licenses?q=%26+%25&tool=T%26U&status=activated".to_owned(),
        "/licenses/new?tool=A%20B".to_owned(),
        format!("/licenses/{id}"),
        format!("/licenses/{id}/edit"),
        format!("/licenses/{id}/delete"),
    ] {
        let page = sign_in(&mut server.stranger(), &path);
        assert_eq!((page.status, page.path.as_str()), (200, path.as_str()));
    }
}

#[test]
fn next_never_leads_to_another_host() {
    let server = Server::start();
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "",
    ] {
        let mut client = server.stranger();
        let form = Page::open(&mut client, "/login").form("/login");
        let form = form.set("next", next);
        let form = form.fill("username", "admin").fill("password", PASSWORD);
        let page = form.submit(&mut client, "Sign in");
        assert!(
            ["/", "/%09/evil.example"].contains(&page.path.as_str()),
            "{}",
            page.path
        );
        let next = urlencoded(next);
        let page = Page::open(&mut client, &format!("/login?next={next}"));
        assert!(["/", "/%09/evil.example"].contains(&page.path.as_str()));
    }
}

#[test]
fn who_is_signed_in_needs_no_sign_in_page() {
    let server = Server::start();
    let page = Page::open(&mut server.admin(), "/login");
    assert_eq!(page.path, "/");
}

#[test]
fn after_signing_out_a_copied_cookie_is_dead() {
    let server = Server::start();
    let mut client = server.stranger();
    let table = sign_in(&mut client, "/licenses");
    let mut thief = server.stranger();
    thief.cookies = client.cookies.clone();
    assert_eq!(Page::open(&mut thief, "/licenses").path, "/licenses");
    let page = table.form("/logout").submit(&mut client, "Sign out");
    assert_eq!((page.path.as_str(), client.cookies.len()), ("/login", 0));
    assert_eq!(Page::open(&mut thief, "/licenses").heading(), "Sign in");
}

#[test]
fn a_form_whose_session_is_over_leads_to_the_sign_in_and_stores_nothing() {
    let server = Server::start();
    let mut client = server.admin();
    let form = Page::open(&mut client, "/licenses/new").form("/licenses/new");
    server.clock.turn(31 * 60);
    let form = form.fill("tool_name", "T").fill("license_key", "k");
    let page = form.submit(&mut client, "Add license");
    assert_eq!((page.heading().as_str(), rows(&server)), ("Sign in", 0));
}

// Adding

#[test]
fn an_added_license_is_told_once_and_stands_first_in_the_table() {
    let server = Server::start();
    let mut admin = server.admin();
    add(&mut admin, "Tool_A", "first");
    let page = add(&mut admin, " Tool_A ", " 0A1B.2C3D.4E5F ");
    assert_eq!((page.status, page.heading().as_str()), (200, MAC));
    let told = page.flash().unwrap();
    assert!(
        told.contains("Tool_A") && told.ends_with("added. Look at the warning."),
        "{told}"
    );
    let table = page.follow(&mut admin, "Licenses");
    assert_eq!(table.flash(), None);
    assert_eq!(
        table.rows(),
        [
            [
                MAC,
                "Tool_A",
                "none",
                "activated",
                "never",
                "never",
                "2026-06-15"
            ],
            [
                "first",
                "Tool_A",
                "none",
                "activated",
                "never",
                "never",
                "2026-06-15"
            ],
        ]
    );
    assert_eq!(
        message(&server, "Tool_A", "0A-1B-2C-3D-4E-5F"),
        "License is active and valid."
    );
}

#[test]
fn every_value_of_the_form_is_stored() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", "T").fill("license_key", "k");
    let form = form.fill("user_id", "Müller & Söhne");
    let form = form.fill("status", "suspended");
    let form = form.fill("expiration_date", "2026-06-20");
    let page = form.submit(&mut admin, "Add license");
    let row = &page.follow(&mut admin, "Licenses").rows()[0];
    assert_eq!(
        row,
        &[
            "k",
            "T",
            "Müller & Söhne",
            "suspended",
            "2026-06-20 in 5 days",
            "never",
            "2026-06-15"
        ]
    );
}

#[test]
fn each_problem_stands_beside_its_field_and_what_was_typed_stays() {
    let server = Server::start();
    let mut admin = server.admin();
    let long = "x".repeat(256);
    let typed = [
        ("tool_name", "  "),
        ("license_key", ""),
        ("user_id", long.as_str()),
        ("expiration_date", "31.12.2026"),
    ];
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("status", "revoked");
    let form = typed
        .iter()
        .fold(form, |form, (name, value)| form.fill(name, value));
    let page = form.submit(&mut admin, "Add license");
    assert_eq!((page.status, page.heading().as_str()), (422, "Add license"));
    for ((field, value), words) in typed.into_iter().zip([
        "The tool name is missing",
        "The license key is missing",
        "The customer has 256 characters",
        "`31.12.2026` is not a calendar day; write it as YYYY-MM-DD",
    ]) {
        assert!(page.problem(field).unwrap().contains(words), "{field}");
        assert_eq!(page.form("/licenses/new").value(field), value);
    }
    assert_eq!(page.problem("status"), None);
    assert_eq!(page.form("/licenses/new").value("status"), "revoked");
    assert!(page.alert().starts_with("Nothing was saved."));
    assert_eq!(rows(&server), 0);
}

#[test]
fn a_field_too_long_or_with_a_control_character_is_not_taken() {
    let server = Server::start();
    let mut admin = server.admin();
    for (field, value) in [
        ("tool_name", "x".repeat(101)),
        ("license_key", "x".repeat(256)),
        ("user_id", "ä".repeat(256)),
        ("license_key", "a\u{7}b".to_owned()),
    ] {
        let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
        let form = form.fill("tool_name", "T").fill("license_key", "k");
        let page = form.fill(field, &value).submit(&mut admin, "Add license");
        assert_eq!((page.status, page.invalid_fields()), (422, vec![field]));
        assert_eq!(page.form("/licenses/new").value(field), value);
    }
    assert_eq!(rows(&server), 0);
}

#[test]
fn a_status_that_is_none_of_the_offered_ones_is_not_taken() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", "T").fill("license_key", "k");
    let page = form
        .set("status", "active")
        .submit(&mut admin, "Add license");
    assert_eq!((page.status, page.invalid_fields()), (422, vec!["status"]));
}

#[test]
fn a_duplicate_leads_to_the_license_that_is_there() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", MAC);
    let page = add(&mut admin, "T", "0A-1B-2C-3D-4E-5F");
    assert_eq!(page.status, 422);
    let problem = page.problem("license_key").unwrap();
    assert!(problem.starts_with("This license key already exists for this tool."));
    assert_eq!(
        page.form("/licenses/new").value("license_key"),
        "0A-1B-2C-3D-4E-5F"
    );
    let there = page.follow(&mut admin, "Show that license");
    assert_eq!(there.path, format!("/licenses/{id}"));
    assert_eq!(rows(&server), 1);
}

#[test]
fn a_tool_that_differs_by_case_only_is_asked_about_before_anything_is_stored() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("MyTool", "k");
    for (key, answer, tool) in [
        ("k1", "Use MyTool", "MyTool"),
        ("k2", "Keep mytool", "mytool"),
    ] {
        let before = rows(&server);
        let page = add(&mut admin, "mytool", key);
        assert_eq!((page.status, rows(&server)), (422, before));
        assert!(page.alert().contains("There is already a tool “MyTool”."));
        let form = page.form("/licenses/new");
        assert_eq!(form.value("license_key"), key);
        assert_eq!(form.submit(&mut admin, answer).status, 200);
        assert_eq!(
            message(&server, tool, key),
            "License is active and valid.",
            "{tool}"
        );
        assert_eq!(rows(&server), before + 1);
    }
}

#[test]
fn after_the_question_about_case_another_name_can_still_be_typed() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("MyTool", "k");
    let form = add(&mut admin, "mytool", "k1").form("/licenses/new");
    let form = form.fill("tool_name", "Other");
    assert_eq!(form.submit(&mut admin, "Add license").status, 200);
    assert!(message(&server, "Other", "k1").contains("valid"));
}

#[test]
fn enter_in_a_field_chooses_neither_of_the_two_names() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("MyTool", "k");
    let page = add(&mut admin, "mytool", "k1");
    let pressed_by_enter = page.all("main form button")[0];
    assert_eq!(pressed_by_enter.value().attr("name"), None);
}

#[test]
fn the_tools_that_are_there_are_offered() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("Tool_B", "k");
    server.license("A & \"B\"", "k");
    let deleted = server.license("Gone", "k");
    admin.delete(&format!("/api/licenses/{deleted}"));
    let page = Page::open(&mut admin, "/licenses/new");
    assert_eq!(page.suggestions("tool_name"), ["A & \"B\"", "Tool_B"]);
}

// Changing

#[test]
fn an_edited_license_has_its_new_values() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "user_id": "u",
                               "status": "suspended", "expiration_date": "2027-01-31"}));
    let page = Page::open(&mut admin, &format!("/licenses/{id}"));
    let form = page.follow(&mut admin, "Edit").form("/edit");
    let values = [
        "tool_name",
        "license_key",
        "user_id",
        "status",
        "expiration_date",
    ]
    .map(|name| form.value(name).to_owned());
    assert_eq!(values, ["T", "k", "u", "suspended", "2027-01-31"]);
    let form = form.fill("license_key", "0A1B2C3D4E5F");
    let form = form.fill("status", "activated").fill("user_id", "");
    let page = form
        .fill("expiration_date", "")
        .submit(&mut admin, "Save changes");
    let told = page.flash().unwrap();
    assert!(told.ends_with("saved. Look at the warning."), "{told}");
    assert_eq!(page.heading(), MAC);
    assert_eq!(
        admin.get(&format!("/api/licenses/{id}")).json(),
        json!({"id": id, "created_at": "2026-06-15 12:00:00", "tool_name": "T", "license_key": MAC,
               "status": "activated", "user_id": null, "expiration_date": null,
               "last_seen_at": null, "check_count": 0, "note": null})
    );
}

#[test]
fn editing_has_the_rules_of_adding_and_changes_nothing_on_a_problem() {
    let server = Server::start();
    let mut admin = server.admin();
    let other = server.license("MyTool", "taken");
    let id = server.license("MyTool", "k");
    let before = admin.get("/api/licenses").body;
    let edit = Page::open(&mut admin, &format!("/licenses/{id}/edit"));
    for (field, value, words) in [
        ("license_key", "taken", "already exists"),
        ("license_key", "", "is missing"),
        ("expiration_date", "2026-02-30", "not a calendar day"),
        ("tool_name", "MYTOOL", ""),
    ] {
        let form = edit.form("/edit").fill(field, value);
        let page = form.submit(&mut admin, "Save changes");
        assert_eq!(
            (page.status, page.heading().as_str()),
            (422, "Edit license")
        );
        assert_eq!(page.form("/edit").value(field), value);
        assert!(page.problem(field).unwrap_or_default().contains(words));
    }
    let page = edit.form("/edit").fill("license_key", "taken");
    let page = page.submit(&mut admin, "Save changes");
    let there = page.follow(&mut admin, "Show that license");
    assert_eq!(there.path, format!("/licenses/{other}"));
    let page = edit.form("/edit").fill("tool_name", "MYTOOL");
    let page = page.submit(&mut admin, "Save changes");
    assert_eq!(admin.get("/api/licenses").body, before);
    let form = page.form("/edit");
    assert_eq!(form.submit(&mut admin, "Keep MYTOOL").status, 200);
    assert!(message(&server, "MYTOOL", "k").contains("valid"));
}

#[test]
fn suspend_revoke_and_activate_change_what_the_tool_says() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "k");
    let mut page = Page::open(&mut admin, &format!("/licenses/{id}"));
    assert!(page.text().contains("License is active and valid."));
    for (button, done, words) in [
        (
            "Suspend for a while",
            "is suspended.",
            "License status is 'suspended'.",
        ),
        ("Revoke", "is revoked.", "License status is 'revoked'."),
        (
            "Activate again",
            "is activated again.",
            "License is active and valid.",
        ),
    ] {
        page = page.form("/status").submit(&mut admin, button);
        assert!(page.flash().unwrap().ends_with(done), "{:?}", page.flash());
        assert!(page.text().contains(words), "{}", page.text());
        assert_eq!(message(&server, "T", "k"), words);
    }
}

#[test]
fn an_expired_license_is_shown_as_what_the_tool_says() {
    let server = Server::start();
    let mut admin = server.admin();
    let id =
        server.add(json!({"tool_name": "T", "license_key": "k", "expiration_date": "2026-06-14"}));
    let page = Page::open(&mut admin, &format!("/licenses/{id}"));
    assert!(page.text().contains("License has expired."));
    let table = page.follow(&mut admin, "Licenses");
    assert_eq!(
        table.rows()[0][3..5],
        ["expired", "2026-06-14 since yesterday"]
    );
}

#[test]
fn a_license_is_deleted_only_after_the_page_that_asks() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "k");
    let license = Page::open(&mut admin, &format!("/licenses/{id}"));
    let asks = license.follow(&mut admin, "Delete …");
    assert_eq!(asks.heading(), "Delete this license?");
    let kept = asks.follow(&mut admin, "Keep it");
    assert_eq!((kept.path, rows(&server)), (license.path, 1));
    let table = asks.form("/delete").submit(&mut admin, "Delete license");
    assert_eq!(table.path, "/licenses");
    assert_eq!(table.flash().unwrap(), "License of T for k deleted.");
    assert_eq!(table.texts("h2"), ["No licenses yet"]);
    assert_eq!(
        message(&server, "T", "k"),
        "License key not found for this tool."
    );
}

// Finding

#[test]
fn any_fragment_of_key_customer_and_tool_is_found() {
    let server = Server::start();
    let mut admin = server.admin();
    server.add(json!({"tool_name": "Ärger", "license_key": MAC, "user_id": "Müller & Söhne"}));
    server.add(json!({"tool_name": "Tool_B", "license_key": "PC-7/x", "user_id": "50%_off+"}));
    for fragment in [
        "0a:1b",
        "1B-2c",
        "b2c3",
        "2C3D.4E",
        "0A1B2C3D4E5F",
        "mÜLL",
        "& S",
        "Ärg",
        " rger ",
        "5f",
    ] {
        assert_eq!(find(&mut admin, fragment), [MAC], "{fragment}");
    }
    for fragment in ["pc-7", "7/X", "tool_b", "%_", "off+", "l_", "0%"] {
        assert_eq!(find(&mut admin, fragment), ["PC-7/x"], "{fragment}");
    }
    assert_eq!(find(&mut admin, "").len(), 2);
    assert_eq!(find(&mut admin, "%").len(), 1);
    assert_eq!(find(&mut admin, "\\").len(), 0);
}

#[test]
fn filters_combine_and_their_address_can_be_kept() {
    let server = Server::start();
    let mut admin = server.admin();
    for tool_name in ["A", "A & B"] {
        for status in ["activated", "revoked"] {
            for key in ["one", "two"] {
                let license_key = format!("{key} {status}");
                server.add(
                    json!({"tool_name": tool_name, "license_key": license_key, "status": status}),
                );
            }
        }
    }
    let form = Page::open(&mut admin, "/licenses").form("Find");
    let form = form.fill("q", "two").fill("tool", "A & B");
    let page = form.fill("status", "revoked").submit(&mut admin, "Find");
    assert_eq!(page.keys(), ["two revoked"]);
    assert!(page.heading().ends_with("1 license"), "{}", page.heading());
    let again = Page::open(&mut server.admin(), &page.path);
    let form = again.form("Find");
    assert_eq!(again.rows(), page.rows());
    assert_eq!(
        ["q", "tool", "status"].map(|name| form.value(name).to_owned()),
        ["two", "A & B", "revoked"]
    );
    let form = form.fill("q", "").fill("status", "");
    assert_eq!(form.submit(&mut admin, "Find").keys().len(), 4);
    assert_eq!(again.follow(&mut admin, "Show all").keys().len(), 8);
}

#[test]
fn a_tool_is_found_by_its_filter_whatever_its_name() {
    let server = Server::start();
    let mut admin = server.admin();
    for name in ["My  Tool", "a+b=c&d#e?f%20", "\"><b>'", "Ärger ☂"] {
        let id = server.license(name, "k");
        let page = Page::open(&mut admin, "/licenses");
        let page = page
            .form("Find")
            .fill("tool", name)
            .submit(&mut admin, "Find");
        assert_eq!(page.rows().len(), 1, "{name}");
        assert_eq!(page.form("Find").value("tool"), name);
        let license = Page::open(&mut admin, &format!("/licenses/{id}"));
        let shown = license.texts("dd a").remove(0);
        assert_eq!(license.follow(&mut admin, &shown).rows().len(), 1, "{name}");
    }
}

#[test]
fn a_customers_name_leads_to_their_licenses() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "user_id": "a+b & c%"}));
    server.license("T", "other");
    let page = Page::open(&mut admin, &format!("/licenses/{id}"));
    assert_eq!(page.follow(&mut admin, "a+b & c%").keys(), ["k"]);
}

/// 120 licenses of T&U, and one of another tool after every tenth.
fn many(server: &Server) {
    let mut admin = server.admin();
    let mut post = |tool_name: &str, n: usize| {
        let body = json!({"tool_name": tool_name, "license_key": format!("key {n:03}")});
        assert_eq!(admin.post("/api/licenses", &body.to_string()).status, 201);
    };
    for n in 1..=120 {
        post("T&U", n);
        if n % 10 == 0 {
            post("Other", n);
        }
    }
}

/// The keys of this page and of all behind it, until no link of these words is left.
fn walk(client: &mut Client, mut page: Page, words: &str) -> (Vec<Vec<String>>, Page) {
    let mut pages = vec![page.keys()];
    while page.has_link(words) {
        page = page.follow(client, words);
        pages.push(page.keys());
    }
    (pages, page)
}

#[test]
fn older_and_newer_lead_through_every_row_once_with_the_filter_kept() {
    let server = Server::start();
    let mut admin = server.admin();
    many(&server);
    let form = Page::open(&mut admin, "/licenses").form("Find");
    let form = form.fill("q", "KEY ").fill("tool", "T&U");
    let first = form.fill("status", "activated").submit(&mut admin, "Find");
    assert!(first.heading().ends_with("120 licenses"));
    assert!(!first.has_link("← Newer"));
    let newest_first: Vec<String> = (1..=120).rev().map(|n| format!("key {n:03}")).collect();
    let (down, last) = walk(&mut admin, first, "Older →");
    assert_eq!(down.concat(), newest_first);
    let sizes = |pages: &[Vec<String>]| pages.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(&down), [50, 50, 20]);
    assert!(last.heading().ends_with("120 licenses"));
    assert_eq!(last.form("Find").value("tool"), "T&U");
    let (mut up, _) = walk(&mut admin, last, "← Newer");
    assert_eq!(sizes(&up), [20, 50, 50]);
    up.reverse();
    assert_eq!(up.concat(), newest_first);
}

#[test]
fn without_a_filter_every_row_is_on_one_page() {
    let server = Server::start();
    let mut admin = server.admin();
    many(&server);
    let first = Page::open(&mut admin, "/licenses");
    assert!(first.heading().ends_with("132 licenses"));
    let (pages, _) = walk(&mut admin, first, "Older →");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 32]);
    let table = Page::open(&mut admin, "/licenses?after=132");
    assert_eq!(table.texts("h2"), ["No more licenses here"]);
}

#[test]
fn fifty_licenses_need_no_second_page() {
    let server = Server::start();
    let mut admin = server.admin();
    for n in 0..50 {
        let body = json!({"tool_name": "T", "license_key": n.to_string()}).to_string();
        admin.post("/api/licenses", &body);
    }
    let page = Page::open(&mut admin, "/licenses");
    assert_eq!((page.keys().len(), page.has_link("Older →")), (50, false));
}

#[test]
fn an_empty_table_and_a_search_without_result_say_what_to_do() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/licenses");
    assert_eq!(page.texts("h2"), ["No licenses yet"]);
    let form = page.follow(&mut admin, "Add the first license");
    assert_eq!(form.heading(), "Add license");
    server.license("T", "k");
    let page = page.form("Find").fill("q", "<i>nothing</i>");
    let page = page.submit(&mut admin, "Find");
    assert_eq!(page.texts("h2"), ["No license matches"]);
    assert!(page.text().contains("“<i>nothing</i>”"));
    assert_eq!(page.form("Find").value("q"), "<i>nothing</i>");
    assert_eq!(page.follow(&mut admin, "Show all licenses").keys(), ["k"]);
}

// What goes wrong

#[test]
fn what_somebody_typed_is_never_read_as_html() {
    let server = Server::start();
    let mut admin = server.admin();
    let typed = "\"><script>alert(1)</script>'&amp;</title></textarea>";
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", typed).fill("license_key", typed);
    let license = form
        .fill("user_id", typed)
        .submit(&mut admin, "Add license");
    assert_eq!(
        license.flash().unwrap(),
        format!("License of {typed} for {typed} added.")
    );
    assert_eq!(
        (license.title(), license.heading()),
        (typed.into(), typed.into())
    );
    let table = license.follow(&mut admin, "Licenses");
    assert_eq!(table.rows()[0][..3], [typed; 3]);
    let found = table.form("Find").fill("q", typed).fill("tool", typed);
    let found = found.submit(&mut admin, "Find");
    assert_eq!(found.form("Find").value("q"), typed);
    assert_eq!(found.keys(), [typed]);
    let taken = add(&mut admin, typed, typed);
    assert_eq!(taken.form("/licenses/new").value("license_key"), typed);
    assert_eq!(taken.suggestions("tool_name"), [typed]);
    let similar = add(&mut admin, &typed.to_uppercase(), "k");
    assert!(similar.alert().contains(typed));
    let edit = license.follow(&mut admin, "Edit");
    let dated = edit
        .form("/edit")
        .fill("expiration_date", "<b>\"2026\"</b>");
    let dated = dated.submit(&mut admin, "Save changes");
    assert!(
        dated
            .problem("expiration_date")
            .unwrap()
            .contains("`<b>\"2026\"</b>`")
    );
    let asks = license.follow(&mut admin, "Delete …");
    assert!(asks.text().contains(typed));
    let deleted = asks.form("/delete").submit(&mut admin, "Delete license");
    assert!(deleted.flash().unwrap().contains(typed));
    for page in [
        license, table, found, taken, similar, edit, dated, asks, deleted,
    ] {
        assert!(page.all("script, main b").is_empty(), "{}", page.path);
    }
}

#[test]
fn a_license_that_is_not_there_is_a_404_page() {
    let server = Server::start();
    let mut admin = server.admin();
    for path in [
        "/licenses/7",
        "/licenses/7/edit",
        "/licenses/7/delete",
        "/licenses/seven",
        "/licenses/-1",
        "/licenses/99999999999999999999",
        "/nowhere",
    ] {
        let page = Page::open(&mut admin, path);
        assert_eq!(
            (page.status, page.heading().as_str()),
            (404, "There is nothing here"),
            "{path}"
        );
        assert_eq!(page.follow(&mut admin, "To the licenses").path, "/licenses");
    }
}

#[test]
fn a_license_that_another_admin_deleted_meanwhile_is_a_404_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "k");
    let license = Page::open(&mut admin, &format!("/licenses/{id}"));
    let edit = license.follow(&mut admin, "Edit").form("/edit");
    let delete = license.follow(&mut admin, "Delete …").form("/delete");
    admin.delete(&format!("/api/licenses/{id}"));
    for (form, button) in [
        (edit, "Save changes"),
        (delete, "Delete license"),
        (license.form("/status"), "Revoke"),
    ] {
        assert_eq!(form.submit(&mut admin, button).status, 404, "{button}");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_a_503_page_without_inner_words() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "k");
    let file = server.folder.path().join("data/licenses.db");
    let db = rusqlite::Connection::open(file).unwrap();
    db.execute_batch("pragma ignore_check_constraints = on; update licenses set status = 'odd'")
        .unwrap();
    for path in ["/licenses", &format!("/licenses/{id}")] {
        let page = Page::open(&mut admin, path);
        assert_eq!((page.status, page.text().contains("odd")), (503, false));
        assert!(page.text().contains("Try again in a moment."));
    }
}

#[test]
fn a_wrong_method_is_a_405_page() {
    let server = Server::start();
    for (method, path, allow) in [
        ("POST", "/licenses", "GET, HEAD"),
        ("DELETE", "/licenses/1", "GET, HEAD"),
        ("GET", "/licenses/1/status", "POST"),
        ("GET", "/logout", "POST"),
        ("PUT", "/login", "GET, POST, HEAD"),
    ] {
        let answer = server.admin().send(method, path, &[], b"");
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, allow),
            "{method} {path}"
        );
        assert!(answer.body.contains("<h1"), "{method} {path}");
    }
}

/// Every form that writes, read by this client; none would fail for its values.
fn forms(client: &mut Client, id: i64) -> Vec<(Form, &'static str)> {
    let page = Page::open(client, &format!("/licenses/{id}"));
    let new = Page::open(client, "/licenses/new").form("/licenses/new");
    let new = new.fill("tool_name", "T").fill("license_key", "new");
    let edit = page.follow(client, "Edit").form("/edit");
    let delete = page.follow(client, "Delete …").form("/delete");
    vec![
        (new, "Add license"),
        (edit.fill("license_key", "changed"), "Save changes"),
        (page.form("/status"), "Revoke"),
        (delete, "Delete license"),
        (page.form("/logout"), "Sign out"),
    ]
}

#[test]
fn a_form_without_its_hidden_value_or_with_another_sessions_changes_nothing() {
    let server = Server::start();
    let (mut admin, mut other) = (server.admin(), server.admin());
    let id = server.license("T", "k");
    let before = admin.get("/api/licenses").body;
    for (form, button) in forms(&mut other, id) {
        assert_eq!(form.submit(&mut admin, button).status, 403, "{button}");
        let empty = form.set("csrf", "");
        assert_eq!(empty.submit(&mut admin, button).status, 403, "{button}");
        let none = empty.without("csrf");
        assert_eq!(none.submit(&mut admin, button).status, 403, "{button}");
    }
    assert_eq!(admin.get("/api/licenses").body, before);
}

#[test]
fn a_form_that_another_site_sends_changes_nothing() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "k");
    let before = admin.get("/api/licenses").body;
    for (name, value) in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Site", "none"),
        ("Origin", "https://evil.example"),
        ("Origin", "http://127.0.0.1:1"),
        ("Origin", &format!("https://127.0.0.1:{}", server.port)),
        ("Origin", "null"),
    ] {
        for (form, button) in forms(&mut admin, id) {
            let mut tricked = server.stranger().header(name, value);
            tricked.cookies = admin.cookies.clone();
            let page = form.submit(&mut tricked, button);
            assert_eq!(page.status, 403, "{name}: {value}, {button}");
            assert_eq!(page.heading(), "That is not allowed");
        }
        let mut tricked = server.stranger().header(name, value);
        let form = Page::open(&mut tricked, "/login").form("/login");
        let form = form.fill("username", "admin").fill("password", PASSWORD);
        assert_eq!(form.submit(&mut tricked, "Sign in").status, 403);
        assert!(tricked.cookies.is_empty());
    }
    assert_eq!(admin.get("/api/licenses").body, before);
}

#[test]
fn a_form_that_is_not_utf8_is_a_400_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    for bytes in [&b"\xff\xfe"[..], b"%FF%FE", b"a%C3", b"%c3%28"] {
        let csrf = form.value("csrf").to_owned();
        let fields = format!("csrf={csrf}&status=activated&tool_name=T&license_key=");
        let page = form.send(&mut admin, &[fields.as_bytes(), bytes].concat());
        assert_eq!(page.status, 400, "{bytes:?}: {}", page.text());
        assert!(page.text().contains("The form is not UTF-8 text."));
    }
    assert_eq!(rows(&server), 0);
}

#[test]
fn a_form_that_is_too_large_is_a_413_page_and_a_wrong_type_a_415_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let large = form.set("user_id", &"x".repeat(64 * 1024));
    assert_eq!(large.submit(&mut admin, "Add license").status, 413);
    let answer = admin.post("/licenses/new", "{}");
    assert_eq!(answer.status, 415);
    assert!(answer.body.contains("application/x-www-form-urlencoded"));
}

// Every page

#[test]
fn every_page_can_be_read_by_everybody() {
    let server = Server::start();
    let mut admin = server.admin();
    let mut pages = vec![
        Page::open(&mut server.stranger(), "/login"),
        Page::open(&mut server.stranger(), "/nowhere"),
        Page::open(&mut admin, "/licenses"),
    ];
    let id = server.add(
        json!({"tool_name": "Tool_A", "license_key": MAC, "user_id": "u",
                               "expiration_date": "2026-06-15"}),
    );
    let login = pages[0].form("/login");
    let login = login.fill("username", "admin").fill("password", "wrong");
    pages.push(login.submit(&mut server.stranger(), "Sign in"));
    pages.push(add(&mut admin, "", ""));
    pages.push(add(&mut admin, "Tool_A", MAC));
    pages.push(add(&mut admin, "tool_a", MAC));
    pages.push(add(&mut admin, "T", "added"));
    pages.push(Page::open(&mut admin, &format!("/licenses/{id}")));
    let status = pages[8].form("/status");
    pages.push(status.submit(&mut admin, "Revoke"));
    let license = format!("/licenses/{id}");
    pages.push(status.set("csrf", "").submit(&mut admin, "Revoke"));
    for path in [
        &format!("{license}/edit"),
        &format!("{license}/delete"),
        "/licenses",
        "/licenses?q=nothing",
        "/licenses?after=9",
        "/licenses/9",
        "/account",
        "/audit",
    ] {
        pages.push(Page::open(&mut admin, path));
    }
    let account = Page::open(&mut admin, "/account").form("Make a token");
    pages.push(account.submit(&mut admin, "Make a token"));
    many(&server);
    pages.push(Page::open(&mut admin, "/licenses?tool=T%26U&before=100"));
    for page in &pages {
        is_plain(page);
        has_names(page);
    }
}

/// No script and no style inside the page, which our own policy would forbid.
fn is_plain(page: &Page) {
    for element in page.all("*") {
        let tag = element.value();
        assert!(!["script", "style", "iframe", "base"].contains(&tag.name()));
        for (name, value) in tag.attrs() {
            let is_active = name == "style" || name.starts_with("on");
            assert!(!is_active, "{name}={value} in {}", page.path);
            assert!(!value.trim_start().starts_with("javascript:"), "{value}");
        }
    }
}

/// What a person needs who hears the page: language, title, landmarks, one heading that says where
/// they are, a name for every control.
pub fn has_names(page: &Page) {
    let path = format!("{} {}", page.path, page.heading());
    let count = |selector: &str| page.all(selector).len();
    for one in [
        "html[lang=en]",
        "h1",
        "main",
        "body > header",
        "body > footer",
        "head > title",
        "meta[name=viewport]",
        "a[href='#main']",
    ] {
        assert_eq!(count(one), 1, "{one} in {path}");
    }
    assert!(page.title().len() > 2 && page.heading().len() > 2, "{path}");
    assert_eq!(count("nav:not([aria-label])"), 0, "{path}");
    let value = |element: &scraper::ElementRef<'_>, name| {
        element.value().attr(name).unwrap_or_default().to_owned()
    };
    let ids: Vec<String> = page.all("[id]").iter().map(|e| value(e, "id")).collect();
    for (at, id) in ids.iter().enumerate() {
        assert!(!ids[..at].contains(id), "two #{id} in {path}");
    }
    for name in ["aria-labelledby", "aria-describedby", "for", "list"] {
        for element in page.all(&format!("[{name}]")) {
            for id in value(&element, name).split(' ') {
                assert!(ids.iter().any(|other| other == id), "#{id} in {path}");
            }
        }
    }
    let inside = page.all("label input").len();
    let beside = page.all("input[id], select[id], textarea[id]").into_iter();
    let beside = beside.filter(|i| count(&format!("label[for='{}']", value(i, "id"))) == 1);
    let named = count("input[aria-label], select[aria-label]");
    let inputs = count("input:not([type=hidden]):not([aria-hidden=true]), select, textarea");
    assert_eq!(inside + beside.count() + named, inputs, "labels in {path}");
    for words in page.texts("button, a, th, label, h1, h2") {
        assert!(!words.is_empty(), "something without a name in {path}");
    }
}

#[test]
fn below_a_path_every_link_form_and_redirect_stays_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "public_url = 'http://127.0.0.1/licenseserver'").unwrap();
    let read = license_server::config::Config::load(Some(&file), std::iter::empty()).unwrap();
    let server = Server::with(|config| config.public_url = read.public_url);
    let mut client = server.stranger();
    let page = sign_in(&mut client, "/licenses?q=k");
    assert_eq!(page.path, "/licenses?q=k");
    let license = add(&mut client, "T", "k");
    let similar = add(&mut client, "t", "k2").form("/licenses/new");
    similar.submit(&mut client, "Keep t");
    let edit = license.follow(&mut client, "Edit").form("/edit");
    assert_eq!(edit.submit(&mut client, "Save changes").status, 200);
    let filtered = license.follow(&mut client, "T");
    assert_eq!(
        filtered.form("Find").submit(&mut client, "Find").keys(),
        ["k"]
    );
    let page = license.form("/status").submit(&mut client, "Revoke");
    let asks = page.follow(&mut client, "Delete …").form("/delete");
    assert_eq!(asks.submit(&mut client, "Delete license").keys(), ["k2"]);
    let page = page.form("/logout").submit(&mut client, "Sign out");
    assert_eq!(page.path, "/login");
    for (_, address) in page.links().into_iter().filter(|(_, to)| to != "#main") {
        assert!(address.starts_with("/licenseserver/"), "{address}");
    }
}

#[test]
fn what_was_typed_outlives_the_session() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form
        .set("tool_name", "Tool & Söhne")
        .set("license_key", "a+b=c%20d");
    server.clock.turn(31 * 60);
    let login = form.submit(&mut admin, "Add license");
    assert_eq!(login.status, 401);
    assert!(login.text().contains("nothing that you typed is lost"));
    let form = login
        .form("/login")
        .set("username", "admin")
        .set("password", PASSWORD);
    let resumed = form.submit(&mut admin, "Sign in");
    assert_eq!(rows(&server), 0);
    let page = resumed
        .form("/licenses/new")
        .submit(&mut admin, "Send it now");
    assert!(
        page.text()
            .contains("License of Tool & Söhne for a+b=c%20d added."),
        "{}",
        page.text()
    );
}
