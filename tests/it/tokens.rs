//! API tokens: created on the account page, shown once, limited in scope and time.

use time::macros::offset;

use crate::database::Database;
use crate::guards::token;
use crate::page::{Page, urlencoded};
use crate::server::{Client, PASSWORD, Server};

fn bearer(server: &Server, secret: &str) -> Client {
    server
        .stranger()
        .header("Authorization", &format!("Bearer {secret}"))
}

fn reads(server: &Server, secret: &str) -> u16 {
    bearer(server, secret).get("/api/licenses").status
}

#[test]
fn a_token_is_shown_once_and_stored_as_its_hash() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let secret = token(&mut admin, "Nightly export", "read=true", "2026-12-31");
    let random = secret.strip_prefix("lsk_").unwrap();
    assert!(random.len() == 43 && !random.contains('='), "{secret}");
    assert_eq!(reads(&server, &secret), 200);
    let page = Page::open(&mut admin, "/account");
    assert!(page.text().contains("Nightly export") && !page.text().contains(random));
    assert!(!database.rows().concat().contains(random));
}

#[test]
fn tokens_differ_and_a_part_of_one_is_invalid() {
    let server = Server::start();
    let mut admin = server.admin();
    let one = token(&mut admin, "one", "read=true", "2026-12-31");
    assert_ne!(one, token(&mut admin, "two", "read=true", "2026-12-31"));
    for wrong in [
        &one[4..],
        &one[..one.len() - 1],
        &one.to_uppercase(),
        &format!("{one}x"),
    ] {
        assert_eq!(reads(&server, wrong), 401, "{wrong}");
    }
}

#[test]
fn a_token_is_valid_through_its_expiration_date() {
    let server = Server::start();
    let secret = token(&mut server.admin(), "today", "read=true", "2026-06-15");
    server.clock.turn(12 * 3600 - 1);
    assert_eq!(reads(&server, &secret), 200);
    server.clock.turn(1);
    assert_eq!(reads(&server, &secret), 401);
    let page = Page::open(&mut server.admin(), "/account");
    assert_eq!(page.all(".mark.expired").len(), 1);
}

#[test]
fn the_account_page_shows_scopes_and_last_use_of_a_token() {
    let server = Server::start();
    let mut admin = server.admin();
    let secret = token(&mut admin, "CI", "read=true&write=true", "2026-12-31");
    let row = |admin: &mut Client| {
        let rows = Page::open(admin, "/account").rows();
        rows.into_iter().find(|row| row[0] == "CI").unwrap()
    };
    let new = row(&mut admin);
    assert_eq!(
        (new[1].as_str(), new[3].as_str()),
        ("licenses:read licenses:write", "")
    );
    assert_eq!(new[2], "2026-12-31");
    server.clock.turn(300);
    let is_last = |admin: &mut Client, time: &str, address: &str| {
        let last = row(admin)[3].clone();
        assert!(last.contains(time) && last.ends_with(address), "{last}");
    };
    reads(&server, &secret);
    is_last(&mut admin, "12:05", "127.0.0.1");
    server.tick().unwrap();
    is_last(&mut admin, "12:05", "127.0.0.1");
    let mut thief = bearer(&server, &secret).header("X-Forwarded-For", "203.0.113.9");
    thief.get("/api/licenses");
    is_last(&mut admin, "12:05", "203.0.113.9");
    server.tick().unwrap();
    is_last(&mut admin, "12:05", "203.0.113.9");
}

#[test]
fn the_expiration_date_is_shown_as_it_was_typed() {
    for offset in [offset!(-8), offset!(+14)] {
        let server = Server::with(|config| config.utc_offset = offset);
        let mut admin = server.admin();
        token(&mut admin, "CI", "read=true", "2027-12-31");
        let rows = Page::open(&mut admin, "/account").rows();
        let row = rows.iter().find(|row| row[0] == "CI").unwrap();
        assert_eq!(row[2], "2027-12-31", "{offset}");
    }
}

#[test]
fn a_revoked_token_stops_working_immediately() {
    let server = Server::start();
    let mut admin = server.admin();
    let [one, two] = ["one", "two"].map(|name| token(&mut admin, name, "read=true", "2026-12-31"));
    let form = Page::open(&mut admin, "/account/tokens/1/revoke").form("/account/tokens/1/revoke");
    let page = form.submit(&mut admin);
    assert!(page.flash().unwrap().contains("one"));
    assert_eq!((reads(&server, &one), reads(&server, &two)), (401, 200));
    assert!(!page.rows().iter().any(|row| row[0] == "one"));
}

#[test]
fn a_token_needs_a_name_a_scope_and_an_expiration_date() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/account").form("/account/tokens");
    for (fields, field) in [
        ("name=&read=true&expiration_date=2026-12-31", "name"),
        ("name=x&expiration_date=2026-12-31", "scopes"),
        ("name=x&read=true&expiration_date=", "expiration_date"),
        (
            "name=x&read=true&expiration_date=2026-06-14",
            "expiration_date",
        ),
        (
            "name=x&read=true&expiration_date=2126-06-14",
            "expiration_date",
        ),
        (
            "name=x&read=true&expiration_date=2026-02-30",
            "expiration_date",
        ),
    ] {
        let body = format!("csrf={}&{fields}", form.value("csrf"));
        let page = form.send(&mut admin, body.as_bytes());
        assert_eq!(page.status, 422, "{fields}");
        let problems = page.all(".problem");
        let ids: Vec<_> = problems.iter().map(|p| p.attr("id").unwrap()).collect();
        assert_eq!(ids, [format!("{field}-problem")], "{fields}");
    }
    assert!(Page::open(&mut admin, "/account").all(".secret").is_empty());
}

/// Changes the password on the account page.
fn change_password(admin: &mut Client, more: &str) -> Page {
    let form = Page::open(admin, "/account").form("/account/password");
    let new = "another+horse+battery";
    let body = format!(
        "csrf={}&current={}&new={new}&again={new}{more}",
        form.value("csrf"),
        urlencoded(PASSWORD)
    );
    form.send(admin, body.as_bytes())
}

#[test]
fn a_password_change_names_the_tokens_that_survive_it() {
    let server = Server::start();
    let mut admin = server.admin();
    let account = Page::open(&mut admin, "/account");
    assert!(account.all("[name=revoke_tokens]").is_empty());
    let secret = token(&mut admin, "CI", "read=true&write=true", "2026-12-31");
    token(&mut admin, "today", "read=true", "2026-06-15");
    server.clock.turn(12 * 3600);
    let mut admin = server.admin();
    let page = change_password(&mut admin, "");
    assert!(page.flash().unwrap().contains('1'), "{:?}", page.flash());
    assert_eq!(reads(&server, &secret), 200);
    assert_eq!(bearer(&server, &secret).get("/account").status, 303);
}

#[test]
fn a_password_change_can_revoke_all_tokens() {
    let server = Server::start();
    let mut admin = server.admin();
    let secrets = ["one", "two"].map(|name| token(&mut admin, name, "read=true", "2026-12-31"));
    let page = Page::open(&mut admin, "/account");
    assert_eq!(page.all("[type=checkbox][name=revoke_tokens]").len(), 1);
    let page = change_password(&mut admin, "&revoke_tokens=true");
    assert!(page.flash().unwrap().contains('2'), "{:?}", page.flash());
    assert_eq!(secrets.map(|secret| reads(&server, &secret)), [401, 401]);
    let log = Page::open(&mut admin, "/audit").text();
    assert!(log.contains("one") && log.contains("two"), "{log}");
}
