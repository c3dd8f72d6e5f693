//! Unlicensed machines that have checked.

use license_server::model::activation_code::{CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use license_server::model::customer::CustomerDraft;
use license_server::model::machine_code::machine_code;
use serde_json::json;

use crate::page::address::{DIAGNOSE, UNLICENSED};
use crate::page::{Form, Page};
use crate::server::{Client, Server};

#[test]
fn without_unlicensed_machines_the_page_is_empty() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, DIAGNOSE).follow(&mut admin, UNLICENSED);
    assert_eq!((page.status, page.path.as_str()), (200, UNLICENSED));
    assert_eq!((page.rows().len(), page.all(".empty").len()), (0, 1));
}

#[test]
fn an_unlicensed_machine_is_listed_until_it_has_a_license() {
    let server = Server::start();
    server.license("A & B", "licensed");
    server.check("A & B", "new machine");
    server.clock.turn(3600);
    server.check("A & B", "new machine");
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, UNLICENSED);
    let row = ["new machine", "A & B", "2026-06-15 13:00", "2", "127.0.0.1"];
    assert_eq!(page.rows(), [row]);
    let first = page.texts("tbody small").concat();
    assert!(first.contains("2026-06-15 12:00"), "{first}");
    let diagnosis = page.follow(&mut admin, &format!("{DIAGNOSE}?"));
    assert_eq!(diagnosis.form(DIAGNOSE).value("key"), "new machine");
    let form = page.follow(&mut admin, "/licenses/new?");
    form.form("/licenses/new").submit(&mut admin);
    assert!(Page::open(&mut admin, UNLICENSED).rows().is_empty());
}

#[test]
fn a_machine_that_says_what_its_id_was_before_offers_to_move_that_license() {
    let server = Server::start();
    let id = server.license("T", "0a:1b:2c:3d:4e:5f");
    server.license("Other", "x");
    for (tool, key, previous) in [
        ("T", "new", json!(" 0A-1B-2C-3D-4E-5F")),
        ("Other", "new", json!("0a:1b:2c:3d:4e:5f")),
        ("T", "stranger", json!(["0a:1b:2c:3d:4e:5f"])),
    ] {
        let body = json!({"tool_name": tool, "license_key": key, "previous_license_key": previous});
        let answer = server.stranger().post("/api/check", &body.to_string());
        assert_eq!(answer.status, 404);
    }
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, UNLICENSED);
    let target = format!("/licenses/{id}/move?");
    assert_eq!(
        page.links()
            .iter()
            .filter(|(_, to)| to.contains(&target))
            .count(),
        1
    );
    let diagnosis = Page::open(&mut admin, &format!("{DIAGNOSE}?tool=T&key=new"));
    for page in [page, diagnosis] {
        let form = page.follow(&mut admin, &target).form("/move");
        assert_eq!(form.value("license_key"), "new");
    }
}

#[test]
fn the_newest_machines_of_a_tool_come_first() {
    let server = Server::start();
    let mut admin = server.admin();
    for tool in ["T&U", "V"] {
        server.license(tool, "licensed");
    }
    for n in 0..104 {
        let mut asks = server
            .stranger()
            .header("X-Forwarded-For", &format!("10.0.{n}.1"));
        let question =
            serde_json::json!({"tool_name": "T&U", "license_key": format!("key {n:03}")});
        assert_eq!(asks.post("/api/check", &question.to_string()).status, 404);
        if n % 2 == 0 {
            server.clock.turn(1);
        }
    }
    server.check("V", "other");
    server.tick().unwrap();
    let form = Page::open(&mut admin, UNLICENSED).form(UNLICENSED);
    let mut page = form.fill("tool", "T&U").submit(&mut admin);
    assert_eq!(page.texts("h1 .count"), ["104"]);
    let mut keys = page.keys();
    while let Some(next) = page.next(&mut admin) {
        page = next;
        assert_eq!(page.form(UNLICENSED).value("tool"), "T&U");
        keys.extend(page.keys());
    }
    let newest_first: Vec<String> = (0..104).rev().map(|n| format!("key {n:03}")).collect();
    assert_eq!(keys, newest_first);
    let newest = page.follow(&mut admin, &format!("{UNLICENSED}?tool="));
    assert_eq!(newest.keys()[..], newest_first[..50]);
}

