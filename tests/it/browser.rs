//! The pages in a real browser, which must report no error.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rocket::tokio::runtime::{Builder, Runtime};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bulk::{EXTEND_BY_1_YEAR, FROM_TODAY, set_customer};
use crate::database::Database;
use crate::page::{address, filter};
use crate::server::{PASSWORD, START, Server};
use crate::tools;

const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A phone and a desk.
const WIDTHS: [u32; 2] = [360, 1280];

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub struct Browser {
    driver: Child,
    /// The address of the session at the driver.
    url: String,
    client: Client,
    runtime: Runtime,
    /// The IDs of the requests of our pages.
    loads: RefCell<HashSet<String>>,
    _folder: TempDir,
}

impl Browser {
    /// None if the programs are not installed.
    pub fn start() -> Option<Browser> {
        Browser::with(&[])
    }

    /// One that finds this host at a port of this machine, whoever signed its certificate.
    pub fn resolving(host: &str, port: u16) -> Option<Browser> {
        let rule = format!("--host-resolver-rules=MAP {host}:443 127.0.0.1:{port}");
        Browser::with(&[&rule, "--ignore-certificate-errors"])
    }

    fn with(more: &[&str]) -> Option<Browser> {
        let (chromedriver, chromium) = (tools::find("chromedriver")?, tools::find("chromium")?);
        let folder = tempfile::tempdir().unwrap();
        let (driver, port) = start_driver(&chromedriver, folder.path());
        let url = format!("http://127.0.0.1:{port}");
        let profile = format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        );
        let flags: Vec<&str> = [&FLAGS, more, &[profile.as_str()]].concat();
        let wanted = json!({
            "goog:chromeOptions": {"binary": chromium, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let wanted: Capabilities = serde_json::from_value(wanted).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let connected = runtime.block_on(async {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            let client = builder.capabilities(wanted).connect(&url).await?;
            let id = client.session_id().await?.unwrap();
            Ok::<_, Box<dyn std::error::Error>>((client, id))
        });
        let (client, id) = connected.unwrap();
        Some(Browser {
            driver,
            url: format!("{url}/session/{id}"),
            client,
            runtime,
            loads: RefCell::default(),
            _folder: folder,
        })
    }

    fn open(&self, url: &str) {
        self.go(url);
        self.look();
    }

    pub fn go(&self, url: &str) {
        self.runtime.block_on(self.client.goto(url)).unwrap();
    }

    /// Signs in on the page that asks for it.
    pub fn enter(&self, server: &Server) {
        self.go(&server.url);
        self.fill("username", "admin");
        self.fill("password", PASSWORD);
        self.press_enter_in("password");
        self.find("form[action='/logout']");
    }

    pub fn resize(&self, width: u32) {
        let screen =
            json!({"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &screen);
    }

    pub fn devtools(&self, command: &str, params: &Value) {
        let body = json!({"cmd": command, "params": params});
        self.ask("goog/cdp/execute", &body);
    }

    /// The path of the current page, with the query.
    fn path(&self) -> String {
        let url = self.runtime.block_on(self.client.current_url()).unwrap();
        let query = url.query().map(|query| format!("?{query}"));
        format!("{}{}", url.path(), query.unwrap_or_default())
    }

    /// The first element that the CSS selector finds, as soon as it exists.
    pub fn find(&self, selector: &str) -> Element {
        let begin = Instant::now();
        loop {
            let wait = self.client.wait().at_most(PATIENCE).every(LOOK_AGAIN);
            let found = wait.for_element(Locator::Css(selector));
            match self.runtime.block_on(found) {
                Err(e) if is_between_pages(&e) && begin.elapsed() < PATIENCE => {}
                found => {
                    return found.unwrap_or_else(|e| panic!("{selector} at {}: {e}", self.path()));
                }
            }
        }
    }

    /// Waits for this element and looks at the page.
    pub fn sees(&self, selector: &str) {
        self.find(selector);
        self.look();
    }

    /// The numbers in the texts of these elements.
    fn numbers(&self, selector: &str) -> Vec<i64> {
        self.sees(selector);
        let texts = format!(
            "return [...document.querySelectorAll(\"{selector}\")].map(e => e.textContent).join(' ')"
        );
        let text = self.script(&texts).as_str().unwrap().replace(',', "");
        let words = text.split(|c: char| !c.is_ascii_digit());
        words.filter_map(|word| word.parse().ok()).collect()
    }

    pub fn click(&self, selector: &str) {
        self.runtime.block_on(self.find(selector).click()).unwrap();
    }

    /// Follows the first link whose address ends with this.
    fn follow(&self, address: &str) {
        self.click(&format!("a[href$='{address}']"));
    }

    /// Presses the button with this name and value.
    pub fn press(&self, button: &str) {
        let (name, value) = button.split_once('=').unwrap();
        self.click(&format!("button[name='{name}'][value='{value}']"));
    }

    /// Presses the button without a name in the form to this address.
    fn submit(&self, action: &str) {
        let form = format!("form[action$='{action}']");
        self.click(&format!("{form} button:not([name]):not([hidden])"));
    }

    /// Replaces the value of a field.
    pub fn fill(&self, name: &str, value: &str) {
        let field = self.find(&format!("[name='{name}']"));
        self.runtime.block_on(field.clear()).unwrap();
        self.runtime.block_on(field.send_keys(value)).unwrap();
    }

    fn press_enter_in(&self, name: &str) {
        let field = self.find(&format!("[name='{name}']"));
        let enter = String::from(char::from(Key::Enter));
        self.runtime.block_on(field.send_keys(&enter)).unwrap();
    }

    pub fn script(&self, script: &str) -> Value {
        let result = self.client.execute(script, vec![]);
        self.runtime.block_on(result).unwrap()
    }

    /// The page does not scroll sideways at any width, and the browser reports no error.
    fn look(&self) {
        for width in WIDTHS {
            self.resize(width);
            let widths = self.script(
                "const page = document.documentElement;
                 return [innerWidth, page.scrollWidth - page.clientWidth]",
            );
            assert_eq!(widths, json!([width, 0]), "{}", self.path());
        }
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{}: {complaints:#?}", self.path());
    }

    /// The messages of the console and the failed requests of our pages since the last call. A form
    /// that comes back with its problems is 422 and not a failure.
    fn complaints(&self) -> Vec<String> {
        let console = self
            .log("browser")
            .into_iter()
            .map(|entry| entry["message"].to_string());
        let console = console.filter(|words| !words.contains("a status of 422"));
        let mut ours = self.loads.borrow_mut();
        let loads = self.log("performance").into_iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let (method, load) = (&event["message"]["method"], &event["message"]["params"]);
            let page = load["documentURL"].as_str().unwrap_or_default();
            if page.starts_with("http://127.0.0.1") {
                ours.insert(load["requestId"].to_string());
            }
            let status = load["response"]["status"].as_u64().unwrap_or(0);
            let is_form = status == 422 && load["type"] == "Document";
            let is_failure = method == "Network.loadingFailed" || (status >= 400 && !is_form);
            // The browser makes requests of its own, too.
            let is_ours = ours.contains(&load["requestId"].to_string());
            (is_failure && is_ours).then(|| load.to_string())
        });
        console.chain(loads).collect()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let answer = self.ask("se/log", &json!({"type": kind}));
        answer["value"].as_array().unwrap().clone()
    }

    /// A command of chromedriver beyond the standard.
    fn ask(&self, command: &str, body: &Value) -> Value {
        let url = format!("{}/{command}", self.url);
        let mut answer = ureq::post(url).send(body.to_string()).unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }
}

/// An answer of chromedriver, against the standard, to a command during a navigation.
fn is_between_pages(error: &CmdError) -> bool {
    matches!(error, CmdError::NotW3C(Value::String(words)) if words == "aborted by navigation")
}

impl Drop for Browser {
    /// The driver stops the browser only when asked to.
    fn drop(&mut self) {
        let ended = ureq::delete(&self.url).call();
        let killed = self.driver.kill().and_then(|()| self.driver.wait());
        assert!((ended.is_ok() && killed.is_ok()) || std::thread::panicking());
    }
}

/// The driver on a free port, which it prints. It takes a free port of IPv4, asks for the same of
/// IPv6, and ends if another process has that one: then a new driver takes another port.
fn start_driver(chromedriver: &Path, folder: &Path) -> (Child, u16) {
    (0..10)
        .find_map(|_| {
            let mut driver = Command::new(chromedriver)
                .arg("--port=0")
                .env("HOME", folder)
                .env("TMPDIR", folder)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
            let port = lines.map_while(Result::ok).find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            });
            if port.is_none() {
                driver.wait().unwrap();
            }
            Some((driver, port?))
        })
        .expect("chromedriver names its port")
}

#[test]
fn every_page_loads_without_an_error() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let server = Server::start();
    sign_in(&browser, &server);
    add_and_find(&browser);
    ask_about_case(&browser);
    revoke_and_delete(&browser, &server);
    long_values_fit(&browser, &server);
    browser.submit("/logout");
    browser.sees("form[action$='/login']");
    browser.open(&format!("{}/licenses", server.url));
    assert_eq!(browser.path(), "/login?next=%2Flicenses");
    complaints_are_heard(&browser, &server);
}

