//! Questions beside a field: what else may be meant, and the answers in the form that is sent again.

use crate::error::Problem;
use crate::model::doubt::Doubt;
use crate::model::license::Draft;
use crate::model::license::fields::FIELDS;

/// Inputs named `use_FIELD`, `keep_FIELD` and `was_FIELD`.
#[derive(Debug, Default)]
pub(super) struct Answers {
    used: Vec<(&'static str, String)>,
    /// Values that the person wants in spite of a doubt.
    kept: Vec<(&'static str, String)>,
    /// The values that the form showed first; empty for a new license.
    pub(super) was: Draft,
}

impl Answers {
    /// For a form that shows these values of a license.
    pub(super) fn of(shown: Draft) -> Answers {
        Answers {
            was: shown,
            ..Answers::default()
        }
    }

    /// Name and value of each hidden input that carries them on.
    pub(super) fn carried(&self) -> Vec<(String, &str)> {
        let kept = self.kept.iter();
        let kept = kept.map(|(field, value)| (format!("keep_{field}"), value.as_str()));
        let was = FIELDS.iter().zip(self.was.texts());
        let was =
            was.filter_map(|(field, text)| Some((format!("was_{}", field.name), text.as_deref()?)));
        kept.chain(was).collect()
    }

    /// Bases the form on the current values: each field that was not changed on it shows the current one.
    /// Returns the fields that were changed here and by somebody else.
    pub(super) fn rebase(&mut self, draft: &mut Draft, current: Draft) -> Vec<Doubt> {
        let mut conflicts = Vec::new();
        for field in &FIELDS {
            let [typed, was, now] =
                [&*draft, &self.was, &current].map(|d| d.get(field.name).to_owned());
            if typed == was {
                draft.set(field.name, now);
            } else if now != was && now != typed {
                conflicts.push(Doubt {
                    field: field.name,
                    message: Problem::conflict(field.name, &now).message,
                    suggestions: vec![now],
                    typed,
                });
            }
        }
        self.was = current;
        conflicts
    }

    /// False for any other input.
    pub(super) fn push(&mut self, name: &str, value: &str) -> bool {
        let field = |name: &str| FIELDS.iter().map(|field| field.name).find(|f| *f == name);
        let Some((kind, rest)) = name.split_once('_') else {
            return false;
        };
        match (kind, field(rest)) {
            ("use", Some(field)) => self.used.push((field, value.to_owned())),
            ("keep", Some(field)) => self.kept.push((field, value.to_owned())),
            ("was", Some(field)) => drop(self.was.set(field, value.replace("\r\n", "\n"))),
            _ => return false,
        }
        true
    }

    /// Puts the chosen suggestions in place of what was typed.
    pub(super) fn apply(&mut self, mut set: impl FnMut(&str, &str) -> bool) {
        for (field, value) in self.used.drain(..) {
            set(field, &value);
        }
    }

    /// The doubts that have no answer yet.
    pub(super) fn open(&self, doubts: Vec<Doubt>) -> Vec<Doubt> {
        let is_kept = |doubt: &Doubt| {
            let mut kept = self.kept.iter();
            kept.any(|(field, value)| *field == doubt.field && *value == doubt.typed)
        };
        doubts.into_iter().filter(|doubt| !is_kept(doubt)).collect()
    }
}

/// Why a form is shown again.
#[derive(Default)]
pub(super) struct Objection {
    pub(super) problems: Vec<Problem>,
    /// Asked once the values are valid.
    pub(super) doubts: Vec<Doubt>,
    /// Values that somebody else changed since the form was opened, with what to know.
    pub(super) conflicts: Vec<Doubt>,
    /// The license that already has this tool and key.
    pub(super) taken_by: Option<i64>,
    /// Nothing is wrong with the values, but they could not be stored.
    pub(super) failed: Option<String>,
}

impl From<Vec<Problem>> for Objection {
    fn from(problems: Vec<Problem>) -> Objection {
        Objection {
            problems,
            ..Objection::default()
        }
    }
}

impl Objection {
    pub(super) fn to(&self, field: &str) -> Option<&str> {
        let problem = self.problems.iter().find(|p| p.field == field);
        problem.map(|problem| problem.message.as_str())
    }

    pub(super) fn doubt(&self, field: &str) -> Option<&Doubt> {
        self.doubts.iter().find(|doubt| doubt.field == field)
    }

    pub(super) fn conflict(&self, field: &str) -> Option<&Doubt> {
        self.conflicts
            .iter()
            .find(|conflict| conflict.field == field)
    }
}
