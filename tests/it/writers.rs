//! Eight writers that record what was acknowledged, compared with the database.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use rusqlite::OpenFlags;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::database::{Connection, Database};
use crate::engine;
use crate::server::PASSWORD;

/// An action of a writer, as the audit log records it.
#[derive(Debug, Clone, PartialEq)]
struct Act {
    kind: String,
    /// Empty for a sign-in.
    license_key: String,
    /// The value after the action.
    user_id: Option<String>,
}

/// Adds, changes and deletes its own licenses and sometimes signs in again, one act after another.
pub struct Writer {
    /// The name of its tool and its browser, which identifies its rows.
    name: String,
    /// Each was answered, except perhaps the last.
    acts: Vec<Act>,
    answered: usize,
    /// The number and the session cookie of each answered sign-in.
    cookies: Vec<(usize, String)>,
    /// Its licenses and their ids.
    ids: BTreeMap<String, i64>,
    /// The local port of its connection in each run of the program.
    pub connections: Vec<u16>,
}

/// A connection that stays open, so that answers can be counted.
struct Wire(BufReader<TcpStream>);

struct Answer {
    status: u16,
    headers: Vec<String>,
}

impl Writer {
    pub fn eight() -> Vec<Writer> {
        let name = |number| Writer {
            name: format!("writer {number}"),
            acts: vec![],
            answered: 0,
            cookies: vec![],
            ids: BTreeMap::new(),
            connections: vec![],
        };
        (1..=8).map(name).collect()
    }

    pub fn answered(&self) -> usize {
        self.answered
    }

    /// Works until the connection breaks or `goes_on`, called after each answer, returns false.
    pub fn work(&mut self, port: u16, mut goes_on: impl FnMut() -> bool) -> io::Result<()> {
        let mut wire = Wire(BufReader::new(TcpStream::connect(("127.0.0.1", port))?));
        let own = wire.0.get_ref().local_addr()?.port();
        self.connections.push(own);
        loop {
            let act = self.next_act();
            self.acts.push(act.clone());
            let answer = self.ask(&mut wire, &act)?;
            match answer.status {
                200 | 201 => self.keep(&act, &answer),
                // Overloaded: nothing was acknowledged or done.
                429 | 503 => drop(self.acts.pop()),
                other => panic!("{}: {act:?}: {other}", self.name),
            }
            if !goes_on() {
                return Ok(());
            }
        }
    }

    fn next_act(&self) -> Act {
        let number = self.acts.len();
        let kind = match number % 16 {
            _ if self.cookies.is_empty() => "signed in",
            0 => "signed in",
            3 | 6 | 9 | 12 if !self.ids.is_empty() => "license changed",
            7 | 11 | 15 if !self.ids.is_empty() => "license deleted",
            _ => "license added",
        };
        let license_key = match kind {
            "signed in" => String::new(),
            "license added" => format!("key {number}"),
            _ => self
                .ids
                .keys()
                .nth(number * 7 % self.ids.len())
                .unwrap()
                .clone(),
        };
        Act {
            kind: kind.to_owned(),
            license_key,
            user_id: kind
                .starts_with("license ")
                .then(|| format!("user {number}"))
                .filter(|_| kind != "license deleted"),
        }
    }

