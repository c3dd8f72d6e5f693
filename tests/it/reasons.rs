//! Why something was taken away: in the words of the person who did it.

use license_server::model::activation_code::{CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use serde_json::{Value, json};

use crate::customers::page_of;
use crate::database::{Database, Noted};
use crate::erasure::{erase, found};
use crate::guards::token;
use crate::page::Page;
use crate::people::{add_person, sign_in_as};
use crate::server::{Client, Server};

const WHY: &str = "Chargeback of invoice 12";

fn why(noted: &Noted) -> &str {
    noted.after["reason"].as_str().unwrap_or_default()
}

fn code(server: &Server) -> i64 {
    let actor = Actor::command_line();
    let values = CodeValues::new(1, CodeTerm::Perpetual);
    let made = server.service.create_codes(&actor, "Tool_A", &values, 1);
    made.unwrap()[0].id
}

/// Fills the form with that button, and presses it.
fn press(admin: &mut Client, path: &str, button: &str, reason: &str) -> Page {
    let form = Page::open(admin, path).form_with(button);
    form.fill("reason", reason).press(admin, button)
}

#[test]
fn each_form_that_takes_something_away_asks_why() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    server.license("Tool_A", "m1");
    server.license("Tool_A", "m2");
    let code = code(&server);
    let items = json!({"order_ref": "17", "items": [{"tool_name": "Tool_A"}]});
    assert_eq!(admin.post("/api/orders", &items.to_string()).status, 201);
    add_person(&server, "anna", "staff");
    let last = |kind: &str| {
        let noted = database.audit().pop().unwrap();
        assert_eq!((&*noted.kind, why(&noted)), (kind, WHY), "{noted:?}");
    };
    for (path, button, kind) in [
        ("/licenses/1", "status=suspended", "license changed"),
        ("/licenses/1", "status=revoked", "license changed"),
        (
            &*format!("/codes/{code}"),
            "status=suspended",
            "activation code changed",
        ),
        (
            &*format!("/codes/{code}"),
            "status=revoked",
            "activation code changed",
        ),
        ("/orders/1", "action=suspend", "activation code changed"),
        (
            "/orders/1/revoke",
            "action=revoke",
            "activation code changed",
        ),
        ("/people/2", "disabled=true", "person disabled"),
    ] {
        let page = press(&mut admin, path, button, WHY);
        assert!(page.flash().is_some(), "{path} {}", page.text());
        last(kind);
    }
    for (path, kind) in [
        ("/licenses/1/delete", "license deleted"),
        ("/people/2/remove", "person removed"),
    ] {
        let form = Page::open(&mut admin, path).form(path);
        form.fill("reason", WHY).submit(&mut admin);
        last(kind);
    }
    let edit = Page::open(&mut admin, "/licenses/2/edit").form("/licenses/2/edit");
    edit.set("status", "suspended")
        .fill("reason", WHY)
        .submit(&mut admin);
    last("license changed");
    let shown = Page::open(&mut admin, "/licenses/2").text();
    let log = Page::open(&mut admin, "/audit?kind=person+removed").text();
    assert!(shown.contains(WHY) && log.contains(WHY));
    server.service.verify_audit(None).unwrap();
}

#[test]
fn a_bulk_change_has_its_reason_in_each_entry_and_after_undo_too() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    for key in ["m1", "m2"] {
        server.license("Tool_A", key);
    }
    let page = press(&mut admin, "/bulk?id=1&id=2&do=revoked", "start=one", WHY);
    let noted = database.audit();
    let kinds: Vec<_> = noted
        .iter()
        .filter(|noted| why(noted) == WHY)
        .map(|noted| &*noted.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            "license changed",
            "license changed",
            "many licenses changed"
        ]
    );
    let undo = page.form("/bulk/1/undo");
    undo.submit(&mut admin);
    assert_eq!(server.check("Tool_A", "m1").0, 200);
    let with_reason = database
        .audit()
        .iter()
        .filter(|noted| why(noted) == WHY)
        .count();
    assert_eq!(with_reason, 3);
    // Who only reads sees why.
    add_person(&server, "vera", "viewer");
    let seen = Page::open(&mut sign_in_as(&server, "vera"), "/licenses/1").text();
    assert!(seen.contains(WHY), "{seen}");
}

