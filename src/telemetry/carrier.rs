//! What is counted per carrier: the journey from the lane to the receipt, and the state of its links.
//!
//! The carrier side keeps running totals of its own, without atomics; its shard publishes the differences into
//! these counters once a turn (`inc_by`) and sets the gauges.

use super::consent::KeywordMetrics;
use super::declare::{Counters, Declare, Gauges, Histograms, Labels};
use super::{Counter, Gauge, Histogram};
use std::array;

/// The families.
pub(super) struct Carriers {
    commit_to_submit: Histograms,
    submit_to_response: Histograms,
    response_to_receipt: Histograms,
    loaded: Counters,
    leased: Counters,
    submits: Counters,
    answers: Counters,
    receipts: Counters,
    outcomes: Counters,
    doubted: Counters,
    undoubted: Counters,
    resent: Counters,
    throttled: Counters,
    missed: Counters,
    reconnects: Counters,
    malformed: Counters,
    inbound: Counters,
    keywords: Counters,
    unread: Counters,
    queue: Gauges,
    ahead: Gauges,
    open: Gauges,
    in_doubt: Gauges,
    orphans: Gauges,
    retries: Gauges,
    awaited: Gauges,
    frames: Gauges,
    frame_bytes: Gauges,
    held_back: Counters,
    held: Gauges,
    window_used: Gauges,
    window_size: Gauges,
    links_bound: Gauges,
    link_up: Gauges,
}

impl Carriers {
    pub(super) fn declare(to: &mut Declare) -> Carriers {
        let by = &["carrier"];
        Carriers {
            commit_to_submit: to.latencies("relais_commit_to_submit_seconds", by, "From a message's commit to its submit on the wire"),
            submit_to_response: to.latencies("relais_submit_to_response_seconds", by, "From a submit to the carrier's answer"),
            response_to_receipt: to.latencies("relais_response_to_receipt_seconds", by, "From the carrier's answer to its final receipt"),
            loaded: to.counters("relais_loaded_total", by, "Messages that came into the carrier's lanes"),
            leased: to.counters("relais_leased_total", by, "Messages leased to a link, repeats included"),
            submits: to.counters("relais_submits_total", by, "Submits written, one a part"),
            answers: to.counters("relais_answers_total", &["carrier", "class"], "The carrier's answers to submits, by what they mean"),
            receipts: to.counters("relais_receipts_total", &["carrier", "kind"], "Receipts, by what became of them"),
            outcomes: to.counters("relais_outcomes_total", &["carrier", "status"], "Messages ended, by their final status"),
            doubted: to.counters("relais_doubted_total", by, "Parts that fell in doubt: written, and never answered"),
            undoubted: to.counters("relais_undoubted_total", by, "Parts whose doubt a late answer or a receipt settled"),
            resent: to.counters("relais_resent_total", by, "Messages sent again after a doubt: possible duplicates"),
            throttled: to.counters("relais_throttled_total", by, "Pauses because the carrier said throttled or queue full"),
            missed: to.counters("relais_enquire_link_missed_total", by, "enquire_link that stayed without answer"),
            reconnects: to.counters("relais_reconnects_total", by, "Attempts to bind again"),
            malformed: to.counters(
                "relais_malformed_total",
                &["carrier", "fault"],
                "What the carrier sent and could not be read or had no place there",
            ),
            inbound: to.counters("relais_inbound_total", by, "Messages from handsets"),
            keywords: to.counters("relais_inbound_keywords_total", &["carrier", "keyword"], "Messages from handsets, by what they ask for"),
            unread: to.counters("relais_inbound_unread_total", by, "Messages that ask for something from a sender that is no number"),
            queue: to.gauges("relais_queue_messages", by, "Messages neither leased nor final"),
            ahead: to.gauges("relais_ahead_messages", by, "Messages that wait for this gateway, not for the carrier or for their time"),
            open: to.gauges("relais_open_messages", by, "Messages between their first lease and their final status"),
            in_doubt: to.gauges("relais_in_doubt", by, "Messages held in doubt"),
            orphans: to.gauges("relais_orphans", by, "Receipts kept that match no message yet"),
            retries: to.gauges("relais_retries", by, "Messages waiting to be sent again"),
            awaited: to.gauges("relais_awaited_parts", by, "Parts waiting for their receipt"),
            frames: to.gauges("relais_frames", by, "Frames with messages that are not final"),
            frame_bytes: to.gauges("relais_frame_bytes", by, "Octets of frames held in memory"),
            held_back: to.counters("relais_held_total", by, "Times a message was held back, for an hour, a cap or a schedule"),
            held: to.gauges("relais_held_messages", by, "Messages that wait for an instant"),
            window_used: to.gauges("relais_window_used", by, "Window slots taken over all links"),
            window_size: to.gauges("relais_window_size", by, "Window slots of the links that are up"),
            links_bound: to.gauges("relais_links_bound", by, "Links that are up"),
            link_up: to.gauges("relais_link_up", &["carrier", "link"], "1 while the link is bound, else 0"),
        }
    }

