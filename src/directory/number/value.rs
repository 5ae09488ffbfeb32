//! A number that was read: its digits, and what the numbering plan says of them.

use std::fmt;

use super::region::Region;
use crate::base::Msisdn;

/// What kind of line a numbering plan gives a number to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A fixed line: most cannot take a text.
    FixedLine,
    /// A mobile.
    Mobile,
    /// Either: the plan does not tell them apart (United States, Canada, Mexico …).
    FixedLineOrMobile,
    /// Free for the caller.
    TollFree,
    /// Dear for the caller: never a recipient of a campaign.
    PremiumRate,
    /// The caller pays a part.
    SharedCost,
    /// Internet telephony.
    Voip,
    /// A person's number, wherever it leads.
    PersonalNumber,
    /// A pager.
    Pager,
    /// A company's one number.
    Uan,
    /// A mailbox.
    Voicemail,
    /// The number is not valid.
    Unknown,
}

impl Kind {
    /// The name in interfaces: `MOBILE`, `FIXED_LINE_OR_MOBILE` ….
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::FixedLine => "FIXED_LINE",
            Kind::Mobile => "MOBILE",
            Kind::FixedLineOrMobile => "FIXED_LINE_OR_MOBILE",
            Kind::TollFree => "TOLL_FREE",
            Kind::PremiumRate => "PREMIUM_RATE",
            Kind::SharedCost => "SHARED_COST",
            Kind::Voip => "VOIP",
            Kind::PersonalNumber => "PERSONAL_NUMBER",
            Kind::Pager => "PAGER",
            Kind::Uan => "UAN",
            Kind::Voicemail => "VOICEMAIL",
            Kind::Unknown => "UNKNOWN",
        }
    }
}

/// Whether a number has a length that its country uses. Looser than valid: new ranges come before the tables know them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Possible {
    /// It has.
    Yes,
    /// Only when dialled from nearby, without area code.
    LocalOnly,
    /// Shorter than all numbers of the country.
    TooShort,
    /// Longer than all numbers of the country.
    TooLong,
    /// Between two lengths that the country uses.
    InvalidLength,
}

impl Possible {
    /// The name in interfaces: `IS_POSSIBLE`, `TOO_SHORT` ….
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Possible::Yes => "IS_POSSIBLE",
            Possible::LocalOnly => "IS_POSSIBLE_LOCAL_ONLY",
            Possible::TooShort => "TOO_SHORT",
            Possible::TooLong => "TOO_LONG",
            Possible::InvalidLength => "INVALID_LENGTH",
        }
    }
}

/// A number with a country code. It may be too short or too long for E.164; [`Number::e164`] tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number {
    /// 1 to 999.
    pub country_code: u16,
    /// The digits behind the country code, leading zeros not counted: up to 17 digits.
    pub(super) national: u64,
    /// Leading zeros of the national number, which belong to it (Italy's fixed lines).
    pub(super) zeros: u8,
    /// Where it was given out; `None` if no region of its country code has such numbers.
    pub region: Option<Region>,
    /// What it was given out for; [`Kind::Unknown`] exactly if it is not valid.
    pub kind: Kind,
    /// Whether its length is one its country uses.
    pub possible: Possible,
}

/// Room for any [`Number`]: 3 digits of country code, 17 zeros at most, 20 digits of a u64.
pub(super) const DIGITS_MAX: usize = 40;

impl Number {
    /// Whether the numbering plan gives out such numbers. That somebody has it is not said.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.kind != Kind::Unknown
    }

    /// The form messages travel with; `None` if it has not 7 to 15 digits: short codes, slips of the
    /// pen, and some fixed lines of Germany that the plan lets have 16.
    #[must_use]
    pub fn e164(&self) -> Option<Msisdn> {
        let mut buffer = [0; DIGITS_MAX];
        let digits = self.digits(&mut buffer);
        if digits.len() > 15 {
            return None;
        }
        Msisdn::from_u64(digits.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0')))
    }

    /// Plus and digits, also of what is no E.164 number (`+33112`). Never for logs.
    #[must_use]
    pub fn written(&self) -> String {
        let mut buffer = [0; DIGITS_MAX];
        let mut text = String::from("+");
        text.extend(self.digits(&mut buffer).iter().map(|digit| char::from(*digit)));
        text
    }

    /// The digits behind the country code, leading zeros kept. Never for logs.
    #[must_use]
    pub fn national(&self) -> String {
        let mut buffer = [0; DIGITS_MAX];
        let code = self.code_digits();
        self.digits(&mut buffer)[code..].iter().map(|digit| char::from(*digit)).collect()
    }

    /// How many digits the country code has.
    pub(super) fn code_digits(&self) -> usize {
        match self.country_code {
            0..10 => 1,
            10..100 => 2,
            _ => 3,
        }
    }

    /// Country code, zeros and national number as ASCII digits.
    pub(super) fn digits<'b>(&self, buffer: &'b mut [u8; DIGITS_MAX]) -> &'b [u8] {
        let mut at = DIGITS_MAX;
        let mut put = |mut n: u64| {
            loop {
                at -= 1;
                buffer[at] = b'0' + (n % 10) as u8;
                n /= 10;
                if n == 0 {
                    break;
                }
            }
        };
        put(self.national);
        (0..self.zeros).for_each(|_| put(0));
        put(u64::from(self.country_code));
        &buffer[at..]
    }
}

/// As [`Msisdn`]: logs never hold a full number.
impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}…{:02} {:?} {:?} {:?}", self.country_code, self.national % 100, self.region, self.kind, self.possible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(country_code: u16, zeros: u8, national: u64) -> Number {
        Number { country_code, national, zeros, region: None, kind: Kind::Unknown, possible: Possible::Yes }
    }

    #[test]
    fn leading_zeros_belong_to_the_number() {
        let rome = number(39, 1, 612_345_678);
        assert_eq!(rome.written(), "+390612345678");
        assert_eq!(rome.national(), "0612345678");
        assert_eq!(rome.e164().map(Msisdn::as_u64), Some(390_612_345_678));
    }

    #[test]
    fn what_is_too_short_or_too_long_for_e164_is_written_all_the_same() {
        assert_eq!(number(33, 0, 17).written(), "+3317");
        assert_eq!(number(33, 0, 17).e164(), None);
        assert_eq!(number(1, 0, 2_125_551_234_567_890).e164(), None);
        assert_eq!(number(999, 17, u64::MAX).written().len(), 41);
    }

    #[test]
    fn debug_hides_the_middle() {
        assert_eq!(format!("{:?}", number(33, 0, 612_345_678)), "+33…78 None Unknown Yes");
    }
}
