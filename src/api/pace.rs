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
        })
    }

    /// A request's head is here; it is being served until the guard is dropped.
    pub(super) fn busy(self: &Arc<Pace>) -> Busy {
        self.is_busy.store(true, Ordering::Relaxed);
        self.head.store(NEVER, Ordering::Relaxed);
        self.idle.store(NEVER, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Octets came: of a request's head, when none is being served.
    fn read(&self) {
        if !self.is_busy.load(Ordering::Relaxed) && self.head.load(Ordering::Relaxed) == NEVER {
            self.head.store(self.clock.mono().0, Ordering::Relaxed);
        }
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
                self.pace.read();
                return Poll::Ready(self.judge(buffer, before));
            }
        }
        read
    }
}

impl Paced {
    fn wrote<T>(&self, written: Poll<T>) -> Poll<T> {
        let stalled = &self.pace.stalled;
        match written.is_pending() {
            true if stalled.load(Ordering::Relaxed) == NEVER => stalled.store(self.pace.clock.mono().0, Ordering::Relaxed),
            true => {}
            false => stalled.store(NEVER, Ordering::Relaxed),
        }
        written
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, octets);
        self.wrote(written)
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(written)
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
