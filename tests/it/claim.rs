//! The claim page: with an activation code and a machine ID, an old program runs.

use license_server::model::activation_code::{ActivationCode, CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use license_server::model::license::Status;
use serde_json::json;
use time::macros::date;

use crate::page::{Page, urlencoded};
use crate::server::{Client, Server};

const TOOL: &str = "Tool_A";
const MACHINE: &str = "0a:1b:2c:3d:4e:5f";

fn code(server: &Server, values: CodeValues) -> ActivationCode {
    let made = server
        .service
        .create_codes(&Actor::command_line(), TOOL, &values, 1);
    made.unwrap().remove(0)
}

fn seats(number: i64) -> CodeValues {
    CodeValues::new(number, CodeTerm::Perpetual)
}

fn open(client: &mut Client, machine: &str) -> Page {
    let machine = urlencoded(machine);
    Page::open(client, &format!("/claim?tool={TOOL}&machine={machine}"))
}

/// The page after the code was entered for this machine.
fn enter(client: &mut Client, code: &ActivationCode, machine: &str) -> Page {
    let form = open(client, machine).form_with("do=check");
    form.fill("code", &code.shown()).press(client, "do=check")
}

#[test]
fn a_machine_of_a_link_is_confirmed_before_it_takes_a_seat() {
    let server = Server::start();
    let code = code(
        &server,
        CodeValues::new(1, CodeTerm::Until(date!(2026 - 12 - 31))),
    );
    let mut customer = server.stranger();
    let page = enter(&mut customer, &code, "\u{201c}0A-1B-2C-3D-4E-5F\u{201d}");
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains(MACHINE), "{}", page.text());
    let question = license_server::model::machine_code::machine_code(TOOL, MACHINE);
    assert!(page.text().contains(&question));
    assert_eq!(server.check(TOOL, MACHINE).0, 404);
    let done = page.press(&mut customer, "do=activate");
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(done.text().contains("2026-12-31"), "{}", done.text());
    assert_eq!(server.check(TOOL, MACHINE).0, 200);
}

#[test]
fn the_code_is_never_in_an_address() {
    let server = Server::start();
    let code = code(&server, seats(1));
    let mut customer = server.stranger();
    let page = enter(&mut customer, &code, MACHINE);
    let done = page.press(&mut customer, "do=activate");
    let machines = done.press(&mut customer, "do=manage");
    for page in [page, done, machines] {
        assert_eq!(page.path, "/claim");
        let links: Vec<(String, String)> = page.links();
        assert!(
            links.iter().all(|(_, to)| !to.contains(&code.code[..4])),
            "{links:?}"
        );
    }
}

#[test]
fn no_other_site_can_send_the_form() {
    let server = Server::start();
    let code = code(&server, seats(1));
    let form = format!(
        "tool={TOOL}&code={}&machine={MACHINE}&do=activate",
        code.shown()
    );
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    for from in [
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ] {
        let answer = server
            .stranger()
            .send("POST", "/claim", &[kind, from], form.as_bytes());
        assert_eq!(answer.status, 403, "{from:?}");
    }
    assert_eq!(server.check(TOOL, MACHINE).0, 404);
}

#[test]
fn a_dead_machine_is_removed_and_the_claim_goes_on() {
    let server = Server::start();
    let code = code(&server, seats(1));
    let mut customer = server.stranger();
    let dead = "aa:bb:cc:dd:ee:ff";
    enter(&mut customer, &code, dead).press(&mut customer, "do=activate");
    let check =
        json!({"tool_name": TOOL, "license_key": dead, "client": {"hostname": "OLD\u{202e}-PC"}});
    server.stranger().post("/api/check", &check.to_string());
    server.tick().unwrap();

    let page = enter(&mut customer, &code, MACHINE);
    assert_eq!(page.status, 409);
    let machines = page.texts(".rows li").concat();
    assert!(
        machines.contains("OLD[U+202E]-PC") && machines.contains("ee:ff"),
        "{machines}"
    );
    assert!(machines.contains("2026-06-15"), "{machines}");
    assert!(!page.text().contains(dead));

    let page = page.press(&mut customer, "remove=");
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(server.check(TOOL, dead).0, 404);
    let page = page.press(&mut customer, "do=activate");
    assert_eq!(page.status, 200);
    assert_eq!(server.check(TOOL, MACHINE).0, 200);
}

