//! What can happen to a message after it is durable. Each event is a journal entry; the order of entries of one
//! message is the order in which they happened.

use crate::base::{MessageId, MessageRef, Time};
use crate::message::late::Rendering;
use crate::message::outcome::{Reason, Status};

/// The parts of a message as a bit set: part 0 is bit 0. 64 parts are the most a message may have
/// (`config::limits::SEGMENTS_MAX`).
pub type Parts = u64;

/// The set of all of `count` parts.
#[must_use]
pub const fn all_parts(count: u8) -> Parts {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// One message in a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeasedMessage {
    /// Which.
    pub at: MessageRef,
    /// The number of this attempt, from 1.
    pub attempt: u8,
    /// How many parts the message has.
    pub count: u8,
    /// The parts that will be written.
    pub parts: Parts,
    /// Which long text to this recipient it is (`pipeline/submit/reference.rs`); 0 for one part.
    pub reference: u32,
}

/// What a customer has changed of a message that waits; `None`: as it was.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Moved {
    /// The instant before which it does not go, in place of its own.
    pub due: Option<Time>,
    /// The instant from which on it is too late, in place of what its lifetime says.
    pub expires: Option<Time>,
}

impl Moved {
    /// The two changes, one after the other.
    #[must_use]
    pub fn then(self, later: Moved) -> Moved {
        Moved { due: later.due.or(self.due), expires: later.expires.or(self.expires) }
    }
}

/// What a receipt says of one part (SMPP 3.4 §5.2.28, folded to what matters).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PartState {
    /// On the handset.
    Delivered = 0,
    /// Its validity was over.
    Expired = 1,
    /// Deleted at the carrier.
    Deleted = 2,
    /// Could not be delivered.
    Undeliverable = 3,
    /// Final and unknown.
    Unknown = 4,
    /// Refused by the carrier.
    Rejected = 5,
    /// Not final: on its way.
    Enroute = 6,
}

impl PartState {
    /// Every state, in the order of its number.
    pub const ALL: [PartState; 7] = [
        PartState::Delivered,
        PartState::Expired,
        PartState::Deleted,
        PartState::Undeliverable,
        PartState::Unknown,
        PartState::Rejected,
        PartState::Enroute,
    ];
    /// Whether the part is settled by it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, PartState::Enroute)
    }
    /// The status of a message all of whose parts ended so.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            PartState::Delivered => Status::Delivered,
            PartState::Expired => Status::Expired,
            PartState::Deleted => Status::Deleted,
            PartState::Undeliverable => Status::Undelivered,
            PartState::Unknown => Status::Unknown,
            PartState::Rejected => Status::Rejected,
            PartState::Enroute => Status::Sent,
        }
    }
}

/// A part of a long text from a handset, as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The handset's number as the carrier writes it.
    pub from: Box<str>,
    /// Our number.
    pub to: Box<str>,
    /// Whether the reference has 16 bits: references of different widths are different ones.
    pub is_wide: bool,
    /// The same in all parts.
    pub reference: u16,
    /// How many parts there are.
    pub total: u8,
    /// Which one this is, from 1.
    pub place: u8,
    /// How the octets are read, in the channel's own way.
    pub coding: u32,
    /// What it holds.
    pub octets: Box<[u8]>,
}

/// A [`Piece`] in the journal: durable before it is acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InboundPart {
    /// Its own.
    pub id: u64,
    /// From which carrier.
    pub carrier: Box<str>,
    /// The part.
    pub piece: Piece,
    /// When it came.
    pub when: Time,
}

/// What a message from a handset asks for. The numbers are in the journal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Keyword {
    /// Nothing we know.
    #[default]
    None = 0,
    /// No more messages.
    Stop = 1,
    /// Messages again.
    Start = 2,
    /// Who are you?
    Help = 3,
    /// It may mean stop.
    Review = 4,
}

impl Keyword {
    /// All of them, in the order of their numbers.
    pub const ALL: [Keyword; 5] = [Keyword::None, Keyword::Stop, Keyword::Start, Keyword::Help, Keyword::Review];

    /// The API's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Keyword::None => "none",
            Keyword::Stop => "stop",
            Keyword::Start => "start",
            Keyword::Help => "help",
            Keyword::Review => "review",
        }
    }
}

/// In what a carrier named a part: it may write the same id differently in both, so a name is read back as it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamedIn {
    /// The answer to its submit.
    Answer,
    /// A receipt that settled a doubt: the answer was lost.
    Receipt,
}

