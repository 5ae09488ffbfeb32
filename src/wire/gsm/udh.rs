//! The user data header before a text (3GPP TS 23.040 clause 9.2.3.24): written for parts of a long text, read from anyone.
//!
//! Reading copies nothing and never fails loudly: a header that is not well formed has no elements, as the clause wants.

/// How wide the reference is that ties the parts of one text together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ConcatRef {
    /// One octet (element 0x00): every handset knows it.
    #[default]
    Bits8,
    /// Two octets (element 0x08): for many texts to one number within the time of reassembly.
    Bits16,
}

impl ConcatRef {
    /// Octets of the whole header, its length octet included: 6 or 7.
    #[must_use]
    pub const fn header_octets(self) -> usize {
        match self {
            ConcatRef::Bits8 => 6,
            ConcatRef::Bits16 => 7,
        }
    }
}

/// Which part of which text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Concat {
    /// How wide the reference is on the wire; part of the identity of a text.
    pub width: ConcatRef,
    /// The same in all parts; with [`ConcatRef::Bits8`] only the low octet travels.
    pub reference: u16,
    /// Number of parts, 1 to 255.
    pub total: u8,
    /// This part, 1 to `total`.
    pub sequence: u8,
}

impl Concat {
    /// Writes the whole header, length octet first, into a buffer and gives it.
    pub fn write(self, buffer: &mut [u8; 7]) -> &[u8] {
        debug_assert!(self.sequence >= 1 && self.sequence <= self.total, "a part has a place among the parts");
        let [high, low] = self.reference.to_be_bytes();
        match self.width {
            ConcatRef::Bits8 => *buffer = [5, CONCAT_8, 3, low, self.total, self.sequence, 0],
            ConcatRef::Bits16 => *buffer = [6, CONCAT_16, 4, high, low, self.total, self.sequence],
        }
        &buffer[..self.width.header_octets()]
    }

    /// From an information element; `None` if it is another one, has another length, or its numbers make no sense
    /// (total 0, sequence 0, sequence above total), in which case the clause wants it ignored.
    #[must_use]
    pub fn read(element: Element<'_>) -> Option<Concat> {
        let (width, reference, total, sequence) = match (element.id, element.data) {
            (CONCAT_8, &[reference, total, sequence]) => (ConcatRef::Bits8, u16::from(reference), total, sequence),
            (CONCAT_16, &[high, low, total, sequence]) => (ConcatRef::Bits16, u16::from_be_bytes([high, low]), total, sequence),
            _ => return None,
        };
        (sequence >= 1 && sequence <= total).then_some(Concat { width, reference, total, sequence })
    }
}

const CONCAT_8: u8 = 0x00;
const CONCAT_16: u8 = 0x08;

/// One information element of a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Element<'a> {
    /// The identifier: 0x00 concatenation, 0x05 ports, 0x24 and 0x25 national tables, …
    pub id: u8,
    /// 0 to 255 octets.
    pub data: &'a [u8],
}

/// A header as received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Udh<'a> {
    elements: &'a [u8],
}

impl<'a> Udh<'a> {
    /// Splits user data into its header and the text behind. `None` if there is no octet, or the announced length is
    /// more than what is there; the caller then has text only.
    ///
    /// If an element runs over the end of the header, the header has no elements at all ("too few or too many octets in
    /// the final information element: the whole header shall be ignored"), but the text still begins behind it.
    #[must_use]
    pub fn split(user_data: &'a [u8]) -> Option<(Udh<'a>, &'a [u8])> {
        let (&length, rest) = user_data.split_first()?;
        let (mut elements, text) = rest.split_at_checked(usize::from(length))?;
        let mut walk = Elements { rest: elements };
        while walk.next().is_some() {}
        if !walk.rest.is_empty() {
            elements = &[];
        }
        Some((Udh { elements }, text))
    }

    /// The elements in their order.
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        Elements { rest: self.elements }
    }

    /// Which part of which text this is, if it is one. Of several concatenation elements the last one that makes sense
    /// counts.
    #[must_use]
    pub fn concat(self) -> Option<Concat> {
        self.elements().filter_map(Concat::read).last()
    }
}

