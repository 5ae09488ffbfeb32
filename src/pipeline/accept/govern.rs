//! How fast new messages may come while sending is behind. What comes in: how many messages wait for this gateway and
//! not for a carrier, how many have left so far, and now. What goes out: come in, or how long to wait. Cannot fail.
//!
//! Accepting is cheaper than sending: unbounded, a flood of new messages takes the cores and the disk that sending
//! needs, and less is sent than without the flood. So, when a quarter of `ahead_max` messages wait for us, new ones are
//! taken at the rate at which messages leave, times `ahead_max` over the number that waits: faster than they leave while
//! few wait, as fast when `ahead_max` do, slower beyond. The rate never falls below `accept_min`, so whatever is believed
//! of carriers a queue can always grow, and nothing waits for itself.

use crate::base::{Mono, Span};

/// How often the rate at which messages leave is looked at.
const LOOK: Span = Span::millis(100);
/// What may come at once after a pause, as time at the present rate.
const BURST: Span = Span::millis(50);
/// How far single messages may go into debt before bulks, as time at the present rate: a password that somebody waits
/// for does not queue behind a campaign.
const SINGLES_AHEAD: Span = Span::secs(1);

/// Who wants to bring messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bringing {
    /// One message.
    Single,
    /// Messages of a bulk.
    Bulk,
}

/// See the module.
#[derive(Debug)]
pub struct Governor {
    ahead_max: u64,
    accept_min: u64,
    /// Messages a second that leave.
    leaving: u64,
    /// Millionths of messages that may come now; below 0 what came too early.
    credit: i128,
    at: Mono,
    left: u64,
    looked: Mono,
}

impl Governor {
    /// At `ahead_max` waiting messages as many come as leave; `accept_min` messages a second may always come.
    #[must_use]
    pub fn new(ahead_max: u64, accept_min: u64) -> Governor {
        let accept_min = accept_min.max(1);
        Governor { ahead_max, accept_min, leaving: 0, credit: 0, at: Mono(0), left: 0, looked: Mono(0) }
    }

    /// How many messages may wait before anything is slowed.
    #[must_use]
    pub const fn open_below(ahead_max: u64) -> u64 {
        ahead_max / 4
    }

    /// Whether `messages` may come now; 0 asks for a request that is not yet read. `ahead` messages wait for us, `left`
    /// is the running total of those that have left.
    ///
    /// # Errors
    /// How long until it is worth asking again, at least a millisecond.
    pub fn ask(&mut self, who: Bringing, messages: u32, ahead: u64, left: u64, now: Mono) -> Result<(), Span> {
        self.look(left, now);
        if ahead <= Governor::open_below(self.ahead_max) {
            // Nothing is owed for the time in which nothing was slowed.
            (self.credit, self.at) = (0, now);
            return Ok(());
        }
        let scaled = u128::from(self.leaving) * u128::from(self.ahead_max) / u128::from(ahead);
        let rate = u64::try_from(scaled).unwrap_or(u64::MAX).max(self.accept_min);
        // What a span is worth at this rate, in millionths of messages.
        let worth = |span: Span| i128::from(rate) * i128::from(span.0);
        self.credit = (self.credit + worth(now.since(self.at))).min(worth(BURST));
        self.at = now;
        let debt_max = if who == Bringing::Single { worth(SINGLES_AHEAD) } else { 0 };
        if self.credit + debt_max <= 0 {
            let wait = (1 - self.credit - debt_max) / i128::from(rate);
            return Err(Span(u64::try_from(wait).unwrap_or(u64::MAX).max(Span::millis(1).0)));
        }
        self.credit -= i128::from(messages) * 1_000_000;
        Ok(())
    }

