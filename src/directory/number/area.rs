//! Area codes of the North American numbering plan: which country and state they were given to.

use super::prefix::groups;
use super::region::Region;
use super::value::Number;
use super::zone::NANP;

const AREAS: &str = include_str!("../../../config/rules/areas.txt");

/// What an area code was given to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Area {
    /// The country or territory.
    pub country: Region,
    /// ISO 3166-2 without the country: `FL`, `QC`; `NS/PE` and `NT/NU/YT` share a code. `None` for territories.
    pub state: Option<&'static str>,
}

impl Area {
    /// The states one by one: one nearly always.
    pub fn states(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.state.into_iter().flat_map(|state| state.split('/'))
    }
}

/// All area codes.
pub(super) struct Areas {
    areas: Vec<Area>,
    /// By the three digits; 0 for none, else one more than the place in `areas`.
    by_code: Box<[u8; 1000]>,
}

impl Areas {
    /// Reads the built-in file.
    pub(super) fn new() -> Areas {
        let (mut areas, mut by_code) = (Vec::new(), Box::new([0u8; 1000]));
        for group in groups(AREAS) {
            let country = Region::parse(group.key[0]).expect("the file is built in");
            areas.push(Area { country, state: Some(group.key[1]).filter(|state| *state != "-") });
            for code in group.items {
                by_code[code.parse::<usize>().expect("three digits")] = u8::try_from(areas.len()).expect("some 70 areas");
            }
        }
        Areas { areas, by_code }
    }

    /// The area of a North American number of ten digits.
    pub(super) fn of(&self, number: &Number) -> Option<&Area> {
        if number.country_code != NANP || number.zeros > 0 || !(2_000_000_000..10_000_000_000).contains(&number.national) {
            return None;
        }
        self.by_digits((number.national / 10_000_000) as usize)
    }

    /// The area of three digits, below 1,000.
    pub(super) fn by_digits(&self, code: usize) -> Option<&Area> {
        let place = usize::from(self.by_code[code]);
        self.areas.get(place.checked_sub(1)?)
    }
}
