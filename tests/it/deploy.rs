//! The files in `deploy/`: nginx in front of the real server over TLS, the settings, the unit.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use license_server::config::{self, Config};
use tempfile::TempDir;

use crate::engine::sqlite_only;
use crate::page::Page;
use crate::server::{Client, PASSWORD, Server};
use crate::tools;

const COMPOSE: &str = include_str!("../../deploy/compose.yml");
const GUIDE: &str = include_str!("../../deploy/README.md");
const NGINX: &str = include_str!("../../deploy/nginx.conf");
const SETTINGS: &str = include_str!("../../deploy/license-server.toml");
const UNIT: &str = include_str!("../../deploy/license-server.service");

const PUBLIC: &str = "https://licenses.example.com";
const BASE: &str = "/licenseserver";
const QUESTION: &str = r#"{"tool_name":"Tool_A","license_key":"k"}"#;

/// Opens slow connections and prints how many it holds. It reopens those that nginx closes, as an
/// attacker would, until its input ends. Arguments: the port, the number of connections, the number
/// of source addresses from 127.0.0.2 on, and which part of a request is sent slowly.
const SLOW: &str = r#"
import asyncio, os, ssl, sys, threading
threading.Timer(120, os._exit, [1]).start()  # nobody waits for ever
port, number, addresses, which = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
begin = b"POST /licenseserver/api/check HTTP/1.1\r\nHost: licenses.example.com\r\n"
body = begin + b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
held, ended, refused = set(), set(), set()

async def drip(reader, writer, n):
    while True:
        try:
            answer = await asyncio.wait_for(reader.read(100), 1)
            return refused.add(n) if b" 429 " in answer else ended.add(n)
        except asyncio.TimeoutError:
            pass
        writer.write(b"X-Slow: 1\r\n" if n in headers else b" ")
        await writer.drain()

async def slow(n):
    source = "127.0.0.%d" % (2 + n % addresses)
    while n not in refused:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, local_addr=(source, 0))
            writer.write(begin if n in headers else body)
            held.add(n)
            await drip(reader, writer, n)
            writer.close()
        except OSError:
            ended.add(n)
        held.discard(n)

async def tell():
    told = ""
    while True:
        line = "held %d ended %d refused %d" % (len(held), len(ended), len(refused))
        if line != told:
            print(line, flush=True)
        told = line
        await asyncio.sleep(0.1)

async def main():
    _kept = [asyncio.ensure_future(task) for task in [tell(), *map(slow, range(number))]]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)

headers = {n for n in range(number) if which == "headers" or which == "both" and n % 2}
asyncio.run(main())
"#;

/// Prints what the Python client returns for `Tool_A`.
const ASK: &str = "
import sys
from license_client import LicenseClient
print(LicenseClient(sys.argv[1], 60.0).check_license('Tool_A'))";

/// What the file does with the base path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    Kept,
    Stripped,
}

/// The server and an nginx with the shipped file in front of it.
struct Site {
    server: Option<Server>,
    nginx: Child,
    /// A port that turns plain bytes into TLS to nginx.
    tunnel: u16,
    /// Where nginx listens, with TLS and without.
    tls: u16,
    plain: u16,
    /// Of nginx and its certificate.
    folder: TempDir,
}

