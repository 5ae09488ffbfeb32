//! Money: whole millionths of a unit of one currency, so that a million segments add up to the last digit.

use std::fmt;

/// An amount in a currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Price {
    /// Millionths of the currency's unit.
    pub micros: u64,
    /// Three capitals (ISO 4217); whether there is such a currency is not looked at.
    pub currency: [u8; 3],
}

/// The largest amount that is read, in whole units: a segment never costs so much.
const UNITS_MAX: u64 = 1_000_000;

impl Price {
    /// Reads `0.045 EUR`: an amount with at most six decimals, a space, three capitals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Price> {
        let (amount, currency) = text.split_once(' ')?;
        let currency: [u8; 3] = currency.as_bytes().try_into().ok()?;
        let (whole, decimals) = amount.split_once('.').unwrap_or((amount, "0"));
        let are_digits = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
        if !are_digits(whole, 7) || !are_digits(decimals, 6) || !currency.iter().all(u8::is_ascii_uppercase) {
            return None;
        }
        let units: u64 = whole.parse().ok().filter(|units| *units <= UNITS_MAX)?;
        let micros = decimals.parse::<u64>().ok()? * 10u64.pow(6 - decimals.len() as u32);
        Some(Price { micros: units * 1_000_000 + micros, currency })
    }

    /// So many times the amount.
    #[must_use]
    pub const fn times(self, count: u64) -> Price {
        Price { micros: self.micros.saturating_mul(count), currency: self.currency }
    }
}

/// `0.045 EUR`: two decimals at least.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:06}", self.micros % 1_000_000);
        let kept = decimals.trim_end_matches('0').len().max(2);
        let currency = std::str::from_utf8(&self.currency).expect("capitals are ASCII");
        write!(f, "{}.{} {currency}", self.micros / 1_000_000, &decimals[..kept])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_and_shown_to_the_last_digit() {
        for (text, micros, shown) in [
            ("0.045 EUR", 45_000, "0.045 EUR"),
            ("1 USD", 1_000_000, "1.00 USD"),
            ("0.000001 XOF", 1, "0.000001 XOF"),
            ("12.5 CHF", 12_500_000, "12.50 CHF"),
            ("1000000.999999 JPY", 1_000_000_999_999, "1000000.999999 JPY"),
        ] {
            let price = Price::parse(text).expect(text);
            assert_eq!((price.micros, price.to_string().as_str()), (micros, shown));
        }
        assert_eq!(Price::parse("0.045 EUR").expect("a price").times(1_000_000).to_string(), "45000.00 EUR");
        for text in [
            "",
            "EUR",
            "0.045",
            "0.045EUR",
            "0.045  EUR",
            "0,045 EUR",
            "-1 EUR",
            "1. EUR",
            ".5 EUR",
            "1 eur",
            "1 EURO",
            "0.0000001 EUR",
            "1000001 EUR",
            "99999999 EUR",
        ] {
            assert_eq!(Price::parse(text), None, "{text}");
        }
    }
}
