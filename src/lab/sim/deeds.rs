//! What the script of a life has customers and subscribers do beside asking for messages.

use super::checks::Broken;
use super::client::{Desk, insist};
use super::config;
use super::mail::subscriber;
use super::scenario::Scenario;
use super::script::What;
use super::seen::Seen;
use super::wire::{Request, call};
use crate::base::{MessageId, Span};
use crate::lab::SmscHandle;
use serde_json::Value;

/// The reference of long texts from subscribers.
const REFERENCE: u8 = 77;

/// Does all of it, each at its time and one after the other.
pub async fn run(desk: &Desk, carriers: &[SmscHandle], scenario: &Scenario) {
    let mut deeds = scenario.script.deeds.clone();
    deeds.sort_by_key(|deed| deed.at_ms);
    for deed in deeds {
        let now = desk.world.mono().0 / 1_000;
        tokio::time::sleep(Span::millis(deed.at_ms.saturating_sub(now)).std()).await;
        match deed.what {
            What::Move { message, send_after } => desk.moves(message, send_after).await,
            What::Erase { message } => desk.erase(message).await,
            What::Write { carrier, subscriber: which, text, parts, leaves_out } => {
                let (smsc, from) = (&carriers[carrier as usize], subscriber(carrier, which).to_string());
                if parts == 0 {
                    smsc.inject_mo(&from, "36111", &text);
                }
                for place in (1..=parts).filter(|place| *place != leaves_out) {
                    smsc.inject_mo_part(&from, "36111", &format!("part {place} of {text};"), [REFERENCE, parts, place]);
                }
            }
            // The nemesis has it in its schedule.
            What::Fault { .. } => {}
        }
    }
}

impl Desk {
    /// The id of a message, and its account's key, once a 2xx has named it.
    async fn named(&self, n: u64) -> Option<(u64, String)> {
        let entry = || self.model.ask(|ledger| ledger.entry(n).copied()).filter(|entry| entry.id != 0);
        insist(&self.world, async || entry()).await.map(|entry| (entry.id, config::key(entry.account)))
    }

    /// Gives a message another instant, until somebody says whether that is so.
    async fn moves(&self, n: u64, send_after: u32) {
        let Some((id, key)) = self.named(n).await else { return };
        let (path, body) = (format!("/v1/messages/{}", MessageId(id)), format!("{{\"send_after\":\"PT{send_after}S\"}}"));
        let request = Request { method: "PATCH", path: &path, key: &key, kind: "application/json", once: None, body: body.as_bytes() };
        let until = insist(&self.world, async || {
            let asked = self.world.now().0;
            let answer = call(&self.world, self.to, &request, None).await.filter(|answer| answer.status < 500)?;
            Some((answer.status, asked + i64::from(send_after) * 1_000, answer))
        });
        match until.await {
            Some((200, until, _)) => self.model.see(&Seen::Moved { n, until }),
            // It has left meanwhile, as this customer may find out only after a death.
            None | Some((409, ..)) => {}
            Some((status, _, answer)) => {
                let what = format!("message {n} is not moved: {status} {}", String::from_utf8_lossy(&answer.body));
                self.model.fail(Broken { invariant: "INV-1", what });
            }
        }
    }

    /// Has the number of a message erased, and waits until that is done.
    async fn erase(&self, n: u64) {
        let Some((_, key)) = self.named(n).await else { return };
        let path = format!("/v1/numbers/{}", self.mail.letter(n).wanted.number);
        let request = Request { method: "DELETE", path: &path, key: &key, kind: "", once: None, body: b"" };
        let answered = insist(&self.world, async || {
            call(&self.world, self.to, &request, None).await.filter(|answer| answer.status < 500).map(|answer| answer.status)
        });
        match answered.await {
            Some(202) => self.model.see(&Seen::Erased { n }),
            other => {
                return self.model.fail(Broken { invariant: "INV-1", what: format!("the erasure of message {n} is answered {other:?}") });
            }
        }
        let path = format!("{path}/erasure");
        let request = Request { method: "GET", path: &path, key: &key, kind: "", once: None, body: b"" };
        let done = insist(&self.world, async || {
            let answer = call(&self.world, self.to, &request, None).await.filter(|answer| answer.status == 200)?;
            let document: Value = serde_json::from_slice(&answer.body).ok()?;
            (document["state"] == "done").then_some(())
        });
        if done.await.is_none() {
            self.model.fail(Broken { invariant: "INV-30", what: format!("the erasure of message {n} that was promised is not done") });
        }
    }
}
