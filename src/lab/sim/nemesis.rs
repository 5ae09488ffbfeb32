//! What goes wrong: a schedule drawn from the seed, carried out in its order, and the end of it all.

use super::disk::Disk;
use super::editions::EDITIONS;
use super::fault::Kind;
use super::model::Model;
use super::scenario::Scenario;
use super::seen::Seen;
use super::stage::Order;
use crate::base::Span;
use crate::lab::net::{Death, Way, Weather};
use crate::lab::personality::{Garbage, Personality, StatusRate};
use crate::lab::sink::{SinkHandle, SinkMode};
use crate::lab::{Chance, ClockError, SimWorld, SmscHandle};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// What it may lay hands on.
pub struct Nemesis {
    /// The world.
    pub sim: SimWorld,
    /// The disk.
    pub disk: Disk,
    /// Told of every fault.
    pub model: Model,
    /// The gateway's service manager.
    pub orders: mpsc::Sender<Order>,
    /// The carriers, and what they are like on a good day.
    pub carriers: Vec<SmscHandle>,
    /// See `carriers`.
    pub habits: Vec<Personality>,
    /// The webhooks.
    pub sinks: Vec<SinkHandle>,
    /// In good weather.
    pub weather: Weather,
    /// On a good day.
    pub sync_us: [u64; 2],
    /// Whether processes end before all is quiet: one that starts takes the clock as it is.
    pub is_mortal: bool,
}

/// Slow syncs take up to this many times the usual, or at least so many microseconds.
pub const SLOW_US: u64 = 400_000;
/// A clock that is wrong by years is so for this long at most: less than it must be steady to be believed.
const GLITCH_MS: u64 = 8_000;
/// Bad weather has latencies up to this, in milliseconds.
pub const BAD_WEATHER_MS: u64 = 1_500;

#[derive(Clone, Copy, Debug)]
struct Planned {
    kind: Kind,
    which: u64,
    lasts: Span,
    is_on: bool,
}

/// How an endpoint misbehaves; well when it does not.
fn sink_mode(is_on: bool, chance: &mut Chance) -> SinkMode {
    match chance.below(4) {
        _ if !is_on => SinkMode::Ok,
        0 => SinkMode::Status([500, 503, 429, 408][chance.below(4) as usize]),
        1 => SinkMode::Hang,
        2 => SinkMode::Drip(Span::millis(chance.between(10, 3_000))),
        _ => SinkMode::Close,
    }
}

/// Puts a fault and its end into the schedule.
fn plan(schedule: &mut BTreeMap<(u64, u32), Planned>, at: u64, number: u32, planned: Planned) {
    let Planned { kind, lasts, .. } = planned;
    schedule.insert((at, 2 * number), planned);
    let is_brief = matches!(kind, Kind::Cut | Kind::CutAtByte | Kind::Broken | Kind::Rules);
    if !is_brief && !kind.ends_process() {
        schedule.insert((at + lasts.0, 2 * number + 1), Planned { is_on: false, ..planned });
    }
}

/// The weather of a scenario.
#[must_use]
pub fn weather(scenario: &Scenario) -> Weather {
    let [least, most] = scenario.latency_ms;
    Weather { latency_min: Duration::from_millis(least), latency_max: Duration::from_millis(most), chunk_max: 0 }
}

impl Nemesis {
    /// Carries out the scenario's faults; then everything is well again.
    pub async fn run(&self, scenario: &Scenario, seed: u64) {
        let mut chance = Chance::new(seed ^ 0x6E65_6D65);
        let length_us = scenario.minutes * 60_000_000;
        let mut schedule: BTreeMap<(u64, u32), Planned> = BTreeMap::new();
        let mut before = 0;
        for number in 0..scenario.faults.count {
            let kind = scenario.faults.kinds[chance.below(scenario.faults.kinds.len() as u64) as usize];
            let longest = Span::secs(scenario.faults.longest_s.max(1)).0;
            // Troubles come together: some follow the one before at once, some brief ones end while others last.
            let at = if chance.hit(0.3) { before + chance.below(3_000_000) } else { chance.below(length_us) };
            before = at;
            let longest = if chance.hit(0.3) { longest.min(2_000_000) } else { longest };
            let lasts = Span(chance.between(50_000, longest));
            let planned = Planned { kind, which: chance.next_u64(), lasts, is_on: true };
            plan(&mut schedule, at, number, planned);
        }
        for (number, (at_ms, kind, which, lasts_ms)) in (scenario.faults.count..).zip(scenario.script.faults()) {
            plan(&mut schedule, at_ms * 1_000, number, Planned { kind, which, lasts: Span::millis(lasts_ms), is_on: true });
        }
        let began = self.sim.world().mono();
        for ((at, _), planned) in schedule {
            let now = self.sim.world().mono().since(began);
            tokio::time::sleep(Span(at.saturating_sub(now.0)).std()).await;
            self.strike(planned, &mut chance).await;
        }
        let now = self.sim.world().mono().since(began);
        tokio::time::sleep(Span(length_us.saturating_sub(now.0)).std()).await;
        if scenario.faults.kinds.contains(&Kind::Clock) {
            // It comes right or stays wrong; it gains nothing any more.
            let now = self.sim.world().now().0;
            let (shown, _) = self.model.ask(|ledger| ledger.shown_within(now, now));
            self.set_clock(if chance.hit(0.7) { (0, 0) } else { (shown - now, 0) });
        }
        self.quiet();
    }

