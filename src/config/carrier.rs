//! `[[carriers]]`: who carries messages, and how each differs from the specification. Carriers are data: what differs
//! is a key here, never a name in code.

use super::limits;
use super::reader::Reader;
use super::rules::{ADDRESS, ADDRESS_RANGE, Address, HOST, NAME, PASSWORD, PATH, STATUS, SYSTEM_ID, SYSTEM_TYPE};
use super::text::{BINARY_CODINGS, BinaryCoding, CLASS_FORMS, ClassForm, JOININGS, Joining};
use super::values::Choices;
use crate::base::{Secret, Span};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// An SMPP peer that takes messages for numbers.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// Unique.
    pub name: String,
    /// Name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// With it, TLS from the first octet.
    pub tls: Option<CarrierTls>,
    /// How sessions are bound.
    pub bind: Bind,
    /// How many sessions (pairs of them, for `TransmitterReceiver`).
    pub binds: u8,
    /// At most 15 characters.
    pub system_id: String,
    /// At most 64 characters; more than 8 is against the letter of SMPP.
    pub password: Secret,
    /// At most 12 characters.
    pub system_type: String,
    /// What we say we speak.
    pub interface_version: Version,
    /// At most 40 characters.
    pub address_range: String,
    /// Unanswered submits of one bind.
    pub window: u16,
    /// Segments a second, all binds together; 0 = no limit.
    pub segments_per_second: f64,
    /// Segments at once; at least 1.
    pub burst: u32,
    /// A quiet link is tested so often.
    pub enquire_link: Span,
    /// After which a submit is in doubt.
    pub response_timeout: Span,
    /// For connect, TLS and bind together.
    pub bind_timeout: Span,
    /// The first pause before a new connection.
    pub reconnect_min: Span,
    /// The longest pause before a new connection.
    pub reconnect_max: Span,
    /// The pause after throttling.
    pub throttle_pause: Span,
    /// Submits of one message that end in a temporary refusal.
    pub attempts_max: u8,
    /// The first pause after a temporary refusal.
    pub retry_min: Span,
    /// The longest pause after a temporary refusal.
    pub retry_max: Span,
    /// How long a message in doubt waits for a receipt that settles it.
    pub ambiguity_hold: Span,
    /// Of messages that do not say theirs.
    pub validity: Span,
    /// After which a submitted message without a final receipt ends as unknown.
    pub receipt_wait: Span,
    /// After which a receipt that matches nothing is forgotten.
    pub orphan_ttl: Span,
    /// Which receipts we ask for.
    pub receipts: ReceiptsWanted,
    /// Whether ACCEPTD ends a message.
    pub acceptd_is_final: bool,
    /// Whether deliver_sm with esm_class 0 is a receipt when its text looks like one.
    pub receipts_by_text: bool,
    /// How ids in responses and receipts differ.
    pub id_base: IdBase,
    /// What data_coding 0 means here.
    pub alphabet: Alphabet,
    /// How the parts of a long text are joined.
    pub joining: Joining,
    /// How the message class is told.
    pub message_class_as: ClassForm,
    /// data_coding of binary messages.
    pub binary_as: BinaryCoding,
    /// Whether characters beyond U+FFFF are replaced: some SMSCs drop half of a pair.
    pub ucs2_bmp_only: bool,
    /// The account that messages from handsets go to; the first account without it.
    pub inbound_account: Option<String>,
    /// The first sequence number of a session.
    pub sequence_start: u32,
    /// TON and NPI of addresses.
    pub addresses: Addresses,
    /// What a command_status means here, where it differs from the table of the specification.
    pub status: BTreeMap<u32, StatusClass>,
}

/// How the carrier is known over TLS. Its certificate is always verified.
#[derive(Clone, Debug)]
pub struct CarrierTls {
    /// PEM file of the authorities believed instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The name in the certificate, when it is not `host`.
    pub server_name: Option<String>,
}

/// How sessions are bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bind {
    /// One session both ways.
    Transceiver,
    /// A session for each way.
    TransmitterReceiver,
}
const BINDS: &Choices<Bind> = &[("transceiver", Bind::Transceiver), ("transmitter_receiver", Bind::TransmitterReceiver)];

/// interface_version of our bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// 0x33: no transceiver, no TLVs.
    V33,
    /// 0x34.
    V34,
    /// 0x50.
    V50,
}
const VERSIONS: &Choices<Version> = &[("3.4", Version::V34), ("3.3", Version::V33), ("5.0", Version::V50)];

impl Version {
    /// The octet of the bind.
    #[must_use]
    pub const fn octet(self) -> u8 {
        match self {
            Version::V33 => 0x33,
            Version::V34 => 0x34,
            Version::V50 => 0x50,
        }
    }
}

/// registered_delivery of our submits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceiptsWanted {
    /// On success and failure.
    Final,
    /// On failure only.
    Failure,
    /// None: messages end when they are submitted.
    None,
}
const RECEIPTS: &Choices<ReceiptsWanted> =
    &[("final", ReceiptsWanted::Final), ("failure", ReceiptsWanted::Failure), ("none", ReceiptsWanted::None)];

/// How the message id of a submit_sm_resp becomes that of its receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdBase {
    /// As it is; and when that matches nothing, each conversion.
    Auto,
    /// As it is, but for case and leading zeros.
    AsIs,
    /// As it is, without what follows an `@`.
    AsIsStripAt,
    /// Hexadecimal in the response, decimal in the receipt.
    RespHexReceiptDec,
    /// Decimal in the response, hexadecimal in the receipt.
    RespDecReceiptHex,
}
const ID_BASES: &Choices<IdBase> = &[
    ("auto", IdBase::Auto),
    ("as_is", IdBase::AsIs),
    ("as_is_strip_at", IdBase::AsIsStripAt),
    ("resp_hex_receipt_dec", IdBase::RespHexReceiptDec),
    ("resp_dec_receipt_hex", IdBase::RespDecReceiptHex),
];

