//! The engine that the tests run on: SQLite, or PostgreSQL if `TEST_POSTGRES` names a cluster, such as
//! `postgres://postgres@127.0.0.1:5432`. There each data folder has a database of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, mpsc};

use license_server::clock::Clock;
use license_server::config::{Config, PostgresUrl};
use license_server::service::Service;
use parking_lot::Mutex;
use rocket::tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::postgres::Cluster;
use crate::tools;

pub fn is_postgres() -> bool {
    std::env::var_os("TEST_POSTGRES").is_some()
}

/// False on PostgreSQL, where the test is left out with a one-line message.
pub fn sqlite_only(why: &str) -> bool {
    if is_postgres() {
        tools::say(&format!("not on PostgreSQL: {why}"));
    }
    !is_postgres()
}

/// For what takes long, and where no database matters.
pub fn once() -> bool {
    sqlite_only("no database matters to it, and the other run has it")
}

/// The settings of a server with this data folder.
pub fn settings(data: &Path) -> Config {
    Config {
        data_dir: data.to_owned(),
        database: database_of(data),
        ..Config::default()
    }
}

static MADE: AtomicUsize = AtomicUsize::new(0);

/// A database, dropped with this.
pub struct Database {
    pub url: PostgresUrl,
    pub name: String,
    cluster: String,
    running: Option<Arc<Cluster>>,
}

impl Database {
    /// One without tables.
    pub fn new(cluster: &str, running: Option<Arc<Cluster>>) -> Database {
        Database::made(cluster, running, "")
    }

    fn made(cluster: &str, running: Option<Arc<Cluster>>, from: &str) -> Database {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let create = format!("create database {name} {from}");
        batch(&connect(&address(cluster, "postgres")), &create).unwrap();
        Database {
            url: PostgresUrl::parse(&address(cluster, &name)).unwrap(),
            name,
            cluster: cluster.to_owned(),
            running,
        }
    }

    /// Of a cluster that these tests started.
    pub fn socket(&self) -> PathBuf {
        self.running.as_ref().unwrap().socket()
    }

    pub fn address(&self) -> String {
        address(&self.cluster, &self.name)
    }

    /// The first value of the first row, as text.
    pub fn sql(&self, statement: &str) -> String {
        let client = connect(&self.address());
        let messages = pollster::block_on(client.simple_query(statement));
        let messages = messages.unwrap_or_else(|error| panic!("{statement}: {}", words(&error)));
        let value = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        value.unwrap_or_default().to_owned()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("drop database {} with (force)", self.name);
        let cluster = try_to_connect(&address(&self.cluster, "postgres"));
        // A panic here would end all tests.
        if let Err(error) = cluster.and_then(|cluster| batch(&cluster, &drop)) {
            tools::say(&error);
        }
    }
}

/// Without tables; none on SQLite.
pub fn new_database() -> Option<Database> {
    let cluster = std::env::var("TEST_POSTGRES").ok()?;
    Some(Database::new(&cluster, None))
}

/// Of a database in that cluster.
fn address(cluster: &str, database: &str) -> String {
    match cluster.split_once('?') {
        Some((cluster, options)) => format!("{cluster}/{database}?{options}"),
        None => format!("{cluster}/{database}"),
    }
}

static OF_FOLDERS: Mutex<BTreeMap<PathBuf, OfFolder>> = Mutex::new(BTreeMap::new());

struct OfFolder {
    database: Database,
    /// Once that is gone, nobody needs the database.
    folder: PathBuf,
}

/// The database of that data folder, which begins with tables and nothing in them; none on SQLite.
pub fn database_of(data: &Path) -> Option<PostgresUrl> {
    let cluster = std::env::var("TEST_POSTGRES").ok()?;
    let made = || {
        Database::made(
            &cluster,
            None,
            &format!("template {}", with_tables(&cluster)),
        )
    };
    Some(of_folder(data, made, |database| database.url.clone()))
}

