//! From the digits of a number to the place its hours follow from: country, states, zones. In: the form messages travel
//! with. Out: a small number for the place. Nothing fails: what belongs to no country is place 0, which has no zone.
//!
//! Prefixes alone, a few dozen nanoseconds; the full reading ([`super::Numbers`], about a microsecond) is for those who ask
//! what a number is. Where the digits alone do not tell a mobile from a fixed line the zones are all of the country code,
//! so for the lines of people they are those of the full reading or more, never fewer: a zone too many is the safe mistake.

use super::area::Areas;
use super::prefix::{PrefixTable, groups};
use super::region::Region;
use super::zone::{MOBILES_WITH_AREA, NANP, Zone, Zones};
use crate::base::Msisdn;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, LazyLock};

const REGIONS: &str = include_str!("../../../config/rules/regions.txt");

/// Country codes of several zones whose mobiles begin otherwise than all fixed lines, beside those whose mobiles have area
/// codes: there a longer prefix means a fixed line, and its zones hold. A test compares.
const APART: [u16; 5] = [7, 34, 56, 61, 351];
/// But these are mobiles, and services of the whole country, though `zones.txt` has some of them.
const NO_AREA: [&str; 5] = ["346", "347", "614", "6280", "780"];

/// A place that numbers were given out for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// Such as `FR` and `RE`; `None` for what belongs to no country.
    pub region: Option<Region>,
    /// ISO 3166-2 without the country, for North America: one, two or three that share an area code, or none.
    pub states: Box<[&'static str]>,
    /// The candidate zones. Empty for what belongs to no country.
    pub zones: Box<[Zone]>,
    /// All zones of the region, for those who are there and nobody knows where.
    pub all: Box<[Zone]>,
}

/// All places there are. Made once, shared by all.
pub struct Places {
    /// The first is nowhere.
    places: Vec<Place>,
    table: PrefixTable,
    /// The zones of the states that numbers tell, sorted by country and state.
    states: Vec<(Region, &'static str, Box<[Zone]>)>,
}

/// What the places are made from.
struct Sources {
    zones: Zones,
    areas: Areas,
    regions: PrefixTable,
    /// The keys that `regions` leads to.
    names: Vec<Region>,
    /// Prefixes of `regions`.
    prefixes: HashSet<&'static str>,
}

impl Sources {
    fn new() -> Sources {
        let (mut regions, mut names, mut prefixes) = (PrefixTable::new(), Vec::new(), HashSet::new());
        for (group, number) in groups(REGIONS).into_iter().zip(0..) {
            names.push(Region::parse(group.key[0]).expect("the file is built in"));
            group.items.iter().for_each(|prefix| regions.put(prefix.as_bytes(), number));
            prefixes.extend(group.items);
        }
        Sources { zones: Zones::new(), areas: Areas::new(), regions, names, prefixes }
    }

    /// The place of all numbers whose longest prefix in any table this is; `None` for what belongs to no country.
    fn place(&self, prefix: &str) -> Option<Place> {
        // No country code is the beginning of another, and each is among the regions.
        let code = (1..=prefix.len().min(3)).map(|end| &prefix[..end]).find(|code| self.prefixes.contains(code))?;
        let number: u16 = code.parse().expect("the tables hold digits");
        let mut region = self.names[usize::from(self.regions.longest(prefix.as_bytes())?)];
        let mut states = Vec::new();
        let area = prefix.get(1..4).filter(|_| number == NANP).and_then(|area| area.parse().ok());
        if let Some(area) = area.and_then(|area| self.areas.by_digits(area)) {
            region = area.country;
            states = area.states().collect();
        }
        let geographic = number == NANP || MOBILES_WITH_AREA.contains(&number) || APART.contains(&number);
        let geographic = geographic && !NO_AREA.iter().any(|one| prefix.starts_with(one));
        let zones = self.zones.of_digits(prefix.as_bytes(), if geographic { prefix.len() } else { code.len() });
        Some(Place { region: Some(region), states: states.into(), zones: zones.into(), all: Box::default() })
    }

