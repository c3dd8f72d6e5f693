//! A mock server that gives the same answer to every check and activation, for a vendor who tests a tool's dialogs.

mod offer;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::ArgPredicate;
use clap::{Args, ValueEnum};
use rocket::config::Shutdown as Ending;
use rocket::fairing::AdHoc;
use rocket::response::content::{RawHtml, RawText};
use rocket::shield::Shield;
use rocket::tokio::runtime::Builder;
use rocket::{Build, Responder, Rocket, Shutdown, State, get, post, routes};
use time::{Date, Duration, OffsetDateTime};

use self::offer::OfferArgs;
use super::{headers, launch, methods, refusal, say, settings};
use crate::api::{self, Answer, Asked, Body, SignedAnswer};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::model::activation_code::Reason;
use crate::model::license::Verdict;
use crate::model::offline_request::OfflineRequest;
use crate::model::question::Question;
use crate::model::signed::{ClaimsInput, SignedValues, SigningRequest};
use crate::model::tool::{Tool, ToolDraft};
use crate::request::{Failure, SMALL_BODY};
use crate::service::{KeyFormat, KeyRing, Service, Signed};

/// Which server to imitate.
#[derive(Debug, Args)]
pub struct Mock {
    /// The result of every check
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        required_unless_present = "activate",
        default_value_if("activate", ArgPredicate::IsPresent, "VALID")
    )]
    verdict: Option<Part>,
    /// What comes of every activation code: SUCCESS, or why it is refused; by default SUCCESS, or what goes wrong with
    /// checks
    #[arg(long, value_name = "REASON", value_enum, ignore_case = true)]
    activate: Option<Outcome>,
    /// Where to listen, instead of the setting
    #[arg(long)]
    port: Option<u16>,
    /// A message to add to a signed refusal, after the published one
    #[arg(long, value_name = "TEXT", default_value = "")]
    message: String,
    /// How many days a signed answer is good for without asking again
    #[arg(long, value_name = "N", default_value = "7")]
    offline_days: String,
    #[command(flatten)]
    offer: OfferArgs,
    /// Sign with this private key, PKCS #8 in PEM, so that a test build can pin its public key
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Each verdict, and what can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum Part {
    /// 200
    Valid,
    /// 200, one day after the expiration date
    InGrace,
    /// 200, with 14 days left
    Trial,
    /// 403
    Expired,
    /// 403
    Suspended,
    /// 403
    Revoked,
    /// 404
    NotFound,
    /// 200 as published, but without a signature
    Unsigned,
    /// 200, signed with an unknown key that claims the id of a known one
    Forged,
    /// 200 with the page of a proxy
    Html,
    /// 503
    Unavailable,
    /// No answer at all
    Silent,
}

/// Success, and each published reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum Outcome {
    /// 200
    Success,
    /// 422
    BadCode,
    /// 404
    UnknownCode,
    /// 404
    WrongTool,
    /// 403
    CodeExpired,
    /// 403
    CodeSuspended,
    /// 403
    CodeRevoked,
    /// 403
    MachineBlocked,
    /// 409; a machine can be removed
    SeatsInUse,
    /// 409; a machine can be removed
    OtherCode,
    /// 409, for removing a machine only
    MovesUsed,
    /// 409, for removing a machine only
    OfflineUntil,
    /// 429
    TryLater,
}

/// What a program wants from an activation code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Activate,
    Remove,
}

impl Outcome {
    /// Why the wish is refused, if it is.
    fn reason(self, wish: Wish, message: &str, today: Date) -> Option<Reason> {
        let is_activation = wish == Wish::Activate;
        Some(match self {
            Outcome::Success => return None,
            Outcome::BadCode => Reason::BadCode("This code contains a typing error.".into()),
            Outcome::UnknownCode => Reason::UnknownCode,
            Outcome::WrongTool => Reason::WrongTool("AnotherTool".into()),
            Outcome::CodeExpired => Reason::CodeExpired(today.previous_day().unwrap_or(today)),
            Outcome::CodeSuspended => Reason::CodeSuspended,
            Outcome::CodeRevoked => Reason::CodeRevoked,
            Outcome::MachineBlocked => Reason::MachineBlocked,
            Outcome::SeatsInUse => is_activation.then_some(Reason::SeatsInUse(3))?,
            Outcome::OtherCode => is_activation.then_some(Reason::OtherCode)?,
            Outcome::MovesUsed if is_activation => return None,
            Outcome::MovesUsed => Reason::MovesUsed {
                moves: 9,
                message: message.to_owned(),
            },
            Outcome::OfflineUntil if is_activation => return None,
            Outcome::OfflineUntil => {
                Reason::OfflineUntil(today.saturating_add(Duration::days(365)))
            }
            Outcome::TryLater => Reason::TryLater(60),
        })
    }
}

