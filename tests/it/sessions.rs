//! Sessions: how long they live, and the account page that lists and ends them.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use license_server::config::Config;
use license_server::error::Refusal;
use license_server::model::audit::Actor;
use license_server::service::{Client as Browser, Service};
use rocket::tokio::runtime::Runtime;
use sha1::{Digest, Sha1};

use crate::database::Database;
use crate::guards::csrf;
use crate::page::{Page, urlencoded};
use crate::program::{assert_names, log_in};
use crate::server::{Client, PASSWORD, Server};

/// Another client with the same cookies.
fn thief(server: &Server, victim: &Client) -> Client {
    let mut thief = server.stranger();
    thief.cookies = victim.cookies.clone();
    thief
}

fn is_in(client: &mut Client) -> bool {
    let [api, page] = ["/api/licenses", "/licenses"].map(|path| client.get(path).status);
    assert!(
        [(200, 200), (401, 303)].contains(&(api, page)),
        "{api} {page}"
    );
    api == 200
}

fn change_password(client: &mut Client, current: &str, new: &str, again: &str) -> Page {
    let form = Page::open(client, "/account").form("/account/password");
    let form = form
        .fill("current", current)
        .fill("new", new)
        .fill("again", again);
    form.submit(client)
}

#[test]
fn signing_out_invalidates_a_copied_cookie() {
    let server = Server::start();
    let mut admin = server.admin();
    let mut thief = thief(&server, &admin);
    assert!(is_in(&mut thief));
    let form = Page::open(&mut admin, "/licenses").form("/logout");
    assert!(form.submit(&mut admin).has_form("/login"));
    assert!(!is_in(&mut thief) && !is_in(&mut admin));
    assert!(!admin.cookies.contains_key("license_session"));
}

#[test]
fn a_session_stays_in_its_browser_and_in_networks_where_its_person_signed_in() {
    let server = Server::start();
    let at = |client: Client, address: &str| {
        let client = client.header("X-Forwarded-For", address);
        client.header("User-Agent", "Firefox")
    };
    let mut admin = at(server.stranger(), "198.51.100.7");
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    let mut elsewhere = at(thief(&server, &admin), "203.0.113.9");
    let mut other_browser = thief(&server, &admin)
        .header("X-Forwarded-For", "198.51.100.7")
        .header("User-Agent", "Chrome");
    assert!(!is_in(&mut elsewhere) && !is_in(&mut other_browser));
    // The provider gives another address of the same network.
    assert!(is_in(&mut at(thief(&server, &admin), "198.51.7.1")));
    // She takes her computer along: she signs in once, and is then at home in both.
    assert_eq!(log_in(&mut elsewhere, PASSWORD), 200);
    assert!(is_in(&mut elsewhere) && !is_in(&mut admin));
    assert!(is_in(&mut at(thief(&server, &elsewhere), "198.51.100.7")));
    // The networks outlast the session in its browser, and whoever only has the cookie cannot add one.
    server.clock.turn(31 * 60);
    assert_eq!(log_in(&mut elsewhere, PASSWORD), 200);
    assert!(is_in(&mut at(thief(&server, &elsewhere), "198.51.100.7")));
    assert!(!is_in(&mut at(thief(&server, &elsewhere), "192.0.2.1")));
    server.service.write_notes(true).unwrap();
    let log = Page::open(&mut elsewhere, "/audit?kind=session+refused");
    assert!(log.text().contains("192.0.2.1"), "{}", log.text());
}

#[test]
fn each_sign_in_gets_its_own_token_which_is_stored_as_a_hash() {
    let (server, database) = Database::start();
    let mut client = server.admin();
    let first = client.cookies["license_session"].clone();
    let body = serde_json::json!({"username": "admin", "password": PASSWORD});
    client.post("/api/login", &body.to_string());
    let second = &client.cookies["license_session"];
    assert!(first != *second && first.len() == 43, "{first} {second}");
    let rows = database.rows().concat();
    assert!(!rows.contains(&first) && !rows.contains(second));
}

#[test]
fn a_chosen_cookie_value_never_becomes_a_session() {
    let server = Server::start();
    let mut client = server.stranger();
    client
        .cookies
        .insert("license_session".into(), "chosen".into());
    let body = serde_json::json!({"username": "admin", "password": PASSWORD});
    assert_eq!(client.post("/api/login", &body.to_string()).status, 200);
    assert_ne!(client.cookies["license_session"], "chosen");
}

