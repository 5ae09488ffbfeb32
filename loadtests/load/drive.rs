//! Offers messages to the HTTP interface, open loop: requests have instants at which they are due, and their latency
//! counts from there, however late a free connection comes to them.
#![allow(clippy::disallowed_methods)]

use super::client::{Answer, Client};
use super::histogram::Histogram;
use super::scenario::{Kind, Phase, Refusals};
use anyhow::{Context as _, bail};
use relais::lab::Workload;
use relais::world::World;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bodies made before the first request; what is beyond is made on the way.
const READY_BYTES: usize = 512 << 20;
/// Times a request is offered before the run is given up.
const TRIES: u32 = 2_000;

/// How late a timer may be before it counts: tokio's wheel turns in milliseconds.
const TIMER: Duration = Duration::from_millis(2);
/// Messages remembered for look-ups.
const KNOWN_MAX: usize = 65_536;

/// Where to send, and as whom.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) world: World,
    pub(crate) at: SocketAddr,
    pub(crate) key: String,
}

impl Door {
    pub(crate) fn head(&self, method: &str, path: &str, length: usize) -> Vec<u8> {
        let Door { at, key, .. } = self;
        let content =
            if method == "POST" { format!("content-type: application/json\r\ncontent-length: {length}\r\n") } else { String::new() };
        format!("{method} {path} HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer {key}\r\n{content}\r\n").into_bytes()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.world, self.at)
    }

    /// A GET, its body whole.
    pub(crate) async fn get(&self, client: &mut Client, path: &str) -> anyhow::Result<Answer> {
        client.call(&self.head("GET", path, 0), b"", usize::MAX).await
    }
}

/// What a phase came to.
#[derive(Clone, Default)]
pub(crate) struct Driven {
    pub(crate) requests: u64,
    /// Messages in requests that were taken, or given up.
    pub(crate) offered: u64,
    pub(crate) accepted: u64,
    /// Lines refused by an answer that took others.
    pub(crate) lines_refused: u64,
    /// Requests answered 429 or 503.
    pub(crate) refusals: u64,
    /// The same, by status.
    pub(crate) refusals_by: BTreeMap<u16, u64>,
    /// Of these, with Retry-After.
    pub(crate) refusals_with_wait: u64,
    /// Messages given up after a refusal.
    pub(crate) dropped: u64,
    /// From the instant due to the end of the answer, taken requests alone.
    pub(crate) latency: Histogram,
    /// Of refusals.
    pub(crate) refusal_latency: Histogram,
    pub(crate) began: Option<Instant>,
    pub(crate) ended: Option<Instant>,
}

/// Something that can be looked up.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) batch: String,
    pub(crate) number: u64,
}

impl Driven {
    pub(crate) fn merge(&mut self, other: Driven) {
        self.requests += other.requests;
        self.offered += other.offered;
        self.accepted += other.accepted;
        self.lines_refused += other.lines_refused;
        self.refusals += other.refusals;
        self.refusals_with_wait += other.refusals_with_wait;
        other.refusals_by.into_iter().for_each(|(status, count)| *self.refusals_by.entry(status).or_default() += count);
        self.dropped += other.dropped;
        self.latency.merge(&other.latency);
        self.refusal_latency.merge(&other.refusal_latency);
        self.began = [self.began, other.began].into_iter().flatten().min();
        self.ended = [self.ended, other.ended].into_iter().flatten().max();
    }

    /// Accepted a second, from the first request to the last answer.
    pub(crate) fn rate(&self) -> f64 {
        match (self.began, self.ended) {
            (Some(began), Some(ended)) if ended > began => self.accepted as f64 / (ended - began).as_secs_f64(),
            _ => 0.0,
        }
    }
}

