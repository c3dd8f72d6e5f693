//! Adding and renaming tools.

use serde_json::json;

use crate::page::Page;
use crate::server::Server;

#[test]
fn a_tool_is_added_once_and_listed_without_a_license() {
    let server = Server::start();
    server.license("MyTool", "k");
    let mut admin = server.admin();
    let mut form = Page::open(&mut admin, "/tools").form("/tools");
    for name in ["", "mytool", "MyTool"] {
        form = form.fill("tool_name", name);
        let refused = form.submit(&mut admin);
        assert_eq!(
            (refused.status, refused.invalid_fields()),
            (422, vec!["tool_name"]),
            "{name}"
        );
    }
    assert_eq!(
        form.fill("tool_name", "Other").submit(&mut admin).status,
        200
    );
    let tools = Page::open(&mut admin, "/tools");
    assert_eq!(tools.rows(), [["MyTool", "1", "0"], ["Other", "0", "0"]]);
    assert_eq!(tools.follow_text(&mut admin, "Other").status, 200);
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    assert_eq!(form.value("tool_name"), "");
}

#[test]
fn a_renamed_tool_takes_its_licenses_along() {
    let server = Server::start();
    let mut admin = server.admin();
    server.add(json!({"tool_name": "Typo", "license_key": "k", "user_id": "Anna"}));
    server.license("Other", "k");
    assert_eq!(
        (server.check("Typo", "k").0, server.check("Right", "k").0),
        (200, 404)
    );
    server.tick().unwrap();
    let form = Page::open(&mut admin, "/tool?name=Typo").follow(&mut admin, "/tool/rename");
    assert!(form.texts("strong").concat().starts_with("1 machine"));
    let mut form = form.form("/tool/rename");
    for name in ["", "Typo", "Other"] {
        form = form.fill("tool_name", name);
        let refused = form.submit(&mut admin);
        assert_eq!(
            (refused.status, refused.invalid_fields()),
            (422, vec!["tool_name"]),
            "{name}"
        );
    }
    let page = form.fill("tool_name", "Right").submit(&mut admin);
    assert_eq!((page.status, &*page.path), (200, "/tool?name=Right"));
    assert_eq!(
        (server.check("Typo", "k").0, server.check("Right", "k").0),
        (404, 200)
    );
    assert_eq!(
        Page::open(&mut admin, "/licenses?q=right+anna").keys(),
        ["k"]
    );
    assert!(Page::open(&mut admin, "/licenses?q=typo").keys().is_empty());
    assert_eq!(Page::open(&mut admin, "/tool?name=Typo").status, 404);
    let diagnosis = Page::open(&mut admin, "/diagnose?tool=Typo&key=k");
    assert_eq!(diagnosis.all("[aria-labelledby=past]").len(), 1);
    server.tick().unwrap();
    let waiting = Page::open(&mut admin, "/unlicensed").rows();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let log = Page::open(&mut admin, "/audit").text();
    assert!(log.contains("Typo → Right"), "{log}");
}

#[test]
fn words_are_found_in_any_order_and_in_any_field() {
    let server = Server::start();
    let mut admin = server.admin();
    let customer = "Tom Müller, Straße Łódź, Æther Đurić Søren";
    server.add(json!({"tool_name": "PdfBatchPro", "license_key": "k", "user_id": customer}));
    for words in [
        "Müller Tom",
        "PdfBatchPro muller",
        "strasse lodz",
        "AETHER duric",
        "soren pdf",
    ] {
        let form = Page::open(&mut admin, "/licenses").form("/licenses");
        assert_eq!(
            form.fill("q", words).submit(&mut admin).keys(),
            ["k"],
            "{words}"
        );
    }
}
