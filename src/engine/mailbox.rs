//! The hand-over between threads: batches by value through a bounded queue with one lock per batch, never per
//! message. A full mailbox gives the letter back; the sender waits or refuses, and says so.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// A bounded queue with one reader.
#[derive(Debug)]
pub struct Mailbox<T> {
    queue: Mutex<VecDeque<T>>,
    wake: Notify,
    max: usize,
}

impl<T> Mailbox<T> {
    /// At most `max` letters.
    #[must_use]
    pub fn new(max: usize) -> Mailbox<T> {
        Mailbox { queue: Mutex::new(VecDeque::new()), wake: Notify::new(), max }
    }

    /// Puts a letter in, or gives it back when the box is full.
    pub fn send(&self, letter: T) -> Result<(), T> {
        {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.len() >= self.max {
                return Err(letter);
            }
            queue.push_back(letter);
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Puts a letter in whatever the bound: for what was admitted elsewhere and must not be lost (a commit's
    /// answer, a frame that is durable). Bounded by what the journal admits.
    pub fn force(&self, letter: T) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(letter);
        self.wake.notify_one();
    }

    /// Puts letters that were taken back before all others, in their order.
    pub fn put_back(&self, mut letters: VecDeque<T>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        letters.append(&mut queue);
        *queue = letters;
    }

    /// All letters.
    pub fn take(&self) -> VecDeque<T> {
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns when there may be a letter. A wake-up that came while nobody waited is not lost.
    pub async fn wait(&self) {
        self.wake.notified().await;
    }

    /// Wakes the reader without a letter.
    pub fn nudge(&self) {
        self.wake.notify_one();
    }

    /// How many letters wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_box_gives_the_letter_back() {
        let mailbox = Mailbox::new(1);
        assert_eq!(mailbox.send(1), Ok(()));
        assert_eq!(mailbox.send(2), Err(2));
        mailbox.force(3);
        assert_eq!(mailbox.take(), [1, 3]);
        assert!(mailbox.is_empty());
    }
}
