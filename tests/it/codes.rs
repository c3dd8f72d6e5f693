//! The pages of activation codes.

use license_server::model::activation_code::{ActivationCode, CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use license_server::model::license::Status;
use serde_json::json;
use time::macros::date;

use crate::import::{INVALID_FILE, all_numbers};
use crate::page::Page;
use crate::server::{Client, PASSWORD, Server};

const DAY: i64 = 86_400;
const BOUNDARY: &str = "----codes";

fn code(server: &Server, seats: i64, change: impl FnOnce(&mut CodeValues)) -> ActivationCode {
    let mut values = CodeValues::new(seats, CodeTerm::Until(date!(2026 - 12 - 31)));
    change(&mut values);
    let actor = Actor::command_line();
    let made = server.service.create_codes(&actor, "Tool_A", &values, 1);
    made.unwrap().remove(0)
}

fn activate(server: &Server, code: &ActivationCode, key: &str) -> u16 {
    let body = json!({"tool_name": "Tool_A", "activation_code": code.shown(), "license_key": key});
    let answer = server.stranger().post("/api/activate", &body.to_string());
    answer.status
}

fn page_of(code: &ActivationCode) -> String {
    format!("/codes/{}", code.id)
}

/// The codes in the table at that address.
fn listed(admin: &mut Client, query: &str) -> Vec<String> {
    Page::open(admin, &format!("/codes{query}")).keys()
}

/// Sends the import form, with fields that only the browser's own form has.
pub fn import(admin: &mut Client, fields: &[(&str, &str)]) -> Page {
    let form = Page::open(admin, "/codes/import").form("/codes/import");
    let mut body = String::new();
    for (name, value) in [&[("csrf", form.value("csrf"))], fields].concat() {
        body += &format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    body += &format!("--{BOUNDARY}--\r\n");
    let (origin, kind) = (
        admin.origin(),
        format!("multipart/form-data; boundary={BOUNDARY}"),
    );
    let headers = [("Content-Type", &*kind), ("Origin", &*origin)];
    let answer = admin.send("POST", "/codes/import", &headers, body.as_bytes());
    Page::after(admin, "/codes/import", answer)
}

#[test]
fn codes_are_created_shown_and_written_to_files() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/codes/new").form("/codes/new");
    let page = form
        .fill("tool_name", "Tool_A")
        .fill("number", "3")
        .fill("seats", "2")
        .fill("days", "30")
        .fill("customer", "Anna & Bob")
        .fill("email", "Anna+shop@Example.com")
        .fill("order_ref", "A-17")
        .submit(&mut admin);
    assert_eq!(page.status, 200, "{}", page.text());
    let codes = page.keys();
    assert_eq!(codes.len(), 3);
    let mails: Vec<String> = page.links().into_iter().map(|(_, to)| to).collect();
    let mail = mails.iter().find(|to| to.starts_with("mailto:")).unwrap();
    assert!(
        mail.starts_with("mailto:anna%2Bshop@example.com?subject="),
        "{mail}"
    );
    assert!(
        mail.contains(&codes[0]) && mail.contains("%2Fclaim%3Ftool%3DTool_A"),
        "{mail}"
    );
    assert!(!mail.contains(' '));
    let csv = page.link("/codes.csv").unwrap();
    let csv = admin.get(csv.strip_prefix(admin.base()).unwrap()).body;
    let lines: Vec<&str> = csv.lines().skip(1).collect();
    assert_eq!(lines.len(), 3);
    let expected = format!("{},Tool_A,activated,2,0,,30,3,Anna & Bob,A-17,,", codes[0]);
    assert!(lines[0].starts_with(&expected), "{csv}");
    let workbook = page.link("/codes.xlsx").unwrap();
    let workbook = admin.get(workbook.strip_prefix(admin.base()).unwrap());
    assert_eq!(workbook.status, 200);
    let row = Page::open(&mut admin, "/codes").rows().remove(0);
    let form = Page::open(&mut admin, "/codes/new");
    assert_eq!(form.suggestions("tool_name"), ["Tool_A"]);
    assert_eq!(
        row[1..7],
        [
            "Tool_A",
            "Anna & Bob",
            "A-17",
            "0 of 2",
            "activated",
            "30 days from first use"
        ]
    );
}

#[test]
fn a_wrong_form_keeps_what_was_typed_and_creates_nothing() {
    let server = Server::start();
    server.license("Tool_A", "k");
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/codes/new").form("/codes/new");
    let wrong = form
        .fill("number", "1001")
        .fill("seats", "0")
        .fill("expiration_date", "31.12.2027")
        .fill("days", "30")
        .fill("email", "nobody")
        .fill("note", "typed");
    let page = wrong.submit(&mut admin);
    assert_eq!(page.status, 422);
    assert_eq!(page.invalid_fields(), ["seats", "days", "email"]);
    let form = page.form("/codes/new");
    assert_eq!((form.value("note"), form.value("seats")), ("typed", "0"));
    let form = form.fill("seats", "1").fill("days", "").fill("email", "");
    assert_eq!(form.submit(&mut admin).invalid_fields(), ["number"]);
    // A tool that is nearly another is asked about.
    let form = form.fill("number", "1").fill("tool_name", "tool_a");
    let asked = form.submit(&mut admin);
    assert_eq!(asked.status, 422);
    assert_eq!(listed(&mut admin, ""), [""; 0]);
    let made = asked
        .form("/codes/new")
        .press(&mut admin, "use_tool_name=Tool_A");
    assert_eq!(made.status, 200);
    let row = Page::open(&mut admin, "/codes").rows().remove(0);
    assert_eq!([&row[1], &row[6]], ["Tool_A", "2027-12-31"]);
}

#[test]
fn a_form_that_comes_after_the_session_is_kept() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/codes/new").form("/codes/new");
    let form = form.fill("tool_name", "Tool_A").fill("note", "typed");
    server.clock.turn(12 * 3600);
    let login = form.submit(&mut admin);
    assert_eq!(login.status, 401);
    let login = login.form("/login").fill("username", "admin");
    let resumed = login.fill("password", PASSWORD).submit(&mut admin);
    let page = resumed.form("/codes/new").submit(&mut admin);
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(listed(&mut admin, "?q=typed").len(), 1);
}

