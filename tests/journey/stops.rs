//! What waits for a recipient who says STOP ends within a second, in the simulated world: also after a restart, and when the
//! process ended between the stop and the look for what it stops.

use crate::bench;
use relais::base::{BatchId, Msisdn, Span, Time};
use relais::engine::reader::Calls;
use relais::engine::{Engine, Running, WhenFull};
use relais::lab::personality::Personality;
use relais::lab::{Options, SimWorld, Smsc, SmscHandle};
use relais::message::outcome::Reason;
use relais::message::{Class, Composed, DoubtPolicy, Encoding, Event, Extras, Reference, Status, log};
use relais::pipeline::journal::{Acceptance, Drafts, Start};
use relais::storage::memory::Memory;
use relais::storage::{BatchRow, Journal};
use relais::world::World;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const AT: &str = "10.0.0.1:2775";
const FIRST: u64 = 33_600_000_000;

/// Whether opt-outs are looked after.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looked {
    After,
    Not,
}

/// An engine, and what looks after opt-outs.
struct House {
    world: World,
    running: Running,
    stop: CancellationToken,
}

impl House {
    async fn start(world: &World, journal: Box<dyn Journal>, looked: Looked) -> House {
        let config = bench::config(AT.parse().expect("an address"), "", "");
        let running = bench::engine(world, config, journal, Calls::Direct).await;
        let stop = CancellationToken::new();
        if looked == Looked::After {
            tokio::task::spawn_local(relais::engine::stopper::run(running.engine.clone(), stop.clone()));
        }
        House { world: world.clone(), running, stop }
    }

    async fn end(self) {
        self.stop.cancel();
        bench::stop(self.running).await;
    }

    /// How many were refused, and how many wait.
    async fn stands(&self, batch: BatchId) -> (u32, u32) {
        let tally = self.running.engine.tally(batch).await.expect("readable");
        (tally.of(Status::Refused), tally.of(Status::Scheduled))
    }

    /// Waits until so many were refused, and how long that was.
    async fn refused(&self, batch: BatchId, count: u32) -> Span {
        let began = self.world.mono();
        while self.stands(batch).await.0 < count {
            assert!(self.world.mono().since(began) < Span::secs(60), "never refused: {:?}", self.stands(batch).await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.world.mono().since(began)
    }

    fn opted_out(&self) -> usize {
        self.running.engine.archive.suppressions(None, 100).expect("memory reads").len()
    }
}

/// News for next month: one to each of `count` recipients, and ten to the first.
async fn bulk(engine: &Engine, count: u32) -> BatchId {
    let batch = BatchId(engine.ids.take(engine.world.now()));
    let due = engine.world.now().after(Span::secs(30 * 86_400));
    let mut drafts = Drafts::new("shop", Some(batch), &["one".to_owned()], 500);
    for n in 0..count + 9 {
        let text = format!("#{n}# news");
        let message = Composed {
            to: Msisdn::from_u64(FIRST + u64::from(n.saturating_sub(9))).expect("a number"),
            from: "36111",
            client_ref: "",
            encoding: Encoding::Gsm7,
            octets: text.as_bytes(),
            ends: &[text.len() as u32],
            reference: Reference::Narrow,
            class: if n == 0 { Class::Otp } else { Class::Service },
            doubt: DoubtPolicy::ResendOnce,
            lifetime: Span::secs(40 * 86_400),
            line: n,
            extras: Extras { not_before: Some(due), ..Extras::default() },
        };
        drafts.push(&message, 0, Start { due, why: Reason::Scheduled, group: 0 });
    }
    let count = count + 9;
    let row = BatchRow { id: batch, account: "shop".into(), at: engine.world.now(), received: count, accepted: count, detail: vec![] };
    let acceptance = Acceptance { frames: drafts.take(), seal: Some(row), ..Acceptance::default() };
    engine.durable(engine.take(acceptance, WhenFull::Wait).await.expect("room")).await.expect("durable");
    batch
}

fn say_stop(smsc: &SmscHandle, n: u64) {
    smsc.inject_mo(&(FIRST + n).to_string(), "36111", "STOP");
}

/// The ends in the log, which is what webhooks tell.
fn told(engine: &Engine) -> usize {
    let rows = engine.archive.log_from(1, 64 << 20).expect("memory reads");
    let events = rows.iter().flat_map(|row| log::read_events(&row.log).expect("events"));
    events.filter(|event| matches!(event, Event::Ended { status: Status::Refused, reason: Reason::OptedOut, .. })).count()
}

#[test]
fn what_waits_for_who_says_stop_ends_within_a_second_also_over_restarts() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let sim = SimWorld::new(3);
        sim.set_wall(Time::parse_rfc3339("2026-12-01T08:00:30Z").expect("an instant"));
        let world = sim.world();
        let smsc =
            Smsc::listen(&world, AT.parse().expect("an address"), Personality::default(), Options::default()).await.expect("it listens");
        let (memory, second) = (Memory::new(), Span::secs(1));
        let house = House::start(&world, Box::new(memory.clone()), Looked::After).await;
        let batch = bulk(&house.running.engine, 2_000).await;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(house.stands(batch).await, (0, 2_009));

        say_stop(&smsc, 7);
        assert!(house.refused(batch, 1).await <= second);
        // All that one recipient has, in two frames; but the code goes to him all the same.
        say_stop(&smsc, 0);
        assert!(house.refused(batch, 10).await <= second);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!((house.stands(batch).await, told(&house.running.engine)), ((10, 1_999), 10));
        house.end().await;

        let house = House::start(&world, Box::new(memory.reopen()), Looked::After).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(house.stands(batch).await, (10, 1_999));
        say_stop(&smsc, 1_900);
        assert!(house.refused(batch, 11).await <= second);
        house.end().await;

        // The process ends when the stop is durable and nothing has been looked for.
        let house = House::start(&world, Box::new(memory.reopen()), Looked::Not).await;
        say_stop(&smsc, 8);
        while house.opted_out() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(house.stands(batch).await, (11, 1_998));
        house.end().await;
        let house = House::start(&world, Box::new(memory.reopen()), Looked::After).await;
        assert!(house.refused(batch, 12).await <= second);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!((house.stands(batch).await, told(&house.running.engine)), ((12, 1_997), 12));
        assert_eq!(house.running.engine.archive.notes("stops/").expect("memory reads"), []);
        house.end().await;
        smsc.stop().await;
    });
}
