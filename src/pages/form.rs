//! A form that one of our own pages sent.

use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use rocket::form::{Form, FromForm};
use rocket::http::RawStr;
use subtle::ConstantTimeEq;

use crate::auth::{self, SameOrigin, signed_in};
use crate::config::Config;
use crate::error::Error;
use crate::model::audit::Actor;
use crate::request::{BODY, read_body, refuse};
use crate::service::SignedIn;
use crate::store::sessions::Session;

/// A form of a signed-in page: same origin, a living session, and the hidden value that only a page
/// of this session knows. A page that writes takes its form through this.
pub(super) struct Posted<T> {
    pub(super) form: T,
    pub(super) session: Session,
    /// Who did it, for the audit log.
    pub(super) actor: Actor,
}

/// A form that may come from somebody who is not signed in yet; still only from our own pages.
pub(super) struct Public<T>(pub(super) T);

/// The hidden value alone: all that a form of one button says.
#[derive(FromForm)]
pub(super) struct Hidden {
    #[field(default = "")]
    csrf: String,
}

/// A form that came after its session had ended: what was typed shall not be lost.
#[derive(Debug, Clone)]
pub(super) struct Interrupted {
    /// Where it was sent, relative to the base path.
    pub(super) path: String,
    /// Its fields, as they were sent.
    pub(super) fields: String,
}

impl Interrupted {
    async fn keep(request: &Request<'_>, data: Data<'_>) {
        let base = request.rocket().state().map_or("", Config::base_path);
        let path = request.uri().path().as_str();
        let path = path.strip_prefix(base).unwrap_or(path).to_owned();
        // Only where much was typed: a button is pressed again, a password typed again.
        let is_long = path == "/licenses/new" || path.ends_with("/edit");
        if is_long && let Ok(fields) = read(request, data).await {
            request.local_cache(|| Some(Interrupted { path, fields }));
        }
    }

    /// The form that this request brought in vain.
    pub(super) fn of<'r>(request: &'r Request<'_>) -> Option<&'r Interrupted> {
        request.local_cache(|| None::<Interrupted>).as_ref()
    }

    /// Names and values, without the hidden value of the dead session.
    pub(super) fn pairs(fields: &str) -> Vec<(String, String)> {
        let decode = |text: &str| {
            RawStr::new(&text.replace('+', " "))
                .percent_decode_lossy()
                .into_owned()
        };
        let pairs = Form::values(fields)
            .map(|field| (decode(field.name.source().as_str()), decode(field.value)));
        pairs.filter(|(name, _)| name != "csrf").collect()
    }
}

#[rocket::async_trait]
impl<'r, T: for<'a> FromForm<'a> + 'static> FromData<'r> for Posted<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read_hidden(request, data).await {
            Ok(posted) => Outcome::Success(posted),
            Err(error) => refuse(request, error),
        }
    }
}

#[rocket::async_trait]
impl<'r, T: for<'a> FromForm<'a> + 'static> FromData<'r> for Public<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read(request, data).await.and_then(|text| parse(&text)) {
            Ok(form) => Outcome::Success(Public(form)),
            Err(error) => refuse(request, error),
        }
    }
}

async fn read_hidden<T>(request: &Request<'_>, data: Data<'_>) -> Result<Posted<T>, Error>
where
    T: for<'a> FromForm<'a> + 'static,
{
    let signed_in = match signed_in(request).await {
        Err(Error::Unauthenticated) => {
            Interrupted::keep(request, data).await;
            return Err(Error::Unauthenticated);
        }
        other => other?,
    };
    let text = read(request, data).await?;
    let Hidden { csrf } = parse(&text)?;
    of_this_session(&csrf, &signed_in)?;
    Ok(Posted {
        form: parse(&text)?,
        actor: auth::actor(request, &signed_in.session.user_name),
        session: signed_in.session,
    })
}

/// Whether the hidden value is the one of this session.
pub(super) fn of_this_session(csrf: &str, signed_in: &SignedIn) -> Result<(), Error> {
    if bool::from(csrf.as_bytes().ct_eq(signed_in.csrf.as_bytes())) {
        return Ok(());
    }
    Err(Error::Forbidden(
        "This form belongs to an earlier session. Go back, load the page again and repeat what you did.".into(),
    ))
}

async fn read(request: &Request<'_>, data: Data<'_>) -> Result<String, Error> {
    SameOrigin::check(request)?;
    if !request.content_type().is_some_and(|kind| kind.is_form()) {
        return Err(Error::UnsupportedMediaType(
            "application/x-www-form-urlencoded",
        ));
    }
    let body = read_body(data, BODY).await?;
    let text = String::from_utf8(body).map_err(|_| not_utf8())?;
    // Rocket would put U+FFFD in the place of what cannot be decoded.
    match RawStr::new(&text).percent_decode() {
        Ok(_) => Ok(text),
        Err(_) => Err(not_utf8()),
    }
}

fn parse<T: for<'a> FromForm<'a> + 'static>(text: &str) -> Result<T, Error> {
    Form::parse_encoded(RawStr::new(text))
        .map_err(|errors| malformed(&format!("The form cannot be read: {errors}.")))
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
