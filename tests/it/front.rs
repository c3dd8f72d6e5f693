//! nginx, Apache and Caddy with the files in `deploy/` in front of the real server: one list of promises for all.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use license_server::config::Config;
use tempfile::TempDir;

use crate::deploy::{Way, free_port, open_tunnel, shipped, wanted};
use crate::engine::once;
use crate::page::Page;
use crate::server::{Answer, Client, PASSWORD, Server};
use crate::tools;

const APACHE: &str = include_str!("../../deploy/apache.conf");
const CADDY: &str = include_str!("../../deploy/Caddyfile");
pub const HOST: &str = "licenses.example.com";
pub const PUBLIC: &str = "https://licenses.example.com/licenseserver";
const QUESTION: &str = r#"{"tool_name":"Tool_A","license_key":"k"}"#;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Front {
    Nginx,
    Apache,
    Caddy,
}

const FRONTS: [Front; 3] = [Front::Nginx, Front::Apache, Front::Caddy];

/// A text in the file of the proxy, and what takes its place.
pub type Change = (&'static str, &'static str);

/// The server and a proxy in front of it.
pub struct Site {
    pub server: Option<Server>,
    proxy: Child,
    /// Where the proxy listens, with TLS and without.
    pub tls: u16,
    pub plain: u16,
    /// Has `ca.pem`, which signed the certificate of the proxy.
    pub folder: TempDir,
}

impl Drop for Site {
    fn drop(&mut self) {
        let id = self.proxy.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &id]).status();
        assert!(sent.unwrap().success());
        self.proxy.wait().unwrap();
    }
}

impl Site {
    /// None where a program is missing.
    pub fn start(front: Front) -> Option<Site> {
        Site::with(front, &[], (HOST, 90), |_| {})
    }

    /// With other lines in the file of the proxy, another host name and number of days in the certificate, and
    /// other settings of the server.
    pub fn with(
        front: Front,
        changes: &[(&str, &str)],
        certificate: (&str, i32),
        settings: impl FnOnce(&mut Config),
    ) -> Option<Site> {
        let program = tools::find(match front {
            Front::Nginx => "nginx",
            Front::Apache => "apache2",
            Front::Caddy => "caddy",
        })?;
        let openssl = tools::find("openssl")?;
        let folder = tempfile::tempdir().unwrap();
        sign_certificate(&openssl, folder.path(), certificate);
        let file = folder.path().join("settings.toml");
        fs::write(&file, format!("public_url = '{PUBLIC}'")).unwrap();
        let public_url = Config::load(Some(&file), std::iter::empty())
            .unwrap()
            .public_url;
        let server = Server::with(|config| {
            config.public_url = public_url;
            settings(config);
        });
        // Another process may take the free ports first; then others are tried.
        for _ in 0..10 {
            let (tls, plain) = (free_port(), free_port());
            let mut own = own_file(front, folder.path(), [server.port, tls, plain]);
            for (from, to) in changes {
                assert!(own.contains(from), "{from}");
                own = own.replace(from, to);
            }
            fs::write(folder.path().join("site.conf"), own).unwrap();
            let proxy = run(front, &program, folder.path(), [tls, plain]);
            if let Some(proxy) = proxy {
                return Some(Site {
                    server: Some(server),
                    proxy,
                    tls,
                    plain,
                    folder,
                });
            }
        }
        let log = fs::read_to_string(folder.path().join("error.log"));
        panic!("{front:?} does not start: {log:?}");
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }
}

const ECDSA: [&str; 5] = [
    "-newkey",
    "ec",
    "-nodes",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
];
const RSA: [&str; 3] = ["-newkey", "rsa:2048", "-nodes"];

/// A new `ca.pem`, and a certificate that it signed.
pub fn sign_certificate(openssl: &Path, folder: &Path, certificate: (&str, i32)) {
    sign(openssl, folder, certificate, &ECDSA);
}

