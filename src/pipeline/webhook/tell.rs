//! Which events of a log row an endpoint is told, and in what words. A row is told whole, in its order.
//!
//! Three steps, because frames are fetched by the caller: `needs` names the frames, `unknown` those whose earlier
//! rows must be read too, `tell` writes. In the ordinary case (a frame accepted since this teller began) no
//! earlier row is needed: every part's answer has passed here.

use crate::base::{MessageId, MessageRef, Time};
use crate::message::event::{Event, Parts, all_parts};
use crate::message::late::Rendering;
use crate::message::record::MessageRecord;
use crate::pipeline::webhook::body::{End, FIRST, LAST, Received, Scribe};
use crate::storage::Frame;
use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::Arc;

/// Frames with half-sent messages that are remembered; with more, their rows are read again.
const HALF_SENT_MAX: usize = 4_096;
/// Texts made when they were sent that are remembered until their messages end, some 60 octets each; with more, their rows are
/// read again.
const RENDERED_MAX: usize = 65_536;
/// Frames of other accounts that are remembered, so that they are not fetched for each event.
const FOREIGN_MAX: usize = 65_536;

/// Which kinds of events an endpoint wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kinds {
    /// `message.sent`.
    pub sent: bool,
    /// `message.final`.
    pub ended: bool,
    /// `message.inbound`.
    pub inbound: bool,
}

impl Kinds {
    /// All of them.
    pub const ALL: Kinds = Kinds { sent: true, ended: true, inbound: true };
}

/// One event, written for one endpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Telling {
    /// The log row it comes from.
    pub row: u64,
    /// Its place among the row's events.
    pub place: u32,
    /// Its message; with `seq` it names the event.
    pub message: u64,
    /// Its place among the events of its message.
    pub seq: u8,
    /// When it happened.
    pub when: Time,
    /// The object, shared with the other events of its row.
    pub json: Bytes,
}

/// The frames a row needs, in ascending order. A frame that is gone is not among them.
pub type Found = [(MessageId, Arc<Frame>)];

/// Tells one account's events.
#[derive(Debug)]
pub struct Teller {
    account: Box<str>,
    kinds: Kinds,
    /// Answers to parts of frames accepted after this position have all passed here.
    floor: u64,
    /// Messages of several parts of which some are with the carrier, by frame.
    half_sent: HashMap<u64, Vec<(u32, Parts)>, RandomState>,
    /// What came out of texts that were made when they were sent, until their messages end.
    rendered: HashMap<MessageRef, Rendering, RandomState>,
    foreign: HashMap<u64, (), RandomState>,
    scribe: Scribe,
    lost: u64,
}

impl Teller {
    /// For an account; the first row told will be one after `from`.
    #[must_use]
    pub fn new(account: &str, kinds: Kinds, from: u64) -> Teller {
        Teller {
            account: account.into(),
            kinds,
            floor: from,
            half_sent: HashMap::default(),
            rendered: HashMap::default(),
            foreign: HashMap::default(),
            scribe: Scribe::default(),
            lost: 0,
        }
    }

    /// Events that could not be told because their frame was gone.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The frame an event must have to be told, if it is worth telling at all.
    fn frame_of(&self, event: &Event) -> Option<MessageId> {
        match event {
            Event::Submitted { at, .. } if self.kinds.sent => Some(at.frame),
            Event::Rendered { at, .. } if self.kinds.ended || self.kinds.sent => Some(at.frame),
            Event::Ended { at, .. } if self.kinds.ended || self.kinds.sent => Some(at.frame),
            _ => None,
        }
    }

    /// The frames a row needs, ascending.
    #[must_use]
    pub fn needs(&self, events: &[Event]) -> Vec<MessageId> {
        let (mut frames, mut last) = (Vec::new(), None);
        for frame in events.iter().filter_map(|event| self.frame_of(event)) {
            // Events of a frame come in flocks.
            if last != Some(frame) && !self.foreign.contains_key(&frame.0) {
                frames.push(frame);
            }
            last = Some(frame);
        }
        frames.sort_unstable();
        frames.dedup();
        frames
    }

