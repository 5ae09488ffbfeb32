//! `relais sim`: the whole gateway in a simulated world, from a seed. Virtual time jumps from event to event on one
//! thread; clients, carriers, webhooks, network, disk and faults are the seed's; a model outside the gateway checks what
//! it sees against the promises. The same seed gives the same log, octet for octet, in every process.
//!
//! In reading order: `scenario`, `theme`, `script`, `fault` and `editions` (what a life is), `mail` (its messages), `seen`, `carrier_numbers`,
//! `standstill`, `ledger`, `checks`, `model`
//! (what is observed and judged), `wire` and `client`, `watch`, `disk`, `stage` (the far side and the gateway's lives),
//! `nemesis`, `deeds`, `config`, `coverage`, `life`, `crash` (every crash point of a life); `planted` with the feature of its name.

mod carrier_numbers;
pub mod checks;
pub mod client;
pub mod config;
pub mod coverage;
pub mod crash;
pub mod deeds;
pub mod disk;
pub mod editions;
pub mod fault;
pub mod ledger;
#[cfg(test)]
mod ledger_tests;
pub mod life;
pub mod mail;
pub mod model;
pub mod nemesis;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod scenario;
pub mod script;
pub mod seen;
pub mod stage;
mod standstill;
pub mod theme;
pub mod watch;
pub mod wire;

pub use checks::Broken;
pub use life::{Verdict, live};
pub use scenario::Scenario;

use anyhow::{Context as _, bail};
use std::io::Write as _;
use std::path::PathBuf;

/// How lives are simulated.
#[derive(Clone, Debug, clap::Args)]
pub struct Sim {
    /// The seed; everything follows from it.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// So many seeds, from that one on; it ends at the first that fails.
    #[arg(long, default_value_t = 1)]
    pub seeds: u64,
    /// What is simulated, as TOML; without it the seed draws that too.
    #[arg(long)]
    pub scenario: Option<PathBuf>,
    /// Messages, in place of the scenario's.
    #[arg(long)]
    pub messages: Option<u64>,
    /// Days of virtual time, in place of the scenario's.
    #[arg(long)]
    pub days: Option<u64>,
    /// Dies at every crash point of one written life, or at those named: FROM/EVERY or N, and /kill, /power or /twice.
    #[arg(long, num_args = 0..=1, default_missing_value = "0/1")]
    pub points: Option<crash::Wish>,
    /// Where every observation is written, a line each; with `points` of every life with a death.
    #[arg(long)]
    pub log: Option<PathBuf>,
    /// Plants a bug.
    #[cfg(feature = "planted-bugs")]
    #[arg(long)]
    pub bug: Option<String>,
    /// Looks for a planted bug in the lives of the seeds and says a row of the table in docs/proof.md; `list` says all names.
    #[cfg(feature = "planted-bugs")]
    #[arg(long)]
    pub planted: Option<String>,
}

/// Simulates; the last line is the hash of the log and the verdict. The exit status is 0 when every promise was kept.
///
/// # Errors
/// A scenario that cannot be read, a log that cannot be written.
pub fn run(sim: &Sim) -> anyhow::Result<u8> {
    #[cfg(feature = "planted-bugs")]
    {
        if let Some(name) = &sim.planted {
            let (row, is_found) = planted::hunt(name, sim.seed, sim.seeds.max(1))?;
            say(&row);
            return Ok(u8::from(!is_found));
        }
        sim.bug.as_deref().map_or(Ok(()), planted::plant)?;
    }
    let given = match &sim.scenario {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            Some(Scenario::parse(&text).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))?)
        }
    };
    if sim.days == Some(0) || sim.messages == Some(0) {
        bail!("days and messages are at least 1");
    }
    if let Some(wish) = sim.points {
        return points(sim, given, wish);
    }
    for seed in sim.seed..sim.seed.saturating_add(sim.seeds.max(1)) {
        let mut scenario = given.clone().unwrap_or_else(|| Scenario::swarm(seed));
        scenario.messages = sim.messages.unwrap_or(scenario.messages);
        scenario.minutes = sim.days.map_or(scenario.minutes, |days| days * 1_440);
        let log = match &sim.log {
            None => None,
            Some(path) => {
                let file = std::fs::File::create(path).with_context(|| path.display().to_string())?;
                Some(Box::new(file) as Box<dyn std::io::Write + Send>)
            }
        };
        let verdict = live(seed, &scenario, log);
        if let Some((at, broken)) = &verdict.broken {
            say(&format!("{} is broken at {at}: {}", broken.invariant, broken.what));
            say(&format!("again: {}", sim.again(seed)));
        }
        say(&verdict.line(seed));
        if verdict.broken.is_some() {
            return Ok(1);
        }
    }
    Ok(0)
}

/// Dies at every point of a life, or at the wished ones.
fn points(sim: &Sim, given: Option<Scenario>, wish: crash::Wish) -> anyhow::Result<u8> {
    let scenario = match given {
        Some(scenario) => scenario,
        None => Scenario::parse(crash::LIFE).map_err(|why| anyhow::anyhow!("scenarios/sim/points.toml: {why}"))?,
    };
    let log = match &sim.log {
        None => None,
        Some(path) => Some(std::fs::File::create(path).with_context(|| path.display().to_string())?),
    };
    let report = crash::run(sim.seed, &scenario, wish, log.as_ref(), say)?;
    for (when, coverage) in [("without a death", &report.coverage), ("in all lives with one", &report.after)] {
        let written = coverage.seen().into_iter().map(|(kind, count)| format!("{kind} {count}"));
        say(&format!("written {when}: {}", written.collect::<Vec<_>>().join(", ")));
    }
    for failure in &report.failures {
        say(&failure.line(sim.seed));
        say(&format!("again: {} {}", sim.again(sim.seed), failure.again()));
    }
    say(&report.line(sim.seed));
    Ok(u8::from(!report.failures.is_empty()))
}

impl Sim {
    /// The command that repeats one seed.
    fn again(&self, seed: u64) -> String {
        let mut command = format!("relais sim --seed {seed}");
        if let Some(path) = &self.scenario {
            command += &format!(" --scenario {}", path.display());
        }
        if let Some(messages) = self.messages {
            command += &format!(" --messages {messages}");
        }
        if let Some(days) = self.days {
            command += &format!(" --days {days}");
        }
        #[cfg(feature = "planted-bugs")]
        if let Some(bug) = &self.bug {
            command += &format!(" --bug {bug}");
        }
        command
    }
}

impl Verdict {
    /// One line: what was simulated, the hash of the log, the verdict.
    #[must_use]
    pub fn line(&self, seed: u64) -> String {
        let verdict = self.broken.as_ref().map_or("kept", |(_, broken)| broken.invariant);
        let Verdict { hash, accepted, told, seen, submits, lived, .. } = self;
        let hours = lived.as_secs_f64() / 3_600.0;
        format!("seed={seed} hours={hours:.1} accepted={accepted} told={told} submits={submits} seen={seen} log={hash} verdict={verdict}")
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
