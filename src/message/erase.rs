//! Records and log rows without what they say of a number (`docs/adr/0020-erase.md`). In: a frame or a row as it lies; out:
//! what takes its place, or nothing when it does not name the number. Counts, ordinals, ids and instants stay.

use crate::base::{MessageId, Msisdn};
use crate::message::event::Event;
use crate::message::log::{read_events, write_events};
use crate::message::record::Unreadable;
use crate::storage::{Blanked, Frame};
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use std::collections::HashSet;
use std::sync::Arc;

/// Kinds of log entries that may name a handset: `Orphaned`, `Inbound`, `InboundPart`, as in `proto/relais/v1/journal.proto`.
const NAMING: [u32; 3] = [8, 10, 14];

/// What is to be erased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject {
    /// The handset's number.
    pub number: Msisdn,
    /// One account's data; all data when none.
    pub account: Option<String>,
}

impl Subject {
    /// Whether an account's data are meant.
    #[must_use]
    pub fn is_of(&self, account: &str) -> bool {
        self.account.as_deref().is_none_or(|one| one == account)
    }

    fn is_from(&self, from: &str) -> bool {
        Msisdn::parse(from).is_ok_and(|number| number == self.number)
    }

    /// How every record to the number begins: its field is the first, and never absent.
    fn beginning(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(11);
        encode_key(1, WireType::Varint, &mut out);
        encode_varint(self.number.as_u64(), &mut out);
        out
    }

    /// The frame with empty records in the place of those to the number, and the messages of it that are empty now or were
    /// before. `None` for the frame when nothing is to be erased in it.
    #[must_use]
    pub fn frame(&self, frame: &Frame) -> (Option<Blanked>, Vec<MessageId>) {
        let beginning = self.beginning();
        let is_named = self.is_of(&frame.head.lane.account) && memchr::memmem::find(&frame.body, &beginning).is_some();
        let (mut ordinals, mut blank) = (Vec::new(), Vec::new());
        let mut body = Vec::with_capacity(if is_named { frame.body.len() } else { 0 });
        for (ordinal, (from, to)) in frame.places.iter().enumerate() {
            let record = &frame.body[*from as usize..*to as usize];
            let is_meant = is_named && record.starts_with(&beginning);
            if is_meant {
                ordinals.push(ordinal as u32);
            }
            if is_meant || record.is_empty() {
                blank.push(MessageId(frame.head.first.0 + ordinal as u64));
            }
            if is_named {
                let kept = if is_meant { &[][..] } else { record };
                encode_varint(kept.len() as u64, &mut body);
                body.extend_from_slice(kept);
            }
        }
        if ordinals.is_empty() {
            return (None, blank);
        }
        let frame = Frame::new(frame.head.clone(), body.into()).expect("as many records as before, each with its length");
        (Some(Blanked { frame: Arc::new(frame), ordinals }), blank)
    }

    /// Adds the parts of which messages from the number were made: they do not say whose they are.
    ///
    /// # Errors
    /// When the row cannot be read.
    pub fn parts(&self, log: &[u8], parts: &mut HashSet<u64>) -> Result<(), Unreadable> {
        each(log, |kind, entry| {
            if kind == 10
                && let Some(Event::Inbound { account, from, of, .. }) = read_events(entry)?.pop()
                && self.is_of(&account)
                && self.is_from(&from)
            {
                parts.extend(of);
            }
            Ok(())
        })
    }

    /// The row without what it says of the number, `None` when it says nothing; `blank` takes the ids of the messages from a
    /// handset that are without their sender now or were before. Other entries stay octet by octet, also of
    /// kinds this version does not know.
    ///
    /// # Errors
    /// When the row cannot be read.
    pub fn log(&self, log: &[u8], parts: &HashSet<u64>, blank: &mut Vec<u64>) -> Result<Option<Vec<u8>>, Unreadable> {
        let (mut out, mut is_changed) = (Vec::new(), false);
        each(log, |kind, entry| {
            let named = if NAMING.contains(&kind) { read_events(entry)?.pop() } else { None };
            if let Some(Event::Inbound { id, from, account, .. }) = &named
                && (from.is_empty() || (self.is_from(from) && self.is_of(account)))
            {
                blank.push(*id);
            }
            match named.and_then(|event| self.event(event, parts)) {
                Some(event) => {
                    is_changed = true;
                    write_events([&event], &mut out);
                }
                None => out.extend_from_slice(entry),
            }
            Ok(())
        })?;
        Ok(is_changed.then_some(out))
    }

    /// The event without the number and what was written, if it is from it or about it and not erased yet.
    fn event(&self, mut event: Event, parts: &HashSet<u64>) -> Option<Event> {
        match &mut event {
            Event::Inbound { account, from, text, .. } if self.is_of(account) && self.is_from(from) => {
                (*from, *text) = ("".into(), "".into());
            }
            Event::InboundPart(part) if parts.contains(&part.id) || self.account.is_none() => {
                if !self.is_from(&part.piece.from) {
                    return None;
                }
                (part.piece.from, part.piece.octets) = ("".into(), [].into());
            }
            Event::Orphaned { number, .. } if self.account.is_none() && *number == self.number.as_u64() => *number = 0,
            _ => return None,
        }
        Some(event)
    }
}

/// The entries of a row: the kind, and all its octets with key and length.
fn each(log: &[u8], mut take: impl FnMut(u32, &[u8]) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
    let mut rest = log;
    while !rest.is_empty() {
        let begin = rest;
        let (tag, wire) = decode_key(&mut rest).map_err(|_| Unreadable)?;
        let length = decode_varint(&mut rest).map_err(|_| Unreadable)?;
        if tag != 1 || wire != WireType::LengthDelimited {
            return Err(Unreadable);
        }
        let (inside, after) = rest.split_at_checked(usize::try_from(length).map_err(|_| Unreadable)?).ok_or(Unreadable)?;
        rest = after;
        let mut at = inside;
        let kind = if inside.is_empty() { 0 } else { decode_key(&mut at).map_err(|_| Unreadable)?.0 };
        take(kind, &begin[..begin.len() - rest.len()])?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "erase_tests.rs"]
mod tests;
