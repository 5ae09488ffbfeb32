//! `GET /v1/messages/{id}`: one message as it stands, part by part, and its story. The text is never shown.

use crate::api::caller::Caller;
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::base::{MessageId, MessageRef, Time};
use crate::config::Scope;
use crate::engine::Engine;
use crate::engine::erasures::Erasures;
use crate::message::event::{Moved, PartState};
use crate::message::late::Rendering;
use crate::message::record::MessageRecord;
use crate::message::skim::read_events_about;
use crate::message::{Event, Life, Reason, Spelling, Status};
use crate::pipeline::schedule::first_wait;
use crate::storage::{Archive, Frame, StoreFault};
use axum::extract::Request;
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;

/// Shows one message.
pub(super) async fn get(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Read)?;
    query::none(request.uri().query())?;
    let id = id_in(request.uri().path()).ok_or(Problem::not_found())?;
    let account = caller.name().to_owned();
    let now = api.engine.world.now();
    let erasures = api.engine.erasures.clone();
    let look = move |archive: &dyn Archive| {
        let Some(found) = find(archive, id, &account, &erasures)? else { return Ok::<_, StoreFault>(None) };
        let events = events_of(archive, found.at.frame, Some(found.at.ordinal))?;
        Ok(Some(found.view(&events, Fullness::Whole, now)))
    };
    let view = api.engine.reader.call(look).await?.ok_or(Problem::not_found())?;
    Ok(json(StatusCode::OK, &view))
}

/// The id in `/v1/messages/{id}` and in what is below it.
pub(super) fn id_in(path: &str) -> Option<MessageId> {
    path.strip_prefix("/v1/messages/")?.split('/').next()?.parse().ok()
}

/// A message and where it lies.
pub(super) struct Found {
    pub(super) frame: Arc<Frame>,
    pub(super) at: MessageRef,
    pub(super) record: MessageRecord,
}

/// The account's message of this id. One of another account does not exist (INV-37).
pub(super) fn find(archive: &dyn Archive, id: MessageId, account: &str, erasures: &Erasures) -> Result<Option<Found>, StoreFault> {
    let frame = archive.frame_of(id)?.filter(|frame| frame.head.lane.account == account);
    Ok(frame.and_then(|frame| Found::new(Engine::place_in(frame.head.first, id), frame, erasures)))
}

/// What has happened to the messages of a frame, or to one of them, oldest first.
pub(super) fn events_of(archive: &dyn Archive, frame: MessageId, ordinal: Option<u32>) -> Result<Vec<Event>, StoreFault> {
    let mut events = Vec::new();
    for row in archive.touches(frame)? {
        match read_events_about(&row.log, frame, ordinal) {
            Ok(read) => events.extend(read),
            Err(fault) => tracing::error!(row = row.seq, %fault, "a log row is passed over"),
        }
    }
    Ok(events)
}

/// The rules by which something was decided, as they are shown.
fn stamp(law: u32) -> Option<String> {
    (law != 0).then(|| format!("{law:08x}"))
}

/// How much of a message is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fullness {
    /// With parts and story.
    Whole,
    /// A line of a list.
    Line,
}

impl Found {
    pub(super) fn new(at: MessageRef, frame: Arc<Frame>, erasures: &Erasures) -> Option<Found> {
        let record = MessageRecord::read(frame.record(at.ordinal)?).ok()?;
        if erasures.hides(&frame.head.lane.account, record.to, frame.head.seq) {
            return None;
        }
        Some(Found { frame, at, record })
    }

    /// How it stands after `events`, those of its frame.
    pub(super) fn life(&self, events: &[Event]) -> Life {
        let mut life = Life::new();
        if let Some((until, why)) = first_wait(&self.frame.head) {
            life.park(until, why);
        }
        for event in events {
            match event {
                Event::Parked { .. } => life.apply(event),
                Event::Leased { messages, .. } => messages.iter().filter(|message| message.at == self.at).for_each(|m| life.lease(m)),
                event if event.at() == Some(self.at) => life.apply(event),
                _ => {}
            }
        }
        life
    }

