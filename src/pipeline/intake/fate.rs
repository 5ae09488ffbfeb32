//! When a message may go, if ever: the customer's schedule first, then the law at that instant, then the law again at each
//! instant it names, until it lets the message go. What cannot go within its lifetime is refused now, not in a week.

use crate::base::Time;
use crate::directory::judge::{Judge, Law, Question, Verdict};
use crate::message::{Composed, Reason};
use crate::pipeline::accept::{Code, Refusal};
use crate::pipeline::journal::Start;

/// How often the law is asked about one message. Each answer is a later instant; windows and caps that chase each other
/// for longer are left to the instant itself: the law is asked again then.
const ROUNDS_MAX: usize = 8;

/// Whether a message counts as sent to its recipient already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// It was never leased: the caps are asked, too.
    NotYet,
    /// It was leased before: the caps would find itself.
    Already,
}

/// When a message is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    /// The present.
    pub now: Time,
    /// Not before; `now` at the earliest.
    pub at: Time,
    /// The first instant at which it is too late.
    pub expires: Time,
}

/// What becomes of a message accepted at `now`.
///
/// # Errors
/// `opted_out`, `no_opening`, `frequency_cap`, `duplicate_content`, `not_now`.
pub fn fate(judge: &mut Judge, law: &Law, question: &Question<'_>, message: &Composed<'_>, now: Time) -> Result<Start, Refusal> {
    let at = message.extras.not_before.unwrap_or(now);
    let due = if at > now { at } else { Time(0) };
    let start = Start { due, why: Reason::Scheduled, group: judge.group(question) };
    let wish = Wish { now, at: at.max(now), expires: now.after(message.lifetime) };
    opening(judge, law, question, start, wish, Counted::NotYet)
}

/// The first instant at which the law lets it go; `start` when that is the one that is wished.
///
/// # Errors
/// As [`fate`].
pub fn opening(
    judge: &mut Judge,
    law: &Law,
    question: &Question<'_>,
    mut start: Start,
    wish: Wish,
    counted: Counted,
) -> Result<Start, Refusal> {
    let mut at = wish.at;
    for _ in 0..ROUNDS_MAX {
        let verdict = match counted {
            Counted::NotYet => judge.foresee(question, wish.now, at),
            Counted::Already => judge.judge(question, at),
        };
        match verdict {
            Verdict::Go { .. } => break,
            Verdict::Refuse { why } => return Err(forbidden(why, law, question, at)),
            Verdict::Hold { until, why } if until >= wish.expires => return Err(too_late(why, until, law, question, at)),
            Verdict::Hold { until, why } => {
                start = Start { due: until, why, ..start };
                // An instant that does not lie ahead would be asked about for ever.
                if until <= at {
                    break;
                }
                at = until;
            }
        }
    }
    Ok(start)
}

/// The law will never let it go.
#[cold]
fn forbidden(why: Reason, law: &Law, question: &Question<'_>, at: Time) -> Refusal {
    let (pointer, detail) = match why {
        Reason::OptedOut => ("/to", "the recipient has opted out"),
        Reason::FrequencyCap => ("/to", "the recipient has had as many as the cap allows"),
        Reason::DuplicateContent => ("/text", "the recipient has had this very text"),
        Reason::NoOpening => {
            let advice = law.advise(question, at);
            let detail = format!("no instant is open under {} in {}", advice.rules.join(", "), advice.zones.join(", "));
            return Refusal::new(Code::NoOpening, "/to", detail);
        }
        _ => ("", "it may not go"),
    };
    Refusal::new(code(why), pointer, detail)
}

/// The law would let it go, but too late.
#[cold]
fn too_late(why: Reason, until: Time, law: &Law, question: &Question<'_>, at: Time) -> Refusal {
    let what = match why {
        Reason::WindowClosed => format!("the hours of {} open", law.advise(question, at).rules.join(", ")),
        Reason::FrequencyCap => "the cap allows another".to_owned(),
        _ => "it may go".to_owned(),
    };
    Refusal::new(code(why), "", format!("{what} at {}, after its lifetime", until.rfc3339()))
}

const fn code(why: Reason) -> Code {
    match why {
        Reason::OptedOut => Code::OptedOut,
        Reason::FrequencyCap => Code::FrequencyCap,
        Reason::DuplicateContent => Code::DuplicateContent,
        Reason::NoOpening | Reason::WindowClosed => Code::NoOpening,
        _ => Code::NotNow,
    }
}
