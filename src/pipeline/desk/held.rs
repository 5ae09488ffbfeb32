//! Whether a carrier or this gateway is what keeps messages waiting.

use super::Desk;
use crate::base::Mono;

/// Thousandths of the window.
pub const WHOLE: u64 = 1_000;

impl Desk {
    /// How much of what may be on its way to the carrier is there and unanswered, in thousandths. `WHOLE` when messages
    /// wait for the carrier alone, or for their time: no link is up, its rate or its pause holds them back, it owes too many
    /// receipts, or none could go now.
    #[must_use]
    pub fn held(&self, now: Mono) -> u64 {
        if self.lanes.is_empty() || self.is_draining || self.open.len() >= self.rules.open_max || self.bucket.allowance(now, 1) == 0 {
            return WHOLE;
        }
        let (mut unanswered, mut slots) = (0, 0);
        for link in self.links.iter().filter(|link| link.is_up) {
            unanswered += u64::from(link.window.unanswered());
            slots += u64::from(link.window.size());
        }
        (unanswered * WHOLE).checked_div(slots).unwrap_or(WHOLE)
    }
}
