//! Where the database names a person, so that everything can be exported and erased. A test knows every column of
//! text, so that none can be forgotten.

use serde_json::{Map, Value};

use super::db::{Db, Result, ToValue};
use super::{WriteTx, bulk, shop_events};
use crate::model::audit::ERASED;
use crate::model::customer::Customer;
use crate::model::shops;

/// Rows about a person, in one table.
struct Place {
    table: &'static str,
    /// Which rows; `person` has one row with `id`, `name`, `email`, and `quoted`, the name as in JSON; `told` has
    /// the rows with texts that only [`told`] understands, `own_licenses` the licenses, and `own_codes` the activation codes.
    whose: &'static str,
    is_exported: bool,
    erased: Erased,
}

enum Erased {
    /// These columns become empty.
    Cleared(&'static [&'static str]),
    Deleted,
}

use Erased::{Cleared, Deleted};

const fn place(table: &'static str, whose: &'static str, erased: Erased) -> Place {
    Place {
        table,
        whose,
        is_exported: true,
        erased,
    }
}

/// Copies of what is elsewhere, perhaps together with what is about others.
const fn copy(table: &'static str, whose: &'static str, erased: Erased) -> Place {
    Place {
        is_exported: false,
        ..place(table, whose, erased)
    }
}

/// In the order in which they are erased: what is found by the person's licenses comes before these. Licenses and
/// the customer come last, and are not erased from here, because the search follows them.
const PLACES: [Place; 16] = [
    place(
        "unlicensed_machines",
        "license_key in (select license_key from licenses where id in (select id from own_licenses))
             or customer_name = (select name from person)
             or customer_email <> '' and lower(customer_email) = (select email from person)",
        Cleared(&[
            "address",
            "hostname",
            "user_name",
            "customer_name",
            "customer_email",
        ]),
    ),
    place(
        "last_checks",
        OF_LICENSE,
        Cleared(&["address", "hostname", "user_name"]),
    ),
    place("check_history", OF_LICENSE, Deleted),
    place("check_places", OF_LICENSE, Deleted),
    copy(
        "bulk_rows",
        "license_id in (select id from own_licenses)
             or replace(before, (select quoted from person), '') <> before",
        Deleted,
    ),
    copy(
        "bulk_changes",
        "replace(what, (select name from person), '') <> what
             or replace(undone, (select name from person), '') <> undone
             or id in (select id from told where place = 'bulk_changes')",
        Cleared(&["what", "undone"]),
    ),
    copy(
        "imports",
        "replace(content, (select name from person), '') <> content
             or replace(lower(content), (select email from person), '') <> lower(content)
             or id in (select id from told where place = 'imports')",
        Deleted,
    ),
    place(
        "code_changes",
        "code_id in (select id from own_codes)
             or replace(before, (select quoted from person), '') <> before
             or replace(after, (select quoted from person), '') <> after",
        Deleted,
    ),
    // An event that comes again is known by its reference.
    place(
        "shop_events",
        "id in (select id from told where place = 'shop_events') or exists (
             select 1 from orders
             where orders.customer = (select name from person) and orders.customer <> ''
                 and orders.source = 'shop ' || shop_events.shop_id
                 and (orders.order_ref = shop_events.reference or orders.order_ref in (
                     select shop_references.order_ref from shop_references
                     where shop_references.shop_id = shop_events.shop_id
                         and shop_references.reference = shop_events.reference)))",
        Cleared(&["headers", "body", "outcome"]),
    ),
    // That a reminder was sent stays there, so that it is not sent again.
    place(
        "mails",
        "customer = (select name from person) and customer <> ''
             or recipient <> '' and lower(recipient) = (select email from person)",
        Cleared(&["recipient", "customer", "subject", "body", "error"]),
    ),
    // Names nobody, unless a key, the reference of an order or the answer does.
    copy(
        "webhook_deliveries",
        "replace(body, (select substr(quoted, 2, length(quoted) - 2) from person), '') <> body
             or replace(answer, (select name from person), '') <> answer
             or (select email from person) <> ''
             and (replace(lower(body), (select email from person), '') <> lower(body)
             or replace(lower(answer), (select email from person), '') <> lower(answer))",
        Cleared(&["body", "answer"]),
    ),
    // The reference of the order stays there, so that it is known when it is sent again.
    place("orders", OF_CUSTOMER, Cleared(&["customer"])),
    place(
        "activation_codes",
        OF_CUSTOMER,
        Cleared(&["customer", "order_ref", "note", "data"]),
    ),
    place(
        "licenses",
        "user_id = (select name from person)",
        Cleared(&["user_id", "order_ref", "note", "data"]),
    ),
    copy(
        "customer_links",
        "customer_id = (select id from person)",
        Deleted,
    ),
    place("customers", "id = (select id from person)", Deleted),
];

const OF_LICENSE: &str = "license_id in (select id from own_licenses)";
const OF_CUSTOMER: &str = "customer = (select name from person) and customer <> ''";

/// Licenses and activation codes that the person had and nobody has now, also deleted ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    pub licenses: Vec<i64>,
    pub codes: Vec<i64>,
}

