//! What a sender may look like in the recipient's country: `config/rules/senders.json`.
//!
//! It judges the form, and whether a registration is needed at all. Whether an account has registered a name is known
//! elsewhere. A country that is not listed has the general rule: 1 to 11 characters of the GSM alphabet with a letter among
//! them, or a number. Not legal advice.

use std::collections::HashMap;

use serde::Deserialize;

use super::region::Region;
use crate::wire::gsm::alphabet::{Septets, septets_of};

const SENDERS: &str = include_str!("../../../config/rules/senders.json");

/// 11 octets of TP-OA hold 11 septets (3GPP TS 23.040 clause 9.1.2.5).
const ALPHANUMERIC_SEPTETS_MAX: usize = 11;

/// What a kind of sender is worth in a country.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// It arrives as it is.
    Yes,
    /// It does not arrive.
    No,
    /// It arrives after registration only.
    Registered,
    /// It arrives, but the recipient sees another sender.
    Replaced,
}

/// Whether a country keeps a list of names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registry {
    /// None.
    None,
    /// One that nobody must be on.
    Voluntary,
    /// One of names that only their owners may use.
    Protected,
    /// What is not on it does not arrive, or arrives as a warning.
    Mandatory,
}

/// What an alphanumeric sender is written with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letters {
    /// The GSM 7-bit default alphabet.
    #[default]
    Gsm,
    /// A to Z, a to z, 0 to 9: no space, no punctuation.
    LettersDigits,
}

/// The rule of one country.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderRule {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Names.
    pub alphanumeric: Access,
    /// Numbers and short codes.
    pub numeric: Access,
    /// Whether names are kept on a list.
    pub registry: Registry,
    /// What names are written with.
    #[serde(default)]
    pub letters: Letters,
    /// If not empty, short codes of five digits must begin with one of these, and there are no others.
    #[serde(default)]
    pub short_codes: Vec<String>,
    /// Beginnings of E.164 numbers that may not send.
    #[serde(default)]
    pub barred_numbers: Vec<String>,
    /// Words that are no name: alone, or with digits behind.
    #[serde(default)]
    pub barred_words: Vec<String>,
    /// A name that begins so is on the register.
    #[serde(default)]
    pub registered_prefix: Option<String>,
    /// Which registration, in words.
    pub registration: String,
    /// What else there is to know, in words.
    pub notes: String,
    /// How sure we are: high, medium, low.
    pub confidence: String,
    /// Where it is from.
    pub source: String,
}

/// What becomes of a sender in a country.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[must_use]
pub enum Verdict {
    /// It arrives as it is.
    Ok,
    /// The message arrives under another sender.
    Replaced,
    /// It arrives if it has been registered, and not otherwise.
    NeedsRegistration,
    /// It does not arrive.
    Refused(SenderFault),
}

/// Why a sender does not arrive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum SenderFault {
    /// Nothing.
    #[error("the sender is empty")]
    Empty,
    /// More than 11 characters, or a number of more than 15 digits or fewer than 3.
    #[error("the sender is too long or too short")]
    Length,
    /// A character that the GSM alphabet, or the country, does not allow.
    #[error("the sender has a character that is not allowed")]
    Character,
    /// Neither a number nor a name: no letter in it.
    #[error("the sender has no letter and is no number")]
    NoLetter,
    /// A number in national form: nobody abroad could answer it.
    #[error("the sender is a number without country code")]
    NationalForm,
    /// The country takes no names.
    #[error("names are not accepted as senders in this country")]
    AlphanumericNotAccepted,
    /// The country takes no numbers.
    #[error("numbers are not accepted as senders in this country")]
    NumericNotAccepted,
    /// A short code that is none of the country's.
    #[error("no short code for messages in this country")]
    ShortCode,
    /// A number that may not send there (mobiles in France).
    #[error("this kind of number may not send in this country")]
    NumberBarred,
    /// A word that could be anybody.
    #[error("a generic word is not accepted as a sender in this country")]
    GenericWord,
}

/// The rules of all listed countries.
pub struct Senders {
    rules: HashMap<Region, SenderRule>,
}

/// The file.
#[derive(Deserialize)]
struct Listed {
    rules: Vec<SenderRule>,
}

impl Default for Senders {
    fn default() -> Senders {
        Senders::new()
    }
}

impl Senders {
    /// Reads the built-in rules.
    #[must_use]
    pub fn new() -> Senders {
        let listed: Listed = serde_json::from_str(SENDERS).expect("the file is built in");
        let region = |rule: &SenderRule| Region::parse(&rule.country).expect("the file is built in");
        Senders { rules: listed.rules.into_iter().map(|rule| (region(&rule), rule)).collect() }
    }

