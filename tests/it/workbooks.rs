//! Importing and exporting workbooks.

use std::io::{Cursor, Read as _, Write as _};

use rust_xlsxwriter::{Format, Workbook};
use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::backup::shell;
use crate::database::Database;
use crate::import::{confirm, numbers, upload};
use crate::inputs::keys;
use crate::server::Server;

/// A workbook whose cells are texts, numbers (`#5`) or dates (`@46022`).
fn workbook(rows: &[&[&str]]) -> Vec<u8> {
    let mut book = Workbook::new();
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let sheet = book.add_worksheet();
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(*cells) {
            match cell.split_at_checked(1) {
                Some(("#", number)) => {
                    sheet.write_number(row, column, number.parse::<f64>().unwrap())
                }
                Some(("@", number)) => {
                    let number = number.parse::<f64>().unwrap();
                    sheet.write_number_with_format(row, column, number, &date)
                }
                _ => sheet.write_string(row, column, *cell),
            }
            .unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

#[test]
fn a_workbook_keeps_its_texts_and_dates_and_asks_about_numbers() {
    let server = Server::start();
    let mut admin = server.admin();
    let book = workbook(&[
        &["Tool", "Key", "Customer", "Valid until"],
        &["T", "007734519", "Änne", "@46022"],
        &["T", "2E10", "", "31.12.2027"],
        &["T", "#7734520", "", ""],
        &["T", "#123456789012345678", "", ""],
    ]);
    let page = upload(&mut admin, "licenses.xlsx", book);
    assert_eq!(numbers(&page), [2, 0, 0, 2]);
    let page = page.press(&mut admin, "keys=keep");
    assert_eq!(numbers(&page), [3, 0, 0, 1]);
    confirm(&mut admin, &page);
    assert_eq!(keys(&server), ["007734519", "2E10", "7734520"]);
    let row = &admin.get("/api/licenses?q=007734519").json()[0];
    assert_eq!(
        (&row["user_id"], &row["expiration_date"]),
        (&json!("Änne"), &json!("2025-12-31"))
    );
}

#[test]
fn an_exported_workbook_is_imported_unchanged() {
    let server = Server::start();
    let mut admin = server.admin();
    for key in [
        "007734519",
        "1-12",
        "2E10",
        "=2+3",
        "'quoted",
        "0A1B2C3D4E5F",
        "TRUE",
    ] {
        server.add(json!({"tool_name": "T", "license_key": key, "user_id": "=x;\"y\"", "note": "two\nlines",
            "expiration_date": "2027-12-31"}));
    }
    let answer = admin.get("/licenses.xlsx").bytes;
    let page = upload(&mut admin, "licenses.xlsx", &answer);
    assert_eq!(numbers(&page), [0, 0, 7, 0]);
    let other = Server::start();
    let mut elsewhere = other.admin();
    let page = upload(&mut elsewhere, "licenses.xlsx", &answer);
    // `TRUE` is a cell that lost its key, most of the time.
    let page = page.press(&mut elsewhere, "keys=keep");
    confirm(&mut elsewhere, &page);
    assert_eq!(keys(&other), keys(&server));
}

#[test]
fn a_workbook_that_unpacks_to_too_much_is_refused() {
    let server = Server::start();
    let mut admin = server.admin();
    let far = workbook(&[&["Tool", "Key"]]);
    assert_eq!(upload(&mut admin, "f.xlsx", far).status, 422);
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_string(0, 0, "Tool").unwrap();
    sheet.write_string(1_048_575, 16_383, "x").unwrap();
    let page = upload(&mut admin, "f.xlsx", book.save_to_buffer().unwrap());
    assert_eq!(page.status, 422);
    assert!(page.problem("file").unwrap().contains("cells"));
}

/// A workbook with one sheet of texts, and what `change` does to it.
fn book_with(rows: &[&[&str]], change: impl FnOnce(&mut Workbook)) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(*cells) {
            sheet.write_string(row, column, *cell).unwrap();
        }
    }
    change(&mut book);
    book.save_to_buffer().unwrap()
}

#[test]
fn what_excel_made_of_a_key_is_no_key() {
    let server = Server::start();
    let book = workbook(&[&["Tool", "Key"], &["T", "@46022"], &["T", "k"]]);
    let page = upload(&mut server.admin(), "f.xlsx", book);
    assert_eq!(numbers(&page), [1, 0, 0, 1]);
    assert!(page.text().contains("2025-12-31"));
    let truth = book_with(&[&["Tool", "Key", "Status"], &["T", "", ""]], |book| {
        let sheet = book.worksheet_from_index(0).unwrap();
        sheet.write_boolean(1, 1, true).unwrap();
    });
    let page = upload(&mut server.admin(), "f.xlsx", truth);
    assert_eq!(numbers(&page), [0, 0, 0, 1]);
}

