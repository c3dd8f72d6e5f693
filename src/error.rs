//! What can go wrong; `api` and `pages` decide how it is shown.

use std::fmt;

/// An invalid value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field's name in JSON and forms.
    pub field: &'static str,
    /// For the person who typed it: what is wrong, then what to do.
    pub message: String,
}

impl Problem {
    /// Somebody else changed the field after the form was opened.
    pub fn conflict(field: &'static str, current: &str) -> Problem {
        let shown = if current.is_empty() {
            "nothing"
        } else {
            current
        };
        Problem {
            field,
            message: format!(
                "Somebody changed this to {shown} after you opened the page. Save again to replace it with your value."
            ),
        }
    }
}

/// See [`Error::Refused`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub http: u16,
    /// Of the published list.
    pub reason: &'static str,
    /// The field at fault.
    pub field: &'static str,
    pub message: String,
    /// What differs in the message from case to case, for other languages: a tool, a date, the vendor's words.
    pub value: String,
    /// All seats of the activation code, where they are in use.
    pub seats: Option<i64>,
    /// Seconds.
    pub retry_after: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The body cannot be parsed.
    Malformed {
        message: String,
        /// The invalid field, if known.
        field: Option<String>,
    },
    /// One entry per field.
    Invalid(Vec<Problem>),
    /// Nobody is signed in, or the bearer token is invalid.
    Unauthenticated,
    WrongCredentials,
    /// Authenticated, but not allowed; the reason is shown to the person.
    Forbidden(String),
    /// Authenticated, but for a larger role than one's own.
    NotForRole {
        own: &'static str,
        needed: &'static str,
        /// Names of people who can.
        who: String,
    },
    /// The form is from a page of an earlier session.
    EarlierSession,
    /// The password was entered too long ago for this, or what was entered now is wrong.
    Unconfirmed(Vec<Problem>),
    /// Everybody must have a second factor, and this person has none.
    NoSecondFactor,
    /// The random first password has to be replaced before anything else.
    RandomPassword,
    /// No such row or address; the text says which.
    NotFound(&'static str),
    /// The address exists, but not for this method; the allowed methods, as in `Allow`.
    MethodNotAllowed(String),
    /// An activation that is refused, with a reason for programs.
    Refused(Box<Refused>),
    /// A license for this tool and key already exists.
    Duplicate,
    /// The operation conflicts with the current state; the reason is shown to the person.
    Conflict(String),
    /// The limit in bytes.
    TooLarge(u64),
    UnsupportedMediaType {
        required: &'static str,
        /// The `Content-Type` that the client sent.
        sent: Option<String>,
    },
    /// The body did not arrive in time.
    BodyTimeout,
    /// Seconds after which to try again.
    TooManyRequests(u64),
    /// The database cannot answer now; the detail is only logged.
    Unavailable(String),
    /// The database was restored from a backup and may have lost what was asked for.
    Restored,
    /// A bug; the detail is only logged.
    Internal(String),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Error {
        Error::Invalid(vec![problem])
    }
}

impl Error {
    pub fn status(&self) -> u16 {
        match self {
            Error::Refused(refused) => refused.http,
            Error::Malformed { .. } => 400,
            Error::Unauthenticated | Error::WrongCredentials => 401,
            Error::Forbidden(_)
            | Error::NotForRole { .. }
            | Error::EarlierSession
            | Error::NoSecondFactor
            | Error::RandomPassword => 403,
            Error::Unconfirmed(problems) if problems.is_empty() => 403,
            Error::NotFound(_) => 404,
            Error::MethodNotAllowed(_) => 405,
            Error::BodyTimeout => 408,
            Error::Duplicate | Error::Conflict(_) => 409,
            Error::TooLarge(_) => 413,
            Error::UnsupportedMediaType { .. } => 415,
            Error::Invalid(_) | Error::Unconfirmed(_) => 422,
            Error::TooManyRequests(_) => 429,
            Error::Internal(_) => 500,
            Error::Restored | Error::Unavailable(_) => 503,
        }
    }

