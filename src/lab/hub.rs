//! What the sessions of one SMSC share: who is bound, the receipts and messages that wait for each account in the
//! order they are due, the rate meter, message numbers. Locks are taken once a burst, never held across an await.

use super::pdu::Address;
use super::personality::{Personality, ReceiptBind};
use super::receipt::Receipt;
use super::record::{Recorder, Watch};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How a session is woken or cut from outside.
#[derive(Default)]
pub(super) struct Line {
    /// Wakes the session.
    pub wake: Notify,
    /// The session ends at its next turn, without a word.
    pub cut: AtomicBool,
}

impl Line {
    /// Cuts the session.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }
}

/// Something to be sent by deliver_sm.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A receipt.
    Receipt(Receipt),
    /// A subscriber's message.
    Mo(Box<Mo>),
}

/// A subscriber's message.
#[derive(Clone, Debug)]
pub(super) struct Mo {
    /// The subscriber.
    pub from: Address,
    /// The short code or number it is for.
    pub to: Address,
    /// The text.
    pub text: String,
    /// Of a long text: its reference, how many parts it has, and which one this is.
    pub part: Option<[u8; 3]>,
}

/// Items by the millisecond they are due.
#[derive(Default)]
struct Queue(BTreeMap<u64, VecDeque<Item>>);

impl Queue {
    fn push(&mut self, due_ms: u64, item: Item) {
        self.0.entry(due_ms).or_default().push_back(item);
    }
    fn next(&self) -> Option<u64> {
        self.0.first_key_value().map(|(due, _)| *due)
    }
    fn merge(&mut self, other: Queue) {
        for (due, items) in other.0 {
            self.0.entry(due).or_default().extend(items);
        }
    }
    fn take(&mut self, now_ms: u64, limit: usize, out: &mut Vec<Item>) {
        while out.len() < limit
            && let Some(mut first) = self.0.first_entry()
            && *first.key() <= now_ms
        {
            let count = first.get().len().min(limit - out.len());
            out.extend(first.get_mut().drain(..count));
            if first.get().is_empty() {
                first.remove();
            }
        }
    }
    fn count(&self) -> usize {
        self.0.values().map(VecDeque::len).sum()
    }
}

/// A session that can receive, and what waits for it.
struct Seat {
    session: u64,
    line: Arc<Line>,
    queue: Queue,
}

/// The sessions and waiting items of one system_id.
#[derive(Default)]
pub(super) struct Account {
    post: Mutex<Post>,
    /// The second of the window in the high half, its count in the low half.
    meter: AtomicU64,
}

#[derive(Default)]
struct Post {
    seats: Vec<Seat>,
    /// Waits until somebody can receive.
    parked: Queue,
    turn: usize,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain collections, valid at every step: a session that panicked does not spoil the others.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Account {
    /// Counts one submit in the window of this second; false when it is one too many.
    pub(super) fn admits(&self, now_ms: u64, limit: u64) -> bool {
        let second = (now_ms / 1_000) & 0xFFFF_FFFF;
        let count = |old: u64| if old >> 32 == second { (old & 0xFFFF_FFFF) + 1 } else { 1 };
        let old = self.meter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
            // Refused submits do not lengthen the refusal.
            (count(old) <= limit).then(|| second << 32 | count(old))
        });
        old.is_ok()
    }

    /// A session that can receive has bound: what was parked is for it.
    pub(super) fn sit(&self, session: u64, line: &Arc<Line>) {
        let mut post = lock(&self.post);
        let queue = std::mem::take(&mut post.parked);
        post.seats.push(Seat { session, line: line.clone(), queue });
    }

    /// A session has ended: what waited for it, and what it sent without an acknowledgement, is for another.
    pub(super) fn leave(&self, session: u64, unacked: impl Iterator<Item = Item>) {
        let mut post = lock(&self.post);
        let mut queue = Queue::default();
        unacked.for_each(|item| queue.push(0, item));
        if let Some(at) = post.seats.iter().position(|seat| seat.session == session) {
            queue.merge(post.seats.remove(at).queue);
        }
        match post.seats.first_mut() {
            Some(seat) => {
                seat.queue.merge(queue);
                seat.line.wake.notify_one();
            }
            None => post.parked.merge(queue),
        }
    }

    /// Hands in new items and takes those due for this session, at most `limit`. Returns when to ask again.
    pub(super) fn exchange(
        &self,
        session: u64,
        bind: ReceiptBind,
        new: &mut Vec<(u64, Item)>,
        now_ms: u64,
        limit: usize,
        out: &mut Vec<Item>,
    ) -> Option<u64> {
        let mut post = lock(&self.post);
        for (due, item) in new.drain(..) {
            post.push(session, bind, due, item);
        }
        let seat = post.seats.iter_mut().find(|seat| seat.session == session)?;
        seat.queue.take(now_ms, limit, out);
        // With a full window an acknowledgement wakes the session, not the clock.
        if out.len() >= limit { None } else { seat.queue.next() }
    }

    fn waiting(&self) -> usize {
        let post = lock(&self.post);
        post.parked.count() + post.seats.iter().map(|seat| seat.queue.count()).sum::<usize>()
    }
}

