//! Gathers composed messages into frame drafts, one per lane, cut at the frame's bound. What became of each line is
//! told by place: which draft, which ordinal.

use super::FrameDraft;
use crate::base::{BatchId, Span};
use crate::message::{Class, Composed, record};
use crate::storage::Lane;
use crate::storage::port::{SearchKind, search_key};

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
    /// By carrier and class: the draft being filled, as an index into `open`.
    filling: Vec<Option<usize>>,
    open: Vec<(u32, FrameDraft)>,
    /// How many drafts were begun before those in `open`.
    begun: u32,
    messages: u32,
}

impl Drafts {
    /// For one account's request. `carriers` are the names in the configuration's order.
    #[must_use]
    pub fn new(account: &str, batch: Option<BatchId>, carriers: &[String], messages_max: u32) -> Drafts {
        Drafts {
            account: account.to_owned(),
            batch,
            filling: vec![None; carriers.len() * Class::ALL.len()],
            carriers: carriers.to_vec(),
            messages_max: messages_max.max(1),
            open: Vec::new(),
            begun: 0,
            messages: 0,
        }
    }

    /// Adds a message for a carrier; its place.
    pub fn push(&mut self, message: &Composed<'_>, carrier: u16) -> Slot {
        let key = usize::from(carrier) * Class::ALL.len() + usize::from(message.class.priority());
        let index = match self.filling[key] {
            Some(index) if self.open[index].1.count < self.messages_max => index,
            _ => self.begin(key, carrier, message.class),
        };
        let (draft, frame) = &mut self.open[index];
        let ordinal = frame.count;
        frame.count += 1;
        frame.lifetime_min = frame.lifetime_min.min(message.lifetime);
        record::write(message, &mut frame.body);
        let mut buffer = [0; 15];
        let digits = std::str::from_utf8(message.to.digits(&mut buffer)).expect("digits are ASCII");
        frame.recipients.push(search_key(SearchKind::Recipient, &self.account, digits));
        let reference = message.client_ref;
        frame.references.push(if reference.is_empty() { 0 } else { search_key(SearchKind::Reference, &self.account, reference) });
        self.messages += 1;
        Slot { draft: *draft, ordinal }
    }

    fn begin(&mut self, key: usize, carrier: u16, class: Class) -> usize {
        let lane = Lane { carrier: self.carriers[usize::from(carrier)].clone(), account: self.account.clone(), priority: class.priority() };
        let frame = FrameDraft {
            lane,
            batch: self.batch,
            count: 0,
            body: Vec::with_capacity(4_096),
            lifetime_min: Span(u64::MAX),
            recipients: Vec::new(),
            references: Vec::new(),
        };
        self.open.push((self.begun, frame));
        self.begun += 1;
        self.filling[key] = Some(self.open.len() - 1);
        self.open.len() - 1
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
        self.messages = 0;
        std::mem::take(&mut self.open).into_iter().map(|(_, frame)| frame).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Msisdn;
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
                .map(|(carrier, class, lifetime)| drafts.push(&message(class, lifetime), carrier))
                .map(|slot| (slot.draft, slot.ordinal))
                .to_vec();
        assert_eq!(slots, [(0, 0), (1, 0), (0, 1), (2, 0), (3, 0)]);
        let taken = drafts.take();
        assert_eq!(taken.iter().map(|frame| frame.count).collect::<Vec<_>>(), [2, 1, 1, 1]);
        assert_eq!(taken[0].lifetime_min, Span::secs(3));
        assert_eq!(drafts.push(&message(Class::Otp, 1), 0), Slot { draft: 4, ordinal: 0 });
    }
}
