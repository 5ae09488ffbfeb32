//! The values a text is filled in with: those of its line, and for a text that is made when it is sent, what the clock
//! shows at its recipient's. A value of the line goes before the clock's of the same name.

use crate::message::{LateText, Moment};
use crate::pipeline::accept::Params;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// What a clock shows: `now` (`2026-12-01T09:00:00+01:00`) and `today` (`2026-12-01`), as the filter `date` reads them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clock {
    now: String,
}

impl Clock {
    /// At a moment. What no calendar has is the beginning of 1970.
    #[must_use]
    pub fn at(moment: Moment) -> Clock {
        let offset = Offset::from_seconds(moment.offset).unwrap_or(Offset::UTC);
        let at = Timestamp::from_second(moment.at.0.div_euclid(1_000)).unwrap_or(Timestamp::UNIX_EPOCH);
        let local: DateTime = offset.to_datetime(at);
        let (sign, minutes) = (if offset.seconds() < 0 { '-' } else { '+' }, offset.seconds().unsigned_abs() / 60);
        Clock { now: format!("{}{sign}{:02}:{:02}", local.strftime("%Y-%m-%dT%H:%M:%S"), minutes / 60, minutes % 60) }
    }

    fn values(&self) -> [(&str, &str); 2] {
        [("now", &self.now), ("today", self.now.split('T').next().unwrap_or_default())]
    }
}

/// Where the values of a line are.
#[derive(Clone, Copy)]
pub enum Given<'v> {
    /// In a request.
    Params(Params<'v>),
    /// In a record.
    Late(&'v LateText),
}

/// See the module.
#[derive(Clone, Copy)]
pub struct Values<'v> {
    /// The line's.
    pub given: Given<'v>,
    /// The clock's, for a text that is made when it is sent.
    pub clock: Option<&'v Clock>,
}

impl<'v> Values<'v> {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'v str> {
        let given = match self.given {
            Given::Params(params) => params.get(name),
            Given::Late(text) => text.params().find(|(other, _)| *other == name).map(|(_, value)| value),
        };
        given.or_else(|| self.clock?.values().into_iter().find(|(other, _)| *other == name).map(|(_, value)| value))
    }

    /// All names and values; of two of a name the first counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'v str, &'v str)> + use<'v> {
        let (params, text) = match self.given {
            Given::Params(params) => (Some(params), None),
            Given::Late(text) => (None, Some(text)),
        };
        let clock = self.clock.into_iter().flat_map(Clock::values);
        params.into_iter().flat_map(|params| params.iter()).chain(text.into_iter().flat_map(LateText::params)).chain(clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;

    #[test]
    fn a_clock_shows_the_wall_of_its_place() {
        // 2026-12-01T08:00:00.999Z.
        for (offset, now) in [
            (0, "2026-12-01T08:00:00+00:00"),
            (3_600, "2026-12-01T09:00:00+01:00"),
            (-34_200, "2026-11-30T22:30:00-09:30"),
            (50_400, "2026-12-01T22:00:00+14:00"),
        ] {
            let clock = Clock::at(Moment { at: Time(1_796_112_000_999), offset });
            assert_eq!(clock.values(), [("now", now), ("today", &now[..10])]);
        }
        for at in [i64::MIN, -1, i64::MAX] {
            assert!(Clock::at(Moment { at: Time(at), offset: i32::MIN }).now.ends_with(":00"), "{at}");
        }
    }

    #[test]
    fn a_value_of_the_line_goes_before_the_clocks() {
        let text = LateText { params: ["today", "never", "a", "b"].map(str::to_owned).to_vec(), ..LateText::default() };
        let clock = Clock::at(Moment { at: Time(0), offset: 0 });
        let values = Values { given: Given::Late(&text), clock: Some(&clock) };
        assert_eq!((values.get("today"), values.get("now"), values.get("b")), (Some("never"), Some("1970-01-01T00:00:00+00:00"), None));
        assert_eq!(values.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["today", "a", "now", "today"]);
    }
}
