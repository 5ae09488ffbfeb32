//! The habits of a simulated SMSC: data, read from JSON, TOML or `key=value` flags. The default is the perfect
//! carrier: answers at once, delivers everything, one receipt for each submit that asked for one.
//!
//! Nothing here acts; `smsc_session` does. Times are milliseconds, rates are probabilities from 0 to 1.

use super::chance::Chance;
pub use super::id_style::IdStyle;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// The habits. Every field may be left out; unknown fields are errors.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Personality {
    /// All chance of this SMSC comes from here.
    pub seed: u64,

    /// Who may bind, system_id to password. Empty: anybody.
    pub accounts: BTreeMap<String, String>,
    /// The sc_interface_version of bind responses; 0 = the TLV is left out, as 3.3 carriers do.
    pub interface_version: u8,
    /// The first so many binds are refused.
    pub refuse_binds: u32,
    /// How they are refused.
    #[serde(deserialize_with = "number")]
    pub refuse_binds_status: u32,
    /// Sends an enquire_link this often; 0 = never.
    pub enquire_ms: u64,
    /// How hard submit_sm is looked at.
    pub check: Check,

    /// The first message id.
    pub id_base: u64,
    /// How ids are written in submit_sm_resp.
    pub response_id: IdStyle,
    /// How ids are written in receipt texts.
    pub receipt_id: IdStyle,
    /// How ids are written in receipted_message_id; like the text unless given.
    pub tlv_id: Option<IdStyle>,

    /// From a submit_sm to its response.
    pub response_ms: Delay,
    /// Refusals: each status has its rate. Statuses as numbers or texts such as "0x58".
    pub statuses: Vec<StatusRate>,
    /// The body of error responses.
    pub error_body: ErrorBody,
    /// Submits taken per account and second (windows of a second); 0 = no limit.
    pub throttle_per_s: u32,
    /// Submits over that in one window before the refusals begin, for jitter on the way.
    pub throttle_slack: u32,
    /// How throttled submits are refused.
    #[serde(deserialize_with = "number")]
    pub throttle_status: u32,
    /// The most submits unanswered on one session; 0 = no limit. More are refused as throttled.
    pub window: u32,
    /// Cuts the connection at every so many submits of a session, before their answers leave; 0 = never.
    pub disconnect_every: u64,
    /// Cuts the connection this long after the bind; 0 = never.
    pub disconnect_after_ms: u64,
    /// Taken, but never answered.
    pub missing: f64,
    /// Answered out of order: later by `disorder_ms`.
    pub disorder: f64,
    /// By how much.
    pub disorder_ms: Delay,
    /// Answered beyond any time-out: later by `late_ms`.
    pub late: f64,
    /// By how much.
    pub late_ms: Delay,
    /// Refused by generic_nack in place of a response.
    pub generic_nack: f64,
    /// A garbage PDU is sent after the submit.
    pub garbage: f64,
    /// What the garbage is.
    pub garbage_kind: Garbage,

    /// Which submits get receipts.
    pub receipts: Receipts,
    /// From the submit to its receipt.
    pub receipt_ms: Delay,
    /// The final states, by weight.
    pub states: States,
    /// How receipts are written.
    pub dialect: Dialect,
    /// The esm_class of receipts: 4, or 0 for carriers that forget it.
    pub receipt_esm_class: u8,
    /// Which session of the account gets the receipt.
    pub receipt_bind: ReceiptBind,
    /// The most deliver_sm unacknowledged on one session (at least 1).
    pub receipt_window: u32,
    /// A deliver_sm answered with an error is sent again after this.
    pub receipt_retry_ms: u64,
    /// The receipt is sent before the response.
    pub receipt_early: f64,
    /// The receipt is sent twice.
    pub receipt_twice: f64,
    /// The receipt is later by `receipt_late_ms`.
    pub receipt_late: f64,
    /// By how much.
    pub receipt_late_ms: Delay,
    /// No receipt although one was asked for.
    pub receipt_missing: f64,
    /// A receipt for an id that was never given is sent as well.
    pub receipt_unknown: f64,
    /// A non-final ENROUTE receipt comes first, at half the delay.
    pub receipt_enroute: f64,
}

