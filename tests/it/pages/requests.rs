//! Whatever is asked for or sent: empty, hostile, gone, by another site.

use serde_json::json;

use super::table::many;
use super::{MAC, add, rows, sign_in};
use crate::page::{Form, Page};
use crate::server::{Client, PASSWORD, Server};

#[test]
fn an_empty_table_and_a_search_without_result_say_what_to_do() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/licenses");
    assert_eq!(page.texts("h2"), ["No licenses yet"]);
    let form = page.follow(&mut admin, "Add the first license");
    assert_eq!(form.heading(), "Add license");
    server.license("T", "k");
    let page = page.form("Find").fill("q", "<i>nothing</i>");
    let page = page.submit(&mut admin, "Find");
    assert_eq!(page.texts("h2"), ["No license matches"]);
    assert!(page.text().contains("“<i>nothing</i>”"));
    assert_eq!(page.form("Find").value("q"), "<i>nothing</i>");
    assert_eq!(page.follow(&mut admin, "Show all licenses").keys(), ["k"]);
}

#[test]
fn what_somebody_typed_is_never_read_as_html() {
    let server = Server::start();
    let mut admin = server.admin();
    let typed = "\"><script>alert(1)</script>'&amp;</title></textarea>";
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", typed).fill("license_key", typed);
    let license = form
        .fill("user_id", typed)
        .submit(&mut admin, "Add license");
    assert_eq!(
        license.flash().unwrap(),
        format!("License of {typed} for {typed} added.")
    );
    assert_eq!(
        (license.title(), license.heading()),
        (typed.into(), typed.into())
    );
    let table = license.follow(&mut admin, "Licenses");
    assert_eq!(table.rows()[0][..3], [typed; 3]);
    let found = table.form("Find").fill("q", typed).fill("tool", typed);
    let found = found.submit(&mut admin, "Find");
    assert_eq!(found.form("Find").value("q"), typed);
    assert_eq!(found.keys(), [typed]);
    let taken = add(&mut admin, typed, typed);
    assert_eq!(taken.form("/licenses/new").value("license_key"), typed);
    assert_eq!(taken.suggestions("tool_name"), [typed]);
    let similar = add(&mut admin, &typed.to_uppercase(), "k");
    assert!(similar.alert().contains(typed));
    let edit = license.follow(&mut admin, "Edit");
    let dated = edit
        .form("/edit")
        .fill("expiration_date", "<b>\"2026\"</b>");
    let dated = dated.submit(&mut admin, "Save changes");
    assert!(
        dated
            .problem("expiration_date")
            .unwrap()
            .contains("`<b>\"2026\"</b>`")
    );
    let asks = license.follow(&mut admin, "Delete …");
    assert!(asks.text().contains(typed));
    let deleted = asks.form("/delete").submit(&mut admin, "Delete license");
    assert!(deleted.flash().unwrap().contains(typed));
    for page in [
        license, table, found, taken, similar, edit, dated, asks, deleted,
    ] {
        assert!(page.all("script, main b").is_empty(), "{}", page.path);
    }
}

#[test]
fn a_license_that_is_not_there_is_a_404_page() {
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
            (page.status, page.heading().as_str()),
            (404, "There is nothing here"),
            "{path}"
        );
        assert_eq!(page.follow(&mut admin, "To the licenses").path, "/licenses");
    }
}

