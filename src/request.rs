//! What `api` and `pages` share: reading bodies within limits, and passing errors to the catcher that shows
//! them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocket::data::{Data, ToByteUnit};
use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::response::{self, Responder};
use rocket::tokio::io::{self, AsyncReadExt};
use rocket::tokio::time::timeout;
use rocket::{Request, Response, State};

use crate::clock::Stopwatch;
use crate::error::Error;
use crate::log::Log;

/// Bytes of a check or a sign-in.
pub const SMALL_BODY: u64 = 8 * 1024;
/// Bytes of any other JSON body or form.
pub const BODY: u64 = 64 * 1024;

/// Bytes of an imported file.
pub const IMPORT: u64 = 16 * 1024 * 1024;

const JSON: &str = "application/json";

/// Characters of a header that an error message repeats.
const MAX_QUOTED: usize = 100;

const BODY_TIME: Duration = Duration::from_secs(10);

/// The service, as a handler argument.
pub type App = State<std::sync::Arc<crate::service::Service>>;

/// The whole body; an error if it exceeds `limit` bytes.
pub async fn read_body(data: Data<'_>, limit: u64) -> Result<Vec<u8>, Error> {
    let mut sent = data.open((limit + 1).bytes());
    // Read in place: Rocket's `into_bytes` would copy it through a zeroed 8 KiB buffer.
    let mut body = Vec::with_capacity(512);
    match timeout(BODY_TIME, sent.read_to_end(&mut body)).await {
        Ok(Ok(_)) if body.len() as u64 <= limit => Ok(body),
        Ok(Ok(_)) => Err(Error::TooLarge(limit)),
        Ok(Err(_)) => Err(broken_off()),
        Err(_) => Err(Error::BodyTimeout),
    }
}

/// Bytes of a form in addition to its file.
const AROUND_FILE: u64 = BODY;

/// How long a signed-in user's upload may take.
const FILE_TIME: Duration = Duration::from_secs(120);

pub async fn read_file_body(data: Data<'_>) -> Result<Vec<u8>, Error> {
    let most = IMPORT + AROUND_FILE;
    // A browser shows the answer only after it has sent everything: excess bytes are read and dropped.
    let mut sent = data.open((8 * most).bytes());
    let read = async {
        let mut body = Vec::new();
        (&mut sent).take(most + 1).read_to_end(&mut body).await?;
        if body.len() as u64 <= most {
            return Ok(Some(body));
        }
        drop(body);
        io::copy(&mut sent, &mut io::sink()).await.map(|_| None)
    };
    match timeout(FILE_TIME, read).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => Err(Error::TooLarge(IMPORT)),
        Ok(Err(_)) => Err(broken_off()),
        Err(_) => Err(Error::BodyTimeout),
    }
}

/// Reads a file that is refused, and drops it: a browser shows the answer only after it has sent everything. Its
/// first bytes are returned if it arrived whole.
pub async fn drain(data: Data<'_>, limit: u64) -> Option<Vec<u8>> {
    let mut sent = data.open((IMPORT + AROUND_FILE).bytes());
    let read = async {
        let mut body = Vec::new();
        (&mut sent).take(limit).read_to_end(&mut body).await?;
        io::copy(&mut sent, &mut io::sink()).await?;
        Ok(body)
    };
    let read: Result<io::Result<_>, _> = timeout(FILE_TIME, read).await;
    read.ok()?.ok()
}

fn broken_off() -> Error {
    Error::Malformed {
        message: "The request body broke off.".into(),
        field: None,
    }
}

/// Requires `application/json`, in any case and with any parameters, even empty ones (RFC 9110, 5.6.6).
pub fn require_json(request: &Request<'_>) -> Result<(), Error> {
    let sent = request.headers().get_one("Content-Type");
    let kind = sent.and_then(|sent| sent.split(';').next()).map(str::trim);
    if kind.is_some_and(|kind| kind.eq_ignore_ascii_case(JSON)) {
        return Ok(());
    }
    Err(unsupported(JSON, request))
}

/// The request's `Content-Type` is not `required`.
pub fn unsupported(required: &'static str, request: &Request<'_>) -> Error {
    let sent = request.headers().get_one("Content-Type");
    Error::UnsupportedMediaType {
        required,
        sent: sent.map(|sent| sent.chars().take(MAX_QUOTED).collect()),
    }
}

struct Refused(Option<Error>);

fn keep(request: &Request<'_>, error: Error) -> Status {
    let status = Status::new(error.status());
    request.local_cache(|| Refused(Some(error)));
    status
}

/// For guards: the catcher for the route will show `error`.
pub fn refuse<S, F>(request: &Request<'_>, error: Error) -> Outcome<S, (Status, ()), F> {
    Outcome::Error((keep(request, error), ()))
}

/// For handlers: the same catcher will show the error.
#[derive(Debug)]
pub struct Failure(pub Error);

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.into())
    }
}

impl<'r> Responder<'r, 'static> for Failure {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Err(keep(request, self.0))
    }
}

/// The error for a catcher to show: from [`refuse`], from [`Failure`] or from Rocket itself.
pub fn refused(status: Status, request: &Request<'_>) -> Error {
    if let Refused(Some(error)) = request.local_cache(|| Refused(None)) {
        return error.clone();
    }
    match status.code {
        400 => Error::Malformed {
            message: "The request cannot be read.".into(),
            field: None,
        },
        // Rocket forwards with 422 if a path segment is not a number.
        404 | 422 => Error::NotFound("There is nothing at this address."),
        code => Error::Internal(format!("unforeseen status {code}")),
    }
}

/// Sets the error's headers, and logs it if we or the operator must fix it.
pub fn describe(error: &Error, request: &Request<'_>, response: &mut Response<'_>) {
    if let Some(seconds) = error.retry_after() {
        response.set_raw_header("Retry-After", seconds.to_string());
    }
    if let Error::MethodNotAllowed(allow) = error {
        response.set_raw_header("Allow", allow.clone());
    }
    if matches!(error, Error::Unavailable(_) | Error::Internal(_))
        && let Some(log) = request.rocket().state::<Log>()
    {
        log.fault_of_request(Ticket::of(request).number, error);
    }
}

/// A request's number in the log, and how long it has taken.
#[derive(Debug)]
pub struct Ticket {
    /// Counted from the start of the program.
    pub number: u64,
    /// Started with the request.
    pub watch: Stopwatch,
    /// Dropped with the request, after the last byte of its answer was handed over.
    pub _running: Running,
}

/// Counts the requests that are being answered.
#[derive(Debug, Clone, Default)]
pub struct Running(Arc<AtomicBool>);

impl Running {
    /// From now on each answer ends its connection.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Requests, if `owners` others hold the counter.
    pub fn number(&self, owners: usize) -> usize {
        Arc::strong_count(&self.0).saturating_sub(owners)
    }
}

impl Ticket {
    /// The ticket that the journal assigned.
    pub fn of<'r>(request: &'r Request<'_>) -> &'r Ticket {
        request.local_cache(|| Ticket {
            number: 0,
            watch: Stopwatch::start(),
            _running: Running::default(),
        })
    }
}
