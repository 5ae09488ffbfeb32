//! What people send by mistake or on purpose, and what they are told: one table for each format.

use crate::pipeline::accept::bulk::{BulkLimits, BulkReader};
use crate::pipeline::accept::draft::{Defaults, Item};
use crate::pipeline::accept::fault::{BodyFault, Code};
use crate::pipeline::accept::media::Format;
use crate::pipeline::accept::single::MessageReader;

/// An item in a form that can be compared and printed: `line`, then what.
pub(super) fn shown(item: &Item<'_>) -> String {
    match item {
        Item::Draft(d) => {
            let params: Vec<_> = d.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!(
                "{}: to={} from={} text={} ref={} params={} {:?}",
                d.line,
                d.to.unwrap_or("-"),
                d.from.unwrap_or("-"),
                d.words.text.unwrap_or("-"),
                d.client_ref.unwrap_or("-"),
                params.join(","),
                d.options
            )
        }
        Item::Refused { line, source, refusal } => {
            format!("{line}: {} {}", refusal.code.slug(), source.pointer(*line, &refusal.pointer))
        }
    }
}

/// Reads a body cut into pieces of `cut` octets.
pub(super) fn read(format: Format, body: &[u8], cut: usize, limits: BulkLimits) -> (Vec<String>, Result<(), BodyFault>) {
    let mut reader = BulkReader::new(format, Defaults::default(), limits);
    let mut items = Vec::new();
    for piece in body.chunks(cut.max(1)) {
        if let Err(fault) = reader.feed(piece, |item| items.push(shown(&item))) {
            assert_eq!(reader.finish(|_| panic!("an item after the fault")), Err(fault.clone()));
            return (items, Err(fault));
        }
    }
    let end = reader.finish(|item| items.push(shown(&item)));
    (items, end)
}

#[track_caller]
fn fault(format: Format, body: &[u8], code: Code, pointer: &str) {
    for cut in [body.len(), 1, 7] {
        let (_, end) = read(format, body, cut, BulkLimits::default());
        let found = end.as_ref().err().map(|fault| (fault.code, &*fault.pointer));
        assert_eq!(found, Some((code, pointer)), "{} cut by {cut}", String::from_utf8_lossy(body));
    }
}

/// The first entry is refused as said, and the good one after it is read all the same.
#[track_caller]
fn refused(format: Format, body: &[u8], code: Code, pointer: &str) {
    for cut in [body.len(), 1, 7] {
        let (items, end) = read(format, body, cut, BulkLimits::default());
        let text = String::from_utf8_lossy(body);
        assert_eq!(end, Ok(()), "{text} cut by {cut}");
        assert_eq!(items.len(), 2, "{text} cut by {cut}: {items:?}");
        assert_eq!(items[0], format!("0: {} {pointer}", code.slug()), "{text} cut by {cut}");
        assert!(items[1].starts_with("1: to=+33612345678"), "{text} cut by {cut}: {items:?}");
    }
}

