//! The use cases: each method runs at one moment, in one transaction.

mod activation;
mod alerts;
mod audit;
mod backup;
mod bulk;
mod check;
mod check_log;
mod claim;
mod clock_watch;
mod code_list;
mod code_pool;
mod codes;
mod customers;
mod demo;
mod devices;
mod diagnose;
mod digest;
mod doctor;
mod encryption;
mod factors;
mod former_people;
mod generator;
mod import;
mod keys;
mod last_uses;
mod leaked;
mod licenses;
mod machine_codes;
mod mail_facts;
mod mail_texts;
mod mailer;
mod mails;
mod metrics;
mod moving;
mod my_page;
mod new_secret;
mod offline;
mod order_use;
mod orders;
mod overview;
mod passwords;
mod people;
mod proof;
mod reach;
mod readiness;
mod refusals;
mod restore;
mod seals;
mod secrets;
mod security;
mod sessions;
mod shop_events;
mod shops;
mod sign_in;
mod signer;
mod smtp;
mod sought;
mod team;
mod throttle;
mod timeline;
mod tls_words;
mod tokens;
mod tools;
mod traces;
mod traffic;
mod trials;
mod unlicensed;
mod users;
mod walk;
mod webhook_caller;
mod webhook_sender;
mod webhooks;
mod workbook;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rocket::tokio::sync::Semaphore;
use rocket::tokio::task;
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Refusal};
use crate::log::Log;
use crate::model::audit::Event;
use crate::model::date;
use crate::model::overview::LicenseCount;
use crate::model::security::Settings;
use crate::store::copy::Halt;
use crate::store::tokens::TokenUse;
use crate::store::{Missing, Reach, Store};
pub use crate::store::{Others, WarmUp, disk_space};

use backup::Schedule;
use check_log::CheckLog;
use clock_watch::ClockWatch;
use encryption::SecretKey;
use import::RunningImport;
use last_uses::LastUses;
use leaked::LeakedPasswords;
use mailer::Mailer;
use my_page::LinkRequest;
use passwords::Passwords;
use readiness::Readiness;
use refusals::Refusals;
use restore::RestoredUntil;
use seals::Seals;
use throttle::Throttle;
use tools::Rules;
use traffic::Traffic;
use trials::TrialsToday;
use webhook_sender::WebhookSender;

pub use audit::{AuditWalk, Proof};
pub use backup::{give_way, verify_backup};
pub use bulk::{MAX_SELECTED, Plan};
pub use check::{CheckSource, Signed};
pub use claim::Claimed;
pub use code_list::{CodeEdited, CodeUse, MAX_CODES_SENT};
pub use code_pool::Imported;
pub use codes::{CodeQuery, MAX_CREATED};
pub use customers::{CustomerLine, CustomerUse, LISTED};
pub use diagnose::{
    Diagnosis, FormerLicense, LicenseWarnings, MAX_NEAR_MISSES, NearMiss, ToolMatch,
};
pub use doctor::Pass;
pub use encryption::Encryption;
pub use factors::{Enrolment, WRONG_CODE};
pub use former_people::FormerPerson;
pub use import::{ImportPreview, ImportState, InvalidGroup, Undecideds};
pub use keys::{KeyFormat, KeyRing};
pub use licenses::Edited;
pub use machine_codes::CodedMachines;
pub use mailer::{FailedText, MailLink};
pub use mails::DraftMail;
pub use metrics::Metrics;
pub use moving::{Target, move_database};
pub use my_page::{CustomerLink, MyPage, Visitor};
pub use offline::OfflineFile;
pub use order_use::OrderUse;
pub use orders::OrderCodes;
pub use proof::Contents;
pub use restore::{Restoration, RestoreOptions, open_backup, restore};
pub use sessions::{Client, SignIn, SignedIn};
pub use shop_events::Delivery;
pub use shops::{ShopDraft, ShopUse};
pub use sign_in::Begun;
pub use sought::Sought;
pub use team::{Invited, NewInvitation, Person};
pub use tokens::TokenUser;
pub use tools::ToolUse;
pub use trials::TrialRequest;
pub use unlicensed::{MachinePair, Request};
pub use users::{FIRST_USER, FirstPassword, NewPassword};
pub use walk::Walk;
pub use webhooks::WebhookUse;
pub use workbook::{MAX_ROWS, MAX_SENT, workbook_of_codes};

/// What the secret of all servers on a database is encrypted as.
const SHARED_SECRET: &str = "What the servers share";

/// Searches that may run at once.
const SEARCHES: usize = 2;