#[test]
fn the_error_of_a_formula_is_no_empty_cell() {
    let server = Server::start();
    let rows: [&[&str]; 2] = [&["Tool", "Key", "Valid until"], &["T", "k"]];
    let book = book_with(&rows, |book| {
        let formula = rust_xlsxwriter::Formula::new("=VLOOKUP(1,A1:A2,1)").set_result("#N/A");
        let sheet = book.worksheet_from_index(0).unwrap();
        sheet.write_formula(1, 2, formula).unwrap();
    });
    let page = upload(&mut server.admin(), "f.xlsx", book);
    assert_eq!(numbers(&page), [0, 0, 0, 1]);
    assert!(page.text().contains("#N/A"), "{}", page.text());
}

/// The workbook with another value in the cells that have this one.
fn with_value(book: &[u8], value: &str, other: &str) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(book)).unwrap();
    let mut changed = ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let plain = SimpleFileOptions::default();
        changed.start_file(file.name().unwrap(), plain).unwrap();
        let text = text.replace(&format!("<v>{value}</v>"), other);
        changed.write_all(text.as_bytes()).unwrap();
    }
    changed.finish().unwrap().into_inner()
}

#[test]
fn a_formula_without_a_value_refuses_the_workbook() {
    let server = Server::start();
    let mut admin = server.admin();
    let rows: [&[&str]; 2] = [&["Tool", "Key", "Valid until"], &["T", "k"]];
    let formula = |result: &str| {
        book_with(&rows, |book| {
            let formula = rust_xlsxwriter::Formula::new("=DATE(2027,12,31)").set_result(result);
            let sheet = book.worksheet_from_index(0).unwrap();
            sheet.write_formula(1, 2, formula).unwrap();
        })
    };
    let unknown = with_value(&formula("46752"), "46752", "");
    let page = upload(&mut admin, "f.xlsx", unknown);
    let problem = page.problem("file").unwrap();
    assert!(problem.contains("C2"), "{problem}");
    for result in ["<v>46752</v>", "<v></v>", "<v/>"] {
        let known = with_value(&formula("text"), "text", result);
        let page = upload(&mut admin, "f.xlsx", known);
        assert_eq!(numbers(&page), [1, 0, 0, 0], "{result}");
    }
}

#[test]
fn the_sheet_with_the_headings_is_read() {
    let server = Server::start();
    let mut book = Workbook::new();
    let cover = book.add_worksheet().set_name("Deckblatt").unwrap();
    cover.write_string(0, 0, "Meine Lizenzen").unwrap();
    let prices = book.add_worksheet().set_name("Preise").unwrap();
    prices.write_number(0, 0, 99).unwrap();
    for name in ["Liste", "Archiv"] {
        let list = book.add_worksheet().set_name(name).unwrap();
        list.write_row(0, 0, ["Tool", "Key"]).unwrap();
        list.write_row(1, 0, ["T", name]).unwrap();
    }
    let book = book.save_to_buffer().unwrap();
    let page = upload(&mut server.admin(), "f.xlsx", book);
    assert_eq!(numbers(&page), [1, 0, 0, 0]);
    assert_eq!(
        page.texts(".warning code"),
        ["Liste", "Deckblatt", "Preise", "Archiv", "T"]
    );
}

