//! All settings: read from a TOML file, then from the environment, which takes precedence.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use lettre::Address;
use lettre::message::Mailbox;
use rocket::http::uri::Absolute;
use time::UtcOffset;
use time::macros::format_description;
use tokio_postgres::config::Host;

use crate::error::Refusal;

/// Read if the command line names no file.
pub const DEFAULT_FILE: &str = "license-server.toml";

/// Characters of a secret in the setting `secret_file`.
const MIN_SECRET: usize = 32;
const ENV_PREFIX: &str = "LICENSE_SERVER_";

/// Each field is a key in the TOML file and, in upper case with the prefix `LICENSE_SERVER_`, an environment
/// variable.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on. Default `127.0.0.1`: reachable only from the same machine, for example by a
    /// proxy.
    pub address: IpAddr,
    /// The port to listen on. Default `8000`; with `0` the system chooses.
    pub port: u16,
    /// The folder of the database; created if it is missing. Default `data`.
    pub data_dir: PathBuf,
    /// Where PostgreSQL is, instead of SQLite's file in `data_dir`: `postgres://user:password@host/name`. Default: none.
    pub database: Option<PostgresUrl>,
    /// The URL that browsers and clients use, including its path, such as
    /// `https://example.com/licenseserver`. Default: `http://` with `address` and `port`.
    pub public_url: Option<PublicUrl>,
    /// Licenses expire at midnight in this offset, such as `+02:00`. Default `+00:00`.
    pub utc_offset: UtcOffset,
    /// The networks whose `X-Forwarded-For` is trusted. Default: loopback.
    pub trusted_proxies: Vec<IpNet>,
    /// Minutes of inactivity after which a session expires. Default `30`.
    pub session_idle_minutes: u16,
    /// Hours after which a session expires even if it is in use. Default `12`.
    pub session_hours: u16,
    /// Hours for which checks are answered from memory while PostgreSQL is out of reach. Default `24`.
    pub max_behind: u16,
    /// Whether everybody needs a second factor to sign in. Default `false`.
    pub require_two_factors: bool,
    /// `plain` or `json` lines on standard error. Default `plain`.
    pub log_format: LogFormat,
    /// Whether to log each answered check. Default `false`, because there are many.
    pub log_checks: bool,
    /// Days after which the details of sign-ins are removed from the audit log; `0` for never. Default `400`.
    pub audit_sign_in_days: u16,
    /// The initial password of `admin`, used only when the database is created. Default: random and printed
    /// once.
    pub admin_password: Option<String>,
    /// The secrets that encrypt signing keys and second factors: the newest first; empty for none.
    pub secrets: Vec<String>,
    /// Sorted SHA-1 hashes of leaked passwords, which nobody may choose. Default: none.
    pub leaked_passwords: Option<PathBuf>,
    /// The folder for backups, made by the server at regular intervals. Default: none are made.
    pub backup_dir: Option<PathBuf>,
    /// Hours between two backups; the overview warns if they are late. `0` for no backups and no warning. Default
    /// `24`.
    pub backup_every: u16,
    /// The mail server. Default: none, and no mails are sent.
    pub smtp_host: Option<String>,
    /// Default `465` for `tls`, `587` for `starttls`, `25` for `none`.
    pub smtp_port: Option<u16>,
    /// Without fallback: a server that does not offer it gets no mail. Default `tls`.
    pub smtp_security: SmtpSecurity,
    /// Default: no sign-in.
    pub smtp_user: Option<String>,
    pub smtp_password: Option<String>,
    /// The sender of all mails, such as `Acme Tools <licenses@example.com>`.
    pub mail_from: Option<Mailbox>,
    /// The language of mails to customers who have none of their own. Default `en`.
    pub mail_language: String,
    /// Whether customers get the activation codes of their orders by mail. Default `true`.
    pub mail_codes: bool,
    /// How many days before the expiration date customers are reminded; empty for never. Default `30, 7, 1`.
    pub reminder_days: Vec<u16>,
    /// Who gets the weekly digest. Default: nobody.
    pub digest_to: Option<String>,
    /// Networks that are not on the internet and may get webhooks, also without TLS. Default: none.
    pub webhook_networks: Vec<IpNet>,
    /// Seconds in which a receiver of webhooks must answer. Default `15`.
    pub webhook_timeout: u16,
    /// Where people report a vulnerability: a URL, as in RFC 9116.
    pub security_contact: Option<String>,
    /// Environment variables that Kubernetes sets for a service named `license-server`; not a setting.
    pub ignored: Vec<String>,
    /// How systemd names the stream that leads to its journal, if there is one; not a setting.
    pub journal: Option<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            address: Ipv4Addr::LOCALHOST.into(),
            port: 8000,
            data_dir: "data".into(),
            database: None,
            public_url: None,
            utc_offset: UtcOffset::UTC,
            trusted_proxies: vec![
                Ipv4Net::new_assert(Ipv4Addr::LOCALHOST, 8).into(),
                Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into(),
            ],
            session_idle_minutes: 30,
            session_hours: 12,
            max_behind: 24,
            require_two_factors: false,
            log_format: LogFormat::Plain,
            log_checks: false,
            audit_sign_in_days: 400,
            admin_password: None,
            secrets: vec![],
            leaked_passwords: None,
            backup_dir: None,
            backup_every: 24,
            smtp_host: None,
            smtp_port: None,
            smtp_security: SmtpSecurity::Tls,
            smtp_user: None,
            smtp_password: None,
            mail_from: None,
            mail_language: "en".to_owned(),
            mail_codes: true,
            reminder_days: vec![30, 7, 1],
            digest_to: None,
            webhook_networks: vec![],
            webhook_timeout: 15,
            security_contact: None,
            ignored: vec![],
            journal: None,
        }
    }
}

