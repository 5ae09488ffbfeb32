//! The fields whose values are few words, numbers or instants: what they may be, whatever format they are written in.

use crate::base::{Price, Span, Time};
use crate::config::limits::SCHEDULE_AHEAD_MAX;
use crate::config::{Substitute, Transliterate};
use crate::message::content::{Class, DoubtPolicy};
use crate::pipeline::accept::country::Country;
use crate::pipeline::accept::duration::duration;
use crate::pipeline::accept::fault::{Code, Refusal};
use crate::pipeline::accept::fields::{EXPIRES_IN_MAX, Field, MAX_SEGMENTS_MAX};
use crate::pipeline::accept::form::{self, FLASH, Ports};

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

/// When the text of a message is made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Binding {
    /// When it is accepted.
    #[default]
    Accept,
    /// When it is sent.
    Send,
}

impl Binding {
    /// From the API's word.
    fn from_word(word: &str) -> Option<Binding> {
        [("accept", Binding::Accept), ("send", Binding::Send)].into_iter().find(|(one, _)| *one == word).map(|(_, binding)| binding)
    }
}

/// Until when a message may be sent, as the customer said it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// So many seconds after the instant it was scheduled for, or after acceptance; 1 to 1,209,600.
    In(u32),
    /// At an instant.
    At(Time),
}

