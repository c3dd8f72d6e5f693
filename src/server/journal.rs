//! The request log: one line per request.

use std::sync::atomic::{AtomicU64, Ordering};

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Status;
use rocket::{Data, Request, Response, async_trait};

use super::is_verdict;
use crate::auth::client_address;
use crate::clock::Stopwatch;
use crate::log::Log;
use crate::request::{Running, Ticket};

/// Numbers requests and logs how they ended. Frequent requests that change nothing are not logged: static
/// files, health checks and, unless `checks` is set, answered checks.
pub(super) struct Journal {
    log: Log,
    checks: bool,
    running: Running,
    next: AtomicU64,
}

impl Journal {
    pub(super) fn new(log: Log, checks: bool, running: Running) -> Journal {
        Journal {
            log,
            checks,
            running,
            next: AtomicU64::new(1),
        }
    }

    fn is_told(&self, request: &Request<'_>, route: &str, status: Status) -> bool {
        if is_verdict(request, status) {
            return self.checks;
        }
        status.code >= 400 || !(route.contains("/static/") || route.ends_with("/health"))
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
        // The route, because the address may contain a license key.
        let route = request.route().map_or("none", |route| route.uri.path());
        if !self.is_told(request, route, response.status()) {
            return;
        }
        let ticket = Ticket::of(request);
        self.log.event(
            "request",
            &[
                ("id", &ticket.number),
                ("client", &client_address(request)),
                ("method", &request.method()),
                ("route", &route),
                ("status", &response.status().code),
                ("ms", &format_args!("{:.1}", ticket.watch.milliseconds())),
            ],
        );
    }
}
