//! A model of the disk of a traced program: what is left of its files after a power cut.
//!
//! POSIX read strictly: a write is safe once an fsync of its file that began after it has finished; a
//! file name is safe once that holds for its folder. Everything else is randomly lost, kept or torn at
//! a sector. Lines of the trace serve as points in time.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::RngExt;
use rand::rngs::SmallRng;

use crate::tools;

const SECTOR: usize = 512;

/// The end of a call that was interrupted by the end of the program.
const NEVER: usize = usize::MAX - 1;

/// The calls in the model, and others that must fail the test when the program makes them.
const KNOWN: [&str; 15] = [
    "?open",
    "openat",
    "read",
    "lseek",
    "write",
    "writev",
    "pwrite64",
    "sendto",
    "fsync",
    "fdatasync",
    "ftruncate",
    "mmap",
    "?unlink",
    "?mkdir",
    "?rename",
];
const UNKNOWN: [&str; 20] = [
    "?creat",
    "pwritev",
    "pwritev2",
    "sendmsg",
    "truncate",
    "fallocate",
    "?renameat",
    "renameat2",
    "?link",
    "linkat",
    "?symlink",
    "symlinkat",
    "unlinkat",
    "mkdirat",
    "?rmdir",
    "copy_file_range",
    "sendfile",
    "splice",
    "msync",
    "io_uring_setup",
];

/// `program` under strace, which writes to `trace`. Without strace, or where tracing is forbidden, the
/// test is skipped. The child's ID is that of the program.
pub fn traced(program: &Command, trace: &Path) -> Option<Command> {
    let strace = tools::find("strace")?;
    let mut probe = Command::new(&strace);
    let probe = probe.args(["-D", "-f", "-o", "/dev/null", "true"]).output();
    if !probe.unwrap().status.success() {
        tools::leave_out("strace is not allowed to trace here");
        return None;
    }
    let calls = [&KNOWN[..], &UNKNOWN[..]].concat().join(",");
    let mut command = Command::new(strace);
    command
        .args(["-D", "-f", "--seccomp-bpf", "-yy", "-xx", "-s", "1000000"])
        .args(["-e", &format!("trace={calls}"), "-o"])
        .arg(trace)
        .arg(program.get_program())
        .args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    Some(command)
}

