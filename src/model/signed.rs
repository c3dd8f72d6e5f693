//! The signed answer: what a client requests, and what is signed.

use std::borrow::Cow;

use serde::Serialize;
use time::{Date, OffsetDateTime, UtcOffset};
use utoipa::ToSchema;

use super::date;
use super::entitlements::Entitlements;
use super::license::{Verdict, last_day};
use super::question::Question;
use super::tool::Tool;
use crate::error::{Error, Problem};

/// Seconds for which a refusal is valid, and the lease of a tool without offline days.
const REFUSAL: i64 = 300;
const NO_LEASE: i64 = 1;

/// Keys that a client can list.
const MOST_KIDS: usize = 32;

/// A client's request for a signed answer.
#[derive(Debug, PartialEq, Eq)]
pub struct SigningRequest<'a> {
    /// 16 to 64 characters, random and used once.
    pub nonce: &'a str,
    /// The keys that the client knows.
    pub kids: &'a [String],
}

impl<'a> SigningRequest<'a> {
    /// Refuses an invalid nonce.
    pub fn parse(nonce: &'a str, kids: &'a [String]) -> Result<SigningRequest<'a>, Error> {
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
        if !(16..=64).contains(&nonce.len()) || !nonce.bytes().all(is_plain) {
            return Err(Error::Invalid(vec![Problem {
                field: "nonce",
                message: "The nonce has to be 16 to 64 characters of A-Z, a-z, 0-9, _ and -."
                    .to_owned(),
            }]));
        }
        Ok(SigningRequest {
            nonce,
            kids: kids.get(..MOST_KIDS).unwrap_or(kids),
        })
    }
}

/// What is signed; the field names are those of the published format.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Claims<'a> {
    /// The tool, as the client sent it.
    pub aud: &'a str,
    /// The license key, as the client sent it.
    pub sub: &'a str,
    /// As the client sent it.
    pub nonce: &'a str,
    /// The result.
    pub code: &'static str,
    /// The HTTP status of the result.
    pub http: u16,
    /// For the customer.
    pub message: Cow<'static, str>,
    /// Unix seconds.
    pub iat: i64,
    /// When the lease expires, in Unix seconds.
    pub exp: i64,
    /// `YYYY-MM-DD`.
    pub expiration_date: Option<String>,
    #[serde(flatten)]
    pub offer: Offer,
}

/// What a signed answer says about a license besides the result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignedValues {
    pub entitlements: Entitlements,
    /// The last day of its machine's offline file.
    pub offline_until: Option<Date>,
}

/// What the program may offer; the same in claims and body, and only where it is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Offer {
    /// The edition that was sold
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edition: Option<String>,
    /// Those of the edition and of the license
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub features: Vec<String>,
    /// Anything else for the program
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The last build date that the license covers, `YYYY-MM-DD`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updates_until: Option<String>,
    /// The newest version of the tool
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<String>,
    /// Where to get it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_url: Option<String>,
    /// The oldest version that the vendor supports
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_version: Option<String>,
}

impl Offer {
    fn new(tool: &Tool, entitlements: &Entitlements) -> Offer {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let features = tool.features(entitlements).into_iter();
        Offer {
            edition: entitlements.edition.clone(),
            features: features.map(str::to_owned).collect(),
            data: entitlements.data.clone(),
            updates_until: entitlements.updates_until.map(date::format),
            latest_version: some(&tool.latest_version),
            latest_url: some(&tool.latest_url),
            minimum_version: some(&tool.minimum_version),
        }
    }
}

/// What the claims depend on.
pub struct ClaimsInput<'a> {
    pub question: &'a Question<'a>,
    pub verdict: Verdict,
    /// None for a perpetual license.
    pub expiration_date: Option<Date>,
    pub values: &'a SignedValues,
    pub tool: &'a Tool,
    pub now: OffsetDateTime,
    /// Until when everything about the license was known: not later than `now`, and the start of the lease.
    pub as_of: OffsetDateTime,
    /// Decides when a day ends.
    pub offset: UtcOffset,
}

