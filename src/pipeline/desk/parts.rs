//! Parts of long texts from handsets, as the journal tells of them: acknowledged, and perhaps not yet told. Pure;
//! bounded by what came within [`KEPT`] of the newest.

use crate::base::{Span, Time};
use crate::message::event::InboundPart;
use std::collections::{BTreeMap, VecDeque};

/// Parts of a text that was told are needed so long, to know one of them that comes again. As long as the longest
/// `engine.inbound_wait` would be too much to read at a start: a repetition after this is told as a new text.
const KEPT: Span = Span::secs(600);

/// A part, and whether its text was told already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostPart {
    /// The part.
    pub part: InboundPart,
    /// Whether a message with it is in the journal: it is kept to recognise it, and not told again.
    pub is_told: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LostParts {
    /// By id, which is the order in which they came.
    parts: BTreeMap<u64, LostPart>,
    /// What was told, oldest first.
    told: VecDeque<(Time, Box<[u64]>)>,
}

impl LostParts {
    /// A part was journaled.
    pub(super) fn came(&mut self, part: InboundPart) {
        self.parts.insert(part.id, LostPart { part, is_told: false });
    }

    /// A message was told with these parts.
    pub(super) fn told(&mut self, of: Box<[u64]>, is_incomplete: bool, when: Time) {
        for id in &of {
            if is_incomplete {
                // Given up with its holes: nothing remembers it, as in the life before.
                self.parts.remove(id);
            } else if let Some(part) = self.parts.get_mut(id) {
                part.is_told = true;
            }
        }
        if !of.is_empty() && !is_incomplete {
            self.told.push_back((when, of));
        }
        while self.told.front().is_some_and(|(then, _)| when.since(*then) > KEPT) {
            let (_, of) = self.told.pop_front().expect("it is there");
            of.iter().for_each(|id| drop(self.parts.remove(id)));
        }
    }

    /// Those of one carrier, in the order in which they came.
    pub(super) fn of(&self, carrier: &str) -> Vec<LostPart> {
        self.parts.values().filter(|lost| *lost.part.carrier == *carrier).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::event::Piece;

    fn part(id: u64) -> InboundPart {
        let piece = Piece {
            from: "33612345678".into(),
            to: "36111".into(),
            is_wide: false,
            reference: 7,
            total: 2,
            place: id as u8,
            coding: 0,
            octets: [id as u8].into(),
        };
        InboundPart { id, carrier: "one".into(), piece, when: Time(id as i64) }
    }

    fn left(parts: &LostParts) -> Vec<(u64, bool)> {
        parts.of("one").iter().map(|lost| (lost.part.id, lost.is_told)).collect()
    }

    #[test]
    fn what_was_told_is_remembered_for_a_while_and_what_was_given_up_is_not() {
        let mut parts = LostParts::default();
        (1..=5).for_each(|id| parts.came(part(id)));
        parts.told([1, 2].into(), false, Time(10));
        parts.told([4].into(), true, Time(11));
        assert_eq!(left(&parts), [(1, true), (2, true), (3, false), (5, false)]);
        parts.told([].into(), false, Time(10).after(KEPT).after(Span::millis(1)));
        assert_eq!(left(&parts), [(3, false), (5, false)]);
        assert_eq!(parts.of("another"), []);
    }
}
