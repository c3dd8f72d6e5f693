//! A mock server that gives the same answer to every check, for a vendor who tests a tool's dialogs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use rocket::config::Shutdown as Ending;
use rocket::fairing::AdHoc;
use rocket::response::content::RawHtml;
use rocket::shield::Shield;
use rocket::tokio::runtime::Builder;
use rocket::{Build, Responder, Rocket, Shutdown, State, post, routes};
use time::{Duration, OffsetDateTime};

use super::{headers, launch, methods, refusal, say, settings};
use crate::api::{self, Answer, Asked, Body, SignedAnswer};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::model::signed::{ClaimsInput, SigningRequest};
use crate::model::tool::{Tool, ToolDraft};
use crate::request::{Failure, SMALL_BODY};
use crate::service::{KeyFormat, KeyRing, Service, Signed};

/// Which server to imitate.
#[derive(Debug, Args)]
pub struct Mock {
    /// The result of every check
    #[arg(long, value_enum, ignore_case = true)]
    verdict: Part,
    /// Where to listen, instead of the setting
    #[arg(long)]
    port: Option<u16>,
    /// A message to add to a signed refusal, after the published one
    #[arg(long, value_name = "TEXT", default_value = "")]
    message: String,
    /// How many days a signed answer is good for without asking again
    #[arg(long, value_name = "N", default_value = "7")]
    offline_days: String,
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
    tool: Tool,
    keys: Arc<KeyRing>,
    /// Signs instead of `keys` if the answers are forged.
    forged: Option<KeyRing>,
    config: Config,
}

const PROXY_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n\
     <body><h1>Sign in to this network</h1></body></html>\n";

#[derive(Responder)]
enum Played {
    Plain(Answer),
    Signed(SignedAnswer),
    Page(RawHtml<&'static str>),
}

#[post("/api/check", data = "<body>")]
async fn check(
    stage: &State<Stage>,
    body: Body<Asked, { SMALL_BODY }>,
    end: Shutdown,
) -> Result<Played, Failure> {
    let Body(mut asked) = body;
    let (tool_name, license_key) = asked.pair()?;
    let question = Question::parse(&tool_name, &license_key)?;
    let kids = asked.kids.unwrap_or_default();
    let request = match &asked.nonce {
        Some(nonce) => Some(SigningRequest::parse(nonce, &kids)?),
        None => None,
    };
    let unavailable = || Error::Unavailable("the mock plays it".into());
    match (stage.part.line(), request) {
        (Line::Verdict(verdict, code), Some(request)) => {
            let signed = stage.sign(&question, &request, verdict, code)?;
            Ok(Played::Signed(SignedAnswer(signed)))
        }
        (Line::Verdict(verdict, _), None) => Ok(Played::Plain(verdict.into())),
        (Line::Unsigned, _) => Ok(Played::Plain(Verdict::Valid.into())),
        (Line::Html, _) => Ok(Played::Page(RawHtml(PROXY_PAGE))),
        (Line::Unavailable, _) => Err(unavailable().into()),
        (Line::Silent, _) => {
            end.await;
            Err(unavailable().into())
        }
    }
}

impl Stage {
    fn sign(
        &self,
        question: &Question<'_>,
        request: &SigningRequest<'_>,
        verdict: Verdict,
        code: &'static str,
    ) -> Result<Signed, Error> {
        let now = Clock::System.now();
        let offset = self.config.utc_offset;
        let over = self.part.days_over().map(Duration::days);
        let input = ClaimsInput {
            question,
            verdict,
            expiration_date: over.and_then(|over| now.to_offset(offset).date().checked_sub(over)),
            tool: &self.tool,
            now,
            offset,
        };
        let mut claims = input.claims(request.nonce);
        claims.code = code;
        Ok(Signed {
            verdict,
            code,
            token: self
                .forged
                .as_ref()
                .unwrap_or(&self.keys)
                .sign(&claims, request.kids)?,
            days_left: input.days_left(),
            message: claims.message,
            expiration_date: claims.expiration_date,
        })
    }

    /// Prints that this is a mock, and which public keys verify its answers.
    fn announce(&self, port: u16) -> Result<(), Error> {
        let part = self.part.to_possible_value();
        let part = part.as_ref().map_or("", |part| part.get_name());
        let origin = std::net::SocketAddr::new(self.config.address, port);
        let (kid, xy) = self.keys.default_key(KeyFormat::Xy)?;
        let (_, jwk) = self.keys.default_key(KeyFormat::Jwk)?;
        say(&format!(
            "License Server {}: THIS IS A MOCK. It looks nothing up: every answer is {part}.\n  \
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
    let now = Clock::System.now();
    let (keys, of) = keys(&config, mock.key.as_deref(), now)?;
    let stage = Stage {
        part: mock.verdict,
        tool,
        forged: (mock.verdict == Part::Forged)
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
    let routes = methods::refused_elsewhere(routes![check]);
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
