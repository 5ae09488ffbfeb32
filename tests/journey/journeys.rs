//! Over loopback and the embedded store.

use crate::bench::{self, Kind};
use relais::engine::reader::Calls;
use relais::lab::personality::Personality;
use relais::lab::record::Recorder;
use relais::lab::{Options, RecordOptions, Smsc, SmscHandle, TokenRule};
use relais::message::{DoubtPolicy, Status};
use relais::storage::sqlite::{self, Sqlite};
use relais::world::World;
use std::sync::Arc;
use std::time::Duration;

const LOOPBACK: &str = "127.0.0.1:0";
const LONG: Duration = Duration::from_secs(60);

async fn smsc(world: &World, habits: &str) -> (SmscHandle, Arc<Recorder>) {
    let personality: Personality = serde_json::from_str(habits).expect("habits");
    let record = Arc::new(Recorder::new(RecordOptions { token: TokenRule::Hashes, ..RecordOptions::default() }));
    let options = Options { record: record.clone(), ..Options::default() };
    let handle = Smsc::listen(world, LOOPBACK.parse().expect("an address"), personality, options).await.expect("it listens");
    (handle, record)
}

pub(crate) fn store(dir: &std::path::Path) -> Box<Sqlite> {
    let options = sqlite::Options { reserve_bytes: 0, ..sqlite::Options::new(dir) };
    Box::new(Sqlite::open(options).expect("it opens"))
}

async fn journey(habits: &str, carrier: &str, kind: Kind, count: u32) -> (relais::message::outcome::Tally, Arc<Recorder>) {
    let world = World::real();
    let (smsc, record) = smsc(&world, habits).await;
    let dir = tempfile::tempdir().expect("a directory");
    let config = bench::config(smsc.local_addr(), carrier, "");
    let running = bench::engine(&world, config, store(dir.path()), Calls::Threads).await;
    let batch = bench::bulk(&running.engine, count, kind).await;
    let tally = bench::settled(&running.engine, batch, LONG).await;
    assert_eq!(tally.total(), count);
    bench::stop(running).await;
    (tally, record)
}

