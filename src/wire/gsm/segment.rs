//! The one place that counts and splits a text: what is priced, previewed and sent comes from here and so cannot differ.
//!
//! In: a text. Out: its alphabet, its octets without headers, and where they are cut. Nothing can fail; how many
//! segments are too many is the caller's question (a header can number [`SEGMENTS_MAX`]).
//!
//! Rules: one segment if the whole fits, else greedy. An escape pair or a surrogate pair is never cut; with
//! [`SplitRule::Grapheme`] neither is what a reader takes for one character (UAX 29 extended grapheme cluster), unless it
//! is wider than a segment. CR LF may be cut.

use unicode_segmentation::GraphemeCursor;

use super::alphabet::{self, ESC};
use super::ucs2;
use super::udh::ConcatRef;

/// The most parts a concatenation header can number.
pub const SEGMENTS_MAX: usize = 255;

/// Longest text that is taken: offsets are 32 bits. The door refuses far shorter ones.
const TEXT_OCTETS_MAX: usize = 1 << 30;

/// How the octets of a text are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Encoding {
    /// GSM 7-bit default alphabet with its extension; a unit is a septet, unpacked into one octet.
    #[default]
    Gsm7,
    /// UTF-16BE, called UCS-2; a unit is a code unit of two octets.
    Ucs2,
}

impl Encoding {
    /// Units that fit a message of one segment: 160 or 70.
    #[must_use]
    pub const fn single_units(self) -> u32 {
        match self {
            Encoding::Gsm7 => 160,
            Encoding::Ucs2 => 70,
        }
    }

    /// Units that fit each segment of several, beside the header: 153, 152, 67 or 66.
    #[must_use]
    pub const fn part_units(self, concat: ConcatRef) -> u32 {
        match (self, concat) {
            (Encoding::Gsm7, ConcatRef::Bits8) => 153,
            (Encoding::Gsm7, ConcatRef::Bits16) => 152,
            (Encoding::Ucs2, ConcatRef::Bits8) => 67,
            (Encoding::Ucs2, ConcatRef::Bits16) => 66,
        }
    }

    /// Octets of [`Segmented::octets`] per unit: 1 or 2.
    #[must_use]
    pub const fn unit_octets(self) -> usize {
        match self {
            Encoding::Gsm7 => 1,
            Encoding::Ucs2 => 2,
        }
    }
}

/// What must not be cut, beside escape pairs and surrogate pairs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SplitRule {
    /// Whole grapheme clusters: flags, emoji with modifiers, letters with their marks.
    #[default]
    Grapheme,
    /// Code points only: fewest segments, and the count most other platforms bill.
    CodePoint,
}

/// A text as it will travel. Kept and given again to [`segment`], it allocates nothing once it has grown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Segmented {
    /// How to read `octets`.
    pub encoding: Encoding,
    /// All segments one after the other, without headers: a septet per octet, or UTF-16BE.
    pub octets: Vec<u8>,
    /// Where each segment ends in `octets`. At least one after [`segment`]: an empty text is one empty segment.
    pub ends: Vec<u32>,
    /// Septets or UTF-16 code units of the whole text.
    pub units: u32,
    /// Why the text is not GSM 7-bit: its first character which that alphabet lacks, and how many characters are before it.
    pub first_ucs2_char: Option<(char, u32)>,
}

impl Segmented {
    /// How many messages the network carries for this text.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.ends.len()
    }

    /// The octets of a segment, counted from 0.
    ///
    /// # Panics
    /// If there is no such segment.
    #[must_use]
    pub fn part(&self, index: usize) -> &[u8] {
        let from = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.octets[from..self.ends[index] as usize]
    }

    /// The octets of each segment.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.segments()).map(|index| self.part(index))
    }

    /// The units of each segment.
    pub fn per_segment_units(&self) -> impl ExactSizeIterator<Item = u32> {
        let octets = self.encoding.unit_octets();
        self.parts().map(move |part| (part.len() / octets) as u32)
    }
}

/// Encodes and splits `text` into `out`, whose former content is lost. GSM 7-bit if it has every character, else UCS-2.
///
/// # Panics
/// If the text is above a gibibyte.
pub fn segment(text: &str, rule: SplitRule, concat: ConcatRef, out: &mut Segmented) {
    assert!(text.len() <= TEXT_OCTETS_MAX, "texts are bounded where they come in");
    out.octets.clear();
    out.ends.clear();
    out.first_ucs2_char = None;
    out.encoding = match alphabet::encode(text, &mut out.octets) {
        Ok(()) => Encoding::Gsm7,
        Err(at) => {
            let before = text[..at].chars().count() as u32;
            out.first_ucs2_char = text[at..].chars().next().map(|c| (c, before));
            out.octets.clear();
            ucs2::encode(text, &mut out.octets);
            Encoding::Ucs2
        }
    };
    cut(text, rule, concat, out);
}

