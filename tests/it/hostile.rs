//! Hostile requests: thousands over raw sockets, and each limit.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::database::Database;
use crate::engine::sqlite_only;
use crate::program::{Program, command};
use crate::server::{Client, PASSWORD, Server};

/// Each run sends the same requests; another seed gives others.
const SEED: u64 = 20_260_615;
const THREADS: u64 = 4;
/// Connections of a storm, each with one request or a few.
const CONNECTIONS: u64 = 2_400;

/// An answer may take a second; the rest is for tests that run at the same time.
const HANG: Duration = Duration::from_secs(5);

const QUESTION: &str = r#"{"tool_name":"Tool","license_key":"0a:1b:2c:3d:4e:5f"}"#;
const VERDICTS: [&str; 3] = [
    r#""status":"valid""#,
    r#""status":"invalid""#,
    r#""status":"expired""#,
];

/// Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// True once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.below(among.len() as u64) as usize].clone()
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.number() as u8).collect()
    }
}

/// The requests of one connection.
#[derive(Default)]
struct Attack {
    bytes: Vec<u8>,
    /// Whether the last request is complete.
    is_complete: bool,
    /// Requests that may get a result.
    questions: usize,
}

/// The credentials of an attacker who is signed in.
struct Attacker {
    cookie: String,
    csrf: String,
}

const METHODS: [&str; 11] = [
    "GET", "POST", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get",
];

const ROUTES: [&str; 31] = [
    "/",
    "/health",
    "/ready",
    "/metrics",
    "/login",
    "/logout",
    "/import",
    "/import/ID",
    "/import/ID/leave",
    "/licenses.csv",
    "/licenses",
    "/licenses/new",
    "/licenses/ID",
    "/licenses/ID/edit",
    "/licenses/ID/delete",
    "/licenses/ID/status",
    "/account",
    "/account/password",
    "/account/tokens",
    "/account/tokens/ID/revoke",
    "/account/sessions/ID/end",
    "/account/sessions/end-others",
    "/audit",
    "/static/ID",
    "/api/check",
    "/api/check",
    "/api/check",
    "/api/login",
    "/api/licenses",
    "/api/licenses/ID",
    "/ID",
];

const FIELDS: [&str; 21] = [
    "tool_name",
    "license_key",
    "status",
    "user_id",
    "expiration_date",
    "q",
    "tool",
    "key",
    "limit",
    "after_id",
    "before",
    "after",
    "next",
    "username",
    "password",
    "csrf",
    "_method",
    "kind",
    "from",
    "scopes",
    "expiration_date",
];

/// Text that could break a parser anywhere.
fn junk(random: &mut Random) -> Vec<u8> {
    let odd: [&[u8]; 28] = [
        b"",
        b"%00",
        b"%",
        b"%zz",
        b"%c0%af",
        b"%e0%80%af",
        b"%ff%fe",
        b"%f4%90%80%80",
        b"%ed%a0%80",
        b"%2e%2e%2f",
        b"../../etc/passwd",
        b"..%5c",
        b"\xc0\xaf",
        b"\xff",
        b"\xed\xa0\x80",
        "\u{202e}\u{feff}\u{1f4a9}ﬃ\u{300}".as_bytes(),
        b"' or 1=1 --",
        b"\"; drop table licenses; --",
        b"%25%32%35",
        b"-9223372036854775809",
        b"9223372036854775807",
        b"1e999",
        b"NaN",
        b"<script>alert(1)</script>",
        b"{{7*7}}",
        b"\\u0000\\ud800",
        b"a\tb",
        b"=1+1",
    ];
    match random.below(12) {
        0 => random.bytes(40),
        1 => vec![random.pick(b"Aa%/\\[\"\xc3"); random.below(3_000) as usize],
        2 => [random.pick(&odd), random.pick(&odd)].concat(),
        _ => random.pick(&odd).to_vec(),
    }
}

/// [`junk`] without line breaks.
fn junk_in_a_line(random: &mut Random) -> Vec<u8> {
    let mut junk = junk(random);
    if !random.once_in(8) {
        junk.retain(|byte| *byte > b' ' && *byte != 0x7f);
    }
    junk
}

