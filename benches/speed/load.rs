//! The client: it asks as fast as it is answered, over some connections, in a process of its own.

use std::fmt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::net::TcpStream;
use rocket::tokio::runtime::Builder;
use rocket::tokio::task::LocalSet;

const CONNECTIONS: u64 = 16;

/// Which questions are asked.
#[derive(Clone, Copy)]
pub enum From {
    /// All by this machine, which is trusted and names nobody.
    Here,
    /// Each by another address, as a proxy would name it.
    Everywhere,
}

/// A client at work.
pub struct Load(Child);

/// What a client was answered.
#[derive(Clone, Copy)]
pub struct Heard {
    /// Answers a second.
    pub rate: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
    pub longest: f64,
    pub answers: u64,
    /// How many of them were 200, 403 or 404.
    pub verdicts: u64,
}

impl Load {
    /// Asks the questions in `file`, one a line, in random order.
    pub fn start(port: u16, file: &Path, from: From, seconds: f64) -> Load {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let address = match from {
            From::Here => "here",
            From::Everywhere => "everywhere",
        };
        command.args(["load", &port.to_string(), &seconds.to_string(), address]);
        Load(command.arg(file).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Waits for its end.
    pub fn heard(self) -> Heard {
        let output = self.0.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let [rate, p50, p99, longest, answers, verdicts] = text
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect::<Vec<f64>>()[..]
        else {
            unreachable!("{text}")
        };
        Heard {
            rate,
            p50,
            p99,
            longest,
            answers: answers as u64,
            verdicts: verdicts as u64,
        }
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:6.0}/s, p50 {:5.2} ms, p99 {:5.2} ms",
            self.rate, self.p50, self.p99
        )
    }
}

/// The process itself: port, seconds, from where, file.
pub fn run(words: &[&str]) {
    let [port, seconds, from, file] = words else {
        unreachable!("{words:?}")
    };
    let port: u16 = port.parse().unwrap();
    let length = Duration::from_secs_f64(seconds.parse().unwrap());
    let is_everywhere = *from == "everywhere";
    let text = std::fs::read_to_string(file).unwrap();
    let questions: Rc<Vec<String>> = Rc::new(text.lines().map(str::to_owned).collect());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (mut times, mut verdicts) = (Vec::new(), 0);
    LocalSet::new().block_on(&runtime, async {
        let end = Instant::now() + length;
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|seed| {
                let questions = Rc::clone(&questions);
                rocket::tokio::task::spawn_local(ask(port, questions, is_everywhere, end, seed))
            })
            .collect();
        for client in clients {
            let (more, judged) = client.await.unwrap();
            times.extend(more);
            verdicts += judged;
        }
    });
    times.sort_unstable();
    let at = |share: f64| f64::from(times[((times.len() - 1) as f64 * share) as usize]) / 1000.0;
    let rate = times.len() as f64 / length.as_secs_f64();
    let (p50, p99, longest) = (at(0.5), at(0.99), at(1.0));
    println!("{rate} {p50} {p99} {longest} {} {verdicts}", times.len());
}

/// Microseconds of each answer, and how many were verdicts.
async fn ask(
    port: u16,
    questions: Rc<Vec<String>>,
    is_everywhere: bool,
    end: Instant,
    seed: u64,
) -> (Vec<u32>, u64) {
    let mut chance = SmallRng::seed_from_u64(seed);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut times, mut verdicts) = (Vec::new(), 0);
    let mut buffer = vec![0; 8192];
    loop {
        let question = &questions[chance.random_range(0..questions.len())];
        let forwarded = if is_everywhere {
            let [a, b, c, _] = chance.random::<u32>().to_be_bytes();
            format!("X-Forwarded-For: 20.{a}.{b}.{c}\r\n")
        } else {
            String::new()
        };
        let request = format!(
            "POST /api/check HTTP/1.1\r\nHost: localhost\r\n{forwarded}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{question}",
            question.len()
        );
        let begin = Instant::now();
        if begin >= end {
            return (times, verdicts);
        }
        stream.write_all(request.as_bytes()).await.unwrap();
        let status = answer(&mut stream, &mut buffer).await;
        times.push(begin.elapsed().as_micros() as u32);
        verdicts += u64::from(matches!(status, 200 | 403 | 404));
    }
}

/// The status of one answer, which is read to its end.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> u16 {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the server hung up");
        filled += read;
        let so_far = &buffer[..filled];
        let Some(head) = so_far.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let name = b"content-length: ";
        let at = so_far.windows(name.len()).position(|word| word == name);
        let digits = &so_far[at.unwrap() + name.len()..head];
        let length = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
        if filled >= head + 4 + length {
            return std::str::from_utf8(&so_far[9..12])
                .unwrap()
                .parse()
                .unwrap();
        }
    }
}
