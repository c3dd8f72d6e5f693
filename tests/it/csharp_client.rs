//! `static/LicenseClient.cs`, compiled and run by Mono: the conformance vectors, and fake servers.
//!
//! .NET on Windows is not tested here, nor is its ECDSA. Mono has no ECDSA, so the file's class
//! `MonoP256` verifies.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::engine::once;
use crate::lines;
use crate::server::Server;
use crate::tools;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");

/// A public key without a known private key: the generator of P-256.
const KEY: &str =
    "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY.T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU";

const NOBODY: u32 = 65_534;

/// The file of the state that the vectors store.
const STATE: &str = "a9b4b700f464f33c-3e9b06b76a3ce3e4.json";

/// The Python client's choice of machine IDs for the adapters in each line.
const CHOOSE: &str = "
import json, sys
import license_client
for line in sys.stdin:
    computer = json.loads(line)
    adapters = [license_client._windows_adapter(bytes.fromhex(a['permanent'].replace(':', '')), a['description'],
                                                a['type'] == 'wifi', a['hardware'], a['instance'], a['parents'])
                for a in computer['adapters']]
    machine = license_client._machine_of(adapters, computer['system_id'])
    every = {*machine.present, machine.earlier, machine.preferred} - {''}
    print(json.dumps({'earlier': machine.earlier, 'preferred': machine.preferred, 'all': sorted(every)}))
";

/// The client and its adapter, compiled.
struct Program {
    mono: PathBuf,
    file: PathBuf,
    /// The user that runs it, if not the current one.
    user: Option<u32>,
}

/// Compiled once for all tests; `None` without Mono.
fn compiled() -> Option<&'static Program> {
    static PROGRAM: OnceLock<Option<Program>> = OnceLock::new();
    PROGRAM.get_or_init(Program::compile).as_ref()
}

