//! Request guards: authentication, and protection against cross-site requests.
//!
//! A route without one of these guards in its signature is public.

mod address;
mod cookie;
mod local;
mod origin;

use std::net::IpAddr;
use std::sync::Arc;

use rocket::Request;
use rocket::http::Method;
use rocket::request::{FromRequest, Outcome};

pub use address::{Address, client_address, forwarded, peer};
pub use cookie::{
    SignInCookies, private_cookie, renew_session, send_renewed_session, session_cookie,
    value as cookie_value,
};
pub use origin::SameOrigin;

use crate::config::Config;
use crate::error::Error;
use crate::model::audit::{Actor, Kind};
use crate::model::role::{Role, Use, is_for_own_password, is_own_sign_in};
use crate::model::token::Scope;
use crate::request::{App, refuse, require_json};
use crate::service::{Client, Service, SignedIn};
use crate::store::sessions;

/// A user who signed in with a browser. Pages that write also require the CSRF token in the form.
#[derive(Debug, Clone)]
pub struct Session(pub SignedIn);

impl Session {
    pub fn actor(&self, client: &Client) -> Actor {
        actor_at(&self.0.session, client.address)
    }
}

/// A user or script that may read licenses over the API.
#[derive(Debug)]
pub struct Reader(pub Actor);

/// A user or script that may change licenses over the API.
#[derive(Debug)]
pub struct Writer(pub Actor);

/// A user, script or shop that may look activation codes up.
#[derive(Debug)]
pub struct CodeReader;

/// A user or script that may make and change activation codes.
#[derive(Debug)]
pub struct CodeWriter(pub Actor);

/// A user or script that may read the audit log.
#[derive(Debug)]
pub struct Auditor(pub Actor);

/// A user or shop that may place orders.
#[derive(Debug)]
pub struct Seller {
    pub actor: Actor,
    /// An order reference is unique for each.
    pub source: String,
    is_user: bool,
}

