//! The field in which a person says why: of a form that takes something away.

use rocket::FromForm;

use crate::error::Problem;

/// A form with nothing else but its button.
#[derive(FromForm)]
pub(super) struct ReasonForm {
    #[field(default = "")]
    pub(super) reason: String,
}

/// As it was typed, and what is wrong with it.
#[derive(Default)]
pub(super) struct Reason {
    pub(super) typed: String,
    pub(super) problem: Option<String>,
}

impl Reason {
    pub(super) fn typed(typed: String) -> Reason {
        Reason {
            typed,
            problem: None,
        }
    }

    pub(super) fn refused(typed: String, problem: Problem) -> Reason {
        Reason {
            typed,
            problem: Some(problem.message),
        }
    }
}