/// The same in UCS-2 whatever the text: for callers who ask for it.
///
/// # Panics
/// If the text is above a gibibyte.
pub fn segment_ucs2(text: &str, rule: SplitRule, concat: ConcatRef, out: &mut Segmented) {
    assert!(text.len() <= TEXT_OCTETS_MAX, "texts are bounded where they come in");
    out.octets.clear();
    out.ends.clear();
    out.first_ucs2_char = None;
    out.encoding = Encoding::Ucs2;
    ucs2::encode(text, &mut out.octets);
    cut(text, rule, concat, out);
}

/// Counts the encoded text and finds where its segments end.
fn cut(text: &str, rule: SplitRule, concat: ConcatRef, out: &mut Segmented) {
    out.units = (out.octets.len() / out.encoding.unit_octets()) as u32;
    if out.units > out.encoding.single_units() {
        let part_units = out.encoding.part_units(concat) as usize;
        match (out.encoding, rule) {
            // No two characters of this alphabet make one cluster but CR LF, which may be cut: the rules are the same.
            (Encoding::Gsm7, _) => split_septets(&out.octets, part_units, &mut out.ends),
            (Encoding::Ucs2, SplitRule::CodePoint) => split_code_points(&out.octets, part_units, &mut out.ends),
            (Encoding::Ucs2, SplitRule::Grapheme) => split_graphemes(text, &out.octets, part_units, &mut out.ends),
        }
    }
    out.ends.push(out.octets.len() as u32);
}

/// Pushes all ends but the last.
fn split_septets(septets: &[u8], part_units: usize, ends: &mut Vec<u32>) {
    let mut start = 0;
    while septets.len() - start > part_units {
        start += part_units;
        // An escape is only ever the first of a pair.
        if septets[start - 1] == ESC {
            start -= 1;
        }
        ends.push(start as u32);
    }
}

/// Pushes all ends but the last.
fn split_code_points(octets: &[u8], part_units: usize, ends: &mut Vec<u32>) {
    let (units, _) = octets.as_chunks::<2>();
    let mut start = 0;
    while units.len() - start > part_units {
        start = code_point_cut(units, start + part_units);
        ends.push(start as u32 * 2);
    }
}

/// The last place at or before `cut` that is not within a surrogate pair. `cut` is above 0.
fn code_point_cut(units: &[[u8; 2]], cut: usize) -> usize {
    cut - usize::from(ucs2::is_first_half(u16::from_be_bytes(units[cut - 1])))
}

/// Pushes all ends but the last. Clusters are looked for only round the places where a segment is full, never before
/// the last place known to be between two: time stays linear in the text, whatever it is made of.
fn split_graphemes(text: &str, octets: &[u8], part_units: usize, ends: &mut Vec<u32>) {
    let (units, _) = octets.as_chunks::<2>();
    // The same place in units and in octets of `text`.
    let (mut start, mut start_at) = (0, 0);
    // Between two clusters for certain. Beyond `start_at` only behind a cluster that is wider than a segment.
    let mut between = 0;
    while units.len() - start > part_units {
        let mut cut = code_point_cut(units, start + part_units);
        let mut cut_at = start_at + utf8_octets(&units[start..cut]);
        if cut_at > between {
            match cut_in(&text[between..], cut_at - between, part_units) {
                Cut::Here => between = cut_at,
                Cut::Before(back_at, back_units) => {
                    cut -= back_units;
                    cut_at -= back_at;
                    between = cut_at;
                }
                Cut::HereWithin(cluster_end) => between += cluster_end,
            }
        }
        (start, start_at) = (cut, cut_at);
        ends.push(start as u32 * 2);
    }
}

/// Where to cut a text that is full.
enum Cut {
    /// Between two clusters already.
    Here,
    /// So many octets of UTF-8, so many units of UTF-16 before.
    Before(usize, usize),
    /// Within a cluster wider than a segment, which ends at this octet of the text.
    HereWithin(usize),
}

/// `text` begins between two clusters and is full at octet `at`, which is above 0 and not its end.
fn cut_in(text: &str, at: usize, part_units: usize) -> Cut {
    let neighbours = (text[..at].chars().next_back(), text[at..].chars().next());
    // No character below U+0300 joins another one (the first that extends is U+0300), but LF a CR: that may be cut.
    if matches!(neighbours, (Some(..'\u{300}'), Some(..'\u{300}'))) {
        return Cut::Here;
    }
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    // The whole text is at hand, so the cursor never asks for more of it.
    if cursor.is_boundary(text, 0) != Ok(false) {
        return Cut::Here;
    }
    let cluster_end = GraphemeCursor::new(at, text.len(), true).next_boundary(text, 0).ok().flatten().unwrap_or(text.len());
    let cluster = GraphemeCursor::new(at, text.len(), true).prev_boundary(text, 0).ok().flatten().unwrap_or(0);
    let back_units = utf16_units(&text[cluster..at]);
    if back_units + utf16_units(&text[at..cluster_end]) > part_units {
        return Cut::HereWithin(cluster_end);
    }
    Cut::Before(at - cluster, back_units)
}

