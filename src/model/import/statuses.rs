//! Words by which other license servers and people name a status.

use crate::model::license::Status;

const ACTIVATED: &str = "active enabled enable yes y true 1 valid ok on good live aktiv aktiviert gültig actif \
                         activo attivo actief aktywny aktywna ativo";
const SUSPENDED: &str = "inactive disabled disable suspend paused pause hold on_hold on-hold no n false 0 off \
                         inaktiv deaktiviert pausiert inactif inactivo inattivo inactief nieaktywny inativo";
const REVOKED: &str = "revoke blocked block banned ban cancelled canceled terminated refunded chargeback \
                       gesperrt widerrufen storniert bloqué bloqueado bloccato geblokkeerd zablokowany";

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
