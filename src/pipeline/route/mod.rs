//! Route: which carrier takes a number. Prefix to carrier, the first match in the configuration's order. Pure; the
//! table is a snapshot.

use crate::base::Msisdn;
use crate::channel::RouteText;
use crate::config;

/// The routes, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    rules: Vec<(Box<[u8]>, u16)>,
    /// What each rule means for texts.
    texts: Vec<RouteText>,
}

impl Routes {
    /// From the configuration; `carriers` gives the carriers' order. The configuration's check has made sure that
    /// every route names a carrier.
    #[must_use]
    pub fn new(routes: &[config::Route], carriers: &[config::Carrier]) -> Routes {
        let index = |name: &str| carriers.iter().position(|carrier| carrier.name == name);
        let rules = routes.iter().filter_map(|route| {
            let carrier = u16::try_from(index(&route.carrier)?).ok()?;
            let text = RouteText::new(route, &carriers[usize::from(carrier)]);
            Some(((route.prefix.trim_start_matches('+').as_bytes().into(), carrier), text))
        });
        let (rules, texts) = rules.unzip();
        Routes { rules, texts }
    }

    /// The place of the carrier in the configuration, and what the route means for texts; `None` when no route fits.
    #[must_use]
    pub fn find(&self, to: Msisdn) -> Option<(u16, &RouteText)> {
        let mut buffer = [0; 15];
        let digits = to.digits(&mut buffer);
        let place = self.rules.iter().position(|(prefix, _)| digits.starts_with(prefix))?;
        Some((self.rules[place].1, &self.texts[place]))
    }

    /// The place of the carrier in the configuration; `None` when no route fits.
    #[must_use]
    pub fn carrier(&self, to: Msisdn) -> Option<u16> {
        self.find(to).map(|(carrier, _)| carrier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_route_whose_prefix_fits_is_taken() {
        let routes = Routes {
            rules: vec![(b"336".as_slice().into(), 0), (b"33".as_slice().into(), 1), (b"".as_slice().into(), 2)],
            texts: vec![RouteText::default(); 3],
        };
        let carrier = |text| routes.carrier(Msisdn::parse(text).expect("a number"));
        assert_eq!((carrier("+33612345678"), carrier("+33712345678"), carrier("+4915112345678")), (Some(0), Some(1), Some(2)));
        assert_eq!(Routes::default().carrier(Msisdn::parse("+33612345678").expect("a number")), None);
    }
}
