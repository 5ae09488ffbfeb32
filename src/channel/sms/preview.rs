//! What a text would cost, before it is sent: what `POST /v1/preview` answers. By the very code that prices and sends
//! ([`Composer`]), so that the numbers cannot differ. Nothing can fail and nothing is kept.

use crate::config::{Substitute, Transliterate};
use crate::message::{Encoding, Spelling};
use crate::wire::gsm::national::Language;
use crate::wire::gsm::substitute::{Replaced, Substituted, substitute};

use super::compose::{Composer, RouteText, Size, Wanted};

/// A text as it would travel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preview {
    /// Its alphabet.
    pub encoding: Encoding,
    /// Septets, UTF-16 code units or octets of the whole.
    pub units: u32,
    /// Messages on the network, at least 1.
    pub segments: usize,
    /// The units of each segment.
    pub per_segment_units: Vec<u32>,
    /// Units that can be added before another segment begins, as long as the alphabet stays. From one segment to two the
    /// capacity of the first shrinks, because headers come.
    pub units_left: u32,
    /// The character that forced UCS-2 and how many characters are before it.
    pub forced_by: Option<(char, u32)>,
    /// Which spelling is taken.
    pub spelling: Spelling,
    /// How many characters of the text are spelt otherwise than they were written.
    pub changed: u32,
    /// The text as it would go, when it is not as it was written: respelt, or with the mention of how to stop.
    pub text: Option<String>,
    /// National tables: of the letters, and of what follows an escape.
    pub tables: [Option<Language>; 2],
    /// Whether the carrier cuts the text itself and gives it one id.
    pub is_one_part: bool,
    /// What smart substitution would make of it, if it would replace anything.
    pub with_substitution: Option<Substitution>,
}

/// A text after smart substitution.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Substitution {
    /// Its alphabet then.
    pub encoding: Encoding,
    /// Messages on the network then.
    pub segments: usize,
    /// What would be replaced, by what and how often.
    pub replaced: Vec<Replaced>,
}

/// What `text` would cost if it were sent so.
#[must_use]
pub fn preview(text: &str, wanted: &Wanted<'_>, route: &RouteText) -> Preview {
    let mut composer = Composer::default();
    let mut preview = of(&composer.compose(text, wanted, route));
    let spelt = composer.spelt(text, preview.spelling);
    preview.text = (spelt != text).then(|| spelt.to_owned());
    let mut substituted = Substituted::default();
    let plain = Wanted { substitute: Substitute::Off, transliterate: Transliterate::Off, ..*wanted };
    substitute(text, &mut substituted);
    if !substituted.replaced.is_empty() {
        let size = composer.compose(&substituted.text, &plain, route);
        preview.with_substitution =
            Some(Substitution { encoding: size.encoding, segments: size.ends.len(), replaced: substituted.replaced });
    }
    preview
}

/// What a composed text or composed octets cost.
#[must_use]
pub fn of(size: &Size<'_>) -> Preview {
    let unit_octets = if size.encoding == Encoding::Ucs2 { 2 } else { 1 };
    let starts = std::iter::once(&0).chain(size.ends);
    let per_segment_units: Vec<u32> = size.ends.iter().zip(starts).map(|(end, start)| (end - start) / unit_octets).collect();
    let capacity = if size.ends.len() == 1 { size.capacity.0 } else { size.capacity.1 };
    let last = per_segment_units.last().copied().unwrap_or(0);
    let [locking, single] = size.shift.to_be_bytes();
    Preview {
        encoding: size.encoding,
        units: size.octets.len() as u32 / unit_octets,
        segments: size.ends.len(),
        per_segment_units,
        units_left: capacity.saturating_sub(last),
        forced_by: size.forced_by,
        spelling: size.spelling,
        changed: size.changed,
        text: None,
        tables: [locking, single].map(Language::of_id),
        is_one_part: size.at_once > 0,
        with_substitution: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::config;

    fn cut(text: &str, split: config::Split, concat: config::Concat) -> Preview {
        preview(text, &Wanted::plain(split, concat), &RouteText::default())
    }

    fn grapheme(text: &str) -> Preview {
        cut(text, config::Split::Grapheme, config::Concat::EightBit)
    }

    #[test]
    fn every_vector_is_previewed_as_it_is_counted() {
        let all: Value =
            serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/encodings.json"))).expect("JSON");
        let cases = all["cases"].as_array().expect("cases");
        assert_eq!(cases.len(), 498);
        for case in cases {
            let (id, text) = (&case["id"], case["text"].as_str().expect("text"));
            let seen = grapheme(text);
            assert_eq!(case["encoding"], seen.encoding.word(), "{id}");
            assert_eq!(case["units"], seen.units, "{id}");
            assert_eq!(case["segments"], seen.segments, "{id}");
            assert_eq!(case["per_segment_units"], Value::from_iter(seen.per_segment_units), "{id}");
            let seen = cut(text, config::Split::Codepoint, config::Concat::EightBit);
            assert_eq!(case["segments_codepoint_rule"], seen.segments, "{id}");
            // Twilio says what its substitution gives: the alphabet, and the segments under its own rule of clusters.
            if let Some(substitution) = seen.with_substitution {
                assert_eq!(case["oracles"]["twilio_smart_encoding"]["encoding"], substitution.encoding.word(), "{id}");
            }
        }
    }

    #[test]
    fn as_many_units_as_are_left_fit_and_one_more_does_not() {
        for (text, filler, left) in
            [("", "a", 160), ("abc€", "a", 155), ("é", "a", 159), ("ç", "a", 69), (&"a".repeat(161), "a", 145), (&"ж".repeat(71), "ж", 63)]
        {
            let seen = grapheme(text);
            assert_eq!(seen.units_left, left, "{text}");
            let more = |count: u32| grapheme(&format!("{text}{}", filler.repeat(count as usize))).segments;
            assert_eq!((more(left), more(left + 1)), (seen.segments, seen.segments + 1), "{text}");
        }
    }

    #[test]
    fn the_costly_character_is_named_and_what_substitution_would_change() {
        let seen = grapheme(&format!("Soldes d\u{2019}\u{E9}t\u{E9} {}", "a".repeat(60)));
        assert_eq!((seen.encoding, seen.segments, seen.forced_by), (Encoding::Ucs2, 2, Some(('\u{2019}', 8))));
        let substitution = seen.with_substitution.expect("one quote");
        assert_eq!((substitution.encoding, substitution.segments), (Encoding::Gsm7, 1));
        assert_eq!(substitution.replaced, [Replaced { from: '\u{2019}', to: "'", count: 1 }]);
        assert_eq!(grapheme("Soldes").with_substitution, None);
    }

    #[test]
    fn a_wider_reference_leaves_less() {
        let seen = cut(&"a".repeat(161), config::Split::Grapheme, config::Concat::SixteenBit);
        assert_eq!((seen.per_segment_units, seen.units_left), (vec![152, 9], 143));
    }
}