/// A check of a client that says who it is.
fn ask(server: &Server, tool: &str, key: &str, hostname: &str, user: &str) {
    let client = json!({"version": "2.4.0", "hostname": hostname, "user": user});
    let body = json!({"tool_name": tool, "license_key": key, "client": client});
    let answer = server.stranger().post("/api/check", &body.to_string());
    assert_eq!(answer.status, 404);
}

/// Checks of T, a second apart.
fn check(server: &Server, keys: &[&str]) {
    for key in keys.iter().rev() {
        server.check("T", key);
        server.clock.turn(1);
    }
}

/// The page once all checks are written.
fn list(server: &Server, admin: &mut Client, query: &str) -> Page {
    server.tick().unwrap();
    Page::open(admin, &format!("{UNLICENSED}{query}"))
}

const DECIDE: &str = "/unlicensed/decide";

fn keys(page: &Page) -> Vec<String> {
    page.texts("tbody th > .key")
}

/// The form with these machines ticked.
fn ticked(page: &Page, keys: &[&str]) -> Form {
    let tick = |form: Form, key: &&str| {
        let value = format!("T\t{key}");
        assert_eq!(
            page.all(&format!("[type=checkbox][value='{value}']")).len(),
            1
        );
        form.tick("machine", &value)
    };
    keys.iter().fold(page.form(DECIDE), tick)
}

#[test]
fn a_machine_of_a_tool_that_does_not_exist_is_listed() {
    let server = Server::start();
    let mut admin = server.admin();
    server.check("Nothing", "key");
    let page = list(&server, &mut admin, "");
    assert_eq!(keys(&page), ["key"]);
    let form = page.follow(&mut admin, "/licenses/new?");
    assert_eq!(form.form("/licenses/new").value("tool_name"), "Nothing");
}

#[test]
fn a_machine_has_the_face_that_it_last_reported() {
    let server = Server::start();
    let mut admin = server.admin();
    ask(&server, "T", "k", "OLD-PC", "anna");
    server.clock.turn(1);
    ask(&server, "T", "k", "ANNA\u{202e}-PC", "anna.meyer");
    server.clock.turn(1);
    server.check("T", "k");
    let face = list(&server, &mut admin, "").texts(".face").concat();
    for part in ["ANNA[U+202E]-PC", "anna.meyer", "2.4.0"] {
        assert!(face.contains(part), "{face}");
    }
    assert!(!face.contains("OLD"), "{face}");
}

#[test]
fn a_mistyped_license_is_named_beside_the_machine() {
    let server = Server::start();
    let mut admin = server.admin();
    let fields = json!({"tool_name": "T", "license_key": "3c:52:82:aa:bb:c1", "user_id": "Anna"});
    let near = server.add(fields);
    let other = server.license("Other", "same");
    server.check("T", "3c:52:82:aa:bb:c7");
    server.check("T", "same");
    server.check("T", "nothing like it");
    let page = list(&server, &mut admin, "");
    assert_eq!(page.texts("tbody small a.key").len(), 2);
    for id in [near, other] {
        assert!(page.has_link(&format!("/licenses/{id}")));
    }
    assert!(page.texts("tbody small").concat().contains("of Anna"));
}

