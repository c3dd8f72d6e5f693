//! People: invitations, roles, and those who may no longer sign in.

use license_server::model::audit::Actor;
use license_server::model::user::UserValues;

use crate::page::Page;
use crate::server::{Client, PASSWORD, Server};

/// Somebody with that role, whose password is [`PASSWORD`].
pub fn add_person(server: &Server, name: &str, role: &str) {
    let values = UserValues::parse(name, "", role).unwrap();
    server.service.add_person(&values, PASSWORD).unwrap();
}

pub fn sign_in_as(server: &Server, name: &str) -> Client {
    let mut client = server.stranger();
    let body = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
    assert_eq!(client.post("/api/login", &body).status, 200);
    client
}

fn id_of(server: &Server, name: &str) -> i64 {
    server.service.id_of_user(name).unwrap()
}

#[test]
fn an_invited_person_chooses_a_password_once_within_72_hours() {
    let server = Server::start();
    let mut admin = server.admin();
    let invite = |admin: &mut Client, name: &str| -> String {
        let form = Page::open(admin, "/people/new").form("/people");
        let made = form
            .fill("name", name)
            .fill("email", "anna@example.com")
            .set("role", "staff")
            .submit(admin);
        assert_eq!(made.status, 200, "{}", made.text());
        let link = made.texts(".secret code").concat();
        link[link.find("/invitation/").unwrap()..].to_owned()
    };
    let link = invite(&mut admin, "anna");
    let mut anna = server.stranger();
    let weak = Page::open(&mut anna, &link).form(&link);
    let weak = weak
        .fill("new", "short")
        .fill("again", "short")
        .submit(&mut anna);
    assert_eq!(weak.status, 422);
    let form = weak.form(&link);
    form.fill("new", "nine quiet herons")
        .fill("again", "nine quiet herons")
        .submit(&mut anna);
    assert_eq!(anna.get(&link).status, 404);
    let form = Page::open(&mut anna, "/login").form("/login");
    let inside = form
        .fill("username", "anna")
        .fill("password", "nine quiet herons")
        .submit(&mut anna);
    assert_eq!((inside.status, inside.path.as_str()), (200, "/"));
    let taken = Page::open(&mut admin, "/people/new").form("/people");
    let taken = taken.fill("name", "Anna").submit(&mut admin);
    assert_eq!(taken.status, 422);
    let late = invite(&mut admin, "bo");
    server.clock.turn(72 * 3600);
    assert_eq!(anna.get(&late).status, 404);
}

#[test]
fn a_disabled_person_with_an_open_page_changes_nothing_more() {
    let server = Server::start();
    add_person(&server, "anna", "staff");
    let mut anna = sign_in_as(&server, "anna");
    let form = Page::open(&mut anna, "/licenses/new").form("/licenses/new");
    let mut admin = server.admin();
    let page = Page::open(&mut admin, &format!("/people/{}", id_of(&server, "anna")));
    page.form("/state").press(&mut admin, "disabled=true");
    let refused = form
        .fill("tool_name", "T")
        .fill("license_key", "k")
        .submit(&mut anna);
    assert_eq!(refused.status, 401);
    assert_eq!(server.check("T", "k").0, 404);
    let body = format!(r#"{{"username":"anna","password":"{PASSWORD}"}}"#);
    assert_eq!(server.stranger().post("/api/login", &body).status, 401);
    let page = Page::open(&mut admin, &format!("/people/{}", id_of(&server, "anna")));
    page.form("/state").submit(&mut admin);
    sign_in_as(&server, "anna");
}

#[test]
fn a_smaller_role_counts_from_the_next_request_on_also_for_tokens() {
    let server = Server::start();
    add_person(&server, "bo", "owner");
    let mut bo = sign_in_as(&server, "bo");
    let secret = crate::guards::token(&mut bo, "script", "write=true&read=true", "2026-12-31");
    let mut script = server
        .stranger()
        .header("Authorization", &format!("Bearer {secret}"));
    let license = r#"{"tool_name":"T","license_key":"k"}"#;
    assert_eq!(script.post("/api/licenses", license).status, 201);
    let values = UserValues::parse("bo", "", "viewer").unwrap();
    let id = id_of(&server, "bo");
    server
        .service
        .change_person(&Actor::command_line(), id, &values)
        .unwrap();
    let other = r#"{"tool_name":"T","license_key":"other"}"#;
    let refused = script.post("/api/licenses", other);
    assert_eq!(refused.status, 403);
    assert_eq!(script.get("/api/licenses").status, 200);
    assert_eq!(bo.get("/people").status, 403);
    assert!(bo.get("/people").body.contains("admin"));
    server
        .service
        .remove_person(&Actor::command_line(), id)
        .unwrap();
    assert_eq!(script.get("/api/licenses").status, 401);
}

#[test]
fn an_invitation_ends_with_the_right_to_invite() {
    let server = Server::start();
    let actor = Actor::command_line();
    for ended in ["demoted", "disabled", "removed"] {
        add_person(&server, ended, "owner");
        let id = id_of(&server, ended);
        let values = UserValues::parse("guest", "", "owner").unwrap();
        let link = server.service.invite(&actor, id, &values).unwrap();
        let link = &link[link.find("/invitation/").unwrap()..];
        assert_eq!(server.stranger().get(link).status, 200, "{ended}");
        let viewer = UserValues::parse(ended, "", "viewer").unwrap();
        match ended {
            "demoted" => server.service.change_person(&actor, id, &viewer).unwrap(),
            "disabled" => drop(server.service.set_disabled(&actor, id, true).unwrap()),
            _ => drop(server.service.remove_person(&actor, id).unwrap()),
        }
        assert_eq!(server.stranger().get(link).status, 404, "{ended}");
    }
}

#[test]
fn one_owner_always_stays() {
    let server = Server::start();
    add_person(&server, "anna", "staff");
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/people/1");
    let demoted = page
        .form("/people/1")
        .set("role", "viewer")
        .submit(&mut admin);
    assert_eq!(demoted.status, 409);
    let removed = Page::open(&mut admin, "/people/1/remove")
        .form("/remove")
        .submit(&mut admin);
    assert_eq!(removed.status, 409);
    let renamed = page
        .form("/people/1")
        .fill("name", "vera")
        .submit(&mut admin);
    assert_eq!(renamed.status, 200);
    let mut vera = sign_in_as(&server, "vera");
    assert_eq!(vera.get("/people").status, 200);
}
