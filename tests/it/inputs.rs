//! Small files that failed once, each with what must happen.

use serde_json::json;

use crate::import::{confirm, numbers, upload};
use crate::page::Page;
use crate::server::{Client, Server};

pub fn input(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/inputs/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn preview(admin: &mut Client, name: &str) -> Page {
    upload(admin, name, input(name))
}

/// All license keys of the table, in order.
pub fn keys(server: &Server) -> Vec<String> {
    let rows = server.admin().get("/api/licenses").json();
    let mut keys: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["license_key"].as_str().unwrap().to_owned())
        .collect();
    keys.sort();
    keys
}

fn with_tool(name: &str) -> Server {
    let server = Server::start();
    server.license(name, "other");
    server
}

#[test]
fn expire_date_is_a_heading_of_the_expiration_date() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = preview(&mut admin, "r1.csv");
    confirm(&mut admin, &page);
    let row = &admin.get("/api/licenses").json()[0];
    assert_eq!(row["expiration_date"], "2027-03-31");
}

#[test]
fn dates_without_a_known_heading_refuse_the_file_until_the_column_is_chosen() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = upload(&mut admin, "f.csv", "tool,key,Frist\nT,k,31.12.2027\n");
    assert!(page.alert().contains("Frist"), "{}", page.alert());
    assert!(!page.has_form(&page.path));
    let form = page
        .form_with("columns=read")
        .fill("column_2", "expiration_date");
    let page = form.press(&mut admin, "columns=read");
    confirm(&mut admin, &page);
    let row = &admin.get("/api/licenses").json()[0];
    assert_eq!(row["expiration_date"], "2027-12-31");
}

#[test]
fn invisible_characters_in_headings_do_not_matter() {
    let server = Server::start();
    let page = preview(&mut server.admin(), "header-zwsp.csv");
    assert_eq!(numbers(&page), [1, 0, 0, 0]);
}

#[test]
fn every_spelling_of_an_address_is_that_address_or_is_asked_about() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = preview(&mut admin, "mac-formats.csv");
    assert_eq!(numbers(&page), [15, 0, 0, 2]);
    let page = page.press(&mut admin, "keys=use");
    confirm(&mut admin, &page);
    let mut expected: Vec<String> = (1..=0x10)
        .map(|n| format!("28:16:ad:00:00:{n:02x}"))
        .collect();
    expected.insert(0, "02:1b:2c:3d:4e:01".to_owned());
    assert_eq!(keys(&server), expected);
}

#[test]
fn invisible_characters_are_trimmed_or_named() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = preview(&mut admin, "invisible.csv");
    assert_eq!(numbers(&page), [7, 0, 0, 3]);
    assert!(page.text().contains("U+200B"), "{}", page.text());
    assert!(page.text().contains("U+00AD"));
    confirm(&mut admin, &page);
    let visible = |key: &String| key.chars().all(|c| c.is_ascii_graphic());
    assert!(keys(&server).iter().all(visible), "{:?}", keys(&server));
}

#[test]
fn two_addresses_in_a_cell_can_become_two_licenses() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = preview(&mut admin, "multi-key-cell.csv");
    let [new, _, _, invalid] = numbers(&page);
    assert_eq!((new, invalid), (0, 3));
    let page = page.press(&mut admin, "keys=use");
    confirm(&mut admin, &page);
    let expected: Vec<String> = (0xb..=0x10)
        .map(|n| format!("28:16:ad:07:00:{n:02x}"))
        .collect();
    assert_eq!(keys(&server), expected);
}

#[test]
fn the_wrapping_of_a_spreadsheet_is_not_the_key() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = preview(&mut admin, "eq-quoted.csv");
    confirm(&mut admin, &page);
    let expected = ["00123456", "00123457", "00123458", "28:16:ad:09:00:01"];
    assert_eq!(keys(&server), expected);
    let row = &admin.get("/api/licenses?q=28:16").json()[0];
    assert_eq!(row["expiration_date"], "2027-03-31");
}

#[test]
fn a_row_that_a_spreadsheet_has_changed_is_refused_with_both_keys() {
    let server = Server::start();
    let mut admin = server.admin();
    for at in 1..10 {
        server.license("Other", &format!("o{at}"));
    }
    let there = [
        "007734519",
        "4711E12",
        "2E10",
        "1-12",
        "3/4",
        "98765432109876543210",
        "+4915112345",
        "=2+3",
        "-A7",
        "@pc",
        "'quoted",
        "TRUE",
    ];
    for key in there {
        server.license("RoundTrip", key);
    }
    let page = preview(&mut admin, "excel-roundtrip.csv");
    let [new, changed, _, invalid] = numbers(&page);
    assert_eq!((new, changed, invalid), (0, 5, 7));
    assert!(
        page.texts("code").contains(&"007734519".to_owned())
            && page.texts("code").contains(&"7734519".to_owned())
    );
}

