//! The ready code of a tool: filled in correctly, and run if the programs for it are installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::engine::once;
use crate::page::{Page, urlencoded};
use crate::server::Server;
use crate::{tools, windows};

const ODD: &str = "A \"b\" 'c' \\ $d `e` ${f} <g> ä1’😀2 ??/";

/// A server with a data folder, where an operator can put templates.
fn server() -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_owned();
    (Server::with(|config| config.data_dir = data_dir), folder)
}

/// What the page shows of a sample, which is also what it downloads.
fn code(server: &Server, tool: &str, name: &str) -> String {
    let mut admin = server.admin();
    let path = format!("/tool/integration?name={}", urlencoded(tool));
    let page = Page::open(&mut admin, &path);
    let sections = page.all("section.card").into_iter();
    let section = sections
        .filter(|section| section.text().any(|text| text == name))
        .last()
        .unwrap_or_else(|| panic!("{name}: {}", page.text()));
    let sample = scraper::Selector::parse("pre, .alert").unwrap();
    let shown: String = section.select(&sample).next().unwrap().text().collect();
    let (tool, name) = (urlencoded(tool), urlencoded(name));
    let file = admin.get(&format!("/tool/integration/file?name={tool}&of={name}"));
    if file.status == 200 {
        assert_eq!(file.body, shown);
    }
    shown
}

#[test]
fn the_code_has_the_tools_name_and_every_signing_key() {
    let (server, _folder) = server();
    server.license("My Tool", "k");
    server
        .service
        .create_key(&license_server::model::audit::Actor::command_line())
        .unwrap();
    let keys = server.stranger().get("/api/keys").json();
    for name in [
        "01-python.py",
        "02-csharp.cs",
        "03-powershell.ps1",
        "04-javascript.mjs",
        "05-cpp.cpp",
        "06-delphi.pas",
        "07-autohotkey.ahk",
        "08-vba.bas",
        "09-vbnet.vb",
        "10-innosetup.iss",
        "12-python-editions.py",
        "13-csharp-editions.cs",
        "14-javascript-editions.mjs",
        "15-cpp-editions.cpp",
    ] {
        let code = code(&server, "My Tool", name);
        for key in keys["keys"].as_array().unwrap() {
            assert!(code.contains(key["x"].as_str().unwrap()), "{name}: {code}");
        }
        assert!(code.contains("My Tool"), "{name}: {code}");
    }
    assert_eq!(
        Page::open(&mut server.admin(), "/tool/integration?name=nobody").status,
        404
    );
}

#[test]
fn an_operators_templates_replace_and_add_and_a_broken_one_names_its_line() {
    let (server, folder) = server();
    server.license("T", "k");
    let templates = folder.path().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(
        templates.join("01-python.py.j2"),
        "ours: {{ tool_name|py }}",
    )
    .unwrap();
    fs::write(templates.join("12-own.txt.j2"), "one\n{{ nobody_knows }}").unwrap();
    assert!(code(&server, "T", "01-python.py").contains("ours: \"T\""));
    let broken = code(&server, "T", "12-own.txt");
    assert!(broken.contains("12-own.txt.j2, line 2"), "{broken}");
    assert!(code(&server, "T", "11-curl.sh").contains("curl -i"));
}

/// The code, with the line that starts with `prefix` replaced.
fn with_line(code: &str, prefix: &str, line: &str) -> String {
    let from = code.find(prefix).unwrap();
    let to = code[from..].find('\n').unwrap() + from;
    [&code[..from], line, &code[to..]].concat()
}

