//! A new database has the current schema, whichever steps lead to it.

use std::collections::BTreeSet;
use std::fs;

use license_server::clock::Clock;
use license_server::config::Config;
use license_server::service::Service;
use rusqlite::Connection;

use crate::engine::sqlite_only;

/// Every column, index, trigger, reference and check, whatever the order of the columns.
pub fn shape(db: &Connection) -> BTreeSet<String> {
    let sql = "select 'column ' || t.name || ' ' || c.name || ' ' || c.type || c.\"notnull\" || ifnull(c.dflt_value, '') || c.pk
               from sqlite_schema t, pragma_table_info(t.name) c where t.type = 'table'
               union all select 'index ' || t.name || ' ' || i.\"unique\" || i.origin || x.seqno || ifnull(x.name, '')
               from sqlite_schema t, pragma_index_list(t.name) i, pragma_index_info(i.name) x where t.type = 'table'
               union all select 'reference ' || t.name || f.\"table\" || f.\"from\" || f.on_update || f.on_delete
               from sqlite_schema t, pragma_foreign_key_list(t.name) f where t.type = 'table'
               union all select sql from sqlite_schema where type in ('index', 'trigger', 'view') or sql like 'create virtual%'
               union all select 'strictness ' || name || wr || strict from pragma_table_list where schema = 'main'";
    let rows = |sql| -> Vec<String> {
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement
            .query_map([], |row| row.get::<_, Option<String>>(0))
            .unwrap();
        rows.filter_map(Result::unwrap).collect()
    };
    let tables = rows("select name || ' ' || sql from sqlite_schema where type = 'table'");
    let checks = tables.iter().flat_map(|table| checks(table));
    let all = rows(sql).into_iter().chain(checks);
    all.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// The conditions of `check (…)` in a statement that begins with the table's name.
fn checks(statement: &str) -> Vec<String> {
    let name = statement.split(' ').next().unwrap();
    let mut checks = vec![];
    for after in statement.split("check (").skip(1) {
        let mut depth = 1;
        let is_inside = |c: &char| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth > 0
        };
        let condition: String = after.chars().take_while(is_inside).collect();
        checks.push(format!("check {name} {condition}"));
    }
    checks
}

/// A database as `schema.sql` makes it.
pub fn described() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    let schema = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql")).unwrap();
    db.execute_batch(&schema).unwrap();
    db
}

/// What only one of the two has.
pub fn difference(one: &BTreeSet<String>, other: &BTreeSet<String>) -> Vec<String> {
    one.symmetric_difference(other).cloned().collect()
}

#[test]
fn a_new_database_has_the_schema_that_is_described() {
    if !sqlite_only("it compares what SQLite keeps of its schema") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        data_dir: folder.path().to_owned(),
        ..Config::default()
    };
    drop(Service::open(&config, Clock::System).unwrap());
    let led = shape(&Connection::open(folder.path().join("licenses.db")).unwrap());
    let described = shape(&described());
    assert_eq!(difference(&led, &described), Vec::<String>::new());
    assert!(described.len() > 100, "{}", described.len());
}

#[test]
fn a_difference_between_two_schemas_is_found() {
    for change in [
        "drop index licenses_by_customer",
        "drop index licenses_refused; create index licenses_refused on licenses (refused_on)",
        "drop trigger audit_keeps_rows",
        "alter table tools add column more text not null default ''",
        "drop table check_days; create table check_days (
             tool_name text not null references tools (name) on update cascade,
             day text not null, verdict text not null, number bigint not null,
             primary key (tool_name, day, verdict));
         create index check_days_by_day on check_days (day)",
        "drop table bulk_changes; create table bulk_changes (
             id integer primary key autoincrement, at bigint not null, who text not null,
             what text not null, fingerprint text not null, state text not null,
             number bigint not null, undone text not null);
         create index bulk_changes_running on bulk_changes (id) where state = 'running'",
    ] {
        let db = described();
        db.execute_batch(change).unwrap();
        assert_ne!(shape(&db), shape(&described()), "{change}");
    }
}
