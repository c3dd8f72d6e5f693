//! Words by which other license servers and people name a status.

use crate::model::fold::folded;
use crate::model::license::Status;
use crate::model::typed_date::{Reading, is_date};

// All words are folded.
const ACTIVATED: &str = "active enabled enable yes y true 1 valid ok on good live ja oui si sim tak aktiv aktiviert gultig actif \
                         activo attivo actief aktywny aktywna ativo";
const SUSPENDED: &str = "inactive disabled disable suspend paused pause hold on_hold on-hold no n false 0 off nein non nao nie nee \
                         inaktiv deaktiviert pausiert inactif inactivo inattivo inactief nieaktywny inativo";
const REVOKED: &str = "revoke blocked block banned ban cancelled canceled terminated refunded chargeback \
                       gesperrt widerrufen storniert bloque bloqueado bloccato geblokkeerd zablokowany";

/// Of these words, in bytes.
const LONGEST: usize = 16;

/// Of these, what may be the answer to any question.
const NO: &str = "no n false 0 off hold nein non nao nie nee";

/// What a word means; none for one that may mean several things, such as `expired`.
pub(super) fn meaning(word: &str) -> Option<Status> {
    if word.len() > LONGEST {
        return None;
    }
    let word = &*folded(word);
    let named = || match word {
        _ if is_in(ACTIVATED, word) => Some(Status::Activated),
        _ if is_in(SUSPENDED, word) => Some(Status::Suspended),
        _ if is_in(REVOKED, word) => Some(Status::Revoked),
        _ => None,
    };
    Status::from_word(word).or_else(named)
}

/// Headings of columns whose yes means that the license may be used, and whose no that it may not.
const ACTIVATING: &str = "active enabled enable aktiv freigeschaltet actif activo activa attivo attiva actief ingeschakeld \
                          aktywny aktywna ativo ativa";

/// Headings of columns whose yes means that the license may not be used.
const SUSPENDING: &str = "disabled inactive suspended deactivated paused onhold notactive deaktiviert inaktiv ausgesetzt \
                          pausiert desactive desactivee inactif suspendu suspendue desactivado desactivada inactivo inactiva \
                          suspendido suspendida disattivato disattivata disabilitato inattivo sospeso uitgeschakeld inactief \
                          wylaczony wylaczona nieaktywny nieaktywna zawieszony zawieszona desativado desativada inativo inativa \
                          suspenso suspensa";
const REVOKING: &str = "blocked revoked banned blacklisted locked cancelled canceled terminated refunded invalidated gesperrt \
                        widerrufen storniert gekundigt blockiert erstattet bloque bloquee revoque revoquee annule annulee resilie \
                        rembourse bloqueado bloqueada revocado revocada cancelado cancelada anulado reembolsado bloccato bloccata \
                        revocato revocata annullato rimborsato geblokkeerd ingetrokken geannuleerd zablokowany zablokowana \
                        cofnieta anulowana revogado revogada reembolsada";

/// What may be around such a word in a heading.
const BEFORE: [&str; 7] = ["is", "ist", "license", "licence", "lizenz", "key", "was"];
const AFTER: [&str; 7] = ["at", "on", "date", "am", "seit", "since", "le"];

/// Words that mean yes or no, wherever they are.
const YES: &str = "yes y true 1 on ja j oui si s sim tak t wahr vrai vero verdadero verdadeiro prawda waar x ✓ ✔ ☑";
const NOT: &str = "falsch faux falso falsz onwaar ☐ ✗ ✘";

/// Words that may refuse a license, but not by themselves.
const DOUBTFUL: &str = "expired deleted pending unpaid overdue trial abgelaufen gekundigt geloscht expire expiree expirado caducado \
                        scaduto verlopen wygasl wygasla";

fn is_in(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|known| known == word)
}

/// The status that a yes below this heading, as it is compared, means.
pub(super) fn refusal_of_heading(heading: &str) -> Option<Status> {
    let named = |name: &str| match name {
        _ if is_in(SUSPENDING, name) => Some(Status::Suspended),
        _ if is_in(REVOKING, name) => Some(Status::Revoked),
        _ => None,
    };
    without_start(heading)
        .flat_map(|name| {
            let ends = AFTER.iter().filter_map(|word| name.strip_suffix(word));
            std::iter::once(name).chain(ends)
        })
        .find_map(named)
}

/// Whether the values below this heading, as it is compared, are a status.
pub(super) fn is_activating(heading: &str) -> bool {
    without_start(heading).any(|name| is_in(ACTIVATING, name))
}

/// The heading, and what is after the words that may begin it.
fn without_start(heading: &str) -> impl Iterator<Item = &str> {
    let starts = BEFORE.iter().filter_map(|word| heading.strip_prefix(word));
    std::iter::once(heading).chain(starts)
}

/// Whether a text is a word for yes or for no.
pub(super) fn answer(text: &str) -> Option<bool> {
    if text.len() > LONGEST {
        return None;
    }
    match &*folded(text.trim()) {
        word if is_in(YES, word) => Some(true),
        word if is_in(NO, word) || is_in(NOT, word) => Some(false),
        _ => None,
    }
}

/// Whether a cell of a column that refuses says yes, as a date does; none if it says neither yes nor no.
pub(super) fn is_refused(text: &str) -> Option<bool> {
    let said = || match (Reading::of(text), meaning(text.trim())) {
        (Reading::Never, _) | (_, Some(Status::Activated)) => Some(false),
        (_, Some(_)) => Some(true),
        _ => is_date(text).then_some(true),
    };
    answer(text).or_else(said)
}

/// Whether a text, in any case, can only be the word for a license that may not be used.
pub(super) fn is_refusal(text: &str) -> bool {
    let word = folded(text.trim());
    is_in(DOUBTFUL, &word)
        || !is_in(NO, &word) && meaning(&word).is_some_and(|status| status != Status::Activated)
}

/// Whether a text is a word for a status, and no abbreviation of a country or region.
pub(super) fn is_status(word: &str) -> bool {
    word.chars().count() > 2 && (meaning(word).is_some() || is_in(DOUBTFUL, &folded(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_below_a_refusal_says_yes_or_no() {
        for text in [
            "yes",
            "TRUE",
            "1",
            "Ja",
            "sì",
            "SÍ",
            "x",
            "blocked",
            "2026-05-01",
            "1.5.2026",
        ] {
            assert_eq!(is_refused(text), Some(true), "{text}");
        }
        for text in [
            "no",
            "False",
            "0",
            "nein",
            "Não",
            "-",
            "never",
            "active",
            "0000-00-00",
        ] {
            assert_eq!(is_refused(text), Some(false), "{text}");
        }
        assert_eq!(is_refused("perhaps"), None);
    }
}