/// The code of the result that the page's program gets for the key from the server at `url`.
fn code_by_node(program: &str, url: &str, key: &str) -> Option<String> {
    let node = tools::find("node")?;
    let folder = tempfile::tempdir().unwrap();
    let client = format!(
        "const client = new LicenseClient({}, {{ publicKeys: PUBLIC_KEYS, machineId: {}, cacheDir: '.' }});",
        json!(url),
        json!(key)
    );
    let program = with_line(program, "const client = new LicenseClient(", &client);
    let program = program.replace(
        "if (!license.valid)",
        "console.log(license.code);\nif (!license.valid)",
    );
    fs::write(folder.path().join("program.mjs"), program).unwrap();
    let client = include_str!("../../static/license_client.mjs");
    fs::write(folder.path().join("license_client.mjs"), client).unwrap();
    let output = Command::new(node)
        .arg("program.mjs")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let code = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), code == "VALID", "{code} {stderr}");
    Some(code)
}

#[test]
fn the_javascript_accepts_only_this_servers_answers() {
    let (server, _folder) = server();
    for (key, status) in [("good", "activated"), ("bad", "revoked")] {
        server.add(json!({"tool_name": ODD, "license_key": key, "status": status}));
    }
    let code = code(&server, ODD, "04-javascript.mjs");
    let url = server.stranger().origin();
    let (other, _other_folder) = self::server();
    other.license(ODD, "good");
    for (url, key, expected) in [
        (url.as_str(), "good", "VALID"),
        (&url, "bad", "REVOKED"),
        (&url, "unknown", "NOT_FOUND"),
        (&other.stranger().origin(), "good", "NO_ANSWER"),
        ("http://127.0.0.1:1", "good", "NO_ANSWER"),
    ] {
        let Some(found) = code_by_node(&code, url, key) else {
            return;
        };
        assert_eq!(found, expected, "{url} {key}");
    }
}

#[test]
fn code_that_is_read_in_the_computers_code_page_is_ascii() {
    let (server, _folder) = server();
    server.license(ODD, "k");
    for name in [
        "03-powershell.ps1",
        "05-cpp.cpp",
        "06-delphi.pas",
        "08-vba.bas",
        "15-cpp-editions.cpp",
    ] {
        let code = code(&server, ODD, name);
        assert!(code.is_ascii(), "{name}: {code}");
    }
}

#[test]
fn the_cpp_compiles_without_a_warning() {
    if !once() {
        return;
    }
    let (server, _folder) = server();
    server.license(ODD, "k");
    let folder = tempfile::tempdir().unwrap();
    let code = code(&server, ODD, "05-cpp.cpp");
    let program = folder.path().join("program.cpp");
    fs::write(&program, code).unwrap();
    windows::compile_with_client(program, folder.path().join("program.exe"));
}

/// The samples that ask for an activation code, which need an address with TLS.
fn with_activation(name: &str) -> String {
    let server = Server::at("https://licenses.example.com/ls");
    server.license(ODD, "k");
    code(&server, ODD, name)
}

#[test]
fn samples_with_activation_codes_need_an_address_with_tls() {
    let samples = |server: &Server| {
        server.license("My Tool", "k");
        Page::open(&mut server.admin(), "/tool/integration?name=My%20Tool")
            .texts("section.card h2 small")
    };
    let (secure, plain) = (
        samples(&Server::at("https://licenses.example.com/ls")),
        samples(&Server::at("http://licenses.example.com/ls")),
    );
    let more: Vec<&String> = secure.iter().filter(|name| !plain.contains(name)).collect();
    assert_eq!(
        more,
        [
            "21-python-activation.py",
            "22-csharp-activation.cs",
            "23-electron-activation.mjs",
            "24-cpp-activation.cpp",
            "25-claim-page.txt"
        ]
    );
}

#[test]
fn the_link_to_the_claim_page_names_the_tool() {
    let server = Server::at("https://licenses.example.com/ls");
    server.license("R&D + 1", "k");
    let text = code(&server, "R&D + 1", "25-claim-page.txt");
    let link = "https://licenses.example.com/ls/claim?tool=R%26D%20%2B%201&machine=";
    assert!(text.lines().any(|line| line == link), "{text}");
}

fn compiles(command: &mut Command) {
    let output = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
}

