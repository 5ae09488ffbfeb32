//! What handsets send over one carrier: whole messages become events at once, parts wait for the others, and the
//! journal is told from where it must be read to know them after a restart. Lives on its shard's thread.

use crate::base::{Mono, Span};
use crate::channel::session::Inbound;
use crate::channel::sms::{Joined, Joiner};
use crate::config;
use crate::engine::ids::Ids;
use crate::engine::writer::WriterState;
use crate::message::Event;
use crate::message::event::{InboundPart, Keyword, Piece};
use crate::pipeline::desk::{LostPart, Now};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The least time between two marks: a note a minute is nothing, a minute of log more to read neither.
const MARK_EVERY: Span = Span::secs(60);

/// Under these notes lie the positions from which the log holds all parts that matter.
const NOTES: &str = "inbound-parts/";

/// See the module.
pub(crate) struct Handsets {
    carrier: Box<str>,
    /// Whose inbound messages are.
    account: Box<str>,
    joiner: Joiner,
    wait: Span,
    state: Arc<WriterState>,
    /// Since when parts lie at or after which position of the log. A part that came at or after an instant is at or after
    /// its position: it was not committed yet when the position was read.
    marks: VecDeque<(Mono, u64)>,
    /// The position in the journal's note.
    noted: Option<u64>,
}

impl Handsets {
    pub(crate) fn new(carrier: &config::Carrier, account: &str, engine: &config::Engine, state: Arc<WriterState>) -> Handsets {
        let octets_max = usize::try_from(engine.inbound_bytes_max).unwrap_or(usize::MAX);
        Handsets {
            carrier: carrier.name.as_str().into(),
            account: account.into(),
            joiner: Joiner::new(carrier.alphabet, engine.inbound_wait, engine.inbound_texts_max as usize, octets_max),
            wait: engine.inbound_wait,
            state,
            marks: VecDeque::new(),
            noted: None,
        }
    }

    /// A message that stands for itself.
    pub(crate) fn message(&self, message: Inbound, ids: &Ids, now: Now) -> Event {
        self.event(Joined { message, parts: 1, is_incomplete: false, of: [].into() }, ids, now)
    }

    /// A part. Its record, unless it is known already, and the text it completes, to be committed together.
    pub(crate) fn piece(&mut self, piece: Piece, ids: &Ids, now: Now) -> impl Iterator<Item = Event> + use<> {
        let id = ids.take(now.wall);
        let taken = self.joiner.part(&piece, id, now.mono);
        let part = taken.is_new.then(|| {
            self.mark(now.mono);
            Event::InboundPart(Box::new(InboundPart { id, carrier: self.carrier.clone(), piece, when: now.wall }))
        });
        let told = taken.joined.map(|joined| self.event(joined, ids, now));
        part.into_iter().chain(told)
    }

    /// The next text that is told with its holes.
    pub(crate) fn due(&mut self, ids: &Ids, now: Now) -> Option<Event> {
        let joined = self.joiner.due(now.mono)?;
        Some(self.event(joined, ids, now))
    }

    /// When the next text has waited long enough.
    pub(crate) fn next_at(&self) -> Option<Mono> {
        self.joiner.next_at()
    }

    /// Takes parts back after a restart. What they complete was told before, or is told now.
    pub(crate) fn restore(&mut self, parts: &[LostPart], from: Option<u64>, ids: &Ids, now: Now) -> Vec<Event> {
        self.noted = from;
        self.marks.extend(from.map(|seq| (now.mono, seq)));
        let mut events = Vec::new();
        for lost in parts {
            // How long it has waited already; a clock that begins with the process cannot go back further than that.
            let since = Mono(now.mono.0.saturating_sub(now.wall.since(lost.part.when).0));
            let joined = self.joiner.restore(&lost.part, since);
            events.extend(joined.filter(|_| !lost.is_told).map(|joined| self.event(joined, ids, now)));
        }
        events
    }

    /// The journal's note, when it must change.
    pub(crate) fn note(&mut self, now: Mono) -> Option<(String, Option<Vec<u8>>)> {
        // A whole text is remembered as long again as it may have waited.
        while self.marks.get(1).is_some_and(|(at, _)| *at + self.wait + self.wait <= now) {
            self.marks.pop_front();
        }
        if !self.marks.is_empty() && self.joiner.is_idle() {
            self.marks.clear();
        }
        let wanted = self.marks.front().map(|(_, seq)| *seq);
        if wanted == self.noted {
            return None;
        }
        self.noted = wanted;
        Some((format!("{NOTES}{}", self.carrier), wanted.map(|seq| seq.to_le_bytes().to_vec())))
    }

    fn mark(&mut self, now: Mono) {
        if self.marks.back().is_none_or(|(at, _)| now.since(*at) >= MARK_EVERY) {
            self.marks.push_back((now, self.state.seq.load(Ordering::Acquire) + 1));
        }
    }

    fn event(&self, joined: Joined, ids: &Ids, now: Now) -> Event {
        let Joined { message, parts, is_incomplete, of } = joined;
        Event::Inbound {
            id: ids.take(now.wall),
            carrier: self.carrier.clone(),
            account: self.account.clone(),
            from: message.from.into(),
            to: message.to.into(),
            text: message.text.into(),
            keyword: Keyword::None,
            when: now.wall,
            parts,
            is_incomplete,
            port: message.port,
            of,
        }
    }
}

/// Where the log begins to hold parts, by carrier, from the notes of a journal.
pub(crate) fn marks(archive: &dyn crate::storage::Archive) -> Result<Vec<(String, u64)>, crate::storage::StoreFault> {
    let read = |(key, value): (String, Vec<u8>)| {
        let seq = u64::from_le_bytes(value.try_into().ok()?);
        Some((key.strip_prefix(NOTES)?.to_owned(), seq))
    };
    Ok(archive.notes(NOTES)?.into_iter().filter_map(read).collect())
}
