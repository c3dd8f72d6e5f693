//! A mail: why it is sent, and what became of it.

use time::{Date, OffsetDateTime};

use super::retry::{GIVE_UP, pause_after};
use super::role::Role;

/// Why a mail is uncertain that was being handed over when the program ended.
pub const INTERRUPTED: &str = "The server stopped while sending this mail; it may have arrived.";

/// Why a mail is uncertain that was waiting in a backup.
pub const RESTORED: &str =
    "The database was restored from a backup, and this mail may have been sent after that backup.";

/// Why a mail is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailEvent {
    /// The activation codes of an order, or one code by hand.
    Codes,
    /// Licenses expire soon.
    Reminder,
    /// A license was moved to another machine.
    Moved,
    /// A link to the customer's own page, which the customer asked for.
    MyPage,
    /// The week, for the vendor.
    Digest,
    /// Somebody may choose a password.
    Invitation,
    /// For people who sign in.
    Alert,
    Test,
}

impl MailEvent {
    /// In the order in which they are listed on pages.
    pub const ALL: [MailEvent; 8] = [
        MailEvent::Codes,
        MailEvent::Reminder,
        MailEvent::Moved,
        MailEvent::MyPage,
        MailEvent::Digest,
        MailEvent::Invitation,
        MailEvent::Alert,
        MailEvent::Test,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            MailEvent::Codes => "codes",
            MailEvent::Reminder => "reminder",
            MailEvent::Moved => "moved",
            MailEvent::MyPage => "my_page",
            MailEvent::Digest => "digest",
            MailEvent::Invitation => "invitation",
            MailEvent::Alert => "alert",
            MailEvent::Test => "test",
        }
    }

    /// Whether somebody with that role sees such mails: only owners see those about people.
    pub fn is_for(self, role: Role) -> bool {
        role == Role::Owner || !matches!(self, MailEvent::Invitation | MailEvent::Alert)
    }

    pub fn label(self) -> &'static str {
        match self {
            MailEvent::Codes => "Activation codes",
            MailEvent::Reminder => "Reminder",
            MailEvent::Moved => "License moved",
            MailEvent::MyPage => "Link to the customer page",
            MailEvent::Digest => "Weekly digest",
            MailEvent::Invitation => "Invitation",
            MailEvent::Alert => "Security alert",
            MailEvent::Test => "Test mail",
        }
    }

    pub fn from_word(word: &str) -> Option<MailEvent> {
        MailEvent::ALL
            .into_iter()
            .find(|event| event.as_str() == word)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailState {
    Waiting,
    /// Its text is on its way.
    Sending,
    /// The mail server took it.
    Sent,
    /// Nobody knows whether the mail server took it.
    Uncertain,
    Failed,
    /// Not sent, because of what has changed meanwhile, or by hand.
    Dropped,
}

impl MailState {
    /// In the order in which they are listed on pages.
    pub const ALL: [MailState; 6] = [
        MailState::Failed,
        MailState::Uncertain,
        MailState::Waiting,
        MailState::Sending,
        MailState::Sent,
        MailState::Dropped,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            MailState::Waiting => "waiting",
            MailState::Sending => "sending",
            MailState::Sent => "sent",
            MailState::Uncertain => "uncertain",
            MailState::Failed => "failed",
            MailState::Dropped => "dropped",
        }
    }

    /// Somebody must look at it.
    pub fn is_unsent(self) -> bool {
        matches!(self, MailState::Failed | MailState::Uncertain)
    }

    pub fn from_word(word: &str) -> Option<MailState> {
        MailState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub id: i64,
    pub created_at: OffsetDateTime,
    /// Since when it is being tried.
    pub queued_at: OffsetDateTime,
    pub next_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
    pub event: MailEvent,
    /// The same for each attempt, with angle brackets.
    pub message_id: String,
    /// Empty once its person was erased; this, the customer and the text.
    pub recipient: String,
    pub customer: String,
    pub language: String,
    pub subject: String,
    pub body: String,
    pub state: MailState,
    pub attempts: i64,
    /// The last one; empty for none.
    pub error: String,
}

/// A mail that is not in the outbox yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    pub event: MailEvent,
    /// There is only one mail with it; empty for a mail by hand.
    pub key: String,
    pub message_id: String,
    pub recipient: String,
    pub customer: String,
    pub language: String,
    pub subject: String,
    pub body: String,
}

/// What a mail is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Topic {
    pub license_id: Option<i64>,
    pub code_id: Option<i64>,
    /// Of a license in a reminder, and which of the reminders.
    pub expiration_date: Option<Date>,
    pub step: u16,
}

impl Topic {
    pub fn license(id: i64) -> Topic {
        Topic {
            license_id: Some(id),
            ..Topic::default()
        }
    }

    pub fn code(id: i64) -> Topic {
        Topic {
            code_id: Some(id),
            ..Topic::default()
        }
    }
}

/// How an attempt ended, in the words of the mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Taken,
    /// Certainly not taken, perhaps later.
    NotNow(String),
    Refused(String),
    Uncertain(String),
}

impl Delivery {
    /// The mail after this attempt.
    pub fn on(self, mail: &Mail, now: OffsetDateTime) -> Mail {
        let attempts = mail.attempts + 1;
        let (state, error) = match self {
            Delivery::Taken => (MailState::Sent, String::new()),
            Delivery::NotNow(words) if now - mail.queued_at >= GIVE_UP => (
                MailState::Failed,
                format!("Not accepted for three days. Last: {words}"),
            ),
            Delivery::NotNow(words) => (MailState::Waiting, words),
            Delivery::Refused(words) => (MailState::Failed, words),
            Delivery::Uncertain(words) => (MailState::Uncertain, words),
        };
        Mail {
            state,
            error,
            attempts,
            next_at: now + pause_after(attempts),
            ended_at: (state != MailState::Waiting).then_some(now),
            ..mail.clone()
        }
    }
}

/// The reminder that a license gets today: the shortest of the setting that is due, also some days late, because
/// the server may have been off.
pub fn reminder_step(days_left: i64, steps: &[u16]) -> Option<u16> {
    let is_due = |step: &u16| (0..=LATE).contains(&(i64::from(*step) - days_left));
    steps.iter().copied().filter(is_due).min()
}

/// Days.
const LATE: i64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reminder_is_due_on_its_day_or_shortly_after() {
        let step = |left| reminder_step(left, &[30, 7, 1]);
        let due: Vec<_> = (0..=31).rev().map(|left| (left, step(left))).collect();
        let due: Vec<_> = due
            .into_iter()
            .filter_map(|(left, step)| Some((left, step?)))
            .collect();
        assert_eq!(
            due,
            [
                (30, 30),
                (29, 30),
                (28, 30),
                (7, 7),
                (6, 7),
                (5, 7),
                (1, 1),
                (0, 1)
            ]
        );
        assert_eq!(reminder_step(1, &[2, 1]), Some(1));
    }
}
