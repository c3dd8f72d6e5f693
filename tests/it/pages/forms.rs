//! The forms for a license, and its page.

use serde_json::json;

use super::{MAC, add, message, rows};
use crate::page::Page;
use crate::server::Server;

#[test]
fn an_added_license_is_confirmed_once_and_is_first_in_the_table() {
    let server = Server::start();
    let mut admin = server.admin();
    add(&mut admin, "Tool_A", "first");
    let page = add(&mut admin, " Tool_A ", " 0A1B.2C3D.4E5F ");
    assert_eq!((page.status, page.heading().as_str()), (200, MAC));
    let flash = page.flash().unwrap();
    assert!(flash.contains("Tool_A") && flash.contains(MAC), "{flash}");
    let table = page.follow(&mut admin, "/licenses");
    assert_eq!(table.flash(), None);
    let row = |key| [key, "Tool_A", "", "activated", "", "", "2026-06-15"];
    assert_eq!(table.rows(), [row(MAC), row("first")]);
    assert_eq!(server.check("Tool_A", "0A-1B-2C-3D-4E-5F").0, 200);
}

#[test]
fn every_field_of_the_form_is_stored() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", "T").fill("license_key", "k");
    let form = form.fill("user_id", "Müller & Söhne");
    let form = form.fill("status", "suspended");
    let form = form.fill("expiration_date", "2026-06-20");
    let table = form.submit(&mut admin).follow(&mut admin, "/licenses");
    assert_eq!(
        table.rows(),
        [[
            "k",
            "T",
            "Müller & Söhne",
            "suspended",
            "2026-06-20",
            "",
            "2026-06-15"
        ]]
    );
    let distance = table.texts("td.date small").concat();
    assert!(distance.contains('5'), "{distance}");
}

#[test]
fn each_problem_is_beside_its_field_and_the_input_is_kept() {
    let server = Server::start();
    let mut admin = server.admin();
    let long = "x".repeat(256);
    let typed = [
        ("tool_name", "  "),
        ("license_key", ""),
        ("user_id", long.as_str()),
        ("expiration_date", "31.02.2026"),
    ];
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("status", "revoked");
    let form = typed
        .iter()
        .fold(form, |form, (name, value)| form.fill(name, value));
    let page = form.submit(&mut admin);
    assert_eq!(page.status, 422);
    assert_eq!(page.invalid_fields(), typed.map(|(field, _)| field));
    for ((field, value), word) in typed.into_iter().zip(["", "", "256", "31.02.2026"]) {
        assert!(page.problem(field).unwrap().contains(word), "{field}");
        assert_eq!(page.form("/licenses/new").value(field), value);
    }
    assert_eq!(page.form("/licenses/new").value("status"), "revoked");
    assert!(!page.alert().is_empty());
    assert_eq!(rows(&server), 0);
}

#[test]
fn a_field_that_is_too_long_or_has_a_control_character_is_rejected() {
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
        let page = form.fill(field, &value).submit(&mut admin);
        assert_eq!((page.status, page.invalid_fields()), (422, vec![field]));
        assert_eq!(page.form("/licenses/new").value(field), value);
    }
    assert_eq!(rows(&server), 0);
}

#[test]
fn an_unknown_status_is_rejected() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", "T").fill("license_key", "k");
    let page = form.set("status", "active").submit(&mut admin);
    assert_eq!((page.status, page.invalid_fields()), (422, vec!["status"]));
}

#[test]
fn a_duplicate_links_to_the_existing_license() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", MAC);
    let page = add(&mut admin, "T", "0A-1B-2C-3D-4E-5F");
    assert_eq!(page.status, 422);
    assert_eq!(page.invalid_fields(), ["license_key"]);
    assert_eq!(
        page.form("/licenses/new").value("license_key"),
        "0A-1B-2C-3D-4E-5F"
    );
    assert!(page.has_link(&format!("/licenses/{id}")));
    assert_eq!(rows(&server), 1);
}

#[test]
fn a_tool_that_differs_only_by_case_needs_confirmation() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("MyTool", "k");
    for (key, tool) in [("k1", "MyTool"), ("k2", "mytool")] {
        let before = rows(&server);
        let page = add(&mut admin, "mytool", key);
        assert_eq!((page.status, rows(&server)), (422, before));
        let form = page.form("/licenses/new");
        assert_eq!(form.value("license_key"), key);
        let kind = if tool == "MyTool" { "use" } else { "keep" };
        let added = form.press(&mut admin, &format!("{kind}_tool_name={tool}"));
        assert_eq!(added.status, 200);
        assert_eq!(server.check(tool, key).0, 200, "{tool}");
        assert_eq!(rows(&server), before + 1);
    }
}

