//! Requests for pages and forms: empty, hostile, outdated, or sent by another site.

use serde_json::json;

use super::table::many;
use super::{MAC, add, rows, sign_in};
use crate::database::Database;
use crate::page::{Form, Page};
use crate::server::{Client, PASSWORD, Server};

#[test]
fn an_empty_table_and_a_search_without_a_match_show_a_way_on() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/licenses");
    let links = page.all(".empty a[href='/licenses/new']");
    assert_eq!((page.keys().len(), links.len()), (0, 1));
    server.license("T", "k");
    let page = page.form("/licenses").fill("q", "<i>nothing</i>");
    let page = page.submit(&mut admin);
    let empty = page.texts(".empty").concat();
    assert!(empty.contains("<i>nothing</i>"), "{empty}");
    assert_eq!(page.all(".empty a[href='/licenses']").len(), 1);
    assert_eq!(page.form("/licenses").value("q"), "<i>nothing</i>");
    assert_eq!(page.follow(&mut admin, "/licenses").keys(), ["k"]);
}

#[test]
fn user_input_is_never_read_as_html() {
    let server = Server::start();
    let mut admin = server.admin();
    let typed = "\"><script>alert(1)</script>'&amp;</title></textarea>";
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", typed).fill("license_key", typed);
    let license = form.fill("user_id", typed).submit(&mut admin);
    assert!(license.flash().unwrap().contains(typed));
    assert_eq!(
        (license.title(), license.heading()),
        (typed.into(), typed.into())
    );
    let table = license.follow(&mut admin, "/licenses");
    assert_eq!(table.rows()[0][..3], [typed; 3]);
    let found = table.form("/licenses").fill("q", typed).fill("tool", typed);
    let found = found.submit(&mut admin);
    assert_eq!(found.form("/licenses").value("q"), typed);
    assert_eq!(found.keys(), [typed]);
    let taken = add(&mut admin, typed, typed);
    assert_eq!(taken.form("/licenses/new").value("license_key"), typed);
    assert_eq!(taken.suggestions("tool_name"), [typed]);
    let similar = add(&mut admin, &typed.to_uppercase(), "k");
    assert!(similar.texts(".warning").concat().contains(typed));
    let edit = license.follow(&mut admin, "/edit");
    let dated = edit
        .form("/edit")
        .fill("expiration_date", "<b>\"2026\"</b>");
    let dated = dated.submit(&mut admin);
    assert!(
        dated
            .problem("expiration_date")
            .unwrap()
            .contains("<b>\"2026\"</b>")
    );
    let confirmation = license.follow(&mut admin, "/delete");
    assert!(confirmation.text().contains(typed));
    let deleted = confirmation.form("/delete").submit(&mut admin);
    assert!(deleted.flash().unwrap().contains(typed));
    for page in [
        license,
        table,
        found,
        taken,
        similar,
        edit,
        dated,
        confirmation,
        deleted,
    ] {
        assert!(page.all("script, main b").is_empty(), "{}", page.path);
    }
}

#[test]
fn a_missing_license_is_a_404_page() {
    let server = Server::start();
    let mut admin = server.admin();
    for path in [
        "/licenses/7",
        "/licenses/7/edit",
        "/licenses/7/delete",
        "/licenses/seven",
        "/licenses/-1",
        "/licenses/99999999999999999999",
        "/nowhere",
    ] {
        let page = Page::open(&mut admin, path);
        assert_eq!(
            (page.status, page.texts(".code")),
            (404, vec!["404".into()])
        );
        assert_eq!(page.all("main a[href='/licenses']").len(), 1, "{path}");
    }
}

#[test]
fn a_license_that_another_admin_has_deleted_is_a_404_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "k");
    let license = Page::open(&mut admin, &format!("/licenses/{id}"));
    let edit = license.follow(&mut admin, "/edit").form("/edit");
    let delete = license.follow(&mut admin, "/delete").form("/delete");
    admin.delete(&format!("/api/licenses/{id}"));
    for form in [edit, delete] {
        assert_eq!(form.submit(&mut admin).status, 404);
    }
    assert_eq!(license.press(&mut admin, "status=revoked").status, 404);
}

#[test]
fn an_unreadable_row_is_a_503_page_without_internals() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "k");
    let database = Database::of_server(&server);
    database
        .tamper_unchecked("update licenses set status = 'odd'")
        .unwrap();
    for path in ["/licenses", &format!("/licenses/{id}")] {
        let page = Page::open(&mut admin, path);
        assert_eq!((page.status, page.text().contains("odd")), (503, false));
    }
}

#[test]
fn a_wrong_method_is_a_405_page() {
    let server = Server::start();
    for (method, path, allow) in [
        ("PUT", "/licenses", "GET, POST, HEAD"),
        ("DELETE", "/licenses/1", "GET, HEAD"),
        ("GET", "/licenses/1/status", "POST"),
        ("GET", "/logout", "POST"),
        ("PUT", "/login", "GET, POST, HEAD"),
    ] {
        let answer = server.admin().send(method, path, &[], b"");
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, allow),
            "{method} {path}"
        );
        assert!(answer.body.contains("<h1"), "{method} {path}");
    }
}

