//! The lanes of one carrier: first in, first out inside a lane; fair between accounts; urgent classes first.

use crate::base::{MessageId, MessageRef};
use crate::message::Class;
use crate::pipeline::schedule::frames::Frames;

use std::collections::{HashMap, VecDeque};

/// Segments a lane of weight 1 may send before the next lane's turn: long enough to batch, short enough that a
/// hundred lanes still turn over many times a second at 1,000 segments/s.
const QUANTUM: i64 = 8;

/// Every so many picks the least urgent waiting class goes first: 1/16 of the capacity is its floor.
const FLOOR_EVERY: u32 = 16;

#[derive(Debug)]
struct Lane {
    weight: i64,
    deficit: i64,
    frames: VecDeque<MessageId>,
}

#[derive(Debug, Default)]
struct ClassLanes {
    lanes: Vec<Lane>,
    by_account: HashMap<Box<str>, usize>,
    /// Lanes that hold frames, in the order of their turns.
    ring: VecDeque<usize>,
}

/// What `pick` found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Picked {
    /// The message.
    pub at: MessageRef,
    class: usize,
    lane: usize,
}

/// The lanes.
#[derive(Debug, Default)]
pub struct Lanes {
    classes: [ClassLanes; Class::ALL.len()],
    picks: u32,
}

impl Lanes {
    /// Appends a frame to its lane. `weight` (1 to 100) is the account's share.
    pub fn push(&mut self, account: &str, class: Class, weight: u32, frame: MessageId) {
        let lanes = &mut self.classes[usize::from(class.priority())];
        let index = match lanes.by_account.get(account) {
            Some(index) => *index,
            None => {
                lanes.by_account.insert(account.into(), lanes.lanes.len());
                lanes.lanes.push(Lane { weight: 1, deficit: 0, frames: VecDeque::new() });
                lanes.lanes.len() - 1
            }
        };
        let lane = &mut lanes.lanes[index];
        lane.weight = i64::from(weight.max(1));
        if lane.frames.is_empty() {
            lane.deficit = 0;
            lanes.ring.push_back(index);
        }
        lane.frames.push_back(frame);
    }

    /// The next message whose body is in memory; bodies that are missing are asked for in `frames`.
    pub fn pick(&mut self, frames: &mut Frames) -> Option<Picked> {
        self.picks = self.picks.wrapping_add(1);
        let from_below = self.picks.is_multiple_of(FLOOR_EVERY);
        (0..Class::ALL.len()).find_map(|step| {
            let class = if from_below { Class::ALL.len() - 1 - step } else { step };
            self.classes[class].pick(frames).map(|(at, lane)| Picked { at, class, lane })
        })
    }

    /// Charges a picked message to its lane.
    pub fn charge(&mut self, picked: Picked, segments: u32) {
        self.classes[picked.class].lanes[picked.lane].deficit -= i64::from(segments);
    }

    /// Whether any frame waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.classes.iter().all(|class| class.ring.is_empty())
    }
}

