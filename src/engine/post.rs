//! An HTTP/1.1 client for one peer at a time, over the world's network: webhooks, and the command line.
//!
//! A name is resolved once per connection, every address it has is checked, and the connection goes to one of
//! those addresses, with the name kept for TLS and the Host header: a name that changes its mind in between leads
//! nowhere (INV-38). No redirect is followed, no proxy is used, no answer is read beyond `REPLY_MAX`.

use crate::base::{Mono, Span};
use crate::pipeline::webhook::address::{Rules, Target, is_allowed};
use crate::world::{BoxStream, World, tls};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{HeaderMap, Method, Request, Response, body::Incoming, header};
use hyper_util::rt::TokioIo;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// Octets of an answer that are read; the rest is left unread and the connection closed.
pub const REPLY_MAX: usize = 64 * 1024;
/// A connection that was idle for longer is not used again: many servers close it about then.
const IDLE_MAX: Span = Span::secs(30);
/// A connection that is older is not used again, so that a change of address is noticed.
const AGE_MAX: Span = Span::secs(300);
/// Addresses of one name that are tried.
const DIALS_MAX: usize = 3;
/// The longest an address is waited for while there is another.
const DIAL_WAIT: Span = Span::secs(3);

/// One request.
#[derive(Debug)]
pub struct Call<'a> {
    /// GET, POST, …
    pub method: Method,
    /// Where to.
    pub target: &'a Target,
    /// Beyond Host and Content-Length.
    pub headers: &'a [(&'static str, String)],
    /// The body.
    pub body: Bytes,
    /// For everything, from the name to the last octet of the answer.
    pub timeout: Span,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or its first `REPLY_MAX` octets, or what of it came in time.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PostFault {
    /// The request cannot be written: a header holds what no header may.
    #[error("the request cannot be written")]
    Unwritable,
    /// The name has no address.
    #[error("the name was not resolved")]
    Unresolved,
    /// The name has an address that may not be reached.
    #[error("the address may not be reached")]
    Forbidden,
    /// No address answered, or not in time.
    #[error("no connection")]
    Unreachable,
    /// The TLS handshake failed: certificate, name, version.
    #[error("no TLS connection")]
    Tls,
    /// Connected, and no answer in time.
    #[error("no answer in time")]
    Timeout,
    /// Connected, and the answer broke off or was not HTTP.
    #[error("the answer broke off")]
    Broken,
}

type Connection = http1::Connection<TokioIo<BoxStream>, Full<Bytes>>;

struct Open {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: Pin<Box<Connection>>,
    is_closed: bool,
    /// Host, port and TLS.
    peer: (String, u16, bool),
    since: Mono,
    used: Mono,
}

/// The client. Keeps one connection between calls; nothing runs while no call does.
pub struct Post {
    dialler: Dialler,
    open: Option<Open>,
}

/// Makes connections. Apart from `Post`, because a connection may move between threads but not be shared.
struct Dialler {
    world: World,
    tls: tls::Client,
    rules: Option<Rules>,
}

impl Post {
    /// A client; without `rules` every address is allowed (the command line's own choice of server).
    #[must_use]
    pub fn new(world: World, tls: tls::Client, rules: Option<Rules>) -> Post {
        Post { dialler: Dialler { world, tls, rules }, open: None }
    }

    /// Makes a call. On a connection that turns out to have been closed by the peer while idle the call is made
    /// once more on a new one, so the peer may see it twice.
    pub async fn call(&mut self, call: &Call<'_>) -> Result<Reply, PostFault> {
        let end = self.dialler.world.mono() + call.timeout;
        // Taken out: a call that is dropped half way leaves no half-read connection behind.
        if let Some(open) = self.kept(call.target).await {
            match self.exchange(open, call, end).await {
                Err(PostFault::Broken) => {}
                other => return other,
            }
        }
        let open = self.dialler.connect(call.target, end).await?;
        self.exchange(open, call, end).await
    }

    /// The kept connection, if it leads there and is still good.
    async fn kept(&mut self, target: &Target) -> Option<Open> {
        let mut open = self.open.take()?;
        let now = self.dialler.world.mono();
        let is_same = open.peer.0 == target.host && open.peer.1 == target.port && open.peer.2 == target.tls;
        if !is_same || now.since(open.used) > IDLE_MAX || now.since(open.since) > AGE_MAX {
            return None;
        }
        // One look at the socket: a peer that has closed is noticed before anything is written.
        let is_closed = poll_fn(|cx| Poll::Ready(open.connection.as_mut().poll(cx).is_ready())).await;
        (!is_closed && open.sender.is_ready()).then_some(open)
    }

