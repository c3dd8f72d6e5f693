//! `static/LicenseClient.cs` as Mono compiles and runs it: the conformance vectors, and impostors.
//!
//! .NET on Windows, and with it the operating system's ECDSA, is not run here: Mono has none, so that
//! the file's own arithmetic is what verifies.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::server::Server;
use crate::tools;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");

/// A point of P-256 that nobody signs with here: the curve's own base point.
const KEY: &str =
    "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY.T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU";

const NOBODY: u32 = 65_534;

/// The client and its adapter, compiled.
struct Program {
    mono: PathBuf,
    file: PathBuf,
    /// Who runs it, where that is somebody else.
    user: Option<u32>,
}

/// Compiles both, once for all tests. `None` where there is no Mono.
fn compiled() -> Option<&'static Program> {
    static PROGRAM: OnceLock<Option<Program>> = OnceLock::new();
    PROGRAM.get_or_init(Program::compile).as_ref()
}

impl Program {
    fn compile() -> Option<Program> {
        let (compiler, mono) = (tools::find("mcs")?, tools::find("mono")?);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("CSharpClient.exe");
        let output = Command::new(compiler)
            // A warning is an error, and a strict project's rule for arithmetic must not matter.
            .args(["-langversion:6", "-checked", "-warn:4", "-warnaserror"])
            .args(["-r:System.Core.dll", "-r:System.Net.Http.dll"])
            .arg("-r:System.Numerics.dll")
            .arg(format!("-out:{}", file.display()))
            .args(["tests/vectors/CSharpClient.cs", "static/LicenseClient.cs"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && said.is_empty(), "{said}");
        Some(Program {
            mono,
            file,
            user: None,
        })
    }

    /// The same program, run by a user for whom permissions hold, as they do not for root.
    fn of_ordinary_user(&self, home: &Path) -> Program {
        let is_root = fs::metadata(home).unwrap().uid() == 0;
        let file = home.join("CSharpClient.exe");
        fs::copy(&self.file, &file).unwrap();
        if is_root {
            chown(home, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Program {
            mono: self.mono.clone(),
            file,
            user: is_root.then_some(NOBODY),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.mono);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
            .arg(&self.file)
            .args(arguments)
            .current_dir(self.file.parent().unwrap());
        command
    }

    fn conclude(&self, vector: &Value) -> Result<Value, String> {
        run(&mut self.command(&[]), vector.to_string().as_bytes())
    }

    /// What the client concludes about the server at this address, with these keys.
    fn ask(&self, server: &str, keys: &[&str]) -> Value {
        let leases = tempfile::tempdir().unwrap();
        let arguments = [&[server, "60", leases.path().to_str().unwrap()], keys].concat();
        run(&mut self.command(&arguments), b"").unwrap()
    }
}

/// Runs the program with this input; it writes JSON.
fn run(command: &mut Command, input: &[u8]) -> Result<Value, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // With arguments it does not read, and may have ended already.
    drop(child.stdin.take().unwrap().write_all(input));
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The program that concludes from one vector a line; none where there is no Mono.
pub fn lines() -> Option<Command> {
    let program = compiled()?;
    let mut command = Command::new(&program.mono);
    command.arg(&program.file).arg("--lines");
    Some(command)
}

fn vectors() -> Vec<(String, Value)> {
    let files = fs::read_dir(VECTORS)
        .unwrap()
        .map(|file| file.unwrap().path());
    let vectors = files.filter(|file| file.extension().is_some_and(|ending| ending == "json"));
    let read = |file: PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        (
            name,
            serde_json::from_slice(&fs::read(file).unwrap()).unwrap(),
        )
    };
    vectors.map(read).collect()
}

/// The vector of this name, with a folder for the lease in place of what is stored.
fn vector_in(folder: &Path, name: &str) -> Value {
    let text = fs::read(Path::new(VECTORS).join(name).with_extension("json")).unwrap();
    let mut vector: Value = serde_json::from_slice(&text).unwrap();
    vector["cache"] = Value::Null;
    vector["folder"] = folder.to_str().unwrap().into();
    vector["refresh"] = true.into();
    vector
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A server on a loopback port that always answers this; its thread ends with the test program.
fn always(status: &str, header: &str, body: &str) -> String {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut request = BufReader::new(connection.unwrap());
            read_request(&mut request);
            request.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://127.0.0.1:{port}/licenseserver")
}

fn read_request(request: &mut BufReader<TcpStream>) {
    let mut length = 0;
    let mut line = String::new();
    while request.read_line(&mut line).unwrap() > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    request.read_exact(&mut vec![0; length]).unwrap();
}

const JSON: &str = "Content-Type: application/json";
const VALID: &str = r#"{"status":"valid","message":"License is active and valid."}"#;

#[test]
fn every_vector_is_concluded_as_written() {
    let Some(program) = compiled() else {
        return;
    };
    let wrong = |(name, vector): &(String, Value)| {
        let concluded = program.conclude(vector);
        (concluded.as_ref() != Ok(&vector["conclude"])).then(|| format!("{name}: {concluded:?}"))
    };
    let wrong: Vec<String> = vectors().iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refresh_in_the_background_changes_what_is_stored_and_not_the_answer() {
    let Some(program) = compiled() else {
        return;
    };
    let vectors = vectors();
    let is_lease =
        |vector: &&Value| vector["conclude"]["source"] == "lease" && vector["answer"].is_null();
    let answers = vectors.iter().map(|(_, vector)| vector);
    let refusal = |vector: &&Value| vector["conclude"]["code"] == "REVOKED";
    // The vectors share tool, machine, nonce and keys, so that the answer of one fits the lease of another.
    let Some(refused) = answers.clone().find(refusal) else {
        return;
    };
    let fits = |vector: &&Value| {
        ["tool_name", "license_key", "nonce", "keys", "now"]
            .iter()
            .all(|name| vector[name] == refused[name])
    };
    let leases: Vec<&Value> = answers
        .filter(is_lease)
        .filter(fits)
        .filter(|vector| vector["refresh"] == false)
        .collect();
    let mut refreshed = 0;
    for lease in leases {
        let mut vector = lease.clone();
        vector["answer"] = refused["answer"].clone();
        vector["background"] = true.into();
        vector["asks"] = true.into();
        // A fresh lease asks nobody, and then the program says so instead of concluding.
        if let Ok(concluded) = program.conclude(&vector) {
            assert_eq!(concluded["source"], "lease", "{vector}");
            assert_eq!(concluded["cache"]["token"], Value::Null, "{vector}");
            refreshed += 1;
        }
    }
    assert!(refreshed > 0, "no lease is past half its life");
}

#[test]
fn only_the_user_reads_the_lease() {
    let Some(program) = compiled() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("Größe");
    // Written, replaced and erased.
    for name in ["good-valid", "good-valid", "refused-revoked"] {
        let concluded = program.conclude(&vector_in(&folder, name)).unwrap();
        assert_eq!(concluded["source"], "server", "{concluded}");
        let files = fs::read_dir(&folder).unwrap();
        let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 2, "the lease and the lock: {files:?}");
        assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
        assert_eq!(mode(&folder), 0o700);
    }
}

#[test]
fn a_refusal_erases_the_lease_in_a_folder_that_cannot_be_written() {
    let Some(program) = compiled() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let program = program.of_ordinary_user(home.path());
    let folder = home.path().join("leases");
    let conclude = |name| program.conclude(&vector_in(&folder, name)).unwrap();
    assert!(conclude("good-valid")["cache"]["token"].is_string());
    set_mode(&folder, 0o555);
    let refused = conclude("refused-revoked");
    let again = conclude("none-nobody");
    set_mode(&folder, 0o755);
    assert_eq!(refused["cache"]["token"], Value::Null, "{refused}");
    assert_eq!(
        (&again["code"], &again["cache"]),
        (&json!("NO_ANSWER"), &refused["cache"])
    );
}

#[test]
fn with_keys_nobody_else_says_valid_or_invalid() {
    let Some(program) = compiled() else {
        return;
    };
    let html = "Content-Type: text/html";
    let not_found = r#"{"status":"invalid","message":"License key not found for this tool."}"#;
    let honest = always("200 OK", JSON, VALID);
    let impostors = [
        always("200 OK", html, "<h1>Welcome to this Wi-Fi</h1>"),
        always("404 Not Found", html, "<h1>404 Invalid address</h1>"),
        always("404 Not Found", JSON, not_found),
        always("302 Found", &format!("Location: {honest}/api/check"), ""),
        always("503 Service Unavailable", JSON, VALID),
        always("200 OK", JSON, r#"{"status":"valid","token":"a.b.c"}"#),
        honest,
        "http://127.0.0.1:1".into(),
        "nowhere".into(),
    ];
    for server in &impostors {
        let concluded = program.ask(server, &[KEY, KEY]);
        assert_eq!(concluded["valid"], false, "{concluded}");
        assert_eq!(concluded["code"], "NO_ANSWER");
        assert_eq!(concluded["source"], "none");
        let message = concluded["message"].as_str().unwrap();
        assert!(
            message.starts_with("The license server cannot be reached"),
            "{message}"
        );
        assert!(!message.to_lowercase().contains("invalid"), "{message}");
    }
}

#[test]
fn a_key_that_cannot_be_read_does_not_mean_the_plain_question() {
    let Some(program) = compiled() else {
        return;
    };
    let server = always("200 OK", JSON, VALID);
    assert_eq!(program.ask(&server, &[])["valid"], true);
    for keys in [[KEY, "x.y"], [&KEY[1..], KEY], ["{}", KEY]] {
        let concluded = program.ask(&server, &keys);
        assert_eq!(
            (&concluded["valid"], &concluded["code"]),
            (&json!(false), &json!("NO_ANSWER"))
        );
    }
}

#[test]
fn without_keys_it_asks_the_plain_question() {
    let Some(program) = compiled() else {
        return;
    };
    let server = Server::start();
    let said = |verdict: &Value| (verdict["code"].clone(), verdict["message"].clone());
    let concluded = program.ask(&server.url, &[]);
    let unknown = "License key not found for this tool.";
    assert_eq!(said(&concluded), (json!("NOT_FOUND"), json!(unknown)));
    let id = server.license("Tool_A", "0a:1b:2c:3d:4e:5f");
    let concluded = program.ask(&server.url, &[]);
    let valid = "License is active and valid.";
    assert_eq!(said(&concluded), (json!("VALID"), json!(valid)));
    assert_eq!(
        (&concluded["valid"], &concluded["source"]),
        (&json!(true), &json!("server"))
    );
    server
        .admin()
        .patch(&format!("/api/licenses/{id}"), r#"{"status": "suspended"}"#);
    let concluded = program.ask(&server.url, &[]);
    let suspended = "License status is 'suspended'.";
    assert_eq!(said(&concluded), (json!("SUSPENDED"), json!(suspended)));
}

/// A time zone without summer time, as its file (RFC 8536) says it.
fn zone(hours: i32) -> Vec<u8> {
    let counts = [0_u32, 0, 0, 0, 1, 4].map(u32::to_be_bytes).concat();
    let offset = (hours * 3600).to_be_bytes();
    [b"TZif", &[0; 16][..], &counts, &offset, &[0, 0], b"XXX\0"].concat()
}

#[test]
fn days_are_counted_on_the_customers_calendar() {
    let Some(program) = compiled() else {
        return;
    };
    let server = Server::start();
    server.add(json!({
        "tool_name": "Tool_A", "license_key": "0a:1b:2c:3d:4e:5f", "expiration_date": "2026-06-20"
    }));
    let keys = server.stranger().get("/api/keys").json();
    // At noon of the 15th in UTC.
    for (hours, days) in [(-14, 6), (0, 5), (11, 5), (14, 4)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("zone");
        fs::write(&file, zone(hours)).unwrap();
        let leases = folder.path().to_str().unwrap();
        let mut command =
            program.command(&[&server.url, "60", leases, &keys["keys"][0].to_string()]);
        let concluded = run(command.env("TZ", file), b"").unwrap();
        let said = (&concluded["source"], &concluded["days_left"]);
        assert_eq!(said, (&json!("server"), &json!(days)), "{hours}");
    }
}

#[test]
fn the_diagnostic_text_has_no_secrets() {
    let Some(program) = compiled() else {
        return;
    };
    let concluded = program.ask("http://anna:secret@127.0.0.1:1/licenseserver?a=b", &[KEY]);
    let text = concluded["diagnostic"].as_str().unwrap();
    for shown in ["code: NO_ANSWER", "http://127.0.0.1:1/licenseserver\n"] {
        assert!(text.contains(shown), "{text}");
    }
    for secret in ["anna", "secret", "0a:1b"] {
        assert!(!text.contains(secret), "{text}");
    }
}
