//! What can be seen of the gateway from outside: requests and their answers, PDUs at the carriers, events at the
//! webhooks, deaths and faults. One line of the log each; the checks see nothing else.

use crate::lab::ClockError;
use crate::lab::personality::State;
use crate::lab::sink::Event;
use crate::message::Status;
use std::fmt;

/// An observation.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// A client begins a request for `count` messages from `first` on.
    Asked {
        /// Whose.
        account: u8,
        /// The first message.
        first: u64,
        /// How many.
        count: u32,
    },
    /// An attempt of a request has ended: its status, 0 when there was no whole answer.
    Answered {
        /// The first message of the request.
        first: u64,
        /// The HTTP status.
        status: u16,
    },
    /// A 2xx names a message.
    Took {
        /// The message.
        n: u64,
        /// Its id.
        id: u64,
    },
    /// A 2xx names a bulk of so many lines.
    Bulk {
        /// Its first message.
        first: u64,
        /// How many lines.
        count: u32,
        /// Its id.
        id: u64,
    },
    /// The API showed where the messages of a bulk stand.
    Counted {
        /// When that was asked, in milliseconds.
        since: i64,
        /// Its first message.
        first: u64,
        /// Lines that came, that were accepted, that were refused.
        lines: [u64; 3],
        /// Messages by status.
        counts: &'a [(Status, u64)],
        /// Whether all are final.
        is_final: bool,
    },
    /// A message was refused for good, in this word.
    Refused {
        /// The message.
        n: u64,
        /// The code of the problem.
        code: &'a str,
    },
    /// A message was refused for good, in all attempts, and is not asked for again.
    Declined {
        /// The message.
        n: u64,
    },
    /// A cancel was answered 2xx.
    Canceled {
        /// The message.
        n: u64,
    },
    /// Another instant for a message was answered 2xx.
    Moved {
        /// The message.
        n: u64,
        /// Before which it does not go, in milliseconds.
        until: i64,
    },
    /// The erasure of its number was answered 2xx.
    Erased {
        /// The message.
        n: u64,
    },
    /// A carrier has judged a submit_sm.
    Submit(Submit<'a>),
    /// A submit_sm nobody could read.
    Malformed {
        /// Where.
        carrier: u8,
    },
    /// A session has bound.
    Bound {
        /// Where.
        carrier: u8,
        /// Which.
        session: u64,
    },
    /// A session has ended.
    Closed {
        /// Where.
        carrier: u8,
        /// Which.
        session: u64,
        /// Whether the gateway had unbound.
        is_orderly: bool,
    },
    /// A receipt was acknowledged.
    Receipt {
        /// Where.
        carrier: u8,
        /// The carrier's number of the message.
        number: u64,
        /// What it said.
        state: State,
    },
    /// A subscriber's message was acknowledged.
    Mo {
        /// Where.
        carrier: u8,
        /// Whose.
        from: u64,
        /// Its text.
        text: &'a str,
    },
    /// An enquire_link of a carrier was not answered before the next one.
    Unanswered {
        /// Where.
        carrier: u8,
        /// On which session.
        session: u64,
    },
    /// A request under the key of another one was answered so.
    Crossed {
        /// The first message of the request that has the key.
        first: u64,
        /// The HTTP status.
        status: u16,
    },
    /// A webhook took an event.
    Told {
        /// Whose webhook.
        account: u8,
        /// The event.
        event: &'a Event,
    },
    /// The API showed a message.
    Looked {
        /// When that was asked, in milliseconds.
        since: i64,
        /// The message.
        n: u64,
        /// How it stands.
        status: &'a str,
        /// Whether that is final.
        is_final: bool,
        /// Its label.
        possible_duplicate: bool,
        /// The carrier's names of its parts.
        carrier_ids: &'a [Option<String>],
    },
    /// A search by reference found so many messages.
    Found {
        /// The message whose reference was asked for.
        n: u64,
        /// How many there are.
        count: usize,
    },
    /// The gateway's process has started.
    Started,
    /// It was killed, or ended by itself after a failed sync.
    Died,
    /// It was stopped and has drained.
    Stopped {
        /// Whether every window was empty in time.
        is_clean: bool,
    },
    /// The clock of the gateway's machine is wrong in another way from now on.
    Clock {
        /// How.
        error: ClockError,
    },
    /// Another edition of rules and time zones is in force (`editions`).
    Rules {
        /// Which.
        edition: u8,
    },
    /// A fault begins or ends.
    Fault {
        /// Which.
        kind: &'static str,
        /// At one carrier, or the webhook of one account.
        carrier: Option<u8>,
        /// Whether it begins.
        is_on: bool,
    },
    /// All faults are over.
    Quiet,
}

