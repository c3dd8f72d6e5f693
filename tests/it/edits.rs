//! Two people who edit the same thing: nobody's change is taken back without a word.

use serde_json::json;

use crate::page::{Form, Page};
use crate::server::{Client, Server};

/// Presses the button that saves.
fn save(form: &Form, client: &mut Client) -> Page {
    match form.has_button("do=save") {
        true => form.press(client, "do=save"),
        false => form.submit(client),
    }
}

/// Opens a form twice, changes one field each, and then the same field.
fn edit_twice(open: &str, action: &str, fields: [&str; 2], values: [&str; 3]) {
    let server = Server::start();
    server.add(json!({"tool_name": "T", "license_key": "k", "user_id": "Anna"}));
    let (mut ann, mut bob) = (server.admin(), server.admin());
    let shop = Page::open(&mut ann, "/shops").form("/shops");
    let shop = shop.fill("name", "Mine").fill("kind", "generator");
    shop.submit(&mut ann);
    let (theirs, mine) = (
        Page::open(&mut ann, open).form(action),
        Page::open(&mut bob, open).form(action),
    );
    save(&theirs.fill(fields[0], values[0]), &mut ann);
    let mine = mine.fill(fields[1], values[1]);
    assert_eq!(save(&mine, &mut bob).status, 200);
    let now = Page::open(&mut ann, open).form(action);
    let shown = fields.map(|field| now.value(field).to_owned());
    assert_eq!(shown, values[..2]);

    // Opened before the others had saved.
    let refused = save(&mine.fill(fields[0], values[2]), &mut bob);
    assert_eq!(
        (refused.status, refused.invalid_fields()),
        (409, vec![fields[0]])
    );
    assert!(refused.problem(fields[0]).unwrap().contains(values[0]));
    let again = refused.form(action);
    assert_eq!(again.value(fields[0]), values[2]);
    assert_eq!(save(&again, &mut bob).status, 200);
    let now = Page::open(&mut ann, open).form(action);
    assert_eq!(now.value(fields[0]), values[2]);
}

#[test]
fn the_rules_of_a_tool_keep_what_somebody_else_changed() {
    let values = ["5", "Call us.", "9"];
    edit_twice("/tool?name=T", "/tool", ["grace_days", "message"], values);
}

#[test]
fn a_customer_keeps_what_somebody_else_changed() {
    let values = ["anna@example.com", "paid in cash", "meyer@example.com"];
    let path = "/customers/1/edit";
    edit_twice(path, path, ["email", "note"], values);
}

#[test]
fn a_shop_keeps_what_somebody_else_changed() {
    let values = ["Renamed", "order_no", "Mine again"];
    edit_twice("/shops/1", "/shops/1", ["name", "order_field"], values);
}

#[test]
fn the_text_of_a_mail_keeps_what_somebody_else_changed() {
    let open = "/mail/texts/edit?event=codes&language=en";
    let values = ["Theirs", "Dear {{ customer }}", "Mine"];
    edit_twice(open, "/mail/texts/edit", ["subject", "body"], values);
}

#[test]
fn a_webhook_keeps_what_somebody_else_changed() {
    let server = Server::start();
    let (mut ann, mut bob) = (server.admin(), server.admin());
    let form = Page::open(&mut ann, "/webhooks/new").form("/webhooks");
    let form = form.fill("url", "https://mine.example.com/x");
    form.submit(&mut ann);
    let path = "/webhooks/1/edit";
    let open = |client: &mut Client| Page::open(client, path).form("/webhooks/1");
    let (theirs, mine) = (open(&mut ann), open(&mut bob));
    let theirs = theirs.fill("url", "https://theirs.example.com/x");
    let theirs = theirs.tick("events", "license.created");
    theirs.submit(&mut ann);
    let mine = mine.fill("description", "Accounting");
    assert_eq!(mine.submit(&mut bob).status, 200);
    let now = server.service.webhook(1).unwrap().webhook;
    assert_eq!(
        (&*now.url, &*now.description, now.events.len()),
        ("https://theirs.example.com/x", "Accounting", 1)
    );
    let mine = mine.fill("url", "https://other.example.com/x");
    let refused = mine.submit(&mut bob);
    assert_eq!(
        (refused.status, refused.invalid_fields()),
        (409, vec!["url"])
    );
    assert_eq!(refused.form("/webhooks/1").submit(&mut bob).status, 200);
    let now = server.service.webhook(1).unwrap().webhook;
    assert_eq!(&*now.url, "https://other.example.com/x");
}

