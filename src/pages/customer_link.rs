//! A link to a customer's own page, which an admin creates and sends in whatever way.

use askama::Template;
use rocket::{Route, post, routes};

use super::Page;
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::mailto::mailto;
use super::shown;
use crate::request::{App, Failure};
use crate::service::CustomerLink;

pub(super) fn routes() -> Vec<Route> {
    routes![create]
}

#[derive(Template)]
#[template(path = "customer_link.html")]
struct LinkPage {
    frame: Frame,
    made: CustomerLink,
    mailto: Option<String>,
}

#[post("/customers/<id>/link", data = "<form>")]
async fn create(
    app: &App,
    frame: Frame,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Page, Failure> {
    let made = app
        .run(move |service| service.create_link(&form.actor, id))
        .await?;
    let mail = made.mail.as_ref();
    Ok(Page::new(&LinkPage {
        mailto: mail.and_then(|mail| mailto(&mail.recipient, &mail.text.subject, &mail.text.body)),
        frame,
        made,
    })?)
}
