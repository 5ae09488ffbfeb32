//! How a metric comes to be: its name, help and labels, said once. The golden list (`proto/metrics.txt`) is made
//! from these declarations, so it cannot be wrong.

use super::histogram::{Histogram, Scale};
use super::{Counter, Gauge};
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Metric, Registry};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Names per label. The configuration allows no more accounts, carriers or webhooks than this; should a caller
/// err and label by what others send, memory stays bounded all the same.
pub const NAMES_MAX: usize = 10_000;

/// The label of whatever comes after `NAMES_MAX`.
const OTHER: &str = "other";

/// A series' labels.
pub(super) type Labels = Vec<(&'static str, String)>;
/// Counters told apart by labels.
pub(super) type Counters = Family<Labels, Counter>;
/// Gauges told apart by labels.
pub(super) type Gauges = Family<Labels, Gauge>;
/// Histograms told apart by labels.
pub(super) type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// A declaration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Declared {
    /// As it is scraped.
    pub name: &'static str,
    /// counter, gauge, histogram or info.
    pub kind: &'static str,
    /// What its series are told apart by.
    pub labels: &'static [&'static str],
    /// One sentence, without full stop.
    pub help: &'static str,
}

/// One line of the golden list.
impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {{{}}} {}", self.name, self.kind, self.labels.join(","), self.help)
    }
}

/// Takes declarations. Used once, by `Metrics::new`.
#[derive(Default)]
pub(super) struct Declare {
    pub(super) registry: Registry,
    pub(super) declared: Vec<Declared>,
}

impl Declare {
    fn add<M: Metric + Clone>(
        &mut self,
        kind: &'static str,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        metric: M,
    ) -> M {
        // The library writes the suffixes itself.
        let family = match kind {
            "counter" => name.strip_suffix("_total").expect("a counter's name ends in _total"),
            "info" => name.strip_suffix("_info").expect("an info's name ends in _info"),
            _ => name,
        };
        self.registry.register(family, help, metric.clone());
        self.declared.push(Declared { name, kind, labels, help });
        metric
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> Counter {
        self.add("counter", name, &[], help, Counter::default())
    }
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> Gauge {
        self.add("gauge", name, &[], help, Gauge::default())
    }
    pub(super) fn latency(&mut self, name: &'static str, help: &'static str) -> Histogram {
        self.add("histogram", name, &[], help, Histogram::new(Scale::Latency))
    }
    pub(super) fn size(&mut self, name: &'static str, help: &'static str) -> Histogram {
        self.add("histogram", name, &[], help, Histogram::new(Scale::Size))
    }
    pub(super) fn counters(&mut self, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Counters {
        self.add("counter", name, labels, help, Counters::default())
    }
    pub(super) fn gauges(&mut self, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Gauges {
        self.add("gauge", name, labels, help, Gauges::default())
    }
    pub(super) fn latencies(&mut self, name: &'static str, labels: &'static [&'static str], help: &'static str) -> Histograms {
        self.add("histogram", name, labels, help, Histograms::new_with_constructor(|| Histogram::new(Scale::Latency)))
    }
    pub(super) fn info(&mut self, name: &'static str, labels: &'static [&'static str], help: &'static str, values: Labels) {
        self.declared.push(Declared { name, kind: "info", labels, help });
        let family = name.strip_suffix("_info").expect("an info's name ends in _info");
        self.registry.register(family, help, prometheus_client::metrics::info::Info::new(values));
    }
    pub(super) fn any_gauge<M: Metric + Clone>(&mut self, name: &'static str, help: &'static str, metric: M) -> M {
        self.add("gauge", name, &[], help, metric)
    }
}

/// Handles by name: one set each, made when first asked for.
#[derive(Debug)]
pub(super) struct Named<T>(Mutex<BTreeMap<Box<str>, Arc<T>>>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Mutex::default())
    }
}

impl<T> Named<T> {
    /// The set of this name.
    pub(super) fn get(&self, name: &str, make: impl FnOnce(&str) -> T) -> Arc<T> {
        // A map of handles is whole at every moment: a panic elsewhere cannot have left it half changed.
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if sets.len() < NAMES_MAX || sets.contains_key(name) { name } else { OTHER };
        if let Some(set) = sets.get(name) {
            return set.clone();
        }
        let set = Arc::new(make(name));
        sets.insert(name.into(), set.clone());
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_bound_share_one_set() {
        let named: Named<String> = Named::default();
        for n in 0..NAMES_MAX + 10 {
            named.get(&n.to_string(), str::to_owned);
        }
        assert_eq!(*named.get("7", str::to_owned), "7");
        assert_eq!(*named.get("one more", str::to_owned), OTHER);
        assert_eq!(named.0.lock().expect("nobody panicked").len(), NAMES_MAX + 1);
    }
}
