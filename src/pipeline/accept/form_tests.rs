//! What entries say of their form, from their octets to what is believed.

use super::{AccountRules, Code, Defaults, EncodingChoice, Form, MessageReader, Ports, check};
use crate::base::Time;
use crate::config::{ProtocolId, Substitute, Transliterate};
use crate::message::Class;

fn rules() -> AccountRules {
    AccountRules {
        from: Some("SHOP".into()),
        protocol_ids: vec![ProtocolId::Replace],
        stop_mention: "STOP au 36111".into(),
        ..AccountRules::default()
    }
}

fn form<T>(rest: &str, see: impl FnOnce(&Form<'_>) -> T) -> Result<T, (Code, String)> {
    let body = format!(r#"{{"to":"+33612345678",{rest}}}"#);
    let (mut reader, defaults, rules) = (MessageReader::default(), Defaults::default(), rules());
    let draft = reader.read(body.as_bytes(), &defaults, 65_536).map_err(|fault| (fault.code, fault.pointer.to_string()))?;
    let accepted = check(&draft, &rules, Time(0)).map_err(|refusal| (refusal.code, refusal.pointer.to_string()))?;
    assert_eq!(accepted.form.mention.is_empty(), accepted.class != Class::Marketing);
    Ok(see(&accepted.form))
}

#[test]
fn a_form_is_what_the_fields_say() {
    let text = |rest: &str| format!(r#""text":"hi",{rest}"#);
    assert_eq!(
        form(&text(r#""message_class":"flash","protocol_id":"replace_3""#), |form| (form.message_class, form.protocol)),
        Ok((1, 0x43))
    );
    let spelt = form(&text(r#""substitute":"smart","transliterate":"fr""#), |form| (form.substitute, form.transliterate));
    assert_eq!(spelt, Ok((Substitute::Smart, Transliterate::Latin)));
    let binary = form(r#""encoding":"binary","data":"0102","ports":{"to":2948,"from":9200}"#, |form| (form.data.map(str::len), form.ports));
    assert_eq!(binary, Ok((Some(4), Some(Ports { to: 2_948, from: 9_200 }))));
    let cell = form(r#""encoding":"binary","data":"0102","ports":"2948:9200""#, |form| form.ports);
    assert_eq!(cell, Ok(Some(Ports { to: 2_948, from: 9_200 })));
    assert_eq!(form(&text(r#""class":"marketing""#), |form| form.mention.to_owned()), Ok("STOP au 36111".into()));
}

#[test]
fn a_data_coding_and_flash_are_other_words_for_encoding_and_class() {
    let read = |rest: &str| {
        let body = format!(r#"{{"to":"+33612345678",{rest}}}"#);
        let (mut reader, defaults, rules) = (MessageReader::default(), Defaults::default(), rules());
        let draft = reader.read(body.as_bytes(), &defaults, 65_536).expect("a draft");
        let accepted = check(&draft, &rules, Time(0)).expect("believed");
        (accepted.encoding, accepted.form.message_class)
    };
    let text = |rest: &str| read(&format!(r#""text":"hi",{rest}"#));
    assert_eq!(text(r#""flash":true"#), (EncodingChoice::Auto, 1));
    assert_eq!(text(r#""flash":false"#), (EncodingChoice::Auto, 0));
    assert_eq!(text(r#""flash":null"#), (EncodingChoice::Auto, 0));
    assert_eq!(text(r#""data_coding":0"#), (EncodingChoice::Gsm7, 0));
    assert_eq!(text(r#""data_coding":8,"flash":true"#), (EncodingChoice::Ucs2, 1));
    assert_eq!(text(r#""data_coding":18"#), (EncodingChoice::Gsm7, 3));
    assert_eq!(text(r#""data_coding":24"#), (EncodingChoice::Ucs2, 1));
    assert_eq!(text(r#""data_coding":240"#), (EncodingChoice::Gsm7, 1));
    assert_eq!(read(r#""data_coding":4,"data":"01""#), (EncodingChoice::Binary, 0));
    assert_eq!(read(r#""data_coding":247,"data":"01""#), (EncodingChoice::Binary, 4));
    // An entry's own word takes the place of the defaults', whichever of the two it uses.
    let defaults = Defaults::from_pairs([("flash", "true"), ("text", "hi"), ("data_coding", "8")]).expect("right");
    let (mut reader, rules) = (MessageReader::default(), rules());
    let draft = reader.read(br#"{"to":"+33612345678","message_class":"sim","encoding":"auto"}"#, &defaults, 65_536).expect("a draft");
    let accepted = check(&draft, &rules, Time(0)).expect("believed");
    assert_eq!((accepted.encoding, accepted.form.message_class), (EncodingChoice::Auto, 3));
}

#[test]
fn what_does_not_go_together_says_why() {
    for (rest, code, pointer) in [
        (r#""text":"hi","encoding":"binary","data":"01""#, Code::ConflictingFields, "/text"),
        (r#""encoding":"binary""#, Code::MissingText, "/data"),
        (r#""encoding":"binary","data":"""#, Code::MissingText, "/data"),
        (r#""text":"hi","data":"01""#, Code::ConflictingFields, "/data"),
        (r#""text":"hi","udh":"050003010201""#, Code::ConflictingFields, "/udh"),
        (r#""text":"hi","ports":{"to":1,"from":2}"#, Code::ConflictingFields, "/ports"),
        (r#""encoding":"binary","data":"01","udh":"0605040b8423f0","ports":{"to":1,"from":2}"#, Code::ConflictingFields, "/ports"),
        (r#""encoding":"binary","data":"01","ports":{"to":1}"#, Code::InvalidValue, "/ports"),
        (r#""encoding":"binary","data":"01","ports":{"to":1,"from":70000}"#, Code::OutOfRange, "/ports"),
        (r#""encoding":"binary","data":"01","ports":{"to":1,"from":2,"x":3}"#, Code::UnknownField, "/ports"),
        (r#""encoding":"binary","data":"01","ports":{"to":1,"from":"2"}"#, Code::WrongType, "/ports"),
        (r#""text":"hi","message_class":"loud""#, Code::InvalidValue, "/message_class"),
        (r#""text":"hi","flash":1"#, Code::WrongType, "/flash"),
        (r#""text":"hi","flash":"true""#, Code::WrongType, "/flash"),
        (r#""text":"hi","flash":tru"#, Code::MalformedJson, ""),
        (r#""text":"hi","flash":true,"message_class":"sim""#, Code::ConflictingFields, "/message_class"),
        (r#""text":"hi","data_coding":16,"flash":false"#, Code::ConflictingFields, "/flash"),
        (r#""text":"hi","encoding":"auto","data_coding":0"#, Code::ConflictingFields, "/data_coding"),
        (r#""text":"hi","data_coding":1"#, Code::InvalidValue, "/data_coding"),
        (r#""text":"hi","data_coding":256"#, Code::InvalidValue, "/data_coding"),
        (r#""text":"hi","data_coding":-1"#, Code::InvalidValue, "/data_coding"),
        (r#""text":"hi","data_coding":4"#, Code::ConflictingFields, "/text"),
        (r#""text":"hi","max_price":"cheap""#, Code::InvalidValue, "/max_price"),
        (r#""text":"hi","max_price":0.08"#, Code::WrongType, "/max_price"),
        (r#""text":"hi","substitute":"yes""#, Code::InvalidValue, "/substitute"),
        (r#""text":"hi","transliterate":"xx""#, Code::InvalidValue, "/transliterate"),
        (r#""text":"hi","protocol_id":"replace_8""#, Code::InvalidValue, "/protocol_id"),
        (r#""text":"hi","protocol_id":"silent""#, Code::ProtocolNotAllowed, "/protocol_id"),
    ] {
        assert_eq!(form(rest, |_| ()), Err((code, pointer.to_owned())), "{rest}");
    }
}
