//! National tables against the vectors, and the properties of choosing, cutting and reading them.

use proptest::prelude::*;
use serde_json::Value;

use super::super::septet;
use super::*;

const VECTORS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/national_shift.json"));

fn cases() -> Vec<Value> {
    let Value::Array(cases) = serde_json::from_str::<Value>(VECTORS).expect("JSON")["cases"].take() else { panic!("no cases") };
    assert_eq!(cases.len(), 99);
    cases
}

fn language_of(case: &Value) -> Language {
    let id = case["language_id"].as_u64().expect("an id") as u8;
    let language = Language::of_id(id).expect("a language");
    assert_eq!(case["language"], format!("{language:?}"));
    language
}

fn tables_of(mode: &str, language: Language) -> Tables {
    match mode {
        "single" => Tables { locking: None, single: Some(language) },
        "locking" => Tables { locking: Some(language), single: None },
        "both" => Tables { locking: Some(language), single: Some(language) },
        _ => panic!("unknown mode {mode}"),
    }
}

fn text_of(case: &Value) -> &str {
    case["text"].as_str().expect("text")
}

fn chosen(text: &str, allowed: &[Allowed], at_equal_cost: AtEqualCost) -> NationalSegmented {
    let mut out = NationalSegmented::default();
    segment_national(text, NationalRules { allowed, at_equal_cost }, SplitRule::CodePoint, ConcatRef::Bits8, &mut out);
    out
}

/// What a receiver shows of all segments.
fn shown(out: &NationalSegmented) -> String {
    let mut text = String::new();
    for part in out.segmented.parts() {
        match out.segmented.encoding {
            Encoding::Gsm7 => decode(part, out.tables, &mut text),
            Encoding::Ucs2 => super::super::ucs2::decode(part, &mut text),
        }
    }
    text
}

#[test]
fn every_vector_has_its_septets_segments_header_and_packed_octets() {
    let (mut modes, mut packed, mut out) = (0, 0, Segmented::default());
    for case in cases() {
        let (id, language, text) = (case["id"].as_str().expect("id"), language_of(&case), text_of(&case));
        for (mode, expected) in case["modes"].as_object().expect("modes") {
            let tables = tables_of(mode, language);
            let done = segment_with(text, tables, SplitRule::CodePoint, ConcatRef::Bits8, &mut out);
            assert_eq!(expected["representable"], done.is_ok(), "{id} {mode}");
            modes += 1;
            if done.is_err() {
                continue;
            }
            assert_eq!(expected["septets"], out.units, "{id} {mode}");
            assert_eq!(expected["segments"], out.segments(), "{id} {mode}");
            assert_eq!(expected["per_segment_septets"], Value::from_iter(out.per_segment_units()), "{id} {mode}");
            let capacity = if out.segments() == 1 { tables.single_units() } else { tables.part_units(ConcatRef::Bits8) };
            assert_eq!(expected["capacity_per_segment"], capacity, "{id} {mode}");
            let mut back = String::new();
            out.parts().for_each(|part| decode(part, tables, &mut back));
            assert_eq!(back, text, "{id} {mode}");
            if expected["udh_hex"].is_string() {
                let mut buffer = [0; HEADER_OCTETS_MAX];
                let header = tables.header(None, &mut buffer);
                let mut octets = header.to_vec();
                septet::pack(&out.octets, header.len(), &mut octets);
                assert_eq!(expected["gsm_unpacked_hex"], hex::encode(&out.octets), "{id} {mode}");
                assert_eq!(expected["udh_hex"], hex::encode(header), "{id} {mode}");
                assert_eq!(expected["fill_bits"], septet::fill_bits(header.len()), "{id} {mode}");
                assert_eq!(expected["udl_septets"], septet::length(header.len(), out.octets.len()), "{id} {mode}");
                assert_eq!(expected["tpdu_ud_hex"], hex::encode(&octets), "{id} {mode}");
                packed += 1;
            }
        }
    }
    assert_eq!((modes, packed), (99 + 91 + 91, 12 + 65 + 61));
}

