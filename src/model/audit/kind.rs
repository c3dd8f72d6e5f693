//! What an entry of the audit log can be about.

use crate::model::webhook_event::WebhookEvent;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    SignedIn,
    SignInFailed,
    /// The password was right; a code of the second factor was wrong, used or missing.
    SecondFactorFailed,
    /// Too many attempts; one entry a minute for all of them.
    SignInThrottled,
    /// A session's cookie came from another browser or network.
    SessionRefused,
    /// API tokens that do not exist or lack the scope; one entry a minute for all of them.
    TokenRefused,
    /// By its own sign-out.
    SignedOut,
    /// From the account page.
    SessionEnded,
    /// This also ends the user's other sessions.
    PasswordChanged,
    TokenCreated,
    TokenRevoked,
    PersonInvited,
    InvitationWithdrawn,
    PersonAdded,
    PersonChanged,
    PersonDisabled,
    PersonEnabled,
    PersonRemoved,
    /// From this log, after the account was removed.
    PersonErased,
    /// This also ends the user's other sessions.
    FactorSetUp,
    FactorRemoved,
    /// By somebody else, because it was lost.
    FactorReset,
    RecoveryCodesCreated,
    /// In place of a code of the second factor.
    RecoveryCodeUsed,
    LicenseAdded,
    LicenseChanged,
    LicenseDeleted,
    /// A bulk change; each license also has its own entry.
    ManyChanged,
    LicenseMoved,
    /// Its machine can run without a network until that day.
    OfflineFileMade,
    /// Each license also has its own entry.
    Imported,
    /// By itself, before its first license.
    ToolAdded,
    /// Many licenses were read at once.
    Exported,
    /// Many entries of this log were read at once.
    AuditExported,
    ToolChanged,
    /// Each license also has its own entry.
    ToolRenamed,
    /// By hand; under a new name, each license and code also has its own entry.
    CustomerChanged,
    /// Each license and code of the customer that is gone also has its own entry.
    CustomersMerged,
    /// Everything about a person was read at once.
    CustomerExported,
    CustomerErased,
    /// Its codes also have entries.
    OrderPlaced,
    CodesCreated,
    /// From an older system.
    CodesImported,
    /// Its licenses follow without entries of their own.
    CodeChanged,
    ShopCreated,
    ShopChanged,
    ShopDeleted,
    /// An unlicensed machine was hidden until it checks again after 30 days.
    MachineDismissed,
    /// An unlicensed machine was hidden for good.
    MachineBlocked,
    /// A hidden machine is listed again.
    MachineRestored,
    SigningKeyCreated,
    SigningKeyDefault,
    SigningKeyRetired,
    /// A retired key signs again.
    SigningKeyRestored,
    /// The private key was written to a file.
    SigningKeyExported,
    /// The stored secrets were encrypted with a new key.
    SecretsEncrypted,
    /// The database was restored from a backup.
    Restored,
    /// Machines without a license are refused again.
    RestoreEnded,
    /// Generated demo licenses were added.
    DemoSeeded,
    /// By hand, also again.
    MailQueued,
    MailDropped,
    MailTextChanged,
    WebhookCreated,
    /// Also by the server itself, which disables one that does not answer.
    WebhookChanged,
    WebhookDeleted,
    /// To a customer's own page: by hand, or because somebody typed the customer's address there.
    LinkCreated,
    /// The link was used, and began a session.
    LinkOpened,
    /// Somebody has seen the alerts of the overview until an entry.
    AlertsSeen,
}

