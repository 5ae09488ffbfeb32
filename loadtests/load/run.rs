//! One run: set the stage, offer the phases, wait until every message is final and told, and add everything up.
#![allow(clippy::disallowed_methods)]

use super::backlog;
use super::drive::{Door, Driven, Plan};
use super::histogram::{Histogram, round};
use super::metrics::Metrics;
use super::process::{Process, Usage};
use super::rules;
use super::scenario::{Course, Phase, Refusals, Scenario};
use super::search::search;
use super::stage::{Directory, Stage};
use anyhow::Context as _;
use relais::world::World;
use serde_json::{Value, json};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// No counter moves for so long: what is missing does not come.
const QUIET: Duration = Duration::from_secs(60);
/// A stop waits for windows to empty.
const STOP: Duration = Duration::from_secs(60);

/// What is known when all is over.
pub(crate) struct Figures {
    pub(crate) messages: u64,
    pub(crate) phases: Vec<Driven>,
    /// Messages told a second while each phase was offered (and, when it settles, until it had).
    pub(crate) told: Vec<f64>,
    /// Segments submitted a second while each phase was offered.
    pub(crate) sent: Vec<f64>,
    pub(crate) plans: Vec<Arc<Plan>>,
    pub(crate) began: Instant,
    pub(crate) gateway: Usage,
    pub(crate) ours: Usage,
    pub(crate) metrics_before: Metrics,
    pub(crate) metrics: Metrics,
    pub(crate) search: Value,
}

/// Runs a scenario; the report.
pub(crate) async fn run(world: &World, scenario: &Scenario, messages: u64, seed: u64, directory: Directory) -> anyhow::Result<Value> {
    match scenario.course {
        Course::Straight => straight(world, scenario, messages, seed, directory).await,
        Course::Backlog => backlog::run(world, scenario, messages, seed, directory).await,
        Course::Idle => idle(world, scenario, directory).await,
    }
}

async fn straight(world: &World, scenario: &Scenario, messages: u64, seed: u64, directory: Directory) -> anyhow::Result<Value> {
    let mut stage = Stage::set(world, scenario, directory, true).await?;
    stage.bound(scenario.gateway.carriers * scenario.gateway.binds).await?;
    if scenario.rules {
        rules::opt_out(&stage.door()).await?;
    }
    let workload = scenario.text.workload(seed);
    let door = stage.door();
    let groups = plans(&door, &workload, scenario, messages);
    let metrics_before = stage.metrics().await?;
    let (gateway, ours) = (Usage::of(stage.gateway.pid()), Usage::of(std::process::id()));
    let began = Instant::now();
    let stop = CancellationToken::new();
    let searching = groups
        .first()
        .and_then(|group| group.first())
        .filter(|_| scenario.searches_per_s > 0.0)
        .map(|plan| tokio::spawn(search(door.clone(), workload.clone(), plan.clone(), scenario.searches_per_s, stop.clone())));
    let (mut phases, mut all) = (Vec::new(), Vec::new());
    let accepted = |phases: &[Driven]| phases.iter().map(|phase| phase.accepted).sum::<u64>();
    let (mut told, mut sent) = (Vec::new(), Vec::new());
    for group in groups {
        group.iter().for_each(|plan| plan.set_peak(peak_before(&all, &told, told.len())));
        let (began, before, submits) = (Instant::now(), stage.sink.count("sink.finals"), stage.smsc_count("smsc.submits"));
        // A flood is over when nothing new is offered, though answers may still come for a while.
        let seconds = group.iter().map(|plan| plan.phase.seconds).fold(0.0, f64::max);
        let driving = tokio::spawn(async move { (drive(&group).await, group) });
        if seconds > 0.0 {
            tokio::time::sleep_until((began + Duration::from_secs_f64(seconds)).into()).await;
        }
        let mut at_end = Counted::of(&stage);
        let (driven, group) = driving.await?;
        phases.extend(driven?);
        if seconds == 0.0 {
            at_end = Counted::of(&stage);
        }
        let submitted = (at_end.submits - submits) as f64 / (at_end.at - began).as_secs_f64();
        sent.extend(group.iter().map(|_| round(submitted)));
        let (mut ended, mut after) = (at_end.at, at_end.finals);
        if group.iter().any(|plan| plan.phase.settle) {
            settled(&mut stage, accepted(&phases)).await?;
            (ended, after) = (stage.sink.since("sink.finals").unwrap_or(ended), stage.sink.count("sink.finals"));
        }
        let rate = (after - before) as f64 / (ended - began).as_secs_f64().max(1e-9);
        told.extend(group.iter().map(|_| round(rate)));
        all.extend(group);
    }
    settled(&mut stage, accepted(&phases)).await?;
    stop.cancel();
    let search = match searching {
        Some(searching) => searching.await??,
        None => Value::Null,
    };
    let metrics = stage.metrics().await?;
    let gateway = stage.gateway_usage().since(gateway);
    let ours = Usage::of(std::process::id()).since(ours);
    let figures = Figures { messages, phases, told, sent, plans: all, began, gateway, ours, metrics_before, metrics, search };
    report(stage, scenario, seed, figures).await
}

