//! What is asked before something doubtful is stored, or something is lost.

use serde_json::json;

use crate::guards::token;
use crate::page::{Page, address::UNLICENSED, urlencoded};
use crate::server::{Client, Server};
use license_server::model::machine_code::machine_code;

fn names(admin: &mut Client) -> Vec<String> {
    let rows = Page::open(admin, "/tools").rows();
    rows.into_iter().map(|row| row[0].clone()).collect()
}

#[test]
fn a_tool_beside_one_of_nearly_the_same_name_is_added_only_on_purpose() {
    let server = Server::start();
    let mut admin = server.admin();
    let add = |admin: &mut Client, name: &str| {
        let form = Page::open(admin, "/tools").form("/tools");
        form.fill("tool_name", name).submit(admin)
    };
    add(&mut admin, "YourTool");
    for name in ["YourTol", "Your Tool", "YourTooll"] {
        let asked = add(&mut admin, name);
        assert_eq!(asked.status, 422, "{name}");
        let known = asked.press(&mut admin, "use_tool_name=YourTool");
        assert_eq!(known.heading(), "YourTool");
    }
    assert_eq!(names(&mut admin), ["YourTool"]);
    let asked = add(&mut admin, "YourTol");
    asked.press(&mut admin, "keep_tool_name=YourTol");
    add(&mut admin, "LabelPrinter");
    assert_eq!(names(&mut admin).len(), 3);

    let path = "/tool/rename?name=YourTol";
    let rename = |admin: &mut Client, name: &str| {
        let form = Page::open(admin, path).form("/tool/rename");
        form.fill("tool_name", name).submit(admin)
    };
    let asked = rename(&mut admin, "LabelPrintr");
    assert_eq!((asked.status, names(&mut admin).len()), (422, 3));
    let renamed = asked.press(&mut admin, "keep_tool_name=LabelPrintr");
    assert_eq!(renamed.heading(), "LabelPrintr");
    // A tool is no near miss of itself.
    let form = Page::open(&mut admin, "/tool/rename?name=LabelPrintr").form("/tool/rename");
    let asked = form.fill("tool_name", "YourTool2").submit(&mut admin);
    assert_eq!(asked.heading(), "YourTool2");
}

#[test]
fn a_machine_code_leads_to_the_machine_that_it_names() {
    let server = Server::start();
    let key = "28:16:ad:0b:00:01";
    server.check("T", key);
    server.tick().unwrap();
    let id = server.license("T", "old");
    let mut admin = server.admin();
    let code = machine_code("T", key);
    let path = format!("/licenses/{id}/move");
    let form = Page::open(&mut admin, &path).form("/move");
    for typed in [format!("Code: {code}"), code.replace('-', "\u{2013}")] {
        let form = form.clone().fill("license_key", &typed);
        let asked = form.submit(&mut admin);
        assert_eq!(asked.status, 422, "{typed}");
        asked.form_with(&format!("use_license_key={key}"));
    }
    let asked = form.fill("license_key", &code).submit(&mut admin);
    assert_eq!((asked.status, server.check("T", "old").0), (422, 200));
    let moved = asked.press(&mut admin, &format!("use_license_key={key}"));
    assert_eq!(moved.heading(), key);
    // So it does now that the machine has a license.
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", "T2");
    let asked = form
        .clone()
        .fill("license_key", &code.to_lowercase())
        .submit(&mut admin);
    let added = asked.press(&mut admin, &format!("use_license_key={key}"));
    assert_eq!(added.heading(), key);
    let typed = form.clone().fill("license_key", "K7QM-2XWD-9FHT-VR4B");
    assert_eq!(typed.submit(&mut admin).status, 422);
    let typed = form.clone().fill("license_key", &format!("Code: {code}"));
    let asked = typed.submit(&mut admin);
    asked.form_with(&format!("use_license_key={key}"));
    // Only what looks like one.
    let form = form.fill("license_key", "PC-488");
    assert_eq!(form.submit(&mut admin).status, 200);
}

#[test]
fn an_implausible_date_for_many_licenses_is_asked_about() {
    let server = Server::start();
    let id = server.license("T", "k");
    let mut admin = server.admin();
    let date = |admin: &mut Client| {
        let license = admin.get(&format!("/api/licenses/{id}")).json();
        license["expiration_date"].clone()
    };
    let preview = |day: &str| {
        let day = urlencoded(day);
        format!("/bulk?id={id}&of=selected&do=expiration&day={day}")
    };
    for (typed, day) in [
        ("1.1.2127", "2127-01-01"),
        ("1970-01-01", "1970-01-01"),
        ("2020-01-01", "2020-01-01"),
    ] {
        let asked = Page::open(&mut admin, &preview(typed));
        assert_eq!((asked.status, asked.has_form("/bulk")), (422, true));
        assert!(asked.all("[name=start]").is_empty(), "{typed}");
        let kept = asked.follow_text(&mut admin, &format!("Keep {day}"));
        kept.press(&mut admin, "start=");
        assert_eq!(date(&mut admin), day);
    }
    // The same form without its answer.
    let form = Page::open(&mut admin, &preview("2127-01-01")).follow(&mut admin, "keep=2127");
    let form = form.form_with("start=");
    let unanswered = form.value("query").replace("keep=", "was=");
    let asked = form.set("query", &unanswered).press(&mut admin, "start=");
    assert_eq!((asked.status, date(&mut admin)), (422, json!("2020-01-01")));
    for day in ["3/4/2027", "46752", "soon", ""] {
        let page = Page::open(&mut admin, &preview(day));
        assert_eq!((page.status, page.all("#problem").len()), (422, 1), "{day}");
        let form = page.form_with("do=expiration");
        assert_eq!(form.value("day"), day);
    }
    let updates = format!("/bulk?id={id}&of=selected&do=set&field=updates_until&value=2127-01-01");
    assert_eq!(Page::open(&mut admin, &updates).status, 422);
    let path = format!("/licenses/{id}/edit");
    let form = Page::open(&mut admin, &path).form(&path);
    let asked = form.fill("updates_until", "1.1.2127").submit(&mut admin);
    assert_eq!(asked.status, 422);
    let saved = asked.press(&mut admin, "keep_updates_until=2127-01-01");
    assert_eq!(saved.status, 200);
}

