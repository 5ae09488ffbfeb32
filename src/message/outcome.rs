//! How a message ends, in the API's words, and why.

/// Where a message stands. Exactly one of the final ones is reached, and never left. The numbers are in the journal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Status {
    /// On disk, waiting for its turn.
    Accepted = 0,
    /// Leased to a bind: on its way to the carrier, or in doubt.
    Sending = 1,
    /// The carrier has named every part.
    Sent = 2,
    /// All parts are on the handset.
    Delivered = 3,
    /// Some parts are on the handset, the others never will be.
    PartiallyDelivered = 4,
    /// The carrier could not deliver.
    Undelivered = 5,
    /// The carrier refused to take it.
    Rejected = 6,
    /// Its time was over before it was delivered.
    Expired = 7,
    /// Somebody deleted it at the carrier.
    Deleted = 8,
    /// Nobody will ever know: no receipt in time, or in doubt under `at_most_once`.
    Unknown = 9,
    /// Cancelled by the customer before it left.
    Canceled = 10,
    /// We do not send it: opted out, over a cap, no opening in its lifetime.
    Refused = 11,
    /// Waits for the instant the customer set.
    Scheduled = 12,
    /// Waits because it may not go now (send window, cap); the reason and the instant are known.
    Held = 13,
}

impl Status {
    /// Every status, in the order of its number.
    pub const ALL: [Status; 14] = [
        Status::Accepted,
        Status::Sending,
        Status::Sent,
        Status::Delivered,
        Status::PartiallyDelivered,
        Status::Undelivered,
        Status::Rejected,
        Status::Expired,
        Status::Deleted,
        Status::Unknown,
        Status::Canceled,
        Status::Refused,
        Status::Scheduled,
        Status::Held,
    ];

    /// The API's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Status::Accepted => "accepted",
            Status::Sending => "sending",
            Status::Sent => "sent",
            Status::Delivered => "delivered",
            Status::PartiallyDelivered => "partially_delivered",
            Status::Undelivered => "undelivered",
            Status::Rejected => "rejected",
            Status::Expired => "expired",
            Status::Deleted => "deleted",
            Status::Unknown => "unknown",
            Status::Canceled => "canceled",
            Status::Refused => "refused",
            Status::Scheduled => "scheduled",
            Status::Held => "held",
        }
    }

    /// From the API's word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.word() == word)
    }

    /// From the number in a record.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Status> {
        Status::ALL.get(number as usize).copied()
    }

    /// How a message stands that waits for this reason.
    #[must_use]
    pub const fn waiting(why: Reason) -> Status {
        if matches!(why, Reason::Scheduled) { Status::Scheduled } else { Status::Held }
    }

    /// Whether it is never left.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Status::Accepted | Status::Sending | Status::Sent | Status::Scheduled | Status::Held)
    }
}

/// Why a message ended or waits: a stable slug, shown in the API, webhooks and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Reason {
    /// The receipt said so.
    Receipt = 0,
    /// The carrier's answer to the submit said so; the event holds the command_status.
    CarrierRefused = 1,
    /// The message's own lifetime was over before a carrier took it.
    LifetimeOver = 2,
    /// No receipt came within the carrier's `receipt_wait`.
    NoReceipt = 3,
    /// In doubt, and the policy forbids a second copy.
    InDoubt = 4,
    /// The customer cancelled.
    Canceled = 5,
    /// The carrier asked for no receipts: being sent is all that will be known.
    NoReceiptAsked = 6,
    /// Temporary refusals until the attempts were used up.
    AttemptsUsedUp = 7,
    /// The carrier said: later (throttled, queue full).
    Throttled = 8,
    /// The session was lost before the answer.
    SessionLost = 9,
    /// The carrier did not answer in time.
    ResponseTimeout = 10,
    /// The gateway was stopped between lease and answer.
    Restart = 11,
    /// The window or the session could not take it after all; it was never written.
    NotWritten = 12,
    /// The customer's own schedule.
    Scheduled = 13,
    /// Outside the hours in which it may go.
    WindowClosed = 14,
    /// No instant of its lifetime is allowed, or its rules never agree.
    NoOpening = 15,
    /// The recipient has opted out.
    OptedOut = 16,
    /// The recipient has had as many as the account's cap allows.
    FrequencyCap = 17,
    /// The recipient has had this very text within the account's guard.
    DuplicateContent = 18,
    /// The clock jumped and is not confirmed: what depends on the hour waits.
    ClockUnsure = 19,
    /// The gateway was away for long: advertising waits for a person.
    Revival = 20,
    /// The number was erased on request.
    Erased = 21,
    /// A text to be made when sent could not be made.
    NotRendered = 22,
    /// A text that was made when sent has more segments than the message may have.
    TooManySegments = 23,
}

