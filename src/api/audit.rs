//! `/api/audit`: the audit log, for scripts.

use rocket::{FromForm, Route, get, routes};
use utoipa::IntoParams;

use super::answers::{BadValue, Faults, NoAccess};
use super::licenses::{number, once};
use super::rows::Rows;
use super::schemas;
use crate::auth::Auditor;
use crate::error::Error;
use crate::model::audit::{AuditFilter, Kind};
use crate::model::audit_row::AuditRow;
use crate::request::{App, Failure};
use crate::service::{AuditWalk, Service};

pub(super) fn routes() -> Vec<Route> {
    routes![list]
}

#[derive(FromForm, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only entries of this kind
    #[param(required = false, schema_with = schemas::audit_kind)]
    kind: Vec<String>,
    /// Only entries about this license, also once it is deleted
    #[param(value_type = Option<i64>, minimum = 1)]
    license_id: Vec<String>,
    /// At most this many entries
    #[param(value_type = Option<i64>, minimum = 1)]
    limit: Vec<String>,
    /// Only entries with a greater `id`: pass the last one that you have to get what is new
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Vec<String>,
}

/// Read the audit log
///
/// An array of all entries, oldest first, or of those that match every parameter. It is streamed, so it may be long.
/// If the database fails while the array is being sent, its closing bracket is missing.
#[utoipa::path(
    tag = "Audit log",
    operation_id = "listAuditEntries",
    params(AuditQuery),
    responses(
        (status = 200, description = "The entries", body = [AuditRow], example = json!([{
            "id": 17, "created_at": "2026-11-02 08:15:00", "kind": "license changed", "who": "anna",
            "address": "203.0.113.7", "factor": "password and code", "license_id": 1, "tool_name": "YourTool",
            "license_key": "0a:1b:2c:3d:4e:5f", "reason": "Refund of invoice 12",
            "before": {"tool_name": "YourTool", "license_key": "0a:1b:2c:3d:4e:5f", "status": "activated"},
            "after": {"tool_name": "YourTool", "license_key": "0a:1b:2c:3d:4e:5f", "status": "revoked"},
            "hash": "m5hYzTr2SyLLhCwYv5BqYd2n7uAq0RjT4sLx8eWcVb1",
        }])),
        NoAccess, BadValue, Faults,
    ),
    security(("token" = ["audit:read"]), ("session" = [])),
)]
#[get("/api/audit?<query..>")]
pub(super) async fn list(
    app: &App,
    auditor: Auditor,
    query: AuditQuery,
) -> Result<Rows<AuditRow, AuditWalk>, Failure> {
    let limit = number("limit", once("limit", query.limit)?, 1)?.unwrap_or(i64::MAX);
    let after = number("after", once("after", query.after)?, 0)?.unwrap_or(0);
    let license_id = number("license_id", once("license_id", query.license_id)?, 1)?;
    let kind = once("kind", query.kind)?;
    let kind = kind.map(|word| Kind::from_word(&word).ok_or_else(|| no_such_kind(&word)));
    let filter = AuditFilter {
        kind: kind.transpose()?,
        license_id,
        ..AuditFilter::default()
    };
    app.note_audit_read(&auditor.0);
    let begin = move |service: &Service| service.audit_walk(filter, after, limit);
    Ok(Rows::begin(app, begin, Service::audit_walk_on, "list_audit").await?)
}

fn no_such_kind(word: &str) -> Error {
    let message = format!("The kind `{word}` is unknown; use one of those on the page Audit log.");
    Error::invalid("kind", message)
}
