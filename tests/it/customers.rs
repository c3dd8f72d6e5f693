//! Customers: their pages, their names, and what is left of them.

use license_server::model::activation_code::{CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::bulk::set_customer;
use crate::guards::token;
use crate::import::upload;
use crate::page::{Page, urlencoded};
use crate::server::{Client, Server};

const NAME: &str = "Müller & Söhne";
const PAGE: &str = "/customer?name=M%C3%BCller%20%26%20S%C3%B6hne";

/// Two licenses of the customer, and others.
fn furnished() -> Server {
    let server = Server::start();
    for (tool, key, customer, day) in [
        ("B", "later", NAME, "2027-01-31"),
        ("A", "sooner", NAME, "2026-12-31"),
        ("A", "other", "Müller", "2026-12-31"),
        ("A", "noted", "", "2026-12-31"),
    ] {
        server.add(
            json!({"tool_name": tool, "license_key": key, "user_id": customer,
            "expiration_date": day, "note": NAME}),
        );
    }
    server
}

#[test]
fn a_customer_has_all_licenses_with_their_checks_and_changes() {
    let server = furnished();
    for (tool, key) in [("B", "later"), ("A", "sooner"), ("A", "other")] {
        server.clock.turn(60);
        server.check(tool, key);
    }
    server.tick().unwrap();
    let page = Page::open(&mut server.admin(), PAGE);
    let keys = |section: &str| page.texts(&format!("{section} a.key"));
    assert_eq!(page.texts("tbody th a.key"), ["sooner", "later"]);
    assert_eq!(keys("[aria-labelledby=checks]"), ["sooner", "later"]);
    assert_eq!(keys("[aria-labelledby=history]"), ["sooner", "later"]);
}

#[test]
fn another_license_begins_with_the_customer_and_a_tool() {
    let server = furnished();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, PAGE);
    let form = page
        .follow(&mut admin, "/licenses/new?tool=B")
        .form("/licenses/new");
    assert_eq!(
        (form.value("user_id"), form.value("tool_name")),
        (NAME, "B")
    );
}

#[test]
fn all_licenses_of_a_customer_are_extended_at_once() {
    let server = furnished();
    let mut admin = server.admin();
    let preview = Page::open(&mut admin, PAGE).follow(&mut admin, "/bulk?");
    assert_eq!(preview.keys(), ["sooner", "later"]);
    preview.press(&mut admin, "start=expiration");
    let page = Page::open(&mut admin, PAGE);
    let days = page.rows().into_iter().map(|row| row[3].clone());
    assert_eq!(
        days.take(2).collect::<Vec<_>>(),
        ["2027-12-31", "2028-01-31"]
    );
}

#[test]
fn a_customer_without_a_license_is_not_found() {
    let server = furnished();
    assert_eq!(
        Page::open(&mut server.admin(), "/customer?name=nobody").status,
        404
    );
}

/// The path of the page of this customer.
fn page_of(admin: &mut Client, name: &str) -> String {
    Page::open(admin, &format!("/customer?name={}", urlencoded(name))).path
}

/// The form to change a customer, with one value changed.
fn edit(admin: &mut Client, customer: &str, field: &str, value: &str) -> Page {
    let page = format!("{customer}/edit");
    let form = Page::open(admin, &page).form(&page).fill(field, value);
    form.submit(admin)
}

/// An activation code of that customer.
fn code(server: &Server, customer: &str) -> i64 {
    let values = CodeValues {
        customer: customer.to_owned(),
        ..CodeValues::new(2, CodeTerm::Perpetual)
    };
    let made = server
        .service
        .create_codes(&Actor::command_line(), "A", &values, 1);
    made.unwrap()[0].id
}

fn license_of(server: &Server, key: &str) -> Value {
    let rows = server.admin().get("/api/licenses").json();
    let mut rows = rows.as_array().unwrap().iter();
    rows.find(|row| row["license_key"] == key).cloned().unwrap()
}

#[test]
fn customers_are_listed_by_name_and_found_by_name_or_address() {
    let server = furnished();
    code(&server, "Zoë");
    let mut admin = server.admin();
    let names = |page: &Page| page.texts("tbody th");
    let page = Page::open(&mut admin, "/customers");
    assert_eq!(names(&page), ["Müller", NAME, "Zoë"]);
    assert_eq!(page.rows()[1], [NAME, "", "2", "0", "2026-06-15"]);
    let zoe = page_of(&mut admin, "Zoë");
    edit(&mut admin, &zoe, "email", "Post@Example.com");
    for (typed, found) in [
        ("ZOE", vec!["Zoë"]),
        ("post@", vec!["Zoë"]),
        ("müller", vec!["Müller", NAME]),
        ("nobody", vec![]),
    ] {
        let page = Page::open(&mut admin, &format!("/customers?q={}", urlencoded(typed)));
        assert_eq!(names(&page), found, "{typed}");
    }
    let above = Page::open(&mut admin, "/licenses?q=post%40");
    assert_eq!(above.texts("#customers a"), ["Zoë"]);
}