/// Columns with the name of a customer, besides those of licenses and codes, which have entries in the audit log.
const NAMES: [(&str, &str); 2] = [("mails", "customer"), ("orders", "customer")];

fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}

/// `with` of every statement about the person.
fn person(db: &Db, person: &Customer, left: &Left) -> Result<String> {
    let values = |none: &str, rows: Vec<String>| match rows.is_empty() {
        true => format!("select {none} where 1 = 0"),
        false => format!("values {}", rows.join(", ")),
    };
    let ids = |ids: &[i64]| values("0", ids.iter().map(|id| format!("({id})")).collect());
    let told = told(db, person)?.into_iter();
    let told = told.map(|(place, id)| format!("('{place}', {id})"));
    let told = values("'', 0", told.collect());
    Ok(format!(
        "with person (id, name, email, quoted) as (select ?1, ?2, ?3, ?4), told (place, id) as ({told}),
             left_licenses (id) as ({}), left_codes (id) as ({}),
             own_licenses (id) as (
                 select id from licenses where user_id = (select name from person)
                 union select id from left_licenses),
             own_codes (id) as (
                 select id from activation_codes where {OF_CUSTOMER}
                 union select id from left_codes)",
        ids(&left.licenses),
        ids(&left.codes)
    ))
}

/// Rows about the person that no statement finds: shops escape names and use their own order numbers, and files have
/// names.
fn told(db: &Db, person: &Customer) -> Result<Vec<(&'static str, i64)>> {
    let mut told = vec![];
    let references = shop_events::references_of_customer(db, &person.name)?;
    shop_events::bodies(db, |id, shop_id, body| {
        let mut is_reference = |text: &str| references.contains(&(shop_id, text.to_owned()));
        if shops::is_about(body, &person.name, &person.email)
            || !references.is_empty() && shops::any_text(body, &mut is_reference)
        {
            told.push(("shop_events", id));
        }
    })?;
    for (place, sql) in [
        ("imports", "select id, file_name from imports"),
        (
            "bulk_changes",
            "select id, what || ' ' || undone from bulk_changes",
        ),
    ] {
        db.each(sql, &[], |row| {
            if person.is_in(row.text(1)?) {
                told.push((place, row.get(0)?));
            }
            Ok(true)
        })?;
    }
    Ok(told)
}

/// What is stored about a person and what the person has now: rows by table.
pub fn export(db: &Db, about: &Customer) -> Result<Map<String, Value>> {
    let mut all = Map::new();
    let with = person(db, about, &Left::default())?;
    for place in PLACES.iter().filter(|place| place.is_exported) {
        let Place { table, whose, .. } = place;
        let sql = format!("{with} select * from {table} where {whose}");
        let quoted = quoted(&about.name);
        let about: [&dyn ToValue; 4] = [&about.id, &about.name, &about.email, &quoted];
        let rows = bulk::rows(db, &sql, &about)?.into_iter();
        all.insert(
            (*table).to_owned(),
            rows.map(Value::Object).collect::<Vec<_>>().into(),
        );
    }
    Ok(all)
}

/// Erases everything but the licenses and the customer itself, which must still be there.
pub fn erase(db: &WriteTx<'_>, about: &Customer, left: &Left) -> Result<()> {
    let with = person(db, about, left)?;
    let quoted = quoted(&about.name);
    let about: [&dyn ToValue; 4] = [&about.id, &about.name, &about.email, &quoted];
    for Place {
        table,
        whose,
        erased,
        ..
    } in &PLACES
    {
        let sql = match erased {
            _ if ["licenses", "customers"].contains(table) => continue,
            Cleared(columns) => {
                let mut values: Vec<String> = columns.iter().map(|c| format!("{c} = ''")).collect();
                values.extend(match *table {
                    // Sent again, an order must not bring the person back.
                    "orders" => Some("is_erased = 1".to_owned()),
                    "webhook_deliveries" => Some(
                        "state = case state when 'waiting' then 'dropped' else state end"
                            .to_owned(),
                    ),
                    "mails" => Some(
                        "state = case state when 'sent' then state else 'dropped' end".to_owned(),
                    ),
                    _ => None,
                });
                format!("update {table} set {} where {whose}", values.join(", "))
            }
            Deleted => format!("delete from {table} where {whose}"),
        };
        db.run(&format!("{with} {sql}"), &about)?;
    }
    Ok(())
}

/// Tables that name who did something, besides the audit log.
const ACTORS: [&str; 3] = ["bulk_changes", "code_changes", "imports"];

/// Removes the name of somebody who can no longer sign in from what she did.
pub fn forget_actor(db: &WriteTx<'_>, name: &str) -> Result<()> {
    for table in ACTORS {
        let sql = format!("update {table} set who = ?2 where who = ?1");
        db.run(&sql, &[&name, &ERASED])?;
    }
    Ok(())
}

