//! `PATCH /v1/messages/{id}`: another instant, another end of its lifetime or both, for a message that has not left. A new
//! instant alone must lie within the lifetime it has: an offer that ends on Sunday does not live on unasked.

use crate::api::caller::Caller;
use crate::api::message::{events_of, find, id_in};
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::api::upload::{Upload, media};
use crate::api::wait::Wait;
use crate::base::Time;
use crate::config::Scope;
use crate::directory::judge::{Judge, Question};
use crate::message::{Reason, Status};
use crate::pipeline::accept::{Code, Format, Move, Standing};
use crate::pipeline::intake::fate::{Counted, Wish, opening};
use crate::pipeline::journal::Start;
use crate::storage::{Archive, StoreFault};
use axum::extract::Request;
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;

/// Moves one message.
pub(super) async fn patch(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Send)?;
    query::none(request.uri().query())?;
    let id = id_in(request.uri().path()).ok_or(Problem::not_found())?;
    let (format, coding) = media(request.headers())?;
    if format != Format::Json {
        return Err(Problem::header(Code::UnsupportedMediaType, "Content-Type", "expected application/json"));
    }
    let mut upload = Upload::new(&api, request.into_body(), api.config().http.line_bytes_max, None)?;
    let body = upload.whole(&api, coding).await?;
    let wanted = Move::read(&body)?;
    let account = caller.name().to_owned();
    let erasures = api.engine.erasures.clone();
    let look = move |archive: &dyn Archive| {
        let Some(found) = find(archive, id, &account, &erasures)? else { return Ok::<_, StoreFault>(None) };
        let events = events_of(archive, found.at.frame, Some(found.at.ordinal))?;
        let standing = Standing { not_before: found.not_before(&events), expires: found.expires(&events) };
        let life = found.life(&events);
        let counted = if life.count == 0 { Counted::NotYet } else { Counted::Already };
        Ok(Some((found, life.status, counted, standing)))
    };
    let (found, status, counted, standing) = api.engine.reader.call(look).await?.ok_or(Problem::not_found())?;
    if !matches!(status, Status::Accepted | Status::Scheduled | Status::Held) {
        return Err(too_late());
    }
    let now = api.engine.world.now();
    let moved = wanted.of(standing, caller.customer().rules.lifetime_max, now)?;
    let due = moved.due.or(standing.not_before).unwrap_or(now);
    let expires = moved.expires.unwrap_or(standing.expires);
    let start = Start { due: if due > now { due } else { Time(0) }, why: Reason::Scheduled, ..Start::NOW };
    let law = &api.engine.rules.law;
    let mut judge = Judge::new(law.clone());
    let wish = Wish { now, at: due.max(now), expires };
    let mut question = Question::of(caller.name(), &found.record);
    if !found.record.late.is_empty() {
        // Of a text that is made when it is sent nobody knows yet.
        question.content = 0;
    }
    let start = opening(&mut judge, law, &question, start, wish, counted)?;
    if !api.engine.reschedule(&found.frame.head.lane.carrier, found.at, moved).await? {
        return Err(too_late());
    }
    let wait = Wait::of(start);
    let answer = Answer {
        id: id.to_string(),
        status: wait.map_or(Status::Accepted, Wait::status).word(),
        reason: wait.and_then(Wait::reason),
        until: wait.map(|wait| wait.until.rfc3339()),
        expires_at: expires.rfc3339(),
    };
    Ok(json(StatusCode::OK, &answer))
}

fn too_late() -> Problem {
    Problem::new(Code::TooLate, "the message has left, or has ended")
}

#[derive(Serialize)]
struct Answer {
    id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    expires_at: String,
}