impl Post {
    fn push(&mut self, origin: u64, bind: ReceiptBind, due: u64, item: Item) {
        let own = self.seats.iter().position(|seat| seat.session == origin);
        let others = self.seats.len() - usize::from(own.is_some());
        let at = match (bind, own) {
            (ReceiptBind::Same, Some(own)) => own,
            (ReceiptBind::Another, Some(own)) if others == 0 => own,
            _ if self.seats.is_empty() => return self.parked.push(due, item),
            _ => {
                // In turn over all but the origin's own seat.
                self.turn = (self.turn + 1) % others;
                match own {
                    Some(own) if self.turn >= own => self.turn + 1,
                    _ => self.turn,
                }
            }
        };
        let seat = &mut self.seats[at];
        let sooner = seat.queue.next().is_none_or(|next| due < next);
        seat.queue.push(due, item);
        if sooner && seat.session != origin {
            seat.line.wake.notify_one();
        }
    }
}

/// Everything shared.
pub(super) struct Hub {
    personality: Mutex<Arc<Personality>>,
    accounts: Mutex<BTreeMap<String, Arc<Account>>>,
    lines: Mutex<BTreeMap<u64, Arc<Line>>>,
    /// Messages for nobody yet.
    early_mo: Mutex<Vec<Item>>,
    next_message: AtomicU64,
    refused_binds: AtomicU64,
    /// The record.
    pub record: Arc<Recorder>,
    /// Told of everything.
    pub watch: Option<Arc<dyn Watch>>,
}

impl Hub {
    /// Nobody bound.
    pub(super) fn new(personality: Personality, record: Arc<Recorder>, watch: Option<Arc<dyn Watch>>) -> Hub {
        Hub {
            next_message: AtomicU64::new(personality.id_base),
            personality: Mutex::new(Arc::new(personality)),
            accounts: Mutex::default(),
            lines: Mutex::default(),
            early_mo: Mutex::default(),
            refused_binds: AtomicU64::new(0),
            record,
            watch,
        }
    }

    /// The habits new sessions take.
    pub(super) fn personality(&self) -> Arc<Personality> {
        lock(&self.personality).clone()
    }

    /// Changes them.
    pub(super) fn set_personality(&self, personality: Personality) {
        *lock(&self.personality) = Arc::new(personality);
    }

    /// A number for a message.
    pub(super) fn next_message(&self) -> u64 {
        self.next_message.fetch_add(1, Ordering::Relaxed)
    }

    /// True for the first binds, as many as the personality refuses.
    pub(super) fn refuses_bind(&self, first: u32) -> bool {
        first > 0 && self.refused_binds.fetch_add(1, Ordering::Relaxed) < u64::from(first)
    }

    /// The account of a system_id.
    pub(super) fn account(&self, system_id: &str) -> Arc<Account> {
        lock(&self.accounts).entry(system_id.into()).or_default().clone()
    }

    /// What was injected before anybody could receive.
    pub(super) fn take_early_mo(&self) -> Vec<Item> {
        std::mem::take(&mut *lock(&self.early_mo))
    }

