//! A license in the API's description, made from the one list of its fields.

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::schemas::{of, or_null, reason};
use crate::model::license::fields::{FIELDS, Kind, PUBLISHED};

/// A license that is added.
pub(super) struct NewLicense;

/// The fields of a license that change.
pub(super) struct LicenseChange;

/// A license as it is read.
pub(super) struct License;

impl PartialSchema for NewLicense {
    fn schema() -> RefOr<Schema> {
        let required = FIELDS.iter().filter(|field| field.kind == Kind::Required);
        required
            .fold(written(), |object, field| object.required(field.name))
            .examples([NewLicense::example()])
            .into()
    }
}

impl PartialSchema for LicenseChange {
    fn schema() -> RefOr<Schema> {
        written()
            .property("reason", reason())
            .examples([LicenseChange::example()])
            .into()
    }
}

impl PartialSchema for License {
    fn schema() -> RefOr<Schema> {
        let (first, last) = FIELDS.split_at(PUBLISHED);
        let text = |meaning| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(meaning))
        };
        let number = |meaning: &str, least: u8| {
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(least))
                .description(Some(meaning))
        };
        let mut object = ObjectBuilder::new()
            .property("id", number("Never used again", 1))
            .property("created_at", text("YYYY-MM-DD HH:MM:SS, in UTC"));
        for field in first {
            object = object.property(field.name, of(field));
        }
        let last_seen = text("The last check, in UTC; null if there was none");
        object = object
            .property("last_seen_at", last_seen.schema_type(or_null(Type::String)))
            .property("check_count", number("Checks of this license", 0));
        for field in last {
            object = object.property(field.name, of(field));
        }
        object = object.examples([License::example()]);
        let names = FIELDS.iter().map(|field| field.name);
        ["id", "created_at", "last_seen_at", "check_count"]
            .into_iter()
            .chain(names)
            .fold(object, ObjectBuilder::required)
            .into()
    }
}

fn written() -> ObjectBuilder {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    FIELDS.iter().fold(object, |object, field| {
        object.property(field.name, of(field))
    })
}

impl NewLicense {
    pub(super) fn example() -> Value {
        json!({"tool_name": "YourTool", "license_key": "0a:1b:2c:3d:4e:5f", "expiration_date": "2027-12-31"})
    }
}

impl LicenseChange {
    pub(super) fn example() -> Value {
        json!({"status": "revoked", "reason": "Refund of invoice 12"})
    }
}

impl License {
    pub(super) fn example() -> Value {
        json!({
            "id": 1,
            "created_at": "2026-10-27 10:00:00",
            "tool_name": "YourTool",
            "license_key": "0a:1b:2c:3d:4e:5f",
            "status": "activated",
            "user_id": "Anna",
            "expiration_date": "2027-12-31",
            "last_seen_at": "2026-11-02 08:15:00",
            "check_count": 12,
            "note": null,
            "order_ref": "A-1001",
        })
    }
}

impl ToSchema for NewLicense {
    fn name() -> Cow<'static, str> {
        "NewLicense".into()
    }
}

impl ToSchema for LicenseChange {
    fn name() -> Cow<'static, str> {
        "LicenseChange".into()
    }
}

impl ToSchema for License {
    fn name() -> Cow<'static, str> {
        "License".into()
    }
}