/// Shared by all requests. Methods that only do point lookups are fast enough for an async thread; all others
/// go through [`Service::run`].
pub struct Service {
    store: Arc<Store>,
    clock: Clock,
    utc_offset: UtcOffset,
    log: Log,
    passwords: Passwords,
    leaked_passwords: Option<PathBuf>,
    /// As in `public_url`.
    host: String,
    /// Sessions expire after `idle` without use, and `longest` after sign-in.
    idle: Duration,
    longest: Duration,
    /// Sign-in attempts of strangers: each counts against its address and against the user name.
    by_address: Throttle,
    by_name: Throttle,
    /// Sign-in attempts with a device cookie.
    by_device: Throttle,
    /// Attempts to confirm the password in a session.
    by_session: Throttle,
    /// Codes of second factors, by person and device, or by session.
    by_code: Throttle,
    seals: Seals,
    /// Encrypts messages to browsers, with the key of [`Service::seals`].
    messages: SecretKey,
    /// Audit entries about reading all licenses over the API.
    exports: Throttle,
    /// One for each kind.
    refusals: Mutex<Vec<Refusals>>,
    /// Not yet in the audit log, and when it was.
    exported: Mutex<Vec<(Event, OffsetDateTime)>>,
    /// How long the audit log has the details of sign-ins; none for ever.
    sign_in_days: Option<Duration>,
    audit_kept_on: Mutex<Option<Date>>,
    /// Checks of unlicensed machines.
    unlicensed: Throttle,
    /// Wrong activation codes, by address.
    wrong_codes: Throttle,
    trials_today: Mutex<TrialsToday>,
    /// Removals of one machine from its code, and its offline files: coming back returns the move, so that nothing else would bound what a
    /// program in a loop writes.
    removals: Throttle,
    check_log: CheckLog,
    traffic: Traffic,
    readiness: Readiness,
    started_at: OffsetDateTime,
    session_uses: LastUses<OffsetDateTime>,
    token_uses: LastUses<TokenUse>,
    /// Sessions that have expired and are not yet deleted from the database.
    dead_sessions: Mutex<BTreeSet<i64>>,
    /// Licenses by tool and status, and when they were counted.
    counted: Mutex<Option<(OffsetDateTime, Arc<[LicenseCount]>)>>,
    /// Running searches: each may take a second of CPU time.
    searches: Semaphore,
    running_import: RunningImport,
    clock_watch: Mutex<ClockWatch>,
    reach_seen: Mutex<Option<Reach>>,
    schedule: Schedule,
    /// Set when the server stops.
    backup_halt: Halt,
    mailer: Mailer,
    settings: Settings,
    webhook_sender: WebhookSender,
    /// Requests for links to the customer's own page, by address.
    link_requests: Throttle,
    /// Mails that customers asked for, by e-mail address and by code.
    customer_mails: Throttle,
    links_wanted: Mutex<Vec<LinkRequest>>,
    restored: RestoredUntil,
    encryption: Encryption,
    keys: ArcSwap<KeyRing>,
    /// Only of tools that have rules.
    rules: ArcSwap<Rules>,
}

impl Service {
    /// Opens the database, or creates it with a first user.
    pub fn open(
        config: &Config,
        clock: Clock,
    ) -> Result<(Service, Option<FirstPassword>), Refusal> {
        let log = Log::new(config.log_format, clock.clone());
        let store = Store::open(config, &clock, Missing::Make)?.with_log(log);
        let encryption = Encryption::new(&config.secrets);
        let ring = KeyRing::load_complete(&store, &encryption)?;
        // Named at the start, and not when somebody wants to change a password.
        config
            .leaked_passwords
            .as_deref()
            .map(LeakedPasswords::open)
            .transpose()?;
        let service = Service::with_store(config, clock, store, (encryption, ring))?;
        service.take_back_interrupted()?;
        service.create_first_key()?;
        service.encrypt_secrets()?;
        let first = service.add_first_user(config.admin_password.as_deref())?;
        service.settle()?;
        // An unreadable entry is found by `audit verify`; it must not stop the server.
        if let Err(error) = service.compare_clock() {
            service.log.fault("compare_clock", &error);
        }
        Ok((service, first))
    }

    /// Opens an existing database, for commands that must not create one.
    pub fn open_existing(config: &Config, clock: Clock) -> Result<Service, Refusal> {
        let store = Store::open(config, &clock, Missing::Refuse)?;
        let encryption = Encryption::new(&config.secrets);
        let ring = KeyRing::load(&store, &encryption)?;
        Service::with_store(config, clock, store, (encryption, ring))
    }

    /// [`Service::open_existing`] without the signing keys, some of which may be missing or broken.
    pub fn open_without_keys(config: &Config, clock: Clock) -> Result<Service, Refusal> {
        let store = Store::open(config, &clock, Missing::Refuse)?;
        let encryption = Encryption::new(&config.secrets);
        Service::with_store(config, clock, store, (encryption, KeyRing::default()))
    }

