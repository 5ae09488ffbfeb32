//! Load tests: `cargo run --release --bin load -- SCENARIO [--messages N]`. Starts the real gateway, the simulated
//! SMSC and the webhook sink as processes of their own on loopback, offers messages open loop, and prints one line of
//! JSON, the last line of standard output. The exit status is 0 only when every count adds up: accepted = final = told
//! = unique at the SMSC, receipts = expected, nothing lost, nothing doubled. Pass lines that are missed are named on
//! standard error and in the line; with `--strict` they fail the run too.
//!
//! `beside-kannel` is no scenario but a comparison; `loadtests/beside-kannel` installs Kannel and calls it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "load/backlog.rs"]
mod backlog;
#[path = "load/client.rs"]
mod client;
#[path = "load/drive.rs"]
mod drive;
#[path = "load/histogram.rs"]
mod histogram;
#[path = "load/kannel.rs"]
mod kannel;
#[path = "load/metrics.rs"]
mod metrics;
#[path = "load/process.rs"]
mod process;
#[path = "load/rules.rs"]
mod rules;
#[path = "load/run.rs"]
mod run;
#[path = "load/scenario.rs"]
mod scenario;
#[path = "load/search.rs"]
mod search;
#[path = "load/stage.rs"]
mod stage;

use anyhow::Context as _;
use clap::Parser;
use relais::world::World;
use scenario::{Scenario, Text};
use serde_json::{Value, json};
use stage::Directory;
use std::path::PathBuf;
use std::process::ExitCode;

/// Load tests of the gateway.
#[derive(Parser)]
struct Arguments {
    /// steady, overload, burst, singles, backlog, mixed, slow-carrier, receipts-storm, search, idle, a file, or beside-kannel.
    scenario: String,
    /// How many messages.
    #[arg(long)]
    messages: Option<u64>,
    /// Messages of a request, in all phases of bulks.
    #[arg(long)]
    bulk: Option<u64>,
    /// Connections, in all phases.
    #[arg(long)]
    connections: Option<usize>,
    /// Messages a second offered, in all phases; 0 = as fast as they are taken.
    #[arg(long)]
    rate: Option<f64>,
    /// Sessions with the carrier.
    #[arg(long)]
    binds: Option<u32>,
    /// Texts of three segments.
    #[arg(long)]
    long: bool,
    /// Advertising under every rule at once: send windows, quiet hours, caps, the guard against repeats, and a list of
    /// opt-outs.
    #[arg(long)]
    rules: bool,
    /// Look-ups a second of each kind while messages go.
    #[arg(long)]
    searches: Option<f64>,
    /// Begins every token; another seed is another set of recipients.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where journal, logs and records are left; a temporary directory without it.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Fail when a pass line is missed, too.
    #[arg(long)]
    strict: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime does not start")
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("load: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything adds up (and, when strict, passes).
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let world = World::real();
    let directory = Directory::new(arguments.dir.as_deref())?;
    if arguments.scenario == "beside-kannel" {
        return kannel::beside(&world, arguments.messages.unwrap_or(50_000), arguments.seed, directory).await;
    }
    let mut scenario = Scenario::load(&arguments.scenario)?;
    for phase in &mut scenario.phases {
        phase.bulk = arguments.bulk.unwrap_or(phase.bulk);
        phase.connections = arguments.connections.unwrap_or(phase.connections);
        phase.rate = arguments.rate.unwrap_or(phase.rate);
    }
    scenario.gateway.binds = arguments.binds.unwrap_or(scenario.gateway.binds);
    scenario.searches_per_s = arguments.searches.unwrap_or(scenario.searches_per_s);
    scenario.rules |= arguments.rules;
    if arguments.long {
        scenario.text = Text::Long;
    }
    let messages = arguments.messages.unwrap_or(scenario.messages);
    let said = run::run(&world, &scenario, messages, arguments.seed, directory).await?;
    let missed = scenario.missed(&said);
    for line in &missed {
        eprintln!("missed: {line}");
    }
    let adds_up = said["adds_up"] == Value::Bool(true);
    // The name first: lines of several runs are read by people.
    let mut report = json!({ "scenario": arguments.scenario });
    if let (Some(report), Value::Object(said)) = (report.as_object_mut(), said) {
        report.extend(said);
        report.insert("missed".into(), json!(missed));
    }
    println!("{report}");
    Ok(adds_up && (missed.is_empty() || !arguments.strict))
}
