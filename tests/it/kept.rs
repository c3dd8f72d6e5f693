//! What was typed is still there when the form could not be processed.

use serde_json::json;

use crate::database::Database;
use crate::page::{Form, Page};
use crate::server::{Client, PASSWORD, Server};

const EXPIRED: i64 = 31 * 60;

/// Signs in on a page that keeps the form of an ended session.
fn sign_in(client: &mut Client, login: &Page) -> Page {
    let form = login.form("/login").fill("username", "admin");
    form.fill("password", PASSWORD).submit(client)
}

/// Sends the fields as a browser does with a form for files.
fn upload(client: &mut Client, form: &Form, fields: &[(&str, &str)]) -> Page {
    const BOUNDARY: &str = "x-boundary";
    let mut body = String::new();
    for (name, value) in [&[("csrf", form.value("csrf"))], fields].concat() {
        body += &format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    body += &format!("--{BOUNDARY}--\r\n");
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let origin = client.origin();
    let headers = [("Content-Type", &*kind), ("Origin", &*origin)];
    let answer = client.send("POST", "/codes/import", &headers, body.as_bytes());
    Page::after(client, "/codes/import", answer)
}

#[test]
fn pasted_codes_are_kept_until_somebody_has_signed_in_beside_them() {
    let server = Server::start();
    let mut admin = server.admin();
    let codes: Vec<String> = (0..3000).map(|n| format!("OLDX11112222{n:04}")).collect();
    let codes = codes.join("\n");
    let fields = [("tool_name", "T"), ("text", &*codes), ("file", "")];
    let form = Page::open(&mut admin, "/codes/import").form("/codes/import");
    server.clock.turn(EXPIRED);
    let kept = upload(&mut admin, &form, &fields);
    assert_eq!((kept.status, kept.has_link("/login")), (401, true));
    let kept = kept.form("/codes/import");
    assert!(kept.value("text") == codes);
    // In another tab.
    let login = Page::open(&mut admin, "/login");
    sign_in(&mut admin, &login);
    let fields = ["tool_name", "text"].map(|name| (name, kept.value(name)));
    let kept = upload(&mut admin, &kept, &fields);
    assert_eq!(kept.status, 403);
    let kept = kept.form("/codes/import");
    let fields = ["tool_name", "text"].map(|name| (name, kept.value(name)));
    let preview = upload(&mut admin, &kept, &fields);
    assert!(preview.text().contains("3,000"), "{}", preview.text());
}

#[test]
fn pasted_codes_are_kept_beside_a_file_of_any_size() {
    let server = Server::start();
    for size in [10, 2_000_000] {
        let mut admin = server.admin();
        let form = Page::open(&mut admin, "/codes/import").form("/codes/import");
        server.clock.turn(EXPIRED);
        let file = "x".repeat(size);
        let file_field = "file\"; filename=\"codes.csv";
        let fields = [
            ("tool_name", "T"),
            ("text", "OLDX11112222"),
            (file_field, &file),
        ];
        let kept = upload(&mut admin, &form, &fields);
        assert_eq!((kept.status, kept.all("input[type=file]").len()), (401, 1));
        let kept = kept.form("/codes/import");
        assert_eq!(
            (kept.value("tool_name"), kept.value("text")),
            ("T", "OLDX11112222")
        );
        // A file alone is chosen on the page that it was on.
        let lost = upload(
            &mut server.stranger(),
            &form,
            &[("text", ""), (file_field, &file)],
        );
        assert!(lost.has_form("/login"), "{}", lost.text());
    }
}

#[test]
fn a_button_that_comes_too_late_is_offered_again() {
    let server = Server::start();
    let id = server.license("T", "k");
    let mut admin = server.admin();
    let path = format!("/licenses/{id}");
    let delete = Page::open(&mut admin, &format!("{path}/delete")).form("/delete");
    server.clock.turn(EXPIRED);
    let login = delete.submit(&mut admin);
    assert_eq!((login.status, login.all(".warning").len()), (401, 1));
    let form = login.form("/login").fill("username", "admin");
    let login = form.fill("password", "wrong").submit(&mut admin);
    let resumed = sign_in(&mut admin, &login);
    assert_eq!(server.check("T", "k").0, 200);
    resumed.form("/delete").submit(&mut admin);
    assert_eq!(server.check("T", "k").0, 404);
}

#[test]
fn a_token_that_comes_too_late_is_kept() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/account").form("/account/tokens");
    let form = form.fill("name", "nightly");
    let form = form.fill("expiration_date", "31.12.2026");
    server.clock.turn(EXPIRED);
    let login = form.submit(&mut admin);
    let resumed = sign_in(&mut admin, &login);
    let form = resumed.form("/account/tokens");
    assert_eq!(form.value("name"), "nightly");
    let created = form.submit(&mut admin);
    assert_eq!(created.texts(".secret code").len(), 2);
}

