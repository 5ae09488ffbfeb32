//! The time limits of a connection: for the head of a request, between requests, and for a peer that takes no answer.
//! Bodies have their own (`upload`). A connection that is over its time is closed.

use crate::base::{Mono, Span};
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
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = read {
            match buffer.filled().len() > before {
                true => self.pace.read(),
                false => self.pace.has_ended.store(true, Ordering::Relaxed),
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
