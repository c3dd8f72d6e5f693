//! The conversation with the mail server.

use std::cell::Cell;
use std::error::Error as _;
use std::fmt::Display;
use std::io;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::{Category, Code, Detail, Severity};
use lettre::{Address, transport::smtp};

use super::tls_words::tls_words;
use crate::config::{Config, SmtpSecurity};
use crate::model::mail::{Delivery, Mail};

/// For each step; RFC 5321, 4.5.3.2 would wait for minutes.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Until the server has taken the text: a mail given up too early may arrive.
const TIMEOUT_OF_TEXT: Duration = Duration::from_secs(600);

/// Characters of an answer.
const KEPT: usize = 300;

/// 421: the server will close the connection.
const CLOSING: Code = Code {
    severity: Severity::TransientNegativeCompletion,
    category: Category::Connections,
    detail: Detail::One,
};

/// How the settings say that mails are sent.
pub(super) struct Smtp {
    host: String,
    port: u16,
    security: SmtpSecurity,
    credentials: Option<Credentials>,
    /// See [`secrets`].
    secrets: Vec<String>,
    pub(super) from: Mailbox,
    hello: ClientId,
}

/// An open connection.
pub(super) struct Link<'a> {
    connection: SmtpConnection,
    smtp: &'a Smtp,
}

impl Smtp {
    pub(super) fn new(config: &Config) -> Option<Smtp> {
        let host = config.smtp_host.clone()?;
        let own = config.host();
        let credentials = config.smtp_user.clone().zip(config.smtp_password.clone());
        Some(Smtp {
            host,
            port: config
                .smtp_port
                .unwrap_or(config.smtp_security.default_port()),
            security: config.smtp_security,
            secrets: credentials.iter().flat_map(secrets).collect(),
            credentials: credentials.map(|(user, password)| Credentials::new(user, password)),
            from: config.mail_from.clone()?,
            hello: match own.contains('.') && own.parse::<std::net::IpAddr>().is_err() {
                true => ClientId::Domain(own),
                false => ClientId::default(),
            },
        })
    }

    /// `smtp.example.com:465, tls`.
    pub(super) fn shown(&self) -> String {
        let Smtp { host, port, .. } = self;
        format!("{host}:{port}, {}", self.security.as_str())
    }

    /// Connects, encrypts and signs in, in one way only.
    pub(super) fn connect(&self) -> Result<Link<'_>, String> {
        let tls = || TlsParameters::new(self.host.clone());
        let open = || {
            let wrapped = match self.security {
                SmtpSecurity::Tls => Some(tls()?),
                SmtpSecurity::StartTls | SmtpSecurity::None => None,
            };
            let mut connection = SmtpConnection::connect(
                (&*self.host, self.port),
                Some(TIMEOUT),
                &self.hello,
                wrapped.as_ref(),
                None,
            )?;
            match self.security {
                SmtpSecurity::StartTls => connection.starttls(&tls()?, &self.hello)?,
                SmtpSecurity::Tls | SmtpSecurity::None => {}
            }
            if let Some(credentials) = &self.credentials {
                connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials)?;
            }
            Ok(connection)
        };
        let connection = open().map_err(|e| self.words(&e))?;
        Ok(Link {
            connection,
            smtp: self,
        })
    }

    /// Code and words of the server, or what went wrong.
    fn words(&self, error: &smtp::Error) -> String {
        if let Some(words) = tls_words("The mail server", error) {
            return cut(&words);
        }
        let cause = error.source().map(ToString::to_string);
        let cause = cause.unwrap_or_else(|| error.to_string());
        let cause = match &*cause {
            "incomplete response" => "The mail server closed the connection.",
            cause if has_any(cause, &self.secrets) => {
                "The answer of the mail server has the password in it and is not kept."
            }
            cause => cause,
        };
        match error.status() {
            Some(code) => cut(&format!("{code} {cause}")),
            None => cut(cause),
        }
    }
}

