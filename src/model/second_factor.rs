//! Codes of an authenticator app: TOTP (RFC 6238) with what every app knows, SHA-1, six digits and 30 seconds.

use time::OffsetDateTime;
use totp_rs::{Builder, Secret, Totp};

/// Bytes of a secret, as RFC 4226 recommends.
pub const SECRET: usize = 20;

const SECONDS: i64 = 30;

/// Steps before and after the current one: a clock may be wrong by half a minute.
const SKEW: i64 = 1;

/// Characters of a group of the secret, for those who type it.
const GROUP: usize = 4;

/// A secret that the server shares with an app.
#[derive(Debug, Clone)]
pub struct SecondFactor {
    totp: Totp,
    /// Of the newest code that was used.
    last_step: i64,
}

impl SecondFactor {
    pub fn new(secret: [u8; SECRET]) -> Option<SecondFactor> {
        SecondFactor::build(secret.into(), 0)
    }

    /// From base32.
    pub fn parse(secret: &str, last_step: i64) -> Option<SecondFactor> {
        SecondFactor::build(Secret::try_from_base32(secret).ok()?, last_step)
    }

    fn build(secret: Secret, last_step: i64) -> Option<SecondFactor> {
        let built = Builder::new().with_secret(secret).with_skew(0).build();
        Some(SecondFactor {
            totp: built.ok()?,
            last_step,
        })
    }

    /// In base32.
    pub fn secret(&self) -> String {
        self.totp.secret().to_base32()
    }

    /// The secret as people type it.
    pub fn in_groups(&self) -> String {
        let secret: Vec<char> = self.secret().chars().collect();
        let groups = secret.chunks(GROUP).map(String::from_iter);
        groups.collect::<Vec<String>>().join(" ")
    }

    /// The newest step with this code that was not used yet. One code can be that of two steps.
    pub fn step_of(&self, code: &str, now: OffsetDateTime) -> Option<i64> {
        let current = now.unix_timestamp() / SECONDS;
        let steps = current - SKEW..=current + SKEW;
        let has_code = |step: &i64| {
            let moment = u64::try_from(step * SECONDS).ok();
            moment.is_some_and(|moment| self.totp.check(code, moment).is_some())
        };
        let fitting: Vec<i64> = steps.filter(has_code).collect();
        fitting.into_iter().rfind(|step| *step > self.last_step)
    }

    /// What a QR code contains. The label cannot have a colon but the one between its parts.
    pub fn address(&self, issuer: &str, account: &str) -> String {
        let [issuer, account] = [issuer, account].map(|text| encoded(&text.replace(':', "-")));
        let secret = self.secret();
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period={SECONDS}"
        )
    }
}

/// Apps show a plus sign as one.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    fn factor(last_step: i64) -> SecondFactor {
        SecondFactor {
            last_step,
            ..SecondFactor::new(*b"12345678901234567890").unwrap()
        }
    }

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, the last six digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(factor(0).step_of(code, at(seconds)), Some(seconds / 30));
        }
        assert_eq!(factor(0).step_of("287083", at(59)), None);
    }

    #[test]
    fn a_clock_may_be_wrong_by_one_step() {
        let code = "005924";
        for (wrong, fits) in [(-60, false), (-30, true), (30, true), (60, false)] {
            let step = factor(0).step_of(code, at(1_234_567_890 + wrong));
            assert_eq!(step.is_some(), fits, "{wrong}");
        }
    }

    #[test]
    fn a_code_of_two_steps_counts_for_the_newest_that_is_unused() {
        // The first step of this secret whose code comes again after two steps.
        let (step, code) = (153_567, "468457");
        let now = at((step + 1) * 30);
        for (used, newest) in [
            (0, Some(step + 2)),
            (step, Some(step + 2)),
            (step + 2, None),
        ] {
            assert_eq!(factor(used).step_of(code, now), newest);
        }
        assert_eq!(factor(0).step_of(code, at((step - 1) * 30)), Some(step));
    }

    #[test]
    fn an_address_has_no_plus_sign_and_one_colon_in_its_label() {
        let address = factor(0).address("License Server a::1", "anna: b&c+d/ä");
        let (label, query) = address["otpauth://totp/".len()..].split_once('?').unwrap();
        assert_eq!(label, "License%20Server%20a--1:anna-%20b%26c%2Bd%2F%C3%A4");
        assert_eq!(
            query,
            "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=License%20Server%20a--1&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn a_secret_is_read_back() {
        let factor = factor(7);
        let again = SecondFactor::parse(&factor.secret(), 7).unwrap();
        assert_eq!(again.totp, factor.totp);
        assert_eq!(
            factor.in_groups(),
            "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
        );
        assert!(SecondFactor::parse("no base32!", 0).is_none());
        assert!(SecondFactor::parse("", 0).is_none());
    }
}
