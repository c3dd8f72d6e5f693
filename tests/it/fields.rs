//! A field of a license that is declared in `FIELDS` works everywhere: form, table, search, CSV, import,
//! API, audit log and undo.

use license_server::model::license::fields::{FIELDS, Field, Kind, PUBLISHED, YES};
use serde_json::{Map, Value, json};

use crate::import;
use crate::page::{Page, urlencoded};
use crate::server::{Client, Server};

/// Two values of a field that differ and that people can tell apart.
fn samples(field: &Field) -> [String; 2] {
    match field.name {
        "status" => ["suspended", "revoked"].map(str::to_owned),
        "expiration_date" => ["2031-05-06", "2032-07-08"].map(str::to_owned),
        "updates_until" => ["2033-01-02", "2034-03-04"].map(str::to_owned),
        // Nothing is the other value, and cannot be looked for.
        "trial" => [YES, ""].map(str::to_owned),
        name => ["first", "second"].map(|word| format!("{name} {word}")),
    }
}

/// The sample as the API has it.
fn sent(field: &Field, number: usize) -> Value {
    let sample = samples(field)[number].clone();
    match field.kind {
        Kind::Features => json!([sample]),
        Kind::Flag => (sample == YES).into(),
        _ => sample.into(),
    }
}

fn row(client: &mut Client, id: i64) -> Value {
    client.get(&format!("/api/licenses/{id}")).json()
}

/// Every field of a row has the sample of that number.
fn has(row: &Value, number: usize) {
    for field in &FIELDS {
        assert_eq!(row[field.name], sent(field, number), "{}", field.name);
    }
}

#[test]
fn every_field_goes_round() {
    let server = Server::start();
    let mut admin = server.admin();

    // The form adds it, and shows it again.
    let mut form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    for field in &FIELDS {
        form = form.fill(field.name, &samples(field)[0]);
    }
    let page = form.submit(&mut admin);
    assert_eq!(page.status, 200);
    let id = 1;
    has(&row(&mut admin, id), 0);
    for field in &FIELDS {
        let value = &samples(field)[0];
        assert!(
            page.text().contains(value),
            "the page has no {}",
            field.name
        );
        let form = Page::open(&mut admin, &format!("/licenses/{id}/edit")).form("/edit");
        assert_eq!(form.value(field.name), value);
    }

    // The search finds it by each text.
    for field in FIELDS.iter().filter(|field| field.is_searchable) {
        let address = format!("/licenses?q={}", urlencoded(&samples(field)[0]));
        assert_eq!(
            Page::open(&mut admin, &address).rows().len(),
            1,
            "{}",
            field.name
        );
    }

    // The export has it, and an import of the export changes nothing.
    let csv = admin.get("/licenses.csv").body;
    let header = csv
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches('\u{feff}');
    for field in &FIELDS {
        assert!(header.split(',').any(|name| name == field.name), "{header}");
        assert!(
            csv.contains(&samples(field)[0]),
            "the export has no {}",
            field.name
        );
    }
    let preview = import::upload(&mut admin, "licenses.csv", &csv);
    assert_eq!(import::numbers(&preview), [0, 0, 1, 0]);

    // An import changes all but the pair, and can be undone.
    let mut changed = csv.clone();
    for field in &FIELDS[2..] {
        let cell = |number: usize| format!(",{}", samples(field)[number]);
        changed = changed.replace(&cell(0), &cell(1));
    }
    let preview = import::upload(&mut admin, "licenses.csv", &changed);
    assert_eq!(import::numbers(&preview), [0, 1, 0, 0]);
    let done = import::confirm(&mut admin, &preview);
    for field in &FIELDS[2..] {
        assert_eq!(
            row(&mut admin, id)[field.name],
            sent(field, 1),
            "{}",
            field.name
        );
    }
    done.form("/undo").submit(&mut admin);
    has(&row(&mut admin, id), 0);

    // A bulk change leaves the other fields alone, and undo brings all back: of a deleted license too.
    for change in ["do=activated", "do=delete"] {
        let preview = format!("/bulk?id={id}&of=selected&{change}");
        let done = Page::open(&mut admin, &preview).press(&mut admin, "start=");
        done.form("/undo").submit(&mut admin);
        has(&row(&mut admin, id), 0);
    }

    // The API changes, clears and adds it, after the published fields where it is not one of them.
    let body: Map<String, Value> = FIELDS
        .iter()
        .map(|field| (field.name.to_owned(), sent(field, 1)))
        .collect();
    let patch = Value::Object(body).to_string();
    assert_eq!(
        admin.patch(&format!("/api/licenses/{id}"), &patch).status,
        200
    );
    has(&row(&mut admin, id), 1);
    let text = admin.get(&format!("/api/licenses/{id}")).body;
    let place = |name: &str| text.find(&format!("\"{name}\":")).unwrap_or_default();
    for field in &FIELDS {
        let index = Field::index(field.name).unwrap_or_default();
        assert_eq!(
            index < PUBLISHED,
            place(field.name) < place("last_seen_at"),
            "{text}"
        );
    }

    // The audit log has each change.
    let log = Page::open(&mut admin, &format!("/audit?license=%23{id}")).text();
    for field in &FIELDS {
        for value in samples(field) {
            assert!(log.contains(&value), "the audit log has no {value}");
        }
    }
}