    async fn strike(&self, planned: Planned, chance: &mut Chance) {
        let Planned { kind, which, lasts, is_on } = planned;
        let carrier = (which % self.carriers.len() as u64) as usize;
        let at = self.carriers[carrier].local_addr();
        let is_at_carrier = matches!(kind, Kind::Cut | Kind::Hold | Kind::HoldWay | Kind::Refuse | Kind::Mood);
        let sink = (which % self.sinks.len() as u64) as usize;
        let place = if kind == Kind::Sink { Some(sink as u8) } else { is_at_carrier.then_some(carrier as u8) };
        self.model.see(&Seen::Fault { kind: kind.word(), carrier: place, is_on });
        let net = self.sim.net();
        match kind {
            Kind::Cut => _ = net.cut(at),
            Kind::CutAtByte => {
                let links = net.links();
                if let Some(link) = links.get(chance.below(links.len().max(1) as u64) as usize) {
                    let way = if chance.hit(0.5) { Way::There } else { Way::Back };
                    link.cut_after(way, chance.between(1, 2_000) as usize);
                }
            }
            Kind::Hold if is_on => net.hold(at),
            Kind::HoldWay if is_on => {
                let links = net.links_to(at);
                if let Some(link) = links.get(chance.below(links.len().max(1) as u64) as usize) {
                    link.hold_way(if chance.hit(0.5) { Way::There } else { Way::Back });
                }
            }
            Kind::Refuse if is_on => {
                net.refuse(at);
                net.cut(at);
            }
            Kind::Hold | Kind::HoldWay | Kind::Refuse => net.heal(at),
            Kind::Weather => {
                let bad = Weather {
                    latency_min: Duration::ZERO,
                    latency_max: Duration::from_millis(chance.between(1, BAD_WEATHER_MS)),
                    chunk_max: chance.below(60) as usize,
                };
                net.set_weather(if is_on { bad } else { self.weather });
            }
            Kind::Kill => self.order(Order::Die(Death::Closed, lasts)).await,
            Kind::Power => self.order(Order::Die(Death::Lost, lasts)).await,
            Kind::Term => self.order(Order::Stop(None, lasts)).await,
            Kind::TermKill => self.order(Order::Stop(Some(Span(chance.between(1_000, 3_000_000))), lasts)).await,
            Kind::Full => self.disk.health().is_full = is_on,
            Kind::Slow => self.disk.health().sync_us = if is_on { [0, chance.between(10_000, SLOW_US)] } else { self.sync_us },
            Kind::Broken => self.disk.health().breaks = Some(chance.hit(0.5)),
            Kind::Mood => {
                let mood = if is_on { mood(&self.habits[carrier], chance) } else { self.habits[carrier].clone() };
                self.change(carrier, mood);
            }
            Kind::Sink => self.sinks[sink].set_mode(sink_mode(is_on, chance)),
            Kind::Rules => self.order(Order::Reload(chance.below(EDITIONS.len() as u64) as u8)).await,
            Kind::Clock if is_on && chance.hit(0.2) && !self.is_mortal => {
                self.set_clock(glitch(chance));
                tokio::time::sleep(Span::millis(chance.between(100, GLITCH_MS)).std()).await;
                self.set_clock((0, 0));
            }
            Kind::Clock => {
                let is_right = !is_on && chance.hit(0.7);
                self.set_clock(if is_right { (0, 0) } else { wrong(chance) });
            }
        }
    }

    async fn order(&self, order: Order) {
        // Nobody listens once the gateway has broken a promise: the run is over then.
        let _ = self.orders.send(order).await;
    }

