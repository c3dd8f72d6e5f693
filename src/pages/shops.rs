//! The list of shops that place orders by themselves.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};

use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::{Page, shop, shown};
use crate::auth::Session;
use crate::config::Config;
use crate::error::Error;
use crate::model::shops::{FailedCalls, Shop, ShopKind};
use crate::request::{App, Failure};
use crate::service::Service;

pub(super) fn routes() -> Vec<Route> {
    routes![list, create]
}

#[derive(Template)]
#[template(path = "shops.html")]
struct ShopsPage {
    frame: Frame,
    shops: Vec<Shop>,
    failed: Vec<FailedCalls>,
    typed: String,
    kind: String,
    problem: Option<String>,
}

impl ShopsPage {
    /// Calls of the shop that failed in the last days.
    fn failed(&self, shop: &Shop) -> i64 {
        let found = self.failed.iter().find(|calls| calls.shop_id == shop.id);
        found.map_or(0, |calls| calls.number)
    }
}

fn all(service: &Service) -> Result<(Vec<Shop>, Vec<FailedCalls>), Error> {
    Ok((service.shops()?, service.failed_calls()?))
}

#[get("/shops")]
async fn list(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let (shops, failed) = app.run(all).await?;
    Ok(Page::new(&ShopsPage {
        frame,
        shops,
        failed,
        typed: String::new(),
        kind: String::new(),
        problem: None,
    })?)
}

#[derive(FromForm)]
struct NewShop {
    #[field(default = "")]
    name: String,
    #[field(default = "")]
    kind: String,
}

#[post("/shops", data = "<form>")]
async fn create(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<NewShop>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let name = form.name.clone();
    let kind = ShopKind::from_word(&form.kind);
    let created = app
        .run(move |service| {
            let kind = kind.ok_or_else(|| Error::invalid("kind", "Choose the kind of shop."))?;
            service.create_shop(&actor, kind, &name)
        })
        .await;
    match created {
        Ok((id, None)) => {
            let message = format!(
                "{} created. Now enter its signing secret.",
                form.name.trim()
            );
            let path = format!("/shops/{id}");
            Ok(Either::Left(redirect_with_flash(config, &path, &message)))
        }
        Ok((id, secret)) => {
            let page = shop::page_with_secret(app, config, frame, id, secret).await?;
            Ok(Either::Right(page))
        }
        Err(Error::Invalid(problems)) => {
            let (shops, failed) = app.run(all).await?;
            let page = ShopsPage {
                frame,
                shops,
                failed,
                typed: form.name,
                kind: form.kind,
                problem: problems.into_iter().next().map(|problem| problem.message),
            };
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
        Err(error) => Err(error.into()),
    }
}
