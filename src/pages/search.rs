//! The search fields of the tables. What was typed arrives in a body, because it may be an activation code, which must
//! not be in an address; anything else goes on to the address of the table.

use rocket::form::{DataField, FromForm, Options, ValueField};
use rocket::response::Redirect;
use rocket::{Either, Route, State, post, routes};

use super::flash::{Flashed, redirect_with_flash};
use super::form::SearchForm;
use super::{query, to};
use crate::config::Config;
use crate::request::{App, Failure};
use crate::service::Sought;

/// Characters of a value that an address gets; the table says what is too long.
const MAX_LENGTH: usize = 300;

pub(super) fn routes() -> Vec<Route> {
    routes![in_licenses, in_codes]
}

/// The fields of a filter, by name.
#[derive(Default)]
struct Typed(Vec<(String, String)>);

/// Accepts every field: the table knows its own.
#[rocket::async_trait]
impl<'r> FromForm<'r> for Typed {
    type Context = Typed;

    fn init(_: Options) -> Typed {
        Default::default()
    }

    fn push_value(Typed(fields): &mut Typed, input: ValueField<'r>) {
        let name = input.name.source().as_str();
        if name != "csrf" {
            let value = input.value.chars().take(MAX_LENGTH);
            fields.push((name.to_owned(), value.collect()));
        }
    }

    async fn push_data(_: &mut Typed, _: DataField<'r, '_>) {}

    fn finalize(typed: Typed) -> rocket::form::Result<'r, Typed> {
        Ok(typed)
    }
}

#[post("/licenses", data = "<form>")]
async fn in_licenses(
    app: &App,
    config: &State<Config>,
    form: SearchForm<Typed>,
) -> Result<Either<Redirect, Flashed>, Failure> {
    search(app, config, "/licenses", form.0).await
}

#[post("/codes", data = "<form>")]
async fn in_codes(
    app: &App,
    config: &State<Config>,
    form: SearchForm<Typed>,
) -> Result<Either<Redirect, Flashed>, Failure> {
    search(app, config, "/codes", form.0).await
}

async fn search(
    app: &App,
    config: &Config,
    table: &str,
    Typed(mut fields): Typed,
) -> Result<Either<Redirect, Flashed>, Failure> {
    let q = fields.iter().find(|(name, _)| name == "q");
    let q = q.map(|(_, typed)| typed.clone()).unwrap_or_default();
    // Who filters a table wants its rows.
    let is_alone = |(name, typed): &(String, String)| name == "q" || typed.is_empty();
    let is_for_all = table == "/licenses" && fields.iter().all(is_alone);
    let reference = q.clone();
    let sought = app
        .run_search(move |service| {
            let order = match is_for_all {
                true => service.order_sought(&q)?,
                false => None,
            };
            order.map_or_else(|| service.sought(&q), Ok)
        })
        .await?;
    if let Sought::NoCode(_) = sought {
        fields.retain(|(name, _)| name != "q");
    }
    let given: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let filtered = format!("{table}{}", query(&given));
    Ok(match sought {
        Sought::Code(id) => Either::Left(to(config, &format!("/codes/{id}"))),
        Sought::Order(id) => Either::Left(to(config, &format!("/orders/{id}"))),
        Sought::Orders => {
            let several = query(&[("reference", reference.trim())]);
            Either::Left(to(config, &format!("/orders{several}")))
        }
        Sought::Machine(code) => Either::Left(to(config, &format!("/machine?code={code}"))),
        Sought::Words => Either::Left(to(config, &filtered)),
        Sought::NoCode(why) => Either::Right(redirect_with_flash(config, &filtered, &why)),
    })
}
