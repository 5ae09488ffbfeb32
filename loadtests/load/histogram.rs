//! Latencies in a histogram of our own: 64 steps an octave, so that a quantile is right within 1.6 %, from a
//! microsecond to days, in fixed memory.

use serde_json::{Value, json};

/// Steps of an octave.
const STEPS: u64 = 64;
const OCTAVES: usize = 40;

/// Counts of microseconds.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    most: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; STEPS as usize * OCTAVES], total: 0, most: 0 }
    }
}

fn slot(us: u64) -> usize {
    if us < STEPS {
        return us as usize;
    }
    let octave = us.ilog2() - STEPS.ilog2();
    // 64 to 127 are octave 1, one step each.
    ((u64::from(octave) + 1) * STEPS + (us >> octave) - STEPS) as usize
}

fn upper(slot: usize) -> u64 {
    let (octave, step) = (slot as u64 / STEPS, slot as u64 % STEPS);
    if octave == 0 { step } else { ((STEPS + step + 1) << (octave - 1)) - 1 }
}

impl Histogram {
    /// Adds a latency in microseconds.
    pub(crate) fn add(&mut self, us: u64) {
        let slot = slot(us).min(self.counts.len() - 1);
        self.counts[slot] += 1;
        self.total += 1;
        self.most = self.most.max(us);
    }

    /// Adds another's.
    pub(crate) fn merge(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.total += other.total;
        self.most = self.most.max(other.most);
    }

    /// The latency in milliseconds that this share of all does not exceed; 0 when there are none.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let wanted = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut sum = 0;
        let found = self.counts.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        found.map_or(0.0, |slot| upper(slot).min(self.most) as f64 / 1e3)
    }

    /// As in the report: `{p50, p99, p999, max}` in milliseconds, or null when there are none.
    pub(crate) fn json(&self) -> Value {
        if self.total == 0 {
            return Value::Null;
        }
        let at = |share| round(self.quantile_ms(share));
        json!({ "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": round(self.most as f64 / 1e3) })
    }
}

/// Three significant places are as much as a load test knows.
pub(crate) fn round(value: f64) -> f64 {
    if value.abs() >= 1_000.0 { value.round() } else { (value * 1e3).round() / 1e3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_lies_in_a_slot_whose_upper_end_is_at_most_two_percent_above() {
        let mut last = 0;
        for us in (0..100_000).chain((17..40).map(|bits| (1 << bits) + 12_345)) {
            let found = slot(us);
            assert!(found >= last && upper(found) >= us && upper(found) as f64 <= us as f64 * 1.02 + 1.0, "{us}");
            last = found;
        }
    }

    #[test]
    fn quantiles_of_a_thousand_even_steps_are_where_they_should_be() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|ms| histogram.add(ms * 1_000));
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            assert!((histogram.quantile_ms(share) / ms - 1.0).abs() < 0.02, "{share}");
        }
    }
}
