//! Alerts: on the overview until they were seen, and by mail.

use license_server::model::audit::Actor;
use license_server::model::mail::MailEvent;
use license_server::model::user::UserValues;

use crate::database::Database;
use crate::mail::mailing;
use crate::page::Page;
use crate::people::{add_person, sign_in_as};
use crate::server::{Client, PASSWORD, Server};
use crate::two_factors::{remove, set_up};

const DAY: i64 = 24 * 60 * 60;

/// A server with these people, whose addresses are `NAME@example.com`. Nobody listens at its mail server.
fn with_people(people: &[(&str, &str)]) -> Server {
    let server = mailing(1, |_| {});
    for (name, role) in people {
        if *name != "admin" {
            add_person(&server, name, role);
        }
        change(&server, name, role);
    }
    server
}

fn change(server: &Server, name: &str, role: &str) {
    let values = UserValues::parse(name, &format!("{name}@example.com"), role).unwrap();
    let id = server.service.id_of_user(name).unwrap();
    let changed = server
        .service
        .change_person(&Actor::command_line(), id, &values);
    changed.unwrap();
}

fn rename(server: &Server, from: &str, to: &str) {
    let id = server.service.id_of_user(from).unwrap();
    let person = server.service.person(id).unwrap();
    let values = UserValues {
        name: to.to_owned(),
        ..person.user.values
    };
    let renamed = server
        .service
        .change_person(&Actor::command_line(), id, &values);
    renamed.unwrap();
}

fn shown(client: &mut Client) -> Vec<String> {
    Page::open(client, "/").texts("#alerts p:not(.actions)")
}

/// Recipients, subjects and texts of the mails with alerts so far, the first one first.
fn mails(server: &Server) -> Vec<(String, String)> {
    server.service.write_notes(true).unwrap();
    server.tick().unwrap();
    let all = server.service.mails(None, i64::MAX, 100).unwrap();
    let alerts = all.into_iter().rev();
    let alerts = alerts.filter(|mail| mail.event == MailEvent::Alert);
    alerts
        .map(|mail| (mail.recipient, format!("{}\n{}", mail.subject, mail.body)))
        .collect()
}

fn recipients(server: &Server) -> Vec<String> {
    let mut all: Vec<String> = mails(server).into_iter().map(|(to, _)| to).collect();
    all.sort();
    all
}

/// Somebody else, with that browser.
fn sign_in_with(server: &Server, name: &str, browser: &str) {
    let mut client = server.stranger().header("User-Agent", browser);
    let body = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
    assert_eq!(client.post("/api/login", &body).status, 200);
}

