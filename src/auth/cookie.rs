//! The cookies of sessions and devices, and the attributes that all cookies share.

use rocket::Request;
use rocket::http::{Cookie, CookieJar, SameSite};
use rocket::outcome::Outcome as Found;
use rocket::request::{FromRequest, Outcome};
use rocket::time::Duration;

use crate::config::Config;
use crate::service::SignIn;

pub(super) const SESSION: &str = "license_session";
/// Between the two steps of signing in.
const BEGUN: &str = "license_begun";
pub(super) const DEVICE: &str = "license_device";

/// The longest that browsers keep a cookie.
const DEVICE_AGE: Duration = Duration::days(400);

/// The cookies of a browser that signs in or out.
pub struct SignInCookies<'r> {
    jar: &'r CookieJar<'r>,
    config: &'r Config,
}

/// A cookie that only our own pages send, over TLS if `public_url` is HTTPS. Without a max age it expires
/// with the browser session. Its name gets the prefix that makes browsers refuse it from a page without TLS
/// or from another host.
pub fn private_cookie(config: &Config, name: &str, value: String) -> Cookie<'static> {
    let path = if config.base_path().is_empty() {
        "/"
    } else {
        config.base_path()
    };
    Cookie::build((prefixed(config, name), value))
        .path(path.to_owned())
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(config.is_https())
        .build()
}

/// The value of a [`private_cookie`] that the browser sent.
pub fn value(request: &Request<'_>, name: &str) -> Option<String> {
    let config: &Config = request.rocket().state()?;
    let cookie = request.cookies().get(&prefixed(config, name))?;
    Some(cookie.value().to_owned())
}

/// The name of the session's cookie, as browsers know it.
pub fn session_cookie(config: &Config) -> String {
    prefixed(config, SESSION)
}

/// A session's new cookie value, from a guard: sent whether or not the handler fails.
struct Renewed(Option<String>);

pub fn renew_session(request: &Request<'_>, value: String) {
    request.local_cache(|| Renewed(Some(value)));
    send_renewed_session(request);
}

/// For catchers, because Rocket drops the cookies of a request that fails.
pub fn send_renewed_session(request: &Request<'_>) {
    let config: Option<&Config> = request.rocket().state();
    let Renewed(value) = request.local_cache(|| Renewed(None));
    if let (Some(config), Some(value)) = (config, value) {
        let cookie = private_cookie(config, SESSION, value.clone());
        request.cookies().add(cookie);
    }
}

fn prefixed(config: &Config, name: &str) -> String {
    let prefix = match (config.is_https(), config.base_path()) {
        (true, "") => "__Host-",
        (true, _) => "__Secure-",
        (false, _) => "",
    };
    format!("{prefix}{name}")
}

impl SignInCookies<'_> {
    pub fn set(&self, new: SignIn) {
        self.set_session(new.session);
        self.set_device(new.device);
        let begun = private_cookie(self.config, BEGUN, String::new());
        self.jar.remove(begun);
    }

    pub fn set_session(&self, value: String) {
        self.jar.add(private_cookie(self.config, SESSION, value));
    }

    pub fn set_begun(&self, value: String) {
        self.jar.add(private_cookie(self.config, BEGUN, value));
    }

    /// What this browser got for the right password.
    pub fn begun(&self) -> Option<&str> {
        let cookie = self.jar.get(&prefixed(self.config, BEGUN))?;
        Some(cookie.value())
    }

    /// The browser stays a known one after its session.
    fn set_device(&self, value: String) {
        let mut cookie = private_cookie(self.config, DEVICE, value);
        cookie.set_max_age(DEVICE_AGE);
        self.jar.add(cookie);
    }

    pub fn remove_session(&self) {
        let cookie = private_cookie(self.config, SESSION, String::new());
        self.jar.remove(cookie);
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SignInCookies<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<SignInCookies<'r>, ()> {
        match request.guard::<&rocket::State<Config>>().await {
            Found::Success(config) => Outcome::Success(SignInCookies {
                jar: request.cookies(),
                config,
            }),
            Found::Error((status, ())) => Outcome::Error((status, ())),
            Found::Forward(status) => Outcome::Forward(status),
        }
    }
}
