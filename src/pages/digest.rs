//! The week in figures, as it is mailed on Mondays.

use askama::Template;
use rocket::{Route, State, get, routes};

use super::Page;
use super::frame::Frame;
use super::mailto::mailto;
use crate::auth::Session;
use crate::config::Config;
use crate::model::mail_text::MailText;
use crate::request::{App, Failure};
use crate::service::Service;

pub(super) fn routes() -> Vec<Route> {
    routes![show]
}

#[derive(Template)]
#[template(path = "digest.html")]
struct DigestPage {
    frame: Frame,
    text: MailText,
    /// Who gets it.
    to: Option<String>,
    is_mailed: bool,
    mailto: Option<String>,
}

#[get("/digest")]
async fn show(
    app: &App,
    config: &State<Config>,
    _session: Session,
    frame: Frame,
) -> Result<Page, Failure> {
    let text = app.run(Service::digest).await?;
    let to = config.digest_to.clone();
    Ok(Page::new(&DigestPage {
        frame,
        mailto: mailto(to.as_deref().unwrap_or_default(), &text.subject, &text.body),
        text,
        is_mailed: to.is_some() && app.sends_mail(),
        to,
    })?)
}