#[test]
fn an_edit_of_a_license_can_be_taken_back() {
    let server = Server::start();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "user_id": "Anna"}));
    let mut admin = server.admin();
    let before = admin.get(&format!("/api/licenses/{id}")).json();
    let path = format!("/licenses/{id}/edit");
    let form = Page::open(&mut admin, &path).form(&path);
    let form = form.fill("license_key", "k2").fill("user_id", "Berta");
    let saved = form.fill("note", "moved").submit(&mut admin);
    assert_eq!(
        (server.check("T", "k").0, server.check("T", "k2").0),
        (404, 200)
    );
    saved.form("/undo").submit(&mut admin);
    assert_eq!(
        (server.check("T", "k").0, server.check("T", "k2").0),
        (200, 404)
    );
    assert_eq!(admin.get(&format!("/api/licenses/{id}")).json(), before);
    // Nothing to take back.
    let form = Page::open(&mut admin, &path).form(&path);
    assert!(!form.submit(&mut admin).has_form("/undo"));
}

#[test]
fn an_edit_of_a_customer_can_be_taken_back_unless_it_was_changed_since() {
    let server = Server::start();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "user_id": "Anna"}));
    let mut admin = server.admin();
    let path = "/customers/1/edit";
    let change = |admin: &mut Client, field: &str, value: &str| {
        let form = Page::open(admin, path).form(path);
        form.fill(field, value).submit(admin)
    };
    change(&mut admin, "note", "pays late");
    let form = Page::open(&mut admin, path).form(path);
    let form = form.fill("name", "Anna Berg").fill("note", "");
    let saved = form.submit(&mut admin);
    let undo = saved.form("/undo");
    change(&mut admin, "email", "anna@example.com");
    undo.submit(&mut admin);
    let form = Page::open(&mut admin, path).form(path);
    let shown = ["name", "email", "note"].map(|field| form.value(field).to_owned());
    assert_eq!(shown, ["Anna", "anna@example.com", "pays late"]);
    let license = admin.get(&format!("/api/licenses/{id}")).json();
    assert_eq!(license["user_id"], "Anna");
    let undo = change(&mut admin, "name", "Anna B.").form("/undo");
    change(&mut admin, "name", "Anna C.");
    assert_eq!(undo.submit(&mut admin).status, 409);
    server.clock.turn(11 * 60);
    assert_eq!(undo.submit(&mut admin).status, 404);
}

#[test]
fn one_name_in_several_spellings_is_one_customer() {
    let server = Server::start();
    let mut admin = server.admin();
    let spellings = [
        "M\u{fc}ller AG",
        "Mu\u{308}ller\u{a0}AG",
        "M\u{fc}ller  AG\u{200b}",
    ];
    for (number, name) in spellings.into_iter().enumerate() {
        let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
        let form = form.fill("tool_name", "T").fill("user_id", name);
        let form = form.fill("license_key", &format!("k{number}"));
        assert_eq!(form.submit(&mut admin).status, 200);
        let form = Page::open(&mut admin, "/codes/new").form("/codes/new");
        let form = form.fill("tool_name", "T").fill("customer", name);
        assert_eq!(form.submit(&mut admin).status, 200);
    }
    assert_eq!(server.service.customer_count().unwrap(), 1);
    // A client finds what it sent, and an edit of something else leaves it.
    let sent = "Mu\u{308}ller AG";
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "user_id": sent}));
    let path = format!("/licenses/{id}/edit");
    let form = Page::open(&mut admin, &path).form(&path);
    form.fill("note", "x").submit(&mut admin);
    let license = admin.get(&format!("/api/licenses/{id}")).json();
    assert_eq!(
        (&license["user_id"], &license["note"]),
        (&json!(sent), &json!("x"))
    );
}
