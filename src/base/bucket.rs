//! The rate limit of a carrier: the generic cell rate algorithm (ITU-T I.371), in the channel's own unit.
//!
//! In every interval of length t at most `rate·t + burst` units pass (INV-20): there is no window that resets.

use crate::base::time::{Mono, Span};

/// Admits at most `rate` units a second, with `burst` units at once. Says when, never sleeps.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Nanoseconds one unit costs; 0 = no limit.
    cost_ns: u64,
    /// How far ahead of now the theoretical arrival may lie, in nanoseconds.
    slack_ns: u64,
    /// The theoretical arrival time of the next unit, nanoseconds on the monotonic clock.
    due_ns: u64,
    /// Nothing passes before this instant.
    paused: Mono,
}

impl Bucket {
    /// `rate` units a second (0 = unlimited), `burst` units at once (at least 1).
    #[must_use]
    pub fn new(rate: f64, burst: u32) -> Bucket {
        let cost_ns = if rate > 0.0 { (1e9 / rate).ceil() as u64 } else { 0 };
        Bucket { cost_ns, slack_ns: cost_ns * u64::from(burst.max(1) - 1), due_ns: 0, paused: Mono(0) }
    }

    /// How many units, at most `wanted`, may pass now.
    #[must_use]
    pub fn allowance(&self, now: Mono, wanted: u32) -> u32 {
        if now < self.paused {
            return 0;
        }
        if self.cost_ns == 0 {
            return wanted;
        }
        let limit = now.0 * 1_000 + self.slack_ns;
        let due = self.due_ns.max(now.0 * 1_000);
        if due > limit { 0 } else { ((limit - due) / self.cost_ns + 1).min(u64::from(wanted)) as u32 }
    }

    /// Takes `units` (which `allowance` granted, or which must go together: the debt delays the next).
    pub fn take(&mut self, now: Mono, units: u32) {
        self.due_ns = self.due_ns.max(now.0 * 1_000) + self.cost_ns * u64::from(units);
    }

    /// Begins without anything saved up: somebody else may have spent the burst just before.
    pub fn begin_empty(&mut self, now: Mono) {
        self.due_ns = self.due_ns.max(now.0 * 1_000 + self.slack_ns + self.cost_ns);
    }

    /// When the next unit may pass: now or later.
    #[must_use]
    pub fn ready_at(&self, now: Mono) -> Mono {
        let earliest_ns = self.due_ns.saturating_sub(self.slack_ns);
        now.max(Mono(earliest_ns.div_ceil(1_000))).max(self.paused)
    }

    /// Changes the rate and keeps the debt.
    pub fn set_rate(&mut self, rate: f64, burst: u32) {
        let (due_ns, paused) = (self.due_ns, self.paused);
        *self = Bucket { due_ns, paused, ..Bucket::new(rate, burst) };
    }

    /// No unit passes before `until`.
    pub fn pause(&mut self, until: Mono) {
        self.paused = self.paused.max(until);
    }

    /// The wait until the next unit.
    #[must_use]
    pub fn wait(&self, now: Mono) -> Span {
        self.ready_at(now).since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_interval_admits_more_than_rate_times_length_plus_burst(
            rate in 1u32..5_000, burst in 1u32..50, steps in prop::collection::vec((0u64..50_000, 1u32..40), 1..200),
        ) {
            let mut bucket = Bucket::new(f64::from(rate), burst);
            let (mut now, mut passed) = (Mono(1_000_000), Vec::new());
            for (step, wanted) in steps {
                now = now + Span::micros(step);
                let granted = bucket.allowance(now, wanted);
                bucket.take(now, granted);
                passed.push((now, granted));
            }
            for from in 0..passed.len() {
                let mut sum = 0;
                for (at, granted) in &passed[from..] {
                    sum += u64::from(*granted);
                    let length = at.since(passed[from].0).as_secs_f64();
                    prop_assert!(sum as f64 <= length * f64::from(rate) + f64::from(burst) + 1e-6);
                }
            }
        }
    }

    #[test]
    fn ready_at_is_the_first_instant_that_admits_one() {
        let mut bucket = Bucket::new(10.0, 1);
        let now = Mono(5_000_000);
        assert_eq!(bucket.allowance(now, 9), 1);
        bucket.take(now, 1);
        let ready = bucket.ready_at(now);
        assert_eq!(bucket.allowance(ready, 9), 1);
        assert_eq!(bucket.allowance(ready - Span::micros(1), 9), 0);
    }

    #[test]
    fn what_begins_empty_passes_one_unit_after_each_cost_of_one() {
        for burst in [1, 30] {
            let (mut bucket, now) = (Bucket::new(10.0, burst), Mono(7_000_000));
            bucket.begin_empty(now);
            for unit in 1..=50 {
                let next = now + Span::millis(100 * unit);
                assert_eq!(bucket.ready_at(now), next);
                assert_eq!((bucket.allowance(next - Span::micros(1), 9), bucket.allowance(next, 9)), (0, 1));
                bucket.take(next, 1);
            }
            let idle = now + Span::secs(60);
            assert_eq!(bucket.allowance(idle, 99), burst, "what is not used is saved up again");
        }
        let mut unlimited = Bucket::new(0.0, 1);
        unlimited.begin_empty(Mono(7_000_000));
        assert_eq!(unlimited.allowance(Mono(7_000_000), 99), 99);
    }

    #[test]
    fn a_pause_holds_everything_back_until_its_end() {
        for rate in [1_000.0, 0.0] {
            let mut bucket = Bucket::new(rate, 10);
            bucket.pause(Mono(3_000_000));
            assert_eq!(bucket.allowance(Mono(2_999_000), 5), 0);
            assert_eq!(bucket.ready_at(Mono(0)), Mono(3_000_000));
            assert_eq!(bucket.allowance(Mono(3_000_000), 5), 5);
        }
    }
}