/// When a message is to go at the earliest, as the customer said it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schedule {
    /// At an instant.
    At(Time),
    /// So long after acceptance.
    After(Span),
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
    /// When it is to go at the earliest.
    pub schedule: Option<Schedule>,
    /// Whose national notation `to` may be in.
    pub country: Option<Country>,
    /// Message class plus one, 1 to 4; 0 for none.
    pub message_class: Option<u8>,
    /// TP-PID, 0x40 to 0x47.
    pub protocol_id: Option<u8>,
    /// Ports of an application.
    pub ports: Option<Ports>,
    /// Whether what only looks better may be replaced.
    pub substitute: Option<Substitute>,
    /// Whose letters may be respelt.
    pub transliterate: Option<Transliterate>,
    /// When the text is made.
    pub render: Option<Binding>,
    /// What all segments together may cost.
    pub max_price: Option<Price>,
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
            schedule: self.schedule.or(those.schedule),
            country: self.country.or(those.country),
            message_class: self.message_class.or(those.message_class),
            protocol_id: self.protocol_id.or(those.protocol_id),
            ports: self.ports.or(those.ports),
            substitute: self.substitute.or(those.substitute),
            transliterate: self.transliterate.or(those.transliterate),
            render: self.render.or(those.render),
            max_price: self.max_price.or(those.max_price),
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
                let encoding = match value {
                    "auto" => EncodingChoice::Auto,
                    "gsm7" => EncodingChoice::Gsm7,
                    "ucs2" => EncodingChoice::Ucs2,
                    "binary" => EncodingChoice::Binary,
                    _ => return Err(expected("expected auto, gsm7, ucs2 or binary")),
                };
                self.set_encoding(field, encoding)?;
            }
            Field::Split => {
                self.split = Some(match value {
                    "grapheme" => Split::Grapheme,
                    "codepoint" => Split::Codepoint,
                    _ => return Err(expected("expected grapheme or codepoint")),
                });
            }
            Field::Render => self.render = Some(Binding::from_word(value).ok_or_else(|| expected("expected accept or send"))?),
            Field::Channel if value != "sms" => {
                return Err(Refusal::new(Code::UnsupportedChannel, "/channel", "expected sms"));
            }
            Field::ExpiresAt | Field::SendAt | Field::SendAfter => self.set_when(field, value)?,
            Field::Country => {
                let country = Country::parse(value).ok_or_else(|| expected("expected a country as two letters, such as FR"))?;
                self.country = Some(country);
            }
            Field::MessageClass => {
                let class = form::message_class(value);
                self.set_message_class(field, class.ok_or_else(|| expected("expected flash, handset, sim or terminal"))?)?;
            }
            Field::Flash => {
                let class = [("true", FLASH), ("false", 0)].into_iter().find(|(word, _)| *word == value);
                self.set_message_class(field, class.ok_or_else(|| expected("expected true or false"))?.1)?;
            }
            Field::MaxPrice => {
                self.max_price = Some(Price::parse(value).ok_or_else(|| expected("expected an amount and a currency, such as 0.08 EUR"))?);
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

    fn set_when(&mut self, field: Field, value: &str) -> Result<(), Refusal> {
        let expected = |detail| Refusal::new(Code::InvalidValue, field.pointer(), detail);
        if field == Field::SendAfter {
            let after = duration(value).ok_or_else(|| expected("expected a duration such as PT1H, P1D or P1DT12H"))?;
            if after > SCHEDULE_AHEAD_MAX {
                return Err(Refusal::new(Code::ScheduleOutOfRange, field.pointer(), "at most P800D"));
            }
            return self.set_schedule(field, Schedule::After(after));
        }
        let at =
            Time::parse_rfc3339(value).ok_or_else(|| expected("expected an instant with offset, such as 2026-12-01T09:00:00+01:00"))?;
        match field {
            Field::ExpiresAt => self.set_expiry(field, Expiry::At(at)),
            _ => self.set_schedule(field, Schedule::At(at)),
        }
    }

    /// Takes the value of a field that is a whole number; `None` is a number no integer here holds.
    pub(super) fn set_integer(&mut self, field: Field, value: Option<u64>) -> Result<(), Refusal> {
        if field == Field::ExpiresIn {
            let seconds = value
                .filter(|seconds| (1..=EXPIRES_IN_MAX).contains(seconds))
                .ok_or_else(|| Refusal::new(Code::LifetimeOutOfRange, "/expires_in", "expected 1 to 1209600 seconds"))?;
            return self.set_expiry(field, Expiry::In(seconds as u32));
        }
        if field == Field::DataCoding {
            let coding = value.and_then(|value| u8::try_from(value).ok()).and_then(data_coding);
            let (encoding, class) =
                coding.ok_or_else(|| Refusal::new(Code::InvalidValue, field.pointer(), "expected 0, 2, 4, 8, 16 to 27 or 240 to 247"))?;
            self.set_encoding(field, encoding)?;
            return if class == 0 { Ok(()) } else { self.set_message_class(field, class) };
        }
        let count = value
            .filter(|count| (1..=MAX_SEGMENTS_MAX).contains(count))
            .ok_or_else(|| Refusal::new(Code::OutOfRange, field.pointer(), "expected 1 to 64"))?;
        self.max_segments = Some(count as u8);
        Ok(())
    }

    fn set_encoding(&mut self, field: Field, encoding: EncodingChoice) -> Result<(), Refusal> {
        if self.encoding.is_some() {
            return Err(Refusal::new(Code::ConflictingFields, field.pointer(), "encoding and data_coding exclude each other"));
        }
        self.encoding = Some(encoding);
        Ok(())
    }

    fn set_message_class(&mut self, field: Field, class: u8) -> Result<(), Refusal> {
        if self.message_class.is_some() {
            let detail = "message_class, flash and a data_coding with a class exclude each other";
            return Err(Refusal::new(Code::ConflictingFields, field.pointer(), detail));
        }
        self.message_class = Some(class);
        Ok(())
    }

    fn set_schedule(&mut self, field: Field, schedule: Schedule) -> Result<(), Refusal> {
        if self.schedule.is_some() {
            return Err(Refusal::new(Code::ConflictingFields, field.pointer(), "send_at and send_after exclude each other"));
        }
        self.schedule = Some(schedule);
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

/// What a data_coding says (3GPP TS 23.038 clause 4, SMPP 3.4 clause 5.2.19): how the message is encoded, and its class plus
/// one, 0 for none. It is what the customer means; the octet on the wire is the one that the carrier wants for it.
fn data_coding(value: u8) -> Option<(EncodingChoice, u8)> {
    let class = (value & 0x03) + 1;
    match value {
        0x00 => Some((EncodingChoice::Gsm7, 0)),
        0x02 | 0x04 => Some((EncodingChoice::Binary, 0)),
        0x08 => Some((EncodingChoice::Ucs2, 0)),
        0x10..=0x13 | 0xF0..=0xF3 => Some((EncodingChoice::Gsm7, class)),
        0x14..=0x17 | 0xF4..=0xF7 => Some((EncodingChoice::Binary, class)),
        0x18..=0x1B => Some((EncodingChoice::Ucs2, class)),
        // 1 and 3 are alphabets of carriers, which the route knows; the rest is reserved or waits for a message.
        _ => None,
    }
}