impl Program {
    fn compile() -> Option<Program> {
        let (compiler, mono) = (tools::find("mcs")?, tools::find("mono")?);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("CSharpClient.exe");
        let output = Command::new(compiler)
            // A vendor's project may treat warnings as errors, and check arithmetic for overflow.
            .args(["-langversion:6", "-checked", "-warn:4", "-warnaserror"])
            .args(["-r:System.Core.dll", "-r:System.Net.Http.dll"])
            .arg("-r:System.Numerics.dll")
            .arg(format!("-out:{}", file.display()))
            .args(["tests/vectors/CSharpClient.cs", "static/LicenseClient.cs"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let messages = [output.stdout, output.stderr].concat();
        let messages = String::from_utf8_lossy(&messages);
        assert!(output.status.success() && messages.is_empty(), "{messages}");
        Some(Program {
            mono,
            file,
            user: None,
        })
    }

    /// The same program, run by an ordinary user: permissions do not apply to root.
    fn as_ordinary_user(&self, home: &Path) -> Program {
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

    fn run_vector(&self, vector: &Value) -> Result<Value, String> {
        run(&mut self.command(&[]), format!("{vector}\n").as_bytes())
    }

    /// The result of a check with the server at this address, and with these keys.
    fn check(&self, server: &str, keys: &[&str]) -> Value {
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
    // With arguments it does not read, and may have exited already.
    drop(child.stdin.take().unwrap().write_all(input));
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The result of a check with these addresses, and with this folder for leases.
pub fn check(folder: &Path, servers: &[&str], key: &str) -> Value {
    let arguments = [&servers.join(","), "60", folder.to_str().unwrap(), key];
    run(&mut compiled().unwrap().command(&arguments), b"").unwrap()
}

/// A command that reads one vector per line; `None` without Mono.
pub fn lines() -> Option<Command> {
    let program = compiled()?;
    let mut command = Command::new(&program.mono);
    command.arg(&program.file);
    Some(command)
}

fn vector(name: &str) -> Value {
    let text = fs::read(Path::new(VECTORS).join(name).with_extension("json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// This vector, but with what is stored kept in the folder.
fn vector_in(folder: &Path, name: &str) -> Value {
    let mut vector = vector(name);
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

/// A server on a loopback port that always sends this; its thread ends with the test program.
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
fn every_vector_has_the_expected_result() {
    if !once() {
        return;
    }
    let Some(program) = compiled() else {
        return;
    };
    let Some(python) = tools::pythons().into_iter().next() else {
        return;
    };
    let output = Command::new(python)
        .arg(Path::new(VECTORS).join("run.py"))
        .args([&program.mono, &program.file])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn the_machine_ids_are_those_of_the_python_client() {
    let changes = include_str!("../python/hardware_changes.json");
    let changes: Value = serde_json::from_str(changes).unwrap();
    let mut computers = vec![];
    for change in changes["changes"].as_array().unwrap() {
        for when in ["before", "after"] {
            // An adapter that is turned off has no address, and Windows does not list it.
            let adapters = change[when].as_array().unwrap().iter();
            let listed: Vec<&Value> = adapters.filter(|it| it["address"] != "").collect();
            for system_id in [changes["system_id"].clone(), json!("")] {
                computers.push(json!({"adapters": listed, "system_id": system_id}));
            }
        }
    }
    let Some((mut csharp, mut python)) = lines().zip(lines::python(CHOOSE)) else {
        return;
    };
    let found = lines::answers(&mut csharp, &computers);
    let expected = lines::answers(&mut python, &computers);
    for (number, computer) in computers.iter().enumerate() {
        assert_eq!(found[number], expected[number], "{computer}");
    }
}

#[test]
fn a_background_refresh_changes_the_stored_lease_but_not_the_result() {
    let Some(program) = compiled() else {
        return;
    };
    // Both vectors share tool, machine, nonce and keys.
    let mut lease = vector("lease/half");
    lease["answers"] = vector("verdict/refused-revoked")["answers"].clone();
    lease["background"] = true.into();
    let result = program.run_vector(&lease).unwrap();
    assert_eq!(result["source"], "lease", "{result}");
    assert_eq!(
        result["requests"].as_array().map(Vec::len),
        Some(1),
        "{result}"
    );
    assert_eq!(result["states"][0]["token"], Value::Null, "{result}");
}

#[test]
fn a_background_refresh_asks_the_next_address() {
    let Some(program) = compiled() else {
        return;
    };
    let standby = vector("standby/unreachable");
    let mut lease = vector("lease/half");
    lease["standby_urls"] = standby["standby_urls"].clone();
    lease["answers"] = standby["answers"].clone();
    lease["background"] = true.into();
    let result = program.run_vector(&lease).unwrap();
    assert_eq!(result["source"], "lease", "{result}");
    assert_eq!(result["states"][0]["good_iat"], lease["now"], "{result}");
}

#[test]
fn a_plain_check_asks_the_next_address() {
    let Some(program) = compiled() else {
        return;
    };
    let broken = always("500 Internal Server Error", JSON, VALID);
    let refusing = always(
        "403 Forbidden",
        JSON,
        r#"{"status":"expired","message":"License has expired."}"#,
    );
    let good = always("200 OK", JSON, VALID);
    let result = program.check(&[&*broken, &refusing, &good].join(","), &[]);
    assert_eq!(result["code"], "EXPIRED", "{result}");
}

#[test]
fn a_pipe_in_place_of_the_lease_is_replaced() {
    let Some(program) = compiled() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join(STATE);
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let vector = vector_in(folder.path(), "verdict/good-valid");
    let result = program.run_vector(&vector).unwrap();
    assert_eq!(result["source"], "server", "{result}");
    assert!(fs::metadata(&pipe).unwrap().is_file());
}

#[test]
fn only_the_user_can_read_the_lease() {
    let Some(program) = compiled() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("Größe");
    // Written, replaced and erased.
    for name in ["good-valid", "good-valid", "refused-revoked"] {
        let vector = vector_in(&folder, &format!("verdict/{name}"));
        let result = program.run_vector(&vector).unwrap();
        assert_eq!(result["source"], "server", "{result}");
        let files = fs::read_dir(&folder).unwrap();
        let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 2, "the lease and the lock: {files:?}");
        assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
        assert_eq!(mode(&folder), 0o700);
    }
}

#[test]
fn a_refusal_erases_the_lease_in_a_read_only_folder() {
    let Some(program) = compiled() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let program = program.as_ordinary_user(home.path());
    let folder = home.path().join("leases");
    let run = |name| program.run_vector(&vector_in(&folder, name)).unwrap();
    assert!(run("verdict/good-valid")["states"][0]["token"].is_string());
    set_mode(&folder, 0o555);
    let refused = run("verdict/refused-revoked");
    let again = run("verdict/none-unreachable");
    set_mode(&folder, 0o755);
    assert_eq!(refused["states"][0]["token"], Value::Null, "{refused}");
    assert_eq!(
        (&again["code"], &again["states"]),
        (&json!("NO_ANSWER"), &refused["states"])
    );
}

#[test]
fn with_keys_no_fake_server_makes_a_license_valid_or_invalid() {
    let Some(program) = compiled() else {
        return;
    };
    let html = "Content-Type: text/html";
    let not_found = r#"{"status":"invalid","message":"License key not found for this tool."}"#;
    let unsigned = always("200 OK", JSON, VALID);
    let fakes = [
        always("200 OK", html, "<h1>Welcome to this Wi-Fi</h1>"),
        always("404 Not Found", html, "<h1>404 Invalid address</h1>"),
        always("404 Not Found", JSON, not_found),
        always("302 Found", &format!("Location: {unsigned}/api/check"), ""),
        always("503 Service Unavailable", JSON, VALID),
        always("200 OK", JSON, r#"{"status":"valid","token":"a.b.c"}"#),
        unsigned,
        "http://127.0.0.1:1".into(),
        "nowhere".into(),
    ];
    for server in &fakes {
        let result = program.check(server, &[KEY, KEY]);
        assert_eq!(result["valid"], false, "{result}");
        assert_eq!(result["code"], "NO_ANSWER");
        assert_eq!(result["source"], "none");
        let message = result["message"].as_str().unwrap();
        assert!(
            message.starts_with("The license server cannot be reached"),
            "{message}"
        );
        assert!(!message.to_lowercase().contains("invalid"), "{message}");
    }
}

#[test]
fn a_check_follows_redirects_with_and_without_keys() {
    let Some(program) = compiled() else {
        return;
    };
    let server = Server::start();
    server.license("Tool_A", "0a:1b:2c:3d:4e:5f");
    let key = server.stranger().get("/api/keys").json()["keys"][0].to_string();
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let moved = always(status, &format!("Location: {}/api/check", server.url), "");
        for keys in [&[key.as_str()][..], &[]] {
            let result = program.check(&moved, keys);
            assert_eq!(result["code"], "VALID", "{status}: {result}");
        }
    }
}

#[test]
fn an_unusable_key_does_not_mean_a_plain_check() {
    let Some(program) = compiled() else {
        return;
    };
    let server = always("200 OK", JSON, VALID);
    assert_eq!(program.check(&server, &[])["valid"], true);
    let off_curve = KEY.replace("axf", "bxf");
    for keys in [
        [KEY, "x.y"],
        [&KEY[1..], KEY],
        ["{}", KEY],
        [&off_curve, KEY],
    ] {
        let result = program.check(&server, &keys);
        assert_eq!(
            (&result["valid"], &result["code"]),
            (&json!(false), &json!("NO_ANSWER"))
        );
        let message = result["message"].as_str().unwrap();
        assert!(message.contains("public keys"), "{message}");
    }
}

#[test]
fn without_keys_it_sends_a_plain_check() {
    let Some(program) = compiled() else {
        return;
    };
    let server = Server::start();
    let summary = |result: &Value| (result["code"].clone(), result["message"].clone());
    let result = program.check(&server.url, &[]);
    let unknown = "License key not found for this tool.";
    assert_eq!(summary(&result), (json!("NOT_FOUND"), json!(unknown)));
    let id = server.license("Tool_A", "0a:1b:2c:3d:4e:5f");
    let result = program.check(&server.url, &[]);
    let valid = "License is active and valid.";
    assert_eq!(summary(&result), (json!("VALID"), json!(valid)));
    assert_eq!(
        (&result["valid"], &result["source"]),
        (&json!(true), &json!("server"))
    );
    server
        .admin()
        .patch(&format!("/api/licenses/{id}"), r#"{"status": "suspended"}"#);
    let result = program.check(&server.url, &[]);
    let suspended = "License status is 'suspended'.";
    assert_eq!(summary(&result), (json!("SUSPENDED"), json!(suspended)));
}

/// The file (RFC 8536) of a time zone without daylight saving time.
fn zone(hours: i32) -> Vec<u8> {
    let counts = [0_u32, 0, 0, 0, 1, 4].map(u32::to_be_bytes).concat();
    let offset = (hours * 3600).to_be_bytes();
    [b"TZif", &[0; 16][..], &counts, &offset, &[0, 0], b"XXX\0"].concat()
}

#[test]
fn days_left_follow_the_customers_calendar() {
    let Some(program) = compiled() else {
        return;
    };
    let server = Server::start();
    server.add(json!({
        "tool_name": "Tool_A", "license_key": "0a:1b:2c:3d:4e:5f", "expiration_date": "2026-06-20"
    }));
    let keys = server.stranger().get("/api/keys").json();
    // It is noon on the 15th in UTC.
    for (hours, days) in [(-14, 6), (0, 5), (11, 5), (14, 4)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("zone");
        fs::write(&file, zone(hours)).unwrap();
        let leases = folder.path().to_str().unwrap();
        let mut command =
            program.command(&[&server.url, "60", leases, &keys["keys"][0].to_string()]);
        let result = run(command.env("TZ", file), b"").unwrap();
        let days_left = (&result["source"], &result["days_left"]);
        assert_eq!(days_left, (&json!("server"), &json!(days)), "{hours}");
    }
}

#[test]
fn the_diagnostic_text_has_no_secrets() {
    let Some(program) = compiled() else {
        return;
    };
    let result = program.check("http://anna:secret@127.0.0.1:1/licenseserver?a=b", &[KEY]);
    let text = result["diagnostic"].as_str().unwrap();
    for shown in ["code: NO_ANSWER", "http://127.0.0.1:1/licenseserver\n"] {
        assert!(text.contains(shown), "{text}");
    }
    for secret in ["anna", "secret", "0a:1b"] {
        assert!(!text.contains(secret), "{text}");
    }
}
