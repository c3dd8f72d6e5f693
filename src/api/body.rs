//! A JSON body, read within its limit.

use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::request::{BODY, read_body, refuse};

/// A JSON body of at most `LIMIT` bytes.
pub struct Body<T, const LIMIT: u64 = BODY>(pub(crate) T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned, const LIMIT: u64> FromData<'r> for Body<T, LIMIT> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read(request, data, LIMIT).await {
            Ok(value) => Outcome::Success(Body(value)),
            Err(error) => refuse(request, error),
        }
    }
}

async fn read<T: DeserializeOwned>(
    request: &Request<'_>,
    data: Data<'_>,
    limit: u64,
) -> Result<T, Error> {
    let is_json = || request.content_type().is_some_and(|kind| kind.is_json());
    // Almost every client spells it this way, and parsing is slower.
    if request.headers().get_one("Content-Type") != Some("application/json") && !is_json() {
        return Err(Error::UnsupportedMediaType("application/json"));
    }
    let body = read_body(data, limit).await?;
    if body
        .trim_ascii_start()
        .first()
        .is_some_and(|first| *first != b'{')
    {
        return Err(malformed("The request body is not a JSON object.", None));
    }
    serde_json::from_slice(&body).map_err(|error| wrong::<T>(&body, &error))
}

/// Parses the body a second time, slowly, to name the invalid field.
fn wrong<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> Error {
    if !error.is_data() {
        return malformed(&format!("The request body is not JSON: {error}."), None);
    }
    let deserializer = &mut serde_json::Deserializer::from_slice(body);
    let field = match serde_path_to_error::deserialize::<_, T>(deserializer) {
        Err(at) if at.path().iter().len() > 0 => Some(at.path().to_string()),
        Err(_) | Ok(_) => None,
    };
    malformed(
        &format!("The request body has the wrong shape: {error}."),
        field,
    )
}

fn malformed(message: &str, field: Option<String>) -> Error {
    Error::Malformed {
        message: message.to_owned(),
        field,
    }
}

/// A field that every check requires.
pub(super) fn required(field: &str, value: Option<String>) -> Result<String, Error> {
    value.ok_or_else(|| {
        malformed(
            &format!("The request body has no `{field}`."),
            Some(field.to_owned()),
        )
    })
}