    fn with_store(
        config: &Config,
        clock: Clock,
        store: Store,
        (encryption, keys): (Encryption, KeyRing),
    ) -> Result<Service, Refusal> {
        let store = Arc::new(store);
        let shared = store
            .shared_secret(|| encryption.encrypt(SHARED_SECRET, &secrets::token()?))?
            .map(|secret| encryption.decrypt(SHARED_SECRET, &secret))
            .transpose()?;
        let secret = shared.map_or_else(secrets::token, Ok)?;
        let shared =
            |name, burst, seconds| Throttle::new(burst, seconds).shared(&store, &secret, name);
        let service = Service {
            keys: ArcSwap::from_pointee(keys),
            rules: ArcSwap::default(),
            encryption,
            store: Arc::clone(&store),
            log: Log::new(config.log_format, clock.clone()),
            utc_offset: config.utc_offset,
            passwords: Passwords::new(),
            leaked_passwords: config.leaked_passwords.clone(),
            host: config.host(),
            idle: Duration::minutes(config.session_idle_minutes.into()),
            longest: Duration::hours(config.session_hours.into()),
            by_address: shared("address", 10, 6),
            by_name: shared("name", 10, 6),
            by_device: shared("device", 10, 6),
            by_session: shared("session", 10, 6),
            // Who knows the password and guesses for a year hits one of three codes with a probability of 5 %.
            by_code: shared("code", 10, 1_800),
            seals: Seals::new(&secret),
            messages: SecretKey::new(&secret),
            exports: Throttle::new(1, 3_600),
            refusals: Mutex::default(),
            exported: Mutex::default(),
            sign_in_days: (config.audit_sign_in_days > 0)
                .then(|| Duration::days(config.audit_sign_in_days.into())),
            audit_kept_on: Mutex::default(),
            unlicensed: Throttle::new(30, 6),
            wrong_codes: shared("wrong code", 10, 60),
            trials_today: Mutex::default(),
            removals: shared("removal", 20, 60),
            check_log: CheckLog::default(),
            traffic: Traffic::default(),
            readiness: Readiness::default(),
            started_at: clock.now(),
            session_uses: LastUses::default(),
            token_uses: LastUses::default(),
            dead_sessions: Mutex::default(),
            counted: Mutex::default(),
            searches: Semaphore::new(SEARCHES),
            running_import: RunningImport::default(),
            clock_watch: Mutex::default(),
            reach_seen: Mutex::default(),
            schedule: Schedule::new(config),
            backup_halt: Halt::default(),
            mailer: Mailer::new(config),
            settings: security::settings(config),
            webhook_sender: WebhookSender::new(config),
            link_requests: shared("link", 10, 60),
            customer_mails: shared("customer mail", 3, 600),
            links_wanted: Mutex::default(),
            restored: RestoredUntil::default(),
            clock,
        };
        service.reload_rules()?;
        service.reload_restored()?;
        Ok(service)
    }

    /// Runs `verb` on a thread that may wait for the disk.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        verb: impl FnOnce(&Service) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let service = Arc::clone(self);
        task::spawn_blocking(move || verb(&service))
            .await
            .map_err(|e| Error::Internal(e.to_string()))?
    }

    /// [`Service::run`] for license searches. Two run at once and others wait, so that they cannot take all
    /// threads.
    pub async fn run_search<T: Send + 'static>(
        self: &Arc<Self>,
        verb: impl FnOnce(&Service) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.searches.acquire().await;
        let _permit = permit.map_err(|e| Error::Internal(e.to_string()))?;
        self.run(verb).await
    }

    /// Reads more licenses into the cache, so that checking them does not wait for the disk; returns where to
    /// continue.
    pub fn warm_up(&self, from: WarmUp) -> Result<Option<WarmUp>, Error> {
        self.store.warm_up(from)
    }

    /// Reloads what another program may have changed, and returns what there was; once a second.
    pub fn reload_if_others_wrote(&self) -> Result<Others, Error> {
        let others = self.store.clear_if_others_wrote()?;
        if others != Others::Nothing {
            self.reload_rules()?;
            self.reload_keys()?;
            self.reload_restored()?;
        }
        Ok(others)
    }

    /// Whether this server does what only one may do at a time: sending mails and events, backups, and removing what
    /// is old.
    pub fn is_on_duty(&self) -> bool {
        self.store.is_on_duty()
    }

    /// Leaves a nearly complete database file on the disk, unless somebody is writing; every few seconds.
    pub fn settle(&self) -> Result<(), Error> {
        self.store.settle()
    }

    /// Writes what is only in memory, and leaves a complete database file on the disk.
    pub fn close(&self) -> Result<(), Error> {
        let written = self.write_all_checks();
        let noted = self.write_notes(true);
        self.store.close()?;
        written.and(noted)
    }

    /// The operator's offset, which decides when a day begins.
    pub fn utc_offset(&self) -> UtcOffset {
        self.utc_offset
    }

    pub fn requires_two_factors(&self) -> bool {
        self.settings.requires_two_factors
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The date in the operator's offset.
    pub fn today(&self) -> Date {
        self.now().to_offset(self.utc_offset).date()
    }

    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// For mails: `2026-11-23 14:05 UTC+02:00`.
    fn shown(&self, at: OffsetDateTime) -> String {
        let offset = self.utc_offset;
        format!("{} {}", date::moment(at, offset), date::offset_name(offset))
    }
}
