//! Tests of the endpoint machine: no clock, no socket, every instant is given.

use super::*;

const HOUR: Span = Span::secs(3_600);

/// An endpoint, its clocks, and the notes as a journal would hold them.
struct Rig {
    endpoint: Endpoint,
    now: Now,
    journal: BTreeMap<String, Vec<u8>>,
    row: u64,
}

fn start() -> Now {
    Now { wall: Time(1_764_576_000_000), mono: Mono(5_000_000) }
}

impl Rig {
    fn new(max_batch: usize) -> Rig {
        let policy = Policy { max_batch, ..Policy::default() };
        let endpoint = Endpoint::new("crm", policy, Notes::default(), 100, start());
        Rig { endpoint, now: start(), journal: BTreeMap::new(), row: 100 }
    }

    /// The process ends and begins again, both clocks `later`.
    fn restart(&mut self, later: Span) {
        self.save();
        self.pass(later);
        self.now.mono = Mono(1);
        let stored: Vec<(String, Vec<u8>)> = self.journal.clone().into_iter().collect();
        let notes = Notes::read("crm", &stored);
        self.endpoint = Endpoint::new("crm", self.endpoint.policy.clone(), notes, self.row, self.now);
    }

    fn save(&mut self) {
        for (key, value) in self.endpoint.take_notes() {
            match value {
                Some(value) => self.journal.insert(key, value),
                None => self.journal.remove(&key),
            };
        }
        self.journal.insert(notes::cursor_key("crm"), self.endpoint.cursor().to_le_bytes().to_vec());
    }

    fn pass(&mut self, span: Span) {
        self.now = Now { wall: self.now.wall.after(span), mono: self.now.mono + span };
    }