/// What the workers of a phase share.
pub(crate) struct Plan {
    door: Door,
    workload: Workload,
    pub(crate) phase: Phase,
    messages: Range<u64>,
    ready: Vec<Vec<u8>>,
    /// Turns taken: the instant at which each is due follows from the rate.
    turn: AtomicU64,
    next: AtomicU64,
    /// Requests given up that are to be offered again.
    again: Mutex<Vec<u64>>,
    /// Messages a second.
    rate: Mutex<f64>,
    /// The instant at which each request was due, in milliseconds of wall time; 0 = it was not taken.
    due: Mutex<Vec<f64>>,
    /// Accepted so far, for who watches.
    pub(crate) accepted: AtomicU64,
    /// Some accepted messages and their bulks, for look-ups.
    pub(crate) known: Mutex<Vec<Known>>,
}

impl Plan {
    /// Makes as many bodies ahead as fit.
    pub(crate) fn new(door: &Door, workload: &Workload, phase: &Phase, messages: Range<u64>) -> Plan {
        let size = phase.size();
        let requests = (messages.end - messages.start).div_ceil(size);
        let mut plan = Plan {
            door: door.clone(),
            workload: workload.clone(),
            phase: phase.clone(),
            messages,
            ready: Vec::new(),
            turn: AtomicU64::new(0),
            next: AtomicU64::new(0),
            again: Mutex::default(),
            rate: Mutex::new(phase.rate),
            due: Mutex::new(vec![0.0; requests as usize]),
            accepted: AtomicU64::new(0),
            known: Mutex::new(Vec::new()),
        };
        let mut bytes = 0;
        while phase.kind == Kind::Bulk && bytes < READY_BYTES && (plan.ready.len() as u64) < requests {
            let body = plan.body(plan.ready.len() as u64);
            bytes += body.len();
            plan.ready.push(body);
        }
        plan
    }

    fn range(&self, request: u64) -> Range<u64> {
        let from = self.messages.start + request * self.phase.size();
        from..(from + self.phase.size()).min(self.messages.end)
    }

    fn body(&self, request: u64) -> Vec<u8> {
        let mut body = Vec::new();
        match self.phase.kind {
            Kind::Bulk => self.workload.json(self.range(request), &mut body),
            Kind::Single => self.workload.single(self.range(request).start, &mut body),
        }
        body
    }

    /// When each message was due, in milliseconds of wall time, and which messages.
    pub(crate) fn due(&self) -> Vec<(Range<u64>, f64)> {
        let due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.iter().enumerate().filter(|(_, at)| **at > 0.0).map(|(request, at)| (self.range(request as u64), *at)).collect()
    }

    /// Sets the rate of a phase whose rate is a multiple of the peak's.
    pub(crate) fn set_peak(&self, told_per_s: f64) {
        if self.phase.times_peak > 0.0 {
            *self.rate.lock().unwrap_or_else(PoisonError::into_inner) = told_per_s * self.phase.times_peak;
        }
    }

    /// The next request to be offered.
    fn take(&self) -> Option<u64> {
        if let Some(again) = self.again.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Some(again);
        }
        let total = (self.messages.end - self.messages.start).div_ceil(self.phase.size());
        Some(self.next.fetch_add(1, Relaxed)).filter(|request| *request < total)
    }

    /// Offers everything.
    pub(crate) async fn run(self: &Arc<Plan>) -> anyhow::Result<Driven> {
        let (began, wall) = (Instant::now(), wall_ms());
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..self.phase.connections.max(1) {
            workers.spawn(worker(self.clone(), began, wall));
        }
        let mut driven = Driven::default();
        while let Some(done) = workers.join_next().await {
            driven.merge(done??);
        }
        Ok(driven)
    }
}

/// Wall time in milliseconds with its fraction, as the SMSC's record has it without.
fn wall_ms() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1e3)
}

impl Phase {
    /// Messages of a request.
    fn size(&self) -> u64 {
        if self.kind == Kind::Single { 1 } else { self.bulk.max(1) }
    }
}

