//! The gateway's command line: arguments become a configuration, a world and a running program.

#![allow(clippy::print_stderr)]

use clap::{Parser, Subcommand};
use relais::app::{command, process, send, serve};
use relais::lab::{demo, sim};
use relais::world::World;
use std::path::PathBuf;
use std::process::ExitCode;

/// A gateway for SMS: HTTP in, SMPP out, receipts back, durable.
#[derive(Parser)]
#[command(name = "relais", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the gateway.
    Serve {
        /// The configuration (config/relais.toml has every key).
        #[arg(long)]
        config: PathBuf,
    },
    /// Checks a configuration and names every mistake.
    Check {
        /// The file.
        file: PathBuf,
        /// Take secrets for granted that are not on this machine.
        #[arg(long)]
        assume_secrets: bool,
    },
    /// Makes an API key.
    Key(command::Key),
    /// Posts a CSV or NDJSON file to a gateway.
    Send(send::Send),
    /// Shows a gateway at work: simulated carriers on loopback, a bulk send followed to its receipts.
    Demo(demo::Demo),
    /// Simulates the gateway with its carriers and its faults from a seed, and checks its promises.
    Sim(sim::Sim),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::Sim(what) = &arguments.command {
        return sim::run(what).map_or_else(|fault| failed(&fault), ExitCode::from);
    }
    // Before anything is read or made. What is shown and simulated has no secrets.
    let files_max = match &arguments.command {
        Command::Serve { .. } => process::prepare(),
        _ => u64::MAX,
    };
    let world = World::real();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("api").enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => return failed(&fault.into()),
    };
    let code = runtime.block_on(async move {
        match arguments.command {
            Command::Serve { config } => Ok(serve::serve(world, &config, files_max).await),
            Command::Check { file, assume_secrets } => Ok(command::check(&file, assume_secrets)),
            Command::Key(key) => Ok(command::key(&world, &key)),
            Command::Send(what) => send::send(world, what).await.map(|()| 0),
            Command::Demo(what) => demo::run(world, what).await,
            Command::Sim(what) => sim::run(&what),
        }
    });
    // Threads that are still in a blocking call (a look-up) do not hold the exit back.
    runtime.shutdown_background();
    code.map_or_else(|fault| failed(&fault), ExitCode::from)
}

fn failed(fault: &anyhow::Error) -> ExitCode {
    eprintln!("relais: {fault:#}");
    ExitCode::from(1)
}
