//! `license-server doctor` in front of planted mistakes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use license_server::config::Config;

use crate::client_codes::turn_to_now;
use crate::database::Database;
use crate::deploy::free_port;
use crate::engine;
use crate::front::{Change, Front, HOST, PUBLIC, Site};
use crate::server::Server;

/// The right certificate, for ninety days.
const FINE: (&str, i32) = (HOST, 90);

/// Of a server in use: somebody has signed in, the key was backed up, and the clock is right.
fn furnish(server: &Server) {
    turn_to_now(server);
    server.admin();
    let backup = server.folder.path().join("backup.db");
    server.service.back_up(&backup, true).unwrap();
}

/// What the program prints, and whether it succeeds. `changes` are for its settings file.
fn doctor(site: &Site, plain: u16, ca: &str, changes: &[(&str, &str)]) -> (bool, String) {
    let data = site.server().folder.path().join("data");
    let (data, port) = (data.display(), site.server().port);
    let mut settings = format!("public_url = '{PUBLIC}'\ndata_dir = '{data}'\nport = {port}\n");
    for (from, to) in changes {
        assert!(settings.contains(from), "{from}");
        settings = settings.replace(from, to);
    }
    call(site, &settings, plain, ca)
}

fn call(site: &Site, settings: &str, plain: u16, ca: &str) -> (bool, String) {
    let file = site.folder.path().join("doctor.toml");
    fs::write(&file, settings).unwrap();
    let (_, data) = settings.split_once("data_dir = '").unwrap();
    let (data, _) = data.split_once('\'').unwrap();
    let database = engine::address_of(Path::new(data));
    let output = Command::new(env!("CARGO_BIN_EXE_license-server"))
        .arg("--config")
        .arg(file)
        .arg("doctor")
        .args(["--connect", &format!("127.0.0.1:{}", site.tls)])
        .args(["--connect-http", &format!("127.0.0.1:{plain}")])
        .env("SSL_CERT_FILE", site.folder.path().join(ca))
        .envs(database.map(|url| ("LICENSE_SERVER_DATABASE", url)))
        .output()
        .unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

fn findings(said: &str) -> Vec<&str> {
    let is_found = |line: &&str| !line.starts_with("ok ") && !line.starts_with("errors: ");
    said.lines().filter(is_found).collect()
}

#[test]
fn behind_the_shipped_files_nothing_is_wrong() {
    for front in [Front::Nginx, Front::Apache, Front::Caddy] {
        let Some(site) = Site::start(front) else {
            continue;
        };
        furnish(site.server());
        let database = Database::of(&site.server().folder.path().join("data"));
        let before = database.rows();
        let (is_fine, said) = doctor(&site, site.plain, "ca.pem", &[]);
        assert_eq!(findings(&said), Vec::<&str>::new(), "{front:?}");
        assert!(is_fine && said.lines().count() > 10, "{front:?} {said}");
        site.server().tick().unwrap();
        assert!(database.rows() == before, "{front:?}");
        let machines = "select count(*) from unlicensed_machines";
        assert_eq!(database.one::<i64>(machines, &[]), 0, "{front:?}");
    }
}

/// Each mistake in the file of the proxy, and what the doctor says about it.
fn finds(front: Front, mistakes: &[(&[Change], &[&str])]) {
    if !engine::once() {
        return;
    }
    for (changes, words) in mistakes {
        let Some(site) = Site::with(front, changes, FINE, |_| {}) else {
            return;
        };
        furnish(site.server());
        let (_, said) = doctor(&site, site.plain, "ca.pem", &[]);
        is_found(&said, words, &format!("{changes:?}"));
    }
}

/// One finding has all the words.
fn is_found(said: &str, words: &[&str], what: &str) {
    let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
    let found = findings(said);
    assert!(
        found.iter().any(has_all),
        "{what}: {words:?} is not in {said}"
    );
    assert!(found.len() <= 4, "{what}: {said}");
}

#[test]
fn mistakes_with_addresses_and_headers_of_requests_are_found() {
    let address = "proxy_set_header X-Forwarded-For $remote_addr;";
    let host = "proxy_set_header Host $host;";
    finds(
        Front::Nginx,
        &[
            (&[(address, "")], &["error", "passes on", address]),
            (
                &[(address, "proxy_set_header X-Forwarded-For '';")],
                &["error", "sends no X-Forwarded-For", address],
            ),
            (
                &[(
                    "X-Forwarded-For $remote_addr",
                    "X-Forwarded-For $proxy_add_x_forwarded_for",
                )],
                &["error", "appends", address],
            ),
            (
                &[(host, "proxy_set_header Host backend;")],
                &["warning", "`backend`", host],
            ),
            (
                &[(
                    host,
                    "proxy_set_header Host $host; proxy_set_header Authorization '';",
                )],
                &["error", "`proxy_set_header Authorization`"],
            ),
            (
                &[(
                    host,
                    "proxy_set_header Host $host; proxy_set_header Cookie '';",
                )],
                &["error", "`proxy_set_header Cookie`"],
            ),
        ],
    );
}

#[test]
fn mistakes_with_headers_of_answers_are_found() {
    let more = "proxy_cache off;";
    finds(
        Front::Nginx,
        &[
            (
                &[(more, "proxy_hide_header Content-Security-Policy;")],
                &["error", "`proxy_hide_header content-security-policy;`"],
            ),
            (
                &[(
                    more,
                    "proxy_hide_header Cache-Control; add_header Cache-Control public;",
                )],
                &["error", "cache-control", "`public`"],
            ),
            (
                &[(more, "add_header X-Frame-Options DENY always;")],
                &["warning", "x-frame-options", "once more"],
            ),
            (
                &[(more, "proxy_hide_header Set-Cookie;")],
                &["error", "`proxy_hide_header Set-Cookie;`"],
            ),
            (&[("gzip off;", "gzip on;")], &["warning", "gzip off;"]),
            (
                &[
                    (
                        "upstream license_server {",
                        "proxy_cache_path cache keys_zone=c:1m; upstream license_server {",
                    ),
                    (
                        more,
                        "proxy_cache c; proxy_cache_valid 200 1m; proxy_ignore_headers Cache-Control Set-Cookie;",
                    ),
                ],
                &["error", "proxy_cache off;"],
            ),
        ],
    );
}

#[test]
fn mistakes_with_paths_sizes_and_redirects_are_found() {
    finds(
        Front::Nginx,
        &[
            (
                &[(
                    "#rewrite ^/licenseserver/?(.*)$ /$1",
                    "rewrite ^/licenseserver/?(.*)$ /x/$1",
                )],
                &["error", "another path", "proxy_pass http://license_server;"],
            ),
            (
                &[("server 127.0.0.1:", "server 127.0.0.2:")],
                &["error", "502", "`server 127.0.0.1:"],
            ),
            (
                &[(
                    "location /licenseserver/api/ {",
                    "location /licenseserver/api/ { return 200 hello;",
                )],
                &[
                    "error",
                    "another program answers",
                    "`location /licenseserver/`",
                ],
            ),
            (
                &[(
                    "proxy_cache off;",
                    "auth_basic x; auth_basic_user_file /dev/null;",
                )],
                &["error", "401", "`auth_basic`"],
            ),
            (
                &[("client_max_body_size 17m;", "client_max_body_size 1m;")],
                &["error", "/import", "client_max_body_size 17m;"],
            ),
            (
                &[("client_max_body_size 8k;", "client_max_body_size 4k;")],
                &["error", "/api/check", "client_max_body_size 8k;"],
            ),
            (
                &[("client_max_body_size 64k;", "client_max_body_size 16k;")],
                &["error", "64 KiB", "client_max_body_size 64k;"],
            ),
            (
                &[
                    ("return 308 https", "return 301 https"),
                    (
                        "~^http:/licenseserver/api/check/?$             \"\";",
                        "~^http:/licenseserver/api/check/?$ redirect;",
                    ),
                ],
                &["error", "301", "`return 308`"],
            ),
            (
                &[(
                    "refuse;\n    ~^http:/licenseserver/(health",
                    "redirect;\n    ~^http:/licenseserver/(health",
                )],
                &["warning", "sends its token in the clear", "`return 403`"],
            ),
            (
                &[(
                    "refuse;\n    ~^http:/licenseserver/(health",
                    "\"\";\n    ~^http:/licenseserver/(health",
                )],
                &["error", "tokens can be read", "`return 403`"],
            ),
        ],
    );
}

#[test]
fn what_a_proxy_keeps_to_itself_is_found() {
    let more = "proxy_cache off;";
    let agents = "if ($http_user_agent ~* curl) { return 403; } proxy_cache off;";
    finds(
        Front::Nginx,
        &[
            (
                &[(
                    "location /licenseserver/ {",
                    "location ~ \\.css$ { root /nowhere; } location /licenseserver/ {",
                )],
                &["error", "style sheet", "`location ~ \\.css$`"],
            ),
            (
                &[(
                    "location /licenseserver/api/ {",
                    "location /licenseserver/api/ { proxy_intercept_errors on; error_page 403 404 /404.html;",
                )],
                &["error", "`proxy_intercept_errors off;`"],
            ),
            (
                &[(
                    "location /licenseserver/api/ {",
                    "location /licenseserver/api/ { limit_except GET POST { deny all; }",
                )],
                &["error", "DELETE", "`limit_except`"],
            ),
            (
                &[(
                    "location = /licenseserver {",
                    "location = /licenseserver { return 404;",
                )],
                &["error", "without a slash", "`location = /licenseserver`"],
            ),
            (
                &[(more, "rewrite ^(.*)$ $1? break; proxy_cache off;")],
                &["error", "`?`", "`rewrite … ?`"],
            ),
            (
                &[(more, agents)],
                &["error", "`curl/8`", "`if ($http_user_agent`"],
            ),
            (
                &[(
                    more,
                    "proxy_set_header Content-Type text/plain; proxy_cache off;",
                )],
                &["error", "`proxy_set_header Content-Type`"],
            ),
            (
                &[("ssl_protocols TLSv1.2 TLSv1.3;", "ssl_protocols TLSv1.3;")],
                &["warning", "`ssl_protocols TLSv1.2 TLSv1.3;`"],
            ),
        ],
    );
    finds(
        Front::Apache,
        &[(
            &[(
                "ProxyPreserveHost On",
                "ProxyPreserveHost On\nProxyErrorOverride On",
            )],
            &["error", "`ProxyErrorOverride Off`"],
        )],
    );
}

#[test]
fn mistakes_in_the_files_of_apache_and_caddy_are_found() {
    finds(
        Front::Apache,
        &[
            (
                &[(
                    "    RequestHeader set X-Forwarded-For \"expr=%{REMOTE_ADDR}\"\n",
                    "",
                )],
                &["error", "RequestHeader set X-Forwarded-For"],
            ),
            (
                &[("    SetEnv no-gzip 1\n", "")],
                &["warning", "SetEnv no-gzip 1"],
            ),
            (
                &[(
                    "ProxyPreserveHost On",
                    "ProxyPreserveHost On\nRequestHeader unset Authorization",
                )],
                &["error", "RequestHeader unset Authorization"],
            ),
        ],
    );
    finds(
        Front::Caddy,
        &[
            (
                &[(
                    "header_up X-Forwarded-For {remote_host}",
                    "header_up -X-Forwarded-For",
                )],
                &["error", "header_up X-Forwarded-For {remote_host}"],
            ),
            (&[("> 17825792", "> 1000000")], &["error", "> 17825792"]),
        ],
    );
}

#[test]
fn mistakes_with_the_certificate_are_found() {
    if !engine::once() {
        return;
    }
    for (certificate, ca, words) in [
        ((HOST, -1), "ca.pem", ["error", "ended on"]),
        ((HOST, 3), "ca.pem", ["warning", "ends on"]),
        (("other.example.com", 90), "ca.pem", ["error", "not for"]),
        // Any other certificate that could be a root.
        (FINE, "other.pem", ["error", "issuer"]),
    ] {
        let Some(site) = Site::with(Front::Nginx, &[], certificate, |_| {}) else {
            return;
        };
        let other = Site::with(Front::Nginx, &[], FINE, |_| {}).unwrap();
        fs::copy(
            other.folder.path().join("ca.pem"),
            site.folder.path().join("other.pem"),
        )
        .unwrap();
        furnish(site.server());
        let (is_fine, said) = doctor(&site, site.plain, ca, &[]);
        is_found(&said, &words, &format!("{certificate:?}"));
        is_found(
            &said,
            &["ssl_certificate", "SSLCertificateFile"],
            "the lines",
        );
        assert_eq!(is_fine, words[0] == "warning");
    }
}

#[test]
fn mistakes_in_the_settings_are_found() {
    let distant = |config: &mut Config| {
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    };
    let Some(site) = Site::with(Front::Nginx, &[], FINE, distant) else {
        return;
    };
    furnish(site.server());
    let (_, said) = doctor(&site, site.plain, "ca.pem", &[]);
    is_found(
        &said,
        &["error", "`trusted_proxies` does not have 127.0.0.1"],
        "proxies",
    );
    let site = Site::start(Front::Nginx).unwrap();
    furnish(site.server());
    let other = Server::start();
    furnish(&other);
    let other = other.folder.path().join("data").display().to_string();
    let data = site.server().folder.path().join("data");
    let at = data.display().to_string();
    let nowhere = site.folder.path().join("nowhere").display().to_string();
    for (changes, words) in [
        (
            ("port =", "trusted_proxies = '0.0.0.0/0'\nport ="),
            &["error", "`trusted_proxies` has every"][..],
        ),
        (
            ("port =", "address = '0.0.0.0'\nport ="),
            &["warning", "`address` is 0.0.0.0", "127.0.0.1"],
        ),
        (
            ("port =", "admin_password = 'x'\nport ="),
            &["warning", "`admin_password`"],
        ),
        (
            ("/licenseserver", "/licenses"),
            &["error", "421", "`location /licenses/`"],
        ),
        (
            ("https:", "http:"),
            &["error", "`public_url` starts with http"],
        ),
        (
            (at.as_str(), other.as_str()),
            &["error", "another database", "`data_dir`"],
        ),
        (
            (at.as_str(), nowhere.as_str()),
            match engine::is_postgres() {
                true => &["error", "The database", "is empty"],
                false => &["error", "`data_dir`", "no database"],
            },
        ),
    ] {
        let (is_fine, said) = doctor(&site, site.plain, "ca.pem", &[changes]);
        is_found(&said, words, changes.1);
        assert_eq!(is_fine, words[0] == "warning", "{said}");
    }
    let (is_fine, said) = doctor(&site, free_port(), "ca.pem", &[]);
    is_found(
        &said,
        &["warning", "nothing answers", "listen 80;"],
        "port 80",
    );
    assert!(is_fine);
    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    let (_, said) = doctor(&site, site.plain, "ca.pem", &[]);
    is_found(&said, &["warning", "chmod 700"], "an open folder");
    // Nothing was mended either.
    assert_eq!(
        fs::metadata(&data).unwrap().permissions().mode() & 0o777,
        0o755
    );
}

#[test]
fn a_new_server_with_a_wrong_clock_and_one_that_is_stopped_are_found() {
    let Some(mut site) = Site::start(Front::Nginx) else {
        return;
    };
    turn_to_now(site.server());
    let (_, said) = doctor(&site, site.plain, "ca.pem", &[]);
    is_found(
        &said,
        &["warning", "was never backed up", "keys export --private"],
        "a new key",
    );
    is_found(
        &said,
        &["warning", "nobody has signed in", "set-password"],
        "a new server",
    );
    let ahead = 400 * 24 * 3600;
    furnish(site.server());
    site.server().clock.turn(ahead);
    site.server().admin();
    turn_to_now(site.server());
    let (_, said) = doctor(&site, site.plain, "ca.pem", &[]);
    is_found(
        &said,
        &["error", "behind the newest stored moment", "timedatectl"],
        "the clock",
    );
    let mut server = site.server.take().unwrap();
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    let mut kept = folder.path().join("data");
    if !engine::is_postgres() {
        let file = kept.join("licenses.db");
        kept = site.folder.path().join("data");
        fs::create_dir(&kept).unwrap();
        server.service.settle().unwrap();
        fs::copy(file, kept.join("licenses.db")).unwrap();
    }
    let files = fs::read_dir(&kept).unwrap().count();
    drop(server);
    let settings = format!(
        "public_url = '{PUBLIC}'\ndata_dir = '{}'\nport = {}",
        kept.display(),
        free_port()
    );
    let (is_fine, said) = call(&site, &settings, site.plain, "ca.pem");
    let last = *findings(&said).last().unwrap();
    assert!(last.contains("does not answer at 127.0.0.1"), "{said}");
    assert!(!is_fine);
    // It leaves no file.
    assert_eq!(fs::read_dir(&kept).unwrap().count(), files);
}
