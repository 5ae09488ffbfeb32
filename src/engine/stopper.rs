//! What waits for a recipient who has opted out ends within the second, also when its own time is months away. In: the notes
//! of the commits that hold opt-outs. Out: letters to the shards that hold messages to these recipients, which judge each of
//! them anew. No shard looks through its queues: the search keys of the journal name the messages.
//!
//! A note goes when its recipients were looked for: what a kill cuts short is begun anew at the next start.

use crate::base::{MessageId, Span};
use crate::config::limits::STOPPED_MESSAGES_MAX;
use crate::engine::courier::Notes as _;
use crate::engine::handle::{Engine, WriterNotes};
use crate::engine::letter::ToShard;
use crate::storage::{Archive, Frame, StoreFault};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Ids of one look-up by key, and so the most frames in memory and letters on their way at once.
const IDS: usize = 64;
/// Notes that are over and not yet removed.
const OVER_MAX: usize = 256;
/// After a fault.
const AGAIN: Span = Span::secs(1);

/// A note and what is left of it.
struct Work {
    note: String,
    keys: Vec<u64>,
}

/// Looks after opt-outs until told to stop.
pub async fn run(engine: Arc<Engine>, stop: CancellationToken) {
    let work = Stopper { engine, over: Vec::new() };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work.run() => {}
    }
}

struct Stopper {
    engine: Arc<Engine>,
    /// Notes that have been carried out.
    over: Vec<String>,
}

impl Stopper {
    async fn run(mut self) {
        let mut later: Option<Work> = None;
        loop {
            if self.over.len() >= OVER_MAX {
                self.forget().await;
            }
            if let Some(note) = self.engine.stops.urgent() {
                let mut work = self.read(note).await;
                while let Some(key) = work.keys.pop() {
                    self.sweep(key).await;
                }
                self.over.push(work.note);
            } else if let Some(work) = &mut later {
                match work.keys.pop() {
                    Some(key) => self.sweep(key).await,
                    None => self.over.extend(later.take().map(|work| work.note)),
                }
            } else if let Some(note) = self.engine.stops.later() {
                later = Some(self.read(note).await);
            } else {
                self.forget().await;
                self.engine.stops.woken.notified().await;
            }
        }
    }

    async fn read(&self, note: String) -> Work {
        loop {
            match self.engine.reader.notes(note.clone()).await {
                Ok(found) => {
                    let octets = found.into_iter().find(|(key, _)| *key == note).map(|(_, list)| list).unwrap_or_default();
                    let (keys, _) = octets.as_chunks::<8>();
                    return Work { note, keys: keys.iter().map(|key| u64::from_le_bytes(*key)).collect() };
                }
                // Each of them is judged again in any case before it goes.
                Err(fault @ StoreFault::Damaged { .. }) => {
                    tracing::error!(%fault, "a note of opt-outs is damaged: what waits for them ends when its own time comes");
                    return Work { note, keys: Vec::new() };
                }
                Err(fault) => again(&fault).await,
            }
        }
    }

    /// Tells the shards of every message to a recipient.
    async fn sweep(&self, key: u64) {
        let (mut before, mut seen) = (None, 0);
        while seen < STOPPED_MESSAGES_MAX {
            let (frames, last) = match self.engine.reader.call(move |archive| page(archive, key, before)).await {
                Ok(found) => found,
                Err(fault) => {
                    again(&fault).await;
                    continue;
                }
            };
            let mut answers = Vec::new();
            for (frame, ordinals) in frames {
                // A carrier that is not configured any more has no shard; nothing goes over it.
                let Some(shard) = self.engine.shard_of.get(&frame.head.lane.carrier) else { continue };
                let (reply, answer) = oneshot::channel();
                self.engine.shards[*shard].force(ToShard::Stopped { frame, ordinals, reply });
                answers.push(answer);
            }
            for answer in answers {
                // Lost when the shard ends: the note stays for the next start.
                if answer.await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            seen += IDS;
            before = last;
            if before.is_none() {
                return;
            }
        }
        tracing::warn!("a recipient who opted out has more messages than are looked through: the oldest end when their own time comes");
    }

    async fn forget(&mut self) {
        if self.over.is_empty() {
            return;
        }
        let notes = self.over.iter().map(|key| (key.clone(), None)).collect();
        // When it fails it is tried with the next; after a restart they are looked at once more, which does no harm.
        if WriterNotes(self.engine.writer.clone()).put(notes).await.is_ok() {
            self.over.clear();
        }
    }
}

async fn again(fault: &StoreFault) {
    tracing::warn!(%fault, "messages of a recipient who opted out cannot be looked up; it is tried again");
    tokio::time::sleep(AGAIN.std()).await;
}

/// A frame and the messages in it that a key names.
type Named = (Arc<Frame>, Vec<u32>);

/// The frames of one page of messages, and where the next begins.
fn page(archive: &dyn Archive, key: u64, before: Option<MessageId>) -> Result<(Vec<Named>, Option<MessageId>), StoreFault> {
    let ids = archive.search(key, before, IDS)?;
    let mut frames: Vec<Named> = Vec::new();
    for id in &ids {
        let place = |frame: &Frame| id.0.checked_sub(frame.head.first.0).filter(|n| *n < u64::from(frame.head.count)).map(|n| n as u32);
        if let Some((frame, ordinals)) = frames.last_mut()
            && let Some(ordinal) = place(frame)
        {
            ordinals.push(ordinal);
            continue;
        }
        match archive.frame_of(*id) {
            Ok(Some(frame)) => frames.extend(place(&frame).map(|ordinal| (frame, vec![ordinal]))),
            Ok(None) | Err(StoreFault::Damaged { .. }) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok((frames, ids.last().copied().filter(|_| ids.len() == IDS)))
}