/// Every form that writes, as this client reads it, and its button; all have valid values.
fn forms(client: &mut Client, id: i64) -> Vec<(Form, Option<&'static str>)> {
    let page = Page::open(client, &format!("/licenses/{id}"));
    let new = Page::open(client, "/licenses/new").form("/licenses/new");
    let new = new.fill("tool_name", "T").fill("license_key", "new");
    let edit = page.follow(client, "/edit").form("/edit");
    let delete = page.follow(client, "/delete").form("/delete");
    vec![
        (new, None),
        (edit.fill("license_key", "changed"), None),
        (page.form("/status"), Some("status=revoked")),
        (delete, None),
        (page.form("/logout"), None),
    ]
}

fn send(form: &Form, client: &mut Client, button: Option<&str>) -> u16 {
    let page = match button {
        Some(button) => form.press(client, button),
        None => form.submit(client),
    };
    page.status
}

#[test]
fn a_form_without_the_csrf_token_of_its_session_changes_nothing() {
    let server = Server::start();
    let (mut admin, mut other) = (server.admin(), server.admin());
    let id = server.license("T", "k");
    let before = admin.get("/api/licenses").body;
    for (at, (form, button)) in forms(&mut other, id).into_iter().enumerate() {
        assert_eq!(send(&form, &mut admin, button), 403, "{at}");
        let empty = form.set("csrf", "");
        assert_eq!(send(&empty, &mut admin, button), 403, "{at}");
        let none = empty.without("csrf");
        assert_eq!(send(&none, &mut admin, button), 403, "{at}");
    }
    assert_eq!(admin.get("/api/licenses").body, before);
}

#[test]
fn a_form_sent_by_another_site_changes_nothing() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "k");
    let before = admin.get("/api/licenses").body;
    for (name, value) in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Site", "none"),
        ("Origin", "https://evil.example"),
        ("Origin", "http://127.0.0.1:1"),
        ("Origin", &format!("https://127.0.0.1:{}", server.port)),
        ("Origin", "null"),
    ] {
        for (at, (form, button)) in forms(&mut admin, id).into_iter().enumerate() {
            let mut tricked = server.stranger().header(name, value);
            tricked.cookies = admin.cookies.clone();
            assert_eq!(
                send(&form, &mut tricked, button),
                403,
                "{name}: {value}, {at}"
            );
        }
        let mut tricked = server.stranger().header(name, value);
        let form = Page::open(&mut tricked, "/login").form("/login");
        let form = form.fill("username", "admin").fill("password", PASSWORD);
        assert_eq!(form.submit(&mut tricked).status, 403);
        assert!(tricked.cookies.is_empty());
    }
    assert_eq!(admin.get("/api/licenses").body, before);
}

#[test]
fn a_form_that_is_not_utf_8_is_a_400_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    for bytes in [&b"\xff\xfe"[..], b"%FF%FE", b"a%C3", b"%c3%28"] {
        let csrf = form.value("csrf").to_owned();
        let fields = format!("csrf={csrf}&status=activated&tool_name=T&license_key=");
        let page = form.send(&mut admin, &[fields.as_bytes(), bytes].concat());
        assert_eq!(page.status, 400, "{bytes:?}: {}", page.text());
        assert!(page.text().contains("UTF-8"));
    }
    assert_eq!(rows(&server), 0);
}

#[test]
fn a_form_that_is_too_large_is_a_413_and_a_wrong_type_a_415_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let large = form.set("user_id", &"x".repeat(64 * 1024));
    assert_eq!(large.submit(&mut admin).status, 413);
    let answer = admin.post("/licenses/new", "{}");
    assert_eq!(answer.status, 415);
    assert!(answer.body.contains("application/x-www-form-urlencoded"));
}

#[test]
fn every_page_is_accessible() {
    let server = Server::start();
    let mut admin = server.admin();
    let mut pages = vec![
        Page::open(&mut server.stranger(), "/login"),
        Page::open(&mut server.stranger(), "/nowhere"),
        Page::open(&mut admin, "/licenses"),
    ];
    let id = server.add(
        json!({"tool_name": "Tool_A", "license_key": MAC, "user_id": "u",
                               "expiration_date": "2026-06-15"}),
    );
    let login = pages[0].form("/login");
    let login = login.fill("username", "admin").fill("password", "wrong");
    pages.push(login.submit(&mut server.stranger()));
    pages.push(add(&mut admin, "", ""));
    pages.push(add(&mut admin, "Tool_A", MAC));
    pages.push(add(&mut admin, "tool_a", MAC));
    pages.push(add(&mut admin, "T", "added"));
    pages.push(Page::open(&mut admin, &format!("/licenses/{id}")));
    let status = pages[8].form("/status");
    pages.push(status.press(&mut admin, "status=revoked"));
    let license = format!("/licenses/{id}");
    pages.push(status.set("csrf", "").press(&mut admin, "status=revoked"));
    for path in [
        &format!("{license}/edit"),
        &format!("{license}/delete"),
        "/licenses",
        "/licenses?q=nothing",
        "/licenses?before=1_0",
        "/licenses/9",
        "/account",
        "/audit",
    ] {
        pages.push(Page::open(&mut admin, path));
    }
    let account = Page::open(&mut admin, "/account").form("/account/tokens");
    pages.push(account.submit(&mut admin));
    many(&server);
    let first = Page::open(&mut admin, "/licenses?tool=T%26U");
    pages.extend(first.next(&mut admin));
    for page in &pages {
        is_plain(page);
        has_names(page);
    }
}

