//! What every page shares: the navigation bar and the result of the last form.

use std::convert::Infallible;
use std::sync::Arc;

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use super::assets::Assets;
use super::flash::{self, Flash};
use crate::auth;
use crate::config::Config;
use crate::model::role::{Role, Use};
use crate::service::Service;

pub(super) struct Frame {
    /// The base path, empty if the server has the host to itself.
    pub(super) base: String,
    /// URL paths of the style sheet and the icon.
    pub(super) style: String,
    pub(super) favicon: String,
    /// The name of the signed-in user.
    pub(super) user: Option<String>,
    pub(super) role: Option<Role>,
    /// Who has each larger role, in words.
    larger: Vec<(Role, String)>,
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
            larger: vec![],
            csrf: String::new(),
            flash: None,
        }
    }

    pub(super) fn load(request: &Request<'_>) -> Frame {
        let signed_in = auth::signed_in(request).clone().ok();
        let role = signed_in.as_ref().map(|s| s.session.role);
        let (user, csrf) = signed_in.map(|s| (s.session.user_name, s.csrf)).unzip();
        Frame {
            larger: role.map_or_else(Vec::new, |own| larger(request, own)),
            user,
            role,
            csrf: csrf.unwrap_or_default(),
            flash: flash::take(request),
            ..Frame::of_customer(request)
        }
    }
}

impl Frame {
    /// Whether the guard of the page at that address or route lets the person in.
    pub(super) fn may_open(&self, address: &str) -> bool {
        self.role >= Some(needed(address, Use::Read))
    }

    /// Whether the guard of the form with that action takes it from the person.
    pub(super) fn may_send(&self, action: &str) -> bool {
        self.role >= Some(needed(action, Use::Write))
    }

    /// `admin or anna`, for somebody who may not open it herself.
    pub(super) fn who_opens(&self, address: &str) -> &str {
        self.who_has(needed(address, Use::Read))
    }

    /// `admin or anna`, for somebody who may not send it herself.
    pub(super) fn who_sends(&self, action: &str) -> &str {
        self.who_has(needed(action, Use::Write))
    }

    fn who_has(&self, role: Role) -> &str {
        let known = self.larger.iter().find(|(larger, _)| *larger == role);
        known.map_or("an owner", |(_, who)| who)
    }
}

fn needed(address: &str, wanted: Use) -> Role {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    Role::needed(path, wanted)
}

fn larger(request: &Request<'_>, own: Role) -> Vec<(Role, String)> {
    if own == Role::Owner {
        return vec![];
    }
    let service: Option<&Arc<Service>> = request.rocket().state();
    let larger = service.map(|service| service.who_may_more(own));
    larger.and_then(Result::ok).unwrap_or_default()
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Frame {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Frame, Infallible> {
        Outcome::Success(Frame::load(request))
    }
}
