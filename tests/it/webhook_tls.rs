//! Webhooks over TLS.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::crash::quiet;
use crate::mail_tls::certificate;
use crate::page::Page;
use crate::program::Program;
use crate::webhooks::{Call, read, signed_in};

/// Takes a connection after the other with that certificate: what is sent over each, or why nothing is.
fn receiver(folder: &Path) -> (u16, Receiver<Result<Call, String>>) {
    let read_certificate = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![read_certificate], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let (told, heard) = mpsc::channel();
    let take = move |mut tcp: TcpStream| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        if let Err(error) = tls.complete_io(&mut tcp) {
            return Err(error.to_string());
        }
        let mut stream = StreamOwned::new(tls, tcp);
        let call = read(&mut stream).ok_or("no request")?;
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        Ok(call)
    };
    std::thread::spawn(move || {
        let mut streams = listener.incoming();
        while let Some(Ok(stream)) = streams.next()
            && told.send(take(stream)).is_ok()
        {}
    });
    (port, heard)
}

/// What a receiver with a certificate of `localhost` gets of a server that trusts only this root.
fn sent(certificates: &Path, root: &Path) -> (Result<Call, String>, Page) {
    let (port, heard) = receiver(certificates);
    let folder = tempfile::tempdir().unwrap();
    let mut command = quiet(folder.path());
    command.env("LICENSE_SERVER_WEBHOOK_NETWORKS", "127.0.0.1");
    let program = Program::run(command.env("SSL_CERT_FILE", root));
    let mut admin = signed_in(&program);
    let form = Page::open(&mut admin, "/webhooks/new").form("/webhooks");
    let url = format!("https://localhost:{port}/hooks");
    form.fill("url", &url).submit(&mut admin);
    let license = r#"{"tool_name": "T", "license_key": "one"}"#;
    assert_eq!(admin.post("/api/licenses", license).status, 201);
    let call = heard.recv().unwrap();
    assert_eq!(program.stop("TERM").0, Some(0));
    let program = Program::start(folder.path());
    let page = Page::open(&mut signed_in(&program), "/webhooks/1");
    (call, page)
}

#[test]
fn an_event_travels_over_tls_to_a_receiver_with_a_trusted_certificate_only() {
    let (Some(own), Some(other)) = (certificate(), certificate()) else {
        return;
    };
    let (call, page) = sent(own.path(), &own.path().join("ca.pem"));
    assert!(call.unwrap().json()["data"]["license"].is_object());
    assert_eq!(page.texts("tbody .mark"), ["delivered"]);
    let (call, page) = sent(own.path(), &other.path().join("ca.pem"));
    assert!(call.is_err());
    assert_eq!(page.texts("tbody .mark"), ["waiting"]);
    assert!(page.text().contains("SSL_CERT_FILE"), "{}", page.text());
}