/// What data_coding 0 (the SMSC's own alphabet) means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// GSM 03.38, one character an octet.
    Gsm7,
    /// ISO 8859-1.
    Latin1,
    /// ASCII.
    Ascii,
    /// GSM 03.38, eight characters in seven octets (3GPP TS 23.038 clause 6.1.2.1).
    Gsm7Packed,
}
const ALPHABETS: &Choices<Alphabet> =
    &[("gsm7", Alphabet::Gsm7), ("latin1", Alphabet::Latin1), ("ascii", Alphabet::Ascii), ("gsm7_packed", Alphabet::Gsm7Packed)];

/// What a command_status leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusClass {
    /// The message ends.
    Permanent,
    /// The message is tried again after a pause, and counts the attempt.
    Temporary,
    /// The carrier is paused, the message keeps its place and its attempts.
    Throttle,
    /// The session is closed and bound anew; the message was not taken.
    Session,
    /// Whether the message was taken is not known.
    Ambiguous,
}
const STATUS_CLASSES: &Choices<StatusClass> = &[
    ("permanent", StatusClass::Permanent),
    ("temporary", StatusClass::Temporary),
    ("throttle", StatusClass::Throttle),
    ("session", StatusClass::Session),
    ("ambiguous", StatusClass::Ambiguous),
];

/// What TON and NPI each form of address gets.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Senders that are words.
    pub alphanumeric: Address,
    /// Senders that are short codes.
    pub short_code: Address,
    /// Senders that are E.164 numbers.
    pub international: Address,
    /// Recipients.
    pub destination: Address,
}

pub(super) fn read(r: &mut Reader<'_>) -> Carrier {
    let segments_per_second = r.number("segments_per_second", &limits::SEGMENTS_PER_SECOND);
    // An even rate in steps of a timer would lose what a tick is late; a tenth of a second makes good for it.
    let burst = r.optional_integer("burst", &limits::BURST, "default a tenth of segments_per_second, at least 1");
    let burst = burst.unwrap_or(((segments_per_second / 10.0).ceil() as u32).clamp(limits::BURST.min, limits::BURST.max));
    Carrier {
        name: r.required_text("name", &NAME),
        host: r.required_text("host", &HOST),
        port: r.integer("port", &limits::PORT),
        bind: r.choice("bind", BINDS),
        binds: r.integer("binds", &limits::BINDS),
        system_id: r.required_text("system_id", &SYSTEM_ID),
        password: r.required_secret("password", &PASSWORD),
        system_type: r.text("system_type", "", &SYSTEM_TYPE),
        interface_version: r.choice("interface_version", VERSIONS),
        address_range: r.text("address_range", "", &ADDRESS_RANGE),
        window: r.integer("window", &limits::WINDOW),
        segments_per_second,
        burst,
        enquire_link: r.span("enquire_link", &limits::ENQUIRE_LINK),
        response_timeout: r.span("response_timeout", &limits::RESPONSE_TIMEOUT),
        bind_timeout: r.span("bind_timeout", &limits::BIND_TIMEOUT),
        reconnect_min: r.span("reconnect_min", &limits::RECONNECT_MIN),
        reconnect_max: r.span("reconnect_max", &limits::RECONNECT_MAX),
        throttle_pause: r.span("throttle_pause", &limits::THROTTLE_PAUSE),
        attempts_max: r.integer("attempts_max", &limits::ATTEMPTS),
        retry_min: r.span("retry_min", &limits::RETRY_MIN),
        retry_max: r.span("retry_max", &limits::RETRY_MAX),
        ambiguity_hold: r.span("ambiguity_hold", &limits::AMBIGUITY_HOLD),
        validity: r.span("validity", &limits::VALIDITY),
        receipt_wait: r.span("receipt_wait", &limits::RECEIPT_WAIT),
        orphan_ttl: r.span("orphan_ttl", &limits::ORPHAN_TTL),
        receipts: r.choice("receipts", RECEIPTS),
        acceptd_is_final: r.flag("acceptd_is_final", false),
        receipts_by_text: r.flag("receipts_by_text", false),
        id_base: r.choice("id_base", ID_BASES),
        alphabet: r.choice("alphabet", ALPHABETS),
        joining: r.choice("joining", JOININGS),
        message_class_as: r.choice("message_class_as", CLASS_FORMS),
        binary_as: r.choice("binary_as", BINARY_CODINGS),
        ucs2_bmp_only: r.flag("ucs2_bmp_only", false),
        inbound_account: r.optional_text("inbound_account", "default the first account", &NAME),
        sequence_start: r.integer("sequence_start", &limits::SEQUENCE_START),
        tls: r.table("tls", tls),
        addresses: r.table("addresses", addresses),
        status: r.map("status", limits::STATUS_MAX, &STATUS, STATUS_CLASSES).into_iter().collect(),
    }
}

fn tls(r: &mut Reader<'_>) -> Option<CarrierTls> {
    let enabled = r.flag("enabled", false);
    let tls = CarrierTls {
        ca_file: r.optional_text("ca_file", "default the public authorities", &PATH),
        server_name: r.optional_text("server_name", "default host", &HOST),
    };
    enabled.then_some(tls)
}

fn addresses(r: &mut Reader<'_>) -> Addresses {
    Addresses {
        alphanumeric: r.text("alphanumeric", "5/0", &ADDRESS),
        short_code: r.text("short_code", "3/0", &ADDRESS),
        international: r.text("international", "1/1", &ADDRESS),
        destination: r.text("destination", "1/1", &ADDRESS),
    }
}
