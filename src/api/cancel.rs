//! Calling back what has not left: one message, or all of a bulk. Repeating it does no harm, so no key is needed.

use crate::api::batch;
use crate::api::caller::Caller;
use crate::api::message::{events_of, find, id_in};
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::config::Scope;
use crate::message::Status;
use crate::pipeline::accept::Code;
use crate::storage::{Archive, StoreFault};
use axum::extract::Request;
use hyper::StatusCode;
use serde_json::json as document;
use std::sync::Arc;

/// Cancels one message.
pub(super) async fn message(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Send)?;
    query::none(request.uri().query())?;
    let id = id_in(request.uri().path()).ok_or(Problem::not_found())?;
    let account = caller.name().to_owned();
    let erasures = api.engine.erasures.clone();
    let look = move |archive: &dyn Archive| {
        let Some(found) = find(archive, id, &account, &erasures)? else { return Ok::<_, StoreFault>(None) };
        let status = found.life(&events_of(archive, found.at.frame, Some(found.at.ordinal))?).status;
        Ok(Some((found, status)))
    };
    let (found, status) = api.engine.reader.call(look).await?.ok_or(Problem::not_found())?;
    let is_canceled = match status {
        Status::Canceled => true,
        status if status.is_final() => false,
        _ => api.engine.cancel(&found.frame.head.lane.carrier, found.at).await?,
    };
    if !is_canceled {
        return Err(Problem::new(Code::TooLate, "the message has left, or has ended"));
    }
    Ok(json(StatusCode::OK, &document!({"id": id.to_string(), "status": Status::Canceled.word(), "final": true})))
}

/// Cancels what has not left of a bulk.
pub(super) async fn batch(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Send)?;
    query::none(request.uri().query())?;
    let row = batch::find(&api, &caller, request.uri().path()).await?;
    let canceled = api.engine.cancel_batch(row.id).await?;
    let tally = batch::tally(&api, &row).await?;
    Ok(json(StatusCode::OK, &document!({"batch": row.id.to_string(), "canceled": canceled, "counts": batch::counts(&tally)})))
}
