//! The promises, each checked online from what is seen outside. A new promise is a file here and a line in `all`.

mod answers;
mod bulks;
mod clock;
mod copies;
mod ends;
mod flight;
mod hooks;
mod hours;
mod neighbours;
mod order;
mod pace;
mod receipts;
mod rest;
pub mod rule;
mod stops;
mod wishes;

pub use rule::{Broken, Check};

use super::ledger::Terms;

/// Every check there is.
#[must_use]
pub fn all(terms: &Terms) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(copies::Copies::default()),
        Box::new(ends::Ends::default()),
        Box::new(answers::Answers::default()),
        Box::new(pace::Pace::new(terms)),
        Box::new(receipts::Receipts::default()),
        Box::new(hooks::Hooks::default()),
        Box::new(hours::Hours::new()),
        Box::new(stops::Stops::default()),
        Box::new(flight::Flight::default()),
        Box::new(rest::Rest::default()),
        Box::new(order::Order::default()),
        Box::new(bulks::Bulks),
        Box::new(clock::Clock::default()),
        Box::new(neighbours::Neighbours::new(terms)),
        Box::new(wishes::Wishes::default()),
    ]
}
