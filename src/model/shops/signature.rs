//! HMAC-SHA-256 over a moment and the body as it came.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use time::OffsetDateTime;

/// Seconds that a signature may be old, or our clocks apart; Stripe's own libraries use the same.
const TOLERANCE: u64 = 300;

/// How a shop signs: a header such as `t=1781524800,v1=5257a8…`, with its names.
pub(super) struct Format {
    /// Between the parts of the header.
    pub(super) between: char,
    pub(super) time: &'static str,
    /// There may be several, while a secret is being replaced.
    pub(super) signature: &'static str,
    /// Between moment and body where they are signed.
    pub(super) joint: &'static str,
}

impl Format {
    pub(super) fn verify(
        &self,
        secret: &str,
        header: &str,
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<(), &'static str> {
        let parts = || {
            header
                .split(self.between)
                .filter_map(|part| part.trim().split_once('='))
        };
        let time = parts().find(|(name, _)| *name == self.time);
        let (_, time) = time.ok_or("the header with the signature is missing or has no time")?;
        let at: i64 = time
            .parse()
            .map_err(|_| "the time of the signature is not a number")?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .map_err(|_| "the signing secret cannot be used")?;
        mac.update(time.as_bytes());
        mac.update(self.joint.as_bytes());
        mac.update(body);
        let expected = mac.finalize().into_bytes();
        let expected: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
        let sent = parts().filter(|(name, _)| *name == self.signature);
        let is_good = sent.fold(Choice::from(0), |good, (_, sent)| {
            good | sent.as_bytes().ct_eq(expected.as_bytes())
        });
        if !bool::from(is_good) {
            return Err(
                "the signature is wrong: compare the signing secret with the one in the shop",
            );
        }
        if now.unix_timestamp().abs_diff(at) > TOLERANCE {
            return Err(
                "the signature is more than 5 minutes old, or the clock of this server is wrong",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::ShopKind;
    use super::*;

    /// The vector of Paddle's own library for PHP. Stripe's libraries have none: that one was made with
    /// `openssl dgst -sha256 -hmac`.
    #[test]
    fn signatures_of_others_are_good() {
        for (kind, secret, header, body, at) in [
            (
                ShopKind::Paddle,
                "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
                "ts=1696195954;h1=dummy;h1=d96299976a6eb066f484d7fde011ac56fc32b38fc9940bc419d6e537fdc6ef02",
                "hello-world",
                1_696_195_954,
            ),
            (
                ShopKind::Stripe,
                "whsec_test_secret",
                "t=1700000000,v1=aafb6f8becb4b5db5da0da34d6fb419de5f0866d738651a835f821a8a96cf1f3",
                r#"{"id": "evt_test_webhook", "object": "event"}"#,
                1_700_000_000,
            ),
        ] {
            let verify = |seconds: i64| {
                let now = OffsetDateTime::from_unix_timestamp(at + seconds).unwrap();
                kind.verify(secret, header, body.as_bytes(), now)
            };
            assert_eq!(verify(0), Ok(()));
            assert_eq!(verify(300), Ok(()));
            assert!(verify(301).is_err() && verify(-301).is_err());
        }
    }
}