/// A value as written, and where it was found.
struct Written {
    text: String,
    place: String,
}

type Values = BTreeMap<String, Written>;

impl Config {
    /// Reads `file`, then `environment`, of which only names that begin with `LICENSE_SERVER_` count. A
    /// missing [`DEFAULT_FILE`] is not an error if `file` is `None`.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, Refusal> {
        let mut values = Values::new();
        let mut ignored = vec![];
        read_file(file, &mut values)?;
        for (name, text) in environment {
            if let Some(key) = name.strip_prefix(ENV_PREFIX) {
                if is_service_link(key, &text) {
                    ignored.push(name);
                    continue;
                }
                let place = format!("the environment variable {name}");
                values.insert(key.to_lowercase(), Written { text, place });
            }
        }
        let config = Config::from_values(&values)?;
        Ok(Config { ignored, ..config })
    }

    /// [`Config::load`] with this process's environment.
    pub fn load_here(file: Option<&Path>) -> Result<Config, Refusal> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let config = Config::load(file, std::env::vars_os().filter_map(text))?;
        let journal = std::env::var("JOURNAL_STREAM").ok();
        Ok(Config { journal, ..config })
    }

    fn from_values(values: &Values) -> Result<Config, Refusal> {
        let mut config = Config::default();
        for (key, written) in values {
            let text = written.text.trim();
            let read = match key.as_str() {
                "address" => set(&mut config.address, text.parse().ok()),
                "port" => set(&mut config.port, text.parse().ok()),
                "data_dir" => set(&mut config.data_dir, non_empty(text).map(PathBuf::from)),
                "database" => set(&mut config.database, PostgresUrl::parse(text).map(Some)),
                "public_url" => set(&mut config.public_url, PublicUrl::parse(text).map(Some)),
                "utc_offset" => set(&mut config.utc_offset, parse_offset(text)),
                "trusted_proxies" => set(&mut config.trusted_proxies, parse_networks(text)),
                "session_idle_minutes" => set(&mut config.session_idle_minutes, positive(text)),
                "session_hours" => set(&mut config.session_hours, positive(text)),
                "max_behind" => set(&mut config.max_behind, hours_behind(text)),
                "require_two_factors" => set(&mut config.require_two_factors, text.parse().ok()),
                "log_format" => set(&mut config.log_format, LogFormat::parse(text)),
                "log_checks" => set(&mut config.log_checks, text.parse().ok()),
                "audit_sign_in_days" => set(&mut config.audit_sign_in_days, text.parse().ok()),
                "admin_password" => {
                    set(&mut config.admin_password, Some(Some(written.text.clone())))
                }
                "leaked_passwords" => {
                    let file = non_empty(text).map(PathBuf::from);
                    set(&mut config.leaked_passwords, Some(file))
                }
                "backup_dir" => {
                    let folder = non_empty(text).map(PathBuf::from);
                    set(&mut config.backup_dir, Some(folder))
                }
                "backup_every" => set(&mut config.backup_every, text.parse().ok()),
                "smtp_host" => set(&mut config.smtp_host, parse_host(text).map(Some)),
                "smtp_port" => set(&mut config.smtp_port, positive(text).map(Some)),
                "smtp_security" => set(&mut config.smtp_security, SmtpSecurity::parse(text)),
                "smtp_user" => set(
                    &mut config.smtp_user,
                    Some(non_empty(text).map(str::to_owned)),
                ),
                "secret_file" => set(&mut config.secrets, Some(secrets_in(text)?)),
                "smtp_password" => set(&mut config.smtp_password, Some(Some(written.text.clone()))),
                "smtp_password_file" => {
                    set(&mut config.smtp_password, Some(Some(password_in(text)?)))
                }
                "mail_from" => set(&mut config.mail_from, parse_mailbox(text).map(Some)),
                "mail_language" => set(&mut config.mail_language, parse_language(text)),
                "mail_codes" => set(&mut config.mail_codes, text.parse().ok()),
                "reminder_days" => set(&mut config.reminder_days, parse_days(text)),
                "digest_to" => set(&mut config.digest_to, parse_address(text).map(Some)),
                "webhook_networks" => set(&mut config.webhook_networks, parse_networks(text)),
                "webhook_timeout" => set(&mut config.webhook_timeout, parse_timeout(text)),
                "security_contact" => {
                    set(&mut config.security_contact, parse_contact(text).map(Some))
                }
                unknown => return Err(unknown_setting(unknown, &written.place)),
            };
            if !read {
                let wanted = setting(key).wanted;
                let place = &written.place;
                return Err(Refusal(format!(
                    "The setting `{key}` is `{}`, which is not {wanted}; fix it in {place}.",
                    without_password(text)
                )));
            }
        }
        config.check_mail(values)?;
        Ok(config)
    }

    /// Settings of mail that do not fit together.
    fn check_mail(&self, values: &Values) -> Result<(), Refusal> {
        let refuse = |words: &str| Err(Refusal(words.to_owned()));
        if values.contains_key("smtp_password") && values.contains_key("smtp_password_file") {
            return refuse(
                "Both `smtp_password` and `smtp_password_file` are set; remove one of them.",
            );
        }
        let Some(host) = &self.smtp_host else {
            return Ok(());
        };
        if self.mail_from.is_none() {
            return refuse(
                "The setting `smtp_host` is set, but `mail_from` is not; set it to the sender of the mails, \
                 for example `Acme Tools <licenses@example.com>`.",
            );
        }
        if self.smtp_user.is_some() != self.smtp_password.is_some() {
            return refuse(
                "To sign in to the mail server, set `smtp_user` and `smtp_password` or `smtp_password_file`; \
                 only one of them is set.",
            );
        }
        if self.smtp_security == SmtpSecurity::None && !is_loopback_name(host) {
            return Err(Refusal(format!(
                "The setting `smtp_security` is `none`, and mails would travel to {host} unencrypted; use `tls` \
                 or `starttls`. `none` is only for a mail server on this machine."
            )));
        }
        Ok(())
    }

    /// Empty, or a path without a trailing slash, such as `/licenseserver`.
    pub fn base_path(&self) -> &str {
        self.public_url.as_ref().map_or("", |url| &url.path)
    }

    /// The path without the base path, which a proxy may have removed already.
    pub fn below_base_path<'a>(&self, path: &'a str) -> &'a str {
        let below = path.strip_prefix(self.base_path());
        let is_end = |below: &&str| below.is_empty() || below.starts_with(['/', '?', '#']);
        below.filter(is_end).unwrap_or(path)
    }

    /// Scheme, host and port as browsers write them in `Origin`; `port` is the one listened on.
    pub fn origin(&self, port: u16) -> String {
        match &self.public_url {
            Some(url) => url.origin.clone(),
            None if self.address.is_unspecified() => format!("http://localhost:{port}"),
            None => format!("http://{}", std::net::SocketAddr::new(self.address, port)),
        }
    }

    /// Name or address of the host in [`Config::origin`], without brackets.
    pub fn host(&self) -> String {
        let origin = self.origin(self.port);
        let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next(),
            None => authority.split(':').next(),
        };
        host.unwrap_or_default().to_owned()
    }

    /// Whether only browsers on this machine reach the server.
    pub fn is_loopback(&self) -> bool {
        is_loopback_name(&self.host())
    }

    /// Whether browsers use TLS; decided by `public_url`, never by a header.
    pub fn is_https(&self) -> bool {
        self.public_url
            .as_ref()
            .is_some_and(|url| url.origin.starts_with("https:"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: time, event, `name=value`.
    Plain,
    /// For machines: one JSON object per line.
    Json,
}

impl LogFormat {
    fn parse(text: &str) -> Option<LogFormat> {
        match text {
            "plain" => Some(LogFormat::Plain),
            "json" => Some(LogFormat::Json),
            _ => None,
        }
    }
}

/// An address may have one before its host.
pub fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => text.to_owned(),
    }
}

