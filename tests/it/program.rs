//! The program, as an operator starts and stops it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::database::Database;
use crate::engine::{self, sqlite_only};
use crate::guards::token;
use crate::page::Page;
use crate::server::{Client, PASSWORD};

// The labels of what a start prints.
const DATABASE: &str = "Database";
const LOGIN: &str = "Sign in at";
const USER: &str = "User";
const FIRST_PASSWORD: &str = "Password";

/// The program in `folder`, with no setting from the environment of the test but the port and the database.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_license-server"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LICENSE_SERVER_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(folder)
        .env("LICENSE_SERVER_PORT", "0")
        .envs(engine::address_of(&folder.join("data")).map(|url| ("LICENSE_SERVER_DATABASE", url)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The program while it serves.
pub struct Program {
    pub child: Child,
    stdout: BufReader<ChildStdout>,
    /// What it has printed.
    pub printed: String,
}

impl Program {
    pub fn start(folder: &Path) -> Program {
        Program::run(&mut command(folder))
    }

    /// Waits for the last line of a start, which names the database.
    pub fn run(command: &mut Command) -> Program {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        while !is_started(&printed) {
            let read = stdout.read_line(&mut printed).unwrap();
            assert!(read > 0, "{:?}", child.wait_with_output());
        }
        Program {
            child,
            stdout,
            printed,
        }
    }

    /// The user whose first password is not yet used.
    fn user(&self) -> Option<&str> {
        labeled(&self.printed, USER)
    }

    /// The random first password.
    pub fn password(&self) -> Option<&str> {
        first_password(&self.printed)
    }

    pub fn port(&self) -> u16 {
        let address = labeled(&self.printed, LOGIN).unwrap();
        let port = address
            .strip_prefix("http://127.0.0.1:")
            .and_then(|rest| rest.strip_suffix("/login"));
        port.unwrap_or_else(|| panic!("{address}")).parse().unwrap()
    }

    pub fn client(&self) -> Client {
        Client::new(&format!("http://127.0.0.1:{}", self.port()))
    }

    /// Sends the signal and waits for the exit code and the log.
    pub fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let mut log = String::new();
        // A test may have led it elsewhere.
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut log).unwrap();
        }
        self.stdout.read_to_string(&mut self.printed).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Ended already when the test stopped it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn labeled<'p>(printed: &'p str, label: &str) -> Option<&'p str> {
    let mut lines = printed.lines();
    lines.find_map(|line| Some(line.trim().strip_prefix(label)?.trim()))
}

/// Whether the last line of a start was printed.
pub fn is_started(printed: &str) -> bool {
    labeled(printed, DATABASE).is_some()
}

/// The random first password in what a start has printed.
pub fn first_password(printed: &str) -> Option<&str> {
    labeled(printed, FIRST_PASSWORD)
}

/// The random password, shown either by an earlier run or by this start.
fn either_password<'p>(earlier: &'p str, server: &'p Program) -> &'p str {
    let shown = [first_password(earlier), server.password()];
    let mut shown = shown.into_iter().flatten();
    let password = shown.next().expect("a password was shown");
    assert_eq!(shown.next(), None);
    password
}

pub fn log_in(client: &mut Client, password: &str) -> u16 {
    let body = serde_json::json!({"username": "admin", "password": password});
    client.post("/api/login", &body.to_string()).status
}

/// `admin set-password` with these arguments, and the password on standard input.
pub fn set_password(folder: &Path, arguments: &[&str], password: &str) -> Output {
    let mut child = command(folder)
        .args(["admin", "set-password"])
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{password}").unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The one line on standard error with which the program refuses to run.
pub fn refusal(output: &Output) -> String {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    // A first start has made its signing key before.
    let is_event = |line: &&str| line.contains(" audit entry=");
    let lines = said.split_inclusive('\n').filter(|line| !is_event(line));
    let line: String = lines.collect();
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("license-server: "), "{line}");
    assert!(!line.contains("panicked"), "{line}");
    line
}

pub fn assert_names(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "{word}: {line}");
    }
}