    /// The frames whose earlier rows must be `learn`ed before this row is told: accepted before this teller
    /// began, with an answer to a message of several parts, or a text that is made when it is sent.
    #[must_use]
    pub fn unknown(&self, events: &[Event], found: &Found) -> Vec<MessageId> {
        let is_old = |frame: &Frame| frame.head.seq <= self.floor && !self.half_sent.contains_key(&frame.head.first.0);
        if !(self.kinds.sent || self.kinds.ended) || !found.iter().any(|(_, frame)| self.is_mine(frame) && is_old(frame)) {
            return Vec::new();
        }
        let mut unknown = Vec::new();
        for event in events {
            let (Event::Submitted { at, .. } | Event::Ended { at, .. }) = event else { continue };
            let Some(frame) = frame(found, at.frame).filter(|frame| self.is_mine(frame) && is_old(frame)) else { continue };
            let is_part = matches!(event, Event::Submitted { .. }) && self.kinds.sent;
            let matters = |record: MessageRecord| !record.late.is_empty() || (is_part && record.count() > 1);
            if !unknown.contains(&at.frame) && (is_part || may_be_late(frame, at.ordinal)) && read(frame, at.ordinal).is_some_and(matters) {
                unknown.push(at.frame);
            }
        }
        unknown
    }

    /// Takes in the events of the rows about a frame that came before the row to be told, in order.
    pub fn learn<'a>(&mut self, about: &Frame, earlier: impl IntoIterator<Item = &'a Event>) {
        let first = about.head.first;
        self.half_sent.entry(first.0).or_default();
        for event in earlier {
            match event {
                Event::Submitted { at, part, .. } if at.frame == first => {
                    let count = self.sized(*at, read(about, at.ordinal)).map_or(1, |record| record.count());
                    self.is_sent(*at, *part, count);
                }
                Event::Rendered { at, rendering } if at.frame == first => _ = self.rendered.insert(*at, *rendering),
                Event::Ended { at, .. } if at.frame == first => self.forget(*at),
                _ => {}
            }
        }
    }

    /// Writes what a row tells. `found` holds the frames `needs` named, as far as they exist.
    pub fn tell(&mut self, row: u64, events: &[Event], found: &Found) -> Vec<Telling> {
        if self.half_sent.len() > HALF_SENT_MAX {
            self.half_sent.retain(|_, messages| !messages.is_empty());
            if self.half_sent.len() > HALF_SENT_MAX / 2 {
                self.half_sent.clear();
                self.floor = row.saturating_sub(1);
            }
        }
        if self.rendered.len() > RENDERED_MAX {
            // They are learnt again, as after a restart.
            self.rendered.clear();
            self.half_sent.clear();
            self.floor = row.saturating_sub(1);
        }
        if self.foreign.len() > FOREIGN_MAX {
            self.foreign.clear();
        }
        for (first, frame) in found {
            if !self.is_mine(frame) {
                self.foreign.insert(first.0, ());
            }
        }
        let (mut out, mut ends) = (Vec::new(), Vec::new());
        for (place, event) in events.iter().enumerate() {
            if let Some((message, seq)) = self.event(event, found, &mut out) {
                ends.push((place as u32, message, seq, event.when(), out.len()));
            }
        }
        let (all, mut start) = (Bytes::from(out), 0);
        let cut = |(place, message, seq, when, end)| {
            let json = all.slice(start..end);
            start = end;
            Telling { row, place, message, seq, when, json }
        };
        ends.into_iter().map(cut).collect()
    }

    fn event(&mut self, event: &Event, found: &Found, out: &mut Vec<u8>) -> Option<(u64, u8)> {
        match event {
            Event::Submitted { at, part, when, .. } if self.kinds.sent => {
                let (frame, record) = self.message(*at, found)?;
                if !self.is_sent(*at, *part, record.count()) {
                    return None;
                }
                self.scribe.sent(*at, *when, &frame.head, &record, out);
                Some((at.id().0, FIRST))
            }
            Event::Rendered { at, rendering } if self.kinds.ended || self.kinds.sent => {
                if frame(found, at.frame).is_some_and(|frame| self.is_mine(frame)) {
                    self.rendered.insert(*at, *rendering);
                }
                None
            }
            Event::Ended { at, status, reason, command_status, possible_duplicate, when } => {
                let message = if self.kinds.ended { self.message(*at, found) } else { None };
                self.forget(*at);
                let (frame, record) = message?;
                let end =
                    End { status: *status, reason: *reason, command_status: *command_status, possible_duplicate: *possible_duplicate };
                self.scribe.ended(*at, *when, end, &frame.head, &record, out);
                Some((at.id().0, LAST))
            }
            Event::Inbound { id, carrier, account, from, to, text, keyword, when, parts, is_incomplete, port, of: _ }
                // Without a sender it was erased.
                if self.kinds.inbound && **account == *self.account && !from.is_empty() =>
            {
                let (parts, is_incomplete, port, keyword) = (*parts, *is_incomplete, *port, *keyword);
                self.scribe.inbound(
                    *when,
                    &Received { id: *id, carrier, account, from, to, text, parts, is_incomplete, port, keyword },
                    out,
                );
                Some((*id, FIRST))
            }
            _ => None,
        }
    }

    fn is_mine(&self, frame: &Frame) -> bool {
        frame.head.lane.account == *self.account || crate::base::planted::is("webhook-to-every-account")
    }

    /// The frame and the record of a message of this account.
    fn message<'f>(&mut self, at: MessageRef, found: &'f Found) -> Option<(&'f Frame, MessageRecord)> {
        if self.foreign.contains_key(&at.frame.0) {
            return None;
        }
        if frame(found, at.frame).is_some_and(|frame| frame.is_blank(at.ordinal)) {
            return None;
        }
        let message = frame(found, at.frame).and_then(|frame| Some((frame, self.sized(at, read(frame, at.ordinal))?)));
        self.lost += u64::from(message.is_none());
        message
    }

    /// Notes a part as named by the carrier; true when the message is now sent whole.
    fn is_sent(&mut self, at: MessageRef, part: u8, count: u8) -> bool {
        if count <= 1 {
            return true;
        }
        let messages = self.half_sent.entry(at.frame.0).or_default();
        let slot = match messages.iter().position(|(ordinal, _)| *ordinal == at.ordinal) {
            Some(slot) => slot,
            None => {
                messages.push((at.ordinal, 0));
                messages.len() - 1
            }
        };
        messages[slot].1 |= 1u64.checked_shl(u32::from(part)).unwrap_or(0);
        let is_whole = messages[slot].1 == all_parts(count);
        if is_whole {
            messages.swap_remove(slot);
        }
        is_whole
    }

    /// A record with the sizes of what was sent.
    fn sized(&self, at: MessageRef, record: Option<MessageRecord>) -> Option<MessageRecord> {
        let record = record?;
        if record.late.is_empty() {
            return Some(record);
        }
        Some(match self.rendered.get(&at) {
            Some(rendering) => rendering.sizes(record),
            None => record,
        })
    }

    fn forget(&mut self, at: MessageRef) {
        if !self.rendered.is_empty() {
            self.rendered.remove(&at);
        }
        if let Some(messages) = self.half_sent.get_mut(&at.frame.0) {
            messages.retain(|(ordinal, _)| *ordinal != at.ordinal);
        }
    }
}

