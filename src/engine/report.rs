//! What a shard publishes of a carrier: differences of running totals, once per turn, through handles that were
//! looked up at start.

use crate::base::quiet::{Quiet, Saying};
use crate::base::{Mono, Span, Time};
use crate::channel::session::Fault;
use crate::config::limits;
use crate::engine::gate::Gate;
use crate::message::Status;
use crate::message::event::Keyword;
use crate::pipeline::desk::held::WHOLE;
use crate::pipeline::desk::{Counts, Desk, Ready};
use crate::telemetry::{CarrierMetrics, Counter, Gauge};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Gauges are looked at this often: counting what waits is not free.
const GAUGES_EVERY: Span = Span::millis(250);

/// A carrier that holds so much of what it may hold, on the average, is what messages wait for: to take work away from
/// this gateway would not make it faster by more than the rest.
const HELD: u64 = WHOLE * 9 / 10;
/// Averages are made over this long.
const HELD_EVERY: Span = Span::millis(100);

/// A line that a carrier, or a handset behind it, can cause as often as it likes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Complaint {
    /// A receipt's state is unknown.
    State,
    /// A message was written to what can not answer.
    NoSender,
    /// An answer is too long.
    LongAnswer,
    /// The carrier is not there.
    Unreachable,
    /// A session is over.
    Over,
}

impl Complaint {
    const ALL: [Complaint; 5] = [Complaint::State, Complaint::NoSender, Complaint::LongAnswer, Complaint::Unreachable, Complaint::Over];

    const fn repeated(self) -> &'static str {
        match self {
            Complaint::State => "more receipts had a state word that is not in our table",
            Complaint::NoSender => "more messages from handsets were not answered: they were written to what cannot be a sender",
            Complaint::LongAnswer => "more answers of consent.replies were too long in their alphabet and were not sent",
            Complaint::Unreachable => "the carrier could not be reached again and again",
            Complaint::Over => "more sessions were over",
        }
    }
}

/// One carrier's reporter.
pub(crate) struct Reporter {
    metrics: Arc<CarrierMetrics>,
    links: Vec<Gauge>,
    up: Vec<bool>,
    outcomes: [Counter; Status::ALL.len()],
    malformed: [Counter; Fault::ALL.len()],
    complaints: [Cell<Quiet>; Complaint::ALL.len()],
    last: Counts,
    gauges_at: Mono,
    gate: Arc<Gate>,
    /// Which carrier of the gate's.
    index: usize,
    hold: Hold,
}

/// Who keeps messages waiting, and how many.
#[derive(Default)]
struct Hold {
    /// Thousandths held by the carrier, times microseconds.
    sum: u64,
    since: Mono,
    at: Mono,
    /// Of the last average.
    is_ours: bool,
    /// Messages that waited when they were last counted, with what was loaded and leased until then.
    waiting: u64,
    loaded: u64,
    leased: u64,
}

impl Reporter {
    pub(crate) fn new(metrics: Arc<CarrierMetrics>, links: usize, gate: Arc<Gate>, index: usize) -> Reporter {
        let words = std::array::from_fn(|at| Status::ALL[at].word());
        Reporter {
            links: (0..links).map(|link| metrics.link(link).up).collect(),
            up: vec![false; links],
            outcomes: metrics.outcomes(words),
            malformed: metrics.malformed(Fault::ALL.map(Fault::word)),
            complaints: std::array::from_fn(|_| Cell::new(Quiet::new(limits::COMPLAINTS_MAX, limits::COMPLAINTS_EVERY))),
            metrics,
            last: Counts::default(),
            gauges_at: Mono(0),
            gate,
            index,
            hold: Hold::default(),
        }
    }

    pub(crate) fn link(&mut self, link: usize, is_up: bool) {
        self.up[link] = is_up;
        self.links[link].set(i64::from(is_up));
        self.metrics.links_bound.set(self.up.iter().filter(|up| **up).count() as i64);
    }

    pub(crate) fn reconnecting(&self) {
        self.metrics.reconnects.inc();
    }

    pub(crate) fn enquiry_missed(&self) {
        self.metrics.enquire_link_missed.inc();
    }

    pub(crate) fn inbound(&self) {
        self.metrics.inbound.inc();
    }

    pub(crate) fn malformed(&self, fault: Fault) {
        self.malformed[fault as usize].inc();
    }

    /// Whether a line may be said that a peer can cause as often as it likes. What is not said is counted, and told once
    /// in an interval.
    pub(crate) fn may_say(&self, complaint: Complaint, now: Mono) -> bool {
        let place = &self.complaints[complaint as usize];
        let mut quiet = place.get();
        let saying = quiet.ask(now);
        place.set(quiet);
        saying == Saying::Said
    }

