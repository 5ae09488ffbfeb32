//! The answer to a bulk, made again from what the journal holds: the refusals from its row, the messages from its
//! frames.

use crate::api::problem::Problem;
use crate::api::reply::{Reply, with};
use crate::api::results::Results;
use crate::api::state::Api;
use crate::base::{BatchId, MessageId};
use crate::message::record::MessageRecord;
use crate::pipeline::accept::Code;
use crate::storage::{Archive, StoreFault};
use hyper::StatusCode;

/// Frames looked up at once.
const FRAMES: usize = 256;

/// The whole answer again.
pub(super) async fn batch(api: &Api, id: BatchId) -> Result<Reply, Problem> {
    let again = api.engine.reader.call(move |archive| results(archive, id)).await?;
    let (results, places) = again.ok_or(Problem::new(Code::Internal, "the stored answer cannot be read"))?;
    Ok(with(StatusCode::ACCEPTED, "application/json", results.body(id, places)))
}

fn results(archive: &dyn Archive, id: BatchId) -> Result<Option<(Results, Vec<MessageId>)>, StoreFault> {
    let Some(row) = archive.batch(id)? else { return Ok(None) };
    let Some(mut results) = Results::from_detail(&row.detail) else { return Ok(None) };
    let mut places: Vec<MessageId> = Vec::new();
    loop {
        let heads = archive.frames_of_batch(id, places.last().copied(), FRAMES)?;
        if heads.is_empty() {
            break;
        }
        for head in heads {
            let number = places.len() as u32;
            places.push(head.first);
            let Some(frame) = archive.frame(head.first)? else { continue };
            for ordinal in 0..head.count {
                let Some(Ok(record)) = frame.record(ordinal).map(MessageRecord::read) else { continue };
                results.accept(record.line, number, ordinal, record.segments(), record.encoded());
            }
        }
    }
    results.sort();
    Ok(Some((results, places)))
}
