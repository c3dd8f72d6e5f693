//! What the operator reads: one event a line on standard error.

/// Something that is ours or the operator's to mend, and where it happened.
pub fn fault(place: &str, detail: &str) {
    line(&format!("fault: {place}: {detail}"));
}

/// Something that the operator wants to know.
pub fn notice(event: &str) {
    line(event);
}

#[expect(clippy::print_stderr, reason = "the log is standard error")]
fn line(event: &str) {
    eprintln!("{}", event.replace(char::is_control, " "));
}