impl Link<'_> {
    pub(super) fn is_broken(&self) -> bool {
        self.connection.has_broken()
    }

    /// Names sender and recipient; an error if the server does not want them.
    pub(super) fn offer(&mut self, to: &Address) -> Result<(), Delivery> {
        let from = MailFrom::new(Some(self.smtp.from.email.clone()), vec![]);
        self.command(from)?;
        self.command(Rcpt::new(to.clone(), vec![]))
    }

    /// Takes an offer back.
    pub(super) fn withdraw(&mut self) {
        if self.connection.command(Rset).is_err() {
            self.connection.abort();
        }
    }

    fn command(&mut self, command: impl Display) -> Result<(), Delivery> {
        let Err(error) = self.connection.command(command) else {
            return Ok(());
        };
        let delivery = match error.is_permanent() {
            true => Delivery::Refused(self.smtp.words(&error)),
            false => Delivery::NotNow(self.smtp.words(&error)),
        };
        match error.status() {
            // The server closes the connection.
            None | Some(CLOSING) => self.connection.abort(),
            Some(_) => self.withdraw(),
        }
        Err(delivery)
    }

    /// Sends the text after [`Link::offer`].
    pub(super) fn hand_over(&mut self, text: &[u8]) -> Delivery {
        if let Err(delivery) = self.command(Data) {
            return delivery;
        }
        // From the moment when the end of the text may have gone out, only a reply tells what became of it.
        let has_gone_out = Cell::new(false);
        let end = std::iter::from_fn(|| {
            has_gone_out.set(true);
            None
        });
        // A connection that takes no timeout has one already.
        drop(self.connection.set_timeout(Some(TIMEOUT_OF_TEXT)));
        let sent = self.connection.message_iter([text].into_iter().chain(end));
        drop(self.connection.set_timeout(Some(TIMEOUT)));
        let Err(error) = sent else {
            return Delivery::Taken;
        };
        let words = self.smtp.words(&error);
        if error.is_permanent() {
            return Delivery::Refused(words);
        }
        if error.is_transient() {
            return Delivery::NotNow(words);
        }
        self.connection.abort();
        match has_gone_out.get() && !is_write_refused(&error) {
            true => Delivery::Uncertain(cut(&format!(
                "The connection was lost before the mail server had answered: {words}"
            ))),
            false => Delivery::NotNow(words),
        }
    }

    pub(super) fn close(mut self) {
        drop(self.connection.quit());
    }
}

/// The mail as it travels.
pub(super) fn composed(from: &Mailbox, to: &Address, mail: &Mail) -> Result<Vec<u8>, String> {
    // RFC 3834: nobody's absence is announced to us.
    let by_a_program = HeaderValue::new(
        HeaderName::new_from_ascii_str("Auto-Submitted"),
        "auto-generated".to_owned(),
    );
    let message = Message::builder()
        .message_id(Some(mail.message_id.clone()))
        .date(SystemTime::from(mail.queued_at))
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(&*mail.subject)
        .header(ContentType::TEXT_PLAIN)
        .raw_header(by_a_program)
        .body(mail.body.replace('\n', "\r\n"));
    let message = message.map_err(|e| format!("The mail cannot be composed: {e}."))?;
    Ok(message.formatted())
}

/// Whether nothing was written: the other side had closed the connection before.
fn is_write_refused(error: &smtp::Error) -> bool {
    let cause = error.source().and_then(|e| e.downcast_ref::<io::Error>());
    cause.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// One line without control characters.
fn cut(words: &str) -> String {
    let plain = words.replace(char::is_control, " ");
    let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(KEPT).collect()
}

/// The password, as it is and as `AUTH` sends it: a server may repeat what it was sent.
fn secrets((user, password): &(String, String)) -> [String; 3] {
    let plain = STANDARD_NO_PAD.encode(format!("\0{user}\0{password}"));
    [password.clone(), STANDARD_NO_PAD.encode(password), plain]
}

/// However the server wraps and capitalizes what it repeats.
fn has_any(text: &str, secrets: &[String]) -> bool {
    let bare = |text: &str| {
        let kept = text
            .chars()
            .filter(|c| !c.is_whitespace() && !c.is_control());
        kept.collect::<String>().to_lowercase()
    };
    let text = bare(text);
    let mut secrets = secrets.iter().map(|secret| bare(secret));
    secrets.any(|secret| !secret.is_empty() && text.contains(&secret))
}
