//! Migrating an old database gives the schema of a new one and keeps its data.

use std::collections::BTreeSet;
use std::fs;

use license_server::clock::Clock;
use license_server::config::Config;
use license_server::service::Service;
use rusqlite::Connection;
use tempfile::TempDir;

/// A database of version 1 with two licenses.
fn old() -> (TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let db = Connection::open(folder.path().join("licenses.db")).unwrap();
    db.execute_batch(include_str!("../schemas/1.sql")).unwrap();
    db.execute_batch(
        "pragma user_version = 1;
         pragma application_id = 0x4c535256;
         insert into tools (name, created_at) values ('T', 0);
         insert into licenses (created_at, tool_name, license_key, status, expiration_date)
         values (0, 'T', 'k', 'activated', null), (0, 'T', 'l', 'revoked', '2030-01-01')",
    )
    .unwrap();
    let config = Config {
        data_dir: folder.path().to_owned(),
        ..Config::default()
    };
    (folder, config)
}

/// Every column, index, view, trigger and reference, whatever the order of the columns.
fn shape(db: &Connection) -> BTreeSet<String> {
    let sql = "select 'column ' || t.name || c.name || c.type || c.\"notnull\" || ifnull(c.dflt_value, '') || c.pk
               from sqlite_schema t, pragma_table_info(t.name) c where t.type = 'table'
               union all select 'index ' || t.name || i.name || i.\"unique\" || x.seqno || ifnull(x.name, '')
               from sqlite_schema t, pragma_index_list(t.name) i, pragma_index_info(i.name) x where t.type = 'table'
               union all select 'reference ' || t.name || f.\"table\" || f.\"from\" || f.on_update || f.on_delete
               from sqlite_schema t, pragma_foreign_key_list(t.name) f where t.type = 'table'
               union all select sql from sqlite_schema where type in ('trigger', 'view') or sql like 'create virtual%'";
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_migrated_database_has_the_current_schema() {
    let (folder, config) = old();
    drop(Service::open(&config, Clock::System).unwrap());
    let led = shape(&Connection::open(folder.path().join("licenses.db")).unwrap());
    let new = Connection::open_in_memory().unwrap();
    let schema = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql")).unwrap();
    new.execute_batch(&schema).unwrap();
    let new = shape(&new);
    assert_eq!(
        led.difference(&new).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert_eq!(
        new.difference(&led).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

#[test]
fn a_migrated_database_keeps_and_counts_its_licenses() {
    let (folder, config) = old();
    drop(Service::open(&config, Clock::System).unwrap());
    let db = Connection::open(folder.path().join("licenses.db")).unwrap();
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(
        number("select count(*) from licenses where last_seen_on = ''"),
        2
    );
    assert_eq!(number("select sum(number) from license_counts"), 2);
    let revoked = "select number from license_counts where status = 'revoked' and expiration_date = '2030-01-01'";
    assert_eq!(number(revoked), 1);
    let found = "select doc from license_terms where term = 'l' || char(3, 3)";
    assert_eq!(number(found), 2);
}