    async fn exchange(&mut self, mut open: Open, call: &Call<'_>, end: Mono) -> Result<Reply, PostFault> {
        let mut request = Request::builder().method(call.method.clone()).uri(&call.target.path);
        request = request.header(header::HOST, call.target.authority());
        for (name, value) in call.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(call.body.clone())).map_err(|_| PostFault::Unwritable)?;
        let answer = open.sender.send_request(request);
        let answer = match timeout(self.dialler.left(end), alongside(&mut open.connection, &mut open.is_closed, answer)).await {
            Err(_) => return Err(PostFault::Timeout),
            Ok(Err(_)) => return Err(PostFault::Broken),
            Ok(Ok(answer)) => answer,
        };
        let (head, body) = Response::into_parts(answer);
        let (mut read, mut is_whole) = (BytesMut::new(), false);
        // The status is known: an endless, slow or broken body changes nothing of it, and costs the connection.
        let reading = alongside(&mut open.connection, &mut open.is_closed, collect(body, &mut read));
        if let Ok(whole) = timeout(self.dialler.left(end), reading).await {
            is_whole = whole;
        }
        if is_whole && !open.is_closed {
            open.used = self.dialler.world.mono();
            self.open = Some(open);
        }
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: read.freeze() })
    }
}

impl Dialler {
    fn left(&self, end: Mono) -> Duration {
        end.since(self.world.mono()).std()
    }

    async fn connect(&self, target: &Target, end: Mono) -> Result<Open, PostFault> {
        let addresses = match target.literal() {
            Some(address) => vec![SocketAddr::new(address, target.port)],
            None => match timeout(self.left(end), self.world.net.resolve(&target.host, target.port)).await {
                Ok(Ok(addresses)) => addresses,
                Ok(Err(_)) | Err(_) => return Err(PostFault::Unresolved),
            },
        };
        if let Some(rules) = &self.rules
            && addresses.iter().any(|address| !is_allowed(address.ip(), rules))
        {
            return Err(PostFault::Forbidden);
        }
        let stream = self.dial(&addresses, end).await?;
        let stream = if target.tls {
            timeout(self.left(end), self.tls.connect(&target.host, stream)).await.ok().and_then(Result::ok).ok_or(PostFault::Tls)?
        } else {
            stream
        };
        let (sender, connection) =
            http1::Builder::new().max_buf_size(REPLY_MAX).handshake(TokioIo::new(stream)).await.map_err(|_| PostFault::Unreachable)?;
        let (peer, now) = ((target.host.clone(), target.port, target.tls), self.world.mono());
        Ok(Open { sender, connection: Box::pin(connection), is_closed: false, peer, since: now, used: now })
    }

    async fn dial(&self, addresses: &[SocketAddr], end: Mono) -> Result<BoxStream, PostFault> {
        if addresses.is_empty() {
            return Err(PostFault::Unresolved);
        }
        let tried = addresses.len().min(DIALS_MAX);
        for (at, address) in addresses[..tried].iter().enumerate() {
            let patience = if at + 1 < tried { self.left(end).min(DIAL_WAIT.std()) } else { self.left(end) };
            if let Ok(Ok(stream)) = timeout(patience, self.world.net.dial(*address)).await {
                return Ok(stream);
            }
        }
        Err(PostFault::Unreachable)
    }
}

/// Reads a body up to its bound; true when it came whole.
async fn collect(mut body: Incoming, read: &mut BytesMut) -> bool {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let Some(data) = frame.data_ref() else { continue };
        let room = REPLY_MAX - read.len();
        read.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return false;
        }
    }
    true
}

/// Runs a future while driving the connection it depends on: no task of its own, so nothing is left running.
async fn alongside<T>(connection: &mut Pin<Box<Connection>>, is_closed: &mut bool, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(value) = work.as_mut().poll(cx) {
            return Poll::Ready(value);
        }
        if *is_closed {
            return Poll::Pending;
        }
        // A connection's fault reaches the work through its own channel.
        *is_closed = connection.as_mut().poll(cx).is_ready();
        work.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
#[path = "post_tests.rs"]
mod tests;
