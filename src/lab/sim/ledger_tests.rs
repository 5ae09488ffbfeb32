//! What the ledger makes of doubts that are seen late.

use super::ledger::{CarrierTerms, Ledger, Terms, Wanted};
use super::seen::{Seen, Submit};
use crate::lab::sink::Event;
use crate::message::Status;

fn ledger() -> Ledger {
    let carrier = CarrierTerms { window: 10, response_timeout_ms: 10_000, ..CarrierTerms::default() };
    let terms = Terms { latency_max_ms: 20, sync_max_ms: 3, carriers: vec![carrier], ..Terms::default() };
    let wanted =
        |_| Wanted { parts: 1, at_most_once: true, expires_in: None, send_after: None, is_marketing: false, carrier: 0, number: 1 };
    let mut ledger = Ledger::new(10, terms, Box::new(wanted));
    ledger.note(1_000, &Seen::Asked { account: 0, first: 0, count: 10 });
    ledger.note(1_000, &Seen::Took { n: 7, id: 1 });
    ledger
}

fn submit() -> Seen<'static> {
    let (n, message_id) = (Some(7), "x");
    let (carrier, session, validity, part, total, sequence, status, number) = (0, 1, 0, 1, 1, 1, 0, 100);
    let (is_answered, delay_ms) = (true, 5);
    Seen::Submit(Submit { carrier, session, n, validity, part, total, sequence, status, number, message_id, is_answered, delay_ms })
}

fn unknown() -> Event {
    let text = |text: &str| Some(text.to_owned());
    Event { client_ref: text("7"), status: text("unknown"), is_final: true, happened: text("1970-01-01T00:00:13Z"), ..Event::default() }
}

#[test]
fn what_stood_on_the_way_until_its_message_had_ended_was_in_doubt() {
    let event = unknown();
    let hold = |is_on| Seen::Fault { kind: "hold", carrier: Some(0), is_on };
    let mut held = ledger();
    held.note(2_000, &hold(true));
    held.note(13_000, &Seen::Told { account: 0, event: &event });
    held.note(13_400, &hold(false));
    held.note(13_401, &submit());
    assert!(held.entry(7).is_some_and(|entry| entry.was_doubted && entry.status == Some(Status::Unknown)));
    let mut free = ledger();
    free.note(13_000, &Seen::Told { account: 0, event: &event });
    free.note(13_401, &submit());
    assert!(free.entry(7).is_some_and(|entry| !entry.was_doubted));
}

#[test]
fn a_session_that_is_seen_to_end_after_the_webhook_was_told_puts_in_doubt_too() {
    for (closed_at, is_doubted) in [(13_050, true), (23_050, false)] {
        let (event, mut ledger) = (unknown(), ledger());
        ledger.note(12_990, &submit());
        ledger.note(13_000, &Seen::Told { account: 0, event: &event });
        assert!(ledger.entry(7).is_some_and(|entry| !entry.was_doubted) && ledger.copies(7).len() == 1);
        ledger.note(closed_at, &Seen::Closed { carrier: 0, session: 1, is_orderly: false });
        ledger.note(30_000, &Seen::Started);
        assert_eq!(ledger.entry(7).map(|entry| entry.was_doubted), Some(is_doubted));
        assert!(ledger.copies(7).is_empty());
    }
}
