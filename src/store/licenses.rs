//! The table of licenses.

use std::sync::LazyLock;

use time::{Date, OffsetDateTime};

use super::db::{Db, Optional, Result, Row, Value, refs};
use super::{
    NEVER, WriteTx, activation_codes, checks, customers, day, moment, status, tools, trials,
    unlicensed_machines, unreadable,
};
use crate::error::Error;
use crate::model::check::ListedLicense;
use crate::model::date;
use crate::model::license::Seat;
use crate::model::license::fields::{self, FIELDS};
use crate::model::license::{License, Status, Values};
use crate::model::machine_code::has_machine_code;
use crate::model::question::Question;
use crate::model::signed::SignedValues;

/// What the verdict on a license depends on, and which license it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedLicense {
    pub id: i64,
    pub status: Status,
    /// None for a perpetual license.
    pub expiration_date: Option<Date>,
    pub is_trial: bool,
    /// A signed answer also needs [`signed_values`].
    pub has_more: bool,
}

/// Columns of a license besides its fields, which follow them in [`columns`].
const FIXED: [&str; 7] = [
    "id",
    "created_at",
    "moved_to",
    "code_id",
    "own_status",
    "own_expiration_date",
    "offline_until",
];

/// What [`checked_in`] reads.
const CHECKED_COLUMNS: &str = "id, status, expiration_date, case when trial <> '' then 1 else 0 end, case when edition <> ''
         or features <> '' or data <> '' or updates_until <> '' or offline_until <> '' or exists (
             select 1 from activation_codes codes where codes.id = licenses.code_id
                 and (codes.edition <> '' or codes.features <> '' or codes.data <> '' or codes.updates_until <> ''))
     then 1 else 0 end";

static CHECKED: LazyLock<String> = LazyLock::new(|| {
    format!("select {CHECKED_COLUMNS} from licenses where tool_name = ?1 and license_key = ?2")
});

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let places: Vec<String> = (5..5 + fields::COUNT).map(|n| format!("?{n}")).collect();
    format!(
        "insert into licenses (created_at, code_id, own_status, own_expiration_date, {})
         values (?1, ?2, ?3, ?4, {})
         on conflict (tool_name, license_key) do nothing returning id",
        FIELDS.map(|field| field.name).join(", "),
        places.join(", ")
    )
});

static UPDATE: LazyLock<String> = LazyLock::new(|| {
    let places = FIELDS.iter().enumerate();
    let places = places.map(|(at, field)| format!("{} = ?{}", field.name, at + 2));
    let places: Vec<String> = places.collect();
    format!("update licenses set {} where id = ?1", places.join(", "))
});

static OF_PAIR: LazyLock<String> = LazyLock::new(|| {
    format!(
        "select {} from licenses where tool_name = ?1 and license_key = ?2",
        columns("licenses")
    )
});

static OF_ID: LazyLock<String> =
    LazyLock::new(|| format!("select {} from licenses where id = ?1", columns("licenses")));

pub(super) static EVERY: LazyLock<String> =
    LazyLock::new(|| format!("select {} from licenses order by id", columns("licenses")));