    pub(super) fn carrier(&self, name: &str) -> CarrierMetrics {
        let labels = vec![("carrier", name.to_owned())];
        let counter = |family: &Counters| family.get_or_create_owned(&labels);
        let gauge = |family: &Gauges| family.get_or_create_owned(&labels);
        let with = |family: &Counters, key, value: &str| family.get_or_create_owned(&with(&labels, key, value));
        let class = |word| with(&self.answers, "class", word);
        let kind = |word| with(&self.receipts, "kind", word);
        CarrierMetrics {
            commit_to_submit: self.commit_to_submit.get_or_create_owned(&labels),
            submit_to_response: self.submit_to_response.get_or_create_owned(&labels),
            response_to_receipt: self.response_to_receipt.get_or_create_owned(&labels),
            loaded: counter(&self.loaded),
            leased: counter(&self.leased),
            submits: counter(&self.submits),
            taken: class("accepted"),
            answered_throttled: class("throttled"),
            later: class("later"),
            refused: class("refused"),
            unexpected: class("unexpected"),
            receipts: kind("final"),
            intermediate: kind("intermediate"),
            repeated: kind("repeated"),
            orphaned: kind("orphaned"),
            ambiguous: kind("ambiguous"),
            adopted: kind("adopted"),
            orphans_dropped: kind("dropped"),
            doubted: counter(&self.doubted),
            undoubted: counter(&self.undoubted),
            resent: counter(&self.resent),
            throttled: counter(&self.throttled),
            enquire_link_missed: counter(&self.missed),
            reconnects: counter(&self.reconnects),
            inbound: counter(&self.inbound),
            asked: KeywordMetrics {
                keywords: ["none", "stop", "start", "help", "review"].map(|word| with(&self.keywords, "keyword", word)),
                unread: counter(&self.unread),
            },
            queue: gauge(&self.queue),
            ahead: gauge(&self.ahead),
            open: gauge(&self.open),
            in_doubt: gauge(&self.in_doubt),
            orphans: gauge(&self.orphans),
            retries: gauge(&self.retries),
            awaited: gauge(&self.awaited),
            frames: gauge(&self.frames),
            frame_bytes: gauge(&self.frame_bytes),
            held_back: counter(&self.held_back),
            held: gauge(&self.held),
            window_used: gauge(&self.window_used),
            window_size: gauge(&self.window_size),
            links_bound: gauge(&self.links_bound),
            outcomes: self.outcomes.clone(),
            malformed: self.malformed.clone(),
            link_up: self.link_up.clone(),
            labels,
        }
    }
}

fn with(labels: &Labels, key: &'static str, value: &str) -> Labels {
    let mut labels = labels.clone();
    labels.push((key, value.to_owned()));
    labels
}

