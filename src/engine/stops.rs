//! What waits for a recipient who has opted out ends within the second, also when its own time is months away. In: the
//! commits that hold opt-outs. Out: letters to the shards that hold messages to these recipients, which judge each of them
//! anew. No shard looks through its queues: the search keys of the journal name the messages.
//!
//! The commit of an opt-out holds a note with the search keys of its recipients, and the note goes when they were looked
//! for: what a kill cuts short is begun anew at the next start. What recipients say themselves comes before customers' lists.

use crate::base::{MessageId, Span};
use crate::config::limits::STOPPED_MESSAGES_MAX;
use crate::engine::courier::Notes as _;
use crate::engine::handle::{Engine, WriterNotes};
use crate::engine::letter::ToShard;
use crate::storage::port::{SearchKind, search_key};
use crate::storage::{Archive, Frame, Group, Origin, PersonChange, StoreFault};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// Under these keys lie the notes: what recipients say, and what customers say.
const URGENT: &str = "stops/a/";
const LATER: &str = "stops/b/";
/// Ids of one look-up by key, and so the most frames in memory and letters on their way at once.
const IDS: usize = 64;
/// Notes that are over and not yet removed.
const OVER_MAX: usize = 256;
/// After a fault.
const AGAIN: Span = Span::secs(1);

/// The notes that wait, by key. A few octets for each commit with opt-outs.
#[derive(Default, Debug)]
struct Waiting {
    urgent: VecDeque<String>,
    later: VecDeque<String>,
}

/// See the module.
#[derive(Default, Debug)]
pub struct Stops {
    waiting: Mutex<Waiting>,
    woken: Notify,
}

/// A note and what is left of it.
struct Work {
    note: String,
    keys: Vec<u64>,
}

impl Stops {
    /// Those that a former process left.
    pub(crate) fn load(archive: &dyn Archive) -> Result<Stops, StoreFault> {
        let stops = Stops::default();
        for prefix in [URGENT, LATER] {
            stops.wait(archive.notes(prefix)?.into_iter().map(|(key, _)| key));
        }
        Ok(stops)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, notes: impl Iterator<Item = String>) {
        let mut waiting = self.lock();
        for note in notes {
            if note.starts_with(URGENT) { waiting.urgent.push_back(note) } else { waiting.later.push_back(note) }
        }
    }

    /// Has a group note the opt-outs it holds.
    pub(crate) fn note(group: &mut Group) {
        let (mut urgent, mut later) = (Vec::new(), Vec::new());
        for change in &group.people {
            let PersonChange::Suppress(row) = change else { continue };
            let key = search_key(SearchKind::Recipient, &row.key.account, &row.key.number.to_string());
            let list = if row.key.origin == Origin::Recipient { &mut urgent } else { &mut later };
            list.extend(key.to_le_bytes());
        }
        // The number of the commit in the order of texts.
        let notes = [(URGENT, urgent), (LATER, later)].into_iter().filter(|(_, list)| !list.is_empty());
        group.notes.extend(notes.map(|(prefix, list)| (format!("{prefix}{:020}", group.seq), Some(list))));
    }

    /// Takes such notes out of a list.
    pub(crate) fn without(notes: &mut Vec<(String, Option<Vec<u8>>)>) {
        notes.retain(|(key, value)| value.is_none() || !(key.starts_with(URGENT) || key.starts_with(LATER)));
    }

    /// A group is durable: its opt-outs are to be looked after.
    pub(crate) fn committed(&self, group: &Group) {
        if group.people.is_empty() {
            return;
        }
        let is_ours = |(key, value): &&(String, Option<Vec<u8>>)| value.is_some() && (key.starts_with(URGENT) || key.starts_with(LATER));
        self.wait(group.notes.iter().filter(is_ours).map(|(key, _)| key.clone()));
        self.woken.notify_one();
    }

    fn urgent(&self) -> Option<String> {
        self.lock().urgent.pop_front()
    }

    fn later(&self) -> Option<String> {
        self.lock().later.pop_front()
    }
}

/// Looks after opt-outs until told to stop.
pub async fn run(engine: Arc<Engine>, stop: CancellationToken) {
    let work = Sweeper { engine, over: Vec::new() };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = work.run() => {}
    }
}

struct Sweeper {
    engine: Arc<Engine>,
    /// Notes that have been carried out.
    over: Vec<String>,
}

impl Sweeper {
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
        let notes = self.over.drain(..).map(|key| (key, None)).collect();
        // When it fails they are looked at once more after the next start, which does no harm.
        let _ = WriterNotes(self.engine.writer.clone()).put(notes).await;
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