#[test]
fn the_table_finds_codes_by_words_and_by_use() {
    let server = Server::start();
    let mut admin = server.admin();
    let customers = ["Müller", "Anna", "Bob"];
    let [unused, full, last] = customers.map(|customer| {
        code(&server, 1, |values| {
            values.customer = customer.to_owned();
            values.order_ref = format!("Order {customer}");
        })
    });
    assert_eq!(activate(&server, &full, "m1"), 200);
    assert_eq!(activate(&server, &last, "m2"), 200);
    let actor = Actor::command_line();
    let change = |values: &mut CodeValues| {
        values.seats = 2;
        values.term = CodeTerm::Until(date!(2026 - 06 - 30));
        values.status = Status::Suspended;
    };
    server.service.change_code(&actor, last.id, change).unwrap();
    let [unused, full, last] = [unused, full, last].map(|code| code.shown());
    assert_eq!(listed(&mut admin, ""), [&*last, &*full, &*unused]);
    for (query, expected) in [
        ("?q=muller", &unused),
        ("?q=order+anna", &full),
        (&format!("?q={}", &full[..9].to_lowercase()), &full),
        (&format!("?q={}", unused.replace('-', "+")), &unused),
        ("?status=suspended", &last),
        ("?state=unused", &unused),
        ("?state=full", &full),
        ("?state=next-30-days", &last),
    ] {
        assert_eq!(listed(&mut admin, query), [expected.as_str()], "{query}");
    }
    server.clock.turn(20 * DAY);
    let mut admin = server.admin();
    assert_eq!(listed(&mut admin, "?state=expired"), [last]);
    assert_eq!(listed(&mut admin, "?tool=Other"), [""; 0]);
    assert_eq!(Page::open(&mut admin, "/codes?state=other").status, 422);
}

