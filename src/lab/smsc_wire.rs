//! A session's stream with its buffers. Reading and writing go on at the same time from one task, so that two
//! peers that both write much cannot wait for each other; a burst is one read and one write.

use crate::base::Span;
use crate::world::BoxStream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Octets read at once; also bounds the longest PDU.
const INBOX: usize = 256 * 1024;
/// With more than this unwritten, nothing is read and nothing should be delivered.
pub(super) const HIGH_WATER: usize = 4 * 1024 * 1024;

/// The stream with its buffers: reads and writes at the same time, from one task.
pub(super) struct Wire {
    stream: BoxStream,
    /// What was read.
    pub inbox: Vec<u8>,
    /// The inbox holds unread octets from here…
    pub from: usize,
    /// …to here.
    pub filled: usize,
    /// What is to be written; append here.
    pub out: Vec<u8>,
    sent: usize,
    flush: bool,
}

impl Wire {
    /// Over a fresh stream.
    pub(super) fn new(stream: BoxStream) -> Wire {
        Wire { stream, inbox: vec![0; INBOX], from: 0, filled: 0, out: Vec::new(), sent: 0, flush: false }
    }

    /// Octets not written yet.
    pub(super) fn backlog(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Writes what it can; ready when something was read. An error also at the end of the stream.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.out.len() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.out[self.sent..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => (self.sent, self.flush) = (self.sent + count, true),
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
                Poll::Pending => break,
            }
        }
        if self.sent == self.out.len() {
            (self.sent, _) = (0, self.out.clear());
        }
        if self.flush && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready() {
            self.flush = false;
        }
        if self.backlog() > HIGH_WATER {
            return Poll::Pending;
        }
        if self.from > 0 {
            self.inbox.copy_within(self.from..self.filled, 0);
            (self.from, self.filled) = (0, self.filled - self.from);
        }
        // There is room: an incomplete PDU is shorter than the inbox.
        let mut buffer = ReadBuf::new(&mut self.inbox[self.filled..]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        match buffer.filled().len() {
            0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            count => {
                self.filled += count;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Writes the rest and closes; a peer that does not read is not waited for.
    pub(super) async fn finish(mut self) {
        let last = async {
            self.stream.write_all(&self.out[self.sent..]).await?;
            self.stream.shutdown().await
        };
        // The peer may be gone first; then there is nobody to tell.
        let _ = tokio::time::timeout(Span::secs(5).std(), last).await;
    }
}