#[test]
fn a_long_text_that_comes_too_late_is_kept_in_any_script() {
    let server = Server::start();
    let id = server.license("T", "k");
    let path = format!("/licenses/{id}/edit");
    // The longest note, which takes nine bytes a letter on its way.
    for note in ["年".repeat(1900), "Ж".repeat(1900)] {
        let mut admin = server.admin();
        let form = Page::open(&mut admin, &path)
            .form(&path)
            .fill("note", &note);
        server.clock.turn(EXPIRED);
        let login = form.submit(&mut admin);
        let saved = sign_in(&mut admin, &login).form(&path).submit(&mut admin);
        assert_eq!(saved.status, 200);
        let license = admin.get(&format!("/api/licenses/{id}")).json();
        assert!(license["note"] == note);
    }
    let mut admin = server.admin();
    let open = "/mail/texts/edit?event=codes&language=en";
    let body = "Ж".repeat(9000);
    let form = Page::open(&mut admin, open).form("/mail/texts/edit");
    let form = form.fill("body", &body);
    server.clock.turn(EXPIRED);
    let kept = form.press(&mut admin, "do=save");
    // Too long for the page that signs in.
    assert!(!kept.has_form("/login"));
    let login = Page::open(&mut admin, "/login");
    sign_in(&mut admin, &login);
    let kept = kept.form("/mail/texts/edit").submit(&mut admin);
    let saved = kept.form("/mail/texts/edit").submit(&mut admin);
    assert!(saved.form("/mail/texts/edit").value("body") == body);
}

#[test]
fn what_was_typed_about_something_that_is_gone_can_be_copied() {
    let server = Server::start();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "user_id": "Anna"}));
    let mut admin = server.admin();
    let path = format!("/licenses/{id}/edit");
    let license = Page::open(&mut admin, &path).form(&path);
    let tool = Page::open(&mut admin, "/tool?name=T").form("/tool");
    let moved = Page::open(&mut admin, &format!("/licenses/{id}/move")).form("/move");
    let moved = moved.fill("license_key", "called twice");
    let license = license.fill("note", "called twice");
    let tool = tool.fill("message", "called twice");
    let rename = Page::open(&mut admin, "/tool/rename?name=T").form("/tool/rename");
    rename.fill("tool_name", "Other").submit(&mut admin);
    admin.delete(&format!("/api/licenses/{id}"));
    for form in [license, tool, moved] {
        let page = form.submit(&mut admin);
        assert_eq!(page.status, 404);
        let typed = page.texts("dd.typed");
        assert!(typed.contains(&"called twice".to_owned()), "{typed:?}");
    }
    // A button has nothing to copy.
    let status = format!("/licenses/{id}/status");
    let csrf = Page::open(&mut admin, "/shops")
        .form("/shops")
        .value("csrf")
        .to_owned();
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!("csrf={csrf}&status=revoked");
    let answer = admin.send("POST", &status, &kind, body.as_bytes());
    let page = Page::after(&mut admin, &status, answer);
    assert_eq!((page.status, page.texts("dd.typed").len()), (404, 0));
}

#[test]
fn a_busy_database_keeps_a_new_token() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/account").form("/account/tokens");
    let form = form.fill("name", "nightly");
    let form = form.fill("expiration_date", "2026-12-31");
    let lock = database.lock();
    let busy = form.submit(&mut admin);
    drop(lock);
    let form = busy.form("/account/tokens");
    assert_eq!((busy.status, form.value("name")), (503, "nightly"));
    assert_eq!(form.submit(&mut admin).texts(".secret code").len(), 2);
}