#[test]
fn the_cheapest_of_the_vectors_ways_is_chosen() {
    for case in cases() {
        let (id, language) = (case["id"].as_str().expect("id"), language_of(&case));
        let modes = case["modes"].as_object().expect("modes");
        let segments = |mode: &Value| mode["segments"].as_u64();
        for (shift, ways) in
            [(Shift::Single, &["single"][..]), (Shift::Locking, &["locking"]), (Shift::Both, &["single", "locking", "both"])]
        {
            let national = ways.iter().filter_map(|way| segments(modes.get(*way)?)).min();
            let ucs2 = case["ucs2_segments"].as_u64().expect("segments");
            for at_equal_cost in [AtEqualCost::Ucs2, AtEqualCost::National] {
                let out = chosen(text_of(&case), &[Allowed { language, shift }], at_equal_cost);
                assert_eq!(shown(&out), text_of(&case), "{id}");
                let mut default = Segmented::default();
                segment(text_of(&case), SplitRule::CodePoint, ConcatRef::Bits8, &mut default);
                let least = national.unwrap_or(u64::MAX).min(if default.encoding == Encoding::Gsm7 { u64::MAX } else { ucs2 });
                let least = least.min(default.segments() as u64);
                assert_eq!(out.segmented.segments() as u64, least, "{id} {shift:?} {at_equal_cost:?}");
                if default.encoding == Encoding::Ucs2 && national == Some(ucs2) {
                    let is_national = out.tables != Tables::DEFAULT;
                    assert_eq!(is_national, at_equal_cost == AtEqualCost::National, "{id} {shift:?}");
                }
            }
        }
    }
}

#[test]
fn capacities_are_those_of_the_table() {
    let of = |mode| {
        let tables = if mode == "none" { Tables::DEFAULT } else { tables_of(mode, Language::Turkish) };
        (tables.single_units(), tables.part_units(ConcatRef::Bits8), tables.part_units(ConcatRef::Bits16))
    };
    assert_eq!(["none", "single", "locking", "both"].map(of), [(160, 153, 152), (155, 149, 148), (155, 149, 148), (152, 146, 145)]);
}

#[test]
fn a_header_of_everything_is_read_back() {
    let tables = Tables { locking: Some(Language::Hindi), single: Some(Language::Urdu) };
    let part = Concat { width: ConcatRef::Bits16, reference: 0x1234, total: 3, sequence: 2 };
    let mut buffer = [0; HEADER_OCTETS_MAX];
    let header = tables.header(Some(part), &mut buffer);
    assert_eq!(hex::encode(header), "0c08041234030224010d250106");
    let (udh, rest) = Udh::split(header).expect("a header");
    assert_eq!((Tables::read(udh), udh.concat(), rest), (tables, Some(part), &[][..]));
    assert!(Tables::DEFAULT.header(None, &mut [0; HEADER_OCTETS_MAX]).is_empty());
}

#[test]
fn each_segment_of_several_has_the_tables_in_its_header() {
    let allowed = [Allowed { language: Language::Turkish, shift: Shift::Locking }];
    let out = chosen(&"ışğ".repeat(60), &allowed, AtEqualCost::Ucs2);
    assert_eq!(out.segmented.per_segment_units().collect::<Vec<_>>(), [149, 31]);
    let mut buffer = [0; HEADER_OCTETS_MAX];
    assert_eq!(hex::encode(out.header(1, ConcatRef::Bits8, 0x42, &mut buffer)), "080003420202250101");
}

#[test]
fn tables_that_do_not_exist_are_ignored() {
    for element in ["250102", "24010e", "240100", "2400", "24020101"] {
        let octets = hex::decode(format!("{:02x}{element}", element.len() / 2)).expect("hex");
        assert_eq!(Tables::read(Udh::split(&octets).expect("a header").0), Tables::DEFAULT, "{element}");
    }
    let spanish = [Allowed { language: Language::Spanish, shift: Shift::Locking }];
    assert_eq!(chosen("¿Qué tal? ¡Adiós, mañana!", &spanish, AtEqualCost::National).tables, Tables::DEFAULT);
}

#[test]
fn two_languages_may_share_a_message() {
    let allowed = [Allowed { language: Language::Hindi, shift: Shift::Both }, Allowed { language: Language::Bengali, shift: Shift::Both }];
    let text = format!("{}\u{9E6}", "क".repeat(80));
    let out = chosen(&text, &allowed, AtEqualCost::Ucs2);
    assert_eq!(out.tables, Tables { locking: Some(Language::Hindi), single: Some(Language::Bengali) });
    assert_eq!((out.segmented.segments(), shown(&out)), (1, text));
}

