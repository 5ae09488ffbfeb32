//! `[[routes]]`: which carrier takes which numbers. The first route whose prefix matches is taken.

use super::reader::Reader;
use super::rules::{CARRIER_NAME, PREFIX, PRICE};
use crate::base::Price;

/// Numbers that begin so go there.
#[derive(Clone, Debug)]
pub struct Route {
    /// Digits without plus; empty = all.
    pub prefix: String,
    /// The name of a carrier of the file.
    pub carrier: String,
    /// What a segment costs there, for `POST /v1/explain`.
    pub price: Option<Price>,
}

pub(super) fn read(r: &mut Reader<'_>) -> Route {
    Route {
        prefix: r.required_text("prefix", &PREFIX),
        carrier: r.required_text("carrier", &CARRIER_NAME),
        price: r.optional_text("price", "optional", &PRICE),
    }
}
