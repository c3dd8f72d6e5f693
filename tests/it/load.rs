//! Visitors of two servers behind nginx, who notice every wrong result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::ring;
use serde_json::{Value, json};
use ureq::tls::{TlsConfig, TlsProvider};

use crate::server::PASSWORD;

/// Where nginx listens, with TLS and without.
pub const TLS: u16 = 8443;
pub const PLAIN: u16 = 8080;

/// Machines that have a license all the time.
pub const LICENSED: usize = 20;

/// A revoked license counts everywhere within so long; the promise is 2 s.
pub const HEARD: Duration = Duration::from_secs(10);

/// Between two requests of a visitor.
const PAUSE: Duration = Duration::from_millis(20);

pub fn licensed(number: usize) -> String {
    format!("licensed-{}", number % LICENSED)
}

/// Each request has a connection of its own.
pub struct Visitor(ureq::Agent);

struct Reply {
    status: u16,
    location: String,
    cookie: String,
    body: String,
}

impl Visitor {
    pub fn new() -> Visitor {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .disable_verification(true)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(10)))
            .build();
        Visitor(config.into())
    }

    /// The cookie of a session.
    pub fn sign_in(&self) -> String {
        let body = json!({"username": "admin", "password": PASSWORD});
        let url = format!("https://127.0.0.1:{TLS}/licenseserver/api/login");
        let reply = self.send("POST", &url, &[], &body);
        let reply = reply.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.cookie
    }

    /// The status; 0 without an answer.
    pub fn get(&self, url: &str) -> u16 {
        let answer = self.0.get(url).call();
        answer.map_or(0, |answer| answer.status().as_u16())
    }

    /// Status and body; 0 and why if there is no answer.
    fn check(&self, server: &str, license_key: &str, more: &Value) -> (u16, String) {
        let mut body = json!({"tool_name": "Tool_A", "license_key": license_key});
        let more = more.as_object().into_iter().flatten();
        for (name, value) in more {
            body[name] = value.clone();
        }
        match self.send("POST", &format!("{server}/api/check"), &[], &body) {
            Ok(reply) => (reply.status, reply.body),
            Err(error) => (0, error.to_string()),
        }
    }

    fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Reply, ureq::Error> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("Content-Type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self.0.run(request.body(body.to_string()).unwrap())?;
        let values = |name| {
            let all = response.headers().get_all(name).into_iter();
            let all = all.map(|value| value.to_str().unwrap().split(';').next().unwrap());
            all.collect::<Vec<_>>().join("; ")
        };
        Ok(Reply {
            status: response.status().as_u16(),
            location: values("location"),
            cookie: values("set-cookie"),
            body: response.body_mut().read_to_string()?,
        })
    }
}

/// Requests of one kind, since the last look.
struct Tally {
    name: &'static str,
    number: usize,
    failed: usize,
    slowest: Duration,
    answered_at: Instant,
    /// Without an answer.
    longest: Duration,
}

impl Tally {
    fn of(name: &'static str) -> Tally {
        Tally {
            name,
            number: 0,
            failed: 0,
            slowest: Duration::ZERO,
            answered_at: Instant::now(),
            longest: Duration::ZERO,
        }
    }

    fn count(&mut self, began: Instant, is_answered: bool) {
        self.number += 1;
        self.slowest = self.slowest.max(began.elapsed());
        self.longest = self.longest.max(self.answered_at.elapsed());
        match is_answered {
            true => self.answered_at = Instant::now(),
            false => self.failed += 1,
        }
    }
}

pub struct Load {
    pub is_over: AtomicBool,
    cookie: String,
    next: AtomicUsize,
    began: Mutex<Instant>,
    licensed: Mutex<Tally>,
    unlicensed: Mutex<Tally>,
    writes: Mutex<Tally>,
    /// Number, and the longest time without an answer.
    totals: Mutex<[(usize, Duration); 3]>,
    wrong: Mutex<Vec<String>>,
    added: Mutex<Vec<String>>,
    /// And when the answer was there.
    revoked: Mutex<Vec<(String, Instant)>>,
    /// Checks of revoked licenses that were answered with no.
    refused: AtomicUsize,
    /// Revoked without an answer.
    uncertain: Mutex<BTreeSet<String>>,
    /// When a server could not hear what the others did.
    apart: Mutex<Vec<(Instant, Option<Instant>)>>,
}

impl Load {
    pub fn new(cookie: String) -> Load {
        Load {
            is_over: AtomicBool::new(false),
            cookie,
            next: AtomicUsize::new(0),
            began: Mutex::new(Instant::now()),
            licensed: Mutex::new(Tally::of("checks of licensed machines")),
            unlicensed: Mutex::new(Tally::of("checks of others")),
            writes: Mutex::new(Tally::of("writes")),
            totals: Mutex::default(),
            wrong: Mutex::default(),
            added: Mutex::default(),
            revoked: Mutex::default(),
            refused: AtomicUsize::new(0),
            uncertain: Mutex::default(),
            apart: Mutex::default(),
        }
    }