#[test]
fn the_first_start_prints_a_password_and_the_second_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = Program::start(folder.path());
    assert_eq!(first.user(), Some("admin"));
    let password = first.password().unwrap();
    assert!(password.len() >= 12, "{password}");
    assert_eq!(log_in(&mut first.client(), password), 200);
    let second = {
        let password = password.to_owned();
        assert_eq!(first.stop("TERM").0, Some(0));
        let second = Program::start(folder.path());
        assert_eq!(log_in(&mut second.client(), &password), 200);
        second
    };
    assert_eq!((second.user(), second.password()), (None, None));
}

#[test]
fn a_closed_standard_output_does_not_stop_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut child = command(folder.path())
        .env("LICENSE_SERVER_PORT", port.to_string())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() && Instant::now() < until {
        std::thread::yield_now();
    }
    assert_eq!(
        Client::new(&format!("http://127.0.0.1:{port}"))
            .get("/health")
            .status,
        200
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn until_the_first_sign_in_a_start_says_how_to_set_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let first = Program::start(folder.path());
    let password = first.password().unwrap().to_owned();
    drop(first);
    let second = Program::start(folder.path());
    assert!(second.user().is_some());
    assert_names(&second.printed, &["admin set-password"]);
    assert_eq!(log_in(&mut second.client(), &password), 200);
    drop(second);
    assert_eq!(Program::start(folder.path()).user(), None);
}

#[test]
fn two_first_starts_print_different_passwords() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, two] = folders.each_ref().map(|f| Program::start(f.path()));
    assert_ne!(one.password().unwrap(), two.password().unwrap());
}

#[test]
fn the_printed_password_opens_nothing_but_the_form_for_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::start(folder.path());
    let password = server.password().unwrap().to_owned();
    let mut admin = server.client();
    assert_eq!(log_in(&mut admin, &password), 200);
    let license = r#"{"tool_name":"T","license_key":"k"}"#;
    assert_eq!(admin.get("/api/licenses").status, 403);
    assert_eq!(admin.post("/api/licenses", license).status, 403);
    assert_eq!(admin.post("/api/check", license).status, 404);
    for path in ["/", "/licenses", "/keys", "/people/new"] {
        assert_eq!(Page::open(&mut admin, path).path, "/account", "{path}");
    }
    let page = Page::open(&mut admin, "/account");
    assert_eq!(page.all(".warning").len(), 1);
    assert!(page.has_form("/logout") && !page.has_form("/account/tokens"));
    let choose = |new: &str| {
        let form = page.form("/account/password").fill("current", &password);
        form.fill("new", new).fill("again", new)
    };
    assert_eq!(choose("short").submit(&mut admin).status, 422);
    assert_eq!(admin.get("/api/licenses").status, 403);
    let next = choose(PASSWORD).submit(&mut admin);
    assert_eq!((next.status, &*next.path), (200, "/"));
    assert_eq!(next.all("#first-run").len(), 1);
    assert_eq!(admin.post("/api/licenses", license).status, 201);
    drop(server);
    let again = Program::start(folder.path());
    let mut admin = again.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    assert_eq!(admin.get("/licenses").status, 200);
}

#[test]
fn a_first_start_that_cannot_listen_does_not_lose_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = command(folder.path())
        .env("LICENSE_SERVER_PORT", port)
        .output()
        .unwrap();
    refusal(&output);
    let printed = String::from_utf8(output.stdout).unwrap();
    let server = Program::start(folder.path());
    let password = either_password(&printed, &server);
    assert_eq!(log_in(&mut server.client(), password), 200);
}

#[test]
fn demo_data_before_the_first_start_does_not_lose_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path()).args(["seed-demo", "3"]).output();
    let printed = String::from_utf8(output.unwrap().stdout).unwrap();
    let server = Program::start(folder.path());
    let password = either_password(&printed, &server);
    assert_eq!(log_in(&mut server.client(), password), 200);
}