impl Drop for Site {
    fn drop(&mut self) {
        signal(&self.nginx, "TERM");
        self.nginx.wait().unwrap();
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status();
    assert!(sent.unwrap().success());
}

impl Site {
    /// None where nginx or openssl is missing.
    fn start(way: Way) -> Option<Site> {
        let (nginx, openssl) = (tools::find("nginx")?, tools::find("openssl")?);
        let folder = tempfile::tempdir().unwrap();
        make_certificate(&openssl, folder.path());
        let server = Server::at(&format!("{PUBLIC}{BASE}"));
        // Another process may take the free ports first; then others are tried.
        for _ in 0..10 {
            let (tls, plain) = (free_port(), free_port());
            if let Some(nginx) = start_nginx(&nginx, folder.path(), way, [server.port, tls, plain])
            {
                return Some(Site {
                    nginx,
                    tunnel: open_tunnel(openssl, tls, folder.path().join("cert.pem")),
                    server: Some(server),
                    tls,
                    plain,
                    folder,
                });
            }
        }
        panic!("nginx found no port");
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// A browser that sends the public address as its origin.
    fn visitor(&self) -> Client {
        Client::new(&format!("http://127.0.0.1:{}{BASE}", self.tunnel)).header("Origin", PUBLIC)
    }

    /// The client, signed in on the page.
    fn admin(&self, mut client: Client) -> Client {
        let form = Page::open(&mut client, "/").form("/login");
        let form = form.fill("username", "admin").fill("password", PASSWORD);
        let page = form.submit(&mut client);
        assert_eq!(page.path, "/");
        client
    }

    fn check(&self) -> (u16, String) {
        let answer = self.visitor().post("/api/check", QUESTION);
        (answer.status, answer.body)
    }

    /// What `license_client.py` prints.
    fn ask_by_python(&self, python: &Path) -> String {
        let client = include_str!("../../static/license_client.py");
        fs::write(self.folder.path().join("license_client.py"), client).unwrap();
        let url = format!("https://127.0.0.1:{}{BASE}", self.tls);
        let output = Command::new(python)
            .args(["-c", ASK, &url])
            .current_dir(self.folder.path())
            .env("SSL_CERT_FILE", "cert.pem")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn make_certificate(openssl: &Path, folder: &Path) {
    let made = Command::new(openssl)
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-subj", "/CN=licenses.example.com", "-addext"])
        .arg("subjectAltName=DNS:licenses.example.com,IP:127.0.0.1")
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The shipped file with this machine's addresses in the lines marked for that.
pub fn shipped(way: Way, folder: &Path, [server, tls, plain]: [u16; 3]) -> String {
    let live = "/etc/letsencrypt/live/licenses.example.com";
    let folder = folder.display();
    let values = [
        ("127.0.0.1:8000", format!("127.0.0.1:{server}")),
        ("listen 80;", format!("listen 127.0.0.1:{plain};")),
        ("listen 443 ssl;", format!("listen 127.0.0.1:{tls} ssl;")),
        (
            &format!("{live}/fullchain.pem"),
            format!("{folder}/cert.pem"),
        ),
        (&format!("{live}/privkey.pem"), format!("{folder}/key.pem")),
    ];
    let mut file = String::new();
    let mut changed = 0;
    for line in NGINX.lines() {
        let mut line = line.to_owned();
        let is_marked = line.contains("# <-");
        for (from, to) in &values {
            if is_marked && line.contains(from) {
                line = line.replace(from, to);
                changed += 1;
            }
        }
        file.push_str(&line);
        file.push('\n');
    }
    assert_eq!(changed, values.len());
    match way {
        Way::Kept => file,
        Way::Stripped => {
            assert_eq!(file.matches("#rewrite ").count(), 9);
            file.replace("#rewrite ", "rewrite ")
        }
    }
}

/// The settings that the file requires in `nginx.conf`.
pub fn wanted(mark: &str) -> &'static str {
    let mut lines = NGINX.lines();
    lines.find_map(|line| line.strip_prefix(mark)).unwrap()
}

/// nginx with `license-server.conf` in that folder, and more lines of its own.
pub fn nginx(program: &Path, folder: &Path, more: &str) -> Command {
    let around = format!(
        "user root; daemon off; pid pid; error_log error.log; {more} {}
        events {{ {} }}
        http {{
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            include license-server.conf;
        }}",
        wanted("#main:"),
        wanted("#events:")
    );
    fs::write(folder.join("nginx.conf"), around).unwrap();
    let mut command = Command::new(program);
    command
        .args(["-e", "error.log", "-c", "nginx.conf", "-p"])
        .arg(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// nginx with the shipped file; none when a port is taken.
fn start_nginx(program: &Path, folder: &Path, way: Way, ports: [u16; 3]) -> Option<Child> {
    fs::write(
        folder.join("license-server.conf"),
        shipped(way, folder, ports),
    )
    .unwrap();
    let mut child = nginx(program, folder, "").spawn().unwrap();
    let log = || fs::read_to_string(folder.join("error.log")).unwrap_or_default();
    for _ in 0..3_000 {
        if folder.join("pid").exists() && TcpStream::connect(("127.0.0.1", ports[1])).is_ok() {
            return Some(child);
        }
        if log().contains("Address already in use") || log().contains("a duplicate listen") {
            child.kill().unwrap();
            child.wait().unwrap();
            fs::remove_file(folder.join("error.log")).unwrap();
            return None;
        }
        assert_eq!(child.try_wait().unwrap(), None, "{}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nginx does not start: {}", log());
}

/// Forwards each connection to this port over TLS by its own openssl, which trusts only this
/// certificate.
pub fn open_tunnel(openssl: PathBuf, tls: u16, certificate: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let child = Command::new(&openssl)
                .args(["s_client", "-quiet", "-verify_return_error"])
                .args(["-servername", "licenses.example.com", "-CAfile"])
                .arg(&certificate)
                .args(["-connect", &format!("127.0.0.1:{tls}")])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn();
            std::thread::spawn(move || carry(connection.unwrap(), child.unwrap()));
        }
    });
    port
}

/// Copies bytes in both directions until one side closes.
fn carry(connection: TcpStream, mut child: Child) {
    let (mut from, mut to) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let mut back = connection.try_clone().unwrap();
    let mut there = connection;
    let answers = std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if back.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        // Closed already when the client was first.
        drop(back.shutdown(Shutdown::Both));
    });
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = there.read(&mut buffer) {
        // Read on even after nginx has closed: its answer is still on its way.
        drop(to.write_all(&buffer[..read]));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    answers.join().unwrap();
}

#[test]
fn signing_in_adding_and_checking_work_over_tls() {
    for way in [Way::Kept, Way::Stripped] {
        let Some(site) = Site::start(way) else {
            return;
        };
        let mut admin = site.admin(site.visitor());
        let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
        let form = form.fill("tool_name", "Tool_A").fill("license_key", "k");
        let page = form.submit(&mut admin);
        assert_eq!((page.status, page.path.as_str()), (200, "/licenses/1"));
        let valid = r#"{"status":"valid","message":"License is active and valid."}"#;
        assert_eq!(site.check(), (200, valid.to_owned()), "{way:?}");
        let begin = site.visitor().get("");
        assert_eq!(begin.header("location"), format!("{BASE}/login"));
    }
}

#[test]
fn the_cookie_requires_tls_and_each_header_is_sent_once() {
    let Some(site) = Site::start(Way::Kept) else {
        return;
    };
    let login = serde_json::json!({"username": "admin", "password": PASSWORD}).to_string();
    let answer = site.visitor().post("/api/login", &login);
    let cookie = answer.cookie("__Secure-license_session");
    assert!(
        cookie.ends_with("; Secure; Path=/licenseserver"),
        "{cookie}"
    );
    for (name, value) in [
        ("strict-transport-security", "max-age=31536000"),
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
        ("server", "nginx"),
    ] {
        let all = answer.headers.iter().filter(|(n, _)| n == name);
        let all: Vec<&str> = all.map(|(_, value)| value.as_str()).collect();
        assert_eq!(all, [value], "{name}");
    }
}

#[test]
fn a_forged_client_address_is_ignored() {
    let Some(site) = Site::start(Way::Kept) else {
        return;
    };
    let forger = site
        .visitor()
        .header("X-Forwarded-For", "203.0.113.7")
        .header("X-Real-IP", "203.0.113.7")
        .header("Forwarded", "for=203.0.113.7");
    let mut admin = site.admin(forger);
    let page = Page::open(&mut admin, "/account");
    let sessions = page.rows();
    assert_eq!((sessions.len(), sessions[0][1].as_str()), (1, "127.0.0.1"));
    assert!(!page.text().contains("203.0.113.7"));
}

#[test]
fn nginx_shows_nobody_the_metrics_without_a_token() {
    let Some(site) = Site::start(Way::Kept) else {
        return;
    };
    let mut visitor = site.visitor();
    assert_eq!(visitor.get("/metrics").status, 401);
    assert_eq!(visitor.get("/ready").status, 200);
    let mut beside = site.server().stranger();
    assert_eq!(beside.get("/metrics").status, 200);
}

#[test]
fn nginx_refuses_large_bodies() {
    let Some(site) = Site::start(Way::Kept) else {
        return;
    };
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    for (path, size) in [
        ("/api/check", 10_000_000),
        ("/api/check", 8 * 1024 + 1),
        ("/api/login", 8 * 1024 + 1),
        ("/api/licenses", 64 * 1024 + 1),
        ("/login", 10_000_000),
        ("/login", 64 * 1024 + 1),
    ] {
        let answer = site.visitor().send("POST", path, &form, &vec![b'x'; size]);
        assert_eq!(answer.status, 413, "{path}");
        if path.starts_with("/api") {
            assert_eq!(answer.json()["status"], "error", "{path}");
        }
    }
    for path in ["/import", "/codes/import"] {
        let file = vec![b'x'; 1024 * 1024];
        let answer = site.visitor().send("POST", path, &form, &file);
        assert_ne!(answer.status, 413, "{path}");
    }
    let spaces = " ".repeat(8 * 1024 - QUESTION.len());
    let largest = site
        .visitor()
        .post("/api/check", &format!("{QUESTION}{spaces}"));
    assert_eq!(largest.json()["status"], "invalid");
}

#[test]
fn an_error_from_nginx_is_not_a_result() {
    let Some(mut site) = Site::start(Way::Kept) else {
        return;
    };
    let pythons = tools::pythons();
    for python in &pythons {
        let said = site.ask_by_python(python);
        assert_eq!(said, "(False, 'License key not found for this tool.')\n");
    }
    drop(site.server.take());
    let answer = site.visitor().post("/api/check", QUESTION);
    assert_eq!((answer.status, answer.header("retry-after")), (502, "5"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["status"], "error");
    for python in &pythons {
        let said = site.ask_by_python(python);
        assert!(said.starts_with("(False, "), "{said}");
        assert!(!said.contains("nvalid"), "{said}");
    }
    assert_eq!(site.visitor().get("/login").status, 502);
}

#[test]
fn another_path_is_not_a_result_and_without_tls_only_pages_are_redirected() {
    let Some(site) = Site::start(Way::Kept) else {
        return;
    };
    let mut outside = Client::new(&format!("http://127.0.0.1:{}", site.tunnel));
    for path in ["/api/check", "/licenseserver2/api/check", "/licenseserver2"] {
        assert_eq!(outside.post(path, QUESTION).status, 421, "{path}");
    }
    assert_eq!(outside.get("/").header("location"), "/licenseserver/");
    let mut plain = Client::new(&format!("http://127.0.0.1:{}", site.plain));
    let answer = plain
        .header("Host", "evil.example")
        .get("/licenseserver/?a=b");
    let there = format!("{PUBLIC}/licenseserver/?a=b");
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, there.as_str())
    );
    plain = Client::new(&format!("http://127.0.0.1:{}", site.plain));
    for path in ["/licenseserver/api/check", "/licenseserver/api/check/"] {
        assert_eq!(plain.post(path, QUESTION).status, site.check().0, "{path}");
    }
    for path in ["/licenseserver/api/login", "/licenseserver/api/check/x"] {
        let answer = plain.post(path, QUESTION);
        assert_eq!(
            (answer.status, &answer.json()["status"]),
            (403, &"error".into()),
            "{path}"
        );
    }
}

/// Slow connections to nginx.
struct Slow {
    child: Child,
    stdin: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

impl Slow {
    fn start(python: &Path, site: &Site, number: usize, addresses: usize, which: &str) -> Slow {
        let [number, addresses] = [number, addresses].map(|n| n.to_string());
        let mut child = Command::new(python)
            .args([
                "-c",
                SLOW,
                &site.tls.to_string(),
                &number,
                &addresses,
                which,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Slow {
            stdin: child.stdin.take(),
            said: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Waits until at least these numbers are held, closed and refused.
    fn wait(&mut self, least: [usize; 3]) {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "{least:?}");
            let numbers: Vec<usize> = line
                .split(' ')
                .filter_map(|w| w.trim().parse().ok())
                .collect();
            if numbers.iter().zip(&least).all(|(is, least)| is >= least) {
                return;
            }
        }
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Checks while `number` slow connections are held; returns how many failed.
fn failures_beside(number: usize, addresses: usize, checks: usize, ended: usize) -> Option<usize> {
    let site = Site::start(Way::Kept)?;
    let python = tools::pythons().into_iter().next()?;
    site.server().license("Tool_A", "k");
    let mut slow = Slow::start(&python, &site, number, addresses, "both");
    // Those that nginx has just closed are being reopened.
    let held = number - number / 20;
    slow.wait([held, 0, 0]);
    let asked = |_: &usize| site.check().0 != 200;
    let failed = (0..checks).filter(asked).count();
    slow.wait([held, ended, 0]);
    Some(failed + (0..checks).filter(asked).count())
}

#[test]
fn checks_work_during_150_slow_connections() {
    if let Some(failed) = failures_beside(150, 5, 40, 0) {
        assert_eq!(failed, 0);
    }
}

/// Half of them send headers slowly, which nginx closes after 10 s, half of them a body.
#[test]
#[ignore = "a minute with 1,200 connections"]
fn checks_work_during_1200_slow_connections() {
    if let Some(failed) = failures_beside(1_200, 50, 500, 600) {
        assert_eq!(failed, 0);
    }
}

#[test]
fn one_address_holds_at_most_a_hundred_requests() {
    let Some(site) = Site::start(Way::Kept) else {
        return;
    };
    let Some(python) = tools::pythons().into_iter().next() else {
        return;
    };
    site.server().license("Tool_A", "k");
    let mut slow = Slow::start(&python, &site, 150, 1, "body");
    slow.wait([100, 0, 50]);
    assert_eq!(site.check().0, 200);
}

#[test]
fn the_example_lists_every_setting_with_its_default() {
    for line in config::help().lines().filter(|line| line.starts_with("  ")) {
        let name = line.split_whitespace().next().unwrap();
        let is_it = |l: &str| l.trim_start_matches('#').starts_with(&format!("{name} = "));
        assert_eq!(SETTINGS.lines().filter(|l| is_it(l)).count(), 1, "{name}");
    }
    let secrets = tempfile::tempdir().unwrap();
    let secret = secrets.path().join("password");
    fs::write(&secret, "secret").unwrap();
    let sealing = secrets.path().join("sealing");
    fs::write(&sealing, "s".repeat(44)).unwrap();
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with("smtp_password_file = ") => {
            format!("smtp_password_file = '{}'", secret.display())
        }
        Some(setting) if setting.starts_with("secret_file = ") => {
            format!("secret_file = '{}'", sealing.display())
        }
        // The other way to say it.
        Some(setting) if setting.starts_with("smtp_password = ") => String::new(),
        Some(setting) if !setting.starts_with(' ') => setting.to_owned(),
        _ => line.to_owned(),
    };
    let whole: Vec<String> = SETTINGS.lines().map(uncommented).collect();
    let defaults = Config::default();
    for text in [SETTINGS.to_owned(), whole.join("\n")] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("license-server.toml");
        fs::write(&file, text).unwrap();
        let read = Config::load(Some(&file), std::iter::empty()).unwrap();
        assert_eq!(read.base_path(), BASE);
        let networks = |config: &Config| -> Vec<_> {
            let trusted = config.trusted_proxies.iter();
            trusted.map(ipnet::IpNet::trunc).collect()
        };
        assert_eq!(networks(&read), networks(&defaults));
        let others = Config {
            public_url: None,
            data_dir: defaults.data_dir.clone(),
            trusted_proxies: defaults.trusted_proxies.clone(),
            database: None,
            admin_password: None,
            secrets: vec![],
            leaked_passwords: None,
            backup_dir: None,
            smtp_host: None,
            smtp_port: None,
            smtp_user: None,
            smtp_password: None,
            mail_from: None,
            digest_to: None,
            webhook_networks: vec![],
            security_contact: None,
            ..read
        };
        assert_eq!(format!("{others:?}"), format!("{defaults:?}"));
    }
}

#[test]
fn the_guide_and_the_compose_file_name_this_version() {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    for (name, text) in [("compose.yml", COMPOSE), ("README.md", GUIDE)] {
        let words = text.split(|c| !is_part(c));
        let versions = words.map(|word| word.trim_matches('.'));
        let versions: Vec<_> = versions
            .filter(|word| word.matches('.').count() == 2)
            .collect();
        assert!(!versions.is_empty(), "{name}");
        for version in versions {
            assert_eq!(version, env!("CARGO_PKG_VERSION"), "{name}");
        }
    }
}

/// With a cargo that says what the real one would.
#[test]
fn no_release_is_made_with_a_known_weakness_or_without_looking() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/release");
    for (cargo, word) in [
        ("exit 101", "cargo install --locked cargo-audit"),
        ("[ \"$2\" = --version ]", "a known weakness"),
    ] {
        let fake = folder.path().join("cargo");
        fs::write(&fake, cargo).unwrap();
        let output = Command::new(&script)
            .env("CARGO", format!("sh {}", fake.display()))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(word), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn systemd_accepts_the_unit_and_rates_it_as_safe() {
    let Some(systemd) = tools::find("systemd-analyze") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("license-server.service");
    let here = env!("CARGO_BIN_EXE_license-server");
    fs::write(&unit, UNIT.replace("/usr/local/bin/license-server", here)).unwrap();
    for arguments in [
        &["verify"][..],
        &["security", "--offline=true", "--threshold=20"],
    ] {
        let output = Command::new(&systemd)
            .args(arguments)
            .arg(&unit)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn a_backup_of_a_running_server_is_complete() {
    if !sqlite_only("it copies the file with sqlite3") {
        return;
    }
    let Some(sqlite) = tools::find("sqlite3") else {
        return;
    };
    let mut data = PathBuf::new();
    let server = Server::with(|config| data = config.data_dir.clone());
    server.license("Tool_A", "k");
    let restored = tempfile::tempdir().unwrap();
    let backup = restored.path().join("licenses.db");
    let made = Command::new(sqlite)
        .arg(data.join("licenses.db"))
        .arg(format!("vacuum into '{}'", backup.display()))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let again = Server::with(|config| config.data_dir = restored.path().to_owned());
    assert_eq!(again.check("Tool_A", "k").0, 200);
    assert_eq!(
        again.admin().get("/api/licenses").json()[0]["license_key"],
        "k"
    );
}
