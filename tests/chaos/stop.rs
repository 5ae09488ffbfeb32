//! SIGTERM under load: it ends by itself with status 0, and after the next start nothing is in doubt and nothing was
//! sent twice (INV-29).

use crate::common::gateway::{Gateway, Settings};
use crate::common::peers::{Event, Peer, Submit};
use crate::common::{Bench, until};
use crate::ledger::Ledger;
use crate::load::Load;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_stop_under_load_leaves_no_doubt_and_no_duplicate() {
    let bench = Bench::new("stop");
    let smsc = Peer::smsc(bench.path(), &["response_ms=[20,80]", "receipt_ms=[20,200]"]);
    let sink = Peer::sink(bench.path(), &[]);
    let carrier = "binds = 2\nwindow = 20\nsegments_per_second = 0\nresponse_timeout = \"20s\"\nreconnect_min = \"50ms\"\n".into();
    Settings { smsc: smsc.port(), sink: Some(sink.port()), carrier, more: String::new() }.write(bench.path());
    let load = Load::start(6, 1, Duration::from_millis(60));
    for _ in 0..3 {
        let gateway = Gateway::start(bench.path());
        let mut api = gateway.api();
        assert_eq!(api.metric("relais_doubted_total", &[]), 0.0, "a clean stop leaves nothing in doubt");
        load.gateway_at(Some(gateway.at()));
        // In the midst of it: windows in use, messages waiting.
        until("there is load", PATIENCE, || {
            (api.metric("relais_window_used", &[]) > 20.0 && api.metric("relais_submits_total", &[]) > 500.0).then_some(())
        });
        assert_eq!(gateway.stop().code(), Some(0));
        load.gateway_at(None);
    }
    let gateway = Gateway::start(bench.path());
    load.gateway_at(Some(gateway.at()));
    let acknowledged = load.stop();
    let ids: Vec<String> = acknowledged.iter().map(|one| one.id.clone()).collect();
    let mut api = gateway.api();
    let messages = api.finals(&ids, PATIENCE);
    until("all are told", PATIENCE, || (sink.counts()["sink"]["finals"] == ids.len()).then_some(()));
    assert_eq!(api.metric("relais_doubted_total", &[]), 0.0);
    assert_eq!(gateway.stop().code(), Some(0));
    let (submits, events): (Vec<Submit>, Vec<Event>) = (smsc.stop(), sink.stop());
    let sum = Ledger { acknowledged: &acknowledged, messages: &messages, submits: &submits, events: &events, unsent: &[] }.check();
    assert_eq!((sum.doubled, sum.labelled, sum.unseen, sum.finals["delivered"]), (0, 0, 0, ids.len()), "{sum:?}");
}