/// Where PostgreSQL is.
#[derive(Clone)]
pub struct PostgresUrl(Box<tokio_postgres::Config>);

impl PostgresUrl {
    pub fn parse(text: &str) -> Option<PostgresUrl> {
        let has_scheme = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        let config: tokio_postgres::Config = text.parse().ok().filter(|_| has_scheme)?;
        config.get_dbname()?;
        Some(PostgresUrl(Box::new(config)))
    }

    pub fn config(&self) -> &tokio_postgres::Config {
        &self.0
    }
}

/// Without the password.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        };
        let hosts: Vec<String> = self.0.get_hosts().iter().map(name).collect();
        write!(
            f,
            "postgres://{}/{}",
            hosts.join(","),
            self.0.get_dbname().unwrap_or_default()
        )
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// From the first byte.
    Tls,
    /// After the command of that name.
    StartTls,
    /// Only on this machine.
    None,
}

impl SmtpSecurity {
    fn parse(text: &str) -> Option<SmtpSecurity> {
        match text {
            "tls" => Some(SmtpSecurity::Tls),
            "starttls" => Some(SmtpSecurity::StartTls),
            "none" => Some(SmtpSecurity::None),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            SmtpSecurity::Tls => "tls",
            SmtpSecurity::StartTls => "starttls",
            SmtpSecurity::None => "none",
        }
    }