    fn offer_row(&mut self, row: u64, messages: &[(u64, u8)]) {
        let when = self.now.wall;
        let telling = |(place, (message, seq)): (usize, &(u64, u8))| {
            let json = format!(r#""{message}.{seq}""#).into();
            Telling { row, place: place as u32, message: *message, seq: *seq, when, json }
        };
        self.row = self.row.max(row);
        self.endpoint.offer(row, messages.iter().enumerate().map(telling).collect(), self.now);
    }

    fn offer(&mut self, messages: &[(u64, u8)]) {
        self.offer_row(self.row + 1, messages);
    }

    /// The next delivery's events, or what else is to be done.
    fn next(&mut self) -> Result<Vec<String>, Step> {
        match self.endpoint.next(self.now) {
            Step::Send(delivery) => Ok(serde_json::from_slice(&delivery.body).expect("an array of strings")),
            other => Err(other),
        }
    }

    fn settle(&mut self, outcome: Outcome) {
        self.endpoint.settle(outcome, self.now, u64::MAX);
        self.save();
    }

    /// Sends one delivery that must hold exactly these.
    fn sends(&mut self, events: &[&str], outcome: Outcome) {
        assert_eq!(self.next().expect("a delivery"), events);
        self.settle(outcome);
    }

    fn wait(&mut self) -> Span {
        match self.next() {
            Err(Step::Wait(until)) => until.since(self.now.mono),
            other => panic!("not a wait: {other:?}"),
        }
    }

    fn dead(&self) -> Vec<String> {
        let prefix = notes::dead_prefix("crm");
        let letters = self.journal.iter().filter(|(key, _)| key.starts_with(&prefix));
        letters.filter_map(|(key, value)| DeadLetter::read("crm", key, value)).map(|letter| letter.event).collect()
    }

    fn parked(&self) -> usize {
        self.journal.keys().filter(|key| key.starts_with("webhook/crm/parked/")).count()
    }

    /// Lets the receiver judge each delivery until nothing is to be done now; gives all that were sent.
    fn run(&mut self, judge: impl Fn(&[String]) -> Outcome, until: Span) -> Vec<Vec<String>> {
        let (mut sent, end) = (Vec::new(), self.now.mono + until);
        loop {
            match self.next() {
                Ok(events) => {
                    let outcome = judge(&events);
                    self.settle(outcome);
                    sent.push(events);
                }
                Err(Step::Wait(at)) if at <= end => self.pass(at.since(self.now.mono)),
                Err(_) => return sent,
            }
            assert!(sent.len() < 10_000, "the machine runs in circles");
        }
    }
}

const DOWN: Outcome = Outcome::Failed(Failure::Unreachable);
const ERROR: Outcome = Outcome::Failed(Failure::Answered { status: 500, retry_after: None });

#[test]
fn statuses_mean_what_the_documentation_says() {
    for status in [200, 201, 202, 204, 299] {
        assert_eq!(Outcome::of_status(status, None), Outcome::Taken);
    }
    for status in [400, 401, 403, 404, 413, 422, 451] {
        assert_eq!(Outcome::of_status(status, None), Outcome::Refused(status));
    }
    for status in [100, 301, 302, 307, 408, 425, 429, 500, 502, 503, 599] {
        assert_eq!(Outcome::of_status(status, None), Outcome::Failed(Failure::Answered { status, retry_after: None }));
    }
    assert_eq!(Outcome::of_status(410, None), Outcome::Gone);
}

#[test]
fn events_leave_in_order_in_batches_and_the_cursor_follows_whole_rows() {
    let mut rig = Rig::new(3);
    assert_eq!((rig.next(), rig.endpoint.cursor()), (Err(Step::Idle), 100));
    rig.offer(&[(1, 1), (2, 1)]);
    rig.offer(&[]);
    rig.offer(&[(1, 2), (3, 1)]);
    rig.sends(&["1.1", "2.1", "1.2"], Outcome::Taken);
    assert_eq!(rig.endpoint.cursor(), 102, "row 103 is not whole yet");
    rig.sends(&["3.1"], Outcome::Taken);
    assert_eq!((rig.next(), rig.endpoint.cursor()), (Err(Step::Idle), 103));
    assert_eq!(rig.endpoint.counts(), Counts { taken: 4, ..Counts::default() });
}

#[test]
fn a_body_holds_what_fits_and_at_least_one() {
    let mut rig = Rig::new(100);
    rig.endpoint.policy.body_max = 15;
    rig.offer(&[(1, 1), (2, 1), (3, 1), (123_456_789_012, 1), (4, 1)]);
    assert!(!rig.endpoint.has_room());
    rig.sends(&["1.1", "2.1"], Outcome::Taken);
    rig.sends(&["3.1"], Outcome::Taken);
    rig.sends(&["123456789012.1"], Outcome::Taken);
    rig.sends(&["4.1"], Outcome::Taken);
    assert!(rig.endpoint.has_room());
}

#[test]
fn a_failed_batch_is_retried_unchanged_with_doubling_waits() {
    let mut rig = Rig::new(10);
    rig.offer(&[(1, 1)]);
    let Step::Send(first) = rig.endpoint.next(rig.now) else { panic!("a delivery") };
    rig.settle(DOWN);
    rig.offer(&[(2, 1)]);
    let mut waits = Vec::new();
    for _ in 0..14 {
        let wait = rig.wait();
        waits.push(wait.0 / 1_000_000);
        rig.pass(wait);
        let Step::Send(again) = rig.endpoint.next(rig.now) else { panic!("a delivery") };
        assert_eq!(again, first);
        rig.settle(DOWN);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 3_600, 3_600]);
    let wait = rig.wait();
    rig.pass(wait);
    rig.sends(&["1.1"], Outcome::Taken);
    rig.sends(&["2.1"], Outcome::Taken);
    assert!(!rig.endpoint.is_failing() && !rig.journal.contains_key("webhook/crm/failing"));
}

#[test]
fn the_endpoint_may_say_when_to_come_back_within_an_hour() {
    let mut rig = Rig::new(10);
    rig.offer(&[(1, 1)]);
    let busy = |secs| Outcome::of_status(429, Some(Span::secs(secs)));
    rig.sends(&["1.1"], busy(90));
    assert_eq!(rig.wait(), Span::secs(90));
    rig.pass(Span::secs(90));
    rig.sends(&["1.1"], busy(1_000_000));
    assert_eq!(rig.wait(), HOUR);
}

#[test]
fn the_webhook_id_is_that_of_the_events_also_after_a_restart() {
    let id = |rig: &mut Rig| match rig.endpoint.next(rig.now) {
        Step::Send(delivery) => delivery.id,
        other => panic!("{other:?}"),
    };
    let mut rig = Rig::new(10);
    rig.offer(&[(1, 1), (2, 1)]);
    let first = id(&mut rig);
    rig.settle(DOWN);
    rig.restart(Span::secs(5));
    assert_eq!(rig.endpoint.offered(), 100);
    rig.offer_row(101, &[(1, 1), (2, 1)]);
    assert_eq!(id(&mut rig), first);
    rig.settle(Outcome::Taken);
    rig.offer(&[(3, 1)]);
    assert_ne!(id(&mut rig), first);
    assert!(first.len() == 28 && !first.contains('.'));
}