fn target(random: &mut Random) -> (Vec<u8>, bool) {
    let route = random.pick(&ROUTES);
    let mut path = vec![];
    for piece in route.split_inclusive("ID") {
        let (before, has_id) = piece
            .strip_suffix("ID")
            .map_or((piece, false), |p| (p, true));
        path.extend(before.bytes());
        if has_id {
            path.extend(junk_in_a_line(random));
        }
    }
    let is_check = path == b"/api/check";
    if random.once_in(30) {
        path.extend(vec![b'/'; random.below(9_000) as usize]);
    }
    if random.once_in(3) {
        path.push(b'?');
        for _ in 0..random.below(4) {
            path.extend(random.pick(&FIELDS).bytes());
            path.push(b'=');
            path.extend(junk_in_a_line(random));
            path.push(b'&');
        }
    }
    (path, is_check)
}

fn headers(random: &mut Random, attacker: Option<&Attacker>) -> Vec<u8> {
    let names = [
        "Cookie",
        "Authorization",
        "X-Forwarded-For",
        "X-Real-IP",
        "Origin",
        "Sec-Fetch-Site",
        "User-Agent",
        "Accept",
        "Range",
        "If-None-Match",
        "Referer",
        "Upgrade",
        "Expect",
        "X-Odd",
        "X-HTTP-Method-Override",
        "Accept-Encoding",
    ];
    let begins = [
        "",
        "",
        "Bearer ",
        "license_session=",
        "license_session=%",
        "lsk_",
        "Basic ",
    ];
    let mut head = vec![];
    let mut add = |name: &[u8], value: &[u8]| {
        head.extend([name, b": ", value, b"\r\n"].concat());
    };
    let count = if random.once_in(40) {
        200
    } else {
        random.below(5)
    };
    for _ in 0..count {
        let value = [random.pick(&begins).as_bytes(), &junk_in_a_line(random)].concat();
        add(random.pick(&names).as_bytes(), &value);
    }
    if random.once_in(40) {
        add(b"X-Huge", &vec![b'h'; random.below(600_000) as usize]);
    }
    if random.once_in(40) {
        add(&random.bytes(30), b"x");
    }
    if random.once_in(2) {
        let address = format!("203.0.{}.{}", random.below(256), random.below(256));
        add(b"X-Forwarded-For", address.as_bytes());
    }
    if let Some(attacker) = attacker {
        add(b"Cookie", attacker.cookie.as_bytes());
    }
    head
}

fn json_body(random: &mut Random) -> Vec<u8> {
    let text = |random: &mut Random| String::from_utf8_lossy(&junk(random)).into_owned();
    match random.below(8) {
        0 => QUESTION.into(),
        1 => "[".repeat(random.below(70_000) as usize).into(),
        2 => r#"{"tool_name":"#.repeat(random.below(700) as usize).into(),
        3 => junk(random),
        4 => format!(
            r#"{{"tool_name":"Tool","tool_name":"Tool","license_key":{}}}"#,
            random.number()
        )
        .into(),
        5 => [
            &b"{\"tool_name\":\""[..],
            &junk(random),
            b"\",\"license_key\":\"k\"}",
        ]
        .concat(),
        _ => {
            let mut fields = serde_json::Map::new();
            for _ in 0..random.below(6) {
                let value = match random.below(5) {
                    0 => Value::Null,
                    1 => serde_json::json!([{"a": random.number()}]),
                    _ => text(random).into(),
                };
                fields.insert(random.pick(&FIELDS).into(), value);
            }
            Value::Object(fields).to_string().into()
        }
    }
}

fn form_body(random: &mut Random, attacker: Option<&Attacker>) -> Vec<u8> {
    let mut body = vec![];
    if random.once_in(3) {
        let method = random.pick(&["delete", "PATCH", "put", "TRACE", "", "\0", "get"]);
        body.extend(format!("_method={method}&").bytes());
    }
    if let Some(attacker) = attacker {
        body.extend(format!("csrf={}&", attacker.csrf).bytes());
    }
    for _ in 0..random.below(6) {
        body.extend([random.pick(&FIELDS).as_bytes(), b"=", &junk(random), b"&"].concat());
    }
    if random.once_in(40) {
        body.extend(vec![b'&'; random.below(80_000) as usize]);
    }
    body
}

fn is_question(body: &[u8]) -> bool {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let holds = |name: &str, most: usize| {
        asked[name].as_str().is_some_and(|text| {
            (1..=most).contains(&text.chars().count()) && !text.contains(char::is_control)
        })
    };
    holds("tool_name", 100) && holds("license_key", 255)
}

