//! The API as a page shows it.

#[derive(Debug, Default)]
pub struct Reference {
    pub operations: Vec<Operation>,
}

/// What one method of one address does.
#[derive(Debug)]
pub struct Operation {
    /// Unique, as in a link.
    pub id: String,
    pub method: &'static str,
    pub path: String,
    /// An imperative without a full stop.
    pub summary: String,
    pub description: String,
    /// The scope that a token needs; none if anybody may send it.
    pub scope: Option<String>,
    pub parameters: Vec<Member>,
    /// Of the request's body.
    pub fields: Vec<Member>,
    pub answers: Vec<Answer>,
    /// Answers with the status `error`, or without a body.
    pub errors: Vec<Answer>,
    /// Of a successful answer.
    pub answer_fields: Vec<Member>,
    /// A command for a shell.
    pub example: String,
}

impl Operation {
    /// Such as `400, 503`.
    pub fn error_statuses(&self) -> String {
        let statuses = self.errors.iter().map(|answer| answer.status.as_str());
        statuses.collect::<Vec<_>>().join(", ")
    }
}

#[derive(Debug)]
pub struct Member {
    pub name: String,
    pub is_required: bool,
    /// Such as `text, 1 to 100 characters`.
    pub kind: String,
    pub meaning: String,
}

#[derive(Debug)]
pub struct Answer {
    pub status: String,
    pub when: String,
    /// An example; empty if there is none.
    pub body: String,
}
