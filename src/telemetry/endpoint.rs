//! What the courier counts per webhook endpoint.

use super::declare::{Counters, Declare, Gauges, Histograms};
use super::{Counter, Gauge, Histogram};

/// The families.
pub(super) struct Endpoints {
    events: Counters,
    failures: Counters,
    dead: Counters,
    lag: Gauges,
    seconds: Histograms,
}

impl Endpoints {
    pub(super) fn declare(to: &mut Declare) -> Endpoints {
        let by = &["endpoint"];
        Endpoints {
            events: to.counters("relais_webhook_events_total", by, "Events the endpoint took with a 2xx"),
            failures: to.counters("relais_webhook_failures_total", by, "Attempts that failed; each is repeated later"),
            dead: to.counters("relais_webhook_dead_total", by, "Events given up after the last attempt"),
            lag: to.gauges("relais_webhook_lag", by, "Commits of the journal the endpoint has not been told of"),
            seconds: to.latencies("relais_final_to_webhook_seconds", by, "From an event's commit to the endpoint's 2xx"),
        }
    }

    pub(super) fn endpoint(&self, name: &str) -> EndpointMetrics {
        let labels = vec![("endpoint", name.to_owned())];
        EndpointMetrics {
            events: self.events.get_or_create_owned(&labels),
            failures: self.failures.get_or_create_owned(&labels),
            dead: self.dead.get_or_create_owned(&labels),
            lag: self.lag.get_or_create_owned(&labels),
            final_to_webhook: self.seconds.get_or_create_owned(&labels),
        }
    }
}

/// One endpoint's handles.
pub struct EndpointMetrics {
    /// Events it took.
    pub events: Counter,
    /// Attempts that failed.
    pub failures: Counter,
    /// Events given up.
    pub dead: Counter,
    /// Commits between the journal's end and its cursor.
    pub lag: Gauge,
    /// From an event's commit to the 2xx.
    pub final_to_webhook: Histogram,
}