#[test]
fn expired_licenses_in_use_are_extended_and_restored_in_five_clicks() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let server = Server::start();
    let expired = ["2026-05-20", "2026-06-14"];
    for n in 0..60 {
        server.add(json!({
            "tool_name": "T", "license_key": format!("k{n}"), "expiration_date": expired[n % 2]
        }));
        server.check("T", &format!("k{n}"));
    }
    for (key, day) in [
        ("silent", "2026-06-01"),
        ("earlier", "2026-05-01"),
        ("good", "2026-06-15"),
    ] {
        server.add(json!({"tool_name": "T", "license_key": key, "expiration_date": day}));
    }
    server.check("T", "earlier");
    server.check("T", "good");
    server.tick().unwrap();
    browser.open(&server.url);
    browser.fill("username", "admin");
    browser.fill("password", PASSWORD);
    browser.press_enter_in("password");
    browser.follow(filter::SEEN_AFTER_EXPIRATION);
    assert_eq!(browser.numbers("h1 .count"), [60]);
    browser.press("of=all");
    browser.press(EXTEND_BY_1_YEAR);
    browser.sees("#preview");
    browser.press(FROM_TODAY);
    assert_eq!(browser.numbers("p.verdict")[0], 60);
    assert_eq!(
        (server.check("T", "k7").0, server.check("T", "silent").0),
        (200, 403)
    );
    browser.submit("/undo");
    assert_eq!(browser.numbers("p.verdict.suspended")[0], 60);
    assert_eq!(
        (server.check("T", "k7").0, server.check("T", "good").0),
        (403, 200)
    );
}

