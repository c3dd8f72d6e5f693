//! What customers read on the claim page, in each language; `{0}` and `{1}` stand for values.
//!
//! For one more language, add a table of texts and its name to [`Language`].

use std::convert::Infallible;

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use crate::error::Error;
use crate::model::pasted_key::KeyDoubt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
}

impl Language {
    pub(super) const ALL: [Language; 2] = [Language::English, Language::German];

    pub(super) fn words(self) -> &'static Words {
        match self {
            Language::English => &ENGLISH,
            Language::German => &GERMAN,
        }
    }

    /// From its code, such as `de`.
    pub(super) fn from_code(code: &str) -> Option<Language> {
        let mut all = Language::ALL.into_iter();
        all.find(|language| language.words().code == code)
    }

    pub(super) fn of(request: &Request<'_>) -> Language {
        let header = request.headers().get_one("Accept-Language");
        Language::accepted(header.unwrap_or_default())
    }

    /// The one that the reader likes best, from an `Accept-Language` header.
    fn accepted(header: &str) -> Language {
        let mut best = (Language::English, 0.0);
        for wanted in header.split(',') {
            let mut parts = wanted.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let quality: f32 = quality.map_or(1.0, |q| q.parse().unwrap_or(0.0));
            let code = tag.split('-').next().unwrap_or_default();
            if let Some(language) = Language::from_code(code)
                && quality > best.1
            {
                best = (language, quality);
            }
        }
        best.0
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Language {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Language, Infallible> {
        Outcome::Success(Language::of(request))
    }
}

/// Puts the values in the places of `{0}` and `{1}`.
pub(super) fn fill(text: &str, values: &[&str]) -> String {
    let mut filled = text.to_owned();
    for (at, value) in values.iter().enumerate() {
        filled = filled.replacen(&format!("{{{at}}}"), value, 1);
    }
    filled
}

pub(super) struct Words {
    pub(super) code: &'static str,
    pub(super) language: &'static str,
    pub(super) skip: &'static str,
    pub(super) other_languages: &'static str,
    /// The program.
    pub(super) activate: &'static str,
    pub(super) activate_any: &'static str,
    pub(super) lead: &'static str,
    pub(super) program: &'static str,
    pub(super) program_hint: &'static str,
    pub(super) activation_code: &'static str,
    pub(super) code_hint: &'static str,
    pub(super) machine_id: &'static str,
    pub(super) machine_hint: &'static str,
    pub(super) machine_code: &'static str,
    pub(super) where_is_it: &'static str,
    pub(super) where_answer: &'static str,
    pub(super) where_mac: &'static str,
    pub(super) go_on: &'static str,
    pub(super) manage: &'static str,
    pub(super) manage_hint: &'static str,
    pub(super) lost_code: &'static str,
    pub(super) no_network: &'static str,
    pub(super) back: &'static str,
    pub(super) is_it_yours: &'static str,
    pub(super) takes_a_seat: &'static str,
    pub(super) compare: &'static str,
    pub(super) activate_machine: &'static str,
    pub(super) done: &'static str,
    /// The program.
    pub(super) can_start: &'static str,
    pub(super) expires: &'static str,
    pub(super) perpetual: &'static str,
    pub(super) machines: &'static str,
    /// Used seats, all seats.
    pub(super) in_use: &'static str,
    pub(super) removing: &'static str,
    /// The number.
    pub(super) moves_left: &'static str,
    pub(super) one_move_left: &'static str,
    pub(super) no_moves_left: &'static str,
    pub(super) no_machines: &'static str,
    /// The number.
    pub(super) more_machines: &'static str,
    pub(super) no_host: &'static str,
    /// The last characters of a machine ID.
    pub(super) ends_with: &'static str,
    /// The date.
    pub(super) last_seen: &'static str,
    pub(super) never_seen: &'static str,
    pub(super) remove: &'static str,
    pub(super) removed: &'static str,
    pub(super) help: &'static str,
    pub(super) no_program: &'static str,
    pub(super) no_machine: &'static str,
    pub(super) bad_program: &'static str,
    pub(super) bad_machine: &'static str,
    pub(super) doubt_contains: &'static str,
    pub(super) doubt_misspelled: &'static str,
    /// The number of digits, and of those that it must have.
    pub(super) doubt_length: &'static str,
    pub(super) doubt_number: &'static str,
    /// The letter.
    pub(super) doubt_letter: &'static str,
    pub(super) doubt_code: &'static str,
    pub(super) doubt_address: &'static str,
    pub(super) doubt_other: &'static str,
    pub(super) take: &'static str,
    pub(super) keep: &'static str,
    pub(super) bad_code: &'static str,
    pub(super) unknown_code: &'static str,
    /// The right program.
    pub(super) wrong_tool: &'static str,
    /// The date.
    pub(super) code_expired: &'static str,
    pub(super) code_suspended: &'static str,
    pub(super) code_revoked: &'static str,
    pub(super) machine_blocked: &'static str,
    /// The number.
    pub(super) seats_in_use: &'static str,
    pub(super) other_code: &'static str,
    pub(super) moves_used: &'static str,
    /// The date.
    pub(super) offline_until: &'static str,
    /// Seconds.
    pub(super) try_later: &'static str,
    pub(super) unavailable: &'static str,
    pub(super) other_site: &'static str,
    pub(super) too_long: &'static str,
    pub(super) unreadable: &'static str,
    pub(super) no_page: &'static str,
}

impl Words {
    /// The published reasons, none for any other.
    fn reason(&self, reason: &str) -> Option<&'static str> {
        Some(match reason {
            "BAD_CODE" => self.bad_code,
            "UNKNOWN_CODE" => self.unknown_code,
            "WRONG_TOOL" => self.wrong_tool,
            "CODE_EXPIRED" => self.code_expired,
            "CODE_SUSPENDED" => self.code_suspended,
            "CODE_REVOKED" => self.code_revoked,
            "MACHINE_BLOCKED" => self.machine_blocked,
            "SEATS_IN_USE" => self.seats_in_use,
            "OTHER_CODE" => self.other_code,
            "MOVES_USED" => self.moves_used,
            "OFFLINE_UNTIL" => self.offline_until,
            "TRY_LATER" => self.try_later,
            _ => return None,
        })
    }

    /// What is wrong, and what to do.
    pub(super) fn explain(&self, error: &Error) -> String {
        match error {
            Error::Refused(refused) => match self.reason(refused.reason) {
                Some(words) => {
                    let filled = fill(words, &[&refused.value]);
                    match refused.reason {
                        // In the vendor's own words.
                        "MOVES_USED" => format!("{filled} {}", refused.value).trim_end().to_owned(),
                        _ => filled,
                    }
                }
                None => refused.message.clone(),
            },
            Error::Invalid(_) => match error.field() {
                Some("tool_name") => self.bad_program.to_owned(),
                _ => self.bad_machine.to_owned(),
            },
            Error::Forbidden(_)
            | Error::NotForRole { .. }
            | Error::EarlierSession
            | Error::Unconfirmed(_)
            | Error::NoSecondFactor
            | Error::RandomPassword => self.other_site.to_owned(),
            Error::TooLarge(_) => self.too_long.to_owned(),
            Error::Malformed { .. } | Error::UnsupportedMediaType { .. } | Error::BodyTimeout => {
                self.unreadable.to_owned()
            }
            Error::NotFound(_) | Error::MethodNotAllowed(_) => self.no_page.to_owned(),
            Error::TooManyRequests(seconds) => fill(self.try_later, &[&seconds.to_string()]),
            Error::Unauthenticated
            | Error::WrongCredentials
            | Error::Duplicate
            | Error::Conflict(_)
            | Error::Unavailable(_)
            | Error::Restored
            | Error::Internal(_) => self.unavailable.to_owned(),
        }
    }

    pub(super) fn doubt(&self, doubt: &KeyDoubt) -> String {
        match doubt {
            KeyDoubt::Contains(_) | KeyDoubt::Label(..) => self.doubt_contains.to_owned(),
            KeyDoubt::Misspelled(_) => self.doubt_misspelled.to_owned(),
            KeyDoubt::Length(digits, all) => {
                fill(self.doubt_length, &[&digits.to_string(), &all.to_string()])
            }
            KeyDoubt::Reformatted(_) => self.doubt_number.to_owned(),
            KeyDoubt::Letter(letter) => fill(self.doubt_letter, &[&letter.to_string()]),
            KeyDoubt::ActivationCode => self.doubt_code.to_owned(),
            KeyDoubt::IpAddress | KeyDoubt::EmailAddress => self.doubt_address.to_owned(),
            KeyDoubt::Placeholder | KeyDoubt::Path => self.doubt_other.to_owned(),
        }
    }
}