#[test]
fn a_workbook_of_long_sheets_takes_the_memory_of_two() {
    let (server, _) = Database::start();
    let folder = server.folder.path();
    let mut book = Workbook::new();
    // Each takes 24 MB.
    for _ in 0..50 {
        let long = book.add_worksheet();
        long.write_string(1_048_575, 0, "x").unwrap();
    }
    let list = book.add_worksheet();
    list.write_row(0, 0, ["Tool", "Key"]).unwrap();
    list.write_row(1, 0, ["T", "k"]).unwrap();
    book.save(folder.join("f.xlsx")).unwrap();
    let script = "ulimit -v 500000; exec \"$0\" import f.xlsx --dry-run";
    let output = shell(folder, &["sh"], script).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_workbook_of_too_many_files_is_refused() {
    let server = Server::start();
    let mut admin = server.admin();
    let book = workbook(&[&["Tool", "Key"], &["T", "k"]]);
    let with = |number: usize| {
        let mut archive = ZipWriter::new_append(Cursor::new(book.clone())).unwrap();
        let own = ZipArchive::new(Cursor::new(&book)).unwrap().len();
        for at in own..number {
            let plain = SimpleFileOptions::default();
            archive
                .start_file(format!("xl/media/{at}.png"), plain)
                .unwrap();
        }
        archive.finish().unwrap().into_inner()
    };
    let page = upload(&mut admin, "f.xlsx", with(1_000));
    assert_eq!(numbers(&page), [1, 0, 0, 0]);
    let page = upload(&mut admin, "f.xlsx", with(1_001));
    let problem = page.problem("file").unwrap();
    assert!(problem.contains("1,001"), "{problem}");
}

#[test]
fn a_workbook_has_the_ending_of_its_kind() {
    let server = Server::start();
    let mut admin = server.admin();
    let excel = workbook(&[&["Tool", "Key"], &["T", "k"]]);
    let other = opendocument(
        r#"<table:table-row><table:table-cell office:value-type="string"><text:p>Key</text:p></table:table-cell></table:table-row>"#,
    );
    for (name, book, right) in [
        ("customers.csv", &excel, "customers.xlsx"),
        ("customers.ods", &excel, "customers.xlsx"),
        ("customers.xlsx", &other, "customers.ods"),
    ] {
        let page = upload(&mut admin, name, book);
        assert_eq!(page.status, 422);
        let problem = page.problem("file").unwrap();
        assert!(problem.contains(right), "{problem}");
    }
    for name in ["customers.xlsm", "customers"] {
        assert_eq!(numbers(&upload(&mut admin, name, &excel)), [1, 0, 0, 0]);
    }
}

#[test]
fn a_number_that_is_no_day_is_no_date() {
    let server = Server::start();
    let book = workbook(&[&["Tool", "Key", "Expires"], &["T", "a", "@99999999"]]);
    let page = upload(&mut server.admin(), "f.xlsx", book);
    assert_eq!(numbers(&page), [0, 0, 0, 1]);
}

#[test]
fn a_merged_cell_counts_for_each_of_its_rows() {
    let server = Server::start();
    let mut admin = server.admin();
    let rows: [&[&str]; 4] = [
        &["Tool", "Key", "Valid until"],
        &["T", "a"],
        &["", "b"],
        &["", "c"],
    ];
    let book = book_with(&rows, |book| {
        let sheet = book.worksheet_from_index(0).unwrap();
        let plain = Format::new();
        sheet.merge_range(1, 0, 3, 0, "T", &plain).unwrap();
        sheet.merge_range(1, 2, 3, 2, "2027-12-31", &plain).unwrap();
    });
    let page = upload(&mut admin, "f.xlsx", book);
    assert_eq!(numbers(&page), [3, 0, 0, 0]);
    confirm(&mut admin, &page);
    for row in admin.get("/api/licenses").json().as_array().unwrap() {
        assert_eq!(row["expiration_date"], "2027-12-31", "{row}");
    }
}

#[test]
fn one_visible_sheet_is_read_and_others_are_named() {
    let server = Server::start();
    let mut book = Workbook::new();
    for (name, key) in [("Old", "a"), ("Now", "b"), ("More", "c")] {
        let sheet = book.add_worksheet().set_name(name).unwrap();
        sheet.write_row(0, 0, ["Tool", "Key"]).unwrap();
        sheet.write_row(1, 0, ["T", key]).unwrap();
        if name == "Old" {
            sheet.set_hidden(true);
        } else if name == "Now" {
            sheet.set_active(true);
        }
    }
    let page = upload(
        &mut server.admin(),
        "f.xlsx",
        book.save_to_buffer().unwrap(),
    );
    assert_eq!(
        page.texts("section[aria-labelledby=new] th[scope=row]"),
        ["b"]
    );
    assert_eq!(page.texts(".warning code"), ["Now", "More", "T"]);
}

/// An OpenDocument workbook with this content of its only sheet.
fn opendocument(rows: &str) -> Vec<u8> {
    let mut file = ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default();
    let namespaces = ["office", "table", "text"]
        .map(|name| format!(r#"xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0""#));
    let content = format!(
        r#"<office:document-content {}><office:body><office:spreadsheet><table:table table:name="S">{rows}</table:table></office:spreadsheet></office:body></office:document-content>"#,
        namespaces.join(" ")
    );
    for (name, text) in [
        ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", "<manifest/>"),
        ("content.xml", &content),
    ] {
        file.start_file(name, plain).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
    file.finish().unwrap().into_inner()
}

#[test]
fn an_opendocument_workbook_is_read_with_its_merged_cells() {
    let server = Server::start();
    let mut admin = server.admin();
    let text = |text: &str| {
        format!(
            r#"<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>"#
        )
    };
    let date = r#"<table:table-cell table:number-rows-spanned="2" office:value-type="date" office:date-value="2027-12-31"><text:p>31.12.27</text:p></table:table-cell>"#;
    let rows = [
        ["Tool", "Key", "Valid until"].map(text).concat(),
        ["T", "a"].map(text).concat() + date,
        ["T", "b"].map(text).concat() + "<table:covered-table-cell/>",
        ["T", "c"].map(text).concat()
            + r##"<table:table-cell office:value-type="string" office:string-value="" calcext:value-type="error"><text:p>#REF!</text:p></table:table-cell>"##,
    ];
    let rows = rows.map(|row| format!("<table:table-row>{row}</table:table-row>"));
    let book = rows.concat();
    let unknown = book.replace(
        r#"office:value-type="date" office:date-value="2027-12-31""#,
        r#"table:formula="of:=NOW()""#,
    );
    let page = upload(&mut admin, "f.ods", opendocument(&unknown));
    assert!(page.problem("file").unwrap().contains("C2"));
    let page = upload(&mut admin, "f.ods", opendocument(&book));
    assert_eq!(numbers(&page), [2, 0, 0, 1], "{}", page.text());
    confirm(&mut admin, &page);
    for row in admin.get("/api/licenses").json().as_array().unwrap() {
        assert_eq!(row["expiration_date"], "2027-12-31", "{row}");
    }
}
