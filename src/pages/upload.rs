//! File upload forms sent by our own pages.

use std::collections::BTreeMap;
use std::io;

use multer::Multipart;
use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use rocket::futures::{future, stream};

use super::form::{malformed, verify_csrf};
use super::saved_form::save_upload;
use crate::auth::{self, SameOrigin, signed_in};
use crate::error::Error;
use crate::model::audit::Actor;
use crate::request::{IMPORT, drain, read_file_body, refuse, unsupported};
use crate::service::SignedIn;

/// A [`super::form::SignedInForm`] with a file, which is held in memory.
pub(super) struct Uploaded {
    pub(super) file_name: String,
    /// Empty if no file was chosen.
    pub(super) content: Vec<u8>,
    pub(super) actor: Actor,
    fields: BTreeMap<String, String>,
}

impl Uploaded {
    /// Another field of the form; empty if it was not sent.
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for Uploaded {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read(request, data).await {
            Ok(uploaded) => Outcome::Success(uploaded),
            Err(error) => refuse(request, error),
        }
    }
}

/// Who sends the file, and the boundary of its form.
async fn accept<'r>(request: &'r Request<'_>) -> Result<(SignedIn, &'r str), Error> {
    let signed_in = signed_in(request).await;
    SameOrigin::check(request)?;
    save_upload(request);
    let signed_in = signed_in?;
    let kind = request.content_type().filter(|kind| kind.is_form_data());
    let kind = kind.ok_or_else(|| unsupported("multipart/form-data", request))?;
    let boundary = kind.param("boundary");
    let boundary = boundary.ok_or_else(|| malformed("The multipart form has no boundary."))?;
    Ok((signed_in, boundary))
}

async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Uploaded, Error> {
    let (signed_in, boundary) = match accept(request).await {
        Ok(accepted) => accepted,
        Err(error) => {
            // A browser shows the answer only after it has sent everything.
            drain(data).await;
            return Err(error);
        }
    };
    let body = read_file_body(data).await?;
    let body = stream::once(future::ready(Ok::<_, io::Error>(body)));
    let unreadable = |e: multer::Error| malformed(&format!("The form could not be read: {e}."));
    let mut fields = Multipart::new(body, boundary);
    let mut is_verified = false;
    let (mut file_name, mut content) = (String::new(), Vec::new());
    let mut others = BTreeMap::new();
    while let Some(field) = fields.next_field().await.map_err(unreadable)? {
        match field.name() {
            Some("csrf") => {
                let csrf = field.bytes().await.map_err(unreadable)?;
                verify_csrf(&String::from_utf8_lossy(&csrf), &signed_in)?;
                is_verified = true;
            }
            Some("file") => {
                file_name = field.file_name().unwrap_or_default().to_owned();
                content = field.bytes().await.map_err(unreadable)?.into();
            }
            Some(name) => {
                let name = name.to_owned();
                let text = field.bytes().await.map_err(unreadable)?;
                others.insert(name, String::from_utf8_lossy(&text).into_owned());
            }
            None => {}
        }
    }
    if !is_verified {
        verify_csrf("", &signed_in)?;
    }
    if content.len() as u64 > IMPORT {
        return Err(Error::TooLarge(IMPORT));
    }
    Ok(Uploaded {
        file_name,
        content,
        actor: auth::actor(request, &signed_in.session.user_name),
        fields: others,
    })
}
