//! One TLS handshake that accepts every certificate and says what is wrong with it.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use time::OffsetDateTime;

use super::caller::CONNECT;
use crate::model::doctor::outside::{Certificate, CertificateFault};

/// After the end of every certificate: the last second of the year 9998.
const NEVER: u64 = 253_370_764_799;

/// The certificate that a visitor of `host` gets at this address.
pub(super) fn look(address: SocketAddr, host: &str, now: OffsetDateTime) -> Certificate {
    match handshake(address, host, now) {
        Ok(Some(seen)) => seen,
        Ok(None) => no_tls("the handshake sent no certificate".to_owned()),
        Err(words) => no_tls(words),
    }
}

/// Whether a client that knows no newer version gets a connection; a text is why not.
pub(super) fn try_1_2(address: SocketAddr, host: &str) -> Result<(), String> {
    let provider = Arc::new(ring::default_provider());
    // It sends nothing over this connection.
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(witness(provider, since_epoch(0))?)
        .with_no_client_auth();
    connect(config, address, host)
}

fn no_tls(words: String) -> Certificate {
    Certificate {
        fault: Some(CertificateFault::NoTls(words)),
        until: None,
    }
}

fn handshake(
    address: SocketAddr,
    host: &str,
    now: OffsetDateTime,
) -> Result<Option<Certificate>, String> {
    let provider = Arc::new(ring::default_provider());
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
    let witness = witness(Arc::clone(&provider), since_epoch(seconds))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    connect(config, address, host)?;
    Ok(witness.lock().take())
}

fn witness(provider: Arc<CryptoProvider>, now: UnixTime) -> Result<Arc<Witness>, String> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    let inner = WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
        .build()
        .map_err(|_| "this machine has no root certificates: `apt install ca-certificates`")?;
    Ok(Arc::new(Witness {
        inner,
        now,
        seen: Mutex::default(),
    }))
}

fn connect(config: ClientConfig, address: SocketAddr, host: &str) -> Result<(), String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
    let mut client = ClientConnection::new(Arc::new(config), name).map_err(|e| e.to_string())?;
    let connect = || {
        let stream = TcpStream::connect_timeout(&address, CONNECT)?;
        stream.set_read_timeout(Some(CONNECT))?;
        stream.set_write_timeout(Some(CONNECT))?;
        Ok::<_, std::io::Error>(stream)
    };
    let mut stream = connect().map_err(|e| e.to_string())?;
    while client.is_handshaking() {
        client.complete_io(&mut stream).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn since_epoch(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

#[derive(Debug)]
struct Witness {
    inner: Arc<WebPkiServerVerifier>,
    now: UnixTime,
    seen: Mutex<Option<Certificate>>,
}

impl Witness {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Certificate>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |at| {
            let verified = self
                .inner
                .verify_server_cert(certificate, between, name, ocsp, at);
            verified.err()
        };
        // The error of an expired certificate has the moment when it ended.
        let until = match verify(since_epoch(NEVER)) {
            Some(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => OffsetDateTime::from_unix_timestamp(not_after.as_secs() as i64).ok(),
            _ => None,
        };
        let fault = verify(self.now).map(fault);
        *self.lock() = Some(Certificate { fault, until });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn fault(error: Error) -> CertificateFault {
    let Error::InvalidCertificate(wrong) = error else {
        return CertificateFault::Other(error.to_string());
    };
    match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateFault::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateFault::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateFault::OtherName
        }
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
        other => CertificateFault::Other(other.to_string()),
    }
}
