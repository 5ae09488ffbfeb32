//! The numbers against what two ports of libphonenumber say of them (`tests/vectors/phones.json`), and the area codes of
//! North America (`tests/vectors/npa.json`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::{Area, Number, NumberFault, Numbers, Zone};

static NUMBERS: LazyLock<Numbers> = LazyLock::new(Numbers::new);

/// One case; fields of no use here are left out.
#[derive(Deserialize)]
struct Case {
    id: String,
    category: String,
    input: String,
    default_region: Option<String>,
    valid: bool,
    e164: Option<String>,
    country_code: Option<u16>,
    possible: Option<String>,
    region: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    time_zones: Option<Vec<String>>,
    parse_error: Option<String>,
}

fn cases() -> Vec<Case> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Case>,
    }
    serde_json::from_str::<File>(include_str!("../../../tests/vectors/phones.json")).expect("cases").cases
}

#[derive(Deserialize)]
struct Npa {
    country: String,
    subdivision: Option<String>,
    libphonenumber_zones: BTreeSet<String>,
    zones_override: Option<Vec<String>>,
}

fn area_codes() -> BTreeMap<String, Npa> {
    #[derive(Deserialize)]
    struct File {
        npa: BTreeMap<String, Npa>,
    }
    serde_json::from_str::<File>(include_str!("../../../tests/vectors/npa.json")).expect("area codes").npa
}

fn names(zones: &[Zone]) -> Vec<&'static str> {
    zones.iter().map(|zone| zone.name()).collect()
}

fn number(text: &str) -> Number {
    NUMBERS.parse(text, None).expect("a number")
}

fn assert_case(case: &Case, expected: &Case) {
    let (id, read) = (&case.id, NUMBERS.parse(&case.input, case.default_region.as_deref()));
    let number = match (&expected.parse_error, read) {
        (Some(error), read) => {
            let fault = match error.as_str() {
                "INVALID_COUNTRY_CODE" => NumberFault::CountryCode,
                "NOT_A_NUMBER" => NumberFault::NotANumber,
                other => panic!("{id}: {other}"),
            };
            assert_eq!(read, Err(fault), "{id}");
            return;
        }
        (None, read) => read.unwrap_or_else(|fault| panic!("{id}: {fault}")),
    };
    assert_eq!(Some(number.written()), expected.e164, "{id}");
    assert_eq!(number.e164().map(crate::base::Msisdn::e164), expected.e164.clone().filter(|e164| (8..=16).contains(&e164.len())), "{id}");
    assert_eq!(Some(number.country_code), expected.country_code, "{id}");
    assert_eq!(number.is_valid(), expected.valid, "{id}");
    assert_eq!(Some(number.possible.name()), expected.possible.as_deref(), "{id}");
    assert_eq!(number.region.as_ref().map(super::Region::as_str), expected.region.as_deref(), "{id}");
    assert_eq!(Some(number.kind.name()), expected.kind.as_deref(), "{id}");
    assert_eq!(names(NUMBERS.zones_raw(&number)), *expected.time_zones.as_ref().expect("zones"), "{id}");
}

/// Fixed lines that are valid there and not on the mainland.
const FIXED_OVERSEAS: [&str; 2] = ["0262502599", "0594058781"];

#[test]
fn all_numbers_are_read_as_both_ports_read_them() {
    let cases = cases();
    assert_eq!(cases.len(), 758);
    let overseas: BTreeMap<&str, &Case> =
        cases.iter().filter(|case| case.category == "fr-dom-national-with-region").map(|case| (case.input.as_str(), case)).collect();
    let mut reread = 0;
    for case in &cases {
        // The rule of overseas France: what the ports say of the number with its own region.
        let is_overseas = case.category == "fr-dom-national"
            && overseas.contains_key(case.input.as_str())
            && (case.input.starts_with("06") || FIXED_OVERSEAS.contains(&case.input.as_str()));
        let expected = if is_overseas { overseas[case.input.as_str()] } else { case };
        reread += usize::from(is_overseas);
        assert_case(case, expected);
    }
    assert_eq!(reread, 10);
}

