//! The tables of activation codes, of their changes, and of the seats that customers freed.

use time::OffsetDateTime;

use super::db::{Db, DbError, Optional, Result, Row, ToValue};
use super::{NEVER, WriteTx, customers, moment, optional_moment, status, tools, unreadable};
use crate::model::activation_code::{ActivationCode, CodeTerm, CodeValues, ListedCode};
use crate::model::date;
use crate::model::entitlements::Entitlements;
use crate::model::license::CodeTerms;

const COLUMNS: &str = "id, created_at, tool_name, code, is_imported, is_test, first_used_at, status, \
     seats, expiration_date, days, moves_per_year, customer, order_ref, note, edition, features, data, \
     updates_until";

/// The last column of a [`ListedCode`].
const SEATS_USED: &str =
    "(select count(*) from licenses where licenses.code_id = activation_codes.id)";

/// A code that is not yet in the table.
pub struct NewCode<'a> {
    pub tool_name: &'a str,
    /// As it is compared.
    pub code: &'a str,
    pub is_imported: bool,
    pub is_test: bool,
    pub values: &'a CodeValues,
}

/// Adds a code and returns its ID; none if there is such a code already.
pub fn add(db: &WriteTx<'_>, new: &NewCode<'_>, now: OffsetDateTime) -> Result<Option<i64>> {
    let values = new.values;
    let (expiration_date, days) = term_columns(values.term);
    let [edition, features, data, updates_until] = values.entitlements.texts();
    tools::ensure(db, new.tool_name, now)?;
    customers::ensure(db, &values.customer, now)?;
    db.one(
        "insert into activation_codes (created_at, tool_name, code, is_imported, is_test, status, seats,
             expiration_date, days, moves_per_year, customer, order_ref, note, edition, features, data,
             updates_until)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
         on conflict (code) do nothing returning id",
        &[&now.unix_timestamp(), &new.tool_name, &new.code, &new.is_imported, &new.is_test, &values.status.as_str(), &values.seats, &expiration_date, &days, &values.moves_per_year, &values.customer, &values.order_ref, &values.note, &edition, &features, &data, &updates_until],
        |row| row.get(0),
    )
    .optional()
}

pub fn get(db: &Db, id: i64) -> Result<Option<ActivationCode>> {
    db.one(
        &format!("select {COLUMNS} from activation_codes where id = ?1"),
        &[&id],
        code,
    )
    .optional()
}

pub fn listed(db: &Db, id: i64) -> Result<Option<ListedCode>> {
    db.one(
        &format!("select {COLUMNS}, {SEATS_USED} from activation_codes where id = ?1"),
        &[&id],
        listed_in,
    )
    .optional()
}

/// The code as it is compared.
pub fn find(db: &Db, text: &str) -> Result<Option<ActivationCode>> {
    db.one(
        &format!("select {COLUMNS} from activation_codes where code = ?1"),
        &[&text],
        code,
    )
    .optional()
}

/// At most `limit` codes that have these values, newest first; none for any value.
pub fn matching(
    db: &Db,
    code_text: Option<&str>,
    order_ref: Option<&str>,
    customer: Option<&str>,
    limit: usize,
) -> Result<Vec<ListedCode>> {
    let wanted = [
        ("code", code_text),
        ("order_ref", order_ref),
        ("customer", customer),
    ];
    let wanted: Vec<(&str, &str)> = wanted
        .into_iter()
        .filter_map(|(column, value)| Some((column, value?)))
        .collect();
    // An empty value would miss the partial indexes, and name most codes.
    if wanted.iter().any(|(_, value)| value.is_empty()) {
        return Ok(vec![]);
    }
    let conditions = (1..).zip(&wanted).map(|(at, (column, _))| match *column {
        "code" => format!("code = ?{at}"),
        column => format!("{column} = ?{at} and {column} <> ''"),
    });
    let conditions: Vec<String> = conditions.collect();
    let sql = format!(
        "select {COLUMNS}, {SEATS_USED} from activation_codes where {} order by id desc limit {limit}",
        conditions.join(" and ")
    );
    let values: Vec<&dyn ToValue> = wanted.iter().map(|(_, value)| value as _).collect();
    db.all(&sql, &values, listed_in)
}

/// Whether any code of an older system was imported for the tool.
pub fn has_imported(db: &Db, tool_name: &str) -> Result<bool> {
    db.one(
        "select exists (select 1 from activation_codes where tool_name = ?1 and is_imported = 1)",
        &[&tool_name],
        |row| row.get(0),
    )
}

/// What the code decides about its licenses.
pub fn terms(db: &Db, id: i64) -> Result<CodeTerms> {
    let code = get(db, id)?.ok_or(DbError::NoRow)?;
    Ok(code.terms())
}