/// Appends one request; says whether it is complete and leaves the connection in step.
fn request(
    attack: &mut Attack,
    random: &mut Random,
    attacker: Option<&Attacker>,
    is_last: bool,
) -> bool {
    let (path, is_check) = target(random);
    // Signing out early would spoil the test.
    let attacker = attacker.filter(|_| !path.starts_with(b"/logout"));
    let method = random.pick(&METHODS);
    let is_form = random.once_in(3);
    let body = if is_form {
        form_body(random, attacker)
    } else {
        json_body(random)
    };
    let mut head = [
        method.as_bytes(),
        b" ",
        &path,
        b" HTTP/1.1\r\nHost: localhost\r\n",
    ]
    .concat();
    head.extend(headers(random, attacker));
    let form = "application/x-www-form-urlencoded";
    let kinds: &[&str] = match random.below(8) {
        0 => &[],
        1 => &["application/json", "text/html"],
        2 => &["multipart/form-data; boundary=x"],
        3 => &[
            "application/json; charset=utf-7",
            "application/x-www-form-urlencoded",
        ],
        _ => &[if is_form { form } else { "application/json" }],
    };
    for kind in kinds {
        head.extend(format!("Content-Type: {kind}\r\n").bytes());
    }
    if is_last {
        head.extend(b"Connection: close\r\n");
    }
    let mut is_complete = true;
    let sent = match random.below(12) {
        0 => {
            head.extend(b"Transfer-Encoding: chunked\r\n");
            let chunks = body.chunks(1_000).map(|chunk| {
                [
                    format!("{:x};x=y\r\n", chunk.len()).as_bytes(),
                    chunk,
                    b"\r\n",
                ]
                .concat()
            });
            [chunks.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat()
        }
        1 => {
            is_complete = false;
            head.extend(b"Transfer-Encoding: chunked\r\n");
            let size = random.pick(&["zz", "-1", "ffffffffffffffffff", "5", "", "0x5", "1\n"]);
            [size.as_bytes(), b"\r\n", &body].concat()
        }
        2 => {
            is_complete = false;
            let length = random.pick(&["-1", "+5", "1e3", "5, 5", "99999999999999999999", "x", ""]);
            head.extend(format!("Content-Length: {length}\r\n").bytes());
            body.clone()
        }
        3 => {
            is_complete = false;
            let length = (body.len() as u64 + random.below(200)).saturating_sub(100);
            head.extend(format!("Content-Length: {length}\r\n").bytes());
            body.clone()
        }
        4 => {
            is_complete = false;
            let length = body.len();
            head.extend(
                format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n").bytes(),
            );
            body.clone()
        }
        _ => {
            head.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
            body.clone()
        }
    };
    if method == "POST"
        && is_check
        && kinds.iter().any(|k| k.contains("json"))
        && is_question(&body)
    {
        attack.questions += 1;
    }
    head.extend(b"\r\n");
    attack.bytes.extend(head);
    attack.bytes.extend(sent);
    is_complete
}

fn attack(random: &mut Random, attacker: Option<&Attacker>) -> Attack {
    let mut attack = Attack::default();
    match random.below(10) {
        0 => attack.bytes = random.bytes(600),
        2 => {
            let in_chunks = random.once_in(2);
            attack.bytes = of_size(
                "/api/check",
                "application/json",
                QUESTION.as_bytes(),
                in_chunks,
            );
            (attack.is_complete, attack.questions) = (true, 1);
        }
        1 => {
            let lines: [&[u8]; 12] = [
                b"GET",
                b"GET /\r\n\r\n",
                b"GET / HTTP/9.9\r\n\r\n",
                b"\r\n\r\n\r\n",
                b"POST  /api/check  HTTP/1.1\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n",
                b"OPTIONS * HTTP/1.1\r\n\r\n",
                b"GET http://evil.example/api/check HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.0\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
                b"GET /\0 HTTP/1.1\r\n: \r\n\r\n",
            ];
            attack.bytes = random.pick(&lines).to_vec();
            attack.bytes.extend(junk(random));
        }
        _ => {
            let requests = if random.once_in(4) {
                1 + random.below(4)
            } else {
                1
            };
            attack.is_complete =
                (1..=requests).all(|at| request(&mut attack, random, attacker, at == requests));
        }
    }
    attack
}

/// Everything that comes back until the server closes the connection.
pub fn exchange(port: u16, bytes: &[u8], is_complete: bool) -> Result<Vec<u8>, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.set_write_timeout(Some(HANG)).unwrap();
    let is_end = |e: &std::io::Error| {
        matches!(
            e.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected
        )
    };
    let sent = stream.write_all(bytes).and_then(|()| {
        if is_complete {
            Ok(())
        } else {
            stream.shutdown(Shutdown::Write)
        }
    });
    if let Err(e) = sent
        && !is_end(&e)
    {
        return Err(format!("while it is sent: {e}"));
    }
    let mut answer = vec![];
    match stream.read_to_end(&mut answer) {
        Err(e) if !is_end(&e) => Err(format!("while it is answered: {e}")),
        Ok(_) | Err(_) => Ok(answer),
    }
}

