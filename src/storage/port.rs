//! The port every backend fills: what is committed, what is read, what is found after a crash.

use crate::base::{BatchId, MessageId, Span, Time};
use crate::storage::frame::{Frame, FrameHead};
use crate::storage::people::{PersonChange, Preference, Suppression, SuppressionKey};
use crate::storage::spent::{Spent, SpentLike};
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;

/// Why a store could not.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// No room on the disk. The group was not committed and nothing of it is visible; the same handle goes on
    /// once there is room.
    #[error("the disk is full")]
    Full,
    /// A write or sync failed. Nothing may be believed of this file until the process has started anew (INV-3).
    #[error("the journal could not be written: {0}")]
    Broken(String),
    /// A frame or row whose checksum is wrong: quarantined, the rest is served.
    #[error("damaged data in {slice} near {at}")]
    Damaged { slice: String, at: u64 },
    /// Written by a newer version.
    #[error("{slice} was written by version {version} of the format; this program reads up to {known}")]
    TooNew { slice: String, version: u32, known: u32 },
}

/// What is made durable together: all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The position of this commit: the greatest so far plus one.
    pub seq: u64,
    /// The wall clock at the commit; chooses the slice.
    pub at: Time,
    /// Accepted messages. `head.seq` is this group's.
    pub frames: Vec<NewFrame>,
    /// Events of this commit, encoded (`message::log::write_events`); may be empty.
    pub log: Vec<u8>,
    /// The frames those events are about, ascending, without repetition.
    pub touched: Vec<MessageId>,
    /// Answers to be given again for the same idempotency key.
    pub answers: Vec<Answer>,
    /// Bulks that are complete: their staged frames become live with this commit.
    pub batches: Vec<BatchRow>,
    /// Staged bulks that were given up: their frames never were.
    pub aborted: Vec<BatchId>,
    /// Frames whose messages are all final.
    pub closed: Vec<Closed>,
    /// Small durable values by key (webhook cursors, dead letters); `None` removes.
    pub notes: Vec<(String, Option<Vec<u8>>)>,
    /// What recipients and customers said of recipients (opt-outs, preferences), in order.
    pub people: Vec<PersonChange>,
    /// What counts for caps as sent by this commit's leases.
    pub spent: Vec<Spent>,
}

impl Group {
    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
            && self.log.is_empty()
            && self.answers.is_empty()
            && self.batches.is_empty()
            && self.aborted.is_empty()
            && self.closed.is_empty()
            && self.notes.is_empty()
            && self.people.is_empty()
            && self.spent.is_empty()
    }
    /// Roughly how many octets the commit writes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(|f| f.frame.body.len()).sum::<usize>() + self.log.len() + 12 * self.spent.len()
    }
}

/// A frame to be written, and how its messages are found again.
#[derive(Debug, Clone)]
pub struct NewFrame {
    /// The frame.
    pub frame: Arc<Frame>,
    /// One hash per message and key: (hash of account and recipient), (hash of account and client reference, 0
    /// when none), in the order of ordinals. Hashes are `search_key`s.
    pub recipients: Vec<u64>,
    /// See `recipients`.
    pub references: Vec<u64>,
    /// Hashes of account and cancel key, 0 when none; empty when no message of the frame has one.
    pub cancel_keys: Vec<u64>,
    /// Hashes of account and campaign, likewise.
    pub campaigns: Vec<u64>,
}

/// The answer to a request that carried an idempotency key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The account.
    pub account: String,
    /// The customer's key, at most 255 octets.
    pub key: String,
    /// SHA-256 of the request (method, path, body).
    pub request: [u8; 32],
    /// What to answer again, in a form of the API's own.
    pub body: Vec<u8>,
    /// When it may be forgotten.
    pub until: Time,
}

/// A bulk, complete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchRow {
    /// Its id.
    pub id: BatchId,
    /// Whose.
    pub account: String,
    /// When it was accepted.
    pub at: Time,
    /// Lines in the request.
    pub received: u32,
    /// Lines that became messages.
    pub accepted: u32,
    /// Details in a form of the API's own (refusals by code).
    pub detail: Vec<u8>,
}

/// A frame that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    /// The frame.
    pub frame: MessageId,
    /// Its bulk.
    pub batch: Option<BatchId>,
    /// `message::outcome::Tally` of its messages.
    pub tally: Vec<u8>,
}

/// A row of the log.
#[derive(Clone, Debug)]
pub struct LogRow {
    /// Its position.
    pub seq: u64,
    /// The events.
    pub log: Bytes,
}

