//! The composition root: routes, catchers, headers, shutdown.

mod background;
mod headers;
mod journal;
mod methods;
mod mock;

use std::sync::Arc;
use std::time::Duration;

use rocket::config::{Ident, LogLevel, Shutdown, Sig};
use rocket::error::ErrorKind;
use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::shield::Shield;
use rocket::tokio::{self, runtime::Builder};
use rocket::{Build, Request, Rocket};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Refusal;
use crate::log::{Log, is_said_to, say};
use crate::pages::Assets;
use crate::request::Running;
use crate::service::{FIRST_USER, FirstPassword, Service};
use crate::{api, pages};
use background::{Background, keep_audit};
use journal::Journal;
pub use mock::{Mock, serve_mock};

/// Threads that may wait for the disk at once; each has its own database connection.
const BLOCKING_THREADS: usize = 16;

/// How long a stopping server waits before it looks again.
const DRAIN: Duration = Duration::from_millis(50);
/// How long it waits for the running requests: as long as Rocket lets them use their connections.
const DRAIN_AT_MOST: Duration = Duration::from_secs(6);

/// Serves until SIGTERM or Ctrl-C.
pub fn serve(config: Config) -> Result<(), Refusal> {
    let log = Log::new(config.log_format, Clock::System);
    if let Err(e) = rlimit::increase_nofile_limit(u64::MAX) {
        log.event("nofile_limit_unchanged", &[("error", &e)]);
    }
    if !config.ignored.is_empty() {
        let names = config.ignored.join(" ");
        log.event("environment_ignored", &[("variables", &names)]);
    }
    tell_panics(log.clone());
    let runtime = Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(|e| Refusal(format!("The system gives no threads: {e}.")))?;
    runtime.block_on(async {
        let (service, first) = Service::open(&config, Clock::System)?;
        // Counted with its faults.
        tell_panics(service.log().clone());
        // Immediately: if the server cannot listen, nobody would ever see the password.
        greet(&config, first.as_ref());
        let service = Arc::new(service);
        let at_start = AdHoc::on_liftoff("announce", |rocket| {
            Box::pin(async move {
                announce(rocket.state(), rocket.config().port);
                if let Some(service) = rocket.state::<Arc<Service>>().cloned() {
                    drop(tokio::task::spawn_blocking(move || keep_audit(&service)));
                }
            })
        });
        let rocket = rocket(config.clone(), Arc::clone(&service)).attach(at_start);
        let background = Background::start(Arc::clone(&service))?;
        launch(rocket)
            .await
            .map_err(|error| refusal(&config, &error))?;
        // First, because the thread may be waiting for an import to release the database.
        service.stop_import();
        service.stop_backup();
        service.stop_mails();
        service.stop_webhooks();
        background.stop();
        service.close()?;
        log.event("stopped", &[]);
        Ok(())
    })
}

/// Ready to be launched.
pub fn rocket(config: Config, service: Arc<Service>) -> Rocket<Build> {
    let routes = methods::refused_elsewhere([api::routes(), pages::routes()].concat());
    let base = config.base_path().to_owned();
    let (page_catchers, api_catchers) = (
        headers::on(pages::catchers(), &config),
        headers::on(api::catchers(), &config),
    );
    let silent = headers::on(api::generator_catchers(), &config);
    let claim_catchers = headers::on(pages::claim_catchers(), &config);
    let my_catchers = headers::on(pages::my_catchers(), &config);
    let running = Running::default();
    let (document, reference) = api::described(&config);
    let mut rocket = rocket::custom(settings(&config))
        .attach(Shield::new()) // Rocket's own headers off: ours are in one place
        .attach(Journal::new(
            Arc::clone(&service),
            config.log_checks,
            running.clone(),
        ))
        .attach(headers::fairing(&config))
        .manage(service.log().clone())
        .manage(config)
        .manage(service)
        .manage(running)
        .manage(document)
        .manage(reference)
        .manage(Assets::embedded());
    // At the root, too: a proxy may strip the prefix, and a client may bypass the proxy.
    for prefix in if base.is_empty() {
        vec![""]
    } else {
        vec!["", &base]
    } {
        rocket = rocket
            .mount(format!("{prefix}/"), routes.clone())
            .register(format!("{prefix}/"), page_catchers.clone())
            .register(format!("{prefix}/claim"), claim_catchers.clone())
            .register(format!("{prefix}/my"), my_catchers.clone())
            .register(format!("{prefix}/api"), api_catchers.clone())
            .register(format!("{prefix}/api/orders/generate"), silent.clone())
            .register(format!("{prefix}/hooks"), api_catchers.clone())
            .register(format!("{prefix}/metrics"), api_catchers.clone());
    }
    rocket
}