/// Gives what names the customer another name.
pub fn rename(db: &WriteTx<'_>, from: &str, to: &str) -> Result<()> {
    for (table, column) in NAMES {
        db.run(
            &format!("update {table} set {column} = ?2 where {column} = ?1 and {column} <> ''"),
            &[&from, &to],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::open;
    use super::*;

    /// Columns of text that say nothing about a customer who is erased, by table.
    const OTHERS: [(&str, &[&str]); 38] = [
        // What was sold, and when; keys of machines are pseudonyms, which licenses need.
        (
            "tools",
            &[
                "name",
                "message",
                "link",
                "vendor",
                "support_email",
                "latest_version",
                "latest_url",
                "minimum_version",
            ],
        ),
        ("tool_editions", &["tool_name", "edition", "features"]),
        ("trials", &["tool_name", "license_key", "day"]),
        (
            "licenses",
            &[
                "tool_name",
                "license_key",
                "status",
                "expiration_date",
                "last_seen_on",
                "refused_on",
                "shared_on",
                "seen_version",
                "own_status",
                "own_expiration_date",
                "edition",
                "features",
                "updates_until",
                "trial",
                "offline_until",
            ],
        ),
        (
            "activation_codes",
            &[
                "tool_name",
                "code",
                "status",
                "expiration_date",
                "edition",
                "features",
                "updates_until",
            ],
        ),
        ("seat_moves", &["license_key"]),
        ("orders", &["source", "order_ref", "items"]),
        ("order_events", &["event_ref", "content"]),
        ("order_codes", &["revoked_from"]),
        (
            "code_renewals",
            &[
                "content",
                "day",
                "expiration_date",
                "edition",
                "features",
                "updates_until",
            ],
        ),
        ("shops", &["kind", "name", "secret", "fields", "refusal"]),
        (
            "shop_products",
            &[
                "product",
                "tool_name",
                "expiration_date",
                "edition",
                "features",
            ],
        ),
        ("shop_references", &["reference", "order_ref"]),
        ("shop_payments", &["order_ref"]),
        ("shop_events", &["event_ref", "kind", "state", "reference"]),
        (
            "mails",
            &["event", "event_key", "message_id", "language", "state"],
        ),
        ("mail_topics", &["expiration_date"]),
        (
            "mail_texts",
            &["tool_name", "event", "language", "subject", "body"],
        ),
        ("webhook_deliveries", &["event", "message_id", "state"]),
        (
            "webhooks",
            &[
                "url",
                "description",
                "events",
                "secret",
                "old_secret",
                "state",
            ],
        ),
        ("former_pairs", &["license_key", "tool_name"]),
        ("last_checks", &["verdict", "version"]),
        ("check_days", &["tool_name", "day", "verdict"]),
        (
            "unlicensed_machines",
            &[
                "tool_name",
                "license_key",
                "previous_license_key",
                "version",
                "decision",
            ],
        ),
        ("bulk_changes", &["fingerprint", "state"]),
        ("key_days", &["kid", "day"]),
        ("file_marks", &["mark"]),
        ("backups", &["outcome", "path", "reason"]),
        ("restores", &[]),
        ("signing_keys", &["kid", "private_key"]),
        // About the people who sell.
        ("bulk_changes", &["who"]),
        (
            "users",
            &["name", "password_hash", "email", "role", "totp_secret"],
        ),
        ("invitations", &["token_hash", "name", "email", "role"]),
        ("recovery_codes", &["code_hash"]),
        (
            "sessions",
            &["token_hash", "address", "user_agent", "networks"],
        ),
        (
            "api_tokens",
            &["token_hash", "name", "scopes", "last_used_address"],
        ),
        // Names nobody itself: values are erased from `personal_values` by `service::people`.
        ("audit", &["kind", "before", "after", "hash", "content"]),
        ("personal_values", &["salt", "value"]),
    ];

    #[test]
    fn every_column_of_text_is_known_to_name_a_person_or_not() {
        let mut db = Connection::open_in_memory().unwrap();
        open::migrate(&mut db, 0).unwrap();
        let sql = "select t.name, c.name from sqlite_schema t, pragma_table_info(t.name) c
             where t.type = 'table' and lower(c.type) = 'text' and t.name not like 'sqlite%'";
        let mut columns = db.prepare(sql).unwrap();
        let columns = columns
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        let columns: Vec<(String, String)> = columns.map(Result::unwrap).collect();
        assert!(columns.len() > 50);
        let is_known = |(table, column): &&(String, String)| {
            let place = PLACES.iter().any(|place| {
                place.table == *table
                    && match place.erased {
                        Cleared(columns) => columns.contains(&&**column),
                        Deleted => true,
                    }
            });
            let mut others = OTHERS.iter();
            place || others.any(|(other, columns)| other == table && columns.contains(&&**column))
        };
        let unknown: Vec<_> = columns.iter().filter(|column| !is_known(column)).collect();
        assert_eq!(unknown, Vec::<&(String, String)>::new());
        let cleared = PLACES.iter().filter_map(|place| match place.erased {
            Cleared(columns) => Some(columns.iter().map(|c| (place.table, *c))),
            Deleted => None,
        });
        for (table, column) in cleared.flatten().chain(NAMES) {
            let is_it = |(t, c): &(String, String)| (&**t, &**c) == (table, column);
            assert!(columns.iter().any(is_it), "{table}.{column}");
        }
    }
}
