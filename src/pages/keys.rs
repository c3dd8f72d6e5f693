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
    routes![list, create, set_default, confirm_retire, retire, restore]
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
    let kid = form.form.kid.clone();
    let before = app
        .run(move |service| {
            let all = service.signing_keys()?;
            service.set_default_key(&form.actor, &form.form.kid)?;
            Ok(all.into_iter().find(|key| key.is_default))
        })
        .await?;
    let undo = match before.filter(|before| before.kid != kid) {
        Some(before) => format!(" To undo it, make {} the default again.", before.kid),
        None => String::new(),
    };
    let message = format!("{kid} is now the default key.{undo}");
    Ok(redirect_with_flash(config, "/keys", &message))
}

#[derive(Template)]
#[template(path = "key_retire.html")]
struct RetirePage {
    frame: Frame,
    key: SigningKey,
    others: usize,
}

#[get("/keys/retire?<kid>")]
async fn confirm_retire(
    app: &App,
    _session: Session,
    frame: Frame,
    kid: String,
) -> Result<Page, Failure> {
    let (key, all) = app
        .run(move |service| Ok((service.signing_key(&kid)?, service.signing_keys()?)))
        .await?;
    let is_other = |other: &&SigningKey| other.retired_at.is_none() && other.kid != key.kid;
    let others = all.iter().filter(is_other).count();
    Ok(Page::new(&RetirePage { frame, key, others })?)
}

#[post("/keys/restore", data = "<form>")]
async fn restore(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<KeyForm>,
) -> Result<Flashed, Failure> {
    let message = format!("Key {} is no longer retired.", form.form.kid);
    app.run(move |service| service.restore_key(&form.actor, &form.form.kid))
        .await?;
    Ok(redirect_with_flash(config, "/keys", &message))
}

#[post("/keys/retire", data = "<form>")]
async fn retire(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<KeyForm>,
) -> Result<Flashed, Failure> {
    let message = format!("Key {} retired. You can put it back below.", form.form.kid);
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
