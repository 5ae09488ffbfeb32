//! Caps and the guard against repeats through the engine: what is over is held until its instant, also over a kill between,
//! and what was just sent is refused.

use crate::bench;
use relais::base::{BatchId, MessageId, MessageRef, Msisdn, Span, Time};
use relais::config;
use relais::directory::caps::content_key;
use relais::directory::judge::{Judge, Jury, Law, Question, Verdict};
use relais::engine::reader::Calls;
use relais::engine::{Engine, Running, WhenFull};
use relais::lab::personality::Personality;
use relais::lab::record::{Keep, Recorder};
use relais::lab::{Options, RecordOptions, SimWorld, Smsc, TokenRule};
use relais::message::content::Channel;
use relais::message::outcome::{Reason, Tally};
use relais::message::{Class, Composed, DoubtPolicy, Encoding, Extras, Reference, Status};
use relais::pipeline::journal::{Acceptance, Drafts, Start};
use relais::storage::memory::{Memory, SimulatedFault};
use relais::storage::{BatchRow, Group, Journal};
use relais::telemetry::Metrics;
use relais::world::World;
use std::sync::Arc;
use std::time::Duration;

const AT: &str = "10.0.0.1:2775";
const HOUR: i64 = 3_600_000;

/// Four orders in six hours, and nothing twice in an hour.
async fn start(world: &World, journal: Box<dyn Journal>) -> Running {
    let mut config = bench::config(AT.parse().expect("an address"), "", "");
    let channels = vec![config::Channel::Sms];
    let cap = config::Cap { count: 4, period: Span::secs(6 * 3_600), classes: vec![config::Class::Transactional], channels };
    config.accounts[0].caps = vec![cap];
    config.accounts[0].repeat_guard = Span::secs(3_600);
    let read = |path: &std::path::Path| std::fs::read(path);
    relais::engine::start(world.clone(), Arc::new(config), journal, Metrics::new(), Calls::Direct, relais::engine::Files::plain(&read))
        .await
        .expect("it starts")
}

/// A bulk of orders to one recipient; `tokens` are in their texts.
async fn bulk(engine: &Engine, tokens: &[u32], lifetime: Span) -> (BatchId, MessageId) {
    let batch = BatchId(engine.ids.take(engine.world.now()));
    let mut drafts = Drafts::new("shop", Some(batch), &["one".to_owned()], 500);
    for (line, token) in (0u32..).zip(tokens) {
        let text = format!("#{token}# order");
        let message = Composed {
            to: Msisdn::from_u64(33_600_000_001).expect("a number"),
            from: "SHOP",
            client_ref: "",
            encoding: Encoding::Gsm7,
            octets: text.as_bytes(),
            ends: &[text.len() as u32],
            reference: Reference::Narrow,
            class: Class::Transactional,
            doubt: DoubtPolicy::ResendOnce,
            lifetime,
            line,
            extras: Extras { content: content_key(0, b"", text.as_bytes()), ..Extras::default() },
        };
        drafts.push(&message, 0, Start::NOW);
    }
    let count = u32::try_from(tokens.len()).expect("few");
    let row = BatchRow { id: batch, account: "shop".into(), at: engine.world.now(), received: count, accepted: count, detail: vec![] };
    let acceptance = Acceptance { frames: drafts.take(), seal: Some(row), ..Acceptance::default() };
    let places = engine.durable(engine.take(acceptance, WhenFull::Wait).await.expect("room")).await.expect("durable");
    (batch, places[0])
}

/// Waits until none of a bulk is on its way.
async fn settled(engine: &Engine, batch: BatchId) -> Tally {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let tally = engine.tally(batch).await.expect("readable");
        if tally.of(Status::Accepted) + tally.of(Status::Sending) + tally.of(Status::Sent) == 0 {
            return tally;
        }
    }
}

fn times(record: &Recorder) -> Vec<i64> {
    let mut times: Vec<i64> = record.submits().iter().map(|submit| submit.at_ms).collect();
    times.sort_unstable();
    times
}

