//! May it go: what the desk asks the judge, and what it holds back of itself whatever the judge says (the customer's own
//! instant, a clock that jumped, advertising after a long absence).
//!
//! Asked when a message is leased and again when it is written. Nothing here reads a clock.

use crate::base::{MessageRef, Span, Time};
use crate::directory::judge::{Jury, Question, Verdict};
use crate::message::event::Moved;
use crate::message::outcome::{Reason, Status};
use crate::message::{Class, record::MessageRecord};
use crate::pipeline::schedule::clock::Clock;
use crate::storage::FrameHead;
use hashbrown::HashMap;

/// The instant of what waits until somebody lets it go.
pub(super) const UNKNOWN: Time = Time(i64::MAX);

/// Whether advertising waits for a person after a long absence (promises: Revival).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Revival {
    /// It waits.
    Held,
    /// It goes.
    Over,
}

/// How often a message was asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// It would be its first lease: what goes counts as sent to the recipient.
    First,
    /// It was leased before, and nothing of it can be at the carrier.
    Again,
    /// Some of it may be at the carrier.
    Begun,
}

/// What follows for a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ruling {
    /// It may go until `closes`, excluded.
    Go { closes: Time },
    /// Not before `until`.
    Hold { until: Time, why: Reason },
    /// Never.
    Over { status: Status, reason: Reason },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Law {
    pub(super) jury: Box<dyn Jury>,
    pub(super) revival: Revival,
    pub(super) clock: Clock,
    /// What customers have changed of messages that wait.
    pub(super) moved: HashMap<MessageRef, Moved, foldhash::fast::RandomState>,
}

impl Law {
    pub(super) fn new(jury: Box<dyn Jury>) -> Law {
        Law { jury, revival: Revival::Over, clock: Clock::Sure, moved: HashMap::default() }
    }

    /// A record as its customer wants it by now: the lifetime he has set anew takes the place of the one in the journal.
    pub(super) fn amend(&self, at: MessageRef, accepted: Time, record: &mut MessageRecord) {
        if !self.moved.is_empty()
            && let Some(expires) = self.moved.get(&at).and_then(|moved| moved.expires)
        {
            record.lifetime_ms = expires.since(accepted).as_millis();
        }
    }

    /// Whether a message may go at `now`; its record is an amended one.
    pub(super) fn rule(&mut self, at: MessageRef, record: &MessageRecord, head: &FrameHead, asked: Asked, now: Time) -> Ruling {
        let expires = record.expires(head.accepted);
        let is_sure = self.clock == Clock::Sure;
        let unsure = Ruling::Hold { until: UNKNOWN, why: Reason::ClockUnsure };
        let is_ignored =
            crate::base::planted::is("expiry-ignored") || (asked != Asked::First && crate::base::planted::is("expiry-ignored-at-write"));
        if expires <= now && !is_ignored {
            // To end is for ever, and the clock may be wrong.
            return if is_sure { Ruling::Over { status: Status::Expired, reason: Reason::LifetimeOver } } else { unsure };
        }
        let moved = if self.moved.is_empty() { None } else { self.moved.get(&at).and_then(|moved| moved.due) };
        let not_before = moved.or(record.not_before()).filter(|due| *due > now);
        if let Some(due) = not_before {
            return match asked {
                Asked::Begun => Ruling::Hold { until: due.min(expires), why: Reason::Scheduled },
                _ if due >= expires && is_sure => Ruling::Over { status: Status::Expired, reason: Reason::LifetimeOver },
                _ => Ruling::Hold { until: due, why: Reason::Scheduled },
            };
        }
        let class = record.class_of();
        if self.revival == Revival::Held && class == Class::Marketing {
            return Ruling::Hold { until: UNKNOWN, why: Reason::Revival };
        }
        let question = Question::of(&head.lane.account, record);
        // What will not go although it may must not count as sent.
        let counts = asked == Asked::First && is_sure;
        let verdict = if counts { self.jury.spend(&question, now) } else { self.jury.judge(&question, now) };
        match verdict {
            Verdict::Go { closes } if is_sure => Ruling::Go { closes },
            Verdict::Go { closes } if closes != UNKNOWN || class == Class::Marketing => unsure,
            Verdict::Go { .. } if asked == Asked::First => match self.jury.spend(&question, now) {
                Verdict::Go { closes } => Ruling::Go { closes },
                _ => unsure,
            },
            Verdict::Go { closes } => Ruling::Go { closes },
            Verdict::Hold { until, why } if until < expires || !is_sure => {
                Ruling::Hold { until: until.max(now.after(Span::millis(1))), why }
            }
            Verdict::Hold { until: UNKNOWN, why } => Ruling::Hold { until: UNKNOWN, why },
            Verdict::Hold { why, .. } if asked == Asked::Begun => Ruling::Hold { until: expires, why },
            // The recipient will have had enough for longer than it lives.
            Verdict::Hold { why: Reason::FrequencyCap, .. } => Ruling::Over { status: Status::Expired, reason: Reason::FrequencyCap },
            Verdict::Hold { why, .. } => self.closed_for_good(&question, why, head.accepted),
            Verdict::Refuse { why: Reason::NoOpening } if !is_sure => unsure,
            Verdict::Refuse { why } => Ruling::Over { status: Status::Refused, reason: why },
        }
    }

    /// Whether the recipient does not want it.
    pub(super) fn is_stopped(&mut self, record: &MessageRecord, head: &FrameHead, now: Time) -> bool {
        let verdict = self.jury.judge(&Question::of(&head.lane.account, record), now);
        verdict == Verdict::Refuse { why: Reason::OptedOut }
    }

    /// Seconds by which the recipient's clock is ahead of UTC.
    pub(super) fn offset(&mut self, head: &FrameHead, record: &MessageRecord, otherwise: &str, now: Time) -> i32 {
        self.jury.offset(&Question::of(&head.lane.account, record), otherwise, now)
    }

    /// It opens only after its lifetime: whether it could ever have gone tells the two ends apart.
    fn closed_for_good(&mut self, question: &Question<'_>, why: Reason, accepted: Time) -> Ruling {
        let never = why == Reason::WindowClosed && !matches!(self.jury.judge(question, accepted), Verdict::Go { .. });
        if never {
            Ruling::Over { status: Status::Refused, reason: Reason::NoOpening }
        } else {
            Ruling::Over { status: Status::Expired, reason: Reason::LifetimeOver }
        }
    }
}