static ENGLISH: Words = Words {
    code: "en",
    language: "English",
    skip: "Skip to content",
    other_languages: "Languages",
    activate: "Activate {0}",
    activate_any: "Activate your program",
    lead: "Enter the activation code that you received with your purchase.",
    program: "Program",
    program_hint: "Its name exactly as in the e-mail with your code.",
    activation_code: "Activation code",
    code_hint: "16 letters and digits, such as K7QM-2XWD-9FHT-VR4B.",
    machine_id: "Machine ID",
    machine_hint: "The computer on which the program will run.",
    machine_code: "Machine code",
    where_is_it: "Where do I find the machine ID?",
    where_answer: "Start the program on the computer that you want to activate. It shows the machine ID when it \
        finds no license; copy it from there.",
    where_mac: "Many programs use the MAC address of the network adapter, such as 0a:1b:2c:3d:4e:5f. Windows \
        shows it as “Physical Address” when you run ipconfig /all in the Command Prompt.",
    go_on: "Continue",
    manage: "Manage machines",
    manage_hint: "To remove a machine, only the activation code is needed.",
    lost_code: "I have lost my activation code",
    no_network: "My computer has no Internet connection",
    back: "Back",
    is_it_yours: "Is this your machine?",
    takes_a_seat: "This machine takes a seat of your activation code.",
    compare: "Continue only if the program on your own computer shows the same machine ID. Never activate a \
        machine because of a link that a stranger sent to you.",
    activate_machine: "Activate this machine",
    done: "Activated",
    can_start: "You can start {0} now.",
    expires: "Expires",
    perpetual: "perpetual",
    machines: "Your machines",
    in_use: "{0} of {1} seats of this activation code are in use.",
    removing: "Remove a machine that you no longer use. The program will no longer run on it.",
    moves_left: "{0} more machines can be removed within a year.",
    one_move_left: "One more machine can be removed within a year.",
    no_moves_left: "No machine can be removed at the moment: the limit for a year is reached.",
    no_machines: "No machine uses this activation code.",
    more_machines: "{0} more machines are not shown here.",
    no_host: "Unnamed machine",
    ends_with: "machine ID ends with {0}",
    last_seen: "last seen {0}",
    never_seen: "not seen yet",
    remove: "Remove",
    removed: "The machine was removed, and its seat is free.",
    help: "Help",
    no_program: "Enter the name of the program.",
    no_machine: "Enter the machine ID.",
    bad_program: "The name of the program is too long or has invisible characters. Type it anew.",
    bad_machine: "The machine ID is too long or has invisible characters. Copy it from the program again.",
    doubt_contains: "This text contains more than a machine ID. Which one is it?",
    doubt_misspelled: "This is nearly a machine ID. Is this the one?",
    doubt_length: "This looks like a machine ID of {1} digits, but it has {0}. Compare it with what the program shows.",
    doubt_letter: "This looks like a machine ID, but {0} does not occur in it. Compare it with what the program shows.",
    doubt_code: "This looks like an activation code. Enter the machine ID that the program shows.",
    doubt_address: "This is an IP address or an e-mail address. Enter the machine ID that the program shows.",
    doubt_other: "This is not a machine ID. Enter the machine ID that the program shows.",
    doubt_number: "This looks like a number or a date that a spreadsheet changed. Copy the machine ID from the \
        program.",
    take: "Use {0}",
    keep: "Keep {0}",
    bad_code: "There is a typing error in this activation code. Compare it with the e-mail, or copy it from there.",
    unknown_code: "There is no such activation code. Compare it with the e-mail.",
    wrong_tool: "This activation code is for {0}.",
    code_expired: "This activation code expired on {0}.",
    code_suspended: "This activation code is suspended. Ask the vendor why.",
    code_revoked: "This activation code was revoked. Ask the vendor why.",
    machine_blocked: "The license of this machine is suspended or revoked. Ask the vendor why.",
    seats_in_use: "All seats of this activation code are in use ({0}). Remove a machine that you no longer use.",
    other_code: "This machine already has a valid license of another activation code. You can start the program.",
    moves_used: "Machines of this activation code were removed as often as allowed within a year.",
    offline_until: "This machine has an offline file and cannot be removed until {0}.",
    try_later: "Too many attempts. Try again in {0} seconds.",
    unavailable: "The license server cannot answer right now. Try again in a moment.",
    other_site: "This form came from another website, so nothing was activated. Enter the code here instead.",
    too_long: "The form was too long. Enter only the activation code and the machine ID.",
    unreadable: "The form could not be read. Enter the activation code and the machine ID again.",
    no_page: "There is no page at this address. You can activate your program here.",
};

