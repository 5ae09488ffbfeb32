//! Long texts from handsets: parts go in as they come on any bind of a carrier, whole texts come out. Pure; the
//! bounds and the time are those of [`Reassembly`], the words those of the pipeline.

use crate::base::{Mono, Span};
use crate::channel::session::Inbound;
use crate::channel::sms::content::{self, Coding};
use crate::config::Alphabet;
use crate::message::event::{InboundPart, Piece};
use crate::wire::gsm::ConcatRef;
use crate::wire::gsm::reassembly::{Bounds, Key, Part, Reassembly, Whole};

/// Stands where parts are missing.
const HOLE: char = '\u{2026}';

/// A text whose parts were put together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The message.
    pub message: Inbound,
    /// How many parts it has.
    pub parts: u8,
    /// Whether some of them are missing.
    pub is_incomplete: bool,
    /// The ids under which its parts were given.
    pub of: Box<[u64]>,
}

/// What became of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Whether it is new. One that is known already needs no record.
    pub is_new: bool,
    /// A text that is told now.
    pub joined: Option<Joined>,
}

/// See the module.
#[derive(Debug)]
pub struct Joiner {
    machine: Reassembly,
    alphabet: Alphabet,
}

impl Joiner {
    /// `alphabet` is what data_coding 0 means to the carrier.
    #[must_use]
    pub fn new(alphabet: Alphabet, wait: Span, texts_max: usize, octets_max: usize) -> Joiner {
        Joiner { machine: Reassembly::new(Bounds { texts_max, octets_max, wait }), alphabet }
    }

    /// A part, under an id of the caller's. [`Joiner::due`] should be asked afterwards.
    pub fn part(&mut self, piece: &Piece, id: u64, now: Mono) -> Taken {
        let width = if piece.is_wide { ConcatRef::Bits16 } else { ConcatRef::Bits8 };
        let (source, destination) = (&*piece.from, &*piece.to);
        let key = Key { source, destination, width, reference: piece.reference, total: piece.total };
        let before = self.machine.taken();
        let whole = self.machine.part(key, Part { sequence: piece.place, coding: piece.coding, octets: &piece.octets, id }, now);
        // A text that is the part alone, because there was no room for it, is new as well.
        let is_new = self.machine.taken() != before || whole.as_ref().is_some_and(|whole| whole.ids == [id]);
        Taken { is_new, joined: whole.map(|whole| self.joined(&whole)) }
    }

    /// A part from the journal, after a restart; what it gives was told before when it completes.
    pub fn restore(&mut self, part: &InboundPart, now: Mono) -> Option<Joined> {
        self.part(&part.piece, part.id, now).joined
    }

    /// The next text that has waited long enough, or must make room. To be asked until it gives none.
    pub fn due(&mut self, now: Mono) -> Option<Joined> {
        let whole = self.machine.due(now)?;
        Some(self.joined(&whole))
    }

    /// When [`Joiner::due`] should be asked next if no part comes.
    #[must_use]
    pub fn next_at(&self) -> Option<Mono> {
        self.machine.next_at()
    }

    /// Texts that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.machine.waiting().0
    }

    /// Whether nothing would be missed if the parts in the journal were forgotten.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.machine.is_idle()
    }

    fn joined(&self, whole: &Whole) -> Joined {
        let mut text = String::new();
        for run in &whole.runs {
            if run.after_hole {
                text.push(HOLE);
            }
            content::decode(&run.octets, Coding(run.coding), self.alphabet, &mut text);
        }
        let port = whole.runs.first().map_or(0, |run| Coding(run.coding).port());
        Joined {
            message: Inbound { from: whole.source.clone(), to: whole.destination.clone(), text, port },
            parts: whole.total,
            is_incomplete: !whole.is_complete(),
            of: whole.ids.clone().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Mono = Mono(1_000_000);

    fn joiner() -> Joiner {
        Joiner::new(Alphabet::Gsm7, Span::secs(600), 100, 100_000)
    }

    fn piece(place: u8, total: u8, octets: &[u8]) -> Piece {
        Piece {
            from: "33612345678".into(),
            to: "36111".into(),
            is_wide: false,
            reference: 7,
            total,
            place,
            coding: 0,
            octets: octets.into(),
        }
    }

    #[test]
    fn parts_in_any_order_become_one_text_and_a_repetition_is_known() {
        let mut joiner = joiner();
        assert_eq!(joiner.part(&piece(2, 2, b"world"), 1, NOW), Taken { is_new: true, joined: None });
        assert_eq!(joiner.part(&piece(2, 2, b"world"), 2, NOW), Taken { is_new: false, joined: None });
        let Taken { is_new: true, joined: Some(joined) } = joiner.part(&piece(1, 2, b"hello "), 3, NOW) else { panic!("whole") };
        assert_eq!((&*joined.message.text, joined.parts, joined.is_incomplete, &*joined.of), ("hello world", 2, false, &[3, 1][..]));
        assert_eq!(joiner.part(&piece(1, 2, b"hello "), 4, NOW).joined, None, "the carrier missed our answer");
    }

    #[test]
    fn what_waited_too_long_is_told_with_its_holes() {
        let mut joiner = joiner();
        joiner.part(&piece(1, 4, b"one "), 1, NOW);
        joiner.part(&piece(3, 4, b"three"), 2, NOW);
        assert_eq!((joiner.due(NOW), joiner.waiting()), (None, 1));
        let then = joiner.next_at().expect("it waits");
        assert_eq!(then, NOW + Span::secs(600));
        let joined = joiner.due(then).expect("late");
        assert_eq!((&*joined.message.text, joined.parts, joined.is_incomplete), ("one …three", 4, true));
        assert_eq!(joiner.due(then), None);
    }
}