    pub fn invalid(field: &'static str, message: impl Into<String>) -> Error {
        let message = message.into();
        Problem { field, message }.into()
    }

    pub fn field(&self) -> Option<&str> {
        if let Error::Malformed { field, .. } = self {
            return field.as_deref();
        }
        if let Error::Refused(refused) = self {
            return Some(refused.field);
        }
        self.problems().first().map(|problem| problem.field)
    }

    pub fn problems(&self) -> &[Problem] {
        if let Error::Invalid(problems) = self {
            problems
        } else {
            &[]
        }
    }

    /// In seconds; none if a retry does not help.
    pub fn retry_after(&self) -> Option<u64> {
        match *self {
            Error::TooManyRequests(seconds) => Some(seconds),
            Error::Refused(ref refused) => refused.retry_after,
            Error::Unavailable(_) => Some(5),
            Error::Restored => Some(300),
            _ => None,
        }
    }
}

/// For a person; never internal details.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Malformed { message, .. } => f.write_str(message),
            Error::Refused(refused) => f.write_str(&refused.message),
            Error::Invalid(problems) => match problems.first() {
                Some(problem) => f.write_str(&problem.message),
                None => f.write_str("A value is not acceptable."),
            },
            Error::Unauthenticated => f.write_str("Authentication required"),
            Error::WrongCredentials => f.write_str("Invalid credentials"),
            Error::Forbidden(reason) | Error::Conflict(reason) => f.write_str(reason),
            Error::NotForRole { own, needed, who } => {
                write!(f, "This needs the role {needed}; yours is {own}. Ask {who}.")
            }
            Error::EarlierSession => {
                f.write_str("This form is from a page that was opened before you signed in again.")
            }
            Error::Unconfirmed(_) => f.write_str("Enter your password again."),
            Error::NoSecondFactor => {
                f.write_str("This server requires a second factor. Set one up on your account page.")
            }
            Error::RandomPassword => f.write_str(
                "This account still has the random password that the server printed. Sign in with a browser and \
                 choose your own.",
            ),
            Error::NotFound(what) => f.write_str(what),
            Error::MethodNotAllowed(allow) => {
                write!(
                    f,
                    "This address does not take that method; it takes {allow}."
                )
            }
            Error::Duplicate => f.write_str("This license key already exists for this tool."),
            Error::TooLarge(limit) if *limit >= 1024 * 1024 => write!(
                f,
                "The file is larger than {} MiB. Divide it into several files, each with the header \
                 row, or import it on the server with `license-server import FILE`.",
                limit / (1024 * 1024)
            ),
            Error::TooLarge(limit) => {
                write!(f, "The request body is larger than {} KiB.", limit / 1024)
            }
            Error::UnsupportedMediaType { required, sent } => {
                write!(f, "The Content-Type of the request must be {required}")?;
                match sent {
                    Some(sent) => write!(f, ", but it is {sent}."),
                    None => f.write_str(", but it is missing."),
                }
            }
            Error::BodyTimeout => f.write_str("The request body did not arrive in time."),
            Error::TooManyRequests(seconds) => {
                write!(f, "Too many requests. Try again in {seconds} seconds.")
            }
            Error::Unavailable(_) => {
                f.write_str("The license server cannot answer right now. Try again in a moment.")
            }
            Error::Restored => f.write_str(
                "The license server was restored from a backup and may not know this license yet. Try again later.",
            ),
            Error::Internal(_) => {
                f.write_str("The license server met an unexpected error. It has been logged.")
            }
        }
    }
}

/// Why the program cannot start or a command fails: one sentence for the operator with the setting, its value
/// and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command prints internal details, because the person at the terminal can fix the cause.
impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        match error {
            Error::Unavailable(detail) | Error::Internal(detail) => Refusal(detail),
            other => Refusal(other.to_string()),
        }
    }
}