#[test]
fn a_reason_that_is_refused_stays_in_its_form() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    server.license("Tool_A", "m1");
    let code = code(&server);
    let items = json!({"order_ref": "17", "items": [{"tool_name": "Tool_A"}]});
    admin.post("/api/orders", &items.to_string());
    add_person(&server, "anna", "staff");
    let long = "x".repeat(201);
    let before = database.audit();
    for (path, button) in [
        ("/licenses/1", "status=revoked"),
        (&*format!("/codes/{code}"), "status=revoked"),
        ("/orders/1", "action=suspend"),
        ("/orders/1/revoke", "action=revoke"),
        ("/people/2", "disabled=true"),
        ("/bulk?id=1&do=revoked", "start=one"),
    ] {
        let page = press(&mut admin, path, button, &long);
        assert_eq!(page.status, 422, "{path}");
        assert!(page.problem("reason").is_some(), "{path}");
        assert_eq!(page.form_with(button).value("reason"), long, "{path}");
    }
    for path in ["/licenses/1/delete", "/people/2/remove", "/licenses/1/edit"] {
        let form = Page::open(&mut admin, path).form(path);
        let page = form.fill("reason", &long).submit(&mut admin);
        assert_eq!(page.status, 422, "{path}");
        assert_eq!(page.form(path).value("reason"), long, "{path}");
        assert!(page.problem("reason").is_some(), "{path}");
    }
    assert_eq!(database.audit(), before);
}

#[test]
fn a_script_says_why_and_reads_it() {
    let server = Server::start();
    let secret = token(
        &mut server.admin(),
        "CI",
        "write=true&codes=true&orders=true&audit=true",
        "2027-01-31",
    );
    let bearer = format!("Bearer {secret}");
    let mut script = server.stranger().header("Authorization", &bearer);
    server.license("Tool_A", "m1");
    let code = code(&server);
    let items = json!({"order_ref": "17", "items": [{"tool_name": "Tool_A"}]});
    assert_eq!(script.post("/api/orders", &items.to_string()).status, 201);
    let change = json!({"status": "revoked", "reason": WHY}).to_string();
    let reason = json!({"reason": WHY}).to_string();
    for status in [
        script.patch("/api/licenses/1", &change).status,
        script.patch(&format!("/api/codes/{code}"), &change).status,
        script.post("/api/orders/17/suspend", &reason).status,
    ] {
        assert_eq!(status, 200);
    }
    // A shop that sends none, or something else, goes on working.
    for body in ["", "[]", "{}", "null"] {
        assert_eq!(
            script.post("/api/orders/17/resume", body).status,
            200,
            "{body}"
        );
    }
    let long = json!({"reason": "x".repeat(201)}).to_string();
    for answer in [
        script.patch("/api/licenses/1", &long),
        script.post("/api/orders/17/revoke", &long),
    ] {
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (422, &json!("reason"))
        );
    }
    let all = script.get("/api/audit").json();
    let reasons = all.as_array().unwrap().iter().map(|row| &row["reason"]);
    let given = reasons.filter(|reason| **reason != Value::Null);
    assert_eq!(given.collect::<Vec<_>>(), [WHY, WHY, WHY]);
}

#[test]
fn erasing_a_customer_erases_the_reasons_about_them() {
    let server = Server::start();
    let mut admin = server.admin();
    let of = |key: &str, customer: &str| {
        server.add(json!({"tool_name": "A", "license_key": key, "user_id": customer}))
    };
    let mut revoke = |id: i64, reason: &str| {
        let change = json!({"status": "revoked", "reason": reason}).to_string();
        assert_eq!(
            admin.patch(&format!("/api/licenses/{id}"), &change).status,
            200
        );
    };
    revoke(of("xen1", "Xenia Exampler"), "moved to Hauptstr. 5");
    let gone = of("xen2", "Xenia Exampler");
    revoke(of("bob1", "Bob"), "sold the PC");
    // Somebody else's, but about her.
    revoke(of("bob2", "Bob"), "given to Xenia Exampler");
    let mut admin = server.admin();
    let path = format!("/licenses/{gone}/delete");
    let form = Page::open(&mut admin, &path).form(&path);
    form.fill("reason", "died in May").submit(&mut admin);
    let hers = [
        "moved to Hauptstr. 5",
        "died in May",
        "given to Xenia Exampler",
    ];
    assert_eq!(found(&server, &hers), hers);
    let customer = page_of(&mut admin, "Xenia Exampler");
    assert_eq!(erase(&mut admin, &customer, "Xenia Exampler").status, 200);
    assert_eq!(found(&server, &hers), Vec::<String>::new());
    assert_eq!(found(&server, &["sold the PC"]), ["sold the PC"]);
    server.service.verify_audit(None).unwrap();
}
