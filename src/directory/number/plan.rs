//! Reading numbers by the world's numbering plans. The plans are those of libphonenumber, through rlibphonenumber; this
//! file is the only one, with the French table, that knows the library.

use rlibphonenumber::{NumberLengthType, ParseError, PhoneNumber, PhoneNumberType, PhoneNumberUtil, Region as Plan, ValidationError};
use std::sync::{Arc, LazyLock};

use super::area::{Area, Areas};
use super::fault::NumberFault;
use super::france::{Overseas, overseas};
use super::region::Region;
use super::value::{Kind, Number, Possible};
use super::zone::{Zone, Zones};

/// As libphonenumber: longer texts are not looked at.
const TEXT_OCTETS_MAX: usize = 250;
/// Digits of an extension from which on it is a second number (`0612345678;0612345679`).
const SECOND_NUMBER_DIGITS_MIN: usize = 7;

/// All that is known of numbers. Made once, shared by all; nothing in it changes, but what a country needs is compiled when
/// its first number comes.
pub struct Numbers {
    plans: PhoneNumberUtil,
    zones: Zones,
    areas: Areas,
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers::new()
    }
}

impl Numbers {
    /// All of them, made once a program.
    #[must_use]
    pub fn shared() -> Arc<Numbers> {
        static ALL: LazyLock<Arc<Numbers>> = LazyLock::new(|| Arc::new(Numbers::new()));
        ALL.clone()
    }

    /// Reads the built-in tables: some milliseconds.
    #[must_use]
    pub fn new() -> Numbers {
        let plans = PhoneNumberUtil::new().expect("the library's own tables are in order");
        Numbers { plans, zones: Zones::new(), areas: Areas::new() }
    }

    /// Reads what somebody wrote: `+33 6 12 34 56 78`, `0033…`, `tel:…`, with separators, full-width or Arabic-Indic digits;
    /// national forms with the default region's rules (ISO 3166-1, any case). Overseas France in the mainland's national form
    /// is read as such. What is read need not be valid: the number says.
    ///
    /// # Errors
    /// [`NumberFault`], always the writer's. Without a default region only international forms are numbers.
    pub fn parse(&self, text: &str, default_region: Option<&str>) -> Result<Number, NumberFault> {
        if text.len() > TEXT_OCTETS_MAX {
            return Err(NumberFault::TooLong);
        }
        let plan = match default_region {
            None => None,
            Some(code) => Some(self.plan(code).ok_or(NumberFault::Region)?),
        };
        if plan != Some(Plan::FR) {
            return self.read(text, plan);
        }
        match overseas(text) {
            Overseas::No => self.read(text, plan),
            Overseas::Mobile(there) => self.read(text, Some(there)),
            Overseas::Fixed(there) => {
                let here = self.read(text, plan)?;
                if here.is_valid() {
                    return Ok(here);
                }
                Ok(self.read(text, Some(there)).ok().filter(Number::is_valid).unwrap_or(here))
            }
        }
    }

    /// The zones as libphonenumber has them, quirks included; `Etc/Unknown` for what is not valid or belongs to no country.
    #[must_use]
    pub fn zones_raw(&self, number: &Number) -> &[Zone] {
        self.zones.raw(number)
    }

    /// The zones to go by: with what we know better, under today's names. All of the country code's for a number that is not
    /// valid or says no more; empty for what belongs to no country. A message may go only if it may in every one of them.
    #[must_use]
    pub fn zones(&self, number: &Number) -> &[Zone] {
        self.zones.zones(number)
    }

    /// A small number for the set that [`Numbers::zones`] answers, the same for the same zones: to keep what was found out
    /// about a set. Some hundred sets.
    #[must_use]
    pub fn zone_set(&self, number: &Number) -> u16 {
        self.zones.place(number)
    }

    /// Country and state of a North American number; `None` for all others and for codes of no area (toll free).
    #[must_use]
    pub fn area(&self, number: &Number) -> Option<&Area> {
        self.areas.of(number)
    }

    /// The state or province of a North American number: `FL`, `QC`, `NS/PE` ([`Area::state`]).
    #[must_use]
    pub fn state(&self, number: &Number) -> Option<&'static str> {
        self.area(number).and_then(|area| area.state)
    }

    /// Whether a region has numbers of its own, so that it can be a default.
    #[must_use]
    pub fn is_region(&self, code: &str) -> bool {
        self.plan(code).is_some()
    }

    fn plan(&self, code: &str) -> Option<Plan> {
        let plan = Plan::from_code(code).ok().filter(|plan| *plan != Plan::World)?;
        self.plans.get_country_code_for_region(plan).map(|_| plan)
    }

    fn read(&self, text: &str, plan: Option<Plan>) -> Result<Number, NumberFault> {
        let read = self.plans.parse(text, plan).map_err(|error| match error {
            ParseError::InvalidCountryCode => NumberFault::CountryCode,
            ParseError::NotANumber(_) => NumberFault::NotANumber,
            ParseError::TooShortAfterIdd | ParseError::TooShortNsn => NumberFault::TooShort,
            ParseError::TooLongNsn => NumberFault::TooLong,
        })?;
        if read.extension.as_ref().is_some_and(|extension| extension.len() >= SECOND_NUMBER_DIGITS_MIN) {
            return Err(NumberFault::TwoNumbers);
        }
        // The type is asked once: a number is valid exactly if it has one, and asking `is_valid_number` costs as much again.
        let kind = kind(self.plans.get_number_type(&read));
        let region = self.plans.get_region_for_number(&read).and_then(|plan| Region::parse(plan.as_region_str().as_str()));
        Ok(Number {
            country_code: u16::try_from(read.country_code).map_err(|_| NumberFault::CountryCode)?,
            national: read.national_number,
            zeros: zeros(&read),
            region,
            kind,
            possible: self.possible(&read)?,
        })
    }

    fn possible(&self, read: &PhoneNumber) -> Result<Possible, NumberFault> {
        match self.plans.is_possible_number_with_reason(read) {
            Ok(NumberLengthType::IsPossible) => Ok(Possible::Yes),
            Ok(NumberLengthType::IsPossibleLocalOnly) => Ok(Possible::LocalOnly),
            Err(ValidationError::TooShort) => Ok(Possible::TooShort),
            Err(ValidationError::TooLong) => Ok(Possible::TooLong),
            Err(ValidationError::InvalidLength) => Ok(Possible::InvalidLength),
            Err(ValidationError::InvalidCountryCode) => Err(NumberFault::CountryCode),
        }
    }
}

/// Leading zeros that belong to the number, at most 17.
fn zeros(read: &PhoneNumber) -> u8 {
    if read.italian_leading_zero() { read.number_of_leading_zeros().clamp(1, 17) as u8 } else { 0 }
}

fn kind(of: PhoneNumberType) -> Kind {
    match of {
        PhoneNumberType::FixedLine => Kind::FixedLine,
        PhoneNumberType::Mobile => Kind::Mobile,
        PhoneNumberType::FixedLineOrMobile => Kind::FixedLineOrMobile,
        PhoneNumberType::TollFree => Kind::TollFree,
        PhoneNumberType::PremiumRate => Kind::PremiumRate,
        PhoneNumberType::SharedCost => Kind::SharedCost,
        PhoneNumberType::VoIP => Kind::Voip,
        PhoneNumberType::PersonalNumber => Kind::PersonalNumber,
        PhoneNumberType::Pager => Kind::Pager,
        PhoneNumberType::UAN => Kind::Uan,
        PhoneNumberType::VoiceMail => Kind::Voicemail,
        PhoneNumberType::Unknown => Kind::Unknown,
    }
}
