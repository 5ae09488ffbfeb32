//! Interoperability with code none of us wrote: the real binary sends to an SMSC made with PyPI's `smpp34` and to one
//! made with npm's `smpp`. 5,000 messages through each, with receipts: single and long, accents, extension characters,
//! UCS-2. What the carriers decoded must be what was asked for, to the character.
//!
//! The packages are installed from their registries into `target/interop` at the first run; it takes a network,
//! python3 and node. Without them the tests fail; `RELAIS_INTEROP=skip` leaves them out.

#[path = "../common/mod.rs"]
mod common;

use common::api::ids as ids_of;
use common::gateway::{Gateway, Settings};
use common::peers::{Event, Peer, read};
use common::process::Process;
use common::{Bench, foreign, until};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

const MESSAGES: usize = 5_000;
const BULK: usize = 1_000;
/// Debug builds, two foreign interpreters, one machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A submit_sm as the foreign SMSC understood it.
#[derive(Debug, Deserialize)]
struct Submit {
    source: String,
    source_ton: u8,
    dest: String,
    esm_class: u8,
    data_coding: u8,
    part: Option<(u16, u8, u8)>,
    text: String,
}

/// What is asked for: recipient and text. Four kinds in turn, of lengths that differ, so that cuts fall everywhere.
fn asked(n: usize) -> (String, String, u8) {
    let to = format!("336{n:08}");
    let filler = "x".repeat(n % 23);
    match n % 4 {
        0 => (to, format!("Hello Zoe, order {n}{filler} is on its way. #{n}#"), 0),
        1 => (to, format!("#{n}# {filler}àéèùìòÇØøÅåÆæßÉÄÖÑÜ§äöñü¿¡£$¥ @_ΔΦΓΛΩΠΨΣΘΞ 12€ [a] {{b}} c\\d^e~f|g\nend"), 0),
        // 3 parts; characters of two septets everywhere, so that some stand at the cuts.
        2 => (to, format!("#{n}# {filler}{}", "Prix: 5€ [net] ".repeat(20)), 0),
        // Families and flags of several code points, also where parts end.
        _ => (to, format!("#{n}# {filler}{}", "Привет 👩‍👩‍👧‍👦 🇫🇷 e\u{301} 🐍 ".repeat(6)), 8),
    }
}

fn bulk(range: std::ops::Range<usize>) -> Value {
    let recipient = |n| {
        let (to, text, _) = asked(n);
        json!({"to": format!("+{to}"), "params": {"body": text}, "client_ref": n.to_string()})
    };
    json!({"defaults": {"from": "SHOP", "text": "{{body}}"}, "recipients": range.map(recipient).collect::<Vec<_>>()})
}

/// How the carrier wants long texts and alphabets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Headers,
    Sar,
    Payload,
    Latin1,
}

impl Wants {
    const fn keys(self) -> &'static str {
        match self {
            Wants::Headers => "",
            Wants::Sar => "joining = \"sar\"\n",
            Wants::Payload => "joining = \"payload\"\n",
            Wants::Latin1 => "alphabet = \"latin1\"\n",
        }
    }
}

/// Whether the lines of a record are in the order in which the requests came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    AsSent,
    /// The package handles the requests of a session side by side.
    Mixed,
}

/// The message of one recipient, put together from what the SMSC got.
fn assembled(n: usize, submits: &mut [Submit], order: Order, wants: Wants) -> String {
    let (_, text, coding) = asked(n);
    // The euro and Greek capitals are in the GSM alphabet and not in Latin-1.
    let coding = if wants == Wants::Latin1 && text.chars().any(|c| c > '\u{FF}') { 8 } else { coding };
    for submit in submits.iter() {
        assert_eq!((submit.source.as_str(), submit.source_ton, submit.data_coding), ("SHOP", 5, coding), "{n}");
        let has_header = submit.part.is_some() && wants != Wants::Sar;
        assert_eq!(submit.esm_class & 0x40 != 0, has_header, "{n}: a header is announced when there is one");
    }
    if order == Order::Mixed {
        submits.sort_by_key(|submit| submit.part.map(|part| part.2));
    }
    if let [single] = submits {
        assert_eq!(single.part, None, "{n}");
        return single.text.clone();
    }
    let parts: Vec<(u16, u8, u8)> = submits.iter().map(|submit| submit.part.expect("a part says so")).collect();
    let reference = parts[0].0;
    let expected: Vec<_> = (1..=submits.len()).map(|number| (reference, submits.len() as u8, number as u8)).collect();
    assert_eq!(parts, expected, "{n}: one reference, all parts, in order, once");
    submits.iter().map(|submit| submit.text.as_str()).collect()
}

/// The carrier's side: exactly what was asked for, nothing twice. Returns the number of parts.
fn check_carrier(record: &Path, order: Order, wants: Wants) -> usize {
    let submits: Vec<Submit> = read(record);
    let count = submits.len();
    let mut by_recipient: HashMap<String, Vec<Submit>> = HashMap::new();
    for submit in submits {
        by_recipient.entry(submit.dest.clone()).or_default().push(submit);
    }
    assert_eq!(by_recipient.len(), MESSAGES, "every recipient, and nobody else");
    for n in 0..MESSAGES {
        let (to, text, _) = asked(n);
        assert_eq!(assembled(n, by_recipient.get_mut(&to).expect("every recipient"), order, wants), text, "{n}");
    }
    count
}

