//! What the API's description says about single values.

use utoipa::openapi::schema::{
    ArrayBuilder, Object, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, RefOr, Schema};

use crate::model::audit;
use crate::model::entitlements;
use crate::model::license::fields::{FIELDS, Field, Kind};
use crate::model::license::{Status, Verdict};
use crate::model::order::ORDER_REF;

/// Neither control characters nor those that change the direction of text.
const LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$";
/// [`LINE`] with tabs and line breaks.
const LINES: &str = r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$";
/// Besides, no invisible characters, and not white space alone.
const VISIBLE: &str = concat!(
    r"^\s*[^\s\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e",
    r"\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]",
    r"[^\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e",
    r"\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]*$"
);

/// [`VISIBLE`] without what separates features.
const FEATURE: &str = concat!(
    r"^[^\s,;\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e",
    r"\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]",
    r"[^,;\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e",
    r"\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]*$"
);

pub(super) fn one_of(words: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    let mut words: Vec<&str> = words.into_iter().collect();
    words.dedup();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
}

pub(super) fn error() -> Object {
    one_of(["error"]).build()
}

pub(super) fn success() -> Object {
    one_of(["success"]).build()
}

pub(super) fn ok() -> Object {
    one_of(["ok"]).build()
}

/// The published `status` of a result.
pub(super) fn result() -> Object {
    let mut words = Verdict::ALL.map(Verdict::word);
    words.sort_unstable();
    one_of(words).description(Some("The result")).build()
}

pub(super) fn code() -> Object {
    let codes = Verdict::ALL.map(Verdict::code).into_iter();
    let meaning = "`VALID`, `IN_GRACE` or `TRIAL`: the tool may run; otherwise it must not";
    one_of(codes).description(Some(meaning)).build()
}

pub(super) fn date_or_null() -> Object {
    let meaning = "The license's expiration date; null for a perpetual license";
    date().description(Some(meaning)).build()
}

fn date() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(or_null(Type::String))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
}

pub(super) fn or_null(kind: Type) -> SchemaType {
    SchemaType::from_iter([kind, Type::Null])
}

/// 1 to 100 visible characters.
pub(super) fn order_ref() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(ORDER_REF))
        .pattern(Some(VISIBLE))
        .build()
}

pub(super) fn tool_name() -> RefOr<Schema> {
    named("tool_name")
}

pub(super) fn license_key() -> RefOr<Schema> {
    named("license_key")
}

/// A status in the address.
pub(super) fn status() -> Object {
    one_of(Status::ALL.map(Status::as_str))
        .description(Some("Exactly this status"))
        .build()
}

/// Of a license or a code that is changed.
pub(super) fn new_status() -> RefOr<Schema> {
    named("status")
}

/// The kind of an entry in the audit log.
pub(super) fn audit_kind() -> Object {
    one_of(audit::Kind::ALL.map(audit::Kind::as_str))
        .description(Some("Only entries of this kind"))
        .build()
}

/// Why something was changed, for the audit log.
pub(super) fn reason() -> Object {
    ObjectBuilder::new()
        .schema_type(or_null(Type::String))
        .max_length(Some(audit::REASON_LENGTH))
        .pattern(Some(LINE))
        .description(Some("Why, for the audit log"))
        .build()
}

fn named(name: &str) -> RefOr<Schema> {
    let field = FIELDS.iter().find(|field| field.name == name);
    field.map_or_else(|| Object::new().into(), |field| of(field).into())
}

/// A field of a license, as it is written and read.
pub(super) fn of(field: &Field) -> Schema {
    let text = |kind: SchemaType, pattern| {
        ObjectBuilder::new()
            .schema_type(kind)
            .max_length(Some(field.limit))
            .pattern(pattern)
    };
    let schema = match field.kind {
        Kind::Required => text(Type::String.into(), Some(VISIBLE)).min_length(Some(1)),
        Kind::Name => text(or_null(Type::String), Some(VISIBLE)),
        Kind::Line => text(or_null(Type::String), Some(LINE)),
        Kind::Lines | Kind::Data => text(or_null(Type::String), Some(LINES)),
        Kind::Status => one_of(Status::ALL.map(Status::as_str)),
        Kind::Date | Kind::Day => date(),
        Kind::Flag => ObjectBuilder::new().schema_type(Type::Boolean),
        Kind::Features => return features(field.meaning).build().into(),
    };
    schema.description(Some(field.meaning)).build().into()
}

/// Names of features.
fn features(meaning: &str) -> ArrayBuilder {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(entitlements::FEATURE))
        .pattern(Some(FEATURE));
    ArrayBuilder::new()
        .items(name)
        .max_items(Some(entitlements::MAX_FEATURES))
        .description(Some(meaning))
}
