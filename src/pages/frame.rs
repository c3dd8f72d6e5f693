//! What every page shares: the navigation bar and the result of the last form.

use std::convert::Infallible;

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use super::assets::Assets;
use super::flash::{self, Flash};
use crate::auth;
use crate::config::Config;
use crate::model::role::Role;

pub(super) struct Frame {
    /// The base path, empty if the server has the host to itself.
    pub(super) base: String,
    /// URL paths of the style sheet and the icon.
    pub(super) style: String,
    pub(super) favicon: String,
    /// The name of the signed-in user.
    pub(super) user: Option<String>,
    pub(super) role: Option<Role>,
    pub(super) csrf: String,
    pub(super) flash: Option<Flash>,
}

/// Of a page for customers, whoever it is.
pub(super) struct Visitor(pub(super) Frame);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Visitor, Infallible> {
        Outcome::Success(Visitor(Frame::of_customer(request)))
    }
}

impl Frame {
    /// Of a page for customers: also a signed-in user is nobody there.
    pub(super) fn of_customer(request: &Request<'_>) -> Frame {
        let base = request.rocket().state().map_or("", Config::base_path);
        let asset = |name| {
            let assets: Option<&Assets> = request.rocket().state();
            format!(
                "{base}/static/{}",
                assets.map_or("", |assets| assets.hashed_name(name))
            )
        };
        Frame {
            base: base.to_owned(),
            style: asset("style.css"),
            favicon: asset("favicon.svg"),
            user: None,
            role: None,
            csrf: String::new(),
            flash: None,
        }
    }

    pub(super) async fn load(request: &Request<'_>) -> Frame {
        let signed_in = auth::signed_in(request).clone().ok();
        let role = signed_in.as_ref().map(|s| s.session.role);
        let (user, csrf) = signed_in.map(|s| (s.session.user_name, s.csrf)).unzip();
        Frame {
            user,
            role,
            csrf: csrf.unwrap_or_default(),
            flash: flash::take(request),
            ..Frame::of_customer(request)
        }
    }
}

impl Frame {
    /// Whether the person works with licenses, codes, customers and requests.
    pub(super) fn is_staff(&self) -> bool {
        self.role >= Some(Role::Staff)
    }

    pub(super) fn is_owner(&self) -> bool {
        self.role >= Some(Role::Owner)
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Frame {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Frame, Infallible> {
        Outcome::Success(Frame::load(request).await)
    }
}
