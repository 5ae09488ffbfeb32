//! INV-10, seen while it lasts: no session has more submits without an answer than its window. Those whose silence the gateway
//! has taken for doubt do not count any more.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::Seen;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Of each session: when a submit came, and when its answer leaves.
type Out = VecDeque<(i64, i64)>;

/// See the module.
#[derive(Default)]
pub(super) struct Flight {
    out: HashMap<(u8, u64), Out, foldhash::fast::FixedState>,
}

impl Check for Flight {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match *seen {
            Seen::Submit(submit) => {
                let terms = ledger.terms.carriers[usize::from(submit.carrier)];
                // It was written before it came.
                let patience = terms.response_timeout_ms - ledger.terms.latency_max_ms - 50;
                let out = self.out.entry((submit.carrier, submit.session)).or_default();
                out.retain(|(came, leaves)| *leaves > at && at - came < patience);
                let leaves = if submit.is_answered { at + submit.delay_ms as i64 } else { i64::MAX };
                out.push_back((at, leaves));
                // What a held network lets go all at once had been given up one by one.
                let is_over = out.len() > terms.window as usize && !ledger.stood_still(submit.carrier, at - terms.response_timeout_ms);
                keep(!is_over, "INV-10", || {
                    format!(
                        "c{}/{}: {} submits without an answer at {at}, the window is {}",
                        submit.carrier,
                        submit.session,
                        out.len(),
                        terms.window
                    )
                })
            }
            Seen::Closed { carrier, session, .. } => {
                self.out.remove(&(carrier, session));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
