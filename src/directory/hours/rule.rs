//! One send-window rule, ready to be asked: which minutes of a civil day are open. Local wall clock only; zones are `open.rs`.
//! Special days and eves narrow the week's windows, they never widen them.

use super::written::Frequency;
use crate::directory::calendar::Day;
use crate::message::content::Channel;
use crate::message::content::Class;
use std::borrow::Cow;

/// Minutes of a day, `from` open, `to` closed; `to` at most 1440.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Minutes {
    pub from: u16,
    pub to: u16,
}

/// The windows of a week, Monday first; each day's in order and apart.
pub type Week = [Box<[Minutes]>; 7];

/// Who says so; a stronger one binds more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Basis {
    /// Nobody: our prudence for countries without a rule.
    Default,
    /// Advice of an authority or the trade.
    Guidance,
    /// An industry code.
    Code,
    /// Operators block it.
    Operator,
    /// A statute.
    Law,
}

impl Basis {
    pub(super) fn parse(word: &str) -> Option<Basis> {
        let words = ["default", "guidance", "code", "operator", "law"];
        let all = [Basis::Default, Basis::Guidance, Basis::Code, Basis::Operator, Basis::Law];
        words.iter().position(|one| *one == word).map(|at| all[at])
    }
}

/// Which holidays close a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holidays {
    /// None.
    Ignored,
    /// Those of this calendar of the pack, unless the question names another.
    Of(u16),
    /// Those of the calendar the question names; none when it names none.
    OfRecipient,
}

/// Which of a rule's windows hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tier {
    /// The rule's windows: always, unless somebody overrode it.
    Recommended,
    /// What operators still let pass: only by an override (`loosen.rs`).
    Operator,
}

/// Month and day, and the windows that narrow that day.
pub(super) type Special = ((u8, u8), Box<[Minutes]>);

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// `FR-sms`, `US-FL`.
    pub id: Box<str>,
    /// ISO 3166, or `*`; empty: by name only.
    pub country: Box<str>,
    /// The part of the country; empty for the whole.
    pub state: Box<str>,
    /// The channels as written.
    pub channels: Vec<Channel>,
    /// The class of messages it binds.
    pub class: Class,
    /// Who says so.
    pub basis: Basis,
    /// Whether a recipient's proven consent lifts the hours.
    pub consent_lifts: bool,
    /// How often, for those who count.
    pub frequency: Option<Frequency>,
    /// Where it is written.
    pub sources: Vec<String>,
    /// What else to know.
    pub note: Box<str>,
    pub(super) week: Week,
    pub(super) operator_week: Option<Week>,
    pub(super) eve: Option<Box<[Minutes]>>,
    pub(super) special: Vec<Special>,
    pub(super) holidays: Holidays,
}

impl Rule {
    /// Whether it binds a channel. A picture message is no less a message: a rule that names SMS alone binds it too.
    #[must_use]
    pub fn speaks(&self, channel: Channel) -> bool {
        self.channels.contains(&channel) || channel == Channel::Mms && self.channels.contains(&Channel::Sms)
    }

    /// The open minutes of a day that is no holiday. `eve`: the next day is one.
    pub(super) fn windows(&self, tier: Tier, day: Day, eve: bool) -> Cow<'_, [Minutes]> {
        let week = match (tier, &self.operator_week) {
            (Tier::Operator, Some(week)) => week,
            _ => &self.week,
        };
        let mut windows = Cow::Borrowed(&*week[day.weekday() as usize]);
        let (_, month, date) = day.parts();
        let special = self.special.iter().find(|(one, _)| *one == (month, date)).map(|(_, windows)| windows);
        for narrower in special.into_iter().chain(self.eve.as_ref().filter(|_| eve)) {
            windows = Cow::Owned(both(&windows, narrower));
        }
        windows
    }
}

/// The minutes in both lists.
fn both(a: &[Minutes], b: &[Minutes]) -> Vec<Minutes> {
    let meet = |x: &Minutes, y: &Minutes| Minutes { from: x.from.max(y.from), to: x.to.min(y.to) };
    a.iter().flat_map(|x| b.iter().map(move |y| meet(x, y))).filter(|one| one.from < one.to).collect()
}

/// `08:00-20:00`; `24:00` is the end of the day.
pub(super) fn minutes(text: &str) -> Option<Minutes> {
    let clock = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let digits = hours.len() == 2 && minutes.len() == 2 && text.bytes().all(|octet| octet.is_ascii_digit() || octet == b':');
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (digits && minutes < 60 && hours * 60 + minutes <= 1_440).then_some(hours * 60 + minutes)
    };
    let (from, to) = text.split_once('-')?;
    let (from, to) = (clock(from)?, clock(to)?);
    (from < to).then_some(Minutes { from, to })
}

/// A day's list: in order, apart.
pub(super) fn day(texts: &[String]) -> Option<Box<[Minutes]>> {
    let list: Box<[Minutes]> = texts.iter().map(|text| minutes(text)).collect::<Option<_>>()?;
    list.windows(2).all(|pair| pair[0].to < pair[1].from).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_two_clock_times_in_order() {
        assert_eq!(minutes("08:00-20:30"), Some(Minutes { from: 480, to: 1_230 }));
        assert_eq!(minutes("00:00-24:00"), Some(Minutes { from: 0, to: 1_440 }));
        for text in
            ["8:00-20:00", "08:00", "20:00-08:00", "08:00-08:00", "08:60-09:00", "24:01-25:00", "+8:00-09:00", "99:99-99:99", "08:00-24:01"]
        {
            assert_eq!(minutes(text), None, "{text}");
        }
        assert_eq!(day(&["10:00-13:00".into(), "12:00-20:00".into()]), None);
    }

    #[test]
    fn narrower_windows_never_widen_the_week() {
        let week = [Minutes { from: 600, to: 780 }, Minutes { from: 840, to: 1_200 }];
        assert_eq!(both(&week, &[Minutes { from: 0, to: 860 }]), [Minutes { from: 600, to: 780 }, Minutes { from: 840, to: 860 }]);
        assert_eq!(both(&week, &[Minutes { from: 780, to: 840 }]), []);
    }
}
