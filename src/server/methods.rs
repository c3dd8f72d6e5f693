//! Answers a wrong method with 405 and `Allow`; Rocket would answer 404.

use std::collections::BTreeMap;

use rocket::data::Data;
use rocket::http::Method;
use rocket::route::{Handler, Outcome, Route};
use rocket::{Request, async_trait};

use crate::error::Error;
use crate::request::refuse;

const METHODS: [Method; 7] = [
    Method::Get,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
    Method::Options,
    Method::Trace,
];

/// The routes, followed by one for each method that an address does not allow.
pub(super) fn refused_elsewhere(routes: Vec<Route>) -> Vec<Route> {
    let mut addresses: BTreeMap<String, (isize, Vec<Method>)> = BTreeMap::new();
    for route in &routes {
        let (_, taken) = addresses
            .entry(route.uri.path().to_owned())
            .or_insert((route.rank, vec![]));
        taken.push(route.method);
    }
    let refused = addresses.into_iter().flat_map(|(path, (rank, taken))| {
        let handler = Refused {
            allow: allow(&taken),
        };
        let others = METHODS
            .into_iter()
            .filter(move |method| !taken.contains(method));
        // Ranked after all real routes, in the order that Rocket gave them.
        others.map(move |method| Route::ranked(rank + 100, method, &path, handler.clone()))
    });
    routes.iter().cloned().chain(refused).collect()
}

fn allow(taken: &[Method]) -> String {
    let implied = taken.contains(&Method::Get).then_some("HEAD");
    METHODS
        .iter()
        .filter(|m| taken.contains(m))
        .map(|m| m.as_str())
        .chain(implied)
        .collect::<Vec<_>>()
        .join(", ")
}

#[derive(Clone)]
struct Refused {
    allow: String,
}

#[async_trait]
impl Handler for Refused {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let outcome: rocket::outcome::Outcome<(), _, ()> =
            refuse(request, Error::MethodNotAllowed(self.allow.clone()));
        match outcome {
            rocket::outcome::Outcome::Error((status, ())) => Outcome::Error(status),
            _ => Outcome::Error(rocket::http::Status::MethodNotAllowed),
        }
    }
}
