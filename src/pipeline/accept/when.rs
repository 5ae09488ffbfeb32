//! From when and until when a message may be sent: the customer's schedule, his expiry, and what the account allows.
//! Lifetimes count from the instant a message is scheduled for: what is planned for the spring does not die in winter.

use crate::base::{Span, Time};
use crate::config::limits::SCHEDULE_AHEAD_MAX;
use crate::pipeline::accept::fault::{Code, Refusal};
use crate::pipeline::accept::options::{Expiry, Schedule};

/// An instant that is over by no more is now: clocks differ, and requests take their time. Older ones are mistakes
/// (last year's date), and to send at once is the worst that could be made of them.
const OVER_MAX: Span = Span::secs(300);

/// When a message may be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct When {
    /// Not before; `None` is at once.
    pub(super) not_before: Option<Time>,
    /// How long after acceptance it may be sent; more than zero.
    pub(super) lifetime: Span,
}

/// Reads schedule and expiry. `usual` and `longest` are the account's lifetimes.
///
/// # Errors
/// `schedule_out_of_range`, `lifetime_out_of_range`, `conflicting_fields` (expiry before schedule).
pub(super) fn when(schedule: Option<Schedule>, expiry: Option<Expiry>, (usual, longest): (Span, Span), now: Time) -> Result<When, Refusal> {
    let Some(schedule) = schedule else {
        return Ok(When { not_before: None, lifetime: lifetime(expiry, usual, longest, now)? });
    };
    let (at, pointer) = match schedule {
        Schedule::At(at) => (at, "/send_at"),
        Schedule::After(after) => (now.after(after), "/send_after"),
    };
    if now.since(at) > OVER_MAX {
        return Err(Refusal::new(Code::ScheduleOutOfRange, pointer, "the instant is over"));
    }
    if at.since(now) > SCHEDULE_AHEAD_MAX {
        return Err(Refusal::new(Code::ScheduleOutOfRange, pointer, "at most 800 days ahead"));
    }
    if at <= now {
        return Ok(When { not_before: None, lifetime: lifetime(expiry, usual, longest, now)? });
    }
    if let Some(Expiry::At(end)) = expiry
        && now < end
        && end <= at
    {
        return Err(Refusal::new(Code::ConflictingFields, "/expires_at", format!("it is over before {}", &pointer[1..])));
    }
    let lifetime = lifetime(expiry, usual, longest, at)?;
    Ok(When { not_before: Some(at), lifetime: Span(at.since(now).0 + lifetime.0) })
}

/// How long after `from` it may be sent.
fn lifetime(expiry: Option<Expiry>, usual: Span, longest: Span, from: Time) -> Result<Span, Refusal> {
    let (lifetime, pointer) = match expiry {
        None => return Ok(usual.min(longest)),
        Some(Expiry::In(seconds)) => (Span::secs(u64::from(seconds)), "/expires_in"),
        Some(Expiry::At(at)) => (at.since(from), "/expires_at"),
    };
    if lifetime == Span::ZERO {
        return Err(Refusal::new(Code::LifetimeOutOfRange, pointer, "the instant is over"));
    }
    if lifetime > longest {
        return Err(Refusal::new(Code::LifetimeOutOfRange, pointer, format!("at most {} seconds", longest.as_millis() / 1_000)));
    }
    Ok(lifetime)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_800_000_000_000);
    const DAY: Span = Span::secs(86_400);
    const BOUNDS: (Span, Span) = (DAY, Span::secs(14 * 86_400));

    #[test]
    fn a_lifetime_counts_from_the_instant_it_is_scheduled_for() {
        let spring = NOW.after(Span::secs(90 * 86_400));
        let read = |schedule, expiry| when(schedule, expiry, BOUNDS, NOW);
        let lives = |not_before, days: u64| Ok(When { not_before, lifetime: Span::secs(days * 86_400) });
        assert_eq!(read(None, None), lives(None, 1));
        assert_eq!(read(Some(Schedule::At(spring)), None), lives(Some(spring), 91));
        assert_eq!(read(Some(Schedule::After(Span::secs(90 * 86_400))), Some(Expiry::In(2 * 86_400))), lives(Some(spring), 92));
        assert_eq!(read(Some(Schedule::At(spring)), Some(Expiry::At(spring.after(DAY)))), lives(Some(spring), 91));
        // Two years ahead are allowed.
        let far = NOW.after(Span::secs(731 * 86_400));
        assert_eq!(read(Some(Schedule::At(far)), None), lives(Some(far), 732));
    }

    #[test]
    fn an_instant_that_is_just_over_is_now_and_an_older_one_a_mistake() {
        let read =
            |ms: i64| when(Some(Schedule::At(Time(NOW.0 - ms))), None, BOUNDS, NOW).map_err(|refusal| (refusal.code, refusal.pointer));
        assert_eq!(read(0), Ok(When { not_before: None, lifetime: DAY }));
        assert_eq!(read(300_000), Ok(When { not_before: None, lifetime: DAY }));
        assert_eq!(read(300_001), Err((Code::ScheduleOutOfRange, "/send_at".into())));
        assert_eq!(read(-801 * 86_400_000), Err((Code::ScheduleOutOfRange, "/send_at".into())));
        assert_eq!(read(i64::MIN / 2), Err((Code::ScheduleOutOfRange, "/send_at".into())));
        let zero = when(Some(Schedule::After(Span::ZERO)), None, BOUNDS, NOW);
        assert_eq!(zero, Ok(When { not_before: None, lifetime: DAY }));
    }

    #[test]
    fn an_expiry_before_the_schedule_contradicts_it() {
        let at = NOW.after(DAY);
        let read = |end| when(Some(Schedule::At(at)), Some(Expiry::At(end)), BOUNDS, NOW).map_err(|refusal| refusal.code);
        assert_eq!(read(at), Err(Code::ConflictingFields));
        assert_eq!(read(NOW.after(Span::secs(60))), Err(Code::ConflictingFields));
        assert_eq!(read(NOW), Err(Code::LifetimeOutOfRange));
        assert_eq!(read(at.after(Span::secs(15 * 86_400))), Err(Code::LifetimeOutOfRange));
    }
}