#[test]
fn two_numbers_and_endless_texts_are_refused() {
    for text in ["0612345678;0612345679", "+33612345678;+33612345679", "+33612345678, +33612345679", "0612345678 ou 0612345679"] {
        assert!(NUMBERS.parse(text, Some("FR")).is_err(), "{text}");
    }
    assert_eq!(NUMBERS.parse(&"1".repeat(251), Some("FR")), Err(NumberFault::TooLong));
    assert_eq!(NUMBERS.parse("0612345678", Some("ZZ")), Err(NumberFault::Region));
    assert_eq!(NUMBERS.parse("0612345678", Some("001")), Err(NumberFault::Region));
    assert_eq!(NUMBERS.parse("0612345678", Some("fr")).map(|read| read.written()), Ok("+33612345678".to_owned()));
    assert!(NUMBERS.is_region("re") && !NUMBERS.is_region("France"));
}

/// The code of a province that the vectors write out, or misspell.
fn state(named: &str) -> &str {
    match named {
        "Alberta" => "AB",
        "British Columbia" | "British Colombia" => "BC",
        "Manitoba" => "MB",
        "New Brunswick" => "NB",
        "Newfoundland and Labrador" => "NL",
        "Northwest Territories/Nunavut/Yukon" => "NT/NU/YT",
        "Nova Scotia/Prince Edward Island" => "NS/PE",
        "Ontario" => "ON",
        "Quebec" => "QC",
        "Saskatchewan" => "SK",
        code => code,
    }
}

#[test]
fn every_area_code_has_its_country_state_and_zones() {
    let (mut overridden, mut same) = (0, 0);
    let area_codes = area_codes();
    assert_eq!(area_codes.len(), 421);
    for (code, npa) in &area_codes {
        let (mut raw, mut zones) = (BTreeSet::new(), BTreeSet::new());
        for exchange in 200..1000 {
            // Read by form alone, so that the zones of a whole area are seen, valid exchange or not.
            let mut number = number(&format!("+1{code}{exchange}2345"));
            number.kind = super::Kind::FixedLineOrMobile;
            let area = NUMBERS.area(&number).unwrap_or_else(|| panic!("{code} has an area"));
            assert_eq!((area.country.as_str(), area.state), (npa.country.as_str(), npa.subdivision.as_deref().map(state)), "{code}");
            raw.extend(names(NUMBERS.zones_raw(&number)).into_iter().map(str::to_owned));
            let known = names(NUMBERS.zones(&number));
            if let Some(expected) = &npa.zones_override {
                assert_eq!(known, *expected, "{code}");
            }
            zones.extend(known.into_iter().map(str::to_owned));
        }
        // The vectors tried some numbers of each code, which need not be valid and may have missed a corner.
        let listed: BTreeSet<String> = npa.libphonenumber_zones.iter().filter(|zone| *zone != "Etc/Unknown").cloned().collect();
        assert!(listed.is_subset(&raw), "{code}: {raw:?}");
        same += usize::from(npa.libphonenumber_zones == raw);
        let own = ["America/Detroit", "America/Indiana/Indianapolis", "America/Kentucky/Louisville"];
        match &npa.zones_override {
            Some(_) => overridden += 1,
            // A state's own zone for the one that stood for it, or what the prefixes say.
            None if zones.iter().all(|zone| own.contains(&zone.as_str())) => {
                assert_eq!(raw, BTreeSet::from(["America/New_York".to_owned()]), "{code}");
            }
            None => assert_eq!(zones, raw, "{code}"),
        }
    }
    assert_eq!((overridden, same), (38, 408));
}

