//! The table of licenses as a CSV file or an Excel workbook.

use std::sync::Arc;

use rocket::http::ContentType;
use rocket::{Route, get, routes};
use time::Date;

use super::download::{Download, Written};
use super::license_query::LicenseQuery;
use crate::auth::Session;
use crate::error::Error;
use crate::model::date;
use crate::model::import::BOM;
use crate::model::published::{Row, csv_header};
use crate::request::{App, Failure};
use crate::service::{Client, MAX_SENT, Service, Walk};

pub(super) fn routes() -> Vec<Route> {
    routes![export, workbook]
}

#[get("/licenses.csv?<query..>")]
async fn export(
    app: &App,
    session: Session,
    client: Client,
    query: LicenseQuery,
) -> Result<Written<Walk>, Failure> {
    let today = app.today();
    let filter = query.filter(today).map_err(Error::from)?;
    let first = app
        .run_search(move |service| lines(service, service.walk(filter, 0, usize::MAX)?))
        .await?;
    app.note_export(&session.actor(&client), "csv");
    Ok(Written {
        app: Arc::clone(app),
        name: file_name(today, "csv"),
        kind: ContentType::CSV,
        head: format!("{BOM}{}", csv_header()?),
        first,
        lines,
        place: "export_licenses",
    })
}

fn file_name(day: Date, kind: &str) -> String {
    format!("licenses-{}.{kind}", date::format(day))
}

#[get("/licenses.xlsx?<query..>")]
async fn workbook(
    app: &App,
    session: Session,
    client: Client,
    query: LicenseQuery,
) -> Result<Download, Failure> {
    let today = app.today();
    let filter = query.filter(today).map_err(Error::from)?;
    let content = app
        .run_search(move |service| service.workbook(filter, MAX_SENT))
        .await?;
    app.note_export(&session.actor(&client), "xlsx");
    let kind = ContentType::new(
        "application",
        "vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    );
    Ok(Download::new(&file_name(today, "xlsx"), kind, content))
}

/// Lines of the file, none at the end.
fn lines(service: &Service, walk: Walk) -> Result<(String, Walk), Error> {
    let (rows, walk) = service.walk_on(walk)?;
    let lines = rows.into_iter().map(|row| Row::from(row).csv_line());
    Ok((lines.collect::<Result<_, _>>()?, walk))
}
