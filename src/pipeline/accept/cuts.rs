//! What is right is read as it was meant, the same wherever the body is cut; noise never makes a panic; and the parser
//! of objects agrees with `serde_json`, that of rows with `csv-core`.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::pipeline::accept::bad_input::{read, shown};
use crate::pipeline::accept::bulk::{BulkLimits, BulkReader};
use crate::pipeline::accept::draft::{Defaults, Item};
use crate::pipeline::accept::fault::Code;
use crate::pipeline::accept::media::Format;
use crate::pipeline::accept::single::MessageReader;

#[test]
fn defaults_hold_where_the_entry_says_nothing() {
    let body = r#"{"defaults":{"from":"SHOP","text":"Hello {{first}}, {{code}}","class":"marketing","params":{"code":"X\u00e9","n":1}},
        "recipients":[{"to":"+33612345678","params":{"first":"Zo\u00e9","vip":true,"sum":12.50}},
                      {"to":"+33612345679","from":"OTHER","client_ref":"A-1","params":{"code":"own"},"class":"otp","expires_in":60}]}"#;
    let (items, end) = read(Format::Json, body.as_bytes(), 1_000, BulkLimits::default());
    assert_eq!(end, Ok(()));
    assert!(
        items[0].starts_with(
            "0: to=+33612345678 from=SHOP text=Hello {{first}}, {{code}} ref=- params=first=Zoé,vip=true,sum=12.50,code=Xé,n=1 "
        ),
        "{items:?}"
    );
    assert!(items[0].contains("class: Some(Marketing)"), "{items:?}");
    assert!(items[1].starts_with("1: to=+33612345679 from=OTHER text=Hello {{first}}, {{code}} ref=A-1 params=code=own,n=1 "), "{items:?}");
    assert!(items[1].contains("class: Some(Otp)") && items[1].contains("expiry: Some(In(60))"), "{items:?}");
}

#[test]
fn csv_columns_are_fields_or_parameters_and_defaults_come_from_outside() {
    let defaults = Defaults::from_pairs([("from", "SHOP"), ("text", "Bonjour {{first}}"), ("class", "service")]).expect("right");
    let body = "\u{FEFF}To;first; Class ;\"note\"\r\n+33612345678;Zoé;;\"a;\"\"b\"\"\r\nc\"\r\n\r\n+33612345679;\"\";otp;\n";
    for cut in 1..body.len() {
        let mut reader = BulkReader::new(Format::Csv, defaults.clone(), BulkLimits::default());
        let mut items = Vec::new();
        for piece in body.as_bytes().chunks(cut) {
            reader.feed(piece, |item| items.push(shown(&item))).expect("right");
        }
        assert_eq!(reader.finish(|item| items.push(shown(&item))), Ok(()));
        assert_eq!(items.len(), 2, "{items:?}");
        assert!(
            items[0].starts_with("0: to=+33612345678 from=SHOP text=Bonjour {{first}} ref=- params=first=Zoé,note=a;\"b\"\r\nc "),
            "{items:?}"
        );
        assert!(items[0].contains("class: Some(Service)") && items[1].contains("class: Some(Otp)"), "{items:?}");
        assert!(items[1].starts_with("1: to=+33612345679 from=SHOP text=Bonjour {{first}} ref=- params=first=,note= "), "{items:?}");
    }
}

#[test]
fn lines_are_numbered_as_an_editor_does_less_one() {
    let (items, end) = read(Format::Ndjson, b"\n{\"to\":\"1\"}\n  \r\nx\n{\"to\":\"2\"}", 3, BulkLimits::default());
    assert_eq!(end, Ok(()));
    assert!(items[0].starts_with("1: to=1 "), "{items:?}");
    assert_eq!(items[1], "3: malformed_json ");
    assert!(items[2].starts_with("4: to=2 "), "{items:?}");
}

