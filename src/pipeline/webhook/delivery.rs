//! The words between an endpoint's machine and the courier: what is to be sent, and what became of it.

use crate::base::{Mono, Span, Time};
use crate::pipeline::webhook::backoff::Backoff;
use crate::pipeline::webhook::body;
use crate::pipeline::webhook::tell::Telling;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// How an endpoint is treated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Events in one POST, at least 1.
    pub max_batch: usize,
    /// Octets in one POST's body (a single event may exceed it).
    pub body_max: usize,
    /// How long an event is tried before it is given up.
    pub retry_for: Span,
    /// The waits in between.
    pub backoff: Backoff,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { max_batch: 100, body_max: 256 * 1024, retry_for: Span::secs(24 * 3_600), backoff: Backoff::default() }
    }
}

/// Both clocks: waits are monotonic, ages are by the wall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// The wall clock.
    pub wall: Time,
    /// The monotonic clock.
    pub mono: Mono,
}

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Any 2xx.
    Taken,
    /// A definite 4xx: the same octets will not be taken later either.
    Refused(u16),
    /// To be tried again.
    Failed(Failure),
    /// 410: nothing more is sent until the gateway or its configuration is loaded anew.
    Gone,
}

/// Why a delivery is to be tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The endpoint answered so; it may have said when to come back.
    Answered { status: u16, retry_after: Option<Span> },
    /// Connected, sent, and no answer in time or a broken one.
    Silent,
    /// No connection: name, address, port or TLS.
    Unreachable,
    /// Its name leads to an address that may not be reached.
    Forbidden,
}

impl Outcome {
    /// What an HTTP status means.
    #[must_use]
    pub const fn of_status(status: u16, retry_after: Option<Span>) -> Outcome {
        match status {
            200..=299 => Outcome::Taken,
            410 => Outcome::Gone,
            408 | 425 | 429 => Outcome::Failed(Failure::Answered { status, retry_after }),
            400..=499 => Outcome::Refused(status),
            _ => Outcome::Failed(Failure::Answered { status, retry_after }),
        }
    }

    /// In words for an operator: no URL, no address.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Outcome::Taken => "taken".into(),
            Outcome::Gone => "answered 410".into(),
            Outcome::Refused(status) | Outcome::Failed(Failure::Answered { status, .. }) => format!("answered {status}"),
            Outcome::Failed(Failure::Silent) => "no answer".into(),
            Outcome::Failed(Failure::Unreachable) => "not reachable".into(),
            Outcome::Failed(Failure::Forbidden) => "address not allowed".into(),
        }
    }
}

impl Failure {
    /// Whether an event, rather than the endpoint, may be the cause: a receiver that breaks on it. 429 and
    /// gateways' answers (502 to 504) speak of the endpoint.
    pub(super) const fn may_be_the_event(self) -> bool {
        matches!(self, Failure::Silent | Failure::Answered { status: 500 | 501 | 505..=599, .. })
    }
}

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Send it, then `settle`.
    Send(Delivery),
    /// Nothing before this instant, unless the endpoint is offered more and was not waiting for a failure.
    Wait(Mono),
    /// Nothing until more is offered.
    Idle,
    /// The endpoint said 410.
    Gone,
}

/// A POST.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// `webhook-id`: the same for the same events, also after a restart.
    pub id: String,
    /// The body.
    pub body: Bytes,
    /// How many events.
    pub count: usize,
    /// When the oldest of them happened.
    pub oldest: Time,
}

/// Totals since the start, and what is parked now.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Events taken.
    pub taken: u64,
    /// Deliveries that were not taken.
    pub failed: u64,
    /// Events given up.
    pub dead: u64,
    /// Dead letters dropped because there were `DEAD_MAX`.
    pub dropped: u64,
    /// Events set aside now.
    pub parked: usize,
}

impl Delivery {
    /// The events as one POST.
    pub(super) fn of<'a>(tellings: impl Iterator<Item = &'a Telling> + Clone) -> Delivery {
        let (mut count, mut bytes, mut hash, mut oldest) = (0, 0, Sha256::new(), Time(i64::MAX));
        for telling in tellings.clone() {
            count += 1;
            oldest = oldest.min(telling.when);
            bytes += telling.json.len() + 1;
            hash.update(telling.message.to_le_bytes());
            hash.update([telling.seq]);
        }
        let mut id = String::from("whk_");
        for octet in &hash.finalize()[..12] {
            let _ = write!(id, "{octet:02x}");
        }
        Delivery { id, body: body::array(tellings.map(|telling| &telling.json[..]), bytes).into(), count, oldest }
    }
}
