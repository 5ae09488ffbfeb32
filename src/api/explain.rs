//! `POST /v1/explain`, and `dry_run=true` where messages are taken: what would become of them. The same reader, the same
//! intake and the same clock as the real thing, with another sink at its end; nothing is stored, no idempotency key is
//! used, no counter of accepted or refused messages moves.

use crate::api::caller::Caller;
use crate::api::explained::{Explained, LineView};
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::api::upload::{Plain, media};
use crate::config::Scope;
use crate::pipeline::accept::{BulkReader, Code, Defaults, Format, MessageReader};
use axum::extract::Request;
use hyper::StatusCode;
use std::sync::Arc;

/// Octets of a document in which its first key must end, white space included.
const HEAD_MAX: usize = 4_096;

/// What a body may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// One message.
    One,
    /// A list.
    List,
    /// Either; what it is, its first key says.
    Either,
}

/// Explains a message or a list.
pub(super) async fn post(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Read)?;
    let (_, pairs) = dry_run(query::read(request.uri().query())?)?;
    explain(&api, &caller, request, Wanted::Either, pairs).await
}

/// Whether a query asks for an explanation, and the rest of it.
pub(super) fn dry_run(mut pairs: Vec<(String, String)>) -> Result<(bool, Vec<(String, String)>), Problem> {
    let Some(at) = pairs.iter().position(|(name, _)| name == "dry_run") else { return Ok((false, pairs)) };
    let (_, value) = pairs.remove(at);
    match &*value {
        _ if pairs.iter().any(|(name, _)| name == "dry_run") => Err(Problem::query("dry_run", "given twice")),
        "true" => Ok((true, pairs)),
        "false" => Ok((false, pairs)),
        _ => Err(Problem::query("dry_run", "expected true or false")),
    }
}

/// Reads what is wanted and answers what would become of it. `pairs` are defaults of a list.
pub(super) async fn explain(
    api: &Arc<Api>,
    caller: &Caller,
    request: Request,
    wanted: Wanted,
    pairs: Vec<(String, String)>,
) -> Result<Reply, Problem> {
    let (format, coding) = media(request.headers())?;
    let defaults = Defaults::from_pairs(pairs.iter().map(|(name, value)| (&**name, &**value)))?;
    // It costs as much to decide as to send.
    caller.may_bring(api.engine.world.mono())?;
    let mut plain = Plain::new(api, request.into_body(), coding)?;
    let mut head = Vec::new();
    let shape = match (wanted, format) {
        (Wanted::One, Format::Json) => Shape::Message,
        (Wanted::One, _) => {
            return Err(Problem::header(
                Code::UnsupportedMediaType,
                "Content-Type",
                "one message is application/json; lists go to /v1/batches",
            ));
        }
        (Wanted::Either, Format::Json) => look(&mut plain, &mut head).await?,
        _ => Shape::List,
    };
    match shape {
        Shape::Message => message(api, caller, plain, head, &defaults).await,
        Shape::List => list(api, caller, plain, head, BulkReader::new(format, defaults, api.bulk_limits())).await,
    }
}

async fn message(api: &Arc<Api>, caller: &Caller, mut plain: Plain, mut body: Vec<u8>, defaults: &Defaults) -> Result<Reply, Problem> {
    let bytes_max = usize::try_from(api.config().http.body_bytes_max).unwrap_or(usize::MAX);
    let mut piece = Vec::new();
    while body.len() <= bytes_max && plain.next(&mut piece).await? {
        body.extend_from_slice(&piece);
    }
    let mut reader = MessageReader::default();
    let draft = reader.read(&body, defaults, bytes_max)?;
    let mut intake = api.intake(caller.customer());
    let now = api.engine.world.now();
    // A refusal is told as sending tells it.
    let preview = intake.preview(&draft, now).ok();
    let admitted = intake.admit(&draft, now)?;
    Ok(json(StatusCode::OK, &LineView::admitted(api, caller.name(), 0, &admitted, preview.as_ref(), now)))
}

async fn list(api: &Arc<Api>, caller: &Caller, mut plain: Plain, head: Vec<u8>, mut reader: BulkReader) -> Result<Reply, Problem> {
    let mut intake = api.intake(caller.customer());
    let mut explained = Explained::new(api, caller.name());
    let mut piece = head;
    loop {
        let now = api.engine.world.now();
        explained.now = now;
        reader.feed(&piece, |item| intake.sort(item, now, &mut explained))?;
        if !plain.next(&mut piece).await? {
            break;
        }
        // Others get their turn on this thread.
        tokio::task::yield_now().await;
    }
    let now = api.engine.world.now();
    explained.now = now;
    reader.finish(|item| intake.sort(item, now, &mut explained))?;
    Ok(json(StatusCode::OK, &explained.document()))
}

/// What a document is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Message,
    List,
}

/// Reads until the first key is there.
async fn look(plain: &mut Plain, head: &mut Vec<u8>) -> Result<Shape, Problem> {
    let mut piece = Vec::new();
    loop {
        if let Some(shape) = shape(head) {
            return Ok(shape);
        }
        if !plain.next(&mut piece).await? {
            return Ok(Shape::Message);
        }
        head.extend_from_slice(&piece);
    }
}

/// What a document that begins so is; `None` when more is needed. Whatever is no document is a message: its reader says
/// what is wrong.
fn shape(head: &[u8]) -> Option<Shape> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let text = head.trim_ascii_start();
    let key = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    let Some(key) = key.and_then(|key| key.strip_prefix(b"\"")) else {
        let is_begun = matches!(text, [] | [b'{'] | [0xEF] | [0xEF, 0xBB]) || key == Some(b"");
        return if is_begun && head.len() < HEAD_MAX { None } else { Some(Shape::Message) };
    };
    match key.iter().position(|octet| *octet == b'"') {
        Some(end) if matches!(&key[..end], b"defaults" | b"recipients" | b"messages") => Some(Shape::List),
        None if head.len() < HEAD_MAX => None,
        _ => Some(Shape::Message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_says_what_a_document_is_however_it_is_cut() {
        for (document, expected) in [
            (" {\n \"to\": \"+33612345678\"}", Shape::Message),
            ("{\"recipients\": []}", Shape::List),
            ("\u{FEFF}{ \"defaults\": {}, \"messages\": []}", Shape::List),
            ("{\"messages\":[]}", Shape::List),
            ("[1]", Shape::Message),
            ("{}", Shape::Message),
            ("nonsense", Shape::Message),
        ] {
            let found: Vec<Shape> = (0..=document.len()).filter_map(|end| shape(&document.as_bytes()[..end])).collect();
            assert!(!found.is_empty() && found.iter().all(|shape| *shape == expected), "{document}");
        }
        assert_eq!(shape(&[b' '; HEAD_MAX]), Some(Shape::Message));
        assert_eq!(shape(&[b"{\"".as_slice(), &[b'a'; HEAD_MAX]].concat()), Some(Shape::Message));
    }

    #[test]
    fn dry_run_is_true_or_false_once() {
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(dry_run(pairs(&[("from", "A"), ("dry_run", "true")])), Ok((true, pairs(&[("from", "A")]))));
        assert_eq!(dry_run(pairs(&[("dry_run", "false")])), Ok((false, vec![])));
        assert_eq!(dry_run(pairs(&[])), Ok((false, vec![])));
        assert!(dry_run(pairs(&[("dry_run", "1")])).is_err());
        assert!(dry_run(pairs(&[("dry_run", "true"), ("dry_run", "true")])).is_err());
    }
}
