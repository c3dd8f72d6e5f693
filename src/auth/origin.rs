//! Protection against cross-site writes.

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use crate::config::Config;
use crate::error::Error;
use crate::request::refuse;

/// A write that was not sent by a foreign page. Scripts send neither of the two headers that browsers always
/// send, and are let through.
#[derive(Debug)]
pub struct SameOrigin;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SameOrigin {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<SameOrigin, ()> {
        match SameOrigin::check(request) {
            Ok(()) => Outcome::Success(SameOrigin),
            Err(error) => refuse(request, error),
        }
    }
}

impl SameOrigin {
    /// `Sec-Fetch-Site` and `Origin`, where present, must both say that the request came from one of our own
    /// pages.
    pub fn check(request: &Request<'_>) -> Result<(), Error> {
        let headers = request.headers();
        if headers
            .get("Sec-Fetch-Site")
            .any(|site| site != "same-origin")
        {
            return Err(Error::Forbidden(
                "A page of another site sent this request.".into(),
            ));
        }
        match headers
            .get("Origin")
            .find(|origin| !is_ours(request, origin))
        {
            None => Ok(()),
            Some(origin) => Err(Error::Forbidden(format!(
                "The request came from a page at `{origin}`, which is not the address of this server. \
                 If it is, the operator has to set `public_url` to it."
            ))),
        }
    }
}

/// The origin of `public_url`, or, if that is a loopback name, any other with the port listened on.
fn is_ours(request: &Request<'_>, origin: &str) -> bool {
    let Some(config) = request.rocket().state::<Config>() else {
        return false;
    };
    let port = request.rocket().config().port;
    let loopback = ["127.0.0.1", "localhost", "[::1]"];
    let is_loopback = || {
        loopback
            .iter()
            .any(|host| origin == format!("http://{host}:{port}"))
    };
    origin == config.origin(port) || config.is_loopback() && is_loopback()
}
