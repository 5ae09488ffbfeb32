//! After a start: the journal's log is folded, and every unfinished message put where it was.

use crate::base::{BatchId, MessageId};
use crate::config::Config;
use crate::engine::batches::Batches;
use crate::engine::handsets;
use crate::engine::ids::Ids;
use crate::engine::people::{Ear, Ears};
use crate::engine::slot::Slot0;
use crate::message::event::NamedIn;
use crate::message::outcome::Tally;
use crate::message::skim::read_events_of;
use crate::pipeline::desk::{Now, Replay};
use crate::storage::{Archive, Recovered, StoreFault};
use crate::world::World;
use std::collections::HashSet;

/// One read of the log.
const REPLAY_BYTES: usize = 8 << 20;

/// What recovery found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Frames with unfinished messages.
    pub frames: usize,
    /// Unfinished messages.
    pub messages: u64,
    /// Frames whose carrier is not configured any more.
    pub strays: usize,
    /// Damage that was set aside.
    pub damage: Vec<String>,
}

/// Puts every unfinished message where it was, from the log.
pub(crate) fn restore(
    world: &World,
    config: &Config,
    recovered: &Recovered,
    archive: &dyn Archive,
    slots: &mut [Slot0],
    batches: &Batches,
    (ids, ears): (&Ids, &Ears),
) -> Result<Found, StoreFault> {
    let mut marks = handsets::marks(archive)?;
    // What came from a carrier that is not configured any more would have every start read the log from there.
    marks.retain(|(carrier, _)| slots.iter().any(|slot| slot.desk.carrier() == carrier));
    let parts_from = marks.iter().map(|(_, seq)| *seq).min().unwrap_or(u64::MAX);
    let (mut replay, damage) = replay(recovered, parts_from, archive)?;
    let now = Now { wall: world.now(), mono: world.mono() };
    let mut found = Found { damage: Vec::new(), ..Found::default() };
    let mut open_batches = HashSet::<BatchId>::new();
    let mut closed_with_open = HashSet::<MessageId>::new();
    for head in &recovered.open {
        let Some(slot) = slots.iter_mut().find(|slot| slot.desk.carrier() == head.lane.carrier) else {
            found.strays += 1;
            continue;
        };
        let touched = replay.take_frame(head);
        let needs_body = touched.messages.values().any(|message| !message.life.status.is_final() && !message.waits());
        let body = if needs_body { archive.frame(head.first)? } else { None };
        let weight =
            config.accounts.iter().find(|account| account.name == head.lane.account).map_or(1, |account| u32::from(account.weight));
        let profile = slot.profile.clone();
        let keys_of = |id: &str, named_in: NamedIn| match named_in {
            NamedIn::Answer => profile.response_keys(id),
            NamedIn::Receipt => profile.receipt_keys(id),
        };
        let tally = slot.desk.restore(head.clone(), body.as_ref(), touched, weight, &keys_of, now);
        found.frames += 1;
        let unfinished =
            |tally: &Tally| crate::message::Status::ALL.iter().filter(|s| !s.is_final()).map(|s| u64::from(tally.of(*s))).sum::<u64>();
        found.messages += unfinished(&tally);
        if let Some(batch) = head.batch {
            batches.open(batch, &tally);
            open_batches.insert(batch);
            closed_with_open.insert(head.first);
        }
    }
    count_closed(archive, batches, open_batches, &closed_with_open)?;
    found.damage = damage;
    for slot in slots {
        let (orphans, profile) = (replay.orphans_of(slot.desk.carrier()), slot.profile.clone());
        slot.desk.restored(orphans, &|id| profile.receipt_keys(id), now);
        let parts = replay.parts_of(slot.desk.carrier());
        let from = marks.iter().find(|(carrier, _)| carrier == slot.desk.carrier()).map(|(_, seq)| *seq);
        // A stop in them holds from here on: nothing is leased yet.
        let mut ear = Ear::new(ears.clone());
        for event in slot.handsets.restore(&parts, from, ids, now) {
            slot.desk.inbound_late(ear.listen(event, now, &slot.reporter));
        }
        slot.heard = Some(ear);
    }
    Ok(found)
}

/// The closed frames of bulks that are still open count too.
fn count_closed(archive: &dyn Archive, batches: &Batches, open: HashSet<BatchId>, counted: &HashSet<MessageId>) -> Result<(), StoreFault> {
    for batch in open {
        for closed in archive.closed_of_batch(batch)? {
            if !counted.contains(&closed.frame) {
                batches.open(batch, &Tally::from_bytes(&closed.tally));
            }
        }
    }
    Ok(())
}

/// The fold of the log; and damage, in words.
fn replay(recovered: &Recovered, parts_from: u64, archive: &dyn Archive) -> Result<(Replay, Vec<String>), StoreFault> {
    let mut replay = Replay::of(recovered.open.iter().map(|head| head.first));
    let (mut seq, mut damage) = (recovered.replay_from.min(parts_from), recovered.damage.clone());
    // Its own commit tells nothing of a frame: the next one does.
    seq += if crate::base::planted::is("replay-late") { 2 } else { 0 };
    loop {
        let rows = match archive.log_from(seq, REPLAY_BYTES) {
            Ok(rows) => rows,
            // A damaged row is named and passed over: what it said of its messages is lost, the rest is not.
            Err(StoreFault::Damaged { slice, at }) => {
                damage.push(format!("{slice}: the events of commit {at} are damaged"));
                seq = at + 1;
                continue;
            }
            Err(fault) => return Err(fault),
        };
        let Some(last) = rows.last() else { break };
        seq = last.seq + 1;
        for row in rows {
            // What was said of frames that are closed is most of it, and is not read.
            match read_events_of(&row.log, &|frame| replay.is_open(frame)) {
                Ok(events) => events.into_iter().for_each(|event| replay.event(event)),
                Err(fault) => tracing::error!(seq = row.seq, %fault, "a log row cannot be read and is passed over"),
            }
        }
    }
    Ok((replay, damage))
}
