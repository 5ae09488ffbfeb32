//! What customer and route want of a text, as octets: a text that is made when it is sent must come out the same after the
//! configuration has changed. In: wishes. Out: octets, and wishes again; `None` for octets that nobody here wrote.

use super::{RouteText, Wanted};
use crate::config::{Alphabet, ClassForm, Concat, Joining, Split, Substitute, Transliterate};
use crate::wire::gsm::national::{Allowed, AtEqualCost, Language, Shift};

/// The first octet; another form would have another one.
const FORM: u8 = 1;
const ALPHABETS: [Alphabet; 4] = [Alphabet::Gsm7, Alphabet::Latin1, Alphabet::Ascii, Alphabet::Gsm7Packed];
const JOININGS: [Joining; 3] = [Joining::Udh, Joining::Sar, Joining::Payload];
const CLASS_FORMS: [ClassForm; 3] = [ClassForm::General, ClassForm::Group, ClassForm::Subunit];
const LETTERS: [Transliterate; 7] = [
    Transliterate::Off,
    Transliterate::Gsm,
    Transliterate::Latin,
    Transliterate::Greek,
    Transliterate::Russian,
    Transliterate::Ukrainian,
    Transliterate::Bulgarian,
];
/// Bits of the flags, in their order.
const BMP_ONLY: u8 = 1;
const NATIONAL_FIRST: u8 = 2;
const CODE_POINTS: u8 = 4;
const WIDE: u8 = 8;
const UCS2: u8 = 16;
const SMART: u8 = 32;
const CLASS: u8 = 64;

fn number<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).expect("all of them are listed") as u8
}

impl Wanted<'_> {
    /// Appends these wishes, and those of the route, to `out`.
    pub fn keep(&self, route: &RouteText, out: &mut Vec<u8>) {
        let flags = [
            (route.bmp_only, BMP_ONLY),
            (route.at_equal_cost == AtEqualCost::National, NATIONAL_FIRST),
            (self.split == Split::Codepoint, CODE_POINTS),
            (self.concat == Concat::SixteenBit, WIDE),
            (self.force_ucs2, UCS2),
            (self.substitute == Substitute::Smart, SMART),
            (self.has_class, CLASS),
        ];
        let flags = flags.iter().filter(|(is_so, _)| *is_so).map(|(_, bit)| bit).sum();
        out.extend([FORM, number(&ALPHABETS, &route.alphabet), number(&JOININGS, &route.joining)]);
        out.extend([number(&CLASS_FORMS, &route.message_class_as), number(&LETTERS, &self.transliterate), flags]);
        out.push(route.national.len() as u8);
        out.extend(route.national.iter().map(|allowed| allowed.language.id()));
        out.extend_from_slice(self.mention.as_bytes());
    }

    /// What [`Wanted::keep`] wrote.
    #[must_use]
    pub fn kept(octets: &[u8]) -> Option<(Wanted<'_>, RouteText)> {
        let (&[form, alphabet, joining, class_as, letters, flags, count], rest) = octets.split_first_chunk()?;
        let (national, mention) = rest.split_at_checked(usize::from(count)).filter(|_| form == FORM)?;
        let allowed = |id: &u8| Some(Allowed { language: Language::of_id(*id)?, shift: Shift::Both });
        let has = |bit: u8| flags & bit != 0;
        let route = RouteText {
            alphabet: *ALPHABETS.get(usize::from(alphabet))?,
            joining: *JOININGS.get(usize::from(joining))?,
            message_class_as: *CLASS_FORMS.get(usize::from(class_as))?,
            bmp_only: has(BMP_ONLY),
            national: national.iter().map(allowed).collect::<Option<_>>()?,
            at_equal_cost: if has(NATIONAL_FIRST) { AtEqualCost::National } else { AtEqualCost::Ucs2 },
        };
        let wanted = Wanted {
            split: if has(CODE_POINTS) { Split::Codepoint } else { Split::Grapheme },
            concat: if has(WIDE) { Concat::SixteenBit } else { Concat::EightBit },
            force_ucs2: has(UCS2),
            substitute: if has(SMART) { Substitute::Smart } else { Substitute::Off },
            transliterate: *LETTERS.get(usize::from(letters))?,
            mention: std::str::from_utf8(mention).ok()?,
            has_class: has(CLASS),
        };
        Some((wanted, route))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wishes_come_back_as_they_were_kept() {
        for (alphabet, letters, bit) in [(0, 0, 0), (1, 6, 0x7F), (2, 3, BMP_ONLY | WIDE | SMART), (3, 1, NATIONAL_FIRST | UCS2 | CLASS)] {
            let mut octets = vec![FORM, alphabet, alphabet % 3, (alphabet + 1) % 3, letters, bit, 2, 1, 13];
            octets.extend_from_slice("STOP au 36111 é".as_bytes());
            let (wanted, route) = Wanted::kept(&octets).expect("sound");
            assert_eq!((wanted.mention, route.national.len(), wanted.has_class), ("STOP au 36111 é", 2, bit & CLASS != 0));
            let mut again = Vec::new();
            wanted.keep(&route, &mut again);
            assert_eq!(again, octets);
        }
    }

    proptest! {
        #[test]
        fn other_octets_are_no_wishes_and_no_panic(octets in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some((wanted, route)) = Wanted::kept(&octets) {
                let mut again = Vec::new();
                wanted.keep(&route, &mut again);
                prop_assert_eq!(&again[1..5], &octets[1..5]);
            }
        }
    }
}