    pub fn default_port(self) -> u16 {
        match self {
            SmtpSecurity::Tls => 465,
            SmtpSecurity::StartTls => 587,
            SmtpSecurity::None => 25,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// `https://example.com`: lower case, without the scheme's default port.
    origin: String,
    /// Empty, or a path without a trailing slash, such as `/licenseserver`.
    path: String,
}

impl PublicUrl {
    fn parse(text: &str) -> Option<PublicUrl> {
        let url = Absolute::parse(text).ok()?;
        let scheme = url.scheme().to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let authority = url.authority()?;
        let host = authority.host().to_ascii_lowercase();
        let in_a_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if host.is_empty() || !host.chars().all(in_a_host) {
            return None;
        }
        if authority.user_info().is_some() || url.query().is_some() {
            return None;
        }
        let port = match authority.port() {
            Some(port) if port != default_port => format!(":{port}"),
            _ => String::new(),
        };
        let path = url.path().as_str().trim_end_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~/".contains(c);
        if !path.chars().all(plain) || path.contains("//") || path.contains("/.") {
            return None;
        }
        Some(PublicUrl {
            origin: format!("{scheme}://{host}{port}"),
            path: path.to_owned(),
        })
    }
}

struct Setting {
    name: &'static str,
    about: &'static str,
    wanted: &'static str,
}

const SETTINGS: [Setting; 33] = [
    Setting {
        name: "address",
        about: "the address to listen on [127.0.0.1]",
        wanted: "an IP address such as `127.0.0.1` or `::1`",
    },
    Setting {
        name: "port",
        about: "the port to listen on [8000]",
        wanted: "a port number from 0 to 65535",
    },
    Setting {
        name: "data_dir",
        about: "the folder of the database [data]",
        wanted: "the path of a folder",
    },
    Setting {
        name: "database",
        about: "where PostgreSQL is, instead of a file in `data_dir`",
        wanted: "an address such as `postgres://user:password@db.example.com/licenses`",
    },
    Setting {
        name: "max_behind",
        about: "hours of answers from memory while PostgreSQL is away [24]",
        wanted: "a number of hours from 0 to 168",
    },
    Setting {
        name: "public_url",
        about: "the address that browsers and clients use, with its path",
        wanted: "an address such as `https://example.com/licenseserver`, without query or user name",
    },
    Setting {
        name: "utc_offset",
        about: "whose midnight ends a license [+00:00]",
        wanted: "an offset from UTC such as `+02:00` or `-05:30`, from `-12:00` to `+14:00`",
    },
    Setting {
        name: "trusted_proxies",
        about: "whose X-Forwarded-For is believed [127.0.0.0/8, ::1]",
        wanted: "a list of addresses or networks such as `127.0.0.1, 10.0.0.0/8`",
    },
    Setting {
        name: "session_idle_minutes",
        about: "minutes without use after which a session ends [30]",
        wanted: "a number of minutes from 1 on",
    },
    Setting {
        name: "session_hours",
        about: "hours after which a session ends in any case [12]",
        wanted: "a number of hours from 1 on",
    },
    Setting {
        name: "require_two_factors",
        about: "whether everybody needs a second factor to sign in [false]",
        wanted: "`true` or `false`",
    },
    Setting {
        name: "log_format",
        about: "plain or json lines on standard error [plain]",
        wanted: "`plain` or `json`",
    },
    Setting {
        name: "log_checks",
        about: "whether each answered check has a line in the log [false]",
        wanted: "`true` or `false`",
    },
    Setting {
        name: "audit_sign_in_days",
        about: "days after which the audit log loses details of sign-ins [400]",
        wanted: "a number of days, or 0 for never",
    },
    Setting {
        name: "backup_dir",
        about: "the folder for backups made by the server [none]",
        wanted: "the path of a folder",
    },
    Setting {
        name: "backup_every",
        about: "hours between two backups [24]",
        wanted: "a number of hours, or 0 for never",
    },
    Setting {
        name: "smtp_host",
        about: "the mail server; without it no mails are sent [none]",
        wanted: "the name or address of a mail server, without a port",
    },
    Setting {
        name: "smtp_port",
        about: "its port [465, 587 or 25, as smtp_security says]",
        wanted: "a port number from 1 to 65535",
    },
    Setting {
        name: "smtp_security",
        about: "tls, starttls, or none on this machine only [tls]",
        wanted: "`tls`, `starttls` or `none`",
    },
    Setting {
        name: "smtp_user",
        about: "who signs in to the mail server [nobody]",
        wanted: "a user name",
    },
    Setting {
        name: "smtp_password",
        about: "the password of smtp_user",
        wanted: "a text",
    },
    Setting {
        name: "smtp_password_file",
        about: "a file with that password",
        wanted: "the path of a file",
    },
    Setting {
        name: "mail_from",
        about: "the sender of all mails",
        wanted: "an address such as `Acme Tools <licenses@example.com>`",
    },
    Setting {
        name: "mail_language",
        about: "the language of mails unless a customer has another [en]",
        wanted: "a language of two letters such as `en` or `de`",
    },
    Setting {
        name: "mail_codes",
        about: "whether activation codes are mailed after an order [true]",
        wanted: "`true` or `false`",
    },
    Setting {
        name: "reminder_days",
        about: "days before expiration when customers are reminded [30, 7, 1]",
        wanted: "a list of numbers of days from 1 to 365, or an empty text for no reminders",
    },
    Setting {
        name: "digest_to",
        about: "who gets a digest every Monday [nobody]",
        wanted: "an e-mail address",
    },
    Setting {
        name: "webhook_networks",
        about: "networks that may get webhooks besides the internet [none]",
        wanted: "a list of addresses or networks such as `10.1.2.3, fd00::/8`",
    },
    Setting {
        name: "webhook_timeout",
        about: "seconds in which a receiver of webhooks must answer [15]",
        wanted: "a number of seconds from 1 to 60",
    },
    Setting {
        name: "security_contact",
        about: "where people report a vulnerability, for `/.well-known/security.txt` [none]",
        wanted: "an e-mail address, or a URL that begins with `https://`",
    },
    Setting {
        name: "admin_password",
        about: "the password of `admin`, at the first start only [random]",
        wanted: "a text",
    },
    Setting {
        name: "leaked_passwords",
        about: "a file with sorted SHA-1 hashes of leaked passwords, which nobody may choose [none]",
        wanted: "the path of a file",
    },
    Setting {
        name: "secret_file",
        about: "a file with the secret that encrypts signing keys and other secrets [none]",
        wanted: "the path of a file",
    },
];

/// As listed by `--help`.
pub fn help() -> String {
    let lines = SETTINGS
        .iter()
        .map(|s| format!("  {:20} {}\n", s.name, s.about));
    format!(
        "Settings, as keys of {DEFAULT_FILE} or as environment variables such as {ENV_PREFIX}PORT, which win:\n{}",
        lines.collect::<String>()
    )
}

fn setting(name: &str) -> &'static Setting {
    SETTINGS
        .iter()
        .find(|s| s.name == name)
        .unwrap_or(&SETTINGS[0])
}

fn unknown_setting(name: &str, place: &str) -> Refusal {
    let nearest = SETTINGS
        .iter()
        .map(|s| s.name)
        .max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)))
        .unwrap_or_default();
    Refusal(format!(
        "There is no setting `{name}` (in {place}); did you mean `{nearest}`? \
         `license-server --help` lists them all."
    ))
}