/// What a journal holds when it is opened.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The greatest committed position; 0 for a new journal.
    pub last_seq: u64,
    /// The greatest id ever dealt (messages, batches, inbound), if any.
    pub last_id: Option<u64>,
    /// The instant of the last commit.
    pub last_at: Option<Time>,
    /// Frames with messages that are not final, ascending. Staged frames of bulks that were never completed are
    /// not among them: they have been removed.
    pub open: Vec<FrameHead>,
    /// From where the log must be read to know the open frames: the least `seq` of them, or `last_seq + 1`.
    pub replay_from: u64,
    /// Damage that was found and set aside, in words for the operator.
    pub damage: Vec<String>,
    /// Rows of people are damaged or gone: who has opted out is not known any more.
    pub people_lost: bool,
    /// The file of the notes is damaged or gone.
    pub notes_lost: bool,
    /// Commits are damaged or gone: what was sent of late is not known whole.
    pub spent_lost: bool,
}

/// A frame of which messages were erased.
#[derive(Clone, Debug)]
pub struct Blanked {
    /// The frame as it is from now on: as many records as before, those of `ordinals` empty.
    pub frame: Arc<Frame>,
    /// The messages that were erased.
    pub ordinals: Vec<u32>,
}

/// What takes the place of rows that hold what is to be erased (`docs/adr/0020-erase.md`). Carrying it out twice does no
/// harm, so a part that was cut short is done again.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    /// Frames; their erased messages are in no search key afterwards.
    pub frames: Vec<Blanked>,
    /// Log rows, by their position.
    pub logs: Vec<LogRow>,
    /// Stored answers by account and key; `None` removes.
    pub answers: Vec<(String, String, Option<Answer>)>,
    /// Rows of people that go, `Forget` and `Lift` alone: no row of a log is written about it.
    pub people: Vec<PersonChange>,
}

/// Whose changes of people, and whose sends that counted for caps, go from the logs as well.
#[derive(Clone, Debug)]
pub struct Person {
    /// The number, as digits.
    pub number: u64,
    /// One account's, or all.
    pub account: Option<String>,
    /// Opt-outs too, not preferences alone.
    pub opt_outs: bool,
    /// The sends: a row that is like one of these.
    pub sends: Vec<SpentLike>,
}

impl Person {
    /// Whether a send that counted is one of those that go.
    #[must_use]
    pub fn is_sent(&self, row: &Spent) -> bool {
        self.sends.iter().any(|like| like.is_met(row))
    }

    /// Whether a change is one of those that go.
    #[must_use]
    pub fn is_in(&self, change: &PersonChange) -> bool {
        let (account, number, is_opt_out) = match change {
            PersonChange::Suppress(row) => (&row.key.account, row.key.number, true),
            PersonChange::Lift(key) => (&key.account, key.number, true),
            PersonChange::Prefer(one) => (&one.account, one.number, false),
            PersonChange::Forget { account, number } => (account, *number, false),
        };
        number == self.number && self.account.as_ref().is_none_or(|one| one == account) && (self.opt_outs || !is_opt_out)
    }
}

/// Frames of one look through all.
#[derive(Clone, Debug, Default)]
pub struct FramePage {
    /// Ascending.
    pub frames: Vec<Arc<Frame>>,
    /// Rows that could not be read.
    pub damaged: u64,
    /// Where the next look begins; `None` after the last row.
    pub next: Option<MessageId>,
}

/// Whether old octets are gone from the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scrubbed {
    /// All of them.
    Clean,
    /// A reader or another writer was at it: to be asked again in a moment.
    Busy,
}

/// The writer's side. One owner.
pub trait Journal: Send {
    /// Opens the journal's content: cuts what was never completed and reports the rest. Called once, first.
    fn recover(&mut self) -> Result<Recovered, StoreFault>;
    /// Makes a group durable. On return with `Ok` it survives a power cut; with `Full` nothing of it exists.
    fn commit(&mut self, group: &Group) -> Result<(), StoreFault>;
    /// How long the last commit is still being synced; asked again after that, until it says `None`: only then is it
    /// durable. Disks answer `commit` when they are done; the simulated one answers here, because a simulation's one
    /// thread cannot wait in `commit`.
    fn syncing(&mut self) -> Result<Option<Span>, StoreFault> {
        Ok(None)
    }
    /// Whether anything may still be written: not after a failed write or sync, nor when the place of the files is gone.
    fn check(&mut self) -> Result<(), StoreFault> {
        Ok(())
    }
    /// Frees reserved space so that events of accepted messages still find room on a full disk; `false` when
    /// there is none left.
    fn release_reserve(&mut self) -> bool;
    /// Restores the reserve when there is room again.
    fn restore_reserve(&mut self);
    /// Moves committed pages out of the write-ahead log, removes what is past its retention: `before` is the
    /// instant before which a slice may go, if all its frames are closed and `told` (the least position every
    /// webhook has passed) is beyond it. Returns the number of slices removed.
    fn upkeep(&mut self, before: Time, told: u64) -> Result<usize, StoreFault>;
    /// Puts rows in the place of others, durably; between two commits. What it does to rows that are gone is nothing.
    fn rewrite(&mut self, rewrite: &Rewrite) -> Result<(), StoreFault>;
    /// After the last rewrite of an erasure: no commit goes into a file with rewritten rows any more, so that
    /// `Archive::scrub` may take its time, and small files are scrubbed here.
    fn seclude(&mut self) -> Result<Scrubbed, StoreFault>;
    /// A reader of the same store.
    fn archive(&self) -> Arc<dyn Archive>;
}

