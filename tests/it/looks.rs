//! How the pages look in a real browser, with values that nobody chose to be short.

use license_server::model::activation_code::{CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use license_server::model::customer::NamedCustomer;
use license_server::model::order::{NewOrder, SentItem};
use license_server::model::role::Role;
use license_server::model::shops::{ProductDraft, ShopKind};
use license_server::model::user::UserValues;
use license_server::model::webhook::WebhookDraft;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::bulk::{EXTEND_BY_1_YEAR, set_customer};
use crate::engine::once;
use crate::import::upload;
use crate::page::{Page, address};
use crate::server::{PASSWORD, Server};
use crate::two_factors::walk;

const WIDTHS: [u32; 10] = [320, 360, 768, 800, 820, 900, 1000, 1024, 1280, 1600];

/// A phone, a tablet and a desk.
const DEVICES: [u32; 3] = [360, 800, 1280];

/// A server with a few of everything, and the paths of its pages.
pub fn furnished() -> (Server, Vec<String>) {
    furnish(Server::start())
}

pub fn furnish(server: Server) -> (Server, Vec<String>) {
    let long = |letter: &str, length| letter.repeat(length);
    let (tool, key) = (long("M", 100), long("W", 255));
    let id = server.add(json!({
        "tool_name": tool, "license_key": key, "user_id": long("@", 255),
        "expiration_date": "2026-06-16", "note": long("N", 500)
    }));
    for (tool_name, license_key, user_id) in [
        ("Müllerwerkzeug", long("ÄÖÜ-", 60), long("Ü", 255)),
        ("أداة", long("مفتاح", 20), "محمد بن عبد الله".to_owned()),
        ("Tool 🔧", long("🔑", 60), long("👩", 60)),
    ] {
        server.add(json!({
            "tool_name": tool_name, "license_key": license_key, "user_id": user_id,
            "expiration_date": "2026-07-01"
        }));
    }
    for n in 0..50 {
        let fields = json!({
            "tool_name": "CncPostprocessor", "license_key": format!("3c:52:82:aa:bb:{n:02x}"),
            "user_id": "Anna Baker, Praxis Dr. Wolf", "expiration_date": "2027-01-31"
        });
        server.admin().post("/api/licenses", &fields.to_string());
    }
    server.check(&tool, &key);
    server.check(&tool, &long("Q", 255));
    server.tick().unwrap();
    let rows = format!("Program,key,user,Mail\nT,k,Bob,x\nT,{key},{tool},x\nT,,Bob,x\n");
    let values = CodeValues {
        customer: long("Ü", 255),
        order_ref: long("O", 100),
        note: long("N", 500),
        ..CodeValues::new(10_000, CodeTerm::Days(36_500))
    };
    let actor = Actor::command_line();
    let codes = server.service.create_codes(&actor, &tool, &values, 51);
    let code = codes.unwrap().remove(0).id;
    server
        .service
        .add_machines(&actor, code, &[(tool.clone(), long("V", 255))])
        .unwrap();
    let import = upload(&mut server.admin(), "licenses.csv", rows).path;
    let license = format!("/licenses/{id}");
    let mut admin = server.admin();
    let page = Page::open(&mut admin, &format!("/customer?name={}", long("@", 255))).path;
    let bob = Page::open(&mut admin, "/customers?q=wolf").follow(&mut admin, "/customers/");
    let form = format!("{}/edit", bob.path);
    let (note, email) = (long("N", 500), format!("{}@example.com", long("m", 200)));
    let form = Page::open(&mut admin, &form).form(&form);
    form.fill("note", &note)
        .fill("email", &email)
        .submit(&mut admin);
    let customer = set_customer(&long("@", 255));
    let (shop, _) = server
        .service
        .create_shop(&actor, ShopKind::Generator, &long("S", 100))
        .unwrap();
    let product = ProductDraft {
        product: long("P", 100),
        tool_name: tool.clone(),
        ..ProductDraft::default()
    };
    server.service.set_product(&actor, shop, &product).unwrap();
    let stripe = server
        .service
        .create_shop(&actor, ShopKind::Stripe, "Stripe");
    let stripe = stripe.unwrap().0;
    let sold = SentItem {
        tool_name: Some(tool.clone()),
        edition: Some(long("E", 50)),
        features: Some(vec![long("F", 50), long("G", 50)]),
        updates_days: Some(36_500),
        ..SentItem::default()
    };
    let renewed = SentItem {
        tool_name: Some(tool.clone()),
        renews: Some(long("R", 100)),
        ..SentItem::default()
    };
    for (reference, item) in [("R", sold), ("S", renewed)] {
        let customer = NamedCustomer::lenient(&long("Ü", 255), "");
        let order = NewOrder::parse(&long(reference, 100), customer, vec![item], false);
        let source = format!("shop {shop}");
        let placed = server.service.place_order(&actor, &source, &order.unwrap());
        placed.unwrap();
    }
    let webhook = WebhookDraft {
        url: format!("https://{}.invalid/{}", long("h", 60), long("u", 400)),
        description: long("D", 200),
        events: vec![],
    };
    server.service.create_webhook(&actor, &webhook).unwrap();
    server.service.send_test_event(1).unwrap();
    let person = UserValues {
        name: long("n", 50),
        email: email.clone(),
        role: Role::Staff,
    };
    server.service.add_person(&person, PASSWORD).unwrap();
    // Mailed, its link would not be known.
    let person = UserValues {
        name: long("i", 50),
        email: match server.service.sends_mail() {
            true => String::new(),
            false => person.email,
        },
        ..person
    };
    let invitation = server.service.invite(&actor, 1, &person).unwrap();
    let invitation = invitation.url.unwrap();
    let invitation = invitation[invitation.find("/invitation/").unwrap()..].to_owned();
    let paths = [
        "/".to_owned(),
        "/licenses".to_owned(),
        "/licenses?sort=key".to_owned(),
        format!("/licenses?q={}", long("Q", 255)),
        format!("/licenses?q=M&customer={}", long("@", 255)),
        "/licenses/new".to_owned(),
        license.clone(),
        format!("{license}/edit"),
        format!("{license}/move"),
        format!("{license}/delete"),
        format!("/bulk?id={id}&{EXTEND_BY_1_YEAR}"),
        format!("/bulk?id={id}&{customer}"),
        format!("/bulk?id={id}&do=expiration&day=2127-01-01"),
        address::UNLICENSED.to_owned(),
        address::DIAGNOSE.to_owned(),
        format!("{}?tool={tool}&key={}", address::DIAGNOSE, long("W", 254)),
        "/customers".to_owned(),
        format!("/customers?q={}", long("Q", 255)),
        bob.path,
        page.clone(),
        format!("{page}/edit"),
        format!("{page}/merge?with={}", long("Q", 255)),
        format!("{page}/merge?with={email}"),
        format!("{page}/erase"),
        "/tools".to_owned(),
        format!("/tool?name={tool}"),
        format!("/tool/integration?name={tool}"),
        format!("/tool/integration/api?name={tool}"),
        "/codes".to_owned(),
        format!("/codes?q={}", long("Q", 99)),
        "/codes/new".to_owned(),
        format!("/codes/made?first={code}"),
        format!("/codes/{code}"),
        format!("/codes/{code}/edit"),
        "/codes/import".to_owned(),
        "/import".to_owned(),
        import,
        "/settings".to_owned(),
        "/security".to_owned(),
        "/account".to_owned(),
        "/people/2/reset-factor".to_owned(),
        "/keys".to_owned(),
        "/people".to_owned(),
        "/people/new".to_owned(),
        "/people/1".to_owned(),
        "/people/2".to_owned(),
        "/people/2/remove".to_owned(),
        invitation,
        "/shops".to_owned(),
        "/mail".to_owned(),
        "/mail/texts".to_owned(),
        format!("/mail/texts/edit?event=reminder&language=de&tool={tool}"),
        "/digest".to_owned(),
        format!("/shops/{shop}"),
        format!("/shops/{shop}/secret"),
        format!("/shops/{shop}/products/1/delete"),
        format!("/shops/{stripe}"),
        format!("/shops/{stripe}/delete"),
        "/orders".to_owned(),
        format!("/orders?reference={}", long("Q", 255)),
        "/orders/1".to_owned(),
        "/orders/2".to_owned(),
        "/orders/1/revoke".to_owned(),
        "/webhooks".to_owned(),
        "/webhooks/new".to_owned(),
        "/webhooks/1".to_owned(),
        "/webhooks/1/edit".to_owned(),
        "/webhooks/1/delete".to_owned(),
        "/webhooks/1/events/1".to_owned(),
        "/audit".to_owned(),
        "/nowhere".to_owned(),
        format!("/claim?tool={tool}&machine={key}"),
        "/claim?lang=de".to_owned(),
        "/machine?code=ABCDEF".to_owned(),
        "/offline".to_owned(),
        "/claim?request=&lang=de".to_owned(),
        "/my".to_owned(),
        format!("/my/link/{}?lang=de", "a".repeat(43)),
    ];
    (server, paths.to_vec())
}

#[test]
fn no_page_runs_off_sideways() {
    if !once() {
        return;
    }
    let Some(browser) = Browser::start() else {
        return;
    };
    let (server, paths) = furnished();
    browser.go(&format!("{}/login", server.url));
    fits(&browser, "/login");
    browser.enter(&server);
    for path in paths {
        browser.go(&format!("{}{path}", server.url));
        fits(&browser, &path);
    }
    walk(&browser, &server, &mut |page| fits(&browser, page));
}

fn fits(browser: &Browser, path: &str) {
    for width in WIDTHS {
        browser.resize(width);
        let over = "return document.documentElement.scrollWidth - innerWidth";
        let over = browser.script(over).as_i64().unwrap();
        assert!(over <= 0, "{path} is {over} px too wide at {width} px");
    }
}

/// The controls that are not where a person sees them when they have focus.
const UNSEEN: &str = "
    const controls = 'a[href], button, input, select, textarea, summary, [tabindex]';
    const unseen = [];
    for (const control of document.querySelectorAll(controls)) {
        if (control.tabIndex < 0) continue;
        control.focus();
        if (document.activeElement !== control) continue;
        const box = control.getClientRects()[0];
        const middle = (from, to, end) => (Math.max(from, 0) + Math.min(to, end)) / 2;
        const x = middle(box.left, box.right, innerWidth);
        const y = middle(box.top, box.bottom, innerHeight);
        const top = document.elementFromPoint(x, y);
        if (!top || !control.contains(top)) unseen.push(control.outerHTML.slice(0, 200));
    }
    return unseen";

#[test]
fn what_has_focus_is_seen() {
    if !once() {
        return;
    }
    let Some(browser) = Browser::start() else {
        return;
    };
    let (server, paths) = furnished();
    browser.enter(&server);
    for path in paths {
        browser.go(&format!("{}{path}", server.url));
        for width in DEVICES {
            browser.resize(width);
            assert_eq!(browser.script(UNSEEN), json!([]), "{path} at {width} px");
        }
    }
}

#[test]
fn without_column_headings_a_select_sorts() {
    if !once() {
        return;
    }
    let Some(browser) = Browser::start() else {
        return;
    };
    let (server, _) = furnished();
    browser.enter(&server);
    browser.go(&format!("{}/licenses", server.url));
    let is_shown = "return document.querySelector('[name=sort]').checkVisibility()";
    browser.resize(1280);
    assert_eq!(browser.script(is_shown), json!(false));
    browser.resize(360);
    assert_eq!(browser.script(is_shown), json!(true));
    browser.click("[name=sort] option[value='key']");
    browser.click("#filter .actions button");
    browser.find("th[aria-sort=ascending]");
    let first = "return document.querySelector('tbody th').innerText";
    assert_eq!(browser.script(first), json!("3c:52:82:aa:bb:00"));
}

#[test]
fn a_printed_table_is_rows_and_nothing_else() {
    if !once() {
        return;
    }
    let Some(browser) = Browser::start() else {
        return;
    };
    let (server, _) = furnished();
    browser.enter(&server);
    browser.go(&format!("{}/licenses", server.url));
    browser.devtools("Emulation.setEmulatedMedia", &json!({"media": "print"}));
    let shown = |selector: &str| -> Value {
        browser.script(&format!(
            "const all = [...document.querySelectorAll('{selector}')];
             return all.filter(e => e.checkVisibility()).length"
        ))
    };
    assert_eq!(shown("tbody tr"), json!(50));
    assert_eq!(shown("button, input, select, nav, footer"), json!(0));
    let heads = "return getComputedStyle(document.querySelector('thead')).display";
    assert_eq!(browser.script(heads), json!("table-header-group"));
}

#[test]
fn the_keyboard_gets_past_the_rows_to_the_bulk_changes() {
    if !once() {
        return;
    }
    let Some(browser) = Browser::start() else {
        return;
    };
    let (server, _) = furnished();
    browser.enter(&server);
    for path in ["/licenses", address::UNLICENSED] {
        browser.go(&format!("{}{path}", server.url));
        let stops = browser.script(
            "const stops = [...document.querySelectorAll('a[href], button, input, select, summary')];
             const skip = stops.findIndex(stop => stop.hash === '#bulk-bar');
             stops[skip].click();
             return [skip < 40, document.activeElement.contains(document.querySelector('.bulk-bar button'))]",
        );
        assert_eq!(stops, json!([true, true]), "{path}");
    }
}