#[test]
fn many_customers_are_on_several_pages() {
    let server = Server::start();
    for n in 0..51 {
        code(&server, &format!("Customer {n:02}"));
    }
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/customers?q=customer");
    assert_eq!(page.texts("tbody th").len(), 50);
    let page = page.follow(&mut admin, "after=");
    assert_eq!(page.texts("tbody th"), ["Customer 50"]);
}

#[test]
fn a_new_name_is_that_of_licenses_codes_and_orders() {
    let server = furnished();
    let code = code(&server, NAME);
    let mut admin = server.admin();
    let customer = page_of(&mut admin, NAME);
    let page = edit(&mut admin, &customer, "name", "Müller GmbH");
    assert_eq!(
        (page.heading(), page.path),
        ("Müller GmbH".into(), customer)
    );
    assert_eq!(license_of(&server, "later")["user_id"], "Müller GmbH");
    assert_eq!(license_of(&server, "other")["user_id"], "Müller");
    let code = server.service.activation_code(code).unwrap();
    assert_eq!(code.values.customer, "Müller GmbH");
    let old = format!("/customer?name={}", urlencoded(NAME));
    assert_eq!(Page::open(&mut admin, &old).status, 404);
}

#[test]
fn a_name_and_an_address_belong_to_one_customer() {
    let server = furnished();
    let mut admin = server.admin();
    let (one, other) = (page_of(&mut admin, NAME), page_of(&mut admin, "Müller"));
    edit(&mut admin, &one, "email", "post@example.com");
    for (field, value) in [
        ("name", NAME),
        ("name", " "),
        ("email", "POST@example.com"),
        ("email", "post"),
        ("language", "German"),
    ] {
        let page = edit(&mut admin, &other, field, value);
        assert_eq!((page.status, page.invalid_fields()), (422, vec![field]));
    }
}

#[test]
fn merged_customers_are_one() {
    let server = furnished();
    let code = code(&server, "Müller");
    let mut admin = server.admin();
    let (kept, gone) = (page_of(&mut admin, NAME), page_of(&mut admin, "Müller"));
    edit(&mut admin, &gone, "email", "post@example.com");
    edit(&mut admin, &gone, "note", "calls on Mondays");
    let merge = format!("{kept}/merge");
    let preview = Page::open(&mut admin, &merge)
        .form(&merge)
        .fill("with", "post@example.com")
        .submit(&mut admin);
    assert_eq!(license_of(&server, "other")["user_id"], "Müller");
    let page = preview.press(&mut admin, "other");
    let keys = page.texts("[aria-labelledby=licenses] tbody th a.key");
    assert_eq!(keys, ["sooner", "other", "later"]);
    assert!(page.text().contains("post@example.com") && page.text().contains("Mondays"));
    let code = server.service.activation_code(code).unwrap();
    assert_eq!(code.values.customer, NAME);
    assert_eq!(Page::open(&mut admin, &gone).status, 404);
    for nobody in ["nobody", NAME] {
        let address = format!("{merge}?with={}", urlencoded(nobody));
        assert_eq!(Page::open(&mut admin, &address).status, 422, "{nobody}");
    }
}

/// What only this person has.
const PERSON: [&str; 8] = [
    "Annegret Quastenflosser",
    "Annegret Quastenberg",
    "quasten@example.com",
    "prefers the telephone",
    "her second workshop",
    "QUASTEN-PC",
    "quasti",
    "203.0.113.77",
];

/// A server that knows the person from everywhere, the page of the customer, and the shop.
fn acquainted() -> (Server, String, Client) {
    let server = Server::start();
    let [name, maiden, email, note, license_note, host, user, address] = PERSON;
    let mut admin = server.admin();
    for key in ["one", "two", "three"] {
        server.add(
            json!({"tool_name": "A", "license_key": key, "user_id": maiden,
            "note": license_note, "order_ref": "ref 17"}),
        );
    }
    server.add(
        json!({"tool_name": "A", "license_key": "bobs", "user_id": "Bob", "note": "pays late"}),
    );
    let customer = page_of(&mut admin, maiden);
    edit(&mut admin, &customer, "name", name);
    edit(&mut admin, &customer, "email", email);
    edit(&mut admin, &customer, "note", note);
    let secret = token(&mut admin, "shop", "orders=true", "2027-01-31");
    let mut shop = server
        .stranger()
        .header("Authorization", &format!("Bearer {secret}"));
    assert_eq!(shop.post("/api/orders", &order()).status, 201);
    let check = json!({"tool_name": "A", "license_key": "one",
        "client": {"hostname": host, "user": user}});
    let mut machine = server.stranger().header("X-Forwarded-For", address);
    machine.post("/api/check", &check.to_string());
    server.tick().unwrap();
    admin.delete("/api/licenses/3");
    let preview = Page::open(&mut admin, &format!("/bulk?id=1&{}", set_customer("Bob")));
    preview.press(&mut admin, "start=");
    let preview = Page::open(
        &mut admin,
        &format!("/bulk?id=1&{}", set_customer(&urlencoded(name))),
    );
    preview.press(&mut admin, "start=");
    upload(
        &mut admin,
        "list.csv",
        format!("tool,key,user\nA,new,{name}\n"),
    );
    (server, customer, shop)
}