    /// The machine's clock is so many milliseconds ahead of the right one from now on, and gains so many parts of a million.
    fn set_clock(&self, (ahead_ms, gains_ppm): (i64, i64)) {
        let error = ClockError { since: self.sim.world().now().0, ahead_ms, gains_ppm };
        self.sim.set_clock_error(error);
        self.model.see(&Seen::Clock { error });
    }

    /// Sessions take their habits when they begin.
    fn change(&self, carrier: usize, habits: Personality) {
        self.carriers[carrier].set_personality(habits).expect("rates are from 0 to 1");
        self.carriers[carrier].cut_sessions();
    }

    /// All is well from now on: the carriers are perfect, the network good, the disk sound.
    fn quiet(&self) {
        let net = self.sim.net();
        net.set_weather(self.weather);
        for (index, (carrier, habits)) in self.carriers.iter().zip(&self.habits).enumerate() {
            net.heal(carrier.local_addr());
            self.model.see(&Seen::Fault { kind: "hold", carrier: Some(index as u8), is_on: false });
            self.change(index, perfect(habits));
        }
        self.sinks.iter().for_each(|sink| sink.set_mode(SinkMode::Ok));
        let mut health = self.disk.health();
        (health.is_full, health.breaks, health.sync_us) = (false, None, self.sync_us);
        drop(health);
        self.model.see(&Seen::Fault { kind: "full", carrier: None, is_on: false });
        self.model.see(&Seen::Quiet);
    }
}

/// How a clock may be wrong for long: by a second to a day and a half either way, and by what it gains. Not by more: what is
/// kept for three days must not be forgotten from one error to the next.
fn wrong(chance: &mut Chance) -> (i64, i64) {
    let seconds = [1, 2, 3, 10, 60, 600, 3_600, 7_200, 43_200, 86_400, 115_200][chance.below(11) as usize];
    let ahead_ms = chance.between(seconds * 500, seconds * 1_000) as i64;
    let gains_ppm = if chance.hit(0.8) { 0 } else { [100, 500, 20_000, 100_000][chance.below(4) as usize] };
    if chance.hit(0.5) { (ahead_ms, gains_ppm) } else { (-ahead_ms, -gains_ppm) }
}

/// And for a moment, in which nobody may believe it: by days or years.
fn glitch(chance: &mut Chance) -> (i64, i64) {
    let days = [3, 7, 30, 365, 3_650][chance.below(5) as usize];
    let ahead_ms = chance.between(days * 43_200_000, days * 86_400_000) as i64;
    // Ids hold no time before 2025.
    (if chance.hit(0.7) { ahead_ms } else { -ahead_ms.min(365 * 86_400_000) }, 0)
}

/// The same carrier without its vices.
fn perfect(habits: &Personality) -> Personality {
    Personality {
        seed: habits.seed ^ 0xF00D,
        check: habits.check,
        id_base: habits.id_base,
        response_id: habits.response_id,
        receipt_id: habits.receipt_id,
        tlv_id: habits.tlv_id,
        dialect: habits.dialect,
        response_ms: habits.response_ms,
        receipt_ms: habits.receipt_ms,
        enquire_ms: 600_000,
        ..Personality::default()
    }
}

/// A carrier in a bad mood.
fn mood(habits: &Personality, chance: &mut Chance) -> Personality {
    let mut mood = Personality { seed: habits.seed ^ chance.next_u64(), ..habits.clone() };
    let storm = chance.between(20, 100) as f64 / 100.0;
    match chance.below(9) {
        0 => mood.statuses = vec![StatusRate { status: 0x58, rate: storm }],
        1 => mood.statuses = vec![StatusRate { status: 0x14, rate: storm }],
        2 => mood.statuses = vec![StatusRate { status: 0x08, rate: storm }],
        3 => mood.missing = storm,
        4 => (mood.late, mood.late_ms.min_ms, mood.late_ms.max_ms) = (storm, 1_000, 90_000),
        5 => {
            mood.garbage = storm;
            mood.garbage_kind = [Garbage::Unknown, Garbage::Torn, Garbage::Stray][chance.below(3) as usize];
        }
        6 => mood.disconnect_every = chance.between(1, 10),
        7 => (mood.disconnect_after_ms, mood.receipt_twice) = (chance.between(100, 5_000), storm),
        _ => (mood.refuse_binds, mood.refuse_binds_status) = (chance.between(1, 20) as u32, 0x0D),
    }
    mood
}
