//! `[[accounts]]`: who may send, with which keys, as whom and how much.

use super::key::KeyHash;
use super::law::{self, AccountHours};
use super::limits;
use super::reader::Reader;
use super::rules::{HASH, NAME, REGION, SENDER, STOP_MENTION, ZONE};
use super::text::{PROTOCOL_IDS, ProtocolId, SUBSTITUTES, Substitute, TRANSLITERATIONS, Transliterate};
use super::values::Choices;
use crate::base::{Span, Time};

/// A customer, or a part of one.
#[derive(Clone, Debug)]
pub struct Account {
    /// Unique.
    pub name: String,
    /// One at least.
    pub keys: Vec<ApiKey>,
    /// Segments of one message.
    pub max_segments: u8,
    /// Where a long text may be cut.
    pub split: Split,
    /// How the parts of a long text say that they belong together.
    pub concat: Concat,
    /// Whether texts are made cheaper when their message does not say.
    pub substitute: Substitute,
    /// Whose letters are respelt when the message does not say.
    pub transliterate: Transliterate,
    /// What marketing texts must end with; appended to those that lack it.
    pub stop_mention: Option<String>,
    /// Which TP-PIDs it may ask for.
    pub protocol_ids: Vec<ProtocolId>,
    /// The class of messages that do not say theirs.
    pub default_class: Class,
    /// What is done with messages in doubt.
    pub doubt: Doubt,
    /// Requests a second; 0 = no limit.
    pub requests_per_second: u32,
    /// Messages a second; 0 = no limit.
    pub messages_per_second: u32,
    /// Allowed senders; empty = any.
    pub senders: Vec<String>,
    /// What is done with a sender that does not arrive as it is in the recipient's country.
    pub sender_check: SenderCheck,
    /// The country whose national notation its recipients may be in, as two capitals.
    pub default_region: Option<String>,
    /// By whose clock texts speak that are made when they are sent, for recipients whose zone is not known.
    pub time_zone: Option<String>,
    /// The share of this account where accounts compete.
    pub weight: u8,
    /// The classes that a recipient's stop stops.
    pub stop_classes: Vec<Class>,
    /// How far a recipient's stop reaches.
    pub stop_scope: StopScope,
    /// How often it may reach one recipient.
    pub caps: Vec<Cap>,
    /// How long the same content does not go to the same recipient again; zero = no guard.
    pub repeat_guard: Span,
    /// What it adds to the send windows and takes from them.
    pub hours: AccountHours,
}

/// One API key: what is shown to a server is `id.secret`; here are the id and the keyed hash of the secret.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Unique in the file.
    pub id: String,
    /// HMAC-SHA256(pepper, secret).
    pub hash: KeyHash,
    /// What it opens.
    pub scopes: Vec<Scope>,
    /// From this instant it opens nothing.
    pub expires: Option<Time>,
}

impl ApiKey {
    /// Whether the key (once its hash has matched) opens `scope` at `now`.
    #[must_use]
    pub fn allows(&self, scope: Scope, now: Time) -> bool {
        self.scopes.contains(&scope) && self.expires.is_none_or(|end| now < end)
    }
}

/// What a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Sending and cancelling.
    Send,
    /// Looking at messages, outcomes, counts.
    Read,
    /// What concerns the whole gateway: its rules. Never by default.
    Admin,
}
const SCOPES: &Choices<Scope> = &[("send", Scope::Send), ("read", Scope::Read), ("admin", Scope::Admin)];
/// The first two: what a key opens that does not say.
const SCOPES_DEFAULT: usize = 2;

/// Where a long text may be cut into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Between what a reader sees as characters: no emoji is torn.
    Grapheme,
    /// Between code points: fewer parts, ugly when a part is late.
    Codepoint,
}
const SPLITS: &Choices<Split> = &[("grapheme", Split::Grapheme), ("codepoint", Split::Codepoint)];

/// The reference of concatenated parts (3GPP TS 23.040 clauses 9.2.3.24.1 and 9.2.3.24.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Concat {
    /// 8 bits: 153 and 67 characters a part; every handset knows it.
    EightBit,
    /// 16 bits: 152 and 66 characters a part; fewer mix-ups in bulk.
    SixteenBit,
}
const CONCATS: &Choices<Concat> = &[("8bit", Concat::EightBit), ("16bit", Concat::SixteenBit)];

/// What a message is for: send windows, opt-outs and priority follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Concerns something the recipient did.
    Transactional,
    /// A one-time password: overtakes everything, useless when late.
    Otp,
    /// A notice of service.
    Service,
    /// Advertising: send windows and opt-outs hold.
    Marketing,
}
const CLASSES: &Choices<Class> =
    &[("transactional", Class::Transactional), ("otp", Class::Otp), ("service", Class::Service), ("marketing", Class::Marketing)];

