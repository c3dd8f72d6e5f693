//! What is remembered for checks is never older than what was acknowledged.

use serde_json::json;

use crate::database::Database;
use crate::server::Server;

#[test]
fn what_another_program_changed_is_known_a_second_later() {
    let (server, database) = Database::start();
    server.license("T", "k");
    assert_eq!(server.check("T", "k").0, 200);
    database.tamper("update licenses set status = 'revoked'");
    server.tick().unwrap();
    assert_eq!(server.check("T", "k").0, 403);
}

#[test]
fn an_acknowledged_change_is_what_the_next_check_is_told() {
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
