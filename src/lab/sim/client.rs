//! The clients: each asks when its plan says so, repeats what had no answer under the same key, sometimes breaks off at
//! any octet, sometimes asks again for what it has, sometimes gives up, sometimes calls back. And one that only looks.

use super::checks::Broken;
use super::mail::Mail;
use super::model::Model;
use super::seen::Seen;
use super::wire::{Answer, Request, call};
use crate::base::{MessageId, Span};
use crate::lab::Chance;
use crate::world::World;
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// A request that is planned.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    /// When, in milliseconds from the beginning.
    pub at_ms: u64,
    /// The first message.
    pub first: u64,
    /// How many.
    pub count: u32,
}

/// How often clients misbehave; all 0 in a life without faults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners {
    /// Breaks off while asking.
    pub breaks_off: f64,
    /// Asks again for what it has.
    pub repeats: f64,
    /// Does not ask again after no answer.
    pub gives_up: f64,
}

/// What clients share.
#[derive(Clone)]
pub struct Desk {
    /// The world.
    pub world: World,
    /// Where the gateway listens.
    pub to: SocketAddr,
    /// Told what is asked and answered.
    pub model: Model,
    /// Makes the messages.
    pub mail: Arc<Mail>,
    /// How they behave.
    pub manners: Manners,
}

/// One client of an account works through its plan.
pub async fn work(desk: Desk, account: u8, key: String, mut plan: VecDeque<Planned>, seed: u64) {
    let mut chance = Chance::new(seed);
    while let Some(planned) = plan.pop_front() {
        let now_ms = desk.world.mono().0 / 1_000;
        tokio::time::sleep(Span::millis(planned.at_ms.saturating_sub(now_ms)).std()).await;
        desk.ask(account, &key, planned, &mut chance).await;
    }
}

impl Desk {
    async fn ask(&self, account: u8, key: &str, planned: Planned, chance: &mut Chance) {
        let Planned { first, count, .. } = planned;
        let is_bulk = count > 1;
        let (mut body, once) = (String::new(), format!("sim-{account}-{first}"));
        let is_lines = first.is_multiple_of(2);
        match (is_bulk, is_lines) {
            (false, _) => self.mail.write(first, &mut body),
            (true, true) => {
                for n in first..first + u64::from(count) {
                    self.mail.write(n, &mut body);
                    body.push('\n');
                }
            }
            (true, false) => {
                body.push_str("{\"messages\":[");
                for n in first..first + u64::from(count) {
                    if n > first {
                        body.push(',');
                    }
                    self.mail.write(n, &mut body);
                }
                body.push_str("]}");
            }
        }
        let path = if is_bulk { "/v1/batches" } else { "/v1/messages" };
        let kind = if is_bulk && is_lines { "application/x-ndjson" } else { "application/json" };
        let request = Request { method: "POST", path, key, kind, once: Some(&once), body: body.as_bytes() };
        self.model.see(&Seen::Asked { account, first, count });
        // Whether some attempt may have been taken without our knowing.
        let (mut is_open, mut wait_s) = (false, 1);
        loop {
            let cut = chance.hit(self.manners.breaks_off).then(|| chance.between(1, body.len() as u64 + 250) as usize);
            let answer = call(&self.world, self.to, &request, cut).await;
            self.model.see(&Seen::Answered { first, status: answer.as_ref().map_or(0, |answer| answer.status) });
            match answer {
                Some(answer) if answer.status == 202 || answer.status == 200 => {
                    self.took(&answer, planned);
                    if !chance.hit(self.manners.repeats) {
                        break;
                    }
                    // Once more, as if the answer had been lost.
                    tokio::time::sleep(Span::millis(chance.between(0, 60_000)).std()).await;
                }
                Some(Answer { status: 400..=407 | 410..=428 | 430..=499, body, .. }) => {
                    let what = format!("request {first} is refused: {}", String::from_utf8_lossy(&body));
                    return self.model.fail(Broken { invariant: "INV-8", what });
                }
                other => {
                    // Of 409 the first attempt is still under way; a 5xx other than 503 says nothing of the messages.
                    is_open |= !matches!(other, Some(Answer { status: 429 | 503, .. }));
                    if chance.hit(self.manners.gives_up) {
                        let of = first..first + u64::from(count);
                        if !is_open {
                            of.for_each(|n| self.model.see(&Seen::Declined { n }));
                        }
                        return;
                    }
                    let asked = other.and_then(|answer| answer.retry_after).unwrap_or(0).min(60);
                    tokio::time::sleep(Span::millis(asked.max(wait_s) * 1_000 + chance.below(500)).std()).await;
                    wait_s = (wait_s * 2).min(30);
                }
            }
        }
        self.call_back(key, planned, chance).await;
    }

