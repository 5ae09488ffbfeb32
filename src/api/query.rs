//! The query of a request: names and values, percent-decoded, each bounded by the head of the request.

use crate::api::problem::Problem;

/// The parameters in their order.
///
/// # Errors
/// `bad_query` for escapes that are none and for what is not UTF-8.
pub(super) fn read(query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let wrong = || Problem::query("", "an escape that is none, or not UTF-8");
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Some((decode(name)?, decode(value)?))
    };
    query.unwrap_or_default().split('&').filter(|part| !part.is_empty()).map(|part| pair(part).ok_or_else(wrong)).collect()
}

/// A query that must be empty.
pub(super) fn none(query: Option<&str>) -> Result<(), Problem> {
    if query.is_none_or(str::is_empty) { Ok(()) } else { Err(Problem::query("", "this call has no parameters")) }
}

fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        out.push(match octet {
            b'+' => b' ',
            b'%' => {
                let mut digit = || octets.next().and_then(|octet| char::from(octet).to_digit(16));
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_off_and_what_is_none_is_refused() {
        let pairs = read(Some("from=MY+SHOP&text=%C3%A9t%c3%a9%20%26&&x")).expect("right");
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, [("from", "MY SHOP"), ("text", "été &"), ("x", "")]);
        for wrong in ["a=%", "a=%2", "a=%zz", "a=%ff", "%c3=x"] {
            assert!(read(Some(wrong)).is_err(), "{wrong}");
        }
        assert!(read(None).is_ok_and(|pairs| pairs.is_empty()));
    }
}
