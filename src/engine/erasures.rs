//! Erasures by number that are under way (`docs/adr/0020-erase.md`): the notes that hold them, sealed, and what of them
//! everybody must know at once, which messages are not there any more. Nothing here erases: `eraser` does.

use crate::base::{Msisdn, Secret, Time};
use crate::config::Config;
use crate::message::erase::Subject;
use crate::pipeline::webhook::notes::message_in;
use crate::storage::{Archive, StoreFault};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use tokio::sync::Notify;

/// Erasures that wait at once: each reads all that is stored, so more than a day's worth is refused.
pub const PENDING_MAX: usize = 1_000;
/// Erasures that are over and can still be asked about.
pub const DONE_MAX: usize = 10_000;
/// Messages of which couriers put no event aside any more, in memory until the process ends: eight octets each.
const ERASED_MAX: usize = 1_000_000;

/// Where the notes of erasures that are not over begin.
pub(crate) const PENDING: &str = "erase/";
/// And of those that are.
pub(crate) const DONE: &str = "erased/";

/// Whether opt-outs of the number go, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OptOuts {
    /// They stay: without them messages would go to somebody who said stop.
    Kept,
    /// They go.
    Forgotten,
}

/// One erasure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Erasure {
    /// Whose data.
    pub subject: Subject,
    /// What was committed up to here: what comes after it is new and stays.
    pub upto: u64,
    /// What becomes of opt-outs.
    pub opt_outs: OptOuts,
    /// When it was asked for.
    pub asked: Time,
    /// A keyed hash of account and number: names it in logs, notes and answers.
    pub name: String,
}

/// How an erasure that is over went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// When it was asked for, milliseconds.
    pub asked: i64,
    /// When it was over.
    pub done: i64,
    /// Messages erased, those of repetitions after a restart not counted again.
    pub messages: u64,
    /// Events of messages from the handset, and receipts without message.
    pub events: u64,
    /// Rows that are damaged and could not be looked through.
    pub unreadable: u64,
}

#[derive(Serialize, Deserialize)]
struct Form {
    account: Option<String>,
    sealed: [u8; 16],
    upto: u64,
    opt_outs: OptOuts,
    asked: i64,
}

/// Where an erasure stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Under way since then.
    Pending(Time),
    /// Over.
    Done(Report),
}

#[derive(Default)]
struct Known {
    pending: Vec<Erasure>,
    erased: HashSet<u64>,
}

/// See the module.
pub struct Erasures {
    pepper: Secret,
    known: RwLock<Known>,
    /// Of `pending`: the ordinary path locks nothing.
    waiting: AtomicUsize,
    /// Of `erased`.
    over: AtomicUsize,
    pub(crate) woken: Notify,
}

impl Erasures {
    /// Those that a former process left. A note that cannot be read (another pepper) stays and is named in the log.
    pub(crate) fn load(config: &Config, archive: &dyn Archive) -> Result<Erasures, StoreFault> {
        let erasures = Erasures {
            pepper: config.pepper.clone(),
            known: RwLock::default(),
            waiting: AtomicUsize::new(0),
            over: AtomicUsize::new(0),
            woken: Notify::new(),
        };
        for (key, value) in archive.notes(PENDING)? {
            match erasures.read(&key, &value) {
                Some(erasure) => erasures.add(erasure),
                None => tracing::error!(note = key, "an erasure cannot be read and is not carried out: is secrets.pepper another one?"),
            }
        }
        Ok(erasures)
    }

    /// An erasure to be noted.
    #[must_use]
    pub fn make(&self, subject: Subject, upto: u64, opt_outs: OptOuts, asked: Time) -> Erasure {
        let name = self.name(&subject);
        Erasure { subject, upto, opt_outs, asked, name }
    }

