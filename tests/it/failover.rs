//! Two servers on one database with a synchronous standby, each on a machine of its own, behind nginx: what breaks under
//! load, and what visitors notice of it.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::deploy::{Way, nginx, shipped};
use crate::front::{HOST, PUBLIC, sign_certificate};
use crate::load::{HEARD, LICENSED, Load, PLAIN, TLS, Visitor, licensed};
use crate::machines::{Machine, Machines};
use crate::postgres::{NOBODY, as_nobody};
use crate::program::{Program, command};
use crate::server::PASSWORD;
use crate::tools;

const CHANGES: &str = include_str!("../../deploy/nginx-two-servers.conf");

/// The networks.
const DATABASES: u8 = 1;
const VISITORS: u8 = 2;

const MACHINES: [Machine; 5] = [
    ("primary", 1, &[DATABASES]),
    ("standby", 2, &[DATABASES]),
    ("one", 11, &[DATABASES, VISITORS]),
    ("two", 12, &[DATABASES, VISITORS]),
    ("front", 21, &[VISITORS]),
];
const SERVERS: [&str; 2] = ["one", "two"];
const DIRECT: [&str; 2] = [
    "http://10.77.2.11:8000/licenseserver",
    "http://10.77.2.12:8000/licenseserver",
];
const DATABASE: &str = "postgres://postgres@10.77.1.1,10.77.1.2/licenses?target_session_attrs=read-write&sslmode=disable";

/// Addresses of the front, so that each machine without a license has one of its own.
const EVERYBODY: &str = "10.9.0.0/16";

/// For anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn two_servers_survive_what_breaks_under_load() {
    survive("short", 60, Duration::from_secs(10), Death::OfProcesses);
}

#[test]
#[ignore = "takes a quarter of an hour: cargo test --release --test it -- --ignored --nocapture failover::"]
fn two_servers_survive_ten_minutes_without_the_database_and_a_dead_machine() {
    let ten_minutes = Duration::from_secs(600);
    survive("long", 1_000, ten_minutes, Death::OfTheMachine);
}

/// How the primary ends.
#[derive(Clone, Copy, PartialEq)]
enum Death {
    /// Whoever is connected hears of it.
    OfProcesses,
    /// Nobody hears of it.
    OfTheMachine,
}

fn survive(name: &str, revokes: usize, cut: Duration, death: Death) {
    let Some(site) = Site::start(name) else {
        return;
    };
    let Site {
        machines,
        primary,
        standby,
        servers,
        ..
    } = &site;
    let load = site.load();
    let is_ready = |server: usize| {
        let ready = format!("{}/ready", DIRECT[server]);
        machines.on("front", || Visitor::new().get(&ready)) == 200
    };
    let reads = |server: usize| machines.on("front", || load.reads(DIRECT[server]));
    let both_read = || reads(0) && reads(1);
    thread::scope(|scope| {
        let _over = Over(&load.is_over);
        let works: [fn(&Load, &Visitor); 6] = [
            Load::check_licensed,
            Load::check_licensed,
            Load::check_unlicensed,
            Load::check_revoked,
            Load::write,
            Load::write,
        ];
        for work in works {
            let load = &load;
            scope.spawn(move || {
                machines.enter("front");
                let visitor = Visitor::new();
                while !load.is_over.load(Ordering::Relaxed) {
                    work(load, &visitor);
                }
            });
        }
        load.say("start");

        let delays = machines.on("front", || load.measure(revokes, DIRECT));
        load.say(&format!("{revokes} revokes"));
        say_delays(&delays);

        servers.kill(0);
        servers.start(machines, 0);
        wait("a server that was killed", || is_ready(0));
        load.say("a server killed and started");

        for server in [0, 1] {
            servers.stop(server);
            servers.start(machines, server);
            wait("a server that was restarted", || is_ready(server));
        }
        load.say("both servers restarted, one after the other");

        load.lose_contact();
        machines.cut("one", DATABASES);
        wait("a lost contact", || !reads(0));
        load.say("a server cut off from the database: until it answers 503");
        thread::sleep(cut);
        load.say(&format!("cut off for {} s", cut.as_secs()));
        machines.restore("one", DATABASES);
        wait("contact", both_read);
        load.regain_contact();
        load.say("connected again");

        load.lose_contact();
        if death == Death::OfTheMachine {
            machines.cut("primary", DATABASES);
        }
        primary.kill();
        standby.promote();
        load.say("the primary killed, the standby promoted");
        wait("contact to the new primary", both_read);
        load.regain_contact();
        load.say("both servers on the new primary");
        let enough = load.acknowledged() + 20;
        wait("writes", || load.acknowledged() >= enough);
        load.say("afterwards");

        servers.stop(0);
        servers.start(machines, 0);
        wait("a server that was restarted", || is_ready(0));
        load.say("a server restarted on the new primary");
        wait("that everything was heard", || load.is_all_heard());
        load.say("until every server must have heard everything");
        let enough = load.checks_of_revoked() + 20;
        wait("checks", || load.checks_of_revoked() >= enough);
    });
    let rows = "select license_key || ' ' || status from licenses";
    load.judge(&standby.sql("licenses", rows));
    let verified = machines.on("one", || {
        servers.command(0).args(["audit", "verify"]).output()
    });
    let verified = verified.unwrap();
    assert!(verified.status.success(), "{verified:?}");
}