fn read_file(file: Option<&Path>, values: &mut Values) -> Result<(), Refusal> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let place = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && file.is_none() => return Ok(()),
        Err(e) => {
            return Err(Refusal(format!(
                "The settings file {place} cannot be read: {e}; fix the file or name another with --config."
            )));
        }
    };
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Refusal(format!(
            "The settings file {place} is not TOML: line {line}: {}; fix that line.",
            e.message().replace('\n', ", ")
        ))
    })?;
    for (key, value) in table {
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
            other => plain(&other),
        };
        values.insert(
            key,
            Written {
                text,
                place: place.clone(),
            },
        );
    }
    Ok(())
}

fn plain(value: &toml::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether Kubernetes or an old Docker link has set this variable, without the prefix, for a service that has
/// our name.
fn is_service_link(key: &str, text: &str) -> bool {
    let numbered = |rest: &str| rest.trim_start_matches(|c: char| c.is_ascii_digit()) != rest;
    match key.strip_prefix("PORT") {
        Some("") => text.contains("://"),
        Some(rest) => rest.strip_prefix('_').is_some_and(numbered),
        None => key == "SERVICE_HOST" || key.starts_with("SERVICE_PORT"),
    }
}

fn set<T>(place: &mut T, value: Option<T>) -> bool {
    value.map(|value| *place = value).is_some()
}

fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn parse_timeout(text: &str) -> Option<u16> {
    positive(text).filter(|seconds| *seconds <= 60)
}

fn hours_behind(text: &str) -> Option<u16> {
    text.parse().ok().filter(|hours| *hours <= 7 * 24)
}

fn positive(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number| *number > 0)
}

