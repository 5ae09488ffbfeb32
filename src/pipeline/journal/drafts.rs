//! Gathers composed messages into frame drafts: one for each lane and each minute before which its messages may not go,
//! cut at the frame's bound. What became of each line is told by place: which draft, which ordinal.

use super::FrameDraft;
use super::start::{Grain, Kind};
use crate::base::{BatchId, Span};
use crate::message::{Class, Composed, record};
use crate::storage::Lane;
use crate::storage::port::{SearchKind, search_key};

pub use super::start::Start;

/// Most kinds of later messages (by instant, reason and group) that are kept apart at once. A bulk with an instant of its
/// own in every line would else make a frame of every line; beyond this, kinds are merged by the hour, the day, at all.
const KINDS_MAX: usize = 64;

/// Where a message lies before it has an id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Which draft, counted over the whole bulk.
    pub draft: u32,
    /// Which message in it.
    pub ordinal: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Drafts {
    account: String,
    batch: Option<BatchId>,
    carriers: Vec<String>,
    messages_max: u32,
    /// By carrier and class: the draft being filled with messages that may go at once, as an index into `open`.
    filling: Vec<Option<usize>>,
    /// The drafts being filled with others.
    later: Vec<(Kind, Start, usize)>,
    grain: Grain,
    open: Vec<(u32, FrameDraft)>,
    /// How many drafts were begun before those in `open`.
    begun: u32,
    messages: u32,
    /// The campaign of the message before, and its key: a bulk mostly has one.
    campaign: (String, u64),
}

impl Drafts {
    /// For one account's request. `carriers` are the names in the configuration's order.
    #[must_use]
    pub fn new(account: &str, batch: Option<BatchId>, carriers: &[String], messages_max: u32) -> Drafts {
        Drafts {
            account: account.to_owned(),
            batch,
            filling: vec![None; carriers.len() * Class::ALL.len()],
            later: Vec::new(),
            grain: Grain::Minute,
            carriers: carriers.to_vec(),
            messages_max: messages_max.max(1),
            open: Vec::new(),
            begun: 0,
            messages: 0,
            campaign: (String::new(), 0),
        }
    }

    /// Adds a message for a carrier; its place.
    pub fn push(&mut self, message: &Composed<'_>, carrier: u16, start: Start) -> Slot {
        let lane = usize::from(carrier) * Class::ALL.len() + usize::from(message.class.priority());
        let filling = if start == Start::NOW { self.filling[lane] } else { self.later_draft(&start, lane) };
        let index = match filling {
            Some(index) if self.open[index].1.count < self.messages_max => index,
            _ => self.begin(lane, carrier, message.class, start),
        };
        let (draft, frame) = &mut self.open[index];
        let ordinal = frame.count;
        frame.count += 1;
        frame.start_no_later_than(start);
        frame.lifetime_min = frame.lifetime_min.min(message.lifetime);
        record::write(message, &mut frame.body);
        let mut buffer = [0; 15];
        let digits = std::str::from_utf8(message.to.digits(&mut buffer)).expect("digits are ASCII");
        frame.recipients.push(search_key(SearchKind::Recipient, &self.account, digits));
        let reference = message.client_ref;
        frame.references.push(if reference.is_empty() { 0 } else { search_key(SearchKind::Reference, &self.account, reference) });
        let cancel_key = message.extras.cancel_key;
        if !cancel_key.is_empty() || !frame.cancel_keys.is_empty() {
            frame.cancel_keys.resize(ordinal as usize, 0);
            frame.cancel_keys.push(if cancel_key.is_empty() { 0 } else { search_key(SearchKind::CancelKey, &self.account, cancel_key) });
        }
        let campaign = message.extras.campaign;
        if !campaign.is_empty() || !frame.campaigns.is_empty() {
            if self.campaign.0 != campaign {
                self.campaign =
                    (campaign.to_owned(), if campaign.is_empty() { 0 } else { search_key(SearchKind::Campaign, &self.account, campaign) });
            }
            frame.campaigns.resize(ordinal as usize, 0);
            frame.campaigns.push(self.campaign.1);
        }
        self.messages += 1;
        Slot { draft: *draft, ordinal }
    }

