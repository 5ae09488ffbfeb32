//! Whether the wall clock can be believed. Wall time decides what is legal, and it is set by others: a jump of it against
//! the monotonic clock by more than two seconds is a *clock event*, after which it is unsure until it has been steady for a
//! while. Both clocks are arguments; nothing here fails.

use crate::base::{Mono, Span, Time};

/// More than slewing makes of it between two looks, less than what could open a send window wrongly by much.
const JUMP: Span = Span::secs(2);

/// Slewing of 500 ppm is 30 ms in so long: the clocks are compared anew from here.
const COMPARED: Span = Span::secs(60);

/// Whether the wall clock can be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// It has been steady.
    Sure,
    /// It jumped, and has not been steady for long enough since.
    Unsure,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct ClockWatch {
    settle: Span,
    since: Option<(Time, Mono)>,
    unsure_until: Option<Mono>,
    events: u64,
}

impl ClockWatch {
    /// Unsure for `settle` after each jump.
    #[must_use]
    pub const fn new(settle: Span) -> ClockWatch {
        ClockWatch { settle, since: None, unsure_until: None, events: 0 }
    }

    /// Compares both clocks with what they were. To be called at least every few seconds.
    pub fn look(&mut self, wall: Time, mono: Mono) -> Clock {
        let (wall_then, mono_then) = *self.since.get_or_insert((wall, mono));
        let passed = mono.since(mono_then);
        let ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let apart = wall.0.saturating_sub(wall_then.0).saturating_sub(ms).unsigned_abs();
        if apart > JUMP.as_millis() && !crate::base::planted::is("clock-jump-ignored") {
            self.events += 1;
            let settle = if crate::base::planted::is("clock-believed-early") { Span::secs(1) } else { self.settle };
            self.unsure_until = Some(mono + settle);
            self.since = Some((wall, mono));
        } else if passed >= COMPARED {
            self.since = Some((wall, mono));
        }
        match self.unsure_until {
            Some(until) if mono < until => Clock::Unsure,
            _ => {
                self.unsure_until = None;
                Clock::Sure
            }
        }
    }

    /// How many clock events there were.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks once a second for `seconds`, the wall clock gaining `ppm`; how many looks found it unsure.
    fn run(watch: &mut ClockWatch, wall: &mut f64, mono: &mut u64, seconds: u32, ppm: f64) -> u32 {
        (0..seconds)
            .filter(|_| {
                *mono += 1_000_000;
                *wall += 1_000.0 * (1.0 + ppm / 1e6);
                watch.look(Time(*wall as i64), Mono(*mono)) == Clock::Unsure
            })
            .count() as u32
    }

    #[test]
    fn a_jump_either_way_makes_it_unsure_until_it_was_steady_for_long_enough() {
        for jump in [2_100.0, -2_100.0, 31_536_000_000.0, -31_536_000_000.0] {
            let (mut watch, mut wall, mut mono) = (ClockWatch::new(Span::secs(10)), 1.7e12, 5_000_000);
            assert_eq!(run(&mut watch, &mut wall, &mut mono, 100, 0.0), 0);
            wall += jump;
            assert_eq!(run(&mut watch, &mut wall, &mut mono, 5, 0.0), 5);
            wall -= jump;
            assert_eq!(run(&mut watch, &mut wall, &mut mono, 30, 0.0), 10, "the second jump begins the wait anew");
            assert_eq!(watch.events(), 2);
        }
    }

    #[test]
    fn slewing_and_leap_smears_are_no_jumps_however_long_they_last() {
        let (mut watch, mut wall, mut mono) = (ClockWatch::new(Span::secs(10)), 1.7e12, 0);
        assert_eq!(run(&mut watch, &mut wall, &mut mono, 200_000, 500.0), 0);
        assert_eq!(run(&mut watch, &mut wall, &mut mono, 200_000, -500.0), 0);
    }

    #[test]
    fn a_process_that_slept_with_both_clocks_running_sees_no_jump() {
        let mut watch = ClockWatch::new(Span::secs(10));
        watch.look(Time(1_000), Mono(0));
        assert_eq!(watch.look(Time(86_401_000), Mono(86_400_000_000)), Clock::Sure);
    }
}