/// The samples for a window or a terminal, by language, in this folder.
fn compile_samples(folder: &Path, python: &str, javascript: &str, cpp: &str, csharp: &[&str]) {
    let path = |name: &str| folder.join(name);
    windows::compile_with_client(path(cpp), path("program.exe"));
    if let Some(program) = tools::find("python3") {
        compiles(
            Command::new(program)
                .args(["-m", "py_compile"])
                .arg(path(python)),
        );
    }
    if let Some(node) = tools::find("node") {
        compiles(Command::new(node).arg("--check").arg(path(javascript)));
    }
    if !Path::new("/usr/lib/mono/4.5/System.Windows.Forms.dll").exists() {
        return tools::leave_out("Mono's Windows Forms are not installed");
    }
    if let Some(compiler) = tools::find("mcs") {
        compiles(
            Command::new(compiler)
                .args(["-langversion:6", "-r:System.Net.Http.dll"])
                .args(["-r:System.Numerics.dll", "-r:System.Windows.Forms.dll"])
                .arg("-r:System.Drawing.dll")
                .arg(format!("-out:{}", path("program-forms.exe").display()))
                .args(csharp.iter().map(|name| path(name)))
                .arg("static/LicenseClient.cs"),
        );
    }
}

#[test]
fn the_samples_with_activation_codes_compile() {
    if !once() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [python, csharp, javascript, cpp] = [
        "21-python-activation.py",
        "22-csharp-activation.cs",
        "23-electron-activation.mjs",
        "24-cpp-activation.cpp",
    ];
    for name in [python, csharp, javascript, cpp] {
        fs::write(folder.path().join(name), with_activation(name)).unwrap();
    }
    let code = fs::read_to_string(folder.path().join(cpp)).unwrap();
    assert!(code.is_ascii());
    compile_samples(folder.path(), python, javascript, cpp, &[csharp]);
}

/// What the C# sample uses of the package QRCoder, which is not installed here.
const QR_CODER: &str = "
namespace QRCoder
{
    public class QRCodeData {}
    public class QRCodeGenerator
    {
        public enum ECCLevel { L, M, Q, H }
        public QRCodeData CreateQrCode(string text, ECCLevel level) { return null; }
    }
    public class PngByteQRCode
    {
        public PngByteQRCode(QRCodeData data) {}
        public byte[] GetGraphic(int pixelsPerModule) { return null; }
    }
}
";

#[test]
fn the_samples_with_editions_and_offline_files_compile() {
    if !once() {
        return;
    }
    let (server, _folder) = server();
    server.license(ODD, "k");
    let folder = tempfile::tempdir().unwrap();
    let [python, csharp, javascript, cpp] = [
        "12-python-editions.py",
        "13-csharp-editions.cs",
        "14-javascript-editions.mjs",
        "15-cpp-editions.cpp",
    ];
    for name in [python, csharp, javascript, cpp] {
        fs::write(folder.path().join(name), code(&server, ODD, name)).unwrap();
    }
    fs::write(folder.path().join("QRCoder.cs"), QR_CODER).unwrap();
    compile_samples(
        folder.path(),
        python,
        javascript,
        cpp,
        &[csharp, "QRCoder.cs"],
    );
}

#[test]
fn the_tools_name_is_a_literal_in_the_shell_and_in_python() {
    let (server, _folder) = server();
    server.license(ODD, "k");
    let Some(python) = tools::find("python3") else {
        return;
    };
    let code = code(&server, ODD, "01-python.py");
    let (_, literal) = code.split_once("client.check(").unwrap();
    let (literal, _) = literal.split_once(")\n").unwrap();
    let print = format!("import sys; sys.stdout.buffer.write({literal}.encode())");
    let output = Command::new(python).args(["-c", &print]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), ODD);
    let curl = self::code(&server, ODD, "11-curl.sh");
    let (_, literal) = curl.split_once("-d ").unwrap();
    let (literal, _) = literal.split_once("\n\n").unwrap();
    let print = format!("printf %s {literal}");
    let output = Command::new("sh").args(["-c", &print]).output().unwrap();
    let request: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(request["tool_name"], ODD);
}
