//! The promises, each checked online from what is seen outside. A new promise is a file here and a line in `all`: send
//! windows (INV-15, 18) look at `Seen::Submit` with the carrier's own clock, replies that stop (INV-19) at `Seen::Mo`
//! and the submits after it.

mod answers;
mod copies;
mod ends;
mod hooks;
mod pace;
mod receipts;
pub mod rule;

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
    ]
}
