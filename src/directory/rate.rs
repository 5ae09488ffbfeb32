//! The rates of an account: requests, and messages. Behind a lock of the account's own, taken once a request.

use crate::base::{Bucket, Mono, Span};
use crate::config::Account;
use std::sync::{Mutex, PoisonError};

/// One rate. Without a limit it costs nothing.
#[derive(Debug)]
pub struct Rate(Option<Mutex<Bucket>>);

impl Rate {
    /// At most so many a second, as many at once; 0 = no limit.
    #[must_use]
    pub fn new(per_second: u32) -> Rate {
        Rate((per_second > 0).then(|| Mutex::new(Bucket::new(f64::from(per_second), per_second))))
    }

    /// Whether one may pass now; else how long to wait.
    pub fn ready(&self, now: Mono) -> Result<(), Span> {
        let Some(bucket) = &self.0 else { return Ok(()) };
        let bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.allowance(now, 1) > 0 { Ok(()) } else { Err(bucket.wait(now)) }
    }

    /// Counts what has passed. What is more than was allowed delays the next.
    pub fn count(&self, now: Mono, units: u32) {
        if let Some(bucket) = &self.0 {
            bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now, units);
        }
    }

    /// `ready`, and one counted.
    pub fn pass(&self, now: Mono) -> Result<(), Span> {
        let Some(bucket) = &self.0 else { return Ok(()) };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.allowance(now, 1) == 0 {
            return Err(bucket.wait(now));
        }
        bucket.take(now, 1);
        Ok(())
    }
}

/// The rates of one account.
#[derive(Debug)]
pub struct Rates {
    /// Requests.
    pub requests: Rate,
    /// Messages. A bulk is taken whole and then paid off.
    pub messages: Rate,
}

impl Rates {
    /// As configured.
    #[must_use]
    pub fn new(account: &Account) -> Rates {
        Rates { requests: Rate::new(account.requests_per_second), messages: Rate::new(account.messages_per_second) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_admits_its_second_at_once_and_then_tells_the_wait() {
        let (rate, now) = (Rate::new(2), Mono(10_000_000));
        assert_eq!((rate.pass(now), rate.pass(now)), (Ok(()), Ok(())));
        assert_eq!(rate.pass(now), Err(Span::millis(500)));
        assert_eq!(rate.pass(now + Span::millis(500)), Ok(()));
        assert_eq!(Rate::new(0).pass(now), Ok(()));
    }

    #[test]
    fn a_bulk_is_paid_off_by_those_after_it() {
        let (rate, now) = (Rate::new(100), Mono(10_000_000));
        assert_eq!(rate.ready(now), Ok(()));
        rate.count(now, 1_000);
        assert!(rate.ready(now + Span::secs(9)).is_err());
        assert_eq!(rate.ready(now + Span::secs(10)), Ok(()));
    }
}
