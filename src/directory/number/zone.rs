//! From a number to the time zones its owner may be in: the prefixes of libphonenumber, and what we know better.

use std::collections::HashMap;

use super::prefix::{PrefixTable, Value, groups};
use super::value::{DIGITS_MAX, Kind, Number};

/// Prefixes and zones as libphonenumber has them.
const RAW: &str = include_str!("../../../config/rules/zones.txt");
/// What goes on top.
const OVERRIDES: &str = include_str!("../../../config/rules/zone-overrides.txt");

/// Country codes whose mobiles have area codes (libphonenumber: geo mobile countries).
pub(super) const MOBILES_WITH_AREA: [u16; 5] = [52, 54, 55, 62, 86];
/// The North American numbering plan.
pub(super) const NANP: u16 = 1;

/// A time zone by its name in the IANA database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Zone(&'static str);

impl Zone {
    /// `Europe/Paris`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// Whether the digits behind the country code say where.
fn has_area(number: &Number) -> bool {
    match number.kind {
        Kind::FixedLine | Kind::FixedLineOrMobile => true,
        Kind::Mobile => MOBILES_WITH_AREA.contains(&number.country_code),
        _ => false,
    }
}

/// The tables. Sets of zones are kept once: 315 of them for 3,240 prefixes.
pub(super) struct Zones {
    sets: Vec<Box<[Zone]>>,
    /// As `config/rules/zones.txt` has it.
    raw: PrefixTable,
    /// As `config/rules/zone-overrides.txt` has it.
    overrides: PrefixTable,
    /// For each set, the one with today's names.
    renamed: Vec<Value>,
    /// `Etc/Unknown`.
    unknown: Value,
    /// No zone.
    none: Value,
}

/// Sets under construction: each kept once.
#[derive(Default)]
struct Sets {
    sets: Vec<Box<[Zone]>>,
    known: HashMap<Box<[Zone]>, Value>,
}

impl Sets {
    fn place(&mut self, zones: Vec<Zone>) -> Value {
        let zones = zones.into_boxed_slice();
        if let Some(place) = self.known.get(&zones) {
            return *place;
        }
        let place = Value::try_from(self.sets.len()).expect("a few hundred sets");
        self.sets.push(zones.clone());
        self.known.insert(zones, place);
        place
    }

    fn table(&mut self, text: &'static str) -> PrefixTable {
        let mut table = PrefixTable::new();
        for group in groups(text) {
            let place = self.place(group.key.into_iter().map(Zone).collect());
            group.items.iter().for_each(|prefix| table.put(prefix.as_bytes(), place));
        }
        table
    }
}

impl Zones {
    /// Reads the built-in files.
    pub(super) fn new() -> Zones {
        let mut sets = Sets::default();
        let unknown = sets.place(vec![Zone("Etc/Unknown")]);
        let none = sets.place(Vec::new());
        let raw = sets.table(RAW);
        let overrides = sets.table(OVERRIDES);
        let names: HashMap<&str, &'static str> = OVERRIDES.lines().filter_map(|line| line.split_once(" -> ")).collect();
        let renamed = (0..sets.sets.len())
            .map(|place| {
                let today = sets.sets[place].iter().map(|zone| names.get(zone.0).map_or(*zone, |name| Zone(name))).collect();
                sets.place(today)
            })
            .collect();
        Zones { sets: sets.sets, raw, overrides, renamed, unknown, none }
    }

    fn set(&self, place: Value) -> &[Zone] {
        &self.sets[usize::from(place)]
    }

    /// What libphonenumber answers, quirks included; `Etc/Unknown` for what is not valid or belongs to no country.
    pub(super) fn raw(&self, number: &Number) -> &[Zone] {
        if number.kind == Kind::Unknown {
            return self.set(self.unknown);
        }
        let mut buffer = [0; DIGITS_MAX];
        let digits = number.digits(&mut buffer);
        let digits = if has_area(number) { digits } else { &digits[..number.code_digits()] };
        self.set(self.raw.longest(digits).unwrap_or(self.unknown))
    }

    /// The place of the zones to go by.
    pub(super) fn place(&self, number: &Number) -> Value {
        let mut buffer = [0; DIGITS_MAX];
        let digits = number.digits(&mut buffer);
        if let Some(place) = self.overrides.longest(digits) {
            return place;
        }
        // An area code of North America is a country or a state also for mobiles (Jamaica has 42 zones otherwise); a
        // number that is not valid has the zones of its country code.
        let digits = if has_area(number) || number.country_code == NANP { digits } else { &digits[..number.code_digits()] };
        self.raw.longest(digits).map_or(self.none, |place| self.renamed[usize::from(place)])
    }

    /// The zones to go by for digits that begin with a country code, of which the first `place` digits say where.
    pub(super) fn of_digits(&self, digits: &[u8], place: usize) -> &[Zone] {
        let found = self.overrides.longest(digits);
        let raw = || self.raw.longest(&digits[..place]).map(|place| self.renamed[usize::from(place)]);
        self.set(found.or_else(raw).unwrap_or(self.none))
    }

    /// Every prefix of the built-in files.
    pub(super) fn prefixes() -> impl Iterator<Item = &'static str> {
        [RAW, OVERRIDES].into_iter().flat_map(groups).flat_map(|group| group.items)
    }

    /// The zones to go by.
    pub(super) fn zones(&self, number: &Number) -> &[Zone] {
        self.set(self.place(number))
    }
}