async fn worker(plan: Arc<Plan>, began: Instant, wall: f64) -> anyhow::Result<Driven> {
    let Plan { door, phase, .. } = &*plan;
    let mut client = door.client();
    let mut driven = Driven { began: Some(began), ..Driven::default() };
    let rate = *plan.rate.lock().unwrap_or_else(PoisonError::into_inner);
    let path = if phase.kind == Kind::Single { "/v1/messages" } else { "/v1/batches" };
    loop {
        if phase.seconds > 0.0 && began.elapsed().as_secs_f64() >= phase.seconds {
            driven.ended = Some(Instant::now());
            return Ok(driven);
        }
        let Some(request) = plan.take() else { return Ok(driven) };
        let turn = plan.turn.fetch_add(1, Relaxed);
        let made;
        let body = match plan.ready.get(request as usize) {
            Some(body) => body,
            None => {
                made = plan.body(request);
                &made
            }
        };
        let head = door.head("POST", path, body.len());
        let due = if rate > 0.0 {
            let due = began + Duration::from_secs_f64((turn * phase.size()) as f64 / rate);
            if Instant::now() < due {
                // The connection was free in time: that our timer wakes a millisecond late is not the gateway's doing.
                tokio::time::sleep_until(due.into()).await;
                Instant::now().min(due + TIMER)
            } else {
                due
            }
        } else {
            Instant::now()
        };
        let range = plan.range(request);
        driven.offered += range.end - range.start;
        for tries in 0.. {
            let answer = client.call(&head, body, 0).await.context("a request was not answered")?;
            driven.requests += 1;
            let took = due.elapsed().as_micros() as u64;
            match answer.status {
                200..300 => {
                    driven.latency.add(took);
                    plan.due.lock().unwrap_or_else(PoisonError::into_inner)[request as usize] =
                        wall + due.saturating_duration_since(began).as_secs_f64() * 1e3;
                    take(&plan, &mut driven, &answer, &range)?;
                    break;
                }
                429 | 503 if tries < TRIES => {
                    driven.refusals += 1;
                    *driven.refusals_by.entry(answer.status).or_default() += 1;
                    driven.refusals_with_wait += u64::from(answer.retry_after.is_some());
                    driven.refusal_latency.add(took);
                    if phase.refusals == Refusals::Drop {
                        driven.dropped += range.end - range.start;
                        if phase.seconds > 0.0 {
                            plan.again.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                        }
                        break;
                    }
                    tokio::time::sleep(Duration::from_secs(answer.retry_after.unwrap_or(1))).await;
                }
                status => bail!("{path} answered {status}: {}", String::from_utf8_lossy(&answer.body)),
            }
        }
        driven.ended = Some(Instant::now());
    }
}

/// Counts an answer.
fn take(plan: &Plan, driven: &mut Driven, answer: &Answer, range: &Range<u64>) -> anyhow::Result<()> {
    let text = String::from_utf8_lossy(&answer.body);
    let word =
        |name: &str| text.split(&format!("\"{name}\":\"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned();
    let accepted = if plan.phase.kind == Kind::Single {
        1
    } else {
        let accepted = number(&text, "accepted")?;
        driven.lines_refused += number(&text, "refused")?;
        accepted
    };
    driven.accepted += accepted;
    plan.accepted.fetch_add(accepted, Relaxed);
    // One in sixteen requests is remembered, up to a bound.
    let mut known = plan.known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() < KNOWN_MAX && driven.requests % 16 == 1 {
        known.push(Known { id: word("id"), batch: word("batch"), number: range.start });
    }
    Ok(())
}

fn number(text: &str, name: &str) -> anyhow::Result<u64> {
    let rest = text.split(&format!("\"{name}\":")).nth(1).with_context(|| format!("an answer without {name}: {text:.200}"))?;
    let digits: String = rest.chars().skip_while(|c| *c == ' ').take_while(char::is_ascii_digit).collect();
    digits.parse().with_context(|| format!("{name} is no number: {text:.200}"))
}