    fn look(&mut self, left: u64, now: Mono) {
        let since = now.since(self.looked);
        if since >= LOOK {
            let leaving = u128::from(left.saturating_sub(self.left)) * 1_000_000 / u128::from(since.0);
            self.leaving = u64::try_from(leaving).unwrap_or(u64::MAX);
            (self.left, self.looked) = (left, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers `each` messages every millisecond of `ms`, while `leaving` a millisecond leave; how many came in.
    fn offer(governor: &mut Governor, who: Bringing, each: u32, leaving: u64, ahead: u64, ms: std::ops::Range<u64>) -> u64 {
        let came = ms.filter(|step| governor.ask(who, each, ahead, step * leaving, Mono(step * 1_000)).is_ok());
        came.count() as u64 * u64::from(each)
    }

    #[test]
    fn nothing_is_slowed_while_little_waits() {
        let mut governor = Governor::new(4_000, 10);
        assert_eq!(offer(&mut governor, Bringing::Bulk, 5_000, 1, 1_000, 1..1_001), 5_000_000);
    }

    #[test]
    fn as_many_come_as_leave_and_fewer_the_more_wait() {
        for (ahead, wanted) in [(500, 1_200_000), (1_000, 600_000), (2_000, 300_000), (20_000, 30_000), (2_000_000, 20_000)] {
            let mut governor = Governor::new(1_000, 10_000);
            // 300 a millisecond leave; 2,000 a millisecond are offered. The first look sees the rate.
            offer(&mut governor, Bringing::Bulk, 2_000, 300, ahead, 1..300);
            let came = offer(&mut governor, Bringing::Bulk, 2_000, 300, ahead, 300..2_300);
            assert!(came.abs_diff(wanted) <= wanted / 20 + 4_000, "{ahead}: {came}");
        }
    }

    #[test]
    fn a_flood_comes_to_rest_where_as_many_come_as_leave() {
        let (mut governor, mut ahead, mut left, mut came) = (Governor::new(100_000, 1_000), 0u64, 0u64, 0u64);
        for step in 1..20_000u64 {
            for _ in 0..2 {
                if governor.ask(Bringing::Bulk, 2_000, ahead, left, Mono(step * 1_000)).is_ok() {
                    (ahead, came) = (ahead + 2_000, came + 2_000);
                }
            }
            let leaves = ahead.min(300);
            (ahead, left) = (ahead - leaves, left + leaves);
        }
        assert!((90_000..=110_000).contains(&ahead), "{ahead}");
        assert_eq!(came, left + ahead);
        assert!(left >= 300 * 19_990, "sending never ran dry: {left}");
    }

    #[test]
    fn when_nothing_leaves_the_least_rate_may_still_come() {
        let mut governor = Governor::new(0, 50_000);
        offer(&mut governor, Bringing::Bulk, 100, 0, 1, 1..201);
        let came = offer(&mut governor, Bringing::Bulk, 100, 0, 1, 201..1_201);
        assert!((49_000..=51_000).contains(&came), "{came}");
    }

    #[test]
    fn single_messages_go_before_bulks_but_not_without_end() {
        let mut governor = Governor::new(0, 1_000);
        offer(&mut governor, Bringing::Bulk, 100, 0, 1, 1..1_001);
        let now = Mono(1_001_000);
        // Whether or not this one comes in: then bulks owe.
        let _ = governor.ask(Bringing::Bulk, 100, 1, 0, now);
        assert!(governor.ask(Bringing::Bulk, 1, 1, 0, now).is_err());
        let came = (0..10_000).filter(|_| governor.ask(Bringing::Single, 1, 1, 0, now).is_ok()).count();
        assert!((800..=1_000).contains(&came), "{came}");
    }

    #[test]
    fn who_is_told_to_wait_comes_in_after_it_and_a_large_bulk_is_paid_back() {
        let mut governor = Governor::new(0, 1_000);
        assert!(governor.ask(Bringing::Bulk, 10_000, 1, 0, Mono(1_000_000)).is_ok(), "what is begun is taken whole");
        let wait = governor.ask(Bringing::Bulk, 1, 1, 0, Mono(1_000_001)).expect_err("it is owed");
        assert!(wait > Span::secs(8) && wait < Span::secs(11), "{wait:?}");
        assert_eq!(governor.ask(Bringing::Bulk, 1, 1, 0, Mono(1_000_001) + wait + Span::millis(1)), Ok(()));
    }

    #[test]
    fn no_debt_outlives_the_time_in_which_much_waits() {
        let mut governor = Governor::new(40, 1);
        assert!(governor.ask(Bringing::Bulk, 1_000_000, 11, 0, Mono(1_000_000)).is_ok());
        assert!(governor.ask(Bringing::Bulk, 1, 11, 0, Mono(1_000_001)).is_err());
        assert!(governor.ask(Bringing::Bulk, 1, 10, 0, Mono(1_000_002)).is_ok());
        assert!(governor.ask(Bringing::Bulk, 0, 11, 0, Mono(2_000_002)).is_ok());
    }
}
