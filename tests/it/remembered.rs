//! The license cache is never older than an acknowledged change.

use serde_json::json;

use crate::database::Database;
use crate::server::Server;

#[test]
fn a_change_by_another_program_takes_effect_within_a_second() {
    let (server, database) = Database::start();
    server.license("T", "k");
    assert_eq!(server.check("T", "k").0, 200);
    database.tamper("update licenses set status = 'revoked'");
    server.tick().unwrap();
    assert_eq!(server.check("T", "k").0, 403);
}

#[test]
fn the_next_check_sees_an_acknowledged_change() {
    let server = Server::start();
    let id = server.license("T", "k");
    let mut admin = server.admin();
    for n in 0..50 {
        let (status, expected) = [("revoked", 403), ("activated", 200)][n % 2];
        let body = json!({"status": status}).to_string();
        assert_eq!(
            admin.patch(&format!("/api/licenses/{id}"), &body).status,
            200
        );
        assert_eq!(server.check("T", "k").0, expected);
    }
    admin.patch(&format!("/api/licenses/{id}"), r#"{"license_key":"other"}"#);
    assert_eq!(
        (server.check("T", "k").0, server.check("T", "other").0),
        (404, 200)
    );
    admin.delete(&format!("/api/licenses/{id}"));
    assert_eq!(server.check("T", "other").0, 404);
}
