//! Bugs planted on purpose, to see which of our tests find them: `docs/proof.md`. Each site asks `is` by name.
//!
//! Without the feature `planted-bugs` the answer is a constant `false`: nothing of it is in the program. With it one bug may
//! be chosen for the whole process, by `RELAIS_BUG=name` in its environment or by `relais sim --bug name`.

/// Every planted bug: its name, and what the program does wrong with it.
pub const ALL: &[(&str, &str)] = &[
    ("sync-skipped", "the writer does not wait for the sync of its commit"),
    ("failed-sync-ignored", "after a failed sync the process goes on as if it had succeeded"),
    ("answer-before-commit", "a request is answered before its messages are durable"),
    ("live-before-commit", "messages go to their shard before they are durable"),
    ("webhook-before-commit", "webhooks are told what is not yet durable"),
    ("full-disk-loses-events", "on a full disk the events of accepted messages are dropped with the new messages"),
    ("full-disk-loses-stops", "on a full disk what recipients said is dropped with the new messages"),
    ("last-commit-lost", "a restart does not find the events of the last commit"),
    ("replay-late", "the log is read from one commit too late after a restart"),
    ("key-not-stored", "the answer under an idempotency key is not stored"),
    ("key-not-held", "two requests under one idempotency key are served at the same time"),
    ("other-body-accepted", "an idempotency key is answered for another request"),
    ("bulk-live-without-seal", "the messages of a bulk are sent before it is complete"),
    ("batch-counters-off", "a bulk's counter of waiting messages is not moved"),
    ("refused-line-uncounted", "a line of a bulk that is refused is counted as accepted"),
    ("lease-not-journaled", "messages are leased without a word in the journal"),
    ("written-before-lease", "a message is written before its lease is durable"),
    ("slot-freed-early", "a window slot is free before the outcome of its submit is durable"),
    ("slot-lost-on-timeout", "the window slot of a submit that is never answered is not freed"),
    ("window-one-too-large", "one submit more than the window is in flight"),
    ("parts-out-of-order", "the parts of a long text are written last to first"),
    ("part-lost-on-requeue", "of several parts that are put back one is forgotten"),
    ("cancel-after-lease", "a message that has left is said to be called back"),
    ("drain-in-flight", "a stop does not wait for what is in flight"),
    ("no-doubt-after-restart", "what was leased when the process died is taken for not sent"),
    ("resent-twice", "what is in doubt is sent a third time"),
    ("resent-at-most-once", "what may be sent at most once is sent again after a doubt"),
    ("duplicate-unlabelled", "what was sent twice is not labelled"),
    ("sequence-reused", "sequence numbers begin again while they are in use"),
    ("answer-matched-by-order", "an answer counts for the oldest submit, whatever its number"),
    ("stray-answer-believed", "an answer under a number that is not outstanding counts for the oldest submit"),
    ("late-answer-completes-another", "a late answer counts for another message than its own"),
    ("throttle-ignored", "a throttled carrier is not left to rest"),
    ("throttled-costs-an-attempt", "being throttled uses up a message's attempts"),
    ("throttled-is-refused", "being throttled ends a message"),
    ("refusal-retried", "a permanent error is tried again"),
    ("temporary-refusal-ends", "a temporary error ends a message at once"),
    ("receipt-acknowledged-early", "a receipt is acknowledged before it is durable"),
    ("inbound-not-journaled", "a subscriber's message is acknowledged and not kept"),
    ("receipt-matched-by-number", "a receipt counts for any message to its number"),
    ("orphan-dropped", "a receipt that comes before its answer is forgotten"),
    ("orphan-not-claimed", "a receipt that came before its answer is kept and never looked at again"),
    ("names-forgotten-at-restart", "the carrier's names of messages are not there after a restart"),
    ("receipts-of-receivers-ignored", "receipts on a bind that only receives are acknowledged and ignored"),
    ("second-receipt-ends-again", "a second receipt ends a message a second time"),
    ("ended-again-without-receipt", "a message that has ended ends again when the wait for receipts is over"),
    ("failed-part-ignored", "a long text of which one part was not delivered is called delivered"),
    ("first-part-decides", "the receipt of the first part ends a long text"),
    ("expiry-ignored", "a message that waits is leased after its lifetime"),
    ("expiry-ignored-at-write", "a message whose lifetime ends between lease and write is written"),
    ("validity-beyond-expiry", "the carrier is given an hour more than a message's lifetime"),
    ("validity-beyond-hours", "the carrier may deliver after the send window has closed"),
    ("window-ends-late", "a send window ends a minute late"),
    ("window-in-utc", "a send window is judged by the gateway's clock and not the recipient's"),
    ("holiday-ignored", "a public holiday is a day like others"),
    ("hours-not-judged-at-write", "a message whose send window closes between lease and write is written"),
    ("clock-jump-ignored", "a wall clock that was set is believed at once"),
    ("clock-believed-early", "a wall clock that was set is believed again after a second"),
    ("expired-by-unsure-clock", "a lifetime ends by a wall clock that has just been set"),
    ("removed-by-unsure-clock", "what is kept for days is removed by a wall clock that has just been set"),
    ("key-too-old-by-unsure-clock", "an idempotency key is forgotten by a wall clock that has just been set"),
    ("former-rules-forgotten", "rules that were replaced need not allow any more"),
    ("former-rules-forgotten-at-restart", "rules that were replaced need not allow any more after a restart"),
    ("shipped-rules-forgotten-at-restart", "the rules in the program, replaced by others, need not allow any more after a restart"),
    ("parked-frame-forgotten-at-restart", "what waits for its hour is not there after a restart"),
    ("retry-forgotten-at-restart", "a message that waits to be tried again is not there after a restart"),
    ("stop-ignored-for-queued", "a stop does not reach messages that are waiting"),
    ("stop-forgotten-at-restart", "a stop is not there after a restart"),
    ("stop-not-committed", "a stop holds in memory alone"),
    ("burst-doubled", "twice the burst goes to a carrier at once"),
    ("rate-forgotten-at-reconnect", "a new session begins with a full burst"),
    ("burst-forgotten-at-restart", "a new process begins with a full burst"),
    ("enquire-link-unanswered", "enquire_link of the carrier is not answered"),
    ("refused-bind-given-up", "after a refused bind no other is tried"),
    ("first-come-first-served", "accounts do not take turns at a carrier: what one has brought goes before what another brings later"),
    ("one-courier-for-all", "a webhook call waits until the calls to all other webhooks are over"),
    ("dead-carrier-stops-its-shard", "while a carrier has no session nothing goes to the others of its shard"),
    ("cursor-early", "a webhook's cursor passes what was not taken"),
    ("webhook-order-broken", "events of a webhook are told last to first"),
    ("failed-delivery-dropped", "a webhook call that fails is not made again"),
    ("webhook-unsigned", "a webhook call is signed over something else than its body"),
    ("event-misnamed", "a webhook event's id has another number than its place among the events of its message"),
    ("webhook-to-every-account", "events are told to other accounts"),
];

/// Whether this bug is the chosen one.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
#[must_use]
pub const fn is(_name: &str) -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
pub use chosen::{choose, is};

#[cfg(feature = "planted-bugs")]
mod chosen {
    use super::ALL;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// Its place in `ALL` plus one; 0 = none.
    static CHOSEN: AtomicUsize = AtomicUsize::new(0);

    /// Whether this bug is the chosen one.
    #[must_use]
    pub fn is(name: &str) -> bool {
        let place = CHOSEN.load(Relaxed);
        place != 0 && ALL[place - 1].0 == name
    }

    /// Chooses a bug for the whole process; false when there is none of that name.
    #[must_use]
    pub fn choose(name: &str) -> bool {
        let found = ALL.iter().position(|(one, _)| *one == name);
        found.inspect(|place| CHOSEN.store(place + 1, Relaxed)).is_some()
    }
}
