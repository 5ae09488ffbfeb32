//! Reads a gateway's `/metrics`: counters by name, histograms as their quantiles.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One reading of `/metrics`.
#[derive(Default)]
pub(crate) struct Metrics {
    values: BTreeMap<String, f64>,
    /// By family: upper bound in seconds to the observations at or below it, over all series.
    buckets: BTreeMap<String, BTreeMap<u64, (f64, f64)>>,
}

impl Metrics {
    /// Reads an exposition; lines that are none are passed over.
    pub(crate) fn read(text: &str) -> Metrics {
        let mut metrics = Metrics::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            if let (Some(family), Some(bound)) = (name.strip_suffix("_bucket"), labels.split("le=\"").nth(1)) {
                let bound = bound.split('"').next().and_then(|bound| bound.parse::<f64>().ok()).unwrap_or(f64::INFINITY);
                // Positive floats sort as their bits do.
                let slot = metrics.buckets.entry(family.to_owned()).or_default().entry(bound.to_bits()).or_insert((bound, 0.0));
                slot.1 += value;
            } else {
                *metrics.values.entry(name.to_owned()).or_default() += value;
            }
        }
        metrics
    }

    /// A counter or gauge, summed over its series.
    pub(crate) fn value(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or(0.0)
    }

    /// What was observed since `before`: upper bounds in seconds and cumulative counts.
    fn since(&self, family: &str, before: &Metrics) -> Vec<(f64, f64)> {
        let Some(now) = self.buckets.get(family) else { return Vec::new() };
        let earlier = |bits: &u64| before.buckets.get(family).and_then(|then| then.get(bits)).map_or(0.0, |slot| slot.1);
        now.iter().map(|(bits, (bound, count))| (*bound, count - earlier(bits))).collect()
    }

    /// A quantile in milliseconds, interpolated within its bucket (bounds double from bucket to bucket).
    pub(crate) fn quantile_ms(&self, family: &str, before: &Metrics, share: f64) -> Option<f64> {
        let buckets = self.since(family, before);
        let total = buckets.last().map(|last| last.1).filter(|total| *total > 0.0)?;
        let wanted = share * total;
        let (mut low, mut under) = (0.0, 0.0);
        for (bound, count) in buckets {
            if count >= wanted {
                let high = if bound.is_finite() { bound } else { low };
                return Some((low + (high - low) * ((wanted - under) / (count - under).max(1.0))) * 1e3);
            }
            (low, under) = (bound, count);
        }
        None
    }

    /// As in the report.
    pub(crate) fn json(&self, family: &str, before: &Metrics) -> Value {
        let at = |share| self.quantile_ms(family, before, share).map(super::histogram::round);
        match at(0.5) {
            None => Value::Null,
            Some(p50) => json!({ "p50": p50, "p99": at(0.99), "p999": at(0.999) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_came_since_and_over_all_series() {
        let text = |a: u32, b: u32| {
            format!(
                "# TYPE x histogram\nx_seconds_bucket{{carrier=\"a\",le=\"0.001\"}} {a}\nx_seconds_bucket{{carrier=\"a\",le=\"+Inf\"}} {a}\n\
                 x_seconds_bucket{{carrier=\"b\",le=\"0.001\"}} 0\nx_seconds_bucket{{carrier=\"b\",le=\"0.002\"}} {b}\n\
                 x_seconds_bucket{{carrier=\"b\",le=\"+Inf\"}} {b}\ny_total{{s=\"1\"}} 2\ny_total{{s=\"2\"}} 3\n# EOF\n"
            )
        };
        let (before, after) = (Metrics::read(&text(5, 0)), Metrics::read(&text(55, 0)));
        assert_eq!(after.value("y_total"), 5.0);
        assert_eq!(after.quantile_ms("x_seconds", &before, 0.5), Some(0.5));
        assert_eq!(before.quantile_ms("x_seconds", &before, 0.5), None);
    }
}
