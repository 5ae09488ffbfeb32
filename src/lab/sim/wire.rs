//! An HTTP/1.1 client of a few lines: it writes octets, may break off in the middle, and reads one answer. It is not the
//! gateway's own client, so that they share no mistakes.

use crate::base::Span;
use crate::world::World;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long a client waits for an answer.
const PATIENCE: Span = Span::secs(60);

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Seconds to wait, when it says so.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// GET or POST.
    pub method: &'a str,
    /// Where to.
    pub path: &'a str,
    /// The API key.
    pub key: &'a str,
    /// The media type and the idempotency key of a body.
    pub kind: &'a str,
    /// See `kind`.
    pub once: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// Makes a request on a connection of its own; `None` without a whole answer. `cut` breaks off after so
/// many octets, and hangs up after so long.
pub async fn call(world: &World, to: SocketAddr, request: &Request<'_>, cut: Option<(usize, Span)>) -> Option<Answer> {
    let exchange = async {
        let mut stream = world.net.dial(to).await.ok()?;
        let Request { method, path, key, kind, once, body } = *request;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\nauthorization: Bearer {key}\r\n");
        if let Some(once) = once {
            head += &format!("idempotency-key: {once}\r\n");
        }
        if !body.is_empty() || method == "POST" {
            head += &format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len());
        }
        head += "\r\n";
        let mut octets = head.into_bytes();
        octets.extend_from_slice(body);
        if let Some((cut, _)) = cut {
            octets.truncate(cut);
        }
        // A server that has answered early may not take everything.
        let _ = stream.write_all(&octets).await;
        if let Some((_, hangs_up)) = cut {
            tokio::time::sleep(hangs_up.std()).await;
            return None;
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        parse(&answer)
    };
    tokio::time::timeout(PATIENCE.std(), exchange).await.ok().flatten()
}

fn parse(octets: &[u8]) -> Option<Answer> {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&octets[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, &str)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let header = |name: &str| headers.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
    let rest = &octets[end + 4..];
    let body = match header("transfer-encoding") {
        Some("chunked") => unchunk(rest)?,
        _ => match header("content-length").and_then(|text| text.parse::<usize>().ok()) {
            Some(length) => rest.get(..length)?.to_vec(),
            None => rest.to_vec(),
        },
    };
    let retry_after = header("retry-after").and_then(|text| text.parse().ok());
    Some(Answer { status, retry_after, body })
}

/// The content of a chunked body; `None` when its end is missing.
#[must_use]
pub fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}
