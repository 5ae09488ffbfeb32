//! `[http]`: where requests come in, and what one of them may cost.

use super::limits;
use super::reader::Reader;
use super::rules::{PATH, SOCKET};
use crate::base::Span;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The HTTP listener and its bounds.
#[derive(Clone, Debug)]
pub struct Http {
    /// Address and port.
    pub listen: SocketAddr,
    /// With it, https only.
    pub tls: Option<TlsFiles>,
    /// A body that is not a bulk, octets after decompression.
    pub body_bytes_max: u64,
    /// A bulk, octets after decompression.
    pub bulk_bytes_max: u64,
    /// Lines of a bulk.
    pub bulk_lines_max: u32,
    /// Recipients of one preview.
    pub preview_lines_max: u32,
    /// One line of a bulk, octets.
    pub line_bytes_max: u64,
    /// Decompressed octets for each compressed one, counted after the first MiB.
    pub compression_ratio_max: u32,
    /// The head of a request, octets.
    pub header_bytes_max: u64,
    /// The time for the head of a request.
    pub header_timeout: Span,
    /// The longest pause within a body.
    pub body_idle_timeout: Span,
    /// The longest pause between requests.
    pub keep_alive: Span,
    /// Open connections.
    pub connections_max: u32,
    /// Accepted octets waiting for their commit, above which the answer is 503.
    pub journal_queue_bytes_max: u64,
    /// How much the threads that read bulks give way.
    pub bulk_niceness: u8,
}

/// PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, ours first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

pub(super) fn read(r: &mut Reader<'_>) -> Http {
    Http {
        listen: r.text("listen", "127.0.0.1:8080", &SOCKET),
        tls: r
            .optional_table("tls", |r| TlsFiles { certificate: r.required_text("certificate", &PATH), key: r.required_text("key", &PATH) }),
        body_bytes_max: r.bytes("body_bytes_max", &limits::BODY_BYTES),
        bulk_bytes_max: r.bytes("bulk_bytes_max", &limits::BULK_BYTES),
        bulk_lines_max: r.integer("bulk_lines_max", &limits::BULK_LINES),
        preview_lines_max: r.integer("preview_lines_max", &limits::PREVIEW_LINES),
        line_bytes_max: r.bytes("line_bytes_max", &limits::LINE_BYTES),
        compression_ratio_max: r.integer("compression_ratio_max", &limits::COMPRESSION_RATIO),
        header_bytes_max: r.bytes("header_bytes_max", &limits::HEADER_BYTES),
        header_timeout: r.span("header_timeout", &limits::HEADER_TIMEOUT),
        body_idle_timeout: r.span("body_idle_timeout", &limits::BODY_IDLE),
        keep_alive: r.span("keep_alive", &limits::KEEP_ALIVE),
        connections_max: r.integer("connections_max", &limits::HTTP_CONNECTIONS),
        journal_queue_bytes_max: r.bytes("journal_queue_bytes_max", &limits::JOURNAL_QUEUE),
        bulk_niceness: r.integer("bulk_niceness", &limits::BULK_NICENESS),
    }
}