impl Default for Personality {
    fn default() -> Personality {
        Personality {
            seed: 1,
            accounts: BTreeMap::new(),
            interface_version: 0x34,
            refuse_binds: 0,
            refuse_binds_status: 0x0D,
            enquire_ms: 0,
            check: Check::Strict,
            id_base: 1,
            response_id: IdStyle::Decimal { width: 10 },
            receipt_id: IdStyle::Decimal { width: 10 },
            tlv_id: None,
            response_ms: Delay::ZERO,
            statuses: Vec::new(),
            error_body: ErrorBody::Header,
            throttle_per_s: 0,
            throttle_slack: 1,
            throttle_status: 0x58,
            window: 0,
            disconnect_every: 0,
            disconnect_after_ms: 0,
            missing: 0.0,
            disorder: 0.0,
            disorder_ms: Delay { min_ms: 1, max_ms: 20 },
            late: 0.0,
            late_ms: Delay::fixed(60_000),
            generic_nack: 0.0,
            garbage: 0.0,
            garbage_kind: Garbage::Unknown,
            receipts: Receipts::Asked,
            receipt_ms: Delay::ZERO,
            states: States::default(),
            dialect: Dialect::Standard,
            receipt_esm_class: 4,
            receipt_bind: ReceiptBind::Same,
            receipt_window: 1_000,
            receipt_retry_ms: 1_000,
            receipt_early: 0.0,
            receipt_twice: 0.0,
            receipt_late: 0.0,
            receipt_late_ms: Delay::fixed(60_000),
            receipt_missing: 0.0,
            receipt_unknown: 0.0,
            receipt_enroute: 0.0,
        }
    }
}

impl Personality {
    /// Says what is out of range.
    pub fn check(&self) -> Result<(), &'static str> {
        let rates = [
            self.missing,
            self.disorder,
            self.late,
            self.generic_nack,
            self.garbage,
            self.receipt_early,
            self.receipt_twice,
            self.receipt_late,
            self.receipt_missing,
            self.receipt_unknown,
            self.receipt_enroute,
            self.statuses.iter().map(|s| s.rate).sum(),
        ];
        if rates.iter().chain(self.statuses.iter().map(|s| &s.rate)).any(|rate| !(0.0..=1.0).contains(rate)) {
            return Err("rates are from 0 to 1, those of the statuses together");
        }
        if self.receipt_window == 0 {
            return Err("receipt_window is at least 1");
        }
        if self.accounts.keys().any(|id| id.is_empty() || id.len() > 15) {
            return Err("a system_id has 1 to 15 characters");
        }
        Ok(())
    }

    /// A refusal, when chance wants one.
    #[must_use]
    pub fn draw_status(&self, chance: &mut Chance) -> Option<u32> {
        if self.statuses.is_empty() {
            return None;
        }
        let mut point = chance.fraction();
        for StatusRate { status, rate } in &self.statuses {
            if point < *rate {
                return Some(*status);
            }
            point -= rate;
        }
        None
    }
}

/// A command_status and how often it is answered.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusRate {
    /// The command_status.
    #[serde(deserialize_with = "number")]
    pub status: u32,
    /// How often.
    pub rate: f64,
}

/// Reads 88, "88" or "0x58".
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u32),
        Text(String),
    }
    match Either::deserialize(from)? {
        Either::Number(n) => Ok(n),
        Either::Text(text) => match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => text.parse(),
        }
        .map_err(serde::de::Error::custom),
    }
}

/// A delay, fixed or drawn evenly between two. Written `20` or `[5, 50]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "DelayText")]
pub struct Delay {
    /// The least, in milliseconds.
    pub min_ms: u64,
    /// The greatest.
    pub max_ms: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DelayText {
    Fixed(u64),
    Range(u64, u64),
}

impl From<DelayText> for Delay {
    fn from(text: DelayText) -> Delay {
        match text {
            DelayText::Fixed(ms) => Delay::fixed(ms),
            DelayText::Range(min_ms, max_ms) => Delay { min_ms, max_ms },
        }
    }
}

impl Delay {
    /// At once.
    pub const ZERO: Delay = Delay::fixed(0);
    /// Always the same.
    #[must_use]
    pub const fn fixed(ms: u64) -> Delay {
        Delay { min_ms: ms, max_ms: ms }
    }
    /// The next one, in milliseconds.
    pub fn draw(self, chance: &mut Chance) -> u64 {
        if self.min_ms >= self.max_ms { self.min_ms } else { chance.between(self.min_ms, self.max_ms) }
    }
}

/// How hard submit_sm is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Also decoded by rusmpp; what it refuses is refused as malformed.
    Strict,
    /// Only the fields needed are read; for load.
    Fast,
}

/// The body of error responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// None: 16 octets.
    Header,
    /// An empty message_id: 17 octets.
    EmptyId,
}

/// What a garbage PDU is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Garbage {
    /// A whole PDU with a command_id nobody knows: a peer answers generic_nack and stays.
    Unknown,
    /// A command_length of 8: the stream is lost.
    Torn,
    /// A response to a request that was never made.
    Stray,
}

/// Which submits get receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipts {
    /// Those whose registered_delivery asks.
    Asked,
    /// All.
    Always,
    /// None.
    Never,
}

/// Which session gets a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptBind {
    /// The submit's own when it can receive, otherwise any of the account.
    Same,
    /// Another one of the account when there is one.
    Another,
}

