//! Why a text is not read as a number. The mistake is always the writer's: trying again does not help.

/// Why there is no [`super::Number`]. A number that is read but not valid is no fault: it says so itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NumberFault {
    /// Nothing, or nothing that looks like a number.
    #[error("not a number")]
    NotANumber,
    /// Neither an international form nor a default region, or a country code nobody has.
    #[error("no known country code")]
    CountryCode,
    /// Nothing is left behind the prefixes.
    #[error("too short for a number")]
    TooShort,
    /// More than 17 digits behind the country code, or a text of more than 250 octets.
    #[error("too long for a number")]
    TooLong,
    /// Two numbers in one field.
    #[error("more than one number")]
    TwoNumbers,
    /// The default region is none we know.
    #[error("no such region")]
    Region,
}
