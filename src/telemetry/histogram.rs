//! A histogram without lock or floating point on the way in: two relaxed additions an observation.
//!
//! The bounds double from bucket to bucket, so the bucket is found by counting leading zeros. It cannot fail;
//! a reader may see an observation in its bucket a moment before it is in the sum.

use crate::base::Span;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Finite buckets: 0.1 ms to 104.9 s, or 1 KiB to 1 GiB.
const BUCKETS: usize = 21;

/// What is observed, and so the first bound and the unit shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scale {
    /// Microseconds, shown as seconds; the first bound is 0.1 ms.
    Latency,
    /// Octets; the first bound is 1 KiB.
    Size,
}

impl Scale {
    const fn first(self) -> u64 {
        match self {
            Scale::Latency => 100,
            Scale::Size => 1_024,
        }
    }
    const fn shown(self) -> f64 {
        match self {
            Scale::Latency => 1e6,
            Scale::Size => 1.0,
        }
    }
}

#[derive(Debug)]
struct Inner {
    scale: Scale,
    /// The last one holds what is beyond every bound.
    buckets: [AtomicU64; BUCKETS + 1],
    sum: AtomicU64,
}

/// A distribution of latencies or sizes. A clone is a handle to the same one.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Inner>);

impl Histogram {
    pub(super) fn new(scale: Scale) -> Histogram {
        Histogram(Arc::new(Inner { scale, buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) }))
    }

    /// One latency.
    pub fn observe(&self, span: Span) {
        self.observe_many(span, 1);
    }

    /// `n` messages with the same latency: those of one commit, one burst or one sweep.
    pub fn observe_many(&self, span: Span, n: u64) {
        debug_assert_eq!(self.0.scale, Scale::Latency);
        self.add(span.0, n);
    }

    /// One size in octets.
    pub fn observe_bytes(&self, bytes: u64) {
        debug_assert_eq!(self.0.scale, Scale::Size);
        self.add(bytes, 1);
    }

    fn add(&self, value: u64, n: u64) {
        // Bound k is first·2^k, inclusive: (value-1)/first is 0 up to the first bound, 1 up to the second, 2..3 ...
        let steps = value.saturating_sub(1) / self.0.scale.first();
        let bucket = ((u64::BITS - steps.leading_zeros()) as usize).min(BUCKETS);
        self.0.buckets[bucket].fetch_add(n, Ordering::Relaxed);
        self.0.sum.fetch_add(value.saturating_mul(n), Ordering::Relaxed);
    }

    /// How many were observed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let (first, shown) = (self.0.scale.first(), self.0.scale.shown());
        let mut buckets = [(f64::INFINITY, 0); BUCKETS + 1];
        for (k, (bucket, counted)) in buckets.iter_mut().zip(&self.0.buckets).enumerate() {
            let bound = if k < BUCKETS { (first << k) as f64 / shown } else { f64::INFINITY };
            *bucket = (bound, counted.load(Ordering::Relaxed));
        }
        // From the same readings as the buckets, so that count and last bucket agree.
        let count = buckets.iter().map(|bucket| bucket.1).sum();
        let sum = self.0.sum.load(Ordering::Relaxed) as f64 / shown;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket_of(value: u64) -> usize {
        let histogram = Histogram::new(Scale::Latency);
        histogram.observe(Span(value));
        histogram.0.buckets.iter().position(|bucket| bucket.load(Ordering::Relaxed) == 1).expect("it is in one")
    }

    #[test]
    fn a_bound_belongs_to_its_own_bucket_and_the_next_microsecond_to_the_next() {
        assert_eq!((bucket_of(0), bucket_of(1), bucket_of(100)), (0, 0, 0));
        for k in 0..BUCKETS {
            assert_eq!(bucket_of(100 << k), k);
            assert_eq!(bucket_of((100 << k) + 1), k + 1);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS);
    }

    #[test]
    fn many_at_once_are_as_many_one_by_one() {
        let (many, single) = (Histogram::new(Scale::Latency), Histogram::new(Scale::Latency));
        many.observe_many(Span::millis(3), 500);
        (0..500).for_each(|_| single.observe(Span::millis(3)));
        assert_eq!(many.count(), 500);
        assert_eq!(many.0.sum.load(Ordering::Relaxed), single.0.sum.load(Ordering::Relaxed));
        assert_eq!(many.count(), single.count());
    }
}