#[test]
fn the_configured_first_password_is_used_and_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Program::run(command(folder.path()).env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD));
    assert!(!server.printed.contains(PASSWORD), "{}", server.printed);
    assert_eq!(server.password(), None);
    assert_eq!(log_in(&mut server.client(), PASSWORD), 200);
}

#[test]
fn the_random_first_password_never_gets_into_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("journal");
    // A port that is taken, so that the program ends once it has said who may sign in.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (data, is_shown) in [("a", true), ("b", false)] {
        let journal = File::create(&said).unwrap();
        let file = journal.metadata().unwrap();
        let inode = if is_shown { 0 } else { file.ino() };
        let output = command(folder.path())
            .env("LICENSE_SERVER_PORT", &port)
            .env("LICENSE_SERVER_DATA_DIR", data)
            .env("JOURNAL_STREAM", format!("{}:{inode}", file.dev()))
            .stdout(journal)
            .output();
        refusal(&output.unwrap());
        let said = fs::read_to_string(&said).unwrap();
        assert!(said.contains("set-password"), "{said}");
        assert_eq!(first_password(&said).is_some(), is_shown, "{said}");
    }
}

#[test]
fn a_weak_first_password_is_refused_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for weak in ["hunter2", "Password123!"] {
        let mut command = command(folder.path());
        let output = command.env("LICENSE_SERVER_ADMIN_PASSWORD", weak).output();
        let line = refusal(&output.unwrap());
        assert_names(&line, &["`admin_password`"]);
        assert!(!line.contains(weak), "{line}");
    }
    assert!(Program::start(folder.path()).password().is_some());
}

#[test]
fn both_signals_stop_the_server_even_with_an_open_connection() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let server = Program::start(folder.path());
        let mut open = BufReader::new(TcpStream::connect(("127.0.0.1", server.port())).unwrap());
        let request = b"GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
        open.get_mut().write_all(request).unwrap();
        let mut line = String::new();
        open.read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 200 OK\r\n");
        let (code, log) = server.stop(signal);
        assert_eq!(code, Some(0), "{signal}");
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains("stopped"), "{log}");
    }
}

#[test]
fn idle_connections_do_not_delay_a_stop_and_a_running_request_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::start(folder.path());
    let connect = || TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let answered = |stream: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        line
    };
    let idle: Vec<BufReader<TcpStream>> = (0..5)
        .map(|_| {
            let mut open = BufReader::new(connect());
            let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
            open.get_mut().write_all(request).unwrap();
            assert_eq!(answered(&mut open), "HTTP/1.1 200 OK\r\n");
            open
        })
        .collect();
    // Half a body: the request is running.
    let body = br#"{"tool_name":"T","license_key":"k"}"#;
    let mut slow = BufReader::new(connect());
    let head = "POST /api/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Expect: 100-continue\r\n";
    let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
    slow.get_mut().write_all(head.as_bytes()).unwrap();
    assert_eq!(answered(&mut slow), "HTTP/1.1 100 Continue\r\n");
    assert_eq!(answered(&mut slow), "\r\n");
    slow.get_mut().write_all(&body[..20]).unwrap();
    // Rocket counts a request once it has the first 12 bytes.
    server.client().get("/health");
    let stopping = std::thread::spawn(move || server.stop("TERM"));
    let port = idle[0].get_ref().peer_addr().unwrap();
    while TcpStream::connect(port).is_ok() {
        std::thread::yield_now();
    }
    let began = Instant::now();
    slow.get_mut().write_all(&body[20..]).unwrap();
    assert_eq!(answered(&mut slow), "HTTP/1.1 404 Not Found\r\n");
    let (code, log) = stopping.join().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_millis(1_500));
    assert_eq!(idle.len(), 5);
    let log = folder.path().join("data/licenses.db-wal");
    assert!(!log.exists() || fs::metadata(log).unwrap().len() == 0);
}

#[test]
fn a_kubernetes_service_of_our_name_does_not_keep_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path());
    command.env("LICENSE_SERVER_PORT_8000_TCP_ADDR", "10.96.12.7");
    let server = Program::run(command.env("LICENSE_SERVER_SERVICE_HOST", "10.96.12.7"));
    assert_eq!(server.client().get("/health").status, 200);
    let (_, log) = server.stop("TERM");
    assert_eq!(
        log.matches("audit_head entries=1 hash=").count(),
        1,
        "{log}"
    );
    assert_eq!(log.matches("environment_ignored").count(), 1, "{log}");
}