/// The answer, if there is one.
enum Line {
    /// With the status for programs: that of the verdict, except for a trial.
    Verdict(Verdict, &'static str),
    Unsigned,
    Html,
    Unavailable,
    Silent,
}

impl Part {
    fn line(self) -> Line {
        let verdict = |verdict: Verdict| Line::Verdict(verdict, verdict.code());
        match self {
            Part::Valid | Part::Forged => verdict(Verdict::Valid),
            Part::InGrace => verdict(Verdict::InGrace),
            Part::Trial => Line::Verdict(Verdict::Valid, "TRIAL"),
            Part::Expired => verdict(Verdict::Expired),
            Part::Suspended => verdict(Verdict::Suspended),
            Part::Revoked => verdict(Verdict::Revoked),
            Part::NotFound => verdict(Verdict::NotFound),
            Part::Unsigned => Line::Unsigned,
            Part::Html => Line::Html,
            Part::Unavailable => Line::Unavailable,
            Part::Silent => Line::Silent,
        }
    }

    /// Whether it lets a program run.
    fn is_good(self) -> bool {
        matches!(self, Part::Valid | Part::InGrace | Part::Trial)
    }

    /// Days since the expiration date; none for a perpetual license.
    fn days_over(self) -> Option<i64> {
        match self {
            Part::InGrace | Part::Expired => Some(1),
            Part::Trial => Some(-14),
            Part::Valid
            | Part::Suspended
            | Part::Revoked
            | Part::NotFound
            | Part::Unsigned
            | Part::Forged
            | Part::Html
            | Part::Unavailable
            | Part::Silent => None,
        }
    }
}

struct Stage {
    part: Part,
    /// None: whatever is wrong with checks is wrong with activations.
    outcome: Option<Outcome>,
    tool: Tool,
    offer: OfferArgs,
    keys: Arc<KeyRing>,
    /// Signs instead of `keys` if the answers are forged.
    forged: Option<KeyRing>,
    config: Config,
}

/// Days that an offline file is good for; the default of the real server.
const OFFLINE_FILE_DAYS: u16 = 365;

const PROXY_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n\
     <body><h1>Sign in to this network</h1></body></html>\n";

#[expect(clippy::large_enum_variant, reason = "one at a time, and sent at once")]
#[derive(Responder)]
enum Played {
    Plain(Answer),
    Signed(SignedAnswer),
    Page(RawHtml<&'static str>),
    File(RawText<String>),
}

#[post("/api/check", data = "<body>")]
async fn check(
    stage: &State<Stage>,
    body: Body<Asked, { SMALL_BODY }>,
    end: Shutdown,
) -> Result<Played, Failure> {
    stage.play(stage.part.line(), body.0, end).await
}

/// The code is not read: whatever the customer enters, the outcome is the same.
#[post("/api/activate", data = "<body>")]
async fn activate(
    stage: &State<Stage>,
    body: Body<Asked, { SMALL_BODY }>,
    end: Shutdown,
) -> Result<Played, Failure> {
    stage.refuse(Wish::Activate)?;
    let line = match (stage.outcome, stage.part.line()) {
        (None, fault) if !matches!(fault, Line::Verdict(..)) => fault,
        (_, good) if stage.part.is_good() => good,
        _ => Part::Valid.line(),
    };
    stage.play(line, body.0, end).await
}

#[post("/api/deactivate", data = "<body>")]
async fn deactivate(
    stage: &State<Stage>,
    body: Body<Asked, { SMALL_BODY }>,
    end: Shutdown,
) -> Result<Played, Failure> {
    stage.refuse(Wish::Remove)?;
    match (stage.outcome, stage.part.line()) {
        (None, fault @ (Line::Html | Line::Unavailable | Line::Silent)) => {
            stage.play(fault, body.0, end).await
        }
        _ => Ok(Played::Plain(Answer::success(200, "Machine removed"))),
    }
}

/// The offline file for the request that a client shows, at the address that the client shows, too.
#[get("/claim?<request>")]
async fn claim(
    stage: &State<Stage>,
    request: Option<&str>,
    end: Shutdown,
) -> Result<Played, Failure> {
    let requested = OfflineRequest::parse(request.unwrap_or_default())?;
    let question = Question::parse(&requested.tool_name, &requested.license_key)?;
    let request = SigningRequest::parse(&requested.nonce, &requested.kids)?;
    match stage.part.line() {
        Line::Verdict(verdict, code) => {
            let tool = Tool {
                offline_days: OFFLINE_FILE_DAYS,
                ..stage.tool.clone()
            };
            let signed = stage.sign(&question, &request, verdict, code, &tool)?;
            Ok(Played::File(RawText(signed.token + "\n")))
        }
        Line::Unsigned => Ok(Played::Plain(Verdict::Valid.into())),
        fault => fault.play(end).await,
    }
}

impl Line {
    /// What goes wrong, whatever was asked.
    async fn play(self, end: Shutdown) -> Result<Played, Failure> {
        match self {
            Line::Html => return Ok(Played::Page(RawHtml(PROXY_PAGE))),
            Line::Silent => end.await,
            Line::Verdict(..) | Line::Unsigned | Line::Unavailable => {}
        }
        Err(Error::Unavailable("the mock plays it".into()).into())
    }
}

impl Stage {
    async fn play(&self, line: Line, mut asked: Asked, end: Shutdown) -> Result<Played, Failure> {
        let (tool_name, license_key) = asked.pair()?;
        let question = Question::parse(&tool_name, &license_key)?;
        let kids = asked.kids.unwrap_or_default();
        let request = match &asked.nonce {
            Some(nonce) => Some(SigningRequest::parse(nonce, &kids)?),
            None => None,
        };
        match (line, request) {
            (Line::Verdict(verdict, code), Some(request)) => {
                let signed = self.sign(&question, &request, verdict, code, &self.tool)?;
                Ok(Played::Signed(SignedAnswer(signed)))
            }
            (Line::Verdict(verdict, _), None) => Ok(Played::Plain(verdict.into())),
            (Line::Unsigned, _) => Ok(Played::Plain(Verdict::Valid.into())),
            (fault, _) => fault.play(end).await,
        }
    }

