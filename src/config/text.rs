//! How texts are treated: what a carrier, an account and a route may say about alphabets, headers and spelling. The
//! words of the file and what each means; no key is read here.

use super::values::Choices;

/// How the parts of a long text are joined on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Joining {
    /// A user data header before each part (3GPP TS 23.040 clause 9.2.3.24.1).
    #[default]
    Udh,
    /// The parameters sar_msg_ref_num, sar_total_segments and sar_segment_seqnum (SMPP 3.4 clause 5.3.2.22).
    Sar,
    /// The whole text in message_payload (SMPP 3.4 clause 5.3.2.32): the carrier cuts it.
    Payload,
}
pub(super) const JOININGS: &Choices<Joining> = &[("udh", Joining::Udh), ("sar", Joining::Sar), ("payload", Joining::Payload)];

/// How a carrier is told the message class (flash and the like).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ClassForm {
    /// data_coding 0x10 to 0x1B: the general group of 3GPP TS 23.038 clause 4.
    #[default]
    General,
    /// data_coding 0xF0 to 0xF7, which has no UCS-2: that goes as 0x18 to 0x1B.
    Group,
    /// The parameter dest_addr_subunit (SMPP 3.4 clause 5.3.2.1), data_coding as without a class.
    Subunit,
}
pub(super) const CLASS_FORMS: &Choices<ClassForm> =
    &[("general", ClassForm::General), ("group", ClassForm::Group), ("subunit", ClassForm::Subunit)];

/// data_coding of binary messages without a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum BinaryCoding {
    /// 0x04.
    #[default]
    Octets,
    /// 0xF5: eight bits, class 1.
    Class1,
}
pub(super) const BINARY_CODINGS: &Choices<BinaryCoding> = &[("0x04", BinaryCoding::Octets), ("0xF5", BinaryCoding::Class1)];

/// Whether what only looks better than the GSM alphabet is replaced (`docs/text.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Substitute {
    /// Texts stay as they are.
    #[default]
    Off,
    /// Quotes, dashes, spaces and the like, where it saves something.
    Smart,
}
pub(super) const SUBSTITUTES: &Choices<Substitute> = &[("off", Substitute::Off), ("smart", Substitute::Smart)];

impl Substitute {
    /// From the word of the file and of the API.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Substitute> {
        SUBSTITUTES.iter().find(|(one, _)| *one == word).map(|(_, value)| *value)
    }
}

/// Whose letters are written with those of the GSM alphabet (`docs/text.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Transliterate {
    /// Nobody's.
    #[default]
    Off,
    /// Latin without accents, Greek capitals, Cyrillic as in passports.
    Gsm,
    /// Latin letters alone: French, German, Polish and all others written with them.
    Latin,
    /// Greek as capitals, which the alphabet has or which look Latin.
    Greek,
    /// Russian Cyrillic.
    Russian,
    /// Ukrainian Cyrillic.
    Ukrainian,
    /// Bulgarian Cyrillic.
    Bulgarian,
}
pub(super) const TRANSLITERATIONS: &Choices<Transliterate> = &[
    ("off", Transliterate::Off),
    ("gsm", Transliterate::Gsm),
    ("latin", Transliterate::Latin),
    ("fr", Transliterate::Latin),
    ("de", Transliterate::Latin),
    ("es", Transliterate::Latin),
    ("it", Transliterate::Latin),
    ("pt", Transliterate::Latin),
    ("pl", Transliterate::Latin),
    ("cs", Transliterate::Latin),
    ("ro", Transliterate::Latin),
    ("tr", Transliterate::Latin),
    ("el", Transliterate::Greek),
    ("ru", Transliterate::Russian),
    ("uk", Transliterate::Ukrainian),
    ("bg", Transliterate::Bulgarian),
];

impl Transliterate {
    /// From the word of the file and of the API.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Transliterate> {
        TRANSLITERATIONS.iter().find(|(one, _)| *one == word).map(|(_, value)| *value)
    }

    /// All words, for those who gave another.
    #[must_use]
    pub fn words() -> String {
        TRANSLITERATIONS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
    }
}

/// TP-PID an account may ask for (3GPP TS 23.040 clause 9.2.3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtocolId {
    /// 0x41 to 0x47: the new message takes the place of the last one of the same kind on the handset.
    Replace,
    /// 0x40: the handset acknowledges and shows nothing.
    Silent,
}
pub(super) const PROTOCOL_IDS: &Choices<ProtocolId> = &[("replace", ProtocolId::Replace), ("silent", ProtocolId::Silent)];

/// A language whose national tables a route may use; the number is that of 3GPP TS 23.038 clause 6.2.1.2.4.
pub(super) const NATIONAL: &Choices<u8> = &[
    ("tr", 1),
    ("es", 2),
    ("pt", 3),
    ("bn", 4),
    ("gu", 5),
    ("hi", 6),
    ("kn", 7),
    ("ml", 8),
    ("or", 9),
    ("pa", 10),
    ("ta", 11),
    ("te", 12),
    ("ur", 13),
];
