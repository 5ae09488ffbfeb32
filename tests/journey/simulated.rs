//! In the simulated world: one thread, a clock that jumps, a network from a seed. The same seed gives the same life.

use crate::bench::{self, Kind};
use relais::engine::Refused;
use relais::engine::reader::Calls;
use relais::lab::personality::Personality;
use relais::lab::record::Recorder;
use relais::lab::{Options, RecordOptions, SimWorld, Smsc, TokenRule};
use relais::message::outcome::Tally;
use relais::message::{DoubtPolicy, Status};
use relais::storage::memory::{Memory, SimulatedFault};
use std::sync::Arc;
use std::time::Duration;

/// An hour of a carrier that cuts, delays, throttles and forgets; the tally, what the carrier saw, and when it ended.
fn life(seed: u64) -> (Tally, u64, u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let sim = SimWorld::new(seed);
        let world = sim.world();
        let habits = format!(
            r#"{{"seed":{seed},"response_ms":[1,80],"receipt_ms":[100,5000],"throttle_per_s":300,"disconnect_every":400,
                "missing":0.01,"disorder":0.1,"receipt_early":0.05,"receipt_twice":0.05,"receipt_enroute":0.1}}"#
        );
        let personality: Personality = serde_json::from_str(&habits).expect("habits");
        let record = Arc::new(Recorder::new(RecordOptions { token: TokenRule::Hashes, ..RecordOptions::default() }));
        let options = Options { record: record.clone(), ..Options::default() };
        let at = "10.0.0.1:2775".parse().expect("an address");
        let smsc = Smsc::listen(&world, at, personality, options).await.expect("it listens");
        let config = bench::config(at, "binds = 3\nresponse_timeout = \"5s\"", "");
        let running = bench::engine(&world, config, Box::new(Memory::new()), Calls::Direct).await;
        let batch = bench::bulk(&running.engine, 2_000, Kind { parts: 2, doubt: DoubtPolicy::ResendOnce }).await;
        let tally = bench::settled(&running.engine, batch, Duration::from_secs(400_000)).await;
        bench::stop(running).await;
        let ended = world.mono().0;
        let (unique, repeated) = (record.unique(), record.repeated());
        smsc.stop().await;
        (tally, unique, repeated, ended)
    })
}

#[test]
fn a_bad_carrier_loses_nothing_and_the_same_seed_is_the_same_life() {
    let first = life(7);
    assert_eq!(first.0.total(), 2_000);
    let open: u32 = Status::ALL.iter().filter(|status| !status.is_final()).map(|status| first.0.of(*status)).sum();
    assert_eq!(open, 0);
    assert!(first.0.of(Status::Delivered) > 1_500, "{:?}", first.0);
    assert_eq!(life(7), first);
    assert_ne!(life(8).3, first.3);
}

#[test]
fn a_full_disk_refuses_new_messages_and_loses_none_and_a_broken_one_ends_the_engine() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let sim = SimWorld::new(1);
        let world = sim.world();
        let record = Arc::new(Recorder::new(RecordOptions { token: TokenRule::Hashes, ..RecordOptions::default() }));
        let options = Options { record: record.clone(), ..Options::default() };
        let at = "10.0.0.1:2775".parse().expect("an address");
        let _smsc = Smsc::listen(&world, at, Personality::default(), options).await.expect("it listens");
        let memory = Memory::new();
        let running = bench::engine(&world, bench::config(at, "", ""), Box::new(memory.clone()), Calls::Direct).await;
        let kind = Kind { parts: 1, doubt: DoubtPolicy::ResendOnce };
        let first = bench::bulk(&running.engine, 50, kind).await;
        memory.fail_next_commit(SimulatedFault::Full);
        assert_eq!(bench::try_bulk(&running.engine, 50, kind).await.err(), Some(Refused::Full));
        assert_eq!(running.engine.readiness(), Err(Refused::Full));
        // Upkeep finds room again.
        running.engine.upkeep(relais::base::Time(0), 0);
        while running.engine.readiness().is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let second = bench::bulk(&running.engine, 50, kind).await;
        for batch in [first, second] {
            assert_eq!(bench::settled(&running.engine, batch, Duration::from_secs(60)).await.of(Status::Delivered), 50);
        }
        assert_eq!((record.unique(), record.repeated()), (50, 50), "each bulk numbers its messages alike");

        memory.fail_next_commit(SimulatedFault::Broken);
        assert_eq!(bench::try_bulk(&running.engine, 1, kind).await.err(), Some(Refused::Stopping));
        running.engine.failed().await;
        assert_eq!(running.engine.readiness(), Err(Refused::Stopping));
        let again = bench::engine(&world, bench::config(at, "", ""), Box::new(memory.reopen()), Calls::Direct).await;
        assert_eq!(again.recovered.messages, 0);
    });
}
