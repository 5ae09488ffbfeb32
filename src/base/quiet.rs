//! How often something may be said that others can cause as often as they like: so many times in an interval, and after it once
//! how often it was not. Pure; cannot fail.

use crate::base::{Mono, Span};

/// What became of something that was to be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saying {
    /// Say it.
    Said,
    /// It is only counted.
    Counted,
}

/// One thing that may be said.
#[derive(Clone, Copy, Debug)]
pub struct Quiet {
    times_max: u32,
    every: Span,
    /// The end of the interval, and what was said in it.
    until: Mono,
    said: u32,
    /// What was not said, and from when on that may be told.
    counted: u64,
    tell_at: Mono,
}

impl Quiet {
    /// At most `times_max` times in `every`.
    #[must_use]
    pub const fn new(times_max: u32, every: Span) -> Quiet {
        Quiet { times_max, every, until: Mono(0), said: 0, counted: 0, tell_at: Mono(0) }
    }

    /// Something is to be said.
    pub fn ask(&mut self, now: Mono) -> Saying {
        if now >= self.until {
            (self.until, self.said) = (now + self.every, 0);
        }
        if self.said < self.times_max {
            self.said += 1;
            return Saying::Said;
        }
        if self.counted == 0 {
            self.tell_at = self.until;
        }
        self.counted += 1;
        Saying::Counted
    }

    /// How often it was not said, once in an interval at most.
    pub fn told(&mut self, now: Mono) -> Option<u64> {
        (self.counted > 0 && now >= self.tell_at).then(|| std::mem::take(&mut self.counted))
    }

    /// When `told` next has something to tell.
    #[must_use]
    pub fn tell_at(&self) -> Option<Mono> {
        (self.counted > 0).then_some(self.tell_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_said_a_few_times_and_then_counted_once_in_an_interval() {
        let mut quiet = Quiet::new(3, Span::secs(60));
        let (mut said, mut told) = (0, Vec::new());
        for second in 0..600u64 {
            let now = Mono(0) + Span::secs(second);
            for _ in 0..1_000 {
                said += usize::from(quiet.ask(now) == Saying::Said);
            }
            told.extend(quiet.told(now));
        }
        assert_eq!((said, told.len()), (30, 9));
        assert_eq!(quiet.tell_at(), Some(Mono(0) + Span::secs(600)));
        told.extend(quiet.told(Mono(0) + Span::secs(600)));
        assert_eq!(said as u64 + told.iter().sum::<u64>(), 600_000, "nothing is passed over");
        assert_eq!(quiet.told(Mono(0) + Span::secs(700)), None);
    }

    #[test]
    fn what_is_seldom_is_always_said() {
        let mut quiet = Quiet::new(3, Span::secs(60));
        assert!((0..100).all(|n| quiet.ask(Mono(0) + Span::secs(30 * n)) == Saying::Said));
        assert_eq!(quiet.told(Mono(u64::MAX)), None);
    }
}