fn statuses(answer: &str) -> Vec<u16> {
    let answers = answer.match_indices("HTTP/1.1 ");
    answers
        .filter_map(|(at, begin)| answer[at + begin.len()..].get(..3)?.parse().ok())
        .collect()
}

/// What came back.
#[derive(Default)]
struct Seen {
    answers: usize,
    verdicts: usize,
    slowest: Duration,
}

fn storm(port: u16, attacker: Option<&Attacker>) -> Seen {
    std::thread::scope(|scope| {
        let threads = (0..THREADS).map(|thread| {
            scope.spawn(move || {
                let mut seen = Seen::default();
                for at in 0..CONNECTIONS / THREADS {
                    let seed = SEED ^ (thread << 32 | at);
                    let attack = attack(&mut Random(seed), attacker);
                    let began = Instant::now();
                    let answer = exchange(port, &attack.bytes, attack.is_complete);
                    seen.slowest = seen.slowest.max(began.elapsed());
                    judge(seed, &attack, answer, &mut seen);
                }
                seen
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().fold(Seen::default(), |all, thread| {
            let seen = thread.join().unwrap();
            Seen {
                answers: all.answers + seen.answers,
                verdicts: all.verdicts + seen.verdicts,
                slowest: all.slowest.max(seen.slowest),
            }
        })
    })
}

fn judge(seed: u64, attack: &Attack, answer: Result<Vec<u8>, String>, seen: &mut Seen) {
    let sent = &attack.bytes[..attack.bytes.len().min(2_000)];
    let about = format!("seed {seed}: {}", sent.escape_ascii());
    let answer = answer.unwrap_or_else(|e| panic!("{e}\n{about}"));
    let answer = String::from_utf8_lossy(&answer);
    let statuses = statuses(&answer);
    assert!(
        statuses.iter().all(|status| *status < 500),
        "{statuses:?}\n{about}\n{answer}"
    );
    let verdicts: usize = VERDICTS
        .iter()
        .map(|words| answer.matches(words).count())
        .sum();
    assert!(
        verdicts <= attack.questions,
        "{verdicts} verdicts\n{about}\n{answer}"
    );
    seen.answers += statuses.len();
    seen.verdicts += verdicts;
}

/// The program with a license; its log goes to a file, because nobody reads a pipe meanwhile.
fn program(folder: &Path) -> (Program, Client) {
    let log = File::create(folder.join("log")).unwrap();
    let server = Program::run(
        command(folder)
            .env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD)
            .stderr(Stdio::from(log)),
    );
    let mut admin = server.client();
    let body = serde_json::json!({"username": "admin", "password": PASSWORD});
    assert_eq!(admin.post("/api/login", &body.to_string()).status, 200);
    assert_eq!(admin.post("/api/licenses", QUESTION).status, 201);
    (server, admin)
}

fn assert_whole(folder: &Path, server: &Program) {
    let log = fs::read_to_string(folder.join("log")).unwrap();
    let bad = log
        .lines()
        .find(|line| line.contains(" panic ") || line.contains(" fault "));
    assert_eq!(bad, None);
    let answer = server
        .client()
        .header("X-Forwarded-For", "192.0.2.1")
        .post("/api/check", QUESTION);
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &"valid".into())
    );
}

/// The columns that a check may change.
const OF_CHECKS: [&str; 6] = [
    "last_seen_on",
    "refused_on",
    "shared_on",
    "seen_version",
    "address_count",
    "host_count",
];

/// Every row that must not change without credentials.
fn rows(folder: &Path) -> Vec<String> {
    let tables = ["licenses", "tools", "users", "sessions", "api_tokens"];
    let database = Database::of(&folder.join("data"));
    database.rows_of(|table| tables.contains(&table), &OF_CHECKS)
}

#[test]
fn hostile_requests_change_nothing_and_get_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _admin) = program(folder.path());
    let before = rows(folder.path());
    let seen = storm(server.port(), None);
    assert!(
        seen.answers > 1_000 && seen.verdicts > 100,
        "{} {}",
        seen.answers,
        seen.verdicts
    );
    assert_whole(folder.path(), &server);
    assert_eq!(rows(folder.path()), before);
}