/// What had been sent and told at an instant.
struct Counted {
    at: Instant,
    submits: u64,
    finals: u64,
}

impl Counted {
    fn of(stage: &Stage) -> Counted {
        Counted { at: Instant::now(), submits: stage.smsc_count("smsc.submits"), finals: stage.sink.count("sink.finals") }
    }
}

/// The plans, those that run at the same time together.
fn plans(door: &Door, workload: &relais::lab::Workload, scenario: &Scenario, messages: u64) -> Vec<Vec<Arc<Plan>>> {
    let mut groups: Vec<Vec<Arc<Plan>>> = Vec::new();
    for (phase, range) in ranges(&scenario.phases, messages) {
        let plan = Arc::new(Plan::new(door, workload, phase, range));
        match groups.last_mut() {
            Some(group) if phase.beside => group.push(plan),
            _ => groups.push(vec![plan]),
        }
    }
    groups
}

pub(crate) fn ranges(phases: &[Phase], messages: u64) -> Vec<(&Phase, Range<u64>)> {
    let mut share = 0.0;
    let at = |share: f64| (share * messages as f64).round() as u64;
    let range = |phase: &'_ Phase, share: &mut f64| {
        let from = at(*share);
        *share += phase.share;
        from..at(*share)
    };
    phases.iter().map(|phase| (phase, range(phase, &mut share))).collect()
}

/// Runs plans at the same time.
pub(crate) async fn drive(plans: &[Arc<Plan>]) -> anyhow::Result<Vec<Driven>> {
    let running: Vec<_> = plans.iter().cloned().map(|plan| tokio::spawn(async move { plan.run().await })).collect();
    let mut driven = Vec::new();
    for one in running {
        driven.push(one.await??);
    }
    Ok(driven)
}