fn sign_in(browser: &Browser, server: &Server) {
    browser.open(&format!("{}/licenses", server.url));
    browser.fill("username", "admin");
    browser.fill("password", PASSWORD);
    browser.press_enter_in("password");
    browser.sees(".empty a[href='/licenses/new']");
    assert_eq!(browser.path(), "/licenses");
}

fn add_and_find(browser: &Browser) {
    browser.follow("/licenses/new");
    browser.sees("form[action='/licenses/new']");
    browser.submit("/licenses/new");
    browser.sees("#tool_name-problem");
    browser.fill("tool_name", "Tool_A");
    browser.fill("license_key", "0A-1B-2C-3D-4E-5F");
    browser.fill("expiration_date", "2027-01-31");
    browser.submit("/licenses/new");
    browser.sees("[role=status]");
    browser.follow("/licenses");
    assert_eq!(browser.numbers("h1 .count"), [1]);
    browser.fill("q", "3d4e");
    browser.submit("/licenses");
    browser.sees(".filters a[href='/licenses']");
    browser.click("th.key a");
    browser.sees("p.verdict");
}

fn ask_about_case(browser: &Browser) {
    browser.follow("/licenses");
    browser.follow("/licenses/new");
    browser.fill("tool_name", "tool_a");
    browser.fill("license_key", "k");
    browser.press_enter_in("license_key");
    browser.sees("button[name=keep_tool_name]");
    // Enter confirms neither name.
    browser.fill("user_id", "somebody");
    browser.press_enter_in("user_id");
    browser.find("input[name=user_id][value=somebody]");
    browser.sees("button[name=keep_tool_name]");
    browser.press("keep_tool_name=tool_a");
    browser.sees("p.verdict");
}

fn revoke_and_delete(browser: &Browser, server: &Server) {
    browser.press("status=revoked");
    browser.sees("p.verdict.revoked");
    assert_eq!(server.check("tool_a", "k").0, 403);
    browser.follow("/delete");
    browser.sees("form[action$='/delete']");
    browser.submit("/delete");
    browser.sees("[role=status]");
    assert_eq!(server.check("tool_a", "k").0, 404);
}

fn long_values_fit(browser: &Browser, server: &Server) {
    let long = |letter: &str, length| letter.repeat(length);
    let id = server.add(
        json!({"tool_name": long("M", 100), "license_key": long("W", 255),
                               "user_id": long("@", 255), "expiration_date": "2026-06-16"}),
    );
    let mut admin = server.admin();
    for n in 0..50 {
        let body = json!({"tool_name": "T", "license_key": n.to_string()});
        admin.post("/api/licenses", &body.to_string());
    }
    for path in [
        "/licenses".to_owned(),
        format!("/licenses?before={}_{}", id + 1, START.unix_timestamp()),
        format!("/licenses?q={}", long("Q", 255)),
        format!("/licenses/new?tool={}", long("M", 100)),
        format!("/licenses/{id}"),
        format!("/licenses/{id}/edit"),
        format!("/licenses/{id}/delete"),
        format!("/licenses/{id}/move"),
        format!("/bulk?id={id}&{EXTEND_BY_1_YEAR}"),
        format!(
            "/bulk?of=all&filter=%3Fq%3DW&{}",
            set_customer(&long("@", 255))
        ),
        format!(
            "{}?tool={}&key={}",
            address::DIAGNOSE,
            long("M", 100),
            long("W", 255)
        ),
        "/".to_owned(),
        address::UNLICENSED.to_owned(),
        "/account".to_owned(),
        "/audit".to_owned(),
    ] {
        browser.open(&format!("{}{path}", server.url));
    }
    browser.open(&format!("{}/licenses/{id}", server.url));
    browser.press("status=revoked");
    browser.sees("p.verdict.revoked");
    browser.follow("/licenses");
    browser.follow("/licenses/new");
    browser.fill("tool_name", &long("m", 100));
    browser.submit("/licenses/new");
    browser.sees("button[name=keep_tool_name]");
}