#[test]
fn many_lines_are_given_each_once_and_in_their_order() {
    let block = "{\"to\":\"+33612345678\",\"params\":{\"first\":\"Ada\\n\"}}\n".repeat(1_000);
    let mut reader = BulkReader::new(Format::Ndjson, Defaults::default(), BulkLimits::default());
    let (mut count, mut last) = (0u32, 0);
    for _ in 0..100 {
        reader
            .feed(block.as_bytes(), |item| {
                let Item::Draft(draft) = item else { panic!("all are right") };
                count += 1;
                last = draft.line;
            })
            .expect("right");
    }
    assert_eq!((count, last, reader.finish(|_| ())), (100_000, 99_999, Ok(())));
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9 +]{0,12}", "\\PC{0,8}", prop::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter)]
}

/// An object of the right shape, with values that may be wrong.
fn message() -> impl Strategy<Value = Value> {
    let scalar = || prop_oneof![word().prop_map(Value::from), any::<i32>().prop_map(Value::from), any::<bool>().prop_map(Value::from)];
    let params = prop::collection::btree_map("[a-z_][a-z0-9_]{0,5}", scalar(), 0..4).prop_map(|map| map.into_iter().collect::<Map<_, _>>());
    (word(), prop::option::of(word()), prop::option::of(params), prop::option::of(scalar()), prop::option::of(0u32..70)).prop_map(
        |(to, text, params, client_ref, segments)| {
            let mut map = Map::new();
            map.insert("to".into(), to.into());
            text.map(|text| map.insert("text".into(), text.into()));
            params.map(|params| map.insert("params".into(), params.into()));
            client_ref.map(|text| map.insert("client_ref".into(), text));
            segments.map(|count| map.insert("max_segments".into(), count.into()));
            Value::Object(map)
        },
    )
}

/// A body of many entries, some of them not right.
fn body(format: Format) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((message(), 0u8..12), 1..12).prop_map(move |entries| {
        let mut out = Vec::new();
        match format {
            Format::Json => out.extend_from_slice(b"{\"defaults\": {\"from\":\"SHOP\"} , \"recipients\" : ["),
            Format::Ndjson => {}
            Format::Csv => out.extend_from_slice(b"to,text,class\n"),
        }
        for (at, (entry, kind)) in entries.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(if format == Format::Json { b" , " } else { b"\n" });
            }
            if format == Format::Csv {
                let cell = |name: &str| format!("\"{}\"", entry[name].as_str().unwrap_or("").replace('"', "\"\""));
                out.extend_from_slice(
                    match kind {
                        0 => "bare,\"a\"b,".to_owned(),
                        1 => "1,2".to_owned(),
                        2 => "1,\r,\r".to_owned(),
                        3 => "+33612345678,bare text,otp\r".to_owned(),
                        _ => format!("{},{},{}", cell("to"), cell("text"), if *kind == 4 { "\"otp\"" } else { "" }),
                    }
                    .as_bytes(),
                );
                continue;
            }
            match kind {
                0 => out.extend_from_slice(b"{\"to\":1,}"),
                1 => out.extend_from_slice(b"12.5"),
                2 => out.extend_from_slice(b"{\"text\":\"\xFF\"}"),
                3 => out.extend_from_slice(format!("{{\"text\":\"{}\"}}", "é".repeat(200)).as_bytes()),
                4 => out.extend_from_slice(br#"{"text":"\ud83d\ude00\n\\\"\u0000"}"#),
                _ => out.extend_from_slice(entry.to_string().as_bytes()),
            }
        }
        if format == Format::Json {
            out.extend_from_slice(b" ] }\n");
        }
        out
    })
}

fn formatted_body() -> impl Strategy<Value = (Format, Vec<u8>)> {
    prop::sample::select(vec![Format::Json, Format::Ndjson, Format::Csv]).prop_flat_map(|format| (Just(format), body(format)))
}

const LIMITS: BulkLimits = BulkLimits { body_bytes_max: 4_000, line_bytes_max: 250, lines_max: 10 };

