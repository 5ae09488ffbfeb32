//! The kinds of traffic and of content.

/// How the content travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Channel {
    /// Short messages.
    Sms,
    /// Multimedia messages. A rule for SMS holds for them too.
    Mms,
    /// Calls.
    Voice,
}

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 3] = [Channel::Sms, Channel::Mms, Channel::Voice];

    /// The API's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Channel::Sms => "sms",
            Channel::Mms => "mms",
            Channel::Voice => "voice",
        }
    }

    /// From the API's word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// How the octets of a text were made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// GSM 7-bit default alphabet, one septet per octet (3GPP TS 23.038 §6.2.1).
    Gsm7,
    /// UTF-16, big endian (called UCS-2 by the field).
    Ucs2,
    /// Eight-bit octets of the customer's own (TS 23.038 clause 4).
    Binary,
}

impl Encoding {
    /// The API's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Encoding::Gsm7 => "GSM-7",
            Encoding::Ucs2 => "UCS-2",
            Encoding::Binary => "binary",
        }
    }

    /// The channel whose content is encoded so.
    #[must_use]
    pub const fn channel(self) -> Channel {
        match self {
            Encoding::Gsm7 | Encoding::Ucs2 | Encoding::Binary => Channel::Sms,
        }
    }

    /// The number in a record.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The inverse of `number`.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Encoding> {
        [Encoding::Gsm7, Encoding::Ucs2, Encoding::Binary].get(number as usize).copied()
    }
}

/// How wide the reference is that joins the segments of one message (3GPP TS 23.040 §9.2.3.24).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reference {
    /// 8 bits: every handset knows it.
    Narrow,
    /// 16 bits: for many long messages to one number; costs an octet a segment.
    Wide,
}

/// What a message is for. Decides priority, send windows and what an ambiguity costs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// One-time passwords: first in every queue.
    Otp,
    /// Orders, alerts, reminders.
    Transactional,
    /// Service notices nobody waits for.
    Service,
    /// Advertising.
    Marketing,
}

impl Class {
    /// All classes, the most urgent first; the index is the priority.
    pub const ALL: [Class; 4] = [Class::Otp, Class::Transactional, Class::Service, Class::Marketing];

    /// The API's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Class::Otp => "otp",
            Class::Transactional => "transactional",
            Class::Service => "service",
            Class::Marketing => "marketing",
        }
    }

    /// From the API's word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.word() == word)
    }

    /// 0 is the most urgent.
    #[must_use]
    pub const fn priority(self) -> u8 {
        self as u8
    }

    /// The inverse of `priority`; anything beyond the last is the least urgent.
    #[must_use]
    pub fn from_priority(priority: u8) -> Class {
        Class::ALL.get(usize::from(priority)).copied().unwrap_or(Class::Marketing)
    }
}

/// What to do when it is unknown whether the carrier took a message (`docs/adr/0004-doubt.md`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DoubtPolicy {
    /// Send once more, labelled `possible_duplicate`; a second doubt ends it as unknown.
    ResendOnce,
    /// Never twice: end as unknown.
    AtMostOnce,
}

impl DoubtPolicy {
    /// The configuration's and the API's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            DoubtPolicy::ResendOnce => "resend_once",
            DoubtPolicy::AtMostOnce => "at_most_once",
        }
    }

    /// From the word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<DoubtPolicy> {
        [DoubtPolicy::ResendOnce, DoubtPolicy::AtMostOnce].into_iter().find(|policy| policy.word() == word)
    }
}
/// How the text that goes differs from the one the customer wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Spelling {
    /// As it was written.
    #[default]
    AsWritten,
    /// What only looks better was replaced.
    Substituted,
    /// Letters were respelt, after that if it was wanted.
    Transliterated,
}

impl Spelling {
    /// In the order of their numbers in the journal.
    const ALL: [Spelling; 3] = [Spelling::AsWritten, Spelling::Substituted, Spelling::Transliterated];

    /// From its number; `None` for those of later versions.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Spelling> {
        Spelling::ALL.get(number as usize).copied()
    }

    /// The word in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Spelling::AsWritten => "as_written",
            Spelling::Substituted => "substituted",
            Spelling::Transliterated => "transliterated",
        }
    }
}