#[test]
fn machines_are_managed_with_the_code_alone() {
    let server = Server::start();
    let code = code(&server, seats(2));
    let mut customer = server.stranger();
    enter(&mut customer, &code, MACHINE).press(&mut customer, "do=activate");
    let form = Page::open(&mut customer, &format!("/claim?tool={TOOL}")).form_with("do=manage");
    let page = form
        .fill("code", &code.shown())
        .press(&mut customer, "do=manage");
    assert_eq!((page.status, page.all(".rows li").len()), (200, 1));
    let page = page.press(&mut customer, "remove=");
    assert_eq!((page.status, page.all(".rows li").len()), (200, 0));
    assert!(page.flash().is_some());
}

#[test]
fn without_moves_the_vendor_says_what_to_do() {
    let server = Server::start();
    let mut admin = server.admin();
    let values = CodeValues {
        moves_per_year: 1,
        ..seats(1)
    };
    let code = code(&server, values);
    let form = Page::open(&mut admin, &format!("/tool?name={TOOL}")).form("/tool");
    form.fill("message", "Call 555-0100.")
        .fill("vendor", "Brown Tools")
        .fill("support_email", "help@example.com")
        .submit(&mut admin);
    let mut customer = server.stranger();
    let machines = enter(&mut customer, &code, "first")
        .press(&mut customer, "do=activate")
        .press(&mut customer, "do=manage");
    machines.press(&mut customer, "remove=");
    enter(&mut customer, &code, "second").press(&mut customer, "do=activate");
    // A page that was opened when it was still possible.
    let id = server.service.license_of(TOOL, "second").unwrap().unwrap();
    let old = format!(
        "tool={TOOL}&code={}&machine=third&remove={id}",
        code.shown()
    );
    let page = machines
        .form_with("do=edit")
        .send(&mut customer, old.as_bytes());
    assert_eq!(page.status, 409);
    assert!(page.alert().contains("Call 555-0100."), "{}", page.alert());
    assert_eq!(server.check(TOOL, "second").0, 200);
    let page = enter(&mut customer, &code, "third");
    assert!(page.all("[name=remove]").is_empty());
    assert!(page.has_link("mailto:help@example.com"));
    assert!(page.texts("header").concat().contains("Brown Tools"));
}

#[test]
fn a_machine_of_another_code_cannot_be_removed() {
    let server = Server::start();
    let (mine, other) = (code(&server, seats(1)), code(&server, seats(1)));
    let mut customer = server.stranger();
    enter(&mut customer, &other, MACHINE).press(&mut customer, "do=activate");
    let id = server.service.license_of(TOOL, MACHINE).unwrap().unwrap();
    let form = open(&mut customer, MACHINE).form_with("do=check");
    let sent = format!("tool={TOOL}&code={}&remove={id}", mine.shown());
    form.send(&mut customer, sent.as_bytes());
    assert_eq!(server.check(TOOL, MACHINE).0, 200);
}

#[test]
fn each_refusal_has_its_status_and_its_field() {
    let server = Server::start();
    let with = |status| CodeValues { status, ..seats(1) };
    let expired = CodeValues::new(1, CodeTerm::Until(date!(2026 - 01 - 31)));
    let typo = ActivationCode {
        code: "AAAA-AAAA-AAAA-AAAB".into(),
        ..code(&server, seats(1))
    };
    let unknown = ActivationCode {
        code: "AAAAAAAAAAAAAAAA".into(),
        ..typo.clone()
    };
    for (code, status) in [
        (typo, 422),
        (unknown, 404),
        (code(&server, expired), 403),
        (code(&server, with(Status::Suspended)), 403),
        (code(&server, with(Status::Revoked)), 403),
    ] {
        let page = enter(&mut server.stranger(), &code, MACHINE);
        assert_eq!((page.status, page.invalid_fields()), (status, vec!["code"]));
        assert_eq!(page.form_with("do=check").value("code"), code.shown());
    }
    let page = enter(&mut server.stranger(), &code(&server, seats(1)), "");
    assert_eq!((page.status, page.invalid_fields()), (422, vec!["machine"]));
}

#[test]
fn wrong_codes_are_throttled_and_a_right_one_is_not() {
    let server = Server::start();
    let right = code(&server, seats(1));
    let wrong = ActivationCode {
        code: "AAAAAAAAAAAAAAAA".into(),
        ..right.clone()
    };
    let mut customer = server.stranger();
    for _ in 0..10 {
        assert_eq!(enter(&mut customer, &wrong, MACHINE).status, 404);
    }
    let body = format!("tool={TOOL}&code={}&machine={MACHINE}", wrong.code);
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let answer = customer.send("POST", "/claim", &[kind], body.as_bytes());
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(enter(&mut customer, &right, MACHINE).status, 200);
}

