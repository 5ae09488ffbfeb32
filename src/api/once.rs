//! Idempotency: a request that carries an `Idempotency-Key` is carried out once. The answer is committed with the
//! messages; while a request is served its key is held in memory, until its commit has come back, whatever becomes of
//! its connection.

use crate::api::caller::Caller;
use crate::api::held::{Held, NAME};
use crate::api::problem::Problem;
use crate::api::reply::Reply;
use crate::api::state::Api;
use crate::api::wait::Wait;
use crate::base::{BatchId, MessageId, Time};
use crate::message::{Encoding, Reason};
use crate::pipeline::accept::Code;
use crate::pipeline::journal::UNNAMED;
use crate::pipeline::schedule::clock::Clock;
use crate::storage::Answer;
use axum::extract::Request;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use sha2::{Digest as _, Sha256};

const KEY_MAX: usize = 255;
const MESSAGE: u8 = 1;
const BATCH: u8 = 2;
/// A message that waits: reason and instant before the reference.
const WAITING: u8 = 3;

/// A request that is to be carried out once.
pub(super) struct Once {
    held: Held,
    stored: Option<Answer>,
}

impl Once {
    /// Holds the key of a request and looks up its answer. `None` without a key.
    ///
    /// # Errors
    /// `bad_idempotency_key`, `idempotency_in_progress`.
    pub(super) async fn begin(api: &Api, caller: &Caller, headers: &HeaderMap) -> Result<Option<Once>, Problem> {
        let Some(key) = key(headers)? else { return Ok(None) };
        // First held, then looked up: an answer that is committed in between is seen.
        let held = Held::take(&api.in_progress, caller.name(), key)?;
        let (account, key) = held.name().clone();
        let stored = api.engine.reader.call(move |archive| archive.answer(&account, &key)).await?;
        let now = api.engine.world.now();
        // INV-17: a key is not too old by a clock that has just been set.
        let is_remembered = |answer: &Answer| {
            let is_doubtful = || api.engine.clock() == Clock::Unsure && !crate::base::planted::is("key-too-old-by-unsure-clock");
            answer.until > now || is_doubtful()
        };
        Ok(Some(Once { held, stored: stored.filter(is_remembered) }))
    }

    /// The answer that was given, if there is one, to a request whose hash is `request`.
    ///
    /// # Errors
    /// `idempotency_mismatch`.
    pub(super) fn answered(&self, request: Option<[u8; 32]>) -> Result<Option<Given>, Problem> {
        let Some(answer) = &self.stored else { return Ok(None) };
        if Some(answer.request) != request && !crate::base::planted::is("other-body-accepted") {
            return Err(Problem::header(Code::IdempotencyMismatch, NAME, "this key was used for another request"));
        }
        match Given::read(&answer.body) {
            Some(given) => Ok(Some(given)),
            None => Err(Problem::new(Code::Internal, "the stored answer cannot be read")),
        }
    }

    /// Whether an answer is there.
    pub(super) const fn is_answered(&self) -> bool {
        self.stored.is_some()
    }

    /// The answer to be committed with the messages.
    pub(super) fn answer(&self, api: &Api, request: Option<[u8; 32]>, given: &Given) -> Answer {
        let (account, key) = self.held.name().clone();
        // INV-17: nobody knows how old it will look when the clock is right again; it goes with its slice.
        let until = match api.engine.clock() {
            Clock::Unsure if !crate::base::planted::is("key-too-old-by-unsure-clock") => Time(i64::MAX),
            _ => api.engine.world.now().after(api.config().journal.idempotency_for),
        };
        Answer { account, key, request: request.unwrap_or_default(), body: given.write(), until }
    }

    /// The key, to be held until the commit has come back.
    pub(super) fn into_held(self) -> Held {
        self.held
    }
}