#[test]
fn pages_of_the_table_lead_forth_and_back() {
    let server = Server::start();
    let values = CodeValues::new(1, CodeTerm::Perpetual);
    let actor = Actor::command_line();
    let made = server.service.create_codes(&actor, "Tool_A", &values, 120);
    let mut expected: Vec<String> = made.unwrap().iter().map(ActivationCode::shown).collect();
    expected.reverse();
    let mut admin = server.admin();
    let first = Page::open(&mut admin, "/codes?q=&tool=Tool_A");
    let second = first.next(&mut admin).unwrap();
    let third = second.next(&mut admin).unwrap();
    let all = [first.keys(), second.keys(), third.keys()].concat();
    assert_eq!(all, expected);
    assert!(third.next(&mut admin).is_none() && first.previous(&mut admin).is_none());
    let back = third.previous(&mut admin).unwrap();
    assert_eq!(back.keys(), second.keys());
    let first_again = back.previous(&mut admin).unwrap();
    assert_eq!(first_again.keys(), first.keys());
    assert!(first_again.previous(&mut admin).is_none());
}

#[test]
fn a_machine_is_added_and_its_seat_freed_by_hand() {
    let server = Server::start();
    let mut admin = server.admin();
    let code = code(&server, 1, |_| {});
    let add = |admin: &mut Client, key: &str| {
        let form = Page::open(admin, &page_of(&code)).form("/machines");
        form.fill("license_key", key).submit(admin)
    };
    let page = add(&mut admin, "\"0A-1B-2C-3D-4E-5F\"");
    assert_eq!(page.keys(), ["0a:1b:2c:3d:4e:5f"]);
    assert_eq!(server.check("Tool_A", "0a:1b:2c:3d:4e:5f").0, 200);
    let mistyped = "0A-1B-2C-3D-4E-5O";
    let asked = add(&mut admin, mistyped);
    assert_eq!((asked.status, asked.keys().len()), (422, 1));
    // All seats are taken.
    let kept = asked.press(&mut admin, &format!("keep={mistyped}"));
    assert_eq!(kept.status, 409);
    let refused = add(&mut admin, "second");
    assert_eq!(refused.status, 409);
    assert_eq!(refused.form("/machines").value("license_key"), "second");
    assert!(refused.problem("license_key").is_some());
    assert_eq!(add(&mut admin, "").status, 422);
    let freed = refused.press(&mut admin, "license_id=");
    assert!(freed.keys().is_empty());
    assert_eq!(server.check("Tool_A", "0a:1b:2c:3d:4e:5f").0, 404);
    // It is the admin's own act.
    assert_eq!(server.service.code_use(code.id).unwrap().moves, 0);
    freed.form("/undo").submit(&mut admin);
    assert_eq!(server.check("Tool_A", "0a:1b:2c:3d:4e:5f").0, 200);
    let history = Page::open(&mut admin, &page_of(&code));
    let events = history.texts("[aria-labelledby=history] td:nth-child(2)");
    assert_eq!(events.len(), 3, "{events:?}");
}

