//! The question before something that cannot be undone.

use askama::Template;

use super::frame::Frame;
use super::reason::Reason;

#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct ConfirmPage {
    pub(super) frame: Frame,
    /// Names what is lost.
    pub(super) question: String,
    /// What will stop working, and whether there is a way back.
    pub(super) consequence: String,
    /// A text that is lost, to be copied.
    pub(super) lost: Option<String>,
    /// Of the form, relative to the base path.
    pub(super) action: String,
    /// Asked for where somebody loses something.
    pub(super) reason: Option<Reason>,
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) button: &'static str,
    /// Where Cancel leads to, relative to the base path.
    pub(super) back: String,
}
