//! File upload forms sent by our own pages.

use std::collections::BTreeMap;
use std::io;

use multer::Multipart;
use rocket::Request;
use rocket::data::{Data, FromData, Outcome};
use rocket::futures::{future, stream};

use super::form::{malformed, verify_csrf};
use super::saved_form::SavedForm;
use crate::auth::{self, SameOrigin, permitted};
use crate::error::Error;
use crate::model::audit::Actor;
use crate::model::role::Use;
use crate::request::{IMPORT, drain, read_file_body, refuse, unsupported};

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

/// Bytes of an upload beside its file, such as pasted codes, that are kept for another attempt.
const KEPT: u64 = 1024 * 1024;

/// The boundary of the form.
fn accept<'r>(request: &'r Request<'_>) -> Result<&'r str, Error> {
    SameOrigin::check(request)?;
    let kind = request.content_type().filter(|kind| kind.is_form_data());
    let kind = kind.ok_or_else(|| unsupported("multipart/form-data", request))?;
    let boundary = kind.param("boundary");
    boundary.ok_or_else(|| malformed("The multipart form has no boundary."))
}

async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Uploaded, Error> {
    let boundary = match accept(request) {
        Ok(boundary) => boundary,
        Err(error) => {
            drain(data, 0).await;
            return Err(error);
        }
    };
    let signed_in = match permitted(request, Use::Write) {
        Ok(signed_in) => signed_in,
        Err(error) => {
            let body = drain(data, KEPT).await.unwrap_or_default();
            let mut sent = Parts::default();
            let is_whole = sent.read(body, boundary).await.is_ok() || sent.has_file();
            let kept = sent.kept().filter(|_| is_whole);
            SavedForm::save_upload(request, kept, sent.has_file());
            return Err(error);
        }
    };
    let mut sent = Parts::default();
    sent.read(read_file_body(data).await?, boundary).await?;
    SavedForm::save_upload(request, sent.kept(), sent.has_file());
    verify_csrf(&sent.csrf, &signed_in)?;
    if sent.content.len() as u64 > IMPORT {
        return Err(Error::TooLarge(IMPORT));
    }
    Ok(Uploaded {
        file_name: sent.file_name,
        content: sent.content,
        actor: auth::actor_of(request, &signed_in.session),
        fields: sent.others,
    })
}

#[derive(Default)]
struct Parts {
    csrf: String,
    file_name: String,
    content: Vec<u8>,
    others: BTreeMap<String, String>,
}

impl Parts {
    /// What comes before an error is there all the same. The file is the last field of our forms.
    async fn read(&mut self, body: Vec<u8>, boundary: &str) -> Result<(), Error> {
        let body = stream::once(future::ready(Ok::<_, io::Error>(body)));
        let unreadable = |e: multer::Error| malformed(&format!("The form could not be read: {e}."));
        let mut fields = Multipart::new(body, boundary);
        while let Some(field) = fields.next_field().await.map_err(unreadable)? {
            let Some(name) = field.name().map(str::to_owned) else {
                continue;
            };
            if name == "file" {
                self.file_name = field.file_name().unwrap_or_default().to_owned();
            }
            let bytes = field.bytes().await.map_err(unreadable)?;
            let text = || String::from_utf8_lossy(&bytes).into_owned();
            match &*name {
                "csrf" => self.csrf = text(),
                "file" => self.content = bytes.into(),
                _ => drop(self.others.insert(name, text())),
            }
        }
        Ok(())
    }

    fn has_file(&self) -> bool {
        !self.file_name.is_empty() || !self.content.is_empty()
    }

    /// The fields beside the file, if there are any and they are not as large as one.
    fn kept(&self) -> Option<Vec<(String, String)>> {
        let size: usize = self.others.values().map(String::len).sum();
        if self.has_file() && size == 0 || size as u64 > KEPT {
            return None;
        }
        let pairs = self.others.iter();
        let pairs = pairs.map(|(name, value)| (name.clone(), value.clone()));
        Some(pairs.collect())
    }
}
