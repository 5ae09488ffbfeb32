//! Overseas France in national form: files of customers on the mainland have `0692 12 34 56`, which is no number of +33.
//!
//! Fixed lines are there for voice. Texts are only looked at for their digits; the numbering plan does the reading.

use rlibphonenumber::Region as Plan;

/// Mobile prefixes the mainland does not use: the number is read with this region, whatever comes of it.
const MOBILES: [(&[u8], Plan); 8] = [
    (b"0690", Plan::GP),
    (b"0691", Plan::GP),
    (b"0692", Plan::RE),
    (b"0693", Plan::RE),
    (b"0694", Plan::GF),
    (b"0696", Plan::MQ),
    (b"0697", Plan::MQ),
    (b"0639", Plan::YT),
];
/// Prefixes of fixed lines. The tables take some of them for the mainland's, so these are only tried when the mainland has
/// no such number.
const FIXED: [(&[u8], Plan); 7] = [
    (b"0262", Plan::RE),
    (b"0263", Plan::RE),
    (b"0269", Plan::YT),
    (b"0508", Plan::PM),
    (b"0590", Plan::GP),
    (b"0594", Plan::GF),
    (b"0596", Plan::MQ),
];

/// How sure a national form is of its territory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Overseas {
    /// A mobile: only there.
    Mobile(Plan),
    /// A fixed line: there, if not on the mainland.
    Fixed(Plan),
    /// Neither, or not ten digits in national form.
    No,
}

/// Looks at what was written with France as the default region.
pub(super) fn overseas(text: &str) -> Overseas {
    let Some(digits) = ten_digits(text) else { return Overseas::No };
    let find = |table: &[(&[u8], Plan)]| table.iter().find(|(prefix, _)| digits.starts_with(prefix)).map(|(_, plan)| *plan);
    match find(&MOBILES) {
        Some(plan) => Overseas::Mobile(plan),
        None => find(&FIXED).map_or(Overseas::No, Overseas::Fixed),
    }
}

/// Exactly ten digits of which the first is 0, between separators and nothing else.
fn ten_digits(text: &str) -> Option<[u8; 10]> {
    let (mut digits, mut count) = ([0; 10], 0);
    for c in text.chars() {
        let digit = match c {
            '0'..='9' => c as u32 - '0' as u32,
            '\u{FF10}'..='\u{FF19}' => c as u32 - 0xFF10,
            '\u{0660}'..='\u{0669}' => c as u32 - 0x0660,
            '\u{06F0}'..='\u{06F9}' => c as u32 - 0x06F0,
            ' ' | '\u{A0}' | '\u{202F}' | '.' | '-' | '\u{2010}' | '\u{2011}' | '(' | ')' | '/' => continue,
            _ => return None,
        };
        *digits.get_mut(count)? = b'0' + digit as u8;
        count += 1;
    }
    (count == 10 && digits[0] == b'0').then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ten_digits_in_national_form_are_overseas() {
        for text in ["0692123456", "06 92 12 34 56", "06.92.12.34.56", "０６９２１２３４５６"] {
            assert_eq!(overseas(text), Overseas::Mobile(Plan::RE), "{text}");
        }
        assert_eq!(overseas("0590 12 34 56"), Overseas::Fixed(Plan::GP));
        for text in ["", "+33692123456", "692123456", "069212345", "06921234567", "0692 12 34 5a", "0612345678", "0695123456"] {
            assert_eq!(overseas(text), Overseas::No, "{text}");
        }
    }
}
