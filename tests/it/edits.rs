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
