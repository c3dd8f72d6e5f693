//! The protected ways to a mail server.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::engine::once;
use crate::front::sign_certificate;
use crate::mail::MailServer;
use crate::page::Page;
use crate::program::{Program, command};
use crate::server::PASSWORD;
use crate::tools;

/// A certificate of `localhost`, as `server.pem`, and `ca.pem`, which signed it.
pub fn certificate() -> Option<TempDir> {
    let openssl = tools::find("openssl")?;
    let folder = tempfile::tempdir().unwrap();
    sign_certificate(&openssl, folder.path(), ("localhost", 30));
    let read = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap();
    let both = read("cert.pem") + &read("key.pem");
    fs::write(folder.path().join("server.pem"), both).unwrap();
    Some(folder)
}

/// The program with these settings, which trusts only this root.
fn run(folder: &Path, root: &Path, port: u16, settings: &str) -> Program {
    let file = format!(
        "smtp_host = 'localhost'\nsmtp_port = {port}\nmail_from = 'a@example.com'\n\
         admin_password = '{PASSWORD}'\n{settings}"
    );
    fs::write(folder.join("license-server.toml"), file).unwrap();
    let mut command: Command = command(folder);
    Program::run(command.env("SSL_CERT_FILE", root))
}

/// Sends a test mail, and returns the page of the outbox once the log says that it was tried.
fn try_mail(program: &mut Program) -> Page {
    let mut admin = program.client();
    let login = format!(r#"{{"username":"admin","password":"{PASSWORD}"}}"#);
    assert_eq!(admin.post("/api/login", &login).status, 200);
    let form = Page::open(&mut admin, "/mail").form("/mail/test");
    form.fill("email", "anne@example.com").submit(&mut admin);
    let log = BufReader::new(program.child.stderr.take().unwrap());
    let tried = log.lines().find(|line| {
        let line = line.as_ref().unwrap();
        assert!(!line.contains("anne"), "{line}");
        line.contains(" mail id=1 ")
    });
    assert!(tried.is_some());
    Page::open(&mut admin, "/mail")
}

fn delivered(security: &str, login: Option<&str>) -> Option<Value> {
    let certificates = certificate()?;
    let server = certificates.path().join("server.pem");
    let server = server.to_str().unwrap();
    let mut arguments = vec!["--security", security, "--certificate", server];
    arguments.extend(login.iter().flat_map(|login| ["--login", login]));
    let mut mail = MailServer::start(&arguments)?;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = format!("smtp_security = '{security}'\n");
    if let Some((user, password)) = login.and_then(|login| login.split_once(':')) {
        fs::write(folder.path().join("password"), format!("{password}\n")).unwrap();
        settings += &format!("smtp_user = '{user}'\nsmtp_password_file = 'password'\n");
    }
    let root = certificates.path().join("ca.pem");
    let mut program = run(folder.path(), &root, mail.port, &settings);
    let page = try_mail(&mut program);
    assert_eq!(page.texts("tbody .mark"), ["sent"], "{}", page.text());
    Some(mail.next())
}

#[test]
fn a_mail_travels_over_tls() {
    let Some(taken) = delivered("tls", None) else {
        return;
    };
    assert_eq!(taken["encrypted"], true);
}

#[test]
fn a_mail_travels_over_starttls_after_signing_in() {
    let Some(taken) = delivered("starttls", Some("acme:s3cret words")) else {
        return;
    };
    assert_eq!(
        (&taken["encrypted"], &taken["user"]),
        (&true.into(), &"acme".into())
    );
}

#[test]
fn nothing_is_sent_past_a_wrong_certificate_or_without_protection() {
    if !once() {
        return;
    }
    let Some(certificates) = certificate() else {
        return;
    };
    let server = certificates.path().join("server.pem");
    let server = server.to_str().unwrap();
    let own = certificates.path().join("ca.pem");
    let Some(other) = certificate() else {
        return;
    };
    let other = other.path().join("ca.pem");
    for (arguments, settings, root) in [
        (
            vec!["--security", "tls", "--certificate", server],
            "smtp_security = 'tls'",
            &other,
        ),
        (
            vec!["--security", "starttls", "--certificate", server],
            "smtp_security = 'starttls'",
            &other,
        ),
        (vec![], "smtp_security = 'starttls'", &own),
        (
            vec![
                "--security",
                "tls",
                "--certificate",
                server,
                "--login",
                "a:b",
            ],
            "smtp_security = 'tls'\nsmtp_user = 'a'\nsmtp_password = 'wrong'",
            &own,
        ),
    ] {
        let Some(mail) = MailServer::start(&arguments) else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let mut program = run(folder.path(), root, mail.port, settings);
        let page = try_mail(&mut program);
        assert_eq!(page.texts("tbody .mark"), ["waiting"], "{}", page.text());
        assert!(mail.taken().is_empty());
    }
}