#[test]
fn a_dismissed_machine_stays_away_until_it_checks_again_after_30_days() {
    let server = Server::start();
    let mut admin = server.admin();
    check(&server, &["one", "two", "three"]);
    let page = list(&server, &mut admin, "").form(DECIDE);
    let page = page.press(&mut admin, "dismiss=T\tone");
    assert_eq!(keys(&page), ["two", "three"]);
    let page = ticked(&page, &["two"]).press(&mut admin, "do=dismiss");
    assert_eq!(keys(&page), ["three"]);
    server.clock.turn(30 * 86_400 - 1);
    let mut admin = server.admin();
    server.check("T", "one");
    assert_eq!(keys(&list(&server, &mut admin, "")), ["three"]);
    server.clock.turn(1);
    server.check("T", "one");
    assert_eq!(keys(&list(&server, &mut admin, "")), ["one", "three"]);
    let dismissed = list(&server, &mut admin, "?show=dismissed");
    assert_eq!(keys(&dismissed), ["two"]);
    dismissed.form(DECIDE).press(&mut admin, "restore=T\ttwo");
    assert_eq!(
        keys(&list(&server, &mut admin, "")),
        ["one", "two", "three"]
    );
}

#[test]
fn a_blocked_machine_is_refused_as_before_and_listed_apart() {
    let server = Server::start();
    let mut admin = server.admin();
    server.check("T", "pirate");
    server.tick().unwrap();
    let page = Page::open(&mut admin, UNLICENSED);
    let page = page.form(DECIDE).press(&mut admin, "block=T\tpirate");
    assert!(page.rows().is_empty());
    server.clock.turn(90 * 86_400);
    let mut admin = server.admin();
    assert_eq!(server.check("T", "pirate").0, 404);
    assert!(list(&server, &mut admin, "").rows().is_empty());
    let blocked = Page::open(&mut admin, "/unlicensed?show=blocked");
    assert_eq!(keys(&blocked), ["pirate"]);
    blocked.form(DECIDE).press(&mut admin, "restore=T\tpirate");
    assert_eq!(keys(&list(&server, &mut admin, "")), ["pirate"]);
    let log = Page::open(&mut admin, "/audit").text();
    assert!(log.contains("pirate"), "{log}");
}

#[test]
fn several_machines_get_a_license_at_once_and_lose_it_by_undo() {
    let server = Server::start();
    let mut admin = server.admin();
    check(&server, &["one", "two", "three"]);
    server.tick().unwrap();
    let page = Page::open(&mut admin, UNLICENSED);
    let form = ticked(&page, &["one", "three"]).press(&mut admin, "do=add");
    let form = form.form("/unlicensed/add").fill("user_id", "Anna & Söhne");
    let wrong = form.fill("expiration_date", "soon").submit(&mut admin);
    assert_eq!(
        (wrong.status, wrong.invalid_fields()),
        (422, vec!["expiration_date"])
    );
    let form = wrong
        .form("/unlicensed/add")
        .fill("expiration_date", "31.01.2027");
    let done = form.submit(&mut admin);
    let licenses = admin.get("/api/licenses").json();
    for license in licenses.as_array().unwrap() {
        assert_eq!(license["user_id"], "Anna & Söhne");
        assert_eq!(license["expiration_date"], "2027-01-31");
    }
    assert_eq!(keys(&Page::open(&mut admin, UNLICENSED)), ["two"]);
    assert_eq!(
        (server.check("T", "one").0, server.check("T", "two").0),
        (200, 404)
    );
    done.form("/undo").submit(&mut admin);
    assert_eq!(server.check("T", "one").0, 404);
}

#[test]
fn without_a_tick_nothing_happens() {
    let server = Server::start();
    let mut admin = server.admin();
    server.check("T", "one");
    server.tick().unwrap();
    for button in ["do=dismiss", "do=add"] {
        let page = Page::open(&mut admin, UNLICENSED);
        let page = ticked(&page, &[]).press(&mut admin, button);
        assert_eq!((keys(&page).len(), page.flash().is_some()), (1, true));
    }
    let all = Page::open(&mut admin, UNLICENSED).follow(&mut admin, "/unlicensed?select=page");
    assert_eq!(all.all("input[name=machine][checked]").len(), 1);
}