impl<'a> ClaimsInput<'a> {
    pub fn claims(&self, nonce: &'a str) -> Claims<'a> {
        let iat = self.now.unix_timestamp();
        Claims {
            aud: self.question.sent.tool_name,
            sub: self.question.sent.license_key,
            nonce,
            code: self.verdict.code(),
            http: self.verdict.http(),
            message: self.tool.words(self.verdict),
            iat,
            exp: self.lease_end(iat),
            expiration_date: self.expiration_date.map(date::format),
            offer: Offer::new(self.tool, &self.values.entitlements),
        }
    }

    /// Never later than the expiration of the license.
    fn lease_end(&self, iat: i64) -> i64 {
        if self.verdict.is_refusal() {
            return iat + REFUSAL;
        }
        let days = i64::from(self.tool.offline_days);
        let known = self.as_of.unix_timestamp().min(iat);
        let online = (known + days * 86_400).max(iat + NO_LEASE);
        let file = self.values.offline_until.and_then(|day| self.end_of(day));
        let lease = file.map_or(online, |file| online.max(file));
        let is_trial = self.verdict == Verdict::Trial;
        let last = last_day(self.expiration_date, self.tool.grace_days, is_trial);
        let end = last.and_then(|day| self.end_of(day));
        end.map_or(lease, |end| lease.min(end))
    }

    /// The first second after that day.
    fn end_of(&self, day: Date) -> Option<i64> {
        let next = day.next_day()?.midnight();
        Some(next.assume_offset(self.offset).unix_timestamp())
    }

    /// Days until the license expires; 0 once it has, none for a perpetual license.
    pub fn days_left(&self) -> Option<i64> {
        let today = self.now.to_offset(self.offset).date();
        self.expiration_date
            .map(|day| (day - today).whole_days().max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime, offset};

    fn lease(
        verdict: Verdict,
        expiration_date: Option<Date>,
        offline_days: u16,
        grace_days: u16,
    ) -> (i64, i64) {
        let tool = Tool {
            offline_days,
            grace_days,
            ..Tool::default()
        };
        let question = Question::parse("T", "0A1B2C3D4E5F").unwrap();
        let now = datetime!(2026-06-15 12:00 UTC);
        let input = ClaimsInput {
            question: &question,
            verdict,
            expiration_date,
            values: &SignedValues::default(),
            tool: &tool,
            now,
            as_of: now,
            offset: offset!(+2),
        };
        let claims = input.claims("0123456789abcdef");
        assert_eq!(
            (claims.sub, claims.iat),
            ("0A1B2C3D4E5F", now.unix_timestamp())
        );
        (claims.exp - claims.iat, input.days_left().unwrap_or(-1))
    }

    #[test]
    fn a_lease_ends_with_the_tools_days_or_with_the_license() {
        let day = 86_400;
        assert_eq!(lease(Verdict::Valid, None, 7, 0), (7 * day, -1));
        assert_eq!(lease(Verdict::Valid, None, 0, 0), (1, -1));
        let today = Some(date!(2026 - 06 - 15));
        assert_eq!(lease(Verdict::Valid, today, 7, 0), (10 * 3_600, 0));
        assert_eq!(lease(Verdict::Valid, today, 7, 1), (10 * 3_600 + day, 0));
        let yesterday = Some(date!(2026 - 06 - 14));
        assert_eq!(lease(Verdict::InGrace, yesterday, 7, 1), (10 * 3_600, 0));
        assert_eq!(lease(Verdict::Expired, yesterday, 7, 0), (300, 0));
        let later = Some(date!(2026 - 12 - 31));
        assert_eq!(lease(Verdict::Valid, later, 14, 0), (14 * day, 199));
    }

    #[test]
    fn a_nonce_is_sixteen_to_sixty_four_plain_characters() {
        let long = "x".repeat(65);
        for nonce in [
            "",
            "0123456789abcde",
            &long,
            "0123456789abcde!",
            "0123456789abcdeä",
        ] {
            assert!(SigningRequest::parse(nonce, &[]).is_err(), "{nonce}");
        }
        assert!(SigningRequest::parse("0123456789-_aZ00", &[]).is_ok());
    }
}