/// How receipts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `id:… sub:001 dlvrd:001 submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DELIVRD err:000 text:…`
    Standard,
    /// The standard form, labels and state in lower case.
    LowerCase,
    /// The standard form, labels in capitals.
    UpperCase,
    /// Without sub and dlvrd.
    NoSub,
    /// Dates of 12 digits, with seconds.
    Seconds,
    /// Dates of 14 digits, the year in four.
    LongYear,
    /// `submit_date:` and `done_date:`.
    Underscored,
    /// `id:… stat:DELIVRD` alone.
    Minimal,
    /// State words in full: DELIVERED, FAILED.
    LongWords,
    /// The standard form and the TLVs.
    TextAndTlv,
    /// An empty text; receipted_message_id, message_state and network_error_code.
    TlvOnly,
    /// Old Vodafone UK: `status,done,submit,error,dest,orig,id`.
    Comma,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 12] = [
        Dialect::Standard,
        Dialect::LowerCase,
        Dialect::UpperCase,
        Dialect::NoSub,
        Dialect::Seconds,
        Dialect::LongYear,
        Dialect::Underscored,
        Dialect::Minimal,
        Dialect::LongWords,
        Dialect::TextAndTlv,
        Dialect::TlvOnly,
        Dialect::Comma,
    ];
}

/// The final states by weight; they need not add up to 1.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct States {
    /// DELIVRD.
    pub delivered: f64,
    /// UNDELIV.
    pub undeliverable: f64,
    /// EXPIRED.
    pub expired: f64,
    /// REJECTD.
    pub rejected: f64,
    /// UNKNOWN.
    pub unknown: f64,
}

impl Default for States {
    fn default() -> States {
        States { delivered: 1.0, undeliverable: 0.0, expired: 0.0, rejected: 0.0, unknown: 0.0 }
    }
}

/// The state of a message, with SMPP's numbers (3.4 §5.2.28).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// On its way; not final.
    Enroute = 1,
    /// Delivered.
    Delivered = 2,
    /// Validity ran out.
    Expired = 3,
    /// Undeliverable.
    Undeliverable = 5,
    /// Unknown.
    Unknown = 7,
    /// Rejected.
    Rejected = 8,
}

impl States {
    /// The next final state.
    pub fn draw(&self, chance: &mut Chance) -> State {
        let all = [
            (State::Undeliverable, self.undeliverable),
            (State::Expired, self.expired),
            (State::Rejected, self.rejected),
            (State::Unknown, self.unknown),
        ];
        let failing: f64 = all.iter().map(|(_, weight)| weight).sum();
        if failing <= 0.0 {
            return State::Delivered;
        }
        let mut point = chance.fraction() * (failing + self.delivered);
        for (state, weight) in all {
            if point < weight {
                return state;
            }
            point -= weight;
        }
        State::Delivered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personality_is_read_from_text_and_mistakes_are_errors() {
        let json = r#"{"response_ms": [5, 50], "receipt_ms": 20, "statuses": [{"status": "0x58", "rate": 0.01}],
            "response_id": "hex", "states": {"delivered": 9, "expired": 1}, "dialect": "tlv_only", "throttle_status": 20}"#;
        let p: Personality = serde_json::from_str(json).expect("right");
        assert_eq!(p.response_ms, Delay { min_ms: 5, max_ms: 50 });
        assert_eq!(p.receipt_ms, Delay::fixed(20));
        assert_eq!((p.statuses[0].status, p.throttle_status), (0x58, 20));
        assert_eq!(p.response_id, IdStyle::HexLower { width: 0 });
        assert_eq!(p.check(), Ok(()));
        for wrong in [r#"{"respons_ms": 5}"#, r#"{"response_id": "octal"}"#, r#"{"dialect": "klingon"}"#] {
            assert!(serde_json::from_str::<Personality>(wrong).is_err(), "{wrong}");
        }
        assert!(Personality { missing: 1.5, ..Personality::default() }.check().is_err());
        assert!(Personality { late: f64::NAN, ..Personality::default() }.check().is_err());
    }

    #[test]
    fn statuses_and_states_come_at_their_rates() {
        let mut chance = Chance::new(4);
        let p = Personality {
            statuses: vec![StatusRate { status: 8, rate: 0.1 }, StatusRate { status: 0x58, rate: 0.2 }],
            ..Personality::default()
        };
        let drawn: Vec<_> = (0..50_000).map(|_| p.draw_status(&mut chance)).collect();
        let share = |wanted| drawn.iter().filter(|d| **d == wanted).count() as f64 / 50_000.0;
        assert!((share(Some(8)) - 0.1).abs() < 0.01 && (share(Some(0x58)) - 0.2).abs() < 0.01 && (share(None) - 0.7).abs() < 0.01);
        let states = States { delivered: 3.0, expired: 1.0, ..States::default() };
        let expired = (0..50_000).filter(|_| states.draw(&mut chance) == State::Expired).count();
        assert!((12_000..13_000).contains(&expired), "{expired}");
    }
}