#[test]
fn another_tool_name_can_be_typed_instead_of_confirming() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("MyTool", "k");
    let form = add(&mut admin, "mytool", "k1").form("/licenses/new");
    let form = form.fill("tool_name", "Other");
    assert_eq!(form.submit(&mut admin).status, 200);
    assert_eq!(server.check("Other", "k1").0, 200);
}

#[test]
fn pressing_enter_confirms_neither_tool_name() {
    let server = Server::start();
    let mut admin = server.admin();
    server.license("MyTool", "k");
    let page = add(&mut admin, "mytool", "k1");
    let pressed_by_enter = page.all("main form button")[0];
    assert_eq!(pressed_by_enter.value().attr("name"), None);
}

#[test]
fn the_form_suggests_existing_tools() {
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
fn an_edited_license_has_the_new_values() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "user_id": "u",
                               "status": "suspended", "expiration_date": "2027-01-31"}));
    let page = Page::open(&mut admin, &format!("/licenses/{id}"));
    let form = page.follow(&mut admin, "/edit").form("/edit");
    let names = [
        "tool_name",
        "license_key",
        "user_id",
        "status",
        "expiration_date",
    ];
    let values = names.map(|name| form.value(name).to_owned());
    assert_eq!(values, ["T", "k", "u", "suspended", "2027-01-31"]);
    let form = form.fill("license_key", "0A1B2C3D4E5F");
    let form = form.fill("status", "activated").fill("user_id", "");
    let page = form.fill("expiration_date", "").submit(&mut admin);
    assert!(page.flash().unwrap().contains(MAC), "{:?}", page.flash());
    assert_eq!(page.heading(), MAC);
    let row = admin.get(&format!("/api/licenses/{id}")).json();
    assert_eq!(
        names.map(|name| row[name].clone()),
        [
            json!("T"),
            json!(MAC),
            json!(null),
            json!("activated"),
            json!(null)
        ]
    );
}

#[test]
fn editing_follows_the_rules_of_adding_and_a_problem_changes_nothing() {
    let server = Server::start();
    let mut admin = server.admin();
    let other = server.license("MyTool", "taken");
    let id = server.license("MyTool", "k");
    let before = admin.get("/api/licenses").body;
    let edit = Page::open(&mut admin, &format!("/licenses/{id}/edit"));
    for (field, value) in [
        ("license_key", "taken"),
        ("license_key", ""),
        ("expiration_date", "2026-02-30"),
    ] {
        let page = edit.form("/edit").fill(field, value).submit(&mut admin);
        assert_eq!((page.status, page.invalid_fields()), (422, vec![field]));
        assert_eq!(page.form("/edit").value(field), value);
    }
    let page = edit.form("/edit").fill("license_key", "taken");
    let page = page.submit(&mut admin);
    assert!(page.has_link(&format!("/licenses/{other}")));
    let page = edit.form("/edit").fill("tool_name", "MYTOOL");
    let page = page.submit(&mut admin);
    assert_eq!(page.status, 422);
    assert_eq!(admin.get("/api/licenses").body, before);
    let confirmed = page.press(&mut admin, "keep_tool_name=MYTOOL");
    assert_eq!(confirmed.status, 200);
    assert_eq!(server.check("MYTOOL", "k").0, 200);
}

#[test]
fn suspending_revoking_and_activating_change_the_result_of_the_check() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "PC-17");
    let mut page = Page::open(&mut admin, &format!("/licenses/{id}"));
    assert_eq!(
        page.all("p.verdict.activated").len(),
        0,
        "no machine has checked"
    );
    assert_eq!(server.check("T", "PC-17").0, 200);
    server.tick().unwrap();
    page = Page::open(&mut admin, &page.path);
    assert_eq!(page.texts("p.verdict"), [message(&server, "T", "PC-17")]);
    for (status, result) in [("suspended", 403), ("revoked", 403), ("activated", 200)] {
        page = page.press(&mut admin, &format!("status={status}"));
        assert!(
            page.flash().unwrap().contains("PC-17"),
            "{:?}",
            page.flash()
        );
        assert_eq!(page.texts("h1 + .mark"), [status]);
        assert_eq!(page.texts("p.verdict"), [message(&server, "T", "PC-17")]);
        assert_eq!(server.check("T", "PC-17").0, result);
    }
}

#[test]
fn an_expired_license_is_marked_as_expired() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server
        .add(json!({"tool_name": "T", "license_key": "PC-17", "expiration_date": "2026-06-14"}));
    let page = Page::open(&mut admin, &format!("/licenses/{id}"));
    assert_eq!(page.texts("p.verdict"), [message(&server, "T", "PC-17")]);
    let table = page.follow(&mut admin, "/licenses");
    assert_eq!(table.rows()[0][3..5], ["expired", "2026-06-14"]);
}

