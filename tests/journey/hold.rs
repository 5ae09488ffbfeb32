//! Virtual days under real hours: what may not go at night goes at the opening, and not a second before.

use crate::bench;
use relais::base::{BatchId, MessageId, MessageRef, Msisdn, Span, Time};
use relais::directory::hours::{Ask, CalendarRef, Hours, RuleRef, Zone};
use relais::directory::judge::{Jury, Question, Verdict};
use relais::engine::reader::Calls;
use relais::engine::{Engine, Running, WhenFull};
use relais::lab::personality::Personality;
use relais::lab::record::{Keep, Recorder};
use relais::lab::{Options, RecordOptions, SimWorld, Smsc, TokenRule};
use relais::message::event::Moved;
use relais::message::outcome::{Reason, Tally};
use relais::message::{Class, Composed, DoubtPolicy, Encoding, Extras, Reference, Status};
use relais::pipeline::journal::{Acceptance, Drafts, Start};
use relais::storage::memory::{Memory, SimulatedFault};
use relais::storage::{BatchRow, Journal};
use relais::telemetry::Metrics;
use relais::world::World;
use std::sync::Arc;
use std::time::Duration;

/// The shipped rules of a place, for advertising.
#[derive(Clone, Debug)]
struct Place {
    hours: Arc<Hours>,
    rules: Vec<RuleRef>,
    zone: Zone,
    calendar: CalendarRef,
}

impl Place {
    fn new(country: &str, zone: &str) -> Place {
        let hours = Arc::new(Hours::shipped());
        let rules = hours.rules_for(country, None, relais::message::content::Channel::Sms, Class::Marketing).to_vec();
        assert!(!rules.is_empty());
        let (zone, calendar) = (hours.zone_by_name(zone).expect("a zone"), hours.calendar_for(country, None));
        Place { hours, rules, zone, calendar }
    }
    fn verdict(&self, at: Time) -> Verdict {
        let ask = Ask { rules: &self.rules, zones: &[self.zone], calendar: self.calendar, margin: Span::ZERO };
        let decision = self.hours.decide(&ask, at);
        match (decision.allowed, decision.next_open) {
            (true, _) => Verdict::Go { closes: decision.closes_at.unwrap_or(Time(i64::MAX)) },
            (false, Some(until)) => Verdict::Hold { until, why: Reason::WindowClosed },
            (false, None) => Verdict::Refuse { why: Reason::NoOpening },
        }
    }
}

impl Jury for Place {
    fn judge(&mut self, _: &Question<'_>, now: Time) -> Verdict {
        self.verdict(now)
    }
    fn spend(&mut self, _: &Question<'_>, now: Time) -> Verdict {
        self.verdict(now)
    }
    fn version(&self) -> u64 {
        0
    }
}

fn time(text: &str) -> Time {
    Time::parse_rfc3339(text).expect("an instant")
}

/// A gateway and a carrier in a simulated world.
struct House {
    sim: SimWorld,
    world: World,
    place: Place,
    memory: Memory,
    record: Arc<Recorder>,
    carrier: String,
}

const AT: &str = "10.0.0.1:2775";

impl House {
    async fn start(&self, journal: Box<dyn Journal>) -> Running {
        let config = Arc::new(bench::config(AT.parse().expect("an address"), &self.carrier, ""));
        let read = |path: &std::path::Path| std::fs::read(path);
        let jury = |_: &Arc<relais::directory::judge::Law>| Box::new(self.place.clone()) as Box<dyn Jury>;
        relais::engine::start_under(self.world.clone(), config, journal, Metrics::new(), Calls::Direct, &read, &jury)
            .await
            .expect("it starts")
    }

    /// When submits came, ascending.
    fn times(&self) -> Vec<Time> {
        let mut times: Vec<Time> = self.record.submits().iter().map(|submit| Time(submit.at_ms)).collect();
        times.sort_unstable();
        times
    }

