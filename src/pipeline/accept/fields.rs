//! The fields of a message: their names, types and ranges, whatever format they are written in.

use crate::base::Time;
use crate::config::{Substitute, Transliterate};
use crate::message::content::{Class, DoubtPolicy};
use crate::pipeline::accept::fault::{Code, Refusal};
use crate::pipeline::accept::form::{self, Ports};

/// Longest `client_ref`, in characters.
pub const CLIENT_REF_CHARS_MAX: usize = 64;
/// Most segments a customer may ask for.
pub const MAX_SEGMENTS_MAX: u64 = 64;
/// Longest `expires_in`, in seconds: 14 days.
pub const EXPIRES_IN_MAX: u64 = 14 * 86_400;
/// Most parameters of an entry, and most columns of a CSV.
pub const KEYS_MAX: usize = 64;
/// Longest name of a parameter, in octets.
pub const PARAM_NAME_OCTETS_MAX: usize = 64;

/// A field this release carries out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    To,
    From,
    Text,
    Params,
    ClientRef,
    Class,
    Encoding,
    MaxSegments,
    ExpiresIn,
    ExpiresAt,
    Doubt,
    Channel,
    Split,
    Variants,
    Texts,
    Locale,
    Data,
    Udh,
    Ports,
    MessageClass,
    ProtocolId,
    Substitute,
    Transliterate,
}

impl Field {
    const ALL: [Field; 23] = [
        Field::To,
        Field::From,
        Field::Text,
        Field::Params,
        Field::ClientRef,
        Field::Class,
        Field::Encoding,
        Field::MaxSegments,
        Field::ExpiresIn,
        Field::ExpiresAt,
        Field::Doubt,
        Field::Channel,
        Field::Split,
        Field::Variants,
        Field::Texts,
        Field::Locale,
        Field::Data,
        Field::Udh,
        Field::Ports,
        Field::MessageClass,
        Field::ProtocolId,
        Field::Substitute,
        Field::Transliterate,
    ];

    /// From its name.
    pub(super) fn of(name: &str) -> Option<Field> {
        Some(match name {
            "to" => Field::To,
            "params" => Field::Params,
            "client_ref" => Field::ClientRef,
            "from" => Field::From,
            "text" => Field::Text,
            "class" => Field::Class,
            "encoding" => Field::Encoding,
            "max_segments" => Field::MaxSegments,
            "expires_in" => Field::ExpiresIn,
            "expires_at" => Field::ExpiresAt,
            "doubt" => Field::Doubt,
            "channel" => Field::Channel,
            "split" => Field::Split,
            "variants" => Field::Variants,
            "texts" => Field::Texts,
            "locale" => Field::Locale,
            "data" => Field::Data,
            "udh" => Field::Udh,
            "ports" => Field::Ports,
            "message_class" => Field::MessageClass,
            "protocol_id" => Field::ProtocolId,
            "substitute" => Field::Substitute,
            "transliterate" => Field::Transliterate,
            _ => return None,
        })
    }

    /// Its JSON pointer in the entry.
    pub(super) const fn pointer(self) -> &'static str {
        match self {
            Field::To => "/to",
            Field::From => "/from",
            Field::Text => "/text",
            Field::Params => "/params",
            Field::ClientRef => "/client_ref",
            Field::Class => "/class",
            Field::Encoding => "/encoding",
            Field::MaxSegments => "/max_segments",
            Field::ExpiresIn => "/expires_in",
            Field::ExpiresAt => "/expires_at",
            Field::Doubt => "/doubt",
            Field::Channel => "/channel",
            Field::Split => "/split",
            Field::Variants => "/variants",
            Field::Texts => "/texts",
            Field::Locale => "/locale",
            Field::Data => "/data",
            Field::Udh => "/udh",
            Field::Ports => "/ports",
            Field::MessageClass => "/message_class",
            Field::ProtocolId => "/protocol_id",
            Field::Substitute => "/substitute",
            Field::Transliterate => "/transliterate",
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        &self.pointer()[1..]
    }

