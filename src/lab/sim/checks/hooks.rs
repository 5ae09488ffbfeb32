//! INV-24 webhooks: to the right account, by stable names, in order for each message; INV-23 one end is told. That they
//! are told at all is INV-30's; that they are signed, the sink's.

use super::rule::{Broken, Check, keep};
use crate::base::MessageId;
use crate::lab::sim::ledger::{Ledger, status_of};
use crate::lab::sim::seen::Seen;
use crate::lab::sink::Event;

/// See the module.
#[derive(Default)]
pub(super) struct Hooks {
    /// By message: whether its `sent` was told, and its end.
    told: Vec<u8>,
}

const SENT: u8 = 1;
const FINAL: u8 = 2;

impl Hooks {
    fn told(&mut self, account: u8, event: &Event, ledger: &Ledger) -> Result<(), Broken> {
        if event.kind == "message.inbound" {
            return Ok(());
        }
        let named = event.client_ref.as_deref().and_then(|text| text.parse::<u64>().ok());
        let Some((n, entry)) = named.and_then(|n| Some((n, ledger.entry(n)?))) else {
            return keep(false, "INV-24", || format!("an event of no message: {event:?}"));
        };
        let place = || format!("message {n}: {event:?}");
        keep(entry.account == account, "INV-24", || format!("told to account {account}; {}", place()))?;
        let id = event.message.as_deref().and_then(|text| text.parse::<MessageId>().ok()).map_or(0, |id| id.0);
        keep(entry.id == 0 || entry.id == id, "INV-24", || format!("another id than the answer's; {}", place()))?;
        let (seq, bit) = if event.is_final { (2, FINAL) } else { (1, SENT) };
        let name = format!("evt_{}_{seq}", event.message.as_deref().unwrap_or_default().trim_start_matches("msg_"));
        keep(event.id == name && event.seq == Some(seq), "INV-24", || format!("its name is not {name}; {}", place()))?;
        let place_of = n as usize;
        if self.told.len() <= place_of {
            self.told.resize(place_of + 1, 0);
        }
        let before = self.told[place_of];
        self.told[place_of] |= bit;
        keep(bit != SENT || before & FINAL == 0 || before & SENT != 0, "INV-24", || {
            format!("`sent` was first told after the end; {}", place())
        })?;
        if bit == FINAL && before & FINAL != 0 {
            let status = event.status.as_deref().and_then(status_of);
            keep(status == entry.status, "INV-23", || format!("a second end, it was {:?}; {}", entry.status, place()))?;
        }
        Ok(())
    }
}

impl Check for Hooks {
    fn see(&mut self, _at: i64, seen: &Seen<'_>, ledger: &Ledger) -> Result<(), Broken> {
        match seen {
            Seen::Told { account, event } => self.told(*account, event, ledger),
            _ => Ok(()),
        }
    }
}
