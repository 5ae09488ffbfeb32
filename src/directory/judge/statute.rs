//! What is in force at one time: rules and zones, and those they replaced. A value that never changes.

use super::case::{Case, Subject, cases};
use super::sources::Sources;
use crate::base::{Span, Time};
use crate::directory::caps::{Limit, kinds};
use crate::directory::hours::written::Frequency;
use crate::directory::hours::{Hours, Rule};
use crate::message::content::Class;
use std::sync::Arc;

/// Rules and zones that were replaced.
#[derive(Clone, Debug)]
pub(super) struct Replaced {
    pub hours: Arc<Hours>,
    /// What they were read from.
    pub sources: Arc<Sources>,
    pub until: Time,
}

/// What is in force.
#[derive(Clone, Debug)]
pub(super) struct Statute {
    pub hours: Arc<Hours>,
    /// What they were read from.
    pub sources: Arc<Sources>,
    pub former: Vec<Replaced>,
    /// Which classes have rules at all.
    pub limits: [bool; Class::ALL.len()],
    /// Whether what the configuration names is still to be read: nothing with rules may go.
    pub is_shut: bool,
    /// Until then it is not known what was replaced, and nothing with rules may go.
    pub unsure_until: Time,
    /// Each has another.
    pub number: u64,
    pub since: Option<Time>,
    /// The `law_stamp` of what is in use: asked at every lease.
    pub stamp: u32,
}

/// What stands in the journal for the versions of rules and time zones by which something was decided: CRC-32C of the two, a
/// line break between them, as `GET /v1/rules` shows them.
#[must_use]
pub fn law_stamp(pack: &str, zones: &str) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(pack.as_bytes()), b"\n"), zones.as_bytes())
}

impl Statute {
    pub(super) fn new(hours: Arc<Hours>, sources: Arc<Sources>, former: Vec<Replaced>, number: u64, since: Option<Time>) -> Statute {
        let has = |class: Class| {
            let all = former.iter().map(|one| &one.hours).chain([&hours]);
            all.flat_map(|hours| hours.pack().rules()).any(|rule| rule.class == class)
        };
        let limits = Class::ALL.map(has);
        let stamp = law_stamp(hours.version().pack, hours.version().zones);
        Statute { limits, hours, sources, former, is_shut: false, unsure_until: Time(i64::MIN), number, since, stamp }
    }

    /// How often all rules allow, those that were replaced and must still allow too.
    pub(super) fn all_limits(&self) -> Vec<Limit> {
        let all = self.former.iter().map(|one| &one.hours).chain([&self.hours]);
        all.flat_map(|hours| hours.pack().rules()).flat_map(of_rule).collect()
    }

    /// What is to be asked about a message; those in use first.
    pub(super) fn cases(&self, subject: &Subject<'_>, now: Time) -> Vec<Case> {
        let mut list = Vec::new();
        cases(subject, &self.hours, None, now, &mut list);
        for one in self.former.iter().filter(|one| now < one.until) {
            cases(subject, &one.hours, Some(one.until), now, &mut list);
        }
        list
    }
}

/// How often a rule allows, and for how long a refusal bars. What it counts is of its class and channels.
pub(super) fn of_rule(rule: &Rule) -> impl Iterator<Item = Limit> + use<> {
    let (kinds, days) = (kinds(&[rule.class], &rule.channels), |days: u64| Span::secs(days * 24 * 3_600));
    let of = |often: Frequency| {
        let period = Limit::new(often.max_attempts, days(u64::from(often.period_days)), kinds);
        let a_day = often.max_per_day.map(|count| Limit::new(count, days(1), kinds));
        let silence = often.cooldown_after_refusal_days.map(|count| Limit::silence(days(u64::from(count)), kinds, &rule.channels));
        [Some(period), a_day, silence].into_iter().flatten()
    };
    rule.frequency.map(of).into_iter().flatten()
}