    /// What its value must be, in words.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Field::MaxSegments | Field::ExpiresIn => "expected a whole number",
            Field::Ports => "expected an object with to and from",
            Field::Params => "expected an object of strings, numbers and booleans",
            Field::Variants => "expected a list of texts, the one liked best first",
            Field::Texts => "expected an object of locales, each a text or a list of texts",
            _ => "expected a string",
        }
    }

    /// Whether its value is a whole number.
    pub(super) const fn is_integer(self) -> bool {
        matches!(self, Field::MaxSegments | Field::ExpiresIn)
    }

    /// Whether its value is a list or an object of texts, read by the compose stage.
    pub(super) const fn is_wording(self) -> bool {
        matches!(self, Field::Variants | Field::Texts)
    }

    /// Whether one value of it can serve many messages.
    pub(super) const fn is_default(self) -> bool {
        !matches!(self, Field::To | Field::ClientRef)
    }

    /// Its place in a set of fields.
    pub(super) const fn bit(self) -> u64 {
        1 << self as u32
    }
}

/// Names that later releases give a meaning; refused now, so that nobody believes they were heeded.
const LATER: [&str; 30] = [
    "callback_url",
    "campaign",
    "cancel_key",
    "consent_ref",
    "data_coding",
    "decide",
    "dedupe",
    "dry_run",
    "events",
    "fallback",
    "flash",
    "in_reply_to",
    "max_price",
    "media",
    "metadata",
    "priority",
    "ramp",
    "redact",
    "route",
    "schedule",
    "send_after",
    "send_at",
    "shorten_links",
    "smpp",
    "subject",
    "tags",
    "template",
    "voice",
    "webhook",
    "window",
];

/// Whether a later release will know the field.
pub(super) fn is_later(name: &str) -> bool {
    LATER.binary_search(&name).is_ok()
}

/// How the text is to be encoded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum EncodingChoice {
    /// GSM-7 when all fits it, else UCS-2.
    #[default]
    Auto,
    /// GSM-7; what does not fit is refused.
    Gsm7,
    /// UCS-2 always.
    Ucs2,
    /// Octets of the customer's own in place of a text.
    Binary,
}

/// Where a text may be cut into segments.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Split {
    /// Never inside what a reader sees as one character (UAX 29).
    #[default]
    Grapheme,
    /// Between any two code points: the fewest segments.
    Codepoint,
}

/// Until when a message may be sent, as the customer said it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// So many seconds after acceptance, 1 to 1,209,600.
    In(u32),
    /// At an instant.
    At(Time),
}

/// The fields whose values are few; the same in entries, defaults and rules. `None` = not said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// What the message is for.
    pub class: Option<Class>,
    /// How the text is to be encoded.
    pub encoding: Option<EncodingChoice>,
    /// Where the text may be cut.
    pub split: Option<Split>,
    /// The most segments the customer pays for, 1 to 64.
    pub max_segments: Option<u8>,
    /// Until when it may be sent.
    pub expiry: Option<Expiry>,
    /// What to do in doubt.
    pub doubt: Option<DoubtPolicy>,
    /// Message class plus one, 1 to 4.
    pub message_class: Option<u8>,
    /// TP-PID, 0x40 to 0x47.
    pub protocol_id: Option<u8>,
    /// Ports of an application.
    pub ports: Option<Ports>,
    /// Whether what only looks better may be replaced.
    pub substitute: Option<Substitute>,
    /// Whose letters may be respelt.
    pub transliterate: Option<Transliterate>,
}

impl Options {
    /// These, and where these say nothing, those.
    #[must_use]
    pub fn or(self, those: &Options) -> Options {
        Options {
            class: self.class.or(those.class),
            encoding: self.encoding.or(those.encoding),
            split: self.split.or(those.split),
            max_segments: self.max_segments.or(those.max_segments),
            expiry: self.expiry.or(those.expiry),
            doubt: self.doubt.or(those.doubt),
            message_class: self.message_class.or(those.message_class),
            protocol_id: self.protocol_id.or(those.protocol_id),
            ports: self.ports.or(those.ports),
            substitute: self.substitute.or(those.substitute),
            transliterate: self.transliterate.or(those.transliterate),
        }
    }