    fn later_draft(&self, start: &Start, lane: usize) -> Option<usize> {
        let kind = self.grain.kind(start, lane);
        self.later.iter().rev().find(|(one, _, _)| *one == kind).map(|(_, _, index)| *index)
    }

    fn begin(&mut self, lane: usize, carrier: u16, class: Class, start: Start) -> usize {
        let carrier = self.carriers[usize::from(carrier)].clone();
        let frame = FrameDraft {
            lane: Lane { carrier, account: self.account.clone(), priority: class.priority() },
            batch: self.batch,
            start,
            count: 0,
            body: Vec::with_capacity(if start == Start::NOW { 4_096 } else { 512 }),
            lifetime_min: Span(u64::MAX),
            recipients: Vec::new(),
            references: Vec::new(),
            cancel_keys: Vec::new(),
            campaigns: Vec::new(),
        };
        self.open.push((self.begun, frame));
        self.begun += 1;
        let index = self.open.len() - 1;
        if start == Start::NOW {
            self.filling[lane] = Some(index);
            return index;
        }
        let kind = self.grain.kind(&start, lane);
        self.later.retain(|(one, _, _)| *one != kind);
        self.later.push((kind, start, index));
        while self.later.len() > KINDS_MAX && self.grain != Grain::Any {
            self.coarsen();
        }
        index
    }

    /// Kinds that are the same by a coarser measure are filled on in one draft: the one of them that was begun first.
    fn coarsen(&mut self) {
        self.grain = self.grain.coarser();
        let mut merged: Vec<(Kind, Start, usize)> = Vec::with_capacity(self.later.len());
        for (kind, start, index) in self.later.drain(..) {
            let kind = self.grain.kind(&start, kind.lane);
            if merged.iter().all(|(one, _, _)| *one != kind) {
                merged.push((kind, start, index));
            }
        }
        self.later = merged;
    }

    /// How many messages wait to be taken.
    #[must_use]
    pub const fn messages(&self) -> u32 {
        self.messages
    }

