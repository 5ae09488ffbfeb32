//! Instants and spans. Wall time decides what is legal and what has expired; monotonic time decides
//! timers, rates and time-outs (`docs/adr/0003-time.md`). Neither type can read a clock: `now` is an argument.

use std::fmt;
use std::ops::{Add, Sub};

/// A wall-clock instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

/// A monotonic instant: microseconds since the process (or the simulation) began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Mono(pub u64);

/// A length of time, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span(pub u64);

impl Span {
    /// A span of zero.
    pub const ZERO: Span = Span(0);
    /// From microseconds.
    #[must_use]
    pub const fn micros(n: u64) -> Span {
        Span(n)
    }
    /// From milliseconds.
    #[must_use]
    pub const fn millis(n: u64) -> Span {
        Span(n.saturating_mul(1_000))
    }
    /// From seconds.
    #[must_use]
    pub const fn secs(n: u64) -> Span {
        Span(n.saturating_mul(1_000_000))
    }
    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }
    /// Seconds as a fraction, for histograms.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// The standard library's form, for timers at the edge.
    #[must_use]
    pub const fn std(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0)
    }
}

impl Time {
    /// The later instant, `span` after `self` (milliseconds are the resolution).
    #[must_use]
    pub const fn after(self, span: Span) -> Time {
        Time(self.0.saturating_add((span.0 / 1_000) as i64))
    }
    /// How long after `earlier` this is; zero when the clock went back.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Span {
        let ms = self.0.saturating_sub(earlier.0);
        if ms <= 0 { Span::ZERO } else { Span::millis(ms as u64) }
    }
    /// RFC 3339 in UTC with milliseconds, as the API prints it.
    #[must_use]
    pub fn rfc3339(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => format!("{t:.3}"),
            Err(_) => String::from("invalid"),
        }
    }
    /// Parses RFC 3339 with an offset; `None` for anything else.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Time> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Time(t.as_millisecond()))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl Mono {
    /// How long after `earlier` this is; zero when it is not.
    #[must_use]
    pub const fn since(self, earlier: Mono) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Mono {
    type Output = Mono;
    fn add(self, span: Span) -> Mono {
        Mono(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Mono {
    type Output = Mono;
    fn sub(self, span: Span) -> Mono {
        Mono(self.0.saturating_sub(span.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_goes_both_ways() {
        let t = Time(1_764_576_000_123);
        assert_eq!(t.rfc3339(), "2025-12-01T08:00:00.123Z");
        assert_eq!(Time::parse_rfc3339("2025-12-01T09:00:00.123+01:00"), Some(t));
        assert_eq!(Time::parse_rfc3339("2025-12-01 09:00"), None);
    }

    #[test]
    fn a_clock_that_goes_back_gives_a_zero_span() {
        assert_eq!(Time(5).since(Time(9)), Span::ZERO);
        assert_eq!(Mono(5).since(Mono(9)), Span::ZERO);
    }
}
