//! The request log: one line per request.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Status;
use rocket::{Data, Request, Response, async_trait};

use super::is_verdict;
use crate::auth::{client_address, person_id};
use crate::clock::Stopwatch;
use crate::request::{Running, Ticket};
use crate::service::Service;

/// Requests that monitoring repeats.
const MONITORING: [&str; 3] = ["/health", "/metrics", "/ready"];

/// Numbers requests, and counts and logs how they ended. Frequent requests that change nothing are not logged:
/// static files, monitoring and, unless `checks` is set, answered checks.
pub(super) struct Journal {
    service: Arc<Service>,
    checks: bool,
    running: Running,
    next: AtomicU64,
}

impl Journal {
    pub(super) fn new(service: Arc<Service>, checks: bool, running: Running) -> Journal {
        Journal {
            service,
            checks,
            running,
            next: AtomicU64::new(1),
        }
    }

    fn is_told(&self, route: &str, status: Status) -> bool {
        let is_frequent = || {
            let mut ends = MONITORING.iter();
            route.contains("/static/") || ends.any(|end| route.ends_with(end))
        };
        status.code >= 400 || !is_frequent()
    }
}

#[async_trait]
impl Fairing for Journal {
    fn info(&self) -> Info {
        Info {
            name: "journal",
            kind: Kind::Request | Kind::Response,
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        request.local_cache(|| Ticket {
            number,
            watch: Stopwatch::start(),
            _running: self.running.clone(),
        });
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if self.running.is_stopping() {
            response.set_raw_header("Connection", "close");
        }
        let (ticket, status) = (Ticket::of(request), response.status());
        let is_verdict = is_verdict(request, status);
        let took = is_verdict.then(|| ticket.watch.elapsed());
        self.service.count_answer(status.code, took);
        if is_verdict && !self.checks {
            return;
        }
        // The route, because the address may contain a license key.
        let route = request.route().map_or("none", |route| route.uri.path());
        if !is_verdict && !self.is_told(route, status) {
            return;
        }
        let (client, method) = (client_address(request), request.method());
        let (milliseconds, user) = (ticket.watch.milliseconds(), person_id(request));
        let took = format!("{milliseconds:.1}");
        let mut about: Vec<(&str, &dyn Display)> = vec![
            ("id", &ticket.number),
            ("client", &client),
            ("method", &method),
            ("route", &route),
            ("status", &status.code),
            ("ms", &took),
        ];
        about.extend(user.iter().map(|user| ("user", user as &dyn Display)));
        self.service.log().event("request", &about);
    }
}