    /// Each submit, as the carrier's own clock saw it, was at an hour that is open.
    fn is_lawful(&self) {
        for at in self.times() {
            assert!(matches!(self.place.verdict(at), Verdict::Go { .. }), "written at {}", at.rfc3339());
        }
    }
}

/// Runs a story in a simulated world that begins at an instant; `carrier` is added to its configuration.
fn story<F: Future<Output = ()>>(begin: &str, place: Place, carrier: &str, tell: impl FnOnce(House, Running) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let sim = SimWorld::new(11);
        sim.set_wall(time(begin));
        let world = sim.world();
        let keep = RecordOptions { token: TokenRule::Hashes, keep: Keep::Submits, ..RecordOptions::default() };
        let record = Arc::new(Recorder::new(keep));
        let options = Options { record: record.clone(), ..Options::default() };
        let smsc = Smsc::listen(&world, AT.parse().expect("an address"), Personality::default(), options).await.expect("it listens");
        let house = House { sim, world, place, memory: Memory::new(), record, carrier: carrier.to_owned() };
        let running = house.start(Box::new(house.memory.clone())).await;
        tell(house, running).await;
        smsc.stop().await;
    });
}

/// A bulk of advertising.
async fn bulk(engine: &Engine, count: u32, start: Start, class: Class) -> (BatchId, MessageId) {
    let batch = BatchId(engine.ids.take(engine.world.now()));
    let mut drafts = Drafts::new("shop", Some(batch), &["one".to_owned()], 500);
    for n in 0..count {
        let text = format!("#{n}# sale");
        let message = Composed {
            to: Msisdn::from_u64(33_600_000_000 + u64::from(n)).expect("a number"),
            from: "SHOP",
            client_ref: "",
            encoding: Encoding::Gsm7,
            octets: text.as_bytes(),
            ends: &[text.len() as u32],
            reference: Reference::Narrow,
            class,
            doubt: DoubtPolicy::ResendOnce,
            lifetime: Span::secs(3 * 86_400),
            line: n,
            extras: Extras {
                cancel_key: if n % 10 == 0 { "cart:8" } else { "" },
                not_before: (start.why == Reason::Scheduled && start.due > Time(0)).then_some(start.due),
                ..Extras::default()
            },
        };
        drafts.push(&message, 0, start);
    }
    let row = BatchRow { id: batch, account: "shop".into(), at: engine.world.now(), received: count, accepted: count, detail: vec![] };
    let acceptance = Acceptance { frames: drafts.take(), seal: Some(row), ..Acceptance::default() };
    let places = engine.durable(engine.take(acceptance, WhenFull::Wait).await.expect("room")).await.expect("durable");
    (batch, places[0])
}

async fn tally(engine: &Engine, batch: BatchId) -> Tally {
    engine.tally(batch).await.expect("readable")
}

