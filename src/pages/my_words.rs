//! What customers read on their own page, beside [`Words`](super::claim_words::Words); `{0}` stands for a value.

use super::claim_words::{Language, Words};
use crate::error::Error;

pub(super) struct MyWords {
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) email: &'static str,
    pub(super) email_hint: &'static str,
    pub(super) send_link: &'static str,
    pub(super) sent_title: &'static str,
    pub(super) sent: &'static str,
    pub(super) sent_hint: &'static str,
    pub(super) again: &'static str,
    pub(super) no_mail: &'static str,
    pub(super) bad_email: &'static str,
    pub(super) open_lead: &'static str,
    pub(super) open: &'static str,
    pub(super) link_gone: &'static str,
    pub(super) session_over: &'static str,
    /// The customer's name or address.
    pub(super) of: &'static str,
    pub(super) no_codes: &'static str,
    /// The number.
    pub(super) more_codes: &'static str,
    pub(super) seats: &'static str,
    /// Used seats, all seats.
    pub(super) seats_used: &'static str,
    /// The number.
    pub(super) days_from_first: &'static str,
    pub(super) edition: &'static str,
    pub(super) status: &'static str,
    pub(super) expired: &'static str,
    pub(super) suspended: &'static str,
    pub(super) revoked: &'static str,
    pub(super) other_machines: &'static str,
    pub(super) other_hint: &'static str,
    pub(super) free_title: &'static str,
    pub(super) free_lead: &'static str,
    pub(super) free_now: &'static str,
    pub(super) send_code: &'static str,
    /// The address.
    pub(super) code_sent: &'static str,
    pub(super) code_not_sent: &'static str,
    pub(super) no_machine: &'static str,
    pub(super) sign_out: &'static str,
    pub(super) signed_out: &'static str,
    pub(super) other_site: &'static str,
    pub(super) unreadable: &'static str,
    pub(super) no_page: &'static str,
}

pub(super) fn words(language: Language) -> &'static MyWords {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
    }
}

impl MyWords {
    /// What is wrong, and what to do.
    pub(super) fn explain(&self, error: &Error, shared: &Words) -> String {
        match error {
            Error::Invalid(_) => self.bad_email.to_owned(),
            Error::Conflict(_) => self.code_not_sent.to_owned(),
            Error::Forbidden(_)
            | Error::NotForRole { .. }
            | Error::EarlierSession
            | Error::Unconfirmed(_)
            | Error::NoSecondFactor
            | Error::RandomPassword => self.other_site.to_owned(),
            Error::TooLarge(_)
            | Error::Malformed { .. }
            | Error::UnsupportedMediaType { .. }
            | Error::BodyTimeout => self.unreadable.to_owned(),
            Error::NotFound(_) | Error::MethodNotAllowed(_) => self.no_page.to_owned(),
            Error::Refused(_)
            | Error::TooManyRequests(_)
            | Error::Unauthenticated
            | Error::WrongCredentials
            | Error::Duplicate
            | Error::Unavailable(_)
            | Error::Restored
            | Error::Internal(_) => shared.explain(error),
        }
    }
}

static ENGLISH: MyWords = MyWords {
    title: "Your licenses",
    lead: "Enter the e-mail address that you used for your purchase. We will send you a link to your activation codes \
        and machines.",
    email: "E-mail address",
    email_hint: "We send the link only to the address that you used for your purchase.",
    send_link: "Send link",
    sent_title: "Check your mail",
    sent: "If we know this address, a link is on its way. It works once and expires after 30 minutes.",
    sent_hint: "No mail after a few minutes? Check your spam folder, or try the address that received the order \
        confirmation.",
    again: "Use another address",
    no_mail: "This server does not send e-mail. Ask the vendor for a link to your licenses.",
    bad_email: "This is not an e-mail address. Enter one such as anna@example.com.",
    open_lead: "Your activation codes and machines are shown for 30 minutes. The link works once.",
    open: "Show my licenses",
    link_gone: "This link has been used or is older than 30 minutes. Ask for a new one.",
    session_over: "Your page was open for more than 30 minutes, so nothing was changed. Ask for a new link.",
    of: "For {0}",
    no_codes: "You have no activation codes.",
    more_codes: "{0} older activation codes are not shown here.",
    seats: "Seats",
    seats_used: "{0} of {1} in use",
    days_from_first: "{0} days after the first activation",
    edition: "Edition",
    status: "Status",
    expired: "expired",
    suspended: "suspended",
    revoked: "revoked",
    other_machines: "Licenses without an activation code",
    other_hint: "To move one of them to another machine, contact the vendor.",
    free_title: "Remove this machine?",
    free_lead: "The program will no longer run on it, and you can activate another machine with the same code.",
    free_now: "Remove this machine",
    send_code: "Send this code again",
    code_sent: "The activation code is on its way to {0}.",
    code_not_sent: "This activation code cannot be sent right now.",
    no_machine: "This machine has already been removed.",
    sign_out: "Sign out",
    signed_out: "You are signed out.",
    other_site: "This form came from another website or an older page, so nothing was changed. Try again here.",
    unreadable: "The form could not be read. Try again here.",
    no_page: "There is no page at this address. You can ask for a link to your licenses here.",
};

