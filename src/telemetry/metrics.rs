//! All metrics of the process, as one value. It is made once, by `app`, and given to whoever counts.

use super::account::{AccountMetrics, Accounts};
use super::carrier::{CarrierMetrics, Carriers};
use super::consent::ConsentMetrics;
use super::declare::{Declare, Declared, Named};
use super::endpoint::{EndpointMetrics, Endpoints};
use super::http::{Http, RouteMetrics};
use super::journal::JournalMetrics;
use super::{Counter, Gauge};
use crate::base::Time;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The media type of what `render` gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Seconds = prometheus_client::metrics::gauge::Gauge<f64, AtomicU64>;

/// See the module.
pub struct Metrics {
    registry: Registry,
    declared: Vec<Declared>,
    http: Http,
    routes: Named<RouteMetrics>,
    account_families: Accounts,
    accounts: Named<AccountMetrics>,
    carrier_families: Carriers,
    carriers: Named<CarrierMetrics>,
    endpoint_families: Endpoints,
    endpoints: Named<EndpointMetrics>,
    start_time: Seconds,
    /// Opt-outs.
    pub consent: ConsentMetrics,
    /// The journal's writer.
    pub journal: JournalMetrics,
    /// Lines of bulk requests read, believed or not.
    pub bulk_lines: Counter,
    /// Requests refused because sending is behind.
    pub held_back: Counter,
    /// Connections of the HTTP interface that are open.
    pub http_connections: Gauge,
    /// Those that had to make room for others.
    pub http_sent_away: Counter,
    /// Jumps of the wall clock.
    pub clock_events: Counter,
    /// Panics; any is a bug.
    pub panics: Counter,
    /// Holiday tables in their last year or past it.
    pub ending_tables: Gauge,
}

impl Metrics {
    /// Every metric, at zero.
    #[must_use]
    pub fn new() -> Arc<Metrics> {
        let mut to = Declare::default();
        let labels = &["version"];
        to.info("relais_build_info", labels, "The program", vec![("version", env!("CARGO_PKG_VERSION").to_owned())]);
        Arc::new(Metrics {
            start_time: to.any_gauge("process_start_time_seconds", "When the process started, in seconds since 1970", Seconds::default()),
            panics: to.counter("relais_panics_total", "Panics; any is a bug"),
            clock_events: to.counter("relais_clock_events_total", "Jumps of the wall clock by more than 2 s"),
            ending_tables: to.gauge("relais_ending_tables", "Holiday tables in their last year or past it"),
            http: Http::declare(&mut to),
            http_connections: to.gauge("relais_http_connections", "Connections of the HTTP interface that are open"),
            http_sent_away: to.counter("relais_http_sent_away_total", "Connections that asked nothing and made room for others"),
            held_back: to.counter("relais_held_back_total", "Requests refused because too much waits to be sent"),
            bulk_lines: to.counter("relais_bulk_lines_total", "Lines of bulk requests read, believed or not"),
            account_families: Accounts::declare(&mut to),
            consent: ConsentMetrics::declare(&mut to),
            journal: JournalMetrics::declare(&mut to),
            carrier_families: Carriers::declare(&mut to),
            endpoint_families: Endpoints::declare(&mut to),
            routes: Named::default(),
            accounts: Named::default(),
            carriers: Named::default(),
            endpoints: Named::default(),
            declared: to.declared,
            registry: to.registry,
        })
    }

    /// The process started at this instant.
    pub fn started(&self, at: Time) {
        self.start_time.set(at.0 as f64 / 1e3);
    }

    /// The handles of a route, by its pattern as in `GET /v1/messages/{id}`.
    #[must_use]
    pub fn route(&self, pattern: &str) -> Arc<RouteMetrics> {
        self.routes.get(pattern, |pattern| self.http.route(pattern))
    }

    /// The handles of an account, by its name in the configuration.
    #[must_use]
    pub fn account(&self, name: &str) -> Arc<AccountMetrics> {
        self.accounts.get(name, |name| self.account_families.account(name))
    }