    fn all_prefixes(&self) -> Vec<String> {
        let nanp = (200..1_000).filter(|code| self.areas.by_digits(*code).is_some()).map(|code| format!("1{code}"));
        let mut all: Vec<String> = nanp.collect();
        all.extend(self.prefixes.iter().map(|prefix| (*prefix).to_owned()));
        all.extend(Zones::prefixes().chain(NO_AREA).map(str::to_owned));
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Default for Places {
    fn default() -> Places {
        Places::new()
    }
}

impl Places {
    /// All of them, made once a program.
    #[must_use]
    pub fn shared() -> Arc<Places> {
        static ALL: LazyLock<Arc<Places>> = LazyLock::new(|| Arc::new(Places::new()));
        ALL.clone()
    }

    /// Reads the built-in tables: a few milliseconds.
    #[must_use]
    pub fn new() -> Places {
        let sources = Sources::new();
        let nowhere = Place { region: None, states: Box::default(), zones: Box::default(), all: Box::default() };
        let (mut places, mut table) = (vec![nowhere.clone()], PrefixTable::new());
        let mut known: HashMap<Place, u16> = HashMap::from([(nowhere, 0)]);
        for prefix in sources.all_prefixes() {
            let Some(place) = sources.place(&prefix) else { continue };
            let number = *known.entry(place).or_insert_with_key(|place| {
                places.push(place.clone());
                u16::try_from(places.len() - 1).expect("some hundred places")
            });
            table.put(prefix.as_bytes(), number);
        }
        let mut of_region: HashMap<Option<Region>, BTreeSet<Zone>> = HashMap::new();
        places.iter().for_each(|place| of_region.entry(place.region).or_default().extend(place.zones.iter()));
        places.iter_mut().for_each(|place| place.all = of_region[&place.region].iter().copied().collect());
        let mut of_state: BTreeMap<(Region, &'static str), BTreeSet<Zone>> = BTreeMap::new();
        for place in &places {
            for state in &place.states {
                let region = place.region.expect("states are parts of countries");
                of_state.entry((region, state)).or_default().extend(place.zones.iter());
            }
        }
        let states = of_state.into_iter().map(|((region, state), zones)| (region, state, zones.into_iter().collect())).collect();
        Places { places, table, states }
    }

    /// The number of a recipient's place, for [`Places::get`].
    #[must_use]
    pub fn find(&self, to: Msisdn) -> u16 {
        self.table.longest(to.digits(&mut [0; 15])).unwrap_or(0)
    }

    /// A place that [`Places::find`] gave; nowhere for other numbers.
    #[must_use]
    pub fn get(&self, place: u16) -> &Place {
        self.places.get(usize::from(place)).unwrap_or(&self.places[0])
    }

    /// The zones of a state or province (`US`, `TX`); none where numbers do not tell states.
    #[must_use]
    pub fn of_state(&self, country: &str, state: &str) -> &[Zone] {
        let wanted = (country, state);
        let at = self.states.binary_search_by(|(region, one, _)| (region.as_str(), *one).cmp(&wanted));
        at.map_or(&[], |at| &self.states[at].2)
    }

    /// How many there are: some hundred.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.len()
    }
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} places", self.places.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Numbers};
    use super::*;

    fn name(place: &Place) -> String {
        place.region.map(|region| region.to_string()).unwrap_or_default()
    }

    fn check(places: &Places, number: u64, region: &str, states: &[&str], zones: &[&str]) {
        let place = places.get(places.find(Msisdn::from_u64(number).expect("a number")));
        assert_eq!((&*name(place), &*place.states), (region, states), "{number}");
        let names: Vec<&str> = place.zones.iter().map(|zone| zone.name()).collect();
        assert_eq!(names, zones, "{number}");
    }

    #[test]
    fn digits_alone_tell_country_state_and_zones() {
        let places = Places::new();
        check(&places, 33_612_345_678, "FR", &[], &["Europe/Paris"]);
        check(&places, 262_692_123_456, "RE", &[], &["Indian/Reunion"]);
        check(&places, 262_639_123_456, "YT", &[], &["Indian/Mayotte"]);
        check(&places, 12_125_551_234, "US", &["NY"], &["America/New_York"]);
        check(&places, 18_505_551_234, "US", &["FL"], &["America/Chicago", "America/New_York"]);
        check(&places, 19_025_551_234, "CA", &["NS", "PE"], &["America/Halifax"]);
        check(&places, 18_765_551_234, "JM", &[], &["America/Jamaica"]);
        check(&places, 34_612_345_678, "ES", &[], &["Atlantic/Canary", "Europe/Madrid"]);
        check(&places, 35_818_123_456, "AX", &[], &["Europe/Helsinki", "Europe/Mariehamn"]);
        check(&places, 77_011_234_567, "KZ", &[], &["Asia/Almaty"]);
        check(&places, 8_821_612_345_678, "", &[], &[]);
        check(&places, 9_991_234_567, "", &[], &[]);
        assert!(places.count() < 2_000, "{}", places.count());
    }

    #[test]
    fn states_have_the_zones_of_all_their_area_codes() {
        let places = Places::new();
        let zones = |country: &str, state: &str| places.of_state(country, state).iter().map(|zone| zone.name()).collect::<Vec<_>>();
        assert_eq!(zones("US", "NY"), ["America/New_York"]);
        // El Paso is not in the zone of Dallas.
        assert_eq!(zones("US", "TX"), ["America/Chicago", "America/Denver"]);
        assert_eq!(zones("CA", "NS"), ["America/Halifax"]);
        assert!(zones("US", "ON").is_empty() && zones("FR", "57").is_empty() && zones("", "").is_empty());
    }

    /// Zones of the full reading that the digits do not give.
    fn missing(places: &Places, numbers: &Numbers, text: &str) -> Option<(String, Kind)> {
        let people = [Kind::Mobile, Kind::FixedLine, Kind::FixedLineOrMobile];
        let number = numbers.parse(text, None).ok().filter(|number| people.contains(&number.kind))?;
        let place = places.get(places.find(number.e164()?));
        let lost: Vec<&str> = numbers.zones(&number).iter().filter(|zone| !place.zones.contains(zone)).map(|zone| zone.name()).collect();
        let region = number.region.map(|region| region.as_str().to_owned()).unwrap_or_default();
        // These share all prefixes with the first, or are told apart by too many digits; their rules and zones are the same.
        let twins = ["GP BL", "GP MF", "MA EH", "RU KZ", " 001", "RE YT", "AU CX", "AU CC", "US CA"];
        let ours = name(place);
        let same = ours == region || twins.contains(&&*format!("{ours} {region}"));
        (!lost.is_empty() || !same).then(|| (format!("{ours} for {region}, without {lost:?}"), number.kind))
    }

    #[test]
    fn the_zones_are_those_of_the_full_reading_or_more_and_the_country_is_the_same() {
        let (places, numbers) = (Places::new(), Numbers::new());
        let sources = Sources::new();
        let (mut state, mut wrong, mut seen) = (0x2545_F491_4F6C_DD1D_u64, BTreeMap::new(), 0);
        for prefix in sources.all_prefixes() {
            for length in prefix.len().max(8)..=14 {
                for _ in 0..2 {
                    let mut text = format!("+{prefix}");
                    while text.len() < length {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        text.push(char::from(b'0' + (state % 10) as u8));
                    }
                    seen += usize::from(numbers.parse(&text, None).is_ok_and(|number| number.is_valid()));
                    if let Some(lost) = missing(&places, &numbers, &text) {
                        wrong.insert(prefix.clone(), lost);
                    }
                }
            }
        }
        assert!(seen > 5_000, "the comparison compares: {seen}");
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