/// Polls.
fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < PATIENCE, "{what}: not within a minute");
        thread::sleep(Duration::from_millis(20));
    }
}

fn say_delays(delays: &[[Duration; 2]]) {
    let mut slowest: Vec<Duration> = delays.iter().map(|[one, two]| *one.max(two)).collect();
    slowest.sort();
    let at = |percent: usize| slowest[(slowest.len() * percent / 100).min(slowest.len() - 1)];
    eprintln!(
        "  until the slower server refuses: half within {:?}, 99 % within {:?}, all within {:?}",
        at(50),
        at(99),
        at(100)
    );
    assert!(at(100) < HEARD);
}

/// Sets it, however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Everything ends in this order.
struct Site {
    _nginx: Nginx,
    servers: Servers,
    primary: Cluster,
    standby: Cluster,
    machines: Machines,
}

impl Site {
    /// None where a program is missing, or for others than root.
    fn start(name: &str) -> Option<Site> {
        let (nginx, openssl) = (tools::find("nginx")?, tools::find("openssl")?);
        let programs = tools::postgres()?;
        if !rustix::process::getuid().is_root() {
            tools::leave_out("only root can have network namespaces");
            return None;
        }
        let machines = Machines::start(name, &MACHINES)?;
        machines.has_all("front", EVERYBODY);
        let (primary, standby) = replicated(&machines, programs);
        primary.sql("postgres", "create database licenses");
        let servers = Servers::default();
        for server in [0, 1] {
            servers.start(&machines, server);
        }
        let nginx = machines.on("front", || Nginx::start(&nginx, &openssl));
        Some(Site {
            _nginx: nginx,
            servers,
            primary,
            standby,
            machines,
        })
    }

    fn load(&self) -> Load {
        let cookie = self.machines.on("front", || Visitor::new().sign_in());
        let load = Load::new(cookie);
        self.machines.on("front", || {
            let visitor = Visitor::new();
            for number in 0..LICENSED {
                load.add(&visitor, &licensed(number)).unwrap();
            }
        });
        load
    }
}

/// A cluster of PostgreSQL.
struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    server: Mutex<Child>,
}

/// A primary whose commits wait for its standby.
fn replicated(machines: &Machines, programs: PathBuf) -> (Cluster, Cluster) {
    let primary = folder_of_nobody();
    run(as_nobody(&programs.join("initdb"))
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"])
        .args(["--locale=C.UTF-8", "-D"])
        .arg(primary.path().join("data")));
    let access = primary.path().join("data/pg_hba.conf");
    let mut lines = fs::read_to_string(&access).unwrap();
    lines.push_str("host all,replication all 10.77.1.0/24 trust\n");
    fs::write(access, lines).unwrap();
    let waits = ["-c", "synchronous_standby_names=*"];
    let primary = Cluster::start(machines, "primary", &programs, primary, &waits);
    let standby = folder_of_nobody();
    machines.on("standby", || {
        run(as_nobody(&programs.join("pg_basebackup"))
            .args(["-d", "host=10.77.1.1 user=postgres", "-c", "fast"])
            .args(["-X", "stream", "-R", "-D"])
            .arg(standby.path().join("data")));
    });
    let standby = Cluster::start(machines, "standby", &programs, standby, &[]);
    let synchronous = "select count(*) from pg_stat_replication where sync_state = 'sync'";
    wait("a standby", || primary.sql("postgres", synchronous) == "1");
    (primary, standby)
}

fn folder_of_nobody() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    folder
}

fn run(command: &mut Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
}

impl Cluster {
    fn start(
        machines: &Machines,
        machine: &str,
        programs: &Path,
        folder: TempDir,
        more: &[&str],
    ) -> Cluster {
        let mut command = as_nobody(&programs.join("postgres"));
        command
            .arg("-D")
            .arg(folder.path().join("data"))
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "listen_addresses=*", "-c", "fsync=off"])
            .args(["-c", "shared_buffers=32MB"])
            .args(more)
            .stderr(Stdio::null());
        let server = machines.on(machine, || command.spawn().unwrap());
        let cluster = Cluster {
            programs: programs.to_owned(),
            folder,
            server: Mutex::new(server),
        };
        wait("PostgreSQL", || {
            let mut asked = Command::new(programs.join("pg_isready"));
            asked.args(["-q", "-t", "1", "-h"]);
            asked.arg(cluster.folder.path()).status().unwrap().success()
        });
        cluster
    }

    fn sql(&self, database: &str, statement: &str) -> String {
        let folder = self.folder.path().display().to_string();
        let address = format!("postgres://postgres@{}", folder.replace('/', "%2F"));
        sql(&address, database, statement)
    }

    /// With all of its processes, in the middle of whatever they do.
    fn kill(&self) {
        let mut server = self.server.lock().unwrap();
        let id = server.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        server.kill().unwrap();
        for child in children.unwrap_or_default().split_whitespace() {
            let child = Pid::from_raw(child.parse().unwrap()).unwrap();
            // It may have ended already.
            let _ended = kill_process(child, Signal::KILL);
        }
        server.wait().unwrap();
    }

    fn promote(&self) {
        let mut promote = as_nobody(&self.programs.join("pg_ctl"));
        run(promote
            .args(["promote", "-D"])
            .arg(self.folder.path().join("data")));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut server = self.server.lock().unwrap();
        // Killed already, perhaps.
        drop(server.kill());
        drop(server.wait());
    }
}

