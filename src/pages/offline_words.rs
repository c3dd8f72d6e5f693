//! What customers read on the claim page about machines without a network, beside
//! [`Words`](super::claim_words::Words); `{0}` stands for a value.

use super::claim_words::{Language, Words};
use crate::error::Error;

pub(super) struct OfflineWords {
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) request: &'static str,
    pub(super) request_hint: &'static str,
    /// The number of days.
    pub(super) cannot_be_revoked: &'static str,
    pub(super) make: &'static str,
    pub(super) done: &'static str,
    /// The date.
    pub(super) good_until: &'static str,
    pub(super) answer: &'static str,
    pub(super) answer_hint: &'static str,
    pub(super) save: &'static str,
    pub(super) mail: &'static str,
    /// The program.
    pub(super) subject: &'static str,
    pub(super) another: &'static str,
    pub(super) no_request: &'static str,
    pub(super) bad_request: &'static str,
}

pub(super) fn words(language: Language) -> &'static OfflineWords {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
    }
}

impl OfflineWords {
    /// What is wrong, and what to do.
    pub(super) fn explain(&self, error: &Error, is_empty: bool, shared: &Words) -> String {
        match error {
            Error::Invalid(_) if is_empty => self.no_request.to_owned(),
            Error::Invalid(_) => self.bad_request.to_owned(),
            _ => shared.explain(error),
        }
    }
}

static ENGLISH: OfflineWords = OfflineWords {
    title: "Computer without an Internet connection",
    lead: "A program on a computer without an Internet connection shows a request. With your activation code you get an \
        offline file for it, which you import into the program.",
    request: "Request",
    request_hint: "The text that the program shows; spaces and line breaks do not matter.",
    cannot_be_revoked: "The offline file cannot be revoked. Until it expires, after at most {0} days, this computer \
        cannot be removed from your activation code.",
    make: "Get offline file",
    done: "Your offline file",
    good_until: "It is valid until {0}, on this computer only.",
    answer: "Answer",
    answer_hint: "Import this text, or the file, into the program that showed the request. You can transfer it on a \
        USB stick, for example.",
    save: "Save as a file",
    mail: "Send by mail",
    subject: "Offline file for {0}",
    another: "Enter another request",
    no_request: "Enter the request that the program shows.",
    bad_request: "This request is incomplete. Copy the whole text that the program shows.",
};

static GERMAN: OfflineWords = OfflineWords {
    title: "Computer ohne Internet",
    lead: "Ein Programm auf einem Computer ohne Internetverbindung zeigt eine Anfrage an. Mit Ihrem Aktivierungscode \
        erhalten Sie dafür eine Offline-Datei, die Sie im Programm importieren.",
    request: "Anfrage",
    request_hint: "Der Text, den das Programm anzeigt; Leerzeichen und Zeilenumbrüche spielen keine Rolle.",
    cannot_be_revoked: "Die Offline-Datei kann nicht zurückgenommen werden. Bis sie abläuft, nach höchstens {0} Tagen, \
        kann dieser Computer nicht von Ihrem Aktivierungscode entfernt werden.",
    make: "Offline-Datei holen",
    done: "Ihre Offline-Datei",
    good_until: "Sie gilt bis {0}, und nur auf diesem Computer.",
    answer: "Antwort",
    answer_hint: "Importieren Sie diesen Text oder die Datei in dem Programm, das die Anfrage gezeigt hat. Bringen Sie \
        sie zum Beispiel auf einem USB-Stick dorthin.",
    save: "Als Datei speichern",
    mail: "Per E-Mail senden",
    subject: "Offline-Datei für {0}",
    another: "Andere Anfrage eingeben",
    no_request: "Geben Sie die Anfrage ein, die das Programm anzeigt.",
    bad_request: "Diese Anfrage ist nicht vollständig. Kopieren Sie den ganzen Text, den das Programm anzeigt.",
};
