//! A cheap HTTP/1.1 client: one kept-alive connection, requests as ready octets, answers read to their end and, but
//! for their first octets, thrown away. It understands `Content-Length` and chunks, and nothing else.

use anyhow::{Context as _, bail};
use relais::world::{BoxStream, World};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Octets of an answer's body that are kept.
const KEPT: usize = 1_024;
const READ: usize = 256 << 10;
const HEAD_MAX: usize = 32 << 10;

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Seconds.
    pub(crate) retry_after: Option<u64>,
    /// The body's beginning, or all of it.
    pub(crate) body: Vec<u8>,
    /// Octets of the whole body.
    pub(crate) length: u64,
}

/// One connection, dialled when it is needed.
pub(crate) struct Client {
    world: World,
    to: SocketAddr,
    stream: Option<BoxStream>,
    buffer: Vec<u8>,
    from: usize,
    filled: usize,
}

/// How an answer's body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    After(u64),
    Chunks,
}

impl Client {
    pub(crate) fn new(world: &World, to: SocketAddr) -> Client {
        Client { world: world.clone(), to, stream: None, buffer: vec![0; READ], from: 0, filled: 0 }
    }

    /// Sends a request, given as its octets, and reads the whole answer. Not repeated when the connection breaks.
    pub(crate) async fn call(&mut self, head: &[u8], body: &[u8], keep: usize) -> anyhow::Result<Answer> {
        let answered = self.exchange(head, body, keep).await;
        if answered.is_err() {
            self.stream = None;
        }
        answered
    }

    async fn exchange(&mut self, head: &[u8], body: &[u8], keep: usize) -> anyhow::Result<Answer> {
        if self.stream.is_none() {
            self.stream = Some(self.world.net.dial(self.to).await.context("cannot connect")?);
            (self.from, self.filled) = (0, 0);
        }
        let stream = self.stream.as_mut().context("connected")?;
        // A small body travels with its head.
        if body.len() < 4_096 {
            let mut both = Vec::with_capacity(head.len() + body.len());
            both.extend_from_slice(head);
            both.extend_from_slice(body);
            stream.write_all(&both).await?;
        } else {
            stream.write_all(head).await?;
            // An early refusal is an answer, not a fault: it is read below.
            if let Err(fault) = stream.write_all(body).await {
                let answer = self.answer(keep).await;
                self.stream = None;
                return answer.map_err(|_| fault.into());
            }
        }
        self.answer(keep).await
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        if self.from == self.filled {
            (self.from, self.filled) = (0, 0);
        } else if self.filled == self.buffer.len() {
            self.buffer.copy_within(self.from..self.filled, 0);
            (self.from, self.filled) = (0, self.filled - self.from);
        }
        let stream = self.stream.as_mut().context("connected")?;
        match stream.read(&mut self.buffer[self.filled..]).await? {
            0 => bail!("the connection was closed before the end of an answer"),
            count => self.filled += count,
        }
        Ok(())
    }

    async fn answer(&mut self, keep: usize) -> anyhow::Result<Answer> {
        let (status, ending, retry_after, is_closing) = loop {
            let ready = &self.buffer[self.from..self.filled];
            if let Some(end) = memchr::memmem::find(ready, b"\r\n\r\n") {
                let head = std::str::from_utf8(&ready[..end]).context("a head that is no text")?;
                let parsed = parse(head)?;
                self.from += end + 4;
                break parsed;
            }
            if ready.len() > HEAD_MAX {
                bail!("a head without end");
            }
            self.fill().await?;
        };
        let mut answer = Answer { status, retry_after, body: Vec::new(), length: 0 };
        match ending {
            Ending::After(length) => self.skip(length, keep, &mut answer).await?,
            Ending::Chunks => loop {
                let line = self.line().await?;
                let size = u64::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).context("a chunk's size")?;
                self.skip(size, keep, &mut answer).await?;
                // The line end after the data; after the last chunk, the empty trailer.
                self.line().await?;
                if size == 0 {
                    break;
                }
            },
        }
        if is_closing {
            self.stream = None;
        }
        Ok(answer)
    }

    async fn skip(&mut self, mut count: u64, keep: usize, answer: &mut Answer) -> anyhow::Result<()> {
        answer.length += count;
        while count > 0 {
            if self.from == self.filled {
                self.fill().await?;
            }
            let take = count.min((self.filled - self.from) as u64) as usize;
            let kept = take.min(keep.max(KEPT).saturating_sub(answer.body.len()));
            answer.body.extend_from_slice(&self.buffer[self.from..self.from + kept]);
            self.from += take;
            count -= take as u64;
        }
        Ok(())
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        loop {
            let ready = &self.buffer[self.from..self.filled];
            if let Some(end) = memchr::memmem::find(ready, b"\r\n") {
                let line = String::from_utf8_lossy(&ready[..end]).into_owned();
                self.from += end + 2;
                return Ok(line);
            }
            if ready.len() > HEAD_MAX {
                bail!("a line without end");
            }
            self.fill().await?;
        }
    }
}

/// Status, ending of the body, Retry-After, and whether the connection ends with this answer.
fn parse(head: &str) -> anyhow::Result<(u16, Ending, Option<u64>, bool)> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).context("a status line")?;
    let (mut ending, mut retry_after, mut is_closing) = (Ending::After(0), None, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => ending = Ending::After(value.parse().context("Content-Length")?),
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => ending = Ending::Chunks,
            "retry-after" => retry_after = value.parse().ok(),
            "connection" => is_closing = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    Ok((status, ending, retry_after, is_closing))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answered(octets: &'static [u8]) -> anyhow::Result<Answer> {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut client = Client::new(&World::real(), ([127, 0, 0, 1], 1).into());
        client.stream = Some(Box::new(ours));
        let peer = tokio::spawn(async move {
            let mut request = [0; 4];
            theirs.read_exact(&mut request).await.expect("a request");
            theirs.write_all(octets).await.expect("room");
        });
        let answer = client.call(b"GET ", b"", 0).await;
        drop(client);
        let _ = peer.await;
        answer
    }

    #[tokio::test(flavor = "current_thread")]
    async fn chunks_are_put_together_and_a_length_is_kept_to() {
        let chunked = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n2;x=y\r\n1}\r\n0\r\n\r\n";
        let answer = answered(chunked).await.expect("an answer");
        assert_eq!((answer.status, answer.length, answer.body.as_slice()), (202, 7, b"{\"a\":1}".as_slice()));
        let refused = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\nretry-after: 3\r\n\r\n{}";
        let answer = answered(refused).await.expect("an answer");
        assert_eq!((answer.status, answer.retry_after, answer.length), (503, Some(3), 2));
        assert!(answered(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort").await.is_err());
    }
}
