//! The forms for a license, and its page.

use serde_json::json;

use super::{MAC, add, message, rows};
use crate::page::Page;
use crate::server::Server;

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
