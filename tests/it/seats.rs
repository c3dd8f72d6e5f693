//! What an activation code decides about its licenses, whatever is done to one of them by hand.

use license_server::model::activation_code::{ActivationCode, CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use license_server::model::license::Status;
use serde_json::json;
use time::macros::date;

use crate::import::{numbers, upload};
use crate::page::Page;
use crate::server::Server;

const LAST: CodeTerm = CodeTerm::Until(date!(2026 - 12 - 31));

fn code(server: &Server, seats: i64) -> ActivationCode {
    let (actor, values) = (Actor::command_line(), CodeValues::new(seats, LAST));
    let made = server.service.create_codes(&actor, "Tool_A", &values, 1);
    made.unwrap().remove(0)
}

/// Adds machines, and returns the IDs of their licenses.
fn add(server: &Server, code: &ActivationCode, keys: &[&str]) -> Vec<i64> {
    let machines: Vec<_> = keys
        .iter()
        .map(|key| ("Tool_A".to_owned(), (*key).to_owned()))
        .collect();
    let added = server
        .service
        .add_machines(&Actor::command_line(), code.id, &machines);
    added.unwrap().iter().map(|license| license.id).collect()
}

fn set_status(server: &Server, code: &ActivationCode, status: Status) {
    let actor = Actor::command_line();
    let changed = server
        .service
        .change_code(&actor, code.id, |values| values.status = status);
    changed.unwrap().unwrap();
}

#[test]
fn machines_are_added_all_or_none() {
    let server = Server::start();
    let code = code(&server, 2);
    let machines = ["m1", "m2", "m3"].map(|key| ("Tool_A".to_owned(), key.to_owned()));
    let actor = Actor::command_line();
    assert!(
        server
            .service
            .add_machines(&actor, code.id, &machines)
            .is_err()
    );
    assert_eq!(server.service.seats_used(code.id).unwrap(), 0);
    assert_eq!(add(&server, &code, &["m1", "m2", "m1"]).len(), 3);
    assert_eq!(server.service.seats_used(code.id).unwrap(), 2);
    let other = [("Tool_B".to_owned(), "m4".to_owned())];
    assert!(
        server
            .service
            .add_machines(&actor, code.id, &other)
            .is_err()
    );
}

#[test]
fn what_the_code_does_not_allow_is_not_said_to_be_done() {
    let server = Server::start();
    let code = code(&server, 3);
    let ids = add(&server, &code, &["m1", "m2"]);
    set_status(&server, &code, Status::Suspended);
    let mut admin = server.admin();
    let license = Page::open(&mut admin, &format!("/licenses/{}", ids[0]));
    let page = license.press(&mut admin, "status=activated");
    assert!(!page.has_form("/undo") && page.flash().is_some());
    assert_eq!(server.check("Tool_A", "m1").0, 403);
    let bulk = format!("/bulk?id={}&id={}&do=activated", ids[0], ids[1]);
    let preview = Page::open(&mut admin, &bulk);
    assert!(
        preview
            .all("[name=start]")
            .iter()
            .all(|button| button.attr("disabled").is_some())
    );
    // An earlier date than the code's changes nothing, and a later one is for this machine alone.
    let earlier = format!("/bulk?id={}&do=expiration&day=2026-07-31", ids[0]);
    let preview = Page::open(&mut admin, &earlier);
    assert!(
        preview
            .all("[name=start]")
            .iter()
            .all(|button| button.attr("disabled").is_some())
    );
    let other = server.license("Tool_A", "by hand");
    let both = format!(
        "/bulk?id={}&id={other}&do=expiration&day=2027-07-31",
        ids[0]
    );
    Page::open(&mut admin, &both).press(&mut admin, "start=");
    for id in [ids[0], other] {
        let license = server.service.license(id).unwrap();
        assert_eq!(license.expiration_date, Some(date!(2027 - 07 - 31)));
    }
}

#[test]
fn a_seat_that_was_taken_since_is_not_given_twice() {
    let server = Server::start();
    let code = code(&server, 1);
    let id = add(&server, &code, &["m1"])[0];
    let mut admin = server.admin();
    let at = format!("/codes/{}", code.id);
    let freed = Page::open(&mut admin, &at).press(&mut admin, &format!("license_id={id}"));
    add(&server, &code, &["m2"]);
    let undone = freed.form("/undo").submit(&mut admin);
    assert_eq!(undone.status, 409);
    assert_eq!(server.service.seats_used(code.id).unwrap(), 1);
    assert_eq!(server.check("Tool_A", "m1").0, 404);
}

#[test]
fn a_license_that_comes_back_is_what_its_code_is_now() {
    let server = Server::start();
    let code = code(&server, 1);
    let id = add(&server, &code, &["m1"])[0];
    let mut admin = server.admin();
    let at = format!("/codes/{}", code.id);
    let freed = Page::open(&mut admin, &at).press(&mut admin, &format!("license_id={id}"));
    set_status(&server, &code, Status::Revoked);
    freed.form("/undo").submit(&mut admin);
    assert_eq!(server.service.seats_used(code.id).unwrap(), 1);
    assert_eq!(server.check("Tool_A", "m1").0, 403);
}

#[test]
fn a_license_keeps_the_tool_of_its_code() {
    let server = Server::start();
    let code = code(&server, 1);
    let id = add(&server, &code, &["m1"])[0];
    let mut admin = server.admin();
    let moved = admin.patch(&format!("/api/licenses/{id}"), r#"{"tool_name":"Tool_B"}"#);
    assert_eq!(
        (moved.status, &moved.json()["field"]),
        (422, &json!("tool_name"))
    );
    assert_eq!(server.check("Tool_A", "m1").0, 200);
}

#[test]
fn an_exported_table_names_the_code_and_is_imported_without_a_change() {
    let server = Server::start();
    let code = code(&server, 1);
    add(&server, &code, &["m1"]);
    server.license("Tool_A", "by hand");
    let mut admin = server.admin();
    let csv = admin.get("/licenses.csv").body;
    let ends: Vec<&str> = csv
        .lines()
        .filter_map(|line| line.rsplit(',').next())
        .collect();
    assert_eq!(ends, ["activation_code", &code.shown(), ""]);
    assert_eq!(admin.get("/licenses.xlsx").status, 200);
    let preview = upload(&mut admin, "licenses.csv", csv.as_bytes());
    assert_eq!(numbers(&preview), [0, 0, 2, 0]);
    // A program that may read licenses learns no code.
    assert!(!admin.get("/api/licenses").body.contains(&code.shown()));
}