    /// The keyed hash that names an erasure.
    #[must_use]
    pub fn name(&self, subject: &Subject) -> String {
        let account = subject.account.as_deref().unwrap_or("*");
        let hash = self.hash(&["erasure", account, &subject.number.as_u64().to_string()]);
        hash[..8].iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Whether a message accepted at `seq` is one of those that are not there any more.
    #[must_use]
    pub fn hides(&self, account: &str, number: u64, seq: u64) -> bool {
        self.waiting() > 0
            && self.known().pending.iter().any(|one| one.subject.number.as_u64() == number && seq <= one.upto && one.subject.is_of(account))
    }

    /// A note as it may be written: one about an event of an erased message, which a courier had in memory, goes instead.
    pub(crate) fn let_through(&self, note: (String, Option<Vec<u8>>)) -> (String, Option<Vec<u8>>) {
        if self.over.load(Ordering::Acquire) == 0 {
            return note;
        }
        let (key, value) = note;
        let value = value.filter(|value| !message_in(&key, value).is_some_and(|id| self.known().erased.contains(&id)));
        (key, value)
    }

    /// Messages, also from handsets, of which nothing is to be kept any more.
    pub(crate) fn forget(&self, ids: impl IntoIterator<Item = u64>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let room = ERASED_MAX.saturating_sub(known.erased.len());
        known.erased.extend(ids.into_iter().take(room));
        self.over.store(known.erased.len(), Ordering::Release);
    }

    /// The oldest that waits.
    pub(crate) fn next(&self) -> Option<Erasure> {
        self.known().pending.first().cloned()
    }

    pub(crate) fn add(&self, erasure: Erasure) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.pending.push(erasure);
        self.waiting.store(known.pending.len(), Ordering::Release);
        self.woken.notify_one();
    }

    pub(crate) fn remove(&self, erasure: &Erasure) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.pending.retain(|one| one != erasure);
        self.waiting.store(known.pending.len(), Ordering::Release);
    }

    /// Since when one of this name waits.
    pub(crate) fn since(&self, name: &str) -> Option<Time> {
        self.known().pending.iter().find(|one| one.name == name).map(|one| one.asked)
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The note that makes it outlive the process. The number is in it under a key that is not in any file of the store.
    pub(crate) fn note(&self, erasure: &Erasure) -> (String, Vec<u8>) {
        let key = format!("{PENDING}{:020}-{}-{}", erasure.upto, erasure.name, erasure.asked.0);
        let number = erasure.subject.number.as_u64();
        let mut sealed = [0; 16];
        let veil = self.hash(&["veil", &key]);
        number.to_le_bytes().iter().zip(&veil).zip(&mut sealed).for_each(|((octet, veil), out)| *out = octet ^ veil);
        sealed[8..].copy_from_slice(&self.hash(&["check", &key, &number.to_string()])[..8]);
        let Erasure { subject, upto, opt_outs, asked, .. } = erasure;
        let form = Form { account: subject.account.clone(), sealed, upto: *upto, opt_outs: *opt_outs, asked: asked.0 };
        (key, serde_json::to_vec(&form).unwrap_or_default())
    }

    fn read(&self, key: &str, value: &[u8]) -> Option<Erasure> {
        let form: Form = serde_json::from_slice(value).ok()?;
        let veil = self.hash(&["veil", key]);
        let mut number = [0; 8];
        form.sealed.iter().zip(&veil).zip(&mut number).for_each(|((octet, veil), out)| *out = octet ^ veil);
        let number = u64::from_le_bytes(number);
        let is_right = form.sealed[8..] == self.hash(&["check", key, &number.to_string()])[..8];
        let number = Msisdn::from_u64(number).filter(|_| is_right)?;
        Some(self.make(Subject { number, account: form.account }, form.upto, form.opt_outs, Time(form.asked)))
    }

    fn hash(&self, words: &[&str]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.pepper.expose().as_bytes()).expect("HMAC takes keys of any length");
        for word in words {
            mac.update(word.as_bytes());
            mac.update(&[0]);
        }
        mac.finalize().into_bytes().into()
    }
}