/// The first two are stopped when nothing else is said: nobody is cut off from codes and orders by one word.
const STOP_CLASSES: &Choices<Class> =
    &[("marketing", Class::Marketing), ("service", Class::Service), ("transactional", Class::Transactional), ("otp", Class::Otp)];

/// How far a recipient's stop reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopScope {
    /// All senders of the account.
    Account,
    /// The number it was written to.
    Sender,
}
const STOP_SCOPES: &Choices<StopScope> = &[("account", StopScope::Account), ("sender", StopScope::Sender)];

/// What is done with a message when it is not known whether the carrier took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// Sent again, once, labelled as a possible duplicate.
    ResendOnce,
    /// Never sent again: it ends as unknown.
    AtMostOnce,
}
const DOUBTS: &Choices<Doubt> = &[("resend_once", Doubt::ResendOnce), ("at_most_once", Doubt::AtMostOnce)];

/// What is done with a sender that, by the rules of the recipient's country, does not arrive as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenderCheck {
    /// It is counted, and sent.
    Warn,
    /// It is refused when it would not arrive at all.
    Refuse,
    /// Nobody looks.
    Off,
}
const SENDER_CHECKS: &Choices<SenderCheck> = &[("warn", SenderCheck::Warn), ("refuse", SenderCheck::Refuse), ("off", SenderCheck::Off)];

/// At most so many messages to one recipient in so long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// How many.
    pub count: u32,
    /// In which time; counted by the minute.
    pub period: Span,
    /// Messages of these classes count, together.
    pub classes: Vec<Class>,
    /// Over these channels, together.
    pub channels: Vec<Channel>,
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Short messages.
    Sms,
    /// Multimedia messages.
    Mms,
    /// Calls.
    Voice,
}
const CHANNELS: &Choices<Channel> = &[("sms", Channel::Sms), ("mms", Channel::Mms), ("voice", Channel::Voice)];

pub(super) fn read(r: &mut Reader<'_>) -> Account {
    Account {
        name: r.required_text("name", &NAME),
        max_segments: r.integer("max_segments", &limits::MAX_SEGMENTS),
        split: r.choice("split", SPLITS),
        concat: r.choice("concat", CONCATS),
        substitute: r.choice("substitute", SUBSTITUTES),
        transliterate: r.choice("transliterate", TRANSLITERATIONS),
        stop_mention: r.optional_text("stop_mention", "optional", &STOP_MENTION),
        protocol_ids: r.choices("protocol_ids", PROTOCOL_IDS, 0),
        default_class: r.choice("default_class", CLASSES),
        doubt: r.choice("doubt", DOUBTS),
        requests_per_second: r.integer("requests_per_second", &limits::REQUESTS_PER_SECOND),
        messages_per_second: r.integer("messages_per_second", &limits::MESSAGES_PER_SECOND),
        senders: r.texts("senders", &SENDER, limits::SENDERS_MAX),
        sender_check: r.choice("sender_check", SENDER_CHECKS),
        default_region: r.optional_text("default_region", "optional", &REGION),
        time_zone: r.optional_text("time_zone", "default UTC", &ZONE),
        weight: r.integer("weight", &limits::WEIGHT),
        stop_classes: r.choices("stop_classes", STOP_CLASSES, 2),
        stop_scope: r.choice("stop_scope", STOP_SCOPES),
        repeat_guard: r.span("repeat_guard", &limits::REPEAT_GUARD),
        caps: r.list_of_tables("caps", limits::CAPS_OF_ACCOUNT_MAX, cap),
        hours: law::read_account(r),
        keys: r.list_of_tables("keys", limits::KEYS_MAX, key),
    }
}

fn key(r: &mut Reader<'_>) -> ApiKey {
    ApiKey {
        id: r.required_text("id", &NAME),
        hash: r.required_text("hash", &HASH),
        scopes: r.choices("scopes", SCOPES, SCOPES_DEFAULT),
        expires: r.optional_time("expires"),
    }
}

fn cap(r: &mut Reader<'_>) -> Cap {
    Cap {
        count: r.integer("count", &limits::CAP_COUNT),
        period: r.span("period", &limits::CAP_PERIOD),
        // The first of them when nothing else is said: a cap is for advertising.
        classes: r.choices("classes", STOP_CLASSES, 1),
        channels: r.choices("channels", CHANNELS, CHANNELS.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_key_opens_nothing() {
        let key = ApiKey { id: "k".into(), hash: KeyHash::default(), scopes: vec![Scope::Read], expires: Some(Time(1_000)) };
        assert!(key.allows(Scope::Read, Time(999)));
        assert!(!key.allows(Scope::Send, Time(999)));
        assert!(!key.allows(Scope::Read, Time(1_000)));
    }
}
