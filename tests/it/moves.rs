//! A customer has a new machine.

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
    let form = page.follow(admin, "Move to new machine …").form("/move");
    form.fill("license_key", key).submit(admin, "Move")
}

#[test]
fn the_new_machine_has_all_that_the_old_one_had_and_the_old_one_is_refused() {
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
    let (status, body) = server.check("T", "0a:1b:2c:3d:4e:5f");
    assert!(status == 403 && body.contains("'revoked'"), "{body}");
}

#[test]
fn each_page_leads_to_the_other() {
    let server = Server::start();
    let id = license(&server);
    let mut admin = server.admin();
    let new = move_to(&mut admin, id, "new");
    let old = new.follow(&mut admin, "0a:1b:2c:3d:4e:5f");
    assert!(old.text().contains("moved to another machine"));
    assert!(old.text().contains("license moved"), "{}", old.text());
    assert_eq!(old.follow(&mut admin, "new").path, new.path);
    admin.delete("/api/licenses/2");
    let old = Page::open(&mut admin, "/licenses/1");
    assert!(old.text().contains("was deleted since"), "{}", old.text());
}

#[test]
fn a_key_that_somebody_has_is_refused_with_the_way_to_it_and_nothing_is_moved() {
    let server = Server::start();
    let id = license(&server);
    server.license("T", "taken");
    let mut admin = server.admin();
    for (key, words) in [
        ("taken", "already exists"),
        ("0A:1B:2C:3D:4E:5F", "already"),
        ("", "missing"),
    ] {
        let page = move_to(&mut admin, id, key);
        assert_eq!(page.status, 422);
        assert!(
            page.problem("license_key").unwrap().contains(words),
            "{key}"
        );
        assert_eq!(page.form("/move").value("license_key"), key);
    }
    let page = move_to(&mut admin, id, "taken");
    assert_eq!(
        page.follow(&mut admin, "Show that license").path,
        "/licenses/2"
    );
    assert_eq!(server.check("T", "0a1b2c3d4e5f").0, 200);
}

#[test]
fn a_machine_that_comes_back_from_repair_has_its_license_again() {
    let (server, database) = Database::start();
    let id = license(&server);
    let mut admin = server.admin();
    move_to(&mut admin, id, "spare");
    let page = move_to(&mut admin, 2, "0a1b2c3d4e5f");
    assert_eq!(page.path, "/licenses/1");
    assert!(!page.text().contains("moved to another machine"));
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
