//! What the law is and what it would say, for people: answers of the interface and lines of the log.

use super::question::Verdict;
use crate::base::Time;

/// What a judge would say, with its reasons.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advice {
    /// What it would say.
    pub verdict: Verdict,
    /// `Reason::word` of the first rules that say no, else of those that allow.
    pub reason: &'static str,
    /// The ids of all rules asked.
    pub rules: Vec<String>,
    /// The names of all zones asked.
    pub zones: Vec<String>,
    /// The version in use.
    pub version: String,
}

/// What is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Overview {
    /// The version of the rules.
    pub pack: String,
    /// The version of the time zones.
    pub zones: String,
    /// When they were loaded.
    pub since: Option<Time>,
    /// Whether nothing with rules may go yet, because the configured files were not read.
    pub is_shut: bool,
    /// Until when nothing with rules may go, because it was lost what was replaced.
    pub unsure_until: Option<Time>,
    /// What was replaced and must still allow.
    pub former: Vec<Former>,
    /// Holiday tables in their last year or past it.
    pub endings: Vec<Ending>,
    /// What accounts have loosened.
    pub loosened: Vec<Loosened>,
}

/// Rules and zones that were replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Former {
    /// Theirs.
    pub version: String,
    /// When they are not asked any more.
    pub until: Time,
}

/// A holiday table that is about to end or has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// The calendar.
    pub calendar: String,
    /// The last year it knows: from the next on its rules are closed.
    pub last_year: i32,
}

/// One override.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loosened {
    /// Whose.
    pub account: String,
    /// Which rule.
    pub rule: String,
    /// To what.
    pub to: String,
    /// Who decided.
    pub by: String,
    /// Why.
    pub why: String,
    /// From when on the rule holds again.
    pub until: Option<Time>,
    /// Whether it holds again.
    pub is_over: bool,
}
