//! Smart substitution: what only looks better than the GSM alphabet (curly quotes, dashes, full-width letters, odd
//! spaces) replaced by what the alphabet has, so that one such character does not double the price of a text.
//!
//! Opt-in, and before the choice of the alphabet; the caller keeps the original. Letters with accents are not touched:
//! that would change meaning. Addresses of the web are not touched: they would lead elsewhere. Nothing can fail.

use super::segment::{Encoding, Segmented, SplitRule, segment};
use super::udh::ConcatRef;

/// A character that was replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// What stood in the text.
    pub from: char,
    /// What stands there now; may be nothing.
    pub to: &'static str,
    /// How often.
    pub count: u32,
}

/// A text after substitution. Kept and given again, it allocates nothing once it has grown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Substituted {
    /// The new text.
    pub text: String,
    /// What was replaced, in the order of its first place; empty if the text is as it was.
    pub replaced: Vec<Replaced>,
}

/// What a text costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Its alphabet.
    pub encoding: Encoding,
    /// Septets or UTF-16 code units.
    pub units: u32,
    /// Messages on the network.
    pub segments: usize,
}

/// What substitution would save.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Saving {
    /// The text as it is.
    pub before: Cost,
    /// The text after substitution.
    pub after: Cost,
}

impl Saving {
    /// Segments fewer; 0 if substitution saves none (three dots for one may even cost one more).
    #[must_use]
    pub const fn segments(self) -> usize {
        self.before.segments.saturating_sub(self.after.segments)
    }
}

/// What stands in for a character, if anything does.
#[must_use]
pub fn replacement_of(c: char) -> Option<&'static str> {
    let at = SUBSTITUTES.binary_search_by(|row| row.0.cmp(&c)).ok()?;
    Some(SUBSTITUTES[at].1)
}

/// Replaces what can be replaced in `text`; the former content of `out` is lost.
pub fn substitute(text: &str, out: &mut Substituted) {
    out.text.clear();
    out.replaced.clear();
    out.text.reserve(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let plain = address_octets(rest);
        if plain > 0 {
            out.text.push_str(&rest[..plain]);
            rest = &rest[plain..];
            continue;
        }
        let (word, behind) = rest.split_at(word_octets(rest));
        for c in word.chars() {
            match replacement_of(c) {
                None => out.text.push(c),
                Some(to) => {
                    out.text.push_str(to);
                    match out.replaced.iter_mut().find(|one| one.from == c) {
                        Some(one) => one.count += 1,
                        None => out.replaced.push(Replaced { from: c, to, count: 1 }),
                    }
                }
            }
        }
        rest = behind;
    }
}

/// What substitution would save under these rules; `out` then holds the new text and what was replaced in it.
#[must_use]
pub fn saving(text: &str, rule: SplitRule, concat: ConcatRef, out: &mut Substituted) -> Saving {
    let mut segmented = Segmented::default();
    let mut cost = |text: &str| {
        segment(text, rule, concat, &mut segmented);
        Cost { encoding: segmented.encoding, units: segmented.units, segments: segmented.segments() }
    };
    substitute(text, out);
    let before = cost(text);
    Saving { before, after: if out.replaced.is_empty() { before } else { cost(&out.text) } }
}

/// What begins an address.
const ADDRESSES: [&str; 3] = ["https://", "http://", "www."];

/// Octets of the address `text` begins with: up to a space, a quote or an angle bracket. 0 if it begins with none.
pub(super) fn address_octets(text: &str) -> usize {
    let is_one = ADDRESSES.iter().any(|start| text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)));
    if !is_one {
        return 0;
    }
    let ends = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || "\"<>\u{AB}\u{BB}\u{2026}\u{2039}\u{203A}".contains(c)
            || ('\u{2018}'..='\u{201F}').contains(&c)
    };
    text.find(ends).unwrap_or(text.len())
}

/// Octets before the next place where an address may begin; at least one character of a text that is not empty.
pub(super) fn word_octets(text: &str) -> usize {
    // Only an `h` or a `w` begins one: the others are passed by in one stride.
    let second = text.chars().next().map_or(0, char::len_utf8);
    text[second..].find(['h', 'H', 'w', 'W']).map_or(text.len(), |at| second + at)
}