#[test]
fn a_code_is_suspended_extended_and_edited_and_each_is_undone() {
    let server = Server::start();
    let mut admin = server.admin();
    let code = code(&server, 2, |_| {});
    assert_eq!(activate(&server, &code, "m1"), 200);
    let term = || server.service.activation_code(code.id).unwrap().values.term;
    let page = Page::open(&mut admin, &page_of(&code));
    let suspended = page.press(&mut admin, "status=suspended");
    assert_eq!(server.check("Tool_A", "m1").0, 403);
    suspended.form("/undo").submit(&mut admin);
    assert_eq!(server.check("Tool_A", "m1").0, 200);
    let extended = page.press(&mut admin, "extend=1y");
    assert_eq!(term(), CodeTerm::Until(date!(2027 - 12 - 31)));
    extended.form("/undo").submit(&mut admin);
    assert_eq!(term(), CodeTerm::Until(date!(2026 - 12 - 31)));
    page.press(&mut admin, "extend=14d");
    assert_eq!(term(), CodeTerm::Until(date!(2027 - 01 - 14)));
    let form = Page::open(&mut admin, &format!("{}/edit", page_of(&code))).form("/edit");
    let saved = form
        .clone()
        .fill("expiration_date", "31.12.2028")
        .fill("customer", "Anna")
        .submit(&mut admin);
    assert!(saved.has_form("/undo"));
    assert_eq!(term(), CodeTerm::Until(date!(2028 - 12 - 31)));
    // The same form again changes only what nobody else has changed.
    let late = form.clone().fill("note", "late").submit(&mut admin);
    assert_eq!(late.status, 200);
    let conflict = form.fill("customer", "Bob").submit(&mut admin);
    assert_eq!(conflict.status, 409);
    assert_eq!(conflict.invalid_fields(), ["customer"]);
    let form = conflict.form("/edit");
    assert_eq!(
        (form.value("customer"), form.value("note")),
        ("Bob", "late")
    );
    form.submit(&mut admin);
    let values = server.service.activation_code(code.id).unwrap().values;
    assert_eq!((&*values.customer, &*values.note), ("Bob", "late"));
}

#[test]
fn days_from_first_use_are_extended_before_and_after_it() {
    let server = Server::start();
    let mut admin = server.admin();
    let code = code(&server, 1, |values| values.term = CodeTerm::Days(30));
    let term = || server.service.activation_code(code.id).unwrap().values.term;
    let page = Page::open(&mut admin, &page_of(&code));
    page.press(&mut admin, "extend=14d");
    assert_eq!(term(), CodeTerm::Days(44));
    assert_eq!(activate(&server, &code, "m1"), 200);
    page.press(&mut admin, "extend=14d");
    assert_eq!(term(), CodeTerm::Until(date!(2026 - 08 - 12)));
}

#[test]
fn the_search_field_leads_from_a_code_to_its_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let code = code(&server, 1, |_| {});
    server.license("Tool_A", "OLD-CODE-0001");
    let search = |admin: &mut Client, q: &str| {
        let form = Page::open(admin, "/").form("/licenses");
        form.fill("q", q).submit(admin).path
    };
    let typed = code.shown().to_lowercase().replace('-', " ");
    assert_eq!(search(&mut admin, &typed), page_of(&code));
    assert!(search(&mut admin, "K7QM-2XWD-9FHT-VR4B").starts_with("/licenses"));
    // A license with that key comes first.
    let text = "OLD-CODE-0001\nOLD-CODE-0002";
    let preview = import(&mut admin, &[("tool_name", "Tool_A"), ("text", text)]);
    preview.press(&mut admin, "short=yes");
    assert!(search(&mut admin, "OLD-CODE-0001").starts_with("/licenses"));
    assert!(search(&mut admin, "old-code-0002").starts_with("/codes/"));
}

#[test]
fn no_code_that_is_searched_for_gets_into_an_address() {
    let server = Server::start();
    let mut admin = server.admin();
    let code = code(&server, 1, |_| {});
    let typo = format!("{}A", &code.shown()[..code.shown().len() - 1]);
    let typo = if typo == code.shown() {
        format!("{}B", &typo[..18])
    } else {
        typo
    };
    let unknown = "AAAA-AAAA-AAAA-AAAA".to_owned();
    for table in ["/licenses", "/codes"] {
        let search = |admin: &mut Client, q: &str| {
            let form = Page::open(admin, &format!("{table}?tool=")).form(table);
            form.fill("q", q).submit(admin)
        };
        assert_eq!(search(&mut admin, &code.shown()).path, page_of(&code));
        assert_eq!(search(&mut admin, &code.shown()[..18]).path, page_of(&code));
        for wrong in [&typo, &unknown] {
            let page = search(&mut admin, wrong);
            assert_eq!(page.path.split('?').next(), Some(table));
            assert!(!page.path.contains(&wrong[..4]), "{}", page.path);
            assert!(page.flash().is_some(), "{wrong}");
        }
    }
    // What only looks like one is found: an order, and a license key.
    let orders = [1, 2].map(|_| {
        let made = self::code(&server, 1, |values| {
            values.order_ref = "ORDER-2026-118723".to_owned()
        });
        made.shown()
    });
    let form = Page::open(&mut admin, "/codes").form("/codes");
    let found = form.fill("q", "order 2026 118723").submit(&mut admin);
    assert_eq!(found.keys(), [&*orders[1], &*orders[0]]);
    server.license("Tool_A", "ABCD-EFGH-JKLM-NPQ7");
    let form = Page::open(&mut admin, "/").form("/licenses");
    let found = form.fill("q", "abcd-efgh-jklm-npq7").submit(&mut admin);
    assert_eq!(found.keys(), ["ABCD-EFGH-JKLM-NPQ7"]);
}

