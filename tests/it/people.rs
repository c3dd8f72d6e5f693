//! People: invitations, roles, and those who may no longer sign in.

use license_server::model::audit::Actor;
use license_server::model::mail::MailState;
use license_server::model::user::UserValues;

use crate::database::Database;
use crate::import::upload;
use crate::mail::{MailServer, mailing};
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
        let link = link.url.unwrap();
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

#[test]
fn what_the_audit_log_says_about_a_removed_person_can_be_erased() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let actor = Actor::person(1, "admin", "127.0.0.1");
    let values = UserValues::parse("berenice", "", "staff").unwrap();
    let link = server.service.invite(&actor, 1, &values).unwrap().url;
    let link = link.unwrap();
    let token = link.rsplit('/').next().unwrap();
    let accepted = server
        .service
        .accept_invitation(token, PASSWORD, "192.0.2.8");
    accepted.unwrap();
    let mut berenice = sign_in_as(&server, "berenice");
    upload(&mut berenice, "machines.csv", "tool,key\nT,k\n");
    let id = id_of(&server, "berenice");
    let values = UserValues::parse("hermione", "hermione@example.com", "staff").unwrap();
    server.service.change_person(&actor, id, &values).unwrap();
    let path = format!("/people/{id}/remove");
    let question = Page::open(&mut admin, &path).form("/remove");
    question
        .fill("reason", "Hermione left us")
        .submit(&mut admin);
    let rows = || database.rows().concat().to_lowercase();
    let told = ["berenice", "hermione", "192.0.2.8"];
    assert!(told.iter().all(|text| rows().contains(text)));
    let page = Page::open(&mut admin, "/people");
    assert_eq!(page.texts("[aria-labelledby=removed] th bdi"), ["hermione"]);
    let page = page.follow(&mut admin, "/erase");
    let done = page.form("/erase").submit(&mut admin);
    assert!(done.flash().is_some() && done.all("#removed").is_empty());
    for text in told {
        assert!(!rows().contains(text), "{text}");
    }
    let bytes = database.bytes();
    let name = b"hermione";
    assert!(!bytes.windows(name.len()).any(|part| part == name));
    let log = Page::open(&mut admin, "/audit").text();
    assert!(log.contains("person erased") && log.contains("(erased)"));
    assert!(server.service.verify_audit(None).is_ok());
    assert_eq!(admin.get(&format!("/people/former/{id}/erase")).status, 404);
}

#[test]
fn an_erased_name_that_somebody_else_has_now_stays() {
    let server = Server::start();
    add_person(&server, "anna", "staff");
    let (id, actor) = (id_of(&server, "anna"), Actor::command_line());
    server.service.remove_person(&actor, id).unwrap();
    add_person(&server, "anna", "staff");
    server.service.erase_former_person(&actor, id).unwrap();
    let log = Page::open(&mut server.admin(), "/audit").text();
    assert!(log.contains("anna") && !log.contains("(erased)"), "{log}");
}

/// The path of the link in the text of a mail.
fn link_in(text: &str) -> String {
    let at = text
        .find("/invitation/")
        .unwrap_or_else(|| panic!("{text}"));
    text[at..].split_whitespace().next().unwrap().to_owned()
}

fn invite_by_mail(server: &Server, admin: &mut Client) -> Page {
    assert!(server.service.sends_mail());
    let form = Page::open(admin, "/people/new").form("/people");
    form.fill("name", "anna")
        .fill("email", "anna@example.com")
        .set("role", "staff")
        .submit(admin)
}

#[test]
fn an_invitation_is_mailed_and_its_link_is_only_in_that_mail() {
    let Some(mut mail) = MailServer::start(&[]) else {
        return;
    };
    let server = mailing(mail.port, |_| {});
    let mut admin = server.admin();
    let page = invite_by_mail(&server, &mut admin);
    assert!(page.text().contains("anna@example.com") && page.all(".secret").is_empty());
    server.tick().unwrap();
    let taken = mail.next();
    assert_eq!(taken["recipients"], serde_json::json!(["anna@example.com"]));
    let text = taken["body"].as_str().unwrap();
    assert!(text.contains("admin") && text.contains("2026-06-18 12:00"));
    let link = link_in(text);
    assert_eq!(server.stranger().get(&link).status, 200);
    let secret = link.trim_start_matches("/invitation/");
    let database = Database::of(&server.folder.path().join("data"));
    assert!(!database.rows().concat().contains(secret));
    Page::open(&mut admin, "/people")
        .form("/again")
        .submit(&mut admin);
    assert_eq!(server.stranger().get(&link).status, 404);
    server.tick().unwrap();
    let again = link_in(mail.next()["body"].as_str().unwrap());
    assert_eq!(server.stranger().get(&again).status, 200);
}

#[test]
fn an_invitation_that_comes_too_late_or_was_withdrawn_is_not_mailed() {
    let state = |change: fn(&Server, &mut Client)| {
        // Nobody listens there.
        let server = mailing(1, |_| {});
        let mut admin = server.admin();
        invite_by_mail(&server, &mut admin);
        change(&server, &mut admin);
        server.tick().unwrap();
        server.service.mails(None, i64::MAX, 1).unwrap()[0].state
    };
    assert_eq!(state(|_, _| {}), MailState::Waiting);
    let late = |server: &Server, _: &mut Client| server.clock.turn(71 * 3600 + 1);
    assert_eq!(state(late), MailState::Dropped);
    let withdrawn = |_: &Server, admin: &mut Client| {
        let people = Page::open(admin, "/people");
        people.form("/withdraw").submit(admin);
    };
    assert_eq!(state(withdrawn), MailState::Dropped);
}
