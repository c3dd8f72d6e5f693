//! The page with what an auditor would ask.

use std::collections::BTreeMap;

use crate::guards::token;
use crate::page::Page;
use crate::people::{add_person, sign_in_as};
use crate::server::{Client, Server};

const DAY: i64 = 24 * 60 * 60;

/// State and answer of each question.
fn answers(client: &mut Client) -> BTreeMap<String, (String, String)> {
    let rows = Page::open(client, "/security").rows();
    let rows = rows.into_iter().map(|row| match &row[..] {
        [question, state, answer, _] => (question.clone(), (state.clone(), answer.clone())),
        other => panic!("{other:?}"),
    });
    rows.collect()
}

#[test]
fn a_new_server_says_what_is_missing_and_where_it_is_changed() {
    let server = Server::start();
    let mut admin = server.admin();
    let all = answers(&mut admin);
    let state = |about: &str| all[about].0.as_str();
    for about in ["Owners", "Second factors", "Audit log"] {
        assert_eq!(state(about), "needs attention", "{about}");
    }
    for about in ["Address", "Encryption at rest", "Mail", "Security contact"] {
        assert_eq!(state(about), "not set", "{about}");
    }
    for about in ["Unused accounts", "Unused API tokens", "Invitations"] {
        assert_eq!(state(about), "fine", "{about}");
    }
    let page = Page::open(&mut admin, "/settings").follow(&mut admin, "/security");
    let settings = page.texts("td:last-child code");
    for name in [
        "require_two_factors",
        "secret_file",
        "public_url",
        "security_contact",
    ] {
        assert!(settings.iter().any(|setting| setting == name), "{name}");
    }
    for (_, to) in page.links() {
        assert_eq!(admin.get(&to).status, 200, "{to}");
    }
}

#[test]
fn forgotten_people_and_tokens_are_named() {
    let server = Server::start();
    add_person(&server, "anna", "staff");
    sign_in_as(&server, "anna");
    let mut admin = server.admin();
    token(&mut admin, "forgotten", "read=true", "2027-06-01");
    let used = token(&mut admin, "used", "write=true", "2028-06-01");
    server.clock.turn(94 * DAY);
    let mut script = server
        .stranger()
        .header("Authorization", &format!("Bearer {used}"));
    assert_eq!(script.get("/api/licenses").status, 403);
    let mut admin = server.admin();
    let all = answers(&mut admin);
    for (about, named, unnamed) in [
        ("Unused accounts", "anna", "admin"),
        ("Unused API tokens", "forgotten", "used of"),
        ("Long-lived API tokens", "used", "forgotten"),
    ] {
        let (state, answer) = &all[about];
        assert_eq!(state, "needs attention", "{about}");
        assert!(
            answer.contains(named) && !answer.contains(unnamed),
            "{answer}"
        );
    }
    let account = Page::open(&mut admin, "/account").texts("[aria-labelledby=tokens] .mark");
    assert_eq!(account, ["never used, created 94 days ago"]);
}
