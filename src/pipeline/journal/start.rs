//! When a message may first go, and with which others it may share a frame: by lane, group, reason and a piece of time.

use crate::base::Time;
use crate::message::outcome::Reason;

/// When a message may first go, and which others it may share a frame with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// Not before; `Time(0)` for at once. Milliseconds of the wall clock.
    pub due: Time,
    /// Why not before.
    pub why: Reason,
    /// Messages of different groups do not share a frame (they will open at different instants); 0 for no group.
    pub group: u16,
}

impl Start {
    /// At once, with everybody.
    pub const NOW: Start = Start { due: Time(0), why: Reason::Scheduled, group: 0 };

    /// Whether messages of both may share a frame: same group, same reason, same minute.
    #[must_use]
    pub fn goes_with(&self, other: &Start) -> bool {
        self == other || Grain::Minute.kind(self, 0) == Grain::Minute.kind(other, 0)
    }
}

/// How close in time messages must be to share a frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Grain {
    Minute,
    Hour,
    Day,
    Any,
}

/// What the messages of one draft have in common: lane, reason, group and a piece of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kind {
    pub(super) lane: usize,
    why: u8,
    group: u16,
    /// 0 for at once; else the piece of time plus one.
    piece: i64,
}

impl Grain {
    /// The kind of a message of this lane and start.
    pub(super) fn kind(self, start: &Start, lane: usize) -> Kind {
        let ms = match self {
            Grain::Minute => 60_000,
            Grain::Hour => 3_600_000,
            Grain::Day => 86_400_000,
            Grain::Any => i64::MAX,
        };
        let piece = if start.due <= Time(0) { 0 } else { start.due.0 / ms + 1 };
        let (why, group) = match self {
            Grain::Any => (0, 0),
            _ if piece == 0 => (0, start.group),
            _ => (start.why as u8, start.group),
        };
        Kind { lane, why, group, piece }
    }

    /// The next coarser measure.
    pub(super) const fn coarser(self) -> Grain {
        match self {
            Grain::Minute => Grain::Hour,
            Grain::Hour => Grain::Day,
            Grain::Day | Grain::Any => Grain::Any,
        }
    }
}