static GERMAN: Words = Words {
    code: "de",
    language: "Deutsch",
    skip: "Zum Inhalt springen",
    other_languages: "Sprachen",
    activate: "{0} aktivieren",
    activate_any: "Programm aktivieren",
    lead: "Geben Sie den Aktivierungscode ein, den Sie beim Kauf erhalten haben.",
    program: "Programm",
    program_hint: "Der Name genau wie in der E-Mail mit Ihrem Code.",
    activation_code: "Aktivierungscode",
    code_hint: "16 Buchstaben und Ziffern, zum Beispiel K7QM-2XWD-9FHT-VR4B.",
    machine_id: "Geräte-ID",
    machine_hint: "Der Computer, auf dem das Programm laufen soll.",
    machine_code: "Gerätecode",
    where_is_it: "Wo finde ich die Geräte-ID?",
    where_answer: "Starten Sie das Programm auf dem Computer, den Sie aktivieren möchten. Ohne Lizenz zeigt es die \
        Geräte-ID (Machine ID) an; kopieren Sie sie von dort.",
    where_mac: "Viele Programme verwenden die MAC-Adresse der Netzwerkkarte, zum Beispiel 0a:1b:2c:3d:4e:5f. \
        Windows zeigt sie als „Physische Adresse“, wenn Sie in der Eingabeaufforderung ipconfig /all aufrufen.",
    go_on: "Weiter",
    manage: "Geräte verwalten",
    manage_hint: "Um ein Gerät zu entfernen, genügt der Aktivierungscode.",
    lost_code: "Ich habe meinen Aktivierungscode verloren",
    no_network: "Mein Computer hat keine Internetverbindung",
    back: "Zurück",
    is_it_yours: "Ist das Ihr Gerät?",
    takes_a_seat: "Dieses Gerät belegt einen Platz Ihres Aktivierungscodes.",
    compare: "Fahren Sie nur fort, wenn das Programm auf Ihrem eigenen Computer dieselbe Geräte-ID anzeigt. \
        Aktivieren Sie nie ein Gerät, weil Ihnen ein Fremder einen Link geschickt hat.",
    activate_machine: "Dieses Gerät aktivieren",
    done: "Aktiviert",
    can_start: "Sie können {0} jetzt starten.",
    expires: "Läuft ab",
    perpetual: "unbefristet",
    machines: "Ihre Geräte",
    in_use: "{0} von {1} Plätzen dieses Aktivierungscodes sind belegt.",
    removing: "Entfernen Sie ein Gerät, das Sie nicht mehr benutzen. Das Programm läuft dort dann nicht mehr.",
    moves_left: "Innerhalb eines Jahres können noch {0} Geräte entfernt werden.",
    one_move_left: "Innerhalb eines Jahres kann noch ein Gerät entfernt werden.",
    no_moves_left: "Zurzeit kann kein Gerät entfernt werden: Die Höchstzahl für ein Jahr ist erreicht.",
    no_machines: "Kein Gerät benutzt diesen Aktivierungscode.",
    more_machines: "{0} weitere Geräte werden hier nicht angezeigt.",
    no_host: "Gerät ohne Namen",
    ends_with: "Geräte-ID endet auf {0}",
    last_seen: "zuletzt gesehen {0}",
    never_seen: "noch nie gesehen",
    remove: "Entfernen",
    removed: "Das Gerät wurde entfernt, sein Platz ist frei.",
    help: "Hilfe",
    no_program: "Geben Sie den Namen des Programms ein.",
    no_machine: "Geben Sie die Geräte-ID ein.",
    bad_program: "Der Name des Programms ist zu lang oder enthält unsichtbare Zeichen. Tippen Sie ihn neu ein.",
    bad_machine: "Die Geräte-ID ist zu lang oder enthält unsichtbare Zeichen. Kopieren Sie sie noch einmal aus dem \
        Programm.",
    doubt_contains: "Dieser Text enthält mehr als eine Geräte-ID. Welche ist es?",
    doubt_misspelled: "Das ist beinahe eine Geräte-ID. Ist es diese?",
    doubt_length: "Das sieht wie eine Geräte-ID mit {1} Stellen aus, hat aber {0}. Vergleichen Sie sie mit der \
        Anzeige des Programms.",
    doubt_letter: "Das sieht wie eine Geräte-ID aus, aber {0} kommt darin nicht vor. Vergleichen Sie sie mit der Anzeige \
        des Programms.",
    doubt_code: "Das sieht wie ein Aktivierungscode aus. Geben Sie die Geräte-ID ein, die das Programm anzeigt.",
    doubt_address: "Das ist eine IP-Adresse oder eine E-Mail-Adresse. Geben Sie die Geräte-ID ein, die das Programm \
        anzeigt.",
    doubt_other: "Das ist keine Geräte-ID. Geben Sie die Geräte-ID ein, die das Programm anzeigt.",
    doubt_number: "Das sieht wie eine Zahl oder ein Datum aus, das eine Tabellenkalkulation verändert hat. Kopieren Sie die \
        Geräte-ID aus dem Programm.",
    take: "{0} verwenden",
    keep: "{0} beibehalten",
    bad_code: "Dieser Aktivierungscode enthält einen Tippfehler. Vergleichen Sie ihn mit der E-Mail, oder kopieren Sie \
        ihn von dort.",
    unknown_code: "Diesen Aktivierungscode gibt es nicht. Vergleichen Sie ihn mit der E-Mail.",
    wrong_tool: "Dieser Aktivierungscode ist für {0}.",
    code_expired: "Dieser Aktivierungscode ist am {0} abgelaufen.",
    code_suspended: "Dieser Aktivierungscode ist ausgesetzt. Fragen Sie den Anbieter nach dem Grund.",
    code_revoked: "Dieser Aktivierungscode wurde widerrufen. Fragen Sie den Anbieter nach dem Grund.",
    machine_blocked: "Die Lizenz dieses Geräts ist ausgesetzt oder widerrufen. Fragen Sie den Anbieter nach dem \
        Grund.",
    seats_in_use: "Alle Plätze dieses Aktivierungscodes sind belegt ({0}). Entfernen Sie ein Gerät, das Sie nicht \
        mehr benutzen.",
    other_code: "Dieses Gerät hat schon eine gültige Lizenz eines anderen Aktivierungscodes. Sie können das Programm \
        starten.",
    moves_used: "Die Geräte dieses Aktivierungscodes wurden innerhalb eines Jahres so oft entfernt wie erlaubt.",
    offline_until: "Dieses Gerät hat eine Offline-Datei und kann bis {0} nicht entfernt werden.",
    try_later: "Zu viele Versuche. Versuchen Sie es in {0} Sekunden noch einmal.",
    unavailable: "Der Lizenzserver kann gerade nicht antworten. Versuchen Sie es gleich noch einmal.",
    other_site: "Dieses Formular kam von einer anderen Website, deshalb wurde nichts aktiviert. Geben Sie den Code \
        hier ein.",
    too_long: "Das Formular war zu lang. Geben Sie nur den Aktivierungscode und die Geräte-ID ein.",
    unreadable: "Das Formular war nicht lesbar. Geben Sie den Aktivierungscode und die Geräte-ID noch einmal ein.",
    no_page: "Unter dieser Adresse gibt es keine Seite. Hier können Sie Ihr Programm aktivieren.",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::activation_code::Reason;
    use time::macros::date;

    #[test]
    fn the_best_language_is_taken() {
        for (header, expected) in [
            ("", Language::English),
            ("de", Language::German),
            ("de-AT,de;q=0.9,en;q=0.8", Language::German),
            ("en-US,en;q=0.9,de;q=0.8", Language::English),
            ("fr,de;q=0.4,en;q=0.5", Language::English),
            ("fr-FR, de;q=0.2", Language::German),
            ("de;q=0,en;q=x", Language::English),
        ] {
            assert_eq!(Language::accepted(header), expected, "{header}");
        }
    }

    #[test]
    fn every_published_reason_has_words_with_its_value() {
        let day = date!(2026 - 12 - 31);
        let reasons = [
            (Reason::BadCode("why".into()), ""),
            (Reason::UnknownCode, ""),
            (Reason::WrongTool("Tool_B".into()), "Tool_B"),
            (Reason::CodeExpired(day), "2026-12-31"),
            (Reason::CodeSuspended, ""),
            (Reason::CodeRevoked, ""),
            (Reason::MachineBlocked, ""),
            (Reason::SeatsInUse(3), "3"),
            (Reason::OtherCode, ""),
            (
                Reason::MovesUsed {
                    moves: 3,
                    message: "Call us.".into(),
                },
                "Call us.",
            ),
            (Reason::OfflineUntil(day), "2026-12-31"),
            (Reason::TryLater(57), "57"),
        ];
        for (reason, value) in reasons {
            let name = reason.as_str();
            let error = Error::from(reason);
            let words = Language::ALL.map(|language| {
                let words = language.words();
                assert!(words.reason(name).is_some(), "{name}");
                words.explain(&error)
            });
            assert_ne!(words[0], words[1], "{name}");
            for words in words {
                assert!(words.contains(value) && !words.contains('{'), "{words}");
            }
        }
    }
}
