//! Forms sent by our own pages.

use std::sync::Arc;

use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use rocket::form::{Form, FromForm};
use rocket::http::RawStr;
use subtle::ConstantTimeEq;

use super::saved_form::SavedForm;
use crate::auth::{self, SameOrigin, permitted};
use crate::error::Error;
use crate::model::audit::Actor;
use crate::model::role::{Use, is_confirmed_again};
use crate::request::{BODY, read_body, refuse, unsupported};
use crate::service::{Service, SignedIn};
use crate::store::sessions::Session;

/// A form from a signed-in page: same origin, an unexpired session and its CSRF token. Every route that
/// writes reads its form through this guard.
pub(super) struct SignedInForm<T> {
    pub(super) form: T,
    pub(super) session: Session,
    pub(super) actor: Actor,
}

/// A form from a signed-in page that only looks for something: without a CSRF token, so that it can still be sent
/// from a page of an earlier session.
pub(super) struct SearchForm<T>(pub(super) T);

/// A form from someone who is not signed in yet; same origin only.
pub(super) struct PublicForm<T, const LIMIT: u64 = BODY>(pub(super) T);

/// What is added to a form to confirm who sends it.
#[derive(FromForm)]
struct Confirmation {
    confirm_password: Option<String>,
    #[field(default = "")]
    confirm_code: String,
}

/// A form with nothing but a button.
#[derive(FromForm)]
pub(super) struct CsrfOnly {
    #[field(default = "")]
    csrf: String,
}

#[rocket::async_trait]
impl<'r, T: for<'a> FromForm<'a> + 'static> FromData<'r> for SignedInForm<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read_signed_in(request, data).await {
            Ok(posted) => Outcome::Success(posted),
            Err(error) => refuse(request, error),
        }
    }
}

#[rocket::async_trait]
impl<'r, T, const LIMIT: u64> FromData<'r> for PublicForm<T, LIMIT>
where
    T: for<'a> FromForm<'a> + 'static,
{
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let text = read(request, data, LIMIT).await;
        match text.and_then(|text| parse(&text)) {
            Ok(form) => Outcome::Success(PublicForm(form)),
            Err(error) => refuse(request, error),
        }
    }
}

#[rocket::async_trait]
impl<'r, T: for<'a> FromForm<'a> + 'static> FromData<'r> for SearchForm<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let sent = read_in_session(request, data, Use::Read).await;
        match sent.and_then(|(_, text)| parse(&text)) {
            Ok(form) => Outcome::Success(SearchForm(form)),
            Err(error) => refuse(request, error),
        }
    }
}

async fn read_in_session(
    request: &Request<'_>,
    data: Data<'_>,
    wanted: Use,
) -> Result<(SignedIn, String), Error> {
    let signed_in = permitted(request, wanted);
    let text = read(request, data, BODY).await;
    if let Ok(text) = &text {
        SavedForm::save(request, text);
    }
    Ok((signed_in?, text?))
}

async fn read_signed_in<T>(request: &Request<'_>, data: Data<'_>) -> Result<SignedInForm<T>, Error>
where
    T: for<'a> FromForm<'a> + 'static,
{
    let (signed_in, text) = read_in_session(request, data, Use::Write).await?;
    let CsrfOnly { csrf } = parse(&text)?;
    verify_csrf(&csrf, &signed_in)?;
    let actor = auth::actor_of(request, &signed_in.session);
    if is_confirmed_again(auth::route(request)) {
        confirm(request, &text, &actor, &signed_in.session).await?;
    }
    Ok(SignedInForm {
        form: parse(&text)?,
        actor,
        session: signed_in.session,
    })
}

/// Requires a password that was entered lately, or in this form.
async fn confirm(
    request: &Request<'_>,
    text: &str,
    actor: &Actor,
    session: &Session,
) -> Result<(), Error> {
    let app: Option<&Arc<Service>> = request.rocket().state();
    let app = app.ok_or_else(|| Error::Internal("the service is not mounted".into()))?;
    if app.is_confirmed(session) {
        return Ok(());
    }
    let Confirmation {
        confirm_password,
        confirm_code,
    } = parse(text)?;
    let password = confirm_password.ok_or(Error::Unconfirmed(vec![]))?;
    let confirmed = app.confirm(actor.clone(), session, password, confirm_code);
    match confirmed.await {
        Err(Error::Invalid(problems)) => Err(Error::Unconfirmed(problems)),
        other => other,
    }
}

pub(super) fn verify_csrf(csrf: &str, signed_in: &SignedIn) -> Result<(), Error> {
    if bool::from(csrf.as_bytes().ct_eq(signed_in.csrf.as_bytes())) {
        return Ok(());
    }
    Err(Error::EarlierSession)
}

async fn read(request: &Request<'_>, data: Data<'_>, limit: u64) -> Result<String, Error> {
    SameOrigin::check(request)?;
    if !request.content_type().is_some_and(|kind| kind.is_form()) {
        return Err(unsupported("application/x-www-form-urlencoded", request));
    }
    let body = read_body(data, limit).await?;
    let text = String::from_utf8(body).map_err(|_| not_utf8())?;
    // Rocket would replace invalid bytes with U+FFFD.
    match RawStr::new(&text).percent_decode() {
        Ok(_) => Ok(text),
        Err(_) => Err(not_utf8()),
    }
}

fn parse<T: for<'a> FromForm<'a> + 'static>(text: &str) -> Result<T, Error> {
    Form::parse_encoded(RawStr::new(text))
        .map_err(|errors| malformed(&format!("The form could not be read: {errors}.")))
}

fn not_utf8() -> Error {
    malformed("The form is not UTF-8 text.")
}

pub(super) fn malformed(message: &str) -> Error {
    Error::Malformed {
        message: message.to_owned(),
        field: None,
    }
}
