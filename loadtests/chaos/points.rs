//! F2: the process dies at the N-th call that leaves something behind (a write to a file, a sync, a truncation or removal, a
//! send on a socket), for every N of three small acts that between them make every change of state there is; once before
//! the call and once when half of it is done. After each death it is started again, one time in four it dies once more while
//! it recovers, the act is played to its end, and the ledger judges.

use crate::act::{ACTS, Act, Stores};
use crate::stage::{Calls, Spot, Stage, shim};
use crate::{Given, Outcome};
use relais::lab::Chance;
use serde_json::{Map, Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Stages at the same time: each of them mostly waits.
const HANDS: usize = 8;

/// Which points are asked for: each `every`-th, beginning with the `from`-th. Without it as many as the time allows.
#[derive(Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) from: usize,
    pub(crate) every: usize,
    /// Only those before a call, or only those in the midst of one.
    pub(crate) half: Option<bool>,
}

impl Wish {
    /// Reads `FROM/EVERY`, `FROM/EVERY/before` or `FROM/EVERY/half`.
    pub(crate) fn read(text: &str) -> Option<Wish> {
        let mut words = text.split('/');
        let (from, every) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let half = match words.next() {
            None => None,
            Some("before") => Some(false),
            Some("half") => Some(true),
            Some(_) => return None,
        };
        (every > 0).then_some(Wish { from, every, half })
    }
}

/// A point of an act.
#[derive(Clone, Copy)]
struct Point {
    act: usize,
    spot: Spot,
}

/// What became of the points that were visited.
#[derive(Default)]
struct Done {
    died: Vec<Point>,
    lived: usize,
    again: usize,
    accepted: usize,
    labelled: usize,
    doubled: usize,
    kinds: [usize; 4],
}

pub(crate) fn points(given: Given) -> Outcome {
    let shim = match shim() {
        Ok(shim) => shim,
        Err(why) => return Outcome::Skipped(why),
    };
    let stores = Stores::prepare(&shim);
    // Twice: the order of threads differs from run to run, and with it the count.
    let counts: Vec<Calls> =
        ACTS.iter().map(|act| (0..2).map(|_| count(&shim, act, &stores)).max_by_key(|calls| calls.all).expect("two")).collect();
    let order = order(&counts, given);
    let (next, is_over, done, broken) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Done::default()), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) && (given.points.is_some() || given.goes_on()) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(point) = order.get(index) else { break };
                    if index > 0 && index.is_multiple_of(250) {
                        eprintln!("{index} of {} points", order.len());
                    }
                    let one = AssertUnwindSafe(|| visit(&shim, &stores, *point, given.seed, &done));
                    if let Err(why) = catch_unwind(one) {
                        let told = why.downcast_ref::<String>().cloned().or_else(|| why.downcast_ref::<&str>().map(|&s| s.to_owned()));
                        let place = format!("act {}, {:?}: {}", ACTS[point.act].name, point.spot, told.unwrap_or_default());
                        broken.lock().expect("no panic").get_or_insert(place);
                        is_over.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    if let Some(why) = broken.into_inner().expect("no panic") {
        panic!("{why}");
    }
    Outcome::Held(report(&counts, &order, &done.into_inner().expect("no panic")))
}

/// All points in the order of their visits. By default evenly spread from a place the seed draws, so that every visit more
/// halves a gap and other runs begin elsewhere.
fn order(counts: &[Calls], given: Given) -> Vec<Point> {
    let mut all = Vec::new();
    for half in [false, true] {
        for (act, calls) in counts.iter().enumerate() {
            all.extend((1..=calls.all).map(|at| Point { act, spot: Spot { at, half } }));
        }
    }
    if let Some(Wish { from, every, half }) = given.points {
        return all.into_iter().filter(|point| half.is_none_or(|half| half == point.spot.half)).skip(from).step_by(every).collect();
    }
    // Steps of the golden section spread evenly, however many are taken.
    let total = all.len();
    let mut step = (total as f64 * 0.618_034) as usize | 1;
    while (2..=step).any(|divisor| step.is_multiple_of(divisor) && total.is_multiple_of(divisor)) {
        step += 2;
    }
    let from = Chance::new(given.seed).below(total as u64) as usize;
    (0..total).map(|index| all[(from + index * step) % total]).collect()
}

/// How many calls an act makes.
fn count(shim: &Path, act: &Act, stores: &Stores) -> Calls {
    let mut stage = Stage::new(shim, &(act.set)(stores), &[Spot { at: 0, half: false }]);
    let sum = (act.play)(&mut stage, stores);
    let calls = stage.calls();
    stage.close();
    assert!(sum.accepted > 0 && calls.written > 0 && calls.synced > 0 && calls.sent > 0, "the shim counts: {calls:?}");
    calls
}

fn visit(shim: &Path, stores: &Stores, point: Point, seed: u64, done: &Mutex<Done>) {
    let act = &ACTS[point.act];
    let mut chance = Chance::new(seed ^ point.spot.at << 8 ^ (point.act as u64) << 1 ^ u64::from(point.spot.half));
    let mut spots = vec![point.spot];
    if chance.hit(0.25) {
        spots.push(Spot { at: chance.between(1, 60), half: chance.hit(0.5) });
    }
    let mut stage = Stage::new(shim, &(act.set)(stores), &spots);
    let sum = (act.play)(&mut stage, stores);
    let (calls, deaths) = (stage.calls(), stage.deaths());
    stage.close();
    let mut done = done.lock().expect("no panic");
    if calls.died == 0 {
        done.lived += 1;
    } else {
        done.died.push(point);
        done.kinds[calls.died as usize - 1] += 1;
    }
    done.again += usize::from(deaths > 1);
    done.accepted += sum.accepted;
    done.labelled += sum.labelled;
    done.doubled += sum.doubled;
}

fn report(counts: &[Calls], order: &[Point], done: &Done) -> Value {
    let mut acts = Map::new();
    for (index, (act, calls)) in ACTS.iter().zip(counts).enumerate() {
        let covered = |half: bool| {
            let here = |point: &&Point| point.act == index && point.spot.half == half;
            let mut at: Vec<u64> = done.died.iter().filter(here).map(|point| point.spot.at).collect();
            at.sort_unstable();
            json!({ "points": at.len(), "which": ranges(&at) })
        };
        let line = json!({
            "calls": calls.all, "file_writes": calls.written, "syncs": calls.synced, "truncations_and_removals": calls.changed,
            "sends": calls.sent, "before": covered(false), "half_done": covered(true),
        });
        acts.insert(act.name.into(), line);
    }
    let [written, synced, changed, sent] = done.kinds;
    json!({
        "acts": acts, "asked_for": order.len(), "died": done.died.len(), "lived_through": done.lived, "died_again_in_recovery": done.again,
        "died_at": { "file_writes": written, "syncs": synced, "truncations_and_removals": changed, "sends": sent },
        "accepted": done.accepted, "lost": 0, "silent_duplicates": 0, "labelled": done.labelled, "doubled": done.doubled,
    })
}

/// `1-5 7 9-12`.
fn ranges(at: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &at in at {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == at => *end = at,
            _ => runs.push((at, at)),
        }
    }
    let words = runs.iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
    words.collect::<Vec<_>>().join(" ")
}
