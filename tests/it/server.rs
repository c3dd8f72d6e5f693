//! A real server with its own port, database and clock, which the test sets.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use license_server::clock::Clock;
use license_server::config::Config;
use license_server::error::Error;
use license_server::server;
use license_server::service::{Others, Service};
use parking_lot::Mutex;
use rocket::fairing::AdHoc;
use rocket::tokio::runtime::Runtime;
use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::engine;

pub const PASSWORD: &str = "correct horse battery";

/// The initial time of every server.
pub const START: OffsetDateTime = datetime!(2026-06-15 12:00:00 UTC);

pub struct Server {
    /// `http://127.0.0.1:PORT` and the base path.
    pub url: String,
    pub port: u16,
    pub clock: Clock,
    pub folder: TempDir,
    /// The service itself, for what has no page.
    pub service: Arc<Service>,
    /// Who adds licenses; signed out now and then.
    adder: Mutex<Option<Client>>,
    stop: rocket::Shutdown,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start() -> Server {
        Server::with(|_| {})
    }

    /// A server whose settings the test changes.
    pub fn with(change: impl FnOnce(&mut Config)) -> Server {
        Server::on(two_threads, change)
    }

    /// A server in a runtime that the test chooses.
    pub fn on(runtime: fn() -> Runtime, change: impl FnOnce(&mut Config)) -> Server {
        Server::run(runtime, Clock::fixed(START), change)
    }

    /// A server with the clock of another one.
    pub fn at_clock(clock: Clock, change: impl FnOnce(&mut Config)) -> Server {
        Server::run(two_threads, clock, change)
    }

