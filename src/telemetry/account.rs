//! What is counted per account.

use super::Counter;
use super::declare::{Counters, Declare};

/// The families.
pub(super) struct Accounts {
    accepted: Counters,
    refused: Counters,
    segments: Counters,
    sender_warnings: Counters,
}

impl Accounts {
    pub(super) fn declare(to: &mut Declare) -> Accounts {
        Accounts {
            accepted: to.counters("relais_accepted_total", &["account"], "Messages accepted: on disk, and answered so"),
            refused: to.counters("relais_refused_total", &["account", "code"], "Messages refused, by the code the caller was given"),
            segments: to.counters("relais_segments_accepted_total", &["account"], "Segments of accepted messages"),
            sender_warnings: to.counters(
                "relais_sender_warnings_total",
                &["account", "verdict"],
                "Accepted messages whose sender does not arrive as it is in the recipient's country",
            ),
        }
    }

    pub(super) fn account(&self, name: &str) -> AccountMetrics {
        let labels = vec![("account", name.to_owned())];
        AccountMetrics {
            accepted: self.accepted.get_or_create_owned(&labels),
            segments: self.segments.get_or_create_owned(&labels),
            refused: self.refused.clone(),
            sender_warnings: self.sender_warnings.clone(),
            account: name.to_owned(),
        }
    }
}

/// One account's handles.
pub struct AccountMetrics {
    /// Messages accepted.
    pub accepted: Counter,
    /// Their segments.
    pub segments: Counter,
    refused: Counters,
    sender_warnings: Counters,
    account: String,
}

impl AccountMetrics {
    /// `n` accepted messages have a sender of this fate. Call it once a fate and request.
    pub fn sender_warned(&self, verdict: &'static str, n: u64) {
        self.sender_warnings.get_or_create(&vec![("account", self.account.clone()), ("verdict", verdict.to_owned())]).inc_by(n);
    }

    /// `n` messages were refused with this code. Looked up by label: call it once a code and request, not once a
    /// line.
    pub fn refused(&self, code: &'static str, n: u64) {
        self.refused.get_or_create(&vec![("account", self.account.clone()), ("code", code.to_owned())]).inc_by(n);
    }
}
