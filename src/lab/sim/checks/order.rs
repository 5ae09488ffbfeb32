//! INV-1, in its order: the parts of a long text come first to last, as long as nothing has gone wrong at their carrier since
//! the message was asked for. And INV-30: a session answers while it lives.

use super::rule::{Broken, Check, keep};
use crate::lab::sim::ledger::Ledger;
use crate::lab::sim::seen::Seen;
use hashbrown::HashMap;

/// See the module.
#[derive(Default)]
pub(super) struct Order {
    /// The last part of a message that was seen.
    last: HashMap<u64, u8, foldhash::fast::FixedState>,
    /// When a session of a carrier ended last; when anything happened to the process.
    closed: HashMap<u8, i64, foldhash::fast::FixedState>,
    restarted: i64,
    is_quiet: bool,
}

impl Check for Order {
    fn see(&mut self, at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match *seen {
            Seen::Submit(submit) if submit.total > 1 => {
                let Some((n, entry)) = submit.n.and_then(|n| Some((n, ledger.entry(n)?))) else { return Ok(()) };
                let last = self.last.entry(n).or_default();
                let is_next = submit.part <= *last + 1;
                *last = submit.part.max(*last);
                let trouble = self.restarted.max(self.closed.get(&submit.carrier).copied().unwrap_or(0));
                let is_excused = || trouble >= entry.asked_at || ledger.stood_still(submit.carrier, entry.asked_at);
                keep(is_next || is_excused(), "INV-1", || format!("message {n} begins with part {} of {}", submit.part, submit.total))
            }
            Seen::Closed { carrier, .. } => {
                self.closed.insert(carrier, at);
                Ok(())
            }
            Seen::Died | Seen::Stopped { .. } | Seen::Started => {
                self.restarted = at;
                Ok(())
            }
            Seen::Quiet => {
                self.is_quiet = true;
                Ok(())
            }
            Seen::Unanswered { carrier, session } => {
                keep(!self.is_quiet, "INV-30", || format!("c{carrier}/{session}: an enquire_link was not answered in ten minutes"))
            }
            _ => Ok(()),
        }
    }
}
