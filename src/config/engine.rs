//! `[engine]` and `[log]`: threads, memory, stopping; and what is said meanwhile.

use super::limits;
use super::reader::Reader;
use super::values::Choices;
use crate::base::Span;

/// The shards and what they may hold.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Threads; 0 = one a core, at most 16.
    pub shards: u8,
    /// Messages in memory ready to be sent, octets.
    pub lane_bytes_max: u64,
    /// How long a stop waits for the windows to empty.
    pub drain_timeout: Span,
    /// Submitted messages in the index of receipts.
    pub awaiting_max: u32,
    /// Messages that may wait for this gateway before new ones are slowed.
    pub ahead_max: u32,
    /// New messages a second that may always come.
    pub accept_min: u32,
    /// Receipts kept that matched nothing.
    pub orphans_max: u32,
    /// How long the wall clock must have been steady after a jump before what depends on the hour goes on.
    pub clock_settle: Span,
    /// Advertising waits for a person when the journal's last record is older at the start; 0 = never.
    pub revival_hold: Span,
    /// How long the parts of a text from a handset wait for the others.
    pub inbound_wait: Span,
    /// Texts from handsets that wait for parts, each carrier.
    pub inbound_texts_max: u32,
    /// Octets of those parts, each carrier.
    pub inbound_bytes_max: u64,
}

/// The log, on standard error.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// From which weight.
    pub level: LogLevel,
    /// How lines look.
    pub format: LogFormat,
}

/// How weighty a line must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogLevel {
    /// Something is lost or stops.
    Error,
    /// Something a person should look at.
    Warn,
    /// The life of the process and its sessions.
    Info,
    /// Each decision that is not per message.
    Debug,
    /// Everything. Slow.
    Trace,
}
const LEVELS: &Choices<LogLevel> = &[
    ("info", LogLevel::Info),
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

impl LogLevel {
    /// As log filters spell it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// For machines: one object a line.
    Json,
    /// For people.
    Text,
}
const FORMATS: &Choices<LogFormat> = &[("json", LogFormat::Json), ("text", LogFormat::Text)];

pub(super) fn read(r: &mut Reader<'_>) -> Engine {
    Engine {
        shards: r.integer("shards", &limits::SHARDS),
        lane_bytes_max: r.bytes("lane_bytes_max", &limits::LANE_BYTES),
        drain_timeout: r.span("drain_timeout", &limits::DRAIN),
        awaiting_max: r.integer("awaiting_max", &limits::AWAITING),
        ahead_max: r.integer("ahead_max", &limits::AHEAD),
        accept_min: r.integer("accept_min", &limits::ACCEPT_MIN),
        orphans_max: r.integer("orphans_max", &limits::ORPHANS),
        clock_settle: r.span("clock_settle", &limits::CLOCK_SETTLE),
        revival_hold: r.span("revival_hold", &limits::REVIVAL_HOLD),
        inbound_wait: r.span("inbound_wait", &limits::INBOUND_WAIT),
        inbound_texts_max: r.integer("inbound_texts_max", &limits::INBOUND_TEXTS),
        inbound_bytes_max: r.bytes("inbound_bytes_max", &limits::INBOUND_BYTES),
    }
}

pub(super) fn read_log(r: &mut Reader<'_>) -> Log {
    Log { level: r.choice("level", LEVELS), format: r.choice("format", FORMATS) }
}
