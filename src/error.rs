//! What can go wrong, never how it looks: `api` and `pages` each give it a face.

use std::fmt;

/// A value that is not acceptable, and the field it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field's name on the wire and in forms.
    pub field: &'static str,
    /// A sentence for the person who typed it: what is wrong, and what would be right.
    pub message: String,
}

/// Everything that can go wrong while a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The body is not what the route reads.
    Malformed {
        /// What is wrong with the body.
        message: String,
        /// The field at fault, where one is.
        field: Option<String>,
    },
    /// Values that are not acceptable, one entry a field.
    Invalid(Vec<Problem>),
    /// Nobody is signed in, or the bearer token is not good.
    Unauthenticated,
    /// The name and the password do not belong together.
    WrongCredentials,
    /// Known, but not allowed; the reason is for the person.
    Forbidden(String),
    /// No such row, or no such address; the words say which.
    NotFound(&'static str),
    /// The address exists, but not for this method; the methods it has, as in `Allow`.
    MethodNotAllowed(String),
    /// The pair of tool and key exists already.
    Duplicate,
    /// What is there does not fit what is to be done; the reason is for the person.
    Conflict(String),
    /// The body is larger than this many bytes.
    TooLarge(u64),
    /// The body's `Content-Type` is not this one.
    UnsupportedMediaType(&'static str),
    /// The body did not arrive in time.
    BodyTimeout,
    /// Too much at once; try again after this many seconds.
    TooManyRequests(u64),
    /// The store cannot answer now; the detail is for the log only.
    Unavailable(String),
    /// A bug; the detail is for the log only.
    Internal(String),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Error {
        Error::Invalid(vec![problem])
    }
}

impl Error {
    /// The HTTP status that belongs to this error.
    pub fn status(&self) -> u16 {
        match self {
            Error::Malformed { .. } => 400,
            Error::Unauthenticated | Error::WrongCredentials => 401,
            Error::Forbidden(_) => 403,
            Error::NotFound(_) => 404,
            Error::MethodNotAllowed(_) => 405,
            Error::BodyTimeout => 408,
            Error::Duplicate | Error::Conflict(_) => 409,
            Error::TooLarge(_) => 413,
            Error::UnsupportedMediaType(_) => 415,
            Error::Invalid(_) => 422,
            Error::TooManyRequests(_) => 429,
            Error::Internal(_) => 500,
            Error::Unavailable(_) => 503,
        }
    }

    /// One value that is not acceptable.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Error {
        let message = message.into();
        Problem { field, message }.into()
    }

    /// The field at fault, where one is.
    pub fn field(&self) -> Option<&str> {
        if let Error::Malformed { field, .. } = self {
            return field.as_deref();
        }
        self.problems().first().map(|problem| problem.field)
    }

    /// The values that are not acceptable.
    pub fn problems(&self) -> &[Problem] {
        if let Error::Invalid(problems) = self {
            problems
        } else {
            &[]
        }
    }

    /// Seconds after which a client may try again, where that helps.
    pub fn retry_after(&self) -> Option<u64> {
        match *self {
            Error::TooManyRequests(seconds) => Some(seconds),
            Error::Unavailable(_) => Some(5),
            _ => None,
        }
    }
}

/// The words for a person; never an inner detail.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Malformed { message, .. } => f.write_str(message),
            Error::Invalid(problems) => match problems.first() {
                Some(problem) => f.write_str(&problem.message),
                None => f.write_str("A value is not acceptable."),
            },
            Error::Unauthenticated => f.write_str("Authentication required"),
            Error::WrongCredentials => f.write_str("Invalid credentials"),
            Error::Forbidden(reason) | Error::Conflict(reason) => f.write_str(reason),
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
            Error::UnsupportedMediaType(wanted) => {
                write!(f, "The Content-Type of the request must be {wanted}.")
            }
            Error::BodyTimeout => f.write_str("The request body did not arrive in time."),
            Error::TooManyRequests(seconds) => {
                write!(f, "Too many requests. Try again in {seconds} seconds.")
            }
            Error::Unavailable(_) => {
                f.write_str("The license server cannot answer right now. Try again in a moment.")
            }
            Error::Internal(_) => {
                f.write_str("The license server met an unexpected error. It has been logged.")
            }
        }
    }
}

/// Why the program cannot start or a command cannot be done: one sentence for the operator that
/// names the setting, its value and the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command on the terminal shows the inner detail: the person there can mend it.
impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        match error {
            Error::Unavailable(detail) | Error::Internal(detail) => Refusal(detail),
            other => Refusal(other.to_string()),
        }
    }
}