/// The license servers.
#[derive(Default)]
struct Servers {
    running: [Mutex<Option<Program>>; 2],
    folders: [OnceLock<TempDir>; 2],
}

impl Servers {
    fn command(&self, server: usize) -> Command {
        let folder = self.folders[server].get_or_init(|| tempfile::tempdir().unwrap());
        let mut command = command(folder.path());
        let mut log = OpenOptions::new();
        let log = log.create(true).append(true);
        command
            .env("LICENSE_SERVER_ADDRESS", "0.0.0.0")
            .env("LICENSE_SERVER_PORT", "8000")
            .env("LICENSE_SERVER_PUBLIC_URL", PUBLIC)
            .env("LICENSE_SERVER_TRUSTED_PROXIES", "10.77.2.21")
            .env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD)
            .env("LICENSE_SERVER_DATABASE", DATABASE)
            .stderr(log.open(folder.path().join("log")).unwrap());
        command
    }

    fn start(&self, machines: &Machines, server: usize) {
        let mut command = self.command(server);
        let program = machines.on(SERVERS[server], || Program::run(&mut command));
        *self.running[server].lock().unwrap() = Some(program);
    }

    fn kill(&self, server: usize) {
        drop(self.running[server].lock().unwrap().take());
    }

    fn stop(&self, server: usize) {
        let program = self.running[server].lock().unwrap().take().unwrap();
        assert_eq!(program.stop("TERM").0, Some(0));
    }
}

/// With the files in `deploy/`.
struct Nginx {
    child: Child,
    _folder: TempDir,
}

impl Nginx {
    fn start(program: &Path, openssl: &Path) -> Nginx {
        let folder = tempfile::tempdir().unwrap();
        sign_certificate(openssl, folder.path(), (HOST, 90));
        fs::write(
            folder.path().join("license-server.conf"),
            two_servers(folder.path()),
        )
        .unwrap();
        let child = nginx(program, folder.path(), "master_process off;")
            .spawn()
            .unwrap();
        let nginx = Nginx {
            child,
            _folder: folder,
        };
        wait("nginx", || {
            std::net::TcpStream::connect(("127.0.0.1", TLS)).is_ok()
        });
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `nginx.conf`, changed as `nginx-two-servers.conf` says.
fn two_servers(folder: &Path) -> String {
    let shipped = shipped(Way::Kept, folder, [8000, TLS, PLAIN]);
    let upstream = block(&shipped, "\nupstream license_server {");
    let new_upstream = block(CHANGES, "\nupstream license_server {");
    let check = block(CHANGES, "\nlocation ~ ^/licenseserver/api/check/?$ {");
    let next = "\nproxy_next_upstream error timeout http_503;";
    assert!(CHANGES.contains(next));
    let listen = format!("listen 127.0.0.1:{PLAIN};");
    let mut file = shipped.clone();
    for (from, to) in [
        (upstream, new_upstream.to_owned()),
        ("\n    proxy_next_upstream off;", next.to_owned()),
        (
            "\n    location = /licenseserver {",
            format!("{check}\n    location = /licenseserver {{"),
        ),
        ("10.0.0.11:8000", "10.77.2.11:8000".to_owned()),
        ("10.0.0.12:8000", "10.77.2.12:8000".to_owned()),
        // Anybody may come by any address of the front.
        (&*listen, format!("listen {PLAIN};")),
    ] {
        assert_eq!(file.matches(from).count(), 1, "{from}");
        file = file.replace(from, &to);
    }
    file
}

/// From its beginning to the brace at the start of a line.
fn block<'a>(file: &'a str, begin: &str) -> &'a str {
    let begin = file.find(begin).unwrap();
    let end = file[begin..].find("\n}").unwrap();
    &file[begin..begin + end + 2]
}

fn sql(cluster: &str, database: &str, statement: &str) -> String {
    let database = format!("{cluster}/{database}");
    let mut psql = Command::new("psql");
    psql.args(["-qAt", "-d", &database, "-c", statement]);
    let done = psql.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}
