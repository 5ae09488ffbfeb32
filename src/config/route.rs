//! `[[routes]]`: which carrier takes which numbers. The first route whose prefix matches is taken.

use super::reader::Reader;
use super::rules::{CARRIER_NAME, PREFIX};
use super::text::NATIONAL;

/// Numbers that begin so go there.
#[derive(Clone, Debug)]
pub struct Route {
    /// Digits without plus; empty = all.
    pub prefix: String,
    /// The name of a carrier of the file.
    pub carrier: String,
    /// Languages whose national tables handsets there know, by their number in the header; none = no tables.
    pub national: Vec<u8>,
    /// Whether those tables come before UCS-2 where both take the same number of segments.
    pub national_first: bool,
}

pub(super) fn read(r: &mut Reader<'_>) -> Route {
    Route {
        prefix: r.required_text("prefix", &PREFIX),
        carrier: r.required_text("carrier", &CARRIER_NAME),
        national: r.choices("national", NATIONAL, 0),
        national_first: r.flag("national_first", false),
    }
}