/// No inline script or style: the content security policy forbids both.
fn is_plain(page: &Page) {
    for element in page.all("*") {
        let tag = element.value();
        assert!(!["script", "style", "iframe", "base"].contains(&tag.name()));
        for (name, value) in tag.attrs() {
            let is_active = name == "style" || name.starts_with("on");
            assert!(!is_active, "{name}={value} in {}", page.path);
            assert!(!value.trim_start().starts_with("javascript:"), "{value}");
        }
    }
}

/// What a screen reader needs: language, title, landmarks, one heading, a name for every control.
pub fn has_names(page: &Page) {
    let path = format!("{} {}", page.path, page.heading());
    let count = |selector: &str| page.all(selector).len();
    for one in [
        "html[lang=en]",
        "h1",
        "main",
        "body > header",
        "body > footer",
        "head > title",
        "meta[name=viewport]",
        "a[href='#main']",
    ] {
        assert_eq!(count(one), 1, "{one} in {path}");
    }
    assert!(page.title().len() > 2 && page.heading().len() > 2, "{path}");
    assert_eq!(count("nav:not([aria-label])"), 0, "{path}");
    let value = |element: &scraper::ElementRef<'_>, name| {
        element.value().attr(name).unwrap_or_default().to_owned()
    };
    let ids: Vec<String> = page.all("[id]").iter().map(|e| value(e, "id")).collect();
    for (at, id) in ids.iter().enumerate() {
        assert!(!ids[..at].contains(id), "two #{id} in {path}");
    }
    for name in ["aria-labelledby", "aria-describedby", "for", "list"] {
        for element in page.all(&format!("[{name}]")) {
            for id in value(&element, name).split(' ') {
                assert!(ids.iter().any(|other| other == id), "#{id} in {path}");
            }
        }
    }
    let inside = page.all("label input").len();
    let beside = page.all("input[id], select[id], textarea[id]").into_iter();
    let beside = beside.filter(|i| count(&format!("label[for='{}']", value(i, "id"))) == 1);
    let named = count("input[aria-label], select[aria-label]");
    let inputs = count("input:not([type=hidden]):not([aria-hidden=true]), select, textarea");
    assert_eq!(inside + beside.count() + named, inputs, "labels in {path}");
    for words in page.texts("button, a, th, label, h1, h2") {
        assert!(!words.is_empty(), "something without a name in {path}");
    }
}

#[test]
fn with_a_base_path_every_link_form_and_redirect_stays_below_it() {
    let server = Server::at("http://127.0.0.1/licenseserver");
    let mut client = server.stranger();
    let page = sign_in(&mut client, "/licenses?q=k");
    assert_eq!(page.path, "/licenses?q=k");
    let license = add(&mut client, "T", "k");
    let similar = add(&mut client, "t", "k2");
    similar.press(&mut client, "keep_tool_name=t");
    let edit = license.follow(&mut client, "/edit").form("/edit");
    assert_eq!(edit.submit(&mut client).status, 200);
    let tool = license.follow(&mut client, "/tool?name=T");
    let filtered = tool.follow(&mut client, "/licenses?tool=T");
    assert_eq!(filtered.form("/licenses").submit(&mut client).keys(), ["k"]);
    let page = license.press(&mut client, "status=revoked");
    let confirmation = page.follow(&mut client, "/delete").form("/delete");
    assert_eq!(confirmation.submit(&mut client).keys(), ["k2"]);
    let page = page.form("/logout").submit(&mut client);
    assert_eq!(page.path, "/login");
    for (_, address) in page.links().into_iter().filter(|(_, to)| to != "#main") {
        assert!(address.starts_with("/licenseserver/"), "{address}");
    }
}

#[test]
fn a_form_survives_the_end_of_its_session() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form
        .set("tool_name", "Tool & Söhne")
        .set("license_key", "a+b=c%20d");
    server.clock.turn(31 * 60);
    let login = form.submit(&mut admin);
    assert_eq!((login.status, login.texts("[role=status]").len()), (401, 1));
    let form = login
        .form("/login")
        .set("username", "admin")
        .set("password", PASSWORD);
    let resumed = form.submit(&mut admin);
    assert_eq!(rows(&server), 0);
    let page = resumed.form("/licenses/new").submit(&mut admin);
    let flash = page.flash().unwrap();
    assert!(
        flash.contains("Tool & Söhne") && flash.contains("a+b=c%20d"),
        "{flash}"
    );
    assert_eq!(rows(&server), 1);
}
