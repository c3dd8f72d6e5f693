//! The page on which somebody who was invited chooses a password. Public: its address has a secret.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};

use super::form::PublicForm;
use super::frame::Frame;
use super::{Page, shown, to};
use crate::auth::Address;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::user::UserValues;
use crate::request::{App, Failure, SMALL_BODY};

pub(super) fn routes() -> Vec<Route> {
    routes![show, accept]
}

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage {
    frame: Frame,
    token: String,
    values: UserValues,
    problems: Vec<Problem>,
}

impl InvitationPage {
    fn problem(&self, field: &str) -> Option<&str> {
        let problem = self.problems.iter().find(|p| p.field == field);
        problem.map(|problem| problem.message.as_str())
    }
}

#[derive(FromForm)]
struct AcceptForm {
    #[field(default = "")]
    new: String,
    #[field(default = "")]
    again: String,
}

/// Uses nothing up, because mail scanners open links.
#[get("/invitation/<token>")]
async fn show(app: &App, frame: Frame, token: String) -> Result<Page, Failure> {
    Ok(page(app, frame, token, vec![]).await?)
}

#[post("/invitation/<token>", data = "<form>")]
async fn accept(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    address: Address,
    token: String,
    form: PublicForm<AcceptForm, { SMALL_BODY }>,
) -> Result<Either<rocket::response::Redirect, Page>, Failure> {
    let PublicForm(form) = form;
    let accepted = match form.new == form.again {
        true => {
            let (secret, address) = (token.clone(), address.0.to_string());
            app.run(move |service| service.accept_invitation(&secret, &form.new, &address))
                .await
        }
        false => Err(Error::invalid("again", "The passwords do not match.")),
    };
    match accepted {
        Ok(()) => Ok(Either::Left(to(config, "/login"))),
        Err(Error::Invalid(problems)) => {
            Ok(Either::Right(page(app, frame, token, problems).await?))
        }
        Err(error) => Err(error.into()),
    }
}

async fn page(
    app: &App,
    frame: Frame,
    token: String,
    problems: Vec<Problem>,
) -> Result<Page, Error> {
    let secret = token.clone();
    let invitation = app.run(move |service| service.invitation(&secret)).await?;
    let status = if problems.is_empty() { 200 } else { 422 };
    let page = InvitationPage {
        frame,
        token,
        values: invitation.values,
        problems,
    };
    Page::with_status(status, &page)
}
