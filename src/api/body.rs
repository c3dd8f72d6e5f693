//! A JSON body, read within its limit.

use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::request::{BODY, read_body, refuse, require_json};

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

/// A JSON object, which may be left out: whatever else is sent counts as nothing.
pub struct OptionalBody<T>(pub(crate) T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned + Default> FromData<'r> for OptionalBody<T> {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let body = match read_body(data, BODY).await {
            Ok(body) => body,
            Err(error) => return refuse(request, error),
        };
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Outcome::Success(OptionalBody(T::default()));
        }
        match serde_json::from_slice(&body) {
            Ok(value) => Outcome::Success(OptionalBody(value)),
            Err(error) => refuse(request, wrong::<T>(&body, &error)),
        }
    }
}

async fn read<T: DeserializeOwned>(
    request: &Request<'_>,
    data: Data<'_>,
    limit: u64,
) -> Result<T, Error> {
    require_json(request)?;
    let encoding = request.headers().get_one("Content-Encoding");
    let body = read_body(data, limit).await?;
    // The usual StreamWriter of .NET writes a byte order mark.
    let json = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
    if json.trim_ascii_start().first() != Some(&b'{') {
        let why = unreadable(json, encoding);
        let why = why.unwrap_or_else(|| "The request body is not a JSON object.".to_owned());
        return Err(malformed(&why, None));
    }
    serde_json::from_slice(json).map_err(|error| match unreadable(json, encoding) {
        Some(why) => malformed(&why, None),
        None => wrong::<T>(json, &error),
    })
}

/// Why the body is no JSON text at all, for the developer of the program that sent it.
fn unreadable(body: &[u8], encoding: Option<&str>) -> Option<String> {
    let encoding = encoding.filter(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    match (body, encoding) {
        ([], _) => Some("The request has no body.".to_owned()),
        (_, Some(encoding)) => Some(compressed(encoding)),
        ([0x1f, 0x8b, ..], _) => Some(compressed("gzip")),
        ([0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..], _) => {
            Some("The request body is UTF-16; send UTF-8.".to_owned())
        }
        ([.., 0], _) => {
            Some("The request body ends with a null character; send only the text.".to_owned())
        }
        _ => not_utf8(body),
    }
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

fn compressed(encoding: &str) -> String {
    let encoding: String = encoding.chars().take(40).collect();
    format!("The request body is compressed ({encoding}); send it uncompressed.")
}

fn not_utf8(body: &[u8]) -> Option<String> {
    let valid = std::str::from_utf8(body).err()?.valid_up_to();
    let byte = body.get(valid)?;
    Some(format!(
        "The request body is not UTF-8: byte {} is 0x{byte:02X}.",
        valid + 1
    ))
}

fn malformed(message: &str, field: Option<String>) -> Error {
    Error::Malformed {
        message: message.to_owned(),
        field,
    }
}

/// A field that every such request has.
pub(super) fn required<T>(field: &str, value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| {
        malformed(
            &format!("The request body has no `{field}`."),
            Some(field.to_owned()),
        )
    })
}