static GERMAN: MyWords = MyWords {
    title: "Ihre Lizenzen",
    lead: "Geben Sie die E-Mail-Adresse ein, die Sie beim Kauf angegeben haben. Wir senden Ihnen einen Link zu Ihren \
        Aktivierungscodes und Geräten.",
    email: "E-Mail-Adresse",
    email_hint: "Nur eine E-Mail an die Adresse des Kaufs öffnet die Seite.",
    send_link: "Link senden",
    sent_title: "Sehen Sie in Ihr Postfach",
    sent: "Wenn wir diese Adresse kennen, ist ein Link unterwegs. Er gilt 30 Minuten und nur einmal.",
    sent_hint: "Nach einigen Minuten keine E-Mail? Sehen Sie im Spam-Ordner nach, oder versuchen Sie es mit der \
        Adresse, an die die Bestellung ging.",
    again: "Andere Adresse verwenden",
    no_mail: "Bitten Sie den Anbieter um einen Link zu Ihren Lizenzen: Dieser Server versendet selbst keine E-Mails.",
    bad_email: "Das ist keine E-Mail-Adresse. Geben Sie eine wie anna@example.com ein.",
    open_lead: "Ihre Aktivierungscodes und Geräte werden 30 Minuten lang angezeigt. Der Link gilt nur einmal.",
    open: "Meine Lizenzen anzeigen",
    link_gone: "Dieser Link wurde schon benutzt oder ist älter als 30 Minuten. Fordern Sie einen neuen an.",
    session_over: "Ihre Seite war länger als 30 Minuten geöffnet, deshalb wurde nichts geändert. Fordern Sie einen \
        neuen Link an.",
    of: "Für {0}",
    no_codes: "Sie haben keine Aktivierungscodes.",
    more_codes: "{0} ältere Aktivierungscodes werden hier nicht angezeigt.",
    seats: "Plätze",
    seats_used: "{0} von {1} belegt",
    days_from_first: "{0} Tage nach der ersten Aktivierung",
    edition: "Edition",
    status: "Status",
    expired: "abgelaufen",
    suspended: "ausgesetzt",
    revoked: "widerrufen",
    other_machines: "Lizenzen ohne Aktivierungscode",
    other_hint: "Wenn Sie eine davon auf ein anderes Gerät umziehen möchten, schreiben Sie dem Anbieter.",
    free_title: "Dieses Gerät entfernen?",
    free_lead: "Das Programm läuft dort dann nicht mehr, und Sie können mit demselben Code ein anderes Gerät \
        aktivieren.",
    free_now: "Dieses Gerät entfernen",
    send_code: "Diesen Code noch einmal senden",
    code_sent: "Der Aktivierungscode ist unterwegs an {0}.",
    code_not_sent: "Dieser Aktivierungscode kann gerade nicht gesendet werden.",
    no_machine: "Dieses Gerät wurde schon entfernt.",
    sign_out: "Abmelden",
    signed_out: "Sie sind abgemeldet.",
    other_site: "Dieses Formular kam von einer anderen Website oder einer älteren Seite, deshalb wurde nichts geändert. \
        Versuchen Sie es hier noch einmal.",
    unreadable: "Das Formular war nicht lesbar. Versuchen Sie es hier noch einmal.",
    no_page: "Unter dieser Adresse gibt es keine Seite. Hier können Sie einen Link zu Ihren Lizenzen anfordern.",
};
