//! `POST /v1/messages`: one message. Nothing of a 2xx is made before its commit has come back.

use crate::api::caller::Caller;
use crate::api::held::Held;
use crate::api::once::{self, Given, Once};
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::api::upload::{Upload, media};
use crate::base::MessageId;
use crate::config::Scope;
use crate::engine::{Refused, Taken, WhenFull};
use crate::message::Encoding;
use crate::pipeline::accept::{Bringing, Code, Defaults, Format, MessageReader, Refusal, check};
use crate::pipeline::compose::Composing;
use crate::pipeline::journal::{Acceptance, Drafts, FrameDraft, Place, Start};
use axum::extract::Request;
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;

/// Accepts one message.
pub(super) async fn post(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Send)?;
    bring(&api, &caller, request).await.map_err(|problem| caller.refused(problem))
}

async fn bring(api: &Api, caller: &Caller, request: Request) -> Result<Reply, Problem> {
    api.engine.readiness()?;
    query::none(request.uri().query())?;
    let (format, coding) = media(request.headers())?;
    if format != Format::Json {
        return Err(Problem::header(
            Code::UnsupportedMediaType,
            "Content-Type",
            "one message is application/json; lists go to /v1/batches",
        ));
    }
    let once = Once::begin(api, caller, request.headers()).await?;
    let hash = once.as_ref().map(|_| once::hash(&request));
    let mut upload = Upload::new(api, request.into_body(), api.config().http.body_bytes_max, hash)?;
    let body = upload.whole(api, coding).await?;
    let hash = upload.hash();
    if let Some(Given::Message { id: Some(id), segments, encoding, client_ref }) = answered(once.as_ref(), hash)? {
        return Ok(once::replayed(accepted(id, segments, encoding, &client_ref)));
    }
    let world = &api.engine.world;
    let began = world.mono();
    caller.may_bring(began)?;
    api.engine.enter(Bringing::Single, 1).await?;
    let Made { frames, segments, encoding, client_ref } = make(api, caller, &body)?;
    let given = Given::Message { id: None, segments, encoding, client_ref };
    let answer = once.as_ref().map(|once| once.answer(api, hash, &given));
    let taken = api.engine.take(Acceptance { frames, answer, ..Acceptance::default() }, WhenFull::Refuse).await?;
    caller.customer().rates.messages.count(began, 1);
    let places = settled(api, taken, once.map(Once::into_held)).await.map_err(unsettled)?;
    api.engine.metrics.journal.accept_to_commit.observe(world.mono().since(began));
    let metrics = &caller.customer().metrics;
    metrics.accepted.inc();
    metrics.segments.inc_by(u64::from(segments));
    let Given::Message { client_ref, .. } = given else { unreachable!("made above") };
    let id = places.first().copied().expect("one draft has one place");
    Ok(accepted(id, segments, encoding, &client_ref))
}

fn answered(once: Option<&Once>, hash: Option<[u8; 32]>) -> Result<Option<Given>, Problem> {
    once.map_or(Ok(None), |once| once.answered(hash))
}

/// A message ready for the journal.
struct Made {
    frames: Vec<FrameDraft>,
    segments: u8,
    encoding: Encoding,
    client_ref: String,
}

fn make(api: &Api, caller: &Caller, body: &[u8]) -> Result<Made, Problem> {
    let (mut reader, mut composing, defaults) = (MessageReader::default(), Composing::default(), Defaults::default());
    let customer = caller.customer();
    let bytes_max = usize::try_from(api.config().http.body_bytes_max).unwrap_or(usize::MAX);
    let draft = reader.read(body, &defaults, bytes_max)?;
    let accepted = check(&draft, &customer.rules, api.engine.world.now())?;
    let (carrier, route) = api.routes.find(accepted.to).ok_or_else(no_route)?;
    let composed = composing.compose(&accepted, customer.concat, route)?;
    let mut drafts = Drafts::new(&customer.name, None, &api.carriers, u32::from(api.config().journal.frame_messages_max));
    drafts.push(&composed, carrier, Start::NOW);
    Ok(Made {
        frames: drafts.take(),
        segments: composed.ends.len() as u8,
        encoding: composed.encoding,
        client_ref: composed.client_ref.to_owned(),
    })
}

/// No route fits.
pub(super) fn no_route() -> Refusal {
    Refusal::new(Code::NoRoute, "/to", "no route begins like this number")
}

/// Waits until what was taken is durable. The idempotency key is held until then, also when the caller has gone.
pub(super) async fn settled(api: &Api, taken: Taken, held: Option<Held>) -> Result<Vec<Place>, Refused> {
    let Some(held) = held else { return api.engine.durable(taken).await };
    let engine = api.engine.clone();
    let settle = tokio::spawn(async move {
        let places = engine.durable(taken).await;
        drop(held);
        places
    });
    settle.await.unwrap_or(Err(Refused::Stopping))
}

/// Why messages that were handed over are not answered for. When the journal failed with them in its hands they may
/// be on disk, and 503 would promise that they are not.
pub(super) fn unsettled(refused: Refused) -> Problem {
    match refused {
        Refused::Stopping => Problem::new(Code::Internal, "it is not known whether this was accepted; ask again under the same key"),
        refused => refused.into(),
    }
}

#[derive(Serialize)]
struct Accepted<'a> {
    id: String,
    status: &'static str,
    segments: u8,
    encoding: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    client_ref: &'a str,
}

fn accepted(id: MessageId, segments: u8, encoding: Encoding, client_ref: &str) -> Reply {
    json(StatusCode::ACCEPTED, &Accepted { id: id.to_string(), status: "accepted", segments, encoding: encoding.word(), client_ref })
}