fn utf16_units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Octets in UTF-8 of whole characters in UTF-16.
fn utf8_octets(units: &[[u8; 2]]) -> usize {
    let octets = |unit: u16| match unit {
        ..0x80 => 1,
        0x80..0x800 => 2,
        // Half of a pair, which takes four.
        0xD800..0xE000 => 2,
        _ => 3,
    };
    units.iter().map(|unit| octets(u16::from_be_bytes(*unit))).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use unicode_segmentation::UnicodeSegmentation;

    use super::super::septet;
    use super::super::udh::Concat;
    use super::*;

    const VECTORS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/encodings.json"));

    fn segmented(text: &str, rule: SplitRule, concat: ConcatRef) -> Segmented {
        let mut out = Segmented::default();
        segment(text, rule, concat, &mut out);
        out
    }

    fn texts(segmented: &Segmented) -> Vec<String> {
        let show = |part: &[u8]| {
            let mut text = String::new();
            match segmented.encoding {
                Encoding::Gsm7 => alphabet::decode(part, &mut text),
                Encoding::Ucs2 => ucs2::decode(part, &mut text),
            }
            text
        };
        segmented.parts().map(show).collect()
    }

    fn cases() -> Vec<Value> {
        let Value::Array(cases) = serde_json::from_str::<Value>(VECTORS).expect("JSON")["cases"].take() else { panic!("no cases") };
        assert_eq!(cases.len(), 498);
        cases
    }

    fn packed(septets: &[u8], header: &[u8]) -> String {
        let mut octets = header.to_vec();
        septet::pack(septets, header.len(), &mut octets);
        hex::encode(octets)
    }

    /// One vector under one rule; `suffix` names the vector's fields of that rule.
    fn check(case: &Value, rule: SplitRule, suffix: &str, out: &mut Segmented) {
        let field = |name: &str| &case[format!("{name}{suffix}")];
        let id = case["id"].as_str().expect("id");
        segment(case["text"].as_str().expect("text"), rule, ConcatRef::Bits8, out);
        let encoding = match out.encoding {
            Encoding::Gsm7 => "GSM-7",
            Encoding::Ucs2 => "UCS-2",
        };
        assert_eq!(case["encoding"], encoding, "{id}");
        assert_eq!(case["units"], out.units, "{id}");
        assert_eq!(*field("segments"), out.segments(), "{id}");
        assert_eq!(*field("per_segment_units"), Value::from_iter(out.per_segment_units()), "{id}");
        assert_eq!(out.first_ucs2_char.is_some(), out.encoding == Encoding::Ucs2, "{id}");
        let split = if field("split").is_array() { field("split") } else { &case["split"] };
        if split.is_array() {
            assert_eq!(*split, Value::from_iter(texts(out)), "{id}");
        }
    }

    #[test]
    fn every_vector_is_counted_and_cut_alike_under_both_rules() {
        // One buffer for all: nothing of a former text may show in the next.
        let mut out = Segmented::default();
        for case in cases() {
            check(&case, SplitRule::CodePoint, "_codepoint_rule", &mut out);
            check(&case, SplitRule::Grapheme, "", &mut out);
        }
    }

    #[test]
    fn every_vector_has_the_octets_of_the_vector() {
        let mut seen = 0;
        for case in cases() {
            let id = case["id"].as_str().expect("id");
            let out = segmented(case["text"].as_str().expect("text"), SplitRule::Grapheme, ConcatRef::Bits8);
            if let Some(hexes) = case["hex"].as_object() {
                for (form, expected) in hexes {
                    let octets = match form.as_str() {
                        "gsm_packed" => packed(&out.octets, &[]),
                        "gsm_unpacked" | "utf16be" => hex::encode(&out.octets),
                        _ => panic!("unknown form {form}"),
                    };
                    assert_eq!(*expected, octets, "{id} {form}");
                    seen += 1;
                }
            }
            for (index, expected) in case["hex_segments"].as_array().into_iter().flatten().enumerate() {
                let part = Concat { width: ConcatRef::Bits8, reference: 0x42, total: out.segments() as u8, sequence: index as u8 + 1 };
                assert_eq!(expected["gsm_unpacked"], hex::encode(out.part(index)), "{id}");
                assert_eq!(expected["tpdu_ud_with_udh_ref_0x42"], packed(out.part(index), part.write(&mut [0; 7])), "{id}");
                seen += 1;
            }
        }
        assert_eq!(seen, 179 + 2 * 109 + 93);
    }

    #[test]
    fn a_wider_reference_takes_a_unit_from_each_segment() {
        let units = |text: &str| segmented(text, SplitRule::Grapheme, ConcatRef::Bits16).per_segment_units().collect::<Vec<_>>();
        assert_eq!(units(&"a".repeat(161)), [152, 9]);
        assert_eq!(units(&"ж".repeat(71)), [66, 5]);
    }

    #[test]
    fn the_first_character_that_costs_the_alphabet_is_named_by_its_place() {
        let out = segmented("€é ça va ?", SplitRule::Grapheme, ConcatRef::Bits8);
        assert_eq!((out.encoding, out.first_ucs2_char), (Encoding::Ucs2, Some(('ç', 3))));
    }

    #[test]
    fn a_cluster_wider_than_a_segment_is_filled_in_where_it_stands() {
        // Ten letters, a letter with 199 marks, and a flag that must stay whole behind it.
        let text = format!("{}e{}{}", "ж".repeat(10), "\u{301}".repeat(199), "🇫🇷".repeat(20));
        let units: Vec<_> = segmented(&text, SplitRule::Grapheme, ConcatRef::Bits8).per_segment_units().collect();
        assert_eq!(units, [67, 67, 67, 65, 24]);
    }

    #[test]
    fn endless_clusters_and_flag_runs_are_cut_at_every_capacity() {
        // So long that looking back to the beginning, or ahead to the end, at every cut would take minutes.
        for (text, segments) in [
            (format!("e{}", "\u{301}".repeat(400_000)), 400_001usize.div_ceil(67)),
            ("🇫🇷".repeat(100_000), 100_000 / 16),
            ("\u{200D}👩".repeat(100_000), 300_000usize.div_ceil(66)),
        ] {
            assert_eq!(segmented(&text, SplitRule::Grapheme, ConcatRef::Bits8).segments(), segments);
        }
    }

    /// The rule as it is written, cluster by cluster, to hold the quick way against.
    fn plainly(text: &str, part_units: usize) -> Vec<u32> {
        let mut atoms = Vec::new();
        for cluster in text.graphemes(true) {
            if cluster == "\r\n" || utf16_units(cluster) > part_units {
                atoms.extend(cluster.chars().map(char::len_utf16));
            } else {
                atoms.push(utf16_units(cluster));
            }
        }
        let mut parts = vec![0];
        for atom in atoms {
            if parts[parts.len() - 1] + atom > part_units {
                parts.push(0);
            }
            *parts.last_mut().expect("never empty") += atom;
        }
        parts.iter().map(|units| *units as u32).collect()
    }

    fn any_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[a-z{€]{1,60}",
            2 => any::<char>().prop_map(String::from),
            2 => "\u{301}{1,90}",
            2 => prop::sample::select(vec![
                "\r\n", "🇫🇷", "🇫", "👩\u{200D}👩\u{200D}👧", "\u{200D}", "©", "क्ष", "각", "\u{600}", "é", "ç", "👍🏽", "\u{FE0F}",
            ]).prop_map(String::from),
            1 => "(🇫🇷|🇫){1,60}",
            1 => "[ж\u{1F600}]{1,100}",
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn the_parts_are_the_text_whole_and_within_capacity(text in any_text(), grapheme: bool, wide: bool) {
            let rule = if grapheme { SplitRule::Grapheme } else { SplitRule::CodePoint };
            let concat = if wide { ConcatRef::Bits16 } else { ConcatRef::Bits8 };
            let out = segmented(&text, rule, concat);
            // Each part is read alone: half an escape pair or half a surrogate pair would not come back.
            let parts = texts(&out);
            prop_assert_eq!(parts.len(), out.segments());
            prop_assert_eq!(parts.concat(), text);
            prop_assert_eq!(out.per_segment_units().sum::<u32>(), out.units);
            let capacity = if out.segments() == 1 { out.encoding.single_units() } else { out.encoding.part_units(concat) };
            prop_assert!(out.per_segment_units().all(|units| units <= capacity));
            prop_assert!(out.segments() == 1 || out.per_segment_units().all(|units| units > 0));
        }

        #[test]
        fn looking_only_where_a_segment_is_full_cuts_as_the_rule_does(text in any_text()) {
            let out = segmented(&text, SplitRule::Grapheme, ConcatRef::Bits8);
            if out.encoding == Encoding::Ucs2 && out.segments() > 1 {
                prop_assert_eq!(out.per_segment_units().collect::<Vec<_>>(), plainly(&text, 67));
            }
        }
    }
}
