//! `static/license_client.py`, run as on a customer's computer, against the server and fake servers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::engine::once;
use crate::server::Server;
use crate::tools;

/// The program in the published text, with placeholders for the address and the tool.
pub const PUBLISHED_PROGRAM: &str = r#"
import sys
from license_client import LicenseClient

LICENSE_SERVER_URL = "{URL}"
TOOL_NAME = "{TOOL}"

def run_main_app():
    """Placeholder for your app's main entry point."""
    print("License is valid. Starting main application...")
    # Your application's main code goes here.
    # For a GUI app, you would initialize your main window here.

if __name__ == "__main__":
    client = LicenseClient(LICENSE_SERVER_URL)
    is_valid, message = client.check_license(TOOL_NAME)

    if is_valid:
        run_main_app()
    else:
        # In a real GUI app, you would display this message in a popup dialog.
        print(f"LICENSE VALIDATION FAILED: {message}")
        input("Press Enter to exit.") # Pause to allow user to read the message
        sys.exit(1)
"#;

/// Prints what `check_license` returns; the arguments are a timeout and addresses.
const CHECK: &str = "
import sys
from license_client import LicenseClient
for server in sys.argv[2:]:
    print(LicenseClient(server, float(sys.argv[1])).check_license('Tool_A'))";

/// Long enough for the slowest computer; no test waits for it.
const LONG_TIMEOUT: &str = "60";

/// A customer's computer: one Python and the client in a folder.
pub struct Customer {
    python: PathBuf,
    pub folder: TempDir,
}

/// One customer for each installed Python.
pub fn customers() -> Vec<Customer> {
    let client = include_str!("../../static/license_client.py");
    let customer = |python| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("license_client.py"), client).unwrap();
        Customer { python, folder }
    };
    tools::pythons().into_iter().map(customer).collect()
}

impl Customer {
    /// Runs Python with these arguments; returns its exit code and output.
    pub fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut child = Command::new(&self.python)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PYTHONIOENCODING", "utf-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // For a program that waits for Enter; another may have exited already.
        drop(child.stdin.take().unwrap().write_all(b"\n"));
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let printed = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), printed)
    }

    pub fn machine_id(&self) -> String {
        let (code, printed) = self.run(&["license_client.py", "--machine-id"]);
        assert_eq!(code, 0, "{printed}");
        printed.trim_end().into()
    }

    /// `license_client.py SERVER Tool_A`: the exit code, the verdict and the message.
    fn check(&self, server: &str) -> (i32, String, String) {
        let (code, printed) = self.run(&["license_client.py", server, "Tool_A"]);
        let line = |name: &str| {
            let mut lines = printed.lines();
            let line = lines.find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{printed}")).to_owned()
        };
        assert_eq!(line("Machine ID: "), self.machine_id());
        (code, line("Verdict: "), line("Message: "))
    }

    /// What `check_license` returns for each of these servers, as Python prints it.
    fn check_each(&self, seconds: &str, servers: &[&str]) -> Vec<String> {
        let (code, printed) = self.run(&[&["-c", CHECK, seconds], servers].concat());
        assert_eq!((code, printed.lines().count()), (0, servers.len()));
        printed.lines().map(str::to_owned).collect()
    }

    /// Checks with each of these servers: the license is not confirmed, the message has the reason,
    /// and it does not call the license invalid.
    fn assert_no_verdict(&self, seconds: &str, fakes: &[(&str, &str)]) {
        let servers: Vec<&str> = fakes.iter().map(|(server, _)| *server).collect();
        for (returned, (_, reason)) in self.check_each(seconds, &servers).iter().zip(fakes) {
            assert!(returned.starts_with("(False, "), "{returned}");
            assert!(returned.contains("The license server"), "{returned}");
            assert!(returned.contains(reason), "{reason}: {returned}");
            assert!(!returned.to_lowercase().contains("invalid"), "{returned}");
        }
    }
}