    /// Hands a subscriber's message to the first account that can receive, or keeps it for the first that will.
    pub(super) fn inject(&self, mo: Mo) {
        let accounts = lock(&self.accounts);
        for account in accounts.values() {
            let mut post = lock(&account.post);
            if !post.seats.is_empty() {
                post.push(0, ReceiptBind::Another, 0, Item::Mo(Box::new(mo)));
                return;
            }
        }
        lock(&self.early_mo).push(Item::Mo(Box::new(mo)));
    }

    /// Remembers a session's line.
    pub(super) fn join(&self, session: u64, line: &Arc<Line>) {
        lock(&self.lines).insert(session, line.clone());
    }

    /// Forgets it.
    pub(super) fn part(&self, session: u64) {
        lock(&self.lines).remove(&session);
    }

    /// Cuts all sessions and returns how many.
    pub(super) fn cut_all(&self) -> usize {
        let lines = lock(&self.lines);
        lines.values().for_each(|line| line.cut());
        lines.len()
    }

    /// Sessions open now, bound or not.
    pub(super) fn sessions(&self) -> usize {
        lock(&self.lines).len()
    }

    /// Receipts and messages not yet sent.
    pub(super) fn waiting(&self) -> usize {
        lock(&self.accounts).values().map(|account| account.waiting()).sum::<usize>() + lock(&self.early_mo).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mo(text: &str) -> Item {
        let address = Address::guess("33612345678");
        Item::Mo(Box::new(Mo { from: address, to: address, text: text.into(), part: None }))
    }

    fn texts(items: &[Item]) -> Vec<String> {
        items.iter().map(|item| if let Item::Mo(mo) = item { mo.text.clone() } else { String::new() }).collect()
    }

    fn taken(account: &Account, session: u64, now_ms: u64, limit: usize) -> (Vec<String>, Option<u64>) {
        let mut out = Vec::new();
        let next = account.exchange(session, ReceiptBind::Same, &mut Vec::new(), now_ms, limit, &mut out);
        (texts(&out), next)
    }

    #[test]
    fn items_come_in_the_order_they_are_due_and_never_before() {
        let account = Account::default();
        account.sit(1, &Arc::default());
        let mut new = vec![(30, mo("c")), (10, mo("a")), (10, mo("b"))];
        assert_eq!(account.exchange(1, ReceiptBind::Same, &mut new, 5, 9, &mut Vec::new()), Some(10));
        assert_eq!(taken(&account, 1, 10, 1), (vec!["a".into()], None), "a full window has nothing to wait for");
        assert_eq!(taken(&account, 1, 29, 9), (vec!["b".into()], Some(30)));
        assert_eq!(taken(&account, 1, 30, 9), (vec!["c".into()], None));
    }

    #[test]
    fn items_wait_for_a_receiver_and_move_on_when_it_leaves() {
        let account = Account::default();
        // Session 1 only transmits: it has no seat.
        let mut new = vec![(0, mo("a"))];
        account.exchange(1, ReceiptBind::Same, &mut new, 5, 9, &mut Vec::new());
        assert_eq!(account.waiting(), 1);
        account.sit(2, &Arc::default());
        account.leave(2, std::iter::once(mo("unacked")));
        account.sit(3, &Arc::default());
        assert_eq!(taken(&account, 3, 5, 9).0, ["unacked", "a"]);
    }

    #[test]
    fn another_bind_gets_the_receipt_when_there_is_one() {
        let account = Account::default();
        account.sit(1, &Arc::default());
        let push = |account: &Account| {
            account.exchange(1, ReceiptBind::Another, &mut vec![(9, mo("x"))], 0, 9, &mut Vec::new());
        };
        push(&account);
        assert_eq!(taken(&account, 1, 9, 9).0.len(), 1, "alone, it is its own other");
        account.sit(2, &Arc::default());
        account.sit(3, &Arc::default());
        for _ in 0..4 {
            push(&account);
        }
        assert_eq!([1, 2, 3].map(|session| taken(&account, session, 9, 9).0.len()), [0, 2, 2]);
    }

    #[test]
    fn the_meter_counts_by_seconds() {
        let account = Account::default();
        assert_eq!((0..10).filter(|_| account.admits(1_500, 3)).count(), 3);
        assert_eq!((0..10).filter(|_| account.admits(1_999, 3)).count(), 0);
        assert_eq!((0..10).filter(|_| account.admits(2_000, 3)).count(), 3);
    }
}
