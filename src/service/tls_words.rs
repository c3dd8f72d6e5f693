//! What went wrong with TLS, in words that say what to do.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// None for what is not about TLS. `whose` begins the sentence, such as `The receiver`.
pub(super) fn tls_words(whose: &str, error: &(dyn Error + 'static)) -> Option<String> {
    let certificate = match cause(error)? {
        rustls::Error::InvalidCertificate(why) => why,
        rustls::Error::InvalidMessage(_) => {
            return Some(format!("{whose} does not speak TLS at this port."));
        }
        rustls::Error::AlertReceived(alert) => {
            return Some(format!(
                "{whose} refused the TLS connection: it answered {alert:?}."
            ));
        }
        rustls::Error::PeerIncompatible(_) => {
            return Some(format!(
                "{whose} offers neither TLS 1.2 nor TLS 1.3 in a way that this server can use."
            ));
        }
        _ => return None,
    };
    let what = match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired. Renew it".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet. Compare its dates with the clock of this machine".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another host name. Use a certificate for the configured host name, or configure the name in the certificate".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "is not signed by a certificate authority that this machine trusts. If the authority is your own, add its root \
             certificate to those of the system, or name it in `SSL_CERT_FILE`"
                .to_owned()
        }
        CertificateError::Revoked => "was revoked. Replace it".to_owned(),
        // What the library has no name of its own for.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "is a certificate authority’s own certificate, as many self-signed ones are. Use a server certificate \
             (`CA:FALSE`) signed by an authority"
                .to_owned()
        }
        other => format!("is invalid ({other}). Replace it"),
    };
    Some(format!("{whose}’s certificate {what}."))
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[test]
    fn only_faults_of_tls_have_words() {
        let words = |error: rustls::Error| tls_words("It", &io::Error::other(error)).unwrap();
        let expired = words(CertificateError::Expired.into());
        assert!(
            expired.starts_with("It’s certificate has expired"),
            "{expired}"
        );
        let own = io::Error::other("CaUsedAsEndEntity");
        let own = words(CertificateError::Other(OtherError(Arc::new(own))).into());
        assert!(own.contains("CA:FALSE"), "{own}");
        assert_eq!(tls_words("It", &io::Error::other("refused")), None);
    }
}