#[test]
fn a_license_that_another_admin_deleted_meanwhile_is_a_404_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "k");
    let license = Page::open(&mut admin, &format!("/licenses/{id}"));
    let edit = license.follow(&mut admin, "Edit").form("/edit");
    let delete = license.follow(&mut admin, "Delete …").form("/delete");
    admin.delete(&format!("/api/licenses/{id}"));
    for (form, button) in [
        (edit, "Save changes"),
        (delete, "Delete license"),
        (license.form("/status"), "Revoke"),
    ] {
        assert_eq!(form.submit(&mut admin, button).status, 404, "{button}");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_a_503_page_without_inner_words() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.license("T", "k");
    let file = server.folder.path().join("data/licenses.db");
    let db = rusqlite::Connection::open(file).unwrap();
    db.execute_batch("pragma ignore_check_constraints = on; update licenses set status = 'odd'")
        .unwrap();
    for path in ["/licenses", &format!("/licenses/{id}")] {
        let page = Page::open(&mut admin, path);
        assert_eq!((page.status, page.text().contains("odd")), (503, false));
        assert!(page.text().contains("Try again in a moment."));
    }
}

#[test]
fn a_wrong_method_is_a_405_page() {
    let server = Server::start();
    for (method, path, allow) in [
        ("POST", "/licenses", "GET, HEAD"),
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

/// Every form that writes, read by this client; none would fail for its values.
fn forms(client: &mut Client, id: i64) -> Vec<(Form, &'static str)> {
    let page = Page::open(client, &format!("/licenses/{id}"));
    let new = Page::open(client, "/licenses/new").form("/licenses/new");
    let new = new.fill("tool_name", "T").fill("license_key", "new");
    let edit = page.follow(client, "Edit").form("/edit");
    let delete = page.follow(client, "Delete …").form("/delete");
    vec![
        (new, "Add license"),
        (edit.fill("license_key", "changed"), "Save changes"),
        (page.form("/status"), "Revoke"),
        (delete, "Delete license"),
        (page.form("/logout"), "Sign out"),
    ]
}

#[test]
fn a_form_without_its_hidden_value_or_with_another_sessions_changes_nothing() {
    let server = Server::start();
    let (mut admin, mut other) = (server.admin(), server.admin());
    let id = server.license("T", "k");
    let before = admin.get("/api/licenses").body;
    for (form, button) in forms(&mut other, id) {
        assert_eq!(form.submit(&mut admin, button).status, 403, "{button}");
        let empty = form.set("csrf", "");
        assert_eq!(empty.submit(&mut admin, button).status, 403, "{button}");
        let none = empty.without("csrf");
        assert_eq!(none.submit(&mut admin, button).status, 403, "{button}");
    }
    assert_eq!(admin.get("/api/licenses").body, before);
}

#[test]
fn a_form_that_another_site_sends_changes_nothing() {
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
        for (form, button) in forms(&mut admin, id) {
            let mut tricked = server.stranger().header(name, value);
            tricked.cookies = admin.cookies.clone();
            let page = form.submit(&mut tricked, button);
            assert_eq!(page.status, 403, "{name}: {value}, {button}");
            assert_eq!(page.heading(), "That is not allowed");
        }
        let mut tricked = server.stranger().header(name, value);
        let form = Page::open(&mut tricked, "/login").form("/login");
        let form = form.fill("username", "admin").fill("password", PASSWORD);
        assert_eq!(form.submit(&mut tricked, "Sign in").status, 403);
        assert!(tricked.cookies.is_empty());
    }
    assert_eq!(admin.get("/api/licenses").body, before);
}

#[test]
fn a_form_that_is_not_utf8_is_a_400_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    for bytes in [&b"\xff\xfe"[..], b"%FF%FE", b"a%C3", b"%c3%28"] {
        let csrf = form.value("csrf").to_owned();
        let fields = format!("csrf={csrf}&status=activated&tool_name=T&license_key=");
        let page = form.send(&mut admin, &[fields.as_bytes(), bytes].concat());
        assert_eq!(page.status, 400, "{bytes:?}: {}", page.text());
        assert!(page.text().contains("The form is not UTF-8 text."));
    }
    assert_eq!(rows(&server), 0);
}

#[test]
fn a_form_that_is_too_large_is_a_413_page_and_a_wrong_type_a_415_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let large = form.set("user_id", &"x".repeat(64 * 1024));
    assert_eq!(large.submit(&mut admin, "Add license").status, 413);
    let answer = admin.post("/licenses/new", "{}");
    assert_eq!(answer.status, 415);
    assert!(answer.body.contains("application/x-www-form-urlencoded"));
}

