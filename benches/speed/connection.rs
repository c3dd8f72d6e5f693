//! One connection that is kept open, without a library between it and the clock.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

pub struct Connection {
    stream: BufReader<TcpStream>,
    cookie: String,
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn new(port: u16) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection {
            stream: BufReader::with_capacity(64 * 1024, stream),
            cookie: String::new(),
        }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "", "")
    }

    /// A JSON body; `headers` are whole lines.
    pub fn post(&mut self, path: &str, headers: &str, body: &str) -> Answer {
        let headers = format!("{headers}Content-Type: application/json\r\n");
        self.send("POST", path, &headers, body)
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let (length, cookie) = (body.len(), &self.cookie);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{cookie}{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let line = self.line();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = None;
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = Some(value.parse().unwrap()),
                Some(("set-cookie", value)) if value.starts_with("license_session") => {
                    self.cookie = format!("Cookie: {}\r\n", value.split(';').next().unwrap());
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        match length {
            Some(length) => self.read(length, &mut body),
            None => self.read_chunks(&mut body),
        }
        Answer { status, body }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.truncate(line.trim_end().len());
        line
    }

    fn read(&mut self, length: u64, body: &mut Vec<u8>) {
        let read = self.stream.by_ref().take(length).read_to_end(body);
        assert_eq!(read.unwrap() as u64, length);
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) {
        loop {
            let length = u64::from_str_radix(&self.line(), 16).unwrap();
            self.read(length, body);
            self.line();
            if length == 0 {
                return;
            }
        }
    }
}
