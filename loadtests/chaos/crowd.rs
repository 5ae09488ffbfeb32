//! Too much: a carrier that throttles far below what comes, and customers who offer ten times what is allowed. What is
//! refused is refused with Retry-After and never sent, what is accepted is kept and sent once, and memory stays bounded.

use crate::common::gateway::key;
use crate::common::http::Client;
use crate::common::until;
use crate::load::{Acknowledged, bulk};
use crate::rig::{Rig, Wanted};
use crate::{Given, Outcome};
use relais::lab::Chance;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Of a storm: what it is called, what the carrier takes a second, how it refuses the rest, and others it refuses by chance.
const STORMS: [(&str, u32, &str, &str); 3] = [
    ("ESME_RTHROTTLED", 300, "0x58", "[]"),
    ("ESME_RMSGQFUL", 300, "0x14", "[]"),
    ("ESME_RSYSERR beside", 600, "0x58", "[{\"status\":\"0x08\",\"rate\":0.5}]"),
];

/// F23, INV-13: far more comes than the carrier takes; it is a matter of time, never of the message.
pub(crate) fn storms(given: Given) -> Outcome {
    let mut lines = Map::new();
    let share = given.until.saturating_duration_since(Instant::now()) / STORMS.len() as u32;
    for (index, (name, rate, status, others)) in STORMS.into_iter().enumerate() {
        let wanted = Wanted {
            habits: vec![format!("throttle_per_s={rate}"), format!("throttle_status={status}"), format!("statuses={others}")],
            carrier: "throttle_pause = \"200ms\"\nretry_min = \"50ms\"\nretry_max = \"500ms\"\nattempts_max = 100\n".into(),
            ..Wanted::default()
        };
        let mut rig = Rig::new("chaos-storms", given.seed + index as u64, &wanted);
        rig.customers(8, Duration::from_millis(40));
        rig.up();
        let began = Instant::now();
        std::thread::sleep(share.clamp(Duration::from_secs(3), Duration::from_secs(20)) / 3);
        let span = began.elapsed().as_secs_f64();
        let counts = rig.carrier_counts();
        let settled = rig.settle();
        assert_eq!((settled.sum.doubled, settled.sum.unseen, settled.sum.labelled), (0, 0, 0), "INV-9, INV-13: {name}");
        let count = |name: &str| counts[name].as_u64().unwrap_or(0);
        let goodput = count("accepted") as f64 / span;
        let figures = json!({
            "contract_per_s": rate, "taken_per_s": goodput as u64, "refused_share": 1.0 - count("accepted") as f64 / count("submits").max(1) as f64,
        });
        lines.insert(name.into(), settled.figures(figures));
    }
    Outcome::Held(Value::Object(lines))
}

/// Messages a second the account may send, and what is offered.
const ALLOWED: u32 = 1_000;
const OFFERED: u32 = 10 * ALLOWED;
/// Messages of one request of the crowd; of the flood, so that its requests together are more than the queue to the disk.
const MANY: usize = 100;
const MORE: usize = 500;
/// The most octets of memory the gateway may ever have had.
const MEMORY: u64 = 512 << 20;

/// What a crowd came to.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// Status and Retry-After.
    pub(crate) refused: Vec<(u16, u64)>,
    pub(crate) cut: usize,
    /// How long each answer took.
    pub(crate) answers_ms: Vec<u64>,
}

impl Tally {
    /// The answer that this share of all answers was not slower than.
    pub(crate) fn answer_ms(&self, share: f64) -> u64 {
        let mut all = self.answers_ms.clone();
        all.sort_unstable();
        all.get(((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1))).copied().unwrap_or(0)
    }
}

