//! Look-ups while messages go: by id, by client reference, by recipient, by bulk. Each has a connection and a
//! histogram of its own; latency counts from the instant due.
#![allow(clippy::disallowed_methods)]

use super::drive::{Door, Known, Plan};
use super::histogram::Histogram;
use anyhow::bail;
use relais::lab::Workload;
use serde_json::{Map, Value, json};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const KINDS: [&str; 4] = ["id", "client_ref", "recipient", "batch"];

/// Runs until told to stop; the report.
pub(crate) async fn search(door: Door, workload: Workload, plan: Arc<Plan>, per_s: f64, stop: CancellationToken) -> anyhow::Result<Value> {
    let mut tasks = tokio::task::JoinSet::new();
    for kind in KINDS {
        tasks.spawn(one(door.clone(), workload.clone(), plan.clone(), per_s, stop.clone(), kind));
    }
    let mut report = Map::new();
    while let Some(done) = tasks.join_next().await {
        let (kind, latency, missing) = done??;
        let mut line = latency.json();
        if let Some(line) = line.as_object_mut() {
            line.insert("not_found".into(), json!(missing));
        }
        report.insert(kind.into(), line);
    }
    Ok(Value::Object(report))
}

async fn one(
    door: Door,
    workload: Workload,
    plan: Arc<Plan>,
    per_s: f64,
    stop: CancellationToken,
    kind: &'static str,
) -> anyhow::Result<(&'static str, Histogram, u64)> {
    let mut client = door.client();
    let (mut latency, mut missing) = (Histogram::default(), 0);
    let began = Instant::now();
    for turn in 0u64.. {
        let due = began + Duration::from_secs_f64(turn as f64 / per_s);
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep_until(due.into()) => {}
        }
        let known = {
            let all = plan.known.lock().unwrap_or_else(PoisonError::into_inner);
            // Old and new ones, spread evenly.
            let index = (turn.wrapping_mul(7_919) as usize).checked_rem(all.len());
            index.map(|index| all[index].clone())
        };
        let Some(known) = known else { continue };
        let path = path(kind, &known, &workload);
        let began = due.max(Instant::now() - Duration::from_secs(1));
        let answer = door.get(&mut client, &path).await?;
        latency.add(began.elapsed().as_micros() as u64);
        let holds = match kind {
            "id" => answer.status == 200,
            "batch" => answer.status == 200,
            _ => answer.status == 200 && memchr::memmem::find(&answer.body, workload.token(known.number).as_bytes()).is_some(),
        };
        missing += u64::from(!holds);
        if answer.status >= 500 {
            bail!("a look-up by {kind} was answered {}", answer.status);
        }
    }
    Ok((kind, latency, missing))
}

fn path(kind: &str, known: &Known, workload: &Workload) -> String {
    match kind {
        "id" => format!("/v1/messages/{}", known.id),
        "client_ref" => format!("/v1/messages?client_ref={}", workload.token(known.number)),
        "recipient" => format!("/v1/messages?to=%2B{}", &workload.recipient(known.number)[1..]),
        _ if known.batch.is_empty() => format!("/v1/messages/{}", known.id),
        _ => format!("/v1/batches/{}", known.batch),
    }
}
