//! Octets of the customer's own, from how they were written: hexadecimal or base64, and the header before them. Pure.

use crate::pipeline::accept::{Code, Form, Ports, Refusal};
use crate::wire::gsm::Udh;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The longest header a customer may give, its length octet included: room for octets is left in each part.
const HEADER_OCTETS_MAX: usize = 100;

/// Elements that are ours to write: concatenation and national tables.
const OURS: [u8; 4] = [0x00, 0x08, 0x24, 0x25];

/// Padding or none: both are written.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Reads the octets and the header, with its length octet, of a binary message; both replace what the buffers held.
///
/// # Errors
/// `invalid_value`, `too_long`.
pub(super) fn read(form: &Form<'_>, octets: &mut Vec<u8>, header: &mut Vec<u8>) -> Result<(), Refusal> {
    let invalid = |pointer: &'static str, detail: &'static str| Refusal::new(Code::InvalidValue, pointer, detail);
    octets.clear();
    header.clear();
    let data = form.data.unwrap_or_default();
    let is_read = match data.strip_prefix("base64:") {
        Some(data) => BASE64.decode_vec(data, octets).is_ok(),
        // A habit of programmers, and by chance base64.
        None if data.starts_with("0x") || data.starts_with("0X") => false,
        // Digits alone are hexadecimal; whoever means base64 by such a text says so.
        None => from_hex(data, octets) || BASE64.decode_vec(data, octets).is_ok(),
    };
    if !is_read || octets.is_empty() {
        return Err(invalid("/data", "expected octets in hexadecimal or base64"));
    }
    if let Some(Ports { to, from }) = form.ports {
        header.extend_from_slice(&[6, 0x05, 4]);
        header.extend(to.to_be_bytes());
        header.extend(from.to_be_bytes());
    }
    if let Some(udh) = form.udh {
        if udh.len() > 2 * HEADER_OCTETS_MAX {
            return Err(Refusal::new(Code::TooLong, "/udh", "at most 100 octets"));
        }
        let is_header = from_hex(udh, header)
            && Udh::split(header).is_some_and(|(elements, rest)| {
                let octets: usize = elements.elements().map(|element| element.data.len() + 2).sum();
                rest.is_empty() && octets > 0 && octets + 1 == header.len()
            });
        if !is_header {
            return Err(invalid("/udh", "expected a user data header in hexadecimal, its length first"));
        }
        if Udh::split(header).is_some_and(|(elements, _)| elements.elements().any(|element| OURS.contains(&element.id))) {
            return Err(invalid("/udh", "concatenation and national tables are not given"));
        }
    }
    Ok(())
}

/// Appends the octets of pairs of digits; false, and nothing, if it is something else.
fn from_hex(text: &str, out: &mut Vec<u8>) -> bool {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |octet: u8| char::from(octet).to_digit(16).map(|digit| digit as u8);
    let start = out.len();
    for &[high, low] in pairs {
        let (Some(high), Some(low)) = (digit(high), digit(low)) else {
            out.truncate(start);
            return false;
        };
        out.push(high << 4 | low);
    }
    if !rest.is_empty() {
        out.truncate(start);
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(form: Form<'_>) -> Result<(Vec<u8>, Vec<u8>), (Code, String)> {
        let (mut octets, mut header) = (vec![9], vec![9]);
        match read(&form, &mut octets, &mut header) {
            Ok(()) => Ok((octets, header)),
            Err(refusal) => Err((refusal.code, refusal.pointer.to_string())),
        }
    }

    #[test]
    fn octets_are_hexadecimal_or_base64_and_ports_become_a_header() {
        let data = |data| Form { data: Some(data), ..Form::default() };
        assert_eq!(read_all(data("00ffA1")), Ok((vec![0, 0xFF, 0xA1], vec![])));
        assert_eq!(read_all(data("AP+h")), Ok((vec![0, 0xFF, 0xA1], vec![])));
        assert_eq!(read_all(data("AP8=")), Ok((vec![0, 0xFF], vec![])));
        assert_eq!(read_all(data("AP8")), Ok((vec![0, 0xFF], vec![])));
        assert_eq!(read_all(data("base64:abcd")), Ok((vec![0x69, 0xB7, 0x1D], vec![])));
        let ports = Form { ports: Some(Ports { to: 2_948, from: 9_200 }), ..data("01") };
        assert_eq!(read_all(ports), Ok((vec![1], vec![6, 5, 4, 0x0B, 0x84, 0x23, 0xF0])));
        let udh = Form { udh: Some("06050415811581"), ..data("01") };
        assert_eq!(read_all(udh), Ok((vec![1], vec![6, 5, 4, 0x15, 0x81, 0x15, 0x81])));
    }

    #[test]
    fn what_is_no_octets_or_no_header_says_so() {
        for data in ["", "0x01", "é", "base64:", "base64:é"] {
            assert_eq!(read_all(Form { data: Some(data), ..Form::default() }), Err((Code::InvalidValue, "/data".into())), "{data}");
        }
        let long = "00".repeat(101);
        for (udh, code) in [
            ("", Code::InvalidValue),
            ("00", Code::InvalidValue),
            ("0605", Code::InvalidValue),
            ("060504158115810001", Code::InvalidValue),
            ("05000301020100", Code::InvalidValue),
            ("050003010201", Code::InvalidValue),
            ("03240101", Code::InvalidValue),
            ("xx", Code::InvalidValue),
            (&long, Code::TooLong),
        ] {
            let form = Form { data: Some("01"), udh: Some(udh), ..Form::default() };
            assert_eq!(read_all(form), Err((code, "/udh".into())), "{udh}");
        }
    }
}