/// F28, INV-7, INV-25, INV-26.
pub(crate) fn overload(given: Given) -> Outcome {
    let common = |account: String| Wanted {
        account,
        http: "journal_queue_bytes_max = \"1MiB\"\nbody_bytes_max = \"256KiB\"\n".into(),
        carrier: "window = 200\n".into(),
        more: "[engine]\nlane_bytes_max = \"8MiB\"\n".into(),
        ..Wanted::default()
    };
    let span = (given.until.saturating_duration_since(Instant::now()) / 4).clamp(Duration::from_secs(3), Duration::from_secs(15));
    let mut rig = Rig::new("chaos-overload", given.seed, &common(format!("messages_per_second = {ALLOWED}\n")));
    let next = AtomicUsize::new(0);
    rig.up();
    // The customer's own limit: an even offer of ten times the allowed, whatever is answered.
    let mut allowed = crowd(rig.gateway().at(), &next, (32, MANY), span, Some(OFFERED), given.seed);
    assert!(allowed.refused.iter().all(|(status, _)| *status == 429), "their limit is 429");
    let goodput = allowed.acknowledged.len() as f64 / span.as_secs_f64();
    assert!(goodput >= 0.9 * f64::from(ALLOWED), "INV-26: {goodput} of {ALLOWED} a second are taken");
    rig.others.append(&mut allowed.acknowledged);
    let first = rig.memory();
    // Our limit: no allowance, no pause, and a queue to the disk that holds little.
    assert_eq!(rig.take().expect("it runs").stop().code(), Some(0), "INV-29");
    rig.configure(&common(String::new()));
    rig.up();
    let mut flood = crowd(rig.gateway().at(), &next, (64, MORE), Duration::from_secs(1), None, given.seed + 1);
    assert!(flood.refused.iter().all(|(status, _)| *status == 503), "our limit is 503");
    assert!(!allowed.refused.is_empty() && !flood.refused.is_empty(), "there was too much, twice");
    let taken = flood.acknowledged.len();
    rig.others.append(&mut flood.acknowledged);
    let second = rig.memory();
    assert!(first.max(second) <= MEMORY, "INV-25: {} octets", first.max(second));
    let is_ready =
        |rig: &Rig| Client::new(rig.gateway().at(), &key()).call("GET", "/readyz", &[], &[]).is_ok_and(|answer| answer.status == 200);
    until("it is as before", Duration::from_secs(30), || is_ready(&rig).then_some(()));
    let settled = rig.settle();
    assert_eq!(settled.sum.doubled, 0, "INV-9");
    let waits = allowed.refused.iter().chain(&flood.refused).map(|(_, wait)| *wait).max();
    Outcome::Held(settled.figures(json!({
        "allowed_per_s": ALLOWED, "offered_per_s": OFFERED, "taken_per_s": goodput as u64, "refused_429": allowed.refused.len(),
        "flood_taken": taken, "refused_503": flood.refused.len(), "cut": allowed.cut + flood.cut, "longest_retry_after_s": waits,
        "slowest_answer_ms": allowed.answer_ms(1.0).max(flood.answer_ms(1.0)), "memory_peak_mib": first.max(second) >> 20,
    })))
}

/// So many customers for so long; with `rate`, together so many messages a second, by the clock and not by the answers.
pub(crate) fn crowd(
    at: SocketAddr,
    next: &AtomicUsize,
    (customers, many): (u32, usize),
    span: Duration,
    rate: Option<u32>,
    seed: u64,
) -> Tally {
    let began = Instant::now();
    let work = |customer: u32| {
        let (mut client, mut tally, mut turn) = (Client::new(at, &key()), Tally::default(), 0_u32);
        let mut chance = Chance::new(seed ^ u64::from(customer) << 20);
        let gap = rate.map(|rate| Duration::from_secs_f64(many as f64 * f64::from(customers) / f64::from(rate)));
        let offset = gap.map_or(Duration::ZERO, |gap| gap * customer / customers);
        while began.elapsed() < span {
            if let Some(gap) = gap {
                let due = offset + gap * turn;
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
            turn += 1;
            let first = next.fetch_add(many, Ordering::Relaxed);
            let name = format!("crowd-{seed}-{first}-{}", chance.below(1 << 30));
            post(&mut client, &name, first..first + many, &mut tally);
        }
        tally
    };
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..customers).map(|customer| scope.spawn(move || work(customer))).collect();
        for hand in hands {
            let tally = hand.join().expect("customers say what is wrong");
            all.acknowledged.extend(tally.acknowledged);
            all.refused.extend(tally.refused);
            all.cut += tally.cut;
            all.answers_ms.extend(tally.answers_ms);
        }
    });
    all
}

/// One bulk: taken, or refused for good and never offered again. Without an answer it is asked for again until there is one.
fn post(client: &mut Client, name: &str, numbers: Range<usize>, tally: &mut Tally) {
    let body = serde_json::to_vec(&bulk(numbers.clone())).expect("plain values");
    let headers = [("content-type", "application/json"), ("idempotency-key", name)];
    loop {
        let began = Instant::now();
        let Ok(answer) = client.call("POST", "/v1/batches", &headers, &body) else {
            tally.cut += 1;
            continue;
        };
        tally.answers_ms.push(began.elapsed().as_millis() as u64);
        match answer.status {
            202 => {
                let ids = crate::common::api::ids(&answer).1;
                assert_eq!(ids.len(), numbers.len(), "all of it is right, so all of it is taken");
                tally.acknowledged.extend(ids.into_iter().zip(numbers).map(|(id, number)| Acknowledged { id, number }));
            }
            429 | 503 => {
                let wait = answer.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
                tally.refused.push((answer.status, wait.unwrap_or_else(|| panic!("{} without Retry-After", answer.status))));
            }
            409 => continue,
            other => panic!("{other}: {}", answer.text()),
        }
        return;
    }
}