#[test]
fn the_fifth_in_the_period_goes_at_its_instant_over_a_kill_and_the_same_text_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let sim = SimWorld::new(5);
        sim.set_wall(Time::parse_rfc3339("2026-12-01T08:00:30Z").expect("an instant"));
        let world = sim.world();
        let keep = RecordOptions { token: TokenRule::Hashes, keep: Keep::Submits, ..RecordOptions::default() };
        let record = Arc::new(Recorder::new(keep));
        let options = Options { record: record.clone(), ..Options::default() };
        let smsc = Smsc::listen(&world, AT.parse().expect("an address"), Personality::default(), options).await.expect("it listens");
        let memory = Memory::new();
        let running = start(&world, Box::new(memory.clone())).await;
        let day = Span::secs(86_400);

        let (first, _) = bulk(&running.engine, &[1, 2, 3, 2, 4], day).await;
        let tally = settled(&running.engine, first).await;
        assert_eq!((tally.of(Status::Delivered), tally.of(Status::Refused)), (4, 1), "the same text twice: {tally:?}");
        let (more, at) = bulk(&running.engine, &[5, 6], day).await;
        // It cannot live so long.
        let (short, _) = bulk(&running.engine, &[7], Span::secs(3_600)).await;
        assert_eq!(settled(&running.engine, more).await.of(Status::Held), 2);
        assert_eq!(settled(&running.engine, short).await.of(Status::Expired), 1);

        // The journal dies, and the process with it.
        memory.fail_next_commit(SimulatedFault::Broken);
        let engine = running.engine.clone();
        tokio::task::spawn_local(async move { engine.cancel("one", MessageRef { frame: at, ordinal: 1 }).await });
        running.engine.failed().await;
        let again = start(&world, Box::new(memory.reopen())).await;
        assert_eq!(again.engine.rules.law.caps.sends(), 8, "four orders and their contents");
        let (late, _) = bulk(&again.engine, &[4, 8], day).await;
        let tally = settled(&again.engine, late).await;
        assert_eq!((tally.of(Status::Refused), tally.of(Status::Held)), (1, 1), "{tally:?}");
        assert_eq!(settled(&again.engine, more).await.of(Status::Held), 2);
        assert_eq!(times(&record).len(), 4);

        tokio::time::sleep(Duration::from_secs(7 * 3_600)).await;
        assert_eq!(settled(&again.engine, more).await.of(Status::Delivered), 2);
        assert_eq!(settled(&again.engine, late).await.of(Status::Delivered), 1);
        let times = times(&record);
        // By the minute: not before six hours after each of the first, and within the minute of it and two seconds.
        for (sent, next) in times.iter().zip(&times[4..]) {
            assert!((6 * HOUR..6 * HOUR + 62_000).contains(&(next - sent)), "{} ms after", next - sent);
        }
        assert_eq!((times.len(), record.repeated()), (7, 0));
        bench::stop(again).await;
        smsc.stop().await;
    });
}

#[test]
fn what_a_rule_counted_weeks_ago_is_counted_after_a_restart_as_far_as_the_journal_goes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let sim = SimWorld::new(5);
        let at = |text: &str| Time::parse_rfc3339(text).expect("an instant");
        let config =
            |retention: &str| bench::config(AT.parse().expect("an address"), "", &format!("[journal]\nretention = \"{retention}\""));
        // French law: four calls in thirty days (config/rules/FR.toml); the account has no cap of its own.
        let call = Question {
            account: "shop",
            to: Msisdn::from_u64(33_612_345_678).expect("a number"),
            from: "",
            class: Class::Marketing,
            channel: Channel::Voice,
            campaign: "",
            zone: "",
            region: "",
            content: 0,
        };
        let (then, now) = (at("2026-12-01T10:00:00Z"), at("2026-12-21T10:00:00Z"));
        let mut before = Judge::new(Arc::new(Law::new(&config("40d"))));
        for _ in 0..4 {
            assert!(matches!(before.spend(&call, then), Verdict::Go { .. }));
        }
        let mut memory = Memory::new();
        let seq = memory.recover().expect("a new journal").last_seq + 1;
        let spent = Jury::take_spent(&mut before);
        memory.commit(&Group { seq, at: then, spent, ..Group::default() }).expect("durable");

        sim.set_wall(now);
        for (retention, verdict) in [("40d", Some(at("2026-12-31T10:00:00Z"))), ("10d", None)] {
            let journal = Box::new(memory.reopen());
            let read = |path: &std::path::Path| std::fs::read(path);
            let (config, files) = (Arc::new(config(retention)), relais::engine::Files::plain(&read));
            let running =
                relais::engine::start(sim.world(), config, journal, Metrics::new(), Calls::Direct, files).await.expect("it starts");
            let mut judge = Judge::new(running.engine.rules.law.clone());
            let wanted = verdict.map(|until| Verdict::Hold { until, why: Reason::FrequencyCap });
            match (judge.spend(&call, now), wanted) {
                (said, Some(wanted)) => assert_eq!(said, wanted),
                (said, None) => assert!(matches!(said, Verdict::Go { .. }), "the journal does not reach so far: {said:?}"),
            }
            let of_texts = judge.spend(&Question { channel: Channel::Sms, ..call }, now);
            assert!(matches!(of_texts, Verdict::Go { .. }), "{of_texts:?}");
        }
    });
}
