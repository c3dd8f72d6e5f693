//! The session cookie, and the attributes that all cookies share.

use rocket::Request;
use rocket::http::{Cookie, CookieJar, SameSite};
use rocket::outcome::Outcome as Found;
use rocket::request::{FromRequest, Outcome};

use crate::config::Config;

pub struct SessionCookie<'r> {
    jar: &'r CookieJar<'r>,
    config: &'r Config,
}

/// A cookie that only our own pages send, over TLS if `public_url` is HTTPS. Without a max age it expires
/// with the browser session.
pub fn private_cookie(config: &Config, name: String, value: String) -> Cookie<'static> {
    let path = if config.base_path().is_empty() {
        "/"
    } else {
        config.base_path()
    };
    Cookie::build((name, value))
        .path(path.to_owned())
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(config.is_https())
        .build()
}

impl<'r> SessionCookie<'r> {
    pub fn set(&self, token: String) {
        self.jar.add(private_cookie(
            self.config,
            name(self.config).to_owned(),
            token,
        ));
    }

    pub fn remove(&self) {
        self.jar.remove(private_cookie(
            self.config,
            name(self.config).to_owned(),
            String::new(),
        ));
    }

    pub fn token(&self) -> Option<&'r str> {
        self.jar.get(name(self.config)).map(Cookie::value)
    }

    pub(super) fn value(request: &'r Request<'_>) -> Option<&'r str> {
        request
            .cookies()
            .get(name(request.rocket().state()?))
            .map(Cookie::value)
    }
}

/// The prefixes make browsers refuse the cookie from a page without TLS or from another host.
fn name(config: &Config) -> &'static str {
    match (config.is_https(), config.base_path()) {
        (true, "") => "__Host-license_session",
        (true, _) => "__Secure-license_session",
        (false, _) => "license_session",
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SessionCookie<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<SessionCookie<'r>, ()> {
        match request.guard::<&rocket::State<Config>>().await {
            Found::Success(config) => Outcome::Success(SessionCookie {
                jar: request.cookies(),
                config,
            }),
            Found::Error((status, ())) => Outcome::Error((status, ())),
            Found::Forward(status) => Outcome::Forward(status),
        }
    }
}