/// The readers' side. Every call sees at least what was committed before it. Calls block: at the edge they run
/// on a blocking thread.
pub trait Archive: Send + Sync {
    /// A frame by the id of its first message. Staged frames are seen.
    fn frame(&self, first: MessageId) -> Result<Option<Arc<Frame>>, StoreFault>;
    /// The frame that holds a message. Staged frames are not seen.
    fn frame_of(&self, id: MessageId) -> Result<Option<Arc<Frame>>, StoreFault>;
    /// The log rows with events about a frame, oldest first.
    fn touches(&self, frame: MessageId) -> Result<Vec<LogRow>, StoreFault>;
    /// Log rows from a position on (inclusive), oldest first, at least one if there is one, then up to about
    /// `bytes_max` octets.
    fn log_from(&self, seq: u64, bytes_max: usize) -> Result<Vec<LogRow>, StoreFault>;
    /// The stored answer for an idempotency key.
    fn answer(&self, account: &str, key: &str) -> Result<Option<Answer>, StoreFault>;
    /// A bulk.
    fn batch(&self, id: BatchId) -> Result<Option<BatchRow>, StoreFault>;
    /// An account's bulks, newest first, those with an id below `before`.
    fn batches(&self, account: &str, before: Option<BatchId>, limit: usize) -> Result<Vec<BatchRow>, StoreFault>;
    /// The frames of a bulk in order, after `after`.
    fn frames_of_batch(&self, batch: BatchId, after: Option<MessageId>, limit: usize) -> Result<Vec<FrameHead>, StoreFault>;
    /// The closed frames of a bulk.
    fn closed_of_batch(&self, batch: BatchId) -> Result<Vec<Closed>, StoreFault>;
    /// Messages filed under a search key, newest first, those with an id below `before`. May name a message
    /// that only shares the hash: the caller compares the record.
    fn search(&self, key: u64, before: Option<MessageId>, limit: usize) -> Result<Vec<MessageId>, StoreFault>;
    /// Frames of an account, newest first, with a first id below `before`: for listing without a key.
    fn frames_of_account(&self, account: &str, before: Option<MessageId>, limit: usize) -> Result<Vec<FrameHead>, StoreFault>;
    /// Frames in the order of their ids, from the one that begins at `from` or after it on, from at most `limit` rows, not
    /// cached. Staged ones are passed over; damaged ones, too, and counted.
    fn frames_from(&self, from: MessageId, limit: usize) -> Result<FramePage, StoreFault>;
    /// The stored answers whose first eight octets are one of these ids.
    fn answers_about(&self, ids: &HashSet<u64>) -> Result<Vec<Answer>, StoreFault>;
    /// Removes from files that take no commits what `Journal::rewrite` left in unused places of them, and what their logs
    /// say of a person.
    fn scrub(&self, person: &Person) -> Result<Scrubbed, StoreFault>;
    /// The notes whose key begins so, ascending by key.
    fn notes(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreFault>;
    /// The opt-outs in the order of their keys, from after `after` on, at most `limit`. On a full disk the list may lag
    /// behind what was committed, until there is room.
    fn suppressions(&self, after: Option<&SuppressionKey>, limit: usize) -> Result<Vec<Suppression>, StoreFault>;
    /// The preferences in the order of account and number, from after `after` on, at most `limit`; may lag likewise.
    fn preferences(&self, after: Option<(&str, u64)>, limit: usize) -> Result<Vec<Preference>, StoreFault>;
    /// Gives all that counts for caps and may be younger than `from`, in no order; older may come too. With damage, all that
    /// is sound is given first.
    fn spent(&self, from: Time, each: &mut dyn FnMut(Spent)) -> Result<(), StoreFault>;
}

/// What kind of search key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SearchKind {
    /// By the customer's reference.
    Reference,
    /// By the recipient's number.
    Recipient,
    /// By the key under which the messages of a chain are cancelled together.
    CancelKey,
    /// By the campaign.
    Campaign,
}

/// The key under which a message is filed: a 64-bit hash, stable over versions and machines, never 0.
#[must_use]
pub fn search_key(kind: SearchKind, account: &str, value: &str) -> u64 {
    // FNV-1a, then a finisher: quick for short values, and written down forever by being simple.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325 ^ (kind as u64 + 1);
    for byte in account.bytes().chain([0]).chain(value.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash ^ (hash >> 29)).max(1)
}
