//! The signing keys, with each public key in the formats that clients need.

use askama::Template;
use rocket::{FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::Page;
use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::shown;
use crate::auth::Session;
use crate::config::Config;
use crate::model::signing_key::SigningKey;
use crate::request::{App, Failure};
use crate::service::KeyFormat;

pub(super) fn routes() -> Vec<Route> {
    routes![list, create, set_default, retire]
}

struct KeyRow {
    key: SigningKey,
    xy: String,
    jwk: String,
    pem: String,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    keys: Vec<KeyRow>,
    offset: UtcOffset,
}

#[get("/keys")]
async fn list(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let keys = app
        .run(|service| {
            let row = |key: SigningKey| {
                Ok(KeyRow {
                    xy: service.public_key(&key.kid, KeyFormat::Xy)?,
                    jwk: service.public_key(&key.kid, KeyFormat::Jwk)?,
                    pem: service.public_key(&key.kid, KeyFormat::Pem)?,
                    key,
                })
            };
            service.signing_keys()?.into_iter().map(row).collect()
        })
        .await?;
    Ok(Page::new(&KeysPage {
        frame,
        keys,
        offset: app.utc_offset(),
    })?)
}

#[post("/keys", data = "<form>")]
async fn create(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let kid = app
        .run(move |service| service.create_key(&form.actor))
        .await?;
    let message = format!("Key {kid} created. Ship its public key before you make it the default.");
    Ok(redirect_with_flash(config, "/keys", &message))
}

#[derive(FromForm)]
struct KeyForm {
    #[field(default = "")]
    kid: String,
}

#[post("/keys/default", data = "<form>")]
async fn set_default(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<KeyForm>,
) -> Result<Flashed, Failure> {
    let message = format!("{} is now the default key.", form.form.kid);
    app.run(move |service| service.set_default_key(&form.actor, &form.form.kid))
        .await?;
    Ok(redirect_with_flash(config, "/keys", &message))
}

#[post("/keys/retire", data = "<form>")]
async fn retire(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<KeyForm>,
) -> Result<Flashed, Failure> {
    let message = format!("Key {} retired.", form.form.kid);
    app.run(move |service| service.retire_key(&form.actor, &form.form.kid))
        .await?;
    Ok(redirect_with_flash(config, "/keys", &message))
}

impl KeysPage {
    fn usable(&self) -> usize {
        let is_usable = |row: &&KeyRow| row.key.retired_at.is_none();
        self.keys.iter().filter(is_usable).count()
    }
}