    fn refuse(&self, wish: Wish) -> Result<(), Error> {
        let today = Clock::System.now().to_offset(self.config.utc_offset).date();
        let outcome = self.outcome.unwrap_or(Outcome::Success);
        match outcome.reason(wish, &self.tool.message, today) {
            Some(reason) => Err(reason.into()),
            None => Ok(()),
        }
    }

    fn sign(
        &self,
        question: &Question<'_>,
        request: &SigningRequest<'_>,
        verdict: Verdict,
        code: &'static str,
        tool: &Tool,
    ) -> Result<Signed, Error> {
        let now = Clock::System.now();
        let offset = self.config.utc_offset;
        // A refusal's date would contradict the success of an activation.
        let is_of_part = verdict.is_refusal() != self.part.is_good();
        let over = self
            .part
            .days_over()
            .filter(|_| is_of_part)
            .map(Duration::days);
        let input = ClaimsInput {
            question,
            verdict,
            expiration_date: over.and_then(|over| now.to_offset(offset).date().checked_sub(over)),
            values: &SignedValues::default(),
            tool,
            now,
            as_of: now,
            offset,
        };
        let mut claims = input.claims(request.nonce);
        claims.code = code;
        claims.offer = self.offer.offer();
        let keys = self.forged.as_ref().unwrap_or(&self.keys);
        Ok(Signed {
            verdict,
            code,
            token: keys.sign(&claims, request.kids)?,
            days_left: input.days_left(),
            message: claims.message,
            expiration_date: claims.expiration_date,
            offer: claims.offer,
        })
    }

