//! The carrier is down while everything is accepted; then `kill -9`, a new start, the carrier comes up, and the
//! backlog drains. Memory and rate are noted for every tenth of the messages.
#![allow(clippy::disallowed_methods)]

use super::drive::{Driven, Plan};
use super::histogram::round;
use super::process::Usage;
use super::rules;
use super::run::{Figures, drive, ranges, report, settled};
use super::scenario::Scenario;
use super::search::search;
use super::stage::{Directory, Stage};
use relais::world::World;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Steps in which memory and rate are noted.
const STEPS: u64 = 10;

pub(crate) async fn run(world: &World, scenario: &Scenario, messages: u64, seed: u64, directory: Directory) -> anyhow::Result<Value> {
    let mut stage = Stage::set(world, scenario, directory, false).await?;
    if scenario.rules {
        rules::opt_out(&stage.door()).await?;
    }
    let workload = scenario.text.workload(seed);
    let metrics_before = stage.metrics().await?;
    let ours = Usage::of(std::process::id());
    let began = Instant::now();
    let (mut phases, mut plans, mut steps): (Vec<Driven>, Vec<Arc<Plan>>, Vec<Value>) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..STEPS {
        let (from, to) = (messages * step / STEPS, messages * (step + 1) / STEPS);
        let door = stage.door();
        let group: Vec<Arc<Plan>> = ranges(&scenario.phases, to - from)
            .into_iter()
            .map(|(phase, range)| Arc::new(Plan::new(&door, &workload, phase, range.start + from..range.end + from)))
            .collect();
        let before = Usage::of(stage.gateway.pid());
        let mut driven = Driven::default();
        drive(&group).await?.into_iter().for_each(|one| driven.merge(one));
        let used = Usage::of(stage.gateway.pid());
        steps.push(json!({
            "accepted": to, "accepted_per_s": round(driven.rate()), "resident_mib": round(used.resident_mib), "peak_mib": round(used.peak_mib),
            "cpu_s_per_million": round(used.since(before).cpu_s * 1e6 / (to - from).max(1) as f64),
        }));
        eprintln!("accepted {to}: {}", steps[steps.len() - 1]);
        phases.push(driven);
        plans.extend(group);
    }
    let peak = Usage::of(stage.gateway.pid()).peak_mib;
    let ready = stage.kill_and_restart().await?;
    let resident = Usage::of(stage.gateway.pid()).resident_mib;
    eprintln!("ready again after {:.3} s, {resident:.0} MiB", ready.as_secs_f64());

    let stop = CancellationToken::new();
    let searching = plans
        .first()
        .filter(|_| scenario.searches_per_s > 0.0)
        .map(|plan| tokio::spawn(search(stage.door(), workload.clone(), plan.clone(), scenario.searches_per_s, stop.clone())));
    let draining = Instant::now();
    stage.carrier_up().await?;
    let accepted: u64 = phases.iter().map(|phase| phase.accepted).sum();
    settled(&mut stage, accepted).await?;
    let drained = stage.sink.since("sink.finals").map_or(0.0, |since| (since - draining).as_secs_f64());
    stop.cancel();
    let search = match searching {
        Some(searching) => searching.await??,
        None => Value::Null,
    };
    let metrics = stage.metrics().await?;
    let (gateway, ours) = (stage.gateway_usage(), Usage::of(std::process::id()).since(ours));
    let figures =
        Figures { messages, phases, told: Vec::new(), sent: Vec::new(), plans, began, gateway, ours, metrics_before, metrics, search };
    let mut said = report(stage, scenario, seed, figures).await?;
    // Against the first step; the second is the first whose start is warm, the last what ten times as much does.
    let figure = |step: usize, key: &str| steps[step][key].as_f64().unwrap_or(0.0);
    let last = steps.len() - 1;
    said["backlog"] = json!({
        "peak_mib_while_queueing": round(peak), "resident_mib_after_restart": round(resident), "ready_after_kill_s": round(ready.as_secs_f64()),
        "drained_per_s": round(accepted as f64 / drained.max(1e-9)),
        "mib_per_step_after_the_first": round((figure(last, "resident_mib") - figure(0, "resident_mib")) / last as f64),
        "accept_rate_last_to_first": round(figure(last, "accepted_per_s") / figure(0, "accepted_per_s").max(1.0)),
        "steps": steps,
    });
    Ok(said)
}