/// Waits until the sink has been told the end of every accepted message and the SMSC's receipts are answered; returns
/// without them when nothing moves any more.
pub(crate) async fn settled(stage: &mut Stage, accepted: u64) -> anyhow::Result<()> {
    let (mut last, mut moved) = ((0, 0), Instant::now());
    loop {
        stage.check()?;
        let (finals, acked) = (stage.sink.count("sink.finals"), stage.smsc_count("smsc.receipts_acked"));
        if finals >= accepted && acked >= stage.smsc_count("smsc.receipts_sent") {
            return Ok(());
        }
        if last != (finals, acked) {
            (last, moved) = ((finals, acked), Instant::now());
        } else if moved.elapsed() > QUIET {
            eprintln!("nothing moves any more: {finals} of {accepted} told");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Binds and nothing else.
async fn idle(world: &World, scenario: &Scenario, directory: Directory) -> anyhow::Result<Value> {
    const SPAN: Duration = Duration::from_secs(20);
    let mut stage = Stage::set(world, scenario, directory, true).await?;
    let binds = scenario.gateway.carriers * scenario.gateway.binds;
    stage.bound(binds).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = Usage::of(stage.gateway.pid());
    tokio::time::sleep(SPAN).await;
    let used = Usage::of(stage.gateway.pid()).since(before);
    stage.check()?;
    Ok(json!({
        "scenario": "idle", "messages": 0, "binds": binds, "gateway_cores": round(used.cpu_s / SPAN.as_secs_f64()),
        "gateway_peak_mib": round(used.peak_mib), "lost": 0, "duplicated": 0, "adds_up": true,
    }))
}

/// Stops everything, adds up, and says so.
pub(crate) async fn report(mut stage: Stage, scenario: &Scenario, seed: u64, figures: Figures) -> anyhow::Result<Value> {
    let Figures { messages, phases, told, sent, plans, began, gateway, ours, metrics_before, metrics, search } = figures;
    let mut sum = Driven::default();
    phases.iter().for_each(|phase| sum.merge(phase.clone()));
    let smsc = stage.smsc.take().context("the SMSC is up")?;
    let millions = sum.accepted.max(1) as f64 / 1e6;
    let per_s = |process: &Process, key: &str| {
        let since = process.since(key).map_or(0.0, |since| (since - began).as_secs_f64());
        if since > 0.0 { round(process.count(key) as f64 / since) } else { 0.0 }
    };
    let told_s = stage.sink.since("sink.finals").map_or(0.0, |since| (since - began).as_secs_f64());
    let rates = json!({
        "segments": per_s(&smsc, "smsc.submits"), "receipts": per_s(&smsc, "smsc.receipts_acked"), "events": per_s(&stage.sink, "sink.events"),
    });
    let (smsc_used, sink_used) = (Usage::of(smsc.pid()), Usage::of(stage.sink.pid()));
    let record = stage.trace_file();
    let ended = stage.gateway.stop(STOP).await;
    let (smsc, sink) = (smsc.stop(STOP).await?["smsc"].clone(), stage.sink.stop(STOP).await?["sink"].clone());
    let of = |from: &Value, key: &str| from[key].as_u64().unwrap_or(0);
    let accepted = sum.accepted;
    let segments = scenario.text.segments();
    let outcomes = metrics.value("relais_outcomes_total") - metrics_before.value("relais_outcomes_total");
    let (unique, finals) = (of(&smsc, "unique_tokens"), of(&sink, "finals"));
    let lost = accepted.saturating_sub(unique).max(accepted.saturating_sub(finals));
    let extra_segments = of(&smsc, "accepted").saturating_sub(unique * segments);
    let duplicated = of(&smsc, "repeated_tokens") + of(&sink, "finals_repeated") + extra_segments;
    let checks = json!({
        "offered = accepted + dropped": sum.offered == accepted + sum.dropped + sum.lines_refused,
        "accepted = final": outcomes as u64 == accepted || scenario.course == Course::Backlog,
        "accepted = told": finals == accepted,
        "accepted = unique at the SMSC": unique == accepted,
        "segments taken = expected": of(&smsc, "accepted") == accepted * segments,
        "receipts = expected": of(&smsc, "receipts_acked") == accepted * segments,
        "no line refused": sum.lines_refused == 0,
        "the gateway stopped cleanly": ended.is_ok(),
        "nothing lost or doubled": lost + duplicated == 0,
    });
    let adds_up = checks.as_object().into_iter().flatten().all(|(_, holds)| holds == &Value::Bool(true));
    let traced = if scenario.trace { trace(&record, &plans, seed)? } else { Value::Null };
    let stages = stages(&metrics, &metrics_before);
    let accept_to_submit = if traced.is_null() { sum_of(&stages["accept_to_commit_ms"], &stages["commit_to_submit_ms"]) } else { traced };
    let overload = overload(&phases, &plans, &told, &sent);
    let phases: Vec<Value> = phases
        .iter()
        .enumerate()
        .map(|(index, phase)| {
            json!({
                "accepted": phase.accepted, "accepted_per_s": round(phase.rate()), "told_per_s": told.get(index), "submitted_while_offered_per_s": sent.get(index), "request_ms": phase.latency.json(),
                "requests": phase.requests, "refusals": phase.refusals, "refusals_with_retry_after": phase.refusals_with_wait,
                "refusal_ms": phase.refusal_latency.json(), "dropped": phase.dropped,
            })
        })
        .collect();
    Ok(json!({
        "messages": messages, "accepted": accepted, "segments": of(&smsc, "accepted"), "took_s": round(told_s),
        "end_to_end_per_s": round(finals as f64 / told_s.max(1e-9)), "accepted_per_s": round(sum.rate()),
        "submitted_segments_per_s": rates["segments"], "receipts_per_s": rates["receipts"], "webhook_events_per_s": rates["events"],
        "gateway_cpu_s_per_million": round(gateway.cpu_s / millions), "gateway_peak_mib": round(gateway.peak_mib),
        "gateway_bytes_written_per_message": round(gateway.written / accepted.max(1) as f64),
        "accept_to_submit_ms": accept_to_submit,
        "request_ms": sum.latency.json(), "stages_ms": stages,
        "processes": {
            "gateway": gateway.json(millions), "load": ours.json(millions), "smsc": smsc_used.json(millions), "sink": sink_used.json(millions),
        },
        "requests": sum.requests, "refusals": sum.refusals, "refusals_with_retry_after": sum.refusals_with_wait, "dropped": sum.dropped,
        "search_ms": search, "overload": overload, "phases": phases, "lost": lost, "duplicated": duplicated, "checks": checks, "adds_up": adds_up,
    }))
}

/// What was told a second in the last phase that settled before this one: the peak it is compared with. A long run is
/// slower at its end than at its beginning, so each flood has a peak of its own before it.
fn peak_before(plans: &[Arc<Plan>], told: &[f64], index: usize) -> f64 {
    (0..index).rev().find(|before| plans[*before].phase.settle).map_or(0.0, |before| told[before]).max(1.0)
}

/// What each phase that offers more than can be taken came to, against its peak.
fn overload(phases: &[Driven], plans: &[Arc<Plan>], told: &[f64], sent: &[f64]) -> Value {
    let over = |index: usize| {
        let (phase, peak) = (&phases[index], peak_before(plans, told, index));
        let took = phase.began.zip(phase.ended).map_or(0.0, |(began, ended)| (ended - began).as_secs_f64()).max(1e-9);
        json!({
            "due_per_s": round(peak * plans[index].phase.times_peak), "offered_per_s": round(phase.offered as f64 / took), "accepted_per_s": round(phase.rate()), "lasted_s": round(took),
            "sent_to_peak": round(sent.get(index).copied().unwrap_or(0.0) / peak), "told_to_peak": round(told.get(index).copied().unwrap_or(0.0) / peak),
            "refusals_without_retry_after": phase.refusals - phase.refusals_with_wait, "refusals": phase.refusals_by,
        })
    };
    let phases = (1..phases.len()).filter(|index| plans[*index].phase.refusals == Refusals::Drop).map(over);
    Some(phases.collect::<Vec<_>>()).filter(|over| !over.is_empty()).map_or(Value::Null, Value::Array)
}

fn stages(now: &Metrics, before: &Metrics) -> Value {
    let of = |family: &str| now.json(family, before);
    json!({
        "accept_to_commit_ms": of("relais_accept_to_commit_seconds"),
        "journal_commit_ms": of("relais_journal_commit_seconds"),
        "commit_to_submit_ms": of("relais_commit_to_submit_seconds"),
        "submit_to_response_ms": of("relais_submit_to_response_seconds"),
        "response_to_receipt_ms": of("relais_response_to_receipt_seconds"),
        "final_to_webhook_ms": of("relais_final_to_webhook_seconds"),
    })
}

/// The quantiles of two stages added up: an upper bound where both are late together, a fair guess elsewhere.
fn sum_of(first: &Value, second: &Value) -> Value {
    let at = |key: &str| Some(round(first[key].as_f64()? + second[key].as_f64()?));
    json!({ "p50": at("p50"), "p99": at("p99"), "p999": at("p999") })
}

/// From the instant a message's request was due to the millisecond in which the SMSC noted its first part.
fn trace(file: &Path, plans: &[Arc<Plan>], seed: u64) -> anyhow::Result<Value> {
    let text = std::fs::read(file).context("the SMSC's record")?;
    let mut due: Vec<(Range<u64>, f64)> = plans.iter().flat_map(|plan| plan.due()).collect();
    due.sort_by_key(|(range, _)| range.start);
    let token = format!("\"token\":\"{seed}-");
    let mut histogram = Histogram::default();
    let number = |line: &[u8], key: &[u8]| -> Option<u64> {
        let from = memchr::memmem::find(line, key)? + key.len();
        let digits: Vec<u8> = line[from..].iter().copied().take_while(u8::is_ascii_digit).collect();
        std::str::from_utf8(&digits).ok()?.parse().ok()
    };
    for line in text.split(|octet| *octet == b'\n') {
        let (Some(at), Some(message)) = (number(line, b"\"at_ms\":"), number(line, token.as_bytes())) else { continue };
        let index = due.partition_point(|(range, _)| range.end <= message);
        let Some((range, from)) = due.get(index) else { continue };
        if range.contains(&message) {
            // The SMSC cuts its clock off at the millisecond.
            histogram.add(((at as f64 + 0.5 - from).max(0.0) * 1e3) as u64);
        }
    }
    Ok(histogram.json())
}