impl Kind {
    /// In the order in which they are listed on pages.
    pub const ALL: [Kind; 68] = [
        Kind::LicenseAdded,
        Kind::LicenseChanged,
        Kind::LicenseDeleted,
        Kind::LicenseMoved,
        Kind::OfflineFileMade,
        Kind::ManyChanged,
        Kind::Imported,
        Kind::ToolAdded,
        Kind::Exported,
        Kind::AuditExported,
        Kind::ToolChanged,
        Kind::ToolRenamed,
        Kind::CustomerChanged,
        Kind::CustomersMerged,
        Kind::CustomerExported,
        Kind::CustomerErased,
        Kind::OrderPlaced,
        Kind::CodesCreated,
        Kind::CodesImported,
        Kind::CodeChanged,
        Kind::ShopCreated,
        Kind::ShopChanged,
        Kind::ShopDeleted,
        Kind::MailQueued,
        Kind::MailDropped,
        Kind::MailTextChanged,
        Kind::WebhookCreated,
        Kind::WebhookChanged,
        Kind::WebhookDeleted,
        Kind::LinkCreated,
        Kind::LinkOpened,
        Kind::MachineDismissed,
        Kind::MachineBlocked,
        Kind::MachineRestored,
        Kind::SigningKeyCreated,
        Kind::SigningKeyDefault,
        Kind::SigningKeyRetired,
        Kind::SigningKeyRestored,
        Kind::SigningKeyExported,
        Kind::SecretsEncrypted,
        Kind::SignedIn,
        Kind::SignInFailed,
        Kind::SecondFactorFailed,
        Kind::SignInThrottled,
        Kind::TokenRefused,
        Kind::SessionRefused,
        Kind::SignedOut,
        Kind::SessionEnded,
        Kind::PasswordChanged,
        Kind::TokenCreated,
        Kind::TokenRevoked,
        Kind::PersonInvited,
        Kind::InvitationWithdrawn,
        Kind::PersonAdded,
        Kind::PersonChanged,
        Kind::PersonDisabled,
        Kind::PersonEnabled,
        Kind::PersonRemoved,
        Kind::PersonErased,
        Kind::FactorSetUp,
        Kind::FactorRemoved,
        Kind::FactorReset,
        Kind::RecoveryCodesCreated,
        Kind::RecoveryCodeUsed,
        Kind::AlertsSeen,
        Kind::Restored,
        Kind::RestoreEnded,
        Kind::DemoSeeded,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::SignedIn => "signed in",
            Kind::SignInFailed => "sign-in failed",
            Kind::SecondFactorFailed => "second factor failed",
            Kind::SignInThrottled => "sign-in throttled",
            Kind::TokenRefused => "token refused",
            Kind::SessionRefused => "session refused",
            Kind::SignedOut => "signed out",
            Kind::SessionEnded => "session ended",
            Kind::PasswordChanged => "password changed",
            Kind::TokenCreated => "token created",
            Kind::TokenRevoked => "token revoked",
            Kind::PersonInvited => "person invited",
            Kind::InvitationWithdrawn => "invitation withdrawn",
            Kind::PersonAdded => "person added",
            Kind::PersonChanged => "person changed",
            Kind::PersonDisabled => "person disabled",
            Kind::PersonEnabled => "person enabled",
            Kind::PersonRemoved => "person removed",
            Kind::PersonErased => "person erased",
            Kind::FactorSetUp => "second factor set up",
            Kind::FactorRemoved => "second factor removed",
            Kind::FactorReset => "second factor reset",
            Kind::RecoveryCodesCreated => "recovery codes created",
            Kind::RecoveryCodeUsed => "recovery code used",
            Kind::LicenseAdded => "license added",
            Kind::LicenseChanged => "license changed",
            Kind::LicenseDeleted => "license deleted",
            Kind::LicenseMoved => "license moved",
            Kind::OfflineFileMade => "offline file made",
            Kind::ManyChanged => "many licenses changed",
            Kind::Imported => "licenses imported",
            Kind::ToolAdded => "tool added",
            Kind::Exported => "licenses exported",
            Kind::AuditExported => "audit log exported",
            Kind::ToolChanged => "tool changed",
            Kind::ToolRenamed => "tool renamed",
            Kind::CustomerChanged => "customer changed",
            Kind::CustomersMerged => "customers merged",
            Kind::CustomerExported => "customer exported",
            Kind::CustomerErased => "customer erased",
            Kind::OrderPlaced => "order placed",
            Kind::CodesCreated => "activation codes created",
            Kind::CodesImported => "activation codes imported",
            Kind::CodeChanged => "activation code changed",
            Kind::ShopCreated => "shop created",
            Kind::ShopChanged => "shop changed",
            Kind::ShopDeleted => "shop deleted",
            Kind::MachineDismissed => "machine dismissed",
            Kind::MachineBlocked => "machine blocked",
            Kind::MachineRestored => "machine restored",
            Kind::SigningKeyCreated => "signing key created",
            Kind::SigningKeyDefault => "signing key made default",
            Kind::SigningKeyRetired => "signing key retired",
            Kind::SigningKeyRestored => "signing key restored",
            Kind::SigningKeyExported => "signing key exported",
            Kind::SecretsEncrypted => "secrets encrypted",
            Kind::Restored => "restored from backup",
            Kind::RestoreEnded => "restored state ended",
            Kind::DemoSeeded => "demo seeded",
            Kind::MailQueued => "mail queued",
            Kind::MailDropped => "mail dropped",
            Kind::MailTextChanged => "mail text changed",
            Kind::WebhookCreated => "webhook created",
            Kind::WebhookChanged => "webhook changed",
            Kind::WebhookDeleted => "webhook deleted",
            Kind::LinkCreated => "customer link created",
            Kind::LinkOpened => "customer link opened",
            Kind::AlertsSeen => "alerts seen",
        }
    }

    /// Whether its details may be removed from the log after a time: it changed nothing.
    pub fn is_sign_in(self) -> bool {
        match self {
            Kind::SignedIn
            | Kind::SignInFailed
            | Kind::SecondFactorFailed
            | Kind::SignInThrottled
            | Kind::TokenRefused
            | Kind::SessionRefused
            | Kind::SignedOut
            | Kind::SessionEnded => true,
            Kind::PasswordChanged
            | Kind::LinkCreated
            | Kind::LinkOpened
            | Kind::TokenCreated
            | Kind::TokenRevoked
            | Kind::PersonInvited
            | Kind::InvitationWithdrawn
            | Kind::PersonAdded
            | Kind::PersonChanged
            | Kind::PersonDisabled
            | Kind::PersonEnabled
            | Kind::PersonRemoved
            | Kind::PersonErased
            | Kind::FactorSetUp
            | Kind::FactorRemoved
            | Kind::FactorReset
            | Kind::RecoveryCodesCreated
            | Kind::RecoveryCodeUsed
            | Kind::LicenseAdded
            | Kind::LicenseChanged
            | Kind::LicenseDeleted
            | Kind::LicenseMoved
            | Kind::OfflineFileMade
            | Kind::ManyChanged
            | Kind::Imported
            | Kind::ToolAdded
            | Kind::Exported
            | Kind::AuditExported
            | Kind::ToolChanged
            | Kind::ToolRenamed
            | Kind::CustomerChanged
            | Kind::CustomersMerged
            | Kind::CustomerExported
            | Kind::CustomerErased
            | Kind::OrderPlaced
            | Kind::CodesCreated
            | Kind::CodesImported
            | Kind::CodeChanged
            | Kind::ShopCreated
            | Kind::ShopChanged
            | Kind::ShopDeleted
            | Kind::MachineDismissed
            | Kind::MachineBlocked
            | Kind::MachineRestored
            | Kind::SigningKeyCreated
            | Kind::SigningKeyDefault
            | Kind::SigningKeyRetired
            | Kind::SigningKeyRestored
            | Kind::SigningKeyExported
            | Kind::SecretsEncrypted
            | Kind::Restored
            | Kind::RestoreEnded
            | Kind::DemoSeeded
            | Kind::MailQueued
            | Kind::MailDropped
            | Kind::MailTextChanged
            | Kind::WebhookCreated
            | Kind::WebhookChanged
            | Kind::WebhookDeleted
            | Kind::AlertsSeen => false,
        }
    }

    /// Whether alerts are made of it.
    pub fn is_of_alerts(self) -> bool {
        matches!(
            self,
            Kind::SignedIn
                | Kind::SignInFailed
                | Kind::SecondFactorFailed
                | Kind::SignInThrottled
                | Kind::TokenRefused
                | Kind::PersonAdded
                | Kind::PersonChanged
                | Kind::PersonEnabled
                | Kind::FactorRemoved
                | Kind::FactorReset
                | Kind::AlertsSeen
        )
    }

    /// Whether alerts take it as something that the person who did it is concerned by.
    pub fn is_about_actor(self) -> bool {
        matches!(
            self,
            Kind::SignedIn
                | Kind::SignInFailed
                | Kind::SecondFactorFailed
                | Kind::SignInThrottled
                | Kind::FactorRemoved
                | Kind::AlertsSeen
        )
    }

    /// What receivers of webhooks are told of it.
    pub(super) fn told(self) -> Option<WebhookEvent> {
        Some(match self {
            Kind::LicenseAdded => WebhookEvent::LicenseCreated,
            Kind::LicenseChanged => WebhookEvent::LicenseUpdated,
            Kind::LicenseDeleted => WebhookEvent::LicenseDeleted,
            Kind::LicenseMoved => WebhookEvent::LicenseMoved,
            Kind::ManyChanged => WebhookEvent::LicensesUpdated,
            Kind::Imported => WebhookEvent::LicensesImported,
            Kind::OrderPlaced => WebhookEvent::OrderCreated,
            Kind::CodesCreated | Kind::CodesImported => WebhookEvent::CodesCreated,
            Kind::CodeChanged => WebhookEvent::CodeUpdated,
            Kind::CustomerChanged | Kind::CustomersMerged => WebhookEvent::CustomerUpdated,
            Kind::CustomerErased => WebhookEvent::CustomerErased,
            Kind::ToolRenamed => WebhookEvent::ToolRenamed,
            _ => return None,
        })
    }

    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}
