//! The signing keys: their public halves as each language wants them, and what is to be done about them.

use askama::Template;
use rocket::{FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::Page;
use super::flash::{Told, told};
use super::form::{Hidden, Posted};
use super::frame::Frame;
use super::shown;
use crate::auth::Session;
use crate::config::Config;
use crate::model::signing_key::SigningKey;
use crate::request::{App, Failure};
use crate::service::Form;

pub(super) fn routes() -> Vec<Route> {
    routes![list, create, set_default, retire]
}

/// A key and its public half.
struct Shown {
    key: SigningKey,
    xy: String,
    jwk: String,
    pem: String,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    keys: Vec<Shown>,
    offset: UtcOffset,
}

#[get("/keys")]
async fn list(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let keys = app
        .run(|service| {
            let shown = |key: SigningKey| {
                Ok(Shown {
                    xy: service.public_key(&key.kid, Form::Xy)?,
                    jwk: service.public_key(&key.kid, Form::Jwk)?,
                    pem: service.public_key(&key.kid, Form::Pem)?,
                    key,
                })
            };
            service.signing_keys()?.into_iter().map(shown).collect()
        })
        .await?;
    Ok(Page::new(&KeysPage {
        frame,
        keys,
        offset: app.utc_offset(),
    })?)
}

#[post("/keys", data = "<form>")]
async fn create(app: &App, config: &State<Config>, form: Posted<Hidden>) -> Result<Told, Failure> {
    let kid = app
        .run(move |service| service.create_key(&form.actor))
        .await?;
    let line =
        format!("The key {kid} is made. Ship its public half before you make it the default.");
    Ok(told(config, "/keys", &line))
}

#[derive(FromForm)]
struct Named {
    #[field(default = "")]
    kid: String,
}

#[post("/keys/default", data = "<form>")]
async fn set_default(
    app: &App,
    config: &State<Config>,
    form: Posted<Named>,
) -> Result<Told, Failure> {
    let line = format!(
        "The key {} signs from now on for clients that name none.",
        form.form.kid
    );
    app.run(move |service| service.set_default_key(&form.actor, &form.form.kid))
        .await?;
    Ok(told(config, "/keys", &line))
}

#[post("/keys/retire", data = "<form>")]
async fn retire(app: &App, config: &State<Config>, form: Posted<Named>) -> Result<Told, Failure> {
    let line = format!("The key {} signs nothing any more.", form.form.kid);
    app.run(move |service| service.retire_key(&form.actor, &form.form.kid))
        .await?;
    Ok(told(config, "/keys", &line))
}

impl KeysPage {
    fn usable(&self) -> usize {
        let usable = |shown: &&Shown| shown.key.retired_at.is_none();
        self.keys.iter().filter(usable).count()
    }
}