impl Seller {
    /// Whose order it is: for a user, also one of a shop.
    pub fn source_of(&self, service: &Service, order_ref: &str) -> Result<String, Error> {
        if !self.is_user {
            return Ok(self.source.clone());
        }
        let sources = service.order_sources(order_ref)?;
        let own = sources.iter().find(|source| **source == self.source);
        Ok(own.or(sources.first()).unwrap_or(&self.source).clone())
    }
}
/// A program on this machine, or a user or script that may read the metrics.
#[derive(Debug)]
pub struct Scraper;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Session {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Session, ()> {
        match permitted(request, Use::Read) {
            Ok(signed_in) => Outcome::Success(Session(signed_in)),
            Err(error) => refuse(request, error),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Reader {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Reader, ()> {
        outcome(request, &[Scope::Read], |actor, _| Reader(actor))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Writer {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Writer, ()> {
        outcome(request, &[Scope::Write], |actor, _| Writer(actor))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CodeReader {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<CodeReader, ()> {
        outcome(request, &[Scope::Orders, Scope::Codes], |_, _| CodeReader)
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CodeWriter {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<CodeWriter, ()> {
        outcome(request, &[Scope::Codes], |actor, _| CodeWriter(actor))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Auditor {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Auditor, ()> {
        outcome(request, &[Scope::Audit], |actor, _| Auditor(actor))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Seller {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Seller, ()> {
        outcome(request, &[Scope::Orders], |actor, id| Seller {
            source: match id {
                CallerId::Token(id) => format!("token {id}"),
                CallerId::User(id) => format!("user {id}"),
            },
            is_user: matches!(id, CallerId::User(_)),
            actor,
        })
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Scraper {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Scraper, ()> {
        if !request.headers().contains("Authorization") && local::is_local(request) {
            return Outcome::Success(Scraper);
        }
        outcome(request, &[Scope::Metrics], |_, _| Scraper)
    }
}

/// Whose request it is.
enum CallerId {
    User(i64),
    Token(i64),
}

/// The person of a session that sends this request.
pub fn actor(request: &Request<'_>, session: &sessions::Session) -> Actor {
    actor_at(session, client_address(request))
}

fn actor_at(session: &sessions::Session, address: IpAddr) -> Actor {
    Actor::person(session.user_id, &session.user_name, address).by(session.factor())
}

/// For the log of requests.
struct PersonId(Option<i64>);

/// The number of the person whose request it is, if a guard has found it.
pub fn person_id(request: &Request<'_>) -> Option<i64> {
    request.local_cache(|| PersonId(None)).0
}

fn note_person(request: &Request<'_>, id: i64) {
    request.local_cache(|| PersonId(Some(id)));
}

fn outcome<T>(
    request: &Request<'_>,
    scopes: &[Scope],
    guard: impl FnOnce(Actor, CallerId) -> T,
) -> Outcome<T, ()> {
    match caller(request, scopes) {
        Ok((actor, id)) => Outcome::Success(guard(actor, id)),
        Err(error) => refuse(request, error),
    }
}

/// Each of the scopes suffices. An `Authorization` header decides alone: an invalid one never falls back to the
/// cookie. Browsers send cookies automatically, so a write that relies on a cookie must come from one of our own
/// pages.
fn caller(request: &Request<'_>, scopes: &[Scope]) -> Result<(Actor, CallerId), Error> {
    let needed = scopes.iter().map(|scope| scope.role()).min();
    let needed = needed.unwrap_or(Role::Owner);
    let Some(header) = request.headers().get_one("Authorization") else {
        let signed_in = signed_in(request).clone()?;
        require_own_password(&signed_in)?;
        require_two_factors(request, &signed_in)?;
        refuse_unless(request, signed_in.session.role, needed)?;
        if request.method() != Method::Get {
            SameOrigin::check(request)?;
            json_or_nothing(request)?;
        }
        let id = CallerId::User(signed_in.session.user_id);
        return Ok((actor(request, &signed_in.session), id));
    };
    let token = header
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let app = app(request)?;
    let address = client_address(request);
    let refused = |actor: &Actor| app.note_refusal(Kind::TokenRefused, actor, address);
    let user = match token {
        Some((_, token)) => app.token_user(token.trim(), address)?,
        None => None,
    };
    let user = user.ok_or_else(|| {
        refused(&Actor::other("unknown token", "unknown token", address));
        Error::Unauthenticated
    })?;
    note_person(request, user.user_id);
    let actor = Actor::token(user.id, user.user_id, &user.name, address);
    if !scopes.iter().any(|scope| user.may(*scope)) {
        refused(&actor);
        let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let words = words.join(" or ");
        return Err(Error::Forbidden(format!(
            "This token does not have the scope {words}."
        )));
    }
    refuse_unless(request, user.role, needed)?;
    Ok((actor, CallerId::Token(user.id)))
}

/// The session of the request's cookie, if its person may do this at the request's address.
pub fn permitted(request: &Request<'_>, wanted: Use) -> Result<SignedIn, Error> {
    let signed_in = signed_in(request).clone()?;
    let route = route(request);
    if !is_for_own_password(route) {
        require_own_password(&signed_in)?;
    }
    if !is_own_sign_in(route) {
        require_two_factors(request, &signed_in)?;
    }
    refuse_unless(request, signed_in.session.role, Role::needed(route, wanted))?;
    Ok(signed_in)
}

/// The path of the request's route, below the base path.
pub fn route<'r>(request: &'r Request<'_>) -> &'r str {
    let config: Option<&Config> = request.rocket().state();
    let route = request.route().map_or("", |route| route.uri.path());
    config.map_or(route, |config| config.below_base_path(route))
}

/// Requires a password that only its person knows.
fn require_own_password(signed_in: &SignedIn) -> Result<(), Error> {
    match signed_in.session.has_random_password {
        true => Err(Error::RandomPassword),
        false => Ok(()),
    }
}

fn require_two_factors(request: &Request<'_>, signed_in: &SignedIn) -> Result<(), Error> {
    let is_required = app(request)?.requires_two_factors();
    match is_required && !signed_in.session.has_factor {
        true => Err(Error::NoSecondFactor),
        false => Ok(()),
    }
}

fn refuse_unless(request: &Request<'_>, own: Role, needed: Role) -> Result<(), Error> {
    if own >= needed {
        return Ok(());
    }
    Err(Error::NotForRole {
        own: own.as_str(),
        needed: needed.as_str(),
        who: app(request)?.who_may(needed)?,
    })
}

/// The unexpired session of the request's cookie.
pub fn signed_in<'r>(request: &'r Request<'_>) -> &'r Result<SignedIn, Error> {
    request.local_cache(|| {
        let client = address::client(request);
        let found = match &client.session {
            Some(token) => app(request)?.session(token, &client)?,
            None => None,
        };
        let found = found.ok_or(Error::Unauthenticated)?;
        note_person(request, found.session.user_id);
        Ok(found)
    })
}

/// Rejects an HTML form that poses as a write without a body.
fn json_or_nothing(request: &Request<'_>) -> Result<(), Error> {
    match request.headers().get_one("Content-Type") {
        Some(_) => require_json(request),
        None => Ok(()),
    }
}

fn app<'r>(request: &'r Request<'_>) -> Result<&'r Arc<Service>, Error> {
    let app: Option<&App> = request.rocket().state().map(App::from);
    app.map(App::inner)
        .ok_or_else(|| Error::Internal("the service is not mounted".into()))
}