fn frame(found: &Found, first: MessageId) -> Option<&Frame> {
    found.binary_search_by_key(&first, |(id, _)| *id).ok().map(|at| &*found[at].1)
}

/// Whether a record may have a text that is made when it is sent: the field's key is in it.
fn may_be_late(frame: &Frame, ordinal: u32) -> bool {
    frame.record(ordinal).is_some_and(|record| memchr::memmem::find(&record, &[0xA2, 0x01]).is_some())
}

fn read(frame: &Frame, ordinal: u32) -> Option<MessageRecord> {
    frame.record(ordinal).and_then(|bytes| MessageRecord::read(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::event::NamedIn;
    use crate::message::outcome::{Reason, Status};
    use crate::pipeline::webhook::body::tests::{head, record};

    const NOW: Time = Time(1_764_576_000_000);

    /// Three messages: one part, two parts, three parts; accepted in row 10.
    fn sample(account: &str) -> Arc<Frame> {
        let body = [record("a", "SHOP", 1), record("b", "SHOP", 2), record("c", "SHOP", 3)].concat();
        let mut head = head(64, 3, account, None);
        head.seq = 10;
        Arc::new(Frame::new(head, body.into()).expect("three records"))
    }
    fn at(ordinal: u32) -> MessageRef {
        MessageRef { frame: MessageId(64), ordinal }
    }
    fn submitted(ordinal: u32, part: u8) -> Event {
        Event::Submitted { at: at(ordinal), part, carrier_id: "x".into(), named_in: NamedIn::Answer, when: NOW }
    }
    fn ended(ordinal: u32) -> Event {
        Event::Ended {
            at: at(ordinal),
            status: Status::Delivered,
            reason: Reason::Receipt,
            command_status: 0,
            possible_duplicate: false,
            when: NOW,
        }
    }
    fn found(account: &str) -> Vec<(MessageId, Arc<Frame>)> {
        vec![(MessageId(64), sample(account))]
    }
    fn told(tellings: &[Telling]) -> Vec<(u64, u8)> {
        tellings.iter().map(|t| (t.message - 64, t.seq)).collect()
    }

    #[test]
    fn a_message_is_sent_when_its_last_part_is_named_in_whatever_order() {
        let mut teller = Teller::new("shop", Kinds::ALL, 9);
        let events = [submitted(0, 0), submitted(2, 2), submitted(2, 0), submitted(1, 1)];
        assert_eq!(teller.needs(&events), [MessageId(64)]);
        assert!(teller.unknown(&events, &found("shop")).is_empty(), "accepted after the teller began");
        assert_eq!(told(&teller.tell(11, &events, &found("shop"))), [(0, 1)]);
        let events = [submitted(1, 0), submitted(2, 1), ended(2), ended(0)];
        let tellings = teller.tell(12, &events, &found("shop"));
        assert_eq!(told(&tellings), [(1, 1), (2, 1), (2, 2), (0, 2)]);
        assert_eq!((tellings[3].row, tellings[3].place), (12, 3));
        let json: serde_json::Value = serde_json::from_slice(&tellings[3].json).expect("one object each");
        assert_eq!((&json["id"], &json["message"]["client_ref"]), (&"evt_0000000000020_2".into(), &"a".into()));
    }

    #[test]
    fn parts_answered_before_a_restart_are_learnt_from_earlier_rows() {
        let mut teller = Teller::new("shop", Kinds::ALL, 11);
        let events = [submitted(1, 0), submitted(2, 1)];
        assert_eq!(teller.unknown(&events, &found("shop")), [MessageId(64)]);
        teller.learn(&sample("shop"), &[submitted(1, 1), submitted(2, 0)]);
        assert!(teller.unknown(&events, &found("shop")).is_empty());
        assert_eq!(told(&teller.tell(12, &events, &found("shop"))), [(1, 1)]);
        assert_eq!(told(&teller.tell(13, &[submitted(2, 2)], &found("shop"))), [(2, 1)]);
        // One part each: no earlier row can matter.
        assert!(Teller::new("shop", Kinds::ALL, 11).unknown(&[submitted(0, 0)], &found("shop")).is_empty());
    }

    /// A message whose text is made when it is sent: one part at acceptance.
    fn late() -> Vec<(MessageId, Arc<Frame>)> {
        use crate::message::{Class, Composed, DoubtPolicy, Encoding, Extras, Reference};
        let composed = Composed {
            to: crate::base::Msisdn::parse("+33612345678").expect("a number"),
            from: "SHOP",
            client_ref: "l",
            encoding: Encoding::Gsm7,
            octets: b"short",
            ends: &[5],
            reference: Reference::Narrow,
            class: Class::Service,
            doubt: DoubtPolicy::ResendOnce,
            lifetime: crate::base::Span::secs(60),
            line: 0,
            extras: Extras { late: b"\x0a\x01x", ..Extras::default() },
        };
        let mut body = Vec::new();
        crate::message::record::write(&composed, &mut body);
        let mut head = head(64, 1, "shop", None);
        head.seq = 10;
        vec![(MessageId(64), Arc::new(Frame::new(head, body.into()).expect("a record")))]
    }

    #[test]
    fn a_text_made_when_sent_is_told_with_the_parts_it_was_sent_in_also_by_who_came_later() {
        use crate::message::{Encoding, Moment};
        let moment = Moment { at: NOW, offset: 0 };
        let made =
            Event::Rendered { at: at(0), rendering: Rendering { moment, encoding: Encoding::Ucs2, count: 2, segments: 2, check: 1 } };
        let sizes = |told: &Telling| {
            let json: serde_json::Value = serde_json::from_slice(&told.json).expect("JSON");
            (json["message"]["segments"].as_u64(), json["message"]["encoding"].as_str().map(str::to_owned))
        };
        let sent = (Some(2), Some("UCS-2".to_owned()));
        let mut teller = Teller::new("shop", Kinds::ALL, 9);
        let lease = [made.clone()];
        assert_eq!(teller.needs(&lease), [MessageId(64)]);
        assert!(teller.tell(11, &lease, &late()).is_empty());
        assert!(teller.tell(12, &[submitted(0, 0)], &late()).is_empty(), "it has another part");
        let tellings = teller.tell(13, &[submitted(0, 1), ended(0)], &late());
        assert_eq!(
            (told(&tellings), tellings.iter().map(sizes).collect::<Vec<_>>()),
            (vec![(0, 1), (0, 2)], vec![sent.clone(), sent.clone()])
        );
        assert!(teller.rendered.is_empty());
        // Who begins between its parts, or wants ends alone, reads the earlier rows.
        for (kinds, events, earlier) in [
            (Kinds::ALL, vec![submitted(0, 1), ended(0)], vec![made.clone(), submitted(0, 0)]),
            (Kinds { sent: false, inbound: false, ended: true }, vec![ended(0)], vec![made.clone(), submitted(0, 0), submitted(0, 1)]),
        ] {
            let mut teller = Teller::new("shop", kinds, 12);
            assert_eq!(teller.unknown(&events, &late()), [MessageId(64)]);
            teller.learn(&late()[0].1, &earlier);
            assert!(teller.unknown(&events, &late()).is_empty());
            assert!(teller.tell(13, &events, &late()).iter().all(|one| sizes(one) == sent));
        }
        // Canceled before it was made: what it would have been.
        let mut teller = Teller::new("shop", Kinds::ALL, 9);
        assert_eq!(sizes(&teller.tell(11, &[ended(0)], &late())[0]), (Some(1), Some("GSM-7".to_owned())));
    }

    #[test]
    fn another_accounts_events_are_never_told_and_their_frame_is_asked_for_once() {
        let mut teller = Teller::new("bank", Kinds::ALL, 9);
        let inbound = |account: &str| Event::Inbound {
            id: 70,
            carrier: "one".into(),
            account: account.into(),
            from: "1".into(),
            to: "2".into(),
            text: "hi".into(),
            keyword: crate::message::event::Keyword::None,
            when: NOW,
            parts: 1,
            is_incomplete: false,
            port: 0,
            of: [].into(),
        };
        let events = [submitted(0, 0), ended(0), inbound("shop"), inbound("bank")];
        assert_eq!(told(&teller.tell(11, &events, &found("shop"))), [(6, 1)]);
        assert!(teller.needs(&events).is_empty());
        assert_eq!(teller.lost(), 0);
    }

    #[test]
    fn only_the_kinds_asked_for_are_told() {
        let events = [submitted(0, 0), ended(0)];
        let none = Kinds { sent: false, ended: false, inbound: false };
        let only = |kinds| Teller::new("shop", kinds, 9).tell(11, &events, &found("shop"));
        assert_eq!(told(&only(Kinds { sent: true, ..none })), [(0, 1)]);
        assert_eq!(told(&only(Kinds { ended: true, ..none })), [(0, 2)]);
        assert_eq!(told(&only(Kinds { inbound: true, ..none })), []);
    }

    #[test]
    fn an_event_whose_frame_is_gone_is_counted() {
        let mut teller = Teller::new("shop", Kinds::ALL, 9);
        assert!(teller.tell(11, &[ended(0), ended(9)], &[]).is_empty());
        assert!(teller.tell(12, &[ended(9)], &found("shop")).is_empty());
        assert_eq!(teller.lost(), 3);
    }

    #[test]
    fn half_sent_messages_beyond_the_bound_are_read_again() {
        let mut teller = Teller::new("shop", Kinds::ALL, 9);
        teller.tell(11, &[submitted(1, 0)], &found("shop"));
        for frame in 0..=HALF_SENT_MAX as u64 {
            teller.half_sent.insert(1_000 + frame, vec![(0, 1)]);
        }
        teller.tell(12, &[], &[]);
        let events = [submitted(1, 1)];
        assert_eq!(teller.unknown(&events, &found("shop")), [MessageId(64)]);
        teller.learn(&sample("shop"), &[submitted(1, 0)]);
        assert_eq!(told(&teller.tell(13, &events, &found("shop"))), [(1, 1)]);
    }
}