/// Its address; it begins without tables, as an operator makes it.
pub fn address_of(data: &Path) -> Option<String> {
    let made = || new_database().unwrap();
    is_postgres().then(|| of_folder(data, made, Database::address))
}

/// Instead of the one that the data folder had.
pub fn empty_database_of(data: &Path) -> Option<PostgresUrl> {
    drop(OF_FOLDERS.lock().remove(data));
    address_of(data)?;
    database_of(data)
}

/// Nobody can use the database of that data folder, and whoever does is put out.
pub fn refuse_connections(data: &Path) {
    of_folder_only(data, |name| {
        format!(
            "alter database {name} allow_connections false;
             select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
        )
    });
}

pub fn accept_connections(data: &Path) {
    of_folder_only(data, |name| {
        format!("alter database {name} allow_connections true")
    });
}

fn of_folder_only(data: &Path, sql: impl FnOnce(&str) -> String) {
    let all = OF_FOLDERS.lock();
    let database = &all[data].database;
    let client = connect(&address(&database.cluster, "postgres"));
    batch(&client, &sql(&database.name)).unwrap();
}

fn of_folder<T>(data: &Path, made: impl Fn() -> Database, get: impl Fn(&Database) -> T) -> T {
    AFTER_A_TEST.with(|_| {});
    let mut all = OF_FOLDERS.lock();
    let of_folder = all.entry(data.to_owned()).or_insert_with(|| {
        let shared = std::env::temp_dir();
        let mut folders = data.ancestors().skip(1);
        let folder = folders.find(|folder| folder.exists());
        let folder = folder.filter(|folder| *folder != shared).unwrap_or(data);
        OfFolder {
            database: made(),
            folder: folder.to_owned(),
        }
    });
    get(&of_folder.database)
}

/// The name of a database with all tables and nothing in them: a copy takes less time than making them.
fn with_tables(cluster: &str) -> &'static str {
    static MADE: OnceLock<Database> = OnceLock::new();
    let made = || {
        let database = Database::new(cluster, None);
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: folder.path().to_owned(),
            database: Some(database.url.clone()),
            // It is missing, and by then there are tables and nothing else.
            leaked_passwords: Some(folder.path().join("missing")),
            ..Config::default()
        };
        assert!(Service::open(&config, Clock::System).is_err());
        database
    };
    &MADE.get_or_init(made).name
}

thread_local! {
    static AFTER_A_TEST: AfterATest = const { AfterATest };
}

/// Each test has a thread of its own, and its folders are gone when that ends.
struct AfterATest;

impl Drop for AfterATest {
    fn drop(&mut self) {
        let is_left = |_: &PathBuf, of_folder: &mut OfFolder| !of_folder.folder.exists();
        let left: Vec<_> = OF_FOLDERS.lock().extract_if(.., is_left).collect();
        drop(left);
    }
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(1).enable_all().build().unwrap()
});

pub fn connect(address: &str) -> Client {
    try_to_connect(address).unwrap()
}

pub fn try_to_connect(address: &str) -> Result<Client, String> {
    let config: tokio_postgres::Config = address.parse().unwrap();
    let (sent, connected) = mpsc::channel();
    RUNTIME.spawn(async move {
        match config.connect(NoTls).await {
            Ok((client, connection)) => {
                sent.send(Ok(client)).unwrap();
                // Its client reports what went wrong.
                drop(connection.await);
            }
            Err(error) => sent.send(Err(error)).unwrap(),
        }
    });
    let connected = connected.recv().unwrap();
    connected.map_err(|error| words(&error))
}

/// Several statements without parameters.
pub fn batch(client: &Client, sql: &str) -> Result<(), String> {
    pollster::block_on(client.batch_execute(sql)).map_err(|error| words(&error))
}

pub fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => said.message().to_owned(),
        None => error.to_string(),
    }
}
