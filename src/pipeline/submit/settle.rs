//! What a carrier's answer to a submit means. One table for every channel: an answer has been
//! classed before it comes here.

use crate::base::{Span, planted};
use crate::channel::session::Answer;
use crate::message::outcome::{Reason, Status};

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// The part is with the carrier.
    Taken,
    /// Back to the head of the queue.
    PutBack(Reason),
    /// Again at `due`.
    Again { reason: Reason, after: Span },
    /// Over.
    Over(Status, Reason),
}

/// The limits an answer is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Attempts that may be made in all, 1 or more.
    pub attempts_max: u8,
    /// The wait after the first attempt; doubles with each.
    pub retry_min: Span,
    /// The longest wait.
    pub retry_max: Span,
}

/// Judges an answer to attempt number `attempt` (from 1). `jitter` is a random number.
#[must_use]
pub fn settle(answer: Answer<'_>, attempt: u8, limits: &Limits, jitter: u64) -> Settled {
    match answer {
        Answer::Accepted(_) => Settled::Taken,
        Answer::Throttled { .. } if planted::is("throttled-is-refused") => Settled::Over(Status::Rejected, Reason::CarrierRefused),
        Answer::Throttled { .. } if planted::is("throttled-costs-an-attempt") && attempt >= limits.attempts_max => {
            Settled::Over(Status::Rejected, Reason::AttemptsUsedUp)
        }
        Answer::Throttled { .. } if planted::is("throttled-costs-an-attempt") => {
            Settled::Again { reason: Reason::CarrierRefused, after: backoff(attempt, limits, jitter) }
        }
        Answer::Refused { .. } if planted::is("refusal-retried") => Settled::PutBack(Reason::CarrierRefused),
        Answer::Later { .. } if planted::is("temporary-refusal-ends") => Settled::Over(Status::Rejected, Reason::CarrierRefused),
        Answer::Throttled { .. } => Settled::PutBack(Reason::Throttled),
        Answer::WrongSession { .. } => Settled::PutBack(Reason::SessionLost),
        Answer::Refused { .. } => Settled::Over(Status::Rejected, Reason::CarrierRefused),
        Answer::Later { .. } if attempt >= limits.attempts_max => Settled::Over(Status::Rejected, Reason::AttemptsUsedUp),
        Answer::Later { .. } => Settled::Again { reason: Reason::CarrierRefused, after: backoff(attempt, limits, jitter) },
    }
}

/// Doubling from `retry_min` to `retry_max`, with a quarter of jitter so that a carrier's hiccup is not answered
/// by all messages at once.
fn backoff(attempt: u8, limits: &Limits, jitter: u64) -> Span {
    let doubled = limits.retry_min.0.saturating_mul(1 << u32::from(attempt.saturating_sub(1)).min(30));
    let base = doubled.clamp(1, limits.retry_max.0.max(1));
    Span(base - base / 8 + jitter % (base / 4).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { attempts_max: 3, retry_min: Span::secs(5), retry_max: Span::secs(600) };

    #[test]
    fn throttling_never_costs_an_attempt_and_a_refusal_ends_it() {
        for attempt in [1, 3, 200] {
            assert_eq!(settle(Answer::Throttled { command_status: 0x58 }, attempt, &LIMITS, 0), Settled::PutBack(Reason::Throttled));
        }
        assert_eq!(settle(Answer::Refused { command_status: 0xB }, 1, &LIMITS, 0), Settled::Over(Status::Rejected, Reason::CarrierRefused));
    }

    #[test]
    fn temporary_refusals_back_off_until_the_attempts_are_used_up() {
        for (attempt, base) in [(1u8, 5u64), (2, 10)] {
            for jitter in [0, u64::MAX, 12_345_678_901] {
                let Settled::Again { after, .. } = settle(Answer::Later { command_status: 8 }, attempt, &LIMITS, jitter) else { panic!() };
                assert!(after >= Span::secs(base * 7 / 8) && after <= Span::millis(base * 1_125), "{after:?}");
            }
        }
        assert_eq!(settle(Answer::Later { command_status: 8 }, 3, &LIMITS, 0), Settled::Over(Status::Rejected, Reason::AttemptsUsedUp));
        assert!(backoff(60, &LIMITS, u64::MAX) <= Span::secs(675));
    }
}