#[test]
fn a_password_that_is_asked_for_again_replaces_the_cookie_and_forms_in_other_tabs_go_on() {
    let server = Server::start();
    let mut admin = server.admin();
    let typed = Page::open(&mut admin, "/people/new").form("/people");
    let typed = typed.fill("name", "anna").fill("email", "a@example.com");
    let before = admin.cookies["license_session"].clone();
    // Twice: the second time the value in place of a replaced one is replaced.
    for _ in 0..2 {
        server.clock.turn(16 * 60);
        let mut thief = thief(&server, &admin);
        let asked = Page::open(&mut admin, "/keys").form("/keys");
        let asked = asked.submit(&mut admin).form("/keys");
        let done = asked.fill("confirm_password", PASSWORD).submit(&mut admin);
        assert!(done.status == 200 && done.flash().is_some());
        assert!(is_in(&mut admin) && !is_in(&mut thief));
    }
    assert_ne!(admin.cookies["license_session"], before);
    let invited = typed.submit(&mut admin);
    assert_eq!(invited.texts(".secret code").len(), 1);
}

#[test]
fn a_sign_out_beside_a_renewal_of_the_cookie_leaves_neither_value_good() {
    for is_sign_out_first in [true, false] {
        let server = Server::start();
        let mut admin = server.stranger().header("User-Agent", "Firefox");
        assert_eq!(log_in(&mut admin, PASSWORD), 200);
        let before = admin.cookies["license_session"].clone();
        let browser = Browser {
            address: Ipv4Addr::LOCALHOST.into(),
            user_agent: "Firefox".to_owned(),
            session: None,
            device: None,
        };
        let session = |value: &str| server.service.session(value, &browser).unwrap();
        let signed_in = session(&before).unwrap();
        let actor = Actor::person(1, "admin", "127.0.0.1");
        let sign_out = || {
            let id = signed_in.session.id;
            server.service.log_out(&actor, id).unwrap();
        };
        if is_sign_out_first {
            sign_out();
        }
        let password = PASSWORD.to_owned();
        let renewed = server
            .service
            .confirm(actor.clone(), &signed_in, password, String::new());
        let renewed = Runtime::new().unwrap().block_on(renewed);
        if !is_sign_out_first {
            assert!(session(renewed.as_ref().unwrap()).is_some());
            sign_out();
        }
        let values = renewed.into_iter().chain([before]);
        assert!(values.map(|value| session(&value)).all(|one| one.is_none()));
    }
}

#[test]
fn what_fails_after_the_password_was_asked_for_again_loses_no_session() {
    let server = Server::start();
    let mut admin = server.admin();
    server.clock.turn(16 * 60);
    let mut thief = thief(&server, &admin);
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!(
        "csrf={}&confirm_password={}",
        csrf(&mut admin),
        urlencoded(PASSWORD)
    );
    let path = "/account/sessions/999/end";
    assert_eq!(admin.send("POST", path, &kind, body.as_bytes()).status, 404);
    assert!(is_in(&mut admin) && !is_in(&mut thief));
}

#[test]
fn a_new_password_ends_all_other_sessions() {
    let server = Server::start();
    let (mut admin, mut other) = (server.admin(), server.admin());
    let mut thief = thief(&server, &admin);
    let page = change_password(
        &mut admin,
        PASSWORD,
        "another horse battery",
        "another horse battery",
    );
    assert!(page.flash().is_some());
    assert!(is_in(&mut admin) && !is_in(&mut other) && !is_in(&mut thief));
    let log_in = |password: &str| {
        let body = serde_json::json!({"username": "admin", "password": password});
        server
            .stranger()
            .post("/api/login", &body.to_string())
            .status
    };
    assert_eq!(
        (log_in(PASSWORD), log_in("another horse battery")),
        (401, 200)
    );
}

#[test]
fn a_failed_password_change_ends_no_session() {
    let server = Server::start();
    let (mut admin, mut other) = (server.admin(), server.admin());
    let new = "another horse battery";
    for (current, new, again, field) in [
        ("wrong", new, new, "current"),
        (PASSWORD, new, "something else", "again"),
        (PASSWORD, "short", "short", "new"),
        (PASSWORD, "password123!", "password123!", "new"),
    ] {
        let page = change_password(&mut admin, current, new, again);
        assert_eq!((page.status, page.invalid_fields()), (422, vec![field]));
        assert!(page.all(&format!("input[name={field}][value]")).is_empty());
    }
    assert!(is_in(&mut admin) && is_in(&mut other));
}

