//! What is not about one message: carriers, dead letters of webhooks, and what machines ask of a service.

use crate::api::caller::Caller;
use crate::api::list::limit;
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json, whole};
use crate::api::state::Api;
use crate::config::Scope;
use crate::pipeline::webhook::notes::{DeadLetter, dead_prefix};
use crate::telemetry::CONTENT_TYPE;
use axum::extract::Request;
use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::json as document;
use serde_json::value::RawValue;
use std::sync::Arc;

/// The contract.
pub(super) const OPENAPI: &str = include_str!("../../proto/openapi.json");

const DEAD_USUAL: usize = 50;

/// Shows the carriers. Their volumes are other accounts' business, too, and are not shown.
pub(super) async fn carriers(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    Caller::of(&api, request.headers(), Scope::Read)?;
    query::none(request.uri().query())?;
    let views = api.engine.carriers().await;
    let carriers: Vec<Carrier> =
        api.carriers.iter().filter_map(|name| views.iter().find(|view| view.carrier == *name)).map(carrier).collect();
    Ok(json(StatusCode::OK, &document!({ "carriers": carriers })))
}

#[derive(Serialize)]
struct Carrier {
    name: String,
    state: &'static str,
    links: Vec<Link>,
    id_base: &'static str,
}

#[derive(Serialize)]
struct Link {
    state: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
}

fn carrier(view: &crate::engine::letter::CarrierView) -> Carrier {
    let links: Vec<Link> = view.links.iter().map(|(state, reason)| Link { state, reason }).collect();
    let bound = links.iter().filter(|link| link.state == "bound").count();
    let state = match bound {
        0 => "down",
        n if n == links.len() => "up",
        _ => "degraded",
    };
    let id_base = view.form.0.map_or("learning", crate::channel::sms::Profile::form_word);
    Carrier { name: view.carrier.clone(), state, links, id_base }
}

/// Lists the events the account's webhooks did not take, oldest first.
pub(super) async fn dead(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Read)?;
    let (mut size, mut after) = (None, None);
    for (name, value) in query::read(request.uri().query())? {
        match &*name {
            "limit" if size.is_none() => size = Some(limit(&value)?),
            "cursor" if after.is_none() => after = Some(value),
            _ => return Err(Problem::query("", "expected limit and cursor, each once")),
        }
    }
    let size = size.unwrap_or(DEAD_USUAL);
    let hooks = api.config().webhooks.iter().filter(|hook| hook.account == caller.name()).map(|hook| hook.name.clone());
    let (mut letters, mut next) = (Vec::new(), None);
    let mut hooks: Vec<String> = hooks.collect();
    hooks.sort_unstable();
    for hook in hooks {
        let prefix = dead_prefix(&hook);
        for (key, value) in api.engine.reader.notes(prefix).await? {
            // Keys are opaque as cursors: they ascend, webhook by webhook.
            let is_past = after.as_ref().is_none_or(|after| cursor(&key) > *after);
            let Some(letter) = DeadLetter::read(&hook, &key, &value).filter(|_| is_past) else { continue };
            if letters.len() == size {
                return Ok(json(StatusCode::OK, &Dead { dead: letters, next }));
            }
            next = Some(cursor(&key));
            let event = RawValue::from_string(letter.event).unwrap_or_default();
            letters.push(Letter { webhook: hook.clone(), id: letter.id, at: letter.at.rfc3339(), why: letter.why, event });
        }
    }
    Ok(json(StatusCode::OK, &Dead { dead: letters, next: None }))
}

fn cursor(key: &str) -> String {
    key.trim_start_matches("webhook/").replace("/dead/", "~")
}

#[derive(Serialize)]
struct Dead {
    dead: Vec<Letter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Letter {
    webhook: String,
    id: String,
    at: String,
    why: String,
    event: Box<RawValue>,
}

/// Lets advertising go that waits since a start after a long absence. Repeating it does no harm.
pub(super) async fn release(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    Caller::of(&api, request.headers(), Scope::Admin)?;
    query::none(request.uri().query())?;
    let released = api.engine.release().await?;
    Ok(json(StatusCode::OK, &document!({ "released": released })))
}

/// Whether the process answers at all.
pub(super) async fn live(_: Arc<Api>, _: Request) -> Result<Reply, Problem> {
    Ok(json(StatusCode::OK, &document!({"status": "live"})))
}

/// Whether it takes new messages.
pub(super) async fn ready(api: Arc<Api>, _: Request) -> Result<Reply, Problem> {
    api.engine.readiness()?;
    Ok(json(StatusCode::OK, &document!({"status": "ready"})))
}

/// What it counts.
pub(super) async fn metrics(api: Arc<Api>, _: Request) -> Result<Reply, Problem> {
    Ok(whole(StatusCode::OK, CONTENT_TYPE, api.engine.metrics.render().into()))
}

/// The contract of this interface.
pub(super) async fn openapi(_: Arc<Api>, _: Request) -> Result<Reply, Problem> {
    Ok(whole(StatusCode::OK, "application/json", Bytes::from_static(OPENAPI.as_bytes())))
}