#[test]
fn hostile_requests_with_a_session_cause_no_5xx() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut admin) = program(folder.path());
    let page = admin.get("/licenses/new").body;
    let csrf = page.split(r#"name="csrf" value=""#).nth(1).unwrap();
    let attacker = Attacker {
        cookie: format!("license_session={}", admin.cookies["license_session"]),
        csrf: csrf.split('"').next().unwrap().to_owned(),
    };
    storm(server.port(), Some(&attacker));
    assert_whole(folder.path(), &server);
    assert_eq!(admin.get("/licenses").status, 200);
}

/// A request with this body, sent with its length or in chunks.
fn of_size(path: &str, kind: &str, body: &[u8], in_chunks: bool) -> Vec<u8> {
    let size = body.len();
    let (length, body) = if in_chunks {
        let chunk = [format!("{size:x}\r\n").as_bytes(), body, b"\r\n0\r\n\r\n"].concat();
        ("Transfer-Encoding: chunked".to_owned(), chunk)
    } else {
        (format!("Content-Length: {size}"), body.to_vec())
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
    );
    [head.into_bytes(), body].concat()
}

#[test]
fn a_body_may_be_as_large_as_its_limit() {
    let server = Server::start();
    let padded = |body: &str, size: usize| format!("{body}{}", " ".repeat(size - body.len()));
    let form = "application/x-www-form-urlencoded";
    let login = format!("username=admin&next={}", "/".repeat(64 * 1024));
    for in_chunks in [false, true] {
        for (more, status) in [(0, 404), (1, 413)] {
            let body = padded(QUESTION, 8 * 1024 + more);
            let request = of_size("/api/check", "application/json", body.as_bytes(), in_chunks);
            let answer = exchange(server.port, &request, true).unwrap();
            assert_eq!(statuses(&String::from_utf8(answer).unwrap()), [status]);
        }
        for (more, status) in [(0, 401), (1, 413)] {
            let body = &login.as_bytes()[..64 * 1024 + more];
            let request = of_size("/login", form, body, in_chunks);
            let answer = exchange(server.port, &request, true).unwrap();
            assert_eq!(statuses(&String::from_utf8(answer).unwrap()), [status]);
        }
    }
}

/// A runtime whose clock stops during work and otherwise jumps to the next deadline.
fn jumping() -> rocket::tokio::runtime::Runtime {
    let mut builder = rocket::tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

#[test]
fn an_incomplete_body_times_out() {
    if !sqlite_only(
        "a runtime whose clock jumps has a single thread, which cannot wait for PostgreSQL",
    ) {
        return;
    }
    let server = Server::on(jumping, |_| {});
    for (path, kind) in [
        ("/api/check", "application/json"),
        ("/api/login", "application/json"),
        ("/login", "application/x-www-form-urlencoded"),
    ] {
        let mut request = of_size(path, kind, QUESTION.as_bytes(), false);
        request.pop();
        let answer = String::from_utf8(exchange(server.port, &request, true).unwrap()).unwrap();
        assert_eq!(statuses(&answer), [408], "{answer}");
    }
    assert_eq!(server.check("Tool", "k").0, 404);
}

#[test]
fn a_flood_of_sign_ins_is_throttled_and_delays_no_check() {
    let server = Server::start();
    server.license("Tool", "k");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let checks: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut checks = 0;
                    while !is_over.load(Ordering::Relaxed) || checks < 10 {
                        assert_eq!(server.check("Tool", "k").0, 200);
                        checks += 1;
                    }
                })
            })
            .collect();
        let attempts = (0..64).map(|client| {
            let mut stranger = server
                .stranger()
                .header("X-Forwarded-For", &format!("203.0.113.{client}"));
            let body = format!(r#"{{"username":"user {client}","password":"wrong wrong wrong"}}"#);
            scope.spawn(move || stranger.post("/api/login", &body).status)
        });
        let attempts: Vec<_> = attempts.collect();
        let statuses: Vec<u16> = attempts.into_iter().map(|a| a.join().unwrap()).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(
            statuses.iter().all(|s| [401, 429].contains(s)),
            "{statuses:?}"
        );
        assert!(statuses.contains(&401), "{statuses:?}");
        checks.into_iter().for_each(|check| check.join().unwrap());
    });
}