#[test]
fn what_we_know_better_goes_on_top() {
    for (text, raw, known) in [
        // Kaliningrad has no daylight saving.
        ("+74012512345", vec!["Europe/Bucharest"], vec!["Europe/Kaliningrad"]),
        ("+77011234567", vec![], vec!["Asia/Almaty"]),
        ("+77122512345", vec!["Asia/Aqtobe"], vec!["Asia/Almaty"]),
        ("+262692123456", vec!["Indian/Mayotte", "Indian/Reunion"], vec!["Indian/Reunion"]),
        ("+33612345678", vec!["Europe/Paris"], vec!["Europe/Paris"]),
        ("+34612345678", vec!["Atlantic/Canary", "Europe/Madrid"], vec!["Atlantic/Canary", "Europe/Madrid"]),
        ("+18505405446", vec!["America/New_York"], vec!["America/Chicago", "America/New_York"]),
        ("+13134965678", vec!["America/New_York"], vec!["America/Detroit"]),
        ("+353850123456", vec!["Europe/Guernsey", "Europe/Isle_of_Man", "Europe/London"], vec!["Europe/Dublin"]),
        ("+919876543210", vec!["Asia/Calcutta"], vec!["Asia/Kolkata"]),
        // A mobile by its area code, where the plan gives all of North America.
        ("+18762101222", vec![], vec!["America/Jamaica"]),
        // Not valid: the zones of the country code. Of no country: none.
        ("+33692123456", vec!["Etc/Unknown"], vec!["Europe/Paris"]),
        ("+16842397993", vec!["Etc/Unknown"], vec!["Pacific/Pago_Pago"]),
        ("+80012345678", vec!["Etc/Unknown"], vec![]),
    ] {
        let number = number(text);
        if raw.is_empty() {
            assert!(NUMBERS.zones_raw(&number).len() > 10, "{text}");
        } else {
            assert_eq!(names(NUMBERS.zones_raw(&number)), raw, "{text}");
        }
        assert_eq!(names(NUMBERS.zones(&number)), known, "{text}");
    }
}

#[test]
fn russian_mobiles_are_in_russia() {
    let zones = names(NUMBERS.zones(&number("+79123456789")));
    assert_eq!(zones.len(), 14);
    assert!(zones.contains(&"Europe/Kaliningrad") && zones.contains(&"Asia/Kamchatka"));
    assert!(!zones.contains(&"Asia/Almaty") && !zones.contains(&"Europe/Bucharest"));
}

#[test]
fn a_set_of_zones_has_one_number() {
    let (one, other) = (number("+33612345678"), number("+33123456789"));
    assert_eq!(NUMBERS.zone_set(&one), NUMBERS.zone_set(&other));
    assert_ne!(NUMBERS.zone_set(&one), NUMBERS.zone_set(&number("+34612345678")));
}

#[test]
fn states_are_known_for_ten_digits_of_north_america_only() {
    assert_eq!(NUMBERS.state(&number("+18505405446")), Some("FL"));
    assert_eq!(NUMBERS.state(&number("+15145553715")), Some("QC"));
    let shared: Vec<_> = NUMBERS.area(&number("+19022000857")).into_iter().flat_map(Area::states).collect();
    assert_eq!(shared, ["NS", "PE"]);
    for text in ["+33612345678", "+18003530278", "+17872571259", "+1850540", "+18762101222"] {
        assert_eq!(NUMBERS.state(&number(text)), None, "{text}");
    }
}

/// Texts that look like numbers, and texts that do not.
fn texts() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    prop_oneof![
        "[+]?[0-9 ().-]{0,30}",
        "[+＋]{0,2}[0-9０-９٠-٩]{0,25}(;ext=|x|,|;|#)?[0-9]{0,20}",
        "(tel:)?[+][1-9][0-9]{1,20}(;phone-context=[+a-z.0-9]{0,10})?",
        ".{0,60}",
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_text_is_read_or_refused(text in texts(), region in proptest::option::of("FR|US|IT|BR|AR|RE|DE|RU|[A-Z]{2}|.{0,3}")) {
        if let Ok(number) = NUMBERS.parse(&text, region.as_deref()) {
            let written = number.written();
            proptest::prop_assert!(written.len() <= 41);
            proptest::prop_assert!(!NUMBERS.zones_raw(&number).is_empty());
            let _ = (NUMBERS.zones(&number), NUMBERS.state(&number), number.national(), format!("{number:?}"));
            // What is valid reads the same again, and is a number of E.164 but for fixed lines in Germany of 16 digits and 17, and
            // for what is too short, such as +98 9640.
            if number.is_valid() {
                proptest::prop_assert_eq!(NUMBERS.parse(&written, None), Ok(number));
                let e164 = number.e164().map(crate::base::Msisdn::e164);
                proptest::prop_assert!(e164.as_ref() == Some(&written) || number.country_code == 49 || written.len() < 8, "{:?}", number);
            }
        }
    }
}
