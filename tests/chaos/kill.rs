//! kill -9 of the real binary, twenty times at moments drawn from a seed, under load, also while it still recovers.
//! Lost = 0; what is sent twice is labelled, and never more a kill than the windows hold; `at_most_once` holds.

use crate::common::gateway::{Gateway, Settings};
use crate::common::peers::{Event, Peer, Submit};
use crate::common::{Bench, until};
use crate::ledger::Ledger;
use crate::load::Load;
use relais::lab::Chance;
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const KILLS: usize = 20;
const WINDOW: usize = 20;
const LINKS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(90);

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64
}

/// RELAIS_SEED repeats a run, as far as a run of real processes can be repeated.
fn seed() -> u64 {
    let given = std::env::var("RELAIS_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| wall_ms() as u64)
}

/// Parts sent twice, by the life of the process that sent the first copy. A second copy in the same life is a fault
/// of its own: nothing but a kill was wrong in this run.
fn doubled_by_life(ledger: &Ledger<'_>, starts: &[i64]) -> Vec<usize> {
    let mut began: HashMap<u64, i64> = HashMap::new();
    for submit in ledger.submits {
        let first = began.entry(submit.session).or_insert(submit.at_ms);
        *first = submit.at_ms.min(*first);
    }
    let life = |submit: &Submit| starts.iter().filter(|start| **start <= began[&submit.session]).count() - 1;
    let mut doubled = vec![0; starts.len()];
    for copies in ledger.seen().into_values().filter(|copies| copies.len() > 1) {
        let lives: Vec<usize> = copies.iter().map(|copy| life(copy)).collect();
        let first = *lives.iter().min().expect("two copies");
        assert_eq!(lives.iter().filter(|life| **life == first).count(), 1, "INV-9: sent twice by one process: {copies:?}");
        doubled[first] += 1;
    }
    doubled
}

#[test]
fn twenty_kills_under_load_lose_nothing_and_double_only_what_is_labelled() {
    let seed = seed();
    println!("RELAIS_SEED={seed}");
    let (mut chance, bench) = (Chance::new(seed), Bench::new("kill"));
    let smsc = Peer::smsc(bench.path(), &["response_ms=[10,100]", "receipt_ms=[20,400]"]);
    let sink = Peer::sink(bench.path(), &[]);
    let carrier = format!(
        "binds = {LINKS}\nwindow = {WINDOW}\nsegments_per_second = 0\nresponse_timeout = \"20s\"\nambiguity_hold = \"1s\"\n\
         reconnect_min = \"50ms\"\nreconnect_max = \"200ms\"\n"
    );
    Settings { smsc: smsc.port(), sink: Some(sink.port()), carrier, more: String::new() }.write(bench.path());

    let load = Load::start(8, seed, Duration::from_millis(200));
    let (mut starts, mut in_recovery) = (Vec::new(), 0);
    for _ in 0..KILLS {
        starts.push(wall_ms());
        let mut process = Gateway::spawn(bench.path());
        if chance.hit(0.2) {
            // Dies while it starts, perhaps while it recovers.
            std::thread::sleep(Duration::from_millis(chance.between(1, 300)));
            process.kill9();
            in_recovery += 1;
            continue;
        }
        let gateway = Gateway::ready(process).expect("INV-4: it starts after every crash");
        load.gateway_at(Some(gateway.at()));
        std::thread::sleep(Duration::from_millis(chance.between(150, 2_000)));
        gateway.kill9();
        load.gateway_at(None);
    }
    starts.push(wall_ms());
    let gateway = Gateway::start(bench.path());
    load.gateway_at(Some(gateway.at()));
    let repeated = load.repeated();
    let acknowledged = load.stop();

    let began = Instant::now();
    let ids: Vec<String> = acknowledged.iter().map(|one| one.id.clone()).collect();
    let messages = gateway.api().finals(&ids, PATIENCE);
    until("all are told", PATIENCE, || (sink.counts()["sink"]["finals"] == ids.len()).then_some(()));
    let settled = began.elapsed();
    assert_eq!(gateway.api().metric("relais_panics_total", &[]), 0.0);
    assert_eq!(gateway.stop().code(), Some(0));
    let (submits, events): (Vec<Submit>, Vec<Event>) = (smsc.stop(), sink.stop());
    let ledger = Ledger { acknowledged: &acknowledged, messages: &messages, submits: &submits, events: &events, unsent: &[] };
    let sum = ledger.check();
    let doubled = doubled_by_life(&ledger, &starts);
    println!("{sum:?}; doubled by life {doubled:?}; {in_recovery} kills in recovery; {repeated} requests repeated; settled in {settled:?}");
    // The slot of a submit is free only when its outcome is durable, so a kill can double no more than the windows hold.
    assert!(doubled.iter().all(|count| *count <= WINDOW * LINKS), "INV-10: {doubled:?}");
    // How much load there was is the machine's affair; that there was some, and that some was repeated, is not.
    assert!(sum.accepted > 100 && repeated > 0, "there was load at all");
}