/// Entries that are wrong by themselves, whatever is around them; the pointer is relative.
const BAD_ENTRIES: &[(&[u8], Code, &str)] = &[
    // Types.
    (br#"{"to":33612345678}"#, Code::WrongType, "/to"),
    (br#"{"to":["+33612345678"]}"#, Code::WrongType, "/to"),
    (br#"{"to":{"number":"+33612345678"}}"#, Code::WrongType, "/to"),
    (br#"{"to":true}"#, Code::WrongType, "/to"),
    (br#"{"text":12}"#, Code::WrongType, "/text"),
    (br#"{"from":false}"#, Code::WrongType, "/from"),
    (br#"{"client_ref":7}"#, Code::WrongType, "/client_ref"),
    (br#"{"class":1}"#, Code::WrongType, "/class"),
    (br#"{"max_segments":"3"}"#, Code::WrongType, "/max_segments"),
    (br#"{"max_segments":1.5}"#, Code::WrongType, "/max_segments"),
    (br#"{"max_segments":1e1}"#, Code::WrongType, "/max_segments"),
    (br#"{"expires_in":"60"}"#, Code::WrongType, "/expires_in"),
    (br#"{"expires_in":[]}"#, Code::WrongType, "/expires_in"),
    (br#"{"expires_at":1800000000}"#, Code::WrongType, "/expires_at"),
    (br#"{"params":[1]}"#, Code::WrongType, "/params"),
    (br#"{"params":"a=b"}"#, Code::WrongType, "/params"),
    (br#"{"params":{"a":null}}"#, Code::WrongType, "/params/a"),
    (br#"{"params":{"a":{"b":1}}}"#, Code::WrongType, "/params/a"),
    (br#"{"params":{"a":[1]}}"#, Code::WrongType, "/params/a"),
    (br#"5"#, Code::WrongType, ""),
    (br#"null"#, Code::WrongType, ""),
    (br#""+33612345678""#, Code::WrongType, ""),
    (br#"["+33612345678"]"#, Code::WrongType, ""),
    // Ranges and words.
    (br#"{"max_segments":0}"#, Code::OutOfRange, "/max_segments"),
    (br#"{"max_segments":65}"#, Code::OutOfRange, "/max_segments"),
    (br#"{"max_segments":-1}"#, Code::OutOfRange, "/max_segments"),
    (br#"{"max_segments":100000000000000000000000}"#, Code::OutOfRange, "/max_segments"),
    (br#"{"expires_in":0}"#, Code::LifetimeOutOfRange, "/expires_in"),
    (br#"{"expires_in":1209601}"#, Code::LifetimeOutOfRange, "/expires_in"),
    (br#"{"expires_in":-5}"#, Code::LifetimeOutOfRange, "/expires_in"),
    (br#"{"expires_at":"tomorrow"}"#, Code::InvalidValue, "/expires_at"),
    (br#"{"expires_at":"2026-12-01T09:00:00"}"#, Code::InvalidValue, "/expires_at"),
    (br#"{"expires_at":"2026-02-30T09:00:00Z"}"#, Code::InvalidValue, "/expires_at"),
    (br#"{"expires_in":60,"expires_at":"2026-12-01T09:00:00Z"}"#, Code::ConflictingFields, "/expires_at"),
    (br#"{"class":"spam"}"#, Code::InvalidValue, "/class"),
    (br#"{"class":"OTP"}"#, Code::InvalidValue, "/class"),
    (br#"{"class":""}"#, Code::InvalidValue, "/class"),
    (br#"{"encoding":"utf-8"}"#, Code::InvalidValue, "/encoding"),
    (br#"{"doubt":"maybe"}"#, Code::InvalidValue, "/doubt"),
    (br#"{"split":"word"}"#, Code::InvalidValue, "/split"),
    (br#"{"channel":"mms"}"#, Code::UnsupportedChannel, "/channel"),
    (br#"{"channel":"voice"}"#, Code::UnsupportedChannel, "/channel"),
    (br#"{"client_ref":"12345678901234567890123456789012345678901234567890123456789012345"}"#, Code::TooLong, "/client_ref"),
    (br#"{"params":{"n":1e999}}"#, Code::OutOfRange, "/params/n"),
    (br#"{"params":{"n":12345678901234567890123456789012345678901234567890123456789012345}}"#, Code::OutOfRange, "/params/n"),
    // Names.
    (br#"{"txt":"hi"}"#, Code::UnknownField, "/txt"),
    (br#"{"clientRef":"A"}"#, Code::UnknownField, "/clientRef"),
    (br#"{"TO":"A"}"#, Code::UnknownField, "/TO"),
    (br#"{"":"A"}"#, Code::UnknownField, ""),
    (br#"{"+33612345678":{}}"#, Code::UnknownField, ""),
    (br#"{"t\u006F0":1}"#, Code::UnknownField, "/to0"),
    (br#"{"send_at":"2026-12-01T09:00:00Z"}"#, Code::UnsupportedField, "/send_at"),
    (br#"{"media":["m"]}"#, Code::UnsupportedField, "/media"),
    (br#"{"voice":{}}"#, Code::UnsupportedField, "/voice"),
    (br#"{"template":"cart-1@3"}"#, Code::UnsupportedField, "/template"),
    (br#"{"fallback":[{"channel":"sms"}]}"#, Code::UnsupportedField, "/fallback"),
    (br#"{"metadata":{"k":"v"}}"#, Code::UnsupportedField, "/metadata"),
    (br#"{"callback_url":"https://x.example"}"#, Code::UnsupportedField, "/callback_url"),
    (br#"{"tags":["vip"]}"#, Code::UnsupportedField, "/tags"),
    (br#"{"params":{"1st":"a"}}"#, Code::InvalidParamName, "/params"),
    (br#"{"params":{"":"a"}}"#, Code::InvalidParamName, "/params"),
    (br#"{"params":{"first name":"a"}}"#, Code::InvalidParamName, "/params"),
    (b"{\"params\":{\"pr\xC3\xA9nom\":\"a\"}}", Code::InvalidParamName, "/params"),
    (br#"{"to":"+33612345678","to":"+33612345679"}"#, Code::DuplicateField, "/to"),
    (br#"{"to":null,"to":"+33612345679"}"#, Code::DuplicateField, "/to"),
    (br#"{"to":"+33612345678","\u0074o":"+33612345679"}"#, Code::DuplicateField, "/to"),
    (br#"{"params":{},"params":{}}"#, Code::DuplicateField, "/params"),
    (br#"{"params":{"a":1,"a":2}}"#, Code::DuplicateField, "/params/a"),
    (br#"{"params":{"a":1,"\u0061":2}}"#, Code::DuplicateField, "/params/a"),
    // Characters.
    (br#"{"to":"+336\u000012345678"}"#, Code::ControlCharacter, "/to"),
    (br#"{"to":"+33612345678\r\n"}"#, Code::ControlCharacter, "/to"),
    (br#"{"from":"SHOP\u007f"}"#, Code::ControlCharacter, "/from"),
    (br#"{"from":"SHOP\u0085"}"#, Code::ControlCharacter, "/from"),
    (br#"{"client_ref":"a\tb"}"#, Code::ControlCharacter, "/client_ref"),
    (br#"{"client_ref":"\u001b[31m"}"#, Code::ControlCharacter, "/client_ref"),
    (br#"{"text":"a\u0000b"}"#, Code::ControlCharacter, "/text"),
    (br#"{"params":{"a":"\u0000"}}"#, Code::ControlCharacter, "/params/a"),
    (br#"{"text":"\ud83d"}"#, Code::InvalidUnicode, "/text"),
    (br#"{"text":"\ude00\ud83d"}"#, Code::InvalidUnicode, "/text"),
    (br#"{"text":"\ud83d\u0041"}"#, Code::InvalidUnicode, "/text"),
    (br#"{"params":{"a":"\udfff"}}"#, Code::InvalidUnicode, "/params/a"),
    (br#"{"\ud800":1}"#, Code::InvalidUnicode, ""),
    (b"{\"text\":\"caf\xE9\"}", Code::InvalidUtf8, ""),
    (b"{\"text\":\"\xED\xA0\x80\"}", Code::InvalidUtf8, ""),
    (b"{\"text\":\"\xC0\xAF\"}", Code::InvalidUtf8, ""),
    // Grammar, with quotes and brackets that match.
    (br#"{"to":"+33612345678",}"#, Code::MalformedJson, ""),
    (br#"{,"to":"+33612345678"}"#, Code::MalformedJson, ""),
    (br#"{"to":}"#, Code::MalformedJson, ""),
    (br#"{"to"}"#, Code::MalformedJson, ""),
    (br#"{to:"+33612345678"}"#, Code::MalformedJson, ""),
    (br#"{"max_segments":01}"#, Code::MalformedJson, ""),
    (br#"{"max_segments":+1}"#, Code::MalformedJson, ""),
    (br#"{"params":{"a":1.}}"#, Code::MalformedJson, ""),
    (br#"{"params":{"a":.5}}"#, Code::MalformedJson, ""),
    (br#"{"params":{"a":1e}}"#, Code::MalformedJson, ""),
    (br#"{"params":{"a":NaN}}"#, Code::MalformedJson, ""),
    (br#"{"params":{"a":Infinity}}"#, Code::MalformedJson, ""),
    (br#"{"params":{"a":tru}}"#, Code::MalformedJson, ""),
    (br#"{"params":{"a":truex}}"#, Code::MalformedJson, ""),
    (br#"{"to":nul}"#, Code::MalformedJson, ""),
    (br#"{"text":"\x41"}"#, Code::MalformedJson, ""),
    (br#"{"text":"\u12g4"}"#, Code::MalformedJson, ""),
    (b"{\"text\":\"a\tb\"}", Code::MalformedJson, ""),
    (b"{\"text\":\"a\x00b\"}", Code::MalformedJson, ""),
];

#[test]
fn a_bad_entry_of_a_json_list_is_refused_alone() {
    for (entry, code, pointer) in BAD_ENTRIES {
        let body = [br#"{"recipients":["#, *entry, br#" , {"to":"+33612345678"}]}"#].concat();
        refused(Format::Json, &body, *code, &format!("/recipients/0{pointer}"));
        let body = [br#"{"messages" : ["#, *entry, br#",{"to":"+33612345678"}]}"#].concat();
        refused(Format::Json, &body, *code, &format!("/messages/0{pointer}"));
    }
}

#[test]
fn a_bad_line_of_ndjson_is_refused_alone() {
    for (entry, code, pointer) in BAD_ENTRIES {
        refused(Format::Ndjson, &[*entry, b"\n{\"to\":\"+33612345678\"}"].concat(), *code, pointer);
    }
    // What would make a whole JSON document uncertain ends at the line end here.
    for line in [
        &br#"{"text":"he said "hi""}"#[..],
        br#"{"to":"+33612345678"#,
        b"{\"to\":\"+33612345678\"}}",
        b"{}{}",
        b"\xFF\xFE{\x00",
        b"}",
        b"[[[[",
        b"\x0C{}",
    ] {
        let code = if std::str::from_utf8(line).is_err() { Code::InvalidUtf8 } else { Code::MalformedJson };
        let code = if line == b"[[[[" { Code::WrongType } else { code };
        refused(Format::Ndjson, &[line, b"\r\n{\"to\":\"+33612345678\"}\r\n"].concat(), code, "");
    }
}

#[test]
fn a_bad_single_message_is_a_fault_of_the_request() {
    let (mut reader, defaults) = (MessageReader::default(), Defaults::default());
    for (entry, code, pointer) in BAD_ENTRIES {
        let fault = reader.read(entry, &defaults, 65_536).expect_err("a fault");
        assert_eq!((fault.code, &*fault.pointer), (*code, *pointer), "{}", String::from_utf8_lossy(entry));
        // The sender learns what was expected, never what was sent (INV-36).
        assert!(!fault.detail.contains("3361234") && !fault.pointer.contains("3361234"));
    }
    for (body, code) in [
        (&b""[..], Code::MalformedJson),
        (b"{", Code::MalformedJson),
        (b"{} {}", Code::MalformedJson),
        (b"\xEF\xBB\xBFx", Code::MalformedJson),
    ] {
        assert_eq!(reader.read(body, &defaults, 65_536).expect_err("a fault").code, code);
    }
    assert_eq!(reader.read(&[b' '; 101], &defaults, 100).expect_err("a fault").code, Code::PayloadTooLarge);
    assert!(reader.read(b"\xEF\xBB\xBF {\"to\":\"1\"}\n", &defaults, 100).is_ok());
}

#[test]
fn what_is_wrong_outside_the_entries_is_a_fault_of_the_body() {
    let ok = r#"{"to":"+33612345678"}"#;
    for (body, code, pointer) in [
        ("", Code::TruncatedBody, ""),
        ("   ", Code::TruncatedBody, ""),
        ("{", Code::TruncatedBody, ""),
        ("{\"recip", Code::TruncatedBody, ""),
        ("{\"recipients\":[", Code::TruncatedBody, ""),
        ("{\"recipients\":[{\"to\":\"+336", Code::TruncatedBody, ""),
        (&format!("{{\"recipients\":[{ok}"), Code::TruncatedBody, ""),
        (&format!("{{\"recipients\":[{ok},"), Code::TruncatedBody, ""),
        (&format!("{{\"recipients\":[{ok}]"), Code::TruncatedBody, ""),
        ("{}", Code::MissingRecipients, ""),
        ("{\"defaults\":{}}", Code::MissingRecipients, ""),
        ("{\"recipients\":[]}", Code::EmptyBatch, ""),
        (&format!("[{ok}]"), Code::WrongType, ""),
        ("\"hello\"", Code::WrongType, ""),
        ("hello", Code::MalformedJson, ""),
        ("to,text\n+33612345678,hi", Code::WrongType, ""),
        ("{\"recipients\":{}}", Code::WrongType, "/recipients"),
        ("{\"messages\":\"x\"}", Code::WrongType, "/messages"),
        ("{\"recipients\":null}", Code::WrongType, "/recipients"),
        ("{\"defaults\":[]}", Code::WrongType, "/defaults"),
        ("{\"defaults\":{\"class\":\"x\"},\"recipients\":[]}", Code::InvalidValue, "/defaults/class"),
        ("{\"defaults\":{\"to\":\"+33612345678\"}}", Code::UnsupportedField, "/defaults/to"),
        ("{\"defaults\":{\"client_ref\":\"A\"}}", Code::UnsupportedField, "/defaults/client_ref"),
        ("{\"defaults\":{\"txt\":\"A\"}}", Code::UnknownField, "/defaults/txt"),
        ("{\"defaults\":{\"text\":tru}}", Code::WrongType, "/defaults/text"),
        ("{\"defaults\":{\"params\":{\"a\":tru}}}", Code::MalformedJson, "/defaults"),
        ("{\"defaults\":{},\"defaults\":{}}", Code::DuplicateField, "/defaults"),
        (&format!("{{\"recipients\":[{ok}],\"defaults\":{{}}}}"), Code::DefaultsAfterRecipients, "/defaults"),
        (&format!("{{\"recipients\":[{ok}],\"recipients\":[]}}"), Code::DuplicateField, "/recipients"),
        (&format!("{{\"recipients\":[{ok}],\"messages\":[]}}"), Code::ConflictingFields, ""),
        (&format!("{{\"messages\":[{ok}],\"recipients\":[]}}"), Code::ConflictingFields, ""),
        ("{\"recipient\":[]}", Code::UnknownField, "/recipient"),
        ("{\"text\":\"hi\",\"recipients\":[]}", Code::UnknownField, "/text"),
        ("{\"send_at\":\"x\"}", Code::UnsupportedField, "/send_at"),
        ("{\"name\":\"x\"}", Code::UnsupportedField, "/name"),
        ("{\"+33612345678\":1}", Code::UnknownField, ""),
        ("{\"a\\x\":1}", Code::MalformedJson, ""),
        ("{\"\\ud800\":1}", Code::InvalidUnicode, ""),
        ("{recipients:[]}", Code::MalformedJson, ""),
        ("{\"recipients\" []}", Code::MalformedJson, ""),
        ("{,}", Code::MalformedJson, ""),
        ("{\"recipients\":[,]}", Code::MalformedJson, "/recipients/0"),
        (&format!("{{\"recipients\":[{ok},]}}"), Code::MalformedJson, ""),
        (&format!("{{\"recipients\":[{ok}{ok}]}}"), Code::MalformedJson, ""),
        (&format!("{{\"recipients\":[{ok}],}}"), Code::MalformedJson, ""),
        (&format!("{{\"recipients\":[{ok}]}}}}"), Code::MalformedJson, ""),
        (&format!("{{\"recipients\":[{ok}]}}{{}}"), Code::MalformedJson, ""),
        (&format!("{{\"recipients\":[{ok}}}]}}"), Code::MalformedJson, ""),
        (&format!("{{\"recipients\":[{ok},{{\"text\":\"he said \"hi\"\"}},{ok}]}}"), Code::MalformedJson, "/recipients/1"),
        (&format!("{{\"recipients\":[{{\"to\":\"x]}},{ok}]}}"), Code::MalformedJson, "/recipients/0"),
        (&format!("{{\"recipients\":[{{\"to\":[1}},{ok}]}}"), Code::MalformedJson, "/recipients/0"),
        (&format!("{{\"recipients\":[{{“to”:“x”}},{ok}]}}"), Code::MalformedJson, "/recipients/0"),
        (&format!("{{\"recipients\":[{{\"to\":{}", "[".repeat(100_000)), Code::TooDeep, "/recipients/0"),
        (&format!("{{\"recipients\":[{}", "{\"a\":".repeat(100_000)), Code::TooDeep, "/recipients/0"),
        (&format!("{{\"{}\":1}}", "a".repeat(300)), Code::UnknownField, ""),
        (&format!("{{\"defaults\":{{\"text\":\"{}\"}}}}", "a".repeat(9_000)), Code::LineTooLong, "/defaults"),
    ] {
        fault(Format::Json, body.as_bytes(), code, pointer);
    }
    fault(Format::Json, b"{\"\xFF\":1}", Code::InvalidUtf8, "");
    fault(Format::Json, b"\xFF\xFE{\x00", Code::MalformedJson, "");
    for body in ["", "\n\n \r\n", "\u{FEFF}"] {
        fault(Format::Ndjson, body.as_bytes(), Code::EmptyBatch, "");
    }
}

#[test]
fn a_bad_row_of_csv_is_refused_alone() {
    for (row, code, pointer) in [
        (&b"+33612345679"[..], Code::ColumnCount, ""),
        (b"+33612345679,otp,3,x,more", Code::ColumnCount, ""),
        (b"+33612345679,spam,3,x", Code::InvalidValue, "/class"),
        (b"+33612345679,otp,three,x", Code::WrongType, "/max_segments"),
        (b"+33612345679,otp,-3,x", Code::WrongType, "/max_segments"),
        (b"+33612345679,otp,65,x", Code::OutOfRange, "/max_segments"),
        (b"+336\x0712345679,otp,3,x", Code::ControlCharacter, "/to"),
        (b"+33612345679,otp,3,a\x00b", Code::ControlCharacter, ""),
        (b"+33612345679,otp,3,caf\xE9", Code::InvalidUtf8, ""),
        (b"+33612345679,otp,3,a \"quoted\" word", Code::MalformedCsv, ""),
        (b"+33612345679,otp,3,\"a\"b", Code::MalformedCsv, ""),
        (b"+33612345679,otp,3,\"a\" ", Code::MalformedCsv, ""),
        (b"+33612345679,otp,3,\"a\rb\"\rc", Code::MalformedCsv, ""),
        // The quote of the first line is closed by that of the second: both are lost, and no third row is made of them.
        (b"+33612345679,otp,3,\"open\n+33612345679,otp,3,\"name", Code::MalformedCsv, ""),
    ] {
        refused(Format::Csv, &[b"to,class,max_segments,first\n", row, b"\r\n+33612345678,,,y"].concat(), code, pointer);
    }
}

#[test]
fn a_bad_csv_header_or_end_is_a_fault_of_the_body() {
    let many: String = (0..70).map(|n| format!(",p{n}")).collect();
    for (body, code, pointer) in [
        ("", Code::BadCsvHeader, ""),
        ("\n\r\n", Code::BadCsvHeader, ""),
        ("to,text\n", Code::EmptyBatch, ""),
        ("to,text", Code::EmptyBatch, ""),
        ("number,text\n1,2", Code::BadCsvHeader, ""),
        ("to,to\n1,2", Code::BadCsvHeader, ""),
        ("to,TO\n1,2", Code::BadCsvHeader, ""),
        ("to,a,a\n1,2,3", Code::BadCsvHeader, ""),
        ("to,first name\n1,2", Code::BadCsvHeader, ""),
        ("to,prénom\n1,2", Code::BadCsvHeader, ""),
        ("to,\n1,2", Code::BadCsvHeader, ""),
        ("+33612345678,hello\n", Code::BadCsvHeader, ""),
        ("to,params\n1,2", Code::UnsupportedField, "/params"),
        ("to,send_at\n1,2", Code::UnsupportedField, "/send_at"),
        ("to,template\n1,2", Code::UnsupportedField, "/template"),
        ("to,a\"b\n1,2", Code::MalformedCsv, ""),
        (&format!("to{many}\n"), Code::BadCsvHeader, ""),
        (&format!("to,{}\n", "a".repeat(9_000)), Code::BadCsvHeader, ""),
        ("to,a\n+33612345678,\"open", Code::TruncatedBody, ""),
        ("to,a\n+33612345678,\"open\n+33612345679,b\n", Code::TruncatedBody, ""),
    ] {
        fault(Format::Csv, body.as_bytes(), code, pointer);
    }
    fault(Format::Csv, b"to,caf\xE9\n1,2", Code::InvalidUtf8, "");
}

#[test]
fn what_is_too_much_is_stopped() {
    let ok = "{\"to\":\"+33612345678\"}";
    let limits = BulkLimits { body_bytes_max: 120, line_bytes_max: 60, lines_max: 3 };
    let long = format!("{{\"to\":\"+33612345678\",\"text\":\"{}\"}}", "a".repeat(60));
    for cut in [1, 5, 1_000] {
        // A long entry is refused alone; what comes after it is read.
        let (items, end) = read(Format::Ndjson, format!("{long}\n{ok}\n").as_bytes(), cut, limits);
        assert_eq!((items.len(), end), (2, Ok(())), "{items:?}");
        assert!(items[0].starts_with("0: line_too_long"), "{items:?}");
        let wide = BulkLimits { body_bytes_max: 1_000, ..limits };
        let (items, end) = read(Format::Json, format!("{{\"recipients\":[{long},{ok}]}}").as_bytes(), cut, wide);
        assert_eq!((items.len(), end), (2, Ok(())), "{items:?}");
        assert!(items[0].starts_with("0: line_too_long /recipients/0"), "{items:?}");
        let (items, end) =
            read(Format::Csv, format!("to,a\n+33612345678,{long:?}\n+33612345678,b").replace("\\\"", "\"\"").as_bytes(), cut, wide);
        assert_eq!((items.len(), end), (2, Ok(())), "{items:?}");
        assert!(items[0].starts_with("0: line_too_long"), "{items:?}");
        // Lines and octets.
        let (items, end) = read(Format::Ndjson, format!("{ok}\n{ok}\n{ok}\n{ok}\n").as_bytes(), cut, limits);
        assert_eq!((items.len(), end.map_err(|fault| fault.code)), (3, Err(Code::TooManyLines)));
        let (items, end) = read(Format::Ndjson, "\n".repeat(121).as_bytes(), cut, limits);
        assert_eq!((items.len(), end.map_err(|fault| fault.code)), (0, Err(Code::PayloadTooLarge)));
        let (items, end) = read(Format::Json, format!("{{\"recipients\":[{ok},{ok},{ok},{ok}]}}").as_bytes(), cut, wide);
        assert_eq!((items.len(), end.map_err(|fault| fault.code)), (3, Err(Code::TooManyLines)));
    }
    let many: Vec<String> = (0..65).map(|n| format!("\"p{n}\":1")).collect();
    refused(Format::Ndjson, format!("{{\"params\":{{{}}}}}\n{ok}", many.join(",")).as_bytes(), Code::TooManyKeys, "/params");
}

#[test]
fn an_endless_line_is_passed_over_without_being_kept() {
    let mut reader = BulkReader::new(Format::Ndjson, Defaults::default(), BulkLimits::default());
    let mut items = Vec::new();
    for _ in 0..1_000 {
        reader.feed(&[b'x'; 10_000], |item| items.push(shown(&item))).expect("within the body");
    }
    reader.feed(b"\n{\"to\":\"+33612345678\"}\n", |item| items.push(shown(&item))).expect("within the body");
    assert_eq!(reader.finish(|_| ()), Ok(()));
    assert_eq!(items.len(), 2);
    assert!(items[0].starts_with("0: line_too_long") && items[1].starts_with("1: to=+33612345678"), "{items:?}");
}
