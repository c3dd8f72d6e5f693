//! Customers: their pages, their names, and what is left of them.

use license_server::model::activation_code::{CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use serde_json::{Value, json};

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
pub fn page_of(admin: &mut Client, name: &str) -> String {
    Page::open(admin, &format!("/customer?name={}", urlencoded(name))).path
}

/// The form to change a customer, with one value changed.
pub fn edit(admin: &mut Client, customer: &str, field: &str, value: &str) -> Page {
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

pub fn license_of(server: &Server, key: &str) -> Value {
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
