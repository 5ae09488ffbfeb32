//! The black box: the real binary under load and under faults, judged from outside by what customers were answered, what
//! the SMSC and the webhook saw and what the API says (`tests/chaos/ledger.rs`). Takes the faults that fit the minutes it is
//! given, in a fixed order, and writes a report with seed, figures and verdicts. Ends with 1 when a promise was broken.
//!
//!     loadtests/run-chaos [--minutes N] [--seed N] [--only NAME[,NAME]] [--report FILE] [--list]
//!                         [--points FROM/EVERY[/before|/half]]
//!     loadtests/run-chaos --loss KILLS [--minutes N] [--only GATEWAY[,GATEWAY]]

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::print_stdout, clippy::print_stderr)]
#![allow(dead_code, unreachable_pub)]

mod act;
mod clients;
#[path = "../../tests/common/mod.rs"]
mod common;
mod crowd;
mod disk;
mod far;
mod gateways;
mod gone;
#[path = "../../tests/chaos/ledger.rs"]
mod ledger;
mod links;
#[path = "../../tests/chaos/load.rs"]
mod load;
mod loss;
mod memory;
mod names;
mod points;
mod process;
mod reload;
mod revival;
mod rig;
mod stage;
mod strain;
mod unfit;

use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a part of the run is given.
#[derive(Clone, Copy)]
pub(crate) struct Given {
    /// All chance comes from here.
    pub(crate) seed: u64,
    /// When it should be over.
    pub(crate) until: Instant,
    /// The least number of kills of the part of that name.
    pub(crate) kills: usize,
    /// Which crash points; `None`: as many as there is time for.
    pub(crate) points: Option<points::Wish>,
}

impl Given {
    /// Whether there is time for more.
    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }
}

/// What a part came to.
pub(crate) enum Outcome {
    /// It ran; the figures. What is wrong panics.
    Held(Value),
    /// It cannot run on this machine, and why.
    Skipped(String),
}

/// A kind of fault.
struct Part {
    name: &'static str,
    what: &'static str,
    /// Its share of the time, in parts of the whole.
    share: u32,
    run: fn(Given) -> Outcome,
}

const PARTS: [Part; 28] = [
    Part { name: "kill", what: "kill -9 under load, also while it recovers (F1)", share: 8, run: process::kill },
    Part { name: "points", what: "killed at the N-th write, sync, removal and send (F2)", share: 8, run: points::points },
    Part { name: "term", what: "SIGTERM under load: nothing in doubt (F33)", share: 3, run: process::term },
    Part { name: "asleep", what: "SIGSTOP and SIGCONT (F5)", share: 3, run: process::asleep },
    Part { name: "files", what: "no file descriptors left (F7)", share: 2, run: process::files },
    Part { name: "clock", what: "the wall clock steps (F16)", share: 2, run: process::clock },
    Part { name: "sync", what: "a sync fails: nothing is answered after it (F9)", share: 3, run: disk::sync },
    Part { name: "full", what: "the disk is full, and has room again (F11)", share: 2, run: disk::full },
    Part { name: "slow", what: "syncs take 10 ms to 2 s (F12)", share: 3, run: strain::slow },
    Part { name: "writes", what: "writes fail, are half done, interrupted, come to a limit (F10)", share: 3, run: strain::writes },
    Part {
        name: "unfit",
        what: "the data directory is read-only, another's, gone, of tomorrow or yesterday (F14, F15, F32)",
        share: 2,
        run: unfit::unfit,
    },
    Part { name: "power-ext4", what: "power cut: ext4 shut down without flushing (F8)", share: 4, run: disk::power_ext4 },
    Part { name: "power-xfs", what: "power cut: XFS shut down without flushing (F8)", share: 4, run: disk::power_xfs },
    Part { name: "flips", what: "bits of a stopped store are flipped (F13)", share: 5, run: disk::flips },
    Part { name: "cuts", what: "connections cut at octet N, half open, slow (F18 to F20)", share: 4, run: far::cuts },
    Part { name: "ways", what: "links that are slow, narrow or lose packets (F20)", share: 3, run: links::ways },
    Part { name: "flapping", what: "every link is cut every one to three seconds (F21)", share: 2, run: links::flapping },
    Part { name: "doors", what: "carriers that refuse binds, are silent, throw out (F24)", share: 3, run: links::doors },
    Part { name: "names", what: "names that do not resolve, or to too much (F30)", share: 2, run: names::names },
    Part { name: "clients", what: "requests and answers cut at every octet, repeated at once (F27)", share: 2, run: clients::clients },
    Part { name: "reload", what: "keys, rules and broken files are read again under load (F17, F31)", share: 2, run: reload::reload },
    Part { name: "memory", what: "a limit on memory, with room and without (F6)", share: 3, run: memory::memory },
    Part { name: "carriers", what: "the matrix of carriers that misbehave (F22 to F26)", share: 6, run: far::carriers },
    Part { name: "half-open", what: "carrier, webhook and customers vanish without a word (F19)", share: 3, run: gone::half_open },
    Part {
        name: "storms",
        what: "the carrier throttles, is full, fails, all at many times its contract (F23)",
        share: 4,
        run: crowd::storms,
    },
    Part {
        name: "overload",
        what: "ten times what is allowed: refused with Retry-After, memory bounded (F28)",
        share: 3,
        run: crowd::overload,
    },
    Part {
        name: "revival",
        what: "a full store is found months later, and the clock steps back again (F16, F37)",
        share: 2,
        run: revival::revival,
    },
    Part { name: "sinks", what: "webhooks that hang, refuse and break (F29)", share: 3, run: far::sinks },
];