#[test]
fn a_machine_is_found_by_key_tool_host_name_and_user() {
    let server = Server::start();
    let mut admin = server.admin();
    ask(
        &server,
        "Ärger",
        "0A-1B-2C-3D-4E-5F",
        "BÜRO-7",
        "anna.meyer",
    );
    ask(&server, "T", "other", "x", "y");
    server.tick().unwrap();
    for words in ["1B-2c", "arger", "buro", "MEYER büro"] {
        let form = Page::open(&mut admin, UNLICENSED).form(UNLICENSED);
        let page = form.fill("q", words).submit(&mut admin);
        assert_eq!(keys(&page), ["0a:1b:2c:3d:4e:5f"], "{words}");
    }
    assert!(list(&server, &mut admin, "?q=nobody").rows().is_empty());
    assert_eq!(list(&server, &mut admin, "?show=other").status, 422);
}

#[test]
fn an_invisible_character_of_a_stranger_changes_no_page() {
    let server = Server::start();
    server.license("T", "k");
    let raw = '\u{202e}';
    let stranger = format!("Zq{raw}-7");
    assert_eq!(server.check("T", &stranger).0, 422);
    let said = json!({"version": stranger, "hostname": stranger, "user": stranger});
    let question = json!({"tool_name": "T", "license_key": "k", "client": said});
    server.stranger().post("/api/check", &question.to_string());
    let guess = json!({"username": stranger, "password": "x"});
    server.stranger().post("/api/login", &guess.to_string());
    server.tick().unwrap();
    let mut admin = server.admin();
    assert_eq!(Page::open(&mut admin, UNLICENSED).rows().len(), 0);
    for path in ["/", "/licenses", "/licenses/1", "/audit", UNLICENSED] {
        let body = admin.get(path).body;
        assert!(!body.contains(raw), "{path}");
        assert!(
            !body.contains("Zq") || body.contains("Zq[U+202E]-7"),
            "{path}"
        );
    }
    let name = Page::open(&mut admin, "/audit?kind=sign-in+failed").texts("td bdi");
    assert_eq!(name, ["Zq[U+202E]-7"]);
}

/// A check by this machine with a customer.
fn request(server: &Server, key: &str, customer: serde_json::Value) {
    let body = json!({"tool_name": "T", "license_key": key, "customer": customer});
    let answer = server.stranger().post("/api/check", &body.to_string());
    assert_eq!(answer.status, 404, "{}", answer.body);
}

#[test]
fn a_request_names_its_customer_and_nothing_in_it_is_refused() {
    let server = Server::start();
    server.license("T", "licensed");
    request(
        &server,
        "m1",
        json!({"name": " Anna\u{202e} ", "email": "Anna@Example.com"}),
    );
    request(&server, "m1", json!({}));
    request(
        &server,
        "m2",
        json!({"name": "N".repeat(5_000), "email": 7}),
    );
    request(&server, "m3", json!(["Anna"]));
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, &format!("{UNLICENSED}?q=anna@example.com"));
    assert_eq!(page.keys().len(), 1, "{}", page.text());
    assert!(page.text().contains("Anna[U+202E], anna@example.com"));
    let page = Page::open(&mut admin, &format!("{UNLICENSED}?q=NNN"));
    let text = page.text();
    assert!(text.contains(&"N".repeat(100)) && !text.contains(&"N".repeat(101)));
    assert_eq!(
        Page::open(&mut admin, UNLICENSED)
            .all("[name=approve]")
            .len(),
        2
    );
}

#[test]
fn a_request_is_approved_for_its_customer_with_a_term() {
    let server = Server::start();
    server.license("T", "licensed");
    request(
        &server,
        "m1",
        json!({"name": "Anna Meyer", "email": "anna@example.com"}),
    );
    server.tick().unwrap();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, UNLICENSED)
        .press(&mut admin, "approve=")
        .form("/unlicensed/add");
    assert_eq!(
        (form.value("user_id"), form.value("email")),
        ("Anna Meyer", "anna@example.com")
    );
    form.fill("term", "14d").submit(&mut admin);
    let rows = admin.get("/api/licenses?q=m1").json();
    assert_eq!(
        (&rows[0]["user_id"], &rows[0]["expiration_date"]),
        (&json!("Anna Meyer"), &json!("2026-06-29"))
    );
}

