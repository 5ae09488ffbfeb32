//! Crash points: a slice of them, and evidence that the life they are of comes through every change of state there is.

use relais::app::Gateway;
use relais::app::gateway::Opened;
use relais::engine::reader::Calls;
use relais::lab::SimWorld;
use relais::lab::sim::Scenario;
use relais::lab::sim::config;
use relais::lab::sim::crash::{LIFE, Report, run};
use relais::lab::sim::disk::Disk;
use relais::message::{Reason, Status};
use relais::storage::Journal as _;
use relais::telemetry::Metrics;
use std::collections::BTreeMap;

/// Dies at a slice of the points.
fn die_at(wish: &str) -> Report {
    let life = Scenario::parse(LIFE).expect("the file is right");
    run(1, &life, wish.parse().expect("a slice"), None, |_| {}).expect("the same life each time")
}

/// Every promise is kept, whichever of these points the process dies at, so many times in each life.
fn kept_at(wish: &str, deaths: u64) {
    let report = die_at(wish);
    let broken: Vec<String> =
        report.failures.iter().map(|failure| format!("{}\nagain: relais sim {}", failure.line(1), failure.again())).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    // A second death may come after the end of a life: of those that end within forty points.
    assert!(report.lives >= 5 && report.deaths <= deaths * report.lives, "{}", report.line(1));
    assert!(report.deaths + 40 * (deaths - 1) >= deaths * report.lives && report.deaths >= report.lives, "{}", report.line(1));
    assert!(report.kinds.iter().all(|count| *count > 0), "of each kind there are points: {}", report.line(1));
}

#[test]
fn every_promise_is_kept_when_the_process_dies_at_any_of_a_slice_of_all_points() {
    kept_at("150/451/kill", 1);
    kept_at("50/451/power", 1);
    kept_at("93/561/twice", 2);
}

#[test]
#[ignore = "half an hour in a debug build, three minutes in a release build"]
fn every_promise_is_kept_when_the_process_is_killed_at_each_point() {
    kept_at("0/1/kill", 1);
}

#[test]
#[ignore = "a quarter of an hour in a debug build, a minute in a release build"]
fn every_promise_is_kept_when_the_power_fails_at_every_third_point() {
    kept_at("0/3/power", 1);
}

#[test]
#[ignore = "a quarter of an hour in a debug build, a minute in a release build"]
fn every_promise_is_kept_when_the_process_is_killed_at_every_third_point_and_again_soon_after() {
    kept_at("0/3/twice", 2);
}

/// The kinds of events as the journal's contract names them: a new one fails this test until the life has it.
fn kinds_of_events() -> Vec<String> {
    let contract = include_str!("../../proto/relais/v1/journal.proto");
    let entry = contract.split("oneof event {").nth(1).and_then(|rest| rest.split('}').next()).expect("an entry is one of them");
    let names = entry.lines().filter_map(|line| line.split_once('=')?.0.split_whitespace().nth(1).map(str::to_owned));
    names.collect()
}

#[test]
fn the_life_whose_points_are_died_at_comes_through_every_change_of_state() {
    // One life with a death is enough for what only a restart brings.
    let report = die_at("120/1000000");
    let mut seen: BTreeMap<String, u64> = report.coverage.seen();
    seen.extend(report.after.seen());
    let missing = |wanted: &[String]| wanted.iter().filter(|kind| !seen.contains_key(*kind)).cloned().collect::<Vec<_>>();
    let kinds: Vec<String> = kinds_of_events().iter().map(|kind| format!("event {kind}")).collect();
    assert!(kinds.len() >= 15, "{kinds:?}");
    assert_eq!(missing(&kinds), [""; 0], "events the life does not have; it has {seen:#?}");
    for status in Status::ALL.into_iter().filter(|status| status.is_final()) {
        let has = seen.keys().any(|kind| kind.starts_with(&format!("ended {} ", status.word())));
        assert!(has || NEVER_ENDS_SO.contains(&status), "nothing ends {}: {seen:#?}", status.word());
    }
    for reason in Reason::ALL {
        let has = seen.keys().any(|kind| kind.split(' ').any(|word| word == reason.word()));
        assert_eq!(has, !NEVER_SO.contains(&reason), "{}: {seen:#?}", reason.word());
    }
    for group in ["frames", "answers", "batches", "closed", "people", "spent"] {
        assert!(seen.contains_key(&format!("store {group}")), "no commit has {group}: {seen:#?}");
    }
}

/// What no message of the life ends as: no simulated carrier deletes what it took.
const NEVER_ENDS_SO: [Status; 1] = [Status::Deleted];
/// Reasons that nothing in the life has: of carriers that give no receipts, of what is refused before it is accepted or has its hours
/// from then on, of clocks and long absences, and of texts that cannot be made when they are sent.
const NEVER_SO: [Reason; 8] = [
    Reason::NoReceiptAsked,
    Reason::WindowClosed,
    Reason::NoOpening,
    Reason::DuplicateContent,
    Reason::ClockUnsure,
    Reason::Revival,
    Reason::NotRendered,
    Reason::TooManySegments,
];

/// Otherwise a process that dies before that leaves an endpoint that is new again, and begins behind what it was owed. The
/// black box saw it: killed at a write of the first second, a message that had ended was never told.
#[test]
fn where_an_endpoint_begins_is_on_disk_before_a_gateway_is_there() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("no sockets");
    let begun = async {
        let (sim, disk) = (SimWorld::new(1), Disk::new(1, [1_000, 2_000], None));
        let (process, journal) = (sim.process(), disk.open());
        let archive = journal.archive();
        let opened = Opened { journal: Box::new(journal), checkpoint: None };
        let config = config::of(&Scenario::default());
        let gateway = Gateway::on(process.world(), config, opened, Metrics::new(), Calls::Direct).await.expect("it starts");
        let notes = archive.notes("webhook/").expect("it can be read");
        gateway.stop().await;
        notes.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    let begun = tokio::task::LocalSet::new().block_on(&runtime, begun);
    assert_eq!(begun, ["webhook/h0/cursor", "webhook/h1/cursor"]);
}