/// A submit_sm as the carrier saw and judged it.
#[derive(Clone, Copy, Debug)]
pub struct Submit<'a> {
    /// Where.
    pub carrier: u8,
    /// On which session.
    pub session: u64,
    /// The message its text names.
    pub n: Option<u64>,
    /// Until when the carrier may deliver it, in milliseconds; 0 when it does not say.
    pub validity: i64,
    /// The part, from 1, and how many there are.
    pub part: u8,
    /// How many parts.
    pub total: u8,
    /// Its sequence_number.
    pub sequence: u32,
    /// The status decided; 0 takes it.
    pub status: u32,
    /// The carrier's number, when it was taken.
    pub number: u64,
    /// The id in the answer.
    pub message_id: &'a str,
    /// Whether an answer will be sent.
    pub is_answered: bool,
    /// When.
    pub delay_ms: u64,
}

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Seen::Asked { account, first, count } => write!(f, "asked a{account} {first}+{count}"),
            Seen::Answered { first, status } => write!(f, "answered {first} {status}"),
            Seen::Took { n, id } => write!(f, "took {n} {id:x}"),
            Seen::Bulk { first, count, id } => write!(f, "bulk {first}+{count} {id:x}"),
            Seen::Counted { first, lines, counts, is_final, .. } => write!(f, "counted {first} {lines:?} {counts:?} {is_final}"),
            Seen::Refused { n, code } => write!(f, "refused {n} {code}"),
            Seen::Declined { n } => write!(f, "declined {n}"),
            Seen::Canceled { n } => write!(f, "canceled {n}"),
            Seen::Moved { n, until } => write!(f, "moved {n} {until}"),
            Seen::Erased { n } => write!(f, "erased {n}"),
            Seen::Submit(Submit {
                carrier, session, n, part, total, sequence, status, number, message_id, is_answered, delay_ms, ..
            }) => {
                write!(f, "submit c{carrier}/{session} {} {part}/{total} seq={sequence} status={status:x} ", n.map_or(-1, |n| n as i64))?;
                write!(f, "number={number} id={message_id} answer={}", if is_answered { delay_ms as i64 } else { -1 })
            }
            Seen::Malformed { carrier } => write!(f, "malformed c{carrier}"),
            Seen::Bound { carrier, session } => write!(f, "bound c{carrier}/{session}"),
            Seen::Closed { carrier, session, is_orderly } => write!(f, "closed c{carrier}/{session} {is_orderly}"),
            Seen::Receipt { carrier, number, state } => write!(f, "receipt c{carrier} {number} {state:?}"),
            Seen::Mo { carrier, from, text } => write!(f, "mo c{carrier} {from} {text}"),
            Seen::Unanswered { carrier, session } => write!(f, "unanswered c{carrier}/{session}"),
            Seen::Crossed { first, status } => write!(f, "crossed {first} {status}"),
            Seen::Told { account, event } => {
                let reference = event.client_ref.as_deref().unwrap_or("-");
                let status = event.status.as_deref().unwrap_or("-");
                write!(f, "told a{account} {} {} {reference} {status} {}", event.kind, event.id, event.possible_duplicate)
            }
            Seen::Looked { n, status, possible_duplicate, carrier_ids, .. } => {
                write!(f, "looked {n} {status} {possible_duplicate} {carrier_ids:?}")
            }
            Seen::Found { n, count } => write!(f, "found {n} {count}"),
            Seen::Started => write!(f, "started"),
            Seen::Died => write!(f, "died"),
            Seen::Stopped { is_clean } => write!(f, "stopped {is_clean}"),
            Seen::Clock { error: ClockError { ahead_ms, gains_ppm, .. } } => write!(f, "clock {ahead_ms} {gains_ppm}"),
            Seen::Rules { edition } => write!(f, "rules {edition}"),
            Seen::Fault { kind, carrier, is_on } => {
                write!(f, "fault {kind} {} {}", carrier.map_or(-1, i32::from), if is_on { "on" } else { "off" })
            }
            Seen::Quiet => write!(f, "quiet"),
        }
    }
}
