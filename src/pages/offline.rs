//! The answer to a machine without a network: its request in, its offline file out.

use askama::Template;
use rocket::http::ContentType;
use rocket::{Either, FromForm, Route, get, post, routes};
use time::Date;

use super::Page;
use super::download::Download;
use super::form::SignedInForm;
use super::frame::Frame;
use super::{query, shown};
use crate::auth::Session;
use crate::error::Error;
use crate::model::date;
use crate::model::license::License;
use crate::model::offline_request::OfflineRequest;
use crate::request::{App, Failure};
use crate::service::OfflineFile;

pub(super) fn routes() -> Vec<Route> {
    routes![form, answer]
}

#[derive(Template)]
#[template(path = "offline.html")]
struct OfflinePage {
    frame: Frame,
    typed: String,
    problem: Option<String>,
    /// The machine that asks and has no license, and the URL query to add one.
    unlicensed: Option<(OfflineRequest, String)>,
    answer: Option<Answer>,
}

struct Answer {
    license: License,
    last_day: Date,
    text: String,
}

/// `request` is what a phone read.
#[get("/offline?<request>")]
fn form(_session: Session, frame: Frame, request: Option<String>) -> Result<Page, Failure> {
    Ok(Page::new(&OfflinePage {
        frame,
        typed: request.unwrap_or_default(),
        problem: None,
        unlicensed: None,
        answer: None,
    })?)
}

#[derive(FromForm)]
struct RequestForm {
    #[field(default = "")]
    request: String,
    /// Not empty for a file.
    #[field(default = "")]
    save: String,
}

#[post("/offline", data = "<form>")]
async fn answer(
    app: &App,
    frame: Frame,
    form: SignedInForm<RequestForm>,
) -> Result<Either<Page, Download>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let RequestForm {
        request: typed,
        save,
    } = form;
    let mut page = OfflinePage {
        frame,
        typed: typed.clone(),
        problem: None,
        unlicensed: None,
        answer: None,
    };
    let made = app
        .run(move |service| {
            let request = OfflineRequest::parse(&typed)?;
            if service.license_of_request(&request)?.is_none() {
                return Ok(Err(request));
            }
            service.make_offline_file(&actor, &request).map(Ok)
        })
        .await;
    let status = match made {
        Ok(Ok(OfflineFile { token, .. })) if !save.is_empty() => {
            let file = Download::new("license.lic", ContentType::Plain, token);
            return Ok(Either::Right(file));
        }
        Ok(Ok(file)) => {
            page.answer = Some(Answer {
                license: file.license,
                last_day: file.last_day,
                text: file.token,
            });
            200
        }
        Ok(Err(request)) => {
            let pair = [
                ("tool", &*request.tool_name),
                ("key", &*request.license_key),
            ];
            page.unlicensed = Some((request.clone(), query(&pair)));
            422
        }
        Err(Error::Invalid(problems)) => {
            page.problem = problems.into_iter().next().map(|problem| problem.message);
            422
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Either::Left(Page::with_status(status, &page)?))
}