/// The columns that [`license`] reads, of a table or alias.
fn columns(table: &str) -> String {
    let fields = FIELDS.iter().map(|field| field.name);
    let all = FIXED.into_iter().chain(fields);
    all.map(|name| format!("{table}.{name}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The columns and the join that [`listed`] reads, of a table or alias of licenses.
pub(super) fn listed_columns(table: &str) -> String {
    format!(
        "{}, {table}.last_seen_on, {table}.address_count, {table}.host_count,
         coalesce((select code from activation_codes where activation_codes.id = {table}.code_id), ''), {}",
        columns(table),
        checks::COLUMNS
    )
}

pub(super) fn join_last_checks(table: &str) -> String {
    format!("left join last_checks on last_checks.license_id = {table}.id")
}

/// The point lookup of a check.
pub fn checked(db: &Db, question: &Question<'_>) -> Result<Option<CheckedLicense>> {
    db.one(
        &CHECKED,
        &[&question.tool_name, &question.license_key],
        checked_in,
    )
    .optional()
}

/// With the values of its activation code where it has none of its own.
pub fn signed_values(db: &Db, id: i64) -> Result<Option<SignedValues>> {
    db.one(
        "select licenses.edition, licenses.features, licenses.data, licenses.updates_until,
             licenses.offline_until, coalesce(codes.edition, ''), coalesce(codes.features, ''),
             coalesce(codes.data, ''), coalesce(codes.updates_until, '')
         from licenses left join activation_codes codes on codes.id = licenses.code_id
         where licenses.id = ?1",
        &[&id],
        |row| {
            let own = activation_codes::entitlements(row, 0)?;
            Ok(SignedValues {
                entitlements: own.or(activation_codes::entitlements(row, 5)?),
                offline_until: day_or_none(row, 4)?,
            })
        },
    )
    .optional()
}

/// Tool and key, and what a check needs.
pub type NamedLicense = (String, String, CheckedLicense);

/// At most `limit` IDs below `before`, newest first, with what checks need of them; none if a row
/// cannot be read.
pub fn all_checked(db: &Db, before: i64, limit: usize) -> Result<Vec<(i64, Option<NamedLicense>)>> {
    db.all(
        &format!(
            "select {CHECKED_COLUMNS}, tool_name, license_key from licenses
         where id < ?1 order by id desc limit ?2"
        ),
        &[&before, &(limit as i64)],
        |row| {
            let checked =
                checked_in(row).and_then(|checked| Ok((row.get(5)?, row.get(6)?, checked)));
            // A disk error would have failed earlier: here only a value can be invalid.
            Ok((row.get(0)?, checked.ok()))
        },
    )
}

fn checked_in(row: &Row<'_>) -> Result<CheckedLicense> {
    let day = row.text(2)?;
    Ok(CheckedLicense {
        id: row.get(0)?,
        status: status(row, 1)?,
        expiration_date: match day {
            NEVER => None,
            day => Some(date::read(day).ok_or_else(|| unreadable(2, day))?),
        },
        is_trial: row.get(3)?,
        has_more: row.get(4)?,
    })
}

pub fn count(db: &Db) -> Result<usize> {
    let all: i64 = db.one("select count(*) from licenses", &[], |row| row.get(0))?;
    Ok(usize::try_from(all).unwrap_or(0))
}

/// Whether a second index has the pair: a damaged page can hide a row from the first index without
/// any error.
pub fn exists(db: &Db, question: &Question<'_>) -> Result<bool> {
    // The concatenation keeps the first index from being used again.
    db.one(
        "select exists (select 1 from licenses where license_key = ?2 and tool_name || '' = ?1)",
        &[&question.tool_name, &question.license_key],
        |row| row.get(0),
    )
}

/// The ID of the license with that tool and canonical key.
pub fn id_of(db: &Db, tool_name: &str, license_key: &str) -> Result<Option<i64>> {
    db.one(
        "select id from licenses where tool_name = ?1 and license_key = ?2",
        &[&tool_name, &license_key],
        |row| row.get(0),
    )
    .optional()
}

/// The IDs of at most `limit` licenses with this key, for any tool.
pub fn of_key(db: &Db, license_key: &str, limit: usize) -> Result<Vec<i64>> {
    db.all(
        "select id from licenses where license_key = ?1 order by tool_name limit ?2",
        &[&license_key, &(limit as i64)],
        |row| row.get(0),
    )
}

pub fn get(db: &Db, id: i64) -> Result<Option<License>> {
    db.one(&OF_ID, &[&id], license).optional()
}

/// The licenses with these IDs that exist, in the given order.
pub fn of_ids(db: &Db, ids: impl Iterator<Item = i64>) -> Result<Vec<License>> {
    ids.filter_map(|id| get(db, id).transpose()).collect()
}

/// The license with that tool and canonical key.
pub fn of_pair(db: &Db, tool_name: &str, license_key: &str) -> Result<Option<License>> {
    db.one(&OF_PAIR, &[&tool_name, &license_key], license)
        .optional()
}

/// A license with its last check.
pub fn listed(db: &Db, id: i64) -> Result<Option<ListedLicense>> {
    let (columns, join) = (listed_columns("licenses"), join_last_checks("licenses"));
    db.one(
        &format!("select {columns} from licenses {join} where licenses.id = ?1"),
        &[&id],
        listed_in,
    )
    .optional()
}

/// A row of [`listed_columns`].
pub(super) fn listed_in(row: &Row<'_>) -> Result<ListedLicense> {
    let width = FIXED.len() + fields::COUNT;
    Ok(ListedLicense {
        license: license(row)?,
        last_seen_on: row.get(width)?,
        address_count: row.get(width + 1)?,
        host_count: row.get(width + 2)?,
        activation_code: row.get(width + 3)?,
        last_check: checks::last_check(row, width + 4)?,
    })
}

/// Adds a row and returns its ID; a pair that already exists is [`Error::Duplicate`].
pub fn add(db: &WriteTx<'_>, new: &Values, created_at: OffsetDateTime) -> Result<i64, Error> {
    add_seated(db, new, None, created_at)
}

/// [`add`] with a seat whose code decides just what the values say.
pub fn add_seated(
    db: &WriteTx<'_>,
    new: &Values,
    seat: Option<Seat>,
    created_at: OffsetDateTime,
) -> Result<i64, Error> {
    db.invalidate(&new.tool_name, &new.license_key);
    tools::ensure(db, &new.tool_name, created_at)?;
    ensure_customer(db, new, created_at)?;
    unlicensed_machines::remove(db, &new.tool_name, &new.license_key)?;
    let mut cells = vec![created_at.unix_timestamp().into()];
    cells.extend(seat_cells(seat));
    cells.extend(field_cells(new));
    let id = db.one(&INSERT, &refs(&cells), |row| row.get(0));
    let id = id.optional()?.ok_or(Error::Duplicate)?;
    db.index(id, None, Some(new));
    Ok(id)
}

/// Replaces the values of the row `before`; a pair that another row has is [`Error::Duplicate`].
pub fn update(
    db: &WriteTx<'_>,
    before: &License,
    new: &Values,
    now: OffsetDateTime,
) -> Result<(), Error> {
    db.invalidate(&before.tool_name, &before.license_key);
    let has_new_pair = before.tool_name != new.tool_name || before.license_key != new.license_key;
    if has_new_pair {
        if before.seat.is_some() && before.tool_name != new.tool_name {
            let message = format!(
                "This license has a seat of an activation code for {}. Add another license for {}.",
                before.tool_name, new.tool_name
            );
            return Err(Error::invalid("tool_name", message));
        }
        if id_of(db, &new.tool_name, &new.license_key)?.is_some() {
            return Err(Error::Duplicate);
        }
        db.invalidate(&new.tool_name, &new.license_key);
        tools::ensure(db, &new.tool_name, now)?;
        unlicensed_machines::remove(db, &new.tool_name, &new.license_key)?;
    }
    ensure_customer(db, new, now)?;
    write(db, before.id, new)?;
    if before.is_trial && !new.is_trial {
        trials::set_converted(db, &before.tool_name, &before.license_key, now)?;
    }
    if let Some(seat) = before.seat {
        settle(db, before.id, Some(seat.changed(before, new)))?;
    }
    db.index(before.id, Some(before), Some(new));
    Ok(())
}

fn write(db: &WriteTx<'_>, id: i64, values: &Values) -> Result<()> {
    let mut cells = vec![id.into()];
    cells.extend(field_cells(values));
    db.run(&UPDATE, &refs(&cells))?;
    Ok(())
}

fn ensure_customer(db: &WriteTx<'_>, values: &Values, now: OffsetDateTime) -> Result<()> {
    customers::ensure(db, values.user_id.as_deref().unwrap_or_default(), now)
}

/// Gives a license a seat of an activation code, or none; the code then decides with it.
pub fn settle(db: &WriteTx<'_>, id: i64, seat: Option<Seat>) -> Result<(), Error> {
    let Some(license) = get(db, id)? else {
        return Ok(());
    };
    let (status, expiration_date) = match seat {
        Some(seat) => seat.effective(activation_codes::terms(db, seat.code_id)?),
        None => (license.status, license.expiration_date),
    };
    if license.seat == seat
        && (status, expiration_date) == (license.status, license.expiration_date)
    {
        return Ok(());
    }
    db.invalidate(&license.tool_name, &license.license_key);
    let [code_id, own_status, own_expiration_date] = seat_cells(seat);
    db.run(
        "update licenses set code_id = ?2, own_status = ?3, own_expiration_date = ?4, status = ?5,
             expiration_date = ?6
         where id = ?1",
        &[
            &id,
            &code_id,
            &own_status,
            &own_expiration_date,
            &status.as_str(),
            &or_never(expiration_date),
        ],
    )?;
    Ok(())
}

fn or_never(date: Option<Date>) -> String {
    date.map_or(NEVER.to_owned(), date::format)
}

/// `code_id`, `own_status` and `own_expiration_date`.
fn seat_cells(seat: Option<Seat>) -> [Value<'static>; 3] {
    let own = seat.and_then(|seat| seat.own_expiration);
    [
        seat.map(|seat| seat.code_id).into(),
        seat.map_or("", |seat| seat.own_status.as_str()).into(),
        own.map_or(String::new(), or_never).into(),
    ]
}

fn field_cells(values: &Values) -> impl Iterator<Item = Value<'_>> {
    FIELDS.iter().zip(values.texts()).map(|(field, text)| {
        Value::Text(match field.is_term() && text.is_empty() {
            true => NEVER.into(),
            false => text,
        })
    })
}

/// Gives a tool another name, which no listed tool may have; returns its licenses as they were.
pub fn rename_tool(db: &WriteTx<'_>, from: &str, to: &str) -> Result<Vec<License>> {
    let columns = columns("licenses");
    let licenses: Vec<License> = db.all(
        &format!("select {columns} from licenses where tool_name = ?1"),
        &[&from],
        license,
    )?;
    tools::rename(db, from, to)?;
    for license in &licenses {
        let mut after = license.values.clone();
        after.tool_name = to.to_owned();
        for tool in [from, to] {
            db.invalidate(tool, &license.license_key);
        }
        db.index(license.id, Some(license), Some(&after));
        unlicensed_machines::remove(db, to, &license.license_key)?;
    }
    Ok(licenses)
}

/// Every license of the customer.
pub fn of_customer(db: &Db, name: &str) -> Result<Vec<License>> {
    let columns = columns("licenses");
    db.all(
        &format!("select {columns} from licenses where user_id = ?1 and user_id <> '' order by id"),
        &[&name],
        license,
    )
}

/// Records which license replaced this one.
pub fn set_moved_to(db: &WriteTx<'_>, id: i64, moved_to: Option<i64>) -> Result<()> {
    db.run(
        "update licenses set moved_to = ?2 where id = ?1",
        &[&id, &moved_to],
    )?;
    Ok(())
}

/// Records the last day of the offline file that the license's machine has.
pub fn set_offline_until(db: &WriteTx<'_>, license: &License, last: Date) -> Result<()> {
    db.invalidate(&license.tool_name, &license.license_key);
    db.run(
        "update licenses set offline_until = ?2 where id = ?1",
        &[&license.id, &date::format(last)],
    )?;
    Ok(())
}

/// The licenses that this one replaced.
pub fn moved_to(db: &Db, id: i64) -> Result<Vec<License>> {
    let columns = columns("licenses");
    db.all(
        &format!("select {columns} from licenses where moved_to = ?1 order by id"),
        &[&id],
        license,
    )
}

pub fn delete(db: &WriteTx<'_>, license: &License) -> Result<()> {
    db.invalidate(&license.tool_name, &license.license_key);
    db.index(license.id, Some(license), None);
    db.run("delete from licenses where id = ?1", &[&license.id])?;
    Ok(())
}

pub(super) fn license(row: &Row<'_>) -> Result<License> {
    let mut texts = [""; fields::COUNT];
    for (at, text) in texts.iter_mut().enumerate() {
        *text = row.text(FIXED.len() + at)?;
        if FIELDS[at].is_term() {
            *text = match *text {
                NEVER => "",
                "" => return Err(unreadable(FIXED.len() + at, "")),
                day => day,
            };
        }
    }
    Ok(License {
        id: row.get(0)?,
        created_at: moment(row, 1)?,
        moved_to: row.get(2)?,
        seat: seat(row)?,
        offline_until: day_or_none(row, 6)?,
        values: Values::from_texts(texts).map_err(|at| unreadable(FIXED.len() + at, texts[at]))?,
    })
}

fn day_or_none(row: &Row<'_>, at: usize) -> Result<Option<Date>> {
    match row.text(at)? {
        "" => Ok(None),
        _ => day(row, at).map(Some),
    }
}

fn seat(row: &Row<'_>) -> Result<Option<Seat>> {
    let Some(code_id) = row.get(3)? else {
        return Ok(None);
    };
    Ok(Some(Seat {
        code_id,
        own_status: status(row, 4)?,
        own_expiration: match row.text(5)? {
            "" => None,
            NEVER => Some(None),
            _ => Some(Some(day(row, 5)?)),
        },
    }))
}

/// Licenses examined between two looks at the clock.
const CODES_AT_ONCE: usize = 1_000;

/// The IDs of the licenses whose machine has this code, and whether there was time for all. No column keeps the
/// code: the index of tool and key is read alone, about 0.3 s for a million, only when somebody phones.
pub fn of_machine_code(
    db: &Db,
    code: &str,
    has_time: &dyn Fn() -> bool,
) -> Result<(Vec<i64>, bool)> {
    let sql = "select id, tool_name, license_key from licenses order by tool_name, license_key";
    let (mut found, mut seen, mut is_whole) = (vec![], 0, true);
    db.each(sql, &[], |row| {
        if has_machine_code(row.text(1)?, row.text(2)?, code) {
            found.push(row.get(0)?);
        }
        seen += 1;
        is_whole = seen % CODES_AT_ONCE != 0 || has_time();
        Ok(is_whole)
    })?;
    Ok((found, is_whole))
}
