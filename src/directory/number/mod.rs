//! Numbers: what somebody wrote read as E.164, with region, type and validity; where on the clock the recipient may be; and
//! what a sender may look like in the recipient's country.
//!
//! Pure: the tables are built in (`config/rules/`), [`Numbers`] and [`Senders`] are made once at start and shared; nothing
//! here looks anything up elsewhere. A number says which network and area gave it out, not who has it now: numbers are
//! ported, so region, state and zones are estimates that a recipient's own data outranks.
//! [`crate::base::Msisdn`] stays the cheap check of form; this is the check of substance, about a microsecond.

mod area;
mod fault;
mod france;
mod place;
mod plan;
mod prefix;
mod region;
mod sender;
mod value;
#[cfg(test)]
mod vectors_test;
mod zone;

pub use area::Area;
pub use fault::NumberFault;
pub use place::{Place, Places};
pub use plan::Numbers;
pub use region::Region;
pub use sender::{Access, Letters, Registry, SenderFault, SenderRule, Senders, Verdict};
pub use value::{Kind, Number, Possible};
pub use zone::Zone;