    /// Octets that wait to be taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.open.iter().map(|(_, frame)| frame.body.len()).sum()
    }

    /// The drafts so far, in the order of their numbers; the next `push` begins new ones.
    pub fn take(&mut self) -> Vec<FrameDraft> {
        self.filling.fill(None);
        self.later.clear();
        self.grain = Grain::Minute;
        self.messages = 0;
        std::mem::take(&mut self.open).into_iter().map(|(_, frame)| frame).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Msisdn, Time};
    use crate::message::outcome::Reason;
    use crate::message::{DoubtPolicy, Encoding, Reference};

    fn message(class: Class, lifetime: u64) -> Composed<'static> {
        Composed {
            to: Msisdn::parse("+33612345678").expect("a number"),
            from: "S",
            client_ref: "r",
            encoding: Encoding::Gsm7,
            octets: b"x",
            ends: &[1],
            reference: Reference::Narrow,
            class,
            doubt: DoubtPolicy::ResendOnce,
            lifetime: Span::secs(lifetime),
            line: 0,
            extras: crate::message::Extras::default(),
        }
    }

    #[test]
    fn each_lane_has_its_frames_and_a_full_one_is_followed_by_another() {
        let mut drafts = Drafts::new("a", Some(BatchId(1)), &["x".into(), "y".into()], 2);
        let slots: Vec<(u32, u32)> =
            [(0, Class::Otp, 9), (1, Class::Otp, 5), (0, Class::Otp, 3), (0, Class::Otp, 7), (0, Class::Marketing, 1)]
                .map(|(carrier, class, lifetime)| drafts.push(&message(class, lifetime), carrier, Start::NOW))
                .map(|slot| (slot.draft, slot.ordinal))
                .to_vec();
        assert_eq!(slots, [(0, 0), (1, 0), (0, 1), (2, 0), (3, 0)]);
        let taken = drafts.take();
        assert_eq!(taken.iter().map(|frame| frame.count).collect::<Vec<_>>(), [2, 1, 1, 1]);
        assert_eq!(taken[0].lifetime_min, Span::secs(3));
        assert_eq!(drafts.push(&message(Class::Otp, 1), 0, Start::NOW), Slot { draft: 4, ordinal: 0 });
    }

    fn later(minutes: i64, group: u16) -> Start {
        Start { due: Time(1_764_576_000_000 + minutes * 60_000), why: Reason::Scheduled, group }
    }

    #[test]
    fn later_messages_share_a_frame_by_minute_reason_and_group() {
        let mut drafts = Drafts::new("a", None, &["x".into()], 100);
        let closed = Start { why: Reason::WindowClosed, ..later(0, 0) };
        let seconds_later = Start { due: Time(later(0, 0).due.0 + 59_000), ..later(0, 0) };
        let starts = [Start::NOW, seconds_later, later(0, 0), later(1, 0), later(0, 7), closed, later(0, 0), Start::NOW];
        let slots: Vec<(u32, u32)> =
            starts.map(|start| drafts.push(&message(Class::Otp, 9), 0, start)).map(|slot| (slot.draft, slot.ordinal)).to_vec();
        assert_eq!(slots, [(0, 0), (1, 0), (1, 1), (2, 0), (3, 0), (4, 0), (1, 2), (0, 1)]);
        let taken = drafts.take();
        assert_eq!(taken[1].start, later(0, 0), "the least of them");
        assert_eq!((taken[0].start, taken[4].start.why), (Start::NOW, Reason::WindowClosed));
    }

    #[test]
    fn many_kinds_are_merged_by_the_hour_the_day_and_at_all_and_none_is_due_before_its_frame() {
        for (step, count, drafts_max) in [(1, 600, 64 + 11), (60, 600, 64 + 60), (1_440, 600, 64 + 66), (1_440, 5_000, 64 + 66)] {
            let mut drafts = Drafts::new("a", None, &["x".into()], 10_000);
            let starts: Vec<Start> = (0..count).map(|n| later(n * step, 0)).collect();
            let slots: Vec<Slot> = starts.iter().rev().map(|start| drafts.push(&message(Class::Otp, 9), 0, *start)).collect();
            let taken = drafts.take();
            assert!(taken.len() <= drafts_max, "{} for a step of {step} minutes", taken.len());
            for (slot, start) in slots.iter().zip(starts.iter().rev()) {
                assert!(taken[slot.draft as usize].start.due <= start.due);
            }
            for (place, frame) in taken.iter().enumerate() {
                let least =
                    slots.iter().zip(starts.iter().rev()).filter(|(slot, _)| slot.draft as usize == place).map(|(_, start)| start.due);
                assert_eq!(Some(frame.start.due), least.min());
            }
        }
    }

    #[test]
    fn what_may_go_at_once_never_shares_a_frame_with_what_may_not() {
        let mut drafts = Drafts::new("a", None, &["x".into()], 10_000);
        (0..500).for_each(|n| _ = drafts.push(&message(Class::Otp, 9), 0, later(n * 1_440, n as u16)));
        let grouped = Start { group: 3, ..Start::NOW };
        let at = drafts.push(&message(Class::Otp, 9), 0, grouped).draft as usize;
        assert_eq!((drafts.open[at].1.count, drafts.open[at].1.start), (1, grouped));
    }

    #[test]
    fn a_message_is_filed_under_its_cancel_key_and_campaign_and_the_others_of_its_frame_are_not() {
        let mut drafts = Drafts::new("a", None, &["x".into()], 100);
        let mut chained = message(Class::Otp, 9);
        chained.extras.cancel_key = "cart:1";
        for one in [message(Class::Otp, 9), chained, message(Class::Otp, 9)] {
            drafts.push(&one, 0, Start::NOW);
        }
        let named = |campaign| {
            let mut message = message(Class::Otp, 9);
            message.extras.campaign = campaign;
            message
        };
        let key = search_key(SearchKind::CancelKey, "a", "cart:1");
        let taken = drafts.take();
        assert_eq!((&taken[0].cancel_keys, &taken[0].campaigns), (&vec![0, key, 0], &vec![]));
        for campaign in ["", "xmas", "xmas", "", "lent", "xmas"] {
            drafts.push(&named(campaign), 0, Start::NOW);
        }
        let [xmas, lent] = ["xmas", "lent"].map(|campaign| search_key(SearchKind::Campaign, "a", campaign));
        let taken = drafts.take();
        assert_eq!((&taken[0].cancel_keys, &taken[0].campaigns), (&vec![], &vec![0, xmas, xmas, 0, lent, xmas]));
    }
}