#[test]
fn a_license_is_deleted_only_after_confirmation() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "PC-17");
    let license = Page::open(&mut admin, &format!("/licenses/{id}"));
    let confirmation = license.follow(&mut admin, "/delete");
    let kept = confirmation.follow(&mut admin, &license.path);
    assert_eq!((kept.path, rows(&server)), (license.path, 1));
    let table = confirmation.form("/delete").submit(&mut admin);
    assert_eq!(table.path, "/licenses");
    assert!(
        table.flash().unwrap().contains("PC-17"),
        "{:?}",
        table.flash()
    );
    assert!(table.rows().is_empty());
    assert_eq!(server.check("T", "PC-17").0, 404);
}

#[test]
fn a_renewal_by_somebody_else_is_not_taken_back_by_an_older_page() {
    let server = Server::start();
    let id =
        server.add(json!({"tool_name": "T", "license_key": "k", "expiration_date": "2026-12-31"}));
    let mut admin = server.admin();
    let edit = Page::open(&mut admin, &format!("/licenses/{id}/edit")).form("/edit");
    let patch = r#"{"expiration_date": "2027-12-31"}"#;
    assert_eq!(
        server
            .admin()
            .patch(&format!("/api/licenses/{id}"), patch)
            .status,
        200
    );
    let saved = edit
        .clone()
        .fill("note", "a note\nof two lines")
        .submit(&mut admin);
    assert_eq!(saved.status, 200, "{}", saved.text());
    let license = admin.get(&format!("/api/licenses/{id}")).json();
    assert_eq!(
        (&license["expiration_date"], &license["note"]),
        (&json!("2027-12-31"), &json!("a note\nof two lines"))
    );
    let page = edit
        .fill("expiration_date", "2026-11-30")
        .submit(&mut admin);
    assert_eq!(page.status, 409);
    let form = page.form("/edit");
    assert_eq!(
        (form.value("expiration_date"), form.value("note")),
        ("2026-11-30", "a note\nof two lines")
    );
    let saved = form.press(&mut admin, "use_expiration_date=2027-12-31");
    assert_eq!(saved.status, 200);
    let license = admin.get(&format!("/api/licenses/{id}")).json();
    assert_eq!(license["expiration_date"], "2027-12-31");
}

#[test]
fn a_key_that_no_program_would_send_is_asked_about_once() {
    let server = Server::start();
    let mut admin = server.admin();
    for (typed, meant) in [
        ("3c:52:82:aa:bb:cO", "3c:52:82:aa:bb:c0"),
        ("8C5282AABBC7 (my laptop)", "8c:52:82:aa:bb:c7"),
    ] {
        let page = add(&mut admin, "T", typed);
        assert_eq!(page.status, 422);
        assert_eq!(page.form("/licenses/new").value("license_key"), typed);
        let added = page.press(&mut admin, &format!("use_license_key={meant}"));
        assert_eq!((added.status, added.heading().as_str()), (200, meant));
    }
    let page = add(&mut admin, "T", "4d:52:82:11:22");
    let kept = page.press(&mut admin, "keep_license_key=4d:52:82:11:22");
    assert_eq!(kept.heading(), "4d:52:82:11:22");
    let cleaned = add(&mut admin, "T", "Physical Address. . . : 5E-52-82-AA-BB-C1");
    assert_eq!(cleaned.heading(), "5e:52:82:aa:bb:c1");
}

#[test]
fn a_date_may_be_written_as_people_write_it_and_a_past_one_is_confirmed() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", "T").fill("license_key", "k");
    let dated = form.press(&mut admin, "add=14d").form("/licenses/new");
    assert_eq!(dated.value("expiration_date"), "2026-06-29");
    let past = form
        .clone()
        .fill("expiration_date", "1.1.2020")
        .submit(&mut admin);
    assert_eq!((past.status, rows(&server)), (422, 0));
    past.press(&mut admin, "keep_expiration_date=2020-01-01");
    let form = form
        .fill("license_key", "k2")
        .fill("expiration_date", "31-Dec-2026");
    form.submit(&mut admin);
    let rows = admin.get("/api/licenses").json();
    let dates = [0, 1].map(|at| rows[at]["expiration_date"].clone());
    assert_eq!(dates, ["2020-01-01", "2026-12-31"]);
}

#[test]
fn revoking_and_deleting_one_license_can_be_undone() {
    let server = Server::start();
    let id = server.license("T", "k");
    let mut admin = server.admin();
    let page = Page::open(&mut admin, &format!("/licenses/{id}"));
    let revoked = page.press(&mut admin, "status=revoked");
    assert_eq!(server.check("T", "k").0, 403);
    revoked.form("/undo").submit(&mut admin);
    assert_eq!(server.check("T", "k").0, 200);
    let page = Page::open(&mut admin, &format!("/licenses/{id}/delete"));
    let deleted = page.form("/delete").submit(&mut admin);
    assert_eq!(server.check("T", "k").0, 404);
    deleted.form("/undo").submit(&mut admin);
    assert_eq!(server.check("T", "k").0, 200);
}
