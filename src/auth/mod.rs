//! Request guards: who is asking, and may a browser have been tricked into it.
//!
//! A route without one of these in its signature is public.

mod address;
mod cookie;
mod origin;

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

pub use cookie::{SessionCookie, private_cookie};
pub use origin::SameOrigin;

use crate::error::Error;
use crate::request::{App, refuse};
use crate::service::{Scope, SignedIn, TokenUser};

/// Somebody who signed in with a browser. Pages that write also check the token in the form.
#[derive(Debug, Clone)]
pub struct Session(pub SignedIn);

/// Somebody or something that may read licenses over the API.
#[derive(Debug)]
pub struct Reader(pub Caller);

/// Somebody or something that may change licenses over the API.
#[derive(Debug)]
pub struct Writer(pub Caller);

/// Who asks the API.
#[derive(Debug)]
pub enum Caller {
    /// A person, by the cookie.
    Session(SignedIn),
    /// A script, by its bearer token.
    Token(TokenUser),
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Session {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Session, ()> {
        match signed_in(request).await {
            Ok(signed_in) => Outcome::Success(Session(signed_in)),
            Err(error) => refuse(request, error),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Reader {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Reader, ()> {
        match caller(request, Scope::Read).await {
            Ok(caller) => Outcome::Success(Reader(caller)),
            Err(error) => refuse(request, error),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Writer {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Writer, ()> {
        let caller = match caller(request, Scope::Write).await {
            Ok(caller) => caller,
            Err(error) => return refuse(request, error),
        };
        let allowed = match &caller {
            Caller::Session(_) => {
                SameOrigin::check(request).and_then(|()| json_or_nothing(request))
            }
            Caller::Token(_) => Ok(()),
        };
        match allowed {
            Ok(()) => Outcome::Success(Writer(caller)),
            Err(error) => refuse(request, error),
        }
    }
}

/// An `Authorization` header decides alone: a wrong one is never made good by a cookie.
async fn caller(request: &Request<'_>, scope: Scope) -> Result<Caller, Error> {
    let Some(header) = request.headers().get_one("Authorization") else {
        return Ok(Caller::Session(signed_in(request).await?));
    };
    let token = header
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, token) = token.ok_or(Error::Unauthenticated)?;
    let user = app(request)?
        .token_user(token.trim())?
        .ok_or(Error::Unauthenticated)?;
    if !user.may(scope) {
        let needed = scope.as_str();
        return Err(Error::Forbidden(format!(
            "This token does not have the scope {needed}."
        )));
    }
    Ok(Caller::Token(user))
}

/// The living session whose cookie the browser sent.
pub async fn signed_in(request: &Request<'_>) -> Result<SignedIn, Error> {
    let found = request
        .local_cache_async(async {
            match SessionCookie::value(request) {
                Some(token) => app(request)?.session(token).await,
                None => Ok(None),
            }
        })
        .await;
    found.clone()?.ok_or(Error::Unauthenticated)
}

/// A form that was made to look like a write without a body is none.
fn json_or_nothing(request: &Request<'_>) -> Result<(), Error> {
    match request.headers().get_one("Content-Type") {
        Some(_) if !request.content_type().is_some_and(|kind| kind.is_json()) => {
            Err(Error::UnsupportedMediaType("application/json"))
        }
        _ => Ok(()),
    }
}

fn app<'r>(request: &'r Request<'_>) -> Result<&'r std::sync::Arc<crate::service::Service>, Error> {
    let app: Option<&App> = request.rocket().state().map(App::from);
    app.map(App::inner)
        .ok_or_else(|| Error::Internal("the service is not mounted".into()))
}