impl ClassLanes {
    fn pick(&mut self, frames: &mut Frames) -> Option<(MessageRef, usize)> {
        // Each lane is visited at most twice: once to be given its quantum, once to be served.
        let mut visits = self.ring.len() * 2;
        while visits > 0 {
            let index = *self.ring.front()?;
            let lane = &mut self.lanes[index];
            let Some(first) = lane.frames.front().copied() else {
                self.ring.pop_front();
                continue;
            };
            // A frame that is over (all its messages ended while they waited) is no longer in `frames`; one that was
            // parked meanwhile comes back by itself.
            if !frames.get_mut(first).is_some_and(|frame| frame.parked().is_none() && frame.advance()) {
                frames.all_taken(first);
                lane.frames.pop_front();
                continue;
            }
            visits -= 1;
            if lane.deficit <= 0 && !crate::base::planted::is("first-come-first-served") {
                lane.deficit += QUANTUM * lane.weight;
                self.ring.rotate_left(1);
                continue;
            }
            let frame = frames.get_mut(first).expect("it was just advanced");
            if frame.body.is_none() {
                frames.want(first);
                self.ring.rotate_left(1);
                continue;
            }
            let ordinal = frame.next;
            frame.next += 1;
            // The next frame's body is asked for while this one is being sent.
            if frame.next + frame.head.count / 2 >= frame.head.count
                && let Some(second) = lane.frames.get(1).copied()
                && frames.get(second).is_some_and(|frame| frame.body.is_none() && frame.parked().is_none())
            {
                frames.want(second);
            }
            return Some((MessageRef { frame: first, ordinal }, index));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::pipeline::schedule::open::OpenFrame;
    use crate::storage::{Frame, FrameHead, Lane as LaneName};
    use std::sync::Arc;

    fn frame(first: u64, count: u32, in_memory: bool) -> OpenFrame {
        let lane = LaneName { carrier: "c".into(), account: "a".into(), priority: 1 };
        let head = FrameHead {
            first: MessageId(first),
            count,
            seq: 1,
            lane,
            batch: None,
            accepted: Time(0),
            expires: Time(1),
            due: Time(0),
            why: 0,
        };
        let body = in_memory.then(|| Arc::new(Frame::new(head.clone(), vec![0u8; count as usize].into()).expect("empty records")));
        OpenFrame::new(head, body, 1)
    }

    fn take(lanes: &mut Lanes, frames: &mut Frames, segments: u32) -> Option<u64> {
        let picked = lanes.pick(frames)?;
        lanes.charge(picked, segments);
        Some(picked.at.id().0)
    }

    #[test]
    fn a_lane_is_first_in_first_out_over_its_frames() {
        let (mut lanes, mut frames) = (Lanes::default(), Frames::default());
        for first in [10, 20] {
            frames.insert(frame(first, 2, true));
            lanes.push("a", Class::Marketing, 1, MessageId(first));
        }
        let order: Vec<u64> = std::iter::from_fn(|| take(&mut lanes, &mut frames, 1)).collect();
        assert_eq!(order, [10, 11, 20, 21]);
        assert!(lanes.is_empty());
    }

    #[test]
    fn accounts_share_by_weight_in_segments_not_messages() {
        let (mut lanes, mut frames) = (Lanes::default(), Frames::default());
        frames.insert(frame(1_000, 500, true));
        frames.insert(frame(5_000, 500, true));
        lanes.push("long", Class::Marketing, 1, MessageId(1_000));
        lanes.push("short", Class::Marketing, 1, MessageId(5_000));
        let mut sent = [0u32; 2];
        while sent[0] + sent[1] < 600 {
            let picked = lanes.pick(&mut frames).expect("both wait");
            let long = picked.at.frame == MessageId(1_000);
            let segments = if long { 4 } else { 1 };
            lanes.charge(picked, segments);
            sent[usize::from(!long)] += segments;
        }
        assert!(sent[0].abs_diff(sent[1]) <= 2 * QUANTUM as u32 + 4, "{sent:?}");
    }

    #[test]
    fn an_urgent_message_overtakes_and_the_least_urgent_keeps_its_floor() {
        let (mut lanes, mut frames) = (Lanes::default(), Frames::default());
        frames.insert(frame(1_000, 400, true));
        frames.insert(frame(5_000, 400, true));
        lanes.push("a", Class::Marketing, 1, MessageId(1_000));
        lanes.push("a", Class::Otp, 1, MessageId(5_000));
        let bulk = (0..160).filter(|_| take(&mut lanes, &mut frames, 1).expect("both wait") < 5_000).count();
        assert_eq!(bulk, 160 / FLOOR_EVERY as usize);
    }

    #[test]
    fn a_frame_not_in_memory_is_asked_for_and_others_go_on() {
        let (mut lanes, mut frames) = (Lanes::default(), Frames::default());
        frames.insert(frame(1_000, 1, false));
        frames.insert(frame(5_000, 1, true));
        lanes.push("a", Class::Marketing, 1, MessageId(1_000));
        lanes.push("b", Class::Marketing, 1, MessageId(5_000));
        assert_eq!(take(&mut lanes, &mut frames, 1), Some(5_000));
        assert_eq!(take(&mut lanes, &mut frames, 1), None);
        assert_eq!(frames.take_wanted(), [MessageId(1_000)]);
        frames.fetched(frame(1_000, 1, true).body.expect("in memory"));
        assert_eq!(take(&mut lanes, &mut frames, 1), Some(1_000));
    }
}
