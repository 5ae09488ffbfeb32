//! The contract of a carrier session, in the words the pipeline understands. Every wire answer of every channel is
//! folded into these; every id into keys.

use crate::message::event::{PartState, Piece};

/// The most ways of comparing ids a channel may offer.
pub const FORMS_MAX: usize = 4;

/// The first forms compare names as they are written; the others read one of them in another base.
pub const LITERAL_FORMS: usize = 2;

/// The keys of one id under each form; `None` where the id has no such form. Bits 125 and 127 of a key are zero:
/// the matcher marks forms there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Keys(pub [Option<u128>; FORMS_MAX]);

/// A carrier's answer to a submit, classed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<'a> {
    /// Taken, under this name.
    Accepted(&'a str),
    /// Not now, and it is not the message's fault: costs no attempt, and the carrier pauses.
    Throttled { command_status: u32 },
    /// Not now: costs an attempt.
    Later { command_status: u32 },
    /// The session cannot take it (wrong bind state): costs no attempt; the session is made anew.
    WrongSession { command_status: u32 },
    /// Never.
    Refused { command_status: u32 },
}

/// A receipt as the channel read it.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// The name it is about, as written; and the other one when text and TLV differ.
    pub carrier_id: &'a str,
    /// See `carrier_id`; empty when there is none.
    pub other_id: &'a str,
    /// The keys of both.
    pub keys: [Keys; 2],
    /// The recipient's number as the receipt gives it, 0 when it does not.
    pub number: u64,
    /// Our own reference, when the carrier echoes it (user_message_reference, SMPP 3.4 §5.3.2.17).
    pub reference: Option<u16>,
    /// When the carrier says it took the message: seconds since 1970 in its own local time; 0 when it does not say.
    pub submit_date: i64,
    /// What it says.
    pub state: PartState,
    /// The carrier's error, as text, at most 32 characters.
    pub error: &'a str,
}

/// A message from a handset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inbound {
    /// The handset's number or name, as the carrier writes it.
    pub from: String,
    /// The number it was sent to.
    pub to: String,
    /// Its text.
    pub text: String,
    /// The application it is for; 0 for a person.
    pub port: u16,
}

/// What a session hears.
#[derive(Debug)]
pub enum Heard<'a> {
    /// The bind succeeded: submits may be written, if the session carries them.
    Up,
    /// An answer to a submit; the keys are those of the name in an acceptance.
    Answer { sequence: u32, answer: Answer<'a>, keys: Keys },
    /// A receipt; to be acknowledged when it is durable.
    Receipt { sequence: u32, receipt: Receipt<'a> },
    /// A message from a handset; to be acknowledged when it is durable.
    Inbound { sequence: u32, message: Inbound },
    /// A part of one; to be acknowledged when it is durable.
    InboundPart { sequence: u32, piece: Piece },
    /// Something to count and nothing to do.
    Note(Note),
}

/// What is only counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// Something that could not be read or had no place there; it was answered with an error where one is due.
    Malformed(Fault),
    /// An acknowledgement by the handset's user or application: answered, and nothing more.
    Acknowledgement,
}

/// What is wrong with what a peer sent: a closed set, for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Its length cannot be: the peer's octets cannot be followed.
    Length,
    /// A field of it cannot be read.
    Field,
    /// A parameter goes over its end, or there are too many.
    Parameter,
    /// A response whose body cannot be read.
    Response,
    /// A command that has no business there: before the bind, or an ESME's.
    Place,
    /// A command nobody knows.
    Command,
    /// A receipt with a state word that nobody has told us.
    State,
}

impl Fault {
    /// All of them, in the order of their numbers.
    pub const ALL: [Fault; 7] =
        [Fault::Length, Fault::Field, Fault::Parameter, Fault::Response, Fault::Place, Fault::Command, Fault::State];

    /// A word for metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Fault::Length => "length",
            Fault::Field => "field",
            Fault::Parameter => "parameter",
            Fault::Response => "response",
            Fault::Place => "place",
            Fault::Command => "command",
            Fault::State => "state",
        }
    }
}

/// Why a session is over. Shown in metrics, logs and the API: a normal stop and a failure look different.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    /// We unbound and the peer agreed, or did not in time.
    Unbound,
    /// The peer unbound.
    PeerUnbound,
    /// The bind was refused with this status.
    BindRefused(u32),
    /// No answer to the bind in time.
    BindTimeout,
    /// Enquiries unanswered.
    Silent,
    /// The peer's octets cannot be followed.
    Garbled,
    /// The peer says the session is in the wrong state.
    WrongState,
    /// What was to be written may not be written at this hour any more: the socket was full, or the process stopped.
    TooLate,
    /// The connection ended.
    Cut,
    /// It could not be dialled.
    Unreachable,
}

impl Over {
    /// A word for metrics and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Over::Unbound => "unbound",
            Over::PeerUnbound => "peer_unbound",
            Over::BindRefused(_) => "bind_refused",
            Over::BindTimeout => "bind_timeout",
            Over::Silent => "silent",
            Over::Garbled => "garbled",
            Over::WrongState => "wrong_state",
            Over::TooLate => "too_late",
            Over::Cut => "cut",
            Over::Unreachable => "unreachable",
        }
    }
}