#[test]
fn guesses_of_the_current_password_are_throttled() {
    let server = Server::start();
    let mut admin = server.admin();
    let mut guess = || {
        change_password(
            &mut admin,
            "wrong",
            "another horse battery",
            "another horse battery",
        )
        .status
    };
    assert!((0..10).all(|_| guess() == 422));
    assert_eq!(guess(), 429);
}

#[test]
fn an_open_page_leaves_the_screen_with_its_session_unless_somebody_may_be_typing() {
    let server = Server::start();
    let mut admin = server.admin();
    for (path, seconds) in [("/licenses", 30 * 60), ("/licenses/new", 12 * 3600)] {
        let refresh = admin.get(path).header("refresh").to_owned();
        let (after, to) = refresh.split_once("; url=").unwrap();
        assert_eq!(after, (seconds + 1).to_string(), "{path}");
        let page = Page::open(&mut admin, to);
        assert!(page.has_link(path) && page.has_form("/login"), "{path}");
    }
    for path in ["/login", "/login/left", "/claim"] {
        assert_eq!(admin.get(path).header("refresh"), "", "{path}");
    }
    // Which is no use of the session.
    server.clock.turn(29 * 60);
    admin.get("/login/left?next=/licenses");
    server.clock.turn(2 * 60);
    assert!(!is_in(&mut admin));
}

#[test]
fn session_limits_are_settings() {
    let server = Server::with(|config| {
        config.session_idle_minutes = 5;
        config.session_hours = 1;
    });
    let (mut busy, mut idle) = (server.admin(), server.admin());
    for minute in (4..60).step_by(4) {
        server.clock.turn(4 * 60);
        assert!(is_in(&mut busy), "{minute}");
    }
    assert!(!is_in(&mut idle));
    server.clock.turn(4 * 60);
    assert!(!is_in(&mut busy));
}

#[test]
fn the_account_page_lists_active_sessions_and_ends_one() {
    let server = Server::start();
    drop(server.admin());
    server.clock.turn(31 * 60);
    let mut admin = server.admin();
    let laptop = server.stranger().header("X-Forwarded-For", "203.0.113.9");
    let mut laptop = laptop.header("User-Agent", "Laptop <b>");
    let body = serde_json::json!({"username": "admin", "password": PASSWORD});
    laptop.post("/api/login", &body.to_string());
    let page = Page::open(&mut admin, "/account");
    let addresses: Vec<String> = page.rows().into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(addresses, ["203.0.113.9", "127.0.0.1"]);
    assert!(page.text().contains("Laptop <b>"), "{}", page.text());
    // The current session cannot be ended here.
    assert_eq!(page.all("form[action$='/end']").len(), 1);
    let form = page.form("/account/sessions/3/end");
    let page = form.submit(&mut admin);
    assert_eq!((page.flash().is_some(), page.rows().len()), (true, 1));
    assert!(is_in(&mut admin) && !is_in(&mut laptop));
}

#[test]
fn one_button_ends_all_other_sessions() {
    let server = Server::start();
    let mut others = [server.admin(), server.admin()];
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/account").form("/account/sessions/end-others");
    let page = form.submit(&mut admin);
    assert_eq!(page.rows().len(), 1);
    assert!(is_in(&mut admin) && others.iter_mut().all(|other| !is_in(other)));
}

#[test]
fn the_use_of_a_session_is_recorded_without_waiting_for_a_writer() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let lock = database.lock();
    server.clock.turn(120);
    let start = Instant::now();
    assert!(is_in(&mut admin));
    assert!(start.elapsed() < Duration::from_secs(4));
    drop(lock);
    server.tick().unwrap();
    let sql = "select last_used_at - created_at from sessions";
    let used: i64 = database.one(sql, &[]);
    assert_eq!(used, 120);
}

