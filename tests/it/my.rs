//! The customer's own page: a link opens it once, and nothing but it.

use license_server::model::activation_code::CodeValues;
use license_server::model::audit::{Actor, AuditFilter, Kind};
use license_server::model::mail::MailState;
use serde_json::json;

use crate::client_codes::{public_key, turn_to_now};
use crate::database::Database;
use crate::mail::{MailServer, mailing};
use crate::page::{Page, urlencoded};
use crate::python_client::customers as pythons;
use crate::server::{Client, Server};

const TOOL: &str = "Tool_A";
const NAME: &str = "Änne Müller";
const EMAIL: &str = "anne@example.com";

fn start() -> Option<(MailServer, Server)> {
    let mail = MailServer::start(&[])?;
    let server = mailing(mail.port, |config| config.mail_codes = false);
    Some((mail, server))
}

/// Sells a code for so many machines.
fn sell(server: &Server, email: &str, seats: i64) -> String {
    let order = json!({"order_ref": email, "customer": {"name": NAME, "email": email},
        "items": [{"tool_name": TOOL, "seats": seats}]});
    let answer = server.admin().post("/api/orders", &order.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    let code = &answer.json()["codes"][0]["activation_code"];
    code.as_str().unwrap().to_owned()
}

fn activate(server: &Server, code: &str, machine: &str) {
    let body = json!({"tool_name": TOOL, "activation_code": code, "license_key": machine});
    let answer = server.stranger().post("/api/activate", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn ask(client: &mut Client, email: &str) -> Page {
    let form = Page::open(client, "/my").form("/my");
    form.fill("email", email).submit(client)
}

/// The path of the link in the text of a mail, or on a page.
fn link_in(text: &str) -> String {
    let at = text.find("/my/link/").unwrap_or_else(|| panic!("{text}"));
    let link: String = text[at..]
        .chars()
        .take_while(|c| !c.is_whitespace())
        .collect();
    assert_eq!(link.len(), "/my/link/".len() + 43, "{link}");
    link
}

/// The link that an admin creates for the first customer.
fn link_by_hand(server: &Server) -> String {
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/customers/1");
    let page = page.form("/link").submit(&mut admin);
    assert_eq!(page.status, 200, "{}", page.text());
    link_in(&page.texts(".secret p code").concat())
}

/// The page behind a link.
fn enter(client: &mut Client, link: &str) -> Page {
    Page::open(client, link).form("/my/link").submit(client)
}

#[test]
fn who_asks_for_a_link_does_not_learn_who_is_a_customer() {
    let Some((mail, server)) = start() else {
        return;
    };
    sell(&server, EMAIL, 1);
    let mut stranger = server.stranger();
    let known = ask(&mut stranger, "Anne@Example.com");
    let unknown = ask(&mut stranger, "nobody@example.com");
    assert_eq!((known.status, unknown.status), (200, 200));
    assert_eq!(known.text(), unknown.text());
    server.tick().unwrap();
    let taken = mail.taken();
    let to: Vec<_> = taken.iter().map(|mail| &mail["recipients"]).collect();
    assert_eq!(to, [&json!([EMAIL])]);
    assert_eq!(ask(&mut stranger, "nobody").status, 422);
}

#[test]
fn a_link_works_once_and_not_by_looking_at_it() {
    let Some((mail, server)) = start() else {
        return;
    };
    let code = sell(&server, EMAIL, 2);
    let pro = |values: &mut CodeValues| values.entitlements.edition = Some("Pro".to_owned());
    let actor = Actor::command_line();
    server.service.change_code(&actor, 1, pro).unwrap();
    activate(&server, &code, "machine-0001");
    ask(&mut server.stranger(), EMAIL);
    server.tick().unwrap();
    let link = link_in(mail.taken()[0]["body"].as_str().unwrap());
    let scanner = Page::open(&mut server.stranger(), &link);
    assert_eq!(scanner.status, 200);
    let mut customer = server.stranger();
    let page = enter(&mut customer, &link);
    assert_eq!((page.status, &*page.path), (200, "/my?lang=en"));
    let text = page.text();
    for part in [NAME, &code, TOOL, "Pro", "0001"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("machine-0001"), "{text}");
    assert_eq!(enter(&mut server.stranger(), &link).status, 410);
    assert_eq!(Page::open(&mut customer, "/my").text(), text);
    server.clock.turn(30 * 60);
    assert!(Page::open(&mut customer, "/my").has_form("/my"));
    let late = page.press(&mut customer, "machine=");
    assert_eq!(late.status, 410);
}

#[test]
fn an_old_link_opens_nothing() {
    let server = Server::start();
    sell(&server, EMAIL, 1);
    let link = link_by_hand(&server);
    server.clock.turn(30 * 60);
    assert_eq!(enter(&mut server.stranger(), &link).status, 410);
    let other = format!("/my/link/{}", "a".repeat(43));
    assert_eq!(enter(&mut server.stranger(), &other).status, 410);
}

#[test]
fn a_secret_is_only_in_the_mail_that_is_sent() {
    let Some((mail, server)) = start() else {
        return;
    };
    let database = Database::of(&server.folder.path().join("data"));
    sell(&server, EMAIL, 1);
    ask(&mut server.stranger(), EMAIL);
    server.tick().unwrap();
    server.tick().unwrap();
    let body = mail.taken().last().unwrap()["body"].clone();
    let link = link_in(body.as_str().unwrap());
    let mut customer = server.stranger();
    enter(&mut customer, &link);
    let session = customer.cookies["license_customer"].clone();
    let rows = database.rows().concat();
    assert!(rows.contains("/my/link/…"));
    for secret in [link.trim_start_matches("/my/link/"), &session] {
        assert_eq!(secret.len(), 43);
        assert!(!rows.contains(secret));
    }
}

#[test]
fn a_request_that_waited_for_too_long_is_not_mailed() {
    let Some((mail, server)) = start() else {
        return;
    };
    sell(&server, "busy@example.com", 1);
    ask(&mut server.stranger(), "busy@example.com");
    server.tick().unwrap();
    server.clock.turn(2 * 3600);
    server.tick().unwrap();
    let mails = server.service.mails(None, i64::MAX, 10).unwrap();
    assert_eq!(mails[0].state, MailState::Dropped);
    assert!(mail.taken().is_empty());
}

#[test]
fn links_are_asked_for_only_so_often() {
    let Some((_mail, server)) = start() else {
        return;
    };
    let mut stranger = server.stranger();
    let statuses: Vec<u16> = (0..4)
        .map(|_| ask(&mut stranger, "nobody@example.com").status)
        .collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    let others = (0..10).map(|n| ask(&mut stranger, &format!("{n}@example.com")).status);
    assert_eq!(others.filter(|status| *status == 200).count(), 6);
}

#[test]
fn without_a_mail_server_the_admin_creates_the_link() {
    let server = Server::start();
    sell(&server, EMAIL, 1);
    assert!(!Page::open(&mut server.stranger(), "/my").has_form("/my"));
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/customers/1");
    let page = page.form("/link").submit(&mut admin);
    let link = link_in(&page.texts(".secret p code").concat());
    let mail = page.link("mailto:").unwrap();
    assert!(mail.contains(&urlencoded(&link)), "{mail}");
    assert_eq!(enter(&mut server.stranger(), &link).status, 200);
    let kinds = |kind| {
        let filter = AuditFilter {
            kind: Some(kind),
            ..AuditFilter::default()
        };
        server.service.audit(&filter, i64::MAX, 10).unwrap().len()
    };
    assert_eq!((kinds(Kind::LinkCreated), kinds(Kind::LinkOpened)), (1, 1));
}

#[test]
fn a_customer_frees_own_machines_only_and_as_often_as_the_code_allows() {
    let server = Server::start();
    let mine = sell(&server, EMAIL, 2);
    let theirs = sell(&server, "other@example.com", 1);
    for (code, machine) in [(&mine, "one"), (&mine, "two"), (&theirs, "three")] {
        activate(&server, code, machine);
    }
    let once = |values: &mut CodeValues| values.moves_per_year = 1;
    server
        .service
        .change_code(&Actor::command_line(), 1, once)
        .unwrap();
    let mut customer = server.stranger();
    let page = enter(&mut customer, &link_by_hand(&server));
    let confirm = page.press(&mut customer, "machine=1");
    assert_eq!(server.check(TOOL, "one").0, 200, "it asks first");
    let forged = confirm.form_with("free=1");
    let csrf = forged.value("csrf").to_owned();
    let origin = customer.origin();
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", &*origin),
    ];
    let mut send = |body: &str| {
        customer
            .send("POST", "/my/change", &headers, body.as_bytes())
            .status
    };
    assert_eq!(send("free=1&csrf=x"), 403);
    assert_eq!(send(&format!("free=3&csrf={csrf}")), 200);
    assert_eq!(send(&format!("code=2&csrf={csrf}")), 404);
    assert_eq!(server.check(TOOL, "one").0, 200);
    assert_eq!(server.check(TOOL, "three").0, 200);
    let page = confirm.press(&mut customer, "free=1");
    assert_eq!((page.status, server.check(TOOL, "one").0), (200, 404));
    assert!(page.flash().is_some());
    let page = page.press(&mut customer, "machine=2");
    page.press(&mut customer, "free=2");
    assert_eq!(server.check(TOOL, "two").0, 404);
    activate(&server, &mine, "four");
    activate(&server, &mine, "five");
    let page = Page::open(&mut customer, "/my");
    assert!(page.all("[name=machine]").is_empty(), "{}", page.text());
    let filter = AuditFilter {
        kind: Some(Kind::LicenseDeleted),
        ..AuditFilter::default()
    };
    let entries = server.service.audit(&filter, i64::MAX, 10).unwrap();
    assert_eq!(entries[0].event.who.shown(), "customer 1");
}

#[test]
fn a_session_ends_by_sign_out_and_opens_nothing_else() {
    let server = Server::start();
    sell(&server, EMAIL, 1);
    let mut customer = server.stranger();
    let page = enter(&mut customer, &link_by_hand(&server));
    assert!(
        Page::open(&mut customer, "/licenses")
            .path
            .starts_with("/login")
    );
    assert_eq!(customer.get("/api/licenses").status, 401);
    let before = customer.cookies.clone();
    page.press(&mut customer, "leave=true");
    assert!(customer.cookies.is_empty());
    customer.cookies = before;
    assert!(!Page::open(&mut customer, "/my").has_form("/my/change"));
    // Nor does the admin's session open the page.
    let mut admin = server.admin();
    assert!(!Page::open(&mut admin, "/my").has_form("/my/change"));
}

#[test]
fn another_site_can_use_no_link_and_no_session() {
    let server = Server::start();
    sell(&server, EMAIL, 1);
    let link = link_by_hand(&server);
    let body = format!("token={}", &link["/my/link/".len()..]);
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    for from in [
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ] {
        let answer = server
            .stranger()
            .send("POST", "/my/link", &[kind, from], body.as_bytes());
        assert_eq!(answer.status, 403, "{from:?}");
    }
    assert_eq!(enter(&mut server.stranger(), &link).status, 200);
}

#[test]
fn an_erased_customer_and_a_new_address_end_links_and_sessions() {
    let server = Server::start();
    sell(&server, EMAIL, 1);
    let mut admin = server.admin();
    let mut customer = server.stranger();
    assert!(enter(&mut customer, &link_by_hand(&server)).has_form("/my/change"));
    let link = link_by_hand(&server);
    let form = Page::open(&mut admin, "/customers/1/edit").form("/edit");
    form.fill("email", "new@example.com").submit(&mut admin);
    assert!(!Page::open(&mut customer, "/my").has_form("/my/change"));
    assert_eq!(enter(&mut server.stranger(), &link).status, 410);
    assert!(enter(&mut customer, &link_by_hand(&server)).has_form("/my/change"));
    let link = link_by_hand(&server);
    let form = Page::open(&mut admin, "/customers/1/erase").form("/erase");
    form.fill("name", NAME).submit(&mut admin);
    assert!(!Page::open(&mut customer, "/my").has_form("/my/change"));
    assert_eq!(enter(&mut server.stranger(), &link).status, 410);
    server.service.verify_audit(None).unwrap();
}

#[test]
fn a_code_is_sent_again() {
    let Some((mail, server)) = start() else {
        return;
    };
    let code = sell(&server, EMAIL, 1);
    let mut customer = server.stranger();
    let page = enter(&mut customer, &link_by_hand(&server));
    let page = page.press(&mut customer, "code=");
    assert!(page.flash().unwrap().contains(EMAIL));
    server.tick().unwrap();
    let taken = mail.taken();
    assert!(taken[0]["body"].as_str().unwrap().contains(&code));
    let page = page
        .press(&mut customer, "code=")
        .press(&mut customer, "code=");
    assert_eq!(page.press(&mut customer, "code=").status, 429);
}

const PYTHON: &str = "
import sys
from license_client import LicenseClient, _Machine
url, key, machine, code = sys.argv[1:]
client = LicenseClient(url, 60, key, machine)
client._machine = _Machine(machine, machine, [machine])
result = client.activate('Tool_A', code) if code else client.check('Tool_A')
print(result.code, result.reason)";

/// The old PC is gone; the customer frees its seat by a mail, and the new PC runs.
#[test]
fn a_lost_pc_is_replaced_without_the_vendor() {
    let Some((mut mail, server)) = start() else {
        return;
    };
    turn_to_now(&server);
    let (url, key) = (server.url.clone(), public_key(&server));
    let code = sell(&server, EMAIL, 1);
    for (at, python) in pythons().iter().enumerate() {
        let (old, new) = (format!("old-pc-{at}"), format!("new-pc-{at}"));
        let run = |machine: &str, code: &str| {
            let (exit, printed) = python.run(&["-c", PYTHON, &url, &key, machine, code]);
            assert_eq!(exit, 0, "{printed}");
            printed.trim().to_owned()
        };
        assert!(run(&old, &code).starts_with("VALID"));
        assert_eq!(run(&new, &code), "REFUSED SEATS_IN_USE");
        server.clock.turn(20 * 60);
        let mut customer = server.stranger();
        assert_eq!(ask(&mut customer, EMAIL).status, 200);
        server.tick().unwrap();
        let link = link_in(mail.next()["body"].as_str().unwrap());
        let page = enter(&mut customer, &link).press(&mut customer, "machine=");
        page.press(&mut customer, "free=");
        assert!(run(&new, &code).starts_with("VALID"));
        assert!(run(&new, "").starts_with("VALID"));
        assert_eq!(server.check(TOOL, &old).0, 404);
        // For the next Python.
        let page = Page::open(&mut customer, "/my").press(&mut customer, "machine=");
        page.press(&mut customer, "free=");
    }
}
