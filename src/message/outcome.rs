//! How a message ends, in the API's words, and why.

/// Where a message stands. The last eight are final; exactly one of them is reached, and never left.
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
}

impl Status {
    /// Every status, in the order of its number.
    pub const ALL: [Status; 11] = [
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

    /// Whether it is never left.
    #[must_use]
    pub const fn is_final(self) -> bool {
        self as u8 >= Status::Delivered as u8
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
}

impl Reason {
    /// Every reason, in the order of its number.
    pub const ALL: [Reason; 13] = [
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
