//! Receipts as carriers write them: the text of SMPP 3.4 Appendix B and the ways the field departs from it.

use super::id_style::IdStyle;
use super::pdu::{Address, put_tlv};
use super::personality::{Dialect, Personality, State};
use crate::base::Time;

/// A receipt to be sent. Small and without allocations: millions may wait.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The message's number; ids are written from it.
    pub number: u64,
    /// When the submit came.
    pub submitted: Time,
    /// What became of the message.
    pub state: State,
    /// The recipient of the message, who is the receipt's source.
    pub from: Address,
    /// The sender of the message.
    pub to: Address,
    snippet: [u8; 20],
    snippet_length: u8,
}

impl Receipt {
    /// `text` is the message's; the first 20 octets go into the receipt when they are plain ASCII.
    pub fn new(number: u64, submitted: Time, state: State, from: Address, to: Address, text: &[u8]) -> Receipt {
        let mut receipt = Receipt { number, submitted, state, from, to, snippet: [0; 20], snippet_length: 0 };
        let text = &text[..text.len().min(20)];
        if text.iter().all(|octet| (0x20..0x7F).contains(octet)) {
            receipt.snippet[..text.len()].copy_from_slice(text);
            receipt.snippet_length = text.len() as u8;
        }
        receipt
    }

    /// Writes short_message and TLVs into the buffers, which are emptied first.
    pub fn write(&self, habits: &Personality, done: Time, text: &mut Vec<u8>, tlvs: &mut Vec<u8>) {
        text.clear();
        tlvs.clear();
        match habits.dialect {
            Dialect::TlvOnly => {}
            Dialect::Comma => self.comma(habits.receipt_id, done, text),
            dialect => self.labelled(dialect, habits.receipt_id, done, text),
        }
        if matches!(habits.dialect, Dialect::TlvOnly | Dialect::TextAndTlv) {
            let mut id = Vec::with_capacity(37);
            habits.tlv_id.unwrap_or(habits.receipt_id).write(self.number, &mut id);
            id.push(0);
            put_tlv(tlvs, 0x001E, &id);
            put_tlv(tlvs, 0x0427, &[self.state as u8]);
            if !matches!(self.state, State::Delivered | State::Enroute) {
                // Network type 3 is GSM.
                put_tlv(tlvs, 0x0423, &[3, 0, self.error()]);
            }
        }
    }

    fn labelled(&self, dialect: Dialect, id: IdStyle, done: Time, out: &mut Vec<u8>) {
        let labels = Labels::of(dialect);
        out.extend_from_slice(labels.id);
        id.write(self.number, out);
        if !matches!(dialect, Dialect::NoSub | Dialect::Minimal) {
            out.extend_from_slice(labels.sub);
            out.extend_from_slice(if self.state == State::Delivered { b"001" } else { b"000" });
        }
        if dialect != Dialect::Minimal {
            out.extend_from_slice(labels.submit);
            date(dialect, self.submitted, out);
            out.extend_from_slice(labels.done);
            date(dialect, done, out);
        }
        out.extend_from_slice(labels.stat);
        let start = out.len();
        out.extend_from_slice(self.word(dialect).as_bytes());
        if dialect == Dialect::LowerCase {
            out[start..].make_ascii_lowercase();
        }
        if dialect != Dialect::Minimal {
            out.extend_from_slice(labels.err);
            out.extend_from_slice(format!("{:03}", self.error()).as_bytes());
            out.extend_from_slice(labels.text);
            out.extend_from_slice(&self.snippet[..usize::from(self.snippet_length)]);
        }
    }

    fn comma(&self, id: IdStyle, done: Time, out: &mut Vec<u8>) {
        let status: &[u8] = match self.state {
            State::Delivered => b"00,",
            State::Enroute => b"01,",
            _ => b"02,",
        };
        out.extend_from_slice(status);
        date(Dialect::Comma, done, out);
        out.push(b',');
        date(Dialect::Comma, self.submitted, out);
        out.push(b',');
        if self.error() > 0 {
            out.extend_from_slice(self.error().to_string().as_bytes());
        }
        for field in [self.from.text(), self.to.text()] {
            out.push(b',');
            out.extend_from_slice(field);
        }
        out.push(b',');
        id.write(self.number, out);
    }

    fn error(&self) -> u8 {
        match self.state {
            State::Delivered | State::Enroute => 0,
            State::Undeliverable => 1,
            State::Expired => 27,
            State::Rejected => 8,
            State::Unknown => 99,
        }
    }

    fn word(&self, dialect: Dialect) -> &'static str {
        match (self.state, dialect) {
            (State::Delivered, Dialect::LongWords) => "DELIVERED",
            (State::Undeliverable | State::Rejected, Dialect::LongWords) => "FAILED",
            (State::Delivered, _) => "DELIVRD",
            (State::Undeliverable, _) => "UNDELIV",
            (State::Rejected, _) => "REJECTD",
            (State::Enroute, _) => "ENROUTE",
            (State::Expired, _) => "EXPIRED",
            (State::Unknown, _) => "UNKNOWN",
        }
    }
}

struct Labels {
    id: &'static [u8],
    sub: &'static [u8],
    submit: &'static [u8],
    done: &'static [u8],
    stat: &'static [u8],
    err: &'static [u8],
    text: &'static [u8],
}

impl Labels {
    fn of(dialect: Dialect) -> Labels {
        let usual = Labels {
            id: b"id:",
            sub: b" sub:001 dlvrd:",
            submit: b" submit date:",
            done: b" done date:",
            stat: b" stat:",
            err: b" err:",
            text: b" text:",
        };
        match dialect {
            Dialect::UpperCase => Labels {
                id: b"ID:",
                sub: b" SUB:001 DLVRD:",
                submit: b" SUBMIT DATE:",
                done: b" DONE DATE:",
                stat: b" STAT:",
                err: b" ERR:",
                text: b" TEXT:",
            },
            Dialect::Underscored => Labels { submit: b" submit_date:", done: b" done_date:", ..usual },
            Dialect::Standard => Labels { text: b" Text:", ..usual },
            _ => usual,
        }
    }
}