    /// Prints that this is a mock, and which public keys verify its answers.
    fn announce(&self, port: u16) -> Result<(), Error> {
        let part = self.part.to_possible_value();
        let part = part.as_ref().map_or("", |part| part.get_name());
        let outcome = self.outcome.and_then(|outcome| outcome.to_possible_value());
        let outcome = outcome.map_or(String::new(), |outcome| {
            format!(", and every activation {}", outcome.get_name())
        });
        let origin = std::net::SocketAddr::new(self.config.address, port);
        let (kid, xy) = self.keys.default_key(KeyFormat::Xy)?;
        let (_, jwk) = self.keys.default_key(KeyFormat::Jwk)?;
        say(&format!(
            "License Server {}: THIS IS A MOCK. It looks nothing up: every answer is {part}{outcome}.\n  \
             Answers at  http://{origin}{}/api/check\n  \
             Key         {kid}\n  \
             Public half {xy}\n  \
             as JWK      {jwk}",
            env!("CARGO_PKG_VERSION"),
            self.config.base_path()
        ));
        Ok(())
    }
}

/// Serves until SIGTERM or Ctrl-C, to this computer only.
pub fn serve_mock(mut config: Config, mock: Mock) -> Result<(), Refusal> {
    if !config.address.is_loopback() {
        return Err(Refusal(format!(
            "The setting `address` is `{}`, but a mock listens on loopback only, since it would answer \
             customers, too; write 127.0.0.1.",
            config.address
        )));
    }
    config.port = mock.port.unwrap_or(config.port);
    let tool = Tool {
        // A lease never outlasts the license and its grace period; here only the offline days limit it.
        grace_days: u16::MAX,
        ..Tool::parse(&ToolDraft {
            offline_days: mock.offline_days,
            grace_days: "0".into(),
            message: mock.message,
            ..ToolDraft::default()
        })?
    };
    let part = mock.verdict.unwrap_or(Part::Valid);
    let now = Clock::System.now();
    let (keys, of) = keys(&config, mock.key.as_deref(), now)?;
    let stage = Stage {
        part,
        outcome: mock.activate,
        tool,
        offer: mock.offer,
        forged: (part == Part::Forged)
            .then(|| keys.forged(now))
            .transpose()?,
        keys,
        config: config.clone(),
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Refusal(format!("The system gives no threads: {e}.")))?;
    let rocket = rocket(&config, stage).attach(AdHoc::on_liftoff("announce", move |rocket| {
        Box::pin(async move {
            if let Some(stage) = rocket.state::<Stage>()
                && stage.announce(rocket.config().port).is_ok()
            {
                say(&format!("  Database    {of}"));
            }
        })
    }));
    runtime
        .block_on(launch(rocket))
        .map_err(|error| refusal(&config, &error))
}

/// The key from the file, else the database's, else one for this run; and which of these it is.
fn keys(
    config: &Config,
    of_file: Option<&Path>,
    now: OffsetDateTime,
) -> Result<(Arc<KeyRing>, String), Refusal> {
    if let Some(file) = of_file {
        let name = file.display();
        let pem = fs::read_to_string(file)
            .map_err(|e| Refusal(format!("The file {name} cannot be read: {e}.")))?;
        let keys = KeyRing::from_pem(&pem, now)?;
        return Ok((Arc::new(keys), format!("none: the key is that of {name}")));
    }
    let file = config.data_dir.join("licenses.db");
    if file.exists() {
        let keys = Service::open_existing(config, Clock::System)?.key_ring();
        if !keys.is_empty() {
            return Ok((keys, format!("{}: only its keys are used", file.display())));
        }
    }
    let keys = Arc::new(KeyRing::generate(now)?);
    Ok((
        keys,
        "none: the key was made for this run and is stored nowhere".into(),
    ))
}

fn rocket(config: &Config, stage: Stage) -> Rocket<Build> {
    let base = config.base_path();
    let at_once = rocket::Config {
        shutdown: Ending {
            grace: 0,
            mercy: 0,
            ..settings(config).shutdown
        },
        ..settings(config)
    };
    let mut rocket = rocket::custom(at_once)
        .attach(Shield::new()) // as on the real server
        .attach(headers::fairing(config))
        .manage(stage);
    let routes = methods::refused_elsewhere(routes![check, activate, deactivate, claim]);
    for prefix in if base.is_empty() {
        vec![""]
    } else {
        vec!["", base]
    } {
        rocket = rocket
            .mount(format!("{prefix}/"), routes.clone())
            .register(format!("{prefix}/"), headers::on(api::catchers(), config));
    }
    rocket
}
