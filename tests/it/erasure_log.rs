//! What the audit log tells of an erased person, whose licenses and codes are somebody else's or nobody's by then.

use license_server::model::activation_code::{CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use serde_json::{Value, json};

use crate::customers::{license_of, page_of};
use crate::erasure::{erase, found};
use crate::page::Page;
use crate::server::{Client, Server};

const NAME: &str = "Xenia Exampler";

fn patch(admin: &mut Client, id: i64, change: &Value) {
    let answer = admin.patch(&format!("/api/licenses/{id}"), &change.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn erased(server: &Server, admin: &mut Client) {
    let customer = page_of(admin, NAME);
    assert_eq!(erase(admin, &customer, NAME).status, 200);
    server.service.verify_audit(None).unwrap();
}

#[test]
fn a_license_that_the_person_had_tells_nothing() {
    let texts = [NAME, "Hauptstr. 5", "XE-4711", "paid cash"];
    let facts = json!({"note": "Xenia Exampler, Hauptstr. 5, phoned", "order_ref": "XE-4711", "data": "paid cash"});
    let none = json!({"user_id": null});
    type Then<'a> = &'a dyn Fn(&mut Client, i64);
    let delete: Then = &|admin, id| drop(admin.delete(&format!("/api/licenses/{id}")));
    let cases: [(&str, Then); 4] = [
        ("deleted", delete),
        ("taken away", &|admin, id| patch(admin, id, &none)),
        ("taken away and deleted", &|admin, id| {
            patch(admin, id, &none);
            delete(admin, id);
        }),
        ("everything at once", &|admin, id| {
            let all = json!({"user_id": null, "note": null, "order_ref": null, "data": null});
            patch(admin, id, &all);
        }),
    ];
    for (case, then) in cases {
        let server = Server::start();
        let mut admin = server.admin();
        let id = server.add(json!({"tool_name": "A", "license_key": "xen1", "user_id": NAME}));
        patch(&mut admin, id, &facts);
        then(&mut admin, id);
        assert_eq!(found(&server, &texts), texts, "{case}");
        erased(&server, &mut admin);
        assert_eq!(found(&server, &texts), Vec::<String>::new(), "{case}");
        let log = Page::open(&mut admin, "/audit").text();
        assert!(texts.iter().all(|text| !log.contains(text)), "{case}");
    }
}

#[test]
fn what_a_license_had_before_and_after_the_person_stays() {
    let server = Server::start();
    let mut admin = server.admin();
    let license = |key: &str, user: &str, note: &str| {
        server.add(json!({"tool_name": "A", "license_key": key, "user_id": user, "note": note}))
    };
    // From Bob to her, and then to Carl, who has her note and then his own.
    let id = license("one", "Bob", "pays in June");
    patch(
        &mut admin,
        id,
        &json!({"user_id": NAME, "note": "rings twice"}),
    );
    patch(
        &mut admin,
        id,
        &json!({"user_id": "Carl", "note": "speaks Dutch"}),
    );
    patch(&mut admin, id, &json!({"note": "speaks Danish"}));
    // From her to nobody, who gets a note then.
    let id = license("two", NAME, "has a dog");
    patch(&mut admin, id, &json!({"user_id": null}));
    patch(&mut admin, id, &json!({"note": "spare machine"}));
    patch(&mut admin, id, &json!({"note": "spare laptop"}));
    erased(&server, &mut admin);
    let others = [
        "pays in June",
        "speaks Dutch",
        "speaks Danish",
        "spare machine",
        "spare laptop",
    ];
    assert_eq!(found(&server, &others), others);
    let hers = [NAME, "rings twice", "has a dog"];
    assert_eq!(found(&server, &hers), Vec::<String>::new());
    assert_eq!(license_of(&server, "one")["user_id"], "Carl");
    assert_eq!(license_of(&server, "two")["note"], "spare laptop");
}

#[test]
fn a_code_that_the_person_had_tells_nothing() {
    let server = Server::start();
    let mut admin = server.admin();
    let actor = Actor::command_line();
    let values = CodeValues::new(2, CodeTerm::Perpetual);
    let codes = server.service.create_codes(&actor, "A", &values, 1);
    let id = codes.unwrap()[0].id;
    let change = |change: fn(&mut CodeValues)| {
        server.service.change_code(&actor, id, change).unwrap();
    };
    change(|code| {
        code.customer = NAME.to_owned();
        code.order_ref = "XE-4711".to_owned();
        code.note = "rings twice".to_owned();
        code.entitlements.data = Some("paid cash".to_owned());
    });
    change(|code| code.customer.clear());
    let texts = [NAME, "XE-4711", "rings twice", "paid cash"];
    assert_eq!(found(&server, &texts), texts);
    server.add(json!({"tool_name": "A", "license_key": "xen1", "user_id": NAME}));
    erased(&server, &mut admin);
    assert_eq!(found(&server, &texts), Vec::<String>::new());
    assert_eq!(server.service.activation_code(id).unwrap().values, values);
}