struct Arguments {
    minutes: f64,
    seed: u64,
    only: Vec<String>,
    report: Option<String>,
    loss: Option<usize>,
    points: Option<points::Wish>,
}

fn arguments() -> Option<Arguments> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let mut read = Arguments { minutes: 10.0, seed: now, only: Vec::new(), report: None, loss: None, points: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
        match word.as_str() {
            "--minutes" => read.minutes = value().parse().expect("minutes"),
            "--seed" => read.seed = value().parse().expect("a seed"),
            "--only" => read.only = value().split(',').map(str::to_owned).collect(),
            "--report" => read.report = Some(value()),
            "--loss" => read.loss = Some(value().parse().expect("a number of kills")),
            "--points" => {
                let text = value();
                read.points = Some(points::Wish::read(&text).unwrap_or_else(|| panic!("--points FROM/EVERY[/before|/half], not {text}")));
            }
            "--list" => {
                PARTS.iter().for_each(|part| println!("{:<12} {}", part.name, part.what));
                return None;
            }
            other => panic!("{other}: not an argument"),
        }
    }
    Some(read)
}

fn main() {
    let Some(asked) = arguments() else { return };
    println!("seed {}", asked.seed);
    let lines = match asked.loss {
        Some(kills) => {
            let within = Duration::from_secs_f64(asked.minutes * 60.0);
            loss::table(asked.seed, &loss::Wish { kills, within, only: asked.only.clone() })
        }
        None => faults(&asked),
    };
    let is_held = lines.iter().all(|line| line["verdict"] != "broken");
    let report = json!({ "seed": asked.seed, "commit": commit(), "verdict": if is_held { "held" } else { "broken" }, "parts": lines });
    if let Some(path) = &asked.report {
        std::fs::write(path, format!("{report:#}\n")).expect("the report can be written");
    }
    println!("{report}");
    std::process::exit(i32::from(!is_held));
}

fn faults(asked: &Arguments) -> Vec<Value> {
    let wanted: Vec<&Part> = PARTS.iter().filter(|part| asked.only.is_empty() || asked.only.iter().any(|name| name == part.name)).collect();
    assert!(!wanted.is_empty(), "--only names no part; --list does");
    let began = Instant::now();
    // A whole run has two hundred kills, however slow the machine is; short ones have what fits.
    let kills = if asked.minutes >= 10.0 { 200 } else { 0 };
    let mut shares: u32 = wanted.iter().map(|part| part.share).sum();
    let mut lines = Vec::new();
    for part in wanted {
        let whole = Duration::from_secs_f64(asked.minutes * 60.0);
        let left = whole.saturating_sub(began.elapsed());
        let given = Given { seed: asked.seed, until: Instant::now() + left * part.share / shares, points: asked.points, kills };
        shares -= part.share;
        let at = Instant::now();
        // What is broken panics with the reason; the next part runs all the same.
        let (verdict, figures) = match catch_unwind(AssertUnwindSafe(|| (part.run)(given))) {
            Ok(Outcome::Held(figures)) => ("held", figures),
            Ok(Outcome::Skipped(why)) => ("skipped", json!(why)),
            Err(why) => {
                let told = why.downcast_ref::<String>().cloned().or_else(|| why.downcast_ref::<&str>().map(|&s| s.to_owned()));
                ("broken", json!(told.unwrap_or_default()))
            }
        };
        let line =
            json!({ "part": part.name, "what": part.what, "verdict": verdict, "took_s": at.elapsed().as_secs(), "figures": figures });
        println!("{line}");
        lines.push(line);
    }
    lines
}

fn commit() -> String {
    let output = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    output.ok().map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