#[test]
fn whose_machine_it_is_decides_the_admin_and_not_the_program() {
    let server = Server::start();
    for key in ["hers", "theirs"] {
        server.add(json!({"tool_name": "T", "license_key": key, "user_id": "Anna Meyer"}));
    }
    let anna = server
        .service
        .customer_called("Anna Meyer")
        .unwrap()
        .unwrap();
    let draft = CustomerDraft {
        email: "anna@example.com".into(),
        ..CustomerDraft::from(&anna.customer)
    };
    let actor = Actor::command_line();
    let changed = server
        .service
        .change_customer(&actor, anna.customer.id, &draft);
    changed.unwrap();
    request(
        &server,
        "m1",
        json!({"name": "Somebody", "email": "Anna@Example.com"}),
    );
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, UNLICENSED).press(&mut admin, "approve=");
    assert!(page.has_link(&format!("/customers/{}", anna.customer.id)));
    let form = page.form("/unlicensed/add");
    let undecided = form.submit(&mut admin);
    assert_eq!((undecided.status, server.check("T", "m1").0), (422, 404));
    let same = form.clone().fill("whose", "new").submit(&mut admin);
    assert_eq!((same.status, same.invalid_fields()), (422, vec!["email"]));
    let new = form
        .fill("whose", "new")
        .fill("email", "")
        .submit(&mut admin);
    assert_eq!(new.status, 200);
    let rows = admin.get("/api/licenses?q=m1").json();
    assert_eq!(rows[0]["user_id"], "Somebody");
}

#[test]
fn a_request_is_added_to_a_code_of_its_customer() {
    let server = Server::start();
    server.license("T", "licensed");
    let values = CodeValues {
        customer: "Anna".into(),
        ..CodeValues::new(2, CodeTerm::Perpetual)
    };
    let actor = Actor::command_line();
    let code = server
        .service
        .create_codes(&actor, "T", &values, 1)
        .unwrap()
        .remove(0);
    request(&server, "m1", json!({"name": "Anna"}));
    server.tick().unwrap();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, UNLICENSED)
        .press(&mut admin, "approve=")
        .form("/unlicensed/add");
    let form = form.fill("code", &code.id.to_string());
    form.fill("whose", "known").submit(&mut admin);
    assert_eq!(server.check("T", "m1").0, 200);
    assert_eq!(server.service.seats_used(code.id).unwrap(), 1);
}

#[test]
fn a_request_is_added_to_a_code_that_the_customer_gives() {
    let server = Server::start();
    server.license("T", "licensed");
    let actor = Actor::command_line();
    let made = |tool: &str, seats, days| {
        let values = CodeValues {
            customer: "Anna".into(),
            ..CodeValues::new(seats, CodeTerm::Days(days))
        };
        let made = server.service.create_codes(&actor, tool, &values, 1);
        made.unwrap().remove(0)
    };
    let (code, full, other) = (made("T", 2, 30), made("T", 1, 30), made("Other", 1, 30));
    let m0 = ("T".to_owned(), "m0".to_owned());
    server.service.add_machines(&actor, full.id, &[m0]).unwrap();
    for (key, name) in [("m1", "Somebody"), ("m2", "Anna")] {
        request(&server, key, json!({"name": name}));
    }
    server.tick().unwrap();
    let mut admin = server.admin();
    let list = Page::open(&mut admin, UNLICENSED);
    let page = ticked(&list, &["m1", "m2"]).press(&mut admin, "do=add");
    let form = page.form("/unlicensed/add").fill("term", "1y");
    for (typed, status) in [
        (full.shown(), 409),
        (other.shown(), 404),
        ("AAAA-AAAA-AAAA-AAAB".to_owned(), 422),
    ] {
        let page = form
            .clone()
            .fill("activation_code", &typed)
            .submit(&mut admin);
        assert_eq!(
            (page.status, page.invalid_fields()),
            (status, vec!["activation_code"])
        );
        let kept = page.form("/unlicensed/add");
        assert_eq!(
            (kept.value("activation_code"), kept.value("term")),
            (&*typed, "1y")
        );
        assert!(page.problem("activation_code").is_some());
    }
    assert_eq!(server.check("T", "m1").0, 404);
    let typed = code.shown().to_lowercase().replace('-', " ");
    let page = form.fill("activation_code", &typed).submit(&mut admin);
    assert_eq!(page.path, format!("/codes/{}", code.id));
    let rows = admin.get("/api/licenses?q=m1").json();
    assert_eq!(
        (&rows[0]["user_id"], &rows[0]["expiration_date"]),
        (&json!("Anna"), &json!("2026-07-15"))
    );
    assert_eq!(
        (server.check("T", "m1").0, server.check("T", "m2").0),
        (200, 200)
    );
    assert_eq!(server.service.seats_used(code.id).unwrap(), 2);
}