    fn number(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Every check of a licensed machine is answered, and with yes.
    pub fn check_licensed(&self, visitor: &Visitor) {
        let number = self.number();
        let more = match number % 2 {
            0 => json!({}),
            _ => json!({"nonce": "0123456789abcdef", "kids": []}),
        };
        let began = Instant::now();
        let (status, body) = visitor.check(&plain("127.0.0.1"), &licensed(number), &more);
        let is_answered = status == 200 && body.contains(r#""status":"valid""#);
        if !is_answered {
            self.wrong(&format!("a licensed machine: {status} {body}"));
        }
        self.licensed.lock().unwrap().count(began, is_answered);
        thread::sleep(PAUSE);
    }

    /// Each from an address of its own.
    pub fn check_unlicensed(&self, visitor: &Visitor) {
        let number = self.number();
        let address = format!("10.9.{}.{}", number / 250 % 250 + 1, number % 250 + 1);
        let began = Instant::now();
        let key = format!("unlicensed-{}", number % 100);
        let (status, body) = visitor.check(&plain(&address), &key, &json!({}));
        if !matches!(status, 404 | 502 | 503 | 504) {
            self.wrong(&format!("an unlicensed machine: {status} {body}"));
        }
        self.unlicensed.lock().unwrap().count(began, status == 404);
        thread::sleep(PAUSE);
    }

    /// Whether that server reads the database.
    pub fn reads(&self, server: &str) -> bool {
        let visitor = Visitor::new();
        let number = self.number();
        let address = format!("10.10.{}.{}", number / 250 % 250, number % 250);
        let body = json!({"tool_name": "Tool_A", "license_key": "unlicensed"});
        let url = format!("{server}/api/check");
        let headers = [("X-Forwarded-For", &*address)];
        let reply = visitor.send("POST", &url, &headers, &body);
        reply.is_ok_and(|reply| reply.status == 404)
    }

    /// Where every server must have heard of it, a revoked license is no longer valid.
    pub fn check_revoked(&self, visitor: &Visitor) {
        thread::sleep(PAUSE);
        let number = self.number();
        let asked = Instant::now();
        let revoked = {
            let revoked = self.revoked.lock().unwrap();
            let old = |(_, at): &&(String, Instant)| asked.duration_since(*at) > HEARD;
            let old = revoked.iter().take_while(old).count();
            // Half of them recent.
            let index = number.checked_rem(old.min(match number % 2 {
                0 => 20,
                _ => old,
            }));
            index.map(|index| revoked[old - 1 - index].clone())
        };
        let Some((key, at)) = revoked else { return };
        let (status, body) = visitor.check(&plain("127.0.0.1"), &key, &json!({}));
        let may_be_unheard = || {
            let apart = self.apart.lock().unwrap();
            apart.iter().any(|(from, until)| {
                let until = until.unwrap_or_else(Instant::now);
                *from < at + HEARD && at < until && asked < until + HEARD
            })
        };
        match status {
            403 => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            502..=504 => {}
            200 if may_be_unheard() => {}
            _ => self.wrong(&format!(
                "revoked {:?} ago: {status} {body}",
                asked.duration_since(at)
            )),
        }
    }

    /// Adds licenses, and revokes every other one.
    pub fn write(&self, visitor: &Visitor) {
        let number = self.number();
        let key = format!("written-{number}");
        if let Some(id) = self.add(visitor, &key)
            && number.is_multiple_of(2)
        {
            self.revoke(visitor, &key, &id);
        }
        thread::sleep(PAUSE);
    }

    /// Its address, if that is acknowledged.
    pub fn add(&self, visitor: &Visitor, key: &str) -> Option<String> {
        let license = json!({"tool_name": "Tool_A", "license_key": key});
        let reply = self.written(visitor, "POST", "/licenseserver/api/licenses", &license)?;
        self.added.lock().unwrap().push(key.to_owned());
        Some(reply.location)
    }

    fn revoke(&self, visitor: &Visitor, key: &str, location: &str) -> Option<Instant> {
        let revoke = json!({"status": "revoked"});
        let written = self.written(visitor, "PATCH", location, &revoke);
        let at = Instant::now();
        match written {
            Some(_) => self.revoked.lock().unwrap().push((key.to_owned(), at)),
            None => drop(self.uncertain.lock().unwrap().insert(key.to_owned())),
        }
        written.map(|_| at)
    }

    /// None unless it was acknowledged.
    fn written(&self, visitor: &Visitor, method: &str, path: &str, body: &Value) -> Option<Reply> {
        let began = Instant::now();
        let url = format!("https://127.0.0.1:{TLS}{path}");
        let reply = visitor.send(method, &url, &[("Cookie", &self.cookie)], body);
        let status = reply.as_ref().map_or(0, |reply| reply.status);
        if !matches!(status, 0 | 200 | 201 | 502..=504) {
            let body = reply.as_ref().map_or("", |reply| &reply.body);
            self.wrong(&format!("{method} {path}: {status} {body}"));
        }
        let is_done = matches!(status, 200 | 201);
        self.writes.lock().unwrap().count(began, is_done);
        reply.ok().filter(|_| is_done)
    }

    fn wrong(&self, what: &str) {
        let mut wrong = self.wrong.lock().unwrap();
        if wrong.len() < 10 {
            eprintln!("  wrong: {what}");
        }
        wrong.push(what.to_owned());
    }

    /// How long after each acknowledged revoke each of the servers refuses.
    pub fn measure(&self, number: usize, servers: [&str; 2]) -> Vec<[Duration; 2]> {
        let visitor = Visitor::new();
        let status = |server, key: &str| visitor.check(server, key, &json!({})).0;
        let measured = (0..number).map(|number| {
            let key = format!("measured-{number}");
            let location = self.add(&visitor, &key).unwrap();
            for server in servers {
                assert_eq!(status(server, &key), 200, "{server}: {key}");
            }
            let at = self.revoke(&visitor, &key, &location).unwrap();
            let mut refused = [None; 2];
            while refused.iter().any(Option::is_none) && at.elapsed() < 2 * HEARD {
                for (refused, server) in refused.iter_mut().zip(servers) {
                    if refused.is_none() && status(server, &key) == 403 {
                        *refused = Some(at.elapsed());
                    }
                }
            }
            refused.map(|refused| refused.unwrap_or(Duration::MAX))
        });
        measured.collect()
    }

    pub fn acknowledged(&self) -> usize {
        self.added.lock().unwrap().len()
    }

    pub fn lose_contact(&self) {
        self.apart.lock().unwrap().push((Instant::now(), None));
    }

    pub fn regain_contact(&self) {
        let mut apart = self.apart.lock().unwrap();
        apart.last_mut().unwrap().1 = Some(Instant::now());
    }

    /// From now on no revoked license may be valid.
    pub fn is_all_heard(&self) -> bool {
        let apart = self.apart.lock().unwrap();
        let mut ends = apart.iter().map(|(_, until)| *until);
        ends.all(|until| until.is_some_and(|until| until.elapsed() > HEARD))
    }

    pub fn checks_of_revoked(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// What visitors noticed since the last time.
    pub fn say(&self, when: &str) {
        let mut began = self.began.lock().unwrap();
        let kinds = [&self.licensed, &self.unlicensed, &self.writes];
        let mut totals = self.totals.lock().unwrap();
        let mut words = vec![];
        for (kind, total) in kinds.into_iter().zip(totals.iter_mut()) {
            let mut tally = kind.lock().unwrap();
            total.0 += tally.number;
            total.1 = total.1.max(tally.longest);
            words.push(format!(
                "{} {}, {} of them failed, the slowest took {:.1?}, at most {:.1?} without an answer",
                tally.number, tally.name, tally.failed, tally.slowest, tally.longest
            ));
            *tally = Tally {
                answered_at: tally.answered_at,
                ..Tally::of(tally.name)
            };
        }
        eprintln!("{when} ({:.1?}): {}", began.elapsed(), words.join("; "));
        *began = Instant::now();
    }

    /// Nothing was wrong, and everything acknowledged is in these rows: a license key and its status.
    pub fn judge(&self, rows: &str) {
        let rows = rows.lines().filter_map(|row| row.split_once(' '));
        let rows: BTreeMap<&str, &str> = rows.collect();
        let (added, revoked) = (self.added.lock().unwrap(), self.revoked.lock().unwrap());
        let uncertain = self.uncertain.lock().unwrap();
        let revoked: BTreeSet<&str> = revoked.iter().map(|(key, _)| &**key).collect();
        let is_lost = |key: &&String| {
            let wanted: &[&str] = match (revoked.contains(&***key), uncertain.contains(*key)) {
                (true, _) => &["revoked"],
                (false, true) => &["revoked", "activated"],
                (false, false) => &["activated"],
            };
            !rows
                .get(&***key)
                .is_some_and(|status| wanted.contains(status))
        };
        let lost: Vec<&String> = added.iter().filter(is_lost).collect();
        let wrong = self.wrong.lock().unwrap();
        let [licensed, unlicensed, writes] = *self.totals.lock().unwrap();
        eprintln!(
            "in all: {} checks of licensed machines; {} of revoked ones; {} of others, at most {:.1?} without an answer; {} writes, at most \
             {:.1?} without one; {} licenses added and {} revoked, {} of them lost; {} wrong results",
            licensed.0,
            self.checks_of_revoked(),
            unlicensed.0,
            unlicensed.1,
            writes.0,
            writes.1,
            added.len(),
            revoked.len(),
            lost.len(),
            wrong.len()
        );
        assert!(lost.is_empty(), "{lost:?}");
        assert!(wrong.is_empty(), "{} {:?}", wrong.len(), wrong.first());
    }
}

fn plain(address: &str) -> String {
    format!("http://{address}:{PLAIN}/licenseserver")
}
