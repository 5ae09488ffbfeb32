//! Names turned into numbers, once, so that a question costs no text. A reference belongs to the rules and zones it was made
//! from: used with others it is stale, and stale means closed.

use super::rule::Tier;
use crate::base::time::Span;

/// A rule of one `Hours`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RuleRef {
    pub(super) stamp: u32,
    pub(super) number: u16,
    pub(super) tier: Tier,
}

/// A time zone of one `Hours`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Zone {
    pub(super) stamp: u32,
    pub(super) number: u16,
}

impl Zone {
    /// Its place in the database: below 2,600.
    pub(in crate::directory) const fn number(self) -> u16 {
        self.number
    }
}

/// Whose holidays close.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CalendarRef {
    /// Each rule's own calendar; none for a rule that takes the recipient's.
    #[default]
    OfRules,
    /// This one, in place of the rules' own. A rule that ignores holidays goes on ignoring them.
    Named(CalendarNumber),
}

/// A calendar of one `Hours`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CalendarNumber {
    pub(super) stamp: u32,
    pub(super) number: u16,
}

/// What is asked, but for the instant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ask<'a> {
    /// All must allow. None: nothing limits the hours (transactional messages).
    pub rules: &'a [RuleRef],
    /// The recipient's candidate zones: it must be allowed in each. None with rules: closed.
    pub zones: &'a [Zone],
    /// Whose holidays.
    pub calendar: CalendarRef,
    /// How long before closing no message goes any more, because carriers queue. Whole seconds count.
    pub margin: Span,
}