#[test]
fn the_search_field_leads_from_a_machine_code_to_its_machines() {
    let server = Server::start();
    let mut admin = server.admin();
    let id = server.add(json!({"tool_name": "Tool_A", "license_key": "m1", "user_id": "QQQQQQ"}));
    server.check("Tool_A", "m2");
    server.tick().unwrap();
    let machine = |key: &str| license_server::model::machine_code::machine_code("Tool_A", key);
    let search = |admin: &mut Client, q: &str| {
        let form = Page::open(admin, "/").form("/licenses");
        form.fill("q", q).submit(admin)
    };
    let licensed = search(&mut admin, &machine("m1").to_lowercase());
    assert!(
        licensed.has_link(&format!("/licenses/{id}")),
        "{}",
        licensed.path
    );
    let waiting = search(&mut admin, &machine("m2").replace('-', ""));
    assert!(
        waiting.has_link("/diagnose?tool=Tool_A&key=m2"),
        "{:?}",
        waiting.links()
    );
    for words in ["QQQQQQ", "7K4-PQ2"] {
        assert!(
            search(&mut admin, words).path.starts_with("/licenses?"),
            "{words}"
        );
    }
}

#[test]
fn the_history_of_a_code_has_all_its_machines_page_by_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let code = code(&server, 30, |values| values.customer = "Anna".to_owned());
    for n in 0..25 {
        assert_eq!(activate(&server, &code, &format!("m{n}")), 200);
    }
    let page = Page::open(&mut admin, &page_of(&code));
    page.press(&mut admin, "status=suspended");
    let events = |page: &Page| page.all("[aria-labelledby=history] tbody tr").len();
    let customer = Page::open(&mut admin, "/customer?name=Anna");
    for page in [Page::open(&mut admin, &page_of(&code)), customer] {
        let older = page.next(&mut admin).unwrap();
        assert_eq!((events(&page), events(&older)), (20, 6));
        assert!(older.next(&mut admin).is_none() && older.has_link("#history"));
    }
}

#[test]
fn a_license_names_its_code() {
    let server = Server::start();
    let mut admin = server.admin();
    let code = code(&server, 1, |_| {});
    assert_eq!(activate(&server, &code, "m1"), 200);
    let at = page_of(&code);
    let license = Page::open(&mut admin, "/licenses");
    assert!(license.has_link(&at));
    let license = license.follow_text(&mut admin, "m1");
    assert!(license.has_link(&at));
    assert!(license.follow(&mut admin, "/edit").has_link(&at));
    let diagnosed = Page::open(&mut admin, "/diagnose?tool=Tool_A&key=m1");
    assert!(diagnosed.has_link(&at));
}