    /// The rule of a country (ISO 3166-1, any case), if it is listed.
    #[must_use]
    pub fn rule(&self, country: &str) -> Option<&SenderRule> {
        self.rules.get(&Region::parse(country)?)
    }

    /// How many countries are listed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether no country is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What becomes of a sender towards a country. Digits with or without a plus are a number or a short code, all else a
    /// name. Looks at no more than the first characters of a long text.
    pub fn check(&self, country: &str, sender: &str) -> Verdict {
        let rule = self.rule(country);
        let digits = sender.strip_prefix('+').unwrap_or(sender);
        let has_plus = digits.len() < sender.len();
        if sender.is_empty() {
            return Verdict::Refused(SenderFault::Empty);
        }
        let judged = if digits.bytes().all(|octet| octet.is_ascii_digit()) {
            numeric(rule, digits, has_plus).map(|()| rule.map_or(Access::Yes, |rule| rule.numeric))
        } else {
            alphanumeric(rule, sender).map(|()| rule.map_or(Access::Yes, |rule| named(rule, sender)))
        };
        match judged {
            Err(fault) => Verdict::Refused(fault),
            Ok(Access::Yes) => Verdict::Ok,
            Ok(Access::Replaced) => Verdict::Replaced,
            Ok(Access::Registered) => Verdict::NeedsRegistration,
            // The checks before have refused it.
            Ok(Access::No) => unreachable!("what is not accepted is refused with its reason"),
        }
    }
}

/// What a name of good form is worth.
fn named(rule: &SenderRule, sender: &str) -> Access {
    let is_reserved = rule.registered_prefix.as_ref().is_some_and(|prefix| sender.starts_with(prefix.as_str()));
    match rule.alphanumeric {
        Access::Yes if rule.registry == Registry::Mandatory || is_reserved => Access::Registered,
        access => access,
    }
}

fn numeric(rule: Option<&SenderRule>, digits: &str, has_plus: bool) -> Result<(), SenderFault> {
    if rule.is_some_and(|rule| rule.numeric == Access::No) {
        return Err(SenderFault::NumericNotAccepted);
    }
    let is_number = has_plus || digits.len() > 6;
    if !is_number {
        if digits.len() < 3 {
            return Err(SenderFault::Length);
        }
        let codes = rule.map_or(&[][..], |rule| &rule.short_codes);
        let is_code = codes.is_empty() || (digits.len() == 5 && codes.iter().any(|code| digits.starts_with(code.as_str())));
        return if is_code { Ok(()) } else { Err(SenderFault::ShortCode) };
    }
    if !(7..=15).contains(&digits.len()) {
        return Err(SenderFault::Length);
    }
    if digits.starts_with('0') {
        return Err(SenderFault::NationalForm);
    }
    let is_barred = rule.is_some_and(|rule| rule.barred_numbers.iter().any(|prefix| digits.starts_with(prefix.as_str())));
    if is_barred { Err(SenderFault::NumberBarred) } else { Ok(()) }
}

