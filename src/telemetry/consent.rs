//! What is counted of opt-outs and caps, over all accounts.

use super::declare::Declare;
use super::{Counter, Gauge};

/// The handles.
pub struct ConsentMetrics {
    /// Opt-outs and preferences in memory.
    pub suppressions: Gauge,
    /// 1 while it is not known who has opted out, and marketing waits.
    pub unsure: Gauge,
    /// Sends remembered for caps.
    pub cap_sends: Gauge,
    /// 1 while no more can be remembered, and marketing of accounts with caps waits.
    pub caps_full: Gauge,
    /// Erasures by number that are not over.
    pub erasures: Gauge,
}

impl ConsentMetrics {
    pub(super) fn declare(to: &mut Declare) -> ConsentMetrics {
        ConsentMetrics {
            suppressions: to.gauge("relais_suppressions", "Opt-outs and preferences in memory, all accounts together"),
            erasures: to.gauge("relais_erasures_pending", "Erasures by number that are not over yet"),
            unsure: to.gauge("relais_consent_unsure", "1 while it is not known who has opted out: marketing and service messages wait"),
            cap_sends: to.gauge("relais_cap_sends", "Sends remembered for caps and the guard against repeats"),
            caps_full: to.gauge("relais_caps_full", "1 while no more can be remembered: marketing of accounts with caps waits"),
        }
    }
}

/// Messages from handsets of one carrier, by what they ask for.
pub struct KeywordMetrics {
    /// In the order of `message::event::Keyword`.
    pub keywords: [Counter; 5],
    /// They asked for something, and the sender's number could not be read.
    pub unread: Counter,
}