    /// Reads the ids of a 2xx.
    fn took(&self, answer: &Answer, planned: Planned) {
        let Planned { first, count, .. } = planned;
        let Ok(document) = serde_json::from_slice::<Value>(&answer.body) else {
            let what = format!("request {first} was answered {} with a body that is no JSON", answer.status);
            return self.model.fail(Broken { invariant: "INV-8", what });
        };
        let id_of = |value: &Value| value["id"].as_str().and_then(|text| text.parse::<MessageId>().ok());
        if count == 1 {
            return match id_of(&document) {
                Some(id) => self.model.see(&Seen::Took { n: first, id: id.0 }),
                None => self.model.fail(Broken { invariant: "INV-8", what: format!("message {first} was taken without an id") }),
            };
        }
        let results = document["results"].as_array().map_or(&[][..], Vec::as_slice);
        let is_whole = results.len() == count as usize && document["accepted"] == count;
        if !is_whole {
            let what = format!("bulk {first}: {} results for {count} lines, {}", results.len(), document["refused_by"]);
            return self.model.fail(Broken { invariant: "INV-1", what });
        }
        for result in results {
            match (result["line"].as_u64(), id_of(result)) {
                (Some(line), Some(id)) => self.model.see(&Seen::Took { n: first + line, id: id.0 }),
                _ => return self.model.fail(Broken { invariant: "INV-1", what: format!("bulk {first}: a line without an id: {result}") }),
            }
        }
    }

    /// Calls back what its sender regrets.
    async fn call_back(&self, key: &str, planned: Planned, chance: &mut Chance) {
        for n in planned.first..planned.first + u64::from(planned.count) {
            if !self.mail.letter(n).is_canceled {
                continue;
            }
            tokio::time::sleep(Span::millis(chance.between(0, 3_000)).std()).await;
            let id = self.model.ask(|ledger| ledger.entry(n).map_or(0, |entry| entry.id));
            let path = format!("/v1/messages/{}/cancel", MessageId(id));
            let request = Request { method: "POST", path: &path, key, kind: "application/json", once: None, body: b"" };
            let answer = call(&self.world, self.to, &request, None).await;
            if answer.is_some_and(|answer| answer.status == 200) {
                self.model.see(&Seen::Canceled { n });
            }
        }
    }

    /// Looks at one message; whether there was an answer.
    pub async fn look(&self, key: &str, n: u64) -> bool {
        let id = self.model.ask(|ledger| ledger.entry(n).map_or(0, |entry| entry.id));
        let path = format!("/v1/messages/{}", MessageId(id));
        let request = Request { method: "GET", path: &path, key, kind: "", once: None, body: b"" };
        let Some(answer) = call(&self.world, self.to, &request, None).await.filter(|answer| answer.status < 500) else { return false };
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status != 200 {
            self.model.fail(Broken { invariant: "INV-1", what: format!("message {n} was accepted and is answered {}", answer.status) });
            return true;
        }
        let parts = document["parts"].as_array().map_or(&[][..], Vec::as_slice);
        let carrier_ids: Vec<Option<String>> = parts.iter().map(|part| part["carrier_id"].as_str().map(str::to_owned)).collect();
        self.model.see(&Seen::Looked {
            n,
            status: document["status"].as_str().unwrap_or_default(),
            is_final: document["final"].as_bool().unwrap_or_default(),
            possible_duplicate: document["possible_duplicate"].as_bool().unwrap_or_default(),
            carrier_ids: &carrier_ids,
        });
        true
    }

    /// Searches one message by its reference; whether there was an answer.
    pub async fn search(&self, key: &str, n: u64) -> bool {
        let path = format!("/v1/messages?client_ref={n}");
        let request = Request { method: "GET", path: &path, key, kind: "", once: None, body: b"" };
        let Some(answer) = call(&self.world, self.to, &request, None).await.filter(|answer| answer.status == 200) else { return false };
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        self.model.see(&Seen::Found { n, count: document["messages"].as_array().map_or(0, Vec::len) });
        true
    }
}