/// Lets days pass until a bulk is over.
async fn over(engine: &Engine, batch: BatchId) -> Tally {
    for _ in 0..20_000 {
        let tally = tally(engine, batch).await;
        if Status::ALL.iter().all(|status| status.is_final() || tally.of(*status) == 0) {
            return tally;
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    panic!("never over: {:?}", tally(engine, batch).await);
}

const SECOND: i64 = 1_000;

/// Waits until all of a bulk are with the carrier or wait.
async fn asleep(engine: &Engine, batch: BatchId) -> Tally {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let tally = tally(engine, batch).await;
        if tally.of(Status::Accepted) + tally.of(Status::Sending) + tally.of(Status::Sent) == 0 {
            return tally;
        }
    }
}

#[test]
fn a_bulk_put_in_at_nine_in_the_evening_goes_at_the_opening_next_morning() {
    let paris = Place::new("FR", "Europe/Paris");
    let Verdict::Hold { until: opening, .. } = paris.verdict(time("2026-12-01T20:00:00Z")) else { panic!("open at night") };
    assert!((time("2026-12-02T06:00:00Z")..time("2026-12-02T10:00:00Z")).contains(&opening), "{}", opening.rfc3339());
    for start in [Start::NOW, Start { due: opening, why: Reason::WindowClosed, group: 1 }] {
        story("2026-12-01T20:00:00Z", paris.clone(), "", |house, running| async move {
            let (batch, _) = bulk(&running.engine, 1_200, start, Class::Marketing).await;
            let waiting = asleep(&running.engine, batch).await;
            assert_eq!((waiting.of(Status::Held), waiting.total()), (1_200, 1_200));
            let carrier = &running.engine.carriers().await[0];
            assert_eq!((carrier.gauges.held, carrier.gauges.body_bytes), (1_200, 0));
            let tally = over(&running.engine, batch).await;
            assert_eq!((tally.of(Status::Delivered), house.record.repeated()), (1_200, 0));
            house.is_lawful();
            let times = house.times();
            assert!(times[0] >= opening && times[0].0 < opening.0 + 2 * SECOND, "the first went at {}", times[0].rfc3339());
            assert!(times[1_199].0 < opening.0 + 60 * SECOND);
            bench::stop(running).await;
        });
    }
}

#[test]
fn a_backlog_at_closing_time_stops_at_the_instant_and_goes_on_next_morning() {
    let paris = Place::new("FR", "Europe/Paris");
    let Verdict::Go { closes } = paris.verdict(time("2026-12-01T15:00:00Z")) else { panic!("closed in the afternoon") };
    let begin = Time(closes.0 - 60 * SECOND).rfc3339();
    story(&begin, paris, "segments_per_second = 10.0\nburst = 1", |house, running| async move {
        let (batch, _) = bulk(&running.engine, 1_500, Start::NOW, Class::Marketing).await;
        let waiting = asleep(&running.engine, batch).await;
        let before = house.times();
        let last = *before.last().expect("some went");
        assert!(last < closes && last.0 >= closes.0 - SECOND, "the last went at {}", last.rfc3339());
        assert!((550..=650).contains(&before.len()), "{} went", before.len());
        assert_eq!(waiting.of(Status::Held) as usize, 1_500 - before.len());
        let tally = over(&running.engine, batch).await;
        assert_eq!((tally.of(Status::Delivered), house.record.repeated()), (1_500, 0));
        house.is_lawful();
        bench::stop(running).await;
    });
}

#[test]
fn killed_and_started_again_while_it_holds_it_sends_nothing_early_and_loses_nothing() {
    let paris = Place::new("FR", "Europe/Paris");
    story("2026-12-01T20:00:00Z", paris.clone(), "", |house, running| async move {
        let (batch, first) = bulk(&running.engine, 600, Start::NOW, Class::Marketing).await;
        asleep(&running.engine, batch).await;
        let at = MessageRef { frame: first, ordinal: 3 };
        assert_eq!(running.engine.cancel("one", at).await, Ok(true));
        let keyed = running.engine.cancel_where("shop", "cart:8").await.expect("readable");
        assert_eq!((keyed.canceled, keyed.too_late), (60, 0));
        let moved = MessageRef { frame: first, ordinal: 4 };
        let later = Moved { due: Some(time("2026-12-02T14:00:00Z")), expires: None };
        assert_eq!(running.engine.reschedule("one", moved, later).await, Ok(true));
        // The journal dies, and the process with it.
        house.memory.fail_next_commit(SimulatedFault::Broken);
        let engine = running.engine.clone();
        tokio::task::spawn_local(async move { engine.cancel("one", MessageRef { frame: first, ordinal: 5 }).await });
        running.engine.failed().await;
        let again = house.start(Box::new(house.memory.reopen())).await;
        let waiting = tally(&again.engine, batch).await;
        assert_eq!((waiting.of(Status::Held), waiting.of(Status::Canceled)), (539, 61));
        let result = over(&again.engine, batch).await;
        assert_eq!((result.of(Status::Delivered), result.of(Status::Canceled), house.record.repeated()), (539, 61, 0));
        house.is_lawful();
        assert_eq!(house.record.times("4"), 1);
        let last = *house.times().last().expect("some");
        assert!(last >= time("2026-12-02T14:00:00Z") && last < time("2026-12-02T14:00:03Z"), "{}", last.rfc3339());
        bench::stop(again).await;
    });
}

#[test]
fn on_the_days_the_clocks_change_the_opening_is_by_the_clock_on_the_wall() {
    // New York: 8 in the morning is 12:00Z in summer and 13:00Z in winter.
    for (begin, opening) in [("2027-03-14T04:00:00Z", "2027-03-14T12:00:00Z"), ("2026-11-01T03:00:00Z", "2026-11-01T13:00:00Z")] {
        let mut place = Place::new("US", "America/New_York");
        place.rules = vec![place.hours.rule_by_name("US-federal").expect("a rule")];
        story(begin, place, "", |house, running| async move {
            let (batch, _) = bulk(&running.engine, 100, Start::NOW, Class::Marketing).await;
            let result = over(&running.engine, batch).await;
            assert_eq!(result.of(Status::Delivered), 100);
            house.is_lawful();
            let first = house.times()[0];
            assert!(first >= time(opening) && first.0 < time(opening).0 + 2 * SECOND, "{} and not {opening}", first.rfc3339());
            bench::stop(running).await;
        });
    }
}

#[test]
fn a_clock_that_jumps_into_an_open_hour_sends_nothing_until_it_is_believed_and_nothing_once_it_is_right_again() {
    let paris = Place::new("FR", "Europe/Paris");
    story("2026-12-01T20:00:00Z", paris.clone(), "", |house, running| async move {
        let (batch, _) = bulk(&running.engine, 300, Start::NOW, Class::Marketing).await;
        asleep(&running.engine, batch).await;
        for hours in [14, 24 * 30 + 14] {
            house.sim.jump_wall_ms(hours * 3_600 * SECOND);
            tokio::time::sleep(Duration::from_secs(6)).await;
            house.sim.jump_wall_ms(-hours * 3_600 * SECOND);
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(house.record.unique(), 0);
        }
        let result = over(&running.engine, batch).await;
        assert_eq!((result.of(Status::Delivered), result.of(Status::Expired)), (300, 0));
        house.is_lawful();
        bench::stop(running).await;
    });
}

#[test]
fn after_a_long_absence_advertising_waits_for_a_person_also_over_another_start_and_the_rest_goes() {
    let paris = Place::new("FR", "Europe/Paris");
    story("2026-12-01T20:00:00Z", paris.clone(), "", |house, running| async move {
        let (sale, _) = bulk(&running.engine, 50, Start::NOW, Class::Marketing).await;
        let due = Start { due: time("2026-12-02T12:00:00Z"), why: Reason::Scheduled, group: 0 };
        let (notice, _) = bulk(&running.engine, 20, due, Class::Transactional).await;
        asleep(&running.engine, sale).await;
        bench::stop(running).await;
        tokio::time::sleep(Duration::from_secs(17 * 3_600)).await;
        let mut running = house.start(Box::new(house.memory.reopen())).await;
        for _ in 0..2 {
            let rest = over(&running.engine, notice).await;
            assert_eq!(rest.of(Status::Delivered), 20);
            tokio::time::sleep(Duration::from_secs(600)).await;
            assert_eq!((tally(&running.engine, sale).await.of(Status::Held), house.record.unique()), (50, 20));
            bench::stop(running).await;
            running = house.start(Box::new(house.memory.reopen())).await;
        }
        assert_eq!(running.engine.release().await, Ok(50));
        assert_eq!(over(&running.engine, sale).await.of(Status::Delivered), 50);
        house.is_lawful();
        bench::stop(running).await;
    });
}