/// One carrier's handles.
pub struct CarrierMetrics {
    /// From a message's commit to its submit on the wire.
    pub commit_to_submit: Histogram,
    /// From a submit to its answer.
    pub submit_to_response: Histogram,
    /// From the answer to the final receipt.
    pub response_to_receipt: Histogram,
    /// Messages that came into the lanes.
    pub loaded: Counter,
    /// Messages leased, repeats included.
    pub leased: Counter,
    /// Submits written.
    pub submits: Counter,
    /// Answers: accepted.
    pub taken: Counter,
    /// Answers: throttled or queue full.
    pub answered_throttled: Counter,
    /// Answers: try later.
    pub later: Counter,
    /// Answers: refused for good.
    pub refused: Counter,
    /// Answers to nothing outstanding.
    pub unexpected: Counter,
    /// Receipts that settled a part.
    pub receipts: Counter,
    /// Receipts that were not final.
    pub intermediate: Counter,
    /// Receipts for a part that had its own.
    pub repeated: Counter,
    /// Receipts that matched nothing when they came.
    pub orphaned: Counter,
    /// Receipts, among them, that may be about one of several messages.
    pub ambiguous: Counter,
    /// Orphans that found their message.
    pub adopted: Counter,
    /// Orphans given up.
    pub orphans_dropped: Counter,
    /// Parts that fell in doubt.
    pub doubted: Counter,
    /// Doubts settled by a late answer or a receipt.
    pub undoubted: Counter,
    /// Messages sent again after a doubt.
    pub resent: Counter,
    /// Pauses the carrier asked for.
    pub throttled: Counter,
    /// enquire_link without answer.
    pub enquire_link_missed: Counter,
    /// Attempts to bind again.
    pub reconnects: Counter,
    /// Messages from handsets.
    pub inbound: Counter,
    /// What they ask for.
    pub asked: KeywordMetrics,
    /// Messages neither leased nor final.
    pub queue: Gauge,
    /// Of these, what waits for this gateway.
    pub ahead: Gauge,
    /// Messages between first lease and final status.
    pub open: Gauge,
    /// Messages held in doubt.
    pub in_doubt: Gauge,
    /// Receipts without message.
    pub orphans: Gauge,
    /// Messages to be sent again.
    pub retries: Gauge,
    /// Parts waiting for a receipt.
    pub awaited: Gauge,
    /// Unfinished frames.
    pub frames: Gauge,
    /// Octets of frames in memory.
    pub frame_bytes: Gauge,
    /// Times a message was held back.
    pub held_back: Counter,
    /// Messages that wait for an instant.
    pub held: Gauge,
    /// Window slots taken.
    pub window_used: Gauge,
    /// Window slots of the links that are up.
    pub window_size: Gauge,
    /// Links that are up.
    pub links_bound: Gauge,
    malformed: Counters,
    outcomes: Counters,
    link_up: Gauges,
    labels: Labels,
}

impl CarrierMetrics {
    /// A counter for each of these final statuses, in their order.
    #[must_use]
    pub fn outcomes<const N: usize>(&self, statuses: [&'static str; N]) -> [Counter; N] {
        array::from_fn(|at| self.outcomes.get_or_create_owned(&with(&self.labels, "status", statuses[at])))
    }

    /// A counter for each of these faults, in their order.
    #[must_use]
    pub fn malformed<const N: usize>(&self, faults: [&'static str; N]) -> [Counter; N] {
        array::from_fn(|at| self.malformed.get_or_create_owned(&with(&self.labels, "fault", faults[at])))
    }

    /// The handles of a link, by its number within the carrier.
    #[must_use]
    pub fn link(&self, number: usize) -> LinkMetrics {
        LinkMetrics { up: self.link_up.get_or_create_owned(&with(&self.labels, "link", &number.to_string())) }
    }
}

/// One link's handles.
pub struct LinkMetrics {
    /// 1 while it is bound.
    pub up: Gauge,
}
