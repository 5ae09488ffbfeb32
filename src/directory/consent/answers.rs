//! Which messages are answers to a recipient's own stop or call for help, and so pass the stop: those whose recipient and
//! content we noted a moment ago. Bounded, in memory: an answer that has not left when the process ends is not sent.

use super::ask::Ask;
use crate::base::{Msisdn, Span, Time};
use crate::directory::keywords::Class as Word;
use crate::message::content::Class;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

/// An answer that has not left by then is not sent: in the United States a confirmation is one only within five minutes.
pub(super) const ANSWER_FOR: Span = Span::secs(300);

/// The same recipient gets the same kind of answer once in so long: two machines that answer each other stay quiet.
const ONCE_IN: Span = Span::secs(3_600);

/// Answers remembered at once: 16 octets each. With more, no answer is sent; stops hold all the same.
const ANSWERS_MAX: usize = 65_536;

#[derive(Debug, Default)]
struct Noted {
    /// By hash of account, recipient and content: until when it passes.
    passes: HashMap<u64, Time, RandomState>,
    /// By hash of account, recipient and kind: until when no other is sent.
    quiet: HashMap<u64, Time, RandomState>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Answers {
    noted: Mutex<Noted>,
    hasher: RandomState,
}

impl Answers {
    /// Notes an answer; `false` when none may be sent.
    pub(super) fn permit(&self, account: &str, to: Msisdn, word: Word, content: u64, now: Time) -> bool {
        let passes = self.hasher.hash_one((account, to, content));
        let quiet = self.hasher.hash_one((account, to, word));
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.quiet.get(&quiet).is_some_and(|until| now < *until) {
            return false;
        }
        if noted.quiet.len() >= ANSWERS_MAX {
            noted.passes.retain(|_, until| now < *until);
            noted.quiet.retain(|_, until| now < *until);
            if noted.quiet.len() >= ANSWERS_MAX {
                return false;
            }
        }
        noted.passes.insert(passes, now.after(ANSWER_FOR));
        noted.quiet.insert(quiet, now.after(ONCE_IN));
        true
    }

    /// Whether this message is such an answer. Asked only of what is stopped.
    pub(super) fn is_one(&self, account: &str, ask: &Ask<'_>, now: Time) -> bool {
        if ask.class != Class::Service || ask.content == 0 {
            return false;
        }
        let passes = self.hasher.hash_one((account, ask.to, ask.content));
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.passes.get(&passes).is_some_and(|until| now < *until)
    }
}
