//! The end of the state after a restore.

use rocket::{Route, State, post, routes};

use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use crate::config::Config;
use crate::request::{App, Failure};

pub(super) fn routes() -> Vec<Route> {
    routes![end]
}

#[post("/restored/end", data = "<form>")]
async fn end(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    app.run(move |service| service.end_restored(&form.actor))
        .await?;
    let message = "Machines without a license are refused again.";
    Ok(redirect_with_flash(config, "/", message))
}