    /// What was not said lately.
    pub(crate) fn unsaid(&self, carrier: &str, now: Mono) {
        for (complaint, place) in Complaint::ALL.iter().zip(&self.complaints) {
            let mut quiet = place.get();
            if let Some(times) = quiet.told(now) {
                place.set(quiet);
                tracing::warn!(carrier, times, "{}", complaint.repeated());
            }
        }
    }

    /// What a message from a handset asks for; `is_unread` when its sender is no number.
    pub(crate) fn asked(&self, keyword: Keyword, is_unread: bool) {
        self.metrics.asked.keywords[keyword as usize].inc();
        if is_unread {
            self.metrics.asked.unread.inc();
        }
    }

    pub(crate) fn answered(&self, after: Span) {
        self.metrics.submit_to_response.observe(after);
    }

    pub(crate) fn waited(&self, spans: &[Span]) {
        spans.iter().for_each(|span| self.metrics.response_to_receipt.observe(*span));
    }

    pub(crate) fn written(&self, now: Time, ready: &Ready) {
        let accepted = Time(ready.expires.0 - ready.record.lifetime_ms as i64);
        self.metrics.commit_to_submit.observe(now.since(accepted));
    }

    pub(crate) fn publish(&mut self, desk: &Desk, now: Mono) {
        let (counts, last) = (*desk.counts(), self.last);
        if counts != last {
            let m = &self.metrics;
            for (counter, now, before) in [
                (&m.loaded, counts.loaded, last.loaded),
                (&m.leased, counts.leased, last.leased),
                (&m.submits, counts.written, last.written),
                (&m.taken, counts.taken, last.taken),
                (&m.answered_throttled, counts.throttled, last.throttled),
                (&m.throttled, counts.throttled, last.throttled),
                (&m.later, counts.later, last.later),
                (&m.refused, counts.refused, last.refused),
                (&m.unexpected, counts.unexpected, last.unexpected),
                (&m.receipts, counts.receipts, last.receipts),
                (&m.intermediate, counts.intermediate, last.intermediate),
                (&m.repeated, counts.repeated, last.repeated),
                (&m.orphaned, counts.orphaned, last.orphaned),
                (&m.ambiguous, counts.ambiguous, last.ambiguous),
                (&m.adopted, counts.adopted, last.adopted),
                (&m.orphans_dropped, counts.orphans_dropped, last.orphans_dropped),
                (&m.doubted, counts.doubted, last.doubted),
                (&m.undoubted, counts.undoubted, last.undoubted),
                (&m.resent, counts.resent, last.resent),
                (&m.held_back, counts.held, last.held),
            ] {
                counter.inc_by(now - before);
            }
            for (outcome, (now, before)) in self.outcomes.iter().zip(counts.ended.iter().zip(last.ended)) {
                outcome.inc_by(now - before);
            }
            self.last = counts;
        }
        self.hold(desk, now);
        if now.since(self.gauges_at) >= GAUGES_EVERY {
            self.gauges_at = now;
            let (gauges, waiting) = (desk.gauges(), desk.waiting());
            (self.hold.waiting, self.hold.loaded, self.hold.leased) = (waiting, counts.loaded, counts.leased);
            let m = &self.metrics;
            for (gauge, value) in [
                (&m.queue, waiting),
                (&m.ahead, self.gate.cell(self.index).ahead.load(Relaxed)),
                (&m.open, gauges.open),
                (&m.in_doubt, gauges.in_doubt),
                (&m.orphans, gauges.orphans),
                (&m.retries, gauges.retries),
                (&m.awaited, gauges.awaited),
                (&m.frames, gauges.frames),
                (&m.frame_bytes, gauges.body_bytes),
                (&m.held, gauges.held),
                (&m.window_used, gauges.in_flight),
                (&m.window_size, gauges.window),
            ] {
                gauge.set(value as i64);
            }
        }
    }

    /// Tells the gate how many messages wait for us.
    fn hold(&mut self, desk: &Desk, now: Mono) {
        let (counts, hold) = (desk.counts(), &mut self.hold);
        hold.sum += desk.held(now) * now.since(hold.at).0;
        hold.at = now;
        let since = now.since(hold.since);
        if since >= HELD_EVERY {
            hold.is_ours = hold.sum < HELD * since.0;
            (hold.sum, hold.since) = (0, now);
        }
        let waiting = (hold.waiting + counts.loaded - hold.loaded).saturating_sub(counts.leased - hold.leased);
        let cell = self.gate.cell(self.index);
        cell.ahead.store(if hold.is_ours { waiting } else { 0 }, Relaxed);
        cell.left.store(counts.leased, Relaxed);
    }
}
