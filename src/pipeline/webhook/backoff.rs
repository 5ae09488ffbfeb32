//! How long to wait before trying again: doubling, with full jitter, so that endpoints which failed together do
//! not come back together.

use crate::base::Span;

/// The shortest wait, so that a draw near zero is not a hammer.
const LEAST: Span = Span::millis(50);

/// A doubling wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// The upper bound after the first failure.
    pub first: Span,
    /// The upper bound after many.
    pub cap: Span,
}

impl Default for Backoff {
    /// 1 s, 2 s, 4 s … 1 h.
    fn default() -> Backoff {
        Backoff { first: Span::secs(1), cap: Span::secs(3_600) }
    }
}

impl Backoff {
    /// The longest wait after so many failures in a row (at least 1).
    #[must_use]
    pub fn bound(&self, failures: u32) -> Span {
        let doublings = failures.saturating_sub(1).min(40);
        Span(self.first.0.saturating_mul(1 << doublings).min(self.cap.0))
    }

    /// The wait: uniform between `LEAST` and the bound. `random` is any 64 random bits.
    #[must_use]
    pub fn wait(&self, failures: u32, random: u64) -> Span {
        let bound = self.bound(failures).0;
        let room = bound.saturating_sub(LEAST.0);
        let drawn = (u128::from(random) * (u128::from(room) + 1)) >> 64;
        Span(LEAST.0.min(bound) + drawn as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_from_a_second_to_an_hour() {
        let bounds: Vec<u64> = [1, 2, 3, 11, 12, 13, 1_000].iter().map(|n| Backoff::default().bound(*n).0 / 1_000_000).collect();
        assert_eq!(bounds, [1, 2, 4, 1_024, 2_048, 3_600, 3_600]);
    }

    #[test]
    fn the_wait_covers_the_whole_range_and_never_leaves_it() {
        let backoff = Backoff::default();
        assert_eq!(backoff.wait(3, 0), LEAST);
        assert_eq!(backoff.wait(3, u64::MAX), Span::secs(4));
        let middle = backoff.wait(3, u64::MAX / 2).as_millis();
        assert!((2_000..2_050).contains(&middle), "{middle}");
        let short = Backoff { first: Span::millis(10), cap: Span::millis(10) };
        assert_eq!(short.wait(1, u64::MAX), Span::millis(10));
    }
}
