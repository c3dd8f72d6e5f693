//! Words by which other license servers and people name a status.

use crate::model::license::Status;

const ACTIVATED: &str = "active enabled enable yes y true 1 valid ok on good live ja oui si sí sim tak aktiv aktiviert gültig actif \
                         activo attivo actief aktywny aktywna ativo";
const SUSPENDED: &str = "inactive disabled disable suspend paused pause hold on_hold on-hold no n false 0 off nein non não nao nie nee \
                         inaktiv deaktiviert pausiert inactif inactivo inattivo inactief nieaktywny inativo";
const REVOKED: &str = "revoke blocked block banned ban cancelled canceled terminated refunded chargeback \
                       gesperrt widerrufen storniert bloqué bloqueado bloccato geblokkeerd zablokowany";

/// Of these, what may be the answer to any question.
const NO: &str = "no n false 0 off hold nein non não nao nie nee";

/// What a word in lower case means; none for one that may mean several things, such as `expired`.
pub(super) fn meaning(word: &str) -> Option<Status> {
    let has = |words: &str| words.split_whitespace().any(|known| known == word);
    let named = || match word {
        _ if has(ACTIVATED) => Some(Status::Activated),
        _ if has(SUSPENDED) => Some(Status::Suspended),
        _ if has(REVOKED) => Some(Status::Revoked),
        _ => None,
    };
    Status::from_word(word).or_else(named)
}

/// Whether a text, in any case, can only be the word for a license that may not be used.
pub(super) fn is_refusal(text: &str) -> bool {
    let word = text.trim().to_lowercase();
    let is_answer = || NO.split(' ').any(|answer| answer == word);
    meaning(&word).is_some_and(|status| status != Status::Activated) && !is_answer()
}
