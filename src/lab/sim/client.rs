//! The clients: each asks when its plan says so, repeats what had no answer under the same key, sometimes breaks off at
//! any octet, sometimes asks again for what it has, sometimes gives up, sometimes calls back. And one that only looks.

use super::checks::Broken;
use super::ledger::BulkEntry;
use super::mail::{Mail, Place};
use super::model::Model;
use super::seen::Seen;
use super::wire::{Answer, Request, call};
use crate::base::{BatchId, MessageId, Span};
use crate::lab::Chance;
use crate::message::Status;
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
    /// Asks twice at once.
    pub doubles: f64,
    /// Asks again for what it has.
    pub repeats: f64,
    /// Asks for something else under a key it has used.
    pub crosses: f64,
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
        let (is_lines, once) = (first.is_multiple_of(2), format!("sim-{account}-{first}"));
        let body = self.body(planned, is_lines);
        let path = if is_bulk { "/v1/batches" } else { "/v1/messages" };
        let kind = if is_bulk && is_lines { "application/x-ndjson" } else { "application/json" };
        let request = Request { method: "POST", path, key, kind, once: Some(&once), body: body.as_bytes() };
        self.model.see(&Seen::Asked { account, first, count });
        // Whether some attempt may have been taken without our knowing.
        let (mut is_open, mut wait_s) = (false, 1);
        loop {
            let cut = chance.hit(self.manners.breaks_off).then(|| {
                // At once, or after a silence in which what came may be staged.
                let hangs_up = if chance.hit(0.5) { Span::ZERO } else { Span::millis(chance.below(5_000)) };
                (chance.between(1, body.len() as u64 + 250) as usize, hangs_up)
            });
            let is_double = chance.hit(self.manners.doubles);
            let (answer, other) = tokio::join!(call(&self.world, self.to, &request, cut), async {
                if is_double { call(&self.world, self.to, &request, None).await } else { None }
            });
            self.model.see(&Seen::Answered { first, status: answer.as_ref().map_or(0, |answer| answer.status) });
            if let Some(other) = other.filter(|other| matches!(other.status, 200 | 202)) {
                self.took(&other, planned);
            }
            match answer {
                Some(answer) if answer.status == 202 || answer.status == 200 => {
                    self.took(&answer, planned);
                    if chance.hit(self.manners.crosses) {
                        self.cross(&request, first).await;
                    }
                    if !chance.hit(self.manners.repeats) {
                        break;
                    }
                    // Once more, as if the answer had been lost.
                    tokio::time::sleep(Span::millis(chance.between(0, 60_000)).std()).await;
                }
                Some(Answer { status: 422, ref body, .. }) if self.is_refused(first, body, planned) => return,
                // What was stored under its key is gone with the rest: it is refused, and nothing is sent.
                Some(Answer { status: 422, .. }) if self.model.ask(|ledger| ledger.entry(first).is_some_and(|entry| entry.is_erased)) => {
                    return;
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

    fn body(&self, planned: Planned, is_lines: bool) -> String {
        let Planned { first, count, .. } = planned;
        let mut body = String::new();
        match (count > 1, is_lines) {
            (false, _) => self.mail.write(first, Place::Alone, &mut body),
            (true, true) => {
                for n in first..first + u64::from(count) {
                    self.mail.write(n, Place::Line, &mut body);
                    body.push('\n');
                }
            }
            (true, false) => {
                body.push_str("{\"messages\":[");
                for n in first..first + u64::from(count) {
                    if n > first {
                        body.push(',');
                    }
                    self.mail.write(n, Place::Line, &mut body);
                }
                body.push_str("]}");
            }
        }
        body
    }

    /// Asks for something else under a key that was used.
    async fn cross(&self, request: &Request<'_>, first: u64) {
        let mut body = request.body.to_vec();
        body.push(b' ');
        if let Some(answer) = call(&self.world, self.to, &Request { body: &body, ..*request }, None).await {
            self.model.see(&Seen::Crossed { first, status: answer.status });
        }
    }

    /// Whether a single message of advertising was refused because of its hours or its recipient; it is then not asked for again.
    fn is_refused(&self, n: u64, body: &[u8], planned: Planned) -> bool {
        planned.count == 1 && serde_json::from_slice::<Value>(body).is_ok_and(|problem| self.is_lawful(n, &problem))
    }

    /// The same of a line. Whether the reason is true the checks say.
    fn is_lawful(&self, n: u64, problem: &Value) -> bool {
        let is_lawful = is_of_law(problem) && self.mail.letter(n).wanted.is_marketing;
        if is_lawful && self.model.ask(|ledger| ledger.entry(n).is_some_and(|entry| entry.id == 0)) {
            self.model.see(&Seen::Refused { n, code: problem["code"].as_str().unwrap_or_default() });
            self.model.see(&Seen::Declined { n });
        }
        is_lawful
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
        let is_refused = |(n, result): &(u64, &Value)| self.mail.letter(*n).is_wrong || is_of_law(&result["error"]);
        let wrong = (first..).zip(results).filter(is_refused).count() as u64;
        let numbers = ["received", "accepted", "refused"].map(|name| document[name].as_u64().unwrap_or(u64::MAX));
        if results.len() != count as usize || numbers != [u64::from(count), u64::from(count) - wrong, wrong] {
            let what = format!("bulk {first} of {count} lines, {wrong} of them wrong: {} results, {numbers:?}", results.len());
            return self.model.fail(Broken { invariant: "INV-1", what });
        }
        match document["batch"].as_str().and_then(|text| text.parse::<BatchId>().ok()) {
            Some(id) => self.model.see(&Seen::Bulk { first, count, id: id.0 }),
            None => return self.model.fail(Broken { invariant: "INV-8", what: format!("bulk {first} was taken without an id") }),
        }
        for result in results {
            if let Some(n) = result["line"].as_u64().map(|line| first + line)
                && self.is_lawful(n, &result["error"])
            {
                continue;
            }
            let line = result["line"].as_u64().filter(|line| *line < u64::from(count)).map(|line| first + line);
            match (line, id_of(result)) {
                (Some(n), Some(id)) if !self.mail.letter(n).is_wrong => self.model.see(&Seen::Took { n, id: id.0 }),
                (Some(n), None) if self.mail.letter(n).is_wrong && result["error"].is_object() => self.model.see(&Seen::Declined { n }),
                _ => return self.model.fail(Broken { invariant: "INV-1", what: format!("bulk {first}: a line is answered {result}") }),
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
        let since = self.world.now().0;
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
            since,
            n,
            status: document["status"].as_str().unwrap_or_default(),
            is_final: document["final"].as_bool().unwrap_or_default(),
            possible_duplicate: document["possible_duplicate"].as_bool().unwrap_or_default(),
            carrier_ids: &carrier_ids,
        });
        true
    }

    /// Looks at where the messages of a bulk stand; whether there was an answer.
    pub async fn count(&self, key: &str, bulk: &BulkEntry) -> bool {
        let since = self.world.now().0;
        let path = format!("/v1/batches/{}", BatchId(bulk.id));
        let request = Request { method: "GET", path: &path, key, kind: "", once: None, body: b"" };
        let Some(answer) = call(&self.world, self.to, &request, None).await.filter(|answer| answer.status < 500) else { return false };
        if answer.status != 200 {
            let what = format!("bulk {} was accepted and is answered {}", bulk.first, answer.status);
            self.model.fail(Broken { invariant: "INV-1", what });
            return true;
        }
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let lines = ["received", "accepted", "refused"].map(|name| document[name].as_u64().unwrap_or(u64::MAX));
        let number = |status: Status| document["counts"][status.word()].as_u64().unwrap_or(0);
        let counts: Vec<(Status, u64)> = Status::ALL.into_iter().map(|status| (status, number(status))).filter(|(_, n)| *n > 0).collect();
        let is_final = document["final"].as_bool().unwrap_or_default();
        self.model.see(&Seen::Counted { since, first: bulk.first, lines, counts: &counts, is_final });
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

/// Asks until there is an answer, for ten minutes at most.
pub async fn insist<T>(world: &World, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let end = world.mono() + Span::secs(600);
    loop {
        match ask().await {
            None if world.mono() < end => tokio::time::sleep(Span::secs(1).std()).await,
            answer => return answer,
        }
    }
}

/// Whether a problem is one of those that only advertising meets.
fn is_of_law(problem: &Value) -> bool {
    matches!(problem["code"].as_str(), Some("no_opening" | "opted_out"))
}