fn parse_offset(text: &str) -> Option<UtcOffset> {
    let format = format_description!("[offset_hour sign:mandatory]:[offset_minute]");
    let offset = UtcOffset::parse(text, format).ok()?;
    // The first and the last time zone of the world.
    (-12 * 60..=14 * 60)
        .contains(&offset.whole_minutes())
        .then_some(offset)
}

/// `localhost`, or a loopback address.
fn is_loopback_name(host: &str) -> bool {
    let is_loopback = |address: IpAddr| address.is_loopback();
    host == "localhost" || host.parse().is_ok_and(is_loopback)
}

fn parse_host(text: &str) -> Option<String> {
    let in_a_host = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let is_host = !text.is_empty() && text.chars().all(in_a_host);
    (is_host || text.parse::<IpAddr>().is_ok()).then(|| text.to_owned())
}

/// An address that the envelope of a mail can have.
fn parse_address(text: &str) -> Option<String> {
    let address: Address = text.parse().ok().filter(|_| text.is_ascii())?;
    Some(address.to_string())
}

/// `Name <address>`, or an address.
fn parse_mailbox(text: &str) -> Option<Mailbox> {
    if text.contains(char::is_control) {
        return None;
    }
    let (name, address) = match text.strip_suffix('>') {
        Some(text) => text.rsplit_once('<')?,
        None => ("", text),
    };
    let address = parse_address(address.trim())?.parse().ok()?;
    let name = name.trim().trim_matches('"');
    Some(Mailbox::new(non_empty(name).map(str::to_owned), address))
}