    fn ask(&self, wire: &mut Wire, act: &Act) -> io::Result<Answer> {
        let id = self.ids.get(&act.license_key).copied().unwrap_or_default();
        let (method, path, body) = match act.kind.as_str() {
            "signed in" => (
                "POST",
                "/api/login".to_owned(),
                json!({"username": "admin", "password": PASSWORD}),
            ),
            "license added" => (
                "POST",
                "/api/licenses".to_owned(),
                json!({"tool_name": self.name, "license_key": act.license_key, "user_id": act.user_id}),
            ),
            "license changed" => (
                "PATCH",
                format!("/api/licenses/{id}"),
                json!({"user_id": act.user_id}),
            ),
            _ => ("DELETE", format!("/api/licenses/{id}"), json!({})),
        };
        // A sign-in would end the session whose cookie it sends.
        let is_signed_in = act.kind != "signed in";
        let cookie = self.cookies.last().filter(|_| is_signed_in);
        let cookie = cookie.map_or("none", |(_, cookie)| cookie);
        let body = body.to_string();
        wire.ask(&format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {}\r\n\
             Cookie: license_session={cookie}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.name,
            body.len(),
        ))
    }

    fn keep(&mut self, act: &Act, answer: &Answer) {
        match act.kind.as_str() {
            "signed in" => {
                let cookie = answer.header("set-cookie: license_session=");
                let cookie = cookie.split(';').next().unwrap().to_owned();
                self.cookies.push((self.answered, cookie));
            }
            "license added" => {
                let id = answer.header("location: ").rsplit('/').next().unwrap();
                self.ids
                    .insert(act.license_key.clone(), id.parse().unwrap());
            }
            "license deleted" => drop(self.ids.remove(&act.license_key)),
            _ => {}
        }
        self.answered += 1;
    }

    /// Compares the database with the first `answered` acts. The next act may be there completely or
    /// not at all. Returns the number of acts found.
    pub fn compare(&self, db: &Connection, answered: usize) -> Result<usize, String> {
        let found = self.told(db)?;
        let most = self.acts.len().min(answered + 1);
        let is_as_asked = self.acts.starts_with(&found);
        if is_as_asked && found.len() < answered {
            let lost = answered - found.len();
            return Err(format!("{}: {lost} of {answered} acts lost", self.name));
        }
        if !is_as_asked || found.len() > most {
            return Err(format!(
                "{}: the audit log tells of {:?}",
                self.name,
                found.last()
            ));
        }
        let expected = self.rows_after(found.len());
        let rows = self.rows(db)?;
        if rows != expected {
            return Err(format!(
                "{}: half an act: {rows:?}, not {expected:?}",
                self.name
            ));
        }
        let sessions = self.sessions(db)?;
        let known = |act: usize, cookie: &str| act >= answered || sessions.contains(&hash(cookie));
        let signed_in = found.iter().filter(|act| act.kind == "signed in").count();
        if sessions.len() != signed_in || !self.cookies.iter().all(|(act, c)| known(*act, c)) {
            return Err(format!("{}: not the sessions it began", self.name));
        }
        Ok(found.len())
    }

    /// [`Writer::compare`], after which the writer continues.
    pub fn settle(&mut self, db: &Connection) -> Result<(), String> {
        self.answered = self.compare(db, self.answered)?;
        self.acts.truncate(self.answered);
        let ids = "select license_key, id from licenses where tool_name = ?1";
        self.ids = db.all(ids, &[(&self.name).into()])?.into_iter().collect();
        Ok(())
    }

    /// Its licenses after this number of acts: key and customer.
    fn rows_after(&self, acts: usize) -> Vec<(String, Option<String>)> {
        let mut rows = BTreeMap::new();
        for act in &self.acts[..acts] {
            match act.kind.as_str() {
                "signed in" => {}
                "license deleted" => drop(rows.remove(&act.license_key)),
                _ => drop(rows.insert(act.license_key.clone(), act.user_id.clone())),
            }
        }
        rows.into_iter().collect()
    }

    fn rows(&self, db: &Connection) -> Result<Vec<(String, Option<String>)>, String> {
        let sql =
            "select license_key, user_id from licenses where tool_name = ?1 order by license_key";
        db.all(sql, &[(&self.name).into()])
    }

    fn sessions(&self, db: &Connection) -> Result<Vec<String>, String> {
        let sql = "select token_hash from sessions where user_agent = ?1";
        db.all(sql, &[(&self.name).into()])
    }

    /// Its acts in the audit log.
    fn told(&self, db: &Connection) -> Result<Vec<Act>, String> {
        let personal = db.all("select id, value from personal_values", &[])?;
        let personal: BTreeMap<i64, String> = personal.into_iter().collect();
        let entries = db.all("select kind, before, after from audit order by id", &[])?;
        let mut acts = vec![];
        for (kind, before, after) in entries {
            let [before, after] = [before, after].map(details);
            let (before, after) = (before?, after?);
            let text = |name: &str| after[name].as_str().or(before[name].as_str());
            let person = |name: &str| Some(personal[&after[name][0].as_i64()?].clone());
            if text("tool_name") == Some(&self.name)
                || person("browser").as_ref() == Some(&self.name)
            {
                acts.push(Act {
                    kind,
                    license_key: text("license_key").unwrap_or_default().to_owned(),
                    user_id: person("user_id"),
                });
            }
        }
        Ok(acts)
    }
}

fn details(stored: String) -> Result<Value, String> {
    match &*stored {
        "" => Ok(Value::Null),
        stored => serde_json::from_str(stored).map_err(|e| e.to_string()),
    }
}

impl Wire {
    fn ask(&mut self, request: &str) -> io::Result<Answer> {
        self.0.get_mut().write_all(request.as_bytes())?;
        let first = self.line()?;
        let mut headers = vec![];
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            headers.push(line);
        }
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let answer = Answer { status, headers };
        let mut body = vec![0; answer.header("content-length: ").parse().unwrap()];
        self.0.read_exact(&mut body)?;
        Ok(answer)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Answer {
    /// The rest of the header line that begins with this.
    fn header(&self, beginning: &str) -> &str {
        let rest = |line: &'_ String| {
            let head = line.get(..beginning.len())?;
            head.eq_ignore_ascii_case(beginning)
                .then_some(beginning.len())
        };
        self.headers
            .iter()
            .find_map(|line| Some(&line[rest(line)?..]))
            .unwrap_or_else(|| panic!("{beginning}: {:?}", self.headers))
    }
}

fn hash(cookie: &str) -> String {
    let bytes = Sha256::digest(cookie);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens the database of a data folder, and its file read-only.
pub fn look(data: &Path) -> Result<Connection, String> {
    if engine::is_postgres() {
        return Database::of(data).attempt_to_open();
    }
    let file = rusqlite::Connection::open_with_flags(
        data.join("licenses.db"),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    );
    file.map(Connection::Sqlite).map_err(|e| e.to_string())
}

/// The damage that SQLite finds in the database; PostgreSQL does not look for any.
pub fn damage(db: &Connection) -> Result<Option<String>, String> {
    if engine::is_postgres() {
        return Ok(None);
    }
    let found: Vec<String> = db.all("pragma integrity_check", &[])?;
    let found = found.into_iter().next();
    Ok(found.filter(|found| found != "ok"))
}
