//! A receiver of events by the Standard Webhooks scheme, what it is sent, and how it answers.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use time::{Duration, OffsetDateTime};
use ureq::http::Uri;

use super::public_address::Callable;
use super::retry::{GIVE_UP, pause_after};
use super::text;
use super::webhook_event::WebhookEvent;
use crate::error::{Error, Problem};

/// Each event has a delivery for each of them.
pub const MAX_WEBHOOKS: usize = 20;

/// How long the secret before still signs, too.
pub const ROTATION: Duration = Duration::days(1);

const PREFIX: &str = "whsec_";

/// Characters.
const MAX_URL: usize = 500;
const MAX_DESCRIPTION: usize = 200;
/// Of an answer that is kept.
pub const MAX_ANSWER: usize = 1_000;

/// A receiver that says when to try again is not believed beyond this.
const LONGEST_PAUSE: Duration = Duration::days(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookState {
    Enabled,
    /// By hand.
    Disabled,
    /// By the server: nothing was taken for three days.
    Failed,
    /// By the server: it answered 410.
    Gone,
}

impl WebhookState {
    pub const ALL: [WebhookState; 4] = [
        WebhookState::Enabled,
        WebhookState::Disabled,
        WebhookState::Failed,
        WebhookState::Gone,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            WebhookState::Enabled => "enabled",
            WebhookState::Disabled => "disabled",
            WebhookState::Failed => "failed",
            WebhookState::Gone => "gone",
        }
    }

    pub fn from_word(word: &str) -> Option<WebhookState> {
        WebhookState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: i64,
    pub created_at: OffsetDateTime,
    pub url: String,
    pub description: String,
    /// Empty for all.
    pub events: Vec<WebhookEvent>,
    pub secret: String,
    /// The secret before, and until when it signs, too.
    pub old_secret: Option<(String, OffsetDateTime)>,
    pub state: WebhookState,
    /// When it last took something.
    pub taken_at: Option<OffsetDateTime>,
    /// Nothing is sent before.
    pub paused_until: OffsetDateTime,
}

impl Webhook {
    pub fn is_enabled(&self) -> bool {
        self.state == WebhookState::Enabled
    }

    /// Scheme, host and port: the rest of the URL may be a secret.
    pub fn origin(&self) -> String {
        let mut parts = self.url.splitn(4, '/');
        let [scheme, _, host] = [(); 3].map(|()| parts.next().unwrap_or_default());
        format!("{scheme}//{}", host.split('?').next().unwrap_or_default())
    }

    /// The header `webhook-signature`.
    pub fn signatures(&self, message_id: &str, body: &str, now: OffsetDateTime) -> String {
        let old = self.old_secret.as_ref().filter(|(_, until)| now < *until);
        let secrets = std::iter::once(&self.secret).chain(old.map(|(secret, _)| secret));
        let signed = secrets.map(|secret| sign(secret, message_id, now, body));
        signed.collect::<Vec<_>>().join(" ")
    }
}

/// 24 to 64 bytes of a secret, as receivers are given it.
pub fn shown_secret(bytes: &[u8]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(bytes))
}