/// Begins a term that is counted from the first activation.
pub fn set_used(db: &WriteTx<'_>, id: i64, term: CodeTerm, now: OffsetDateTime) -> Result<()> {
    let (expiration_date, days) = term_columns(term);
    db.run(
        "update activation_codes set first_used_at = ?2, expiration_date = ?3, days = ?4
         where id = ?1",
        &[&id, &now.unix_timestamp(), &expiration_date, &days],
    )?;
    Ok(())
}

/// Replaces what people decide about a code; its licenses stay as they are.
pub(super) fn write(
    db: &WriteTx<'_>,
    before: &ActivationCode,
    values: &CodeValues,
    now: OffsetDateTime,
) -> Result<()> {
    let (expiration_date, days) = term_columns(values.term);
    let [edition, features, data, updates_until] = values.entitlements.texts();
    customers::ensure(db, &values.customer, now)?;
    db.run(
        "update activation_codes set status = ?2, seats = ?3, expiration_date = ?4, days = ?5,
             moves_per_year = ?6, customer = ?7, order_ref = ?8, note = ?9, edition = ?10, features = ?11,
             data = ?12, updates_until = ?13
         where id = ?1",
        &[&before.id, &values.status.as_str(), &values.seats, &expiration_date, &days, &values.moves_per_year, &values.customer, &values.order_ref, &values.note, &edition, &features, &data, &updates_until],
    )?;
    Ok(())
}

pub(super) fn term_columns(term: CodeTerm) -> (String, i64) {
    match term {
        CodeTerm::Perpetual => (NEVER.to_owned(), 0),
        CodeTerm::Until(last) => (date::format(last), 0),
        CodeTerm::Days(days) => (NEVER.to_owned(), days),
    }
}

/// Records that a customer freed the seat of that machine.
pub fn add_move(db: &Db, id: i64, license_key: &str, now: OffsetDateTime) -> Result<()> {
    db.run(
        "insert into seat_moves (code_id, license_key, at) values (?1, ?2, ?3)
         on conflict do nothing",
        &[&id, &license_key, &now.unix_timestamp()],
    )?;
    Ok(())
}

/// The machine came back: its latest move no longer counts.
pub fn return_move(db: &Db, id: i64, license_key: &str) -> Result<()> {
    db.run(
        "delete from seat_moves where code_id = ?1 and license_key = ?2 and at = (
             select max(at) from seat_moves where code_id = ?1 and license_key = ?2)",
        &[&id, &license_key],
    )?;
    Ok(())
}

pub fn moves_since(db: &Db, id: i64, since: OffsetDateTime) -> Result<i64> {
    db.one(
        "select count(*) from seat_moves where code_id = ?1 and at > ?2",
        &[&id, &since.unix_timestamp()],
        |row| row.get(0),
    )
}

/// In four columns from that one on.
pub(super) fn entitlements(row: &Row<'_>, at: usize) -> Result<Entitlements> {
    let texts = [
        row.text(at)?,
        row.text(at + 1)?,
        row.text(at + 2)?,
        row.text(at + 3)?,
    ];
    Entitlements::from_texts(texts).map_err(|wrong| unreadable(at + wrong, texts[wrong]))
}

/// In two columns from that one on.
pub(super) fn term(row: &Row<'_>, at: usize) -> Result<CodeTerm> {
    let days: i64 = row.get(at + 1)?;
    Ok(match (days, row.text(at)?) {
        (1.., _) => CodeTerm::Days(days),
        (_, NEVER) => CodeTerm::Perpetual,
        (_, day) => CodeTerm::Until(date::read(day).ok_or_else(|| unreadable(at, day))?),
    })
}

fn listed_in(row: &Row<'_>) -> Result<ListedCode> {
    Ok(ListedCode {
        code: code(row)?,
        seats_used: row.get(19)?,
    })
}

fn code(row: &Row<'_>) -> Result<ActivationCode> {
    let term = term(row, 9)?;
    Ok(ActivationCode {
        id: row.get(0)?,
        created_at: moment(row, 1)?,
        tool_name: row.get(2)?,
        code: row.get(3)?,
        is_imported: row.get(4)?,
        is_test: row.get(5)?,
        first_used_at: optional_moment(row, 6)?,
        values: CodeValues {
            status: status(row, 7)?,
            seats: row.get(8)?,
            term,
            moves_per_year: row.get(11)?,
            customer: row.get(12)?,
            order_ref: row.get(13)?,
            note: row.get(14)?,
            entitlements: entitlements(row, 15)?,
        },
    })
}