const ONE: Kind = Kind { parts: 1, doubt: DoubtPolicy::ResendOnce };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_goes_to_the_carrier_once_and_every_receipt_comes_back() {
    let (tally, record) = journey("{}", "binds = 2", ONE, 5_000).await;
    assert_eq!(tally.of(Status::Delivered), 5_000);
    assert_eq!((record.unique(), record.repeated()), (5_000, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_messages_fold_into_one_outcome_each() {
    let (tally, record) = journey("{}", "", Kind { parts: 3, ..ONE }, 500).await;
    assert_eq!(tally.of(Status::Delivered), 500);
    assert_eq!(record.counts().submits, 1_500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transmitter_and_receiver_pairs_share_the_receipts() {
    let (tally, record) = journey("{}", "bind = \"transmitter_receiver\"\nbinds = 2", ONE, 1_000).await;
    assert_eq!(tally.of(Status::Delivered), 1_000);
    assert_eq!(record.repeated(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_early_twice_and_out_of_order_are_matched() {
    let habits = r#"{"receipt_early":0.3,"receipt_twice":0.3,"disorder":0.3}"#;
    let (tally, record) = journey(habits, "", ONE, 2_000).await;
    assert_eq!(tally.of(Status::Delivered), 2_000);
    assert_eq!(record.repeated(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_costs_no_attempt_and_nothing_is_sent_twice() {
    let (tally, record) = journey(r#"{"throttle_per_s":500}"#, "throttle_pause = \"200ms\"\nattempts_max = 2", ONE, 1_000).await;
    assert_eq!(tally.of(Status::Delivered), 1_000);
    assert_eq!(record.repeated(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_id_base_is_learnt_when_receipts_write_ids_in_another_base() {
    let (tally, _) = journey(r#"{"response_id":"hex","receipt_id":"decimal"}"#, "id_base = \"auto\"", ONE, 1_000).await;
    assert_eq!(tally.of(Status::Delivered), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_sessions_leave_only_labelled_duplicates_and_none_at_most_once() {
    let world = World::real();
    let (smsc, record) = smsc(&world, r#"{"response_ms":[1,20]}"#).await;
    let dir = tempfile::tempdir().expect("a directory");
    let running = bench::engine(&world, bench::config(smsc.local_addr(), "binds = 2", ""), store(dir.path()), Calls::Threads).await;
    let engine = running.engine.clone();
    let batch = bench::bulk(&engine, 3_000, ONE).await;
    for _ in 0..5 {
        let before = record.unique();
        while record.unique() < before + 200 && record.unique() < 2_900 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        smsc.cut_sessions();
    }
    let tally = bench::settled(&engine, batch, LONG).await;
    assert_eq!(tally.total(), 3_000);
    let views = engine.carriers().await;
    assert!(views[0].counts.doubted > 0, "the cuts came while nothing was in flight");
    assert!(record.repeated() <= views[0].counts.resent, "{} repeated, {} resent", record.repeated(), views[0].counts.resent);
    bench::stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_everything_goes_on_where_it_was() {
    let world = World::real();
    let (smsc, record) = smsc(&world, r#"{"receipt_ms":[300,600]}"#).await;
    let dir = tempfile::tempdir().expect("a directory");
    let config = || bench::config(smsc.local_addr(), "segments_per_second = 1000.0", "");
    let running = bench::engine(&world, config(), store(dir.path()), Calls::Threads).await;
    let batch = bench::bulk(&running.engine, 2_000, ONE).await;
    while record.unique() < 700 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench::stop(running).await;
    let running = bench::engine(&world, config(), store(dir.path()), Calls::Threads).await;
    assert!(running.recovered.messages > 0);
    let tally = bench::settled(&running.engine, batch, LONG).await;
    assert_eq!((tally.of(Status::Delivered), record.unique(), record.repeated()), (2_000, 2_000, 0));
    bench::stop(running).await;
}

/// A certificate of its own authority for localhost; the authority's PEM and what the carrier needs.
fn certificate() -> (String, relais::world::tls::Server) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = relais::world::tls::Server::new(chain.as_bytes(), key.as_bytes()).expect("a server");
    (chain, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_carriers_own_authority_is_trusted_and_no_other() {
    let world = World::real();
    let (ca, server) = certificate();
    let record = Arc::new(Recorder::new(RecordOptions { token: TokenRule::Hashes, ..RecordOptions::default() }));
    let options = Options { tls: Some(server), record: record.clone(), ..Options::default() };
    let smsc = Smsc::listen(&world, LOOPBACK.parse().expect("an address"), Personality::default(), options).await.expect("it listens");
    let dir = tempfile::tempdir().expect("a directory");
    let stranger = dir.path().join("stranger.pem");
    std::fs::write(&stranger, certificate().0).expect("written");
    let ours = dir.path().join("ca.pem");
    std::fs::write(&ours, ca).expect("written");
    let tls =
        |file: &std::path::Path| format!("[carriers.tls]\nenabled = true\nca_file = \"{}\"\nserver_name = \"localhost\"", file.display());

    let running = bench::engine(&world, bench::config(smsc.local_addr(), &tls(&stranger), ""), store(dir.path()), Calls::Threads).await;
    let batch = bench::bulk(&running.engine, 100, ONE).await;
    while running.engine.carriers().await[0].links[0].1.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(running.engine.carriers().await[0].links[0], ("down", "unreachable"));
    assert_eq!(record.unique(), 0);
    bench::stop(running).await;

    let running = bench::engine(&world, bench::config(smsc.local_addr(), &tls(&ours), ""), store(dir.path()), Calls::Threads).await;
    let tally = bench::settled(&running.engine, batch, LONG).await;
    assert_eq!((tally.of(Status::Delivered), record.unique(), record.repeated()), (100, 100, 0));
    bench::stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_of_3_3_and_5_0_are_served() {
    for habits in [r#"{"interface_version":0}"#, r#"{"interface_version":51}"#, r#"{"interface_version":80}"#] {
        let (tally, record) = journey(habits, "", Kind { parts: 2, ..ONE }, 200).await;
        assert_eq!((tally.of(Status::Delivered), record.repeated()), (200, 0), "{habits}");
    }
    let (tally, _) = journey(r#"{"interface_version":0}"#, "interface_version = \"3.3\"\nbind = \"transmitter_receiver\"", ONE, 200).await;
    assert_eq!(tally.of(Status::Delivered), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_never_come_are_doubted_resent_once_and_labelled() {
    let (tally, record) = journey(r#"{"missing":0.05}"#, "response_timeout = \"1s\"", ONE, 500).await;
    assert_eq!(tally.total(), 500);
    assert!(tally.of(Status::Delivered) >= 480, "{tally:?}");
    assert!(record.repeated() > 0);
    let at_most_once = Kind { doubt: DoubtPolicy::AtMostOnce, ..ONE };
    let (tally, record) = journey(r#"{"missing":0.05}"#, "response_timeout = \"1s\"", at_most_once, 500).await;
    assert_eq!(record.repeated(), 0);
    assert!(tally.of(Status::Unknown) > 0, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_from_handsets_are_journaled_before_they_are_acknowledged() {
    let world = World::real();
    let (smsc, _) = smsc(&world, "{}").await;
    let dir = tempfile::tempdir().expect("a directory");
    let running = bench::engine(&world, bench::config(smsc.local_addr(), "", ""), store(dir.path()), Calls::Threads).await;
    while running.engine.carriers().await[0].links[0].0 != "bound" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    smsc.inject_mo("33612345678", "36111", "Ça va ? €");
    while smsc.counts().mo_acked == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rows = running.engine.archive.log_from(1, 1 << 20).expect("readable");
    let events = rows.iter().flat_map(|row| relais::message::log::read_events(&row.log).expect("events"));
    let inbound: Vec<_> = events.filter(|event| matches!(event, relais::message::Event::Inbound { .. })).collect();
    let [relais::message::Event::Inbound { account, from, to, text, .. }] = &inbound[..] else { panic!("{inbound:?}") };
    assert_eq!((&**account, &**from, &**to, &**text), ("shop", "33612345678", "36111", "Ça va ? €"));
    bench::stop(running).await;
}