#[test]
fn one_line_in_another_encoding_is_named_and_changes_no_other() {
    let server = Server::start();
    let mut admin = server.admin();
    for (at, name) in ["Müller", "Söhne", "Weiß"].iter().enumerate() {
        let key = format!("28:16:ad:11:00:0{at}");
        server.add(json!({"tool_name": "Enc", "license_key": key, "user_id": name}));
    }
    let page = preview(&mut admin, "enc-mixed-update.csv");
    assert_eq!(numbers(&page), [1, 3, 0, 0]);
    assert!(
        page.texts(".warning").concat().contains("line 5"),
        "{}",
        page.text()
    );
    let changes = page.texts("section[aria-labelledby=changed] td").concat();
    assert!(
        !changes.contains('Ã') && !changes.contains("ller"),
        "{changes}"
    );
}

#[test]
fn another_encoding_is_pointed_out_with_the_first_name() {
    let server = Server::start();
    let page = preview(&mut server.admin(), "enc-1250.csv");
    let warning = page.texts(".warning").concat();
    assert!(
        warning.contains("UTF-8") && warning.contains("ukasz"),
        "{warning}"
    );
}

#[test]
fn one_date_proves_the_order_of_all() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = preview(&mut admin, "us-dates.csv");
    assert_eq!(numbers(&page), [8, 0, 0, 0]);
    assert!(page.texts(".warning").concat().contains("1/31/2027"));
    confirm(&mut admin, &page);
    let row = &admin.get("/api/licenses?q=03:00:02").json()[0];
    assert_eq!(row["expiration_date"], "2027-03-04");
}

#[test]
fn the_order_of_dates_can_be_chosen() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = upload(&mut admin, "f.csv", "tool,key,expires\nT,k,3/4/2027\n");
    assert_eq!(numbers(&page), [0, 0, 0, 1]);
    let page = page.press(&mut admin, "dates=day-first");
    confirm(&mut admin, &page);
    assert_eq!(
        admin.get("/api/licenses").json()[0]["expiration_date"],
        "2027-04-03"
    );
}

#[test]
fn a_title_above_the_headings_can_be_skipped() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = preview(&mut admin, "title-row.csv");
    assert!(page.alert().contains("line 3"), "{}", page.alert());
    let page = page.press(&mut admin, "header_line=3");
    assert_eq!(numbers(&page), [1, 0, 0, 0]);
}

#[test]
fn names_that_are_nearly_those_of_tools_are_asked_about() {
    let server = with_tool("PlotMaster");
    let mut admin = server.admin();
    let page = preview(&mut admin, "tools-case.csv");
    assert_eq!(numbers(&page), [1, 0, 0, 2]);
    let page = page.press(&mut admin, "tools=use");
    assert_eq!(numbers(&page), [3, 0, 0, 0]);
    confirm(&mut admin, &page);
    let key = "28:16:ad:07:00:1b";
    assert_eq!(server.check("PlotMaster", key).0, 200);
}

#[test]
fn words_for_a_status_are_mapped_or_named_once() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = preview(&mut admin, "statuses.csv");
    assert_eq!(numbers(&page), [15, 0, 0, 1]);
    let form = page
        .form_with("statuses=read")
        .fill("status_0", "suspended");
    let page = form.press(&mut admin, "statuses=read");
    assert_eq!(numbers(&page), [16, 0, 0, 0]);
    confirm(&mut admin, &page);
    for (key, code) in [
        ("00", 200),
        ("05", 200),
        ("08", 403),
        ("09", 403),
        ("0b", 403),
        ("0f", 403),
    ] {
        assert_eq!(
            server
                .check("PlotMaster", &format!("28:16:ad:07:01:{key}"))
                .0,
            code,
            "{key}"
        );
    }
}

#[test]
fn two_columns_of_the_same_heading_are_decided_one_by_one() {
    let server = Server::start();
    let mut admin = server.admin();
    let file = "tool,key,Date,Date,\nT,k,2024-01-31,2027-12-31,\n";
    let page = upload(&mut admin, "f.csv", file);
    assert!(page.alert().contains("Date"), "{}", page.alert());
    let form = page
        .form_with("columns=read")
        .fill("column_2", "")
        .fill("column_3", "expiration_date");
    let page = form.press(&mut admin, "columns=read");
    confirm(&mut admin, &page);
    let row = &admin.get("/api/licenses").json()[0];
    assert_eq!(row["expiration_date"], "2027-12-31");
}