    fn run(runtime: fn() -> Runtime, clock: Clock, change: impl FnOnce(&mut Config)) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            port: 0,
            admin_password: Some(PASSWORD.to_owned()),
            ..engine::settings(&folder.path().join("data"))
        };
        let (data, own) = (config.data_dir.clone(), config.database.clone());
        change(&mut config);
        let is_own =
            own.map(|url| url.to_string()) == config.database.as_ref().map(ToString::to_string);
        if config.data_dir != data && is_own {
            config.database = engine::database_of(&config.data_dir);
        }
        let base = config.base_path().to_owned();
        let (service, _) = Service::open(&config, clock.clone()).unwrap();
        let service = Arc::new(service);
        if config.database.is_some() {
            assert!(
                soon(|| service.reload_if_others_wrote().unwrap() != Others::Nothing),
                "it does not listen"
            );
        }
        let shared = Arc::clone(&service);
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn(move || run(runtime(), config, shared, ready));
        let (port, stop) = started.recv_timeout(Duration::from_secs(30)).unwrap();
        let url = format!("http://127.0.0.1:{port}{base}");
        Server {
            url,
            port,
            clock,
            folder,
            service,
            adder: Mutex::default(),
            stop,
            thread: Some(thread),
        }
    }

    /// A server that browsers and clients reach at `public_url`.
    pub fn at(public_url: &str) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, format!("public_url = '{public_url}'")).unwrap();
        let read = Config::load(Some(&file), std::iter::empty()).unwrap();
        Server::with(|config| config.public_url = read.public_url)
    }

    /// Does what the program does every second.
    pub fn tick(&self) -> Result<(), Error> {
        self.service.reload_if_others_wrote()?;
        self.service.write_notes(false)?;
        self.service.write_checks()?;
        self.service.queue_links()?;
        self.service.run_mails()?;
        self.service.run_webhooks()
    }

    /// A client without a cookie.
    pub fn stranger(&self) -> Client {
        Client::new(&self.url)
    }

    /// The admin, signed in over the API.
    pub fn admin(&self) -> Client {
        let mut admin = self.stranger();
        let answer = admin.post(
            "/api/login",
            &format!(r#"{{"username":"admin","password":"{PASSWORD}"}}"#),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
        admin
    }

    /// Adds a license and returns its id.
    pub fn license(&self, tool_name: &str, license_key: &str) -> i64 {
        self.add(serde_json::json!({"tool_name": tool_name, "license_key": license_key}))
    }

    /// Adds a license with these fields and returns its id.
    pub fn add(&self, fields: Value) -> i64 {
        let add = |admin: &mut Client| admin.post("/api/licenses", &fields.to_string());
        let mut admin = self.adder.lock();
        let answer = match admin.as_mut().map(add) {
            Some(answer) if answer.status != 401 => answer,
            // Signing in takes most of the time.
            _ => add(admin.insert(self.admin())),
        };
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer
            .header("location")
            .rsplit('/')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// The answer to a plain check.
    pub fn check(&self, tool_name: &str, license_key: &str) -> (u16, String) {
        let question = serde_json::json!({"tool_name": tool_name, "license_key": license_key});
        let answer = self.stranger().post("/api/check", &question.to_string());
        (answer.status, answer.body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.clone().notify();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

/// Whether it becomes so: on PostgreSQL, what others have written is told a moment later.
pub fn soon(mut is_so: impl FnMut() -> bool) -> bool {
    let is_so = |_| {
        let is_so = is_so();
        if !is_so {
            std::thread::sleep(Duration::from_millis(1));
        }
        is_so
    };
    (0..10_000).any(is_so)
}

fn two_threads() -> Runtime {
    let mut builder = rocket::tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn run(
    runtime: Runtime,
    config: Config,
    service: Arc<Service>,
    ready: mpsc::Sender<(u16, rocket::Shutdown)>,
) {
    let rocket = server::rocket(config, service);
    // An idle connection would hold a stopping server for seconds.
    let at_once = rocket
        .figment()
        .clone()
        .merge(("shutdown.grace", 0))
        .merge(("shutdown.mercy", 0));
    let rocket = rocket
        .configure(at_once)
        .attach(AdHoc::on_liftoff("ready", move |rocket| {
            Box::pin(async move {
                ready
                    .send((rocket.config().port, rocket.shutdown()))
                    .unwrap();
            })
        }));
    runtime.block_on(server::launch(rocket)).unwrap();
}

/// A client that keeps cookies as a browser does and follows no redirect by itself.
pub struct Client {
    url: String,
    agent: ureq::Agent,
    pub cookies: BTreeMap<String, String>,
    /// Headers that it sends each time.
    pub headers: Vec<(String, String)>,
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The body as it was sent.
    pub bytes: Vec<u8>,
}

impl Client {
    pub fn new(url: &str) -> Client {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Client {
            url: url.to_owned(),
            agent: config.into(),
            cookies: BTreeMap::new(),
            headers: vec![],
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        self.url.split('/').take(3).collect::<Vec<_>>().join("/")
    }

    /// The base path: empty, or with a slash before it.
    pub fn base(&self) -> &str {
        &self.url[self.origin().len()..]
    }

    /// The same client with one more header.
    pub fn header(mut self, name: &str, value: &str) -> Client {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// A JSON body.
    pub fn post(&mut self, path: &str, json: &str) -> Answer {
        self.send(
            "POST",
            path,
            &[("Content-Type", "application/json")],
            json.as_bytes(),
        )
    }

    pub fn patch(&mut self, path: &str, json: &str) -> Answer {
        self.send(
            "PATCH",
            path,
            &[("Content-Type", "application/json")],
            json.as_bytes(),
        )
    }

    pub fn delete(&mut self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"")
    }

    /// Any request, a path below the base path.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        let own = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in headers.iter().copied().chain(own) {
            request = request.header(name, value);
        }
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("Cookie", cookies.join("; "));
        }
        let mut response = self
            .agent
            .run(request.body(body.to_vec()).unwrap())
            .unwrap();
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let bytes = response.body_mut().read_to_vec().unwrap();
        let answer = Answer {
            status: response.status().as_u16(),
            headers,
            body: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
        };
        self.keep_cookies(&answer);
        answer
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for (_, cookie) in answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
        {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Answer {
    /// The header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, value)| value)
    }

    /// The header that sets this cookie, or nothing.
    pub fn cookie(&self, name: &str) -> &str {
        let is_it = |(header, value): &&(String, String)| {
            header == "set-cookie" && value.split('=').next() == Some(name)
        };
        let found = self.headers.iter().find(is_it);
        found.map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}
