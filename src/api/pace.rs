//! What the stream of a connection is held to: time limits for the head of a request, between requests, and for a peer that
//! takes no answer (bodies have their own, in `upload`); and boundaries of requests that nobody can read in two ways. A
//! connection that is over its time is closed; an ambiguous head is damaged for good, so that the parser behind answers
//! 400 and closes; an ambiguous body breaks off.

use crate::base::{Mono, Span};
use crate::wire::http::{Boundaries, Place};
use crate::world::{BoxStream, Clock};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// No instant.
const NEVER: u64 = u64::MAX;

/// What may take how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For the head of a request, from its first octet; for the first one from the beginning of the connection.
    pub(super) head: Span,
    /// Between two requests; also how long a peer may take none of an answer.
    pub(super) idle: Span,
}

/// What a connection is waiting for, and since when. Microseconds of the monotonic clock.
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    limits: Limits,
    is_busy: AtomicBool,
    has_ended: AtomicBool,
    head: AtomicU64,
    idle: AtomicU64,
    stalled: AtomicU64,
    is_known: AtomicBool,
    must_go: AtomicBool,
    sent_away: Notify,
}

/// How a connection keeps us waiting, by how soon it has to make room for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rest {
    /// Within a head, a handshake or an answer it does not take, and no key was shown yet.
    OfStranger,
    /// Between two requests, none of which showed a key.
    BetweenStrange,
    /// Between two requests of somebody known.
    BetweenKnown,
}

impl Pace {
    /// A connection that begins now.
    pub(super) fn new(clock: Arc<dyn Clock>, limits: Limits) -> Arc<Pace> {
        let now = clock.mono().0;
        Arc::new(Pace {
            clock,
            limits,
            is_busy: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            head: AtomicU64::new(now),
            idle: AtomicU64::new(NEVER),
            stalled: AtomicU64::new(NEVER),
            is_known: AtomicBool::new(false),
            must_go: AtomicBool::new(false),
            sent_away: Notify::new(),
        })
    }

    /// The time for the first head begins now: what was before it (a handshake) had its own.
    pub(super) fn begin(&self) {
        self.head.store(self.clock.mono().0, Ordering::Relaxed);
    }

    /// A request on this connection showed a key that is right.
    pub(super) fn is_known(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    /// How the connection keeps us waiting; `None` while a request is being served, within a head or an answer of somebody known,
    /// and once it was sent away.
    pub(super) fn rest(&self) -> Option<Rest> {
        let is = |of: &AtomicBool| of.load(Ordering::Relaxed);
        let never = |of: &AtomicU64| of.load(Ordering::Relaxed) == NEVER;
        if is(&self.must_go) {
            return None;
        }
        let (is_served, is_known) = (is(&self.is_busy) || !never(&self.stalled), is(&self.is_known));
        if is_served {
            return (!never(&self.stalled) && !is_known).then_some(Rest::OfStranger);
        }
        match (never(&self.head), is_known) {
            (false, false) => Some(Rest::OfStranger),
            (false, true) => None,
            (true, false) => Some(Rest::BetweenStrange),
            (true, true) => Some(Rest::BetweenKnown),
        }
    }

    /// Has to make room for another, unless a request comes before it hears of it.
    pub(super) fn send_away(&self) {
        self.must_go.store(true, Ordering::Relaxed);
        self.sent_away.notify_one();
    }

    /// Whether it was sent away and has not heard of it.
    pub(super) fn must_go(&self) -> bool {
        self.must_go.load(Ordering::Relaxed)
    }

    /// Comes back when the connection has been sent away, and still keeps us waiting.
    pub(super) async fn has_to_go(&self) {
        loop {
            self.sent_away.notified().await;
            self.must_go.store(false, Ordering::Relaxed);
            if self.rest().is_some() {
                return;
            }
        }
    }

    /// A request's head is here; it is being served until the guard is dropped.
    pub(super) fn busy(self: &Arc<Pace>) -> Busy {
        self.is_busy.store(true, Ordering::Relaxed);
        self.head.store(NEVER, Ordering::Relaxed);
        self.idle.store(NEVER, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Octets came: of a request's head, when none is being served.
    pub(super) fn came(&self) {
        if !self.is_busy.load(Ordering::Relaxed) && self.head.load(Ordering::Relaxed) == NEVER {
            self.head.store(self.clock.mono().0, Ordering::Relaxed);
        }
    }

    /// Something was to be written; pending means that the peer takes nothing more.
    pub(super) fn wrote<T>(&self, written: Poll<T>) -> Poll<T> {
        match written.is_pending() {
            true if self.stalled.load(Ordering::Relaxed) == NEVER => self.stalled.store(self.clock.mono().0, Ordering::Relaxed),
            true => {}
            false => self.stalled.store(NEVER, Ordering::Relaxed),
        }
        written
    }

    /// Whether the peer has said that nothing more will come.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    /// Since when the connection has been between two requests, none of the next one's octets being here.
    pub(super) fn idle_since(&self) -> Option<Mono> {
        let at = |of: &AtomicU64| of.load(Ordering::Relaxed);
        (!self.is_busy.load(Ordering::Relaxed) && at(&self.head) == NEVER && at(&self.idle) != NEVER).then(|| Mono(at(&self.idle)))
    }

    /// When the connection is over its time, as things stand; `None` while a request is being served.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let due = |since: &AtomicU64, limit: Span| Some(since.load(Ordering::Relaxed)).filter(|at| *at != NEVER).map(|at| Mono(at) + limit);
        let (head, idle, stalled) =
            (due(&self.head, self.limits.head), due(&self.idle, self.limits.idle), due(&self.stalled, self.limits.idle));
        [head, idle, stalled].into_iter().flatten().min()
    }

    /// How often a connection is looked at.
    pub(super) fn every(&self) -> Span {
        Span((self.limits.head.0.min(self.limits.idle.0) / 4).max(Span::millis(10).0))
    }
}

/// A request is being served, its answer included.
pub(super) struct Busy(Arc<Pace>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::Relaxed);
        self.0.idle.store(self.0.clock.mono().0, Ordering::Relaxed);
    }
}

