//! What several cases say together: open when all are, until the first closes; closed until all are open at one instant. With
//! one case that is what `Hours::decide` says.

use super::case::Case;
use super::question::Verdict;
use crate::base::{Span, Time};
use crate::directory::hours::{HoursCache, Reason as Why};
use crate::message::outcome::Reason;
use foldhash::fast::FixedState;
use std::hash::BuildHasher;

/// When to ask again about a clock that cannot be right.
const CLOCK_AGAIN: Span = Span::secs(60);
/// When to ask again about holidays that nobody has announced yet.
const TABLE_AGAIN: Span = Span::secs(3_600);
/// How often an opening that one case offers is put to the others, before it is left to the next question.
const ROUNDS_MAX: usize = 64;
/// The end of what nothing closes.
pub(super) const NEVER_CLOSES: Time = Time(i64::MAX);

/// What all cases say together. `stale_at`: until when the rules are these.
pub(super) fn verdict(cases: &[Case], sheets: &mut HoursCache, stale_at: Time, now: Time) -> Verdict {
    let mut at = now;
    for _ in 0..ROUNDS_MAX {
        let (mut closes, mut opens) = (stale_at, None);
        for case in cases.iter().filter(|case| case.binds(at)) {
            let decision = case.decide(sheets, at);
            if decision.allowed {
                // Rules that were replaced do not close any more after their last day.
                let end = decision.closes_at.filter(|end| case.binds(*end)).unwrap_or(NEVER_CLOSES);
                closes = closes.min(end);
                continue;
            }
            let next = match (decision.next_open, decision.reason, case.until) {
                (Some(next), _, None) => next,
                (Some(next), _, Some(until)) => next.min(until),
                (None, Why::OutOfRange, _) if at == now => return hold(now, CLOCK_AGAIN, Reason::ClockUnsure),
                (None, Why::Untabled { .. }, _) => return hold(now, TABLE_AGAIN, Reason::WindowClosed),
                (None, _, Some(until)) => until,
                (None, _, None) => return Verdict::Refuse { why: Reason::NoOpening },
            };
            opens = opens.max(Some(next));
        }
        match opens {
            None if at == now => return Verdict::Go { closes },
            None => break,
            // Another case may be closed then.
            Some(next) => at = next,
        }
    }
    Verdict::Hold { until: at, why: Reason::WindowClosed }
}

/// Ask again a span later.
pub(super) fn hold(now: Time, span: Span, why: Reason) -> Verdict {
    Verdict::Hold { until: Time(now.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))), why }
}

/// A number from the contents, so that all judges of one law agree on it.
pub(super) fn group(cases: &[Case]) -> u16 {
    if cases.is_empty() {
        return 0;
    }
    let hasher = FixedState::default();
    let all = cases.iter().fold(0u64, |all, case| all.rotate_left(7) ^ hasher.hash_one(case.ask()));
    1 + (all % u64::from(u16::MAX)) as u16
}
