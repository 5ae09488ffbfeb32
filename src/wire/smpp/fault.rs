//! What to do about a PDU that is wrong, or wrong here (SMPP 3.4 §4.3, §2.3; `pdus.json` malformed).
//!
//! A table of answers, no state: whether the session is bound is an argument.

use super::command;
use super::frame::{BadLength, Header};
use super::pdu::Pdu;
use super::status::Status;

/// A PDU whose length was right and whose body was not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field} cannot be read")]
pub struct DecodeFault {
    /// The command_status that tells the peer.
    pub answer: Status,
    /// The field's name in the specification.
    pub field: &'static str,
}

/// Whether a bind has succeeded on the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// Not yet.
    No,
    /// Yes, in whatever direction.
    Yes,
}

/// What a PDU deserves before anyone looks at what it says. Always with the PDU's own sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reaction {
    /// Go on with it.
    Accept,
    /// Send this response, a header only; the session stays.
    Respond {
        /// The response's command_id.
        command: u32,
        /// Its command_status.
        status: Status,
    },
    /// Send generic_nack; the session stays. Ten of these are enough for a session.
    Nack(Status),
    /// Send generic_nack and close: the stream cannot be followed any more.
    NackAndClose(Status),
    /// Send nothing: a response is never answered. The request of that sequence must be settled by the header alone.
    Ignore,
}

/// What to do with a PDU of this header that decoded to `decoded`.
#[must_use]
pub fn reaction(header: &Header, decoded: Result<&Pdu<'_>, &DecodeFault>, bound: Bound) -> Reaction {
    if command::is_response(header.command) {
        return match decoded {
            Ok(Pdu::Unknown(..)) | Err(_) => Reaction::Ignore,
            Ok(_) => Reaction::Accept,
        };
    }
    if !command::is_known(header.command) {
        return Reaction::Nack(Status::RINVCMDID);
    }
    let binds = matches!(header.command, command::BIND_TRANSMITTER | command::BIND_RECEIVER | command::BIND_TRANSCEIVER);
    // SMPP 5.0 allows enquire_link before the bind, and an unbind then does no harm.
    let anytime = matches!(header.command, command::OUTBIND | command::ENQUIRE_LINK | command::UNBIND);
    match (bound, decoded) {
        (Bound::No, _) if !binds && !anytime => respond(header.command, Status::RINVBNDSTS),
        (Bound::Yes, _) if binds => respond(header.command, Status::RALYBND),
        (_, Err(fault)) => respond(header.command, fault.answer),
        (_, Ok(_)) => Reaction::Accept,
    }
}

/// What to do with a command_length outside the limits.
#[must_use]
pub const fn reaction_to_length(_bad: &BadLength) -> Reaction {
    Reaction::NackAndClose(Status::RINVCMDLEN)
}

fn respond(request: u32, status: Status) -> Reaction {
    match command::response_of(request) {
        command::GENERIC_NACK => Reaction::Nack(status),
        command => Reaction::Respond { command, status },
    }
}