#[test]
fn a_person_is_told_once_a_day_of_new_devices_but_not_of_her_first() {
    let server = with_people(&[("anna", "staff"), ("bo", "staff"), ("admin", "owner")]);
    let (mut anna, mut bo) = (sign_in_as(&server, "anna"), sign_in_as(&server, "bo"));
    let body = format!(r#"{{"username":"anna","password":"{PASSWORD}"}}"#);
    assert_eq!(anna.post("/api/login", &body).status, 200);
    assert!(mails(&server).is_empty() && shown(&mut anna).is_empty());
    sign_in_with(&server, "anna", "Win at https://casino.example");
    sign_in_with(&server, "anna", "Firefox/140.0 (Windows NT 10.0)");
    let all = mails(&server);
    let [(to, text)] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(to, "anna@example.com");
    assert!(
        text.contains("Firefox on Windows") && text.contains("127.0.0.1"),
        "{text}"
    );
    let mut admin = server.admin();
    for (client, number) in [(&mut anna, 1), (&mut bo, 0), (&mut admin, 1)] {
        assert_eq!(shown(client).len(), number);
    }
    server.clock.turn(DAY);
    sign_in_with(&server, "anna", "Win at https://casino.example");
    let all = mails(&server);
    assert_eq!(all.len(), 2);
    assert!(!all[1].1.contains("casino"), "{}", all[1].1);
}

#[test]
fn only_owners_see_and_drop_mails_about_people() {
    let server = with_people(&[("anna", "staff"), ("admin", "owner")]);
    drop(sign_in_as(&server, "anna"));
    let mut anna = sign_in_as(&server, "anna");
    let alerts = mails(&server);
    let [(_, alert)] = &alerts[..] else {
        panic!("{alerts:?}");
    };
    let subject = alert.lines().next().unwrap();
    let id = server.service.mails(None, i64::MAX, 1).unwrap()[0].id;
    for (client, is_shown) in [(&mut anna, false), (&mut server.admin(), true)] {
        let list = Page::open(client, "/mail");
        assert_eq!(list.text().contains(subject), is_shown);
        let status = client.get(&format!("/mail/{id}")).status;
        assert_eq!(status, if is_shown { 200 } else { 404 });
    }
    let own_form = Page::open(&mut anna, "/account").form("/account/name");
    let body = format!("csrf={}", own_form.value("csrf"));
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let path = format!("/mail/{id}/drop");
    assert_eq!(anna.send("POST", &path, &form, body.as_bytes()).status, 404);
}

#[test]
fn a_thief_who_changes_the_address_gets_no_alert() {
    let server = with_people(&[("anna", "staff"), ("admin", "owner")]);
    drop(sign_in_as(&server, "anna"));
    let mut thief = sign_in_as(&server, "anna");
    let form = Page::open(&mut thief, "/account").form("/account/name");
    let form = form.fill("user_name", "eve");
    form.fill("email", "eve@example.com").submit(&mut thief);
    assert_eq!(recipients(&server), ["anna@example.com"]);
}

#[test]
fn owners_and_the_person_learn_of_a_new_owner_and_of_a_lost_second_factor() {
    let server = with_people(&[("admin", "owner"), ("anna", "staff"), ("bo", "staff")]);
    // The address of admin was changed, and nobody became an owner.
    assert_eq!(mails(&server), []);
    change(&server, "bo", "owner");
    let both = ["admin@example.com", "bo@example.com"];
    assert_eq!(recipients(&server), both);
    assert_eq!(recipients(&server), both);
    let mut anna = sign_in_as(&server, "anna");
    set_up(&server, &mut anna);
    server.service.reset_factor_of("anna").unwrap();
    let all = mails(&server).split_off(2);
    let mut to: Vec<&str> = all.iter().map(|(to, _)| &**to).collect();
    to.sort_unstable();
    assert_eq!(
        to,
        ["admin@example.com", "anna@example.com", "bo@example.com"]
    );
    assert!(all[0].1.contains("anna") && all[0].1.contains("command line"));
    let mut bo = sign_in_as(&server, "bo");
    assert_eq!(shown(&mut bo).len(), 2);
    assert_eq!(shown(&mut sign_in_as(&server, "anna")).len(), 2);
}

#[test]
fn an_alert_is_for_the_person_and_not_for_whoever_takes_her_name() {
    let server = with_people(&[("admin", "owner"), ("anna", "staff"), ("bo", "staff")]);
    let (mut anna, mut bo) = (sign_in_as(&server, "anna"), sign_in_as(&server, "bo"));
    sign_in_with(&server, "anna", "curl/8");
    rename(&server, "anna", "ann");
    rename(&server, "bo", "anna");
    assert_eq!((shown(&mut anna).len(), shown(&mut bo).len()), (1, 0));
    assert_eq!(recipients(&server), ["anna@example.com"]);
}

#[test]
fn alerts_that_somebody_of_that_name_has_seen_are_still_shown() {
    let server = with_people(&[("admin", "owner"), ("anna", "owner")]);
    let (mut admin, mut anna) = (server.admin(), sign_in_as(&server, "anna"));
    Page::open(&mut admin, "/")
        .form("/alerts/seen")
        .submit(&mut admin);
    rename(&server, "admin", "vera");
    rename(&server, "anna", "admin");
    assert!(shown(&mut admin).is_empty() && !shown(&mut anna).is_empty());
}

#[test]
fn an_entry_without_the_number_of_the_person_is_for_owners() {
    let server = with_people(&[("admin", "owner"), ("anna", "staff")]);
    let mut anna = sign_in_as(&server, "anna");
    sign_in_with(&server, "anna", "curl/8");
    let database = Database::of(&server.folder.path().join("data"));
    database.unlock_audit();
    for (id, after) in
        database.all::<(i64, String)>("select id, after from audit where kind = 'signed in'", &[])
    {
        let mut after: serde_json::Value = serde_json::from_str(&after).unwrap();
        after.as_object_mut().unwrap().remove("person_id");
        database.tamper(&format!(
            "update audit set after = '{after}' where id = {id}"
        ));
    }
    assert!(shown(&mut anna).is_empty() && mails(&server).is_empty());
    assert!(shown(&mut server.admin()).concat().contains("curl"));
}

#[test]
fn an_entry_that_cannot_be_read_is_named_beside_the_other_alerts() {
    let server = with_people(&[("admin", "owner"), ("anna", "owner"), ("bo", "viewer")]);
    let mut admin = server.admin();
    let before = shown(&mut admin).len();
    let database = Database::of(&server.folder.path().join("data"));
    let broken = "update audit set after = 'x' where id = (select max(id) from audit where kind = 'person changed')";
    database.unlock_audit();
    database.tamper(broken);
    let id = "select id from audit where after = 'x'";
    let id: i64 = database.one(id, &[]);
    for client in [&mut admin, &mut sign_in_as(&server, "bo")] {
        let page = Page::open(client, "/");
        assert_eq!(page.status, 200);
        let named = page.texts("#unreadable").concat();
        assert!(named.contains(&id.to_string()), "{named}");
    }
    let verify = Page::open(&mut admin, "/").texts("#unreadable code");
    assert_eq!(verify, ["license-server audit verify"]);
    assert_eq!(shown(&mut admin).len(), before);
    sign_in_with(&server, "anna", "curl/8");
    sign_in_with(&server, "anna", "curl/8");
    assert!(!mails(&server).is_empty());
}

#[test]
fn who_invited_an_owner_made_her_one() {
    let server = with_people(&[("admin", "owner")]);
    let actor = Actor::person(1, "admin", "192.0.2.7");
    let values = UserValues::parse("bo", "", "owner").unwrap();
    let link = server.service.invite(&actor, 1, &values).unwrap().url;
    let link = link.unwrap();
    let token = link.rsplit('/').next().unwrap();
    let accepted = server
        .service
        .accept_invitation(token, PASSWORD, "192.0.2.8");
    accepted.unwrap();
    let shown = shown(&mut server.admin());
    assert!(shown[0].contains("by admin"), "{shown:?}");
    let (_, text) = &mails(&server)[0];
    assert!(text.contains("By: admin"), "{text}");
}

#[test]
fn who_removes_her_own_second_factor_again_and_again_causes_one_mail_a_day() {
    let server = with_people(&[("admin", "owner"), ("anna", "viewer")]);
    let mut anna = sign_in_as(&server, "anna");
    let mut removed = || {
        let (app, _) = set_up(&server, &mut anna);
        let page = remove(&mut anna, PASSWORD, &app.code(&server, 0));
        assert!(page.flash().is_some(), "{}", page.text());
        recipients(&server)
    };
    let both = ["admin@example.com", "anna@example.com"];
    for _ in 0..2 {
        assert_eq!(removed(), both);
    }
    // The sign-in with a new device is one, too.
    for number in [5, 7] {
        set_up(&server, &mut sign_in_as(&server, "anna"));
        server.service.reset_factor_of("anna").unwrap();
        assert_eq!(recipients(&server).len(), number);
    }
}

#[test]
fn a_burst_of_refusals_is_one_mail_a_day_without_words_of_a_stranger() {
    let server = with_people(&[("admin", "owner"), ("anna", "staff")]);
    let guess = |name: &str, number| {
        let body = format!(r#"{{"username":"{name}","password":"a wrong one"}}"#);
        for _ in 0..number {
            server.stranger().post("/api/login", &body);
        }
    };
    guess("casino.example", 19);
    assert_eq!(mails(&server), []);
    guess("casino.example", 1);
    let all = mails(&server);
    let [(to, text)] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(to, "admin@example.com");
    assert!(
        text.contains("20 sign-ins") && !text.contains("casino"),
        "{text}"
    );
    server.clock.turn(3600);
    guess("casino.example", 30);
    assert_eq!(mails(&server).len(), 1);
    server.clock.turn(120);
    let mut admin = server.admin();
    assert_eq!(shown(&mut admin).len(), 1);
    server.clock.turn(7 * DAY);
    assert!(shown(&mut server.admin()).len() == 1, "the new device");
}

#[test]
fn an_alert_goes_once_this_person_has_seen_it() {
    let server = with_people(&[("admin", "owner"), ("anna", "owner")]);
    let (mut admin, mut anna) = (server.admin(), sign_in_as(&server, "anna"));
    let seen = shown(&mut admin).len();
    assert!(seen > 0 && shown(&mut anna).len() == seen);
    let page = Page::open(&mut admin, "/");
    sign_in_with(&server, "anna", "curl/8");
    page.form("/alerts/seen").submit(&mut admin);
    let left = shown(&mut admin);
    assert!(left.len() == 1 && left[0].contains("curl"), "{left:?}");
    let page = Page::open(&mut admin, "/");
    page.form("/alerts/seen").submit(&mut admin);
    assert!(shown(&mut admin).is_empty() && shown(&mut anna).len() > seen);
    server.clock.turn(7 * DAY + 1);
    let again = shown(&mut sign_in_as(&server, "anna"));
    assert!(again.len() == 1, "only this sign-in: {again:?}");
}