fn sign(secret: &str, message_id: &str, now: OffsetDateTime, body: &str) -> String {
    let key = secret.strip_prefix(PREFIX).unwrap_or(secret);
    let key = STANDARD.decode(key).unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else {
        return String::new();
    };
    mac.update(format!("{message_id}.{}.{body}", now.unix_timestamp()).as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// What the admin decides about a webhook, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookDraft {
    pub url: String,
    pub description: String,
    pub events: Vec<String>,
}

impl WebhookDraft {
    pub fn of(webhook: &Webhook) -> WebhookDraft {
        let words = webhook.events.iter().map(|event| event.as_str().to_owned());
        WebhookDraft {
            url: webhook.url.clone(),
            description: webhook.description.clone(),
            events: words.collect(),
        }
    }

    pub fn has(&self, event: &WebhookEvent) -> bool {
        self.events.iter().any(|word| word == event.as_str())
    }

    /// URL, description and events.
    pub fn parse(&self, callable: &Callable) -> Result<(String, String, Vec<WebhookEvent>), Error> {
        let mut problems = vec![];
        let url = text::keep(&mut problems, parse_url(&self.url, callable));
        let description = text::optional(
            "description",
            "The description",
            &self.description,
            MAX_DESCRIPTION,
        );
        let description = text::keep(&mut problems, description);
        let chosen = WebhookEvent::ALL.into_iter();
        let events = chosen.filter(|event| *event != WebhookEvent::Test && self.has(event));
        match problems.is_empty() {
            true => Ok((url, description, events.collect())),
            false => Err(Error::Invalid(problems)),
        }
    }
}

fn parse_url(typed: &str, callable: &Callable) -> Result<String, Problem> {
    let refuse = |message: String| {
        Err(Problem {
            field: "url",
            message,
        })
    };
    let url = text::required("url", "The URL", typed, MAX_URL)?;
    let wanted = "enter one such as `https://example.com/hooks/licenses`.";
    if url.contains('#') {
        return refuse(format!(
            "`{url}` has a part after `#`, which is never sent; {wanted}"
        ));
    }
    let (Ok(uri), true) = (url.parse::<Uri>(), url.is_ascii()) else {
        return refuse(format!("`{url}` is not a URL; {wanted}"));
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return refuse(format!("`{url}` is not a complete URL; {wanted}"));
    };
    if authority.as_str().contains('@') {
        return refuse(format!("`{url}` has a user name or password; {wanted}"));
    }
    let is_https = match scheme {
        "https" => true,
        "http" if !callable.0.is_empty() => false,
        "http" => {
            return refuse(
                "Without TLS, events are only sent to the networks in the setting `webhook_networks`, and \
                 there are none; enter a URL with `https://`."
                    .to_owned(),
            );
        }
        _ => return refuse(format!("`{url}` is neither https nor http; {wanted}")),
    };
    let host = authority.host();
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(host).parse::<IpAddr>()
        && !callable.permits(address, is_https)
    {
        return refuse(not_called(address));
    }
    Ok(url)
}

/// Why nothing is sent to an address.
pub fn not_called(address: IpAddr) -> String {
    format!(
        "The server does not connect to {address}: it is not a public internet address, or the URL has no TLS. To allow \
         it, add it to the setting `webhook_networks`."
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    Waiting,
    /// The receiver answered 2xx.
    Delivered,
    Failed,
    /// Its customer was erased.
    Dropped,
}

impl DeliveryState {
    /// In the order in which they are listed on pages.
    pub const ALL: [DeliveryState; 4] = [
        DeliveryState::Failed,
        DeliveryState::Waiting,
        DeliveryState::Delivered,
        DeliveryState::Dropped,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
            DeliveryState::Dropped => "dropped",
        }
    }

    pub fn from_word(word: &str) -> Option<DeliveryState> {
        DeliveryState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// An event on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookDelivery {
    pub id: i64,
    pub webhook_id: i64,
    pub created_at: OffsetDateTime,
    /// Since when it is being tried.
    pub queued_at: OffsetDateTime,
    pub next_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
    pub event: WebhookEvent,
    /// The same for each attempt.
    pub message_id: String,
    /// Empty once its customer was erased.
    pub body: String,
    pub state: DeliveryState,
    pub attempts: i64,
    /// Of the last answer; none if there was no answer.
    pub status: Option<u16>,
    /// The beginning of the last answer, or why there was none.
    pub answer: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Answer {
        status: u16,
        /// Its beginning.
        body: String,
        /// Seconds after which to try again.
        retry_after: Option<i64>,
    },
    NoAnswer(String),
}

impl Outcome {
    pub fn is_taken(&self) -> bool {
        matches!(self, Outcome::Answer { status, .. } if (200..300).contains(status))
    }

    /// Whether the receiver wants nothing any longer.
    pub fn is_gone(&self) -> bool {
        matches!(self, Outcome::Answer { status: 410, .. })
    }

    /// Whether other events would meet the same.
    pub fn is_of_receiver(&self) -> bool {
        match self {
            Outcome::NoAnswer(_) => true,
            Outcome::Answer {
                status,
                retry_after,
                ..
            } => retry_after.is_some() || [429, 502, 503, 504].contains(status),
        }
    }

    /// The delivery after this attempt.
    pub fn on(self, delivery: &WebhookDelivery, now: OffsetDateTime) -> WebhookDelivery {
        let attempts = delivery.attempts + 1;
        let state = match (self.is_taken(), self.is_gone()) {
            (true, _) => DeliveryState::Delivered,
            (_, true) => DeliveryState::Failed,
            _ if now - delivery.queued_at >= GIVE_UP => DeliveryState::Failed,
            _ => DeliveryState::Waiting,
        };
        let (status, answer, wanted) = match self {
            Outcome::NoAnswer(words) => (None, words, None),
            Outcome::Answer {
                status,
                body,
                retry_after,
            } => (Some(status), body, retry_after),
        };
        let wanted = Duration::seconds(wanted.unwrap_or_default()).min(LONGEST_PAUSE);
        WebhookDelivery {
            state,
            attempts,
            next_at: now + pause_after(attempts).max(wanted),
            ended_at: (state != DeliveryState::Waiting).then_some(now),
            status,
            answer,
            ..delivery.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_body_is_signed_as_by_others() {
        let now = OffsetDateTime::from_unix_timestamp(1_614_265_330).unwrap();
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        assert_eq!(
            sign(secret, id, now, r#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_url_is_complete_and_leads_to_the_internet() {
        let callable = Callable(vec!["10.0.0.0/8".parse().unwrap()]);
        let parse = |url: &str| parse_url(url, &callable);
        for good in [
            "https://example.com/hooks?key=1",
            "http://localhost:8080/",
            "http://10.0.0.1/",
            "https://[2606:4700::1111]/",
        ] {
            assert_eq!(parse(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "example.com/hooks",
            "/hooks",
            "ftp://example.com",
            "https://",
            "https://u:p@example.com/",
            "https://example.com/#a",
            "https://exämple.com/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://0.0.0.0/",
            "http://1.1.1.1/",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse_url("http://example.com/", &Callable::default()).is_err());
    }
}
