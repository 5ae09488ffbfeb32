//! Lives about one thing: what goes wrong only when a few faults and a certain traffic meet is rare in lives where all of
//! them are drawn apart. A theme changes what was drawn so that they meet.

use super::config::MARGIN_M;
use super::fault::Kind;
use super::scenario::Scenario;
use crate::lab::Chance;
use crate::lab::personality::Delay;

impl Scenario {
    /// A life drawn from a seed; every other one has a theme.
    #[must_use]
    pub fn swarm(seed: u64) -> Scenario {
        let mut draw = Chance::new(seed ^ 0x7377_6172);
        let mut life = Scenario::draw(&mut draw);
        if draw.hit(0.5) {
            set(&mut life, &mut draw);
        }
        let mut beside = Chance::new(seed ^ 0x7769_6465);
        life.widen(&mut beside);
        if beside.hit(0.15) {
            neighbours(&mut life, &mut beside);
        }
        life
    }
}

/// Gives a drawn life a theme.
fn set(life: &mut Scenario, draw: &mut Chance) {
    match draw.below(5) {
        0 => full(life, draw),
        1 => unsettled(life, draw),
        2 => half_written(life, draw),
        3 => leased_long(life, draw),
        _ => broken_off(life, draw),
    }
}

/// The disk is full again and again, and slow, so that a commit holds what customers bring and what carriers and subscribers say;
/// subscribers say stop, and processes die soon after.
fn full(life: &mut Scenario, draw: &mut Chance) {
    (life.messages, life.minutes, life.bursts) = (draw.between(600, 1_000), draw.between(3, 6), 0);
    (life.clients, life.bulk_share, life.marketing, life.subscribers) = (8, 0.1, 0.8, draw.between(40, 100) as u32);
    // Of the one to whom they say stop is all of the advertising.
    life.accounts = 1;
    // In the hours of advertising, from which there are ten more.
    life.begins = 0;
    (life.inbound, life.stops) = (draw.between(300, 600) as u32, 0.7);
    (life.faults.kinds, life.faults.longest_s) = (vec![Kind::Full, Kind::Full, Kind::Full, Kind::Kill, Kind::Power], draw.between(2, 20));
    life.faults.count = draw.between(20, 60) as u32;
    life.sync_us = [20_000, draw.between(100_000, 400_000)];
}

/// The disk is slow and the carriers are quick: much has its answer and is not durable when sessions and processes end.
fn unsettled(life: &mut Scenario, draw: &mut Chance) {
    (life.messages, life.minutes, life.bursts) = (draw.between(200, 600), draw.between(1, 5), draw.between(1, 8) as u32);
    (life.at_most_once, life.parts_max, life.marketing) = (0.05, 1, 0.0);
    for carrier in &mut life.carriers {
        (carrier.rate, carrier.window, carrier.hold_s) = (0.0, draw.between(1, 4) as u32, draw.between(1, 5));
        (carrier.habits.missing, carrier.habits.late, carrier.habits.throttle_per_s) = (0.0, 0.0, 0);
        carrier.habits.statuses.clear();
        carrier.habits.response_ms = Delay { min_ms: 0, max_ms: 3 };
    }
    life.latency_ms = [0, 2];
    life.sync_us = [50_000, 400_000];
    life.faults.kinds = vec![Kind::Power, Kind::Kill, Kind::Cut];
    (life.faults.count, life.faults.longest_s) = (draw.between(20, 60) as u32, 3);
}

/// Long texts over slow binds that are cut: messages go back of which some parts were written and some not.
fn half_written(life: &mut Scenario, draw: &mut Chance) {
    (life.parts_max, life.ucs2, life.bursts) = (4, 0.3, draw.between(1, 4) as u32);
    for carrier in &mut life.carriers {
        (carrier.rate, carrier.burst) = (draw.between(1, 12) as f64, draw.between(1, 3) as u32);
    }
    life.faults.kinds = vec![Kind::Cut, Kind::Refuse, Kind::Term, Kind::CutAtByte];
    (life.faults.count, life.faults.longest_s) = (draw.between(10, 40) as u32, 20);
}

/// Some suffer, some ask for much, and others are well: webhooks that hang, carriers that are away, bulks that take minutes.
fn neighbours(life: &mut Scenario, draw: &mut Chance) {
    (life.messages, life.minutes, life.bursts) = (draw.between(500, 1_200), draw.between(3, 10), 0);
    (life.accounts, life.bulk_share, life.bulk_max) = (draw.between(2, 4) as u8, 0.9, draw.between(200, 600) as u32);
    (life.marketing, life.parts_max, life.clients, life.journal) = (0.0, draw.between(1, 3) as u8, 2, String::new());
    (life.latency_ms, life.sync_us) = ([0, draw.between(1, 50)], [0, draw.between(100, 10_000)]);
    for carrier in &mut life.carriers {
        (carrier.rate, carrier.burst, carrier.window) = (draw.between(5, 60) as f64, 5, draw.between(1, 8) as u32);
        let habits = &mut carrier.habits;
        (habits.missing, habits.late, habits.disconnect_every, habits.throttle_per_s, habits.generic_nack) = (0.0, 0.0, 0, 0, 0.0);
        habits.garbage = 0.0;
        habits.statuses.clear();
        habits.response_ms = Delay { min_ms: 0, max_ms: draw.between(1, 200) };
    }
    life.faults.kinds = vec![Kind::Sink, Kind::Mood, Kind::Hold, Kind::Refuse, Kind::Sink];
    (life.faults.count, life.faults.longest_s) = (draw.between(2, 12) as u32, draw.between(20, 300));
}

/// Carriers that take long to answer: what is leased waits long for its place in the window, and its lifetime or its hours end
/// meanwhile.
fn leased_long(life: &mut Scenario, draw: &mut Chance) {
    (life.messages, life.minutes, life.bursts) = (draw.between(250, 400), draw.between(3, 7), 0);
    (life.expiring, life.marketing, life.subscribers, life.parts_max) = (0.8, 0.5, 1_000, 1);
    (life.inbound, life.latency_ms) = (0, [0, 5]);
    // From 10:00 to the end of the hours, somewhat before 20:00.
    life.begins = 600 - MARGIN_M - draw.between(1, life.minutes - 1) as i64;
    for carrier in &mut life.carriers {
        (carrier.rate, carrier.window, carrier.binds, carrier.response_timeout_s) = (0.0, draw.between(1, 3) as u32, 1, 30);
        (carrier.habits.missing, carrier.habits.late, carrier.habits.disconnect_every) = (0.0, 0.0, 0);
        carrier.habits.response_ms = Delay { min_ms: 2_000, max_ms: 9_000 };
    }
    (life.faults.kinds, life.faults.count) = (Vec::new(), 0);
}

/// Large bulks, staged in many commits, that customers break off and bring again, while processes die.
fn broken_off(life: &mut Scenario, draw: &mut Chance) {
    (life.bulk_share, life.bulk_max, life.messages) = (0.97, draw.between(60, 200) as u32, draw.between(300, 900));
    life.journal = format!("frame_messages_max = {}", draw.between(1, 3));
    life.breaks_off = 0.4;
    life.faults.kinds = vec![Kind::CutAtByte, Kind::Kill, Kind::Power];
    (life.faults.count, life.faults.longest_s) = (draw.between(1, 20) as u32, 10);
}