#[test]
fn a_second_server_on_the_same_port_is_refused() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let server = Program::start(folders[0].path());
    let port = server.port().to_string();
    let mut second = command(folders[1].path());
    let line = refusal(&second.env("LICENSE_SERVER_PORT", &port).output().unwrap());
    assert_names(&line, &["`port`", &port]);
    assert_eq!(server.client().get("/login").status, 200);
}

#[test]
fn an_unwritable_data_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plain"), "a file").unwrap();
    let mut command = command(folder.path());
    let output = command
        .env("LICENSE_SERVER_DATA_DIR", "plain/data")
        .output();
    let line = refusal(&output.unwrap());
    assert_names(&line, &["`data_dir`", "plain/data"]);
}

#[test]
fn an_unknown_or_invalid_setting_is_refused_with_its_source() {
    for (name, value, words) in [
        ("prot", "8000", ["`prot`", "`port`"]),
        ("port", "seventy", ["`port`", "`seventy`"]),
        ("utc_offset", "CEST", ["`utc_offset`", "`CEST`"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let variable = format!("LICENSE_SERVER_{}", name.to_uppercase());
        let output = command(folder.path()).env(&variable, value).output();
        let line = refusal(&output.unwrap());
        assert_names(&line, &words);
        assert_names(&line, &[&variable]);

        let file = folder.path().join("license-server.toml");
        fs::write(file, format!("{name} = '{value}'")).unwrap();
        let mut command = command(folder.path());
        let output = command.env_remove("LICENSE_SERVER_PORT").output();
        let line = refusal(&output.unwrap());
        assert_names(&line, &words);
        assert_names(&line, &["license-server.toml"]);
        assert!(!folder.path().join("data").exists());
    }
}

#[test]
fn a_public_url_with_the_path_of_a_page_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path())
        .env("LICENSE_SERVER_PUBLIC_URL", "https://example.com/licenses")
        .output();
    assert_names(&refusal(&output.unwrap()), &["`public_url`", "`/licenses`"]);
}

#[test]
fn a_missing_settings_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path())
        .args(["--config", "elsewhere.toml"])
        .output();
    let line = refusal(&output.unwrap());
    assert_names(&line, &["elsewhere.toml", "--config"]);
}

#[test]
fn a_new_password_works_immediately_and_ends_all_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Program::run(command(folder.path()).env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD));
    let mut admin = server.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    let output = set_password(folder.path(), &[], "another horse battery");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(admin.get("/api/licenses").status, 401);
    assert_eq!(log_in(&mut server.client(), PASSWORD), 401);
    assert_eq!(log_in(&mut server.client(), "another horse battery"), 200);
}

#[test]
fn a_session_survives_a_restart_and_a_signed_out_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Program::run(command(folder.path()).env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD));
    let (mut kept, mut gone) = (server.client(), server.client());
    assert_eq!(log_in(&mut kept, PASSWORD), 200);
    assert_eq!(log_in(&mut gone, PASSWORD), 200);
    let dead = gone.cookies.clone();
    let form = Page::open(&mut gone, "/licenses").form("/logout");
    form.submit(&mut gone);
    assert_eq!(server.stop("TERM").0, Some(0));
    let server = Program::start(folder.path());
    let [mut still_in, mut out] = [server.client(), server.client()];
    (still_in.cookies, out.cookies) = (kept.cookies, dead);
    assert_eq!(still_in.get("/api/licenses").status, 200);
    assert_eq!(out.get("/api/licenses").status, 401);
}

