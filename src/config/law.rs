//! `[rules]` and what accounts say of their own hours: where newer rules and time zones are, whose windows are narrower, and
//! who decided, and why, that some are wider. That the rules exist is checked when they are loaded (`directory::judge`).

use super::limits;
use super::reader::Reader;
use super::rules::{CALENDAR_NAME, NOTE, PATH, QUIET, QuietHours, RULE_ID};
use crate::base::{Span, Time};
use std::path::PathBuf;

/// Where rules are read from, at start and at each reload.
#[derive(Clone, Debug, Default)]
pub struct RuleFiles {
    /// Rule files in place of those in the program.
    pub dir: Option<PathBuf>,
    /// TZif files in place of, or beside, the program's time zones.
    pub zoneinfo_dir: Option<PathBuf>,
}

/// What an account adds to the rules and takes from them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountHours {
    /// Rules that bind all its messages of their class and channel, wherever the recipient is.
    pub rules: Vec<String>,
    /// When it sends no advertising, on the recipient's clock.
    pub quiet: Option<QuietHours>,
    /// Calendars in place of the national ones: `FR-57` for numbers of France.
    pub calendars: Vec<String>,
    /// How long before a window closes nothing leaves any more.
    pub margin: Span,
    /// What it loosens.
    pub overrides: Vec<Override>,
}

/// No account: the rules as they are.
impl Default for AccountHours {
    fn default() -> AccountHours {
        AccountHours { rules: Vec::new(), quiet: None, calendars: Vec::new(), margin: limits::MARGIN.default, overrides: Vec::new() }
    }
}

/// A rule that does not hold as it is, and who answers for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Override {
    /// The rule's id.
    pub rule: String,
    /// `operator_hours`, `consent`, or the id of the rule in its place.
    pub to: String,
    /// Who decided.
    pub by: String,
    /// Why, in their words.
    pub why: String,
    /// From then on the rule holds again.
    pub until: Option<Time>,
}

pub(super) fn read(r: &mut Reader<'_>) -> RuleFiles {
    RuleFiles {
        dir: r.optional_text("dir", "default the rules in the program", &PATH),
        zoneinfo_dir: r.optional_text("zoneinfo_dir", "default the time zones in the program", &PATH),
    }
}

pub(super) fn read_account(r: &mut Reader<'_>) -> AccountHours {
    AccountHours {
        rules: r.texts("rules", &RULE_ID, limits::ACCOUNT_RULES_MAX),
        quiet: r.optional_text("quiet_hours", "optional", &QUIET),
        calendars: r.texts("calendars", &CALENDAR_NAME, limits::ACCOUNT_RULES_MAX),
        margin: r.span("margin", &limits::MARGIN),
        overrides: r.list_of_tables("override", limits::ACCOUNT_RULES_MAX, read_override),
    }
}

fn read_override(r: &mut Reader<'_>) -> Override {
    Override {
        rule: r.required_text("rule", &RULE_ID),
        to: r.required_text("to", &RULE_ID),
        by: r.required_text("by", &NOTE),
        why: r.required_text("why", &NOTE),
        until: r.optional_time("until"),
    }
}