#[test]
fn a_message_that_a_neighbor_plants_is_not_shown() {
    let server = Server::start();
    let mut admin = server.admin();
    let own = end_others(&mut admin);
    assert!(Page::open(&mut admin, "/account").flash().is_some());
    let for_another = end_others(&mut server.admin());
    let mut admin = server.admin();
    let planted = "Q2FsbCArNDkgOTAwHzE="; // Call +49 900, and Undo of change 1
    // One bit further on.
    let changed = match own.strip_prefix('A') {
        Some(rest) => format!("B{rest}"),
        None => format!("A{}", &own[1..]),
    };
    for value in [planted, &changed, &own, &for_another] {
        admin.cookies.insert("license_flash".into(), value.into());
        let page = Page::open(&mut admin, "/account");
        assert!(page.flash().is_none() && !page.has_form("/undo"), "{value}");
    }
}

/// The cookie with the message about it.
fn end_others(client: &mut Client) -> String {
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!("csrf={}", csrf(client));
    let path = "/account/sessions/end-others";
    assert_eq!(
        client.send("POST", path, &form, body.as_bytes()).status,
        303
    );
    client.cookies["license_flash"].clone()
}

#[test]
fn nobody_can_read_a_message_in_a_cookie_and_a_restart_forgets_it() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Server::with(|config| config.data_dir = folder.path().to_owned());
    let server = start();
    server.license("Tool_A", "key-of-anna");
    let mut admin = server.admin();
    let body = format!("csrf={}&status=revoked", csrf(&mut admin));
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let revoke = |admin: &mut Client, body: &str| {
        admin.send("POST", "/licenses/1/status", &kind, body.as_bytes());
        admin.cookies["license_flash"].clone()
    };
    let cookie = revoke(&mut admin, &body);
    let text = cookie.replace("%2B", "+").replace("%2F", "/");
    let bytes = STANDARD.decode(text.replace("%3D", "=")).unwrap();
    assert!(bytes.len() > 40 && !String::from_utf8_lossy(&bytes).contains("key"));
    let page = Page::open(&mut admin, "/account");
    assert!(page.flash().unwrap().contains("key-of-anna"));
    let cookies = admin.cookies.clone();
    drop(server);
    let server = start();
    let mut admin = server.stranger();
    admin.cookies = cookies;
    admin.cookies.insert("license_flash".into(), cookie);
    let page = Page::open(&mut admin, "/account");
    assert!(page.flash().is_none() && page.status == 200);
}

#[test]
fn a_leaked_password_is_refused_wherever_one_is_chosen() {
    let list = tempfile::NamedTempFile::new().unwrap();
    let leaked = "another horse battery";
    let hash: String = Sha1::digest(leaked)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let zero = "0".repeat(40);
    fs::write(list.path(), format!("{zero}:1\n{hash}:37\n")).unwrap();
    let mut config = Config::default();
    let server = Server::with(|own| {
        own.leaked_passwords = Some(list.path().to_owned());
        config = own.clone();
    });
    let mut admin = server.admin();
    let page = change_password(&mut admin, PASSWORD, leaked, leaked);
    assert_eq!((page.status, page.invalid_fields()), (422, vec!["new"]));
    let invited = Page::open(&mut admin, "/people/new").form("/people");
    let invited = invited.fill("name", "anna").submit(&mut admin);
    let link = invited.texts(".secret code").concat();
    let link = &link[link.find("/invitation/").unwrap()..];
    let mut anna = server.stranger();
    let form = Page::open(&mut anna, link).form(link);
    let form = form.fill("new", leaked).fill("again", leaked);
    assert_eq!(form.submit(&mut anna).status, 422);
    let set = |password| server.service.set_password("admin", password, false);
    let Refusal(line) = set(leaked).unwrap_err();
    assert!(line.contains("leaked"), "{line}");
    set("nine quiet herons").unwrap();
    // A file that is none is named at the start.
    fs::write(list.path(), "password\n").unwrap();
    let Err(Refusal(line)) = Service::open(&config, server.clock.clone()) else {
        panic!("it started");
    };
    let file = list.path().to_str().unwrap();
    assert_names(&line, &[file, "leaked_passwords"]);
}

#[test]
fn the_host_name_is_no_password() {
    let server = Server::at("https://shop-licenses.example.com");
    let mut admin = server.admin();
    let form = format!(
        "csrf={}&current={}&new={n}&again={n}",
        csrf(&mut admin),
        urlencoded(PASSWORD),
        n = "shop-licenses.example.com"
    );
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let mut change = |body: &str| {
        let answer = admin.send("POST", "/account/password", &[kind], body.as_bytes());
        answer.status
    };
    assert_eq!(change(&form), 422);
    assert_eq!(change(&form.replace("example.com", "example.org")), 303);
}
