//! What is left of a person who was erased, and what is exported before.

use license_server::model::shops::ShopKind;
use serde_json::json;

use crate::backup::backed_up;
use crate::bulk::set_customer;
use crate::customers::{edit, license_of, page_of};
use crate::database::{Connection, Database};
use crate::engine::sqlite_only;
use crate::guards::token;
use crate::import::{confirm, upload};
use crate::page::{Page, urlencoded};
use crate::server::{Client, Server};
use crate::shops::{self, FORM, Shop, session};

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

/// Which of these texts the database has.
pub fn found(server: &Server, texts: &[&str]) -> Vec<String> {
    let all = Database::of_server(server).bytes();
    let is_in = |text: &&&str| all.windows(text.len()).any(|part| part == text.as_bytes());
    texts
        .iter()
        .filter(is_in)
        .map(ToString::to_string)
        .collect()
}

pub fn erase(admin: &mut Client, customer: &str, typed: &str) -> Page {
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

/// A buyer whose name and address no shop sends as they are.
const BUYER: (&str, &str) = ("Jürgen Weißquast", "jw.quast@example.com");

/// The buyer as a database, a form, and JSON have him.
const BUYER_TEXTS: [&str; 6] = [
    BUYER.0,
    BUYER.1,
    "J%C3%BCrgen",
    "jw.quast%40example.com",
    "J\\u00fcrgen",
    "weissquast",
];

#[test]
fn nothing_of_a_buyer_is_left_or_comes_back() {
    let server = Server::start();
    let mut admin = server.admin();
    let (asking, stripe) = (
        Shop::new(&server, ShopKind::Generator),
        Shop::new(&server, ShopKind::Stripe),
    );
    let call =
        "order=1&product=price_a&name=J%C3%BCrgen+Wei%C3%9Fquast&email=jw.quast%40example.com";
    let codes = asking.generate(FORM, call).body;
    let unknown = call
        .replace("order=1", "order=2")
        .replace("price_a", "price_x");
    assert_eq!(asking.generate(FORM, &unknown).status, 422);
    // As Paddle's and other shops' JSON is written.
    let escaped = |payment: &str, product: &str| {
        let mut session = session(payment, "paid");
        session["metadata"]["price"] = json!(product);
        session["customer_details"] = json!({"name": "NAME", "email": BUYER.1});
        let event = shops::stripe(
            &format!("evt_{payment}"),
            "checkout.session.completed",
            0,
            session,
        );
        event
            .to_string()
            .replace("NAME", "J\\u00fcrgen Wei\\u00dfquast")
    };
    let events = [escaped("pi_1", "price_a"), escaped("pi_2", "price_x")];
    let deliver = || {
        for body in &events {
            let signature = stripe.signed(&stripe.secret, server.clock.now(), body);
            assert_eq!(stripe.send(&signature, body).status, 200);
        }
    };
    deliver();
    for key in ["one", "two"] {
        server.license("A", key);
    }
    let to_buyer = format!("/bulk?id=1&id=2&{}", set_customer(&urlencoded(BUYER.0)));
    Page::open(&mut admin, &to_buyer).press(&mut admin, "start=");
    let file = "weissquast.csv";
    let rows = format!("tool,key,user\nA,three,{}\n", BUYER.0);
    let preview = upload(&mut admin, "Jürgen-Weißquast.csv", rows.clone());
    confirm(&mut admin, &preview);
    upload(&mut admin, file, rows);
    assert_eq!(found(&server, &BUYER_TEXTS), BUYER_TEXTS);
    let customer = page_of(&mut admin, BUYER.0);
    assert_eq!(erase(&mut admin, &customer, BUYER.0).status, 200);
    let nothing = Vec::<String>::new();
    assert_eq!(found(&server, &BUYER_TEXTS), nothing);
    assert_eq!(asking.generate(FORM, call).body, codes);
    deliver();
    assert_eq!(found(&server, &BUYER_TEXTS), nothing);
    let order = admin.get("/api/orders/pi_1").json();
    assert_eq!(
        (&order["codes"][0]["status"], &order["customer"]),
        (&json!("activated"), &json!(null))
    );
    assert_eq!(
        server.service.customer_called(BUYER.0).unwrap().map(|_| ()),
        None
    );
    for shop in [&asking, &stripe] {
        let page = Page::open(&mut admin, &format!("/shops/{}", shop.id));
        assert_eq!(page.status, 200);
        assert!(!page.has_form("/run"), "nothing is left to run");
    }
    server.service.verify_audit(None).unwrap();
}

#[test]
fn the_search_index_forgets_former_texts_and_stays_whole() {
    let server = Server::start();
    let mut admin = server.admin();
    for (key, user) in [("gone", PERSON[1]), ("kept", PERSON[1]), ("bobs", "Bob")] {
        server.add(json!({"tool_name": "A", "license_key": key, "user_id": user}));
    }
    let note = json!({"note": PERSON[4]}).to_string();
    assert_eq!(admin.patch("/api/licenses/2", &note).status, 200);
    assert_eq!(admin.delete("/api/licenses/1").status, 200);
    let customer = page_of(&mut admin, PERSON[1]);
    assert_eq!(erase(&mut admin, &customer, PERSON[1]).status, 200);
    backed_up(&server, "after.db");
    // Whatever was removed is only in segments that are not merged.
    let db = Database::of_server(&server).open();
    if let Connection::Sqlite(_) = &db {
        let segments = "select count(distinct id >> 37) from license_search_data where id > 10";
        assert_eq!(db.one::<i64>(segments, &[]), 1);
    }
    let terms = |like: &str| -> i64 {
        let sql = match &db {
            Connection::Sqlite(_) => "select count(*) from license_terms where term like ?1",
            Connection::Postgres(_) => {
                "select count(*) from license_search where texts like '%' || ?1"
            }
        };
        db.one(sql, &[like.into()])
    };
    assert_eq!((terms("que%"), terms("qua%")), (0, 0));
    assert!(terms("bob%") > 0);
}

#[test]
fn what_sqlite_left_in_the_file_goes_too() {
    if !sqlite_only("it is about the file of the database") {
        return;
    }
    let (server, customer, _) = acquainted();
    let path = server.folder.path().join("data/licenses.db");
    let other = Connection::to_file(&path).unwrap();
    // As an earlier version might have: deleted, and not overwritten.
    for sql in [
        "pragma secure_delete = off",
        "insert into tools (name, created_at) values ('Annegret Quastenflosser', 0)",
        "delete from tools where name = 'Annegret Quastenflosser'",
    ] {
        other.batch(sql).unwrap();
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
