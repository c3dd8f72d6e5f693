//! The table of customers: a license names its customer, and every name has a row.

use time::OffsetDateTime;

use super::db::{Db, Optional, Result, Row};
use super::{WriteTx, moment};
use crate::model::customer::Customer;

const COLUMNS: &str = "id, created_at, name, email, language, note";

/// Adds a customer of that name unless there is one.
pub fn ensure(db: &WriteTx<'_>, name: &str, now: OffsetDateTime) -> Result<()> {
    if name.is_empty() || db.customers.borrow().contains(name) {
        return Ok(());
    }
    db.run(
        "insert into customers (created_at, name, email, language, note) values (?1, ?2, '', '', '')
         on conflict do nothing",
        &[&now.unix_timestamp(), &name],
    )?;
    db.customers.borrow_mut().insert(name.to_owned());
    Ok(())
}

/// Adds a customer with that address unless there is one of that name.
pub fn add(db: &WriteTx<'_>, name: &str, email: &str, now: OffsetDateTime) -> Result<()> {
    db.run(
        "insert into customers (created_at, name, email, language, note) values (?1, ?2, ?3, '', '')
         on conflict (name) do nothing",
        &[&now.unix_timestamp(), &name, &email],
    )?;
    Ok(())
}

pub fn set_email(db: &WriteTx<'_>, id: i64, email: &str) -> Result<()> {
    db.run(
        "update customers set email = ?2 where id = ?1",
        &[&id, &email],
    )?;
    Ok(())
}

pub fn get(db: &Db, id: i64) -> Result<Option<Customer>> {
    db.one(
        &format!("select {COLUMNS} from customers where id = ?1"),
        &[&id],
        customer,
    )
    .optional()
}

/// The name is compared byte for byte.
pub fn named(db: &Db, name: &str) -> Result<Option<Customer>> {
    db.one(
        &format!("select {COLUMNS} from customers where name = ?1"),
        &[&name],
        customer,
    )
    .optional()
}

/// The oldest customer with that address, which is compared as stored.
pub fn of_email(db: &Db, email: &str) -> Result<Option<Customer>> {
    db.one(
        &format!(
            "select {COLUMNS} from customers where email = ?1 and email <> '' order by id limit 1"
        ),
        &[&email],
        customer,
    )
    .optional()
}

/// Replaces everything but the ID and the time; the name must be free.
pub fn set(db: &WriteTx<'_>, customer: &Customer) -> Result<()> {
    db.customers.borrow_mut().clear();
    db.run(
        "update customers set name = ?2, email = ?3, language = ?4, note = ?5 where id = ?1",
        &[
            &customer.id,
            &customer.name,
            &customer.email,
            &customer.language,
            &customer.note,
        ],
    )?;
    Ok(())
}

pub fn delete(db: &WriteTx<'_>, id: i64) -> Result<()> {
    db.customers.borrow_mut().clear();
    db.run("delete from customers where id = ?1", &[&id])?;
    Ok(())
}

/// At most `limit` customers that `is_wanted`, in the order of their names, after that name; looks at no more than
/// `most`.
pub fn list(
    db: &Db,
    after: &str,
    most: usize,
    limit: usize,
    is_wanted: impl Fn(&Customer) -> bool,
) -> Result<Vec<Customer>> {
    let sql = format!("select {COLUMNS} from customers where name > ?1 order by name limit ?2");
    let mut found = vec![];
    db.each(&sql, &[&after, &(most as i64)], |row| {
        found.extend(Some(customer(row)?).filter(&is_wanted));
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

/// At most `limit`, the newest first.
pub fn newest_names(db: &Db, limit: usize) -> Result<Vec<String>> {
    db.all(
        "select name from customers order by id desc limit ?1",
        &[&(limit as i64)],
        |row| row.get(0),
    )
}

/// Numbers of licenses and activation codes with that name.
pub fn numbers(db: &Db, name: &str) -> Result<(i64, i64)> {
    db.one(
        "select (select count(*) from licenses where user_id = ?1),
             (select count(*) from activation_codes where customer = ?1 and customer <> '')",
        &[&name],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// The first tools of codes and licenses with that name.
pub fn tools(db: &Db, name: &str, limit: usize) -> Result<Vec<String>> {
    db.all(
        "select tool_name from activation_codes where customer = ?1 and customer <> ''
         union select tool_name from licenses where user_id = ?1 and user_id <> ''
         order by tool_name limit ?2",
        &[&name, &(limit as i64)],
        |row| row.get(0),
    )
}

pub fn count(db: &Db) -> Result<i64> {
    db.one("select count(*) from customers", &[], |row| row.get(0))
}

fn customer(row: &Row<'_>) -> Result<Customer> {
    Ok(Customer {
        id: row.get(0)?,
        created_at: moment(row, 1)?,
        name: row.get(2)?,
        email: row.get(3)?,
        language: row.get(4)?,
        note: row.get(5)?,
    })
}