#[test]
fn a_year_is_a_calendar_year_and_what_is_wrong_keeps_the_form() {
    let server = Server::start();
    server.license("T", "licensed");
    let values = CodeValues {
        customer: "Anna".into(),
        ..CodeValues::new(1, CodeTerm::Perpetual)
    };
    let actor = Actor::command_line();
    let made = server.service.create_codes(&actor, "T", &values, 1);
    let code = made.unwrap().remove(0).id;
    // The year from here on has a 29th of February.
    server.clock.turn(365 * 86_400);
    request(&server, "m1", json!({"name": "Anna"}));
    server.tick().unwrap();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, UNLICENSED)
        .press(&mut admin, "approve=")
        .form("/unlicensed/add")
        .fill("whose", "known")
        .fill("term", "1y");
    let both = form
        .clone()
        .fill("expiration_date", "2027-12-31")
        .submit(&mut admin);
    assert_eq!(
        (both.status, both.invalid_fields()),
        (422, vec!["expiration_date"])
    );
    let kept = both.form("/unlicensed/add");
    assert_eq!((kept.value("term"), kept.value("user_id")), ("1y", "Anna"));
    let other = ("T".to_owned(), "m2".to_owned());
    server.service.add_machines(&actor, code, &[other]).unwrap();
    let full = form
        .clone()
        .fill("code", &code.to_string())
        .submit(&mut admin);
    assert_eq!(
        (full.status, full.form("/unlicensed/add").value("term")),
        (409, "1y")
    );
    form.submit(&mut admin);
    let rows = admin.get("/api/licenses?q=m1").json();
    assert_eq!(rows[0]["expiration_date"], "2028-06-15");
}

#[test]
fn a_machine_code_finds_every_machine_that_has_it() {
    let server = Server::start();
    let id = server.license("T", "licensed");
    server.check("T", "m1");
    server.tick().unwrap();
    let mut admin = server.admin();
    let [licensed, other] = ["licensed", "m1"].map(|key| machine_code("T", key));
    let page = Page::open(
        &mut admin,
        &format!("/machine?code={}", licensed.to_lowercase()),
    );
    assert!(page.has_link(&format!("/licenses/{id}")));
    let page = Page::open(&mut admin, &format!("/machine?code={other}"));
    assert!(!page.has_link(&format!("/licenses/{id}")));
    let page = page.follow(&mut admin, "/unlicensed?q=");
    assert_eq!(page.keys().len(), 1);
    let license = Page::open(&mut admin, &format!("/licenses/{id}"));
    assert!(license.text().contains(&licensed));
    let diagnosis = Page::open(&mut admin, &format!("{DIAGNOSE}?tool=T&key=m1"));
    assert!(diagnosis.text().contains(&other));
    assert_eq!(Page::open(&mut admin, "/machine?code=I0").status, 422);
}