fn parse_language(text: &str) -> Option<String> {
    let is_code = text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase());
    is_code.then(|| text.to_owned())
}

/// The longest first.
fn parse_days(text: &str) -> Option<Vec<u16>> {
    let parts = text.split(',').map(str::trim).filter(|day| !day.is_empty());
    let days = parts.map(|day| positive(day).filter(|day| *day <= 365));
    let mut days = days.collect::<Option<Vec<u16>>>()?;
    days.sort_unstable_by(|one, other| other.cmp(one));
    days.dedup();
    Some(days)
}

/// A URL, which an e-mail address becomes.
fn parse_contact(text: &str) -> Option<String> {
    let is_one_word = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    match text.strip_prefix("https://") {
        Some(rest) => (is_one_word && !rest.is_empty()).then(|| text.to_owned()),
        None => parse_address(text).map(|address| format!("mailto:{address}")),
    }
}

fn password_in(file: &str) -> Result<String, Refusal> {
    let text = text_of("smtp_password_file", file)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn text_of(setting: &str, file: &str) -> Result<String, Refusal> {
    std::fs::read_to_string(file).map_err(|e| {
        Refusal(format!(
            "The file {file} of the setting `{setting}` cannot be read: {e}."
        ))
    })
}

/// One on each line: the first encrypts, and the others decrypt what they encrypted before.
fn secrets_in(file: &str) -> Result<Vec<String>, Refusal> {
    let text = text_of("secret_file", file)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let secrets: Vec<String> = lines.map(str::to_owned).collect();
    let is_short = secrets.iter().any(|secret| secret.len() < MIN_SECRET);
    match secrets.is_empty() || is_short {
        true => Err(Refusal(format!(
            "The file {file} of the setting `secret_file` must have a secret of at least {MIN_SECRET} characters on \
             each line; make one with `openssl rand -base64 32`."
        ))),
        false => Ok(secrets),
    }
}

fn parse_networks(text: &str) -> Option<Vec<IpNet>> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let network = |part: &str| {
        part.parse()
            .ok()
            .or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from))
    };
    parts.map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, toml).unwrap();
        let environment = environment
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()));
        Config::load(Some(&file), environment).map_err(|refusal| refusal.0)
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = load("port = 1\naddress = '::1'", &[("LICENSE_SERVER_PORT", "2")]).unwrap();
        assert_eq!((config.port, config.address.to_string()), (2, "::1".into()));
    }

    #[test]
    fn a_password_of_digits_in_the_environment_stays_a_text() {
        let config = load("", &[("LICENSE_SERVER_ADMIN_PASSWORD", "012345678901")]).unwrap();
        assert_eq!(config.admin_password.as_deref(), Some("012345678901"));
    }

    #[test]
    fn what_kubernetes_sets_for_a_service_of_our_name_is_ignored() {
        let links = [
            ("LICENSE_SERVER_PORT", "tcp://10.96.12.7:8000"),
            ("LICENSE_SERVER_PORT_8000_TCP", "tcp://10.96.12.7:8000"),
            ("LICENSE_SERVER_PORT_8000_TCP_ADDR", "10.96.12.7"),
            ("LICENSE_SERVER_SERVICE_HOST", "10.96.12.7"),
            ("LICENSE_SERVER_SERVICE_PORT", "8000"),
            ("LICENSE_SERVER_SERVICE_PORT_HTTP", "8000"),
        ];
        let config = load("port = 1", &links).unwrap();
        assert_eq!((config.port, config.ignored.len()), (1, links.len()));
        assert!(load("", &[("LICENSE_SERVER_PORT_X", "1")]).is_err());
    }

    #[test]
    fn an_unknown_setting_names_the_nearest_known_one() {
        let refusal = load("publik_url = 'x'", &[]).unwrap_err();
        assert!(refusal.contains("`publik_url`") && refusal.contains("did you mean `public_url`"));
        let refusal = load("", &[("LICENSE_SERVER_PROT", "1")]).unwrap_err();
        assert!(
            refusal.contains("LICENSE_SERVER_PROT") && refusal.contains("`port`"),
            "{refusal}"
        );
    }

    #[test]
    fn a_broken_value_is_named_with_its_place_and_the_fix() {
        for (line, wanted) in [
            ("port = 70000", "from 0 to 65535"),
            ("address = 'localhost'", "an IP address"),
            ("utc_offset = '2'", "`+02:00`"),
            ("utc_offset = '+25:00'", "`+14:00`"),
            ("utc_offset = '+14:01'", "`+14:00`"),
            ("utc_offset = '-12:01'", "`-12:00`"),
            (
                "public_url = 'example.com'",
                "`https://example.com/licenseserver`",
            ),
            (
                "public_url = 'https://u:p@example.com'",
                "without query or user name",
            ),
            ("trusted_proxies = ['10.0.0.0/33']", "networks"),
        ] {
            let refusal = load(line, &[]).unwrap_err();
            let key = line.split(' ').next().unwrap();
            assert!(refusal.contains(&format!("`{key}`")), "{refusal}");
            assert!(
                refusal.contains(wanted) && refusal.contains("settings.toml"),
                "{refusal}"
            );
        }
    }

    #[test]
    fn a_file_that_is_not_toml_is_refused_with_its_line() {
        let refusal = load("port = 1\nport = = 2", &[]).unwrap_err();
        assert!(refusal.contains("line 2"), "{refusal}");
    }

    #[test]
    fn the_public_url_gives_origin_and_base_path() {
        let config = load("public_url = 'HTTPS://Example.com:443/licenseserver/'", &[]).unwrap();
        assert_eq!(config.origin(8000), "https://example.com");
        assert_eq!(config.base_path(), "/licenseserver");
        assert!(config.is_https());
        let bare = load("", &[]).unwrap();
        assert_eq!(
            (bare.origin(8000).as_str(), bare.base_path()),
            ("http://127.0.0.1:8000", "")
        );
    }

    #[test]
    fn single_addresses_and_networks_are_trusted_proxies() {
        let config = load("trusted_proxies = ['10.0.0.1', 'fd00::/8']", &[]).unwrap();
        assert_eq!(
            config.trusted_proxies,
            [
                "10.0.0.1/32".parse().unwrap(),
                "fd00::/8".parse::<IpNet>().unwrap()
            ]
        );
    }
}