impl Reason {
    /// Every reason, in the order of its number.
    pub const ALL: [Reason; 24] = [
        Reason::Receipt,
        Reason::CarrierRefused,
        Reason::LifetimeOver,
        Reason::NoReceipt,
        Reason::InDoubt,
        Reason::Canceled,
        Reason::NoReceiptAsked,
        Reason::AttemptsUsedUp,
        Reason::Throttled,
        Reason::SessionLost,
        Reason::ResponseTimeout,
        Reason::Restart,
        Reason::NotWritten,
        Reason::Scheduled,
        Reason::WindowClosed,
        Reason::NoOpening,
        Reason::OptedOut,
        Reason::FrequencyCap,
        Reason::DuplicateContent,
        Reason::ClockUnsure,
        Reason::Revival,
        Reason::Erased,
        Reason::NotRendered,
        Reason::TooManySegments,
    ];

    /// The slug.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Reason::Receipt => "receipt",
            Reason::CarrierRefused => "carrier_refused",
            Reason::LifetimeOver => "lifetime_over",
            Reason::NoReceipt => "no_receipt",
            Reason::InDoubt => "in_doubt",
            Reason::Canceled => "canceled",
            Reason::NoReceiptAsked => "no_receipt_asked",
            Reason::AttemptsUsedUp => "attempts_used_up",
            Reason::Throttled => "throttled",
            Reason::SessionLost => "session_lost",
            Reason::ResponseTimeout => "response_timeout",
            Reason::Restart => "restart",
            Reason::NotWritten => "not_written",
            Reason::Scheduled => "scheduled",
            Reason::WindowClosed => "window_closed",
            Reason::NoOpening => "no_opening",
            Reason::OptedOut => "opted_out",
            Reason::FrequencyCap => "frequency_cap",
            Reason::DuplicateContent => "duplicate_content",
            Reason::ClockUnsure => "clock_unsure",
            Reason::Revival => "revival",
            Reason::Erased => "erased",
            Reason::NotRendered => "not_rendered",
            Reason::TooManySegments => "too_many_segments",
        }
    }

    /// From the number in a record.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Reason> {
        Reason::ALL.get(number as usize).copied()
    }
}

/// How many messages of a frame or a batch stand where. The sum is its size: that is an invariant.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally(pub [u32; Status::ALL.len()]);

impl Tally {
    /// Moves one message.
    pub fn shift(&mut self, from: Status, to: Status) {
        self.0[from as usize] -= 1;
        self.0[to as usize] += 1;
    }
    /// Moves several.
    pub fn shift_many(&mut self, from: Status, to: Status, count: u32) {
        self.0[from as usize] -= count;
        self.0[to as usize] += count;
    }
    /// Adds another tally.
    pub fn add(&mut self, other: &Tally) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
    /// The number in one status.
    #[must_use]
    pub const fn of(&self, status: Status) -> u32 {
        self.0[status as usize]
    }
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }
    /// Little-endian numbers in the order of `Status::ALL`: the form in the journal.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|n| n.to_le_bytes()).collect()
    }
    /// The inverse; a shorter form (written by an older version) leaves the rest at zero.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Tally {
        let mut tally = Tally::default();
        for (slot, chunk) in tally.0.iter_mut().zip(bytes.chunks_exact(4)) {
            *slot = u32::from_le_bytes(chunk.try_into().expect("chunks of four"));
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_go_both_ways() {
        for status in Status::ALL {
            assert_eq!(Status::from_number(status as u32), Some(status));
            assert_eq!(Status::from_word(status.word()), Some(status));
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::from_number(reason as u32), Some(reason));
        }
        assert!(!Status::Sent.is_final() && Status::Delivered.is_final() && Status::Canceled.is_final());
    }

    #[test]
    fn a_tally_survives_its_bytes() {
        let mut tally = Tally::default();
        tally.0[0] = 9;
        tally.shift(Status::Accepted, Status::Delivered);
        assert_eq!(Tally::from_bytes(&tally.to_bytes()), tally);
        assert_eq!(tally.total(), 9);
    }
}