fn sign(openssl: &Path, folder: &Path, (host, days): (&str, i32), key: &[&str]) {
    let call = |arguments: &[&str]| {
        let made = Command::new(openssl)
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    // Two issuers of one name would be told apart by their signatures only.
    let subject = format!("/CN={}", folder.file_name().unwrap().display());
    let own = [
        "req", "-x509", "-days", "90", "-subj", &subject, "-keyout", "ca.key", "-out", "ca.pem",
    ];
    call(&[&own[..], key].concat());
    let request = [
        "req",
        "-subj",
        "/CN=x",
        "-keyout",
        "key.pem",
        "-out",
        "request.pem",
    ];
    call(&[&request[..], key].concat());
    let names = format!("subjectAltName=DNS:{host}");
    fs::write(folder.join("names"), names).unwrap();
    call(&[
        "x509",
        "-req",
        "-in",
        "request.pem",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        &days.to_string(),
        "-extfile",
        "names",
        "-out",
        "cert.pem",
    ]);
}

/// The shipped file with this machine's addresses.
fn own_file(front: Front, folder: &Path, [server, tls, plain]: [u16; 3]) -> String {
    let at = folder.display();
    let values = match front {
        Front::Nginx => return shipped(Way::Kept, folder, [server, tls, plain]),
        Front::Apache => vec![
            (
                "http://127.0.0.1:8000",
                format!("http://127.0.0.1:{server}"),
            ),
            (
                "<VirtualHost *:80>",
                format!("<VirtualHost 127.0.0.1:{plain}>"),
            ),
            (
                "<VirtualHost *:443>",
                format!("<VirtualHost 127.0.0.1:{tls}>"),
            ),
            (
                "${LICENSES_CERTIFICATE}/fullchain.pem",
                format!("{at}/cert.pem"),
            ),
            (
                "${LICENSES_CERTIFICATE}/privkey.pem",
                format!("{at}/key.pem"),
            ),
        ],
        Front::Caddy => vec![
            ("127.0.0.1:8000", format!("127.0.0.1:{server}")),
            (
                "\nhttp://licenses.example.com {",
                format!("\nhttp://licenses.example.com:{plain} {{\n\tbind 127.0.0.1"),
            ),
            (
                "\nlicenses.example.com {",
                format!("\n{HOST}:{tls} {{\n\tbind 127.0.0.1\n\ttls {at}/cert.pem {at}/key.pem"),
            ),
            (
                "\n{\n",
                format!(
                    "\n{{\n\tadmin off\n\tauto_https off\n\thttp_port {plain}\n\thttps_port {tls}\n"
                ),
            ),
        ],
    };
    let mut file = match front {
        Front::Caddy => CADDY,
        Front::Nginx | Front::Apache => APACHE,
    }
    .to_owned();
    for (from, to) in values {
        assert_eq!(file.matches(from).count(), 1, "{from}");
        file = file.replace(from, &to);
    }
    file
}

/// The file of the proxy around ours.
fn around(front: Front, [tls, plain]: [u16; 2]) -> String {
    const MODULES: [&str; 16] = [
        "mpm_event",
        "authz_core",
        "alias",
        "deflate",
        "env",
        "filter",
        "headers",
        "macro",
        "mime",
        "proxy",
        "proxy_http",
        "reqtimeout",
        "rewrite",
        "setenvif",
        "socache_shmcb",
        "ssl",
    ];
    let modules = MODULES
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
    match front {
        Front::Nginx => format!(
            "user root; daemon off; pid pid; error_log error.log; {}
            events {{ {} }}
            http {{
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                include site.conf;
            }}",
            wanted("#main:"),
            wanted("#events:")
        ),
        // As on Debian, which compresses pages.
        Front::Apache => format!(
            "{}ServerName localhost\nPidFile pid\nErrorLog error.log\nMutex sem\nListen 127.0.0.1:{tls}\n\
             Listen 127.0.0.1:{plain}\nUser www-data\nGroup www-data\nTypesConfig /etc/mime.types\n\
             AddOutputFilterByType DEFLATE text/html\nInclude site.conf\n",
            modules.concat()
        ),
        // Its global options must be in the file itself.
        Front::Caddy => String::new(),
    }
}

/// None when it ends, as it does if a port is taken.
fn run(front: Front, program: &Path, folder: &Path, ports: [u16; 2]) -> Option<Child> {
    let file = match front {
        // Its global options must be in the file itself.
        Front::Caddy => "site.conf",
        Front::Nginx | Front::Apache => {
            fs::write(folder.join("proxy.conf"), around(front, ports)).unwrap();
            "proxy.conf"
        }
    };
    let at = folder.display().to_string();
    let whole = format!("{at}/{file}");
    let arguments = match front {
        Front::Nginx => vec!["-e", "error.log", "-c", file, "-p", &at],
        Front::Apache => vec!["-d", &at, "-f", file, "-D", "FOREGROUND"],
        Front::Caddy => vec!["run", "--adapter", "caddyfile", "--config", &whole],
    };
    let log = File::create(folder.join("error.log")).unwrap();
    let mut child = Command::new(program)
        .args(arguments)
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    for _ in 0..3_000 {
        let is_open = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        if ports.iter().all(is_open) {
            return Some(child);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{front:?} does not listen");
}

#[test]
fn every_proxy_keeps_the_promises_of_its_file() {
    for front in FRONTS {
        let Some(mut site) = Site::start(front) else {
            continue;
        };
        let openssl = tools::find("openssl").unwrap();
        let tunnel = open_tunnel(openssl, site.tls, site.folder.path().join("ca.pem"));
        let at = |path: &str| Client::new(&format!("http://127.0.0.1:{tunnel}{path}"));
        let visitor = || {
            at("/licenseserver")
                .header("Host", HOST)
                .header("Origin", "https://licenses.example.com")
        };
        passes_forms_and_addresses(visitor(), front);
        refuses_large_bodies(visitor, front);
        let mut outside = at("").header("Host", HOST);
        for path in ["/api/check", "/licenseserver2/api/check", "/licenseserver2"] {
            let answer = outside.post(path, QUESTION);
            assert_eq!(answer.status, 421, "{front:?} {path}");
            has_own_headers(&answer, true, front);
        }
        has_each_header_once(&visitor().get("/login"), front);
        has_each_header_once(&visitor().post("/api/check", QUESTION), front);
        let start = outside.get("/");
        assert_eq!(start.status, 302, "{front:?}");
        has_own_headers(&start, true, front);
        assert!(
            start.header("location").ends_with("/licenseserver/"),
            "{front:?}"
        );
        passes_only_checks_without_tls(&site, front);
        drop(site.server.take());
        let page = visitor().get("/login");
        assert!(page.status >= 500, "{front:?}");
        has_own_headers(&page, true, front);
        let answer = visitor().post("/api/check", QUESTION);
        let is_fault = [502, 503].contains(&answer.status);
        assert!(is_fault, "{front:?} {}", answer.status);
        assert_eq!(answer.json()["status"], "error", "{front:?}");
        has_own_headers(&answer, true, front);
        let all = ["cache-control", "content-type", "retry-after"].map(|name| answer.header(name));
        assert_eq!(all, ["no-store", "application/json", "5"], "{front:?}");
        // A shop would mail the body as a code, and whoever reads the log would get codes.
        let secret = "secret-of-a-generator";
        let answer = visitor().post(&format!("/api/orders/generate/{secret}"), QUESTION);
        assert_eq!(answer.body, "", "{front:?}");
        let log = fs::read_to_string(site.folder.path().join("error.log")).unwrap();
        assert!(answer.status >= 500 && !log.contains(secret), "{front:?}");
        let link = "secret-of-a-link";
        for place in ["/my/link", "/invitation"] {
            let answer = visitor().get(&format!("{place}/{link}"));
            let log = fs::read_to_string(site.folder.path().join("error.log")).unwrap();
            assert!(answer.status >= 500 && !log.contains(link), "{front:?}");
        }
    }
}

fn passes_forms_and_addresses(visitor: Client, front: Front) {
    let mut forger = visitor
        .header("X-Forwarded-For", "203.0.113.7")
        .header("Accept-Encoding", "gzip");
    let page = forger.get("/login");
    assert_eq!(page.header("content-encoding"), "", "{front:?}");
    let form = Page::open(&mut forger, "/").form("/login");
    let form = form.fill("username", "admin").fill("password", PASSWORD);
    assert_eq!(form.submit(&mut forger).path, "/", "{front:?}");
    let account = Page::open(&mut forger, "/account");
    assert_eq!(account.rows()[0][1], "127.0.0.1", "{front:?}");
    let form = Page::open(&mut forger, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", "Tool_A").fill("license_key", "k");
    assert_eq!(form.submit(&mut forger).path, "/licenses/1", "{front:?}");
}

fn refuses_large_bodies(visitor: impl Fn() -> Client, front: Front) {
    for (path, size) in [
        ("/api/check", 8 * 1024 + 1),
        ("/api/check/", 8 * 1024 + 1),
        ("/api/login", 8 * 1024 + 1),
        ("/api/licenses", 64 * 1024 + 1),
        ("/login", 64 * 1024 + 1),
    ] {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = visitor().send("POST", path, &form, &vec![b'x'; size]);
        assert_eq!(answer.status, 413, "{front:?} {path}");
        has_own_headers(&answer, true, front);
        if path.starts_with("/api") {
            assert_eq!(answer.json()["status"], "error", "{front:?} {path}");
        }
    }
    let spaces = " ".repeat(8 * 1024 - QUESTION.len());
    let largest = visitor().post("/api/check", &format!("{QUESTION}{spaces}"));
    assert_eq!(largest.json()["status"], "valid", "{front:?}");
}

fn passes_only_checks_without_tls(site: &Site, front: Front) {
    let plain = || Client::new(&format!("http://127.0.0.1:{}", site.plain)).header("Host", HOST);
    for path in ["/licenseserver/api/check", "/licenseserver/api/check/"] {
        assert_eq!(plain().post(path, QUESTION).status, 200, "{front:?} {path}");
    }
    for path in [
        "/licenseserver/login",
        "/licenseserver/?a=b",
        "/licenseserver/apix",
    ] {
        let answer = plain().post(path, QUESTION);
        let there = format!("https://{HOST}{path}");
        let is = (answer.status, answer.header("location"));
        assert_eq!(is, (308, there.as_str()), "{front:?} {path}");
        has_own_headers(&answer, false, front);
    }
    for path in [
        "api/login",
        "api/check/x",
        "api/",
        "hooks/stripe/1",
        "metrics",
        "ready",
    ] {
        let answer = plain().post(&format!("/licenseserver/{path}"), QUESTION);
        assert_eq!(answer.status, 403, "{front:?} {path}");
        let json = answer.json();
        assert_eq!(json["status"], "error", "{front:?} {path}");
        let message = json["message"].as_str().unwrap();
        assert!(
            message.contains("https") && message.contains("token"),
            "{front:?}"
        );
        has_own_headers(&answer, false, front);
        let all = ["cache-control", "content-type"].map(|name| answer.header(name));
        assert_eq!(all, ["no-store", "application/json"], "{front:?} {path}");
    }
    // A shop would mail the body as a code.
    let generator = plain().post("/licenseserver/api/orders/generate/secret", QUESTION);
    let answer = (generator.status, generator.body.as_str());
    assert_eq!(answer, (403, ""), "{front:?}");
}

fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let found = answer.headers.iter().filter(|(n, _)| n == name);
    found.map(|(_, value)| value.as_str()).collect()
}

/// Those of an answer of the proxy itself.
fn has_own_headers(answer: &Answer, is_tls: bool, front: Front) {
    let transport = ["max-age=31536000"];
    let transport = &transport[..usize::from(is_tls)];
    for (name, wanted) in [
        ("strict-transport-security", transport),
        ("x-content-type-options", &["nosniff"]),
        (
            "content-security-policy",
            &["default-src 'none'; frame-ancestors 'none'"],
        ),
    ] {
        assert_eq!(values(answer, name), wanted, "{front:?} {}", answer.status);
    }
}

fn has_each_header_once(answer: &Answer, front: Front) {
    for (name, _) in &answer.headers {
        assert_eq!(values(answer, name).len(), 1, "{front:?} {name}");
    }
    assert!(answer.headers.len() > 6, "{front:?}");
}

#[test]
fn every_proxy_takes_only_suites_with_forward_secrecy_for_tls_1_2() {
    if !once() {
        return;
    }
    for front in FRONTS {
        for (kind, key) in [("ECDSA", &ECDSA[..]), ("RSA", &RSA)] {
            let Some(openssl) = tools::find("openssl") else {
                return;
            };
            let own = tempfile::tempdir().unwrap();
            sign(&openssl, own.path(), (HOST, 90), key);
            let name = own.path().file_name().unwrap().display();
            let files = ["/cert.pem", "/key.pem"];
            let there = files.map(|file| format!("/../{name}{file}"));
            let changes = [0, 1].map(|n| (files[n], there[n].as_str()));
            let Some(site) = Site::with(front, &changes, (HOST, 90), |_| {}) else {
                continue;
            };
            let takes = |suites: &str| {
                let at = format!("127.0.0.1:{}", site.tls);
                let made = Command::new(&openssl)
                    .args(["s_client", "-tls1_2", "-servername", HOST])
                    .args(["-connect", &at, "-cipher", suites])
                    .stdin(Stdio::null())
                    .output();
                made.unwrap().status.success()
            };
            let good = [
                "AES256-GCM-SHA384",
                "CHACHA20-POLY1305",
                "AES128-GCM-SHA256",
            ];
            let good = good.map(|suite| format!("ECDHE-{kind}-{suite}"));
            for suite in &good {
                assert!(takes(suite), "{front:?} {suite}");
            }
            // The best one of Windows 7 to 8.1 for these certificates.
            let old = "ECDHE-RSA-AES128-SHA256";
            if kind == "RSA" && front != Front::Caddy {
                assert!(takes(old), "{front:?}");
            }
            // What the defaults of nginx and Apache would take: more of CBC, and keys without forward secrecy.
            let others = format!(
                "ALL:COMPLEMENTOFALL:!{}:!{old}:@SECLEVEL=0",
                good.join(":!")
            );
            assert!(!takes(&others), "{front:?} {kind}");
        }
    }
}
