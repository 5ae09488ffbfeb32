//! How a sender fares in the recipient's country, by the rules of `directory::number`. They are rules of thumb about
//! networks we do not run, so an account chooses what they are worth: counted, refused, or not asked.

use crate::base::Msisdn;
use crate::config::SenderCheck;
use crate::directory::Atlas;
use crate::directory::number::{SenderFault, Verdict};
use crate::pipeline::accept::{AccountRules, Code, Refusal, Senders};

/// Answers kept: a bulk has a few senders and a few dozen places.
const KEPT: usize = 64;

/// What becomes of a sender.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Arrival {
    /// Nobody asked.
    Unknown,
    /// It arrives as it is.
    AsItIs,
    /// The recipient sees another one.
    Replaced,
    /// It must be registered there, and the account has not listed it.
    Unregistered,
    /// It does not arrive.
    Refused(SenderFault),
}

impl Arrival {
    /// Those that are counted, in the order of [`Arrival::place`].
    pub const WORDS: [&'static str; 3] = ["replaced", "unregistered", "refused"];

    /// The word in the API and in metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Arrival::Unknown => "unknown",
            Arrival::AsItIs => "as_it_is",
            Arrival::Replaced => Arrival::WORDS[0],
            Arrival::Unregistered => Arrival::WORDS[1],
            Arrival::Refused(_) => Arrival::WORDS[2],
        }
    }

    /// Its place among those that are counted.
    #[must_use]
    pub const fn place(self) -> Option<usize> {
        match self {
            Arrival::Unknown | Arrival::AsItIs => None,
            Arrival::Replaced => Some(0),
            Arrival::Unregistered => Some(1),
            Arrival::Refused(_) => Some(2),
        }
    }
}

/// An answer kept.
#[derive(Clone, Debug)]
struct Kept {
    place: u16,
    from: Box<str>,
    arrival: Arrival,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Arrivals {
    check: SenderCheck,
    kept: Vec<Option<Kept>>,
}

impl Arrivals {
    pub(super) fn new(check: SenderCheck) -> Arrivals {
        Arrivals { check, kept: Vec::new() }
    }

    /// How `from` fares towards `to`.
    ///
    /// # Errors
    /// `sender_not_accepted` when the account wants to be refused rather than not to arrive.
    pub(super) fn of(&mut self, rules: &AccountRules, from: &str, to: Msisdn) -> Result<Arrival, Refusal> {
        let Some(atlas) = rules.atlas.as_deref().filter(|_| self.check != SenderCheck::Off) else { return Ok(Arrival::Unknown) };
        if self.kept.is_empty() {
            self.kept.resize(KEPT, None);
        }
        let place = atlas.places.find(to);
        let index = (usize::from(place) * 7 + from.len()) % KEPT;
        let arrival = match &self.kept[index] {
            Some(kept) if kept.place == place && *kept.from == *from => kept.arrival,
            _ => {
                let arrival = judged(atlas, &rules.senders, from, place);
                self.kept[index] = Some(Kept { place, from: from.into(), arrival });
                arrival
            }
        };
        match arrival {
            Arrival::Unregistered | Arrival::Refused(_) if self.check == SenderCheck::Refuse => Err(refusal(arrival)),
            arrival => Ok(arrival),
        }
    }
}

#[cold]
fn judged(atlas: &Atlas, senders: &Senders, from: &str, place: u16) -> Arrival {
    let Some(region) = atlas.places.get(place).region else { return Arrival::AsItIs };
    match atlas.senders.check(region.as_str(), from) {
        Verdict::Ok => Arrival::AsItIs,
        Verdict::Replaced => Arrival::Replaced,
        Verdict::NeedsRegistration => match senders {
            Senders::Only(listed) if listed.iter().any(|one| **one == *from) => Arrival::AsItIs,
            _ => Arrival::Unregistered,
        },
        Verdict::Refused(fault) => Arrival::Refused(fault),
    }
}

#[cold]
fn refusal(arrival: Arrival) -> Refusal {
    let detail = match arrival {
        Arrival::Refused(fault) => fault.to_string(),
        _ => "the sender must be registered in the recipient's country, and listed among the account's".to_owned(),
    };
    Refusal::new(Code::SenderNotAccepted, "/from", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_sender_is_counted_refused_or_not_looked_at_as_the_account_wants() {
        let rules = AccountRules { atlas: Some(Arc::new(Atlas::shipped())), ..AccountRules::default() };
        let listed = AccountRules { senders: Senders::Only(vec!["Acme".into()]), ..rules.clone() };
        let to = |text| Msisdn::parse(text).expect("a number");
        let (france, ireland, china, usa) = (to("+33612345678"), to("+353851234567"), to("+8613812345678"), to("+12125552368"));
        let mut warn = Arrivals::new(SenderCheck::Warn);
        for _ in 0..2 {
            assert_eq!(warn.of(&rules, "Acme", france), Ok(Arrival::AsItIs));
            assert_eq!(warn.of(&rules, "Acme Shop", france), Ok(Arrival::Refused(SenderFault::Character)));
            assert_eq!(warn.of(&rules, "Acme", ireland), Ok(Arrival::Unregistered));
            assert_eq!(warn.of(&rules, "Acme", china), Ok(Arrival::Replaced));
        }
        assert_eq!(Arrivals::new(SenderCheck::Warn).of(&listed, "Acme", ireland), Ok(Arrival::AsItIs));
        let mut refuse = Arrivals::new(SenderCheck::Refuse);
        assert_eq!(refuse.of(&rules, "Acme", usa).map_err(|refusal| refusal.code), Err(Code::SenderNotAccepted));
        assert_eq!(refuse.of(&rules, "Acme", ireland).map_err(|refusal| refusal.code), Err(Code::SenderNotAccepted));
        assert_eq!(refuse.of(&rules, "Acme", china), Ok(Arrival::Replaced));
        assert_eq!(Arrivals::new(SenderCheck::Off).of(&rules, "Acme", usa), Ok(Arrival::Unknown));
    }
}