    /// The handles of a carrier, by its name in the configuration.
    #[must_use]
    pub fn carrier(&self, name: &str) -> Arc<CarrierMetrics> {
        self.carriers.get(name, |name| self.carrier_families.carrier(name))
    }

    /// The handles of a webhook endpoint, by its name in the configuration.
    #[must_use]
    pub fn endpoint(&self, name: &str) -> Arc<EndpointMetrics> {
        self.endpoints.get(name, |name| self.endpoint_families.endpoint(name))
    }

    /// Everything, as OpenMetrics text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 << 10);
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("a String takes everything");
        text
    }

    /// Every declaration, in order of names.
    #[must_use]
    pub fn declared(&self) -> Vec<Declared> {
        let mut declared = self.declared.clone();
        declared.sort();
        declared
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;

    #[test]
    fn names_kinds_labels_and_help_are_those_of_the_golden_list() {
        let declared: String = Metrics::new().declared().iter().map(|one| format!("{one}\n")).collect();
        assert_eq!(declared, include_str!("../../proto/metrics.txt"), "when this is meant, write to proto/metrics.txt:\n{declared}");
    }

    #[test]
    fn no_two_metrics_share_a_family_once_the_suffix_is_gone() {
        let metrics = Metrics::new();
        let mut families: Vec<&str> = metrics
            .declared
            .iter()
            .map(|one| one.name.strip_suffix("_total").or(one.name.strip_suffix("_info")).unwrap_or(one.name))
            .collect();
        families.sort_unstable();
        assert!(families.windows(2).all(|pair| pair[0] != pair[1]), "{families:?}");
        assert!(metrics.declared.iter().all(|one| !one.help.ends_with('.') && one.help.len() < 100));
    }

    #[test]
    fn a_handle_asked_for_twice_counts_into_the_same_series() {
        let metrics = Metrics::new();
        metrics.carrier("north").submits.inc_by(3);
        metrics.carrier("north").submits.inc_by(4);
        metrics.carrier("south").link(1).up.set(1);
        metrics.account("shop").refused("invalid_recipient", 2);
        metrics.route("POST /v1/messages").answered(202, Span::millis(1));
        metrics.carrier("north").outcomes(["delivered", "expired"])[1].inc();
        let text = metrics.render();
        for line in [
            "relais_submits_total{carrier=\"north\"} 7",
            "relais_link_up{carrier=\"south\",link=\"1\"} 1",
            "relais_refused_total{account=\"shop\",code=\"invalid_recipient\"} 2",
            "relais_http_requests_total{route=\"POST /v1/messages\",status=\"202\"} 1",
            "relais_outcomes_total{carrier=\"north\",status=\"expired\"} 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_latency_is_rendered_cumulative_in_seconds_with_a_bucket_for_everything() {
        let metrics = Metrics::new();
        metrics.journal.commit_seconds.observe(Span::micros(150));
        metrics.journal.commit_seconds.observe_many(Span::secs(500), 2);
        let text = metrics.render();
        for line in [
            "relais_journal_commit_seconds_bucket{le=\"0.0001\"} 0",
            "relais_journal_commit_seconds_bucket{le=\"0.0002\"} 1",
            "relais_journal_commit_seconds_bucket{le=\"104.8576\"} 1",
            "relais_journal_commit_seconds_bucket{le=\"+Inf\"} 3",
            "relais_journal_commit_seconds_count 3",
            "relais_journal_commit_seconds_sum 1000.00015",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_status_http_does_not_have_cannot_be_counted_out_of_bounds() {
        let metrics = Metrics::new();
        let route = metrics.route("GET /livez");
        [0, 99, 600, u16::MAX].into_iter().for_each(|status| route.answered(status, Span::ZERO));
        assert!(metrics.render().contains("status=\"599\"} 4"));
    }
}