#[test]
fn a_refused_event_is_found_parked_and_delays_no_other() {
    let mut rig = Rig::new(16);
    let messages: Vec<(u64, u8)> = (1..=16).map(|n| (n, 1)).collect();
    rig.offer(&messages);
    let judge = |events: &[String]| if events.contains(&"6.1".into()) { Outcome::Refused(422) } else { Outcome::Taken };
    let sent = rig.run(judge, Span::ZERO);
    assert!(sent.len() < 16, "halving, not one by one: {}", sent.len());
    assert_eq!((rig.endpoint.cursor(), rig.parked(), rig.endpoint.counts().taken), (101, 1, 15));
    let mut taken: Vec<&String> = sent.iter().filter(|events| judge(events) == Outcome::Taken).flatten().collect();
    taken.dedup();
    assert_eq!(taken.len(), 15, "each of the others is told once");
    // On its own schedule, until its time is over.
    let again = rig.run(judge, Span::secs(23 * 3_600));
    assert!((12..60).contains(&again.len()) && again.iter().all(|events| *events == ["6.1"]), "{}", again.len());
    rig.run(judge, Span::secs(2 * 3_600 + 1));
    assert_eq!((rig.dead(), rig.parked()), (vec![r#""6.1""#.to_string()], 0));
}

#[test]
fn a_receiver_that_breaks_on_one_event_is_told_the_others() {
    let mut rig = Rig::new(16);
    let messages: Vec<(u64, u8)> = (1..=40).map(|n| (n, 1)).collect();
    rig.offer(&messages);
    for broken in [ERROR, Outcome::Failed(Failure::Silent)] {
        let judge = |events: &[String]| if events.contains(&"6.1".into()) { broken } else { Outcome::Taken };
        rig.run(judge, Span::secs(120));
        assert_eq!((rig.endpoint.counts().taken, rig.parked()), (39, 1));
    }
    rig.run(|_| Outcome::Taken, HOUR);
    assert_eq!((rig.endpoint.counts().taken, rig.parked()), (40, 0));
}

#[test]
fn later_events_of_a_parked_message_wait_behind_it() {
    let mut rig = Rig::new(4);
    rig.offer(&[(1, 1), (2, 1), (1, 2)]);
    let judge = |events: &[String]| if events.contains(&"1.1".into()) { Outcome::Refused(400) } else { Outcome::Taken };
    let sent = rig.run(judge, Span::ZERO);
    assert!(
        !sent.concat().contains(&"1.2".to_string())
            || sent.iter().all(|events| !events.contains(&"1.2".into()) || events.contains(&"1.1".into()))
    );
    assert_eq!(rig.parked(), 2);
    rig.restart(Span::secs(1));
    rig.offer(&[(2, 2)]);
    let sent = rig.run(judge, HOUR);
    assert_eq!(sent[0], ["2.2"], "the others go first");
    assert!(sent[1..].iter().all(|events| *events == ["1.1"]));
    let sent = rig.run(|_| Outcome::Taken, HOUR);
    assert_eq!(sent, [["1.1"], ["1.2"]]);
}

#[test]
fn a_later_event_of_a_parked_message_that_is_read_later_is_parked_too() {
    let mut rig = Rig::new(4);
    rig.offer(&[(1, 1)]);
    rig.sends(&["1.1"], Outcome::Refused(400));
    rig.offer(&[(1, 2), (2, 1)]);
    rig.sends(&["2.1"], Outcome::Taken);
    assert_eq!((rig.parked(), rig.endpoint.cursor()), (2, 102));
}

#[test]
fn an_endpoint_that_refuses_everything_parks_a_few_and_then_waits() {
    for outcome in [Outcome::Refused(404), ERROR] {
        let mut rig = Rig::new(32);
        let messages: Vec<(u64, u8)> = (1..=100).map(|n| (n, 1)).collect();
        rig.offer(&messages);
        rig.run(|_| outcome, Span::secs(300));
        assert_eq!((rig.parked(), rig.endpoint.counts().taken), (8, 0));
        let sent = rig.run(|_| Outcome::Taken, Span::secs(7_200));
        assert_eq!((rig.endpoint.counts().taken, rig.parked(), rig.dead().len()), (100, 0, 0));
        assert!(sent.len() < 40, "batches grow again: {}", sent.len());
    }
}

#[test]
fn an_unreachable_endpoint_is_given_up_after_a_day_and_the_queue_goes_on() {
    let mut rig = Rig::new(10);
    rig.offer(&[(1, 1), (2, 1)]);
    rig.run(|_| DOWN, Span::secs(24 * 3_600 - 10));
    assert!(rig.dead().is_empty());
    rig.offer(&[(3, 1)]);
    rig.run(|_| DOWN, Span::secs(3_700));
    assert_eq!(rig.dead(), [r#""1.1""#, r#""2.1""#]);
    assert_eq!(rig.endpoint.cursor(), 101);
    rig.run(|_| Outcome::Taken, HOUR);
    assert_eq!((rig.endpoint.counts().taken, rig.endpoint.counts().dead, rig.endpoint.cursor()), (1, 2, 102));
}

#[test]
fn restarts_do_not_prolong_a_life_and_a_jump_of_the_wall_clock_does_not_end_it() {
    let mut rig = Rig::new(10);
    for _ in 0..40 {
        rig.offer_row(101, &[(1, 1)]);
        let mut telling = rig.endpoint.queue.pop_front();
        if let Some(telling) = telling.as_mut() {
            telling.when = start().wall;
        }
        rig.endpoint.queue.extend(telling);
        rig.run(|_| DOWN, Span::secs(1_800));
        if rig.endpoint.cursor() == 101 {
            break;
        }
        rig.restart(Span::secs(1_800));
    }
    assert_eq!(rig.dead().len(), 1);
    assert!(rig.now.wall.since(start().wall) < Span::secs(26 * 3_600));

    let mut rig = Rig::new(10);
    rig.offer(&[(1, 1)]);
    rig.sends(&["1.1"], DOWN);
    rig.now.wall = rig.now.wall.after(Span::secs(365 * 24 * 3_600));
    rig.run(|_| DOWN, Span::secs(20 * 3_600));
    assert!(rig.dead().is_empty());
}

#[test]
fn a_backlog_older_than_a_day_is_given_up_without_a_wait_for_each_batch() {
    let mut rig = Rig::new(2);
    rig.offer(&[(1, 1)]);
    let old = rig.now;
    rig.run(|_| DOWN, Span::secs(26 * 3_600));
    assert_eq!(rig.dead().len(), 1);
    let now = rig.now;
    let telling = |message| Telling { row: 102, place: message as u32, message, seq: 1, when: old.wall, json: "\"x\"".into() };
    rig.endpoint.offer(102, (2..50).map(telling).collect(), now);
    rig.save();
    assert_eq!((rig.dead().len(), rig.endpoint.cursor()), (49, 102));
}

#[test]
fn dead_letters_are_bounded_and_the_oldest_go_first() {
    let mut rig = Rig::new(DEAD_MAX + 5);
    rig.endpoint.policy.body_max = usize::MAX;
    let messages: Vec<(u64, u8)> = (1..=DEAD_MAX as u64 + 5).map(|n| (n, 1)).collect();
    rig.offer(&messages);
    rig.run(|_| DOWN, Span::secs(26 * 3_600));
    assert_eq!((rig.dead().len(), rig.endpoint.counts().dropped), (DEAD_MAX, 5));
    assert_eq!(rig.dead()[0], r#""6.1""#);
}

#[test]
fn gone_is_final_and_the_cursor_stays() {
    let mut rig = Rig::new(10);
    rig.offer(&[(1, 1)]);
    rig.sends(&["1.1"], Outcome::Gone);
    rig.offer(&[(2, 1)]);
    assert_eq!((rig.next(), rig.endpoint.cursor(), rig.endpoint.has_room()), (Err(Step::Gone), 100, false));
}

#[test]
fn a_parked_event_comes_back_after_a_restart_and_is_not_told_twice_from_its_row() {
    let mut rig = Rig::new(10);
    rig.offer(&[(1, 1), (2, 1), (3, 1)]);
    rig.sends(&["1.1", "2.1", "3.1"], Outcome::Refused(400));
    rig.sends(&["1.1", "2.1"], Outcome::Refused(400));
    rig.sends(&["1.1"], Outcome::Refused(400));
    assert_eq!(rig.endpoint.cursor(), 100);
    rig.restart(Span::secs(1));
    rig.offer_row(101, &[(1, 1), (2, 1), (3, 1)]);
    let sent = rig.run(|_| Outcome::Taken, HOUR);
    assert_eq!(sent, [vec!["2.1", "3.1"], vec!["1.1"]]);
    assert_eq!(rig.endpoint.cursor(), 101);
}