/// Reads a body with cuts at these places.
fn read_at(format: Format, body: &[u8], cuts: &[prop::sample::Index]) -> (Vec<String>, Option<(Code, String)>) {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    places.sort_unstable();
    places.push(body.len());
    let mut reader = BulkReader::new(format, Defaults::default(), LIMITS);
    let (mut items, mut from, mut result) = (Vec::new(), 0, Ok(()));
    for place in places {
        result = result.and_then(|()| reader.feed(&body[from..place], |item| items.push(shown(&item))));
        from = place;
    }
    let end = result.and_then(|()| reader.finish(|item| items.push(shown(&item))));
    (items, end.err().map(|fault| (fault.code, format!("{} {}", fault.pointer, fault.detail))))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_items_are_the_same_wherever_the_body_is_cut(
        (format, body) in formatted_body(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20), every in 1usize..5,
    ) {
        let whole = read_at(format, &body, &[]);
        prop_assert_eq!(&whole, &read_at(format, &body, &cuts));
        let (items, end) = read(format, &body, every, LIMITS);
        prop_assert_eq!(whole, (items, end.err().map(|fault| (fault.code, format!("{} {}", fault.pointer, fault.detail)))));
    }

    #[test]
    fn a_damaged_body_is_read_the_same_wherever_it_is_cut_and_never_makes_a_panic(
        (format, mut body) in formatted_body(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'}'),
            Just(b']'), Just(b','), Just(b'\n'), Just(b'\r'), Just(0u8), Just(0xC3u8), any::<u8>()], 0u8..3), 1..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        for (place, octet, how) in damage {
            let at = place.index(body.len());
            match how {
                0 => body[at] = octet,
                1 => body.insert(at, octet),
                _ => { body.remove(at); }
            }
            if body.is_empty() { body.push(octet); }
        }
        prop_assert_eq!(read_at(format, &body, &[]), read_at(format, &body, &cuts));
    }

    #[test]
    fn noise_never_makes_a_panic(noise in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5)) {
        for (format, start) in [(Format::Json, &b"{\"recipients\":["[..]), (Format::Json, b""), (Format::Ndjson, b""), (Format::Csv, b"to,a,b\n"), (Format::Csv, b"")] {
            let body = [start, &noise].concat();
            prop_assert_eq!(read_at(format, &body, &[]), read_at(format, &body, &cuts));
        }
        let _ = MessageReader::default().read(&noise, &Defaults::default(), 1_000);
    }

    #[test]
    fn what_serde_json_reads_is_read_with_the_same_strings(message in message(), pretty in any::<bool>()) {
        let body = if pretty { serde_json::to_string_pretty(&message) } else { serde_json::to_string(&message) }.expect("a value");
        agree(body.as_bytes())?;
    }

    #[test]
    fn what_serde_json_does_not_read_is_not_read_either(
        message in message(), place in any::<prop::sample::Index>(), octet in prop::sample::select(&b"\"\\{}[],:0e.-+ tnu\xC3\xA9\x00\n"[..]), how in 0u8..3,
    ) {
        let mut body = message.to_string().into_bytes();
        let at = place.index(body.len());
        match how {
            0 => body[at] = octet,
            1 => body.insert(at, octet),
            _ => { body.remove(at); }
        }
        agree(&body)?;
    }

    #[test]
    fn rows_are_cut_as_csv_core_cuts_them(rows in prop::collection::vec((word(), word(), word()), 1..6), quoted in any::<bool>()) {
        let mut body = String::from("to,a,b\n");
        for (a, b, c) in &rows {
            for (at, cell) in [a, b, c].into_iter().enumerate() {
                let cell = cell.replace('\0', "");
                body.push_str(if at > 0 { "," } else { "" });
                if quoted || cell.contains(['"', ',', '\n', '\r']) || (at == 0 && cell.is_empty()) {
                    body.push_str(&format!("\"{}\"", cell.replace('"', "\"\"")));
                } else {
                    body.push_str(&cell);
                }
            }
            body.push('\n');
        }
        let mut expected = rows_of_csv_core(body.as_bytes()).into_iter().skip(1);
        let mut reader = BulkReader::new(Format::Csv, Defaults::default(), BulkLimits::default());
        let mut count = 0;
        reader.feed(body.as_bytes(), |item| {
            count += 1;
            let row = expected.next().expect("as many rows");
            match item {
                Item::Draft(draft) => {
                    let found = [draft.to.unwrap_or(""), draft.params.get("a").unwrap_or("-"), draft.params.get("b").unwrap_or("-")];
                    assert_eq!(row, found);
                }
                // A cell with control characters is no recipient.
                Item::Refused { refusal, .. } => assert!(refusal.code == Code::ControlCharacter && row[0].chars().any(char::is_control)),
            }
        }).expect("right");
        prop_assert_eq!(count, rows.len());
    }
}