/// The page of a running import refreshes itself without a script.
#[test]
fn a_file_is_imported_in_the_browser() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (server, database) = Database::start();
    let file = server.folder.path().join("licenses.csv");
    let long = "W".repeat(255);
    let table = format!(
        "tool,key,user,Mail\nT,k1,Bob,x\nT,k2,,x\nT,{long},{},x\nT,0000,,x\nT,,{long},x\n",
        "@".repeat(255)
    );
    std::fs::write(&file, table).unwrap();
    sign_in(&browser, &server);
    server.license("T", "k1");
    browser.follow("/import");
    browser.sees("input[name=file]");
    browser.submit("/import");
    browser.sees("#file-problem");
    let input = browser.find("input[name=file]");
    let path = file.to_str().unwrap();
    browser.runtime.block_on(input.send_keys(path)).unwrap();
    browser.submit("/import");
    assert_eq!(browser.numbers(".numbers strong"), [3, 1, 0, 1]);
    let lock = database.lock();
    browser.submit("/import/1");
    browser.sees("progress[max='4'][value='0']");
    drop(lock);
    assert_eq!(browser.numbers("p.verdict.activated"), [3, 1, 0, 1]);
    browser.follow("/licenses");
    assert_eq!(browser.numbers("h1 .count"), [4]);
}

#[test]
fn a_request_that_another_site_causes_changes_nothing() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let server = Server::start();
    let id = server.license("T", "k");
    browser.open(&format!("{}/login", server.url));
    browser.fill("username", "admin");
    browser.fill("password", PASSWORD);
    browser.press_enter_in("password");
    browser.find("form[action='/logout']");
    for (path, kind, name, value) in [
        (format!("/licenses/{id}/delete"), "", "csrf", ""),
        (format!("/licenses/{id}/status"), "", "status", "revoked"),
        ("/logout".to_owned(), "", "csrf", ""),
        (format!("/api/licenses/{id}"), "", "_method", "delete"),
        (
            "/api/licenses".to_owned(),
            "text/plain",
            r#"{"tool_name":"E","license_key":""#,
            r#""}"#,
        ),
    ] {
        // The same host at another port: the browser sends our cookie along.
        let foreign = serve_form(&format!("{}{path}", server.url), kind, name, value);
        browser
            .runtime
            .block_on(browser.client.goto(&foreign))
            .unwrap();
        browser.click("#win");
        browser.find("body:not(:has(#win))");
        let status = "return performance.getEntriesByType('navigation')[0].responseStatus";
        assert_eq!(browser.script(status), 403, "{path}");
    }
    assert_eq!(server.check("T", "k").0, 200);
    browser
        .runtime
        .block_on(browser.client.goto(&format!("{}/licenses", server.url)))
        .unwrap();
    browser.find("tbody th.key");
}

/// Serves a page of another site with one form that posts to us.
fn serve_form(action: &str, kind: &str, name: &str, value: &str) -> String {
    let escape = |text: &str| text.replace('"', "&quot;");
    let page = format!(
        r#"<!doctype html><form method="post" action="{action}" enctype="{kind}">
           <input type="hidden" name="{}" value="{}"><button id="win">Win</button></form>"#,
        escape(name),
        escape(value)
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            // A browser also opens connections that it does not use.
            if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                continue;
            }
        }
    });
    url
}

/// Proves that errors are detected.
fn complaints_are_heard(browser: &Browser, server: &Server) {
    browser.script("document.body.setAttribute('style', 'color: red')");
    let complaints = browser.complaints().concat();
    assert!(
        complaints.contains("Content Security Policy"),
        "{complaints}"
    );
    let nowhere = format!("{}/nowhere", server.url);
    browser
        .runtime
        .block_on(browser.client.goto(&nowhere))
        .unwrap();
    let complaints = browser.complaints();
    assert!(
        complaints
            .iter()
            .any(|line| line.contains("\"status\":404")),
        "{complaints:?}"
    );
}
