//! Why rules and time zones were not taken. The mistake is in a file or in the configuration; trying again does not help.

use crate::config::limits::{FORMER_RULES_MAX, RULES_KEPT_BYTES_MAX};
use crate::directory::hours::PackFault;
use crate::directory::hours::zone::ZoneFault;

/// Why rules were not taken. Those in use stay.
#[derive(Debug, thiserror::Error)]
pub enum LawFault {
    /// A rule file.
    #[error("rules: {0}")]
    Pack(#[from] PackFault),
    /// A time zone file.
    #[error("time zones: {0}")]
    Zones(#[from] ZoneFault),
    /// An account names what is not there.
    #[error("accounts.{account}.{key}: {why}")]
    Account {
        /// The account.
        account: Box<str>,
        /// The key of its section.
        key: &'static str,
        /// What is wrong.
        why: Box<str>,
    },
    /// Each replaced pack must go on allowing for seven days, and there are that many already.
    #[error("the rules were replaced {FORMER_RULES_MAX} times within seven days: those must all still allow, and no more can be kept")]
    TooOften,
    /// They are kept for seven days after they are replaced.
    #[error("rules and time zones have more than {RULES_KEPT_BYTES_MAX} octets together")]
    TooLarge,
}