#[test]
fn a_mac_address_typed_wrongly_is_asked_about() {
    let server = Server::start();
    let code = code(&server, seats(1));
    let mut customer = server.stranger();
    let page = enter(&mut customer, &code, "0a:1b:2c:3d:4e:5");
    let suggested = "use=0a:1b:2c:3d:4e:05";
    let page = page.press(&mut customer, suggested);
    assert!(page.text().contains("0a:1b:2c:3d:4e:05"), "{}", page.text());
    page.press(&mut customer, "do=activate");
    assert_eq!(server.check(TOOL, "0a:1b:2c:3d:4e:05").0, 200);
    let page = enter(&mut customer, &code, "0a:1b:2c:3d:4e:05");
    assert!(page.all("[name=use]").is_empty());
}

#[test]
fn a_doubtful_machine_is_kept_if_the_customer_says_so() {
    let server = Server::start();
    let code = code(&server, seats(1));
    let mut customer = server.stranger();
    let odd = "0a:1b:2c:3d:4e";
    let page = enter(&mut customer, &code, odd);
    page.press(&mut customer, "keep=")
        .press(&mut customer, "do=activate");
    assert_eq!(server.check(TOOL, odd).0, 200);
}

#[test]
fn the_page_speaks_the_language_of_its_reader() {
    let server = Server::start();
    let code = code(&server, seats(1));
    let language = |page: &Page| page.all("html")[0].attr("lang").unwrap().to_owned();
    let mut german = server
        .stranger()
        .header("Accept-Language", "de-AT,en;q=0.5");
    let page = enter(&mut german, &code, MACHINE);
    assert_eq!(language(&page), "de");
    let english = page.press(&mut german, "lang=en");
    assert_eq!(language(&english), "en");
    // The step and what was typed stay.
    let done = english.press(&mut german, "do=activate");
    assert_eq!((language(&done), done.status), ("en".to_owned(), 200));
    assert_eq!(server.check(TOOL, MACHINE).0, 200);
    let mut other = server.stranger();
    let page = open(&mut other, MACHINE).follow(&mut other, "lang=de");
    assert_eq!(language(&page), "de");
    assert_eq!(page.form_with("do=check").value("machine"), MACHINE);
}

#[test]
fn no_tool_is_listed_and_its_name_can_be_typed() {
    let server = Server::start();
    let code = code(&server, seats(1));
    let mut customer = server.stranger();
    let page = Page::open(&mut customer, "/claim?tool=Nothing");
    assert!(!page.text().contains(TOOL));
    let form = page.form_with("do=check").fill("machine", MACHINE);
    let wrong = form
        .fill("code", &code.shown())
        .press(&mut customer, "do=check");
    // Whoever has the code learns which tool it is for.
    assert_eq!((wrong.status, wrong.invalid_fields()), (404, vec!["tool"]));
    assert!(wrong.alert().contains(TOOL));
    let right = wrong.form_with("do=check").fill("tool", TOOL);
    let page = right.press(&mut customer, "do=check");
    assert_eq!(page.press(&mut customer, "do=activate").status, 200);
}

#[test]
fn a_signed_in_admin_sees_what_a_customer_sees() {
    let server = Server::start();
    code(&server, seats(1));
    let page = open(&mut server.admin(), MACHINE);
    assert!(!page.has_form("/logout") && !page.has_link("/licenses"));
}

#[test]
fn what_is_refused_before_the_page_is_explained_in_its_words() {
    let server = Server::start();
    code(&server, seats(1));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let text = ("Content-Type", "text/plain");
    let elsewhere = ("Origin", "https://evil.example");
    let long = vec![b'a'; 9_000];
    for language in ["de", "en"] {
        let mut customer = server.admin().header("Accept-Language", language);
        for (method, path, headers, body, status) in [
            (
                "POST",
                "/claim",
                &[form, elsewhere][..],
                &b"code=x"[..],
                403,
            ),
            ("POST", "/claim", &[form], &long, 413),
            ("POST", "/claim", &[text], b"x", 415),
            ("POST", "/claim", &[form], b"code=%ff", 400),
            ("PUT", "/claim", &[form], b"", 405),
            ("GET", "/claim/nothing", &[], b"", 404),
        ] {
            let answer = customer.send(method, path, headers, body);
            assert_eq!(answer.status, status, "{method} {path}");
            assert!(
                answer
                    .header("content-security-policy")
                    .contains("default-src 'none'")
            );
            let page = Page::after(&mut customer, path, answer);
            assert_eq!(page.all("html")[0].attr("lang"), Some(language), "{status}");
            assert!(
                !page.alert().is_empty() && page.has_form("/claim"),
                "{status}"
            );
            assert!(
                !page.has_link("/licenses") && !page.text().contains(TOOL),
                "{status}"
            );
        }
    }
}