/// Reads one object with both parsers. They must agree on what is JSON, and on every string.
fn agree(body: &[u8]) -> Result<(), TestCaseError> {
    let theirs = serde_json::from_slice::<Value>(body);
    let mut reader = MessageReader::default();
    let defaults = Defaults::default();
    match (reader.read(body, &defaults, 100_000), theirs) {
        (Ok(draft), Ok(value)) => {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            prop_assert_eq!(draft.to.map(str::to_owned), text(&value["to"]));
            prop_assert_eq!(draft.words.text.map(str::to_owned), text(&value["text"]));
            prop_assert_eq!(draft.client_ref.map(str::to_owned), text(&value["client_ref"]));
            prop_assert_eq!(draft.options.max_segments.map(u64::from), value["max_segments"].as_u64());
            let empty = Map::new();
            let params = value["params"].as_object().unwrap_or(&empty);
            prop_assert_eq!(draft.params.iter().count(), params.len());
            for (name, value) in params {
                let found = draft.params.get(name);
                match value {
                    Value::String(text) => prop_assert_eq!(found, Some(text.as_str())),
                    Value::Number(number) => {
                        // serde_json's floats may be off by the last bit.
                        let (ours, theirs) = (found.and_then(|text| text.parse::<f64>().ok()), number.as_f64().expect("a number"));
                        prop_assert!(ours.is_some_and(|ours| (ours - theirs).abs() <= theirs.abs() * 1e-12), "{:?} {}", found, theirs);
                    }
                    other => prop_assert_eq!(found.map(str::to_owned), Some(other.to_string())),
                }
            }
        }
        (Ok(_), Err(why)) => prop_assert!(false, "read what is no JSON ({why}): {}", String::from_utf8_lossy(body)),
        (Err(fault), Ok(value)) => {
            let is_ours = !matches!(fault.code, Code::MalformedJson | Code::InvalidUnicode | Code::InvalidUtf8);
            prop_assert!(is_ours, "{:?} but it is JSON: {value}", fault);
        }
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

fn rows_of_csv_core(body: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv_core::Reader::new();
    let (mut output, mut ends) = (vec![0; body.len() + 10], [0; 10]);
    let (mut rows, mut at) = (Vec::new(), 0);
    loop {
        let (result, taken, _, count) = reader.read_record(&body[at..], &mut output, &mut ends);
        at += taken;
        match result {
            csv_core::ReadRecordResult::Record => {
                let mut start = 0;
                rows.push(
                    ends[..count]
                        .iter()
                        .map(|end| String::from_utf8(output[std::mem::replace(&mut start, *end)..*end].to_vec()).expect("text"))
                        .collect(),
                );
            }
            csv_core::ReadRecordResult::End => return rows,
            csv_core::ReadRecordResult::InputEmpty => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_comparison_with_serde_json_does_compare() {
    assert!(agree(json!({"to": "a\u{1F600}\"\\\n", "params": {"x": 1.5, "y": true}}).to_string().as_bytes()).is_ok());
    assert!(agree(b"{\"to\":\"\\ud83d\"}").is_ok());
}