#[test]
fn the_command_line_verifies_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Program::run(command(folder.path()).env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD));
    assert_eq!(log_in(&mut server.client(), PASSWORD), 200);
    set_password(folder.path(), &[], "another horse battery");
    command(folder.path())
        .args(["seed-demo", "2"])
        .output()
        .unwrap();
    let database = Database::of(&folder.path().join("data"));
    let noted: Vec<(String, String)> = database
        .audit()
        .into_iter()
        .map(|n| (n.kind, n.who))
        .collect();
    let expected = [
        ("signing key created", "first start"),
        ("signed in", "admin"),
        ("password changed", "command line"),
        ("demo seeded", "command line"),
    ];
    assert_eq!(
        noted,
        expected.map(|(kind, who)| (kind.to_owned(), who.to_owned()))
    );
    let verify = || {
        command(folder.path())
            .args(["audit", "verify"])
            .output()
            .unwrap()
    };
    let verified = verify();
    let printed = String::from_utf8(verified.stdout).unwrap();
    assert_eq!(verified.status.code(), Some(0));
    let last = "select hash from audit order by id desc limit 1";
    let hash: String = database.one(last, &[]);
    assert_names(&printed, &["4", &hash]);
    database.unlock_audit();
    database.tamper("update audit set at = at + 1 where id = 2");
    assert_names(&refusal(&verify()), &["row 2"]);
}

#[test]
fn a_new_password_names_the_tokens_that_survive_it_or_revokes_them() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Program::run(command(folder.path()).env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD));
    let mut admin = server.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    let in_a_month = OffsetDateTime::now_utc() + time::Duration::days(30);
    let day = in_a_month.date().to_string();
    let secret = token(&mut admin, "CI", "read=true", &day);
    let mut script = server.client();
    let header = ("Authorization".to_owned(), format!("Bearer {secret}"));
    script.headers.push(header);
    let mut set = |arguments: &[&str], password: &str| {
        let output = set_password(folder.path(), arguments, password);
        let printed = String::from_utf8(output.stdout).unwrap();
        (printed, script.get("/api/licenses").status)
    };
    let (printed, status) = set(&[], "another horse battery");
    assert_names(&printed, &["1", "--revoke-tokens"]);
    assert_eq!(status, 200);
    let (printed, status) = set(&["admin", "--revoke-tokens"], "a third horse battery");
    assert_names(&printed, &["1"]);
    assert_eq!(status, 401);
}

#[test]
fn a_new_password_needs_an_existing_user_and_enough_characters() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Program::run(command(folder.path()).env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD));
    let line = refusal(&set_password(
        folder.path(),
        &["nobody"],
        "another horse battery",
    ));
    assert_names(&line, &["`nobody`", "admin"]);
    let line = refusal(&set_password(folder.path(), &["admin"], "short"));
    assert_names(&line, &["5", "12"]);
    refusal(&set_password(folder.path(), &["admin"], "adminadmin2026"));
    assert_eq!(log_in(&mut server.client(), PASSWORD), 200);
}

#[test]
fn the_help_lists_the_commands_and_every_setting() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path()).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    assert_names(
        &help,
        &["serve", "admin", "--config <FILE>", "LICENSE_SERVER_PORT"],
    );
    for setting in [
        "address",
        "port",
        "data_dir",
        "public_url",
        "utc_offset",
        "trusted_proxies",
        "admin_password",
    ] {
        assert!(
            help.contains(&format!("\n  {setting} ")),
            "{setting}: {help}"
        );
    }
}

#[test]
fn the_version_is_the_package_version() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path()).arg("--version").output().unwrap();
    let version = concat!("license-server ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), version);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_folder_that_anybody_may_change_is_closed_at_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("note"), "of somebody else").unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    drop(Program::start(folder.path()));
    let mode = fs::metadata(&data).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn no_other_user_of_the_machine_can_read_the_data() {
    if !sqlite_only("it is about the rights to the file") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut open_to_all = command(folder.path());
    let server = Program::run(&mut open_to_all);
    log_in(&mut server.client(), server.password().unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = folder.path().join("data");
    assert_eq!(mode(&data), 0o700);
    assert!(data.join("mark").exists());
    let entries = fs::read_dir(&data).unwrap();
    let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(files.contains(&data.join("licenses.db")) && files.len() > 1);
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}
