//! What the gateway says of itself: metrics and the log.
//!
//! Metrics are handles, taken once when a part is built and kept; nothing is looked up by label where messages
//! pass. Labels are names from the configuration and words of the program, never numbers, texts or anything a
//! caller can choose. The log is for the life of the process and its sessions, not for messages.
//!
//! In reading order: `histogram`, `declare` (names and help, golden in `proto/metrics.txt`), one file for each
//! owner of handles (`http`, `account`, `journal`, `consent`, `carrier`, `endpoint`), `metrics` (all of them), `log`.

mod account;
mod carrier;
mod consent;
mod declare;
mod endpoint;
mod histogram;
mod http;
mod journal;
pub mod log;
mod metrics;

pub use account::AccountMetrics;
pub use carrier::{CarrierMetrics, LinkMetrics};
pub use consent::{ConsentMetrics, KeywordMetrics};
pub use declare::{Declared, NAMES_MAX};
pub use endpoint::EndpointMetrics;
pub use histogram::Histogram;
pub use http::RouteMetrics;
pub use journal::JournalMetrics;
pub use metrics::{CONTENT_TYPE, Metrics};

/// A number that only grows.
pub type Counter = prometheus_client::metrics::counter::Counter;
/// A number that stands for now.
pub type Gauge = prometheus_client::metrics::gauge::Gauge;
