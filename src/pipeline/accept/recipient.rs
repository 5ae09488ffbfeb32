//! Who a message is for: a number with its country code, or, where a country is known, one in that country's own
//! notation. Nothing is guessed: what could be two numbers is refused.

use crate::base::Msisdn;
use crate::base::phone::NotANumber;
use crate::directory::Atlas;
use crate::directory::number::{Number, NumberFault, Possible};
use crate::pipeline::accept::fault::{Code, Refusal};

/// Longest way to write a number that is looked at, in octets: 15 digits with separators, in any script.
const NUMBER_OCTETS_MAX: usize = 64;

/// Reads `to`. `country` are two letters whose national notation is allowed too, with what is needed to read it.
///
/// # Errors
/// `missing_to`, `invalid_number`.
pub fn recipient(to: Option<&str>, country: Option<(&str, &Atlas)>) -> Result<Msisdn, Refusal> {
    match to {
        None | Some("") => Err(Refusal::new(Code::MissingTo, "/to", "expected a number")),
        Some(to) if to.len() > NUMBER_OCTETS_MAX => Err(invalid("too long for a number")),
        Some(to) => match country {
            Some((country, atlas)) if !is_international(to) => national(to, country, atlas),
            _ => international(to),
        },
    }
}

/// Whether the notation itself says that a country code follows.
fn is_international(to: &str) -> bool {
    let to = to.trim_start();
    to.starts_with(['+', '\u{FF0B}']) || to.starts_with("00") || to.starts_with("tel:")
}

fn international(to: &str) -> Result<Msisdn, Refusal> {
    Msisdn::parse(to).map_err(|why| {
        invalid(match why {
            NotANumber::Empty => "expected a number",
            NotANumber::Character => "a character that numbers do not have",
            NotANumber::NoCountryCode => "no country code",
            NotANumber::Length => "expected 7 to 15 digits",
        })
    })
}

/// Digits that may be national or have a country code without a plus: `0612345678`, `33612345678`.
#[cold]
fn national(to: &str, country: &str, atlas: &Atlas) -> Result<Msisdn, Refusal> {
    let here = atlas.numbers.parse(to, Some(country));
    let valid = |number: &Number| if number.is_valid() { number.e164() } else { None };
    let inside = here.as_ref().ok().and_then(valid);
    // The same digits with a country code in front of them already.
    let abroad = Msisdn::parse(to).ok().filter(|to| atlas.numbers.parse(&to.e164(), None).is_ok_and(|number| number.is_valid()));
    match (inside, abroad) {
        (Some(inside), Some(abroad)) if inside != abroad => {
            Err(invalid("it may be a number of the country or one with another country code; write it with + and its country code"))
        }
        (Some(to), _) | (None, Some(to)) => Ok(to),
        (None, None) => Err(invalid(match here {
            Ok(number) => match number.possible {
                Possible::TooShort => "too short for a number of the country",
                Possible::TooLong => "too long for a number of the country",
                Possible::InvalidLength => "the country has no numbers of this length",
                Possible::LocalOnly => "no area code",
                Possible::Yes => "the country has no such numbers; if it has, write it with + and its country code",
            },
            Err(NumberFault::NotANumber) => "not a number",
            Err(NumberFault::CountryCode | NumberFault::Region) => "no country code",
            Err(NumberFault::TooShort) => "too short for a number of the country",
            Err(NumberFault::TooLong) => "too long for a number of the country",
            Err(NumberFault::TwoNumbers) => "two numbers",
        })),
    }
}

fn invalid(detail: &'static str) -> Refusal {
    Refusal::new(Code::InvalidNumber, "/to", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_national_notation_is_read_with_the_countrys_plan_and_no_other() {
        let atlas = Atlas::shipped();
        let read =
            |to, country| recipient(Some(to), Some((country, &atlas))).map(Msisdn::e164).map_err(|refusal| refusal.detail.into_owned());
        for (to, country, expected) in [
            ("0612345678", "FR", "+33612345678"),
            ("06 12 34 56 78", "FR", "+33612345678"),
            ("612345678", "FR", "+33612345678"),
            ("33612345678", "FR", "+33612345678"),
            ("0033612345678", "FR", "+33612345678"),
            ("+33612345678", "US", "+33612345678"),
            ("tel:+33-6-12-34-56-78", "US", "+33612345678"),
            ("0692123456", "FR", "+262692123456"),
            ("(212) 555-2368", "US", "+12125552368"),
            ("01512 3456789", "DE", "+4915123456789"),
            ("4915123456789", "FR", "+4915123456789"),
        ] {
            assert_eq!(read(to, country).as_deref(), Ok(expected), "{to} {country}");
        }
        for (to, country, why) in [
            ("0612345", "FR", "too short"),
            ("061234567890", "FR", "too long"),
            ("0012", "FR", "7 to 15 digits"),
            ("0000000000", "FR", "no country code"),
            ("call me", "FR", "not a number"),
            ("555-2368", "US", "no area code"),
            // Corpus Christi, or Budapest with its country code.
            ("3612345678", "US", "may be"),
        ] {
            let read = read(to, country).expect_err(to);
            assert!(read.contains(why), "{to} {country}: {read}");
        }
    }

    #[test]
    fn without_a_country_digits_are_a_number_with_its_country_code() {
        assert_eq!(recipient(Some("33612345678"), None).map(Msisdn::e164), Ok("+33612345678".into()));
        assert_eq!(recipient(Some("0612345678"), None).map_err(|refusal| refusal.detail), Err("no country code".into()));
    }
}