fn date(dialect: Dialect, time: Time, out: &mut Vec<u8>) {
    let digits = stamp(time);
    out.extend_from_slice(match dialect {
        Dialect::LongYear => &digits[..],
        Dialect::Seconds => &digits[2..],
        _ => &digits[2..12],
    });
}

/// YYYYMMDDhhmmss in UTC, by the civil-from-days algorithm (Howard Hinnant). Years 1970 to 9999.
fn stamp(time: Time) -> [u8; 14] {
    let seconds = time.0.div_euclid(1_000).max(0) as u64;
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let mut out = [b'0'; 14];
    let fields = [(0, year / 100), (2, year % 100), (4, month), (6, day), (8, second / 3_600), (10, second / 60 % 60), (12, second % 60)];
    for (at, value) in fields {
        out[at] = b'0' + (value / 10 % 10) as u8;
        out[at + 1] = b'0' + (value % 10) as u8;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(dialect: Dialect, state: State) -> (String, Vec<u8>) {
        let habits = Personality {
            dialect,
            receipt_id: IdStyle::Decimal { width: 10 },
            tlv_id: Some(IdStyle::HexLower { width: 0 }),
            ..Personality::default()
        };
        let submitted = Time::parse_rfc3339("2026-12-01T23:59:58Z").expect("valid");
        let done = Time::parse_rfc3339("2026-12-02T00:00:03Z").expect("valid");
        let (from, to) = (Address::new(1, 1, b"447887123456"), Address::new(5, 0, b"SHOP"));
        let receipt = Receipt::new(0x0386_01fa, submitted, state, from, to, b"Hello Zoe, your parcel waits");
        let (mut text, mut tlvs) = (Vec::new(), Vec::new());
        receipt.write(&habits, done, &mut text, &mut tlvs);
        (String::from_utf8(text).expect("ASCII"), tlvs)
    }

    #[test]
    fn each_dialect_is_written_as_the_field_writes_it() {
        for (dialect, state, expect) in [
            (
                Dialect::Standard,
                State::Delivered,
                "id:0059113978 sub:001 dlvrd:001 submit date:2612012359 done date:2612020000 stat:DELIVRD err:000 Text:Hello Zoe, your parc",
            ),
            (
                Dialect::LowerCase,
                State::Undeliverable,
                "id:0059113978 sub:001 dlvrd:000 submit date:2612012359 done date:2612020000 stat:undeliv err:001 text:Hello Zoe, your parc",
            ),
            (
                Dialect::UpperCase,
                State::Expired,
                "ID:0059113978 SUB:001 DLVRD:000 SUBMIT DATE:2612012359 DONE DATE:2612020000 STAT:EXPIRED ERR:027 TEXT:Hello Zoe, your parc",
            ),
            (
                Dialect::NoSub,
                State::Rejected,
                "id:0059113978 submit date:2612012359 done date:2612020000 stat:REJECTD err:008 text:Hello Zoe, your parc",
            ),
            (
                Dialect::Seconds,
                State::Delivered,
                "id:0059113978 sub:001 dlvrd:001 submit date:261201235958 done date:261202000003 stat:DELIVRD err:000 text:Hello Zoe, your parc",
            ),
            (
                Dialect::LongYear,
                State::Delivered,
                "id:0059113978 sub:001 dlvrd:001 submit date:20261201235958 done date:20261202000003 stat:DELIVRD err:000 text:Hello Zoe, your parc",
            ),
            (
                Dialect::Underscored,
                State::Delivered,
                "id:0059113978 sub:001 dlvrd:001 submit_date:2612012359 done_date:2612020000 stat:DELIVRD err:000 text:Hello Zoe, your parc",
            ),
            (Dialect::Minimal, State::Delivered, "id:0059113978 stat:DELIVRD"),
            (
                Dialect::LongWords,
                State::Undeliverable,
                "id:0059113978 sub:001 dlvrd:000 submit date:2612012359 done date:2612020000 stat:FAILED err:001 text:Hello Zoe, your parc",
            ),
            (Dialect::TlvOnly, State::Delivered, ""),
            (Dialect::Comma, State::Delivered, "00,2612020000,2612012359,,447887123456,SHOP,0059113978"),
            (Dialect::Comma, State::Undeliverable, "02,2612020000,2612012359,1,447887123456,SHOP,0059113978"),
        ] {
            assert_eq!(text_of(dialect, state).0, expect);
        }
        assert_eq!(
            text_of(Dialect::TextAndTlv, State::Undeliverable).1,
            b"\x00\x1E\x00\x0838601fa\0\x04\x27\x00\x01\x05\x04\x23\x00\x03\x03\x00\x01"
        );
        assert_eq!(text_of(Dialect::TlvOnly, State::Delivered).1, b"\x00\x1E\x00\x0838601fa\0\x04\x27\x00\x01\x02");
        assert!(text_of(Dialect::Standard, State::Delivered).1.is_empty());
    }

    #[test]
    fn dates_agree_with_a_calendar_over_leap_years() {
        for day in 0..40_000i64 {
            let time = Time(day * 86_400_000 + 45_296_000);
            let expect: String = time.rfc3339().chars().filter(char::is_ascii_digit).take(14).collect();
            assert_eq!(std::str::from_utf8(&stamp(time)), Ok(expect.as_str()));
        }
    }
}