/// Serves until shutdown, and until all requests have been answered. Connections that are still open then are
/// not an error.
pub async fn launch(rocket: Rocket<Build>) -> Result<(), rocket::Error> {
    let rocket = rocket.ignite().await?;
    let running = rocket.state::<Running>().cloned().unwrap_or_default();
    let finished = finished(rocket.shutdown(), running);
    tokio::pin!(finished);
    let launched = tokio::select! {
        launched = rocket.launch() => launched,
        // Rocket itself would also wait for idle connections.
        () = &mut finished => return Ok(()),
    };
    if let Err(error) = &launched
        && !matches!(error.kind(), ErrorKind::Shutdown(..))
    {
        return launched.map(drop);
    }
    // At times Rocket waits for nothing at all.
    finished.await;
    drop(launched);
    Ok(())
}

/// Ready once a shutdown was requested and no request is being answered, or after a while.
async fn finished(shutdown: rocket::Shutdown, running: Running) {
    shutdown.await;
    running.stop();
    let until = tokio::time::Instant::now() + DRAIN_AT_MOST;
    // Twice, because the last bytes may not have been sent yet, and Rocket does not count a request before the
    // first bytes of its body are there.
    let mut quiet = 0;
    while quiet < 2 && tokio::time::Instant::now() < until {
        tokio::time::sleep(DRAIN).await;
        // The journal, Rocket's state, and this function.
        quiet = if running.number(3) == 0 { quiet + 1 } else { 0 };
    }
}

fn settings(config: &Config) -> rocket::Config {
    rocket::Config {
        address: config.address,
        port: config.port,
        ident: Ident::none(),
        ip_header: None,
        log_level: LogLevel::Off,
        cli_colors: false,
        shutdown: Shutdown {
            signals: [Sig::Term].into(),
            grace: 5,
            mercy: 1,
            ..Shutdown::default()
        },
        ..rocket::Config::release_default()
    }
}

/// Whether a response with this status is a verdict. Checks are the most frequent requests.
fn is_verdict(request: &Request<'_>, status: Status) -> bool {
    matches!(status.code, 200 | 403 | 404)
        && request
            .route()
            .is_some_and(|route| route.uri.path().ends_with("/api/check"))
}

/// A panic is a bug: it is logged in one line, and the request is answered with 500.
fn tell_panics(log: Log) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or_default();
        log.panic(&place, message);
    }));
}

/// The first lines that the operator sees: who may sign in.
pub fn greet(config: &Config, first: Option<&FirstPassword>) {
    say(&format!("License Server {}", env!("CARGO_PKG_VERSION")));
    match first {
        Some(FirstPassword::Random(_)) if is_said_to(config.journal.as_deref()) => say(&format!(
            "  User        {FIRST_USER}, with a random password, which does not belong in the journal;\n              \
             `license-server admin set-password` sets another"
        )),
        Some(FirstPassword::Random(password)) => say(&format!(
            "  User        {FIRST_USER}\n  Password    {password}\n              \
             (for the first sign-in, and shown only this once; if it is lost,\n              \
             `license-server admin set-password` sets another)"
        )),
        Some(FirstPassword::Configured) => say(&format!(
            "  User        {FIRST_USER}, with the password from the setting `admin_password`"
        )),
        Some(FirstPassword::Unused) => say(&format!(
            "  User        {FIRST_USER}, who has not signed in yet; if the password is lost,\n              \
             `license-server admin set-password` sets another"
        )),
        None => {}
    }
}

/// The lines printed when the server starts to listen: at which address.
fn announce(config: Option<&Config>, port: u16) {
    let Some(config) = config else {
        return;
    };
    let (origin, base) = (config.origin(port), config.base_path());
    say(&format!("  Sign in at  {origin}{base}/login"));
    say(&format!(
        "  Database    {}",
        config.data_dir.join("licenses.db").display()
    ));
}

fn refusal(config: &Config, error: &rocket::Error) -> Refusal {
    match error.kind() {
        ErrorKind::Bind(e) => Refusal(format!(
            "The settings `address` and `port` are `{}` and `{}`, where the server cannot listen: {e}; \
             stop the program that listens there, or choose another port.",
            config.address, config.port
        )),
        ErrorKind::Collisions(_) => Refusal(format!(
            "The path of `public_url`, `{}`, is that of a page of this server; choose another one, such as \
             `/licenseserver`.",
            config.base_path()
        )),
        other => Refusal(format!("The server cannot start: {other}.")),
    }
}