fn order() -> String {
    json!({"order_ref": "ref 17", "customer": {"name": PERSON[0], "email": PERSON[2]},
        "items": [{"tool_name": "A"}]})
    .to_string()
}

/// Which of these texts the files of the database have.
fn found(server: &Server, texts: &[&str]) -> Vec<String> {
    let folder = server.folder.path().join("data");
    let mut all = vec![];
    for file in ["licenses.db", "licenses.db-wal"] {
        all.extend(std::fs::read(folder.join(file)).unwrap_or_default());
    }
    let is_in = |text: &&&str| all.windows(text.len()).any(|part| part == text.as_bytes());
    texts
        .iter()
        .filter(is_in)
        .map(ToString::to_string)
        .collect()
}

fn erase(admin: &mut Client, customer: &str, typed: &str) -> Page {
    let page = format!("{customer}/erase");
    let form = Page::open(admin, &page).form(&page).fill("name", typed);
    form.submit(admin)
}

#[test]
fn nothing_of_an_erased_person_is_left_in_the_files() {
    let (server, customer, _) = acquainted();
    assert_eq!(found(&server, &PERSON), PERSON);
    let mut admin = server.admin();
    assert_eq!(erase(&mut admin, &customer, "Annegret").status, 422);
    assert_eq!(found(&server, &PERSON), PERSON);
    let page = erase(&mut admin, &customer, PERSON[0]);
    assert_eq!((page.status, &*page.path), (200, "/customers"));
    assert_eq!(found(&server, &PERSON), Vec::<String>::new());
    assert_eq!(found(&server, &["Bob", "pays late"]).len(), 2);
    server.service.verify_audit(None).unwrap();
    let one = license_of(&server, "one");
    assert_eq!(
        (&one["user_id"], &one["status"]),
        (&json!(null), &json!("activated"))
    );
    assert_eq!(license_of(&server, "bobs")["note"], "pays late");
    assert_eq!(server.check("A", "one").0, 200);
    let search = Page::open(&mut admin, "/licenses?q=quasten");
    assert!(search.keys().is_empty());
}

#[test]
fn what_sqlite_left_in_the_file_goes_too() {
    let (server, customer, _) = acquainted();
    let path = server.folder.path().join("data/licenses.db");
    let other = Connection::open(path).unwrap();
    // As an earlier version might have: deleted, and not overwritten.
    for sql in [
        "pragma secure_delete = off",
        "insert into tools (name, created_at) values ('Annegret Quastenflosser', 0)",
        "delete from tools where name = 'Annegret Quastenflosser'",
    ] {
        other.execute_batch(sql).unwrap();
    }
    drop(other);
    erase(&mut server.admin(), &customer, PERSON[0]);
    assert_eq!(found(&server, &PERSON), Vec::<String>::new());
}

#[test]
fn an_order_that_is_sent_again_brings_nobody_back() {
    let (server, customer, mut shop) = acquainted();
    let first = shop.post("/api/orders", &order());
    erase(&mut server.admin(), &customer, PERSON[0]);
    let again = shop.post("/api/orders", &order());
    assert_eq!(
        (again.status, &again.json()["codes"]),
        (200, &first.json()["codes"])
    );
    assert_eq!(found(&server, &PERSON), Vec::<String>::new());
}

#[test]
fn an_export_has_everything_about_a_person_and_nobody_else() {
    let (server, customer, _) = acquainted();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, &customer).form("/export");
    let body = format!("csrf={}", form.value("csrf"));
    let origin = admin.origin();
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", &*origin),
    ];
    let answer = admin.send(
        "POST",
        &format!("{customer}/export"),
        &headers,
        body.as_bytes(),
    );
    assert_eq!(answer.status, 200);
    for text in PERSON {
        assert!(answer.body.contains(text), "{text}");
    }
    assert!(!answer.body.contains("pays late"));
    let json = answer.json();
    let number = |table: &str| json[table].as_array().unwrap().len();
    assert_eq!(
        (
            number("customers"),
            number("licenses"),
            number("activation_codes"),
            number("orders")
        ),
        (1, 2, 1, 1)
    );
}