/// A journal entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Before any octet of them is written to a socket: these messages belong to this bind now (`docs/adr/0004-doubt.md`).
    /// `law`, here and below: which rules and time zones it was decided by, see `directory::judge::law_stamp`; 0: none.
    Leased { carrier: Box<str>, bind: u16, when: Time, messages: Vec<LeasedMessage>, law: u32 },
    /// The carrier took a part and named it. `carrier_id` is as written in submit_sm_resp, or in the receipt that took its place.
    Submitted { at: MessageRef, part: u8, carrier_id: Box<str>, named_in: NamedIn, when: Time },
    /// The carrier refused a part; the entry after it says what follows (requeued or ended).
    Refused { at: MessageRef, part: u8, command_status: u32, when: Time },
    /// Written and unanswered: whether the carrier has these parts is unknown.
    Doubted { at: MessageRef, parts: Parts, reason: Reason, when: Time },
    /// Back in the queue, to be tried again from `due`. `possible_duplicate` when it follows a doubt.
    Requeued { at: MessageRef, parts: Parts, reason: Reason, due: Time, when: Time },
    /// A receipt for one part.
    Receipt { at: MessageRef, part: u8, state: PartState, error: Box<str>, when: Time },
    /// The message's one final state.
    Ended { at: MessageRef, status: Status, reason: Reason, command_status: u32, possible_duplicate: bool, when: Time },
    /// A receipt that matches nothing yet.
    /// `reference` is the echo of ours, `submit_date` the carrier's own (0: none), as `channel::session::Receipt` has them.
    Orphaned {
        carrier: Box<str>,
        carrier_id: Box<str>,
        other_id: Box<str>,
        number: u64,
        reference: Option<u16>,
        submit_date: i64,
        state: PartState,
        error: Box<str>,
        when: Time,
    },
    /// An orphan found its message (a `Receipt` entry follows) or its time was over.
    OrphanGone { carrier: Box<str>, carrier_id: Box<str>, when: Time },
    /// All messages of a frame that were never leased wait, `held` of them, until `until` at the earliest
    /// (`Time(i64::MAX)`: until somebody lets them go). Counts for each of them as `Held` does.
    Parked { frame: MessageId, until: Time, why: Reason, held: u32, law: u32, when: Time },
    /// A message may not go before `until`; it costs no attempt.
    Held { at: MessageRef, until: Time, why: Reason, law: u32, when: Time },
    /// The customer wants it to go at another instant, or to live until another.
    Rescheduled { at: MessageRef, moved: Moved, when: Time },
    /// The text of a message that is made when it is sent was made, for its first lease and all that follow.
    Rendered { at: MessageRef, rendering: Rendering },
    /// A message from a handset (MO), whole. `parts` of a long text; `of` are the ids of the `InboundPart`s told with it;
    /// `port` is the application it is for, 0 for a person.
    Inbound {
        id: u64,
        carrier: Box<str>,
        account: Box<str>,
        from: Box<str>,
        to: Box<str>,
        text: Box<str>,
        keyword: Keyword,
        when: Time,
        parts: u8,
        is_incomplete: bool,
        port: u16,
        of: Box<[u64]>,
    },
    /// A part of a long text from a handset that waits for the others.
    InboundPart(Box<InboundPart>),
}

impl Event {
    /// When it happened, by the wall clock.
    #[must_use]
    pub const fn when(&self) -> Time {
        match self {
            Event::Leased { when, .. }
            | Event::Submitted { when, .. }
            | Event::Refused { when, .. }
            | Event::Doubted { when, .. }
            | Event::Requeued { when, .. }
            | Event::Receipt { when, .. }
            | Event::Ended { when, .. }
            | Event::Orphaned { when, .. }
            | Event::OrphanGone { when, .. }
            | Event::Parked { when, .. }
            | Event::Held { when, .. }
            | Event::Rescheduled { when, .. }
            | Event::Inbound { when, .. } => *when,
            Event::InboundPart(part) => part.when,
            Event::Rendered { rendering, .. } => rendering.moment.at,
        }
    }

    /// The one message it is about; `None` for a lease and a parking (which are about many) and for what has no message.
    #[must_use]
    pub const fn at(&self) -> Option<MessageRef> {
        match self {
            Event::Submitted { at, .. }
            | Event::Refused { at, .. }
            | Event::Doubted { at, .. }
            | Event::Requeued { at, .. }
            | Event::Receipt { at, .. }
            | Event::Held { at, .. }
            | Event::Rescheduled { at, .. }
            | Event::Rendered { at, .. }
            | Event::Ended { at, .. } => Some(*at),
            Event::Leased { .. } | Event::Parked { .. } | Event::Orphaned { .. } | Event::OrphanGone { .. } => None,
            Event::Inbound { .. } | Event::InboundPart(_) => None,
        }
    }
}