/// The elements of a header, one after the other; ends at the first that is cut off. At most 128 (a header has at most
/// 255 octets, an element at least two).
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (&[id, length], rest) = self.rest.split_first_chunk::<2>()?;
        let (data, rest) = rest.split_at_checked(usize::from(length))?;
        self.rest = rest;
        Some(Element { id, data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn concat_of(hex: &str) -> Option<Concat> {
        let octets = hex::decode(hex).expect("hex");
        Udh::split(&octets).expect("a header").0.concat()
    }

    #[test]
    fn both_widths_are_written_as_the_clause_says() {
        let mut buffer = [0; 7];
        let part = Concat { width: ConcatRef::Bits8, reference: 0x42, total: 3, sequence: 2 };
        assert_eq!(part.write(&mut buffer), [5, 0, 3, 0x42, 3, 2]);
        let part = Concat { width: ConcatRef::Bits16, reference: 0x1234, total: 3, sequence: 2 };
        assert_eq!(part.write(&mut buffer), [6, 8, 4, 0x12, 0x34, 3, 2]);
    }

    #[test]
    fn a_concatenation_without_sense_is_ignored() {
        assert_eq!(concat_of("050003420001"), None, "total 0");
        assert_eq!(concat_of("050003420200"), None, "sequence 0");
        assert_eq!(concat_of("050003420203"), None, "sequence above total");
        assert_eq!(concat_of("0400024202"), None, "too short for its kind");
        let part = Concat { width: ConcatRef::Bits8, reference: 0x42, total: 2, sequence: 2 };
        assert_eq!(concat_of("0a000342020200034202ff"), Some(part), "one without sense does not hide one with");
    }

    #[test]
    fn concatenation_is_found_among_other_elements() {
        let octets = hex::decode("0b05040b8423f0000342020168656c6c6f").expect("hex");
        let (udh, text) = Udh::split(&octets).expect("a header");
        let ids: Vec<_> = udh.elements().map(|element| (element.id, element.data.len())).collect();
        assert_eq!(ids, [(5, 4), (0, 3)]);
        assert_eq!(udh.concat(), Some(Concat { width: ConcatRef::Bits8, reference: 0x42, total: 2, sequence: 1 }));
        assert_eq!(text, b"hello");
    }

    #[test]
    fn a_header_with_a_broken_last_element_has_none_and_the_text_remains() {
        for header in ["060003420201ff", "070003420201ff05", "0500044202ff"] {
            let octets = hex::decode(format!("{header}6869")).expect("hex");
            let (udh, text) = Udh::split(&octets).expect("a header");
            assert_eq!((udh.elements().count(), text), (0, &b"hi"[..]), "{header}");
        }
    }

    #[test]
    fn a_length_beyond_the_user_data_is_no_header() {
        assert_eq!(Udh::split(&[]), None);
        assert_eq!(Udh::split(&[1]), None);
        assert_eq!(Udh::split(&[5, 0, 3, 1, 2]), None);
        assert!(Udh::split(&[0]).is_some());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(wide: bool, reference: u16, total in 1u8..=255, place: prop::sample::Index, text: Vec<u8>) {
            let (width, reference) = if wide { (ConcatRef::Bits16, reference) } else { (ConcatRef::Bits8, reference & 0xFF) };
            let part = Concat { width, reference, total, sequence: place.index(usize::from(total)) as u8 + 1 };
            let mut octets = part.write(&mut [0; 7]).to_vec();
            octets.extend_from_slice(&text);
            let (udh, rest) = Udh::split(&octets).expect("a header");
            prop_assert_eq!(udh.concat(), Some(part));
            prop_assert_eq!(rest, &text[..]);
        }

        #[test]
        fn any_octets_are_read_within_their_bounds(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some((udh, text)) = Udh::split(&octets) {
                prop_assert_eq!(text.len() + usize::from(octets[0]) + 1, octets.len());
                let read: usize = udh.elements().map(|element| element.data.len() + 2).sum();
                prop_assert!(read == 0 || read == usize::from(octets[0]));
                if let Some(part) = udh.concat() {
                    prop_assert!(part.sequence >= 1 && part.sequence <= part.total);
                }
            }
        }
    }
}
