//! What is known of places, in one value shared by all: numbering plans, zones with their hours, and what senders look
//! like in each country. Made once: it takes some milliseconds and some megabytes.

use super::hours::Hours;
use super::number::{Numbers, Places, Senders};
use std::fmt;
use std::sync::{Arc, LazyLock};

/// See the module.
pub struct Atlas {
    /// Numbering plans.
    pub numbers: Arc<Numbers>,
    /// Where numbers were given out, by their beginnings.
    pub places: Arc<Places>,
    /// Send windows and time zones.
    pub hours: Arc<Hours>,
    /// What a sender may look like.
    pub senders: Senders,
}

impl Atlas {
    /// What this program knows by itself.
    #[must_use]
    pub fn shipped() -> Atlas {
        Atlas { numbers: Numbers::shared(), places: Places::shared(), hours: Hours::shared(), senders: Senders::new() }
    }

    /// The same, made once a program.
    #[must_use]
    pub fn shared() -> Arc<Atlas> {
        static SHIPPED: LazyLock<Arc<Atlas>> = LazyLock::new(|| Arc::new(Atlas::shipped()));
        SHIPPED.clone()
    }

    /// Whether a country and a state or province of it (`US-TX`, ISO 3166-2) are known by their numbers, rules or holidays.
    #[must_use]
    pub fn knows_region(&self, region: &str) -> bool {
        let Some((country, state)) = region.split_once('-') else { return false };
        let capitals = |octet: u8| octet.is_ascii_uppercase() || octet.is_ascii_digit();
        let is_one = country.len() == 2 && (1..=3).contains(&state.len()) && state.bytes().all(capitals);
        is_one && (!self.places.of_state(country, state).is_empty() || self.hours.calendar_by_name(region).is_some())
    }
}

/// Debug shows no tables.
impl fmt::Debug for Atlas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Atlas").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::COUNTRIES;

    #[test]
    fn the_countries_of_the_configuration_are_those_with_a_numbering_plan() {
        let atlas = Atlas::shipped();
        let letters = || (b'A'..=b'Z').map(char::from);
        let pairs = letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
        let known: Vec<String> = pairs.filter(|pair| atlas.numbers.is_region(pair)).collect();
        assert_eq!(known.join(" "), COUNTRIES);
    }
}
