//! Addresses that shops call: `/api/orders/generate` answers codes as text and faults with an empty body, which no
//! shop can mail as a code; `/hooks` takes signed events.

use rocket::data::{Data, FromData, Outcome};
use rocket::http::{ContentType, Status};
use rocket::request::FromParam;
use rocket::response::{Responder, Response};
use rocket::{Catcher, Request, Route, catch, catchers, post, routes};

use super::Answer;
use crate::auth::client_address;
use crate::error::Error;
use crate::model::shops::ShopKind;
use crate::request::{App, BODY, Failure, describe, read_body, refuse, refused};
use crate::service::Delivery;

/// Bytes of an event: sessions with many line items are large.
const EVENT: u64 = 256 * 1024;
/// Characters of a header that is kept.
const HEADER: usize = 1_000;
/// Characters of the secret in an address.
const SECRET: usize = 43;

pub(super) fn routes() -> Vec<Route> {
    routes![generate, receive]
}

/// For every error below `/api/orders/generate`.
pub fn generator_catchers() -> Vec<Catcher> {
    catchers![nothing]
}

#[catch(default)]
fn nothing(status: Status, request: &Request<'_>) -> Nothing {
    Nothing(refused(status, request))
}

struct Nothing(Error);

impl<'r> Responder<'r, 'static> for Nothing {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        let status = Status::new(self.0.status());
        let mut response = Response::build().status(status).finalize();
        describe(&self.0, request, &mut response);
        Ok(response)
    }
}

/// As long as every secret; anything else is an order's reference or nothing.
struct Secret<'r>(&'r str);

impl<'r> FromParam<'r> for Secret<'r> {
    type Error = ();

    fn from_param(segment: &'r str) -> Result<Secret<'r>, ()> {
        (segment.len() == SECRET)
            .then_some(Secret(segment))
            .ok_or(())
    }
}

/// A body of at most `LIMIT` bytes as it came, with the header that it is read by.
struct Sent<const LIMIT: u64>(Delivery);

#[rocket::async_trait]
impl<'r, const LIMIT: u64> FromData<'r> for Sent<LIMIT> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        // `/hooks/stripe/1`; a generator has no word of a shop there.
        let shop = request.param::<&str>(1).and_then(Result::ok);
        let kind = shop.and_then(ShopKind::from_word);
        let name = kind.and_then(ShopKind::signature_header);
        let header = request.headers().get_one(name.unwrap_or("Content-Type"));
        let header = header.unwrap_or_default().chars().take(HEADER).collect();
        let address = client_address(request).to_string();
        match read_body(data, LIMIT).await {
            Ok(body) => Outcome::Success(Sent(Delivery {
                body,
                header,
                address,
            })),
            Err(error) => refuse(request, error),
        }
    }
}

#[post("/api/orders/generate/<secret>", rank = 1, data = "<sent>")]
async fn generate(
    app: &App,
    secret: Secret<'_>,
    sent: Sent<{ BODY }>,
) -> Result<(ContentType, String), Failure> {
    let secret = secret.0.to_owned();
    let codes = app
        .run(move |service| service.generate(&secret, &sent.0))
        .await?;
    Ok((ContentType::Plain, codes.join("\n")))
}

#[post("/hooks/<shop>/<id>", data = "<sent>")]
async fn receive(app: &App, shop: &str, id: i64, sent: Sent<{ EVENT }>) -> Result<Answer, Failure> {
    let kind = ShopKind::from_word(shop).filter(|kind| kind.has_events());
    let kind = kind.ok_or(Error::NotFound("There is nothing at this address."))?;
    app.run(move |service| service.receive(kind, id, &sent.0))
        .await?;
    Ok(Answer::success(200, "Event received"))
}