#[test]
fn a_date_in_the_past_is_confirmed_for_an_unlicensed_machine() {
    let server = Server::start();
    server.check("T", "m1");
    server.tick().unwrap();
    let mut admin = server.admin();
    let list = Page::open(&mut admin, UNLICENSED).form("/unlicensed/decide");
    let form = list.tick("machine", "T\tm1").press(&mut admin, "do=add");
    let form = form.form("/unlicensed/add");
    for day in ["2127-01-01", "2020-01-01"] {
        let asked = form.clone().fill("expiration_date", day);
        let asked = asked.submit(&mut admin);
        assert_eq!(asked.status, 422);
        assert_eq!(server.check("T", "m1").0, 404);
        if day == "2020-01-01" {
            asked.press(&mut admin, &format!("keep_expiration_date={day}"));
        }
    }
    let rows = admin.get("/api/licenses").json();
    assert_eq!(rows[0]["expiration_date"], "2020-01-01");
}

#[test]
fn a_date_in_a_filter_is_kept_as_it_was_typed() {
    let server = Server::start();
    for (key, day) in [("early", "2027-01-01"), ("late", "2028-01-01")] {
        server.add(json!({"tool_name": "T", "license_key": key, "expiration_date": day}));
    }
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/licenses?from=31.12.2027");
    assert_eq!(page.keys(), ["late"]);
    // Another search keeps it.
    let form = page.form("/licenses").fill("tool", "T");
    assert_eq!(form.value("from"), "31.12.2027");
    for day in ["3/4/2027", "46752", "soon"] {
        let page = Page::open(&mut admin, &format!("/licenses?until={}", urlencoded(day)));
        assert!(page.texts(".problem").concat().contains(day), "{day}");
    }
}

#[test]
fn what_cannot_be_undone_is_asked_first() {
    let server = Server::start();
    let mut admin = server.admin();
    let secret = token(&mut admin, "nightly", "read=true", "2026-12-31");
    let bearer = format!("Bearer {secret}");
    let mut script = server.stranger().header("Authorization", &bearer);
    let page = Page::open(&mut admin, "/account");
    assert!(!page.has_form("/revoke"));
    let asked = page.follow(&mut admin, "/account/tokens/1/revoke");
    assert!(asked.heading().contains("nightly"));
    assert_eq!(script.get("/api/licenses").status, 200);
    asked.form("/revoke").submit(&mut admin);
    assert_eq!(script.get("/api/licenses").status, 401);
    assert_eq!(
        Page::open(&mut admin, "/account/tokens/7/revoke").status,
        404
    );

    let form = Page::open(&mut admin, "/shops").form("/shops");
    let form = form.fill("name", "Mine").fill("kind", "generator");
    form.submit(&mut admin);
    let form = Page::open(&mut admin, "/shops/1").form("/products");
    let form = form.fill("product", "p-1").fill("tool_name", "T");
    let page = form.submit(&mut admin);
    assert!(!page.has_form("/products/1/delete") && !page.has_form("/secret"));
    let asked = page.follow(&mut admin, "/products/1/delete");
    assert!(asked.heading().contains("p-1"));
    let products = |server: &Server| server.service.shop(1).unwrap().products.len();
    assert_eq!(products(&server), 1);
    asked.form("/delete").submit(&mut admin);
    assert_eq!(products(&server), 0);
}

#[test]
fn a_product_of_a_shop_is_asked_about_like_the_codes_that_it_sells() {
    let server = Server::start();
    server.license("PdfBatchPro", "k");
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/shops").form("/shops");
    let form = form.fill("name", "Mine").fill("kind", "generator");
    form.submit(&mut admin);
    let form = Page::open(&mut admin, "/shops/1").form("/products");
    let form = form
        .fill("product", "p-1")
        .fill("tool_name", "PdfBatchProo")
        .fill("expiration_date", "1.1.1970");
    let products = || server.service.shop(1).unwrap().products;
    let asked = form.submit(&mut admin);
    assert_eq!((asked.status, products().len()), (422, 0));
    // One answer does not answer the other question.
    let asked = asked.press(&mut admin, "use_tool_name=PdfBatchPro");
    assert_eq!((asked.status, products().len()), (422, 0));
    let kept = asked.press(&mut admin, "keep_expiration_date=1970-01-01");
    assert_eq!(kept.status, 200);
    let sold = products().remove(0).item;
    assert_eq!(
        (&*sold.tool_name, sold.expiration_date.as_deref()),
        ("PdfBatchPro", Some("1970-01-01"))
    );
    assert_eq!(kept.texts("td .mark"), ["expired"]);
    for day in ["2020-01-01", "2127-01-01"] {
        let form = kept.form("/products").fill("product", "p-2");
        let form = form.fill("tool_name", "PdfBatchPro");
        let asked = form.fill("expiration_date", day).submit(&mut admin);
        assert_eq!((asked.status, products().len()), (422, 1), "{day}");
    }
}