#[test]
fn nothing_that_decides_over_a_license_is_ignored() {
    let server = Server::start();
    let mut admin = server.admin();
    for file in [
        "tool,key,Frist\nT,a,never\nT,b,lifetime\nT,c,31.12.2027\n",
        "tool,key,Frist\nT,a,46022\nT,b,46387\n",
        "tool,key,Frist\nT,a,\"Friday, 31 December 2027\"\n",
        "tool,key,Phase\nT,a,aktiv\nT,b,gesperrt\nT,c,Sonderfall\n",
        "tool,key,expires,Lizenz bis\nT,a,,2027-03-31\nT,b,,\n",
        "tool,key,x\nT,a,bis 31.12.2027\n",
        "tool,key,x\nT,a,12/2027\n",
        "tool,key,x\nT,a,1830297600\n",
        "tool,key,Laufzeit\nT,a,365\n",
        "tool,key,2027\nT,a,12/31/27\n",
        "tool,key,Datum\nT,a,31.12.27\n",
        "tool,key,Laufzeit2\nT,a,1 Jahr\n",
        "tool,key,expires,Valid\nT,a,2027-12-31,no\nT,b,2027-12-31,yes\n",
        "tool,key,expires,status,deleted_at\nT,a,2027-12-31,active,2026-05-01\n",
        r#"[{"tool": "T", "key": "a", "meta": {"expires": "2027-12-31"}}]"#,
        r#"[{"tool": "T", "key": "a", "terms": [{"x": {"state": "revoked"}}]}]"#,
    ] {
        let page = upload(&mut admin, "f", file);
        assert!(
            !page.has_form(&page.path) && !page.alert().is_empty(),
            "{file}"
        );
    }
    for file in [
        "tool,key,Newsletter\nT,a,yes\nT,b,no\n",
        "tool,key,State\nT,a,TX\nT,b,OK\n",
        "tool,key,expires,State\nT,a,2027-12-31,Texas\n",
        "tool,key,PLZ\nT,a,10115\nT,b,48143\nT,c,80331\n",
        "tool,key,Frist\nT,a,never\n",
        "tool,key,Version\nT,a,1.2.27\n",
        "tool,key,Paid\nT,a,yes\n",
    ] {
        assert!(numbers(&upload(&mut admin, "f.csv", file))[0] > 0, "{file}");
    }
}

#[test]
fn a_no_below_active_means_suspended_in_every_language() {
    let server = Server::start();
    let mut admin = server.admin();
    for (heading, no) in [
        ("Actif", "non"),
        ("Activo", "no"),
        ("Attivo", "no"),
        ("Actief", "nee"),
        ("Aktywny", "nie"),
        ("Ativo", "não"),
    ] {
        let file = format!("tool,key,{heading}\nT,{heading},{no}\n");
        let page = upload(&mut admin, "f.csv", file);
        confirm(&mut admin, &page);
        assert_eq!(server.check("T", heading).0, 403, "{heading}");
    }
}

#[test]
fn notes_with_dates_or_words_for_a_status_are_pointed_out() {
    let server = Server::start();
    let mut admin = server.admin();
    for note in ["2027-12-31", "gesperrt"] {
        let page = upload(&mut admin, "f.csv", format!("tool,key,Notiz\nT,a,{note}\n"));
        assert_eq!(numbers(&page), [1, 0, 0, 0]);
        assert!(page.texts(".warning").concat().contains("Notiz"), "{note}");
    }
    let file = "tool,key,Notiz,expires,status\nT,a,2027-12-31,2027-12-31,active\n";
    let page = upload(&mut admin, "f.csv", file);
    assert!(!page.texts(".warning").concat().contains("Notiz"));
}

#[test]
fn errors_of_formulas_and_repeated_headings_are_invalid_rows() {
    let server = Server::start();
    let mut admin = server.admin();
    let file =
        "tool,key,expires\nT,k,#N/A\nT,#NAME?,\n#REF!,k2,\ntool,key,expires\nT,k3,2027-12-31\n";
    let page = upload(&mut admin, "f.csv", file);
    assert_eq!(numbers(&page), [1, 0, 0, 4]);
}

#[test]
fn a_column_that_says_who_is_blocked_is_read() {
    let server = Server::start();
    let mut admin = server.admin();
    let file = "tool,key,Blocked,Revoked at,Disabled\nT,a,yes,,0\nT,b,no,2026-05-01,0\nT,c,no,,1\nT,d,no,,0\n";
    let page = upload(&mut admin, "f.csv", file);
    confirm(&mut admin, &page);
    let rows = admin.get("/api/licenses").json();
    let rows = rows.as_array().unwrap().iter();
    let mut read: Vec<_> = rows
        .map(|row| format!("{} {}", row["license_key"], row["status"]).replace('"', ""))
        .collect();
    read.sort();
    assert_eq!(
        read,
        ["a revoked", "b revoked", "c suspended", "d activated"]
    );
}

#[test]
fn a_word_for_no_expiration_date_can_be_chosen() {
    let server = Server::start();
    let mut admin = server.admin();
    let file = "tool,key,expires\nT,a,dauerhaft\nT,b,bis Widerruf\nT,c,2027-12-31\n";
    let page = upload(&mut admin, "f.csv", file);
    assert_eq!(numbers(&page), [2, 0, 0, 1]);
    let form = page.form_with("terms=read").fill("term_0", "perpetual");
    assert_eq!(numbers(&form.press(&mut admin, "terms=read")), [3, 0, 0, 0]);
}