/// The customer's side: every message was told final once, as delivered.
fn check_told(events: &[Event], ids: &[String]) {
    let mut told: HashMap<&str, &Event> = HashMap::new();
    for event in events.iter().filter(|event| event.kind == "message.final") {
        let before = told.insert(event.message.as_deref().expect("a message"), event);
        assert!(before.is_none_or(|before| before.id == event.id), "{event:?} after {before:?}");
    }
    for (n, id) in ids.iter().enumerate() {
        let event = told.get(id.as_str()).unwrap_or_else(|| panic!("{id} was never told"));
        let n = n.to_string();
        assert_eq!((event.status.as_deref(), event.client_ref.as_deref()), (Some("delivered"), Some(n.as_str())));
    }
    assert_eq!(told.len(), ids.len());
}

fn goes_through(name: &str, order: Order, smsc: impl FnOnce(&Path, &Path) -> (Process, u16), form: &str, wants: Wants) {
    if foreign::is_skipped() {
        return;
    }
    let bench = Bench::new(name);
    let record = bench.path().join("foreign.ndjson");
    let (_smsc, port) = smsc(bench.path(), &record);
    let sink = Peer::sink(bench.path(), &[]);
    let carrier = format!("binds = 2\nwindow = 20\nsegments_per_second = 0\n{}", wants.keys());
    Settings { smsc: port, sink: Some(sink.port()), carrier, more: String::new() }.write(bench.path());
    let gateway = Gateway::start(bench.path());
    let mut api = gateway.api();
    let (mut bulks, mut ids, mut segments) = (Vec::new(), Vec::new(), 0);
    for start in (0..MESSAGES).step_by(BULK) {
        let answer = api.post(Some(&start.to_string()), &bulk(start..start + BULK)).expect("the gateway is up");
        assert_eq!(answer.status, 202, "{}", answer.text());
        let body = answer.json();
        assert_eq!((&body["received"], &body["accepted"], &body["refused"]), (&json!(BULK), &json!(BULK), &json!(0)));
        let results = body["results"].as_array().expect("results");
        segments += results.iter().filter_map(|line| line["segments"].as_u64()).sum::<u64>();
        let (batch, taken) = ids_of(&answer);
        bulks.push(batch);
        ids.extend(taken);
    }
    let mut shown: HashMap<String, Value> = HashMap::new();
    for bulk in &bulks {
        assert_eq!(api.final_batch(bulk, PATIENCE)["counts"]["delivered"], BULK);
        shown.extend(api.list(bulk).into_iter().map(|message| (message["id"].as_str().expect("an id").to_owned(), message)));
    }
    assert_eq!(shown.len(), MESSAGES);
    for id in &ids {
        let message = &shown[id];
        assert_eq!((&message["status"], &message["possible_duplicate"]), (&json!("delivered"), &json!(false)), "{message:#}");
    }
    until("all are told", PATIENCE, || (sink.counts()["sink"]["finals"] == MESSAGES).then_some(()));
    until("no receipt is left over", PATIENCE, || (api.metric("relais_orphans", &[]) == 0.0).then_some(()));
    assert_eq!(api.metric("relais_outcomes_total", &["status=\"delivered\""]), MESSAGES as f64);
    assert_eq!(gateway.stop().code(), Some(0));
    let log = std::fs::read_to_string(bench.path().join("relais.log")).expect("it logs");
    let learnt = log.lines().find(|line| line.contains("message ids of this carrier compare in this form"));
    assert!(learnt.is_some_and(|line| line.contains(&format!("\"{form}\""))), "the operator is told: {learnt:?}");
    let counts = sink.counts();
    assert_eq!((&counts["sink"]["bad_signatures"], &counts["sink"]["malformed"]), (&json!(0), &json!(0)), "{counts}");
    check_told(&sink.stop(), &ids);
    let parts = check_carrier(&record, order, wants) as u64;
    if wants == Wants::Payload {
        // One submit a message; the carrier cuts, and what it will cut is what was counted.
        assert_eq!((parts, segments > parts), (MESSAGES as u64, true));
    } else {
        assert_eq!(parts, segments, "what was said to cost so much did");
    }
}

#[test]
fn five_thousand_messages_go_through_an_smsc_made_with_smpp34() {
    goes_through("smpp34", Order::Mixed, foreign::smpp34_smsc, "as_is", Wants::Headers);
}

#[test]
fn five_thousand_messages_go_through_an_smsc_made_with_node_smpp_whose_ids_change_base() {
    goes_through("node-smpp", Order::AsSent, foreign::node_smsc, "resp_hex_receipt_dec", Wants::Headers);
}

#[test]
fn long_texts_joined_by_parameters_go_through_an_smsc_made_with_smpp34() {
    goes_through("smpp34-sar", Order::Mixed, foreign::smpp34_smsc, "as_is", Wants::Sar);
}

#[test]
fn whole_texts_in_message_payload_go_through_an_smsc_made_with_smpp34() {
    goes_through("smpp34-payload", Order::Mixed, foreign::smpp34_smsc, "as_is", Wants::Payload);
}

#[test]
fn latin_1_goes_through_an_smsc_made_with_smpp34() {
    goes_through("smpp34-latin1", Order::Mixed, foreign::smpp34_smsc_of_latin_1, "as_is", Wants::Latin1);
}