/// The connection a request came on, among its extensions.
#[derive(Clone)]
pub(super) struct Visitor(pub(super) Arc<Pace>);

/// An answer's body that keeps its connection busy until it is sent.
pub(super) struct Guarded {
    pub(super) body: axum::body::Body,
    pub(super) _busy: Busy,
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose reads and writes are watched.
pub(super) struct Paced {
    pub(super) stream: BoxStream,
    pub(super) pace: Arc<Pace>,
    boundaries: Boundaries,
    /// What the parser is still given, once the stream is ambiguous; then an error.
    last_words: Option<&'static [u8]>,
}

impl Paced {
    /// Watches a stream; a line of a head has at most `line_max` octets.
    pub(super) fn new(stream: BoxStream, pace: Arc<Pace>, line_max: usize) -> Paced {
        Paced { stream, pace, boundaries: Boundaries::new(line_max), last_words: None }
    }

    /// Judges what was read behind the first `before` octets; of what is ambiguous, nothing gets through.
    fn judge(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let Err(fault) = self.boundaries.feed(&buffer.filled()[before..]) else { return Ok(()) };
        self.last_words = Some(b"");
        let at = before + fault.at;
        match fault.place {
            // No parser takes a NUL anywhere in a head; but it may look at one only when it has seen its end.
            Place::Head => {
                buffer.filled_mut()[at] = 0;
                buffer.set_filled(at + 1);
                self.last_words = Some(b"\r\n\r\n");
            }
            Place::Body if fault.at == 0 => {
                buffer.set_filled(before);
                return Err(io::ErrorKind::InvalidData.into());
            }
            Place::Body => buffer.set_filled(at),
        }
        Ok(())
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(words) = &mut self.last_words {
            let (now, later) = words.split_at(words.len().min(buffer.remaining()));
            *words = later;
            buffer.put_slice(now);
            return Poll::Ready(if now.is_empty() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) });
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = read {
            if buffer.filled().len() == before {
                self.pace.has_ended.store(true, Ordering::Relaxed);
            } else {
                self.pace.came();
                return Poll::Ready(self.judge(buffer, before));
            }
        }
        read
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, octets);
        self.pace.wrote(written)
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.pace.wrote(written)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