#[test]
fn every_page_can_be_read_by_everybody() {
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
    pages.push(login.submit(&mut server.stranger(), "Sign in"));
    pages.push(add(&mut admin, "", ""));
    pages.push(add(&mut admin, "Tool_A", MAC));
    pages.push(add(&mut admin, "tool_a", MAC));
    pages.push(add(&mut admin, "T", "added"));
    pages.push(Page::open(&mut admin, &format!("/licenses/{id}")));
    let status = pages[8].form("/status");
    pages.push(status.submit(&mut admin, "Revoke"));
    let license = format!("/licenses/{id}");
    pages.push(status.set("csrf", "").submit(&mut admin, "Revoke"));
    for path in [
        &format!("{license}/edit"),
        &format!("{license}/delete"),
        "/licenses",
        "/licenses?q=nothing",
        "/licenses?after=9",
        "/licenses/9",
        "/account",
        "/audit",
    ] {
        pages.push(Page::open(&mut admin, path));
    }
    let account = Page::open(&mut admin, "/account").form("Make a token");
    pages.push(account.submit(&mut admin, "Make a token"));
    many(&server);
    pages.push(Page::open(&mut admin, "/licenses?tool=T%26U&before=100"));
    for page in &pages {
        is_plain(page);
        has_names(page);
    }
}

/// No script and no style inside the page, which our own policy would forbid.
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

/// What a person needs who hears the page: language, title, landmarks, one heading that says where
/// they are, a name for every control.
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
fn below_a_path_every_link_form_and_redirect_stays_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "public_url = 'http://127.0.0.1/licenseserver'").unwrap();
    let read = license_server::config::Config::load(Some(&file), std::iter::empty()).unwrap();
    let server = Server::with(|config| config.public_url = read.public_url);
    let mut client = server.stranger();
    let page = sign_in(&mut client, "/licenses?q=k");
    assert_eq!(page.path, "/licenses?q=k");
    let license = add(&mut client, "T", "k");
    let similar = add(&mut client, "t", "k2").form("/licenses/new");
    similar.submit(&mut client, "Keep t");
    let edit = license.follow(&mut client, "Edit").form("/edit");
    assert_eq!(edit.submit(&mut client, "Save changes").status, 200);
    let filtered = license.follow(&mut client, "T");
    assert_eq!(
        filtered.form("Find").submit(&mut client, "Find").keys(),
        ["k"]
    );
    let page = license.form("/status").submit(&mut client, "Revoke");
    let asks = page.follow(&mut client, "Delete …").form("/delete");
    assert_eq!(asks.submit(&mut client, "Delete license").keys(), ["k2"]);
    let page = page.form("/logout").submit(&mut client, "Sign out");
    assert_eq!(page.path, "/login");
    for (_, address) in page.links().into_iter().filter(|(_, to)| to != "#main") {
        assert!(address.starts_with("/licenseserver/"), "{address}");
    }
}

#[test]
fn what_was_typed_outlives_the_session() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form
        .set("tool_name", "Tool & Söhne")
        .set("license_key", "a+b=c%20d");
    server.clock.turn(31 * 60);
    let login = form.submit(&mut admin, "Add license");
    assert_eq!(login.status, 401);
    assert!(login.text().contains("nothing that you typed is lost"));
    let form = login
        .form("/login")
        .set("username", "admin")
        .set("password", PASSWORD);
    let resumed = form.submit(&mut admin, "Sign in");
    assert_eq!(rows(&server), 0);
    let page = resumed
        .form("/licenses/new")
        .submit(&mut admin, "Send it now");
    assert!(
        page.text()
            .contains("License of Tool & Söhne for a+b=c%20d added."),
        "{}",
        page.text()
    );
}