#[test]
fn codes_of_an_older_system_are_imported_after_a_preview() {
    let server = Server::start();
    let mut admin = server.admin();
    let text = "code;seats;expiration date;customer;e-mail\n\
                OLDX-1111-2222;3;31.12.2027;Anna;anna@example.com\n\
                oldx 1111 2222;1;;;\nSHORT-1;;;;\nWRONG_CODE_9;;;;\n";
    let fields = [("tool_name", "Tool_A"), ("text", text)];
    let preview = import(&mut admin, &fields);
    assert_eq!(preview.texts(".numbers strong"), ["2", "1", "0", "2"]);
    let button = &preview.texts("button.primary")[0];
    assert_eq!(all_numbers(button), [1, 3], "{button}");
    assert_eq!(listed(&mut admin, ""), [""; 0]);
    let confirmation = preview.form(&preview.path);
    let rest = confirmation.submit(&mut admin);
    assert_eq!(listed(&mut admin, ""), ["OLDX11112222"]);
    // What was skipped is still there.
    assert_eq!(all_numbers(&rest.flash().unwrap()), [1, 3]);
    assert_eq!(rest.texts(".numbers strong"), ["1", "1", "1", "2"]);
    let rows = admin.get(&format!("{}/{INVALID_FILE}", rest.path)).body;
    assert!(
        rows.contains("SHORT-1,") && rows.contains("WRONG_CODE_9,"),
        "{rows}"
    );
    // The second of two clicks.
    assert_eq!(confirmation.submit(&mut admin).status, 409);
    rest.press(&mut admin, "short=yes");
    assert_eq!(listed(&mut admin, ""), ["SHORT1", "OLDX11112222"]);
    let row = Page::open(&mut admin, "/codes").rows().remove(1);
    assert_eq!(
        [&row[2], &row[4], &row[6]],
        ["Anna", "0 of 3", "2027-12-31"]
    );
    let body =
        json!({"tool_name": "Tool_A", "activation_code": "oldx-1111-2222", "license_key": "m1"});
    let answer = server.stranger().post("/api/activate", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    // What is there already is left alone.
    let again = import(&mut admin, &fields);
    assert!(!again.has_form(&again.path), "{}", again.text());
    assert_eq!(again.texts(".numbers strong"), ["0", "0", "2", "2"]);
    assert_eq!(
        import(&mut admin, &[("text", text)]).invalid_fields(),
        ["tool_name"]
    );
    let nothing = import(&mut admin, &[("tool_name", "Tool_A"), ("text", "")]);
    assert_eq!(nothing.invalid_fields(), ["text"]);
}

#[test]
fn a_file_of_codes_whose_name_contradicts_it_is_refused() {
    let server = Server::start();
    let file = "file\"; filename=\"codes.xlsx";
    let fields = [("tool_name", "Tool_A"), (file, "OLDX-1111-2222\n")];
    let page = import(&mut server.admin(), &fields);
    let problem = page.problem("text").unwrap();
    assert!(problem.contains("codes.csv"), "{problem}");
}

#[test]
fn a_file_of_codes_is_read_as_the_person_says() {
    let server = Server::start();
    let mut admin = server.admin();
    admin.post(
        "/api/licenses",
        r#"{"tool_name":"YourTool","license_key":"k"}"#,
    );
    let text = "code;Plaetze;Frist;Phase\nOLDX-1111-2222;3;31.12.2027;aktiv\n\
                OLDX-1111-3333;2;unbegrenzt;gesperrt\nOLDX_4;1;;\n";
    let page = import(&mut admin, &[("tool_name", "YourTol"), ("text", text)]);
    assert!(page.alert().contains("Frist"), "{}", page.alert());
    let page = page
        .form_with("columns=read")
        .fill("column_1", "seats")
        .fill("column_2", "expiration_date")
        .fill("column_3", "status")
        .press(&mut admin, "columns=read");
    // The tool is asked about first.
    assert!(!page.has_form(&page.path), "{}", page.text());
    let page = page.press(&mut admin, "tools=use");
    let rows = admin.get(&format!("{}/{}", page.path, INVALID_FILE));
    assert!(rows.body.contains("OLDX_4,1,,,4,"), "{}", rows.body);
    page.form(&page.path).submit(&mut admin);
    let rows = Page::open(&mut admin, "/codes").rows();
    let cells = |row: &[String]| [4, 5, 6].map(|at| row[at].clone());
    assert_eq!(cells(&rows[1]), ["0 of 3", "activated", "2027-12-31"]);
    assert_eq!(cells(&rows[0])[..2], ["0 of 2", "revoked"]);
    let tools = Page::open(&mut admin, "/tools").text();
    assert!(!tools.contains("YourTol "), "{tools}");
}