/// A fake server on a loopback port: it reads each request, then does this with the connection. Its
/// thread ends with the test program.
pub fn fake(answer: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut request = BufReader::new(connection.unwrap());
            read_request(&mut request);
            answer(request.get_mut());
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

/// A fake server that always sends this status line, header and body.
pub fn always(status: &str, header: &str, body: &str) -> String {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    fake(move |connection| connection.write_all(answer.as_bytes()).unwrap())
}

/// Sends `text`, then `more` until the client disconnects, one byte at a time.
fn drip(connection: &mut TcpStream, text: &str, more: u8) {
    let bytes = text.bytes().chain(std::iter::repeat(more));
    for byte in bytes {
        if connection.write_all(&[byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_command_line_prints_machine_id_and_verdict() {
    let server = Server::start();
    let mut admin = server.admin();
    for customer in customers() {
        let unknown = "License key not found for this tool.".to_owned();
        assert_eq!(
            customer.check(&server.url),
            (1, "not confirmed".into(), unknown)
        );
        let license = json!({"tool_name": "Tool_A", "license_key": customer.machine_id()});
        let added = admin.post("/api/licenses", &license.to_string());
        let valid = "License is active and valid.".to_owned();
        assert_eq!(customer.check(&server.url), (0, "valid".into(), valid));
        admin.delete(added.header("location"));
    }
}

#[test]
fn a_refusal_has_a_reason() {
    let server = Server::start();
    for customer in customers() {
        let license = json!({"tool_name": "Tool_A", "license_key": customer.machine_id(), "status": "revoked"});
        let id = server.add(license);
        let (code, verdict, message) = customer.check(&server.url);
        assert_eq!((code, verdict.as_str()), (1, "not confirmed"));
        assert_eq!(message, "License status is 'revoked'.");
        server.admin().delete(&format!("/api/licenses/{id}"));
    }
}

#[test]
fn a_license_has_expired_on_the_day_after_its_expiration_date() {
    for customer in customers() {
        let server = Server::start();
        let license = json!({"tool_name": "Tool_A", "license_key": customer.machine_id(), "expiration_date": "2026-06-15"});
        server.add(license);
        assert_eq!(customer.check(&server.url).0, 0);
        server.clock.turn(24 * 3600);
        let (code, _, message) = customer.check(&server.url);
        assert_eq!((code, message.as_str()), (1, "License has expired."));
    }
}

#[test]
fn the_published_program_runs() {
    for customer in customers() {
        let server = Server::at("http://127.0.0.1/licenseserver");
        let program = PUBLISHED_PROGRAM
            .replace("{URL}", &server.url)
            .replace("{TOOL}", "Tool_A");
        std::fs::write(customer.folder.path().join("app.py"), program).unwrap();
        let refused =
            "LICENSE VALIDATION FAILED: License key not found for this tool.\nPress Enter to exit.";
        assert_eq!(customer.run(&["app.py"]), (1, refused.into()));
        server.license("Tool_A", &customer.machine_id());
        let started = "License is valid. Starting main application...\n";
        assert_eq!(customer.run(&["app.py"]), (0, started.into()));
    }
}

#[test]
fn a_machine_id_is_stable_and_has_a_known_format() {
    let customers = customers();
    let ids: Vec<String> = customers.iter().map(Customer::machine_id).collect();
    for (customer, id) in customers.iter().zip(&ids) {
        assert_eq!(customer.machine_id(), *id);
        assert_eq!(*id, ids[0], "{}", customer.python.display());
        let digits: Vec<&str> = id.split(':').collect();
        let is_mac = digits.len() == 6 && digits.iter().all(|pair| pair.len() == 2);
        let is_hex = digits
            .concat()
            .bytes()
            .all(|b| b"0123456789abcdef".contains(&b));
        assert!(is_hex && (is_mac || id.len() == 32), "{id}");
    }
}

#[test]
fn a_fake_servers_answer_is_no_verdict() {
    let html = "Content-Type: text/html";
    let json = "Content-Type: application/json";
    let fakes = [
        (
            always("200 OK", html, "<h1>Welcome to this Wi-Fi</h1>"),
            "HTTP 200",
        ),
        (
            always("404 Not Found", html, "<h1>404 Invalid address</h1>"),
            "HTTP 404",
        ),
        (
            always("404 Not Found", json, r#"{"detail":"Not Found"}"#),
            "HTTP 404",
        ),
        (
            always(
                "403 Forbidden",
                json,
                r#"{"status":"blocked","message":"Invalid user"}"#,
            ),
            "HTTP 403",
        ),
        (
            always("404 Not Found", json, r#"{"status":"invalid"}"#),
            "HTTP 404",
        ),
        (
            always("200 OK", json, r#"{"status":"ok","message":"valid"}"#),
            "HTTP 200",
        ),
        (
            always(
                "200 OK",
                json,
                r#"{"status":"invalid","message":"invalid"}"#,
            ),
            "HTTP 200",
        ),
        (always("200 OK", json, r#"["valid"]"#), "HTTP 200"),
        (always("200 OK", json, r#"{"status":"valid","#), "HTTP 200"),
        (
            always("202 Accepted", json, r#"{"status":"valid","message":"m"}"#),
            "HTTP 202",
        ),
        (
            always(
                "500 Internal Server Error",
                json,
                r#"{"status":"error","message":"invalid"}"#,
            ),
            "HTTP 500",
        ),
        (
            always(
                "503 Service Unavailable",
                json,
                r#"{"status":"valid","message":"m"}"#,
            ),
            "HTTP 503",
        ),
        (
            always(
                "503 Service Unavailable",
                json,
                r#"{"status":"invalid","message":"m"}"#,
            ),
            "HTTP 503",
        ),
        (fake(|_| {}), "no connection"),
        (
            fake(|connection| connection.write_all(b"SSH-2.0-invalid\r\n").unwrap()),
            "not an HTTP response",
        ),
    ];
    let fakes: Vec<(&str, &str)> = fakes
        .iter()
        .map(|(server, reason)| (server.as_str(), *reason))
        .collect();
    for customer in customers() {
        customer.assert_no_verdict(LONG_TIMEOUT, &fakes);
    }
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let server = Server::start();
    let location = format!("Location: http://localhost:{}/api/check", server.port);
    let fakes = [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
    ]
    .map(|status| always(status, &location, ""));
    let fakes = fakes
        .each_ref()
        .map(|server| (server.as_str(), "redirect to another address"));
    for customer in customers() {
        let id = server.license("Tool_A", &customer.machine_id());
        assert!(customer.check_each(LONG_TIMEOUT, &[&server.url])[0].starts_with("(True, "));
        customer.assert_no_verdict(LONG_TIMEOUT, &fakes);
        server.admin().delete(&format!("/api/licenses/{id}"));
    }
}

#[test]
fn a_refused_connection_is_no_verdict() {
    for customer in customers() {
        let refused = [("http://127.0.0.1:1", "the connection was refused")];
        customer.assert_no_verdict(LONG_TIMEOUT, &refused);
    }
}

#[test]
fn a_silent_server_times_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    for customer in customers() {
        customer.assert_no_verdict("1.0", &[(&url, "no answer in time")]);
    }
}

#[test]
fn a_dripping_server_times_out() {
    const VALID: &str = "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"valid\",\"message\":\"License is active and valid.\"}";
    let slow_head = fake(|connection| drip(connection, "HTTP/1.1 200 OK\r\nX-Filler: ", b'x'));
    let slow_body = fake(|connection| drip(connection, VALID, b' '));
    for customer in customers() {
        customer.assert_no_verdict("1.0", &[(&slow_head, "("), (&slow_body, "(")]);
    }
}

#[test]
fn a_huge_answer_is_rejected() {
    let huge = fake(|connection| {
        let text = "HTTP/1.1 200 OK\r\n\r\n".to_owned() + &" ".repeat(10_000_000);
        // The client disconnects before the end.
        drop(connection.write_all(text.as_bytes()));
    });
    for customer in customers() {
        customer.assert_no_verdict(LONG_TIMEOUT, &[(&huge, "the answer is too long")]);
    }
}

#[test]
fn its_own_tests_of_signed_answers_and_leases_pass() {
    if !once() {
        return;
    }
    let tests = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/python/license_client_test.py"
    );
    // Without it the tests with real certificates are left out.
    tools::find("openssl");
    for python in tools::pythons() {
        let output = Command::new(&python).args(["-B", tests]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {stderr}", python.display());
    }
}