    /// Takes the value of a field that is one of a few words, or an instant. Other fields are left to the caller.
    pub(super) fn set_word(&mut self, field: Field, value: &str) -> Result<(), Refusal> {
        let expected = |detail| Refusal::new(Code::InvalidValue, field.pointer(), detail);
        match field {
            Field::Class => {
                let class = Class::from_word(value).ok_or_else(|| expected("expected otp, transactional, service or marketing"))?;
                self.class = Some(class);
            }
            Field::Doubt => {
                let doubt = DoubtPolicy::from_word(value).ok_or_else(|| expected("expected resend_once or at_most_once"))?;
                self.doubt = Some(doubt);
            }
            Field::Encoding => {
                self.encoding = Some(match value {
                    "auto" => EncodingChoice::Auto,
                    "gsm7" => EncodingChoice::Gsm7,
                    "ucs2" => EncodingChoice::Ucs2,
                    "binary" => EncodingChoice::Binary,
                    _ => return Err(expected("expected auto, gsm7, ucs2 or binary")),
                });
            }
            Field::Split => {
                self.split = Some(match value {
                    "grapheme" => Split::Grapheme,
                    "codepoint" => Split::Codepoint,
                    _ => return Err(expected("expected grapheme or codepoint")),
                });
            }
            Field::Channel if value != "sms" => {
                return Err(Refusal::new(Code::UnsupportedChannel, "/channel", "expected sms"));
            }
            Field::ExpiresAt => {
                let at = Time::parse_rfc3339(value)
                    .ok_or_else(|| expected("expected an instant with offset, such as 2026-12-01T09:00:00+01:00"))?;
                self.set_expiry(field, Expiry::At(at))?;
            }
            Field::MessageClass => {
                let class = form::message_class(value);
                self.message_class = Some(class.ok_or_else(|| expected("expected flash, handset, sim or terminal"))?);
            }
            Field::ProtocolId => {
                let protocol = form::protocol_id(value);
                self.protocol_id = Some(protocol.ok_or_else(|| expected("expected silent, or replace_1 to replace_7"))?);
            }
            Field::Ports => {
                let ports = Ports::from_cell(value);
                self.ports = Some(ports.ok_or_else(|| expected("expected the port there and the port here, such as 2948:9200"))?);
            }
            Field::Substitute => {
                self.substitute = Some(Substitute::from_word(value).ok_or_else(|| expected("expected off or smart"))?);
            }
            Field::Transliterate => {
                let letters = Transliterate::from_word(value);
                self.transliterate = Some(letters.ok_or_else(|| {
                    Refusal::new(Code::InvalidValue, field.pointer(), format!("expected one of {}", Transliterate::words()))
                })?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes the value of a field that is a whole number; `None` is a number no integer here holds.
    pub(super) fn set_integer(&mut self, field: Field, value: Option<u64>) -> Result<(), Refusal> {
        if field == Field::ExpiresIn {
            let seconds = value
                .filter(|seconds| (1..=EXPIRES_IN_MAX).contains(seconds))
                .ok_or_else(|| Refusal::new(Code::LifetimeOutOfRange, "/expires_in", "expected 1 to 1209600 seconds"))?;
            return self.set_expiry(field, Expiry::In(seconds as u32));
        }
        let count = value
            .filter(|count| (1..=MAX_SEGMENTS_MAX).contains(count))
            .ok_or_else(|| Refusal::new(Code::OutOfRange, field.pointer(), "expected 1 to 64"))?;
        self.max_segments = Some(count as u8);
        Ok(())
    }

    fn set_expiry(&mut self, field: Field, expiry: Expiry) -> Result<(), Refusal> {
        if self.expiry.is_some() {
            return Err(Refusal::new(Code::ConflictingFields, field.pointer(), "expires_in and expires_at exclude each other"));
        }
        self.expiry = Some(expiry);
        Ok(())
    }
}

/// Whether `value` may stand in `to`, `from`, `client_ref`: no control characters (C0, DEL, C1), and a length.
pub(super) fn check_plain(field: Field, value: &str) -> Result<(), Refusal> {
    let mut high = 0;
    for byte in value.bytes() {
        if byte < 0x20 || byte == 0x7F {
            return Err(Refusal::new(Code::ControlCharacter, field.pointer(), "control characters are not allowed here"));
        }
        high |= byte;
    }
    if high >= 0x80 && value.chars().any(char::is_control) {
        return Err(Refusal::new(Code::ControlCharacter, field.pointer(), "control characters are not allowed here"));
    }
    if field == Field::ClientRef && value.len() > CLIENT_REF_CHARS_MAX && value.chars().count() > CLIENT_REF_CHARS_MAX {
        return Err(Refusal::new(Code::TooLong, field.pointer(), "at most 64 characters"));
    }
    Ok(())
}

/// Whether a parameter may be named so: `[A-Za-z_][A-Za-z0-9_.-]{0,63}`, as a hole in a text names it.
#[must_use]
pub fn is_param_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() <= PARAM_NAME_OCTETS_MAX
        && bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// The refusal of a name that is no field: a field of a later release, or a mistake with the name probably meant.
pub(super) fn not_a_field(name: &str) -> Refusal {
    // A name is repeated only when it has the form of one; anything else may be a number or a text (INV-36).
    let pointer = if is_param_name(name) && name.len() <= 32 { format!("/{name}") } else { String::new() };
    if is_later(name) {
        return Refusal::new(Code::UnsupportedField, pointer, "this field belongs to a later release");
    }
    match nearest(name, Field::ALL.iter().map(|field| field.name())) {
        Some(meant) => Refusal::new(Code::UnknownField, pointer, format!("no such field; did you mean `{meant}`?")),
        None => Refusal::new(Code::UnknownField, pointer, "no such field"),
    }
}

/// The candidate that differs least from `name`, if at most half of the letters, and never more than three, do.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.as_bytes();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let allowed = (candidate.len() / 2).clamp(1, 3);
        // The length alone rules most candidates out: a million wrong lines must not cost seconds.
        if name.len().abs_diff(candidate.len()) > allowed || candidate.len() > 31 {
            continue;
        }
        let distance = distance(name, candidate.as_bytes());
        if distance <= allowed && distance < candidate.len() && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Letters put in, left out or exchanged, the case ignored. `b` has at most 31 octets.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row = [0usize; 32];
    for (j, slot) in row.iter_mut().enumerate() {
        *slot = j;
    }
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name_and_has_its_own_bit() {
        let mut bits = 0;
        for field in Field::ALL {
            assert_eq!(Field::of(field.name()), Some(field));
            assert_eq!(bits & field.bit(), 0);
            bits |= field.bit();
        }
        assert!(LATER.iter().all(|name| Field::of(name).is_none()));
    }

    #[test]
    fn the_later_names_are_sorted_so_that_the_search_finds_them() {
        assert!(LATER.is_sorted());
        assert!(is_later("send_at") && is_later("voice") && !is_later("to"));
    }

    #[test]
    fn a_slip_of_the_finger_finds_the_name_meant() {
        let names = || Field::ALL.iter().map(|field| field.name());
        for (typed, meant) in [
            ("clientref", Some("client_ref")),
            ("clientRef", Some("client_ref")),
            ("txt", Some("text")),
            ("txet", Some("text")),
            ("form", Some("from")),
            ("param", Some("params")),
            ("expire_at", Some("expires_at")),
            ("To", Some("to")),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names()), meant, "{typed}");
        }
    }
}
