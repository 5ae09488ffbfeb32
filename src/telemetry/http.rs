//! What the HTTP interface counts, per route (the pattern, never the path: a path holds what callers choose).

use super::declare::{Counters, Declare, Histograms};
use super::{Counter, Histogram};
use crate::base::Span;
use std::sync::OnceLock;

/// Statuses HTTP has: 100 to 599.
const STATUSES: usize = 500;

/// The families.
pub(super) struct Http {
    requests: Counters,
    seconds: Histograms,
}

impl Http {
    pub(super) fn declare(to: &mut Declare) -> Http {
        Http {
            requests: to.counters("relais_http_requests_total", &["route", "status"], "Requests answered"),
            seconds: to.latencies("relais_http_request_seconds", &["route"], "From the request's head to its answer"),
        }
    }

    pub(super) fn route(&self, route: &str) -> RouteMetrics {
        RouteMetrics {
            route: route.to_owned(),
            seconds: self.seconds.get_or_create_owned(&vec![("route", route.to_owned())]),
            by_status: std::array::from_fn(|_| OnceLock::new()),
            requests: self.requests.clone(),
        }
    }
}

/// One route's handles.
pub struct RouteMetrics {
    route: String,
    seconds: Histogram,
    /// Made when a status is first seen, so that no series stands for what never happens.
    by_status: [OnceLock<Counter>; STATUSES],
    requests: Counters,
}

impl RouteMetrics {
    /// A request was answered with this status after so long. Statuses HTTP does not have count as 599.
    pub fn answered(&self, status: u16, after: Span) {
        let status = if (100..=599).contains(&status) { status } else { 599 };
        self.by_status[usize::from(status) - 100]
            .get_or_init(|| self.requests.get_or_create_owned(&vec![("route", self.route.clone()), ("status", status.to_string())]))
            .inc();
        self.seconds.observe(after);
    }
}
