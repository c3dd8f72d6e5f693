//! `/.well-known/security.txt`.

use crate::server::Server;

#[test]
fn people_find_where_to_report_a_weakness() {
    const PATH: &str = "/.well-known/security.txt";
    assert_eq!(Server::start().stranger().get(PATH).status, 404);
    let server = Server::with(|config| {
        config.security_contact = Some("mailto:security@example.com".to_owned());
    });
    let answer = server.stranger().get(PATH);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let lines: Vec<&str> = answer.body.lines().collect();
    assert_eq!(lines[0], "Contact: mailto:security@example.com");
    assert_eq!(lines[1], "Expires: 2026-12-12T00:00:00Z");
}