    pub(super) fn view(&self, events: &[Event], fullness: Fullness, now: Time) -> View {
        let (record, head, life) = (&self.record, &self.frame.head, self.life(events));
        let (status, waits) = life.at(now);
        let rendered = self.rendered(events);
        let ended = events.iter().find_map(|event| match event {
            Event::Ended { at, reason, command_status, .. } if *at == self.at => Some(Cause::new(*reason, *command_status)),
            _ => None,
        });
        let reason = ended.or(waits.map(|(_, why)| Cause::new(why, 0)));
        let (parts, timeline) = match fullness {
            Fullness::Line => (None, None),
            Fullness::Whole => {
                let count = rendered.map_or(record.count(), |made| made.count);
                (Some(self.parts(events, &life, status, count)), Some(self.timeline(events)))
            }
        };
        View {
            id: self.at.id().to_string(),
            status: status.word(),
            is_final: status.is_final(),
            to: record.recipient().e164(),
            from: record.sender().to_owned(),
            channel: record.channel().word(),
            class: record.class_of().word(),
            segments: rendered.map_or(record.segments(), |made| made.segments),
            encoding: rendered.map_or(record.encoded(), |made| made.encoding).word(),
            client_ref: some(record.reference()),
            batch: head.batch.map(|batch| batch.to_string()),
            line: head.batch.map(|_| record.line),
            carrier: head.lane.carrier.clone(),
            created_at: head.accepted.rfc3339(),
            expires_at: self.expires(events).rfc3339(),
            send_at: self.not_before(events).map(Time::rfc3339),
            cancel_key: some(record.cancel_key()),
            campaign: some(record.campaign()),
            consent_ref: some(record.consent_ref()),
            time_zone: some(record.zone()),
            render: (!record.late.is_empty()).then_some("send"),
            spelling: (record.spelling() != Spelling::AsWritten).then(|| record.spelling().word()),
            price: record.cost().map(|cost| cost.to_string()),
            changed_characters: Some(record.changed).filter(|changed| *changed > 0),
            region: some(record.region()),
            possible_duplicate: life.possible_duplicate,
            reason,
            until: waits.and_then(|(until, _)| instant(until)),
            parts,
            timeline,
        }
    }

    /// The instant the customer set last.
    pub(super) fn not_before(&self, events: &[Event]) -> Option<Time> {
        self.moved(events).due.or(self.record.not_before())
    }

    /// The instant from which on it is too late.
    pub(super) fn expires(&self, events: &[Event]) -> Time {
        self.moved(events).expires.unwrap_or(self.record.expires(self.frame.head.accepted))
    }

    /// All that the customer has changed.
    fn moved(&self, events: &[Event]) -> Moved {
        events.iter().fold(Moved::default(), |before, event| match event {
            Event::Rescheduled { at, moved, .. } if *at == self.at => before.then(*moved),
            _ => before,
        })
    }

    /// What came out of a text that is made when it is sent; until then the record has what it would have been at acceptance.
    fn rendered(&self, events: &[Event]) -> Option<Rendering> {
        events.iter().find_map(|event| match event {
            Event::Rendered { at, rendering } if *at == self.at => Some(*rendering),
            _ => None,
        })
    }

    fn parts(&self, events: &[Event], life: &Life, status: Status, count: u8) -> Vec<Part> {
        let standing = |bit: u64| match () {
            () if life.delivered & bit != 0 => "delivered",
            () if life.submitted & bit != 0 => "sent",
            () if life.doubted & bit != 0 => "in_doubt",
            () if life.leased & bit != 0 => "sending",
            () => status.word(),
        };
        let mut parts: Vec<Part> =
            (0..count).map(|part| Part { part: part + 1, status: standing(1 << part), carrier_id: None, error: None }).collect();
        for event in events.iter().filter(|event| event.at() == Some(self.at)) {
            match event {
                Event::Submitted { part, carrier_id, .. } => {
                    if let Some(part) = parts.get_mut(usize::from(*part)) {
                        part.carrier_id = Some(carrier_id.to_string());
                    }
                }
                Event::Receipt { part, state, error, .. } => {
                    let failed = life.failed & (1 << part) != 0 && state.is_final();
                    if let Some(part) = parts.get_mut(usize::from(*part)).filter(|part| failed && part.error.is_none()) {
                        part.status = state_word(*state);
                        part.error = Some(error.to_string());
                    }
                }
                _ => {}
            }
        }
        parts
    }

