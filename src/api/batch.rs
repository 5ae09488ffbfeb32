//! `GET /v1/batches` and `GET /v1/batches/{id}`: bulks and where their messages stand. The counters of a bulk always
//! add up to what was accepted of it, and accepted and refused to what was received.

use crate::api::caller::Caller;
use crate::api::list::{Cursor, limit};
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::results::refused_by;
use crate::api::state::Api;
use crate::base::BatchId;
use crate::config::Scope;
use crate::message::Status;
use crate::message::outcome::Tally;
use crate::storage::BatchRow;
use axum::extract::Request;
use hyper::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

const BATCHES: u8 = 4;
const LIMIT_USUAL: usize = 20;

/// Shows one bulk.
pub(super) async fn get(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Read)?;
    query::none(request.uri().query())?;
    let row = find(&api, &caller, request.uri().path()).await?;
    Ok(json(StatusCode::OK, &view(&api, &row).await?))
}

/// Lists bulks, newest first.
pub(super) async fn list(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Read)?;
    let (mut size, mut before) = (None, None);
    for (name, value) in query::read(request.uri().query())? {
        match &*name {
            "limit" if size.is_none() => size = Some(limit(&value)?),
            "cursor" if before.is_none() => before = Some(BatchId(Cursor::read(&value, BATCHES)?.id)),
            _ => return Err(Problem::query("", "expected limit and cursor, each once")),
        }
    }
    let (account, size) = (caller.name().to_owned(), size.unwrap_or(LIMIT_USUAL));
    let mut rows = api.engine.reader.call(move |archive| archive.batches(&account, before, size + 1)).await?;
    let is_last = rows.len() <= size;
    rows.truncate(size);
    let last = rows.last().filter(|_| !is_last).map(|row| Cursor { list: BATCHES, id: row.id.0, ordinal: 0 });
    let mut batches = Vec::with_capacity(rows.len());
    for row in &rows {
        batches.push(view(&api, row).await?);
    }
    Ok(json(StatusCode::OK, &Page { batches, next: last.map(Cursor::write) }))
}

/// The account's bulk named in a path. One of another account does not exist (INV-37).
pub(super) async fn find(api: &Api, caller: &Caller, path: &str) -> Result<BatchRow, Problem> {
    let id: Option<BatchId> = path.strip_prefix("/v1/batches/").and_then(|rest| rest.split('/').next()?.parse().ok());
    let id = id.ok_or(Problem::not_found())?;
    let row = api.engine.reader.call(move |archive| archive.batch(id)).await?;
    row.filter(|row| row.account == caller.name()).ok_or(Problem::not_found())
}

/// Where a bulk's messages stand.
pub(super) async fn tally(api: &Api, row: &BatchRow) -> Result<Tally, Problem> {
    let mut tally = api.engine.tally(row.id).await?;
    // What nobody counts yet (its row is on disk, its frames are on their way to the shards) or any more (its carrier
    // is not configured) waits in the journal.
    tally.0[Status::Accepted as usize] += row.accepted.saturating_sub(tally.total());
    Ok(tally)
}

/// Counters by their words.
pub(super) fn counts(tally: &Tally) -> BTreeMap<&'static str, u32> {
    Status::ALL.into_iter().map(|status| (status.word(), tally.of(status))).collect()
}

#[derive(Serialize)]
struct Page {
    batches: Vec<View>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct View {
    batch: String,
    created_at: String,
    received: u32,
    accepted: u32,
    refused: u32,
    refused_by: BTreeMap<String, u64>,
    counts: BTreeMap<&'static str, u32>,
    #[serde(rename = "final")]
    is_final: bool,
    results_url: String,
}

async fn view(api: &Api, row: &BatchRow) -> Result<View, Problem> {
    let tally = tally(api, row).await?;
    Ok(View {
        batch: row.id.to_string(),
        created_at: row.at.rfc3339(),
        received: row.received,
        accepted: row.accepted,
        refused: row.received - row.accepted,
        refused_by: refused_by(&row.detail),
        counts: counts(&tally),
        is_final: Status::ALL.iter().all(|status| status.is_final() || tally.of(*status) == 0),
        results_url: format!("/v1/messages?batch={}", row.id),
    })
}
