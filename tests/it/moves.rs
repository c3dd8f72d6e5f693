//! Moving a license to a new machine.

use serde_json::json;

use crate::database::Database;
use crate::page::Page;
use crate::server::{Client, Server};

fn license(server: &Server) -> i64 {
    server.add(json!({
        "tool_name": "T", "license_key": "0A1B2C3D4E5F", "user_id": "Anna",
        "expiration_date": "2026-12-31", "note": "second laptop"
    }))
}

fn move_to(admin: &mut Client, id: i64, key: &str) -> Page {
    let page = Page::open(admin, &format!("/licenses/{id}"));
    let form = page.follow(admin, "/move").form("/move");
    form.fill("license_key", key).submit(admin)
}

#[test]
fn the_new_machine_takes_over_the_license_and_the_old_one_is_revoked() {
    let server = Server::start();
    let id = license(&server);
    let mut admin = server.admin();
    let page = move_to(&mut admin, id, "0a-1b-2c-3d-4e-60");
    assert_eq!(
        (page.path.as_str(), page.heading().as_str()),
        ("/licenses/2", "0a:1b:2c:3d:4e:60")
    );
    let new = admin.get("/api/licenses/2").json();
    let values = ["user_id", "expiration_date", "note", "status"].map(|name| new[name].clone());
    assert_eq!(values, ["Anna", "2026-12-31", "second laptop", "activated"]);
    assert_eq!(server.check("T", "0a:1b:2c:3d:4e:60").0, 200);
    assert_eq!(server.check("T", "0a:1b:2c:3d:4e:5f").0, 403);
    let old = admin.get(&format!("/api/licenses/{id}")).json();
    assert_eq!(old["status"], "revoked");
}

#[test]
fn both_licenses_link_to_each_other() {
    let server = Server::start();
    let id = license(&server);
    let mut admin = server.admin();
    let new = move_to(&mut admin, id, "new");
    let old = new.follow_text(&mut admin, "0a:1b:2c:3d:4e:5f");
    assert_eq!(old.texts(".warning a"), ["new"]);
    assert!(old.text().contains("license moved"), "{}", old.text());
    assert_eq!(old.follow_text(&mut admin, "new").path, new.path);
    admin.delete("/api/licenses/2");
    let old = Page::open(&mut admin, "/licenses/1");
    assert!(old.texts(".warning.above").concat().contains('2'));
    assert!(old.all(".warning a").is_empty());
}

#[test]
fn an_existing_key_is_rejected_with_a_link_and_nothing_is_moved() {
    let server = Server::start();
    let id = license(&server);
    server.license("T", "taken");
    let mut admin = server.admin();
    for key in ["taken", "0A:1B:2C:3D:4E:5F", ""] {
        let page = move_to(&mut admin, id, key);
        assert_eq!(page.status, 422);
        assert_eq!(page.invalid_fields(), ["license_key"], "{key}");
        assert_eq!(page.form("/move").value("license_key"), key);
    }
    let page = move_to(&mut admin, id, "taken");
    assert_eq!(page.follow(&mut admin, "/licenses/2").path, "/licenses/2");
    assert_eq!(server.check("T", "0a1b2c3d4e5f").0, 200);
}

#[test]
fn a_license_that_was_moved_does_not_move_again() {
    let server = Server::start();
    let id = license(&server);
    let mut admin = server.admin();
    move_to(&mut admin, id, "new");
    let form = Page::open(&mut admin, &format!("/licenses/{id}/move")).form("/move");
    let page = form.fill("license_key", "third").submit(&mut admin);
    assert_eq!(
        (page.status, page.invalid_fields()),
        (422, vec!["license_key"])
    );
    assert_eq!(
        (server.check("T", "new").0, server.check("T", "third").0),
        (200, 404)
    );
}

#[test]
fn a_license_can_move_back() {
    let (server, database) = Database::start();
    let id = license(&server);
    let mut admin = server.admin();
    move_to(&mut admin, id, "spare");
    let page = move_to(&mut admin, 2, "0a1b2c3d4e5f");
    assert_eq!(page.path, "/licenses/1");
    assert!(page.all(".warning.above").is_empty());
    assert_eq!(
        (
            server.check("T", "0a1b2c3d4e5f").0,
            server.check("T", "spare").0
        ),
        (200, 403)
    );
    let kinds = database.audit().into_iter().map(|noted| noted.kind);
    assert_eq!(kinds.filter(|kind| kind == "license moved").count(), 2);
}

#[test]
fn a_move_can_be_undone() {
    let server = Server::start();
    let id = license(&server);
    let mut admin = server.admin();
    let before = admin.get("/api/licenses").body;
    let page = move_to(&mut admin, id, "new");
    page.form("/undo").submit(&mut admin);
    assert_eq!(admin.get("/api/licenses").body, before);
    assert_eq!(
        (
            server.check("T", "0a1b2c3d4e5f").0,
            server.check("T", "new").0
        ),
        (200, 404)
    );
    let old = Page::open(&mut admin, &format!("/licenses/{id}"));
    assert!(old.all(".warning.above").is_empty());
}

#[test]
fn a_move_to_a_doubtful_key_revokes_nothing_until_it_is_decided() {
    let server = Server::start();
    let id = license(&server);
    let mut admin = server.admin();
    let page = move_to(&mut admin, id, "Ethernet: 3C-52-82-BB-00-01");
    assert_eq!(
        (page.status, server.check("T", "0a1b2c3d4e5f").0),
        (422, 200)
    );
    page.press(&mut admin, "use_license_key=3c:52:82:bb:00:01");
    assert_eq!(server.check("T", "3c:52:82:bb:00:01").0, 200);
}