/// By character, rising: what Twilio's smart encoding was seen to do (`tests/vectors/smart_substitution.json`).
#[rustfmt::skip]
const SUBSTITUTES: [(char, &str); 271] = [
    ('\u{0}', ""), ('\u{3}', ""), ('\u{4}', ""), ('\u{9}', "       "), ('\u{10}', ""), ('\u{11}', ""), ('\u{12}', ""),
    ('\u{13}', ""), ('\u{14}', ""), ('\u{17}', ""), ('\u{19}', ""), ('`', "'"), ('\u{80}', "  "), ('\u{8D}', "  "),
    ('\u{90}', "  "), ('\u{9B}', "  "), ('\u{9F}', "  "), ('\u{A0}', "  "), ('\u{AB}', "\""), ('\u{B4}', "'"), ('\u{BB}', "\""),
    ('\u{BC}', "1/4"), ('\u{BD}', "1/2"), ('\u{BE}', "3/4"), ('\u{F7}', "/"), ('\u{1C3}', "!"), ('\u{262}', "G"), ('\u{26A}', "I"),
    ('\u{274}', "N"), ('\u{280}', "R"), ('\u{28F}', "Y"), ('\u{299}', "B"), ('\u{29C}', "H"), ('\u{29F}', "L"), ('\u{2B9}', "'"),
    ('\u{2BA}', "\""), ('\u{2BB}', "'"), ('\u{2BC}', "'"), ('\u{2BD}', "'"), ('\u{2C6}', "^"), ('\u{2C8}', "'"), ('\u{2CA}', "'"),
    ('\u{2CB}', "'"), ('\u{2D0}', ":"), ('\u{2D6}', "+"), ('\u{2DC}', "~"), ('\u{2EE}', "\""), ('\u{2F7}', "~"), ('\u{2F8}', ":"),
    ('\u{302}', "^"), ('\u{303}', "~"), ('\u{313}', "'"), ('\u{314}', "'"), ('\u{326}', ","), ('\u{330}', "~"), ('\u{332}', "_"),
    ('\u{334}', "~"), ('\u{337}', "/"), ('\u{338}', "/"), ('\u{347}', "="), ('\u{1D00}', "A"), ('\u{1D04}', "C"), ('\u{1D05}', "D"),
    ('\u{1D07}', "E"), ('\u{1D0A}', "J"), ('\u{1D0B}', "K"), ('\u{1D0D}', "M"), ('\u{1D0F}', "O"), ('\u{1D18}', "P"),
    ('\u{1D1B}', "T"), ('\u{1D1C}', "U"), ('\u{1D20}', "V"), ('\u{1D21}', "W"), ('\u{1D22}', "Z"), ('\u{1DCD}', "^"),
    ('\u{2000}', "  "), ('\u{2001}', " "), ('\u{2002}', "  "), ('\u{2003}', "  "), ('\u{2004}', "  "), ('\u{2005}', "  "),
    ('\u{2006}', "  "), ('\u{2007}', "  "), ('\u{2008}', "  "), ('\u{2009}', "  "), ('\u{200A}', "  "), ('\u{200B}', ""),
    ('\u{200C}', ""), ('\u{2010}', "-"), ('\u{2013}', "-"), ('\u{2014}', "-"), ('\u{2015}', "-"), ('\u{2017}', "_"),
    ('\u{2018}', "'"), ('\u{2019}', "'"), ('\u{201A}', ","), ('\u{201B}', "'"), ('\u{201C}', "\""), ('\u{201D}', "\""),
    ('\u{201E}', "\""), ('\u{201F}', "\""), ('\u{2022}', "-"), ('\u{2026}', "..."), ('\u{2028}', " "), ('\u{2029}', " "),
    ('\u{202F}', "  "), ('\u{2039}', "<"), ('\u{203A}', ">"), ('\u{203C}', "!!"), ('\u{2043}', "-"), ('\u{2044}', "/"),
    ('\u{204E}', "*"), ('\u{204F}', ";"), ('\u{205F}', "  "), ('\u{2060}', ""), ('\u{20D2}', "|"), ('\u{20D3}', "|"),
    ('\u{20E5}', "\\"), ('\u{2215}', "/"), ('\u{2217}', "*"), ('\u{2223}', "|"), ('\u{223C}', "~"), ('\u{229B}', "*"),
    ('\u{239C}', "|"), ('\u{239F}', "|"), ('\u{23B8}', "|"), ('\u{23B9}', "|"), ('\u{23BC}', "-"), ('\u{23BD}', "-"),
    ('\u{23D0}', "|"), ('\u{2722}', "*"), ('\u{2723}', "*"), ('\u{2724}', "*"), ('\u{2725}', "*"), ('\u{2731}', "*"),
    ('\u{2732}', "*"), ('\u{2733}', "*"), ('\u{273A}', "*"), ('\u{273B}', "*"), ('\u{273C}', "*"), ('\u{273D}', "*"),
    ('\u{2743}', "*"), ('\u{2749}', "*"), ('\u{274A}', "*"), ('\u{274B}', "*"), ('\u{275B}', "'"), ('\u{275C}', "'"),
    ('\u{275D}', "\""), ('\u{275E}', "\""), ('\u{2768}', "("), ('\u{2769}', ")"), ('\u{276A}', "("), ('\u{276B}', ")"),
    ('\u{2774}', "{"), ('\u{2775}', "}"), ('\u{27EE}', "("), ('\u{27EF}', ")"), ('\u{2982}', ":"), ('\u{2985}', "("),
    ('\u{2986}', ")"), ('\u{29C6}', "*"), ('\u{29F5}', "\\"), ('\u{29F8}', "/"), ('\u{29F9}', "\\"), ('\u{3000}', "  "),
    ('\u{3001}', ","), ('\u{3002}', "."), ('\u{301D}', "\""), ('\u{301E}', "\""), ('\u{A730}', "F"), ('\u{A731}', "S"),
    ('\u{A789}', ":"), ('\u{A78A}', "="), ('\u{FE10}', "'"), ('\u{FE11}', "'"), ('\u{FE13}', ":"), ('\u{FE14}', ";"),
    ('\u{FE15}', "!"), ('\u{FE16}', "?"), ('\u{FE50}', ","), ('\u{FE51}', ","), ('\u{FE52}', "."), ('\u{FE54}', ";"),
    ('\u{FE56}', "?"), ('\u{FE57}', "!"), ('\u{FE59}', "("), ('\u{FE5A}', ")"), ('\u{FE5B}', "{"), ('\u{FE5C}', "}"),
    ('\u{FE5F}', "#"), ('\u{FE60}', "&"), ('\u{FE61}', "*"), ('\u{FE62}', "+"), ('\u{FE63}', "-"), ('\u{FE64}', "<"),
    ('\u{FE65}', ">"), ('\u{FE66}', "="), ('\u{FE68}', "\\"), ('\u{FE69}', "$"), ('\u{FE6A}', "%"), ('\u{FE6B}', "@"),
    ('\u{FEFF}', ""), ('\u{FF01}', "!"), ('\u{FF02}', "\""), ('\u{FF03}', "#"), ('\u{FF04}', "$"), ('\u{FF05}', "%"),
    ('\u{FF06}', "&"), ('\u{FF07}', "'"), ('\u{FF08}', "("), ('\u{FF09}', ")"), ('\u{FF0A}', "*"), ('\u{FF0B}', "+"),
    ('\u{FF0C}', ","), ('\u{FF0D}', "-"), ('\u{FF0E}', "."), ('\u{FF0F}', "/"), ('\u{FF10}', "0"), ('\u{FF11}', "1"),
    ('\u{FF12}', "2"), ('\u{FF13}', "3"), ('\u{FF14}', "4"), ('\u{FF15}', "5"), ('\u{FF16}', "6"), ('\u{FF17}', "7"),
    ('\u{FF18}', "8"), ('\u{FF19}', "9"), ('\u{FF1A}', ":"), ('\u{FF1B}', ";"), ('\u{FF1C}', "<"), ('\u{FF1D}', "="),
    ('\u{FF1E}', ">"), ('\u{FF1F}', "?"), ('\u{FF20}', "@"), ('\u{FF21}', "A"), ('\u{FF22}', "B"), ('\u{FF23}', "C"),
    ('\u{FF24}', "D"), ('\u{FF25}', "E"), ('\u{FF26}', "F"), ('\u{FF27}', "G"), ('\u{FF28}', "H"), ('\u{FF29}', "I"),
    ('\u{FF2A}', "J"), ('\u{FF2B}', "K"), ('\u{FF2C}', "L"), ('\u{FF2D}', "M"), ('\u{FF2E}', "N"), ('\u{FF2F}', "O"),
    ('\u{FF30}', "P"), ('\u{FF31}', "Q"), ('\u{FF32}', "R"), ('\u{FF33}', "S"), ('\u{FF34}', "T"), ('\u{FF35}', "U"),
    ('\u{FF36}', "V"), ('\u{FF37}', "W"), ('\u{FF38}', "X"), ('\u{FF39}', "Y"), ('\u{FF3A}', "Z"), ('\u{FF3B}', "["),
    ('\u{FF3C}', "\\"), ('\u{FF3D}', "]"), ('\u{FF3E}', "^"), ('\u{FF3F}', "_"), ('\u{FF5B}', "{"), ('\u{FF5C}', "|"),
    ('\u{FF5D}', "}"), ('\u{FF5E}', "~"), ('\u{FF61}', "."), ('\u{FF64}', ","),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn vectors(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    fn substituted(text: &str) -> Substituted {
        let mut out = Substituted::default();
        substitute(text, &mut out);
        out
    }

    #[test]
    fn every_character_of_the_vectors_and_no_other_is_replaced() {
        let all = vectors(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/smart_substitution.json")));
        let rows = all["map"].as_array().expect("rows");
        assert_eq!(rows.len(), 271);
        for row in rows {
            let (from, to) = (row["char"].as_str().expect("text"), row["to"].as_str().expect("text"));
            let out = substituted(from);
            assert_eq!((&*out.text, out.replaced.len()), (to, 1), "{}", row["from"]);
            assert_eq!((out.replaced[0].to, out.replaced[0].count), (to, 1), "{}", row["from"]);
        }
        let replaced = ('\0'..=char::MAX).filter(|c| replacement_of(*c).is_some()).count();
        assert_eq!(replaced, 271);
    }

    #[test]
    fn every_text_of_the_encoding_vectors_becomes_what_twilio_makes_of_it() {
        let all = vectors(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/encodings.json")));
        let (mut changed, mut out) = (0, Substituted::default());
        for case in all["cases"].as_array().expect("cases") {
            let (id, text) = (&case["id"], case["text"].as_str().expect("text"));
            let twilio = &case["oracles"]["twilio_smart_encoding"];
            let saving = saving(text, SplitRule::Grapheme, ConcatRef::Bits8, &mut out);
            assert_eq!(out.text, twilio["text"].as_str().unwrap_or(text), "{id}");
            let encoding = match saving.after.encoding {
                Encoding::Gsm7 => "GSM-7",
                Encoding::Ucs2 => "UCS-2",
            };
            assert_eq!(twilio["encoding"], encoding, "{id}");
            assert_eq!(case["segments"], saving.before.segments, "{id}");
            changed += usize::from(!out.replaced.is_empty());
        }
        assert_eq!(changed, 37);
    }

    #[test]
    fn what_was_replaced_is_told_with_how_often() {
        let out = substituted("\u{2018}a\u{2019} \u{2013} l\u{2019}\u{E9}t\u{E9}\u{2026}");
        assert_eq!(out.text, "'a' - l'\u{E9}t\u{E9}...");
        let told: Vec<_> = out.replaced.iter().map(|one| (one.from, one.to, one.count)).collect();
        assert_eq!(told, [('\u{2018}', "'", 1), ('\u{2019}', "'", 2), ('\u{2013}', "-", 1), ('\u{2026}', "...", 1)]);
    }

    #[test]
    fn one_curly_quote_less_saves_a_segment() {
        let text = format!("l\u{2019}{}", "a".repeat(70));
        let saving = saving(&text, SplitRule::Grapheme, ConcatRef::Bits8, &mut Substituted::default());
        assert_eq!((saving.before.segments, saving.after.segments, saving.segments()), (2, 1, 1));
        assert_eq!((saving.before.encoding, saving.after.encoding), (Encoding::Ucs2, Encoding::Gsm7));
    }

    #[test]
    fn addresses_are_left_as_they_are() {
        for (text, expected) in [
            ("\u{2013} https://ex.fr/a\u{2013}b \u{2013}", "- https://ex.fr/a\u{2013}b -"),
            ("\u{AB}www.ex.fr/\u{FF5E}me\u{BB}\u{2013}", "\"www.ex.fr/\u{FF5E}me\"-"),
            ("HTTP://ex.fr/`\u{A0}`", "HTTP://ex.fr/`  '"),
            ("who\u{2019}s hw\u{2019}", "who's hw'"),
            ("https:/\u{2019}", "https:/'"),
        ] {
            assert_eq!(substituted(text).text, expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_to_replace_and_the_counts_add_up(text in "([a-z ]|[\u{2010}-\u{2030}]|[\u{FF01}-\u{FF5E}]|\\PC){0,80}") {
            prop_assume!(address_free(&text));
            let out = substituted(&text);
            let count = text.chars().filter(|c| replacement_of(*c).is_some()).count();
            prop_assert_eq!(out.replaced.iter().map(|one| one.count as usize).sum::<usize>(), count);
            prop_assert_eq!(out.replaced.is_empty(), out.text == text);
            prop_assert!(out.text.chars().all(|c| replacement_of(c).is_none()));
        }

        #[test]
        fn any_text_is_taken(text in "(https?://|www\\.|[hw\u{2019} ]|\\PC){0,60}") {
            let out = substituted(&text);
            let (replaced, could_be) = (out.replaced.iter().map(|one| one.count as usize).sum::<usize>(), |c: &char| replacement_of(*c).is_some());
            let left = out.text.chars().filter(could_be).count();
            prop_assert_eq!(replaced + left, text.chars().filter(could_be).count());
            prop_assert_eq!(out.replaced.is_empty(), out.text == text);
        }
    }

    fn address_free(text: &str) -> bool {
        !text.contains("http") && !text.contains("www.")
    }
}
