//! Route: which carrier takes a number, and what a segment costs there. Prefix to carrier, the first match in the
//! configuration's order. Pure; the table is a snapshot.

use crate::base::{Msisdn, Price};
use crate::config;

/// The routes, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    rules: Vec<(Box<[u8]>, Route)>,
}

/// Where a number leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The place of the carrier in the configuration.
    pub carrier: u16,
    /// What a segment costs.
    pub price: Option<Price>,
}

impl Routes {
    /// From the configuration; `carriers` gives the carriers' order. The configuration's check has made sure that
    /// every route names a carrier.
    #[must_use]
    pub fn new(routes: &[config::Route], carriers: &[config::Carrier]) -> Routes {
        let index = |name: &str| carriers.iter().position(|carrier| carrier.name == name);
        let rules = routes.iter().filter_map(|route| {
            let carrier = u16::try_from(index(&route.carrier)?).ok()?;
            Some((route.prefix.trim_start_matches('+').as_bytes().into(), Route { carrier, price: route.price }))
        });
        Routes { rules: rules.collect() }
    }

    /// Where a number leads; `None` when no route fits.
    #[must_use]
    pub fn route(&self, to: Msisdn) -> Option<Route> {
        let mut buffer = [0; 15];
        let digits = to.digits(&mut buffer);
        self.rules.iter().find(|(prefix, _)| digits.starts_with(prefix)).map(|(_, route)| *route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_route_whose_prefix_fits_is_taken() {
        let to = |carrier| Route { carrier, price: None };
        let routes =
            Routes { rules: vec![(b"336".as_slice().into(), to(0)), (b"33".as_slice().into(), to(1)), (b"".as_slice().into(), to(2))] };
        let carrier = |text| routes.route(Msisdn::parse(text).expect("a number")).map(|route| route.carrier);
        assert_eq!((carrier("+33612345678"), carrier("+33712345678"), carrier("+4915112345678")), (Some(0), Some(1), Some(2)));
        assert_eq!(Routes::default().route(Msisdn::parse("+33612345678").expect("a number")), None);
    }
}
