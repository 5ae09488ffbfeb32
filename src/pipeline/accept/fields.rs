//! The fields of a message: their names, types and ranges, whatever format they are written in.

use crate::pipeline::accept::fault::{Code, Refusal};

/// Longest `client_ref`, `cancel_key`, `campaign`, `consent_ref`, `time_zone` and `region`, in characters.
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
    SendAt,
    SendAfter,
    CancelKey,
    Campaign,
    ConsentRef,
    TimeZone,
    Region,
    Country,
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
    Render,
    Flash,
    DataCoding,
    MaxPrice,
}

impl Field {
    pub(super) const ALL: [Field; 35] = [
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
        Field::SendAt,
        Field::SendAfter,
        Field::CancelKey,
        Field::Campaign,
        Field::ConsentRef,
        Field::TimeZone,
        Field::Region,
        Field::Country,
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
        Field::Render,
        Field::Flash,
        Field::DataCoding,
        Field::MaxPrice,
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
            "send_at" => Field::SendAt,
            "send_after" => Field::SendAfter,
            "cancel_key" => Field::CancelKey,
            "campaign" => Field::Campaign,
            "consent_ref" => Field::ConsentRef,
            "time_zone" => Field::TimeZone,
            "region" => Field::Region,
            "country" => Field::Country,
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
            "render" => Field::Render,
            "flash" => Field::Flash,
            "data_coding" => Field::DataCoding,
            "max_price" => Field::MaxPrice,
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
            Field::SendAt => "/send_at",
            Field::SendAfter => "/send_after",
            Field::CancelKey => "/cancel_key",
            Field::Campaign => "/campaign",
            Field::ConsentRef => "/consent_ref",
            Field::TimeZone => "/time_zone",
            Field::Region => "/region",
            Field::Country => "/country",
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
            Field::Render => "/render",
            Field::Flash => "/flash",
            Field::DataCoding => "/data_coding",
            Field::MaxPrice => "/max_price",
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        &self.pointer()[1..]
    }

    /// What its value must be, in words.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Field::MaxSegments | Field::ExpiresIn | Field::DataCoding => "expected a whole number",
            Field::Flash => "expected true or false",
            Field::Ports => "expected an object with to and from",
            Field::Params => "expected an object of strings, numbers and booleans",
            Field::Variants => "expected a list of texts, the one liked best first",
            Field::Texts => "expected an object of locales, each a text or a list of texts",
            _ => "expected a string",
        }
    }

    /// Whether its value is a whole number.
    pub(super) const fn is_integer(self) -> bool {
        matches!(self, Field::MaxSegments | Field::ExpiresIn | Field::DataCoding)
    }

    /// Whether its value is true or false.
    pub(super) const fn is_truth(self) -> bool {
        matches!(self, Field::Flash)
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
const LATER: [&str; 22] = [
    "callback_url",
    "decide",
    "dedupe",
    "dry_run",
    "events",
    "fallback",
    "in_reply_to",
    "media",
    "metadata",
    "priority",
    "ramp",
    "redact",
    "route",
    "schedule",
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

/// Why a name of a later release is refused, with what does its work meanwhile.
pub(super) const fn not_yet(name: &str) -> &'static str {
    match name.as_bytes() {
        b"callback_url" | b"webhook" => "this field belongs to a later release; webhooks are configured for an account",
        b"dedupe" => "this field belongs to a later release; an account's repeat_guard does not let the same text go twice",
        b"dry_run" => "this is a parameter of the query: ?dry_run=true",
        b"metadata" | b"tags" => "this field belongs to a later release; client_ref and campaign are kept and shown",
        b"priority" => "this field belongs to a later release; class says how urgent a message is",
        b"schedule" => "this field belongs to a later release; send_at and send_after say when",
        b"smpp" => "this field belongs to a later release; data_coding, message_class, protocol_id, udh and data are fields",
        b"template" => "this field belongs to a later release; text, variants and texts are templates",
        _ => "this field belongs to a later release",
    }
}

/// Whether `value` may stand in `to`, `from` and the references: no control characters (C0, DEL, C1), and a length.
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
    let is_bounded =
        matches!(field, Field::ClientRef | Field::CancelKey | Field::Campaign | Field::ConsentRef | Field::TimeZone | Field::Region);
    if is_bounded && value.len() > CLIENT_REF_CHARS_MAX && value.chars().count() > CLIENT_REF_CHARS_MAX {
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
        return Refusal::new(Code::UnsupportedField, pointer, not_yet(name));
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
        assert!(is_later("template") && is_later("voice") && !is_later("to"));
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
