//! The tables of shops and of what they sell.

use time::OffsetDateTime;

use super::db::{Db, Optional, Result, Row};
use super::{NEVER, WriteTx, moment, tools, unreadable};
use crate::model::entitlements::names;
use crate::model::order::Item;
use crate::model::shops::{Fields, Product, Shop, ShopKind};

const COLUMNS: &str =
    "id, created_at, kind, name, secret, is_enabled, is_test, fields, refused_at, refusal";

/// Adds an enabled shop and returns its ID.
pub fn add(
    db: &WriteTx<'_>,
    kind: ShopKind,
    name: &str,
    secret: &str,
    now: OffsetDateTime,
) -> Result<i64> {
    db.one(
        "insert into shops (created_at, kind, name, secret, is_enabled, is_test, fields, refusal)
         values (?1, ?2, ?3, ?4, 1, 0, ?5, '') returning id",
        &[
            &now.unix_timestamp(),
            &kind.as_str(),
            &name,
            &secret,
            &Fields::default().json(),
        ],
        |row| row.get(0),
    )
}

/// Newest first.
pub fn all(db: &Db) -> Result<Vec<Shop>> {
    db.all(
        &format!("select {COLUMNS} from shops order by id desc"),
        &[],
        shop,
    )
}

pub fn get(db: &Db, id: i64) -> Result<Option<Shop>> {
    db.one(
        &format!("select {COLUMNS} from shops where id = ?1"),
        &[&id],
        shop,
    )
    .optional()
}

/// The generator with that hash in its address.
pub fn of_secret(db: &Db, hash: &str) -> Result<Option<Shop>> {
    db.one(
        &format!("select {COLUMNS} from shops where secret = ?1 and kind = 'generator'"),
        &[&hash],
        shop,
    )
    .optional()
}

/// Replaces what the admin decides about a shop.
pub fn set(db: &WriteTx<'_>, shop: &Shop) -> Result<()> {
    db.run(
        "update shops set name = ?2, secret = ?3, is_enabled = ?4, is_test = ?5, fields = ?6
         where id = ?1",
        &[
            &shop.id,
            &shop.name,
            &shop.secret,
            &i64::from(shop.is_enabled),
            &i64::from(shop.is_test),
            &shop.fields.json(),
        ],
    )?;
    Ok(())
}

pub fn set_secret(db: &WriteTx<'_>, id: i64, secret: &str) -> Result<()> {
    db.run(
        "update shops set secret = ?2 where id = ?1",
        &[&id, &secret],
    )?;
    Ok(())
}

/// With its products, its calls, and what it calls our orders; the orders themselves stay.
pub fn delete(db: &WriteTx<'_>, id: i64) -> Result<()> {
    db.run("delete from shops where id = ?1", &[&id])?;
    Ok(())
}

pub fn set_refusal(db: &WriteTx<'_>, id: i64, why: &str, now: OffsetDateTime) -> Result<()> {
    db.run(
        "update shops set refused_at = ?2, refusal = ?3 where id = ?1",
        &[&id, &now.unix_timestamp(), &why],
    )?;
    Ok(())
}

/// By the shop's names.
pub fn products(db: &Db, id: i64) -> Result<Vec<Product>> {
    db.all(
        "select id, product, tool_name, seats, expiration_date, days, edition, features, updates_days
         from shop_products where shop_id = ?1 order by product",
        &[&id],
        |row| {
        let (day, days, updates_days): (String, i64, i64) = (row.get(4)?, row.get(5)?, row.get(8)?);
        let (edition, features): (String, String) = (row.get(6)?, row.get(7)?);
        Ok(Product {
            id: row.get(0)?,
            product: row.get(1)?,
            item: Item {
                tool_name: row.get(2)?,
                quantity: 1,
                seats: row.get(3)?,
                expiration_date: (day != NEVER).then_some(day),
                days: (days > 0).then_some(days),
                edition: (!edition.is_empty()).then_some(edition),
                features: names(&features).map(str::to_owned).collect(),
                updates_until: None,
                updates_days: (updates_days > 0).then_some(updates_days),
                renews: None,
                adds_to: None,
            },
        })
    },
    )
}

/// Adds a product, or replaces what it is.
pub fn set_product(
    db: &WriteTx<'_>,
    id: i64,
    product: &str,
    item: &Item,
    now: OffsetDateTime,
) -> Result<()> {
    tools::ensure(db, &item.tool_name, now)?;
    db.run(
        "insert into shop_products (shop_id, product, tool_name, seats, expiration_date, days, edition,
             features, updates_days)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         on conflict (shop_id, product) do update
         set tool_name = excluded.tool_name, seats = excluded.seats,
             expiration_date = excluded.expiration_date, days = excluded.days,
             edition = excluded.edition, features = excluded.features,
             updates_days = excluded.updates_days",
        &[&id, &product, &item.tool_name, &item.seats, &item.expiration_date.as_deref().unwrap_or(NEVER), &item.days.unwrap_or(0), &item.edition.as_deref().unwrap_or_default(), &item.features.join(", "), &item.updates_days.unwrap_or(0)],
    )?;
    Ok(())
}

pub fn delete_product(db: &WriteTx<'_>, product_id: i64) -> Result<()> {
    db.run("delete from shop_products where id = ?1", &[&product_id])?;
    Ok(())
}

fn shop(row: &Row<'_>) -> Result<Shop> {
    let (kind, fields): (String, String) = (row.get(2)?, row.get(7)?);
    let refused: Option<i64> = row.get(8)?;
    let refusal: String = row.get(9)?;
    Ok(Shop {
        id: row.get(0)?,
        created_at: moment(row, 1)?,
        kind: ShopKind::from_word(&kind).ok_or_else(|| unreadable(2, &kind))?,
        name: row.get(3)?,
        secret: row.get(4)?,
        is_enabled: row.get(5)?,
        is_test: row.get(6)?,
        fields: Fields::from_json(&fields).ok_or_else(|| unreadable(7, &fields))?,
        refused: refused
            .map(|_| moment(row, 8).map(|at| (at, refusal)))
            .transpose()?,
    })
}