/// The hash that identifies a request, its body still to be added.
pub(super) fn hash(request: &Request) -> Sha256 {
    let mut hash = Sha256::new();
    for part in [request.method().as_str(), request.uri().path(), request.uri().query().unwrap_or_default()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash
}

/// An answer given again says so.
pub(super) fn replayed(mut reply: Reply) -> Reply {
    reply.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    reply
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let octets = value.as_bytes();
    let is_right = values.next().is_none() && (1..=KEY_MAX).contains(&octets.len()) && octets.iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if is_right => Ok(Some(text.to_owned())),
        _ => Err(Problem::header(Code::BadIdempotencyKey, NAME, "expected 1 to 255 printable ASCII characters, once")),
    }
}

/// What was answered, as it is stored: the id's eight octets first, then what cannot be found from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Given {
    /// To a single message. `id` is `None` until the journal has named it.
    Message { id: Option<MessageId>, segments: u8, encoding: Encoding, wait: Option<Wait>, client_ref: String },
    /// To a bulk: its results are found from its frames and its row.
    Batch { id: BatchId },
}

impl Given {
    fn write(&self) -> Vec<u8> {
        match self {
            Given::Message { id, segments, encoding, wait, client_ref } => {
                let mut out = id.map_or(UNNAMED, |id| id.0.to_le_bytes()).to_vec();
                let kind = if wait.is_some() { WAITING } else { MESSAGE };
                out.extend_from_slice(&[kind, *segments, u8::from(*encoding == Encoding::Ucs2)]);
                if let Some(Wait { why, until }) = wait {
                    out.push(*why as u8);
                    out.extend_from_slice(&until.0.to_le_bytes());
                }
                out.extend_from_slice(client_ref.as_bytes());
                out
            }
            Given::Batch { id } => [&id.0.to_le_bytes()[..], &[BATCH]].concat(),
        }
    }

    fn read(body: &[u8]) -> Option<Given> {
        let (id, rest) = body.split_first_chunk::<8>()?;
        let id = u64::from_le_bytes(*id);
        match rest {
            [kind @ (MESSAGE | WAITING), segments, encoding, rest @ ..] => {
                let (wait, client_ref) = match (*kind, rest) {
                    (WAITING, [why, rest @ ..]) => {
                        let (until, client_ref) = rest.split_first_chunk::<8>()?;
                        let why = Reason::from_number(u32::from(*why))?;
                        (Some(Wait { why, until: Time(i64::from_le_bytes(*until)) }), client_ref)
                    }
                    (MESSAGE, client_ref) => (None, client_ref),
                    _ => return None,
                };
                Some(Given::Message {
                    id: Some(MessageId(id)),
                    segments: *segments,
                    encoding: if *encoding == 1 { Encoding::Ucs2 } else { Encoding::Gsm7 },
                    wait,
                    client_ref: std::str::from_utf8(client_ref).ok()?.to_owned(),
                })
            }
            [BATCH, ..] => Some(Given::Batch { id: BatchId(id) }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        for wait in [None, Some(Wait { why: Reason::WindowClosed, until: Time(1_764_576_000_000) })] {
            let message =
                Given::Message { id: Some(MessageId(77)), segments: 3, encoding: Encoding::Ucs2, wait, client_ref: "é-1".into() };
            assert_eq!(Given::read(&message.write()), Some(message));
        }
        let batch = Given::Batch { id: BatchId(78) };
        assert_eq!(Given::read(&batch.write()), Some(batch));
        let unnamed = Given::Message { id: None, segments: 1, encoding: Encoding::Gsm7, wait: None, client_ref: String::new() };
        assert_eq!(unnamed.write()[..8], UNNAMED);
        assert_eq!(Given::read(b"short"), None);
    }

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length_given_once() {
        let read = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| _ = headers.append(NAME, HeaderValue::from_bytes(value).expect("a value")));
            key(&headers).map_err(|problem| problem.code)
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b"\"a-1\""]), Ok(Some("\"a-1\"".into())));
        for wrong in [&[&b""[..]][..], &[b"a b"], &[b"\xc3\xa9"], &[&[b'a'; 256]], &[b"a", b"a"]] {
            assert_eq!(read(wrong), Err(Code::BadIdempotencyKey));
        }
    }
}