/// The complete trace of a stopped program; strace writes the last lines a little later.
pub fn whole_trace(file: &Path, program: u32) -> String {
    let program = program.to_string();
    let is_end = |line: &str| line.contains(" +++ ") && line.split(' ').next() == Some(&program);
    for _ in 0..3_000 {
        let mut end = vec![];
        let mut trace = File::open(file).unwrap();
        let length = trace.seek(SeekFrom::End(0)).unwrap();
        trace
            .seek(SeekFrom::Start(length.saturating_sub(8_192)))
            .unwrap();
        trace.read_to_end(&mut end).unwrap();
        if end.ends_with(b"\n") && String::from_utf8_lossy(&end).lines().any(is_end) {
            return fs::read_to_string(file).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{} has no end", file.display());
}

/// Output in a trace.
pub enum Said {
    /// The first bytes on a connection to this port of a client.
    Sent { port: u16, text: String },
    /// On standard output.
    Printed(String),
}

/// A folder and its history.
pub struct Disk {
    root: PathBuf,
    nodes: Vec<Node>,
    /// The current node at each path.
    names: HashMap<PathBuf, usize>,
    positions: HashMap<String, u64>,
    /// The number of lines read.
    pub now: usize,
    /// The output, with the line in which it began.
    pub said: Vec<(usize, Said)>,
    /// The lines in which something begins or ends.
    pub moments: Vec<usize>,
}

/// A file or a folder.
#[derive(Default)]
struct Node {
    is_folder: bool,
    changes: Vec<(Span, Change)>,
    syncs: Vec<Span>,
}

/// The first and the last line of a call.
#[derive(Clone, Copy)]
struct Span {
    begin: usize,
    end: usize,
}

enum Change {
    Bytes { at: usize, bytes: Vec<u8> },
    Length(usize),
    Name { name: PathBuf, node: Option<usize> },
}

/// How much of the unsafe data survives.
#[derive(Clone, Copy, PartialEq)]
enum Luck {
    None,
    Some,
    All,
}

struct Call {
    span: Span,
    name: String,
    arguments: String,
    result: String,
}

impl Disk {
    /// An empty folder, which itself is safe.
    pub fn new(root: &Path) -> Disk {
        let root = root.canonicalize().unwrap();
        let folder = Node {
            is_folder: true,
            ..Node::default()
        };
        Disk {
            names: [(root.clone(), 0)].into(),
            nodes: vec![folder],
            root,
            positions: HashMap::new(),
            now: 0,
            said: vec![],
            moments: vec![],
        }
    }

    /// Adds the trace of a program whose working folder is the root.
    pub fn read(&mut self, trace: &str) {
        let calls = calls(trace, self.now);
        self.now += trace.lines().count();
        for call in calls {
            if self.apply(&call).is_some() {
                self.moments.extend([call.span.begin, call.span.end + 1]);
            }
        }
        self.moments.retain(|moment| *moment <= self.now);
        self.moments.sort_unstable();
        self.moments.dedup();
    }

    /// None if the call has no effect on our files and prints nothing.
    fn apply(&mut self, call: &Call) -> Option<()> {
        // Not even the name could be read: the program was being killed.
        if call.name == "???" {
            return None;
        }
        let name = format!("?{}", call.name);
        let is_known = [&name[..], &name[1..]].iter().any(|n| KNOWN.contains(n));
        assert!(is_known, "no model of {}({})", call.name, call.arguments);
        let (number, what) = descriptor(&call.arguments);
        match call.name.as_str() {
            "open" | "openat" => {
                let (number, what) = descriptor(&call.result);
                self.positions.insert(number, 0);
                self.open(call, Path::new(&what?))?;
            }
            "mkdir" => {
                let path = self.root.join(text(&call.arguments));
                self.make(call.span, &path, true)?;
            }
            "unlink" => {
                let path = self.root.join(text(&call.arguments));
                self.names.remove(&path)?;
                self.name(call.span, &path, None);
            }
            "rename" => {
                let mut paths = call.arguments.split(", ").map(text);
                let [from, to] = [(); 2].map(|()| self.root.join(paths.next().unwrap()));
                let node = self.names.remove(&from)?;
                self.names.insert(to.clone(), node);
                self.name(call.span, &to, Some(node));
                self.name(call.span, &from, None);
            }
            "mmap" => {
                let path = PathBuf::from(descriptor(call.arguments.split(", ").nth(4)?).1?);
                self.names.get(&path)?;
                let is_in = |word| call.arguments.contains(word);
                let is_written = is_in("PROT_WRITE") && is_in("MAP_SHARED");
                assert!(!is_written || is_shared_memory(&path), "{}", call.arguments);
                return None;
            }
            "sendto" | "writev" | "write" if what.as_ref()?.starts_with("TCP:") => {
                let what = what?;
                let port = what.rsplit(':').next()?.trim_end_matches(']');
                let port = port.parse().unwrap();
                let text = String::from_utf8_lossy(&bytes(&call.arguments)).into_owned();
                self.said.push((call.span.begin, Said::Sent { port, text }));
            }
            "write" if number == "1" => {
                let text = String::from_utf8_lossy(&bytes(&call.arguments)).into_owned();
                self.said.push((call.span.begin, Said::Printed(text)));
            }
            _ => {
                let node = *self.names.get(Path::new(&what?))?;
                self.change(call, node, number)?;
            }
        }
        Some(())
    }

    fn open(&mut self, call: &Call, path: &Path) -> Option<()> {
        path.strip_prefix(&self.root).ok()?;
        assert!(!call.arguments.contains("O_APPEND"), "{}", call.arguments);
        match self.names.get(path) {
            Some(node) if call.arguments.contains("O_TRUNC") => {
                self.nodes[*node]
                    .changes
                    .push((call.span, Change::Length(0)));
                Some(())
            }
            None if call.arguments.contains("O_CREAT") => self.make(call.span, path, false),
            Some(_) | None => None,
        }
    }

    fn make(&mut self, span: Span, path: &Path, is_folder: bool) -> Option<()> {
        path.strip_prefix(&self.root).ok()?;
        self.nodes.push(Node {
            is_folder,
            ..Node::default()
        });
        let node = self.nodes.len() - 1;
        self.names.insert(path.to_owned(), node);
        self.name(span, path, Some(node));
        Some(())
    }

    fn name(&mut self, span: Span, path: &Path, node: Option<usize>) {
        let folder = self.names[path.parent().unwrap()];
        let name = PathBuf::from(path.file_name().unwrap());
        self.nodes[folder]
            .changes
            .push((span, Change::Name { name, node }));
    }

    fn change(&mut self, call: &Call, node: usize, number: String) -> Option<()> {
        let last = || call.arguments.rsplit(", ").next().unwrap().parse().unwrap();
        let done = || call.result.parse::<u64>().unwrap();
        let position = self.positions.entry(number).or_default();
        let change = match call.name.as_str() {
            "read" => {
                *position += done();
                return None;
            }
            "lseek" => {
                *position = done();
                return None;
            }
            "fsync" | "fdatasync" => {
                self.nodes[node].syncs.push(call.span);
                return Some(());
            }
            "ftruncate" => Change::Length(last()),
            "pwrite64" => Change::Bytes {
                at: last(),
                bytes: bytes(&call.arguments),
            },
            "write" => {
                let at = *position as usize;
                let bytes = bytes(&call.arguments);
                *position += bytes.len() as u64;
                Change::Bytes { at, bytes }
            }
            other => panic!("no model of {other}({})", call.arguments),
        };
        self.nodes[node].changes.push((call.span, change));
        Some(())
    }

    /// Writes into `target` what the folder is after a power cut before the line `cut`.
    pub fn after_cut(&self, cut: usize, chance: &mut SmallRng, target: &Path) {
        let luck = match chance.random_range(0..4) {
            0 => Luck::None,
            1 => Luck::All,
            _ => Luck::Some,
        };
        self.leave(0, cut, luck, chance, target);
    }

    fn leave(&self, node: usize, cut: usize, luck: Luck, chance: &mut SmallRng, target: &Path) {
        let node = &self.nodes[node];
        if !node.is_folder {
            if !is_shared_memory(target) {
                return fs::write(target, node.content(cut, luck, chance)).unwrap();
            }
            // Mapped memory, which no call writes: nothing is known of it.
            return match chance.random_range(0..3) {
                0 => {}
                1 => fs::write(target, [0; 32 * 1024]).unwrap(),
                _ => {
                    let noise: Vec<u8> = (0..32 * 1024).map(|_| chance.random()).collect();
                    fs::write(target, noise).unwrap();
                }
            };
        }
        if !target.is_dir() {
            fs::create_dir(target).unwrap();
        }
        let mut names = BTreeMap::new();
        for (change, is_kept) in node.kept(cut, luck, chance) {
            if let Change::Name { name, node } = change
                && is_kept != Kept::Not
            {
                names.insert(name, *node);
            }
        }
        for (name, inner) in names {
            if let Some(inner) = inner {
                self.leave(inner, cut, luck, chance, &target.join(name));
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Wholly,
    Torn,
    Not,
}

impl Node {
    /// The changes that had begun, and what becomes of each.
    fn kept(&self, cut: usize, luck: Luck, chance: &mut SmallRng) -> Vec<(&Change, Kept)> {
        let begun = self.changes.iter().filter(|(span, _)| span.begin < cut);
        let mut kept = |span: &Span| {
            let is_safe = |sync: &Span| sync.begin > span.end && sync.end < cut;
            if self.syncs.iter().any(is_safe) {
                return Kept::Wholly;
            }
            match (luck, chance.random_range(0..3)) {
                (Luck::All, _) | (Luck::Some, 0) => Kept::Wholly,
                (Luck::None, _) | (Luck::Some, 1) => Kept::Not,
                (Luck::Some, _) => Kept::Torn,
            }
        };
        begun.map(|(span, change)| (change, kept(span))).collect()
    }

    fn content(&self, cut: usize, luck: Luck, chance: &mut SmallRng) -> Vec<u8> {
        let mut content = vec![];
        for (change, kept) in self.kept(cut, luck, chance) {
            match change {
                Change::Length(length) if kept != Kept::Not => content.resize(*length, 0),
                Change::Bytes { at, bytes } if kept != Kept::Not => {
                    let mut from = 0;
                    while from < bytes.len() {
                        let place = at + from;
                        let until = bytes.len().min(from + SECTOR - place % SECTOR);
                        let is_there = kept == Kept::Wholly || chance.random();
                        // A file may grow without its new content.
                        if is_there || chance.random() {
                            content.resize(content.len().max(at + until), 0);
                        }
                        if is_there {
                            content[place..at + until].copy_from_slice(&bytes[from..until]);
                        }
                        from = until;
                    }
                }
                Change::Length(_) | Change::Bytes { .. } | Change::Name { .. } => {}
            }
        }
        content
    }
}

/// SQLite's index of the log, which it maps into memory and makes anew at a start.
fn is_shared_memory(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-shm")
}

/// The calls that did not fail, by their beginning; `first` is the number of the first line.
fn calls(trace: &str, first: usize) -> Vec<Call> {
    let mut begun: HashMap<&str, (usize, &str)> = HashMap::new();
    let mut calls = vec![];
    for (line, text) in (first..).zip(trace.lines()) {
        let (thread, text) = text.split_once(' ').unwrap();
        let text = text.trim_start();
        if text.starts_with("+++") || text.starts_with("---") {
            continue;
        }
        if let Some(text) = text.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (line, text));
            continue;
        }
        let (begin, whole) = match text.strip_prefix("<... ") {
            Some(rest) => {
                let (begin, start) = begun.remove(thread).unwrap();
                let rest = rest.split_once(" resumed>").unwrap().1;
                (begin, format!("{start}{rest}"))
            }
            None => (line, text.to_owned()),
        };
        calls.extend(call(Span { begin, end: line }, &whole));
    }
    for (begin, text) in begun.into_values() {
        calls.extend(call(Span { begin, end: NEVER }, &format!("{text}) = ?")));
    }
    calls.sort_by_key(|call| call.span.begin);
    calls
}

fn call(span: Span, text: &str) -> Option<Call> {
    let (name, rest) = text.split_once('(').unwrap();
    let (arguments, result) = rest.rsplit_once(" = ").unwrap();
    if result.starts_with('-') {
        return None;
    }
    // What the end of the program cut off may have happened.
    let (end, result) = match result.starts_with('?') {
        true => (NEVER, "0"),
        false => (span.end, result),
    };
    Some(Call {
        span: Span { end, ..span },
        name: name.to_owned(),
        arguments: arguments.trim_end().trim_end_matches(')').to_owned(),
        result: result.to_owned(),
    })
}

/// The number and the target of a file descriptor: `5</folder/file>`.
fn descriptor(text: &str) -> (String, Option<String>) {
    let number = text.chars().take_while(char::is_ascii_digit).collect();
    let what = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let Some(what) = what.strip_prefix('<') else {
        return (number, None);
    };
    let end = if what.starts_with("TCP:") { "]>" } else { ">" };
    let Some((what, after)) = what.split_once(end) else {
        return (number, None);
    };
    if after.starts_with("(deleted)") {
        return (number, None);
    }
    let plain = String::from_utf8_lossy(&unescaped(what)).into_owned();
    (number, Some(plain))
}

/// The first string among the arguments.
fn bytes(arguments: &str) -> Vec<u8> {
    let mut parts = arguments.split('"');
    let string = parts.nth(1).unwrap();
    let rest = parts.next().unwrap();
    assert!(!rest.starts_with("..."), "strace has cut off a string");
    unescaped(string)
}

fn text(arguments: &str) -> String {
    String::from_utf8(bytes(arguments)).unwrap()
}

/// Reads `\x41` as one byte; everything else is literal.
fn unescaped(text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"\\x") {
            bytes.push(digit(text[at + 2]) * 16 + digit(text[at + 3]));
            at += 4;
        } else {
            bytes.push(text[at]);
            at += 1;
        }
    }
    bytes
}