fn alphanumeric(rule: Option<&SenderRule>, sender: &str) -> Result<(), SenderFault> {
    if rule.is_some_and(|rule| rule.alphanumeric == Access::No) {
        return Err(SenderFault::AlphanumericNotAccepted);
    }
    let letters = rule.map_or(Letters::Gsm, |rule| rule.letters);
    let (mut septets, mut has_letter) = (0, false);
    for c in sender.chars() {
        septets += match septets_of(c) {
            // A line's end or a page's end is in the alphabet and in no name.
            None => return Err(SenderFault::Character),
            Some(_) if c.is_control() || (letters == Letters::LettersDigits && !c.is_ascii_alphanumeric()) => {
                return Err(SenderFault::Character);
            }
            Some(Septets::One(_)) => 1,
            Some(Septets::Escaped(_)) => 2,
        };
        if septets > ALPHANUMERIC_SEPTETS_MAX {
            return Err(SenderFault::Length);
        }
        has_letter |= c.is_alphabetic();
    }
    if !has_letter {
        return Err(SenderFault::NoLetter);
    }
    let word = sender.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_generic = rule.is_some_and(|rule| rule.barred_words.iter().any(|one| one.eq_ignore_ascii_case(word)));
    if is_generic { Err(SenderFault::GenericWord) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_rules_say_what_the_vectors_say_of_all_countries() {
        let told: Value = serde_json::from_str(include_str!("../../../tests/vectors/sender_ids.json")).expect("JSON");
        let ours: Value = serde_json::from_str(SENDERS).expect("JSON");
        let (told, ours) = (told["rules"].as_array().expect("rules"), ours["rules"].as_array().expect("rules"));
        assert_eq!((told.len(), ours.len(), Senders::new().len()), (50, 50, 50));
        for (told, ours) in told.iter().zip(ours) {
            for field in ["country", "alphanumeric", "registration", "notes", "confidence", "source"] {
                assert_eq!(told[field], ours[field], "{} {field}", told["country"]);
            }
        }
    }

    #[test]
    fn a_plain_name_fares_in_each_country_as_its_rule_says() {
        let senders = Senders::new();
        for rule in senders.rules.values() {
            let expected = match (rule.alphanumeric, rule.registry) {
                (Access::No, _) => Verdict::Refused(SenderFault::AlphanumericNotAccepted),
                (Access::Registered, _) | (Access::Yes, Registry::Mandatory) => Verdict::NeedsRegistration,
                (Access::Replaced, _) => Verdict::Replaced,
                (Access::Yes, _) => Verdict::Ok,
            };
            assert_eq!(senders.check(&rule.country, "Acme2000"), expected, "{}", rule.country);
        }
        assert_eq!(senders.check("ZZ", "Acme2000"), Verdict::Ok);
        assert!(senders.rule("ZZ").is_none());
    }

    #[test]
    fn senders_are_judged_by_country() {
        use SenderFault::*;
        let senders = Senders::new();
        for (country, sender, expected) in [
            // France: AF2M.
            ("FR", "Acme", Verdict::Ok),
            ("fr", "Acme", Verdict::Ok),
            ("FR", "AcmeElevenX", Verdict::Ok),
            ("FR", "AcmeElevenXY", Verdict::Refused(Length)),
            ("FR", "Acme Shop", Verdict::Refused(Character)),
            ("FR", "Acme-Shop", Verdict::Refused(Character)),
            ("FR", "Café", Verdict::Refused(Character)),
            ("FR", "INFO", Verdict::Refused(GenericWord)),
            ("FR", "Colis24", Verdict::Refused(GenericWord)),
            ("FR", "InfoAcme", Verdict::Ok),
            ("FR", "36123", Verdict::Ok),
            ("FR", "38123", Verdict::Ok),
            ("FR", "12345", Verdict::Refused(ShortCode)),
            ("FR", "361234", Verdict::Refused(ShortCode)),
            ("FR", "+33612345678", Verdict::Refused(NumberBarred)),
            ("FR", "33712345678", Verdict::Refused(NumberBarred)),
            ("FR", "0612345678", Verdict::Refused(NationalForm)),
            ("FR", "+33948123456", Verdict::Ok),
            // The general rule.
            ("DE", "Acme & Co", Verdict::Ok),
            ("DE", "Café", Verdict::Ok),
            ("DE", "Acme€€€€€", Verdict::Refused(Length)),
            ("DE", "Акме", Verdict::Refused(Character)),
            ("DE", "Acme\nShop", Verdict::Refused(Character)),
            ("DE", "12-34", Verdict::Refused(NoLetter)),
            ("DE", "", Verdict::Refused(Empty)),
            ("DE", "+", Verdict::Refused(Length)),
            ("DE", "12", Verdict::Refused(Length)),
            ("DE", "+1234567890123456", Verdict::Refused(Length)),
            ("DE", "+4915123456789", Verdict::Ok),
            ("DE", "12345", Verdict::Ok),
            // Others.
            ("US", "Acme", Verdict::Refused(AlphanumericNotAccepted)),
            ("US", "+12125550123", Verdict::NeedsRegistration),
            ("BY", "+12125550123", Verdict::Refused(NumericNotAccepted)),
            ("CN", "Acme", Verdict::Replaced),
            ("PH", "SMS", Verdict::Refused(GenericWord)),
            ("HK", "Acme", Verdict::Ok),
            ("HK", "#Acme", Verdict::NeedsRegistration),
            ("IE", "Acme", Verdict::NeedsRegistration),
        ] {
            assert_eq!(senders.check(country, sender), expected, "{country} {sender:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_sender_gets_a_verdict(country in "[A-Z]{2}|.{0,4}", sender in "[+]?[0-9]{0,20}|.{0,30}") {
            let _ = Senders::new().check(&country, &sender);
        }
    }
}