    fn timeline(&self, events: &[Event]) -> Vec<Entry> {
        let mut entries = vec![Entry::new(self.frame.head.accepted, "accepted")];
        let waiting = |at: Time, until: Time, why: Reason| {
            let word = Status::waiting(why).word();
            Entry { due: instant(until), reason: Some(why.word()), ..Entry::new(at, word) }
        };
        let (mut has_left, mut told) = (false, None);
        if let Some((until, why)) = first_wait(&self.frame.head) {
            told = Some((until, why));
            entries.push(waiting(self.frame.head.accepted, until, why));
        }
        for event in events {
            let entry = |word| Entry::new(event.when(), word);
            match event {
                Event::Leased { bind, messages, law, .. } => {
                    for message in messages.iter().filter(|message| message.at == self.at) {
                        has_left = true;
                        let (attempt, parts) = (Some(message.attempt), Some(numbers(message.parts)));
                        entries.push(Entry { attempt, parts, bind: Some(*bind), rules: stamp(*law), ..entry("leased") });
                    }
                }
                // Of the messages of its frame that were never leased: told when it says something new.
                Event::Parked { until, why, when, law, .. } => {
                    if !has_left && told.replace((*until, *why)) != Some((*until, *why)) {
                        entries.push(Entry { rules: stamp(*law), ..waiting(*when, *until, *why) });
                    }
                }
                event if event.at() != Some(self.at) => {}
                Event::Held { until, why, when, law, .. } => {
                    told = Some((*until, *why));
                    entries.push(Entry { rules: stamp(*law), ..waiting(*when, *until, *why) });
                }
                Event::Rendered { rendering, .. } => entries.push(Entry { segments: Some(rendering.segments), ..entry("rendered") }),
                Event::Rescheduled { moved, .. } => {
                    let (due, expires_at) = (moved.due.and_then(instant), moved.expires.and_then(instant));
                    entries.push(Entry { due, expires_at, ..entry("rescheduled") });
                }
                Event::Submitted { part, carrier_id, .. } => {
                    entries.push(Entry { part: Some(part + 1), carrier_id: Some(carrier_id.to_string()), ..entry("submitted") });
                }
                Event::Refused { part, command_status, .. } => {
                    entries.push(Entry { part: Some(part + 1), carrier_code: Some(*command_status), ..entry("refused") });
                }
                Event::Doubted { parts, reason, .. } => {
                    entries.push(Entry { parts: Some(numbers(*parts)), reason: Some(reason.word()), ..entry("in_doubt") });
                }
                Event::Requeued { parts, reason, due, .. } => {
                    let (parts, due) = (Some(numbers(*parts)), Some(due.rfc3339()));
                    entries.push(Entry { parts, due, reason: Some(reason.word()), ..entry("requeued") });
                }
                Event::Receipt { part, state, error, .. } => {
                    let error = Some(error.to_string()).filter(|text| !text.is_empty());
                    entries.push(Entry { part: Some(part + 1), status: Some(state_word(*state)), error, ..entry("receipt") });
                }
                Event::Ended { status, reason, command_status, .. } => {
                    has_left = true;
                    let carrier_code = Some(*command_status).filter(|code| *code != 0);
                    entries.push(Entry { status: Some(status.word()), reason: Some(reason.word()), carrier_code, ..entry("ended") });
                }
                Event::Orphaned { .. } | Event::OrphanGone { .. } | Event::Inbound { .. } | Event::InboundPart(_) => {}
            }
        }
        entries
    }
}

/// A text that is there.
fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// An instant, unless it is the one of what waits for a person.
fn instant(at: Time) -> Option<String> {
    (at != Time(i64::MAX)).then(|| at.rfc3339())
}

/// The parts of a set, from 1.
fn numbers(parts: u64) -> Vec<u8> {
    (0..64).filter(|part| parts & (1 << part) != 0).map(|part| part + 1).collect()
}

const fn state_word(state: PartState) -> &'static str {
    match state {
        PartState::Enroute => "enroute",
        state => state.status().word(),
    }
}

/// A message as it is shown.
#[derive(Serialize)]
pub(super) struct View {
    id: String,
    status: &'static str,
    #[serde(rename = "final")]
    is_final: bool,
    to: String,
    from: String,
    channel: &'static str,
    class: &'static str,
    segments: u8,
    encoding: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    carrier: String,
    created_at: String,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    /// `send` when its text is made when it is sent: until then its segments are what they would have been at acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    render: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spelling: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_characters: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    possible_duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cause>,
    /// Until when it waits at the earliest, while it is scheduled or held.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<Part>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<Vec<Entry>>,
}

/// Why it ended as it did, or waits.
#[derive(Serialize)]
struct Cause {
    code: &'static str,
    permanent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier_code: Option<u32>,
}

impl Cause {
    fn new(reason: Reason, command_status: u32) -> Cause {
        let carrier_code = Some(command_status).filter(|code| *code != 0);
        Cause { code: reason.word(), permanent: reason == Reason::CarrierRefused, carrier_code }
    }
}

#[derive(Serialize)]
struct Part {
    part: u8,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One thing that happened.
#[derive(Serialize)]
struct Entry {
    at: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bind: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<u8>,
    /// The stamp of the rules and time zones it was decided by, as `GET /v1/rules` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl Entry {
    fn new(at: Time, event: &'static str) -> Entry {
        Entry {
            at: at.rfc3339(),
            event,
            attempt: None,
            bind: None,
            part: None,
            parts: None,
            carrier_id: None,
            status: None,
            reason: None,
            carrier_code: None,
            error: None,
            due: None,
            segments: None,
            rules: None,
            expires_at: None,
        }
    }
}
