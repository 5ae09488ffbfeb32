//! A small HTTP/1.1 client on one kept connection. Blocking; a fault closes the connection and is told, because what
//! became of a request then is exactly what some tests are about.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|fault| panic!("{fault} in an answer {}: {}", self.status, self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client of one server.
pub struct Client {
    at: SocketAddr,
    authorization: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// Nothing is connected yet.
    pub fn new(at: SocketAddr, key: &str) -> Client {
        Client { at, authorization: format!("Bearer {key}"), stream: None }
    }

    /// The same client, of a server that has moved.
    pub fn go_to(&mut self, at: SocketAddr) {
        if self.at != at {
            (self.at, self.stream) = (at, None);
        }
    }

    /// One request and its answer. A GET on a kept connection that turns out to be dead is made again on a new one.
    pub fn call(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let was_open = self.stream.is_some();
        match self.attempt(method, path, headers, body) {
            Err(_) if was_open && method == "GET" => self.attempt(method, path, headers, body),
            other => other,
        }
    }

    fn attempt(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect_timeout(&self.at, Duration::from_secs(5))?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(Duration::from_secs(60)))?;
                BufReader::new(stream)
            }
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\n", self.at, self.authorization);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            request.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut octets = request.into_bytes();
        octets.extend_from_slice(body);
        stream.get_mut().write_all(&octets)?;
        let answer = read(&mut stream)?;
        if answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

fn read(stream: &mut impl BufRead) -> io::Result<Answer> {
    let status = line(stream)?;
    let status = status.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(broken)?;
    let mut headers = Vec::new();
    loop {
        let line = line(stream)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(broken)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new() };
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let length = usize::from_str_radix(line(stream)?.split(';').next().unwrap_or(""), 16).map_err(|_| broken())?;
            let start = answer.body.len();
            answer.body.resize(start + length, 0);
            stream.read_exact(&mut answer.body[start..])?;
            line(stream)?;
            if length == 0 {
                break;
            }
        }
    } else if let Some(length) = answer.header("content-length") {
        answer.body = vec![0; length.parse().map_err(|_| broken())?];
        stream.read_exact(&mut answer.body)?;
    } else if status != 204 && status != 304 {
        stream.read_to_end(&mut answer.body)?;
    }
    Ok(answer)
}

/// A line without its end; an end of the stream within it is a fault.
fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn broken() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