#[test]
fn what_the_default_alphabet_carries_as_cheaply_stays_in_it() {
    let allowed = [Allowed { language: Language::Turkish, shift: Shift::Both }];
    assert_eq!(chosen(&"é".repeat(400), &allowed, AtEqualCost::National).tables, Tables::DEFAULT);
    assert_eq!(chosen(&"€".repeat(80), &allowed, AtEqualCost::National).tables, Tables::DEFAULT);
    // There the euro sign is one septet.
    let out = chosen(&"€".repeat(81), &allowed, AtEqualCost::Ucs2);
    assert_eq!((out.tables, out.segmented.segments()), (tables_of("locking", Language::Turkish), 1));
}

#[test]
fn no_table_allowed_is_the_plain_way() {
    for text in ["", "abc", "ışğ", "क€"] {
        let mut plain = Segmented::default();
        segment(text, SplitRule::CodePoint, ConcatRef::Bits8, &mut plain);
        assert_eq!(chosen(text, &[], AtEqualCost::National).segmented, plain);
    }
}

#[test]
fn a_receiver_shows_something_for_every_escape_in_every_table() {
    let both = tables_of("both", Language::Bengali);
    let show = |septets: &[u8]| {
        let mut text = String::new();
        decode(septets, both, &mut text);
        text
    };
    assert_eq!(show(&[ESC, b'A']), "A");
    assert_eq!(show(&[ESC, b'z']), "z", "no such place in the single shift table");
    assert_eq!(show(&[b'a', ESC, ESC, b'b']), "a b", "reserved");
    assert_eq!(show(&[b'a', ESC]), "a", "nothing behind it");
    assert_eq!(show(&[0x0C, 0x80, ESC, 0xFF]), "\u{FFFD}\u{FFFD}\u{FFFD}", "an empty cell, and no septets");
}

fn any_allowed() -> impl Strategy<Value = Vec<Allowed>> {
    let one = (prop::sample::select(Language::ALL.to_vec()), prop::sample::select(vec![Shift::Single, Shift::Locking, Shift::Both]));
    prop::collection::vec(one.prop_map(|(language, shift)| Allowed { language, shift }), 0..5)
}

proptest! {
    #[test]
    fn the_parts_are_the_text_whole_within_capacity_and_never_dearer(
        text in "([a-z]{1,90}|[ışğİ]{1,90}|[क-हा-ौ]{1,90}|[€{A-Z]{1,90}|\r\n){0,5}", allowed in any_allowed(), grapheme: bool, wide: bool, national: bool,
    ) {
        let rule = if grapheme { SplitRule::Grapheme } else { SplitRule::CodePoint };
        let concat = if wide { ConcatRef::Bits16 } else { ConcatRef::Bits8 };
        let at_equal_cost = if national { AtEqualCost::National } else { AtEqualCost::Ucs2 };
        let mut out = NationalSegmented::default();
        segment_national(&text, NationalRules { allowed: &allowed, at_equal_cost }, rule, concat, &mut out);
        // Each part is read alone: half an escape pair would not come back.
        prop_assert_eq!(shown(&out), &text[..]);
        let mut plain = Segmented::default();
        segment(&text, rule, concat, &mut plain);
        prop_assert!(out.segmented.segments() <= plain.segments());
        if out.segmented.encoding == Encoding::Gsm7 {
            let capacity = if out.segmented.segments() == 1 { out.tables.single_units() } else { out.tables.part_units(concat) };
            prop_assert!(out.segmented.per_segment_units().all(|units| units <= capacity));
        }
    }

    #[test]
    fn any_octets_are_shown_in_any_tables(octets in prop::collection::vec(any::<u8>(), 0..300), locking: Option<u8>, single: Option<u8>) {
        let of = |id: Option<u8>| id.and_then(|id| Language::of_id(id % 14));
        let mut text = String::new();
        decode(&octets, Tables { locking: of(locking), single: of(single) }, &mut text);
        prop_assert!(text.chars().count() <= octets.len());
    }

    #[test]
    fn any_header_is_read(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Some((udh, _)) = Udh::split(&octets) {
            prop_assert!(Tables::read(udh).elements() <= 2);
        }
    }
}
